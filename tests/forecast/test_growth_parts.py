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


def days_of(code: str, months) -> np.ndarray:
    starts = pd.DatetimeIndex(months)
    return workdays.between(code, starts.to_numpy(), (starts + pd.offsets.MonthEnd(0)).to_numpy())


def table(strength: float) -> pd.DataFrame:
    """Returns the small company's sales, multiplied by (working days / 20) ^ strength."""
    frame = sales(72, start="2021-01-01")
    return frame.assign(amount=frame["amount"] * (days_of("DE", frame["ds"]) / 20.0) ** strength)


@pytest.fixture(scope="module")
def look():
    return look_ahead(table(1.0), SETTINGS)


def test_working_days_are_weekdays_less_public_holidays():
    assert days_of("DE", ["2027-01-01", "2027-05-01"]).tolist() == [20, 19]
    naive = sum(1 for day in pd.date_range("2027-02-01", "2027-02-28") if day.weekday() < 5)
    assert days_of("DE", ["2027-02-01"])[0] == naive
    with pytest.raises(ConfigError, match="'XX' names no country"):
        days_of("XX", ["2027-01-01"])


def test_regions_have_their_own_calendar_and_others_the_companys():
    months = pd.date_range("2027-01-01", periods=12, freq="MS")
    ends = (months + pd.offsets.MonthEnd(0)).to_numpy()
    got = workdays.by_region(pd.Series(["N", "S"]), 2, {"": "DE", "S": "AT"}, months.to_numpy(), ends)
    assert np.array_equal(got, np.stack([days_of("DE", months), days_of("AT", months)]))
    unknown = workdays.by_region(pd.Series(["N"]), 1, {"S": "AT", "W": "DE"}, months.to_numpy(), ends)[0]
    assert np.allclose(unknown, (days_of("DE", months) + days_of("AT", months)) / 2)
    assert workdays.calendar_of(Settings()) == {}


def test_an_effect_that_is_there_is_found_and_used(look):
    row = look.driven.effects.iloc[0]
    assert look.driven.used and row["effect"] == pytest.approx(1.0, abs=0.2)
    assert look.driven.gain > 0.1


def test_the_parts_of_growth_add_up_and_days_follow_the_calendar(look):
    rows = growth_parts.parts(look).set_index("part")
    assert rows["change"].sum() == pytest.approx(look.total["change"])
    days = [days_of("DE", pd.date_range(f"{year}-01-01", periods=12, freq="MS")).sum() for year in (2026, 2027)]
    apart = growth_parts.apart(look).iloc[0]
    assert [apart["then"], apart["now"]] == pytest.approx(days)
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
