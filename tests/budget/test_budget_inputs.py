"""Bad input gets one clear line a fault, or a stated treatment."""

import numpy as np
import pandas as pd
import pytest

from planning.budget.allocation import allocate
from planning.budget.inputs import check_spend
from planning.budget.panel import build_panel, overlap
from planning.budget.response import fit_response
from planning.budget.simulate import simulate_world
from planning.errors import DataError, UsageError


@pytest.fixture(scope="module")
def world():
    return simulate_world(3, regions=3, lines=2, periods=80)


@pytest.fixture(scope="module")
def response(world):
    return fit_response(world.spend, world.outcome, draws=60)


def faults(spend, outcome, *words):
    with pytest.raises(DataError) as error:
        build_panel(spend, outcome, spend_file="spend.csv", outcome_file="sales.csv")
    text = str(error.value)
    assert all(word in text for word in words), text
    return text


def test_spend_without_outcome_names_the_nearest_region(world):
    spend = world.spend.replace({"region": {"Region 2": "Regoin 2"}})
    text = faults(spend, world.outcome, "spend.csv, row 162, column region", "Did you mean 'Region 2'?")
    assert "has spend and no outcome" in text


def test_outcome_without_spend_is_stated(world):
    extra = world.outcome[world.outcome.region == "Region 1"].assign(region="Elsewhere")
    panel = build_panel(world.spend, pd.concat([world.outcome, extra], ignore_index=True))
    assert any("'Elsewhere' has an outcome and no spend" in w.line() for w in panel.warnings)
    assert "Elsewhere" not in panel.regions


def test_tables_of_different_years_say_so(world):
    later = world.outcome.assign(period=world.outcome["period"] + pd.Timedelta(days=3650))
    assert "have both spend and outcome" in faults(world.spend, later)


def test_a_line_that_starts_last_month_is_not_estimated(world):
    new = world.spend[world.spend.line == "Line A"].assign(line="New")
    new = new[new.period >= new.period.max() - pd.Timedelta(days=21)]
    response = fit_response(pd.concat([world.spend, new], ignore_index=True), world.outcome, draws=40)
    cells = response.cells[response.cells.line == "New"]
    assert (cells.reason == "started too recently").all() and (cells.evidence == "none").all()
    table = allocate(response).table
    assert (table[table.line == "New"].verdict == "test").all()
    assert table[table.line == "New"][["lo", "hi", "marginal_return"]].isna().all().all()


def test_all_zero_spend_is_refused(world):
    assert "every amount is 0" in faults(world.spend.assign(amount=0.0), world.outcome)


def test_refunds_come_off_earlier_spend(world):
    spend = world.spend.copy()
    spend["amount"] = spend["amount"].round(2)
    before = spend.loc[[3, 4], "amount"].sum()
    spend.loc[5, "amount"] = -100.0
    clean, warnings = check_spend(spend)
    assert (clean["amount"] >= 0).all()
    assert clean.loc[[3, 4], "amount"].sum() == pytest.approx(before - 100)
    assert "refunds" in warnings[0].line() or "refunds" in warnings[0].fix
    spend.loc[1, "amount"] = -1e9
    with pytest.raises(DataError, match="refunds exceed all earlier spend"):
        check_spend(spend)


def test_missing_weeks_are_left_out_and_said(world):
    days = sorted(world.spend["period"].unique())[30:32]
    panel = build_panel(world.spend[~world.spend["period"].isin(days)], world.outcome)
    assert any("no row at all" in w.line() for w in panel.warnings)
    assert (~panel.seen).sum() == 3 * 6


def test_a_missing_week_of_one_cell_is_no_spend(world):
    panel = build_panel(world.spend.drop(index=[7]), world.outcome)
    assert any("1 period(s) of single cells have no row" in w.line() for w in panel.warnings)
    assert panel.x[0, 0, 7] == 0.0


def test_duplicates_currencies_text_and_dates_are_all_named_at_once(world):
    spend = pd.concat([world.spend, world.spend.iloc[[9]]], ignore_index=True).astype({"amount": object})
    spend["currency"] = "EUR"
    spend.loc[4, "currency"] = "USD"
    spend.loc[11, "amount"] = "1.234,56"
    spend["period"] = spend["period"].astype(str).str[:10]
    spend.loc[12, "period"] = "02/03/2026"
    text = faults(spend, world.outcome)
    assert "repeated row(s)" in text and "2 currencies: EUR, USD" in text
    assert "row 13, column amount: found '1.234,56'" in text and "row 14, column period: found '02/03/2026'" in text


def test_a_renamed_column_is_guessed(world):
    text = faults(world.spend.rename(columns={"amount": "ammount"}), world.outcome)
    assert "the column is missing" in text and "Did you mean 'ammount'?" in text


@pytest.mark.parametrize("total", [0.0, -5.0, float("nan"), float("inf")])
def test_a_budget_of_nothing_is_refused(response, total):
    with pytest.raises(UsageError, match="above 0"):
        allocate(response, total)


def test_a_budget_below_the_floors_names_them_and_by_how_much(response):
    bounds = pd.DataFrame({"region": ["Region 1"], "line": ["Line A"], "min": [1e6], "max": [np.nan]})
    with pytest.raises(DataError, match=r"floor of Region 1/Line A \(1,000,000.00\) alone exceeds") as error:
        allocate(response, 50_000, bounds=bounds, move_limit=None)
    assert "950,000.00 too much" in str(error.value)


def test_caps_below_the_total_are_an_error_not_an_underspend(response):
    with pytest.raises(DataError, match="too little") as error:
        allocate(response, 1e7)
    assert "--move-limit" in str(error.value)


def test_a_cap_below_its_floor_and_unknown_cells_name_row_and_nearest(response):
    bounds = pd.DataFrame(
        {"region": ["Region 1", "Regin 2"], "line": ["Line A", "Line B"], "min": [10, 0], "max": [5, 9]}
    )
    with pytest.raises(DataError, match=r"rules.csv, row 3, column region: 'Regin 2'.*Did you mean 'Region 2'"):
        allocate(response, bounds=bounds, bounds_file="rules.csv")
    with pytest.raises(DataError, match=r"rules.csv, row 2, column max: max 5.00 is below min 10.00"):
        allocate(response, bounds=bounds.iloc[:1], bounds_file="rules.csv")


def test_rules_for_sums_that_cannot_hold_name_the_smallest_set(response):
    current = response.cells["current"].sum()
    bounds = pd.DataFrame(
        {
            "region": ["Region 1", "Region 2", "Region 3"], "line": ["", "", ""],
            "min": [current * 0.6, current * 0.6, np.nan], "max": [np.nan, np.nan, current * 0.9],
        }
    )  # fmt: skip
    with pytest.raises(DataError, match="cannot hold together") as error:
        allocate(response, bounds=bounds, move_limit=None)
    assert "Region 1" in str(error.value) and "Region 2" in str(error.value) and "Region 3" not in str(error.value)


def test_bounds_are_joined_by_key_whatever_their_order(response):
    bounds = response.cells[["region", "line"]].assign(min=np.nan, max=response.cells["current"] * 1.01)
    bounds.loc[2, ["min", "max"]] = response.cells.loc[2, "current"] * 1.2, response.cells.loc[2, "current"] * 1.25
    straight = allocate(response, bounds=bounds).table
    shuffled = allocate(response, bounds=bounds.sample(frac=1, random_state=1)).table
    assert straight["allocated"].equals(shuffled["allocated"])
    assert straight["allocated"].iloc[2] >= response.cells["current"].iloc[2] * 1.2 - 0.01


def test_a_week_over_two_months_gives_each_its_days():
    weeks = pd.DatetimeIndex(["2026-01-26"])
    months = pd.DatetimeIndex(["2026-01-01", "2026-02-01"])
    assert overlap(weeks, "W", months, "MS")[:, 0] == pytest.approx([6 / 7, 1 / 7])
