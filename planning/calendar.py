"""Fiscal years and their periods (calendar months from any start, or the 4-4-5 pattern of weeks), public holidays.

A period is a start date and a label. Under "calendar" the fiscal year that starts in month s is named by the year it
ends in (the calendar year itself where s is 1). Under "4-4-5" a year is 52 or 53 whole weeks starting on Monday, in
quarters of 4, 4 and 5 weeks; it starts on the Monday nearest to the first day of its start month, and the last period
takes the 53rd week.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from planning.errors import UsageError

PATTERNS = ("calendar", "4-4-5")
_WEEKS = (4, 4, 5)


@dataclass(frozen=True)
class Period:
    """One fiscal period: `start` (first day), `end` (last day), `label` such as `FY2027-P03`."""

    start: dt.date
    end: dt.date
    label: str


def _year_start(year: int, month: int, pattern: str) -> dt.date:
    first = dt.date(year if month == 1 else year - 1, month, 1)
    if pattern == "calendar":
        return first
    back = first.weekday()
    return first - dt.timedelta(days=back) if back <= 3 else first + dt.timedelta(days=7 - back)


def fiscal_periods(year: int, start_month: int = 1, pattern: str = "calendar") -> list[Period]:
    """Returns the 12 periods of fiscal `year`, in order, without gaps.

    Raises UsageError for a month outside 1-12 or an unknown pattern.

    >>> [str(p.start) for p in fiscal_periods(2027, 4)][:2]
    ['2026-04-01', '2026-05-01']
    >>> p = fiscal_periods(2027, 1, "4-4-5")
    >>> str(p[0].start), str(p[-1].end)
    ('2027-01-04', '2028-01-02')
    """
    if not 1 <= start_month <= 12:
        raise UsageError(f"fiscal_year_start: {start_month} is not a month. Write 1 to 12.")
    if pattern not in PATTERNS:
        raise UsageError(f"pattern '{pattern}' is not known. It is one of: {', '.join(PATTERNS)}.")
    starts = [_year_start(year, start_month, pattern)]
    if pattern == "calendar":
        for _ in range(11):
            last = starts[-1]
            starts.append(dt.date(last.year + last.month // 12, last.month % 12 + 1, 1))
    else:
        for weeks in (_WEEKS * 4)[:11]:
            starts.append(starts[-1] + dt.timedelta(weeks=weeks))
    starts.append(_year_start(year + 1, start_month, pattern))
    one = dt.timedelta(days=1)
    return [Period(a, b - one, f"FY{year}-P{i:02d}") for i, (a, b) in enumerate(zip(starts, starts[1:]), start=1)]


def fiscal_year(day: dt.date, start_month: int = 1, pattern: str = "calendar") -> int:
    """Returns the fiscal year a day lies in.

    >>> fiscal_year(dt.date(2026, 12, 31), 4), fiscal_year(dt.date(2027, 1, 2), 1, "4-4-5")
    (2027, 2026)
    """
    for year in range(day.year + 2, day.year - 2, -1):
        if _year_start(year, start_month, pattern) <= day:
            return year
    raise UsageError(f"{day}: lies in no fiscal year that can be named.")


def named_month(day: dt.date, start_month: int = 1, pattern: str = "calendar") -> dt.date:
    """Returns the first of the month that names the period a day lies in: period 3 of a January year is March.

    >>> named_month(dt.date(2027, 1, 2), 1, "4-4-5"), named_month(dt.date(2027, 1, 2))
    (datetime.date(2026, 12, 1), datetime.date(2027, 1, 1))
    """
    if pattern == "calendar":
        return day.replace(day=1)
    year = fiscal_year(day, start_month, pattern)
    place = sum(period.start <= day for period in fiscal_periods(year, start_month, pattern)) - 1
    months = (year if start_month == 1 else year - 1) * 12 + start_month - 1 + place
    return dt.date(months // 12, months % 12 + 1, 1)


def period_named(month: dt.date, start_month: int = 1, pattern: str = "calendar") -> Period:
    """Returns the fiscal period a month names, the other way round of `named_month`.

    >>> str(period_named(dt.date(2026, 12, 1), 1, "4-4-5").end)
    '2027-01-03'
    """
    year = month.year if start_month == 1 or month.month < start_month else month.year + 1
    return fiscal_periods(year, start_month, pattern)[(month.month - start_month) % 12]


def public_holidays(code: str, years: range | None = None) -> Any:
    """Returns the public holidays of a country ("DE") or one of its states ("DE-BY") as a mapping by day; without
    `years` each year is added when it is asked for. None where there is no such country or state."""
    import holidays  # late: the command line must start at once

    country, _dash, part = code.partition("-")
    try:
        return holidays.country_holidays(country, subdiv=part or None, years=years)
    except (NotImplementedError, KeyError):  # what the library raises for an unknown country and an unknown state
        return None
