"""Sales under a 4-4-5 calendar: against the periods' own first and last days, summed one by one."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from planning.calendar import fiscal_periods
from planning.targets.fiscal import fiscal_sales


def step_of(sales: pd.DataFrame, pattern: str = "4-4-5", start: int = 1, **parameters) -> SimpleNamespace:
    asked = {"as_of": None, "amount": None, "split": "attainment", "forecast": "annual", "year": None} | parameters
    settings = SimpleNamespace(
        calendar=SimpleNamespace(fiscal_year_start=start, pattern=pattern), plan=SimpleNamespace(as_of=None, year=None)
    )
    return SimpleNamespace(
        settings=settings, parameters=SimpleNamespace(**asked),
        table=lambda name: {"sales": sales}.get(name), has=lambda *_names: False,
    )  # fmt: skip


def weekly(first: str, weeks: int, seed: int = 0) -> pd.DataFrame:
    days = pd.date_range(first, periods=weeks, freq="W-MON")
    rng = np.random.default_rng(seed)
    cells = pd.DataFrame({"region": ["East", "West"]})
    frame = pd.DataFrame({"ds": days}).merge(cells, how="cross")
    return frame.assign(amount=rng.integers(1000, 9000, len(frame)) / 100)


@pytest.mark.parametrize("start", [1, 4])
def test_each_month_is_the_sum_of_its_period(start):
    sales = weekly("2024-01-01", 157)
    monthly = fiscal_sales(step_of(sales, start=start)).frame.groupby("ds")["amount"].sum()
    for year in (2025, 2026):
        for place, period in enumerate(fiscal_periods(year, start, "4-4-5")):
            inside = sales["ds"].between(pd.Timestamp(period.start), pd.Timestamp(period.end))
            month = pd.Timestamp(year if start == 1 else year - 1, start, 1) + pd.DateOffset(months=place)
            assert monthly[month] == pytest.approx(sales.loc[inside, "amount"].sum())


def test_an_unfinished_period_is_left_out_and_counted():
    sales = weekly("2024-01-01", 157)  # to 28 December 2026: the 53rd week of fiscal 2026, in its last period
    whole = fiscal_sales(step_of(sales))
    assert whole.unfinished == 0 and whole.last_day() == pd.Timestamp("2027-01-03")
    cut = fiscal_sales(step_of(sales), "2026-12-15")
    assert cut.unfinished == 8 and cut.frame["ds"].max() == pd.Timestamp("2026-11-01")
    assert cut.last_day() == pd.Timestamp("2026-11-22")


def test_calendar_months_and_monthly_rows_stay_as_they_are():
    sales = weekly("2024-01-01", 100)
    assert fiscal_sales(step_of(sales, "calendar")).frame is sales
    monthly = sales.assign(ds=sales["ds"].dt.to_period("M").dt.start_time)
    known = fiscal_sales(step_of(monthly))
    assert known.frame is monthly and known.last_day() == pd.Timestamp("2025-11-30")
