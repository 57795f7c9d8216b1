"""Intermittent demand: a quarter or more of the periods without any sale.

The distribution of a period's demand is the average, quantile by quantile, of two:
  hurdle   chance of a sale by TSB smoothing (0.2); sizes: past ones, half weight 30 periods back
  counts   negative binomial with the TSB (0.1/0.1) mean and the recency-weighted variance; whole numbers only
The mean is simple smoothing (0.2). Measured on weekly units of a wholesaler: better than Croston and its kin, and than
Poisson, in scaled pinball loss. A series with no sale for long has ended: zero, and said.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ZERO_SHARE = 0.25
HALF_LIFE = 30.0


def is_intermittent(y: np.ndarray, season: int) -> bool:
    """Tells whether a quarter of the values is zero, none is negative, and the zeros are not the season's."""
    if len(y) < 4 or y.min() < 0:
        return False
    sold = y > 0
    share = 1.0 - float(sold.mean())
    if share < ZERO_SHARE or share == 1.0:
        return False
    if season > 1 and len(y) >= 3 * season:
        places = np.arange(len(y)) % season
        chance = np.bincount(places, weights=sold, minlength=season) / np.bincount(places, minlength=season)
        if float(np.mean(chance * (1 - chance))) < 0.25 * share * (1 - share):
            return False
    return True


def has_ended(y: np.ndarray, season: int) -> bool:
    """Tells whether the zeros at the end outlast two seasons, or half a season and three times the longest gap.

    Three periods at least; of days, whose season is a week, four weeks: a shop closes for a holiday.
    """
    sold = np.flatnonzero(y != 0)
    if not len(sold):
        return False
    silent = len(y) - 1 - int(sold[-1])
    gap = int(np.diff(sold).max()) - 1 if len(sold) > 1 else 0
    patience = 28 if season == 7 else max(season / 2, 3)
    return silent >= max(2 * season, patience) or silent > max(3 * gap, patience)


def smoothed(y: np.ndarray, alpha: float) -> float:
    """Returns the last level of simple smoothing that starts at the mean of the first values."""
    level = float(np.mean(y[: min(len(y), 8)]))
    for value in y.tolist():
        level += alpha * (value - level)
    return level


def tsb(y: np.ndarray, chance_rate: float, size_rate: float) -> tuple[float, float]:
    """Returns the chance of a sale and the size of one after the last period (Teunter, Syntetos and Babai 2011)."""
    sold = y > 0
    chance, size = float(sold.mean()), float(y[sold].mean())
    for value in y.tolist():
        if value > 0:
            chance += chance_rate * (1.0 - chance)
            size += size_rate * (value - size)
        else:
            chance -= chance_rate * chance
    return chance, size


def quantiles(y: np.ndarray, probabilities: Sequence[float]) -> np.ndarray:
    """Returns the quantiles of next period's demand at `probabilities`, for an intermittent history."""
    wanted = np.asarray(probabilities, dtype=float)
    first = hurdle_quantiles(y, wanted)
    if np.any(y != np.floor(y)):
        return first
    return 0.5 * first + 0.5 * count_quantiles(y, wanted)


def hurdle_quantiles(y: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns quantiles of: no sale with one minus the TSB chance, else a past size drawn by recency."""
    chance, _ = tsb(y, 0.2, 0.2)
    at = np.flatnonzero(y > 0)
    order = np.argsort(y[at], kind="stable")
    sizes = y[at][order]
    weight = 0.5 ** ((len(y) - 1 - at[order]) / HALF_LIFE)
    reached = np.cumsum(weight) / weight.sum()
    inside = (wanted - (1.0 - chance)) / max(chance, 1e-12)
    found = sizes[np.minimum(np.searchsorted(reached, np.clip(inside, 0.0, 1.0)), len(sizes) - 1)]
    return np.where(inside <= 0.0, 0.0, found)


def count_quantiles(y: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns negative binomial quantiles; Poisson where the variance is not above the mean."""
    from scipy.special import nbdtrik, pdtrik

    chance, size = tsb(y, 0.1, 0.1)
    mean = max(chance * size, 1e-9)
    weight = 0.5 ** (np.arange(len(y))[::-1] / HALF_LIFE)
    weight /= weight.sum()
    variance = float(weight @ (y - mean) ** 2)
    with np.errstate(invalid="ignore", over="ignore"):
        if variance <= mean * 1.001:
            raw = pdtrik(wanted, mean)
        else:
            raw = nbdtrik(wanted, mean * mean / (variance - mean), mean / variance)
    return np.maximum(np.ceil(np.nan_to_num(raw, nan=0.0) - 1e-9), 0.0)
