"""A forecast of all cells and months together, as a multivariate t that stays small.

What is stored is the mean and some dozen whole arrays of past errors, each scaled to today:

```
mean     n x H        nodes x steps
errors   K x n x H    error of past origin k at node i and step j, in today's money
weights  K            sum 1, the more recent the heavier
df                    degrees of freedom
```

With weights w and errors e_k, any linear total `c` of nodes and steps is distributed as

    c'mean + t_df * sqrt(sum_k w_k (c'e_k)^2)

so that quantiles and chances of a cell, a node, a sum over cells or months are closed form, and the correlation over
cells and months is kept because whole arrays are. Draws use the same law: one standard normal a past origin and one
chi-square a draw (Gaussian weights on whole error arrays, mixed to a t), coherent by construction.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from planning import files
from planning.errors import DataError, UsageError, did_you_mean


@dataclasses.dataclass(frozen=True, eq=False)
class JointForecast:
    """The joint distribution of n nodes x H steps; see the module's text for the law.

    cells: one row a node: `unique_id`, `level` (text), one column a key (the name `total` where a key is summed out).
    periods: the H step starts. bottom: True where the node is a bottom cell; the others are sums of bottom cells.
    nonnegative: True where the history never was negative, so quantiles and draws are cut at 0.
    """

    cells: pd.DataFrame
    periods: pd.DatetimeIndex
    mean: np.ndarray
    errors: np.ndarray
    weights: np.ndarray
    df: float
    keys: tuple[str, ...]
    bottom: np.ndarray
    nonnegative: np.ndarray
    meta: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        n, h = self.mean.shape
        if self.errors.shape[1:] != (n, h) or len(self.weights) != len(self.errors):
            raise DataError(f"joint forecast: errors of shape {self.errors.shape} do not fit a mean of {n} x {h}.")
        if len(self.cells) != n or len(self.bottom) != n or len(self.nonnegative) != n or len(self.periods) != h:
            raise DataError(f"joint forecast: cells, bottom, nonnegative or periods do not fit a mean of {n} x {h}.")
        if self.cells["unique_id"].duplicated().any():
            raise DataError("joint forecast: a unique_id stands twice among the cells.")

    # ---- laws of linear totals -------------------------------------------------------------------------------

    def _rows(self, cells: Iterable[str] | None) -> np.ndarray:
        if cells is None:
            return np.arange(len(self.cells))
        wanted = pd.Index([cells] if isinstance(cells, str) else list(cells))
        rows = pd.Index(self.cells["unique_id"]).get_indexer(wanted)
        if (rows < 0).any():
            word = str(wanted[rows < 0][0])
            raise UsageError(f"the forecast has no cell '{word}'.{did_you_mean(word, self.cells['unique_id'])}")
        return rows

    def _steps(self, steps: Sequence[int] | slice | None) -> np.ndarray:
        return np.arange(len(self.periods))[steps if steps is not None else slice(None)]

    def law(self, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns mean and scale of linear totals; `coefficients` is n x H, or m x n x H for m totals at once.

        The total is mean + scale * t_df.
        """
        c = np.asarray(coefficients, dtype=float)
        if c.shape[-2:] != self.mean.shape:
            raise DataError(f"law: coefficients of shape {c.shape} do not fit {self.mean.shape} nodes x steps.")
        flat = c.reshape(-1, self.mean.size)
        mean = flat @ self.mean.ravel()
        parts = self.errors.reshape(len(self.errors), -1).astype(float) @ flat.T
        scale = np.sqrt(self.weights @ parts**2)
        return (mean.reshape(c.shape[:-2]), scale.reshape(c.shape[:-2]))

    def _node_law(self, rows: np.ndarray, steps: np.ndarray, total: bool) -> tuple[np.ndarray, np.ndarray]:
        mean = self.mean[np.ix_(rows, steps)]
        mean = mean.sum(axis=1, keepdims=True) if total else mean
        variance = np.zeros(mean.shape)
        for weight, layer in zip(self.weights, self.errors):  # one origin at a time: no second copy of the errors
            error = layer[np.ix_(rows, steps)].astype(float)
            variance += weight * (error.sum(axis=1, keepdims=True) if total else error) ** 2
        return mean, np.sqrt(variance)

    def quantile(
        self, cells: Iterable[str] | None = None, levels: Sequence[float] = (0.1, 0.5, 0.9), *, total: bool = False
    ) -> pd.DataFrame:
        """Returns quantiles of each node and step, or of each node's sum over the steps (`total`).

        One row a node (and step `ds`), columns `unique_id, ds, mean` and one a level, named by the level.
        """
        rows, steps = self._rows(cells), self._steps(None)
        mean, scale = self._node_law(rows, steps, total)
        floor = np.where(self.nonnegative[rows], 0.0, -np.inf)[:, None]
        ids = self.cells["unique_id"].to_numpy()[rows]
        if total:
            out = pd.DataFrame({"unique_id": ids, "mean": mean[:, 0]})
        else:
            out = pd.DataFrame({"unique_id": np.repeat(ids, len(steps)), "ds": np.tile(self.periods, len(rows))})
            out["mean"] = mean.ravel()
        for level in levels:
            out[level] = np.maximum(mean + t_quantile(level, self.df) * scale, floor).ravel()
        return out

    def probability(
        self,
        target: float | pd.Series,
        *,
        cells: Iterable[str] | None = None,
        steps: Sequence[int] | slice | None = None,
    ) -> float | pd.Series:
        """Returns P(sum over the steps >= target), 0 to 1.

        A number is asked of the sum of all bottom cells (or of `cells`, none of which may contain another); a Series
        indexed by unique_id is answered node by node.
        """
        chosen = self._steps(steps)
        if isinstance(target, pd.Series):
            mean, scale = self._node_law(self._rows(target.index), chosen, total=True)
            return pd.Series(exceedance(target.to_numpy(float), mean[:, 0], scale[:, 0], self.df), index=target.index)
        rows = np.flatnonzero(self.bottom) if cells is None else self._rows(cells)
        coefficients = np.zeros(self.mean.shape)
        coefficients[np.ix_(rows, chosen)] = 1.0
        mean, scale = self.law(coefficients)
        return float(exceedance(np.array(float(target)), mean, scale, self.df))

    # ---- draws ------------------------------------------------------------------------------------------------

    def draws(self, n: int, seed: int, *, cells: Iterable[str] | None = None) -> np.ndarray:
        """Returns n x cells x H draws (float32) of the bottom cells, or of `cells`; the same seed, the same draws.

        Bottom cells with a non-negative history are cut at 0 before anything is summed. Aggregates asked for by
        `cells` are sums of the bottom draws, so a draw is coherent.
        """
        rng = np.random.default_rng(seed)
        z = rng.standard_normal((n, len(self.weights))) * np.sqrt(self.weights)
        mixing = np.sqrt(self.df / rng.chisquare(self.df, size=n)) if np.isfinite(self.df) else np.ones(n)
        z = (z * mixing[:, None]).astype(np.float32)
        low = np.flatnonzero(self.bottom)
        flat = self.errors[:, low].reshape(len(self.errors), -1)
        out = (z @ flat).reshape(n, len(low), -1)
        out += self.mean[low].astype(np.float32)
        cut = self.nonnegative[low]
        np.maximum(out, 0.0, out=out, where=cut[None, :, None])
        if cells is None:
            return out
        summing = self.summing(self._rows(cells))[:, low].astype(np.float32)
        return np.einsum("cb,nbh->nch", summing, out, optimize=True)

    def summing(self, rows: np.ndarray | None = None) -> np.ndarray:
        """Returns the 0/1 matrix of nodes (`rows`, all if None) as sums of bottom nodes; its columns are all nodes."""
        rows = np.arange(len(self.cells)) if rows is None else rows
        matrix = np.zeros((len(rows), len(self.cells)))
        low = np.flatnonzero(self.bottom)
        for position, row in enumerate(rows):
            if self.bottom[row]:
                matrix[position, row] = 1.0
                continue
            inside = np.ones(len(low), dtype=bool)
            for key in self.keys:
                value = self.cells[key].iat[row]
                if value != TOTAL:
                    inside &= self.cells[key].to_numpy()[low] == value
            matrix[position, low[inside]] = 1.0
        return matrix

    # ---- other forecasts made of this one -----------------------------------------------------------------------

    def _with(self, rows: np.ndarray, **changes: Any) -> JointForecast:
        parts = {
            "cells": self.cells.iloc[rows].reset_index(drop=True),
            "mean": self.mean[rows],
            "errors": self.errors[:, rows],
            "bottom": self.bottom[rows],
            "nonnegative": self.nonnegative[rows],
        }
        return dataclasses.replace(self, **(parts | changes))

    def select(self, unique_ids: Iterable[str]) -> JointForecast:
        """Returns the forecast of these nodes only, in this order."""
        return self._with(self._rows(unique_ids))

    def window(self, start: Any = None, end: Any = None) -> JointForecast:
        """Returns the steps with start <= ds <= end."""
        keep = np.ones(len(self.periods), dtype=bool)
        if start is not None:
            keep &= self.periods >= pd.Timestamp(start)
        if end is not None:
            keep &= self.periods <= pd.Timestamp(end)
        if not keep.any():
            covered = f"{self.periods[0]:%Y-%m-%d} to {self.periods[-1]:%Y-%m-%d}"
            raise UsageError(f"the forecast covers {covered}, nothing in {start} to {end}. Forecast further ahead.")
        return dataclasses.replace(
            self, periods=self.periods[keep], mean=self.mean[:, keep], errors=self.errors[:, :, keep]
        )

    def summed(self, freq: str) -> JointForecast:
        """Returns the forecast of coarser periods (QS, YS, YS-APR, ...): exact sums of the steps, whole periods only.

        Months add up to quarters and quarters to the year, in the mean, in each error array and so in every draw. A
        week counts to the period it starts in.
        """
        from planning.forecast.frequency import looks_like, parse, whole_periods

        dates = self.periods.to_numpy().astype("datetime64[D]")
        own = parse(looks_like(dates) or "D", dates)
        starts, member = whole_periods(own, freq, int(own.ordinal(dates[:1])[0]), len(dates))
        if not len(starts):
            raise UsageError(f"the forecast covers no whole period of {freq}. Forecast further ahead.")
        return dataclasses.replace(
            self,
            periods=pd.DatetimeIndex(starts),
            mean=self.mean @ member.T,
            errors=np.einsum("knh,qh->knq", self.errors.astype(float), member.astype(float)).astype(np.float32),
        )

    def aggregate(self, keys: Sequence[str]) -> JointForecast:
        """Returns the forecast with `keys` as the bottom level (sums of today's bottom cells) and the total on top."""
        low = np.flatnonzero(self.bottom)
        frame = self.cells.iloc[low]
        groups = frame.groupby(list(keys), sort=True, observed=True).ngroup().to_numpy()
        first = pd.Series(np.arange(len(low))).groupby(groups).first().to_numpy()
        member = np.zeros((groups.max() + 2, len(low)))
        member[groups, np.arange(len(low))] = 1.0
        member[-1] = 1.0
        names = frame.iloc[first][list(keys)].reset_index(drop=True)
        ids = names.astype(str).agg("/".join, axis=1)
        cells = pd.DataFrame({"unique_id": [*ids, TOTAL], "level": ["/".join(keys)] * len(ids) + [TOTAL]})
        for key in keys:
            cells[key] = [*names[key], TOTAL]
        inside = member > 0
        return dataclasses.replace(
            self,
            cells=cells,
            keys=tuple(keys),
            mean=member @ self.mean[low],
            errors=np.einsum("gb,kbh->kgh", member, self.errors[:, low].astype(float)).astype(np.float32),
            bottom=np.arange(len(cells)) < len(ids),
            nonnegative=np.array([self.nonnegative[low][row].all() for row in inside]),
        )

    def scaled(self, factors: pd.Series) -> JointForecast:
        """Returns the forecast with each bottom cell's mean and errors times its factor (by unique_id; others 1)."""
        low = np.flatnonzero(self.bottom)
        unknown = factors.index.difference(self.cells["unique_id"].iloc[low])
        if len(unknown):
            raise UsageError(f"the forecast has no bottom cell '{unknown[0]}'.")
        factor = self.cells["unique_id"].iloc[low].map(factors).fillna(1.0).to_numpy(float)
        mean, errors = self.mean.copy(), self.errors.copy()
        mean[low] *= factor[:, None]
        errors[:, low] *= factor[None, :, None].astype(np.float32)
        return self._rebuilt(mean, errors)

    def shifted(self, change: np.ndarray) -> JointForecast:
        """Returns the forecast with `change` (bottom cells x H) added to the mean of the bottom; errors stay."""
        mean = self.mean.copy()
        mean[np.flatnonzero(self.bottom)] += change
        return self._rebuilt(mean, self.errors)

    def _rebuilt(self, mean: np.ndarray, errors: np.ndarray) -> JointForecast:
        top = np.flatnonzero(~self.bottom)
        if len(top):
            low = np.flatnonzero(self.bottom)
            summing = self.summing(top)[:, low]
            mean = mean.copy()
            errors = errors.copy()
            mean[top] = summing @ mean[low]
            errors[:, top] = np.einsum("tb,kbh->kth", summing, errors[:, low].astype(float)).astype(np.float32)
        return dataclasses.replace(self, mean=mean, errors=errors)

    # ---- files --------------------------------------------------------------------------------------------------

    def save(self, folder: str | Path) -> None:
        """Writes `cells.parquet`, `forecast.parquet` (mean, errors) and `manifest.json`, whole or not at all."""
        with files.atomic_folder(folder) as temporary:
            cells = self.cells.assign(bottom=self.bottom, nonnegative=self.nonnegative)
            cells.to_parquet(temporary / "cells.parquet", index=False)
            n, h = self.mean.shape
            arrays = {"mean": self.mean.ravel()} | {f"error_{k}": e.ravel() for k, e in enumerate(self.errors)}
            long = pd.DataFrame({"cell": np.repeat(np.arange(n), h), "step": np.tile(np.arange(h), n), **arrays})
            long.to_parquet(temporary / "forecast.parquet", index=False)
            manifest = {
                "kind": "JointForecast",
                "keys": list(self.keys),
                "periods": [f"{period:%Y-%m-%d}" for period in self.periods],
                "df": self.df if np.isfinite(self.df) else None,
                "weights": [float(w) for w in self.weights],
                "meta": self.meta,
            }
            files.write_json(temporary / "manifest.json", manifest)

    @classmethod
    def load(cls, folder: str | Path) -> JointForecast:
        """Reads what `save` wrote; UsageError where it is not there."""
        folder = Path(folder)
        if not (folder / "manifest.json").is_file():
            raise UsageError(f"{folder}: holds no joint forecast (manifest.json is missing). Run the forecast first.")
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        cells = pd.read_parquet(folder / "cells.parquet")
        long = pd.read_parquet(folder / "forecast.parquet")
        n, h, k = len(cells), len(manifest["periods"]), len(manifest["weights"])
        errors = [long[f"error_{i}"].to_numpy(np.float32).reshape(n, h) for i in range(k)]
        return cls(
            cells=cells.drop(columns=["bottom", "nonnegative"]),
            periods=pd.DatetimeIndex(manifest["periods"]),
            mean=long["mean"].to_numpy(float).reshape(n, h),
            errors=np.stack(errors),
            weights=np.array(manifest["weights"]),
            df=float("inf") if manifest["df"] is None else float(manifest["df"]),
            keys=tuple(manifest["keys"]),
            bottom=cells["bottom"].to_numpy(bool),
            nonnegative=cells["nonnegative"].to_numpy(bool),
            meta=manifest["meta"],
        )


TOTAL = "total"


def t_quantile(level: float, df: float) -> float:
    """Returns the quantile of the t distribution (normal where df is infinite)."""
    return float(special.ndtri(level) if not np.isfinite(df) else special.stdtrit(df, level))


def exceedance(target: np.ndarray, mean: np.ndarray, scale: np.ndarray, df: float) -> np.ndarray:
    """Returns P(mean + scale * t_df >= target); a scale of 0 gives 1 or 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (mean - target) / scale
    z = np.where(scale > 0, z, np.where(mean >= target, np.inf, -np.inf))
    return special.ndtr(z) if not np.isfinite(df) else special.stdtr(df, z)
