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

from planning.errors import Fault
from planning.language import _, listing, ngettext
from planning.tables.canonical import Checked
from planning.tables.numbers import distinct_texts
from planning.tables.raw import is_text, shown

EARLIEST = pd.Timestamp("1950-01-01")
LATEST = pd.Timestamp("2150-01-01")
JUMP = 5.0  # a total this many times larger or smaller than the year before jumps
OTHER_UNIT = 300.0  # a cell this many times its series' median was likely written in another unit
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
    again = _again(checked.frame[key])
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


def _again(frame: pd.DataFrame) -> np.ndarray:
    """Tells which rows repeat an earlier one; each column's codes go into one number, to spare memory."""
    combined = np.zeros(len(frame), np.int64)
    for name in frame.columns:
        column = frame[name]
        if is_text(column):
            codes, distinct = distinct_texts(column)
        else:
            codes, distinct = pd.factorize(column)
        if combined.max(initial=0) > 2**62 // (len(distinct) + 1):
            combined = pd.factorize(combined)[0]
        combined *= len(distinct) + 1
        combined += codes
        combined += 1
    # Sorting needs a third of the memory of a hash table.
    order = np.argsort(combined, kind="stable")
    combined = combined[order]
    again = np.zeros(len(order), bool)
    again[order[1:][combined[1:] == combined[:-1]]] = True
    return again


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


def _panel(checked: Checked) -> tuple[str, list[str]] | None:
    """Returns the day and the series keys of the tables that are panels over time."""
    day = {"sales": "ds", "spend": "period"}.get(checked.name)
    if day is None or not {day, "amount"} <= set(checked.frame) or checked.count("fault"):
        return None
    return day, [name for name in checked.key if name != day]


def gaps_in_panel(checked: Checked) -> None:
    """Months (or weeks) missing between the first and the last of a series."""
    panel = _panel(checked)
    if panel is None or not panel[1]:
        return
    day, keys = panel
    days = checked.frame[day]
    distinct = np.sort(days.unique())
    if len(distinct) < 3:
        return
    place = pd.Series(np.searchsorted(distinct, days.to_numpy()), index=days.index)
    groups = place.groupby([checked.frame[name] for name in keys], dropna=False)
    counted = pd.DataFrame({"span": groups.max() - groups.min() + 1, "n": groups.nunique()})
    gaps = counted[counted["span"] > counted["n"]]
    missing = int((gaps["span"] - gaps["n"]).sum())
    if missing:
        worst = (gaps["span"] - gaps["n"]).idxmax()
        name = " / ".join(map(str, worst if isinstance(worst, tuple) else (worst,)))
        count = int((gaps["span"] - gaps["n"]).max())
        found = ngettext(
            "{n} period is missing inside {gaps} of {all} series, most in {name} ({most})",
            "{n} periods are missing inside {gaps} of {all} series, most in {name} ({most})",
            missing,
        ).format(n=f"{missing:,}", gaps=f"{len(gaps):,}", all=f"{len(counted):,}", name=name, most=count)
        fix = _("They are treated as gaps; write the rows if they were lost.")
        checked.faults.append(Fault(checked.label, None, None, found, fix, "warning"))
    _missing_everywhere(checked, distinct)


def _only(checked: Checked, equal: dict[str, object]) -> np.ndarray:
    """A mask of the first row with these values (the first row of all for none), so that one fault is said."""
    mask = np.ones(len(checked.frame), bool)
    for name, value in equal.items():
        mask &= (checked.frame[name] == value).to_numpy()
    first = np.zeros(len(mask), bool)
    first[np.flatnonzero(mask)[:1]] = True
    return first


def _missing_everywhere(checked: Checked, distinct: np.ndarray) -> None:
    """A whole period that no series has."""
    steps = np.diff(distinct.astype("datetime64[D]").astype(int))
    usual = float(np.median(steps))
    if usual < 1:
        return
    for at in np.flatnonzero(steps > 1.6 * usual)[:3]:
        before, after = (pd.Timestamp(distinct[i]) for i in (at, at + 1))
        found = _("no row at all between {before} and {after}").format(before=_cell(before), after=_cell(after))
        day = "ds" if checked.name == "sales" else "period"
        checked.say(_only(checked, {day: after}), day, found, _("Export the missing periods too."), "warning")


def jumping_sums(checked: Checked) -> None:
    """A month's total far above or below the year around it: rows twice, missing, or in another currency."""
    panel = _panel(checked)
    if panel is None:
        return
    day, _keys = panel
    months = checked.frame[day].dt.to_period("M")
    totals = checked.frame["amount"].groupby(months).sum()
    if len(totals) < 6:
        return
    usual = totals.rolling(13, center=True, min_periods=4).median()
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (totals / usual).where(usual > 0)
    for month, times in ratio[(ratio > JUMP) | (ratio < 1 / JUMP)].head(3).items():
        found = _("the total of {month} is {times} times that of the months around it")
        found = found.format(month=month, times=f"{times:,.2g}")
        first = _only(checked, {day: checked.frame[day][months == month].iloc[0]})
        fix = _("Look for rows that are there twice, missing, or in another unit.")
        checked.say(first, "amount", found, fix, "warning")


def other_units(checked: Checked) -> None:
    """Single rows hundreds of times above or below their own series: written in thousands, or not."""
    panel = _panel(checked)
    if panel is None or not panel[1]:
        return
    size = checked.frame["amount"].abs().where(checked.frame["amount"] != 0)
    groups = size.groupby([checked.frame[name] for name in panel[1]], dropna=False)
    usual = groups.transform("median")
    enough = groups.transform("count") >= 12
    ratio = size / usual
    odd = ((ratio > OTHER_UNIT) & enough).to_numpy()
    if odd.any():
        at = int(np.flatnonzero(odd)[0])
        found = _("{value} is {times} times the middle of its own series")
        found = found.format(value=f"{checked.frame['amount'].iloc[at]:,.0f}", times=f"{ratio.iloc[at]:,.0f}")
        fix = _("Mixed units? Write all rows in one unit.")
        checked.say(odd, checked.match.theirs.get("amount", "amount"), found, fix, "warning")
    _regions_apart(checked, panel[1])


def _regions_apart(checked: Checked, keys: list[str]) -> None:
    """One region's rows about a thousand times smaller or larger than every other region's: mixed units."""
    if "region" not in keys:
        return
    size = checked.frame["amount"].abs().where(checked.frame["amount"] != 0)
    middle = size.groupby(checked.frame["region"]).median().dropna().sort_values()
    if len(middle) < 3:
        return
    for region, others in ((middle.index[0], middle.iloc[1:]), (middle.index[-1], middle.iloc[:-1])):
        times = middle[region] / others.median()
        if others.max() / others.min() < 50 and not 1 / OTHER_UNIT < times < OTHER_UNIT:
            found = _("the rows of {region} are {times} times those of the other regions")
            found = found.format(region=region, times=f"{times:,.2g}")
            fix = _("Mixed units? Write all regions in one unit.")
            checked.say(_only(checked, {"region": region}), "amount", found, fix, "warning")


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
        checked.say(_only(checked, {}), "share", found, fix, "warning")


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
