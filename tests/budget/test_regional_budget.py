"""The planner's page: the sample company's proposal, refusals, sentences in both languages, the workbook."""

from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from planning import language
from planning.budget import ahead, pilot_sentences, sentences, versions
from planning.budget.regional import bounds_of, outcome_of, regional_budget
from planning.budget.response import fit_response
from planning.budget.simulate import simulate_world
from planning.budget.trial import pilot_plan
from planning.reports import budget_workbook

DATA = Path(__file__).parents[3] / "shared" / "data"


def company(seed=3):
    world = simulate_world(seed, regions=4, lines=3, periods=110)
    days = world.outcome.rename(columns={"period": "ds", "outcome": "amount"})
    return world, days.assign(line="Pumps", margin=days["amount"] * 0.4)


@pytest.fixture(scope="module")
def budget():
    world, sales = company()
    return regional_budget(world.spend, sales)


def test_the_proposal_adds_up_for_the_year(budget):
    assert not budget.refused
    cents = (budget.cells["proposed"] * 100).round().astype(int)
    assert cents.sum() == pytest.approx(budget.figures["budget"] * 100, abs=1)
    assert budget.lines["proposed"].sum() == pytest.approx(budget.cells["proposed"].sum(), abs=0.05)
    assert budget.figures["margin"] == pytest.approx(0.4)
    assert (
        budget.frontier["margin"].is_monotonic_increasing and budget.frontier["marginal_return"].is_monotonic_decreasing
    )
    today = budget.curves[budget.curves["multiple"] == 1.0].set_index("line")["spend"]
    assert today.to_dict() == pytest.approx(budget.lines.set_index("line")["now"].to_dict(), rel=1e-6)


def test_more_money_and_no_limit_are_obeyed():
    world, sales = company()
    wide = regional_budget(world.spend, sales, change=0.1, move_limit=None)
    assert wide.figures["budget"] == pytest.approx(1.1 * wide.figures["budget_now"], rel=1e-6)
    assert wide.figures["forgone"] == 0.0


def test_regions_that_do_not_meet_are_a_refusal_not_an_error():
    world, sales = company()
    other = sales.assign(region=sales["region"].str.replace("Region", "State"))
    refused = regional_budget(world.spend, other)
    assert refused.allocation is None and "none of its 4 region(s)" in refused.refused[0]
    head, _lede = sentences.refusal(refused.refused)
    assert head.startswith("These tables cannot tell")


def test_without_a_spend_table_the_answer_says_what_to_supply():
    _world, sales = company()
    refused = regional_budget(None, sales)
    assert refused.allocation is None and "[sources.spend]" in refused.refused[0]
    with language.use("zh"):
        assert "没有历史支出表" in pilot_plan(None, sales).refused[0]


def test_a_budget_outside_its_limits_is_said_to_be_that():
    world, sales = company()
    refused = regional_budget(world.spend, sales, change=0.6)
    assert refused.impossible and "cannot be spent" in refused.refused[0]
    assert sentences.refusal(refused.refused, impossible=True)[0].startswith("No split of this budget")


def test_nothing_but_constant_tools_is_a_refusal():
    world, sales = company()
    flat = world.spend.assign(amount=100.0)
    refused = regional_budget(flat, sales)
    assert refused.refused and "no variation" in refused.refused[0]


def test_sales_of_a_stranger_and_spend_of_another_are_refused():
    retail, spend = DATA / "sales" / "aus_retail.parquet", DATA / "spend" / "meridian_geo_all_channels.csv"
    if not (retail.exists() and spend.exists()):
        pytest.skip("the reference data are not here")
    sales = pd.read_parquet(retail)
    sales.columns = [c.lower() for c in sales.columns]
    sales = sales.rename(columns={"month": "ds", "state": "region", "turnover": "amount", "industry": "line"})
    geo = pd.read_csv(spend)
    channels = [c for c in geo.columns if c.endswith("_spend")]
    long = geo.melt(["geo", "time"], channels, "line", "amount").rename(columns={"geo": "region", "time": "period"})
    refused = regional_budget(long, sales[["ds", "region", "line", "amount"]])
    assert len(refused.refused) == 1 and "none of its 40 region(s)" in refused.refused[0]


def test_controls_are_carried_from_the_sales():
    _world, sales = company()
    sales = sales.assign(working_days=5, price_index=1.0, promotion=0.0)
    outcome, margin = outcome_of(sales)
    assert {"period", "region", "outcome", "working_days", "price_index", "promotion"} == set(outcome.columns)
    assert margin == pytest.approx(0.4) and outcome["outcome"].sum() == pytest.approx(sales["amount"].sum())


def test_limits_of_lines_hold_for_their_cells():
    world, _sales = company()
    response = fit_response(world.spend, world.outcome, draws=30)
    lines = pd.DataFrame({"line": ["Line A", "Line B"], "floor": [0.0, np.nan], "cap": [1e9, np.nan], "fixed": [0, 1]})
    bounds, fixed = bounds_of(lines, response)
    assert len(bounds[bounds["line"] == "Line A"]) == 4 and fixed["line"].tolist() == ["Line B"]
    assert bounds_of(None, response) == (None, None)


def test_workbook_adds_up_without_being_calculated(budget, tmp_path):
    kinds = pd.Series({"Line A": "channel", "Line B": "tool", "Line C": "travel"})
    _world, sales = company()
    phases = ahead.phased(budget, sales, kinds, by_season=True)
    year = ahead.year_of(budget, sales, phases, kinds=kinds)
    version = versions.record(year.rows, year=2027, currency="EUR", figures=budget.figures)
    none = pd.DataFrame()
    budget_workbook.write_budget(tmp_path / "budget.xlsx", budget, year, version, none, "EUR")
    book = openpyxl.load_workbook(tmp_path / "budget.xlsx", data_only=True)
    assert len(book.sheetnames) == 5
    assert round(year.table["year"].sum() * 100) == (budget.cells["proposed"] * 100).round().sum()
    assert set(year.table["category"]) == {"marketing", "tools", "travel"}
    sheet = book["Quarters"]
    totals = [round(cell.value * 100) for cell in sheet[sheet.max_row][2:]]
    assert sum(totals[:4]) == totals[4] == round(year.rows["year"].sum() * 100)
    first = (tmp_path / "budget.xlsx").read_bytes()
    budget_workbook.write_budget(tmp_path / "again.xlsx", budget, year, version, none, "EUR")
    assert first == (tmp_path / "again.xlsx").read_bytes()


@pytest.mark.parametrize("tongue", ["en", "zh"])
def test_every_sentence_is_made_in_both_languages(budget, tongue):
    with language.use(tongue):
        figures = budget.figures
        cases = [
            figures, figures | {"moved": 0.0}, figures | {"gain": -5.0}, figures | {"gain_probability": 0.4},
            figures | {"profit": False}, figures | {"move_limit": None}, figures | {"breakeven": 1e6},
        ]  # fmt: skip
        told = []
        for case in cases:
            told += [sentences.answer(case, "EUR"), sentences.lede(case, "EUR"), sentences.frontier_why(case, "EUR")]
            told += [
                sentences.frontier_finding(case | {"shadow_lo": lo, "shadow_hi": hi}, "EUR")
                for lo, hi in ((2, 3), (0.1, 0.2), (0.5, 2))
            ]
        told += [sentences.lines_why(n) for n in (0, 1, 3)] + [
            sentences.lines_finding(a, b) for a in ([], ["A"]) for b in ([], ["B"])
        ]
        told += [sentences.returns_finding(n, 3) for n in (0, 1, 2)]
        told += [pilot_sentences.proposals_finding(n, m) for n, m in ((0, 1), (0, 3), (1, 3), (2, 3))]
        told += [pilot_sentences.readings_finding(n, m) for n, m in ((0, 0), (0, 1), (0, 2), (1, 1), (2, 3))]
        told += [pilot_sentences.learned_text("A", b, a) for b, a in ((float("nan"), 1.0), (1.0, 0.5), (1.0, 1.1))]
        shown = {"choices": 35, "count": 3, "regions": 7, "exact": False, "placebos": 60}
        told += [pilot_sentences.carries_text(shown | more) for more in ({}, {"exact": True}, {"placebos": 12})]
    assert all(text and "{" not in text for text in told)
    chinese = sum(any("\u4e00" <= c <= "\u9fff" for c in text) for text in told)
    assert chinese == (len(told) if tongue == "zh" else 0)
