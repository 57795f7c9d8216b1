"""From the sales table to the outlook of the plan year: history by cell, what can be forecast, and its growth.

```
sales (any currency, any grain)   --history_of-->   History.frame   region  line   customer_type  ds          y
                                                                    North   Pumps  OEM            2026-12-01  201 344.5
                                                    History.series  one row a cell: months, gaps, status, reason
History                           --outlook-->      JointForecast to the end of the plan year
JointForecast                     --growth-->       one row a node: last full year, plan year, growth, 80 % interval
```

A cell is `forecast`, or left out as `ended` (nothing sold for twelve months), `no_demand` (never anything but zero)
or `too_short`; the series table says which and why, so that no cell disappears unsaid.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from planning.errors import DataError, UsageError
from planning.forecast import workdays
from planning.forecast.joint_forecast import TOTAL, JointForecast

if TYPE_CHECKING:
    from planning.forecast.driven_joint import DrivenJoint

ENDED_AFTER = 12  # months without a sale from which a cell counts as ended
STOPPED_AFTER = 3  # months missing at the end from which they count as months without sales, not as late rows
SHORTEST = 6  # known months the engine needs
LONGEST_HORIZON = 48
SHORTEST_PANEL = 12  # months of history of the whole panel
EMPTY = "(empty)"


@dataclass(frozen=True)
class History:
    """Monthly sales by cell in one currency.

    frame: keys, ds, y of the cells that can be forecast; whole: the same of all cells. series: one row a cell,
    `unique_id`, keys, `months, first, last, gaps, negative, status`. left_out: (reason, rows) of rows not used.
    """

    frame: pd.DataFrame
    whole: pd.DataFrame
    series: pd.DataFrame
    keys: tuple[str, ...]
    currency: str
    left_out: list[tuple[str, int]] = field(default_factory=list)
    calendar: dict[str, str] = field(default_factory=dict)  # region → holidays' code, see `workdays`

    @property
    def last(self) -> pd.Timestamp:
        """The last month of the history."""
        return self.whole["ds"].max()

    @property
    def months(self) -> int:
        """Months from the first to the last."""
        first, last = self.whole["ds"].min(), self.last
        return (last.year - first.year) * 12 + last.month - first.month + 1


def history_of(
    sales: pd.DataFrame,
    *,
    by: Sequence[str] = ("region", "line", "customer_type"),
    currency: str = "EUR",
    rates: dict[str, float] | None = None,
    as_of: dt.date | None = None,
    calendar: dict[str, str] | None = None,
) -> History:
    """Returns the monthly history by cell of a sales table, in `currency`.

    sales: `ds, amount`, the key columns and, where amounts are in several currencies, `currency`; rates: `currency`
    per unit of another one. A key column the table lacks (or that is empty throughout) is dropped. Months after
    `as_of`, and a last month that is not over, are left out and counted. Raises DataError for a currency without a
    rate and where nothing is left.
    """
    keys = tuple(key for key in by if key in sales.columns and sales[key].notna().any())
    if not keys:
        raise DataError(f"the sales table has none of the columns {', '.join(by)}. Name one of its own in [plan] by.")
    frame = pd.DataFrame({key: sales[key].astype("str").where(sales[key].notna(), EMPTY) for key in keys})
    frame["ds"] = pd.to_datetime(sales["ds"])
    frame["y"] = sales["amount"].to_numpy(float) * _rate(sales, currency, rates or {})
    frame, left_out = _until(frame, as_of)
    if frame.empty:
        raise DataError(f"no sales are dated {as_of or 'at all'} or before. Give a later as_of.")
    frame["ds"] = frame["ds"].dt.to_period("M").dt.to_timestamp().astype("datetime64[us]")
    monthly = frame.groupby([*keys, "ds"], as_index=False, sort=True)["y"].sum(min_count=1)
    whole, series = _cells(monthly, keys)
    living = series.loc[series["status"] == "forecast", list(keys)]
    frame = whole.merge(living, on=list(keys))
    return History(frame, whole, series, keys, currency, left_out, calendar or {})


def until(history: History, last: pd.Timestamp) -> History:
    """Returns the history as it stood at the end of month `last`; cells are judged anew by what was known then."""
    monthly = history.whole[history.whole["ds"] <= last]
    if monthly.empty:
        raise DataError(f"the history starts after {last:%Y-%m}.")
    whole, series = _cells(monthly.sort_values([*history.keys, "ds"], kind="stable"), history.keys)
    living = series.loc[series["status"] == "forecast", list(history.keys)]
    frame = whole.merge(living, on=list(history.keys))
    return History(frame, whole, series, history.keys, history.currency, [], history.calendar)


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


def _until(frame: pd.DataFrame, as_of: dt.date | None) -> tuple[pd.DataFrame, list[tuple[str, int]]]:
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
    end = last + pd.offsets.MonthEnd(0)
    unfinished = (end - last).days > (7 if as_of is None else 0) and (finer or as_of is not None)
    if unfinished:
        inside = frame["ds"].dt.to_period("M") == last.to_period("M")
        left_out.append(("unfinished_month", int(inside.sum())))
        frame = frame[~inside]
    return frame, [(reason, rows) for reason, rows in left_out if rows]


def _cells(monthly: pd.DataFrame, keys: tuple[str, ...]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns the rows of all cells, months without sales at an end as zero, and the table of series."""
    last = monthly["ds"].max()
    parts, rows = [], []
    for name, part in monthly.groupby(list(keys), sort=True):
        part = part.reset_index(drop=True)
        known = part[part["y"].notna()]
        months = pd.date_range(known["ds"].iloc[0], last, freq="MS") if len(known) else pd.DatetimeIndex([])
        tail = len(months[months > known["ds"].iloc[-1]]) if len(known) else 0
        if tail >= STOPPED_AFTER:
            zero = {**dict(zip(keys, name)), "ds": months[-tail:], "y": 0.0}
            part = pd.concat([known, pd.DataFrame(zero)], ignore_index=True)
        y = part["y"].to_numpy(float)
        row = dict(zip(keys, name)) | {"months": len(known), "first": months[0] if len(months) else pd.NaT}
        nonzero = known.loc[known["y"] != 0, "ds"]
        row["last"] = nonzero.iloc[-1] if len(nonzero) else pd.NaT
        row["gaps"] = max(0, len(months) - max(tail, 0) - len(known)) + (tail if tail < STOPPED_AFTER else 0)
        row["negative"] = int((y < 0).sum())
        row["status"] = _status(known, row["last"], last)
        rows.append({"unique_id": "/".join(name), **row})
        parts.append(_late_rows(part, keys, name, last) if 0 < tail < STOPPED_AFTER else part)
    return pd.concat(parts, ignore_index=True), pd.DataFrame(rows)


def _status(known: pd.DataFrame, last_sale: Any, last: pd.Timestamp) -> str:
    if pd.isna(last_sale):
        return "no_demand"
    if (last.year - last_sale.year) * 12 + last.month - last_sale.month >= ENDED_AFTER:
        return "ended"
    return "forecast" if len(known) >= SHORTEST else "too_short"


def _late_rows(part: pd.DataFrame, keys: tuple[str, ...], name: tuple[str, ...], last: pd.Timestamp) -> pd.DataFrame:
    """Fills one or two months that have not arrived with the same month a year before, else with the last value."""
    known = part.set_index("ds")["y"]
    late = pd.date_range(known.index[-1], last, freq="MS")[1:]
    values = [known.get(month - pd.DateOffset(years=1), np.nan) for month in late]
    filled = pd.Series(values, index=late).fillna(known.iloc[-1])
    extra = pd.DataFrame({**dict(zip(keys, name)), "ds": late, "y": filled.to_numpy()})
    return pd.concat([part, extra], ignore_index=True)


# ---- the plan year ------------------------------------------------------------------------------------------------


def year_months(year: int, start_month: int = 1) -> pd.DatetimeIndex:
    """Returns the twelve months of a fiscal year, named by the year it ends in.

    >>> [str(m.date()) for m in year_months(2027, 4)[[0, -1]]]
    ['2026-04-01', '2027-03-01']
    """
    return pd.date_range(pd.Timestamp(year if start_month == 1 else year - 1, start_month, 1), periods=12, freq="MS")


def year_of(month: pd.Timestamp, start_month: int = 1) -> int:
    """Returns the fiscal year a month lies in."""
    return month.year if start_month == 1 or month.month < start_month else month.year + 1


def last_full_year(history: History, start_month: int = 1) -> int:
    """Returns the latest fiscal year that lies in the history whole."""
    after = history.last + pd.DateOffset(months=1)
    return year_of(after, start_month) - 1


def plan_year(history: History, year: int | None, start_month: int = 1) -> int:
    """Returns the year to plan: the one asked for, else the one after the last full year."""
    return year or last_full_year(history, start_month) + 1


def horizon_to(history: History, year: int, start_month: int = 1) -> int:
    """Returns the months from the history's end to the end of the plan year.

    Raises UsageError for a year that is over, or too far ahead.
    """
    end, last = year_months(year, start_month)[-1], history.last
    steps = (end.year - last.year) * 12 + end.month - last.month
    if steps < 1:
        raise UsageError(
            f"year {year} is over in these data ({last:%Y-%m}). Name a later plan year, or an earlier as_of."
        )
    if steps > LONGEST_HORIZON:
        raise UsageError(f"year {year} is {steps} months ahead; {LONGEST_HORIZON} are the most. Name an earlier one.")
    return steps


def levels(keys: Sequence[str]) -> list[tuple[str, ...]]:
    """Returns the aggregates forecast beside total and cells: each key, and with three keys the first two
    together."""
    single = [(key,) for key in keys] if len(keys) > 1 else []
    return [*single, tuple(keys[:2])] if len(keys) > 2 else single


def outlook(history: History, horizon: int) -> JointForecast:
    """Returns the joint forecast of all cells that can be forecast, their aggregates and the total.

    Raises DataError where no cell, or too short a history, is left: the page then says that it cannot tell.
    """
    return driven_outlook(history, horizon).joint


def driven_outlook(history: History, horizon: int) -> DrivenJoint:
    """Returns the same with what working days did to it, where the history has a calendar and they helped before."""
    from planning.forecast.coherent import joint
    from planning.forecast.driven_joint import joint_with_drivers, undriven

    if history.frame.empty:
        raise DataError(f"none of {len(history.series)} cells can be forecast. See the list of reasons.")
    if history.months < SHORTEST_PANEL:
        raise DataError(f"the history has {history.months} months, {SHORTEST_PANEL} are needed. Add older months.")
    options = {"keys": history.keys, "horizon": horizon, "freq": "MS", "spec": levels(history.keys)}
    if not history.calendar:
        return undriven(joint(history.frame, **options))
    table, ahead = _with_workdays(history, horizon)
    return joint_with_drivers(table.drop(columns="unique_id"), ahead, drivers=[workdays.COLUMN], **options)


def settled(history: History, horizon: int = 12) -> History:
    """Returns the history without its calendar where working days did not help past forecasts.

    The judgement is made once, on the whole history: rounds replayed from it need not make it again.
    """
    from planning.forecast.driven_joint import judge

    if not history.calendar or history.frame.empty:
        return history
    table, ahead = _with_workdays(history, horizon)
    helped = len(judge(table, ahead, [workdays.COLUMN], horizon)[-1]) > 0
    return history if helped else dataclasses.replace(history, calendar={})


def _with_workdays(history: History, horizon: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns the history with `unique_id` and working days, and those of the months ahead."""
    days = workdays_of(history, horizon)
    table = history.frame.assign(unique_id=history.frame[list(history.keys)].agg("/".join, axis=1))
    return table.merge(days, on=["unique_id", "ds"]), days[days["ds"] > history.last]


def workdays_of(history: History, horizon: int) -> pd.DataFrame:
    """Returns `unique_id, ds, working_days` of the cells that are forecast, from the first month to the last ahead."""
    months = pd.date_range(history.whole["ds"].min(), history.last + pd.DateOffset(months=horizon), freq="MS")
    return workdays.by_cell(history.frame, history.keys, history.calendar, months)


# ---- tables -------------------------------------------------------------------------------------------------------


def node_history(history: History, cells: pd.DataFrame) -> pd.DataFrame:
    """Returns `unique_id, ds, actual` of every node of a joint forecast; aggregates sum all cells, ended ones too."""
    parts = []
    for level in cells["level"].unique():
        named = [] if level == TOTAL else level.split("/")
        sums = history.whole.groupby([*named, "ds"], as_index=False)["y"].sum(min_count=1)
        nodes = cells.loc[cells["level"] == level, ["unique_id", *named]]
        parts.append(sums.merge(nodes, on=named) if named else sums.assign(unique_id=TOTAL))
    frame = pd.concat(parts, ignore_index=True).rename(columns={"y": "actual"})
    return frame[["unique_id", "ds", "actual"]]


def growth(joint: JointForecast, history: History, year: int, start_month: int = 1) -> pd.DataFrame:
    """Returns what each node sells in the plan year against the last full year.

    One row a node: `unique_id, level`, keys, `last_year` (actual), `expected`, `lo80`, `hi80` (of the year's sum),
    `change`, `growth`, `growth_lo`, `growth_hi` (0-1), `chance_of_growth` P(plan year >= last full year). Months of
    the plan year that are already over count as sold.
    """
    months = year_months(year, start_month)
    past = year_months(last_full_year(history, start_month), start_month)
    actual = node_history(history, joint.cells)
    ids = joint.cells["unique_id"]
    last = actual[actual["ds"].isin(past)].groupby("unique_id")["actual"].sum().reindex(ids).fillna(0.0).to_numpy()
    sold = actual[actual["ds"].isin(months)].groupby("unique_id")["actual"].sum().reindex(ids).fillna(0.0).to_numpy()
    ahead = joint.window(months[0], months[-1])
    table = ahead.quantile(levels=(0.1, 0.9), total=True)
    out = joint.cells.copy()
    out["last_year"] = last
    out["expected"] = table["mean"].to_numpy() + sold
    out["lo80"], out["hi80"] = table[0.1].to_numpy() + sold, table[0.9].to_numpy() + sold
    out["change"] = out["expected"] - out["last_year"]
    for name, column in (("growth", "expected"), ("growth_lo", "lo80"), ("growth_hi", "hi80")):
        out[name] = np.where(last > 0, out[column] / np.where(last > 0, last, 1.0) - 1.0, np.nan)
    chance = ahead.probability(pd.Series(last - sold, index=ids))
    out["chance_of_growth"] = np.where(last > 0, chance.to_numpy(), np.nan)
    return out


def fan_frame(
    joint: JointForecast, actual: pd.DataFrame, unique_ids: Sequence[str], bands: Sequence[int] = (50, 80, 95)
) -> pd.DataFrame:
    """Returns the frame of `charts.fan`: history and forecast of the nodes named, with a band a level in percent."""
    sides = [(f"lo-{b}", 0.5 - b / 200) for b in bands] + [(f"hi-{b}", 0.5 + b / 200) for b in bands]
    ahead = joint.quantile(unique_ids, [level for _name, level in sides])
    ahead = ahead.rename(columns={level: name for name, level in sides})
    past = actual[actual["unique_id"].isin(unique_ids)]
    frame = pd.concat([past, ahead], ignore_index=True)
    order = {name: place for place, name in enumerate(unique_ids)}
    return frame.sort_values(
        ["unique_id", "ds"], key=lambda c: c.map(order) if c.name == "unique_id" else c, kind="stable"
    )


def largest(table: pd.DataFrame, level: str, most: int = 9) -> list[str]:
    """Returns the ids of the largest nodes of a level by what is expected of them."""
    rows = table[table["level"] == level].sort_values("expected", ascending=False, kind="stable")
    return list(rows["unique_id"].head(most))


def bottom_level(joint: JointForecast) -> str:
    """Returns the name of the level of the bottom cells."""
    return "/".join(joint.keys)


# ---- all of it for one page ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outlook:
    """The outlook of one plan year: history, joint forecast and growth, or why there is none (`refused`, joint
    None)."""

    history: History
    year: int
    last_year: int
    joint: JointForecast | None
    growth: pd.DataFrame | None
    actual: pd.DataFrame | None
    refused: str = ""
    start_month: int = 1
    driven: DrivenJoint | None = None

    @property
    def total(self) -> dict[str, Any]:
        """The growth table's row of the total."""
        return self.growth[self.growth["level"] == TOTAL].iloc[0].to_dict()


def year_total(joint: JointForecast, look: Outlook) -> float:
    """Returns what the total is expected to bring in the plan year, months already sold included."""
    months = year_months(look.year, look.start_month)
    total = joint.mean[joint.cells["level"].to_numpy() == TOTAL][0]
    sold = look.actual[(look.actual["unique_id"] == TOTAL) & look.actual["ds"].isin(months)]["actual"].sum()
    return float(total[joint.periods.isin(months)].sum() + sold)


def look_ahead(sales: pd.DataFrame, settings: Any, *, as_of: dt.date | None = None, year: int | None = None) -> Outlook:
    """Returns the outlook of the plan year from the workspace's sales table and settings.

    as_of and year take the place of what workbench.toml says under [plan]. Where nothing can be forecast the
    outlook says why in `refused` instead of raising.
    """
    start = settings.calendar.fiscal_year_start
    history = history_from(sales, settings, as_of=as_of)
    year = plan_year(history, year or settings.plan.year, start)
    last = last_full_year(history, start)
    horizon = horizon_to(history, year, start)
    try:
        driven = driven_outlook(history, horizon)
    except DataError as error:
        return Outlook(history, year, last, None, None, None, str(error), start)
    joint = driven.joint
    if not driven.used:
        history = dataclasses.replace(history, calendar={})
    table = growth(joint, history, year, start)
    return Outlook(history, year, last, joint, table, node_history(history, joint.cells), "", start, driven)


def history_from(sales: pd.DataFrame, settings: Any, *, as_of: dt.date | None = None) -> History:
    """Returns the monthly history of the workspace's sales table; as_of takes the place of [plan] as_of."""
    return history_of(
        sales,
        by=settings.plan.by,
        currency=settings.company.currency,
        rates=dict(settings.rates),
        as_of=as_of or settings.plan.as_of,
        calendar=workdays.calendar_of(settings),
    )
