"""From the sales table to the monthly history of every cell: money, months, gaps, and what can be forecast.

```
sales (any currency, any grain)   --history_of-->   History.frame   region  line   customer_type  ds          y
                                                                    North   Pumps  OEM            2026-12-01  201 344.5
                                                    History.series  one row a cell: months, gaps, status, reason
                                                    History.paths   drivers by cell and month, past and ahead
```

A cell is `forecast`, or left out as `ended` (nothing sold for twelve months), `no_demand` (never anything but zero)
or `too_short`; the series table says which and why, so that no cell disappears unsaid. Under the 4-4-5 calendar a
fiscal period bears the name of its place in the year: the first of a year starting in January is January.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from planning import calendar
from planning.errors import DataError
from planning.forecast import driver_paths, workdays
from planning.forecast.driver_paths import Paths
from planning.forecast.hierarchy import joined

ENDED_AFTER = 12  # months without a sale from which a cell counts as ended
STOPPED_AFTER = 3  # months missing at the end from which they count as months without sales, not as late rows
SHORTEST = 6  # known months the engine needs
EMPTY = "(empty)"


@dataclass(frozen=True)
class Fiscal:
    """The company's year: the month it starts in, and whether its periods are calendar months or 4-4-5 weeks."""

    start_month: int = 1
    pattern: str = "calendar"


@dataclass(frozen=True)
class History:
    """Monthly sales by cell in one currency.

    frame: keys, ds, y of the cells that can be forecast; whole: the same of all cells. series: one row a cell,
    `unique_id`, keys, `months, first, last, gaps, negative, status`. left_out: (reason, rows) of rows not used.
    paths: the drivers known of these cells; drivers: those that helped past forecasts, None where not judged yet.
    """

    frame: pd.DataFrame
    whole: pd.DataFrame
    series: pd.DataFrame
    keys: tuple[str, ...]
    currency: str
    left_out: list[tuple[str, int]] = field(default_factory=list)
    paths: Paths | None = None
    drivers: tuple[str, ...] | None = None

    @property
    def last(self) -> pd.Timestamp:
        """The last month of the history."""
        return self.whole["ds"].max()

    @property
    def months(self) -> int:
        """Months from the first to the last."""
        first, last = self.whole["ds"].min(), self.last
        return (last.year - first.year) * 12 + last.month - first.month + 1

    @property
    def hindsight(self) -> bool:
        """True where later sales are known than those used: a forecast nobody could have kept at the time."""
        return dict(self.left_out).get("after_as_of", 0) > 0


def history_of(
    sales: pd.DataFrame,
    *,
    by: Sequence[str] = ("region", "line", "customer_type"),
    currency: str = "EUR",
    rates: dict[str, float] | None = None,
    as_of: dt.date | None = None,
    holidays: dict[str, str] | None = None,
    plan: pd.DataFrame | None = None,
    scenario: str = "",
    fiscal: Fiscal = Fiscal(),
) -> History:
    """Returns the monthly history by cell of a sales table, in `currency`.

    sales: `ds, amount`, the key columns and, where amounts are in several currencies, `currency`; rates: `currency`
    per unit of another one. A key column the table lacks (or that is empty throughout) is dropped. Months after
    `as_of`, and a last month that is not over, are left out and counted. holidays: region → code, plan: the table
    `driver_plan` (see `driver_paths`). Raises DataError for a currency without a rate and where nothing is left.
    """
    keys = tuple(key for key in by if key in sales.columns and sales[key].notna().any())
    if not keys:
        raise DataError(f"the sales table has none of the columns {', '.join(by)}. Name one of its own in [plan] by.")
    frame = pd.DataFrame({key: sales[key].astype("str").where(sales[key].notna(), EMPTY) for key in keys})
    frame["ds"] = pd.to_datetime(sales["ds"])
    frame["y"] = sales["amount"].to_numpy(float) * _rate(sales, currency, rates or {})
    for name in driver_paths.NAMES:
        if name in sales.columns:
            frame[name] = pd.to_numeric(sales[name], errors="coerce").to_numpy(float, na_value=np.nan)
    used, left_out = _until(frame, as_of, fiscal)
    if used.empty:
        raise DataError(f"no sales are dated {as_of or 'at all'} or before. Give a later as_of.")
    frame["ds"] = months_of(frame["ds"], fiscal)
    used = used.assign(ds=frame["ds"].reindex(used.index))
    monthly = used.groupby([*keys, "ds"], as_index=False, sort=True)["y"].sum(min_count=1)
    whole, series = _cells(monthly, keys)
    living = series.loc[series["status"] == "forecast", list(keys)]
    paths = driver_paths.gather(frame, series, keys, whole["ds"].max(), holidays or {}, plan, scenario, fiscal)
    return History(whole.merge(living, on=list(keys)), whole, series, keys, currency, left_out, paths)


def history_from(
    sales: pd.DataFrame, settings: Any, *, as_of: dt.date | None = None, plan: pd.DataFrame | None = None,
    scenario: str = "",
) -> History:  # fmt: skip
    """Returns the monthly history of the workspace's sales table; as_of takes the place of [plan] as_of."""
    return history_of(
        sales, by=settings.plan.by, currency=settings.company.currency, rates=dict(settings.rates),
        as_of=as_of or settings.plan.as_of, holidays=workdays.calendar_of(settings), plan=plan, scenario=scenario,
        fiscal=Fiscal(settings.calendar.fiscal_year_start, settings.calendar.pattern),
    )  # fmt: skip


def months_of(days: pd.Series, fiscal: Fiscal) -> pd.Series:
    """Returns the month each day counts for: its calendar month, or under 4-4-5 the one its period is named by.

    Days that are all the first of a month are months already and stay.
    """
    if fiscal.pattern == "calendar" or bool((days.dt.day == 1).all()):
        return days.dt.to_period("M").dt.to_timestamp().astype("datetime64[us]")
    known = pd.DatetimeIndex(days.unique())
    named = {day: calendar.named_month(day.date(), fiscal.start_month, fiscal.pattern) for day in known}
    return days.map(named).astype("datetime64[us]")


def until(history: History, last: pd.Timestamp) -> History:
    """Returns the history as it stood at the end of month `last`; cells are judged anew by what was known then."""
    monthly = history.whole[history.whole["ds"] <= last]
    if monthly.empty:
        raise DataError(f"the history starts after {last:%Y-%m}.")
    whole, series = _cells(monthly, history.keys)
    living = series.loc[series["status"] == "forecast", list(history.keys)]
    frame = whole.merge(living, on=list(history.keys))
    return dataclasses.replace(history, frame=frame, whole=whole, series=series, left_out=[])


def _rate(sales: pd.DataFrame, currency: str, rates: dict[str, float]) -> np.ndarray:
    """Returns the company's currency per unit of each row's."""
    if "currency" not in sales:
        return np.ones(len(sales))
    codes = sales["currency"].fillna(currency).astype("str").replace("", currency)
    known = {currency: 1.0, **rates}
    missing = sorted(set(codes) - set(known))
    if missing:
        raise DataError(f"sales: no rate is known for {missing[0]}. Add [rates] {missing[0]} = {currency} per unit.")
    return codes.map(known).to_numpy(float)


def _until(frame: pd.DataFrame, as_of: dt.date | None, fiscal: Fiscal) -> tuple[pd.DataFrame, list[tuple[str, int]]]:
    """Drops rows after `as_of` and those of a last month that was not over, and counts both."""
    left_out = []
    last = frame["ds"].max()
    finer = bool(
        (frame["ds"].dt.day != 1).any() and frame["ds"].nunique() > 1.5 * frame["ds"].dt.to_period("M").nunique()
    )
    if as_of is not None:
        late = frame["ds"] > pd.Timestamp(as_of)
        left_out.append(("after_as_of", int(late.sum())))
        frame = frame[~late]
        last = pd.Timestamp(as_of)
    if frame.empty:
        return frame, left_out
    by_weeks = fiscal.pattern != "calendar" and not bool((frame["ds"].dt.day == 1).all())
    first, end = _month_around(last, fiscal if by_weeks else Fiscal())
    unfinished = (end - last).days > (7 if as_of is None else 0) and (finer or as_of is not None)
    if unfinished:
        inside = frame["ds"] >= first
        left_out.append(("unfinished_month", int(inside.sum())))
        frame = frame[~inside]
    return frame, [(reason, rows) for reason, rows in left_out if rows]


def _month_around(day: pd.Timestamp, fiscal: Fiscal) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Returns first and last day of the month, or of the fiscal period, a day lies in."""
    month = calendar.named_month(day.date(), fiscal.start_month, fiscal.pattern)
    period = calendar.period_named(month, fiscal.start_month, fiscal.pattern)
    return pd.Timestamp(period.start), pd.Timestamp(period.end)


def _cells(monthly: pd.DataFrame, keys: tuple[str, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns the rows of all cells, months without sales at an end as zero, and the table of series.

    One or two months that have not arrived take the same month a year before, else the last value.
    """
    ids = joined(monthly, keys)
    codes, names = pd.factorize(ids)
    months = pd.date_range(monthly["ds"].min(), monthly["ds"].max(), freq="MS").astype("datetime64[us]")
    wide = np.full((len(names), len(months)), np.nan)
    wide[codes, months.get_indexer(monthly["ds"])] = monthly["y"].to_numpy(float)
    first = monthly.loc[~ids.duplicated(), list(keys)].reset_index(drop=True)
    series = first.assign(unique_id=np.asarray(names, dtype=object))[["unique_id", *keys]].astype("str")
    facts = [_cell(row, months) for row in wide]
    series = pd.concat([series, pd.DataFrame(facts)], axis=1).sort_values(list(keys), kind="stable")
    order = series.index.to_numpy()
    row, column = np.nonzero(np.isfinite(wide[order]))
    whole = first.iloc[order[row]].reset_index(drop=True)
    return whole.assign(ds=months[column], y=wide[order][row, column]), series.reset_index(drop=True)


def _cell(row: np.ndarray, months: pd.DatetimeIndex) -> dict[str, Any]:
    """Returns the facts of one cell, and completes its row of values at the end, in place."""
    known = np.flatnonzero(np.isfinite(row))
    sold = known[row[known] != 0]
    facts = {"months": len(known), "first": pd.NaT, "last": pd.NaT, "gaps": 0, "negative": int((row[known] < 0).sum())}
    facts["status"] = _status(len(known), sold, len(row))
    if not len(known):
        return facts
    late = np.arange(known[-1] + 1, len(row))
    facts["first"] = months[known[0]]
    facts["last"] = months[sold[-1]] if len(sold) else pd.NaT
    facts["gaps"] = int(known[-1] - known[0] + 1 - len(known)) + (len(late) if len(late) < STOPPED_AFTER else 0)
    if len(late) >= STOPPED_AFTER:
        row[late] = 0.0
    else:
        before = np.array([row[t - 12] if t >= 12 else np.nan for t in late])
        row[late] = np.where(np.isfinite(before), before, row[known[-1]])
    return facts


def _status(known: int, sold: np.ndarray, length: int) -> str:
    if not len(sold):
        return "no_demand"
    if length - 1 - sold[-1] >= ENDED_AFTER:
        return "ended"
    return "forecast" if known >= SHORTEST else "too_short"


def as_of_day(history: History) -> pd.Timestamp:
    """Returns the last day the history knows: the end of its last month."""
    return (history.last + pd.offsets.MonthEnd(0)).normalize()
