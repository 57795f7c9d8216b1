"""What drivers were and will be, by cell and month: the sales table's columns, the calendar, and the plan ahead.

```
sales         ds  <keys>  price_index  promotion  working_days       what was
[calendar]    region → holidays                                      working days: known for all years
driver_plan   scenario  ds  <keys>  price_index  promotion  ...      what is planned; an empty key holds for all its
                                                                     values, the row that names more keys wins
```

How a driver is known ahead is one of

    calendar   counted from holidays
    planned    every month ahead stands in driver_plan: one that is missing is an error that names it
    held       in no plan: taken to stay as it was of late (prices the last 3 months, others the last 12)

A past month a cell has no row in takes the driver of the cells that share all keys but the last, else of all cells.
Rows of driver_plan that name a scenario are another path, laid over the plan when it is asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from planning import calendar as calendars
from planning.errors import DataError, UsageError, did_you_mean
from planning.forecast import workdays
from planning.forecast.hierarchy import joined

NAMES = (workdays.COLUMN, "price_index", "promotion")
AHEAD = 48  # months ahead a path is kept for
LEAST_FILLED = 0.8  # share of a column's rows that hold a value, below which it is no driver
HELD = {"price_index": 3}
HELD_OTHERS = 12
_NAMED = 3


@dataclass(frozen=True, eq=False)
class Paths:
    """Drivers of every cell: values (cells x months x drivers), NaN where not known.

    ids: the cells' names; months: from the first of the history to 48 after its last. how: calendar, planned or held,
    one a driver. thin: columns of the sales table too empty to be used, with the share of rows that hold a value.
    """

    ids: pd.Index
    months: pd.DatetimeIndex
    names: tuple[str, ...]
    how: tuple[str, ...]
    values: np.ndarray
    thin: tuple[tuple[str, float], ...] = ()

    def take(self, names: Sequence[str]) -> Paths:
        """Returns the paths of some drivers only."""
        at = [self.names.index(name) for name in names]
        return dataclasses.replace(
            self, names=tuple(names), how=tuple(self.how[j] for j in at), values=self.values[:, :, at]
        )

    @property
    def held(self) -> np.ndarray:
        """How many recent months the driver's future is the mean of; 0 where it is known."""
        return np.array([_months_held(name) if how == "held" else 0 for name, how in zip(self.names, self.how)])

    def past(self, last: pd.Timestamp) -> pd.DataFrame:
        """Returns `unique_id, ds` and the drivers up to month `last`."""
        return self._long(np.flatnonzero(self.months <= last), self.values)

    def ahead(self, last: pd.Timestamp, horizon: int, ids: Sequence[str]) -> pd.DataFrame:
        """Returns `unique_id, ds` and the drivers of the `horizon` months after `last` of some cells.

        Raises DataError that names driver, cell and months where a planned one is missing.
        """
        end = int(self.months.get_loc(last))
        steps = np.arange(end + 1, end + 1 + horizon)
        values = self.values.copy()
        for j, months in enumerate(self.held):
            if months:
                values[:, steps, j] = values[:, max(0, end + 1 - months) : end + 1, j].mean(axis=1, keepdims=True)
        self._whole(values, steps, self.ids.get_indexer(list(ids)))
        return self._long(steps, values)

    def of(self, ids: Sequence[str], months: pd.DatetimeIndex) -> np.ndarray:
        """Returns the drivers of some cells in some months, cells x months x drivers."""
        return self.values[np.ix_(self.ids.get_indexer(list(ids)), self.months.get_indexer(months))]

    def _long(self, steps: np.ndarray, values: np.ndarray) -> pd.DataFrame:
        frame = {
            "unique_id": np.repeat(self.ids.to_numpy(), len(steps)),
            "ds": np.tile(self.months[steps], len(self.ids)),
        }
        part = values[:, steps].reshape(-1, len(self.names))
        return pd.DataFrame(frame | {name: part[:, j] for j, name in enumerate(self.names)})

    def _whole(self, values: np.ndarray, steps: np.ndarray, rows: np.ndarray) -> None:
        faults = []
        for j, name in enumerate(self.names):
            bad = np.isnan(values[np.ix_(rows, steps)][:, :, j])
            if not bad.any():
                continue
            first = int(np.flatnonzero(bad.any(axis=1))[0])
            months = [f"{self.months[steps[k]]:%Y-%m}" for k in np.flatnonzero(bad[first])]
            shown = ", ".join(months[:_NAMED]) + (f" and {len(months) - _NAMED} more" if len(months) > _NAMED else "")
            others = int(bad.any(axis=1).sum()) - 1
            more = f" (and {others} more cells)" if others > 1 else " (and 1 more cell)" if others else ""
            faults.append(
                f"driver_plan: {name} is missing for {self.ids[rows[first]]} in {shown}{more}. Add these months, or "
                f"take the column {name} out of the plan."
            )
        if faults:
            raise DataError("\n".join(faults))


def _months_held(name: str) -> int:
    return HELD.get(name, HELD_OTHERS)


def gather(
    rows: pd.DataFrame, series: pd.DataFrame, keys: Sequence[str], last: pd.Timestamp, holidays: Mapping[str, str],
    plan: pd.DataFrame | None, scenario: str, fiscal: Any,
) -> Paths | None:  # fmt: skip
    """Returns the drivers of all cells, or None where the company has none.

    rows: the sales rows with keys, `ds` (months), `y` and the driver columns, those after `last` too: what a driver
    was then is used for months of a plan that left them out. series: the cells. Raises UsageError for an unknown
    scenario, DataError for a plan that names no known cell.
    """
    months = pd.date_range(rows["ds"].min(), last + pd.DateOffset(months=AHEAD), freq="MS")
    ids = pd.Index(series["unique_id"])
    cells = series[list(keys)]
    end = int(months.get_loc(last))
    taken, how, layers, thin = [], [], [], []
    for name in NAMES:
        if name == workdays.COLUMN and holidays:
            layer, known = _working_days(cells, holidays, months, fiscal), "calendar"
        else:
            layer, filled = _column(rows, name, keys, ids, months)
            if filled < LEAST_FILLED:
                thin += [(name, filled)] if filled > 0 else []
                continue
            known = _lay(layer, plan, name, cells, months, end, scenario)
            _borrow(layer[:, : end + 1], cells)
        if np.nanmax(np.ptp(layer[:, : end + 1], axis=1), initial=0.0) > 0:
            taken, how, layers = [*taken, name], [*how, known], [*layers, layer]
    if not layers:
        return None
    return Paths(ids, months, tuple(taken), tuple(how), np.stack(layers, axis=2), tuple(thin))


def _working_days(
    cells: pd.DataFrame, holidays: Mapping[str, str], months: pd.DatetimeIndex, fiscal: Any
) -> np.ndarray:
    if fiscal.pattern == "calendar":
        starts = months.to_numpy().astype("datetime64[D]")
        ends = (months + pd.offsets.MonthEnd(0)).to_numpy().astype("datetime64[D]")
    else:
        periods = [calendars.period_named(month.date(), fiscal.start_month, fiscal.pattern) for month in months]
        starts = np.array([period.start for period in periods], dtype="datetime64[D]")
        ends = np.array([period.end for period in periods], dtype="datetime64[D]")
    return workdays.by_region(cells.get("region"), len(cells), holidays, starts, ends)


def _column(
    rows: pd.DataFrame, name: str, keys: Sequence[str], ids: pd.Index, months: pd.DatetimeIndex
) -> tuple[np.ndarray, float]:
    """Returns a column of the sales table by cell and month, weighted by sales, and the share of rows with a value.

    Working days of rows finer than a month are no driver: they would count days twice.
    """
    layer = np.full((len(ids), len(months)), np.nan)
    if name not in rows:
        return layer, 0.0
    value = rows[name].to_numpy(float)
    known = np.isfinite(value)
    if not known.any() or (name == workdays.COLUMN and rows.duplicated([*keys, "ds"]).any()):
        return layer, 0.0
    cell = ids.get_indexer(joined(rows, keys))
    month = months.get_indexer(rows["ds"])
    use = known & (cell >= 0) & (month >= 0)
    weight = np.abs(np.nan_to_num(rows["y"].to_numpy(float)[use])) + 1e-9
    total, size = np.zeros(layer.shape), np.zeros(layer.shape)
    np.add.at(total, (cell[use], month[use]), weight * value[use])
    np.add.at(size, (cell[use], month[use]), weight)
    np.divide(total, size, out=layer, where=size > 0)
    return layer, float(known.mean())


def _lay(
    layer: np.ndarray, plan: pd.DataFrame | None, name: str, cells: pd.DataFrame, months: pd.DatetimeIndex, end: int,
    scenario: str,
) -> str:  # fmt: skip
    """Writes the plan's values of months after `end` into the layer, in place; returns how the driver is known."""
    if plan is None or name not in plan or plan[name].notna().sum() == 0:
        return "held"
    plan = plan.reset_index(drop=True)
    said = plan["scenario"].fillna("").astype("str") if "scenario" in plan else pd.Series("", index=plan.index)
    if scenario and scenario not in set(said):
        known = sorted(set(said) - {""})
        listed = f"It has: {', '.join(known)}." if known else "It names none: write one into its column scenario."
        raise UsageError(f"driver_plan has no scenario '{scenario}'. {listed}{did_you_mean(scenario, known)}")
    chosen = plan[plan[name].notna() & said.isin(["", scenario])]
    keys = [key for key in cells.columns if key in chosen]
    filled = chosen[keys].notna() & chosen[keys].astype("str").ne("")
    order = np.lexsort((filled.sum(axis=1).to_numpy(), said[chosen.index].ne("").to_numpy()))
    at = months.get_indexer(pd.to_datetime(chosen["ds"]).dt.to_period("M").dt.to_timestamp())
    values = chosen[name].to_numpy(float)
    rows = np.ones((len(chosen), len(cells)), dtype=bool)
    for key in keys:
        alike = chosen[key].astype("str").to_numpy(object)[:, None] == cells[key].to_numpy(object)[None]
        rows &= alike | ~filled[key].to_numpy()[:, None]
    for i in order[at[order] > end]:
        layer[rows[i], at[i]] = values[i]
    return "planned"


def _borrow(layer: np.ndarray, cells: pd.DataFrame) -> None:
    """Fills past months without a row, in place: from cells that share all keys but the last, from all, from time."""
    groups = [cells[list(cells.columns[:-1])].agg("/".join, axis=1)] if cells.shape[1] > 1 else []
    for group in (*groups, pd.Series("", index=cells.index)):
        codes = pd.factorize(group)[0]
        known = np.isfinite(layer)
        total, count = np.zeros((codes.max() + 1, layer.shape[1])), np.zeros((codes.max() + 1, layer.shape[1]))
        np.add.at(total, codes, np.where(known, layer, 0.0))
        np.add.at(count, codes, known)
        mean = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
        layer[:] = np.where(known, layer, mean[codes])
    at = np.arange(layer.shape[1])
    for row in layer:
        known = np.isfinite(row)
        if known.any() and not known.all():
            row[~known] = np.interp(at[~known], at[known], row[known])
