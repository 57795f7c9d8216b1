"""Pilots: the test is honest where nothing happened, finds what did, and its interval is the inverted test."""

from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from planning.budget import pilots
from planning.budget.regional import outcome_of
from planning.budget.simulate import simulate_world
from planning.budget.trial import best_proposals, expected_effects, pilot_plan
from planning.errors import DataError

RETAIL = Path(__file__).parents[3] / "shared" / "data" / "sales" / "aus_retail.parquet"
GEO = Path(__file__).parents[3] / "shared" / "data" / "spend" / "meridian_geo_all_channels.csv"


def history(regions=20, periods=80, seed=1, noise=0.04):
    rng = np.random.default_rng(seed)
    level = 1000 * np.exp(rng.normal(0, 0.5, regions))
    common = 1 + 0.1 * np.sin(np.arange(periods) / 8)
    days = pd.date_range("2025-01-06", periods=periods, freq="7D")
    values = level[:, None] * common * np.exp(rng.normal(0, noise, (regions, periods)))
    frame = pd.DataFrame(values.T, index=days, columns=[f"R{i:02d}" for i in range(regions)])
    return frame.rename_axis("period").reset_index().melt("period", var_name="region", value_name="outcome")


def test_all_choices_are_listed_where_they_are_few():
    chosen = pilots.choices_of(6, 2, np.random.default_rng(0))
    assert len(chosen) == comb(6, 2) and (chosen.sum(axis=1) == 2).all()
    assert len({tuple(row) for row in chosen}) == comb(6, 2)


def test_difference_is_treated_minus_the_others():
    change = np.array([0.3, 0.1, 0.0, -0.1])
    assert pilots.difference(change, np.array([True, False, False, False])) == pytest.approx(0.3)


def test_p_is_the_share_of_choices_as_far_off():
    change = np.array([1.0, 0.0, 0.0, 0.0])
    chosen = pilots.choices_of(4, 1, np.random.default_rng(0))
    assert pilots.permutation_p(change, np.array([True, False, False, False]), chosen) == pytest.approx(1 / 4)


def test_a_real_effect_is_found_inside_its_interval():
    frame = history(seed=101)
    days = sorted(frame["period"].unique())
    treated = ["R00", "R01", "R02", "R03"]
    inside = frame["region"].isin(treated) & (frame["period"] >= days[60]) & (frame["period"] <= days[71])
    frame.loc[inside, "outcome"] *= 1.08
    read = pilots.read_pilot(frame, treated, days[60], days[71])
    assert read.test == "regions" and read.p <= 0.01
    assert read.lo < 0.08 < read.hi and abs(read.effect - 0.08) < 0.03
    assert read.delta > 0 and read.se > 0


def test_few_regions_are_compared_with_other_times():
    frame = history(regions=5, periods=120)
    days = sorted(frame["period"].unique())
    read = pilots.read_pilot(frame, ["R01"], days[100], days[109])
    assert read.test == "times" and 0 < read.p <= 1 and read.lo < read.effect < read.hi


def test_the_smallest_effect_is_shown_about_as_often_as_promised():
    frame = history(regions=16, periods=104, seed=3)
    seen = pilots.detectable(frame, ["R00", "R01", "R02"], 8)
    assert pilots.power_of(seen, seen["smallest"]) == pytest.approx(0.8, abs=0.02)
    assert pilots.power_of(seen, 0.0) <= 0.12


def test_aa_rejects_about_five_percent_on_a_strangers_data():
    if not GEO.exists():
        pytest.skip("the reference data are not here")
    geo = pd.read_csv(GEO, usecols=["geo", "time", "conversions"], parse_dates=["time"])
    geo.columns = ["region", "period", "outcome"]
    found = pilots.aa_check(geo, 6, 8, tests=250, seed=11)
    assert 0.02 <= found["rate"] <= 0.09
    assert len(found["p_values"]) == 250


def test_aa_with_a_handful_of_states_is_still_honest():
    if not RETAIL.exists():
        pytest.skip("the reference data are not here")
    sales = pd.read_parquet(RETAIL).rename(columns=str.lower)
    total = sales.groupby(["month", "state"])["turnover"].sum().reset_index()
    total.columns = ["period", "region", "outcome"]
    total["period"] = pd.to_datetime(total["period"])
    total = total[(total["period"] >= "1990-01-01") & (total["region"] != "Northern Territory")]
    rates = [pilots.aa_check(total, count, 3, tests=1200, seed=5) for count in (1, 2, 3)]
    assert [one["choices"] for one in rates] == [7, 21, 35] and not any(one["exact"] for one in rates)
    assert all(0.03 <= one["rate"] <= 0.08 for one in rates), [one["rate"] for one in rates]


def test_too_few_windows_are_said():
    frame = history(regions=4, periods=40)
    assert pilots.aa_check(frame, 1, 12)["tests"] == 0
    days = sorted(frame["period"].unique())
    with pytest.raises(DataError, match="cannot carry a test at 5 %"):
        pilots.read_pilot(frame, ["R00"], days[28], days[39])


def test_bad_pilots_say_what_is_wrong():
    frame = history(regions=4, periods=60)
    days = sorted(frame["period"].unique())
    with pytest.raises(DataError, match="'R9'.*no outcome"):
        pilots.read_pilot(frame, ["R9"], days[30], days[40])
    with pytest.raises(DataError, match="every region is in the pilot"):
        pilots.read_pilot(frame, ["R00", "R01", "R02", "R03"], days[30], days[40])
    with pytest.raises(DataError, match="no period of the outcome"):
        pilots.read_pilot(frame, ["R00"], "1999-01-01", "1999-03-01")
    with pytest.raises(DataError, match="not above 0"):
        pilots.read_history(frame.assign(outcome=frame["outcome"].where(frame["period"] != days[3], 0.0)))


def test_a_plan_proposes_the_cheapest_readable_pilot():
    world = simulate_world(5, regions=4, lines=2, periods=120, noise=0.02)
    sales = world.outcome.rename(columns={"period": "ds", "outcome": "amount"})
    plan = pilot_plan(world.spend, sales, times=3.0)
    assert not plan.refused and set(plan.best["line"]) == {"Line A", "Line B"}
    readable = plan.proposals[plan.proposals["power"] >= 0.8]
    for row in best_proposals(plan.proposals).itertuples():
        same = readable[readable["line"] == row.line]
        assert not len(same) or row.cost == same["cost"].min()
    assert plan.figures["aa_rate"] <= 0.15


def test_a_line_without_evidence_is_judged_by_what_would_pay():
    world = simulate_world(6, regions=3, lines=2, periods=80)
    flat = world.spend[world.spend["line"] == "Line A"].assign(line="Tool", amount=500.0)
    spend = pd.concat([world.spend, flat], ignore_index=True)
    from planning.budget.response import fit_response

    outcome, _ = outcome_of(world.outcome.rename(columns={"period": "ds", "outcome": "amount"}))
    effects = expected_effects(fit_response(spend, outcome, draws=40), times=2.0, margin=0.25)
    tool = effects[effects["line"] == "Tool"]
    assert (tool["basis"] == "break-even").all() and tool["effect"].to_numpy() == pytest.approx(2000.0)
