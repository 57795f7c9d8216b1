"""The days of a column: which forms are read, and which names say that there must be days.

`2026-03-02`, `20260302`, `2026年3月2日`, `02-Mar-26`, `Mar 2, 2026`; `02/03/2026` where the column shows the order.
What may begin with the day or with the year, `26/12/25`, is told as ambiguous; a month is no day.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from planning.deals.names import says
from planning.tables.dates import full_year

SAYS_DATE = r"\bdate\b|\bday\b|datum|fecha|日期|日$|creat|clos|创建|关闭"
MUST_BE_DATE = (
    r"(?<!to )\bdate$|^date (of|de|du|created|closed|opened|won|signed)\b|datum$|^fecha\b|日期$|"
    r"(创建|关闭|成交|结单|签约|开始|录入|更新)时间$|\b(created|closed|opened|modified|updated) (at|on|time|day)$"
)
_MONTHLY = SAYS_DATE + r"|\bmonth\b|period|月"
_FLAGS = {"0", "1", "yes", "no", "y", "n", "true", "false", "ja", "nein", "oui", "non", "si", "sí", "是", "否"}
_ISO = re.compile(r"^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T]\d{1,2}:\d{2}.*)?$")
_MONTH = re.compile(r"^(19|20)\d\d([-/]?(0[1-9]|1[0-2])|[-/][1-9]|年(0?[1-9]|1[0-2])月)$")
_EIGHT = re.compile(r"^(19[9]\d|20\d\d|2100)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\.0)?$")
_SLASHED = re.compile(r"^(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})( .*)?$")
_CHINESE = re.compile(r"^(\d{4})年(\d{1,2})月(\d{1,2})日(\s*\d{1,2}[:时].*)?$")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_NAMED = re.compile(
    r"^(?P<d>\d{1,2})[-/. ]\s*(?P<m>[a-z]{3,9})\.?[-/., ]\s*(?P<y>\d{4}|\d{2})( .*)?$", re.IGNORECASE
)
_NAMED_DAY = re.compile(r"^(?P<m>[a-z]{3,9})\.?[- ](?P<d>\d{1,2}),?[- ](?P<y>\d{4})( .*)?$", re.IGNORECASE)
_FEW_YEARS = 12  # more years than these in a column of deals are days


@dataclass(frozen=True)
class Days:
    """A day for each text, NaT where it is none; `doubt` is "ambiguous", "year_first" or nothing (see `Column`)."""

    days: np.ndarray
    doubt: str = ""


def of_texts(texts: list[str | None], *, compact: bool) -> Days | None:
    """Days where 95 % of the filled texts look like days. `25.12.2026`, `12/25/2026` and `25-12-2026` each have their
    own order of day and month; where that cannot be told from the column, no such day is read.

    compact: texts of eight digits, `20260302`, may be days.
    """
    parsed = [None if text is None else _day(text, compact) for text in texts]
    slashed = [None if text is None else _SLASHED.match(text) for text in texts]
    filled = sum(text is not None for text in texts)
    if sum(a is not None or b is not None for a, b in zip(parsed, slashed, strict=True)) < 0.95 * filled:
        return None
    marks = {match[2] for match in slashed if match}
    groups = {mark: [match for match in slashed if match and match[2] == mark] for mark in marks}
    orders = {mark: _order(found) for mark, found in groups.items()}
    parsed = [
        _slashed_day(match, orders[match[2]]) if match else day for day, match in zip(parsed, slashed, strict=True)
    ]
    read = pd.to_datetime(pd.Series(parsed, dtype=object), errors="coerce").to_numpy("datetime64[us]")
    if None in orders.values():
        return Days(read, "ambiguous")
    return Days(read, "year_first" if any(_may_begin_with_year(found) for found in groups.values()) else "")


def of_numbers(name: str, values: pd.Series) -> tuple[pd.Series, int, str] | None:
    """Numbers such as 20260302 as days, with how many are none and one of these; None where they are no days.

    They are days where every one is a day of 1990 to 2100, or 95 % are and the name says so.
    """
    if not values.between(19_900_101, 21_001_231).mean() >= 0.5 * values.notna().mean() > 0:
        return None
    codes, levels = pd.factorize(values)
    texts = _figures(levels)
    if not eight_digits(name, texts) or np.mean([_EIGHT.match(text) is not None for text in texts]) < 0.95:
        return None
    read = pd.to_datetime(pd.Series([_day(text, True) for text in texts], dtype=object), errors="coerce")
    read = np.append(read.to_numpy("datetime64[us]"), np.datetime64("NaT"))
    days = pd.Series(read[codes], index=values.index)
    lost = values.notna() & days.isna()
    return days, int(lost.sum()), texts[codes[int(np.argmax(lost))]] if lost.any() else ""


def eight_digits(name: str, texts: list[str]) -> bool:
    """Whether texts of eight digits are days: all of them (more than two) are, or nearly all and the name says so."""
    if says(name, SAYS_DATE):
        return any(_EIGHT.match(text) for text in texts)
    if len(texts) <= 2 or not all(_EIGHT.match(text) for text in texts):
        return False
    return bool(pd.to_datetime(pd.Series(texts).str[:8], format="%Y%m%d", errors="coerce").notna().all())


def no_day(name: str, values: pd.Series) -> str:
    """One value of a field that is called a date, or holds months, and whose values are no days; else nothing."""
    if not says(name, _MONTHLY) and not says(name, MUST_BE_DATE):
        return ""
    levels = pd.unique(values.dropna())
    texts = _figures(levels) if pd.api.types.is_numeric_dtype(values) else [str(level) for level in levels]
    flags = {text.casefold() for text in texts} <= _FLAGS
    months = len(texts) > 1 and np.mean([_MONTH.match(text) is not None for text in texts]) >= 0.95
    if flags or not (months or says(name, MUST_BE_DATE)):
        return ""
    return next((text for text in texts if _day(text, True) is None and not _SLASHED.match(text)), texts[0])


def _figures(levels: np.ndarray) -> list[str]:
    return [f"{level:.0f}" if np.isfinite(level) and level % 1 == 0 else f"{level:g}" for level in levels]


def _day(text: str, compact: bool) -> str | None:
    chinese = _CHINESE.match(text)
    if chinese:
        return "{}-{:0>2}-{:0>2}".format(*chinese.groups()[:3])
    named = _DAY_NAMED.match(text) or _NAMED_DAY.match(text)
    if named and named["m"][:3].casefold() in _MONTHS:
        return f"{full_year(named['y'])}-{_MONTHS.index(named['m'][:3].casefold()) + 1:02d}-{named['d']:0>2}"
    if compact and _EIGHT.match(text):
        return f"{text[:4]}-{text[4:6]}-{text[6:8]}"
    if not _ISO.match(text):
        return None
    year, month, day = re.split(r"[-/.]", re.split(r"[ T]", text)[0])
    return f"{year}-{month:0>2}-{day:0>2}"


def _order(found: list[re.Match]) -> str | None:
    """`dm` or `md` when some day above 12 settles it, None when every date reads both ways or they disagree."""
    day_first = any(int(match[1]) > 12 for match in found)
    month_first = any(int(match[3]) > 12 for match in found)
    if day_first == month_first:
        return None
    if day_first and _may_begin_with_year(found):
        years, days = {match[4] for match in found}, {match[1] for match in found}
        if len(years) > _FEW_YEARS and len(years) > len(days):
            return None
    return "dm" if day_first else "md"


def _may_begin_with_year(found: list[re.Match]) -> bool:
    """Whether every `26/12/25` is a day with the year in front too, none before 2010."""
    return all(
        len(match[4]) == 2 and int(match[1]) >= 10 and 1 <= int(match[3]) <= 12 and 1 <= int(match[4]) <= 31
        for match in found
    )


def _slashed_day(found: re.Match, order: str | None) -> str | None:
    if order is None:
        return None
    day, month = (found[1], found[3]) if order == "dm" else (found[3], found[1])
    return f"{full_year(found[4])}-{month:0>2}-{day:0>2}"
