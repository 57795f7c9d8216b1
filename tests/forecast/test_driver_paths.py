"""Drivers of the sales table: past and planned paths, missing months named, used where they help, what-if."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from made_sales import sales

from planning.config.models import Settings
from planning.errors import DataError, UsageError
from planning.forecast import driver_scenarios, growth_parts
from planning.forecast.history import history_of, until
from planning.forecast.outlook import look_ahead, settled

SETTINGS = Settings.model_validate({"plan": {"by": ["region", "line"]}})
PRICE, PROMOTION = -1.5, 0.4
MONTHS = pd.date_range("2027-01-01", periods=12, freq="MS")


def table(seed: int = 1) -> pd.DataFrame:
    """Returns the small company's sales with prices and promotions that move them, one a region and line."""
    frame, rng = sales(72, start="2021-01-01"), np.random.default_rng(seed)
    frame["price_index"] = np.exp(rng.normal(0, 0.08, len(frame))).round(3)
    frame["promotion"] = np.where(rng.random(len(frame)) < 0.25, 1.0, 0.0)
    effect = PRICE * np.log(frame["price_index"]) + PROMOTION * frame["promotion"]
    return frame.assign(amount=frame["amount"] * np.exp(effect))


def plan(**columns) -> pd.DataFrame:
    return pd.DataFrame({"scenario": None, "ds": MONTHS, "region": None, "line": None} | columns)


@pytest.fixture(scope="module")
def look():
    return look_ahead(table(), SETTINGS, plan=plan(price_index=1.10, promotion=0.5))


def test_effects_are_found_and_growth_is_taken_apart_by_driver(look):
    effects = look.driven.effects.set_index("driver")
    assert look.driven.kept == ("price_index", "promotion") == look.history.drivers
    assert effects.loc["price_index", "effect"] == pytest.approx(PRICE, abs=0.15)
    assert effects.loc["promotion", "effect"] == pytest.approx(PROMOTION, abs=0.05)
    assert (effects["gain"] > 0.05).all()
    rows = growth_parts.parts(look).set_index("part")
    assert rows["change"].sum() == pytest.approx(look.total["change"])
    assert rows.loc["price_index", "share"] < -0.05 < 0.05 < rows.loc["promotion", "share"]
    apart = growth_parts.apart(look).set_index("driver")
    assert apart.loc["price_index", "now"] == pytest.approx(1.10) and apart.loc["promotion", "now"] == 0.5


def test_what_if_prices_rise_lowers_sales_by_the_effect_with_an_interval(look):
    asked = driver_scenarios.of_outlook(look, table(), SETTINGS, price_change=0.02)
    total = asked.table.iloc[0]
    assert total["change"] / total["mean"] == pytest.approx(1.02**PRICE - 1, abs=0.004)
    assert total["change_lo"] < total["change"] < total["change_hi"] < 0 and asked.idle == ()
    bottom = asked.table[asked.table["level"] == "region/line"]
    assert bottom["change"].sum() == pytest.approx(total["change"])
    assert driver_scenarios.of_outlook(look, table(), SETTINGS) is None


def test_less_promotion_is_taken_off_the_months_that_have_it(look):
    share = np.array([[0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]])
    less = driver_scenarios._promoted(share, -0.1)
    assert np.allclose(less.mean(axis=1), [0.4, 0.0]) and less[0, 0] == 0 and less[0, 1] == 0.8
    assert np.allclose(driver_scenarios._promoted(share, -0.9), 0.0)
    assert np.allclose(driver_scenarios._promoted(share, 0.1), [[0.1, 1.0, 0.1, 1.0], [0.1] * 4])
    asked = driver_scenarios.of_outlook(look, table(), SETTINGS, promotion_change=-0.25)
    total = asked.table.iloc[0]
    assert total["change"] / total["mean"] == pytest.approx(np.exp(-0.25 * PROMOTION) - 1, abs=0.01)


def test_a_scenario_lies_over_the_plan_and_an_unknown_one_is_named(look):
    both = pd.concat([plan(price_index=1.10, promotion=0.5), plan(promotion=0.0).assign(scenario="none")])
    asked = driver_scenarios.of_outlook(look, table(), SETTINGS, plan=both, scenario="none")
    total = asked.table.iloc[0]
    assert total["change"] / total["mean"] == pytest.approx(np.exp(-0.5 * PROMOTION) - 1, abs=0.02)
    with pytest.raises(UsageError, match="no scenario 'nine'. It has: none.*Did you mean 'none'"):
        driver_scenarios.of_outlook(look, table(), SETTINGS, plan=both, scenario="nine")


def test_the_row_that_names_more_keys_wins():
    rows = pd.concat([plan(price_index=1.0), plan(price_index=2.0).assign(region="North", line="Pumps"),
                      plan(price_index=3.0).assign(region="North")])  # fmt: skip
    paths = history_of(table(), by=["region", "line"], plan=rows).paths
    ahead = paths.ahead(pd.Timestamp("2026-12-01"), 12, paths.ids).groupby("unique_id")["price_index"].mean()
    assert ahead.to_dict() == {"North/Pumps": 2.0, "North/Valves": 3.0, "South/Pumps": 1.0, "South/Valves": 1.0}


def test_a_month_missing_in_the_plan_is_an_error_that_names_it():
    short = plan(price_index=1.1)
    with pytest.raises(DataError, match="driver_plan: price_index is missing for North/Pumps in 2027-03 .and 3 more"):
        look_ahead(table(), SETTINGS, plan=short[short["ds"] != "2027-03-01"])
    with pytest.raises(DataError, match="in 2027-07, 2027-08, 2027-09 and 3 more"):
        look_ahead(table(), SETTINGS, plan=short[short["ds"] < "2027-07-01"])


def test_a_driver_in_no_plan_is_held_and_judged_so():
    history = history_of(table(), by=["region", "line"])
    assert history.paths.how == ("held", "held")
    ahead = history.paths.ahead(history.last, 2, ["North/Pumps"]).set_index("unique_id").loc["North/Pumps"]
    past = table().query("region == 'North' and line == 'Pumps'")
    assert ahead["price_index"].iloc[0] == pytest.approx(past["price_index"].tail(3).mean())
    assert ahead["promotion"].iloc[1] == pytest.approx(past["promotion"].tail(12).mean())
    planned = history_of(table(), by=["region", "line"], plan=plan(price_index=1.1, promotion=0.5))
    known = look_ahead(table(), SETTINGS, plan=plan(price_index=1.1, promotion=0.5)).driven.gain
    held = look_ahead(table(), SETTINGS).driven.gain
    assert planned.paths.how == ("planned", "planned") and known > max(held, 0.0)


def test_rounds_replayed_use_the_drivers_chosen_once(look):
    history = settled(history_of(table(), by=["region", "line"], plan=plan(price_index=1.1, promotion=0.5)))
    assert history.drivers == ("price_index", "promotion")
    known = until(history, pd.Timestamp("2025-12-01"))
    ahead = known.paths.ahead(known.last, 12, ["North/Pumps"]).query("unique_id == 'North/Pumps'")
    came = table().query("region == 'North' and line == 'Pumps' and ds > '2025-12-01'")
    assert np.allclose(ahead["price_index"], came["price_index"])
    assert settled(history) is history


def test_a_driver_that_never_moves_or_is_mostly_empty_is_no_driver():
    frame = table().assign(promotion=0.0)
    frame["price_index"] = frame["price_index"].where(frame.index % 3 == 0)
    history = history_of(frame, by=["region", "line"])
    assert history.paths is None
    thin = history_of(frame.assign(promotion=table()["promotion"]), by=["region", "line"]).paths
    assert thin.names == ("promotion",) and thin.thin[0][0] == "price_index" and thin.thin[0][1] < 0.4


def test_a_past_month_without_a_row_borrows_its_neighbours_driver():
    frame = table()
    frame["promotion"] = frame.groupby(["region", "ds"])["promotion"].transform("first")
    gone = (frame["region"] == "North") & (frame["line"] == "Pumps") & (frame["ds"] == "2024-05-01")
    before = frame.loc[gone, "promotion"].iloc[0]
    paths = history_of(frame[~gone], by=["region", "line"]).paths
    there = paths.of(["North/Pumps"], pd.DatetimeIndex(["2024-05-01"]))[0, 0, paths.names.index("promotion")]
    assert there == before


def test_as_of_a_past_day_the_plan_leaves_to_what_came():
    history = history_of(table(), by=["region", "line"], as_of=pd.Timestamp("2026-06-30").date(),
                         plan=plan(price_index=1.1))  # fmt: skip
    ahead = history.paths.take(["price_index"]).ahead(history.last, 18, ["South/Pumps"])
    ahead = ahead[ahead["unique_id"] == "South/Pumps"]
    came = table().query("region == 'South' and line == 'Pumps' and ds > '2026-06-01'")["price_index"]
    assert np.allclose(ahead["price_index"].head(6), came) and np.allclose(ahead["price_index"].tail(12), 1.1)
    assert history.hindsight and not dataclasses.replace(history, left_out=[]).hindsight
