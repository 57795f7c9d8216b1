"""What the panels answer: cases solved by head, agreement with the published points, and answers in time."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from planning.errors import UsageError
from planning.runs import launch
from planning.whatif import answers, home, panels


@pytest.fixture
def curve():
    return answers.Curve.of([(100e6, 0.8), (104e6, 0.5), (110e6, 0.2), (104e6, 1.0)])


def test_the_published_points_are_met_and_between_them_it_falls(curve):
    for amount, chance in [(100e6, 0.8), (104e6, 0.5), (110e6, 0.2)]:
        assert curve.chance(amount) == pytest.approx(chance)
        assert curve.amount(chance) == pytest.approx(amount)
    falling = [curve.chance(x) for x in np.linspace(80e6, 130e6, 200)]
    assert all(b < a for a, b in zip(falling, falling[1:], strict=False)) and falling[0] > 0.99 and falling[-1] < 0.01


def test_points_that_do_not_fall_are_refused():
    with pytest.raises(UsageError, match="do not fall together"):
        answers.Curve.of([(100.0, 0.5), (110.0, 0.6)])
    with pytest.raises(UsageError, match="do not fall together"):
        answers.Curve.of([(100.0, 0.5)])
    with pytest.raises(UsageError, match="not between 0 and 1"):
        answers.Curve.of([(100.0, 0.5), (110.0, 0.4)]).amount(1.0)


@pytest.fixture
def joint():
    """Two lines in one region, 10 and 20 a month over four months."""
    cells = pd.DataFrame({"unique_id": ["N/P", "N/V"], "region": ["N", "N"], "line": ["P", "V"]})
    return SimpleNamespace(
        cells=cells, bottom=np.array([True, True]), keys=("region", "line"), mean=np.array([[10.0] * 4, [20.0] * 4]),
        periods=pd.date_range("2027-01-01", periods=4, freq="MS"),
    )  # fmt: skip


def test_a_shock_is_the_share_of_what_it_hits_from_its_month_on(joint):
    assert answers.shock_amount(joint, -0.1, {"line": "P"}, "2027-03-01") == pytest.approx(-2.0)
    assert answers.shock_amount(joint, 0.5, {}, "2027-01-01") == pytest.approx(60.0)
    assert answers.shock_amount(joint, -0.1, {"region": "N"}, "2027-05-01") == 0.0
    with pytest.raises(UsageError, match="has no line 'Q'"):
        answers.shock_amount(joint, -0.1, {"line": "Q"}, "2027-01-01")


def test_a_loss_lowers_the_chance_of_the_target_and_nothing_leaves_it(curve):
    assert "50\u202f% to 20\u202f%" in answers.shock_sentence(curve, 104e6, -6e6, "EUR").replace("goes from ", "")
    assert "50\u202f% to 50\u202f%" in answers.shock_sentence(curve, 104e6, 0.0, "EUR")


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


def _workspace(root, monkeypatch, status="ok"):
    """A workspace with one finished run whose annual targets published three chances."""
    monkeypatch.delenv("PLANNING_WORKSPACE", raising=False)
    (root / "workbench.toml").write_text('[company]\nname = "A & B"\n[flows.annual_plan]\nsteps = ["annual_targets"]\n')
    folder = root / "reports" / "annual_plan" / "20270101T000000Z-abcdef"
    (folder / "results" / "annual_targets").mkdir(parents=True)
    numbers = [
        {"name": n, "label": n, "value": v, "text": "", "chance": c, "note": "", "lead": False}
        for n, v, c in [("commit", 100e6, 0.8), ("target", 104e6, 0.5), ("stretch", 110e6, 0.2)]
    ]
    (folder / "results" / "annual_targets" / "manifest.json").write_text(json.dumps({"numbers": numbers}))
    step = {"notebook": "annual_targets", "status": status,
            "answer": "We can", "page": "annual_targets.html", "error": None}
    error = None if status == "ok" else {"notebook": "annual_targets", "message": "<b>row 7</b>"}
    record = {"id": folder.name, "flow": "annual_plan", "status": status, "steps": [step], "error": error}
    (folder / "run.json").write_text(json.dumps(record))


def test_the_target_panel_answers_at_once(tmp_path, monkeypatch):
    _workspace(tmp_path, monkeypatch)
    panel = panels.target(tmp_path)
    amount, _chance, spoken = panel.children[:3]
    assert "€104.0" in spoken.value and "50" in spoken.value
    started = time.process_time()
    amount.value = 110.0
    assert time.process_time() - started < 0.3
    assert "€110.0" in spoken.value and "20" in spoken.value


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
    failed = tmp_path / "failed"
    failed.mkdir()
    _workspace(failed, monkeypatch, "failed")
    shown = home.show(root=failed)._repr_html_()
    assert "planning resume" in shown and "&lt;b&gt;row 7" in shown and "<b>row 7" not in shown


def test_a_budget_sentence_says_more_less_or_the_same():
    table = pd.DataFrame({"current": [10_000.0, 10_000.0], "allocated": [12_000.0, 8_000.0]})
    summary = {"expected_gain": 5_000.0}
    same, more, less = (answers.budget_sentence(table, summary, change, "EUR") for change in (0.0, 0.1, -0.25))
    assert same.startswith("With today's budget, moving €2") and "€5" in same
    assert "10\u202f% more budget" in more and "25\u202f% less budget" in less
