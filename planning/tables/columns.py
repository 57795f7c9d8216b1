"""One column of an export → one field: typed, in the field's unit, with a fault for each kind of thing wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from planning.errors import Fault
from planning.language import _, listing, ngettext
from planning.tables.dates import DateOrder, formats_of, to_dates
from planning.tables.inference import as_text
from planning.tables.matching import header_unit
from planning.tables.numbers import first_like, text_cells, to_numbers
from planning.tables.raw import listing_of, near, rows_text, shown
from planning.tables.schema import NUMERIC, Field, value_aliases

TRUE = {"true", "1", "1.0", "yes", "y", "x", "t", "wahr", "ja", "是", "真", "有"}
FALSE = {"false", "0", "0.0", "no", "n", "f", "falsch", "nein", "否", "假", "无"}
YES = {"true", "1", "1.0", "yes", "wahr", "ja", "是", "真"}
NO = {"false", "0", "0.0", "no", "falsch", "nein", "否", "假"}
LONGEST_LIST = 6  # values listed in one fault


@dataclass
class Context:
    """What reading a column needs to know of its table."""

    table: str
    label: str
    rows: np.ndarray
    faults: list[Fault]
    decimal: str = "."
    thousands: str = ""
    date_format: str = ""
    order: DateOrder = DateOrder()
    percent: bool = False
    values: Mapping[str, Mapping[str, str]] | None = None
    yes_no: bool = False  # found out: the outcome of deals is a mark of won ones

    def say(self, mask: np.ndarray, column: str, found: str, fix: str, severity: str = "fault") -> None:
        """Adds one fault for all rows where `mask` holds; `found` may hold `{rows}` for the count of the others."""
        at = np.flatnonzero(mask)
        if len(at):
            found = found + rows_text(self.rows[at])
            self.faults.append(Fault(self.label, int(self.rows[at[0]]), column, found, fix, severity))


@dataclass
class Read:
    """A column as a field: its values, and the currency and percent sign its cells or header stated."""

    values: pd.Series
    currency: str = ""
    said: str = ""


def read_column(field: Field, column: pd.Series, theirs: str, context: Context) -> Read:
    """Returns `column` in the type and unit of `field`; everything wrong is added to the context's faults."""
    if field.type in NUMERIC:
        return _numbers(field, column, theirs, context)
    readers: dict[str, Callable[..., pd.Series]] = {
        "date": _dates, "timestamp": _dates, "flag": _flags, "choice": _choices, "id": _texts, "text": _texts,
    }
    return Read(readers[field.type](field, column, theirs, context))


def _first(column: pd.Series, mask: np.ndarray) -> object:
    return column.iloc[int(np.flatnonzero(mask)[0])]


def _numbers(field: Field, column: pd.Series, theirs: str, context: Context) -> Read:
    read = to_numbers(column, context.decimal, context.thousands)
    if read.bad.any():
        found = _("{cell} is no number").format(cell=shown(_first(column, read.bad)))
        context.say(read.bad, theirs, found, _number_fix(column, read.bad))
    values, not_finite = read.values, read.not_finite
    if not_finite.any():
        cell = shown(_first(column, not_finite))
        found = _("{cell} is not a finite figure a company can have").format(cell=cell)
        context.say(not_finite, theirs, found, _("Write the number, or leave the cell empty."))
        values = np.where(not_finite, np.nan, values)
    if read.nan_text:
        found = ngettext(
            "{n} cell says NaN, NULL or the like and was read as empty",
            "{n} cells say NaN, NULL or the like and were read as empty",
            read.nan_text,
        ).format(n=f"{read.nan_text:,}")
        context.faults.append(Fault(context.label, None, theirs, found, _("Leave such cells empty."), "warning"))
    _mixed_units(read.units, column, theirs, context)
    currency = _one_currency(read.currencies, theirs, context)
    factor, header_currency = header_unit(theirs)
    values = values * factor if factor != 1 else values
    said = _("{column}: times {factor}").format(column=theirs, factor=f"{factor:,.0f}") if factor != 1 else ""
    if field.type == "rate":
        values = _rates(values, "%" in read.units, theirs, context)
    elif "%" in read.units and field.unit == "percent":
        values = values * 100
    _range(field, values, theirs, context)
    return Read(pd.Series(values, index=column.index, dtype="float64"), currency or header_currency, said)


def _number_fix(column: pd.Series, bad: np.ndarray) -> str:
    cell = str(_first(column, bad)).strip()
    if cell.startswith("="):
        return _("It is a formula: save its value instead.")
    if "," in cell and "." in cell:
        return _('Write a plain number, or declare the mark of the decimals: decimal = ","')
    return _("Write a plain number, or leave the cell empty.")


def _mixed_units(units: Mapping[str, int], column: pd.Series, theirs: str, context: Context) -> None:
    """Thousands beside plain figures, or percents beside shares, in one column are a fault."""
    if len(units) > 1:
        examples = [shown(column.iloc[at]) for _unit, at in sorted(units.items(), key=lambda item: item[1])][:3]
        row = int(context.rows[sorted(units.values())[1]])
        found = _("mixed units: {cells} stand in one column").format(cells=listing(examples))
        context.faults.append(Fault(context.label, row, theirs, found, _("Write all cells in one unit.")))


def _one_currency(currencies: Mapping[str, int], theirs: str, context: Context) -> str:
    if len(currencies) > 1:
        row = int(context.rows[sorted(currencies.values())[1]])
        found = _("mixed currencies: {codes} are written in the cells").format(codes=", ".join(currencies))
        context.faults.append(Fault(context.label, row, theirs, found, _("Put the currency into a column of its own.")))
    return next(iter(currencies), "")


def _rates(values: np.ndarray, signed: bool, theirs: str, context: Context) -> np.ndarray:
    """Brings a rate to 0-1: known percents are divided, a column of 0-100 is recognised, a mix is a fault."""
    filled = values[~np.isnan(values)]
    if signed or not len(filled):
        return values
    above, between = values > 1, (values > 0) & (values < 1)
    if context.percent:
        return values / 100
    if not above.any() or (values > 100).any():
        return values
    if between.any():
        found = _("values of 0 to 1 and of 0 to 100 in one column, such as {value}")
        found = found.format(value=f"{filled[filled > 1][0]:g}")
        context.say(above, theirs, found, _("Write all of them as shares of 1, or all as percents."))
        return np.where(above, np.nan, values)
    found = _("read as percents (0 to 100), since the largest is {value} and none lies between 0 and 1")
    found = found.format(value=f"{filled.max():g}")
    context.faults.append(Fault(context.label, None, theirs, found, _("Nothing to do if that is right."), "warning"))
    return values / 100


def _range(field: Field, values: np.ndarray, theirs: str, context: Context) -> None:
    low, high, open_low = field.bounds
    with np.errstate(invalid="ignore"):
        wrong = (values < low) | (values > high) | ((values == low) if open_low else False)
    if wrong.any():
        allowed = field.allowed.replace("..", _(" to "))
        found = _("{value} is outside {allowed}").format(value=f"{values[wrong][0]:g}", allowed=allowed)
        fix = _("Correct it; {field} means: {meaning}.").format(field=field.name, meaning=field.description)
        context.say(wrong, theirs, found, fix)


def _dates(field: Field, column: pd.Series, theirs: str, context: Context) -> pd.Series:
    read = to_dates(column, context.date_format, context.order.orders, keep_time=field.type == "timestamp")
    if read.bad.any():
        cell = _first(column, read.bad)
        found = _("{cell} is no date").format(cell=shown(cell))
        if context.date_format:
            found = _("{cell} is no date of the form {form}").format(cell=shown(cell), form=context.date_format)
        fix = _("Write it as 2026-12-31.")
        if str(cell).strip().startswith("="):
            fix = _("It is a formula: save its value instead.")
        elif re.fullmatch(r"[2-7]\d{4}(\.\d+)?", str(cell).strip(), re.ASCII):
            fix = _("It looks like Excel's number of a day: format the column as a date and save again.")
        context.say(read.bad, theirs, found, fix)
    if read.ambiguous.any():
        context.say(read.ambiguous, theirs, *_either_way(str(_first(column, read.ambiguous)), context))
    return pd.Series(read.values, index=column.index)


def _either_way(cell: str, context: Context) -> tuple[str, str]:
    """What is said of a date that may be day or month first, and what to do about it."""
    found, formats = _("{cell} may be day or month first").format(cell=shown(cell)), formats_of(cell)
    both = context.order.against.get(formats[0][2]) if formats else None
    if both:
        found = _("{cell} may be day or month first: both {one} and {other} occur").format(
            cell=shown(cell), one=shown(both[0]), other=shown(both[1])
        )
    if both or formats is None or context.order.forms > 1:  # a declared format would have to hold for every date
        return found, _("Write such dates as 2026-12-31.")
    fix = _('Declare it in [sources.{table}]: date_format = "{day}" or "{month}"')
    return found, fix.format(table=context.table, day=formats[0], month=formats[1])


def _flags(field: Field, column: pd.Series, theirs: str, context: Context) -> pd.Series:
    if pd.api.types.is_bool_dtype(column.dtype):
        return column.astype("boolean").fillna(False).astype(bool)
    texts = as_text(column).str.strip().str.casefold()
    known = texts.isin(TRUE | FALSE).to_numpy() | texts.isna().to_numpy() | (texts == "").to_numpy()
    if not known.all():
        found = _("{cell} is neither yes nor no").format(cell=shown(_first(column, ~known)))
        context.say(~known, theirs, found, _("Write true or false."))
    return texts.isin(TRUE)


def _choices(field: Field, column: pd.Series, theirs: str, context: Context) -> pd.Series:
    declared = (context.values or {}).get(field.name, {})
    texts = strip_text(as_text(column))
    mapping = {**{choice.casefold(): choice for choice in field.choices}, **value_aliases(context.table, field.name)}
    mapping.update({theirs_value.casefold(): ours for theirs_value, ours in declared.items()})
    if field.name == "outcome" and context.table == "deals" and not declared:
        mapping |= _yes_no_outcome(texts.str.casefold().dropna().unique(), context)
    out = texts.str.casefold().map(mapping).astype("str")
    wrong = (out.isna() & texts.notna()).to_numpy() | (~out.isin(field.choices) & out.notna()).to_numpy()
    if wrong.any():
        values = list(dict.fromkeys(texts[wrong]))
        listed = listing_of([shown(value) for value in values], LONGEST_LIST)
        fix = _('Allowed: {choices}.{near} Say in [{section}] which of them "{theirs}" is: "{theirs}" = "..."').format(
            choices=", ".join(field.choices), near=near(values[0], field.choices), theirs=values[0],
            section=f"sources.{context.table}.values.{field.name}",
        )  # fmt: skip
        found = ngettext("{values} is no {field}", "{values} are no {field}", len(values))
        context.say(wrong, theirs, found.format(values=listed, field=field.name), fix)
    return out


def _yes_no_outcome(words: Iterable[str], context: Context) -> dict[str, str]:
    """An outcome of nothing but yes and no (True and False, 1 and 0) says which deals are won, as a mark IsWon does."""
    if not set(words) <= YES | NO:
        return {}
    context.yes_no = True
    return dict.fromkeys(YES, "won") | dict.fromkeys(NO, "lost")


def _texts(field: Field, column: pd.Series, theirs: str, context: Context) -> pd.Series:
    texts = strip_text(as_text(column))
    if first_like([text_cells(texts)], "^="):
        formula = texts.str.startswith("=").fillna(False).to_numpy(dtype=bool)
        kept = texts.str.extract(r'^="(.*)"$')[0].astype("str")  # Excel's way to keep 00123 as text
        texts = texts.where(~(formula & kept.notna().to_numpy()), kept)
        formula = formula & kept.isna().to_numpy()
        severity = "fault" if field.type == "id" or field.key else "warning"
        fix = _("Save its value instead.") if severity == "fault" else _("It is kept as text and never computed.")
        if formula.any():
            found = _("{cell} is a formula").format(cell=shown(_first(texts, formula)))
            context.say(formula, theirs, found, fix, severity)
    declared = (context.values or {}).get(field.name)
    if declared:
        texts = texts.map(lambda text: declared.get(text, text), na_action="ignore").astype("str")
    return texts


def strip_text(column: pd.Series) -> pd.Series:
    """Returns text cells without spaces around them; an empty cell is missing."""
    cells = text_cells(column)
    if not first_like([cells], r"^(?:\s|$)|\s$|^[\x{a0}\x{3000}]|[\x{a0}\x{3000}]$"):
        return column
    trimmed = pc.utf8_trim_whitespace(cells)
    trimmed = pc.if_else(pc.fill_null(pc.equal(trimmed, ""), True), None, trimmed)
    stripped = trimmed.to_pandas(types_mapper=lambda kind: pd.StringDtype(na_value=np.nan))
    return stripped.set_axis(column.index)
