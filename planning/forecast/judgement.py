"""People's adjustments as their own step: statistical forecast in, adjusted forecast out, both kept.

```
adjustments   adjustment_id  author  made_on  <keys>  from  to  percent  amount  reason  evidence  expires
listed        adjustment_id  author  reason  evidence  place   from  to  asked (money)    status
```

`percent` is in per cent of the statistical forecast (5 = 5 % up), or as the key `unit="share"` says in 0-1;
`amount` is money over the whole time from `from` to `to`, shared out over cells and months in proportion to the
forecast. An empty key holds for all its values. Adjustments are read against the statistical forecast, not against
each other, so their order does not matter.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd

from planning.errors import DataError
from planning.forecast.joint_forecast import JointForecast
from planning.forecast.outlook import Outlook

LISTED = ["adjustment_id", "author", "reason", "evidence", "place", "from", "to", "asked", "status"]


@dataclass(frozen=True)
class Judged:
    """The forecast step by step: statistical, adjusted by people (`listed`), final with what management fixed.

    final: the adjusted forecast with the locks (`fixed`, see `locks`); held: the statistical one with them, which is
    what targets start from: they count adjustments at what such adjustments were worth.
    """

    statistical: JointForecast
    adjusted: JointForecast
    listed: pd.DataFrame
    final: JointForecast
    held: JointForecast
    fixed: pd.DataFrame

    @property
    def applied(self) -> pd.DataFrame:
        """The adjustments that changed the forecast."""
        return self.listed[self.listed["status"] == "applied"].reset_index(drop=True)


def adjust(
    joint: JointForecast,
    adjustments: pd.DataFrame | None,
    *,
    made_by: pd.Timestamp | None = None,
    unit: str = "percent",
) -> Judged:
    """Returns the forecast with the adjustments that are valid for it, and the list of all.

    made_by: the forecast's as-of date; adjustments made later did not exist then, and those expired by then are over.
    An adjustment may lower a cell to zero, never below where its history is not negative. Errors are scaled with the
    mean, so an adjusted forecast is as sure, in percent, as the statistical one.

    Raises DataError for an adjustment that ends before it starts.
    """
    if adjustments is None or adjustments.empty:
        return _unlocked(joint, joint, pd.DataFrame(columns=LISTED))
    low = np.flatnonzero(joint.bottom)
    cells, base = joint.cells.iloc[low], joint.mean[low]
    change = np.zeros(base.shape)
    listed = []
    for row in adjustments.to_dict("records"):
        inside, steps = reach(row, cells, joint)
        status = row_status(row, inside, steps, made_by)
        asked = np.zeros((len(inside), len(steps)))
        if status == "applied":
            asked = _asked(row, base[np.ix_(inside, steps)], joint.periods[steps], unit)
            change[np.ix_(inside, steps)] += asked
            status = status if np.any(asked) else "nothing_asked"
        listed.append(_listed(row, joint.keys, float(asked.sum()), status))
    table = pd.DataFrame(listed, columns=LISTED)
    table = table.sort_values(["from", "adjustment_id"], kind="stable").reset_index(drop=True)
    return _unlocked(joint, _changed(joint, base, change), table)


def _unlocked(joint: JointForecast, adjusted: JointForecast, listed: pd.DataFrame) -> Judged:
    return Judged(joint, adjusted, listed, adjusted, joint, pd.DataFrame({"status": []}))


def of_outlook(look: Outlook, adjustments: pd.DataFrame | None) -> Judged | None:
    """Returns the outlook's forecast with the adjustments known at its as-of day; None for an outlook that was
    refused."""
    if look.refused:
        return None
    day = look.history.last + pd.offsets.MonthEnd(0)
    return adjust(look.joint, adjustments, made_by=day)


def _changed(joint: JointForecast, base: np.ndarray, change: np.ndarray) -> JointForecast:
    low = np.flatnonzero(joint.bottom)
    new = base + change
    new = np.where(joint.nonnegative[low][:, None], np.maximum(new, 0.0), new)
    moved = joint.shifted(new - base)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(np.abs(base) > 0, np.abs(new / base), 1.0)
    errors = moved.errors.copy()
    errors[:, low] = joint.errors[:, low] * ratio[None].astype(np.float32)
    return dataclasses.replace(moved, errors=errors)._rebuilt(moved.mean, errors)


def reach(row: dict, cells: pd.DataFrame, joint: JointForecast) -> tuple[np.ndarray, np.ndarray]:
    """Returns which bottom cells and which steps an adjustment, or a lock, is about."""
    inside = np.ones(len(cells), dtype=bool)
    for name in joint.keys:
        if row_text(row, name):
            inside &= cells[name].to_numpy(object) == row_text(row, name)
    start, end = pd.Timestamp(row["from"]), pd.Timestamp(row["to"])
    if end < start:
        name = row_text(row, "adjustment_id") or row_text(row, "lock_id")
        raise DataError(f"{name}: ends {end:%Y-%m-%d}, before it starts. Swap from and to.")
    months = joint.periods.to_numpy().astype("datetime64[M]")
    steps = (months >= np.datetime64(start, "M")) & (months <= np.datetime64(end, "M"))
    return np.flatnonzero(inside), np.flatnonzero(steps)


def row_status(row: dict, inside: np.ndarray, steps: np.ndarray, made_by: pd.Timestamp | None) -> str:
    """Returns what becomes of an adjustment or a lock: applied, no_such_cell, outside, made_later or expired."""
    if not len(inside):
        return "no_such_cell"
    if not len(steps):
        return "outside"
    if made_by is not None and pd.notna(row.get("made_on")) and pd.Timestamp(row["made_on"]) > made_by:
        return "made_later"
    if made_by is not None and pd.notna(row.get("expires")) and pd.Timestamp(row["expires"]) < made_by:
        return "expired"
    return "applied"


def _asked(row: dict, base: np.ndarray, periods: pd.DatetimeIndex, unit: str) -> np.ndarray:
    """Returns the money an adjustment asks for, cells x steps; months it covers in part count in part."""
    start, end = pd.Timestamp(row["from"]), pd.Timestamp(row["to"])
    ends = periods + pd.offsets.MonthEnd(0)
    days = (np.minimum(ends, end) - np.maximum(periods, start)).days.to_numpy() + 1
    part = np.clip(days / periods.days_in_month.to_numpy(), 0.0, 1.0)
    asked = np.zeros(base.shape)
    if pd.notna(row.get("percent")):
        asked += base * part * float(row["percent"]) / (100.0 if unit == "percent" else 1.0)
    if pd.notna(row.get("amount")):
        total = float((base * part).sum())
        even = np.full(base.shape, 1.0 / max(base.size, 1))
        asked += float(row["amount"]) * _covered(row, periods) * (base * part / total if total > 0 else even)
    return asked


def _covered(row: dict, periods: pd.DatetimeIndex) -> float:
    """Returns the share of an amount's time that lies in the forecast's steps."""
    start, end = pd.Timestamp(row["from"]), pd.Timestamp(row["to"])
    whole = (end - start).days + 1
    first, last = max(start, periods[0]), min(end, periods[-1] + pd.offsets.MonthEnd(0))
    return ((last - first).days + 1) / whole


def _listed(row: dict, keys: tuple[str, ...], asked: float, status: str) -> list:
    place = "/".join(row_text(row, key) for key in keys if row_text(row, key)) or "total"
    return [row_text(row, "adjustment_id"), row_text(row, "author"), row_text(row, "reason"),
            row_text(row, "evidence"), place,
            pd.Timestamp(row["from"]), pd.Timestamp(row["to"]), asked, status]  # fmt: skip


def row_text(row: dict, name: str) -> str:
    """Returns a value of a row as text, "" where it is empty."""
    value = row.get(name)
    return "" if value is None or (not isinstance(value, str) and pd.isna(value)) else str(value).strip()
