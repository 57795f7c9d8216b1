"""Frequencies of a panel: their names, season lengths, periods, and telling which one a table's dates have.

Periods are counted by an integer (`ordinal`), one apart for neighbouring periods, so that gaps, steps and horizons are
integer arithmetic; `date` brings back the date as the table writes it (the month's first or last day, the week's day).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from planning import calendar
from planning.errors import UsageError, did_you_mean

DAY = np.timedelta64(1, "D")
WEEKDAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
SEASONS = {"D": 7, "W": 52, "M": 12, "Q": 4, "Y": 1, "P": 12}
NAMES = {"D": "daily", "W": "weekly", "M": "monthly", "Q": "quarterly", "Y": "yearly", "P": "4-4-5 periods"}
PATTERN = "4-4-5"
ALIASES = ("D", "W", "W-MON", "W-SUN", "MS", "ME", "QS", "QE", "YS", "YE", PATTERN)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True)
class Frequency:
    """A frequency: `unit` D, W, M, Q, Y, or P (4-4-5 periods); `anchor` a weekday (0 Monday) or month (0 January).

    end: periods are dated by their last day. Of fiscal periods the anchor is the month their year starts in.
    """

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
        if self.unit == "P":
            known, back = np.unique(days, return_inverse=True)
            named = [calendar.named_month(day, self.anchor + 1, PATTERN) for day in known.tolist()]
            return np.array(named, dtype="datetime64[M]").astype(np.int64)[back]
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
        if self.unit == "P":
            known, back = np.unique(ordinal, return_inverse=True)
            months = known.astype("datetime64[M]").astype("datetime64[D]").tolist()
            periods = [calendar.period_named(month, self.anchor + 1, PATTERN) for month in months]
            days = [period.end if self.end else period.start for period in periods]
            return np.array(days, dtype="datetime64[D]")[back].reshape(ordinal.shape)
        month = ordinal * self.months + self._phase()
        if self.end:
            return (month + self.months).astype("datetime64[M]").astype("datetime64[D]") - DAY
        return month.astype("datetime64[M]").astype("datetime64[D]")

    def fits(self, dates: np.ndarray) -> np.ndarray:
        """Tells for each date whether it is one this frequency writes."""
        return self.date(self.ordinal(dates)) == dates.astype("datetime64[D]")


def parse(alias: str, dates: np.ndarray | None = None) -> Frequency:
    """Reads a frequency: D, W, W-SUN..., MS, ME, QS, QS-FEB, QE..., YS, YE (M, Q, Y, A mean the form the dates have).

    4-4-5 (4-4-5-APR for a year starting in April) are fiscal periods of whole weeks, dated by first or last day. A
    plain W takes the weekday and a plain QS, QE, YS, YE the months of `dates` (most frequent). Raises UsageError for
    an unknown one.
    """
    text = str(alias).strip().upper()
    if text.startswith(PATTERN):
        return _fiscal(text, dates)
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


def _fiscal(text: str, dates: np.ndarray | None) -> Frequency:
    """Returns the frequency of 4-4-5 periods; dated by their last day where that is what the dates are."""
    named = text[len(PATTERN) :].removeprefix("-") or MONTHS[0]
    if named not in MONTHS:
        raise UsageError(f"frequency '{text}' is not known: '{named}' is none of {', '.join(MONTHS)}.")
    alias = PATTERN if named == MONTHS[0] else f"{PATTERN}-{named}"
    first, last = (Frequency(alias, "P", MONTHS.index(named), end) for end in (False, True))
    by_end = dates is not None and len(dates) > 0 and last.fits(dates).mean() > first.fits(dates).mean()
    return last if by_end else first


def whole_periods(own: Frequency, freq: str, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the dates of the periods of a coarser `freq` that lie wholly in `count` periods of `own` from `first` on.

    With them which of the periods each is made of, (dates, count); a week counts to the period it starts in. Raises
    UsageError where `freq` is not coarser.
    """
    coarse = parse(freq)
    if own.unit == "P":
        raise UsageError(f"{own.alias} periods are no parts of calendar periods: leave out the sums to {freq}.")
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
        fiscal = (_fiscal(f"{PATTERN}-{month}", days) for month in (MONTHS if np.diff(days).min() >= 28 * DAY else ()))
        found = next((one.alias for one in fiscal if len(days) > 6 and one.fits(days).all()), None)
        return found or f"W-{WEEKDAYS[int(_weekday(days)[0])]}"
    return "D" if step == 1 else None
