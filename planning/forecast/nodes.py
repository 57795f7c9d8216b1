"""The history of a hierarchy's nodes on one time grid, made fit to be forecast: gaps, ends, launches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from planning.errors import DataError, UsageError, did_you_mean
from planning.forecast import hierarchy as hierarchies
from planning.forecast.hierarchy import Hierarchy

LATE_PERIODS = 2  # so many missing periods at a cell's end are late data; more are no sales


@dataclass(frozen=True, eq=False)
class Panel:
    """The history of all nodes on one time grid, `ds` of length T.

    values: nodes x T; a bottom cell is NaN before it starts, an aggregate is the sum of today's cells as if they had
    always been there (see `always_there`).
    """

    hierarchy: Hierarchy
    values: np.ndarray
    ds: pd.DatetimeIndex
    negative: np.ndarray  # (nodes,) True where the history was ever below zero
    filled: int  # gaps filled, of bottom cells
    ended: np.ndarray  # (bottom cells,) True where a cell sells no more


def build_panel(history: pd.DataFrame, *, keys: Sequence[str], freq: str, spec: Any = None, value: str = "y") -> Panel:
    """Returns the panel of all nodes: gaps inside a cell filled from its season, NaN before its start."""
    missing = [name for name in (*keys, "ds", value) if name not in history.columns]
    if missing:
        raise UsageError(
            f"the history has no column '{missing[0]}'. It has: {', '.join(map(str, history.columns))}."
            f"{did_you_mean(missing[0], map(str, history.columns))}"
        )
    frame = history.assign(**{key: history[key].astype(str) for key in keys})
    twice = frame.duplicated([*keys, "ds"])
    if twice.any():
        row = frame[twice].iloc[0]
        name = "/".join(row[key] for key in keys)
        raise DataError(f"{name}, {pd.Timestamp(row['ds']):%Y-%m-%d}: stands twice. Keep one row a cell and period.")
    cells = frame[list(keys)].drop_duplicates()
    structure = hierarchies.build(cells, keys, spec)
    ds = pd.date_range(frame["ds"].min(), frame["ds"].max(), freq=freq)
    wide = frame.pivot(index=list(keys), columns="ds", values=value).reindex(columns=ds)
    names = structure.cells.loc[structure.bottom, list(keys)]
    order = pd.MultiIndex.from_frame(names) if len(keys) > 1 else pd.Index(names[keys[0]])
    raw = wide.reindex(order).to_numpy(float)
    from planning.forecast.engine import season_length

    season = season_length(freq)
    bottom, gaps = fill_gaps(raw, season)
    ended = end_cells(bottom, season)
    top = structure.summing @ always_there(bottom, ended, season)
    negative = np.concatenate([structure.summing @ np.nan_to_num(bottom), np.nan_to_num(bottom)]) < 0
    return Panel(structure, np.concatenate([top, bottom]), ds, negative.any(axis=1), gaps, ended)


def end_cells(bottom: np.ndarray, season: int) -> np.ndarray:
    """Returns which cells have ended, and makes the end of every cell finite, in place.

    A cell has ended when nothing was sold for its last season (rows missing or zero) though something was before. One
    or two missing periods at the end are late data and take the last value of the season; more count as no sales.
    """
    for row in bottom:
        known = np.flatnonzero(~np.isnan(row))
        if not len(known) or known[-1] == len(row) - 1:
            continue
        late = np.arange(known[-1] + 1, len(row))
        seasonal = row[late - season] if late[0] >= season else np.full(len(late), np.nan)
        row[late] = np.where(np.isnan(seasonal), row[known[-1]], seasonal) if len(late) <= LATE_PERIODS else 0.0
    silent = np.nan_to_num(bottom[:, -max(season, 2) :]) == 0
    return silent.all(axis=1) & (np.nan_to_num(bottom) != 0).any(axis=1)


def always_there(bottom: np.ndarray, ended: np.ndarray, season: int) -> np.ndarray:
    """Returns the cells as if those of today had always been there, for the history of sums.

    A line launched last year is a jump in the total that no model should read as growth, and no past error should hold.
    So a cell that started late is continued backwards at its present ratio to the cells that were always there, and an
    ended one is left out. Only sums see this; the cell's own history stays as it is.
    """
    out = np.nan_to_num(bottom)
    out[ended] = 0.0
    starts = np.argmax(~np.isnan(bottom), axis=1)
    empty = np.isnan(bottom).all(axis=1)
    established = (starts == 0) & ~ended & ~empty
    reference = out[established].sum(axis=0)
    for i in np.flatnonzero((starts > 0) & ~ended & ~empty):
        length = bottom.shape[1] - starts[i]
        window = slice(-min(length, season) if length < 2 * season else -2 * season, None)
        whole = reference[window].sum()
        if whole > 0:
            out[i, : starts[i]] = out[i, window].sum() / whole * reference[: starts[i]]
    return out


def fill_gaps(values: np.ndarray, season: int) -> tuple[np.ndarray, int]:
    """Returns cells x T with gaps between known values filled, and how many there were.

    A gap takes the line between its neighbours plus what the same steps one season away lay off their own line, where
    such a season is known.
    """
    out = values.copy()
    count = 0
    for row in out:
        known = np.flatnonzero(~np.isnan(row))
        if not len(known):
            continue
        inside = np.arange(known[0], known[-1] + 1)
        gaps = inside[np.isnan(row[inside])]
        if not len(gaps):
            continue
        line = np.interp(inside, known, row[known])
        off = row[inside] - _smooth(line, season)
        start = inside[0]
        for gap in gaps:
            near = [
                t for t in (gap - season, gap + season) if known[0] <= t <= known[-1] and not np.isnan(off[t - start])
            ]
            base = _smooth(line, season)[gap - start] if near else line[gap - start]
            row[gap] = base + (np.mean([off[t - start] for t in near]) if near else 0.0)
        count += len(gaps)
    return out, count


def _smooth(line: np.ndarray, season: int) -> np.ndarray:
    width = min(season + 1, len(line))
    pad = width // 2
    padded = np.pad(line, (pad, width - 1 - pad), mode="edge")
    return np.convolve(padded, np.full(width, 1.0 / width), mode="valid")
