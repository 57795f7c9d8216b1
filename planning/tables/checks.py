"""What one canonical table must obey, one rule a function; every rule adds its faults and none stops the others.

Faults (stop): an empty required cell, a repeated key, a date that cannot be. Warnings (go on, counted in the report):
names that differ in case only, gaps in the panel, sums that jump, rows that look like another unit.
Rules over several tables are in `cross_checks`; `planning.sources.check_all(settings)` reads and checks everything.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd

from planning.language import _, listing
from planning.tables.canonical import Checked
from planning.tables.panel_checks import first_only, gaps_in_panel, jumping_sums, other_units, repeated
from planning.tables.raw import shown

EARLIEST = pd.Timestamp("1950-01-01")
LATEST = pd.Timestamp("2150-01-01")
COMPARED = 100_000  # repeated keys up to which whole rows are compared
ORDERED = {
    "deals": [("created_date", "closed_date", "deal")],
    "stage_history": [("entered_at", "left_at", "stage")],
    "products": [("launch_date", "end_date", "product")],
    "people": [("start_date", "end_date", "person")],
    "assignments": [("from", "to", "span")],
    "pilots": [("from", "to", "span")],
    "capacity": [("from", "to", "span")],
    "adjustments": [("from", "to", "span")],
    "locks": [("from", "to", "span")],
}


def check_one(checked: Checked) -> None:
    """Adds every fault of one table to `checked.faults`."""
    for rule in RULES:
        rule(checked)


def required_cells(checked: Checked) -> None:
    """A required column may not have empty cells."""
    for each in checked.fields:
        if each.required and each.name in checked.frame:
            empty = checked.frame[each.name].isna().to_numpy().copy()
            theirs = checked.match.theirs.get(each.name, each.name)
            bad_already = {fault.column for fault in checked.faults if fault.severity == "fault"}
            if theirs in bad_already:
                continue
            if checked.name == "deals" and each.name == "created_date" and "outcome" in checked.frame:
                is_open = (checked.frame["outcome"] == "open").to_numpy()
                fix = _("Fill it in; the deal is left out wherever its age counts.")
                checked.say(empty & is_open, theirs, _("is empty for an open deal"), fix, "warning")
                empty &= ~is_open
            fix = _("Fill it in: {meaning}.").format(meaning=each.description)
            checked.say(empty, theirs, _("is empty"), fix)


def repeated_keys(checked: Checked) -> None:
    """A key may stand in one row only."""
    key = checked.key
    if not key or any(f.key == "yes" and f.required and f.name not in key for f in checked.fields):
        return
    again = repeated(checked.frame[key])
    if not again.any():
        return
    values = checked.frame[key].iloc[int(np.flatnonzero(again)[0])]
    named = ", ".join(f"{name} {_cell(values[name])}" for name in key if not pd.isna(values[name]))
    same = np.ones(len(again), bool)
    for name, value in values.items():
        column = checked.frame[name]
        same &= (column.isna() if pd.isna(value) else column == value).to_numpy(dtype=bool)
    first = int(np.flatnonzero(same)[0])
    copies = again.sum() <= COMPARED and not (again & ~checked.frame.duplicated().to_numpy()).any()
    fix = _("Remove the repeated rows.") if copies else _("Keep one row a key.")
    if checked.name in {"sales", "spend"} and not copies:
        fix += _(' Or have rows of a key added up: sum_to = "month" in [sources.{table}].').format(table=checked.name)
    found = _("the key {key} stands in row {row} already").format(key=named, row=checked.rows[first])
    checked.say(again, None, found, fix)


def _cell(value: object) -> str:
    return f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else str(value)


def possible_dates(checked: Checked) -> None:
    """Dates lie in a century of business, and an end is not before its start."""
    frame = checked.frame
    for each in checked.fields:
        if each.type in ("date", "timestamp") and each.name in frame:
            wrong = ((frame[each.name] < EARLIEST) | (frame[each.name] > LATEST)).to_numpy()
            if wrong.any():
                found = _("{date} cannot be").format(date=_cell(frame[each.name][wrong].iloc[0]))
                checked.say(wrong, checked.match.theirs.get(each.name), found, _("Correct the year."))
    for start, end, kind in ORDERED.get(checked.name, ()):
        if start in frame and end in frame:
            # A time stamp has hours, a date has none: the day is compared.
            wrong = (frame[end].dt.normalize() < frame[start].dt.normalize()).to_numpy()
            if wrong.any():
                at = int(np.flatnonzero(wrong)[0])
                found = _turned_round(kind).format(start=_cell(frame[start].iloc[at]), end=_cell(frame[end].iloc[at]))
                checked.say(wrong, checked.match.theirs.get(end, end), found, _("Correct one of the two dates."))


def _turned_round(kind: str) -> str:
    return {
        "deal": _("closed before it was created: {start} to {end}"),
        "stage": _("left before it was entered: {start} to {end}"),
        "product": _("ended before it was launched: {start} to {end}"),
        "person": _("left before the start: {start} to {end}"),
        "span": _("ends before it starts: {start} to {end}"),
    }[kind]


def closed_deals(checked: Checked) -> None:
    """A closed deal has its day of closing; a deal that was created has an amount."""
    frame = checked.frame
    if checked.name != "deals" or not {"outcome", "closed_date"} <= set(frame):
        return
    undated = (frame["outcome"].isin(["won", "lost"]) & frame["closed_date"].isna()).to_numpy()
    fix = _("Fill it in; the deal is left out wherever the day counts.")
    checked.say(undated, "closed_date", _("a closed deal without its day"), fix, "warning")


def same_but_for_case(checked: Checked) -> None:
    """Keys that differ only in capitals or spaces are most likely one: `GTX Pro` and `GTXPro`."""
    for each in checked.fields:
        if each.name not in ("region", "line", "customer_type") or each.name not in checked.frame:
            continue
        names = checked.frame[each.name].dropna().unique()
        folded: dict[str, list[str]] = {}
        for name in names:
            folded.setdefault("".join(name.casefold().split()), []).append(name)
        for group in folded.values():
            if len(group) > 1:
                odd = (checked.frame[each.name] == group[1]).to_numpy()
                found = _("{names} differ only in capitals or spaces")
                found = found.format(names=listing([shown(name) for name in group]))
                fix = _('Give one name in [sources.{table}.values.{field}]: "{theirs}" = "{ours}"')
                fix = fix.format(table=checked.name, field=each.name, theirs=group[1], ours=group[0])
                checked.say(odd, checked.match.theirs.get(each.name), found, fix, "warning")


def shares_add_up(checked: Checked) -> None:
    """What people answer for in one cell and at one time may not be more than the whole."""
    if checked.name != "assignments" or checked.count("fault") or "share" not in checked.frame:
        return
    frame = checked.frame
    cell = [name for name in ("region", "line", "customer_type") if name in frame]
    now = frame[frame["to"].isna()] if "to" in frame else frame
    sums = now.groupby(cell, dropna=False)["share"].sum()
    over = sums[sums > 1.005]
    if len(over):
        where = over.index[0]
        names = " / ".join(map(str, where if isinstance(where, tuple) else (where,)))
        found = _("the shares of {cell} add up to {sum}; cells above 1: {n}")
        found = found.format(cell=names, sum=f"{over.iloc[0]:.2f}", n=len(over))
        fix = _("Shares of one cell add up to 1 at most.")
        checked.say(first_only(checked, {}), "share", found, fix, "warning")


RULES: tuple[Callable[[Checked], None], ...] = (
    required_cells,
    repeated_keys,
    possible_dates,
    closed_deals,
    same_but_for_case,
    gaps_in_panel,
    jumping_sums,
    other_units,
    shares_add_up,
)


def first_days(checked: Checked) -> tuple[pd.Timestamp | None, pd.Timestamp | None]:
    """Returns the first and the last day of a table, over its first date column; (None, None) without one."""
    days = (f.name for f in checked.fields if f.type in ("date", "timestamp") and f.name in checked.frame)
    for name in itertools.islice(days, 1):
        filled = checked.frame[name].dropna()
        if len(filled):
            return filled.min(), filled.max()
    return None, None
