"""Working days as a driver: counted from holidays, used where they help; growth in parts that add up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from made_sales import sales

from planning.config.models import Settings
from planning.errors import ConfigError
from planning.forecast import growth_parts, workdays
from planning.forecast.outlook import look_ahead

SETTINGS = Settings.model_validate({"plan": {"by": ["region", "line"]}, "calendar": {"holidays": "DE"}})


def table(strength: float) -> pd.DataFrame:
    """Returns the small company's sales, multiplied by (working days / 20) ^ strength."""
    frame = sales(72, start="2021-01-01")
    days = frame["ds"].map(workdays.working_days("DE", 2021, 2026))
    return frame.assign(amount=frame["amount"] * (days / 20.0) ** strength)


@pytest.fixture(scope="module")
def look():
    return look_ahead(table(1.0), SETTINGS)


def test_working_days_are_weekdays_less_public_holidays():
    days = workdays.working_days("DE", 2027, 2027)
    assert days.loc["2027-01-01"] == 20 and days.loc["2027-05-01"] == 19
    naive = sum(1 for day in pd.date_range("2027-02-01", "2027-02-28") if day.weekday() < 5)
    assert days.loc["2027-02-01"] == naive
    with pytest.raises(ConfigError, match="'XX' names no country"):
        workdays.working_days("XX", 2027, 2027)


def test_regions_have_their_own_calendar_and_others_the_companys():
    cells = pd.DataFrame({"region": ["N", "S"], "line": ["P", "P"]})
    months = pd.date_range("2027-01-01", periods=12, freq="MS")
    got = workdays.by_cell(cells, ["region", "line"], {"": "DE", "S": "AT"}, months).set_index(["unique_id", "ds"])
    assert np.array_equal(got.loc["N/P", "working_days"], workdays.working_days("DE", 2027, 2027))
    assert np.array_equal(got.loc["S/P", "working_days"], workdays.working_days("AT", 2027, 2027))
    assert workdays.calendar_of(Settings()) == {}


def test_an_effect_that_is_there_is_found_and_used(look):
    row = look.driven.effects.iloc[0]
    assert look.driven.used and row["effect"] == pytest.approx(1.0, abs=0.2)
    assert look.driven.gain > 0.1


def test_the_parts_of_growth_add_up_and_days_follow_the_calendar(look):
    rows = growth_parts.parts(look).set_index("part")
    assert rows["change"].sum() == pytest.approx(look.total["change"])
    days = [workdays.working_days("DE", year, year).sum() for year in (2026, 2027)]
    assert growth_parts.days_apart(look) == pytest.approx(days[1] - days[0])
    expected = look.driven.effects["effect"].iloc[0] * (days[1] / days[0] - 1)
    assert rows.loc["working_days", "share"] == pytest.approx(expected, abs=0.006)
    bridge = growth_parts.bridge(look)
    assert bridge["after"].iloc[-1] == pytest.approx(bridge["after"].iloc[-2])


def test_without_a_calendar_or_an_effect_nothing_is_taken_apart():
    none = Settings.model_validate({"plan": {"by": ["region", "line"]}})
    look = look_ahead(table(0.0), none)
    assert not look.driven.used and growth_parts.parts(look).empty
    idle = look_ahead(table(0.0), SETTINGS)
    assert idle.driven.used or growth_parts.parts(idle).empty
    assert np.isfinite(idle.joint.mean).all()
