"""Excel workbooks as cells with Excel's own types: the sheet, title rows, merged cells and formulas without values.

Read with openpyxl in its streaming mode, so a large sheet costs little memory; merged ranges are taken from the
sheet's XML, since the streaming mode does not offer them.
"""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planning.errors import DataError, Fault, UsageError, did_you_mean
from planning.language import _
from planning.sources.headers import LOOKED_AT, column_names, header_index
from planning.tables.raw import RawTable, rows_text

_MERGED = re.compile(rb'<mergeCell[^>]*ref="([A-Z]+)(\d+):([A-Z]+)(\d+)"')
_TOTAL = re.compile(
    r"\s*(?:(?:grand |sub)?totals?|sub-total|count|sum|gesamt(?:ergebnis|summe)?|"
    r"summe|zwischensumme|合计|总计|小计|共计)\s*"
    r"(?:\([^)]*\))?\s*[:：]?\s*",
    re.IGNORECASE,
)
ERRORS = ("#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#N/A", "#NUM!", "#NULL!")


def read_excel(path: Path, label: str, *, sheet: str | int | None = None, header_row: int | None = None) -> RawTable:
    """Reads one sheet (the named one, else the first with a table) of a workbook.

    A merged cell's value stands in every cell it covers; a formula Excel never calculated is a fault.
    """
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, KeyError, OSError, ValueError):
        found = _("is no Excel workbook, or is damaged or locked")
        raise DataError(faults=[Fault(label, None, None, found, _("Open it in Excel and save it again."))]) from None
    try:
        chosen = _sheet(book, sheet, path)
        cells = [list(row) for row in chosen.iter_rows(values_only=True)]
        merged = _merged(path, getattr(chosen, "_worksheet_path", ""))
        title, several = chosen.title, len(book.sheetnames) > 1
    finally:
        book.close()
    label = f"{label} [{title}]" if several else label
    raw = _table(cells, merged, label, header_row)
    raw.facts = {"kind": "excel", "sheet": title, **raw.facts}
    _uncalculated(raw, path, title)
    return raw


def _sheet(book: Any, sheet: str | int | None, path: Path) -> Any:
    names = book.sheetnames
    if isinstance(sheet, int):
        if not 1 <= sheet <= len(names):
            raise UsageError(f"{path}: has no sheet number {sheet}; it has {len(names)}: {', '.join(names)}.")
        return book[names[sheet - 1]]
    if sheet:
        if sheet not in names:
            raise UsageError(
                f"{path}: has no sheet '{sheet}'.{did_you_mean(sheet, names)} Sheets: {', '.join(names)}."
            )
        return book[sheet]
    filled = [name for name in names if _has_table(book[name])]
    return book[filled[0] if filled else names[0]]


def _has_table(sheet: Any) -> bool:
    """Tells whether a sheet has at least two filled rows of two cells among its first rows."""
    rows = sheet.iter_rows(max_row=LOOKED_AT, values_only=True)
    return sum(sum(cell is not None for cell in row) >= 2 for row in rows) >= 2


def _merged(path: Path, inside: str) -> list[tuple[int, int, int, int]]:
    """Returns the merged ranges of a sheet as (first row, first column, last row, last column), from 0."""
    if not inside:
        return []
    found = []
    with zipfile.ZipFile(path) as archive, archive.open(inside.lstrip("/")) as file:
        for piece in _overlapping(file):
            for match in _MERGED.finditer(piece):
                a, first, b, last = match.groups()
                found.append((int(first) - 1, _column(a), int(last) - 1, _column(b)))
    return sorted(set(found))


def _overlapping(file: Any, size: int = 1 << 20, overlap: int = 200) -> Iterator[bytes]:
    tail = b""
    while piece := file.read(size):
        yield tail + piece
        tail = piece[-overlap:]


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters.decode():
        number = number * 26 + ord(letter) - 64
    return number - 1


def _table(
    cells: list[list[Any]], merged: Sequence[tuple[int, int, int, int]], label: str, header_row: int | None
) -> RawTable:
    cells = [[None if isinstance(cell, str) and not cell.strip() else cell for cell in row] for row in cells]
    if not any(cell is not None for row in cells for cell in row):
        fix = _("Name the sheet with the table: sheet = ...")
        raise DataError(faults=[Fault(label, None, None, _("the sheet is empty"), fix)])
    at = header_row - 1 if header_row else header_index(cells)
    if at >= len(cells):
        found = _("header_row = {row}, but only {n} rows were found").format(row=header_row, n=len(cells))
        raise DataError(faults=[Fault(label, None, None, found, _("Name the row the column names stand in."))])
    for top, left, bottom, right in merged:
        if top > at:
            for row in cells[top : bottom + 1]:
                row[left : right + 1] = [cells[top][left]] * (right + 1 - left)
    width = max(i for row in cells[at:] for i, cell in enumerate(row, 1) if cell is not None)
    rows = [(row + [None] * width)[:width] for row in cells[at + 1 :]]
    names, grouped = column_names((cells[at] + [None] * width)[:width])
    raw = RawTable(pd.DataFrame(), label, np.arange(at + 2, at + 2 + len(rows), dtype=np.int64), {"header_row": at + 1})
    rows = _without_totals(raw, rows, keep="unique_id" in names)  # a panel is no report: a series may be "total"
    _fill_groups(rows, grouped)
    if not rows:
        fix = _("Fill it in, or name another sheet.")
        raise DataError(faults=[Fault(label, None, None, _("has a header but no rows"), fix)])
    columns = list(zip(*rows))
    frame = {name: _typed(column) for name, column in zip(names, columns) if _used(name, column)}
    raw.frame = pd.DataFrame(frame)
    return raw


def _used(name: str, column: Sequence[Any]) -> bool:
    return not name.startswith("column ") or any(cell is not None for cell in column)


def _without_totals(raw: RawTable, rows: list[list[Any]], *, keep: bool = False) -> list[list[Any]]:
    """Leaves out and counts blank lines, lines of totals, and lines with one text only below the table."""
    firsts = [next((cell for cell in row if cell is not None), None) for row in rows]
    totals = np.array([isinstance(cell, str) and bool(_TOTAL.fullmatch(cell)) for cell in firsts], dtype=bool)
    totals &= not keep
    blank = np.array([cell is None for cell in firsts], dtype=bool)
    filled = np.array([sum(cell is not None for cell in row) for row in rows], dtype=int)
    last = np.flatnonzero((filled > 1) & ~totals)
    below = (np.arange(len(rows)) > (last[-1] if len(last) else len(rows))) & ~(blank | totals)
    reasons = (_("blank lines"), _("lines of totals"), _("lines below the table"))
    for mask, reason in zip((blank, totals, below), reasons):
        if mask.any():
            raw.left_out.append((reason, int(mask.sum())))
    keep = ~(blank | totals | below)
    raw.rows = raw.rows[keep]
    return [row for row, kept in zip(rows, keep) if kept]


def _fill_groups(rows: list[list[Any]], grouped: Sequence[int]) -> None:
    """Repeats the value of a grouped column (marked by a sort arrow in the header) down its group."""
    for place in grouped:
        last = None
        for row in rows:
            last = row[place] = last if row[place] is None else row[place]


def _typed(column: Sequence[Any]) -> pd.Series:
    """Returns a column in the type all its cells share: numbers, dates, flags or text; mixed cells stay as they are."""
    cells = [None if isinstance(cell, str) and cell in ERRORS else cell for cell in column]
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds and kinds <= {int, float}:
        return pd.Series(cells, dtype="float64")
    if kinds == {bool}:
        return pd.Series(cells, dtype="boolean")
    if kinds == {str} or not kinds:
        return pd.Series(cells, dtype="str")
    if kinds <= {dt.datetime, dt.date}:
        return pd.to_datetime(pd.Series(cells))
    return pd.Series(cells, dtype="object")


def _uncalculated(raw: RawTable, path: Path, title: str, limit: int = 20_000_000) -> None:
    """Finds formulas that were stored without a value (written by a program, never opened in Excel)."""
    import openpyxl

    if path.stat().st_size > limit or not _has_formulas(path):
        return
    formulas = openpyxl.load_workbook(path, read_only=True, data_only=False)
    values = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        at: list[int] = []
        pairs = zip(formulas[title].iter_rows(values_only=True), values[title].iter_rows(values_only=True))
        for number, (left, right) in enumerate(pairs, 1):
            if any(isinstance(cell, str) and cell[:1] == "=" and value is None for cell, value in zip(left, right)):
                at.append(number)
    finally:
        formulas.close()
        values.close()
    if at:
        found = _("a formula without a stored value") + rows_text(np.array(at))
        fix = _("Open the workbook in Excel and save it, or paste values.")
        raw.faults.append(Fault(raw.label, at[0], None, found, fix))


def _has_formulas(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        sheets = [name for name in archive.namelist() if name.startswith("xl/worksheets/")]
        return any(b"<f" in piece for name in sheets for piece in _overlapping(archive.open(name)))
