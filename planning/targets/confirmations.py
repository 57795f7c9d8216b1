"""What the departments said: approved, limited or rejected, and who has not answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from planning.errors import DataError, Fault, did_you_mean
from planning.targets.capacity import Cap

DEPARTMENTS = ("finance", "production", "marketing")
STATUSES = ("approve", "limit", "reject")


@dataclass(frozen=True)
class Standing:
    """Where the plan stands with the departments.

    answers: one row an answer (`department, place, status, limit, comment`). caps: limits to hold as capacity.
    approved: cells for which a department approved more than a capacity allows.
    """

    answers: pd.DataFrame
    caps: tuple[Cap, ...]
    approved: tuple[tuple[tuple[tuple[str, str], ...], float | None], ...]
    missing: tuple[str, ...]
    rejected: tuple[str, ...]

    @property
    def final(self) -> bool:
        """True where every department answered and none rejected."""
        return not self.missing and not self.rejected

    def overridden(self, caps: Sequence[Cap]) -> list[Cap]:
        """Returns the capacities still standing: an approval with a higher limit for the same cells lifts one to it."""
        lifted = {keys: limit for keys, limit in self.approved if limit is not None}
        return [
            Cap(cap.keys, max(cap.amount, lifted[cap.keys]), cap.kind, cap.owner, cap.months)
            if cap.keys in lifted and cap.kind != "confirmation"
            else cap
            for cap in caps
        ]


def standing(confirmations: pd.DataFrame | None, keys: Sequence[str]) -> Standing:
    """Returns what the table `department, <keys>, status, limit, comment, at` means for the plan.

    The last answer of a department for the same cells counts (by `at`, else by order). An empty key holds for all its
    values. DataError lists every wrong row.
    """
    if confirmations is None or confirmations.empty:
        empty = pd.DataFrame(columns=["department", "place", "status", "limit", "comment"])
        return Standing(empty, (), (), DEPARTMENTS, ())
    frame = _checked(confirmations)
    rows: dict[tuple, dict] = {}
    for row in frame.to_dict("records"):
        place = tuple((k, str(row[k])) for k in keys if pd.notna(row.get(k)) and str(row.get(k)) != "")
        rows[(row["department"], place)] = row | {"keys": place}
    caps, approved, rejected, answers = [], [], [], []
    for (department, place), row in sorted(rows.items(), key=lambda item: (item[0][0], item[0][1])):
        limit = float(row["limit"]) if pd.notna(row.get("limit")) else None
        comment = str(row["comment"]) if pd.notna(row.get("comment")) else ""
        if row["status"] == "limit":
            caps.append(Cap(place, limit, "confirmation", department))
        elif row["status"] == "reject":
            rejected.append(department)
        else:
            approved.append((place, limit))
        text = ", ".join(value for _, value in place) or "total"
        answers.append([department, text, row["status"], limit, comment])
    missing = tuple(d for d in DEPARTMENTS if d not in {department for department, _ in rows})
    table = pd.DataFrame(answers, columns=["department", "place", "status", "limit", "comment"])
    return Standing(table, tuple(caps), tuple(approved), missing, tuple(sorted(set(rejected))))


def _checked(confirmations: pd.DataFrame) -> pd.DataFrame:
    for column in ("department", "status"):
        if column not in confirmations:
            raise DataError(f"confirmations: has no column '{column}'.{did_you_mean(column, confirmations.columns)}")
    frame = confirmations.copy()
    frame["department"] = frame["department"].astype(str).str.strip().str.lower()
    frame["status"] = frame["status"].astype(str).str.strip().str.lower()
    faults = []
    for number, row in enumerate(frame.to_dict("records"), start=2):
        if row["status"] not in STATUSES:
            faults.append(
                Fault(
                    "confirmations",
                    number,
                    "status",
                    f"found '{row['status']}'",
                    f"Write one of {', '.join(STATUSES)}.",
                )
            )
        if row["status"] == "limit" and not (pd.notna(row.get("limit")) and float(row["limit"]) >= 0):
            faults.append(
                Fault(
                    "confirmations", number, "limit", "a limit without an amount", "Write the most that can be planned."
                )
            )
        if row["status"] == "reject" and not (pd.notna(row.get("comment")) and str(row["comment"]).strip()):
            faults.append(
                Fault("confirmations", number, "comment", "a rejection without a reason", "Write the reason.")
            )
    if faults:
        raise DataError(faults=faults)
    return frame.sort_values("at", kind="stable") if "at" in frame else frame
