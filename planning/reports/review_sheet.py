"""The review sheet of lost deals: an Excel workbook for the meeting, with room to write what was decided."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from planning.deals import lostdeals, sentences, vocabulary
from planning.files import atomic_path

if TYPE_CHECKING:
    from planning.deals.workspace import PostMortem

MOST = 60
LOOK = ["deal_id", "name", "owner_id", "region", "line", "amount", "closed_date", "loss_reason", "lever",
        "now", "moved_to", "distance", "chance", "lo90", "hi90"]  # fmt: skip
RATES = {"chance", "share", "win_rate", "win_probability"}


def write_review_sheet(path: str | Path, mortem: PostMortem) -> None:
    """Writes the workbook, whole or not at all: deals to look at again, improvements, typical losses, surprises,
    needs."""
    import xlsxwriter

    with atomic_path(path) as temporary:
        options = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False,
                   "nan_inf_to_errors": False}  # fmt: skip
        book = xlsxwriter.Workbook(str(temporary), options)
        book.set_properties({"title": sentences.title(), "created": dt.datetime(2000, 1, 1)})
        for name, frame, blanks in _sheets(mortem):
            _write(book, name, frame, blanks)
        book.close()


def _sheets(mortem: PostMortem) -> list[tuple[str, pd.DataFrame, list[str]]]:
    tables, words = mortem.tables, vocabulary.sheet_words()
    look = tables["second_look"].head(MOST)
    look = look.assign(lever=[vocabulary.lever_name(name) for name in look["lever"]])
    improve = tables["levers"].assign(
        lever=[vocabulary.lever_name(name) for name in tables["levers"]["lever"]],
        owner=[vocabulary.owner_name(name) for name in tables["levers"]["owner"]],
    )
    pulled = lostdeals.every_deal(mortem.result).set_index("deal_id").loc[look["deal_id"]].reset_index()
    families = mortem.result.measured
    pulled = pulled[["deal_id", "win_probability", *families]].rename(
        columns={name: words["for_against"].format(family=vocabulary.family_name(name)) for name in families}
    )
    surprises = tables["surprises"].head(MOST)
    surprises = surprises.assign(
        strongest=[vocabulary.family_name(name) for name in surprises["strongest"]],
        weakest=[vocabulary.family_name(name) for name in surprises["weakest"]],
    )
    typical = tables["typical"].assign(
        strongest=[vocabulary.family_name(name) for name in tables["typical"]["strongest"]],
        weakest=[vocabulary.family_name(name) for name in tables["typical"]["weakest"]],
    )
    return [
        (words["look"], look[[c for c in LOOK if c in look]], [words["cause"], words["decision"], words["who"]]),
        (words["pulled"], pulled, [words["remark"]]),
        (words["improve"], improve, [words["decision"]]),
        (words["typical"], typical.rename(columns=vocabulary.family_name), [words["remark"]]),
        (words["surprises"], surprises, [words["cause"]]),
        (words["needs"], tables["needs"].head(MOST), [words["decision"]]),
    ]


def _write(book: Any, name: str, frame: pd.DataFrame, blanks: list[str]) -> None:
    headings, sheet = vocabulary.labels(), book.add_worksheet(name[:31])
    head = book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
    entry = book.add_format({"bg_color": "#fff8dc", "text_wrap": True, "valign": "top"})
    kinds = {"percent": book.add_format({"num_format": "0%"}), "date": book.add_format({"num_format": "yyyy-mm-dd"}),
             "number": book.add_format({"num_format": "#,##0.00#"}),
             "whole": book.add_format({"num_format": "#,##0"})}  # fmt: skip
    for place, column in enumerate([*frame.columns, *blanks]):
        sheet.write_string(0, place, str(headings.get(column, column)), head)
        sheet.set_column(place, place, 30 if column in blanks else 16)
    rates = RATES | ({"lo90", "hi90"} if "chance" in frame else set())
    for number, row in enumerate(frame.itertuples(index=False), 1):
        for place, (column, value) in enumerate(zip(frame.columns, row, strict=True)):
            _cell(sheet, number, place, str(column), value, kinds, rates)
        for place in range(len(frame.columns), len(frame.columns) + len(blanks)):
            sheet.write_blank(number, place, None, entry)
    sheet.set_row(0, 45)
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, max(len(frame), 1), len(frame.columns) - 1)


def _cell(sheet: Any, row: int, place: int, column: str, value: Any, kinds: dict[str, Any], rates: set[str]) -> None:
    if value is None or value is pd.NaT or value is pd.NA or value != value:
        sheet.write_blank(row, place, None)
    elif isinstance(value, dt.datetime | dt.date):
        sheet.write_datetime(row, place, pd.Timestamp(value).to_pydatetime(), kinds["date"])
    elif isinstance(value, str):
        sheet.write_string(row, place, value)
    else:
        whole = float(value).is_integer() or abs(float(value)) >= 100
        kind = "percent" if column in rates else "whole" if whole else "number"
        sheet.write_number(row, place, float(value), kinds[kind])
