"""Next year's sales of every cell as one joint forecast, by a method made for annual sums.

For a cell at an origin, with A the sum of the last 12 months and c its peers:

    growth  g = a * own mean growth + b * mean growth of own and peers' + f * overhang + d * mean overhang
    overhang  = log(last 3 seasonally adjusted months / mean of 12) - the trend's own part of it
    month h   = seasonal index * A/12 * exp(g + trend * (h - 6.5) / 12)

(a, b, f, d) start from (.5, .5, .75, 0) and move with the pooled evidence of past origins, known at each origin. The
errors are those of past origins, relative to level, whole arrays of all cells and steps, so that what hits all cells at
once stays together; each cell's own spread is shrunk towards what cells of its size show. Half of the mean past error
is taken out of the centre. The law is the t of `JointForecast`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from planning.errors import DataError, UsageError
from planning.forecast.joint_forecast import TOTAL, JointForecast
from planning.targets.history import Panel

ANNUAL = "annual outlook"  # how the method calls itself in a forecast's meta
PRIOR = np.array([0.5, 0.5, 0.75, 0.0])
PRIOR_ORIGINS = 240  # origins of evidence the prior counts for (monthly origins overlap twelvefold)
BIAS_SHARE = 0.5
OWN_YEARS = 6
SEASON_YEARS = 5
SHRINK_YEARS = 6.0  # years of own errors that weigh as much as the spread of cells of this size
MAX_ARRAYS = 120
LARGEST_GROWTH = 0.4
LONGEST = 48
SHORTEST = 24


def outlook(panel: Panel, horizon: int, *, seen: dict[Any, Any] | None = None) -> JointForecast:
    """Returns the joint forecast of the panel's cells for the `horizon` months after it, and of their total.

    seen: what was known of the cells at each origin, kept from call to call where one history is cut at several ends:
    it does not depend on what came after.

    Raises DataError under 24 months of history, UsageError for a horizon over 48 months.
    """
    if len(panel.months) < SHORTEST:
        raise DataError(
            f"the history has {len(panel.months)} months, {SHORTEST} are needed to see one year follow another. "
            "Add older months."
        )
    if not 1 <= horizon <= LONGEST:
        raise UsageError(f"a horizon of {horizon} months cannot be forecast; 1 to {LONGEST} can. Name an earlier year.")
    series = _Series.of(panel)
    origins = _origins(series, horizon)
    known = {} if seen is None else seen.setdefault(tuple(panel.cells["unique_id"]), {})
    mean, errors, weights = _errors(series, origins, horizon, known)
    years = len(origins) / 12 * _step_of(origins)
    periods = pd.date_range(panel.months[-1] + pd.DateOffset(months=1), periods=horizon, freq="MS")
    meta = {"method": ANNUAL, "origins": len(origins), "as_of": f"{panel.months[-1]:%Y-%m-%d}"}
    return with_total(panel, mean, errors, weights, max(4.0, 2 * years), periods, meta)


@dataclass(frozen=True)
class _Series:
    """The panel with gaps filled, and what every origin reads of it: cells x months each."""

    y: np.ndarray
    year: np.ndarray  # sum of the 12 months that end here
    ratio: np.ndarray  # month to centred year, averaged over the same month of up to 5 years
    age: np.ndarray  # months of life at each month

    @classmethod
    def of(cls, panel: Panel) -> _Series:
        y = _filled(panel.y)
        year = _rolling(y, 12)
        n, t = y.shape
        centred = np.full((n, t), np.nan)
        if t > 12:
            at = np.arange(6, t - 6)
            centred[:, at] = (year[:, at + 5] + year[:, at + 6]) / 24
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(centred > 0, y / centred, np.nan)
        lagged = np.full((SEASON_YEARS, n, t), np.nan)
        for years in range(min(SEASON_YEARS, (t + 11) // 12)):
            lagged[years, :, 12 * years :] = ratio[:, : t - 12 * years]
        return cls(y, year, _nanmean(lagged), np.cumsum(np.isfinite(y), axis=1))


def _rolling(y: np.ndarray, width: int) -> np.ndarray:
    sums = np.concatenate([np.zeros((len(y), 1)), np.nancumsum(y, axis=1)], axis=1)
    count = np.concatenate([np.zeros((len(y), 1)), np.cumsum(np.isfinite(y), axis=1)], axis=1)
    out = np.full(y.shape, np.nan)
    whole = (count[:, width:] - count[:, :-width]) == width
    out[:, width - 1 :] = np.where(whole, sums[:, width:] - sums[:, :-width], np.nan)
    return out


def _filled(y: np.ndarray) -> np.ndarray:
    """Fills a missing month inside a series by last year's same month times the growth since, else its neighbours."""
    y = y.copy()
    for i, j in np.argwhere(np.isnan(y) & np.maximum.accumulate(np.isfinite(y), axis=1)):
        row = y[i]
        near = row[max(0, j - 6) : j]
        past = row[max(0, j - 18) : max(0, j - 12)]
        usable = len(near) == len(past) == 6 and np.isfinite([*near, *past, row[j - 12]]).all() and past.sum() > 0
        y[i, j] = row[j - 12] * near.sum() / past.sum() if usable else np.nanmean(near)
    return y


def _nanmean(values: np.ndarray) -> np.ndarray:
    count = np.isfinite(values).sum(axis=0)
    return np.where(count > 0, np.nansum(values, axis=0) / np.maximum(count, 1), np.nan)


def _seasonal(series: _Series, t: int) -> np.ndarray:
    """Returns each cell's seasonal index by position in the year (month t+1 first), cells x 12, mean 1.

    The cell's own index is shrunk towards the panel's: by 1 year of evidence where it has few years.
    """
    last = series.y[:, t - 11 : t + 1]
    block = series.ratio[:, t - 17 : t - 5] if t >= 17 else np.full(last.shape, np.nan)
    block = np.roll(block, -6, axis=1)  # month t-17 is 6 steps after t-11 in the season
    alive = np.isfinite(last).all(axis=1) & (np.nansum(last, axis=1) > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = np.where(alive[:, None], last / last.mean(axis=1, keepdims=True), np.nan)
    own = np.where(np.isfinite(block), block, plain)
    size = np.where(alive, np.nansum(last, axis=1), 0.0)
    good = np.isfinite(own).all(axis=1) & alive
    if not good.any():
        return np.ones(last.shape)
    common = np.average(own[good], axis=0, weights=size[good])
    years = np.clip(series.age[:, t] / 12, 0, SEASON_YEARS)[:, None]
    mixed = np.where(good[:, None], (years * own + common) / (years + 1), common)
    mixed = np.maximum(mixed, 0.0)
    return mixed / np.maximum(mixed.mean(axis=1, keepdims=True), 1e-12)


@dataclass(frozen=True)
class _Origin:
    """What is known of every cell at one origin."""

    features: np.ndarray  # cells x 4
    trend: np.ndarray
    level: np.ndarray  # mean month of the last year
    index: np.ndarray  # cells x 12
    known: np.ndarray  # cells with a whole year of their own


def _look(series: _Series, t: int) -> _Origin:
    n = len(series.y)
    year = series.year[:, t]
    known = np.isfinite(year) & (year > 0)
    index = _seasonal(series, t)
    own = np.full(n, np.nan)
    years = np.clip((series.age[:, t] - 12) // 12, 0, OWN_YEARS)
    for count in np.unique(years[known & (years > 0)]):
        rows = known & (years == count)
        past = series.year[rows, t - 12 * count]
        with np.errstate(divide="ignore", invalid="ignore"):
            own[rows] = np.where(past > 0, np.log(year[rows] / past) / count, np.nan)
    own = np.clip(own, -LARGEST_GROWTH, LARGEST_GROWTH)
    steady = np.isfinite(own) & (years >= min(2, years.max()))
    peers = float(own[steady].mean()) if steady.any() else 0.0
    own = np.where(np.isfinite(own), own, peers)
    trend = 0.5 * own + 0.5 * peers
    over = np.where(known, _overhang(series.y[:, t - 11 : t + 1], index) - trend * 4.5 / 12, 0.0)
    common = float(over[known].mean()) if known.any() else 0.0
    features = np.column_stack([own, np.full(n, peers), over, np.full(n, common)])
    return _Origin(features, trend, _level(series, t, index), index, known)


def _overhang(last: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Returns the log of the last 3 months over the year, months weighed by season so that none is blown up."""
    with np.errstate(divide="ignore", invalid="ignore"):
        recent = last[:, -3:].sum(axis=1) / index[:, -3:].sum(axis=1)
        over = np.log(recent / last.mean(axis=1))
    return np.clip(np.where(np.isfinite(over), over, 0.0), -0.7, 0.7)


def _level(series: _Series, t: int, index: np.ndarray) -> np.ndarray:
    """Returns the mean month of each cell's last year; of its months so far where it is younger, 0 where it ended."""
    last = series.y[:, t - 11 : t + 1]
    seen = np.isfinite(last)
    level = np.nansum(last, axis=1) / np.maximum(np.where(seen, index, 0.0).sum(axis=1), 1e-9)
    silent = (last[:, ::-1] != 0).argmax(axis=1)
    silent = np.where((np.nan_to_num(last) != 0).any(axis=1), silent, 12)
    steady = (np.nan_to_num(series.y[:, : t + 1]) != 0).sum(axis=1) > 0.8 * np.maximum(series.age[:, t], 1)
    return np.where((silent >= 12) | (steady & (silent >= 3)), 0.0, np.maximum(level, 0.0))


def _origins(series: _Series, horizon: int) -> np.ndarray:
    """Returns the past origins whose whole horizon is known, at most MAX_ARRAYS, the last the most recent."""
    last = series.y.shape[1] - 1 - horizon
    first = 23 if last >= 23 + 11 else 11
    if last < first:
        # Too short for the whole horizon: the errors of the first 12 steps stand for the later ones.
        last = series.y.shape[1] - 1 - min(horizon, 12)
        first = min(first, last)
    step = max(1, int(np.ceil((last - first + 1) / MAX_ARRAYS)))
    return np.arange(last, first - 1, -step)[::-1]


def _step_of(origins: np.ndarray) -> int:
    return int(origins[1] - origins[0]) if len(origins) > 1 else 1


def _coefficients(looks: dict[int, _Origin], series: _Series, ends: np.ndarray) -> dict[int, np.ndarray]:
    """Returns the growth coefficients known at each of `ends`: the prior moved by the origins a year before."""
    at = np.array(sorted(looks))
    moments = np.zeros((len(at), 4, 4))
    cross = np.zeros((len(at), 4))
    for k, t in enumerate(at):
        if t + 12 >= series.y.shape[1]:
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            growth = np.log(series.year[:, t + 12] / series.year[:, t])
        rows = looks[t].known & np.isfinite(growth) & (np.abs(growth) < 2 * LARGEST_GROWTH)
        x = looks[t].features[rows]
        moments[k], cross[k] = x.T @ x, x.T @ growth[rows]
    step = _step_of(at)
    out = {}
    for end in ends:
        done = at + 12 <= end
        typical = np.diag(moments[done | (np.arange(len(at)) == 0)].mean(axis=0)) + 1e-9
        prior = np.diag(typical) * PRIOR_ORIGINS / step
        out[int(end)] = np.linalg.solve(moments[done].sum(axis=0) + prior, cross[done].sum(axis=0) + prior @ PRIOR)
    return out


def _path(look: _Origin, coefficients: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the forecast of each step (cells x horizon) and the level its errors are measured by."""
    growth = np.clip(look.features @ coefficients, -2 * LARGEST_GROWTH, 2 * LARGEST_GROWTH)
    steps = np.arange(1, horizon + 1)
    season = look.index[:, (steps - 1) % 12]
    level = look.level[:, None] * np.exp(growth[:, None] + look.trend[:, None] * (steps - 6.5) / 12)
    return season * level, np.maximum(season, 0.3) * level


def _errors(
    series: _Series, origins: np.ndarray, horizon: int, seen: dict[int, _Origin]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns mean (n x H), the error arrays in today's money (K x n x H) and their weights."""
    t = series.y.shape[1] - 1
    looks = {int(k): seen[k] if k in seen else seen.setdefault(int(k), _look(series, int(k))) for k in [*origins, t]}
    known = _coefficients(looks, series, np.array([*origins, t]))
    mean, measure = _path(looks[t], known[t], horizon)
    relative = np.full((len(origins), *mean.shape), np.nan)
    for k, origin in enumerate(map(int, origins)):
        path, scale = _path(looks[origin], known[origin], horizon)
        actual = series.y[:, origin + 1 : origin + 1 + horizon]
        usable = looks[origin].known & (looks[origin].level > 0)
        part = np.where(usable[:, None], actual - path[:, : actual.shape[1]], np.nan) / np.maximum(
            scale[:, : actual.shape[1]], 1e-9
        )
        relative[k, :, : actual.shape[1]] = np.clip(part, -5, 5)
        if actual.shape[1] < horizon:
            relative[k, :, actual.shape[1] :] = relative[k, :, actual.shape[1] - 1 : actual.shape[1]]
    weights = np.full(len(origins), 1 / len(origins))
    relative = _borrowed(relative)
    size = np.maximum(looks[t].level, 1e-9)
    relative = _shrunk(relative, weights, size, len(origins) * _step_of(origins) / 12)
    bias = BIAS_SHARE * np.tensordot(weights, relative, axes=1)
    # A panel-wide share of the bias only: one cell's own mean error is mostly noise.
    return mean + _steady(bias) * measure, (relative * measure).astype(np.float32), weights


def _steady(bias: np.ndarray) -> np.ndarray:
    return np.clip(np.repeat(bias.mean(axis=1, keepdims=True), bias.shape[1], axis=1), -0.25, 0.25)


def _borrowed(relative: np.ndarray) -> np.ndarray:
    """Fills the errors a young cell has not made with those another cell made at that origin, the donor by position."""
    missing = ~np.isfinite(relative).all(axis=2)
    if not missing.any():
        return relative
    relative = relative.copy()
    for k in np.flatnonzero(missing.any(axis=1)):
        rows, donors = np.flatnonzero(missing[k]), np.flatnonzero(~missing[k])
        relative[k, rows] = relative[k, donors[rows % len(donors)]] if len(donors) else 0.0
    return relative


def _shrunk(relative: np.ndarray, weights: np.ndarray, size: np.ndarray, years: float) -> np.ndarray:
    """Returns the errors with each cell's annual spread moved towards what cells of its size show (in logs)."""
    annual = relative.mean(axis=2)
    own = np.log(np.maximum(weights @ annual**2, 1e-8))
    x = np.column_stack([np.ones(len(size)), np.log(size)])
    expected = x @ np.linalg.lstsq(x, own, rcond=None)[0] if len(size) > 3 else np.full(len(size), own.mean())
    share = SHRINK_YEARS / (years + SHRINK_YEARS)
    return relative * np.exp(0.5 * share * (expected - own))[None, :, None]


def with_total(
    panel: Panel,
    mean: np.ndarray,
    errors: np.ndarray,
    weights: np.ndarray,
    df: float,
    periods: pd.DatetimeIndex,
    meta: dict[str, Any],
) -> JointForecast:
    """Returns the joint forecast of the panel's cells (in its order) and their total."""
    cells = panel.cells.copy()
    cells.insert(1, "level", "/".join(panel.by))
    top = {"unique_id": TOTAL, "level": TOTAL} | dict.fromkeys(panel.by, TOTAL)
    cells = pd.concat([cells, pd.DataFrame([top])], ignore_index=True)
    positive = np.nanmin(panel.y, axis=1) >= 0
    return JointForecast(
        cells=cells,
        periods=periods,
        mean=np.vstack([mean, mean.sum(axis=0)]),
        errors=np.concatenate([errors, errors.sum(axis=1, keepdims=True)], axis=1),
        weights=weights,
        df=df,
        keys=panel.by,
        bottom=np.arange(len(cells)) < len(mean),
        nonnegative=np.append(positive, positive.all()),
        meta=meta,
    )


def horizon_of(panel: Panel, end: pd.Timestamp) -> int:
    """Returns the months from the end of the history through `end`'s month."""
    last = panel.months[-1]
    return (end.year - last.year) * 12 + end.month - last.month


def year_periods(year: int, start_month: int = 1) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Returns the first and last month start of a fiscal year (named by the year it ends in)."""
    first = pd.Timestamp(year if start_month == 1 else year - 1, start_month, 1)
    return first, first + pd.DateOffset(months=11)
