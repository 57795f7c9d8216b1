import datetime as dt

import pytest

from planning.calendar import fiscal_periods, fiscal_year
from planning.errors import UsageError


@pytest.mark.parametrize("pattern", ["calendar", "4-4-5"])
@pytest.mark.parametrize("start", [1, 4, 7, 10])
def test_periods_join_without_gap_and_every_day_has_its_year(pattern, start):
    days = [(period, year) for year in range(2020, 2030) for period in fiscal_periods(year, start, pattern)]
    for (before, _), (after, _) in zip(days, days[1:]):
        assert after.start == before.end + dt.timedelta(days=1)
    for period, year in days:
        assert fiscal_year(period.start, start, pattern) == year == fiscal_year(period.end, start, pattern)


def test_445_quarters_are_13_weeks_and_the_53rd_week_is_last():
    lengths = {tuple((p.end - p.start).days // 7 + 1 for p in fiscal_periods(y, 1, "4-4-5")) for y in range(2020, 2040)}
    assert lengths == {(4, 4, 5) * 4, (4, 4, 5) * 3 + (4, 4, 6)}


def test_wrong_settings_are_refused():
    with pytest.raises(UsageError, match="1 to 12"):
        fiscal_periods(2027, 13)
    with pytest.raises(UsageError, match="4-4-5"):
        fiscal_periods(2027, 1, "5-4-4")
