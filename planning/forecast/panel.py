"""The panel: many series in one flat array.

`Panel` holds the values of all series one after the other (`flat`), where each begins (`offsets`), and the number of
each series' last period. Gaps are filled with a stated rule and marked (`filled`), so that calibration leaves them out.

    unique_id   ds          y             ids      ["N", "S"]
    N           2026-01-01  10.0          flat     [10.0, 11.0, 12.0, 5.0]     11.0 filled, February has no row
    N           2026-03-01  12.0    ->    filled   [F, T, F, F]
    S           2026-03-01  5.0           offsets  [0, 3, 4]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from planning.forecast.frequency import Frequency, parse

FILLS = ("missing", "zero")


@dataclass(frozen=True)
class Panel:
    """Series of one frequency. ids (n,) text, flat (N,), offsets (n+1,), last (n,) period numbers, filled (N,).

    kin (n, groupings): labels that series alike share, see `planning.forecast.kin`; None where there are no keys.
    """

    ids: np.ndarray
    flat: np.ndarray
    offsets: np.ndarray
    last: np.ndarray
    filled: np.ndarray
    frequency: Frequency
    kin: np.ndarray | None = None

    @property
    def n(self) -> int:
        """Number of series."""
        return len(self.ids)

    @property
    def season(self) -> int:
        """Periods in a season."""
        return self.frequency.season

    @property
    def lengths(self) -> np.ndarray:
        """Number of periods of each series, from its first to its last value."""
        return np.diff(self.offsets)

    def series(self, i: int) -> np.ndarray:
        """Returns the values of series i (a view)."""
        return self.flat[self.offsets[i] : self.offsets[i + 1]]

    def dates(self, horizon: int) -> np.ndarray:
        """Returns the dates (n, horizon) of the steps after each series' last period."""
        return self.frequency.date(self.last[:, None] + np.arange(1, horizon + 1))

    def take(self, which: np.ndarray) -> Panel:
        """Returns the series at the positions `which`, in that order."""
        which = np.asarray(which)
        which = np.flatnonzero(which) if which.dtype == bool else which
        sizes = self.lengths[which]
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        at = np.repeat(self.offsets[which] - offsets[:-1], sizes) + np.arange(offsets[-1])
        return replace(
            self, ids=self.ids[which], flat=self.flat[at], offsets=offsets, last=self.last[which],
            filled=self.filled[at], kin=None if self.kin is None else self.kin[which],
        )

    @classmethod
    def of_wide(
        cls, ids: Sequence[str], values: np.ndarray, freq: str | Frequency, last: np.datetime64 | pd.Timestamp
    ) -> Panel:
        """Makes a panel of series of equal length: values (n, T) whose last column is the period of the date `last`."""
        values = np.ascontiguousarray(values, dtype=float)
        n, length = values.shape
        date = np.array([np.datetime64(pd.Timestamp(last), "D")])
        frequency = freq if isinstance(freq, Frequency) else parse(freq, date)
        return cls(
            np.asarray(ids, dtype=object), values.ravel().copy(), np.arange(n + 1, dtype=np.int64) * length,
            np.repeat(frequency.ordinal(date), n), np.zeros(n * length, dtype=bool), frequency,
        )

    @classmethod
    def of_frame(
        cls, history: pd.DataFrame, freq: str | Frequency, *, fill: str = "missing", keys: np.ndarray | None = None
    ) -> Panel:
        """Makes a panel of checked rows `unique_id, ds, y` in any order; empty y at either end is cut off.

        fill "missing": a gap takes a seasonally adjusted line between its neighbours; "zero": zero. A series without
        any value is left out. Columns are taken as checked (`planning.forecast.checks`).
        """
        dates = history["ds"].to_numpy().astype("datetime64[D]")
        frequency = freq if isinstance(freq, Frequency) else parse(freq, dates)
        y = history["y"].to_numpy(dtype=float)
        column = history["unique_id"]
        if isinstance(column.dtype, pd.CategoricalDtype):
            codes, ids = column.cat.codes.to_numpy().astype(np.int64), column.cat.categories.to_numpy(dtype=object)
        else:
            codes, ids = pd.factorize(column.to_numpy(dtype=object), sort=True)
        known = np.isfinite(y)
        codes, ordinal, y = codes[known], frequency.ordinal(dates)[known], y[known]
        order = np.lexsort((ordinal, codes))
        codes, ordinal, y = codes[order], ordinal[order], y[order]
        present, starts, counts = np.unique(codes, return_index=True, return_counts=True)
        ends = starts + counts - 1
        sizes = (ordinal[ends] - ordinal[starts] + 1).astype(np.int64) if len(present) else np.zeros(0, np.int64)
        offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        flat = np.full(offsets[-1], np.nan)
        flat[np.repeat(offsets[:-1] - ordinal[starts], counts) + ordinal] = y
        filled = np.isnan(flat)
        kin = None if keys is None else keys[present]
        panel = cls(np.asarray(ids, dtype=object)[present], flat, offsets, ordinal[ends], filled, frequency, kin)
        fill_gaps(panel, fill)
        return panel


def fill_gaps(panel: Panel, rule: str) -> None:
    """Fills the missing values of `panel.flat` in place: zero, or a line between neighbours with the season off.

    The season of a value is the mean of the known values of its place in the season minus the series' mean, used where
    each place has two or more known values; else the line goes through the raw values.
    """
    if rule == "zero":
        panel.flat[panel.filled] = 0.0
        return
    m = panel.season
    holed = np.unique(np.searchsorted(panel.offsets, np.flatnonzero(panel.filled), side="right") - 1)
    for i in holed:
        y = panel.series(i)
        hole = panel.filled[panel.offsets[i] : panel.offsets[i + 1]]
        places = np.arange(len(y)) % m
        known = np.bincount(places[~hole], minlength=m)
        season = np.zeros(m)
        if m > 1 and known.min() >= 2:
            season = np.bincount(places[~hole], weights=y[~hole], minlength=m) / known - y[~hole].mean()
        at = np.arange(len(y))
        line = np.interp(at[hole], at[~hole], (y - season[places])[~hole]) + season[places[hole]]
        y[hole] = np.clip(line, y[~hole].min(), y[~hole].max())
