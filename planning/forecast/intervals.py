"""Intervals from the errors of past origins, pooled over the panel and shrunk to it.

    r = (y - forecast) / (scale at that origin * length(n at that origin))     errors of all series on one scale
    own_i  = 0.7 + 0.3 mean|r_i| / mean|r|   (more weight on the own errors with more origins)
    bound  = forecast + scale_i length(n_i) own_i q(step, level)

`scale` is half the mean absolute change plus half the mean absolute seasonal change, recent periods weighing more; with
`length(n) = sqrt(1 + (m+1)/n)` short histories, whose forecasts are worse, get wider intervals and their errors do not
widen those of long ones. `q` is the pooled quantile of r: half of it by step, half one quantile times step^g; half
signed, half symmetric. Few series lean on a prior, a t distribution with the spread measured on other data sets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planning.forecast.panel import Panel

SHRINK_ORIGINS = 7.0  # own errors weigh K / (K + 7): 0.3 with three origins
PRIOR_SERIES = 10.0
PRIOR_DF = 4.0
PRIOR_80 = 0.85  # half width of the 80 % interval of the first step, in scales
WIDEN = {80.0: (1.0, 3.5), 95.0: (1.02, 6.0)}  # a + b/n: errors of polished refits are too small, most in short series
LEAST_ROWS = 20
SUM_WIDEN = 1.08  # past origins hide more of a lasting error than of a passing one; read off seven rolling origins
SUM_SHARE = 0.8  # of the steps' widths added up: what a sum is wide where no past path tells
MOST_ROWS = 60_000


@dataclass(frozen=True)
class Errors:
    """Scaled errors r of past origins: values (rows, H) float32, NaN where unknown; series: how many gave them.

    level, count (rows,): the series' own mean |r| and the number of its origins, for the factor that is taken off.
    """

    values: np.ndarray
    level: np.ndarray
    count: np.ndarray
    series: int

    @classmethod
    def none(cls, horizon: int) -> Errors:
        """Returns no errors."""
        return cls(np.zeros((0, horizon), np.float32), np.zeros(0), np.zeros(0), 0)

    @classmethod
    def merge(cls, parts: list[Errors]) -> Errors:
        """Joins the errors of parts in their order; of very many rows every k-th is kept, which moves no quantile."""
        values = np.concatenate([part.values for part in parts])
        level = np.concatenate([part.level for part in parts])
        count = np.concatenate([part.count for part in parts])
        step = max(1, -(-len(values) // MOST_ROWS))
        return cls(values[::step], level[::step], count[::step], sum(part.series for part in parts))


def growth(season: int) -> float:
    """Returns the power of the step with which errors grow: seasonal months slower than quarters and years."""
    return 0.5 if season <= 4 else 0.3


def length_factor(n: np.ndarray, season: int) -> np.ndarray:
    """Returns how much wider the errors of a history of n periods are than those of a long one."""
    return np.sqrt(1.0 + (season + 1.0) / np.maximum(n, 1))


def past_origins(lengths: np.ndarray, horizon: int, season: int, least: int, *, small: bool = True) -> list[int]:
    """Returns the origins to calibrate on: 1, 4/3 and 5/3 horizons back, more for a panel of at most 50 long ones.

    Where a tenth of the series is too short for a whole horizon, half a horizon back is looked at too.
    """
    if not len(lengths):
        return []
    steps = [3, 4, 5]
    if small and len(lengths) <= 50:
        steps = [k for k in range(3, 13) if k <= 5 or np.median(lengths) - k * horizon / 3 >= 3 * season + 4]
    origins = [-(-k * horizon // 3) for k in steps]
    if np.mean(lengths - horizon < max(least, 2)) > 0.1:
        origins += [max(1, horizon // 2), 1]
    longest = int(lengths.max())
    return sorted({origin for origin in origins if longest - origin >= least})


def scales(panel: Panel, back: int = 0) -> np.ndarray:
    """Returns the scale (n,) of each series with `back` periods left off; NaN below two points, 0 for a constant."""
    m = panel.season
    lengths = np.maximum(panel.lengths - back, 0)
    plain = _recent_change(panel, lengths, 1, 2.0 * m)
    seasonal = _recent_change(panel, lengths, m, 2.0 * m)
    return np.where(np.isnan(seasonal), plain, 0.5 * plain + 0.5 * seasonal)


def _recent_change(panel: Panel, lengths: np.ndarray, lag: int, half_life: float) -> np.ndarray:
    """Returns the weighted mean |y_t - y_(t-lag)| of each series up to its length, half weight a half-life back."""
    change = np.abs(panel.flat[lag:] - panel.flat[:-lag]) if len(panel.flat) > lag else np.zeros(0)
    change = np.concatenate([np.zeros(min(lag, len(panel.flat))), change])
    ends = panel.offsets[:-1] + lengths
    owner = np.repeat(np.arange(panel.n), panel.lengths)
    at = np.arange(len(panel.flat))
    age = ends[owner] - 1 - at
    inside = (age >= 0) & (at - panel.offsets[owner] >= lag)
    weight = np.where(inside, 0.5 ** (np.clip(age, 0, 500) / half_life), 0.0)
    total = np.bincount(owner, weights=weight, minlength=panel.n)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.bincount(owner, weights=weight * change, minlength=panel.n) / total


def scaled_errors(panel: Panel, past: np.ndarray, real: np.ndarray, origins: Sequence[int]) -> np.ndarray:
    """Returns r (K, n, H): errors of past forecasts on one scale; NaN where unknown or the scale is none."""
    out = np.full(past.shape, np.nan)
    for k, origin in enumerate(origins):
        scale = scales(panel, origin)
        scale = scale * length_factor(panel.lengths - origin, panel.season)
        with np.errstate(invalid="ignore", divide="ignore"):
            out[k] = np.where(scale[:, None] > 0, (real[k] - past[k]) / scale[:, None], np.nan)
    return out


def own_errors(r: np.ndarray) -> tuple[np.ndarray, np.ndarray, Errors]:
    """Returns mean |r| per series (n,) over origins and steps, the origins that gave it, and the errors to pool."""
    known = np.isfinite(r)
    count = known.any(axis=2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        level = np.nansum(np.abs(r), axis=(0, 2)) / known.sum(axis=(0, 2))
    rows = r.reshape(-1, r.shape[2])
    kept = np.isfinite(rows).any(axis=1)
    owner = np.tile(np.arange(r.shape[1]), r.shape[0])[kept]
    pooled = Errors(rows[kept].astype(np.float32), level[owner], count[owner], int(np.isfinite(level).sum()))
    return level, count, pooled


def own_factor(level: np.ndarray, count: np.ndarray, pooled: float) -> np.ndarray:
    """Returns the factor (n,) of a series' own errors against the panel's, shrunk by how many origins it has."""
    share = count / (count + SHRINK_ORIGINS)
    ratio = np.where(np.isfinite(level) & (pooled > 0), level / max(pooled, 1e-12), 1.0)
    return np.clip(1.0 - share + share * ratio, 0.3, 3.0)


def normalised(errors: Errors, horizon: int, season: int) -> np.ndarray:
    """Returns the pooled errors (rows, H) with each series' own factor taken off."""
    factor = own_factor(errors.level, errors.count, pooled_level(errors, horizon, season))
    return errors.values / factor[:, None].astype(np.float32)


def bounds(
    values: np.ndarray, series: int, level: float, horizon: int, season: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lower and upper quantiles (H,), in scales, of an interval of `level` per cent.

    values: normalised errors (rows, H); series: how many gave them.
    """
    from scipy.special import stdtrit

    tail = (1.0 - level / 100.0) / 2.0
    g = np.arange(1, horizon + 1) ** growth(season)
    prior = PRIOR_80 * g * stdtrit(PRIOR_DF, 1.0 - tail) / stdtrit(PRIOR_DF, 0.9)
    trust = series / (series + PRIOR_SERIES)
    low, high = -prior, prior
    if len(values) >= 3:
        low, high = _pooled(values, tail, g, prior)
    return _leaned(low, high, prior, trust)


def sum_bounds(values: np.ndarray, series: int, level: float, steps: np.ndarray, season: int) -> tuple[float, float]:
    """Returns the lower and upper quantile, in scales, of the sum of the `steps` (H,) marked: of whole error paths.

    Errors of neighbouring steps go together, so a sum is surer than its steps but much less so than if they did not.
    """
    from scipy.special import stdtrit

    tail = (1.0 - level / 100.0) / 2.0
    g = np.arange(1, len(steps) + 1) ** growth(season)
    prior = SUM_SHARE * PRIOR_80 * g[steps].sum() * stdtrit(PRIOR_DF, 1.0 - tail) / stdtrit(PRIOR_DF, 0.9)
    paths = values[:, steps]
    sums = paths.sum(axis=1)[np.isfinite(paths).all(axis=1)]
    low, high = (np.quantile(sums, tail), np.quantile(sums, 1 - tail)) if len(sums) >= LEAST_ROWS else (-prior, prior)
    found = _leaned(np.array(low), np.array(high), np.array(prior), series / (series + PRIOR_SERIES))
    return SUM_WIDEN * float(found[0]), SUM_WIDEN * float(found[1])


def _leaned(low: np.ndarray, high: np.ndarray, prior: np.ndarray, trust: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns quantiles half signed, half symmetric, leaning on the prior by what `trust` leaves."""
    half = 0.5 * (high - low)
    low, high = 0.5 * low - 0.5 * half, 0.5 * high + 0.5 * half
    low, high = trust * low - (1 - trust) * prior, trust * high + (1 - trust) * prior
    return np.minimum(low, 0.0), np.maximum(high, 0.0)


def widening(level: float, n: np.ndarray) -> np.ndarray:
    """Returns the factor (n,) by which intervals of `level` per cent are widened for histories of n periods."""
    base = float(np.interp(level, list(WIDEN), [pair[0] for pair in WIDEN.values()]))
    slope = float(np.interp(level, list(WIDEN), [pair[1] for pair in WIDEN.values()]))
    return base + slope / np.maximum(n, 8)


def _pooled(values: np.ndarray, tail: float, g: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns quantiles half by step, half of all steps together over step^g; only the latter where rows are few."""
    level = values / g[: values.shape[1]]
    low = np.nanquantile(level, tail) * g
    high = np.nanquantile(level, 1.0 - tail) * g
    for step in range(values.shape[1]):
        column = values[:, step]
        column = column[np.isfinite(column)]
        if len(column) >= LEAST_ROWS:
            low[step] = 0.5 * low[step] + 0.5 * np.quantile(column, tail)
            high[step] = 0.5 * high[step] + 0.5 * np.quantile(column, 1.0 - tail)
    return low, high


def pooled_level(errors: Errors, horizon: int, season: int) -> float:
    """Returns the panel's mean |r|, leaning on the prior where series are few."""
    g = np.arange(1, horizon + 1) ** growth(season)
    prior = PRIOR_80 / 1.533 * float(np.mean(g))
    if not len(errors.values):
        return prior
    found = float(np.nanmean(np.abs(errors.values)))
    trust = errors.series / (errors.series + PRIOR_SERIES)
    return trust * found + (1.0 - trust) * prior
