"""Text to dates: ISO and year-first forms, month names, a declared format; day-or-month forms only with proof.

`02/03/2026` is the second of March or the third of February. It is read only when a format is declared, or when other
cells of the same table with the same mark prove the order (a `25/03/2026` can only be day first, and nothing
contradicts it); `25.12.2026` and `12/25/2026` may stand side by side. `25.12.26` is read as `25.12.2026` is.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from planning.tables.numbers import MISSING, distinct_texts

EARLIEST, LATEST = 1900, 2200
_TIME = (
    r"(?:[T ]+(?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{2})(?:[.,]\d+)?)?"
    r"\s*(?P<ap>[AaPp][Mm])?\s*(?P<z>Z|UTC|[+-]\d{2}:?\d{2})?)?"
)
_YEAR_FIRST = re.compile(r"(?P<y>\d{4})(?P<sep>[-/.])(?P<m>\d{1,2})(?:(?P=sep)(?P<d>\d{1,2}))?" + _TIME)
_COMPACT = re.compile(r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})?" + _TIME)
_CHINESE = re.compile(r"(?P<y>\d{4})年(?:(?P<m>\d{1,2})月(?:(?P<d>\d{1,2})[日号])?)?" + _TIME)
_QUARTER = re.compile(r"(?:(?P<y>\d{4})[-/ ]?Q(?P<q>[1-4])|Q(?P<q2>[1-4])[-/ ]?(?P<y2>\d{4}))", re.IGNORECASE)
_DAY_NAME = re.compile(r"(?P<d>\d{1,2})[-. ]+(?P<name>[A-Za-z]{3,9})[-., ]+(?P<y>\d{4})" + _TIME)
_NAME_DAY = re.compile(r"(?P<name>[A-Za-z]{3,9})[-. ]+(?:(?P<d>\d{1,2}),?[- ]+)?(?P<y>\d{4})" + _TIME)
_YEAR = re.compile(r"(?P<y>\d{4})")
_EITHER = re.compile(r"(?P<a>\d{1,2})(?P<sep>[/.-])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4}|\d{2})" + _TIME)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WORDS = (("yyyy", "%Y"), ("yy", "%y"), ("mm", "%m"), ("dd", "%d"))


@dataclass
class Dates:
    """A column read as dates: NaT where empty, bad or ambiguous."""

    values: np.ndarray  # datetime64[us]
    bad: np.ndarray  # bool: a cell that is no date
    ambiguous: np.ndarray  # bool: day and month could be swapped, and nothing proves the order


def to_dates(
    column: pd.Series, declared: str = "", order: str | Mapping[str, str] = "", *, keep_time: bool = False
) -> Dates:
    """Reads a column as dates, or as UTC time stamps with `keep_time`.

    `declared` is a format (`%d.%m.%Y` or DD.MM.YYYY) that every cell must have; `order` ("day", "month" or "", or one
    for each mark, from `date_order`) says how `02/03/2026` is read. A date's own time zone is dropped, a time stamp's
    is turned to UTC.
    """
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return _typed(column, keep_time)
    if pd.api.types.is_numeric_dtype(column.dtype):
        column = column.astype("float64").astype("object").map(_iso).astype("str")
    elif column.dtype == object:
        column = column.map(_iso).astype("str")
    codes, distinct = distinct_texts(column)
    values, state = _distinct_dates(distinct, declared, order, keep_time)
    values = np.append(values, np.datetime64("NaT", "us"))
    state = np.append(state, 0)
    return Dates(values[codes], (state == 1)[codes], (state == 2)[codes])


def _typed(column: pd.Series, keep_time: bool) -> Dates:
    if column.dt.tz is not None:
        column = column.dt.tz_convert("UTC").dt.tz_localize(None) if keep_time else column.dt.tz_localize(None)
    values = column.to_numpy().astype("datetime64[us]")
    if not keep_time:
        values = values.astype("datetime64[D]").astype("datetime64[us]")
    none = np.zeros(len(values), bool)
    years = pd.Series(values).dt.year
    return Dates(values, ((years < EARLIEST) | (years > LATEST)).to_numpy(), none)


def _iso(cell: object) -> object:
    """Cells of an Excel column of several kinds: dates as ISO text, whole numbers without a point."""
    if isinstance(cell, dt.datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, dt.date):
        return cell.isoformat()
    if isinstance(cell, float):
        return None if cell != cell else f"{cell:.0f}" if cell == int(cell) else str(cell)
    return None if cell is None else str(cell)


def _distinct_dates(
    texts: Iterable[str], declared: str, order: str | Mapping[str, str], keep_time: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Returns dates and states (0 read or empty, 1 bad, 2 ambiguous) of distinct texts."""
    texts = [str(text).strip() for text in texts]
    if not declared:
        quick = pd.to_datetime(pd.Series(texts, dtype="str"), format="%Y-%m-%d", errors="coerce")
        if quick.notna().all() and quick.dt.year.between(EARLIEST, LATEST).all():
            return quick.to_numpy().astype("datetime64[us]"), np.zeros(len(texts), int)
    values = np.full(len(texts), np.datetime64("NaT", "us"))
    state = np.zeros(len(texts), int)
    pattern = python_format(declared)
    for i, text in enumerate(texts):
        if text.casefold() in MISSING:
            continue
        found = _declared(text, pattern) if declared else read_date(text, order)
        if isinstance(found, str):
            state[i] = 2 if found == "ambiguous" else 1
        else:
            values[i] = np.datetime64(_placed(found, keep_time), "us")
    return values, state


def _placed(found: dt.datetime, keep_time: bool) -> dt.datetime:
    if not keep_time:
        return dt.datetime(found.year, found.month, found.day)
    return found.astimezone(dt.UTC).replace(tzinfo=None) if found.tzinfo else found


def python_format(declared: str) -> str:
    """Returns a declared format in Python's signs: DD.MM.YYYY → %d.%m.%Y.

    >>> python_format("DD.MM.YYYY"), python_format("%Y/%m")
    ('%d.%m.%Y', '%Y/%m')
    """
    if "%" in declared:
        return declared
    for word, sign in _WORDS:
        declared = re.sub(word, sign, declared, flags=re.IGNORECASE)
    return declared


def _declared(text: str, pattern: str) -> dt.datetime | str:
    try:
        found = dt.datetime.strptime(text, pattern)
    except ValueError:
        return "bad"
    return found if EARLIEST <= found.year <= LATEST else "bad"


def read_date(text: str, order: str | Mapping[str, str] = "") -> dt.datetime | str:
    """Returns the moment a text names, or "bad", or "ambiguous" when `order` is needed and not given.

    >>> read_date("2026年3月"), read_date("02/03/2026"), read_date("25/03/2026", "day")
    (datetime.datetime(2026, 3, 1, 0, 0), 'ambiguous', datetime.datetime(2026, 3, 25, 0, 0))
    """
    either = _EITHER.fullmatch(text)
    if either:
        order = order if isinstance(order, str) else order.get(either["sep"], "")
        day, month = (int(either["a"]), int(either["b"])) if order == "day" else (int(either["b"]), int(either["a"]))
        if not order:
            return "ambiguous" if max(day, month) <= 31 and min(day, month) <= 12 and day and month else "bad"
        return _moment(full_year(either["y"]), month, day, either)
    for pattern in (_YEAR_FIRST, _COMPACT, _CHINESE):
        match = pattern.fullmatch(text)
        if match:
            return _moment(int(match["y"]), int(match["m"] or 1), int(match["d"] or 1), match)
    match = _QUARTER.fullmatch(text)
    if match:
        return _moment(int(match["y"] or match["y2"]), 3 * int(match["q"] or match["q2"]) - 2, 1, None)
    for pattern in (_DAY_NAME, _NAME_DAY):
        match = pattern.fullmatch(text)
        if match and match["name"][:3].lower() in _MONTHS:
            return _moment(int(match["y"]), _MONTHS.index(match["name"][:3].lower()) + 1, int(match["d"] or 1), match)
    match = _YEAR.fullmatch(text)
    if match:
        return _moment(int(match["y"]), 1, 1, None)
    if re.fullmatch(r"1\d{12}", text):  # milliseconds since 1970, as HubSpot's interface writes them
        return dt.datetime.fromtimestamp(int(text) / 1000, dt.UTC)
    return "bad"


def full_year(text: str) -> int:
    """Returns a year of four digits; of two as Python's `%y` reads it.

    >>> full_year("2026"), full_year("26"), full_year("98")
    (2026, 2026, 1998)
    """
    year = int(text)
    return year if len(text) > 2 else year + (2000 if year < 69 else 1900)


def _moment(year: int, month: int, day: int, match: re.Match[str] | None) -> dt.datetime | str:
    if not EARLIEST <= year <= LATEST:
        return "bad"
    try:
        if match is None or match["h"] is None:
            return dt.datetime(year, month, day)
        hour = int(match["h"])
        if match["ap"]:
            hour = hour % 12 + (12 if match["ap"].lower() == "pm" else 0)
        moment = dt.datetime(year, month, day, hour, int(match["mi"]), int(match["s"] or 0))
    except ValueError:
        return "bad"
    return moment.replace(tzinfo=_zone(match["z"])) if match["z"] else moment


def _zone(text: str) -> dt.tzinfo:
    if text in {"Z", "UTC"}:
        return dt.UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return dt.timezone(dt.timedelta(minutes=-minutes if text[0] == "-" else minutes))


@dataclass(frozen=True)
class DateOrder:
    """Whether the day or the month stands first in `02/03/2026`, for each mark (`/`, `.`, `-`) of the dates.

    orders: mark → "day" or "month"; proof: mark → the cell that shows it. against: mark → two cells that contradict
    each other, so that nothing is shown. forms: how many ways of writing a date there are.
    """

    orders: Mapping[str, str] = field(default_factory=dict)
    proof: Mapping[str, str] = field(default_factory=dict)
    against: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    forms: int = 1


def date_order(columns: Iterable[pd.Series]) -> DateOrder:
    """Finds the order of day and month in the text columns that should be dates.

    A first part above 12 proves day first, a second part above 12 month first, each for its own mark only: an export
    of three systems may write 25.12.2026 and 12/25/2026 side by side. Both orders with one mark prove nothing.

    >>> date_order([pd.Series(["25.12.2026", "12/25/2026", "2026-12-25"])]).orders
    {'.': 'day', '/': 'month'}
    """
    proof: dict[str, dict[str, str]] = {}
    forms: set[tuple[str, int]] = set()
    others = False
    for column in columns:
        if not (isinstance(column.dtype, pd.StringDtype) or column.dtype == object):
            others = others or bool(column.notna().any())
            continue
        for text in column.dropna().unique():
            match = _EITHER.fullmatch(str(text).strip())
            if not match:
                others = others or str(text).strip().casefold() not in MISSING
                continue
            shown = proof.setdefault(match["sep"], {})
            forms.add((match["sep"], len(match["y"])))
            if int(match["a"]) > 12 >= int(match["b"]):
                shown.setdefault("day", match.group())
            elif int(match["b"]) > 12 >= int(match["a"]):
                shown.setdefault("month", match.group())
    orders = {mark: next(iter(shown)) for mark, shown in proof.items() if len(shown) == 1}
    against = {mark: (shown["day"], shown["month"]) for mark, shown in proof.items() if len(shown) == 2}
    return DateOrder(orders, {mark: proof[mark][order] for mark, order in orders.items()}, against, len(forms) + others)


def formats_of(text: str) -> tuple[str, str] | None:
    """Returns the two formats a date such as `02.03.2026 10:30` may have, day first and month first; None for others.

    >>> formats_of("02.03.2026")
    ('%d.%m.%Y', '%m.%d.%Y')
    """
    match = _EITHER.fullmatch(str(text).strip())
    if not match:
        return None
    time = "" if match["h"] is None else " %H:%M" + (":%S" if match["s"] else "")
    mark, year = match["sep"], "%Y" if len(match["y"]) == 4 else "%y"
    return f"%d{mark}%m{mark}{year}{time}", f"%m{mark}%d{mark}{year}{time}"
