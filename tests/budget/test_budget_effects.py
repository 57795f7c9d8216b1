"""Chance of the target over the budget, returns after the fact, shocks, phasing and resources."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from planning.budget import effects, replan, resources
from planning.budget.curves import Curves
from planning.budget.response import fit_response
from planning.budget.simulate import simulate_world
from planning.budget.solver import solve
from planning.errors import DataError


@pytest.fixture(scope="module")
def response():
    world = simulate_world(2, regions=4, lines=2, periods=90)
    return fit_response(world.spend, world.outcome, draws=80)


def test_the_chance_rises_with_the_budget_and_the_best_split_beats_todays(response):
    def chance_of(amount):
        return float(norm.sf(amount, 1e8, 5e6))

    table = effects.target_chance(response, chance_of, 1.01e8, periods=52)
    assert table["chance_as_now"].is_monotonic_increasing
    assert (table["chance_best"] >= table["chance_as_now"] - 1e-3).all()
    now = table[table["multiple"] == 1.0].iloc[0]
    assert now["chance_as_now"] == pytest.approx(chance_of(1.01e8), abs=1e-9)


def test_averaging_over_draws_equals_the_plain_mean():
    change = np.random.default_rng(0).normal(3, 2, 200)
    direct = np.mean([norm.sf(5 - c) for c in change])
    assert effects.averaged_chance(lambda a: float(norm.sf(a)), 5.0, change, knots=201) == pytest.approx(
        direct, abs=1e-4
    )


def test_chances_start_from_the_one_the_targets_state():
    def plain(amount):
        return float(norm.sf(amount, 100.0, 10.0))

    moved = effects.anchored(plain, 105.0, 0.55)
    assert moved(105.0) == pytest.approx(0.55, abs=1e-9)
    assert moved(110.0) < 0.55 < moved(100.0)


def test_past_returns_hold_their_identity_and_label_what_is_not_proven(response):
    table = effects.past_returns(response, margin=0.4, periods=52)
    assert ((table["contribution"] - table["spend"]) / table["spend"]).to_numpy() == pytest.approx(
        table["roi"].to_numpy()
    )
    assert (table["roi_lo"] < table["roi"]).all() and (table["roi"] < table["roi_hi"]).all()
    assert set(table["proof"]) == {"measured"}
    spend = response.panel.x[:, 0, -52:].sum()
    assert table.set_index("line").loc["Line A", "spend"] == pytest.approx(spend)


def test_payback_by_hand():
    assert effects.payback(0.9, 0.5) != effects.payback(0.9, 0.5)
    assert effects.payback(2.0, 0.5) == pytest.approx(1.0)
    assert effects.payback(4 / 3, 0.5) == pytest.approx(2.0)


def test_a_shock_scales_only_its_cells(response):
    after = effects.shocked(response.draws, pd.DataFrame([{"region": "Region 1", "line": "", "factor": 0.5}]))
    inside = (response.draws.cells["region"] == "Region 1").to_numpy()
    assert np.allclose(after.a[:, inside], 0.5 * response.draws.a[:, inside])
    assert np.allclose(after.a[:, ~inside], response.draws.a[:, ~inside])


def test_moving_a_little_obtains_much_of_the_gain():
    rng = np.random.default_rng(1)
    curves = Curves(rng.lognormal(3, 0.6, 50), rng.lognormal(1, 0.4, 50))
    lo, hi = np.zeros(50), np.full(50, 60.0)
    plan = solve(curves, 200.0, lo, hi).x
    shaken = Curves(curves.a * np.where(np.arange(50) < 10, 0.5, 1.0), curves.k)
    table, splits = replan.move_options(shaken, plan, lo, hi)
    assert (table["moved"] <= table["share"] * 200 * (1 + 1e-6)).all()
    assert table["of_possible"].is_monotonic_increasing and table["of_possible"].iloc[1] >= 0.6
    for x in splits.values():
        assert x.sum() == pytest.approx(200.0, abs=1e-6)


def test_least_move_equals_clarabel():
    cp = pytest.importorskip("cvxpy", reason="cvxpy is the optional extra")
    rng = np.random.default_rng(2)
    curves = Curves(rng.lognormal(3, 0.6, 12), rng.lognormal(1, 0.4, 12))
    lo, hi, plan = np.zeros(12), np.full(12, 40.0), np.full(12, 5.0)
    ours = replan.least_move(curves, plan, lo, hi, 6.0)
    x = cp.Variable(12)
    value = -cp.sum(cp.multiply(curves.a * curves.k, cp.inv_pos(x + curves.k)))
    cp.Problem(cp.Maximize(value), [x >= lo, x <= hi, cp.sum(x) == 60, cp.norm1(x - plan) <= 12]).solve(
        solver=cp.CLARABEL
    )
    assert curves.value(ours).sum() == pytest.approx(curves.value(x.value).sum(), rel=1e-7)


def test_needs_follow_their_ratios():
    ratio, spread = resources.ratio_of(pd.Series([10.0, 12.0, 11.0]), pd.Series([1000.0, 1100.0, 1200.0]))
    assert ratio == pytest.approx(33 / 3300)
    targets = pd.DataFrame({"region": ["North", "South"], "amount": [2000.0, 3000.0]})
    table = resources.needs(
        targets, pd.DataFrame([{"resource": "people", "ratio": ratio, "spread": spread, "available": 15.0}])
    )
    assert table["need"].tolist() == pytest.approx([20.0, 30.0])
    assert (table["lo"] < table["need"]).all() and (table["need"] < table["hi"]).all()
    with pytest.raises(DataError, match="at least 2"):
        resources.ratio_of(pd.Series([1.0]), pd.Series([2.0]))


def test_people_years_count_months_worked_and_half_while_ramping():
    people = pd.DataFrame(
        {
            "region": ["N", "N", "S"], "start_date": ["2019-01-01", "2025-07-01", "2019-01-01"],
            "end_date": [None, None, "2025-06-30"], "fte": [1.0, 1.0, 0.5], "ramp_months": [0, 2, 0],
        }
    )  # fmt: skip
    table = resources.people_years(people, [2025]).set_index("region")["fte"]
    assert table["N"] == pytest.approx(1 + (2 * 0.5 + 4) / 12) and table["S"] == pytest.approx(0.25)
