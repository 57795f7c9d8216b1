"""The engine: forecasts of a panel from its end and from past origins, over the compiled pool.

    from planning.forecast import engine
    from planning.forecast.panel import Panel

    panel = Panel.of_frame(history, freq="MS")          # unique_id, ds, y; or Panel.of_wide(ids, values, freq, last)
    mean = engine.point(panel, 12)                       # (n, 12), the forecast after each series' last period
    past = engine.rolling(panel, 12, origins=[12, 16])   # (2, n, 12), those made 12 and 16 periods before the end
    real = engine.actuals(panel, 12, origins=[12, 16])   # (2, n, 12), what then happened; NaN after the end

`origins` count periods left off the end of each series. A row is NaN where fewer than `least(season)` points remain:
the methods of `planning.forecast.short` serve those. Values do not depend on `jobs` or on the other series.

`rolling(..., refit=False)` takes the parameters found at the end of the series and moves them three search steps at
each past origin: a fifth of the cost of fitting anew, with errors understated by about 5 % (see POLISH_WIDENING).
`refit=True` fits each origin on its own past only: honest choices (a projection, a weight) are made on those.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from planning.forecast.compiled import kernels
from planning.forecast.frequency import parse
from planning.forecast.panel import Panel

CHUNK = 64
POLISH_WIDENING = 1.05


@dataclass(frozen=True)
class Fit:
    """What one pass over a panel found.

    forecasts (K, n, h): one layer an origin, NaN where the series was too short; points (n, 23, 5): fitted parameters
    and ETS weights.
    """

    forecasts: np.ndarray
    points: np.ndarray


def least(season: int) -> int:
    """Returns the number of points below which the pool gives nothing."""
    return max(4, season // 2)


def workers(jobs: int | None) -> int:
    """Returns the number of threads meant by `jobs`.

    None: as NUMBA_NUM_THREADS says, by which a run shares the cores among its notebooks; else one a processor this
    process may use.
    """
    if jobs is not None and jobs > 0:
        return jobs
    share = os.environ.get("NUMBA_NUM_THREADS", "")
    if share.isdigit() and int(share) > 0:
        return int(share)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fit(panel: Panel, horizon: int, origins: Sequence[int] = (0,), *, jobs: int | None = None) -> Fit:
    """Fits the pool at the first of `origins` and follows it to the others in three search steps each."""
    return _run(panel.flat, panel.offsets, panel.season, int(horizon), origins, jobs)


def _run(
    flat: np.ndarray, offsets: np.ndarray, season: int, h: int, origins: Sequence[int], jobs: int | None
) -> Fit:
    run = kernels().run
    n = len(offsets) - 1
    points = np.zeros((n, 23, 5))
    out = np.full((len(origins), n, h), np.nan)
    back = np.asarray(list(origins), dtype=np.int64)
    starts = range(0, n, CHUNK)

    def chunk(first: int) -> None:
        run(flat, offsets, first, min(n, first + CHUNK), season, back, least(season), points, out)

    count = min(workers(jobs), len(starts)) or 1
    if count == 1:
        for first in starts:
            chunk(first)
    else:
        with ThreadPoolExecutor(count) as threads:
            list(threads.map(chunk, starts))
    return Fit(out, points)


def point(panel: Panel, horizon: int, *, jobs: int | None = None) -> np.ndarray:
    """Returns the mean forecasts (n, horizon) after each series' last period; NaN rows for series too short."""
    return fit(panel, horizon, jobs=jobs).forecasts[0]


def rolling(
    panel: Panel, horizon: int, origins: Sequence[int], *, refit: bool = False, jobs: int | None = None
) -> np.ndarray:
    """Returns the forecasts (K, n, horizon) made `origins` periods before each series' end."""
    if refit:
        return np.concatenate([fit(panel, horizon, [origin], jobs=jobs).forecasts for origin in origins])
    return fit(panel, horizon, [0, *origins], jobs=jobs).forecasts[1:]


def nodes(
    values: np.ndarray, horizon: int, season: int, back: Sequence[int], *, refit: bool = False, jobs: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns point (nodes, H) and past (origins, nodes, H) forecasts of an array of series that end together.

    values (nodes, T) may be NaN before a node's start, nowhere after; `back` counts periods before T. NaN rows for
    nodes (or origins of a node) with too few points.
    """
    values = np.asarray(values, dtype=float)
    known = np.isfinite(values)
    sizes = known.sum(axis=1)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    flat = values[known]
    if not refit:
        layers = _run(flat, offsets, season, int(horizon), [0, *back], jobs).forecasts
        return layers[0], layers[1:]
    layers = [_run(flat, offsets, season, int(horizon), [origin], jobs).forecasts[0] for origin in (0, *back)]
    return layers[0], np.array(layers[1:])


def season_length(freq: str) -> int:
    """Returns the periods in a season of a frequency: MS 12, QS 4, W 52, D 7, YS 1."""
    return parse(freq).season


def actuals(panel: Panel, horizon: int, origins: Sequence[int]) -> np.ndarray:
    """Returns what happened (K, n, horizon) in the steps after each origin; NaN outside a series and in filled gaps."""
    out = np.full((len(origins), panel.n, int(horizon)), np.nan)
    lengths = np.diff(panel.offsets)
    for k, origin in enumerate(origins):
        for step in range(min(int(horizon), int(origin))):
            at = panel.offsets[1:] - origin + step
            inside = origin <= lengths
            value = panel.flat[np.where(inside, at, 0)]
            value = np.where(panel.filled[np.where(inside, at, 0)], np.nan, value)
            out[k, :, step] = np.where(inside, value, np.nan)
    return out
