"""budget.xlsx: the proposal for people who plan in a workbook, exact to the cent.

Sheets: what it says (figures, certificate and version), lines, regions and lines, the year by region, category and
quarter and by line, what the target needs in people, material and cash, and what changed since the version before.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planning.budget import sentences, year_sentences
from planning.files import atomic_path

if TYPE_CHECKING:
    import pandas as pd

    from planning.budget.ahead import YearAhead
    from planning.budget.regional import RegionalBudget
    from planning.budget.versions import Version

MONEY, RATIO = "#,##0.00;[Red]-#,##0.00", "0.00"
MONEY_COLUMNS = {"now", "proposed", "change", "q1", "q2", "q3", "q4", "year", "outlay", "before", "after"}
WIDE = 31  # letters a sheet's name may have


def writer(
    budget: RegionalBudget, year: YearAhead, version: Version, changes: pd.DataFrame, currency: str
) -> Callable[[Path], None]:
    """Returns what writes the workbook of a proposal and its year to a path."""
    return lambda path: write_budget(path, budget, year, version, changes, currency)


def write_budget(
    path: str | Path, budget: RegionalBudget, year: YearAhead, version: Version, changes: pd.DataFrame, currency: str
) -> None:
    """Writes the workbook, whole or not at all; the same proposal gives the same bytes."""
    import xlsxwriter

    words = sentences.labels() | {"lo": sentences.labels()["return_lo"], "hi": sentences.labels()["return_hi"]}
    words |= year_sentences.labels()
    with atomic_path(path) as temporary:
        options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        with xlsxwriter.Workbook(str(temporary), options) as book:
            book.set_properties({"title": sentences.labels()["allocation"], "created": dt.datetime(2000, 1, 1)})
            styles = {
                "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
                "money": book.add_format({"num_format": MONEY}), "ratio": book.add_format({"num_format": RATIO}),
                "total": book.add_format({"num_format": MONEY, "bold": True, "top": 1}),
                "wrap": book.add_format({"text_wrap": True}),
            }  # fmt: skip
            _summary(book, styles, budget, version, currency)
            for title, frame in _sheets(budget, year, changes, words):
                _sheet(book, styles, title, frame, words)


def _sheets(
    budget: RegionalBudget, year: YearAhead, changes: pd.DataFrame, words: dict[str, str]
) -> list[tuple[str, pd.DataFrame]]:
    """Returns the sheets after the first, by title; those without rows are left out."""
    kinds, lines = year_sentences.category_words(), year_sentences.line_words()
    table = year.table.assign(category=year.table["category"].map(kinds))
    rows = year.rows.assign(category=year.rows["category"].map(kinds), line=year.rows["line"].replace(lines))
    sheets = [
        (words["line"], worded(budget.lines.drop(columns=["chance", "follows_demand"]))),
        (sentences.labels()["cells"], worded(budget.cells.drop(columns="reason"))),
        (words["quarters"], table), (words["rows"], rows), (words["sheet_people"], year.people),
        (words["sheet_material"], year.material),
    ]  # fmt: skip
    if len(year.cash):
        cash = year.cash.assign(quarter=year.cash["quarter"].map(year_sentences.quarter_words()))
        sheets.append((words["sheet_cash"], cash))
    if len(changes):
        levels = changes["level"].map(year_sentences.level_words())
        sheets.append((words["sheet_changes"], changes.assign(level=levels)))
    return [(title, frame) for title, frame in sheets if len(frame)]


def worded(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns a table with verdicts and evidence in the reader's words."""
    return frame.assign(
        verdict=frame["verdict"].map(sentences.verdict_words()),
        evidence=frame["evidence"].map(sentences.evidence_words()),
    )


def _summary(book: Any, styles: dict[str, Any], budget: RegionalBudget, version: Version, currency: str) -> None:
    sheet = book.add_worksheet(sentences.labels()["summary"][:WIDE])
    sheet.set_column(0, 0, 100)
    told = [
        sentences.answer(budget.figures, currency), sentences.lede(budget.figures, currency),
        sentences.next_amount(budget.figures, currency), sentences.certificate(budget.figures), currency,
        year_sentences.version_named(version.plan_id, version.parent),
    ]  # fmt: skip
    for row, text in enumerate(told):
        sheet.write_string(row, 0, text, styles["wrap"])


def _sheet(book: Any, styles: dict[str, Any], title: str, frame: pd.DataFrame, words: dict[str, str]) -> None:
    """Writes one table with its sums: formulas that carry their values, so that any reader sees them."""
    from xlsxwriter.utility import xl_col_to_name

    sheet = book.add_worksheet(title[:WIDE])
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
