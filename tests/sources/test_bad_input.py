"""Every bad input gets one clear line that names the file, the row and the way out; nothing raises a traceback."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from planning import language
from planning.cli.check import command
from planning.config import load
from planning.errors import DataError, UsageError
from planning.sources import check_all, check_table, read_frame, read_table

SALES = "ds,region,line,amount\n2026-01-01,North,Pumps,10\n2026-02-01,North,Pumps,11\n2026-03-01,North,Pumps,12\n"
DEALS = (
    "deal_id,outcome,created_date,closed_date,amount,probability\n"
    "D1,won,2026-01-01,2026-02-01,100,1\nD2,lost,2026-01-05,2026-02-09,50,0\nD3,open,2026-03-01,,70,0.4\n"
)
SPEND = "period,region,line,amount\n2026-01-01,North,Online,5\n2026-01-08,North,Online,6\n"


def workspace(folder, extra: str = "", **tables: str | bytes):
    text = '[plan]\nby = ["region", "line"]\n'
    for name, content in tables.items():
        (folder / f"{name}.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
        text += f'[sources.{name}]\npath = "{name}.csv"\n'
    (folder / "workbench.toml").write_text(text + extra, encoding="utf-8")
    return load(folder)


def said(folder, severity: str = "fault", **tables) -> str:
    result = check_all(workspace(folder, **tables))
    faults = result.faults[result.faults["severity"] == severity]
    return "\n".join(f"{f.file}|{f.row}|{f.column}|{f.found}|{f.fix}" for f in faults.itertuples())


@pytest.mark.parametrize("words", [("True", "False"), ("1", "0"), ("1.0", "0.0"), ("是", "否")])
def test_an_outcome_of_yes_and_no_is_read(tmp_path, words):
    """The third deal has no close date: it is not won, and nobody says that it is lost."""
    text = DEALS.replace("won", words[0]).replace("lost", words[1]).replace("open", words[1])
    checked = check_table("deals", workspace(tmp_path, deals=text))
    assert checked.count("fault") == 0 and checked.frame["outcome"].tolist() == ["won", "lost", "open"]
    assert [(f.row, f.column) for f in checked.faults if "read as open" in f.found] == [(4, "outcome")]


def test_an_outcome_in_unknown_words_is_asked_for_and_never_guessed(tmp_path):
    found = said(tmp_path, deals=DEALS.replace("lost", "False").replace("won", "sold"))
    assert 'which of them "sold" is: "sold" = "..."' in found and '"False" = "won"' not in found


def test_three_forms_of_dates_in_one_column_are_read_or_told(tmp_path):
    text = DEALS.replace("2026-02-01", "25.12.2026").replace("2026-02-09", "12/27/2026")
    frame = read_table("deals", workspace(tmp_path, deals=text))
    assert frame["closed_date"].dt.strftime("%Y-%m-%d").tolist()[:2] == ["2026-12-25", "2026-12-27"]
    assert frame.attrs["facts"]["dates"] == "day first, as 25.12.2026 proves; month first, as 12/27/2026 proves"
    unproven = said(tmp_path, deals=text.replace("25.12.2026", "02.03.2026"))
    assert '|2|closed_date|"02.03.2026" may be day or month first|Write such dates as 2026-12-31.' in unproven
    both = said(tmp_path, deals=text.replace("25.12.2026", "25/12/2026"))
    assert 'both "25/12/2026" and "12/27/2026" occur (and 1 more: row 3)|Write such dates as 2026-12-31.' in both
    one = said(tmp_path, deals=re.sub(r"2026-(\d\d)-(\d\d)", r"\2.\1.2026", DEALS))
    assert 'date_format = "%d.%m.%Y" or "%m.%d.%Y"' in one


def test_a_date_with_a_year_of_two_digits_is_read_or_told(tmp_path):
    text = DEALS.replace("2026-01-01", "2023-01-01").replace("2026-02-01", "29.03.23")
    frame = read_table("deals", workspace(tmp_path, deals=text))
    assert frame["closed_date"].dt.strftime("%Y-%m-%d").iloc[0] == "2023-03-29"
    assert frame.attrs["facts"]["dates"] == "day first, as 29.03.23 proves"
    unproven = said(tmp_path, deals=text.replace("29.03.23", "02.03.23"))
    assert '|2|closed_date|"02.03.23" may be day or month first' in unproven


@pytest.mark.parametrize("cell", ["31.02.2023", "1.2.3", "12.05.2023.", "2023.13.45", "45000.5.", "²³"])
def test_figures_and_points_that_are_no_date_are_told(tmp_path, cell):
    found = said(tmp_path, deals=DEALS.replace("2026-02-01", cell))
    assert f'|2|closed_date|"{cell}" is no date|Write it as 2026-12-31.' in found


@pytest.mark.parametrize("cell", ["45000", "45000.5"])
def test_excels_number_of_a_day_is_recognised(tmp_path, cell):
    assert "It looks like Excel's number of a day" in said(tmp_path, deals=DEALS.replace("2026-02-01", cell))


FAULTS = {
    "an empty file": ("sales", b"", "the file is empty"),
    "blank lines only": ("sales", b"\n\n", "blank lines only"),
    "header only": ("sales", "ds,region,line,amount\n", "has a header but no rows"),
    "a renamed column": ("sales", SALES.replace("amount", "ammount"), "Did you mean 'ammount'?"),
    "a word in a number": ("sales", SALES.replace(",11\n", ",eleven\n"), 'sales.csv|3|amount|"eleven" is no number'),
    "one decimal comma among points": ("sales", SALES.replace(",11\n", ',"1.234,56"\n').replace(",12\n", ",12.5\n"),
                                       'both "1.234,56" and "12.5" occur'),
    "day or month first": ("sales", SALES.replace("2026-01-01", "02/03/2026"), "may be day or month first"),
    "a repeated key": ("sales", SALES + "2026-01-01,North,Pumps,10\n", "sales.csv|5|None|the key ds 2026-01-01"),
    "a key with other figures": ("sales", SALES + "2026-01-01,North,Pumps,99\n", 'sum_to = "month"'),
    "inf": ("sales", SALES.replace(",11\n", ",inf\n"), '|3|amount|"inf" is not a finite figure'),
    "1e300": ("sales", SALES.replace(",11\n", ",1e300\n"), '"1e300" is not a finite figure'),
    "NaN where a number is needed": ("sales", SALES.replace(",11\n", ",NaN\n"), "|3|amount|is empty"),
    "an empty required cell": ("sales", SALES.replace("North,Pumps,11", ",Pumps,11"), "|3|region|is empty"),
    "a formula in a number": ("sales", SALES.replace(",11\n", ",=B2*2\n"), "It is a formula: save its value instead."),
    "a formula in a key": ("sales", SALES.replace("North,Pumps,11", "=A1,Pumps,11"), '"=A1" is a formula'),
    "an unknown currency": ("sales", SALES.replace("amount", "amount,currency").replace(",11\n", ",11,XYZ\n")
                            .replace(",10\n", ",10,EUR\n").replace(",12\n", ",12,EUR\n"), 'currency "XYZ" has no rate'),
    "mixed units": ("sales", SALES.replace(",11\n", ",11k\n"), "mixed units"),
    "mixed currencies": ("sales", SALES.replace(",11\n", ",€11\n").replace(",12\n", ",$12\n"), "mixed currencies"),
    "a row too short": ("sales", SALES + "2026-04-01,North\n", "sales.csv|5|None|2 cells where the header has 4"),
    "an impossible year": ("sales", SALES.replace("2026-01-01", "2926-01-01"), "is no date"),
    "closed before created": ("deals", DEALS.replace("2026-02-01,100", "2025-12-31,100"),
                              "closed before it was created: 2026-01-01 to 2025-12-31"),
    "a negative probability": ("deals", DEALS.replace("0.4", "-0.4"), "-0.4 is outside 0 to 1"),
    "probabilities on two scales": ("deals", DEALS.replace(",1\n", ",80\n"), "values of 0 to 1 and of 0 to 100"),
    "an unknown outcome": ("deals", DEALS.replace("D2,lost", "D2,losst"), "[sources.deals.values.outcome]"),
    "a negative amount of a deal": ("deals", DEALS.replace(",50,", ",-50,"), "-50 is outside >=0"),
    "a repeated deal": ("deals", DEALS + "D1,won,2026-01-01,2026-02-01,100,1\n", "the key deal_id D1 stands in row 2"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_one_clear_line(name, tmp_path):
    table, content, expected = FAULTS[name]
    text = said(tmp_path, **{table: content})
    assert expected in text
    assert "Traceback" not in text


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_said_in_chinese_too(name, tmp_path):
    table, content, _expected = FAULTS[name]
    with language.use("zh"):
        result = check_all(workspace(tmp_path, **{table: content}))
    for fault in result.faults.itertuples():
        assert re.search("[\u4e00-\u9fff]", fault.found), fault.found
        assert re.search("[\u4e00-\u9fff]", fault.fix), fault.fix


def test_an_unknown_region_in_spend_names_the_nearest(tmp_path):
    text = said(tmp_path, sales=SALES, spend=SPEND.replace("2026-01-08,North", "2026-01-08,Nort"))
    assert '"Nort" is not in sales.region' in text
    assert "Did you mean 'North'?" in text


def test_percents_are_recognised_and_said(tmp_path):
    content = DEALS.replace(",1\n", ",100\n").replace("0.4", "40")
    assert "read as percents (0 to 100)" in said(tmp_path, "warning", deals=content)
    assert read_table("deals", load(tmp_path))["probability"].tolist() == [1.0, 0.0, 0.4]


def test_a_decimal_comma_in_the_whole_column_is_read_and_said(tmp_path):
    text = "ds;region;line;amount\n2026-01-01;North;Pumps;1.234,56\n2026-02-01;North;Pumps;2.000,00\n"
    checked = check_table("sales", workspace(tmp_path, sales=text))
    assert checked.frame["amount"].tolist() == [1234.56, 2000.0]
    assert checked.facts["decimal"] == "comma, as in 1.234,56"
    assert checked.facts["delimiter"] == "semicolon"


def test_a_wrong_delimiter_names_the_right_one(tmp_path):
    workspace(tmp_path, sales=SALES)
    (tmp_path / "workbench.toml").write_text('[sources.sales]\npath = "sales.csv"\ndelimiter = ";"\n')
    text = check_all(load(tmp_path)).faults.iloc[0]
    assert "one column" in text["found"]
    assert "delimiter = ','" in text["fix"]


def test_nan_text_is_counted(tmp_path):
    content = DEALS.replace("100,1\n", "100,NaN\n")
    assert "1 cell says NaN" in said(tmp_path, "warning", deals=content)


def test_faults_of_all_tables_come_at_once(tmp_path):
    bad_sales, bad_spend = SALES.replace(",11\n", ",x\n"), SPEND.replace(",5", ",y")
    result = check_all(workspace(tmp_path, sales=bad_sales, deals=DEALS.replace("0.4", "-1"), spend=bad_spend))
    assert set(result.faults["table"]) == {"sales", "deals", "spend"}
    assert result.counts["faults"] == 3
    assert not result.ok


def test_missing_files_exit_2_and_wrong_contents_1(tmp_path):
    workspace(tmp_path, sales=SALES.replace(",11\n", ",x\n"))
    run = CliRunner().invoke(command, ["--config", str(tmp_path / "workbench.toml")])
    assert run.exit_code == 1
    assert 'fault: sales.csv, row 3, column amount: "x" is no number.' in run.stderr
    (tmp_path / "sales.csv").rename(tmp_path / "sale.csv")
    run = CliRunner().invoke(command, ["--config", str(tmp_path / "workbench.toml")])
    assert run.exit_code == 2
    assert "sources.sales.path" in run.stderr
    assert "Did you mean 'sale.csv'?" in run.stderr


@pytest.mark.parametrize("name", ["nothing.csv", "folder.csv", "table.xls", "table.pdf", "no/folder/x.csv"])
def test_what_is_no_readable_file_exits_2(name, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    for suffix in ("xls", "pdf"):
        (tmp_path / f"table.{suffix}").write_bytes(b"x")
    with pytest.raises(UsageError) as caught:
        read_frame(tmp_path / name)
    assert caught.value.exit_code == 2
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["broken.xlsx", "broken.parquet"])
def test_a_damaged_file_exits_1(name, tmp_path):
    (tmp_path / name).write_bytes(b"not what the name says")
    with pytest.raises(DataError, match="damaged"):
        read_frame(tmp_path / name)


def test_an_unknown_encoding_and_a_wrong_one(tmp_path):
    (tmp_path / "a.csv").write_bytes("ds,region\n2026-01-01,M\xfcnchen\n".encode("latin-1"))
    with pytest.raises(UsageError, match="not known"):
        read_frame(tmp_path / "a.csv", encoding="utf-9")
    with pytest.raises(DataError, match="row 2: the bytes are not utf-8"):
        read_frame(tmp_path / "a.csv", encoding="utf-8")
    assert read_frame(tmp_path / "a.csv")["region"].tolist() == ["München"]


def test_read_frame_collects_faults_of_all_columns(tmp_path):
    (tmp_path / "a.csv").write_text("unique_id,ds,y\n1,02/03/2026,5\n2,2026-01-01,x\n2,2026-02-01,inf\n")
    with pytest.raises(DataError) as caught:
        read_frame(tmp_path / "a.csv", required=["unique_id"], numbers=["y"], dates=["ds"])
    assert [fault.row for fault in caught.value.faults] == [3, 4, 2]
    with pytest.raises(DataError, match="no column 'yy'. It has: unique_id, ds, y. Did you mean 'y'?"):
        read_frame(tmp_path / "a.csv", required=["yy"])


# The peak of this process alone: what getrusage tells would hold the parent's.
MEASURE = """
import re, sys, pandas, pyarrow.csv, pyarrow.compute
from planning.config import load
from planning.sources import read_frame, check_all

def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])

before = peak()
if sys.argv[1].endswith("toml"):
    assert len(check_all(load(sys.argv[1])).frames["sales"]) == 1_300_000
else:
    read_frame(sys.argv[1], numbers=["amount"], dates=["ds"])
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
@pytest.mark.parametrize("what", ["sales.csv", "workbench.toml"])
def test_memory_stays_within_three_times_a_large_file(what, tmp_path):
    days = [f"{2021 + month // 12}-{1 + month % 12:02d}-01" for month in range(72)]
    rows = "".join(
        f"{days[i % 72]},Region {i // 72 % 2000:05d},Line {i // 144_000},{i % 977}.25,"
        f"an order of some length {i % 97} with remarks\n"
        for i in range(1_300_000)
    )
    workspace(tmp_path, sales="ds,region,line,amount,note\n" + rows)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / what)], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    libraries = 40_000_000  # what is imported on the way; a file of 300 MB stays within three times with them
    assert int(done.stdout) < 3 * (tmp_path / "sales.csv").stat().st_size + libraries


@pytest.mark.parametrize(("second", "fault"), [("7", True), ("5", False)])
def test_a_required_column_that_stands_twice_is_a_fault_when_the_two_differ(tmp_path, second, fault):
    path = tmp_path / "t.csv"
    path.write_text(f"unique_id,ds,y,y\na,2024-01-01,5,{second}\n")
    if fault:
        with pytest.raises(DataError, match="column y: the column stands twice, with different values"):
            read_frame(path, required=("unique_id", "ds", "y"))
    else:
        assert read_frame(path, required=("unique_id", "ds", "y"))["y"].tolist() == [5]


@pytest.mark.parametrize(("second", "told"), [("North", False), ("South", True)])
def test_a_column_of_a_workspace_that_stands_twice_is_told_when_the_two_differ(tmp_path, second, told):
    head = "deal_id,outcome,created_date,region,region\n"
    table = head + f"D1,won,2026-01-02,North,{second}\nD2,lost,2026-01-03,North,North\n"
    lines = said(tmp_path, "warning", deals=table)
    assert ("the column stands twice, with different values; the first one was read" in lines) is told
    assert ('[sources.deals.columns]: region = "region (2)"' in lines) is told
    declared = workspace(tmp_path, '[sources.deals.columns]\nregion = "region (2)"\n', deals=table)
    assert "stands twice" not in "".join(check_all(declared).faults["found"])
