"""What a panel over time must obey: no lost periods, no sums that jump, one unit in all rows.

All of these are warnings: a gap, a jump or a large order may be true.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from planning.errors import Fault
from planning.language import _, ngettext
from planning.tables.canonical import Checked
from planning.tables.numbers import distinct_texts
from planning.tables.raw import is_text

JUMP = 5.0  # a total this many times larger or smaller than the year around it jumps
OTHER_UNIT = 300.0  # a cell this many times its series' median was likely written in another unit
ENOUGH = 12  # periods a series needs before one of them is called odd


@dataclass
class Panel:
    """A panel: its day column, its series keys, and the number of its series for each row."""

    day: str
    keys: list[str]
    codes: np.ndarray
    count: int


def row_codes(frame: pd.DataFrame) -> np.ndarray:
    """Returns one whole number a row, the same for equal rows; columns are coded one by one to spare memory."""
    combined = np.zeros(len(frame), np.int64)
    for name in frame.columns:
        column = frame[name]
        codes, distinct = distinct_texts(column) if is_text(column) else pd.factorize(column)
        if combined.max(initial=0) > 2**62 // (len(distinct) + 1):
            combined = pd.factorize(combined)[0]
        combined *= len(distinct) + 1
        combined += codes
        combined += 1
    return combined


def repeated(frame: pd.DataFrame) -> np.ndarray:
    """Tells which rows repeat an earlier one. Sorting needs a third of the memory of a hash table."""
    codes = row_codes(frame)
    order = np.argsort(codes, kind="stable")
    codes = codes[order]
    again = np.zeros(len(order), bool)
    again[order[1:][codes[1:] == codes[:-1]]] = True
    return again


def _panel(checked: Checked) -> Panel | None:
    """Returns what a panel over time consists of; None for other tables and tables with faults."""
    day = {"sales": "ds", "spend": "period"}.get(checked.name)
    if day is None or not {day, "amount"} <= set(checked.frame) or checked.count("fault"):
        return None
    keys = [name for name in checked.key if name != day]
    codes, first = pd.factorize(row_codes(checked.frame[keys]))
    return Panel(day, keys, codes.astype(np.int32), len(first)) if keys else None


def gaps_in_panel(checked: Checked) -> None:
    """Months (or weeks) missing between the first and the last of a series."""
    panel = _panel(checked)
    if panel is None:
        return
    days = checked.frame[panel.day]
    distinct = np.sort(days.unique())
    if len(distinct) < 3:
        return
    place = np.searchsorted(distinct, days.to_numpy()).astype(np.int32)
    first, last = np.full(panel.count, len(distinct), np.int32), np.zeros(panel.count, np.int32)
    np.minimum.at(first, panel.codes, place)
    np.maximum.at(last, panel.codes, place)
    # Keys are not repeated (that would be a fault), so a series has as many periods as rows.
    gaps = last - first + 1 - np.bincount(panel.codes, minlength=panel.count)
    missing = int(gaps.sum())
    if missing:
        worst = int(gaps.argmax())
        row = int(np.flatnonzero(panel.codes == worst)[0])
        name = " / ".join(str(checked.frame[key].iloc[row]) for key in panel.keys)
        found = ngettext(
            "{n} period is missing inside {gaps} of {all} series, most in {name} ({most})",
            "{n} periods are missing inside {gaps} of {all} series, most in {name} ({most})",
            missing,
        ).format(n=f"{missing:,}", gaps=f"{(gaps > 0).sum():,}", all=f"{panel.count:,}", name=name, most=gaps[worst])
        fix = _("They are treated as gaps; write the rows if they were lost.")
        checked.faults.append(Fault(checked.label, None, None, found, fix, "warning"))
    _missing_everywhere(checked, distinct)


def _missing_everywhere(checked: Checked, distinct: np.ndarray) -> None:
    """A whole period that no series has."""
    steps = np.diff(distinct.astype("datetime64[D]").astype(int))
    usual = float(np.median(steps))
    if usual < 1:
        return
    for at in np.flatnonzero(steps > 1.6 * usual)[:3]:
        before, after = (pd.Timestamp(distinct[i]) for i in (at, at + 1))
        found = _("no row at all between {before} and {after}")
        found = found.format(before=f"{before:%Y-%m-%d}", after=f"{after:%Y-%m-%d}")
        day = "ds" if checked.name == "sales" else "period"
        checked.say(first_only(checked, {day: after}), day, found, _("Export the missing periods too."), "warning")


def first_only(checked: Checked, equal: dict[str, object]) -> np.ndarray:
    """A mask of the first row with these values (the first row of all for none), so that one fault is said."""
    mask = np.ones(len(checked.frame), bool)
    for name, value in equal.items():
        mask &= (checked.frame[name] == value).to_numpy()
    first = np.zeros(len(mask), bool)
    first[np.flatnonzero(mask)[:1]] = True
    return first


def jumping_sums(checked: Checked) -> None:
    """A month's total far above or below the year around it: rows twice, missing, or in another currency."""
    panel = _panel(checked)
    if panel is None:
        return
    day = panel.day
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
        first = first_only(checked, {day: checked.frame[day][months == month].iloc[0]})
        fix = _("Look for rows that are there twice, missing, or in another unit.")
        checked.say(first, "amount", found, fix, "warning")


def other_units(checked: Checked) -> None:
    """Single rows hundreds of times above or below their own series: written in thousands, or not."""
    panel = _panel(checked)
    if panel is None:
        return
    size = checked.frame["amount"].abs().to_numpy(copy=True)
    size[size == 0] = np.nan
    rows = _wide_series(size, panel)
    ratio = np.zeros(len(size), np.float32)
    groups = pd.Series(size[rows]).groupby(panel.codes[rows])
    usual = groups.transform("median").where(groups.transform("count") >= ENOUGH, np.inf)
    ratio[rows] = size[rows] / usual.to_numpy()
    odd = ratio > OTHER_UNIT
    if odd.any():
        at = int(np.flatnonzero(odd)[0])
        found = _("{value} is {times} times the middle of its own series")
        found = found.format(value=f"{checked.frame['amount'].iloc[at]:,.0f}", times=f"{ratio[at]:,.0f}")
        fix = _("Mixed units? Write all rows in one unit.")
        checked.say(odd, checked.match.theirs.get("amount", "amount"), found, fix, "warning")
    _regions_apart(checked, pd.Series(size, checked.frame.index))


def _wide_series(size: np.ndarray, panel: Panel) -> np.ndarray:
    """Returns the rows of series whose largest cell is far above their geometric mean; only these are looked into."""
    logs = np.log(size)
    logs[np.isnan(logs)] = 0.0
    counts = np.bincount(panel.codes, weights=~np.isnan(size), minlength=panel.count)
    mean = np.bincount(panel.codes, weights=logs, minlength=panel.count) / np.maximum(counts, 1)
    largest = np.full(panel.count, -np.inf)
    np.maximum.at(largest, panel.codes, logs)
    return np.flatnonzero((largest - mean > np.log(OTHER_UNIT) / 3)[panel.codes])


def _regions_apart(checked: Checked, size: pd.Series) -> None:
    """One region's rows about a thousand times smaller or larger than every other region's: mixed units."""
    if "region" not in checked.key:
        return
    middle = size.groupby(checked.frame["region"]).median().dropna().sort_values()
    if len(middle) < 3:
        return
    for region, others in ((middle.index[0], middle.iloc[1:]), (middle.index[-1], middle.iloc[:-1])):
        times = middle[region] / others.median()
        if others.max() / others.min() < 50 and not 1 / OTHER_UNIT < times < OTHER_UNIT:
            found = _("the rows of {region} are {times} times those of the other regions")
            found = found.format(region=region, times=f"{times:,.2g}")
            fix = _("Mixed units? Write all regions in one unit.")
            checked.say(first_only(checked, {"region": region}), "amount", found, fix, "warning")
