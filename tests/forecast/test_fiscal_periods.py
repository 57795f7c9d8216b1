"""The 4-4-5 calendar: days and weeks are summed to fiscal periods, which bear a month's name; a 53rd week counts."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from made_sales import sales

from planning import calendar
from planning.config.models import Settings
from planning.errors import DataError, UsageError
from planning.forecast import forecast, workdays
from planning.forecast.coherent_table import coherent
from planning.forecast.frequency import parse, whole_periods
from planning.forecast.history import Fiscal, history_of
from planning.forecast.outlook import look_ahead

FISCAL = Fiscal(1, "4-4-5")


def daily(first="2021-01-04", last="2027-01-01"):
    """Returns sales of 100 a working day and region, dated by day."""
    days = pd.bdate_range(first, last)
    parts = [pd.DataFrame({"ds": days, "region": name, "line": "P", "amount": 100.0}) for name in ("N", "S")]
    return pd.concat(parts, ignore_index=True)


def test_days_are_summed_to_the_period_they_lie_in():
    whole = history_of(daily(), fiscal=FISCAL).whole.query("region == 'N'").set_index("ds")["y"]
    for year in (2021, 2026):
        for period in calendar.fiscal_periods(year, 1, "4-4-5"):
            month = pd.Timestamp(calendar.named_month(period.start, 1, "4-4-5"))
            assert whole[month] == 500.0 * ((period.end - period.start).days + 1) / 7
    assert whole["2026-12-01"] == 3000.0  # six weeks: the 53rd is there
    assert whole.sum() == daily().query("region == 'N'")["amount"].sum()


def test_a_period_that_is_not_over_is_left_out():
    history = history_of(daily(last="2026-12-10"), fiscal=FISCAL)
    assert history.last == pd.Timestamp("2026-11-01")
    assert dict(history.left_out)["unfinished_month"] > 0
    weekly = daily()[daily()["ds"].dt.day_of_week == 0]
    assert history_of(weekly, fiscal=FISCAL).last == pd.Timestamp("2026-12-01")


def test_monthly_rows_stay_months():
    table = sales()
    assert history_of(table, fiscal=FISCAL).whole.equals(history_of(table).whole)


def test_every_month_names_one_period_and_back():
    for start in (1, 4, 10):
        for month in pd.date_range("2020-01-01", periods=84, freq="MS"):
            period = calendar.period_named(month.date(), start, "4-4-5")
            for day in (period.start, period.end):
                assert calendar.named_month(day, start, "4-4-5") == month.date()
    assert calendar.named_month(dt.date(2027, 5, 17)) == dt.date(2027, 5, 1)


def test_working_days_are_counted_in_the_periods_and_used():
    settings = Settings.model_validate({
        "plan": {"by": ["region", "line"]}, "calendar": {"holidays": "DE", "pattern": "4-4-5"},
    })  # fmt: skip
    rng = np.random.default_rng(4)
    table = daily()
    closed = workdays.between("DE", table["ds"].to_numpy(), table["ds"].to_numpy()) == 0
    table["amount"] = np.where(closed, 0.0, table["amount"] * np.exp(rng.normal(0, 0.2, len(table))))
    look = look_ahead(table, settings, year=2027)
    assert look.driven.kept == ("working_days",) and look.driven.gain > 0.05
    days = look.history.paths.of(["N/P"], pd.DatetimeIndex(["2026-12-01"]))[0, 0, 0]
    period = calendar.period_named(dt.date(2026, 12, 1), 1, "4-4-5")
    assert days == workdays.between("DE", *(np.array([d], "datetime64[D]") for d in (period.start, period.end)))[0]
    assert look.joint.mean[0].sum() == pytest.approx(table["amount"].sum() / 313 * 52, rel=0.03)  # 313 weeks of history


def periods(start: int = 4, end: bool = False) -> pd.DataFrame:
    """Returns two series of 100 a week, dated by the first or last day of 4-4-5 periods."""
    rows = []
    for year in range(2018, 2026):
        for period in calendar.fiscal_periods(year, start, "4-4-5"):
            weeks = ((period.end - period.start).days + 1) / 7
            rows += [(name, pd.Timestamp(period.end if end else period.start), 100.0 * weeks) for name in ("A", "B")]
    return pd.DataFrame(rows, columns=["unique_id", "ds", "y"])


@pytest.mark.parametrize("end", [False, True])
def test_series_of_fiscal_periods_are_forecast_at_their_dates(end):
    made = forecast(periods(end=end), horizon=13, freq="4-4-5-APR").query("unique_id == 'A'").set_index("ds")["mean"]
    ahead = [*calendar.fiscal_periods(2026, 4, "4-4-5"), calendar.fiscal_periods(2027, 4, "4-4-5")[0]]
    assert list(made.index) == [pd.Timestamp(period.end if end else period.start) for period in ahead]
    assert made.iloc[2] > 1.15 * made.iloc[1] and made.sum() == pytest.approx(5600, rel=0.03)


def test_fiscal_periods_that_do_not_fit_say_which_they_look_like():
    with pytest.raises(DataError, match="look like 4-4-5-APR"):
        forecast(periods(), horizon=3, freq="MS")
    with pytest.raises(DataError, match="look like 4-4-5-APR"):
        forecast(periods(), horizon=3, freq="4-4-5")
    with pytest.raises(UsageError, match="'XXX' is none of JAN"):
        forecast(periods(), horizon=3, freq="4-4-5-XXX")
    with pytest.raises(UsageError, match="serves single series"):
        coherent(periods().assign(region="N"), by=["region", "unique_id"], horizon=3, freq="4-4-5-APR")
    with pytest.raises(UsageError, match="no parts of calendar periods"):
        whole_periods(parse("4-4-5"), "QS", 600, 12)
