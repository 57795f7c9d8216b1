"""Edits of plan.xlsx taken back: found by key, checked, and merged with what others changed meanwhile.

base = the version the workbook was written from, file = what stands in it, current = the version that counts now.
A cell changed only in the file takes the file's value; changed only since then, it keeps the current one; changed in
both to different values, it is a conflict. Any fault or conflict, and nothing is applied.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from planning.errors import DataError, Fault, UsageError, did_you_mean
from planning.targets import units
from planning.targets.plan import Plan
from planning.targets.rounding import round_row
from planning.targets.versions import Version, plan_of, record


class WorkbookEdits(Protocol):
    """What a reader of plan.xlsx hands over; see `planning.reports.plan_workbook.Edits`."""

    path: str
    meta: dict[str, str]
    rows: list[dict[str, Any]]
    sums_edited: int


class MergeConflict(DataError):
    """Two people changed the same cell; `conflicts` has one row each."""

    def __init__(self, message: str, conflicts: pd.DataFrame):
        self.conflicts = conflicts
        super().__init__(message)


@dataclasses.dataclass(frozen=True)
class Merge:
    """A merge that can be applied. changes: `where, before, after, change, reason`; notes: what was read around."""

    current: Version
    months: np.ndarray
    changes: pd.DataFrame
    reasons: dict[str, str]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Returns changes and notes as plain data."""
        return {"changes": self.changes, "notes": list(self.notes), "parent": self.current.plan_id}


def merge(edits: WorkbookEdits, current: Version, version: Callable[[str], Version]) -> Merge:
    """Returns the changes of a workbook against the current plan.

    `version` loads the version the workbook names. Raises DataError with every fault (text that is no number, too many
    decimals, negative, a formula, a doubled or unknown row, an edited key, a locked cell, no reason), MergeConflict
    with every conflict. A missing row counts as unchanged and is noted.
    """
    try:
        base = version(edits.meta["plan_id"])
    except UsageError as error:
        raise DataError(
            f"{edits.path}: was written from version {edits.meta['plan_id']}, which this plan folder does not hold. "
            "Name the right folder by --out, or export the plan again."
        ) from error
    if tuple(base.cells["unique_id"]) != tuple(current.cells["unique_id"]):
        raise DataError(f"{edits.path}: was written for other cells than the current plan has. Export the plan again.")
    file, reasons, faults, notes = _read(edits, base)
    changed = file != base.months
    moved = changed.any(axis=1)
    faults += [
        Fault(
            Path(edits.path).name,
            None,
            "reason",
            f"{base.cells['unique_id'][i]} was changed without a reason",
            "Write one.",
        )
        for i in np.flatnonzero(moved)
        if not reasons.get(base.cells["unique_id"][i])
    ]
    if faults:
        raise DataError(faults=faults)
    _refuse_conflicts(edits, base, current, file, changed)
    months = np.where(changed, file, current.months)
    return Merge(
        current, months, _changes(current, months, reasons), {k: v for k, v in reasons.items() if v}, tuple(notes)
    )


def _read(edits: WorkbookEdits, base: Version) -> tuple[np.ndarray, dict[str, str], list[Fault], list[str]]:
    name = Path(edits.path).name
    place = {uid: i for i, uid in enumerate(base.cells["unique_id"])}
    keys = base.cells[list(base.by)].astype(str).apply(tuple, axis=1).tolist()
    file, reasons = base.months.copy(), {}
    faults: list[Fault] = []
    notes: list[str] = []
    seen: dict[str, int] = {}
    for row in edits.rows:
        uid = str(row["id"])
        if uid not in place:
            hint = (
                did_you_mean(uid, place).strip() or "Rows cannot be added in the workbook; add the cell to the history."
            )
            faults.append(Fault(name, row["row"], None, f"no cell '{uid}'", hint))
            continue
        i = place[uid]
        if uid in seen:
            faults.append(Fault(name, row["row"], None, f"{uid} stands in row {seen[uid]} too", "Delete one of them."))
            continue
        seen[uid] = row["row"]
        if tuple(str(key) for key in row["keys"]) != keys[i]:
            found = "/".join(str(key) for key in row["keys"])
            faults.append(Fault(name, row["row"], None, f"the names of {uid} were changed to {found}", "Restore them."))
            continue
        file[i] = _inputs(row, uid, base, i, name, faults, notes)
        reasons[uid] = str(row["reason"]).strip() if row["reason"] is not None else ""
    missing = [uid for uid in place if uid not in seen]
    notes += [f"{name}: {uid} is missing and counts as unchanged." for uid in missing]
    if edits.sums_edited:
        notes.append(f"{name}: {edits.sums_edited} sums were overwritten; sums are computed from the months.")
    return file, reasons, faults, notes


def _inputs(row: dict, uid: str, base: Version, i: int, name: str, faults: list[Fault], notes: list[str]) -> np.ndarray:
    values = base.months[i].copy()
    for month, cell in enumerate(row["months"]):
        amount = _amount(cell, row["row"], base.periods[month][:7], base.digits, name, faults, notes)
        values[month] = values[month] if amount is None else amount
    locked = bool(base.cells["locked"].iloc[i])
    wanted = None if locked else row["new_target"]
    if wanted is not None and str(wanted).strip():
        total = _amount(wanted, row["row"], "new target", base.digits, name, faults, notes)
        if (values != base.months[i]).any():
            faults.append(
                Fault(name, row["row"], "new target", "months and a new target were both changed", "Use one of them.")
            )
        elif total is not None:
            values = _spread(base.months[i], total)
    if locked and (values != base.months[i]).any():
        faults.append(Fault(name, row["row"], None, f"{uid} is locked", "Unlock it in the policy first."))
    return values


def _spread(months: np.ndarray, total: int) -> np.ndarray:
    whole = months.sum()
    share = months / whole if whole > 0 else np.full(len(months), 1 / len(months))
    return round_row(share * total, total)


def _amount(
    cell: Any, row: int, column: str, digits: int, name: str, faults: list[Fault], notes: list[str]
) -> int | None:
    """Returns a cell's amount in minor units; None with a fault where it is none."""

    def wrong(found: str, fix: str) -> None:
        faults.append(Fault(name, row, column, found, fix))

    if cell is None or (isinstance(cell, str) and not cell.strip()):
        return wrong("is empty", "Write an amount; 0 for nothing.")
    if isinstance(cell, str) and cell.lstrip().startswith("="):
        return wrong(f"found the formula {cell[:40]!r}", "Paste its value instead.")
    if isinstance(cell, str):
        try:
            number = float(cell.strip().replace("\u202f", "").replace("\xa0", "").replace(" ", ""))
        except ValueError:
            return wrong(f"found the text {cell[:40]!r}", "Write a plain number, such as 1234.56.")
        notes.append(f"{name}, row {row}, column {column}: the text {cell!r} was read as a number.")
    elif isinstance(cell, bool) or not isinstance(cell, int | float):
        return wrong(f"found {cell!r}", "Write a plain number, such as 1234.56.")
    else:
        number = float(cell)
    if not number >= 0:
        return wrong(f"found {cell!r}", "A target is 0 or above.")
    try:
        return units.to_minor(number, digits)
    except DataError:
        return wrong(f"found {cell!r}", f"Round it to {digits} decimals.")


def _refuse_conflicts(
    edits: WorkbookEdits, base: Version, current: Version, file: np.ndarray, changed: np.ndarray
) -> None:
    both = changed & (current.months != base.months) & (current.months != file)
    if not both.any():
        return
    unit = 10**base.digits
    rows = []
    for i in np.flatnonzero(both.any(axis=1)):
        at = np.flatnonzero(both[i])
        uid = base.cells["unique_id"].iloc[i]
        months = base.periods[at[0]][:7] + (f" and {len(at) - 1} more months" if len(at) > 1 else "")
        sums = {
            name: values[i, at].sum() / unit
            for name, values in (("base", base.months), ("file", file), ("current", current.months))
        }
        rows.append({"where": uid, "month": months, **sums, "their_reason": current.reasons.get(uid, "")})
    raise MergeConflict("\n".join(_conflict_line(r, base.digits, current.plan_id) for r in rows), pd.DataFrame(rows))


def _conflict_line(row: dict, digits: int, plan_id: str) -> str:
    was, file, now = (f"{row[name]:,.{digits}f}" for name in ("base", "file", "current"))
    why = f" ({row['their_reason']})" if row["their_reason"] else ""
    return (
        f"conflict at {row['where']}, {row['month']}: {was} became {file} in the workbook and {now} in version "
        f"{plan_id}{why}. Agree on one, export the plan again and enter it."
    )


def _changes(current: Version, months: np.ndarray, reasons: dict[str, str]) -> pd.DataFrame:
    unit = 10**current.digits
    rows = []
    for i in np.flatnonzero((months != current.months).any(axis=1)):
        uid = current.cells["unique_id"].iloc[i]
        before, after = current.months[i].sum() / unit, months[i].sum() / unit
        rows.append(
            [
                uid,
                before,
                after,
                (months[i].sum() - current.months[i].sum()) / unit,
                int((months[i] != current.months[i]).sum()),
                reasons.get(uid, ""),
            ]
        )
    return pd.DataFrame(rows, columns=["where", "before", "after", "change", "months", "reason"])


def apply(result: Merge, folder: str | Path, *, author: str = "") -> tuple[Plan, Version]:
    """Returns the plan with the merged months and its version: chances computed again on the same forecast."""
    current = result.current
    plan = plan_of(folder, current, result.months)
    version = record(plan, parent=current.plan_id, cause="workbook", author=author, reasons=result.reasons)
    version = dataclasses.replace(version, policy=current.policy)
    return plan, _again(version)


def _again(version: Version) -> Version:
    from planning.targets import versions

    return dataclasses.replace(version, plan_id=versions.identity_of(version))
