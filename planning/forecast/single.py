"""Forecasts of single series with intervals: what `planning forecast` computes without `--by`.

```
checked table → Panel → measure (each chunk or part by itself) → Part: means, scales, errors of past origins, profile
all Parts     → Lent    the panel's pooled errors and seasonal profile
Part + Lent   → finish → rows unique_id, ds, mean, lo-80, hi-80, ...     and the report, one row a series
```
Two passes, so that a folder of parts gives what one table gives: a part is measured by itself, the small `Lent` of each
goes to one place, and the sum of them comes back. Status in the report: ok, short, intermittent, ended, no_demand,
constant, left_out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from planning.forecast import engine, intermittent, intervals, short
from planning.forecast.cleaning import Cleaned, clean
from planning.forecast.frequency import Frequency
from planning.forecast.intervals import Errors
from planning.forecast.panel import Panel
from planning.forecast.short import Profile

CHUNK_SERIES = 4096
SHIFT_WIDEN = 1.2
MODEL, SHORT, SPARSE, FIXED = 0, 1, 2, 3
FORECAST_BY = {
    "ok": "pool", "short": "panel season", "intermittent": "smoothing, hurdle", "ended": "zero", "no_demand": "zero",
    "constant": "last value",
}
RARE = "a quarter or more of the periods without demand"
TOO_FEW = "too few periods for a model: the panel's season on its own level"


@dataclass(frozen=True)
class Options:
    """horizon in periods; levels in per cent; clean: replace outliers for fitting; jobs: threads (None: all).

    global_model: blend one in where 300 series or more allow it; origins: past origins to calibrate on (None: chosen by
    the lengths of the series at hand).
    """

    horizon: int
    levels: tuple[float, ...] = (80, 95)
    clean: bool = True
    jobs: int | None = None
    global_model: bool = True
    origins: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Lent:
    """What a part, or all parts together, lend to every series: pooled errors, and a profile for short series."""

    errors: Errors
    profile: Profile

    @classmethod
    def merge(cls, parts: Sequence[Lent]) -> Lent:
        """Joins what parts lend."""
        return cls(Errors.merge([part.errors for part in parts]), Profile.merge([part.profile for part in parts]))


@dataclass
class Part:
    """What the first pass found; one row a series in the order of ids. mean is NaN for short series until `finish`.

    scale, level, count: the series' error scale, its own mean |r| and the origins behind it; widen: factor for a level
    shift; sparse: row → quantiles of an intermittent series; young: row → values of a short one.
    """

    ids: np.ndarray
    last: np.ndarray
    frequency: Frequency
    report: pd.DataFrame
    kind: np.ndarray
    floor: np.ndarray
    lengths: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    level: np.ndarray
    count: np.ndarray
    widen: np.ndarray
    sparse: dict[int, np.ndarray]
    young: dict[int, np.ndarray]
    lent: Lent
    kin: np.ndarray | None


def measure(panel: Panel, options: Options) -> Part:
    """Forecasts the series of one chunk or part and measures the errors of its past origins."""
    n, h = panel.n, options.horizon
    kind, status, reason, start = sort_series(panel)
    before = _later(panel, start)
    cleaned = clean(before, kind == MODEL, replace_outliers=options.clean)
    work = cleaned.panel
    scale = intervals.scales(work)
    moved = cleaned.size != 0
    if moved.any():  # what jumped once may jump again
        scale[moved] = 0.5 * (scale[moved] + intervals.scales(before)[moved])
    report = _report(panel, status, reason, cleaned, work)
    nothing = Lent(Errors.none(h), short.profile(work, np.nan_to_num(scale)))
    part = Part(
        panel.ids, panel.last, panel.frequency, report, kind, np.minimum.reduceat(panel.flat, panel.offsets[:-1]) >= 0,
        work.lengths, np.full((n, h), np.nan), scale, np.full(n, np.nan), np.zeros(n, np.int64), np.ones(n), {}, {},
        nothing, panel.kin,
    )
    _by_models(part, work, cleaned.shift, options)
    tails = [p for level in options.levels for p in ((1 - level / 100) / 2, (1 + level / 100) / 2)]
    for i in np.flatnonzero(kind == SPARSE):
        part.mean[i] = max(intermittent.smoothed(work.series(i), 0.2), 0.0)
        part.sparse[int(i)] = intermittent.quantiles(work.series(i), tails)
    for i in np.flatnonzero(kind == FIXED):
        part.mean[i] = 0.0 if status[i] in ("ended", "no_demand") else work.series(i)[-1]
    near = short.shares(work.lengths, panel.season, engine.least(panel.season)) > 0
    part.young = {int(i): work.series(i).copy() for i in np.flatnonzero(near & ((kind == SHORT) | (kind == MODEL)))}
    return part


def sort_series(panel: Panel) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns kind, status and reason of each series, and how many leading zeros are left out (a later start)."""
    n, m = panel.n, panel.season
    alone = short.alone_below(m, engine.least(m))
    kind = np.where(panel.lengths < alone, SHORT, MODEL)
    status = np.where(kind == SHORT, "short", "ok").astype(object)
    reason = np.where(kind == SHORT, TOO_FEW, "").astype(object)
    start = np.zeros(n, dtype=np.int64)
    low = np.minimum.reduceat(panel.flat, panel.offsets[:-1]) if n else np.zeros(0)
    high = np.maximum.reduceat(panel.flat, panel.offsets[:-1]) if n else np.zeros(0)
    zeros = np.add.reduceat((panel.flat == 0).astype(np.int64), panel.offsets[:-1]) if n else np.zeros(0, np.int64)
    for i in np.flatnonzero((zeros > 0) | ((low == high) & (panel.lengths > 2))):
        y = panel.series(i)
        if low[i] == 0 == high[i]:
            kind[i], status[i], reason[i] = FIXED, "no_demand", "no demand in the history"
        elif low[i] == high[i]:
            if panel.lengths[i] > 2:
                kind[i], status[i], reason[i] = FIXED, "constant", "every value is the same"
        elif intermittent.has_ended(y, m):
            silent = len(y) - 1 - int(np.flatnonzero(y)[-1])
            kind[i], status[i], reason[i] = FIXED, "ended", f"no demand for {silent} periods"
        else:
            first = int(np.flatnonzero(y)[0])
            later = y[first:]
            if first >= 0.25 * len(y) and low[i] >= 0:
                start[i] = first
                if len(later) < alone:
                    kind[i], status[i] = SHORT, "short"
                reason[i] = f"starts after {first} periods without demand"
            if intermittent.is_intermittent(later if start[i] else y, m):
                kind[i], status[i], reason[i] = SPARSE, "intermittent", RARE
    return kind, status, reason, start


def _later(panel: Panel, start: np.ndarray) -> Panel:
    """Returns the panel without the first `start` values of each series."""
    if not start.any():
        return panel
    keep = np.ones(len(panel.flat), dtype=bool)
    for i in np.flatnonzero(start):
        keep[panel.offsets[i] : panel.offsets[i] + start[i]] = False
    offsets = np.concatenate([[0], np.cumsum(panel.lengths - start)]).astype(np.int64)
    return replace(panel, flat=panel.flat[keep], filled=panel.filled[keep], offsets=offsets)


def _by_models(part: Part, work: Panel, shift: np.ndarray, options: Options) -> None:
    """Fills mean, level, count and what is lent from the pool's forecasts now and at past origins."""
    rows = np.flatnonzero(part.kind == MODEL)
    if not len(rows):
        return
    panel, h, m = work.take(rows), options.horizon, work.season
    origins = options.origins
    if origins is None:
        origins = intervals.past_origins(panel.lengths, h, m, engine.least(m))
    fit = engine.fit(panel, h, [0, *origins], jobs=options.jobs)
    part.mean[rows] = fit.forecasts[0]
    part.widen[rows[shift[rows] > 0]] = SHIFT_WIDEN
    lost = ~np.isfinite(part.mean[rows]).all(axis=1)
    for i in np.flatnonzero(lost):
        part.mean[rows[i]] = np.mean(panel.series(i)[-m:])
    if options.global_model:
        _blend_global(part, panel, rows)
    real = engine.actuals(panel, h, origins)
    r = intervals.scaled_errors(panel, fit.forecasts[1:], real, origins)
    part.level[rows], part.count[rows], errors = intervals.own_errors(r)
    part.lent = replace(part.lent, errors=errors)


def _blend_global(part: Part, panel: Panel, rows: np.ndarray) -> None:
    """Mixes the global model into the forecasts of long positive series, where there are enough of them."""
    from planning.forecast import boost

    positive = np.minimum.reduceat(panel.flat, panel.offsets[:-1]) > 0
    able = positive & (panel.lengths >= max(2 * panel.season + 3, 8))
    if able.sum() < boost.LEAST_SERIES:
        return
    found = boost.forecast_global(panel.take(able), part.mean.shape[1])
    part.mean[rows[able]] = (1 - boost.WEIGHT) * part.mean[rows[able]] + boost.WEIGHT * found
    part.report.loc[rows[able], "forecast_by"] = f"pool, global model {boost.WEIGHT:g}"


def _report(panel: Panel, status: np.ndarray, reason: np.ndarray, cleaned: Cleaned, work: Panel) -> pd.DataFrame:
    """Returns one row a series: unique_id, n, status, reason, forecast_by, first, last, gaps, outliers, shift_since."""
    date, outliers, shift = panel.frequency.date, cleaned.at, cleaned.shift
    owner = np.searchsorted(work.offsets, outliers, side="right") - 1
    days = date(panel.last[owner] - (work.offsets[owner + 1] - 1 - outliers)).astype(str)
    listed = np.full(panel.n, "", dtype=object)
    for i, day in zip(owner, days):
        listed[i] = f"{listed[i]} {day}".strip()
    gaps = np.add.reduceat(panel.filled.astype(np.int64), panel.offsets[:-1]) if panel.n else np.zeros(0, np.int64)
    thin = (2 * gaps > panel.lengths) & (reason == "")
    reason = np.where(thin, [f"{k} of {n} periods have no value" for k, n in zip(gaps, panel.lengths)], reason)
    told = (cleaned.size != 0) & (reason == "")
    reason[told] = [f"level {size:+.0%} since {day}: earlier values moved" for size, day in
                    zip(cleaned.size[told], date(panel.last - shift + 1)[told])]  # fmt: skip
    since = np.where(shift > 0, date(panel.last - shift + 1).astype(str), "").astype(object)
    by = pd.Series(status).map(FORECAST_BY).to_numpy(dtype=object)
    near = short.shares(work.lengths, panel.season, engine.least(panel.season)) > 0
    by[near & (status == "ok")] = "pool, panel season"
    return pd.DataFrame({
        "unique_id": panel.ids, "n": panel.lengths, "status": status, "reason": reason, "forecast_by": by,
        "first": date(panel.last - panel.lengths + 1).astype("datetime64[s]"),
        "last": date(panel.last).astype("datetime64[s]"), "gaps": gaps, "outliers": listed, "shift_since": since,
    })


def spread(part: Part, lent: Lent, options: Options) -> tuple[np.ndarray, np.ndarray]:
    """Returns the means (n, H) and the widths (n, levels) by which pooled quantiles are multiplied."""
    h, m = options.horizon, part.frequency.season
    mean, scale = part.mean.copy(), np.nan_to_num(part.scale)
    weight = short.shares(part.lengths, m, engine.least(m))
    young = np.array(list(part.young), dtype=np.int64)
    season, drift, relative = lent.profile.lend(None if part.kin is None else part.kin[young], len(young))
    for k, (i, y) in enumerate(part.young.items()):
        own = short.forecast_short(y, int(part.last[i]), h, season[k], float(drift[k]))
        mean[i] = own if part.kind[i] == SHORT else (1.0 - weight[i]) * mean[i] + weight[i] * own
        scale[i] = short.short_scale(y, part.scale[i], float(relative[k]), m)
    flat = np.flatnonzero((part.kind == FIXED) & (part.report["status"].to_numpy() == "constant"))
    scale[flat] = np.abs(mean[flat, 0]) * np.exp(lent.profile.relative) / np.sqrt(part.lengths[flat])
    gone = (part.kind == FIXED) & (part.report["status"].to_numpy() != "constant")
    scale[gone] = 0.0
    factor = intervals.own_factor(part.level, part.count, intervals.pooled_level(lent.errors, h, m))
    longer = intervals.length_factor(part.lengths, m)
    longer[young] = short.length_factor(part.lengths[young], m)
    width = scale * longer * factor * part.widen
    few = [np.where(part.kind == SHORT, short.few(level, part.lengths), 1.0) for level in options.levels]
    wide = [width * intervals.widening(level, part.lengths) * less for level, less in zip(options.levels, few)]
    mean[part.floor] = np.maximum(mean[part.floor], 0.0)
    return mean, np.column_stack(wide)


def finish(part: Part, lent: Lent, options: Options) -> tuple[np.ndarray, np.ndarray]:
    """Returns the means (n, H) and bounds (n, H, 2 levels: low, high, low, high, ...) of a measured part."""
    h, m = options.horizon, part.frequency.season
    mean, wide = spread(part, lent, options)
    out = np.empty((len(mean), h, 2 * len(options.levels)))
    pooled = intervals.normalised(lent.errors, h, m)
    for k, level in enumerate(options.levels):
        low, high = intervals.bounds(pooled, lent.errors.series, level, h, m)
        out[:, :, 2 * k] = mean + wide[:, k, None] * low
        out[:, :, 2 * k + 1] = mean + wide[:, k, None] * high
    for i, tails in part.sparse.items():
        out[i] = tails
    out[part.floor] = np.maximum(out[part.floor], 0.0)
    return mean, nested(out, options.levels)


def nested(bounds: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Makes wider levels contain narrower ones, in place."""
    order = np.argsort(levels)
    for narrow, wide in zip(order[:-1], order[1:]):
        bounds[:, :, 2 * wide] = np.minimum(bounds[:, :, 2 * wide], bounds[:, :, 2 * narrow])
        bounds[:, :, 2 * wide + 1] = np.maximum(bounds[:, :, 2 * wide + 1], bounds[:, :, 2 * narrow + 1])
    return bounds


def to_frame(part: Part, mean: np.ndarray, bounds: np.ndarray, options: Options) -> pd.DataFrame:
    """Returns the rows unique_id, ds, mean, lo-80, hi-80, ... of a finished part."""
    n, h = mean.shape
    ds = part.frequency.date(part.last[:, None] + np.arange(1, h + 1))
    codes = np.repeat(np.arange(n), h)
    ids = pd.Series(part.ids, dtype="str").take(codes)
    frame = pd.DataFrame({"unique_id": ids.array, "ds": ds.ravel().astype("datetime64[s]"), "mean": mean.ravel()})
    for k, level in enumerate(options.levels):
        frame[f"lo-{level:g}"] = bounds[:, :, 2 * k].ravel()
        frame[f"hi-{level:g}"] = bounds[:, :, 2 * k + 1].ravel()
    return frame


def measure_chunks(panel: Panel, options: Options, *, small: bool = True) -> list[Part]:
    """Measures a panel chunk by chunk, in bounded memory; `small` allows more origins for a panel of few series."""
    if not panel.n:
        return []
    least = engine.least(panel.season)
    origins = intervals.past_origins(panel.lengths, options.horizon, panel.season, least, small=small)
    options = replace(options, origins=tuple(origins))
    chunks = np.array_split(np.arange(panel.n), -(-panel.n // CHUNK_SERIES))
    return [measure(panel.take(chunk), options) for chunk in chunks]


def finish_chunks(parts: Sequence[Part], lent: Lent, options: Options) -> pd.DataFrame:
    """Returns the forecast rows of measured chunks."""
    frames = [to_frame(part, *finish(part, lent, options), options) for part in parts]
    return pd.concat(frames, ignore_index=True)


def forecast_panel(panel: Panel, options: Options) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns the forecast rows and the report of a whole panel."""
    parts = measure_chunks(panel, options)
    if not parts:
        return pd.DataFrame(), pd.DataFrame()
    lent = Lent.merge([part.lent for part in parts])
    return finish_chunks(parts, lent, options), pd.concat([part.report for part in parts], ignore_index=True)
