"""The year ahead: quarters with carry-over, what the target needs, versions and their differences, small moves."""

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from planning import language
from planning.budget import ahead, replan, resources, versions, year, year_sentences
from planning.budget.curves import Curves
from planning.budget.regional import regional_budget
from planning.budget.simulate import simulate_world
from planning.cli import diff as diff_command
from planning.cli import plans as plans_command
from planning.errors import DataError, UsageError


@pytest.fixture(scope="module")
def company():
    world = simulate_world(3, regions=4, lines=3, periods=110)
    sales = world.outcome.rename(columns={"period": "ds", "outcome": "amount"})
    return world.spend, sales.assign(line="Pumps", margin=sales["amount"] * 0.4)


@pytest.fixture(scope="module")
def budget(company):
    return regional_budget(*company)


def wells(seed: int, count: int = 12):
    rng = np.random.default_rng(seed)
    curves = Curves(rng.lognormal(3, 0.5, count), rng.lognormal(1, 0.4, count))
    return curves, rng.uniform(0.5, 6, count), rng.uniform(0, 0.3, count)


@pytest.mark.parametrize("season", [[0.3, 1.0, 1.9, 0.8], [1.0, 1.0, 1.0, 1.0]])
def test_phasing_equals_clarabel(season):
    cp = pytest.importorskip("cvxpy", reason="cvxpy is the optional extra")
    curves, amounts, carry = wells(0)
    season = np.array(season)
    ours = replan.phase(curves, amounts, carry, season)
    x, value = cp.Variable((12, 4)), 0.0
    for q in range(4):
        state = cp.multiply(1 - carry, x[:, q]) + cp.multiply(carry, x[:, q - 1])
        value = value - season[q] * cp.sum(cp.multiply(curves.a * curves.k, cp.inv_pos(state + curves.k)))
    cp.Problem(cp.Maximize(value), [x >= 0, cp.sum(x, axis=1) == 4 * amounts]).solve(solver=cp.CLARABEL)
    theirs = replan.phased_value(curves, np.maximum(x.value, 0), carry, season)
    assert replan.phased_value(curves, ours, carry, season) >= theirs * (1 - 1e-8)
    assert ours.mean(axis=1) == pytest.approx(amounts) and ours.min() >= 0


def test_a_strong_quarter_gets_more_and_equal_seasons_get_the_same():
    curves, amounts, carry = wells(1)
    spend = replan.phase(curves, amounts, carry, np.array([0.5, 1.0, 1.5, 1.0]))
    assert spend[:, 2].sum() > spend[:, 1].sum() > spend[:, 0].sum()
    even = replan.phase(curves, amounts, carry, np.ones(4))
    assert even == pytest.approx(np.repeat(amounts[:, None], 4, axis=1), rel=1e-6)


def test_the_year_is_exact_to_the_cent_in_every_sum():
    cells = pd.DataFrame({"region": ["N", "N", "S"], "line": ["Ads", "CRM", "Trips"]})
    cells["proposed"] = [100.01, 33.33, 7.77]
    kinds = pd.Series({"Ads": "channel", "CRM": "tool", "Trips": "travel"})
    plan = pd.DataFrame({"region": ["N", "S"], "available": [2.5, 1.0], "hires": [1, 0]})
    staff = year.staff_rows(plan, person_cost=90_000.10, travel_cost=1000.0)
    rows = year.budget_rows(cells, kinds, phases=np.tile([0.1, 0.2, 0.3, 0.4], (3, 1)), staff=staff)
    table = year.budget_table(rows)
    quarters = (rows[["q1", "q2", "q3", "q4"]] * 100).round().astype(int).sum(axis=1)
    assert quarters.tolist() == (rows["year"] * 100).round().astype(int).tolist()
    assert round(table["year"].sum() * 100) == 14111 + round(4.5 * 9_000_010) + 450_000
    assert set(table["category"]) == {"marketing", "tools", "travel", "people"}
    assert len(year.staff_rows(plan, person_cost=None, travel_cost=None)) == 0


def test_only_marketing_is_phased_by_the_season(company, budget):
    _spend, sales = company
    kinds = pd.Series({"Line A": "tool", "Line B": "channel"})
    phases = ahead.phased(budget, sales, kinds, by_season=True)
    shares = pd.DataFrame(phases.shares).groupby(budget.cells["line"]).std().max(axis=1)
    tool = phases.shares[(budget.cells["line"] == "Line A").to_numpy()]
    assert np.allclose(tool, 0.25) and len(shares) == 3
    assert not np.allclose(phases.shares, 0.25) and phases.gain > 0
    assert phases.shares.sum(axis=1) == pytest.approx(1.0)
    even = ahead.phased(budget, sales, kinds, by_season=False)
    assert np.allclose(even.shares, 0.25) and even.gain == 0.0


def people_world():
    days = pd.date_range("2023-01-01", "2025-12-01", freq="MS")
    sales = pd.DataFrame({"ds": np.tile(days, 2), "region": np.repeat(["N", "S"], 36), "amount": 100.0})
    sales["margin"] = np.where(sales["region"] == "N", 40.0, 25.0)
    people = pd.DataFrame({"region": ["N", "N", "S"], "start_date": "2019-01-01", "end_date": None, "fte": 1.0})
    closed = pd.to_datetime(["2023-05-01", "2024-05-01", "2025-05-01"])
    deals = pd.DataFrame(
        {"region": "N", "outcome": np.repeat(["won", "lost"], [6, 12]), "closed_date": np.tile(closed, 6)}
    )
    return sales, people.assign(ramp_months=6), deals


def test_people_of_the_target_by_hand():
    sales, people, deals = people_world()
    targets = pd.DataFrame({"region": ["N", "S"], "amount": [2400.0, 1200.0]})
    plan = resources.people_plan(targets, sales, people, deals).set_index("region")
    north = plan.loc["N"]
    # 2 won and 4 lost a year by 2 people at sales of 1200: 600 a won deal, a third won, 3 decided a person.
    assert [north["sales_a_deal"], north["hit_rate"], north["deals_a_person"]] == pytest.approx([600, 1 / 3, 3])
    assert 2400 / north["sales_a_deal"] / north["hit_rate"] / north["deals_a_person"] == pytest.approx(north["need"])
    assert north["need"] == pytest.approx(4.0) and north["hires"] == 3  # two gaps of a year, a newcomer gives 3/4
    assert plan.loc["S", "hires"] == 0 and np.isnan(plan.loc["S", "hit_rate"])


def test_material_and_cash_follow_the_target():
    sales, _people, _deals = people_world()
    material = resources.material_needs(pd.DataFrame({"region": ["S"], "amount": [1200.0]}), sales)
    assert material["need"].tolist() == pytest.approx([900.0])
    rows = pd.DataFrame({"q1": [10.0], "q2": [10.0], "q3": [10.0], "q4": [30.0]})
    cash = resources.cash_needs(material, rows, np.full(4, 0.25), payment_days=45)
    assert cash["outlay"].tolist() == pytest.approx([235.0, 235.0, 235.0, 255.0])
    assert cash["need"].iloc[3] == pytest.approx(255 * 45 / 91.3125)


def test_quarters_follow_the_fiscal_year():
    days = pd.date_range("2024-01-01", periods=24, freq="MS")
    sales = pd.DataFrame({"ds": days, "amount": np.where(days.month.isin([4, 5, 6]), 3.0, 1.0)})
    assert ahead.quarter_season(sales).argmax() == 1
    assert ahead.quarter_season(sales, start_month=4).argmax() == 0


def rows_of(ads: float) -> pd.DataFrame:
    cells = pd.DataFrame({"region": ["N", "S"], "line": ["Ads", "CRM"], "proposed": [ads, 40.0]})
    return year.budget_rows(cells, pd.Series({"Ads": "channel", "CRM": "tool"}))


def made(ads: float, currency: str = "EUR"):
    return versions.record(rows_of(ads), year=2027, currency=currency, figures={"gain": 1.5, "breakeven": None})


def test_a_budget_of_a_what_if_is_kept_beside_the_one_that_counts(tmp_path):
    first = versions.keep(tmp_path, made(100.0))
    other = versions.keep(tmp_path, made(120.0), what_if=True)
    assert (other.parent, other.cause) == (first.plan_id, "what if: planned")
    assert versions.load(tmp_path).plan_id == first.plan_id and versions.load(tmp_path, other.plan_id).total > 0
    same = versions.keep(tmp_path, made(100.0), what_if=True)
    assert same.plan_id == first.plan_id, "the same budget is no what-if"
    assert versions.keep(tmp_path, made(100.0)).plan_id == first.plan_id
    assert versions.versions(tmp_path)["current"].sum() == 1 and len(versions.versions(tmp_path)) == 2
    versions.adopt(tmp_path, other.plan_id)
    assert versions.load(tmp_path).plan_id == other.plan_id


def test_versions_are_named_by_content_and_differ_exactly(tmp_path):
    first = versions.keep(tmp_path / "budget", made(100.01))
    assert versions.keep(tmp_path / "budget", made(100.01)).plan_id == first.plan_id
    second = versions.keep(tmp_path / "budget", made(90.0))
    assert second.parent == first.plan_id and versions.load(tmp_path / "budget").plan_id == second.plan_id
    listed = versions.versions(tmp_path / "budget")
    assert listed["current"].sum() == 1 and sorted(listed["budget"]) == [130.0, 140.01]
    changes = versions.diff(first, second)
    assert changes.iloc[0][["level", "change", "reason"]].tolist() == ["total", -10.01, "planned"]
    by = changes.groupby("level")["change"].sum().round(2)
    assert set(by.drop("total")) == {-10.01} and (changes["level"] == "quarter").sum() == 4
    with pytest.raises(DataError, match="EUR and CHF"):
        versions.diff(first, made(1.0, "CHF"))


def test_a_version_changed_by_hand_is_refused(tmp_path):
    kept = versions.keep(tmp_path, made(5.0))
    path = tmp_path / "versions" / f"{kept.plan_id}.json"
    path.write_text(path.read_text("utf-8").replace("2027", "2028"), "utf-8")
    with pytest.raises(DataError, match="immutable"):
        versions.load(tmp_path)
    with pytest.raises(UsageError, match="holds no budget"):
        versions.load(tmp_path / "elsewhere")


def test_plans_and_diff_know_budgets(tmp_path, monkeypatch):
    (tmp_path / "workbench.toml").write_text('[company]\nname = "A"\ncurrency = "EUR"\n', "utf-8")
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "plans" / "2027" / "budget"
    ids = [versions.keep(folder, made(amount)).plan_id for amount in (100.0, 120.0)]
    listed = CliRunner().invoke(plans_command.command, ["--json"])
    assert {row["kind"] for row in json.loads(listed.output)} == {"budget"}
    for command, arguments in ((plans_command, ["--diff", *ids]), (diff_command, ids)):
        result = CliRunner().invoke(command.command, [*arguments, "--json"])
        assert result.exit_code == 0 and json.loads(result.output)[0]["change"] == 20.0
    lost = CliRunner().invoke(plans_command.command, ["--diff", ids[0], "ffff"])
    assert lost.exit_code == 2 and "no version 'ffff'" in lost.output


def test_small_moves_and_shocks(budget):
    calm = ahead.shaken(budget, move=0.03)
    assert calm.options["share"].tolist() == [0.02, 0.03, 0.05, 0.1] and not calm.shock and calm.lost == 0
    assert calm.options["of_possible"].is_monotonic_increasing
    assert calm.changes["change"].sum() == pytest.approx(0, abs=5)
    moved = calm.changes["change"].abs().sum() / 2
    assert moved <= 0.03 * budget.figures["budget"] * (1 + 1e-3)
    struck = ahead.shaken(budget, percent=-40, region="Region 1", move=0.05)
    lost = struck.changes[struck.changes["region"] == "Region 1"]["change"].sum()
    assert struck.shock and struck.lost > 0 and lost < 0
    with pytest.raises(UsageError, match="Did you mean 'Region 1'"):
        ahead.shaken(budget, percent=-40, region="Regio 1")
    with pytest.raises(UsageError, match="move 0"):
        ahead.shaken(budget, move=0.0)


@pytest.mark.parametrize("tongue", ["en", "zh"])
def test_every_sentence_of_the_year_is_made_in_both_languages(tongue):
    with language.use(tongue):
        told = [year_sentences.year_finding(1e6, [("people", 9e5), ("travel", 1e5)], "EUR")]
        told += [year_sentences.year_why(gain, season, "EUR") for gain, season in ((0, False), (0, True), (5.0, True))]
        told += [year_sentences.needs_finding(n, 3.0, h) for n, h in ((float("nan"), 0), (4.0, 0), (4.0, 1), (9.0, 5))]
        told += [year_sentences.needs_why(chain, days) for chain in (True, False) for days in (0, 1, 45)]
        told += [year_sentences.cash_text(1e6, 9e5, 2e6, "q4", "EUR")]
        told += [
            year_sentences.version_text("a", parent, n, change, "EUR")
            for parent, n, change in ((None, 0, 0.0), ("b", 0, 0.0), ("b", 1, -5.0), ("b", 3, 7e6))
        ]
        told += [
            year_sentences.shock_finding(0.05, 0.8, gain, "EUR", shock=shock)
            for gain in (-1.0, 0.0, 9e4) for shock in (True, False)
        ]  # fmt: skip
        told += [year_sentences.shock_why(lost, p, "N", "", "EUR") for lost, p in ((0, 0), (5.0, -30), (-5.0, 20))]
        told += [*year_sentences.no_person_cost(), year_sentences.version_named("a", None)]
    assert all(text and "{" not in text for text in told)
    chinese = sum(any("一" <= c <= "鿿" for c in text) for text in told)
    assert chinese == (len(told) if tongue == "zh" else 0)


def test_codes_stay_codes_in_the_kept_table(tmp_path):
    from planning.reports import cells
    from planning.runs import emit

    out = emit.Results(tmp_path, "regional_budget", "zh")
    frame = pd.DataFrame({"line": ["Online"], "verdict": ["raise"]})
    out.table("allocation", frame, words={"verdict": {"raise": "增加"}})
    entry = out.manifest["tables"]["allocation"]
    assert pd.read_parquet(tmp_path / entry["parquet"])["verdict"].tolist() == ["raise"]
    assert cells.column(frame, entry["columns"][1]).write("raise").text == "增加"
    with pytest.raises(UsageError, match="no column 'verdit'"):
        out.table("again", frame, words={"verdit": {}})
