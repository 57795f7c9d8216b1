"""The outlook of the plan year: the joint forecast of every cell, its growth, and what was refused.

```
History   --outlook-->   JointForecast to the end of the plan year
          --growth-->    one row a node: last full year, plan year, growth, 80 % interval
```
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from planning.errors import DataError, UsageError
from planning.forecast.hierarchy import joined
from planning.forecast.history import History, history_from
from planning.forecast.joint_forecast import TOTAL, JointForecast

if TYPE_CHECKING:
    from planning.forecast.driven_joint import DrivenJoint
    from planning.forecast.driver_paths import Paths

LONGEST_HORIZON = 48
SHORTEST_PANEL = 12  # months of history of the whole panel


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
    """Returns the same with what drivers did to it.

    Drivers the history was judged to be better with are used; where it was not judged yet, those that helped past
    forecasts. Raises DataError for a planned driver whose future is missing, naming the months.
    """
    from planning.forecast.coherent import joint
    from planning.forecast.driven_joint import joint_with_drivers, undriven

    if history.frame.empty:
        raise DataError(f"none of {len(history.series)} cells can be forecast. See the list of reasons.")
    if history.months < SHORTEST_PANEL:
        raise DataError(f"the history has {history.months} months, {SHORTEST_PANEL} are needed. Add older months.")
    options = {"keys": history.keys, "horizon": horizon, "freq": "MS", "spec": levels(history.keys)}
    if history.paths is None or history.drivers == ():
        return undriven(joint(history.frame, **options))
    paths = history.paths if history.drivers is None else history.paths.take(history.drivers)
    table, ahead = with_drivers(history, paths, horizon)
    use = "auto" if history.drivers is None else "always"
    return joint_with_drivers(table, ahead, drivers=paths.names, held=paths.held, use=use, **options)


def settled(history: History, horizon: int = 12) -> History:
    """Returns the history with the drivers that helped past forecasts named.

    The judgement is made once, on the whole history: rounds replayed from it need not make it again.
    """
    from planning.forecast.driven_joint import judge

    if history.paths is None or history.drivers is not None or history.frame.empty:
        return history
    table, ahead = with_drivers(history, history.paths, horizon)
    names = history.paths.names
    kept = judge(table, ahead, list(names), horizon, held=history.paths.held).kept
    return dataclasses.replace(history, drivers=tuple(names[j] for j in kept))


def with_drivers(history: History, paths: Paths, horizon: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns the history with `unique_id` and its drivers, and the drivers of the months ahead."""
    table = history.frame.assign(unique_id=joined(history.frame, history.keys))
    ahead = paths.ahead(history.last, horizon, table["unique_id"].unique())
    return table.merge(paths.past(history.last), on=["unique_id", "ds"]), ahead


# ---- tables -------------------------------------------------------------------------------------------------------


def node_history(history: History, cells: pd.DataFrame) -> pd.DataFrame:
    """Returns `unique_id, ds, actual` of every node of a joint forecast; aggregates sum all cells, ended ones too."""
    whole = history.whole[history.whole["y"].notna()]
    month, months = pd.factorize(whole["ds"], sort=True)
    codes = {key: pd.factorize(whole[key]) for key in history.keys}
    y, parts = whole["y"].to_numpy(float), []
    for level in cells["level"].unique():
        nodes = cells[cells["level"] == level]
        row, node = np.zeros(len(whole), np.int64), np.zeros(len(nodes), np.int64)
        for key in [] if level == TOTAL else level.split("/"):
            code, names = codes[key]
            place = pd.Index(names).get_indexer(nodes[key])
            row, node = row * len(names) + code, np.where((node < 0) | (place < 0), -1, node * len(names) + place)
        order = np.argsort(node, kind="stable")
        at = order[np.searchsorted(node[order], row).clip(max=len(node) - 1)]
        ok = node[at] == row
        sums, counts = np.zeros((len(nodes), len(months))), np.zeros((len(nodes), len(months)), int)
        np.add.at(sums, (at[ok], month[ok]), y[ok])
        np.add.at(counts, (at[ok], month[ok]), 1)
        first, second = np.nonzero(counts)
        ids = nodes["unique_id"].to_numpy(object)[first]
        parts.append(pd.DataFrame({"unique_id": ids, "ds": months[second], "actual": sums[first, second]}))
    return pd.concat(parts, ignore_index=True).astype({"unique_id": "str"})


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
    """The outlook of one plan year: history, joint forecast and growth; or why there is none (`refused`)."""

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


def look_ahead(
    sales: pd.DataFrame,
    settings: Any,
    *,
    as_of: dt.date | None = None,
    year: int | None = None,
    plan: pd.DataFrame | None = None,
    scenario: str = "",
) -> Outlook:
    """Returns the outlook of the plan year from the workspace's sales table and settings.

    as_of and year take the place of what workbench.toml says under [plan]; plan is the table `driver_plan`, scenario
    a path of it. Where nothing can be forecast the outlook says why in `refused` instead of raising.
    """
    start = settings.calendar.fiscal_year_start
    history = history_from(sales, settings, as_of=as_of, plan=plan, scenario=scenario)
    year = plan_year(history, year or settings.plan.year, start)
    last = last_full_year(history, start)
    horizon = horizon_to(history, year, start)
    if history.paths is not None:  # a hole in the plan stops the run: it can be mended, and is no refusal
        history.paths.ahead(history.last, horizon, joined(history.frame, history.keys).unique())
    try:
        driven = driven_outlook(history, horizon)
    except DataError as error:
        return Outlook(history, year, last, None, None, None, str(error), start)
    history = dataclasses.replace(history, drivers=driven.kept)
    table = growth(driven.joint, history, year, start)
    actual = node_history(history, driven.joint.cells)
    return Outlook(history, year, last, driven.joint, table, actual, "", start, driven)
