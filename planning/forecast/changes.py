"""What changed since the last snapshot, and why: the difference of two forecasts of the same months, taken apart.

    now - then = revised figures or method   forecast made today from the months known then  -  forecast kept then
               + sales since                 forecast of today  -  forecast made today from the months known then
               + adjustments                 what people ask for now  -  what they asked for then

Each part is a difference of two forecasts, so the parts add up exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from planning.errors import DataError
from planning.forecast import snapshots
from planning.forecast.joint_forecast import TOTAL
from planning.forecast.judgement import Judged
from planning.forecast.outlook import History, Outlook, node_history, outlook, until, year_months
from planning.forecast.snapshots import Snapshot

PARTS = ("revised", "sales_since", "adjustments")


@dataclass(frozen=True)
class Changes:
    """The change between two forecasts of the months both cover.

    table: one row a node: `unique_id, level, then, now, change, revised, sales_since, adjustments, surprise`, where
    `surprise` is what was sold since less what had been forecast for it. revised_history: True where past sales in
    the table are not those of then; else the first part is due to the method alone.
    """

    then: pd.Timestamp
    first: pd.Timestamp
    last: pd.Timestamp
    table: pd.DataFrame
    revised_history: bool

    @property
    def total(self) -> dict:
        """The row of the total."""
        return self.table[self.table["level"] == TOTAL].iloc[0].to_dict()


def since(snapshot: Snapshot | None, judged: Judged, history: History, months: pd.DatetimeIndex) -> Changes | None:
    """Returns what changed in the forecast of `months` since a snapshot; None without one, or without common
    months."""
    if snapshot is None:
        return None
    old = snapshot.frame()
    ahead = judged.statistical.periods
    common = months[months.isin(pd.DatetimeIndex(old["ds"])) & months.isin(ahead)]
    if not len(common) or tuple(snapshot.manifest["keys"]) != history.keys:
        return None
    ids = judged.statistical.cells["unique_id"]
    then = _sums(old, ["statistical", "adjusted"], common).reindex(ids).fillna(0.0)
    columns = np.flatnonzero(ahead.isin(common))
    statistical = judged.statistical.mean[:, columns].sum(axis=1)
    adjusted = judged.adjusted.mean[:, columns].sum(axis=1)
    again = _again(snapshot, history, ahead[-1], common, ids)
    table = judged.statistical.cells[["unique_id", "level"]].copy()
    table["then"], table["now"] = then["adjusted"].to_numpy(), adjusted
    table["change"] = table["now"] - table["then"]
    table["revised"] = again - then["statistical"].to_numpy()
    table["sales_since"] = statistical - again
    table["adjustments"] = (adjusted - statistical) - (then["adjusted"] - then["statistical"]).to_numpy()
    table["surprise"] = _surprise(old, history, judged.statistical.cells).reindex(ids).to_numpy()
    return Changes(snapshot.as_of, common[0], common[-1], table, _revised(snapshot, history))


def of_outlook(root: str | Path, look: Outlook, judged: Judged | None) -> Changes | None:
    """Returns what changed in the plan year's months since the latest snapshot of an earlier day; None without
    one."""
    if look.refused:
        return None
    snapshot = snapshots.before(root, snapshots.as_of_day(look.history))
    return since(snapshot, judged, look.history, year_months(look.year, look.start_month))


def bridge(found: Changes) -> pd.DataFrame:
    """Returns the way from then to now as `label, change, after, lo, hi, kind`; labels are `then`, the parts,
    `now`."""
    total = found.total
    steps = np.array([total[part] for part in PARTS])
    after = total["then"] + np.cumsum(steps)
    frame = pd.DataFrame({"label": ["then", *PARTS, "now"], "change": [np.nan, *steps, np.nan]})
    frame["after"] = [total["then"], *after, total["now"]]
    frame["kind"] = ["total", *["change"] * len(PARTS), "total"]
    return frame.assign(lo=np.nan, hi=np.nan)


def _sums(frame: pd.DataFrame, columns: list[str], months: pd.DatetimeIndex) -> pd.DataFrame:
    return frame[frame["ds"].isin(months)].groupby("unique_id")[columns].sum()


def _again(
    snapshot: Snapshot, history: History, last: pd.Timestamp, months: pd.DatetimeIndex, ids: pd.Series
) -> np.ndarray:
    """Returns today's method's forecast from the months known then, sums over `months`; the kept one where it
    fails."""
    month = snapshot.as_of.to_period("M").to_timestamp()
    known = until(history, month)
    steps = (last.year - month.year) * 12 + last.month - month.month
    try:
        joint = outlook(known, steps)
    except DataError:
        return _sums(snapshot.frame(), ["statistical"], months)["statistical"].reindex(ids).fillna(0.0).to_numpy()
    sums = joint.mean[:, np.flatnonzero(joint.periods.isin(months))].sum(axis=1)
    return pd.Series(sums, index=joint.cells["unique_id"]).reindex(ids).fillna(0.0).to_numpy()


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
