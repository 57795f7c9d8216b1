"""What the panels answer: cases solved by head, agreement with the published points, and answers in time."""

from __future__ import annotations

import contextvars
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from planning import config, language
from planning.errors import UsageError
from planning.runs import inputs, launch, parameters
from planning.targets import workspace
from planning.targets.annual import plan_year
from planning.targets.policy import make_policy
from planning.whatif import answers, home, panels

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def plan():
    """Two lines in two regions over four years, with a capacity that binds, planned for 2027."""
    rng = np.random.default_rng(3)
    months = pd.date_range("2023-01-01", periods=48, freq="MS")
    size = {("N", "P"): 4e5, ("N", "V"): 2e5, ("S", "P"): 3e5, ("S", "V"): 1e5}
    shared = rng.normal(0, 0.05, 48)
    rows = [
        (ds, region, line, level * (1 + 0.1 * np.sin(i) + shared[i] + rng.normal(0, 0.05)))
        for (region, line), level in size.items()
        for i, ds in enumerate(months)
    ]
    history = pd.DataFrame(rows, columns=["ds", "region", "line", "amount"])
    content = {"currency": "EUR", "by": ["region", "line"],
               "capacity": [{"line": "P", "amount": 8_600_000, "kind": "supply"}]}  # fmt: skip
    return plan_year(history, make_policy(content, "policy"), year=2027)[0]


@pytest.fixture(scope="module")
def outlook(plan):
    return answers.Outlook.of(plan)


def test_the_plan_s_own_chances_are_met_and_between_them_it_falls(plan, outlook):
    summary = plan.summary()
    assert outlook.target == summary["total"] and outlook.chance(outlook.target) == summary["attainment_probability"]
    for name, chance in [("commit", 0.80), ("target", 0.55), ("stretch", 0.25)]:
        assert outlook.amount(chance) == pytest.approx(summary[name], abs=0.01)
    asked = [outlook.chance(x) for x in np.linspace(0.8, 1.2, 41) * outlook.target]
    assert all(b <= a for a, b in zip(asked, asked[1:], strict=False)) and asked[0] > 0.95 and asked[-1] < 0.1
    with pytest.raises(UsageError, match="not between 0 and 1"):
        outlook.amount(1.0)


def test_chances_are_those_of_the_draws_also_far_from_the_published_points(outlook):
    total = outlook.reach.draws.sum(axis=1)
    for amount in np.quantile(total, [0.02, 0.4, 0.97]):
        assert outlook.chance(amount) == pytest.approx((total >= amount).mean(), abs=1e-3)


def _event(effect, start="2027-01-01", sure=1.0, **where):
    return answers.Event("shock", tuple(where.items()), pd.Timestamp(start), effect, sure)


def test_a_shock_takes_its_share_of_what_it_hits_from_its_month_on(plan, outlook):
    joint, low = plan.target.adjusted.joint, plan.target.adjusted.joint.bottom
    inside = (joint.cells["line"] == "V").to_numpy() & low
    steps = (joint.periods >= "2027-03-01") & (joint.periods < "2028-01-01")
    expected = -0.1 * joint.mean[np.ix_(inside, steps)].sum()
    lost = outlook.after(_event(-0.1, "2027-03-01", line="V")).expected() - outlook.expected()
    assert lost == pytest.approx(expected, rel=0.01)
    whole = outlook.after(_event(-0.5)).expected() / outlook.expected()
    assert 0.5 < whole < 0.56, "half the demand is lost, and with it the part that capacity had cut off"
    unsure, half = outlook.after(_event(-0.2, sure=0.5, line="V")), outlook.after(_event(-0.1, line="V"))
    assert unsure.expected() == pytest.approx(half.expected(), rel=0.002), "half as sure, half as much expected"


def test_more_demand_than_a_line_can_supply_is_not_sold(outlook):
    after = outlook.after(_event(0.3, line="P"))
    sold = after.reach.draws[:, (outlook.plan.cells["line"] == "P").to_numpy()].sum(axis=1)
    assert sold.max() <= 8_600_000 * (1 + 1e-9) and (sold > 8_599_999).mean() > 0.95
    assert 0 < after.expected() - outlook.expected() < 0.3 * sold.mean()


def test_a_loss_lowers_the_chance_of_the_target_and_nothing_leaves_it(outlook):
    said = answers.shock_sentence(outlook, _event(-0.1), "EUR")
    assert "from 55\u202f% to " in said and "changes by −€" in said
    assert outlook.after(_event(-0.1)).chance(outlook.target) < 0.3
    said = answers.shock_sentence(outlook, _event(0.0), "EUR")
    assert "changes by €0.0" in said and "from 55\u202f% to 55\u202f%" in said


def test_a_lever_scales_with_the_share_of_deals():
    levers = pd.DataFrame({"lever": ["Price"], "deals": [200], "expected_wins": [40.0], "lo90": [20.0], "hi90": [60.0]})
    said = answers.lever_sentence(levers, "Price", 0.5)
    assert "100 lost deals" in said and "20 more wins" in said and "10 to 30" in said
    assert "0 more wins" in answers.lever_sentence(levers, "Price", 0.0)


def test_a_scenario_is_kept_and_read_again(tmp_path, monkeypatch):
    (tmp_path / "workbench.toml").write_text("")
    path = answers.write_scenario(tmp_path, "high-1", "annual_plan", {"annual_targets.amount": 5, "x": "é"})
    assert path == tmp_path / "scenarios" / "high-1.toml"
    monkeypatch.delenv("PLANNING_WORKSPACE", raising=False)
    assert launch.scenario("high-1", tmp_path) == {"annual_targets.amount": 5, "x": "é"}
    with pytest.raises(UsageError, match="Did you mean 'high-1'"):
        launch.scenario("hihg-1", tmp_path)
    with pytest.raises(UsageError, match="no name for a scenario"):
        answers.write_scenario(tmp_path, "../x", "f", {})


def _workspace(root, monkeypatch, status="ok", language="en"):
    """A workspace with one finished run of annual targets."""
    monkeypatch.delenv("PLANNING_WORKSPACE", raising=False)
    (root / "workbench.toml").write_text(
        f'[company]\nname = "A & B"\nlanguage = "{language}"\n[flows.annual_plan]\nsteps = ["annual_targets"]\n'
    )
    folder = root / "reports" / "annual_plan" / "20270101T000000Z-abcdef"
    results = folder / "results" / "annual_targets"
    (results / "tables").mkdir(parents=True)
    pd.DataFrame({"year": [2027]}).to_parquet(results / "tables" / "summary.parquet")
    manifest = {"tables": {"summary": {"parquet": "tables/summary.parquet"}}}
    (results / "manifest.json").write_text(json.dumps(manifest))
    step = {
        "notebook": "annual_targets",
        "status": status,
        "answer": "We can",
        "page": "annual_targets.html",
        "error": None,
    }
    error = None if status == "ok" else {"notebook": "annual_targets", "message": "<b>row 7</b>"}
    record = {"id": folder.name, "flow": "annual_plan", "status": status, "steps": [step], "error": error}
    (folder / "run.json").write_text(json.dumps(record))


@pytest.fixture
def planned(tmp_path, monkeypatch, plan):
    """A workspace whose run of annual targets kept its plan."""
    _workspace(tmp_path, monkeypatch)
    (tmp_path / "plans" / "2027").mkdir(parents=True)
    workspace.keep(tmp_path / "plans" / "2027", plan, cause="annual_targets")
    return tmp_path


def _answer_time(box, value):
    started = time.process_time()
    box.value = value
    return time.process_time() - started


def test_the_target_panel_answers_at_once_and_as_the_plan_says(planned, plan):
    panel = panels.target(planned)
    amount, _chance, spoken = panel.children[:3]
    exact = panel.children[-1].children[1].children[0]
    exact.click()
    assert launch.scenario("target-1", planned)["annual_targets.amount"] == round(plan.summary()["total"], 2)
    assert panels.target(planned).children[-1].children[0].value == "target-2", "no scenario is written over"
    assert f"is {language.chance(plan.summary()['attainment_probability'])};" in spoken.value
    assert "55" in spoken.value and f"{plan.summary()['total'] / 1e6:.1f}" in spoken.value
    assert _answer_time(amount, amount.max) < 0.3
    assert f"{amount.max:.1f}" in spoken.value and "1\u202f%" in spoken.value


def test_the_shock_panel_answers_at_once_and_keeps_what_replan_reads(planned):
    panel = panels.shock(planned)
    region, line, _start, change, sure, spoken, keeper = panel.children
    before = spoken.value
    assert region.options == ("all", "N", "S") and line.options == ("all", "P", "V")
    assert _answer_time(line, "V") < 0.3 and spoken.value != before
    change.value, sure.value = -0.2, 0.8
    _name, buttons, said = keeper.children
    buttons.children[0].click()
    assert "planning run replan --scenario shock-1" in said.children[0].value
    wanted = {"event": "V −20\u202f%", "region": "", "line": "V", "start": "2027-01-01", "percent": -20.0, "sure": 0.8}
    assert launch.scenario("shock-1", planned) == wanted
    declared = {p.name for p in parameters.of_notebook(REPO / "notebooks" / "replan.ipynb")}
    assert set(wanted) <= declared


def test_a_panel_speaks_its_company_s_language_whoever_moves_it(tmp_path, monkeypatch, plan):
    _workspace(tmp_path, monkeypatch, language="zh")
    (tmp_path / "plans" / "2027").mkdir(parents=True)
    workspace.keep(tmp_path / "plans" / "2027", plan, cause="annual_targets")
    amount, _chance, spoken = panels.target(tmp_path).children[:3]
    contextvars.Context().run(setattr, amount, "value", amount.max)
    assert "达成概率" in spoken.value


def test_a_panel_without_results_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.delenv("PLANNING_WORKSPACE", raising=False)
    (tmp_path / "workbench.toml").write_text("")
    assert "planning run annual_plan" in panels.target(tmp_path).value


def test_home_says_what_to_do_next_and_escapes(tmp_path, monkeypatch):
    (tmp_path / "workbench.toml").write_text("")
    first = home.show(root=tmp_path)._repr_html_()
    assert "planning sample" in first and "planning run annual_plan" in first
    _workspace(tmp_path, monkeypatch)
    shown = home.show(root=tmp_path)._repr_html_()
    assert "A &amp; B" in shown and "annual_targets.html" in shown and "Read the last plan" in shown
    assert 'href="../reports/annual_plan/20270101T000000Z-abcdef/annual_targets.html"' in shown
    monkeypatch.setenv("PLANNING_PAGES", "/planning/pages/")
    shown = home.show(root=tmp_path)._repr_html_()
    assert 'href="/planning/pages/annual_plan/20270101T000000Z-abcdef/annual_targets.html"' in shown
    assert "Annual plan, 1 Jan 2027 00:00" in shown
    failed = tmp_path / "failed"
    failed.mkdir()
    _workspace(failed, monkeypatch, "failed")
    shown = home.show(root=failed)._repr_html_()
    assert "planning resume" in shown and "&lt;b&gt;row 7" in shown and "<b>row 7" not in shown


def test_home_leaves_what_ifs_aside(tmp_path, monkeypatch):
    _workspace(tmp_path, monkeypatch)
    path = tmp_path / "reports" / "annual_plan" / "20270101T000000Z-abcdef" / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"what_if": True}))
    shown = home.show(root=tmp_path)._repr_html_()
    assert "annual_targets.html" not in shown and "planning run annual_plan" in shown


def test_home_says_which_data_are_newer_than_the_plan(tmp_path, monkeypatch):
    _workspace(tmp_path, monkeypatch)
    text = (tmp_path / "workbench.toml").read_text()
    names = ("sales", "deals", "people")
    (tmp_path / "workbench.toml").write_text(text + "".join(f'[sources.{n}]\npath = "{n}.csv"\n' for n in names))
    for name in names:
        (tmp_path / f"{name}.csv").write_text("a\n1\n")
    settings = config.load(tmp_path)
    path = tmp_path / "reports" / "annual_plan" / "20270101T000000Z-abcdef" / "run.json"
    record = json.loads(path.read_text())
    record["inputs"] = {name: inputs.Inputs(tmp_path, settings).table(name) for name in ("sales", "deals")}
    path.write_text(json.dumps(record))
    assert "have changed" not in home.show(root=tmp_path)._repr_html_()
    (tmp_path / "deals.csv").write_text("a\n2\n")
    (tmp_path / "people.csv").write_text("a\n2\n")  # the plan did not read it
    shown = home.show(root=tmp_path)._repr_html_()
    assert "the data have changed since (deals): <code>planning run annual_plan</code>" in shown


def test_a_budget_sentence_says_more_less_or_the_same():
    table = pd.DataFrame({"current": [10_000.0, 10_000.0], "allocated": [12_000.0, 8_000.0]})
    summary = {"expected_gain": 5_000.0}
    same, more, less = (answers.budget_sentence(table, summary, change, "EUR") for change in (0.0, 0.1, -0.25))
    assert same.startswith("With today's budget of €20\u202fk a year, moving €2") and "€5" in same
    weekly = answers.budget_sentence(table / 52, {"expected_gain": 5_000.0 / 52}, 0.0, "EUR", 52.0)
    assert weekly == same, "the page speaks of a year, and so does the panel"
    assert "10\u202f% more budget" in more and "25\u202f% less budget" in less
