"""Adjustments by what their past was worth, capacity and lost sales, departments, the market view."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from planning.errors import DataError
from planning.targets.adjustments import adjust, learn_weight, past_log, value_added
from planning.targets.annual import plan_year
from planning.targets.confirmations import standing
from planning.targets.market import market_view
from planning.targets.policy import make_policy


def planners(seed: int, n: int = 80) -> pd.DataFrame:
    """Simulated planners: they see a part of the truth, exaggerate it, and are hopeful."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 0.06, n)
    said = 0.04 + 1.6 * (0.6 * truth + rng.normal(0, 0.05, n))
    actual = 100 * (1 + truth + rng.normal(0, 0.04, n))
    return pd.DataFrame({"base": 100.0, "adjusted": 100 * (1 + said), "actual": actual,
                         "author": rng.choice(["A", "B", "C"], n), "reason": "launch"})  # fmt: skip


def test_the_pooled_weight_beats_raw_adjustments_and_never_harms_the_base():
    raw, learned = [], []
    for seed in range(20):
        log, new = planners(seed), planners(seed + 100, 400)
        weight, sd, rows = learn_weight(log)
        assert 0 <= weight <= 1 and sd > 0 and rows == 80
        change = new["adjusted"] - 100
        error = (new["actual"] - 100).abs().mean()
        raw.append(1 - (new["actual"] - 100 - change).abs().mean() / error)
        learned.append(1 - (new["actual"] - 100 - weight * change).abs().mean() / error)
    assert np.mean(learned) > np.mean(raw) and min(learned) > -0.01


def test_value_added_is_told_apart_from_noise():
    table = value_added(planners(1, 400), "author").set_index("group")
    assert list(table.index) == ["A", "B", "C"] and (table["lo"] < table["fva"]).all()
    good = pd.DataFrame({"base": 100.0, "adjusted": 110.0, "actual": 110.0 + np.arange(12) * 0.01})
    assert value_added(good).iloc[0]["told"] and value_added(good).iloc[0]["fva"] == pytest.approx(0.09, abs=0.01)


def test_without_a_log_an_adjustment_counts_half(plan, history, content):
    whole = {"from": "2027-01-01", "to": "2027-12-31"}
    asked = pd.DataFrame(
        [
            {"adjustment_id": "1", "region": "North", **whole, "percent": 10.0, "evidence": "x"},
            {"adjustment_id": "2", "region": "East", **whole, "amount": 100_000.0, "evidence": "none"},
            {"adjustment_id": "3", "region": "West", **whole, "percent": 5.0, "evidence": "x"},
        ]
    )
    after = plan_year(history, make_policy(content), year=2027, adjustments=asked)[0]
    applied = after.target.adjusted.applied
    assert applied["status"].tolist() == ["applied", "no evidence", "no such cell"]
    north = plan.cells.loc[plan.cells["region"] == "North", "expected"].sum()
    assert applied["change"].iloc[0] == pytest.approx(0.5 * 0.1 * north)
    assert after.target.expected - plan.target.expected == pytest.approx(0.05 * north)
    width = [p.target.interval[1] - p.target.interval[0] for p in (plan, after)]
    assert width[1] > width[0]


def test_the_log_is_judged_by_what_was_known_then(panel, plan):
    columns = ["adjustment_id", "made_on", "region", "from", "to", "percent"]
    rows = [
        ("1", "2025-12-10", "North", "2026-01-01", "2026-06-30", 50.0),
        ("2", "2020-01-10", "North", "2020-02-01", "2020-03-31", 5.0),
        ("3", "2026-12-10", "North", "2027-01-01", "2027-12-31", 5.0),
    ]
    table = pd.DataFrame(rows, columns=columns)
    log, future = past_log(panel, table, pd.Timestamp("2027-01-01"))
    assert future["adjustment_id"].tolist() == ["3"] and len(log) == 1
    assert log["adjusted"].iloc[0] == pytest.approx(1.5 * log["base"].iloc[0])
    assert log["actual"].iloc[0] == pytest.approx(log["base"].iloc[0], rel=0.15)
    unchanged = adjust(plan.target.adjusted.joint, None, log, plan.target.law.periods)
    assert unchanged.joint is plan.target.adjusted.joint


def test_capacity_cuts_the_draws_and_shows_lost_sales(plan, history, content):
    demand = plan.by("line").set_index("line")["expected"]["Pumps"]
    table = pd.DataFrame(
        [{"from": "2027-01-01", "to": "2027-12-31", "line": "Pumps", "amount": 0.95 * demand, "kind": "supply"}]
    )
    after = plan_year(history, make_policy(content), year=2027, capacity=table)[0]
    lost = after.target.attainable.lost.iloc[0]
    assert lost["lost"] == pytest.approx(0.05 * demand, rel=0.35) and 0.7 < lost["chance"] <= 1
    assert after.by("line").set_index("line")["target"]["Pumps"] <= 0.95 * demand + 0.01
    assert after.target.target < plan.target.target
    bridge = after.target.bridge
    totals = bridge.set_index("step")["after"]
    assert totals["base"] - lost["lost"] == pytest.approx(totals["attainable"], rel=1e-3)


def test_half_a_year_of_capacity_binds_its_months_only(history, content):
    table = pd.DataFrame(
        [{"from": "2027-01-01", "to": "2027-06-30", "region": "East", "amount": 1.0, "kind": "supply"}]
    )
    plan = plan_year(history, make_policy(content), year=2027, capacity=table)[0]
    east = plan.by("region").set_index("region")["expected"]["East"]
    free = plan_year(history, make_policy(content), year=2027)[0].by("region").set_index("region")["expected"]["East"]
    assert 0.4 < east / free < 0.6


def test_departments_limit_approve_more_and_reject(plan, history, content):
    rows = [
        {"department": "Finance", "status": "approve"},
        {"department": "production", "line": "Pumps", "status": "limit", "limit": 5_000_000},
        {"department": "marketing", "status": "reject", "comment": "no launch"},
    ]
    after = plan_year(history, make_policy(content), year=2027, confirmations=pd.DataFrame(rows))[0]
    assert after.target.standing.rejected == ("marketing",) and not after.target.standing.final
    assert after.by("line").set_index("line")["target"]["Pumps"] <= 5_000_000
    found = standing(pd.DataFrame(rows[:1]), ["region", "line"])
    assert found.missing == ("production", "marketing")
    with pytest.raises(DataError, match=r"(?s)'maybe'.*without an amount.*without a reason"):
        standing(pd.DataFrame([{"department": "a", "status": s} for s in ("maybe", "limit", "reject")]), ["region"])


def test_a_target_above_capacity_is_refused_unless_approved(plan, history, content):
    total = plan.target.amount(plan.target.target)
    wanted = content | {"target": {"amount": round(total * 1.02, 2), "accept_improbable": True},
                        "capacity": [{"amount": round(total * 0.99, 2), "kind": "cash"}]}  # fmt: skip
    with pytest.raises(DataError, match=r"(?s)2 rules.*target.*cash capacity"):
        plan_year(history, make_policy(wanted), year=2027)
    answer = pd.DataFrame([{"department": "finance", "status": "approve", "limit": total * 1.05}])
    assert plan_year(history, make_policy(wanted), year=2027, confirmations=answer)[0].target.target == round(
        total * 102
    )


def test_the_market_view_tells_a_difference_beyond_its_error(plan, panel):
    rows = []
    for region, part in plan.cells.groupby("region"):
        for year in range(2021, 2027):
            actual = panel.year_total(pd.Timestamp(year, 1, 1))[(panel.cells["region"] == region).to_numpy()].sum()
            rows.append({"region": region, "ds": f"{year}-01-01", "potential": actual / 0.2, "share": 0.2})
        rows.append(
            {
                "region": region,
                "ds": "2027-01-01",
                "potential": part["expected"].sum() / 0.2 * (2 if region == "East" else 1),
                "share": None,
            }
        )
    view = market_view(plan, pd.DataFrame(rows), panel)
    assert view.set_index("region")["told"].to_dict() == {"East": True, "North": False, "South": False}
    assert market_view(plan, None, panel) is None
