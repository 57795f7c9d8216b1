"""budget.xlsx: the proposal for people who plan in a workbook, exact to the cent.

Sheets: what it says (figures and the certificate), lines, regions and lines, and the year by region, category and
quarter.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planning.budget import resources, sentences
from planning.files import atomic_path

if TYPE_CHECKING:
    import pandas as pd

    from planning.budget.regional import RegionalBudget

MONEY, RATIO = "#,##0.00;[Red]-#,##0.00", "0.00"
MONEY_COLUMNS = {"now", "proposed", "change", "q1", "q2", "q3", "q4", "year"}


def writer(budget: RegionalBudget, spend_lines: pd.DataFrame | None, currency: str) -> Callable[[Path], None]:
    """Returns what writes the workbook of a proposal to a path."""
    return lambda path: write_budget(path, budget, spend_lines, currency)


def write_budget(path: str | Path, budget: RegionalBudget, spend_lines: pd.DataFrame | None, currency: str) -> None:
    """Writes the workbook, whole or not at all; the same proposal gives the same bytes."""
    import xlsxwriter

    words = sentences.labels()
    with atomic_path(path) as temporary:
        options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        with xlsxwriter.Workbook(str(temporary), options) as book:
            book.set_properties({"title": words["allocation"], "created": dt.datetime(2000, 1, 1)})
            styles = {
                "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
                "money": book.add_format({"num_format": MONEY}), "ratio": book.add_format({"num_format": RATIO}),
                "total": book.add_format({"num_format": MONEY, "bold": True, "top": 1}),
                "bold": book.add_format({"bold": True, "top": 1}), "wrap": book.add_format({"text_wrap": True}),
            }  # fmt: skip
            _summary(book, styles, budget, currency)
            _sheet(book, styles, words["line"], worded(budget.lines.drop(columns=["chance", "follows_demand"])), words)
            _sheet(book, styles, words["cells"], worded(budget.cells.drop(columns="reason")), words)
            _sheet(book, styles, words["quarters"], quarters(budget, spend_lines), words)


def quarters(budget: RegionalBudget, spend_lines: pd.DataFrame | None) -> pd.DataFrame:
    """Returns the proposal by region, category and quarter; rows add up to the cells' yearly amounts to the cent."""
    import pandas as pd

    kinds = spend_lines.set_index("line")["type"] if spend_lines is not None else pd.Series(dtype=object)
    table = resources.budget_table(budget.cells, kinds)
    return table.assign(category=table["category"].map(sentences.category_words()))


def worded(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns a table with verdicts and evidence in the reader's words."""
    return frame.assign(
        verdict=frame["verdict"].map(sentences.verdict_words()),
        evidence=frame["evidence"].map(sentences.evidence_words()),
    )


def _summary(book: Any, styles: dict[str, Any], budget: RegionalBudget, currency: str) -> None:
    sheet = book.add_worksheet(sentences.labels()["summary"][:31])
    sheet.set_column(0, 0, 100)
    told = [
        sentences.answer(budget.figures, currency), sentences.lede(budget.figures, currency),
        sentences.next_amount(budget.figures, currency), sentences.certificate(budget.figures), currency,
    ]  # fmt: skip
    for row, text in enumerate(told):
        sheet.write_string(row, 0, text, styles["wrap"])


def _sheet(book: Any, styles: dict[str, Any], title: str, frame: pd.DataFrame, words: dict[str, str]) -> None:
    """Writes one table with its sums: formulas that carry their values, so that any reader sees them."""
    from xlsxwriter.utility import xl_col_to_name

    sheet = book.add_worksheet(title[:31])
    sheet.freeze_panes(1, 0)
    for column, name in enumerate(frame.columns):
        sheet.set_column(column, column, 16)
        sheet.write_string(0, column, words.get(name, name), styles["head"])
        for row, value in enumerate(frame[name], start=1):
            if isinstance(value, str):
                sheet.write_string(row, column, value)
            elif value == value:
                sheet.write_number(row, column, float(value), styles["money" if name in MONEY_COLUMNS else "ratio"])
        if name in MONEY_COLUMNS:
            letter, cents = xl_col_to_name(column), int((frame[name] * 100).round().sum())
            formula = f"=SUM({letter}2:{letter}{len(frame) + 1})"
            sheet.write_formula(len(frame) + 1, column, formula, styles["total"], cents / 100)
