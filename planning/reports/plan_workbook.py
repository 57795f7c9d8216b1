"""plan.xlsx: written for people to edit, read back by key.

Sheets: a summary, one a key (sums as formulas with their values), the plan (cells x months, the inputs), and a hidden
one with the version the numbers came from. Only input cells are unlocked. Reading looks at inputs alone: sums and
chances are computed again from them, formulas are never believed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planning.errors import DataError, UsageError
from planning.files import atomic_path

if TYPE_CHECKING:
    from planning.targets.plan import Plan
    from planning.targets.versions import Version
    from planning.targets.workbook import WorkbookContent

META = "_plan"
HEADER = 3  # 0-based row of the headings on the plan sheet
ID_HEADING = "unique_id"
INK, MUTED, PLAN, INPUT, RULE = "#1a2430", "#566170", "#1b5e9b", "#fff8dc", "#c9d1d9"


def write_workbook(path: str | Path, content: WorkbookContent) -> None:
    """Writes the workbook, whole or not at all; the same plan gives the same bytes."""
    import xlsxwriter

    with atomic_path(path) as temporary:
        options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        book = xlsxwriter.Workbook(str(temporary), options)
        book.set_properties({"title": content.title, "created": dt.datetime(2000, 1, 1)})
        book.set_custom_property("plan_id", content.meta["plan_id"])
        style = _Styles(book, content.digits)
        columns = _Columns(content)
        _summary(book, content, style)
        for name, key, frame in content.margins:
            _margin(book, content, style, columns, name, key, frame)
        _plan(book, content, style, columns)
        _meta(book, content)
        book.close()


def writer(plan: Plan, version: Version) -> Callable[[Path], None]:
    """Returns the function that writes the workbook of a plan in the current language to a path."""
    from planning.targets.workbook import workbook_content

    content = workbook_content(plan, version)
    return lambda path: write_workbook(path, content)


class _Styles:
    """The formats of the workbook."""

    def __init__(self, book: Any, digits: int):
        money = "#,##0" + ("." + "0" * digits if digits else "")
        base = {"font_name": "Calibri", "font_size": 11, "font_color": INK}
        head = base | {"bold": True, "bottom": 1, "bottom_color": RULE, "text_wrap": True, "valign": "bottom"}
        total = base | {"bold": True, "top": 1, "top_color": INK}

        def make(**changes: Any) -> Any:
            return book.add_format(base | changes)

        self.title = make(bold=True, font_size=16)
        self.lede = make(font_color=MUTED, text_wrap=True, valign="top")
        self.help = make(font_color=PLAN)
        self.text = make()
        self.wrapped = make(text_wrap=True, valign="top")
        self.label = make(font_color=MUTED)
        self.head = book.add_format(head)
        self.head_right = book.add_format(head | {"align": "right"})
        self.money = make(num_format=money)
        self.whole = make(num_format="#,##0")  # sums are read in whole units; the cents are in the cell
        self.total_whole = book.add_format(total | {"num_format": "#,##0"})
        self.percent = make(num_format="0 %")
        self.signed = make(num_format="+0.0 %;-0.0 %;0.0 %")
        self.input = make(num_format=money, bg_color=INPUT, locked=False)
        self.input_text = make(bg_color=INPUT, locked=False)
        self.locked = make(num_format=money, font_color=MUTED)
        self.total = book.add_format(total)
        self.total_money = book.add_format(total | {"num_format": money})
        self.total_signed = book.add_format(total | {"num_format": "+0.0 %;-0.0 %;0.0 %"})
        self.total_percent = book.add_format(total | {"num_format": "0 %"})


class _Columns:
    """Where things stand on the plan sheet."""

    def __init__(self, content: WorkbookContent):
        k = len(content.keys)
        self.first_key, self.last_year, self.expected, self.chance, self.growth = 1, k + 1, k + 2, k + 3, k + 4
        self.target, self.new_target, self.first_month = k + 5, k + 6, k + 7
        self.last_month = self.first_month + len(content.month_names) - 1
        self.reason = self.last_month + 1
        self.top, self.bottom = HEADER + 1, HEADER + len(content.cells)


def _name(sheet: str) -> str:
    return "".join(" " if c in "[]:*?/\\" else c for c in sheet)[:31]


def _width(values: Any, least: float = 9) -> float:
    """Returns a column width that shows its longest value; a Chinese character takes two places."""
    longest = max((sum(2 if ord(c) > 0x2E80 else 1 for c in str(value)) for value in values), default=0)
    return min(max(least, longest + 2), 44)


def _protected(sheet: Any) -> None:
    sheet.protect(
        "", {"select_locked_cells": True, "format_columns": True, "format_rows": True, "sort": True, "autofilter": True}
    )
    sheet.set_landscape()
    sheet.set_paper(8)
    sheet.set_margins(0.4, 0.4, 0.5, 0.5)
    sheet.set_footer("&L&A&R&P / &N")
    sheet.fit_to_pages(1, 0)
    sheet.hide_gridlines(2)


def _summary(book: Any, content: WorkbookContent, style: _Styles) -> None:
    sheet = book.add_worksheet(_name(content.labels["summary"]))
    sheet.set_column(0, 0, _width([label for label, _, _ in content.facts], 24))
    sheet.set_column(1, 1, 22)
    sheet.set_column(2, 6, 14)
    sheet.set_row(0, 46)
    sheet.merge_range(
        0,
        0,
        0,
        6,
        content.title,
        book.add_format({"bold": True, "font_size": 16, "text_wrap": True, "valign": "vcenter", "font_color": INK}),
    )
    sheet.set_row(1, 34)
    sheet.merge_range(1, 0, 1, 6, content.lede, style.lede)
    sheet.write_string(2, 0, content.labels["unit"], style.label)
    kinds = {"money": style.money, "percent": style.percent, "signed": style.signed}
    for row, (label, value, kind) in enumerate(content.facts, start=4):
        sheet.write_string(row, 0, label, style.label)
        if kind in kinds and isinstance(value, int | float) and value == value:
            sheet.write_number(row, 1, value, kinds[kind])
        elif kind in kinds:
            sheet.write_string(row, 1, "–", style.text)
        else:
            sheet.merge_range(row, 1, row, 6, str(value), style.wrapped)
            sheet.set_row(row, 32 if len(str(value)) > 90 else 16)
    sheet.write_string(len(content.facts) + 5, 0, content.labels["help"], style.help)
    _protected(sheet)


def _margin(book, content: WorkbookContent, style: _Styles, at: _Columns, name: str, key: str, frame: Any) -> None:
    """One key: sums by its values, for the year, each month and each quarter, as formulas over the plan sheet."""
    labels, sheet = content.labels, book.add_worksheet(_name(name))
    own = content.key_names[content.keys.index(key)]
    facts = [labels[word] for word in ("last_year", "expected", "target", "growth", "chance")]
    sheet.write_string(0, 0, f"{name} · {labels['unit']}", style.title)
    for column, text in enumerate([own, *facts, *content.month_names, *content.quarter_names]):
        sheet.write_string(HEADER, column, text, style.head if column == 0 else style.head_right)
    group = content.cells[key].astype(str).to_numpy()
    for row, line in enumerate(frame.to_dict("records"), start=HEADER + 1):
        months = content.months[group == str(line[key])].sum(axis=0)
        _margin_row(sheet, row, line, key, months, content, style, at)
    _margin_total(sheet, frame, content, style)
    columns = 6 + len(content.month_names) + len(content.quarter_names)
    sheet.set_column(0, 0, _width([*frame[key], own], 12))
    sheet.set_column(1, columns - 1, _width([f"{frame['target'].sum():,.0f}"], 11))
    sheet.freeze_panes(HEADER + 1, 1)
    sheet.repeat_rows(HEADER)
    _protected(sheet)


def _margin_row(sheet, row: int, line: dict, key: str, months: Any, content, style: _Styles, at: _Columns) -> None:
    from xlsxwriter.utility import xl_col_to_name

    plan = "'" + _name(content.labels["plan"]).replace("'", "''") + "'"
    letter = xl_col_to_name(at.first_key + content.keys.index(key))
    names = f"{plan}!${letter}${at.top + 1}:${letter}${at.bottom + 1}"
    unit = 10**content.digits
    sheet.write_string(row, 0, str(line[key]), style.text)
    sheet.write_number(row, 1, round(line["last_year"], content.digits), style.whole)
    sheet.write_number(row, 2, round(line["expected"], content.digits), style.whole)
    _sum_if(sheet, row, 3, plan, names, at.target, at, int(months.sum()) / unit, style.whole)
    growth = line["growth"] if line["growth"] == line["growth"] else ""
    sheet.write_formula(row, 4, f'=IF(B{row + 1}>0,D{row + 1}/B{row + 1}-1,"")', style.signed, growth)
    sheet.write_number(row, 5, line["attainment_probability"], style.percent)
    for month, value in enumerate(months):
        _sum_if(sheet, row, 6 + month, plan, names, at.first_month + month, at, int(value) / unit, style.whole)
    _quarters(sheet, row, months, content, style.whole)


def _margin_total(sheet, frame: Any, content: WorkbookContent, style: _Styles) -> None:
    from xlsxwriter.utility import xl_rowcol_to_cell

    last, unit = HEADER + len(frame), 10**content.digits
    months = content.months.sum(axis=0)
    values = {1: float(frame["last_year"].sum()), 2: float(frame["expected"].sum()), 3: int(months.sum()) / unit}
    values |= {6 + month: int(value) / unit for month, value in enumerate(months)}
    sheet.write_string(last + 1, 0, content.labels["total"], style.total)
    for column, value in values.items():
        span = f"{xl_rowcol_to_cell(HEADER + 1, column)}:{xl_rowcol_to_cell(last, column)}"
        sheet.write_formula(last + 1, column, f"=SUM({span})", style.total_whole, round(value, content.digits))
    growth = values[3] / values[1] - 1 if values[1] > 0 else ""
    sheet.write_formula(last + 1, 4, f'=IF(B{last + 2}>0,D{last + 2}/B{last + 2}-1,"")', style.total_signed, growth)
    sheet.write_blank(last + 1, 5, None, style.total)
    _quarters(sheet, last + 1, months, content, style.total_whole)


def _quarters(sheet, row: int, months: Any, content: WorkbookContent, style: Any) -> None:
    from xlsxwriter.utility import xl_rowcol_to_cell

    for quarter in range(len(content.quarter_names)):
        span = f"{xl_rowcol_to_cell(row, 6 + 3 * quarter)}:{xl_rowcol_to_cell(row, 8 + 3 * quarter)}"
        value = int(months[3 * quarter : 3 * quarter + 3].sum()) / 10**content.digits
        sheet.write_formula(row, 6 + len(months) + quarter, f"=SUM({span})", style, value)


def _sum_if(sheet, row, column, plan, names, source, at, value, style) -> None:
    from xlsxwriter.utility import xl_col_to_name

    letter = xl_col_to_name(source)
    area = f"{plan}!${letter}${at.top + 1}:${letter}${at.bottom + 1}"
    sheet.write_formula(row, column, f"=SUMIF({names},$A{row + 1},{area})", style, float(value))


def _plan(book: Any, content: WorkbookContent, style: _Styles, at: _Columns) -> None:
    labels, sheet = content.labels, book.add_worksheet(_name(content.labels["plan"]))
    sheet.write_string(0, 1, f"{labels['plan']} · {labels['unit']}", style.title)
    sheet.write_string(1, 1, labels["help"], style.help)
    heads = [
        ID_HEADING,
        *content.key_names,
        labels["last_year"],
        labels["expected"],
        labels["chance"],
        labels["growth"],
        labels["target"],
        labels["new_target"],
        *content.month_names,
        labels["reason"],
    ]
    for column, text in enumerate(heads):
        words = column <= len(content.keys) or column == at.reason
        sheet.write_string(HEADER, column, text, style.head if words else style.head_right)
    for row, line in enumerate(content.cells.to_dict("records"), start=at.top):
        _plan_row(sheet, row, line, content, style, at)
    _plan_total(sheet, content, style, at)
    check = {
        "validate": "decimal",
        "criteria": ">=",
        "value": 0,
        "error_message": labels["refused"],
        "ignore_blank": True,
    }
    sheet.data_validation(at.top, at.new_target, at.bottom, at.last_month, check)
    total = content.months.sum() / 10**content.digits
    sheet.set_column(0, 0, None, None, {"hidden": True})
    for position, key in enumerate(content.keys):
        sheet.set_column(1 + position, 1 + position, _width([*content.cells[key], content.key_names[position]], 10))
    sheet.set_column(at.last_year, at.last_month, _width([f"{total:,.{content.digits}f}"], 11))
    sheet.set_column(at.chance, at.growth, 9)
    sheet.set_column(at.reason, at.reason, 34)
    sheet.freeze_panes(HEADER + 1, 1 + len(content.keys))
    sheet.repeat_rows(HEADER)
    _protected(sheet)


def _plan_row(sheet: Any, row: int, line: dict, content: WorkbookContent, style: _Styles, at: _Columns) -> None:
    from xlsxwriter.utility import xl_rowcol_to_cell

    minor = content.months[row - at.top]
    unit = 10**content.digits
    sheet.write_string(row, 0, line["unique_id"], style.text)
    for position, key in enumerate(content.keys):
        sheet.write_string(row, 1 + position, str(line[key]), style.text)
    sheet.write_number(row, at.last_year, round(line["last_year"], content.digits), style.money)
    sheet.write_number(row, at.expected, round(line["expected"], content.digits), style.money)
    sheet.write_number(row, at.chance, line["attainment_probability"], style.percent)
    target, base = xl_rowcol_to_cell(row, at.target), xl_rowcol_to_cell(row, at.last_year)
    growth = line["growth"]
    sheet.write_formula(
        row, at.growth, f'=IF({base}>0,{target}/{base}-1,"")', style.signed, growth if growth == growth else ""
    )
    span = f"{xl_rowcol_to_cell(row, at.first_month)}:{xl_rowcol_to_cell(row, at.last_month)}"
    sheet.write_formula(row, at.target, f"=SUM({span})", style.money, int(minor.sum()) / unit)
    editable = style.locked if line["locked"] else style.input
    if line["locked"]:
        sheet.write_string(row, at.new_target, content.labels["locked"], style.label)
    else:
        sheet.write_blank(row, at.new_target, None, style.input)
    for month, value in enumerate(minor):
        sheet.write_number(row, at.first_month + month, int(value) / unit, editable)
    sheet.write_blank(row, at.reason, None, style.text if line["locked"] else style.input_text)


def _plan_total(sheet: Any, content: WorkbookContent, style: _Styles, at: _Columns) -> None:
    from xlsxwriter.utility import xl_rowcol_to_cell

    row, unit = at.bottom + 1, 10**content.digits
    sheet.write_string(row, 1, content.labels["total"], style.total)
    sums = content.months.sum(axis=0)
    values = {
        at.last_year: content.cells["last_year"].sum(),
        at.expected: content.cells["expected"].sum(),
        at.target: int(sums.sum()) / unit,
    }
    values |= {at.first_month + month: int(value) / unit for month, value in enumerate(sums)}
    for column, value in values.items():
        span = f"{xl_rowcol_to_cell(at.top, column)}:{xl_rowcol_to_cell(at.bottom, column)}"
        sheet.write_formula(row, column, f"=SUM({span})", style.total_money, round(float(value), content.digits))


def _meta(book: Any, content: WorkbookContent) -> None:
    sheet = book.add_worksheet(META)
    for row, (name, value) in enumerate(content.meta.items()):
        sheet.write_string(row, 0, name)
        sheet.write_string(row, 1, value)
    own = {"sheet": _name(content.labels["plan"]), "total": content.labels["total"]}
    for row, (name, value) in enumerate(own.items(), start=len(content.meta)):
        sheet.write_string(row, 0, name)
        sheet.write_string(row, 1, value)
    sheet.very_hidden()
    sheet.protect("")


@dataclass(frozen=True)
class Edits:
    """The inputs of a workbook as found: `meta`, and one dict a row (`row, id, keys, months, new_target, reason`)."""

    path: str
    meta: dict[str, str]
    rows: list[dict[str, Any]] = field(default_factory=list)
    sums_edited: int = 0


def read_workbook(path: str | Path) -> Edits:
    """Reads the inputs of a plan.xlsx as they stand; nothing is judged here.

    Formulas come as their text. Raises UsageError for a missing file or a folder, DataError for a file that is no
    workbook of a plan.
    """
    import openpyxl

    path = Path(path)
    if path.is_dir():
        raise UsageError(f"{path}: is a folder, a workbook is meant. Name the plan.xlsx in it.")
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file. Name a plan.xlsx written by 'planning targets'.")
    try:
        book = openpyxl.load_workbook(path, read_only=True)
        sheets = {sheet.title: [list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets}
        book.close()
    except Exception as error:
        raise DataError(f"{path}: is no Excel workbook that can be read. Save it as .xlsx again.") from error
    if META not in sheets:
        raise DataError(
            f"{path}: the hidden sheet '{META}' is missing, so its version is unknown. Export the plan again."
        )
    meta = {str(row[0]): str(row[1]) for row in sheets[META] if len(row) > 1 and row[0] is not None}
    rows = sheets.get(meta.get("sheet", ""))
    head = next((i for i, row in enumerate(rows or []) if row and row[0] == ID_HEADING), None)
    if rows is None or head is None or "plan_id" not in meta or "keys" not in meta:
        raise DataError(
            f"{path}: the plan's sheet or its hidden column '{ID_HEADING}' is missing. Export the plan again."
        )
    return _edits(str(path), meta, rows, head)


def _edits(path: str, meta: dict[str, str], rows: list[list[Any]], head: int) -> Edits:
    k = len(meta["keys"].split("|"))
    months = 12
    found, edited = [], 0
    for number, row in enumerate(rows[head + 1 :], start=head + 2):
        row = [*row, *[None] * (k + 8 + months - len(row))]
        if row[0] is None and (row[1] is None or str(row[1]) == meta.get("total")):
            continue  # the line of totals, and notes below it
        total = row[k + 5]
        edited += not (isinstance(total, str) and total.startswith("="))
        found.append(
            {
                "row": number,
                "id": row[0],
                "keys": tuple(row[1 : k + 1]),
                "new_target": row[k + 6],
                "months": row[k + 7 : k + 7 + months],
                "reason": row[k + 7 + months],
            }
        )
    return Edits(path, meta, found, edited)
