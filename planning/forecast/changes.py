"""What changed since the last snapshot, and why: the difference of two forecasts of the same months, taken apart.

    now - then = method        today's method on the months as they stood then    -  forecast kept then
               + revised       today's method on today's figures of those months  -  the line above
               + sales_since   today's forecast, drivers as planned then          -  the line above
               + drivers       drivers as planned today                           -  drivers as planned then
               + adjustments   what people ask for now                            -  what they asked for then
               + fixed         what management fixed now                          -  what it had fixed then

Each part is a difference of two forecasts, so the parts add up exactly.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from planning.errors import DataError
from planning.forecast import snapshots
from planning.forecast.driver_scenarios import changed
from planning.forecast.hierarchy import joined
from planning.forecast.history import History, until
from planning.forecast.joint_forecast import TOTAL
from planning.forecast.judgement import Judged
from planning.forecast.outlook import Outlook, node_history, outlook, year_months
from planning.forecast.snapshots import Snapshot

PARTS = ("method", "revised", "sales_since", "drivers", "adjustments", "fixed")
SMALL = 3e-4  # share of the forecast below which a part is not shown


@dataclass(frozen=True)
class Changes:
    """The change between two forecasts of the months both cover.

    then: as-of day of the snapshot. table: one row a node: `unique_id, level, then, now, change`, one column a part,
    and `surprise`: what was sold since less what had been forecast for it.
    """

    then: pd.Timestamp
    first: pd.Timestamp
    last: pd.Timestamp
    table: pd.DataFrame

    @property
    def total(self) -> dict:
        """The row of the total."""
        return self.table[self.table["level"] == TOTAL].iloc[0].to_dict()

    @property
    def parts(self) -> list[str]:
        """The parts that moved the total."""
        total = self.total
        return [part for part in PARTS if abs(total[part]) > SMALL * abs(total["then"])]


def of_outlook(root: str | Path, look: Outlook, judged: Judged | None) -> Changes | None:
    """Returns what changed in the plan year's months since the latest snapshot with other numbers; None without
    one."""
    if look.refused:
        return None
    snapshot = snapshots.last_other(root, judged, look.history)
    return None if snapshot is None else since(snapshot, judged, look)


def since(snapshot: Snapshot, judged: Judged, look: Outlook) -> Changes | None:
    """Returns what changed in the forecast of the plan year since a snapshot; None without common months."""
    old, ahead = snapshot.frame(), judged.statistical.periods
    months = year_months(look.year, look.start_month)
    common = months[months.isin(pd.DatetimeIndex(old["ds"])) & months.isin(ahead)]
    if not len(common):
        return None
    cells = judged.statistical.cells
    ids, columns = cells["unique_id"], np.flatnonzero(ahead.isin(common))
    then = _sums(old, ["statistical", "adjusted", "final"], common).reindex(ids).fillna(0.0)
    now = {name: getattr(judged, name).mean[:, columns].sum(axis=1) for name in ("statistical", "adjusted", "final")}
    kept = {name: then[name].to_numpy() for name in then}
    planned = _plan_changed(snapshot, look, columns)
    as_then, as_now = _again(snapshot, look.history, common, ids, kept["statistical"], now["statistical"] - planned)
    table = cells[["unique_id", "level"]].assign(then=kept["final"], now=now["final"])
    table["change"] = table["now"] - table["then"]
    table["method"], table["revised"] = as_then - kept["statistical"], as_now - as_then
    table["sales_since"], table["drivers"] = now["statistical"] - planned - as_now, planned
    table["adjustments"] = (now["adjusted"] - now["statistical"]) - (kept["adjusted"] - kept["statistical"])
    table["fixed"] = (now["final"] - now["adjusted"]) - (kept["final"] - kept["adjusted"])
    table["surprise"] = _surprise(old, look.history, cells).reindex(ids).to_numpy()
    return Changes(snapshot.as_of, common[0], common[-1], table)


def bridge(found: Changes) -> pd.DataFrame:
    """Returns the way from then to now as `label, change, after, lo, hi, kind`; labels are `then`, the parts that
    moved it, `now`."""
    total, parts = found.total, found.parts
    steps = np.array([total[part] for part in parts])
    frame = pd.DataFrame({"label": ["then", *parts, "now"], "change": [np.nan, *steps, np.nan]})
    frame["after"] = [total["then"], *(total["then"] + np.cumsum(steps)), total["now"]]
    frame["kind"] = ["total", *["change"] * len(parts), "total"]
    return frame.assign(lo=np.nan, hi=np.nan)


def _sums(frame: pd.DataFrame, columns: list[str], months: pd.DatetimeIndex) -> pd.DataFrame:
    return frame[frame["ds"].isin(months)].groupby("unique_id")[columns].sum()


def _plan_changed(snapshot: Snapshot, look: Outlook, columns: np.ndarray) -> np.ndarray:
    """Returns what today's plan for the drivers adds to each node against the plan kept with the snapshot.

    Drivers the snapshot did not keep are taken to be planned as today.
    """
    driven, kept = look.driven, snapshot.drivers()
    if not driven.used or kept is None:
        return np.zeros(len(driven.joint.cells))
    names = [name for name in driven.names if name in kept]
    x = np.where(driven.logs, np.exp(driven.ahead), driven.ahead)
    ids = joined(driven.joint.cells[driven.joint.bottom], driven.joint.keys)
    grid = pd.MultiIndex.from_product([ids, driven.joint.periods])
    before = kept.set_index(["unique_id", "ds"])[names].reindex(grid).to_numpy(float)
    for place, name in enumerate(names):
        j, layer = driven.names.index(name), before[:, place].reshape(x.shape[:2])
        x[:, :, j] = np.where(np.isfinite(layer), layer, x[:, :, j])
    return -changed(driven, x, columns)["change"].to_numpy()


def _again(
    snapshot: Snapshot, history: History, months: pd.DatetimeIndex, ids: pd.Series, kept: np.ndarray, now: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns today's method's forecast from the months known then, on the figures of then and on today's.

    Sums over `months`, with the drivers as they were planned then. Where nothing was sold since and no figure was
    revised that is today's forecast itself; where it cannot be made, the one kept.
    """
    month = snapshot.as_of.to_period("M").to_timestamp()
    revised = _revised(snapshot, history)
    if month == history.last and not revised:
        return now, now
    steps = (months[-1].year - month.year) * 12 + months[-1].month - month.month
    known = _with_old_plan(snapshot, until(history, month))
    as_now = now if month == history.last else _made(known, steps, months, ids, kept)
    if not revised:
        return as_now, as_now
    old = snapshot.history()
    living = old.merge(known.frame[list(history.keys)].drop_duplicates(), on=list(history.keys))
    return _made(dataclasses.replace(known, frame=living, whole=old), steps, months, ids, kept), as_now


def _made(known: History, steps: int, months: pd.DatetimeIndex, ids: pd.Series, otherwise: np.ndarray) -> np.ndarray:
    try:
        joint = outlook(known, steps)
    except DataError:
        return otherwise
    sums = joint.mean[:, np.flatnonzero(joint.periods.isin(months))].sum(axis=1)
    return pd.Series(sums, index=joint.cells["unique_id"]).reindex(ids).fillna(0.0).to_numpy()


def _with_old_plan(snapshot: Snapshot, known: History) -> History:
    """Returns the history with the drivers of the months after the snapshot as they were planned when it was made."""
    kept = snapshot.drivers()
    if known.paths is None or kept is None:
        return known
    paths, values = known.paths, known.paths.values.copy()
    row, column = paths.ids.get_indexer(kept["unique_id"]), paths.months.get_indexer(pd.DatetimeIndex(kept["ds"]))
    later = (row >= 0) & (column >= 0) & (kept["ds"] > known.last).to_numpy()
    for name in [name for name in paths.names if name in kept]:
        values[row[later], column[later], paths.names.index(name)] = kept[name].to_numpy(float)[later]
    how = tuple("planned" if name in kept else how for name, how in zip(paths.names, paths.how))
    return dataclasses.replace(known, paths=dataclasses.replace(paths, values=values, how=how))


def _surprise(old: pd.DataFrame, history: History, cells: pd.DataFrame) -> pd.Series:
    """Returns what was sold in the months since, less what the snapshot had forecast for them."""
    both = old.merge(node_history(history, cells), on=["unique_id", "ds"])
    both = both[both["actual"].notna()]
    return (both["actual"] - both["statistical"]).groupby(both["unique_id"]).sum()


def _revised(snapshot: Snapshot, history: History) -> bool:
    """Tells whether past sales are not those the snapshot was made from."""
    keys = [*history.keys, "ds"]
    last = snapshot.as_of.to_period("M").to_timestamp()
    now = history.whole[history.whole["ds"] <= last].dropna(subset=["y"])
    both = snapshot.history().dropna(subset=["y"]).merge(now, on=keys, how="outer", suffixes=("_then", "_now"))
    gap = (both["y_then"].fillna(0.0) - both["y_now"].fillna(0.0)).abs().sum()
    return bool(gap > 1e-6 * max(now["y"].abs().sum(), 1e-300))
