"""planning check: the sample is clean, and rules over panels and between tables find what they should."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from planning import sample
from planning.cli.check import command
from planning.config import load
from planning.sources import check_all, read_table
from planning.tables import table_names

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """A workspace over the sample company, with the shipped workbench.toml."""
    folder = tmp_path_factory.mktemp("company")
    (folder / "data").mkdir()
    sample.write(folder / "data" / "sample")
    (folder / "workbench.toml").write_bytes((ROOT / "workbench.toml").read_bytes())
    return folder


def panel(months: int = 36, regions=("North", "South", "East", "West")) -> pd.DataFrame:
    days = pd.date_range("2023-01-01", periods=months, freq="MS")
    frame = pd.MultiIndex.from_product([days, regions, ["Pumps"]], names=["ds", "region", "line"]).to_frame(index=False)
    return frame.assign(amount=1000.0 + 10 * np.arange(len(frame)) % 70)


def warnings_of(folder, sales: pd.DataFrame, **more: pd.DataFrame) -> str:
    text = '[plan]\nby = ["region", "line"]\n'
    for name, frame in {"sales": sales, **more}.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
        text += f'[sources.{name}]\npath = "{name}.csv"\n'
    (folder / "workbench.toml").write_text(text)
    faults = check_all(load(folder)).faults
    return "\n".join(f"{f.severity}|{f.table}|{f.row}|{f.found}|{f.fix}" for f in faults.itertuples())


def test_the_sample_has_no_fault_and_only_its_gaps(company):
    started = time.process_time()
    result = check_all(load(company))
    seconds = time.process_time() - started
    assert result.ok
    assert set(result.checked) == set(table_names())
    assert list(result.faults["table"]) == ["sales"]
    assert "periods are missing" in result.faults["found"].iloc[0]
    assert seconds < 3


def test_amounts_of_the_sample_are_in_one_currency(company):
    settings = load(company)
    sales, raw = read_table("sales", settings), pd.read_csv(company / "data" / "sample" / "sales.csv")
    rates = raw["currency"].map({"EUR": 1.0, "CHF": 1.05, "USD": 0.92})
    assert sales["amount"].sum() == pytest.approx((raw["amount"] * rates).sum())
    assert set(sales["currency"]) == {"EUR"}
    history, deals = read_table("stage_history", settings), read_table("deals", settings)
    first = history.drop_duplicates("deal_id").set_index("deal_id")["amount"]
    ratio = first.reindex(deals["deal_id"]).to_numpy() / deals["amount_first"].to_numpy()
    assert np.nanmedian(np.abs(ratio - 1)) < 1e-9


def test_json_has_the_same_counts(company):
    run = CliRunner().invoke(command, ["--config", str(company / "workbench.toml"), "--json"])
    told = json.loads(run.stdout)
    assert run.exit_code == 0
    assert told["ok"] is True
    assert told["counts"]["tables"] == len(told["tables"]) == len(table_names())
    assert told["counts"]["warnings"] == len(told["faults"]) == 1


def test_a_smooth_panel_is_silent(tmp_path):
    assert warnings_of(tmp_path, panel()) == ""


def test_gaps_of_a_series_and_of_all_series_are_told_apart(tmp_path):
    frame = panel()
    one = frame[~((frame["region"] == "North") & (frame["ds"] == "2024-05-01"))]
    assert "1 period is missing inside 1 of 4 series, most in North / Pumps (1)" in warnings_of(tmp_path, one)
    all_of_them = frame[frame["ds"] != "2024-05-01"]
    assert "no row at all between 2024-04-01 and 2024-06-01" in warnings_of(tmp_path, all_of_them)


def test_a_sum_that_jumps_is_found_by_its_month(tmp_path):
    frame = panel()
    frame.loc[frame["ds"] == "2024-05-01", "amount"] *= 12
    text = warnings_of(tmp_path, frame)
    assert "warning|sales" in text
    assert "the total of 2024-05 is 12 times that of the months around it" in text


@pytest.mark.parametrize("factor", [1000.0, 0.001])
def test_a_region_in_thousands_is_found(factor, tmp_path):
    frame = panel()
    frame.loc[frame["region"] == "West", "amount"] *= factor
    assert "the rows of West are" in warnings_of(tmp_path, frame)


def test_a_row_in_another_unit_is_found(tmp_path):
    frame = panel()
    frame.loc[10, "amount"] *= 1000
    assert "times the middle of its own series" in warnings_of(tmp_path, frame)


def test_names_that_differ_in_case_or_spaces_are_found(tmp_path):
    frame = panel()
    frame.loc[frame["region"].eq("West") & (frame["ds"] > "2024-01-01"), "region"] = "west"
    assert '"West" and "west" differ only in capitals or spaces' in warnings_of(tmp_path, frame)


def test_orphans_between_tables(tmp_path):
    deals = pd.DataFrame({
        "deal_id": ["D1", "D2"], "account_id": ["A1", "A9"], "outcome": ["open", "open"],
        "created_date": ["2026-01-01", "2026-01-02"], "region": ["North", "Nort"],
    })  # fmt: skip
    accounts = pd.DataFrame({"account_id": ["A1", "A2"], "name": ["x", "y"]})
    entered = ["2025-12-01", "2026-01-05"]
    history = pd.DataFrame({"deal_id": ["D1", "D7"], "stage": ["Lead", "Lead"], "entered_at": entered})
    text = warnings_of(tmp_path, panel(), deals=deals, accounts=accounts, stage_history=history)
    assert '"A9" is not in accounts.account_id (50% of the rows)' in text
    assert '"Nort" is not in sales.region' in text
    assert '"D7" is not in deals.deal_id' in text
    assert "deal D1 entered a stage before the deal was created" in text


def test_names_where_identifiers_are_meant_are_recognised(tmp_path):
    deal = {"deal_id": "D1", "account_id": "Acme", "outcome": "open", "created_date": "2026-01-01"}
    deals = pd.DataFrame([deal])
    accounts = pd.DataFrame({"account_id": ["A1"], "name": ["Acme"]})
    text = warnings_of(tmp_path, panel(), deals=deals, accounts=accounts)
    assert "are these names where accounts has identifiers" in text


def test_what_a_person_answers_for_is_at_most_the_whole(tmp_path):
    people = pd.DataFrame({"person_id": ["P1", "P2"]})
    assignments = pd.DataFrame({"person_id": ["P1", "P2"], "region": "North", "line": "Pumps", "share": [0.8, 0.7]})
    text = warnings_of(tmp_path, panel(), people=people, assignments=assignments)
    assert "the shares of North / Pumps add up to 1.50; cells above 1: 1" in text


def test_result_frames_have_the_promised_columns(company):
    result = check_all(load(company))
    assert list(result.tables.columns)[:5] == ["table", "file", "state", "rows", "columns"]
    assert list(result.faults.columns) == ["severity", "table", "file", "row", "column", "found", "fix"]
    assert result.counts["rows"] == sum(len(frame) for frame in result.frames.values())
    assert result.tables.set_index("table").loc["sales", "last_day"] == pd.Timestamp("2026-12-01")
