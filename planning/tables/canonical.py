"""A raw table → the canonical frame: columns found and typed, units and currencies made one, every fault collected.

```
Checked
├── frame      the canonical columns that are there, in the fields' order, then the extra ones; one row a line
├── rows       the row of the source each line stands in
├── faults     faults and warnings, in the order found
├── facts      encoding, delimiter, dialect, decimal, date order, currency, ...: what was found out
├── left_out   (reason, rows)
├── match      which of their columns is which field
└── block      the [sources.X.columns] lines to paste; empty when every required column was found
```
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from planning.config import Settings, Source
from planning.errors import Fault
from planning.language import _
from planning.tables.columns import Context, read_column
from planning.tables.dates import date_order
from planning.tables.dialects import (
    PERCENT,
    dialect_of,
    expected_close_dates,
    one_id_length,
    outcome_from_marks,
    stage_history_from_deals,
)
from planning.tables.inference import infer, is_identifier
from planning.tables.matching import Match, guesses, match_columns
from planning.tables.numbers import decimal_mark
from planning.tables.raw import RawTable, listing_of, near, shown
from planning.tables.schema import DATED, NUMERIC, Field, fields_for, key_of

LISTED = 12  # columns named in one fault
LARGE = 500_000  # rows from which memory is given back column by column
ADDED_UP = ("units",)
PERIODS = {"day": "D", "week": "W-SUN", "month": "M", "quarter": "Q"}


@dataclass
class Checked:
    """One table after reading. See the module's picture."""

    name: str
    label: str
    frame: pd.DataFrame
    rows: np.ndarray
    fields: tuple[Field, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    left_out: list[tuple[str, int]] = field(default_factory=list)
    match: Match = field(default_factory=Match)
    block: str = ""

    @property
    def key(self) -> list[str]:
        """The key columns the frame has."""
        return [name for name in key_of(self.fields) if name in self.frame.columns]

    def count(self, severity: str) -> int:
        """Returns how many faults of a severity there are."""
        return sum(fault.severity == severity for fault in self.faults)

    def say(self, mask: np.ndarray, column: str | None, found: str, fix: str, severity: str = "fault") -> None:
        """Adds one fault for all lines where `mask` holds."""
        Context(self.name, self.label, self.rows, self.faults).say(mask, column, found, fix, severity)


def read_canonical(name: str, raw: RawTable, settings: Settings) -> Checked:
    """Makes the canonical table `name` of a raw one; faults are collected, not raised.

    Only columns that could be understood are in the frame. Amounts are in the company's currency afterwards.
    """
    source = settings.sources.get(name) or Source(path=raw.label)
    if name == "stage_history":
        raw = stage_history_from_deals(raw)
    for column, value in source.constants.items():
        raw.frame[column] = pd.Series([str(value)] * len(raw.frame), dtype="str")
    fields = fields_for(name, settings.plan.by)
    match = match_columns(fields, list(raw.frame.columns), source.columns)
    checked = Checked(name, raw.label, pd.DataFrame(), raw.rows, fields, raw.facts, raw.faults, raw.left_out, match)
    columns = list(raw.frame.columns)
    checked.facts["dialect"] = dialect_of(columns)
    _say_declared(checked, columns)
    _say_doubled(checked, raw.frame, source)
    context = _context(checked, raw.frame, source)
    currency = _read_fields(checked, raw.frame, context)
    _outcome(checked, yes_no=context.yes_no)
    _say_missing(checked, raw.frame, columns)
    _keep_extra(checked, raw.frame, context)
    _identifiers(checked)
    _one_currency(checked, settings, currency)
    if source.sum_to and not checked.count("fault"):
        _sum_to(checked, source.sum_to)
    return checked


def _say_declared(checked: Checked, columns: list[str]) -> None:
    """Faults of [sources.X.columns]: a field that does not exist, a column that is not there."""
    place = f"[sources.{checked.name}.columns]"
    names = [field.name for field in checked.fields]
    for key in checked.match.unknown:
        fix = near(key, names) or _("Fields: {fields}.").format(fields=", ".join(names))
        found = _("{place} names '{key}', which is no field").format(place=place, key=key)
        checked.faults.append(Fault(checked.label, None, key, found, fix.strip()))
    for ours, theirs in checked.match.wrong.items():
        found = _("{place} says {ours} = {theirs}, but there is no such column")
        found = found.format(place=place, ours=ours, theirs=shown(theirs))
        fix = near(theirs, columns) or _("It has: {columns}.").format(columns=listing_of(columns, LISTED))
        checked.faults.append(Fault(checked.label, None, ours, found, fix.strip()))


def _say_doubled(checked: Checked, frame: pd.DataFrame, source: Source) -> None:
    """Warns of a column that stands twice in the header with different values, where nobody declared which is meant."""
    for name, theirs in checked.match.theirs.items():
        other = f"{theirs} (2)"
        if other in frame.columns and name not in source.columns and not frame[theirs].equals(frame[other]):
            found = _("the column stands twice, with different values; the first one was read")
            fix = _('Keep one, or say which is meant in [sources.{table}.columns]: {field} = "{other}".')
            fix = fix.format(table=checked.name, field=name, other=other)
            checked.faults.append(Fault(checked.label, None, theirs, found, fix, "warning"))


def _context(checked: Checked, frame: pd.DataFrame, source: Source) -> Context:
    """Decides for the whole table: mark of decimals, order of day and month, scale of probabilities."""
    theirs = checked.match.theirs
    columns = {field.name: frame[theirs[field.name]] for field in checked.fields if field.name in theirs}
    numeric = [columns[field.name] for field in checked.fields if field.type in NUMERIC and field.name in columns]
    dated = [columns[field.name] for field in checked.fields if field.type in DATED and field.name in columns]
    context = Context(
        checked.name, checked.label, checked.rows, checked.faults, source.decimal, source.thousands, source.date_format,
        percent=checked.facts["dialect"] in PERCENT, values=source.values,
    )  # fmt: skip
    if not source.decimal:
        mark = decimal_mark(numeric)
        context.decimal = mark.mark
        if mark.against:
            found = _("both {one} and {other} occur: the mark of the decimals is not clear")
            found = found.format(one=shown(mark.against), other=shown(mark.proof))
            fix = _('Declare it in [sources.{table}]: decimal = "," or decimal = "."').format(table=checked.name)
            checked.faults.append(Fault(checked.label, None, None, found, fix))
        elif mark.doubtful:
            found = _("{cell} was read as thousands").format(cell=shown(mark.doubtful))
            fix = _('If it is a decimal comma, declare decimal = "," in [sources.{table}].').format(table=checked.name)
            checked.faults.append(Fault(checked.label, None, None, found, fix, "warning"))
        elif mark.mark == ",":
            checked.facts["decimal"] = _("comma, as in {cell}").format(cell=mark.proof)
    if not source.date_format:
        order = date_order(dated)
        context.order = order
        said = {"day": _("day first, as {cell} proves"), "month": _("month first, as {cell} proves")}
        proven = [said[order.orders[mark]].format(cell=cell) for mark, cell in order.proof.items()]
        if proven:
            checked.facts["dates"] = _("; ").join(proven)
    return context


def _read_fields(checked: Checked, frame: pd.DataFrame, context: Context) -> str:
    """Reads every matched column into the canonical frame; returns the currency the cells or headers state."""
    currencies, columns, said = [], {}, []
    left = list(checked.match.theirs.values())
    for each in checked.fields:
        theirs = checked.match.theirs.get(each.name)
        if theirs is None:
            continue
        # Taken out of the raw frame at its last use: a file of hundreds of MB is not held twice.
        left.remove(theirs)
        raw = frame[theirs] if theirs in left else frame.pop(theirs)
        read = read_column(each, raw, theirs, context)
        columns[each.name] = read.values
        if len(frame) > LARGE:
            pa.default_memory_pool().release_unused()
        currencies += [read.currency] if read.currency else []
        said += [read.said] if read.said else []
    checked.frame = pd.DataFrame(columns, index=frame.index)
    if said:
        checked.facts["units"] = "; ".join(said)
    return currencies[0] if currencies else ""


def _outcome(checked: Checked, *, yes_no: bool) -> None:
    """Makes the outcome of deals from the CRM's marks, which win over a status column of the same export.

    yes_no: the outcome says of each deal whether it is won; without a close date the others are open.
    """
    if checked.name != "deals":
        return
    frame = checked.frame
    if yes_no and "is_won" not in frame:
        _won_or_not(checked)
    if "is_won" in frame or "outcome" not in frame:
        outcome, said = outcome_from_marks(frame)
        if outcome is not None:
            frame["outcome"] = outcome
            checked.facts["outcome"] = said
            if "is_won" not in frame:
                found = _("there is no outcome, so it was read from the text of the stage")
                fix = _("Export IsClosed and IsWon (or an outcome): they stay right when stages are renamed.")
                checked.faults.append(Fault(checked.label, None, "outcome", found, fix, "warning"))
    marks = [name for name in ("is_won", "is_closed") if name in frame]
    checked.frame = expected_close_dates(frame.drop(columns=marks))


def _won_or_not(checked: Checked) -> None:
    """Reads an outcome of yes and no: yes is won, no is lost where the deal is closed, else open."""
    frame = checked.frame
    day = frame.get("closed_date", frame.get("close_date"))
    if "is_closed" in frame:
        frame["outcome"] = frame["outcome"].mask((frame["outcome"] == "lost") & ~frame["is_closed"], "open")
    elif day is not None and day.notna().any():
        waiting = ((frame["outcome"] == "lost") & day.isna()).to_numpy()
        found, fix = _("is not won and has no close date: read as open"), _("Write won, lost or open where it is not.")
        checked.say(waiting, checked.match.theirs["outcome"], found, fix, "warning")
        frame["outcome"] = frame["outcome"].mask(waiting, "open")
    checked.facts["outcome"] = _("yes read as won, no as lost")


def _say_missing(checked: Checked, frame: pd.DataFrame, columns: list[str]) -> None:
    """Faults for required columns that are not there, with the nearest, and the block to paste."""
    declared_wrong = set(checked.match.wrong)
    missing = [f for f in checked.fields if f.required and f.name not in checked.frame.columns]
    if not missing:
        return
    free = checked.match.extra
    best = guesses(missing, frame, free)
    for each in missing:
        if each.name in declared_wrong:
            continue
        guess = best.get(each.name)
        fix = _("It is needed: {meaning}.").format(meaning=each.description)
        if guess:
            fix = _("Did you mean '{guess}'? Paste the block below.").format(guess=guess)
        elif checked.name == "sales" and each.key == "yes" and each.name != "ds":
            fix += _(" Or take '{field}' out of by in [plan].").format(field=each.name)
        found = _("no column '{field}'. It has: {columns}")
        found = found.format(field=each.name, columns=listing_of(columns, LISTED))
        checked.faults.append(Fault(checked.label, None, each.name, found, fix))
    lines = [f"[sources.{checked.name}.columns]"]
    for each in missing:
        text = best.get(each.name, "")
        note = _("best guess, check it")
        if not text:
            note = _("{meaning}; one of: {columns}").format(meaning=each.description, columns=", ".join(free[:8]))
        lines.append(f'{each.name} = "{text}"  # {note}')
    checked.block = "\n".join(lines)


def _keep_extra(checked: Checked, frame: pd.DataFrame, context: Context) -> None:
    """Carries on the columns that are no field (features of a deal, drivers of sales), typed by what they hold."""
    extra = {}
    for name in checked.match.extra:
        if name.startswith("column ") or frame[name].isna().all():
            continue
        ours = f"{name} (theirs)" if name in checked.frame.columns else name
        column = frame.pop(name).reset_index(drop=True)
        extra[ours] = column if is_identifier(name) else infer(column, context.decimal or ".")
    if extra:
        checked.frame = pd.concat([checked.frame, pd.DataFrame(extra, index=checked.frame.index)], axis=1)


def _identifiers(checked: Checked) -> None:
    for each in checked.fields:
        if each.type == "id" and each.name in checked.frame:
            checked.frame[each.name], count = one_id_length(checked.frame[each.name])
            if count:
                said = _("{n} Salesforce ids of 15 characters written as 18")
                checked.facts["identifiers"] = said.format(n=f"{count:,}")


def _one_currency(checked: Checked, settings: Settings, stated: str) -> None:
    """Turns every amount into the company's currency by [rates]; a currency without a rate is a fault."""
    frame, company = checked.frame, settings.company.currency
    money = [f.name for f in checked.fields if f.type == "money" and f.unit == "currency" and f.name in frame]
    if not money or not any(f.name == "currency" for f in checked.fields):
        return
    given, otherwise = frame.get("currency"), stated or company
    if given is not None or otherwise != company:
        codes = pd.Series(otherwise, frame.index, dtype="str") if given is None else _codes(given, otherwise)
        rates = {code: settings.rate(code) for code in codes.unique()}
        _say_unknown(checked, settings, codes, [code for code, rate in rates.items() if rate is None])
        others = sorted(code for code, rate in rates.items() if code != company and rate is not None)
        if others:
            said = _("{codes} turned into {company}")
            checked.facts["currencies"] = said.format(codes=", ".join(others), company=company)
            factor = codes.map({code: rate or 1.0 for code, rate in rates.items()}).to_numpy(float)
            for name in money:
                frame[name] = frame[name] * factor
        frame["currency"] = pd.Series(company, index=frame.index, dtype="str")
    order = [f.name for f in checked.fields if f.name in frame]
    checked.frame = frame[order + [name for name in frame.columns if name not in order]]


def _codes(given: pd.Series, otherwise: str) -> pd.Series:
    """Returns currency codes in capitals; an empty cell has the currency of the header or the company."""
    known = {code: code.upper().replace("RMB", "CNY") for code in given.dropna().unique()}
    return given.map(known).astype("str").fillna(otherwise)


def _say_unknown(checked: Checked, settings: Settings, codes: pd.Series, unknown: list[str]) -> None:
    company = settings.company.currency
    for code in sorted(unknown):
        fix = _("Write its rate into [rates]: {code} = {company} per {code}.").format(code=code, company=company)
        fix += near(code, [company, *settings.rates])
        found = _("currency {code} has no rate").format(code=shown(code))
        checked.say((codes == code).to_numpy(), checked.match.theirs.get("currency"), found, fix)


def _sum_to(checked: Checked, period: str) -> None:
    """Adds up rows of one key inside each day, week, month or quarter; other figures are averaged."""
    frame, key = checked.frame, checked.key
    day = next((f.name for f in checked.fields if f.type == "date" and f.key == "yes" and f.name in frame), None)
    if day is None or not len(frame):
        return
    frame[day] = frame[day].dt.to_period(PERIODS[period]).dt.start_time.astype("datetime64[us]")
    money = {f.name for f in checked.fields if f.type == "money"}
    plans: dict[str, Any] = {}
    for name in frame.columns:
        if name not in key:
            numeric = pd.api.types.is_numeric_dtype(frame[name].dtype)
            plans[name] = _total if name in money or name in ADDED_UP else "mean" if numeric else "first"
    before = len(frame)
    groups = frame.groupby(key, dropna=False, sort=False)
    checked.frame = groups.agg(plans).reset_index()[list(frame.columns)]
    checked.rows = pd.Series(checked.rows).groupby(groups.ngroup().to_numpy()).first().to_numpy()
    if len(checked.frame) < before:
        said = _("{before} rows to {after}, one a key and period")
        checked.facts["summed"] = said.format(before=f"{before:,}", after=f"{len(checked.frame):,}")


def _total(values: pd.Series) -> float:
    return values.sum(min_count=1)
