"""The history a plan stands on: a table of sales becomes a checked panel of cells by months.

```
HISTORY: ds, <key columns>, amount[, currency]   any number of rows a cell and month, daily or finer too
Panel:   cells  one row a cell (unique_id, <keys>), in key order
         months T month starts, without gaps
         y      cells x months, NaN before a cell's first sale and where a month was not recorded
         known  cells x months, what was recorded (0 where nothing was)
```
Rows are sorted before they are added up, so the order of the input changes no bit of the result.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from planning.errors import ConfigError, DataError, Fault, did_you_mean

LARGEST_AMOUNT = 1e13
DENSE = 0.9  # a cell with sales in this share of its months sells every month: an empty one was not recorded


@dataclasses.dataclass(frozen=True)
class Panel:
    """Monthly history of the cells; see the module's text."""

    cells: pd.DataFrame
    months: pd.DatetimeIndex
    y: np.ndarray
    known: np.ndarray
    by: tuple[str, ...]
    notes: tuple[str, ...] = ()
    left_out: tuple[tuple[str, int], ...] = ()  # (reason, rows): empty_amount, unfinished_month, gap

    def year_total(self, start: pd.Timestamp) -> np.ndarray:
        """Returns each cell's recorded sum of the 12 months from `start`."""
        inside = (self.months >= start) & (self.months < start + pd.DateOffset(years=1))
        return self.known[:, inside].sum(axis=1)

    def last_full_year(self, before: pd.Timestamp) -> pd.Timestamp:
        """Returns the start of the last 12-month year, counted back from `before`, that lies wholly in the history."""
        start, end = before, self.months[-1] + pd.DateOffset(months=1)
        while start + pd.DateOffset(years=1) > end:
            start -= pd.DateOffset(years=1)
        if start < self.months[0]:
            raise DataError(
                f"the history ({self.months[0]:%Y-%m} to {self.months[-1]:%Y-%m}) holds no full year before "
                f"{before:%Y-%m}. Give at least 24 months."
            )
        return start

    def until(self, month: pd.Timestamp) -> Panel:
        """Returns the history through `month`, as it was known then; cells that had not started are left out."""
        keep = self.months <= month
        alive = np.isfinite(self.y[:, keep]).any(axis=1)
        return dataclasses.replace(
            self,
            cells=self.cells[alive].reset_index(drop=True),
            months=self.months[keep],
            y=self.y[np.ix_(alive, keep)],
            known=self.known[np.ix_(alive, keep)],
        )


def read_panel(
    history: pd.DataFrame,
    by: Sequence[str],
    *,
    currency: str | None = None,
    rates: Mapping[str, float] | None = None,
    file: str = "history",
    until: pd.Timestamp | None = None,
) -> Panel:
    """Returns the checked monthly panel of `history` over the keys `by`.

    A last month that finer data has not finished is left out, with a note. DataError carries every fault found;
    ConfigError where `by` names a column the history has not.
    """
    frame = _columns(history, list(by), file)
    frame["ds"] = _dates(history["ds"], file)
    frame["amount"] = _amounts(history, file)
    notes: list[str] = []
    left: list[tuple[str, int]] = []
    if "currency" in history:
        frame["amount"] *= _factors(history["currency"], currency, rates or {}, file)
    empty = int(frame["amount"].isna().sum())
    if empty:
        notes.append(f"{empty} rows have no amount and count as not recorded.")
        left.append(("empty_amount", empty))
        frame = frame[frame["amount"].notna()]
    if until is not None:
        frame = frame[frame["ds"] <= until]
    if frame.empty:
        raise DataError(f"{file}: holds no sales. Export the table again with at least 24 months.")
    whole, note = _whole_months(frame)
    if len(whole) < len(frame):
        left.append(("unfinished_month", len(frame) - len(whole)))
    return _panel(whole, list(by), file, notes + note, left)


def _columns(history: pd.DataFrame, by: list[str], file: str) -> pd.DataFrame:
    for column in ("ds", "amount"):
        if column not in history:
            raise DataError(
                f"{file}: has no column '{column}'. It has: {', '.join(map(str, history.columns))}."
                f"{did_you_mean(column, history.columns)}"
            )
    missing = [key for key in by if key not in history]
    if missing:
        raise ConfigError(
            "\n".join(
                f"by: {file} has no column '{key}'. It has: {', '.join(map(str, history.columns))}."
                f"{did_you_mean(key, history.columns)}"
                for key in missing
            )
        )
    if not len(history):
        raise DataError(f"{file}: has a header and no rows. Export the table again.")
    faults = [
        Fault(file, int(np.flatnonzero(history[key].isna())[0]) + 2, key, "is empty", "Name the cell of each row")
        for key in by
        if history[key].isna().any()
    ]
    if faults:
        raise DataError(faults=faults)
    return pd.DataFrame({key: history[key].astype(str).str.strip() for key in by})


def _dates(column: pd.Series, file: str) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(column):
        parsed = column.dt.tz_localize(None) if getattr(column.dt, "tz", None) is not None else column
    else:
        parsed = pd.to_datetime(column.astype(str), format="ISO8601", errors="coerce")
    wrong = np.flatnonzero(parsed.isna())
    if len(wrong):
        raise DataError(
            faults=[
                Fault(file, int(row) + 2, "ds", f"found {column.iloc[row]!r}", "Write ISO dates, such as 2026-03-01.")
                for row in wrong[:20]
            ]
        )
    return parsed


def _amounts(history: pd.DataFrame, file: str) -> pd.Series:
    column = history["amount"]
    amount = pd.to_numeric(column, errors="coerce").astype(float)
    text = amount.isna() & column.notna() & (column.astype(str).str.strip() != "")
    wild = amount.abs() > LARGEST_AMOUNT
    faults = [
        Fault(file, int(row) + 2, "amount", f"found {column.iloc[row]!r}", "Write a plain number, such as 1234.56.")
        for row in np.flatnonzero(text | wild)[:20]
    ]
    if faults:
        raise DataError(faults=faults)
    return amount


def _factors(column: pd.Series, currency: str | None, rates: Mapping[str, float], file: str) -> np.ndarray:
    codes = column.fillna(currency or "").astype(str)
    found = sorted(set(codes))
    if currency is None and len(found) > 1:
        raise DataError(f"{file}: mixes the currencies {', '.join(found)}. Name one currency and the rates to it.")
    missing = [code for code in found if code not in (currency, "") and code not in rates]
    if missing and currency is not None:
        row = int(np.flatnonzero(codes.isin(missing))[0]) + 2
        raise DataError(
            faults=[
                Fault(
                    file,
                    row,
                    "currency",
                    f"amounts in {', '.join(missing)} beside {currency} and no rate",
                    f"Add rates = {{ {missing[0]} = ... }} ({currency} per {missing[0]}) to the policy.",
                )
            ]
        )
    return codes.map({code: rates.get(code, 1.0) if code != currency else 1.0 for code in found}).to_numpy(float)


def _whole_months(frame: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Drops a last month that finer data has not finished: the last day is well before the end of its month."""
    last = frame["ds"].max()
    finer = frame["ds"].dt.day.nunique() > 3
    if not finer or (last + pd.offsets.MonthEnd(0)).normalize() - last.normalize() <= pd.Timedelta(days=6):
        return frame, []
    keep = frame["ds"] < last.to_period("M").start_time
    if not keep.any():
        return frame, []
    return frame[keep], [
        f"{last:%Y-%m} ends on the {last.day}. and is left out as unfinished ({int((~keep).sum())} rows)."
    ]


def _panel(frame: pd.DataFrame, by: list[str], file: str, notes: list[str], left: list[tuple[str, int]]) -> Panel:
    months = pd.PeriodIndex(frame["ds"], freq="M")
    cells = frame[by].drop_duplicates().sort_values(by, kind="stable").reset_index(drop=True)
    code = pd.MultiIndex.from_frame(cells).get_indexer(pd.MultiIndex.from_frame(frame[by]))
    step = months.asi8 - months.asi8.min()
    t = int(step.max()) + 1
    if t >= 12 and len(np.unique(step)) < 0.5 * t:
        raise DataError(
            f"{file}: has rows in {len(np.unique(step))} of {t} months, so it looks quarterly or yearly. "
            "Give monthly sales, or finer."
        )
    amount = frame["amount"].to_numpy(float)
    order = np.lexsort((amount, step, code))
    at = (code * t + step)[order]
    known = np.bincount(at, weights=amount[order], minlength=len(cells) * t).reshape(len(cells), t)
    seen = np.bincount(at, minlength=len(cells) * t).reshape(len(cells), t) > 0
    index = pd.period_range(months.min(), periods=t, freq="M").to_timestamp()
    cells.insert(0, "unique_id", cells[by].agg("/".join, axis=1))
    if cells["unique_id"].duplicated().any():
        raise DataError(
            f"{file}: two cells are both called '{cells['unique_id'][cells['unique_id'].duplicated()].iloc[0]}'. "
            "Keep '/' out of the names."
        )
    _refuse_negative(cells, index, known, file)
    y, filled = _gaps(known, seen)
    if filled:
        text = f"{filled} months without a row, in cells that otherwise sell every month, count as not recorded."
        notes, left = [*notes, text], [*left, ("gap", filled)]
    return Panel(cells, index, y, known, tuple(by), tuple(notes), tuple(left))


def _refuse_negative(cells: pd.DataFrame, months: pd.DatetimeIndex, known: np.ndarray, file: str) -> None:
    """A month may be negative (returns); a cell whose last 12 months are cannot carry a target."""
    last = known[:, -12:].sum(axis=1)
    faults = [
        Fault(
            file,
            None,
            "amount",
            f"{cells['unique_id'][i]} sums to {last[i]:,.2f} over the last {min(12, len(months))} months",
            "Check the sign of the exports, or leave the cell out.",
        )
        for i in np.flatnonzero(last < 0)[:20]
    ]
    if faults:
        raise DataError(faults=faults)


def _gaps(known: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, int]:
    """Returns the panel with NaN before the first sale and where a steady cell has no row, and how many of those."""
    t = known.shape[1]
    started = np.maximum.accumulate(seen, axis=1)
    life = started.sum(axis=1)
    steady = seen.sum(axis=1) >= DENSE * np.maximum(life, 1)
    ended = seen[:, ::-1].argmax(axis=1)  # months since the last row: a cell that stopped is not a gap
    inside = np.arange(t)[None, :] < t - ended[:, None]
    hole = started & ~seen & steady[:, None] & inside
    y = np.where(started, known, np.nan)
    y[hole] = np.nan
    return y, int(hole.sum())
