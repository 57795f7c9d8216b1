"""Files as frames: encodings, delimiters, title rows, totals, merged cells, formulas; identifiers stay as written."""

from __future__ import annotations

import datetime as dt

import openpyxl
import pandas as pd
import pytest

from planning.config import load
from planning.errors import DataError, UsageError
from planning.files import write_table
from planning.sources import read_frame, read_table

TEXT = "ds{d}region{d}account_id{d}amount\n2026-01-01{d}München{d}00123{d}5\n2026-02-01{d}Düsseldorf{d}00124{d}6\n"


def put(folder, text: str, encoding: str = "utf-8", name: str = "a.csv"):
    (folder / name).write_bytes(text.encode(encoding))
    return folder / name


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_encoding_and_delimiter_are_found_and_said(encoding, delimiter, tmp_path):
    text = TEXT.replace("6\n", "6\n2026-03-01{d}Köln €{d}00125{d}7\n") if encoding == "cp1252" else TEXT
    frame = read_frame(put(tmp_path, text.format(d=delimiter), encoding))
    assert frame["region"].tolist()[:2] == ["München", "Düsseldorf"]
    assert frame["account_id"].tolist()[:2] == ["00123", "00124"]
    assert frame["amount"].tolist()[:2] == [5, 6]
    assert frame.attrs["facts"]["encoding"] == encoding


@pytest.mark.parametrize("text", ["区域,金额\n华东,5\n华南大区,6\n", "大区,金额\n华东与华北、东北,5\n"])
def test_gb18030_is_told_from_latin(text, tmp_path):
    frame = read_frame(put(tmp_path, text, "gb18030"))
    assert frame.attrs["facts"]["encoding"] == "gb18030"
    assert frame.iloc[0, 0].startswith("华东")


def test_types_of_columns_nobody_named(tmp_path):
    frame = read_frame(put(tmp_path, "day,code,n,x,words\n2026-01-01,007,1,1.5,NA\n2026-01-02,008,2,,b\n"))
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert kinds == {"day": "datetime64[us]", "code": "str", "n": "int64", "x": "float64", "words": "str"}
    assert frame["code"].tolist() == ["007", "008"]
    assert frame["words"].tolist() == ["NA", "b"]


def test_title_rows_and_an_index_column(tmp_path):
    text = "Sales report of 2026\n\n,ds,region,amount\n0,2026-01-01,North,5\n1,2026-02-01,North,6\n"
    frame = read_frame(put(tmp_path, text))
    assert frame["amount"].tolist() == [5, 6]
    assert frame.attrs["facts"]["header_row"] == 3


def test_quotes_hold_line_breaks_and_delimiters_and_rows_are_counted_as_seen(tmp_path):
    path = put(tmp_path, 'name,y\n"two\nlines",1\n"a, b",2\nc,bad\n')
    with pytest.raises(DataError) as caught:
        read_frame(path, numbers=["y"])
    assert [fault.row for fault in caught.value.faults] == [4]
    assert read_frame(put(tmp_path, 'name,y\n"two\nlines",1\n"a, b",2\n'))["name"].tolist() == ["two\nlines", "a, b"]


def test_totals_and_blank_lines_are_left_out_and_counted(tmp_path):
    text = "region,amount\nNorth,5\nSubtotal,5\n,\nSouth,6\nTotal,11\nTotalEnergies,7\n"
    frame = read_frame(put(tmp_path, text))
    assert frame["region"].tolist() == ["North", "South", "TotalEnergies"]
    assert dict(frame.attrs["left_out"]) == {"blank lines": 1, "lines of totals": 2}


def test_parquet_and_csv_give_the_same_frame(tmp_path):
    days = pd.to_datetime(["2026-01-01", "2026-02-01"])
    frame = pd.DataFrame({"unique_id": ["001", "002"], "ds": days, "y": [1.5, None]})
    for name in ("a.csv", "a.parquet"):
        write_table(tmp_path / name, frame)
    one, two = (read_frame(tmp_path / name, numbers=["y"], dates=["ds"]) for name in ("a.csv", "a.parquet"))
    pd.testing.assert_frame_equal(one, two)


def book(path, rows, *, merge=(), sheet="Data", before=()):
    workbook = openpyxl.Workbook()
    workbook.active.title = before[0] if before else sheet
    target = workbook.create_sheet(sheet) if before else workbook.active
    for row in rows:
        target.append(row)
    for cells in merge:
        target.merge_cells(cells)
    workbook.save(path)
    return path


def test_excel_with_title_rows_merged_cells_and_totals(tmp_path):
    rows = [
        ["Sales 2026"], [], ["Month", "Region", "Product line", "Revenue"],
        [dt.date(2026, 1, 1), "North", "Pumps", 10], [dt.date(2026, 1, 1), None, "Valves", 20],
        [dt.date(2026, 1, 1), "South", "Pumps", 30], ["Total", None, None, 60],
    ]  # fmt: skip
    book(tmp_path / "a.xlsx", rows, merge=["A1:D1", "B4:B5"], before=("Cover",))
    (tmp_path / "workbench.toml").write_text('[plan]\nby = ["region", "line"]\n[sources.sales]\npath = "a.xlsx"\n')
    sales = read_table("sales", load(tmp_path))
    assert sales["region"].tolist() == ["North", "North", "South"]
    assert sales["amount"].sum() == 60
    assert sales.attrs["facts"]["sheet"] == "Data"
    assert sales.attrs["left_out"] == [("lines of totals", 1)]


def test_a_grouped_salesforce_report_in_excel_is_filled_down(tmp_path):
    rows = [
        ["Opportunities"], ["As of 2026-03-01"], [],
        ["Stage  ↑", "Opportunity ID", "Amount", "Created Date", "Closed", "Won"],
        ["Closed Won", "006A", 5, dt.date(2026, 1, 1), 1, 1], [None, "006B", 6, dt.date(2026, 1, 2), 1, 1],
        ["Subtotal", None, 11, None, None, None], ["Proposal", "006C", 7, dt.date(2026, 1, 3), 0, 0],
        ["Subtotal", None, 7, None, None, None], ["Total", None, 18, None, None, None],
        ["Confidential Information - Do Not Distribute"],
    ]  # fmt: skip
    frame = read_frame(book(tmp_path / "a.xlsx", rows))
    assert frame["Stage"].tolist() == ["Closed Won", "Closed Won", "Proposal"]
    assert frame["Amount"].tolist() == [5, 6, 7]


def test_an_unknown_sheet_names_the_nearest(tmp_path):
    path = book(tmp_path / "a.xlsx", [["a", "b"], [1, 2]], sheet="Sales")
    with pytest.raises(UsageError, match="Did you mean 'Sales'?"):
        read_frame(path, sheet="Sale")
    with pytest.raises(UsageError, match="no sheet number 3"):
        read_frame(path, sheet=3)


def test_a_formula_excel_never_calculated_is_a_fault(tmp_path):
    path = book(tmp_path / "a.xlsx", [["region", "amount"], ["North", 5], ["South", "=B2*2"]])
    with pytest.raises(DataError, match="row 3: a formula without a stored value"):
        read_frame(path)


def test_identifiers_survive_excel(tmp_path):
    path = book(tmp_path / "a.xlsx", [["account_id", "amount"], ["00123", 1.5], ["00124", 2]])
    assert read_frame(path)["account_id"].tolist() == ["00123", "00124"]
    path = book(tmp_path / "b.xlsx", [["account_id", "amount"], [123, 1.5], [124, 2]])
    assert read_frame(path, text=["account_id"])["account_id"].tolist() == ["123", "124"]
