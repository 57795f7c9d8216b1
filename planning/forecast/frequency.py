"""Frequencies of a panel: their names, season lengths, periods, and telling which one a table's dates have.

Periods are counted by an integer (`ordinal`), one apart for neighbouring periods, so that gaps, steps and horizons are
integer arithmetic; `date` brings back the date as the table writes it (the month's first or last day, the week's day).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from planning.errors import UsageError, did_you_mean

DAY = np.timedelta64(1, "D")
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
SEASONS = {"D": 7, "W": 52, "M": 12, "Q": 4, "Y": 1}
NAMES = {"D": "daily", "W": "weekly", "M": "monthly", "Q": "quarterly", "Y": "yearly"}
ALIASES = ("D", "W", "W-MON", "W-SUN", "MS", "ME", "QS", "QE", "YS", "YE")
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True)
class Frequency:
    """A frequency: `unit` D, W, M, Q or Y; `anchor` a weekday (0 Monday) or month (0 January); `end` of period."""

    alias: str
    unit: str
    anchor: int | None = None
    end: bool = False

    @property
    def season(self) -> int:
        """Periods in a year (a week for days)."""
        return SEASONS[self.unit]

    @property
    def months(self) -> int:
        """Months in a period; 0 for days and weeks."""
        return {"M": 1, "Q": 3, "Y": 12}.get(self.unit, 0)

    def ordinal(self, dates: np.ndarray) -> np.ndarray:
        """Returns the period number of each date (datetime64): days, weeks since a Monday, or periods of months."""
        days = dates.astype("datetime64[D]")
        if self.unit == "D":
            return days.astype(np.int64)
        if self.unit == "W":
            return (days.astype(np.int64) + 3 - (self.anchor or 0)) // 7
        return (days.astype("datetime64[M]").astype(np.int64) - self._phase()) // self.months

    def _phase(self) -> int:
        """The months since January in which a period starts, below the period's length."""
        if self.unit == "M":
            return 0
        first = self.anchor or 0
        return (first + 1 if self.end else first) % self.months

    def date(self, ordinal: np.ndarray) -> np.ndarray:
        """Returns the date (datetime64[D]) the table would write for each period number."""
        ordinal = np.asarray(ordinal, dtype=np.int64)
        if self.unit == "D":
            return ordinal.astype("datetime64[D]")
        if self.unit == "W":
            return (ordinal * 7 - 3 + (self.anchor or 0)).astype("datetime64[D]")
        month = ordinal * self.months + self._phase()
        if self.end:
            return (month + self.months).astype("datetime64[M]").astype("datetime64[D]") - DAY
        return month.astype("datetime64[M]").astype("datetime64[D]")

    def fits(self, dates: np.ndarray) -> np.ndarray:
        """Tells for each date whether it is one this frequency writes."""
        return self.date(self.ordinal(dates)) == dates.astype("datetime64[D]")


def parse(alias: str, dates: np.ndarray | None = None) -> Frequency:
    """Reads a frequency: D, W, W-SUN..., MS, ME, QS, QS-FEB, QE..., YS, YE (M, Q, Y, A mean the form the dates have).

    A plain W takes the weekday and a plain QS, QE, YS, YE the months of `dates` (most frequent). Raises UsageError for
    an unknown one.
    """
    text = str(alias).strip().upper()
    found = re.fullmatch(r"(D|W|M|MS|ME|Q|QS|QE|Y|YS|YE|A|AS|AE)(?:-([A-Z]{3}))?", text)
    if not found or (found[1] in {"D", "M", "MS", "ME"} and found[2]):
        known = ", ".join(ALIASES)
        raise UsageError(f"frequency '{alias}' is not known. It is one of: {known}.{did_you_mean(text, ALIASES)}")
    base, named = found[1].replace("A", "Y"), found[2]
    if base == "D":
        return Frequency("D", "D")
    choices = WEEKDAYS if base == "W" else MONTHS
    if named and named not in choices:
        raise UsageError(f"frequency '{alias}' is not known: '{named}' is none of {', '.join(choices)}.")
    if base == "W":
        anchor = WEEKDAYS.index(named) if named else _most(_weekday(dates)) if dates is not None and len(dates) else 6
        return Frequency(f"W-{WEEKDAYS[anchor]}", "W", anchor)
    unit, end = base[0], base.endswith("E")
    if len(base) == 1 and dates is not None and len(dates):
        end = not np.all(_first_day(dates))
    if unit == "M":
        return Frequency("ME" if end else "MS", "M", None, end)
    anchor = MONTHS.index(named) if named else None
    if anchor is None and dates is not None and len(dates):
        anchor = _most(dates.astype("datetime64[M]").astype(np.int64) % {"Q": 3, "Y": 12}[unit])
    if anchor is None:
        anchor = ({"Q": 2, "Y": 11}[unit]) if end else 0
    return Frequency(f"{unit}{'E' if end else 'S'}" + (f"-{named}" if named else ""), unit, anchor, end)


def whole_periods(own: Frequency, freq: str, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the dates of the periods of a coarser `freq` that lie wholly in `count` periods of `own` from `first` on.

    With them which of the periods each is made of, (dates, count); a week counts to the period it starts in. Raises
    UsageError where `freq` is not coarser.
    """
    coarse = parse(freq)
    if coarse.months <= own.months:
        raise UsageError(f"{NAMES[own.unit]} steps cannot be added up to {freq}. Name a coarser frequency, such as YS.")
    number = coarse.ordinal(own.date(np.arange(first - 1, first + count + 1)))
    kept = np.setdiff1d(number, number[[0, -1]])
    return coarse.date(kept), number[1:-1] == kept[:, None]


def _weekday(dates: np.ndarray) -> np.ndarray:
    return (dates.astype("datetime64[D]").astype(np.int64) + 3) % 7


def _first_day(dates: np.ndarray) -> np.ndarray:
    days = dates.astype("datetime64[D]")
    return days == days.astype("datetime64[M]").astype("datetime64[D]")


def _last_day(dates: np.ndarray) -> np.ndarray:
    return _first_day(dates.astype("datetime64[D]") + DAY)


def _most(values: np.ndarray) -> int:
    return int(np.bincount(values.astype(np.int64)).argmax())


def looks_like(dates: np.ndarray) -> str | None:
    """Returns the alias the distinct dates of a table look like, or None when they have no steady step.

    Judged by the most frequent distance between neighbouring dates and where in the month or week they fall.
    """
    days = np.unique(dates.astype("datetime64[D]"))
    if len(days) < 2:
        return None
    step = _most(np.minimum(np.diff(days).astype(np.int64), 400))
    first, last = bool(np.all(_first_day(days))), bool(np.all(_last_day(days)))
    if first or last:
        mark = "S" if first else "E"
        months = np.diff(days.astype("datetime64[M]").astype(np.int64))
        smallest = int(months.min()) if len(months) else 1
        return {0: None}.get(smallest, ("Y" if smallest % 12 == 0 else "Q" if smallest % 3 == 0 else "M") + mark)
    if len(np.unique(_weekday(days))) == 1:
        return f"W-{WEEKDAYS[int(_weekday(days)[0])]}"
    return "D" if step == 1 else None
