"""The Excel entry template: one sheet a table, with the fields' types, choices and meanings, read back without loss.

Identifiers and texts are formatted as text, so Excel keeps `00123`; choices are lists; numbers and dates are checked
while they are typed; the meaning stands as a comment at each column's head. The bytes repeat.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from planning.errors import UsageError
from planning.files import atomic_path
from planning.tables.dictionary import ordered_tables
from planning.tables.schema import NUMERIC, Field, fields

ROWS = 2000  # rows of each sheet that carry formats and checks
CREATED = dt.datetime(2026, 1, 1)
FORMATS = {
    "money": "#,##0.00", "number": "#,##0.####", "rate": "0.0%", "integer": "0", "date": "yyyy-mm-dd",
    "timestamp": "yyyy-mm-dd hh:mm",
}  # fmt: skip
READ_ME = (
    ("How to fill it in", "如何填写"),
    ("One sheet a table; delete sheets you do not need. Fields with a dark head must be filled in.",
     "每张表一个工作表；不需要的可以删除。深色表头的字段必填。"),
    ("Point workbench.toml at this file: [sources.sales] path = \"data/raw/entry_template.xlsx\", sheet = \"sales\".",
     "在 workbench.toml 中指向本文件：[sources.sales] path = \"data/raw/entry_template.xlsx\"，sheet = \"sales\"。"),
    ("Write rates as percents (Excel shows 55.0% and keeps 0.55), dates as dates, identifiers as they are (00123).",
     "比率按百分比填写，日期用日期格式，编号照原样填写（00123）。"),
)  # fmt: skip


def write_entry_template(path: str | Path, tables: Sequence[str] = ()) -> dict[str, Any]:
    """Writes the template for `tables` (all, when none is named) to an .xlsx file; returns what was written.

    Raises UsageError for another suffix, an unknown table or a missing folder.
    """
    import xlsxwriter

    path = Path(path)
    if path.suffix.lower() != ".xlsx":
        raise UsageError(f"{path}: the template is an Excel workbook. Name an .xlsx file.")
    names = list(tables) or ordered_tables()
    chosen = {name: fields(name) for name in names}
    with atomic_path(path) as temporary:
        book = xlsxwriter.Workbook(str(temporary), {"strings_to_formulas": False, "default_date_format": "yyyy-mm-dd"})
        book.set_properties({"title": "Entry template", "created": CREATED})
        styles = _styles(book)
        _read_me(book, styles, chosen)
        for name, table in chosen.items():
            _sheet(book, styles, name, table)
        book.close()
    return {"path": str(path), "sheets": len(names), "fields": sum(len(table) for table in chosen.values())}


def _styles(book: Any) -> dict[str, Any]:
    base = {"bold": True, "border": 1, "border_color": "#c9d1d9", "valign": "top", "text_wrap": True}
    styles = {
        "needed": book.add_format({**base, "bg_color": "#1b5e9b", "font_color": "#ffffff"}),
        "free": book.add_format({**base, "bg_color": "#e9edf1"}),
        "wrap": book.add_format({"text_wrap": True, "valign": "top"}),
        "bold": book.add_format({"bold": True}),
        "text": book.add_format({"num_format": "@"}),
    }
    return styles | {kind: book.add_format({"num_format": code}) for kind, code in FORMATS.items()}


def _read_me(book: Any, styles: dict[str, Any], chosen: dict[str, Sequence[Field]]) -> None:
    sheet = book.add_worksheet("read me")
    sheet.set_column(0, 1, 60)
    for row, (english, chinese) in enumerate(READ_ME):
        style = styles["bold"] if row == 0 else styles["wrap"]
        sheet.write_string(row, 0, english, style)
        sheet.write_string(row, 1, chinese, style)
    sheet.write_string(len(READ_ME) + 1, 0, "Sheets: " + ", ".join(chosen), styles["wrap"])


def _sheet(book: Any, styles: dict[str, Any], name: str, table: Sequence[Field]) -> None:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    for column, field in enumerate(table):
        style = styles.get(field.type, styles["text"])
        sheet.set_column(column, column, max(12, len(field.name) + 4), style)
        sheet.write_string(0, column, field.name, styles["needed" if field.required else "free"])
        unit = f" [{field.unit}]" if field.unit else ""
        sheet.write_comment(0, column, f"{field.description_en}{unit}\n{field.description_zh}", {"x_scale": 2})
        rule = _rule(field)
        if rule:
            sheet.data_validation(1, column, ROWS, column, rule)


def _rule(field: Field) -> dict[str, Any] | None:
    """Returns Excel's check for a field while it is typed; None where any text will do."""
    stop = {"error_title": field.name, "error_message": field.description_en[:255]}
    if field.type == "choice":
        return {"validate": "list", "source": list(field.choices), **stop}
    if field.type == "flag":
        return {"validate": "list", "source": ["true", "false"], **stop}
    if field.type in ("date", "timestamp"):
        return {"validate": "date", "criteria": ">=", "value": dt.date(1950, 1, 1), **stop}
    if field.type in NUMERIC:
        low, high, _open = field.bounds
        if high != float("inf"):
            return {"validate": "decimal", "criteria": "between", "minimum": low, "maximum": high, **stop}
        return {"validate": "decimal", "criteria": ">=", "value": max(low, -1e15), **stop}
    return None
