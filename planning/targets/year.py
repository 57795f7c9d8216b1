"""The law of the plan year: each bottom cell's sum over the year, jointly, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from planning.forecast.joint_forecast import JointForecast


@dataclass(frozen=True)
class YearLaw:
    """The year's sums of n bottom cells: mean + t_df * scale, jointly through `loads` (K x n, weights inside)."""

    cells: pd.DataFrame
    keys: tuple[str, ...]
    mean: np.ndarray
    loads: np.ndarray
    df: float
    nonnegative: np.ndarray
    profile: np.ndarray  # n x months, each row sums to 1
    periods: pd.DatetimeIndex

    @classmethod
    def of(cls, joint: JointForecast, start: pd.Timestamp, end: pd.Timestamp) -> YearLaw:
        """Returns the law of the months `start` to `end` of a joint forecast, cells in key order."""
        part = joint.window(start, end)
        low = np.flatnonzero(part.bottom)
        order = low[
            part.cells.iloc[low][list(part.keys)]
            .reset_index(drop=True)
            .sort_values(list(part.keys), kind="stable")
            .index
        ]
        mean = np.maximum(part.mean[order], 0.0)
        errors = part.errors[:, order].astype(float).sum(axis=2)
        return cls(
            cells=part.cells.iloc[order][["unique_id", *part.keys]].reset_index(drop=True),
            keys=tuple(part.keys),
            mean=part.mean[order].sum(axis=1),
            loads=errors * np.sqrt(part.weights)[:, None],
            df=part.df,
            nonnegative=part.nonnegative[order],
            profile=_profile(mean),
            periods=part.periods,
        )

    @property
    def scale(self) -> np.ndarray:
        """Scale of each cell's t."""
        return np.sqrt((self.loads**2).sum(axis=0))

    def sums(self, member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean and scale of sums of cells; `member` is n x sums of 0 and 1."""
        return self.mean @ member, np.sqrt(((self.loads @ member) ** 2).sum(axis=0))

    def t(self, level: float | np.ndarray) -> np.ndarray:
        """Returns the standard quantile of the law."""
        return special.ndtri(level) if not np.isfinite(self.df) else special.stdtrit(self.df, level)

    def quantile(self, level: float) -> np.ndarray:
        """Returns each cell's quantile, cut at 0 where the history never was negative."""
        value = self.mean + self.t(level) * self.scale
        return np.where(self.nonnegative, np.maximum(value, 0.0), value)

    def probability(self, target: np.ndarray) -> np.ndarray:
        """Returns each cell's P(sum >= target)."""
        return self._above(np.asarray(target, dtype=float), self.mean, self.scale)

    def total_quantile(self, level: float, rows: np.ndarray | None = None) -> float:
        """Returns the quantile of the sum of all cells, or of the cells where `rows` is True."""
        mean, scale = self.sums(self._member(rows))
        return float(mean[0] + self.t(level) * scale[0])

    def total_probability(self, target: float, rows: np.ndarray | None = None) -> float:
        """Returns P(sum >= target) of all cells, or of the cells where `rows` is True."""
        mean, scale = self.sums(self._member(rows))
        return float(self._above(np.array([target]), mean, scale)[0])

    def _member(self, rows: np.ndarray | None) -> np.ndarray:
        chosen = np.ones(len(self.mean)) if rows is None else np.asarray(rows, dtype=float)
        return chosen[:, None]

    def _above(self, target: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            z = (mean - target) / scale
        # A cell without spread is certain; half a minor unit of rounding must not turn it into a miss.
        z = np.where(scale > 0, z, np.where(mean >= target - 0.02, np.inf, -np.inf))
        return special.ndtr(z) if not np.isfinite(self.df) else special.stdtr(self.df, z)

    def rows(self, keys: tuple[tuple[str, str], ...]) -> np.ndarray:
        """Returns which cells carry these key values."""
        inside = np.ones(len(self.cells), dtype=bool)
        for key, value in keys:
            inside &= self.cells[key].astype(str).to_numpy() == value
        return inside

    def draws(self, n: int, seed: int) -> np.ndarray:
        """Returns n x cells draws (float64) of the year's sums, in mirrored pairs; the same seed, the same draws."""
        rng = np.random.default_rng(seed)
        half = (n + 1) // 2
        z = rng.standard_normal((half, len(self.loads)))
        if np.isfinite(self.df):
            z *= np.sqrt(self.df / rng.chisquare(self.df, size=half))[:, None]
        out = self.mean + np.concatenate([z, -z])[:n] @ self.loads
        return np.where(self.nonnegative, np.maximum(out, 0.0), out)


def _profile(mean: np.ndarray) -> np.ndarray:
    """Returns each cell's share of the year by month; a cell without expected sales follows the panel."""
    total = mean.sum(axis=1, keepdims=True)
    panel = mean.sum(axis=0)
    common = panel / panel.sum() if panel.sum() > 0 else np.full(mean.shape[1], 1 / mean.shape[1])
    return np.where(total > 0, mean / np.where(total > 0, total, 1.0), common)
