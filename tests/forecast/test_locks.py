"""Figures management fixes: honoured exactly, the rest moves least, contradictions named, nothing pushed below zero."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from planning.errors import DataError
from planning.forecast import locks
from planning.targets.adjustments import adjust as count_adjustments


def row(**changes):
    base = {"lock_id": "L1", "author": "Board", "made_on": pd.Timestamp("2026-12-01"), "region": "North", "line": None,
            "from": pd.Timestamp("2027-01-01"), "to": pd.Timestamp("2027-12-31"), "amount": 30_000.0, "reason": "r",
            "evidence": "signed"}  # fmt: skip
    return base | changes


def table(*rows):
    return pd.DataFrame([row(**one) for one in rows])


def total(joint, name):
    return joint.mean[joint.cells["unique_id"] == name].sum()


def test_a_lock_holds_exactly_and_others_stay_as_they_are(ahead):
    fixed = locks.fix(ahead, table({}))
    assert total(fixed.joint, "North") == pytest.approx(30_000)
    assert total(fixed.joint, "South") == pytest.approx(total(ahead, "South"))
    assert total(fixed.joint, "total") == pytest.approx(30_000 + total(ahead, "South"))
    sums = fixed.joint.quantile(["North", "South"], total=True).set_index("unique_id")
    assert sums.loc["North", 0.9] - sums.loc["North", 0.1] == pytest.approx(0.0, abs=1.0)
    before = ahead.quantile(["South"], total=True).set_index("unique_id")
    assert sums.loc["South", 0.9] == pytest.approx(before.loc["South", 0.9])
    listed = fixed.listed.iloc[0]
    assert listed["before"] == pytest.approx(total(ahead, "North")) and listed["status"] == "applied"


def test_the_move_is_the_least_one_in_the_metric_of_the_variance(ahead):
    joint = locks.fix(ahead, table({})).joint
    low = np.flatnonzero(ahead.bottom & (ahead.cells["region"] == "North").to_numpy())
    move = (joint.mean[low] - ahead.mean[low]).ravel()
    variance = np.einsum("k,knh->nh", ahead.weights, ahead.errors[:, low].astype(float) ** 2).ravel()
    gap = 30_000 - total(ahead, "North")
    assert np.allclose(move, variance * gap / variance.sum(), rtol=1e-5)
    rng = np.random.default_rng(1)
    for _round in range(20):
        other = rng.normal(0, 1, len(move))
        other = move + other - other.mean()
        assert (move**2 / variance).sum() <= (other**2 / variance).sum()


def test_locks_that_overlap_hold_together_and_contradictions_are_named(ahead):
    both = table({}, {"lock_id": "L2", "region": None, "line": "Pumps", "amount": 40_000.0})
    joint = locks.fix(ahead, both).joint
    assert total(joint, "North") == pytest.approx(30_000) and total(joint, "Pumps") == pytest.approx(40_000)
    with pytest.raises(DataError, match="locks L1, L2: cannot hold together"):
        locks.fix(ahead, table({}, {"lock_id": "L2", "amount": 20_000.0}))


def test_nothing_is_pushed_below_zero(ahead):
    cells = table({"line": "Pumps", "amount": 100.0})
    joint = locks.fix(ahead, cells).joint
    low = joint.mean[joint.bottom]
    assert (low >= 0).all() and total(joint, "North/Pumps") == pytest.approx(100.0)
    with pytest.raises(DataError, match="cannot hold together"):
        locks.fix(ahead, table({"amount": -5.0}))


def test_what_does_not_hold_is_listed_with_its_reason(ahead):
    rows = table(
        {"lock_id": "A", "region": "East"}, {"lock_id": "B", "to": pd.Timestamp("2028-12-31")},
        {"lock_id": "C", "made_on": pd.Timestamp("2027-02-01")},
        {"lock_id": "D", "expires": pd.Timestamp("2026-06-30")},
    )  # fmt: skip
    fixed = locks.fix(ahead, rows, made_by=pd.Timestamp("2026-12-31"))
    assert fixed.listed["status"].tolist() == ["no_such_cell", "beyond", "made_later", "expired"]
    assert fixed.joint is ahead
    with pytest.raises(DataError, match="lock L1: covers part of a month"):
        locks.fix(ahead, table({"from": pd.Timestamp("2027-01-15")}))


def test_months_that_are_over_count_as_sold(ahead, company):
    past = company.whole.rename(columns={"y": "actual"})
    past["unique_id"] = past["region"] + "/" + past["line"]
    early = table({"from": pd.Timestamp("2026-07-01"), "to": pd.Timestamp("2027-06-30")})
    fixed = locks.fix(ahead, early, actual=past)
    sold = past[(past["region"] == "North") & (past["ds"] >= "2026-07-01")]["actual"].sum()
    half = fixed.joint.mean[fixed.joint.cells["unique_id"] == "North"][0][:6].sum()
    assert sold + half == pytest.approx(30_000)


def test_adjustments_counted_later_do_not_move_what_is_fixed(ahead):
    joint = locks.fix(ahead, table({})).joint
    asked = pd.DataFrame([{"adjustment_id": "A", "author": "B", "region": None, "line": "Pumps", "percent": 10.0,
                           "from": pd.Timestamp("2027-01-01"), "to": pd.Timestamp("2027-12-31"), "reason": "r",
                           "evidence": "order"}])  # fmt: skip
    counted = count_adjustments(joint, asked, None, ahead.periods).joint
    assert total(counted, "North") == pytest.approx(30_000)
    assert total(counted, "South/Pumps") > total(joint, "South/Pumps")
    half = locks.again(dataclasses.replace(joint.window(end="2027-06-01")))
    assert half.mean.shape[1] == 6
