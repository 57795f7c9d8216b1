"""Conditioning on the year so far, re-planning after a shock, the open pipeline."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from planning.errors import DataError
from planning.targets.annual import plan_year
from planning.targets.pipeline import lift, open_pipeline, pipeline_signal
from planning.targets.policy import make_policy
from planning.targets.progress import condition, progress
from planning.targets.reliability import in_year
from planning.targets.replan import Event, events_of, replan, shocked, shortfall
from planning.targets.year import YearLaw


@pytest.fixture(scope="module")
def joint(plan):
    return plan.target.adjusted.joint


@pytest.fixture(scope="module")
def months(plan):
    law = plan.target.law
    return law.profile * law.mean[:, None]


def test_at_the_start_it_knows_the_base_rate_only(plan, joint):
    state = progress(plan, joint, np.zeros((12, 0)))
    assert state.months == 0 and state.total["chance"] == pytest.approx(plan.target.attainment_probability, abs=1e-9)
    assert state.cells["chance"].to_numpy() == pytest.approx(plan.cells["attainment_probability"].to_numpy(), abs=1e-6)


def test_good_months_raise_the_chance_and_bad_ones_lower_it(plan, joint, months):
    good = progress(plan, joint, 1.05 * months[:, :6]).total
    as_expected = progress(plan, joint, months[:, :6]).total
    bad = progress(plan, joint, 0.95 * months[:, :6]).total
    assert good["chance"] > 0.9 > as_expected["chance"] > 0.4 > bad["chance"]
    assert good["expected"] > as_expected["expected"] > bad["expected"]


def test_what_is_left_gets_surer_and_sums_stay_coherent(plan, joint, months):
    widths = []
    for known in (0, 3, 6, 9):
        after = condition(joint, months[:, :known])
        low = np.flatnonzero(after.bottom)
        assert np.allclose(after.mean[low].sum(axis=0), after.mean[~after.bottom][0])
        law = YearLaw.of(after, after.periods[0], after.periods[-1])
        widths.append(law.total_quantile(0.9) - law.total_quantile(0.1))
    assert widths == sorted(widths, reverse=True) and widths[-1] < 0.5 * widths[0]


def test_a_finished_year_is_a_fact(plan, joint, months):
    state = progress(plan, joint, 1.1 * months)
    assert state.total["chance"] == 1.0 and (state.cells["chance"] == 1).all() and state.law is None
    with pytest.raises(DataError, match="year is over"):
        condition(joint, months)


def test_frozen_months_and_commitments_keep_and_the_total_is_exact(plan, joint, months):
    event = Event("price cut", (("line", "Pumps"),), pd.Timestamp("2027-05-01"), -0.2, 0.8)
    result = replan(plan, joint, [event], months[:, :3], commitments=["East/Pumps"])
    before = plan.months["minor"].to_numpy().reshape(12, 12)
    kept = (plan.cells["unique_id"] == "East/Pumps").to_numpy()
    for after in result.plans.values():
        assert (after[:, :3] == before[:, :3]).all() and (after[kept] == before[kept]).all()
        assert after.sum() == before.sum() and (after >= 0).all()
    options = result.options
    assert options["gain"].is_monotonic_increasing and options["share_of_gain"].le(1 + 1e-9).all()
    assert (options["moved"] <= options["move"] * (before[:, 3:].sum() / 100) + 1).all()
    assert result.kept_chance_total < result.chance_before
    down = result.moved(0.05).cells["minor"] - plan.cells["minor"]
    assert (down[plan.cells["line"] == "Pumps"] <= 0).all() and down.sum() == 0


def test_shortfall_agrees_with_draws(plan):
    law = plan.target.law
    goal = plan.cells["target"].to_numpy()
    rng = np.random.default_rng(0)
    t = rng.standard_t(law.df, (200_000, 1))
    simulated = np.maximum(goal - (law.mean + law.scale * t), 0).mean(axis=0).sum()
    assert shortfall(law, goal) == pytest.approx(simulated, rel=0.01)


def test_no_better_move_of_the_same_size_is_found(plan, joint, months):
    event = Event("stop", (("region", "North"),), pd.Timestamp("2027-04-01"), -0.3)
    result = replan(plan, joint, [event], months[:, :3])
    best = result.options.set_index("move").loc[0.05]
    goal = plan.cells["target"].to_numpy() - months[:, :3].sum(axis=1)
    rng = np.random.default_rng(1)
    for _ in range(300):
        step = rng.normal(size=12)
        step -= step.mean()
        step *= best["moved"] / (np.abs(step).sum() / 2)
        assert shortfall(result.law, goal + step) >= best["shortfall"] - 1


def test_an_unsure_event_widens_and_a_sure_one_only_shifts(joint):
    place = (("region", "East"),)
    sure = shocked(joint, [Event("a", place, pd.Timestamp("2027-01-01"), -0.2, 1.0)])
    half = shocked(joint, [Event("a", place, pd.Timestamp("2027-01-01"), -0.2, 0.5)])
    assert half.mean[-1].sum() > sure.mean[-1].sum()
    width = [j.quantile(["total"], (0.1, 0.9), total=True).iloc[0] for j in (joint, sure, half)]
    spread = [row[0.9] - row[0.1] for row in width]
    assert spread[1] == pytest.approx(spread[0], rel=1e-6) and spread[2] > 1.1 * spread[0]


def test_wrong_events_are_named():
    table = pd.DataFrame([{"event": "x", "from": "2027-01-01", "percent": -300, "sure": 1},
                          {"event": "y", "from": "2027-01-01", "percent": -10, "sure": 2}])  # fmt: skip
    with pytest.raises(DataError, match=r"(?s)-300.*found 2"):
        events_of(table, ["region"])


def pipeline_tables(late: int):
    """80 past deals (half won), 20 open ones; `late` of them have waited 90 days."""
    rows, stays = [], []
    for i in range(80):
        start = pd.Timestamp("2026-01-01") + pd.Timedelta(days=i)
        rows.append((f"D{i}", start, start + pd.Timedelta(days=10 + i % 20), "won" if i % 2 else "lost", 100.0, "East"))
        stays.append((f"D{i}", "Offer", start, start + pd.Timedelta(days=10 + i % 20)))
    for i in range(80, 100):
        start = pd.Timestamp("2026-12-31") - pd.Timedelta(days=90 if i - 80 < late else 5)
        rows.append((f"D{i}", start, pd.NaT, "open", 200.0, "East"))
        stays.append((f"D{i}", "Offer", start, pd.NaT))
    deals = pd.DataFrame(rows, columns=["deal_id", "created_date", "closed_date", "outcome", "amount", "region"])
    return deals, pd.DataFrame(stays, columns=["deal_id", "stage", "entered_at", "left_at"])


def test_the_pipeline_is_worth_amount_times_the_learned_rate():
    deals, stays = pipeline_tables(0)
    found = open_pipeline(deals, stays, pd.Timestamp("2026-12-31"))
    assert len(found.deals) == 20 and found.deals["worth"].sum() == pytest.approx(20 * 200 * 0.5)
    assert found.alarms.empty
    past = open_pipeline(deals, stays, pd.Timestamp("2026-02-01"))
    assert past.deals["outcome"].ne("open").all() and len(past.deals) < 32


def test_a_lagging_stage_raises_one_alarm():
    found = open_pipeline(*pipeline_tables(15), pd.Timestamp("2026-12-31"))
    assert found.alarms[["stage", "place", "open", "late"]].values.tolist() == [["Offer", "East", 20, 15]]


def test_a_signal_is_told_only_where_it_is_there():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    noise = pipeline_signal(pd.DataFrame({"fullness": x, "surprise": rng.normal(size=200)}))
    real = pipeline_signal(pd.DataFrame({"fullness": x, "surprise": 0.5 * x + 0.2 * rng.normal(size=200)}))
    assert not noise["told"] and real["told"] and real["slope"] == pytest.approx(0.5, abs=0.1)
    assert not pipeline_signal(pd.DataFrame({"fullness": x[:10], "surprise": x[:10]}))["told"]


def test_capacity_still_counts_in_the_year(history, content):
    free = plan_year(history, make_policy(content), year=2027)[0]
    limit = float(free.cells["expected"].sum()) * 0.98
    capped = plan_year(
        history, make_policy(content | {"capacity": [{"amount": round(limit, 2), "kind": "cash"}]}), year=2027
    )[0]
    start = progress(capped, capped.target.adjusted.joint, np.zeros((12, 0)))
    assert start.total["chance"] == pytest.approx(capped.target.attainment_probability, abs=0.02)
    assert start.total["expected"] <= limit + 1


def test_a_told_pipeline_moves_the_next_three_months_and_an_untold_one_nothing(plan, joint, months):
    deals, stays = pipeline_tables(0)
    told = {"slope": 0.2, "r2": 0.3, "told": True}
    assert lift(deals, stays, pd.Timestamp("2026-12-31"), told | {"told": False}) is None
    factors = lift(deals, stays, pd.Timestamp("2026-12-31"), told)
    assert list(factors.index) == ["East"] and 1.0 < factors["East"] <= 1.4
    plain = progress(plan, joint, months[:, :6])
    fuller = progress(plan, joint, months[:, :6], pipeline=(factors, "region", 0.3))
    east = [state.by("region").set_index("region").loc["East"] for state in (plain, fuller)]
    north = [state.by("region").set_index("region").loc["North"] for state in (plain, fuller)]
    assert east[1]["chance"] > east[0]["chance"] and east[1]["expected"] > east[0]["expected"]
    assert north[1]["expected"] == pytest.approx(north[0]["expected"])


def test_chances_in_the_year_are_checked_on_past_years(panel):
    start, half = (in_year(panel, months) for months in (0, 6))
    assert half.brier < start.brier and half.brier < half.brier_call
    assert half.frame["year"].tolist()[0] == 2022 and len(half.frame) == 5 * 12
    assert half.table()["n"].sum() == 60 and half.table()["chance"].is_monotonic_increasing
    assert in_year(panel.until(pd.Timestamp("2021-12-01")), 3).frame.empty
