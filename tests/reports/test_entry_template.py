"""The Excel entry template: every field once, checks while typing, and typed rows read back without loss."""

from __future__ import annotations

import datetime as dt

import openpyxl
import pytest

from planning.config import load
from planning.errors import UsageError
from planning.reports.entry_template import write_entry_template
from planning.sources import check_table, read_table
from planning.tables import fields, table_names


def test_every_table_and_field_has_its_place(tmp_path):
    done = write_entry_template(tmp_path / "t.xlsx")
    workbook = openpyxl.load_workbook(tmp_path / "t.xlsx")
    assert set(workbook.sheetnames) == {"read me", *table_names()}
    for name in table_names():
        head = [cell.value for cell in workbook[name][1]]
        assert head == [field.name for field in fields(name)]
        assert all(cell.comment for cell in workbook[name][1])
    assert done["sheets"] == len(table_names())


def test_choices_are_lists_and_identifiers_are_text(tmp_path):
    write_entry_template(tmp_path / "t.xlsx", ["deals"])
    sheet = openpyxl.load_workbook(tmp_path / "t.xlsx")["deals"]
    rules = [rule for rule in sheet.data_validations.dataValidation if rule.type == "list"]
    assert any(rule.formula1 == '"won,lost,no_decision,open"' for rule in rules)
    assert sheet.column_dimensions["A"].width > 8


def test_typed_rows_read_back_exactly(tmp_path):
    write_entry_template(tmp_path / "t.xlsx", ["deals"])
    workbook = openpyxl.load_workbook(tmp_path / "t.xlsx")
    sheet = workbook["deals"]
    names = [cell.value for cell in sheet[1]]
    row = {
        "deal_id": "00123", "outcome": "won", "created_date": dt.date(2026, 1, 2), "closed_date": dt.date(2026, 2, 3),
        "amount": 1234.56, "probability": 0.55, "name": "=not a formula", "currency": "EUR",
    }  # fmt: skip
    for name, value in row.items():
        cell = sheet.cell(2, names.index(name) + 1, value)
        cell.data_type = "s" if isinstance(value, str) else cell.data_type
    workbook.save(tmp_path / "t.xlsx")
    (tmp_path / "workbench.toml").write_text('[sources.deals]\npath = "t.xlsx"\nsheet = "deals"\n')
    deals = read_table("deals", load(tmp_path))
    assert deals[["deal_id", "amount", "probability", "name"]].iloc[0].tolist() == [
        "00123",
        1234.56,
        0.55,
        "=not a formula",
    ]
    assert deals["created_date"].iloc[0].date() == dt.date(2026, 1, 2)


def test_an_empty_template_is_a_table_without_rows(tmp_path):
    write_entry_template(tmp_path / "t.xlsx", ["sales"])
    (tmp_path / "workbench.toml").write_text('[sources.sales]\npath = "t.xlsx"\nsheet = "sales"\n')
    with pytest.raises(Exception, match="has a header but no rows"):
        check_table("sales", load(tmp_path))


def test_the_same_template_has_the_same_bytes(tmp_path):
    write_entry_template(tmp_path / "a.xlsx", ["sales", "deals"])
    write_entry_template(tmp_path / "b.xlsx", ["sales", "deals"])
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


@pytest.mark.parametrize(("name", "tables", "text"), [
    ("t.csv", (), "Name an .xlsx file"),
    ("t.xlsx", ("sale",), "Did you mean 'sales'?"),
    ("no/folder/t.xlsx", (), "no such folder"),
])  # fmt: skip
def test_wrong_calls_say_so_and_write_nothing(name, tables, text, tmp_path):
    with pytest.raises(UsageError) as caught:
        write_entry_template(tmp_path / name, tables)
    assert text in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing_behind(tmp_path, monkeypatch):
    import xlsxwriter

    def full(self):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xlsxwriter.Workbook, "close", full)
    with pytest.raises(UsageError, match="No space left on device"):
        write_entry_template(tmp_path / "t.xlsx", ["sales"])
    assert list(tmp_path.iterdir()) == []
