"""When a schedule is due: cron lines in a time zone, on business days where asked.

A slot is one planned time, kept as a UTC instant. Cron lines are read by cronsim: day of month and weekday both set
means either (as cron does), a time that daylight saving skips falls on the first moment after it, once, and a time
that comes twice in autumn counts once. `only` then keeps the days of a calendar:

    ""                     every day the cron line names
    business_day           no weekend, no holiday of [calendar] holidays
    nth_business_day(3)    the third business day of the month; -1 is the last
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from planning.calendar import public_holidays
from planning.errors import ConfigError
from planning.runs.housekeeping import seconds_of

UTC = dt.UTC
ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_NTH = re.compile(r"nth_business_day\((-?\d+)\)\Z")
_SEARCH_LIMIT = 5000  # slots looked at before a condition counts as never met (thirteen years of days)


class Schedule:
    """One schedule of workbench.toml, checked: `spec` is its section, `name` its key."""

    def __init__(self, name: str, spec: Any, settings: Any):
        self.name, self.spec = name, spec
        self.cron = ALIASES.get(spec.cron.strip().lower(), spec.cron.strip())
        place = f"workbench.toml: schedules.{name}"
        try:
            self.zone = ZoneInfo(spec.zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ConfigError(
                f"{place}.zone: '{spec.zone}' is no time zone. Write one such as Europe/Berlin."
            ) from None
        try:
            if len(self.cron.split()) != 5:
                raise CronSimError("five fields are needed")
            CronSim(self.cron, dt.datetime(2026, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            raise ConfigError(
                f"{place}.cron: '{spec.cron}' is no cron line ({error}). "
                "Write minute hour day month weekday, such as 0 7 * * 1."
            ) from None
        self.max_late = seconds_of(spec.max_late)
        self.nth = self._condition(place)
        self.holidays = settings.calendar.holidays

    def _condition(self, place: str) -> int | None:
        """The n of nth_business_day(n), 0 for any business day, None for every day."""
        if self.spec.only in ("", "business_day"):
            return 0 if self.spec.only else None
        found = _NTH.match(self.spec.only.replace(" ", ""))
        if not found or not 1 <= abs(int(found[1])) <= 23:
            raise ConfigError(
                f"{place}.only: '{self.spec.only}' is not known. Write business_day, nth_business_day(1) or nothing."
            )
        return int(found[1])

    def slots(self, after: dt.datetime) -> Iterator[dt.datetime]:
        """Yields the planned times after `after` as UTC instants, the earliest first; ends when none can come."""
        last = after.astimezone(UTC)
        misses = 0
        for local in CronSim(self.cron, after.astimezone(self.zone)):
            slot = local.astimezone(UTC)
            if slot <= last:
                continue
            if not self.allowed(local.date()):
                misses += 1
                if misses > _SEARCH_LIMIT:
                    return
                continue
            misses, last = 0, slot
            yield slot

    def next(self, after: dt.datetime, n: int = 1) -> list[dt.datetime]:
        """Returns the next `n` planned times after `after` (fewer where the calendar ends)."""
        found = []
        for slot in self.slots(after):
            found.append(slot)
            if len(found) == n:
                break
        return found

    def between(self, after: dt.datetime, until: dt.datetime) -> list[dt.datetime]:
        """Returns the planned times in (after, until]."""
        found = []
        for slot in self.slots(after):
            if slot > until:
                break
            found.append(slot)
        return found

    def allowed(self, day: dt.date) -> bool:
        """Tells whether the condition `only` holds on a local day."""
        if self.nth is None:
            return True
        if not is_business_day(day, self.holidays):
            return False
        return self.nth == 0 or _business_days(day.year, day.month, self.holidays)[_index(self.nth)] == day

    def explain(self) -> str:
        """Returns the schedule in words."""
        words = CronSim(self.cron, dt.datetime(2026, 1, 1, tzinfo=UTC)).explain()
        condition = {None: "", 0: ", on business days only"}.get(
            self.nth, f", on business day {self.nth} of the month only"
        )
        calendar_name = f" ({self.holidays})" if self.nth is not None and self.holidays else ""
        return f"{self.spec.flow}: {words} {self.spec.zone}{condition}{calendar_name}"


def _index(nth: int) -> int | slice:
    return nth - 1 if nth > 0 else nth


class _Days(list):
    """Business days of a month; a place that does not exist (the 23rd) is no day."""

    def __getitem__(self, index: Any) -> Any:
        return super().__getitem__(index) if -len(self) <= index < len(self) else None


@lru_cache(maxsize=256)
def _business_days(year: int, month: int, region: str) -> _Days:
    days = (dt.date(year, month, day) for day in range(1, calendar.monthrange(year, month)[1] + 1))
    return _Days(day for day in days if is_business_day(day, region))


def is_business_day(day: dt.date, region: str = "") -> bool:
    """Tells whether a day is neither a weekend nor a holiday of `region` ("DE", "DE-BY"; empty: weekends only)."""
    if day.weekday() >= 5:
        return False
    return not region or day not in _holidays(region)


@lru_cache(maxsize=32)
def _holidays(region: str) -> Any:
    days = public_holidays(region)
    if days is None:
        raise ConfigError(
            f"workbench.toml: calendar.holidays: '{region}' is not known. Write a country such as DE, or DE-BY."
        )
    return days


def of_settings(settings: Any, name: str | None = None) -> list[Schedule]:
    """Returns the schedules of workbench.toml, or the one named; ConfigError names the nearest."""
    from planning.errors import did_you_mean

    if name is not None and name not in settings.schedules:
        raise ConfigError(
            f"there is no schedule '{name}'.{did_you_mean(name, settings.schedules)} "
            f"Schedules: {', '.join(settings.schedules) or 'none'}."
        )
    names = settings.schedules if name is None else [name]
    return [Schedule(one, settings.schedules[one], settings) for one in names]
