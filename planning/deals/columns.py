"""What kind of field a column is, and its values in that kind, however the export wrote them.

number    amounts, counts, scores; also `1,234`, `12 %`, `€ 5` as text
category  names and classes; levels that differ only in case, spaces or punctuation are one level
date      days; ISO or one declared order, never guessed
text      free text: refused as a cause
id        one value a row: refused as a cause
constant  one value or none
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from planning.deals.names import ID_WORDS, REFERENCE_WORDS, says

MISSING_WORDS = {
    "",
    "select",
    "n/a",
    "na",
    "nan",
    "none",
    "null",
    "-",
    "--",
    "?",
    "#n/a",
    "(blank)",
    "未填写",
    "无",
    "空",
}
_NUMBER_DIRT = re.compile(r"[\s\u00a0\u202f%€$£¥]")
_ISO = re.compile(r"^\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T]\d{1,2}:\d{2}.*)?$")
_SLASHED = re.compile(r"^(\d{1,2})([./-])(\d{1,2})\2(\d{4}|\d{2})( .*)?$")
_CHINESE = re.compile(r"^(\d{4})年(\d{1,2})月(\d{1,2})日(\s*\d{1,2}[:时].*)?$")
_SPELLING = re.compile(r"(?<![\d\s_\-.,'/])[\s_\-.,'/]+|[\s_\-.,'/]+(?![\d\s_\-.,'/])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_NAMED = re.compile(r"^(?P<d>\d{1,2})[-/. ]\s*(?P<m>[a-z]{3,9})\.?[-/., ]\s*(?P<y>\d{4})( .*)?$", re.IGNORECASE)
_NAMED_DAY = re.compile(r"^(?P<m>[a-z]{3,9})\.?[- ](?P<d>\d{1,2}),?[- ](?P<y>\d{4})( .*)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Column:
    """One field read: `kind`, its `values` (float64, datetime64 or text; missing is NaN, NaT or None).

    `unread` cells hold something that is no number or day among numbers or days: taken as missing, and counted.
    """

    name: str
    kind: str
    values: pd.Series
    missing: float
    merged: tuple[tuple[str, ...], ...] = ()
    unread: int = 0
    unread_example: str = ""


def read_column(series: pd.Series) -> Column:
    """Says what kind of field a column is and returns its values in that kind."""
    name = str(series.name)
    if pd.api.types.is_bool_dtype(series):
        return _finish(name, "number", series.astype("float64"))
    if pd.api.types.is_datetime64_any_dtype(series):
        return _finish(name, "date", naive(series))
    if pd.api.types.is_timedelta64_dtype(series):  # a duration is a number of days
        return _finish(name, "number", series.dt.total_seconds() / 86_400)
    if pd.api.types.is_numeric_dtype(series):
        values = pd.Series(series.to_numpy("float64", na_value=np.nan), index=series.index)
        if says(name, ID_WORDS) and len(values) > 50 and values.nunique() > 0.98 * values.count() > 0:
            return _finish(name, "id", values)
        return _finish(name, "number", values.where(np.isfinite(values)))
    return _read_text(name, series)


def naive(series: pd.Series) -> pd.Series:
    """Returns time stamps without a zone, in UTC."""
    return series.dt.tz_convert("UTC").dt.tz_localize(None) if series.dt.tz is not None else series


def _finish(name: str, kind: str, values: pd.Series, **more) -> Column:
    if kind == "number" and says(name, REFERENCE_WORDS) and (values.dropna() % 1 == 0).all():
        codes, levels = pd.factorize(values)  # 38.0 is the name of a person or place: a class, and not a size
        names = np.array([str(int(level)) for level in levels] + [None], dtype=object)
        kind = "id" if len(values) > 50 and len(levels) > 0.9 * len(values) else "category"
        values = pd.Series(names[codes], index=values.index, dtype=object)
    missing = float(values.isna().mean()) if len(values) else 1.0
    if values.nunique(dropna=True) <= 1 and (missing in (0.0, 1.0) or values.nunique() == 0):
        kind = "constant"
    return Column(name, kind, values, missing, **more)


def _read_text(name: str, series: pd.Series) -> Column:
    codes, levels = pd.factorize(series)  # work on the distinct values: a million rows have few of them
    texts = [None if _is_missing(level) else str(level).strip() for level in levels]
    filled = [text for text in texts if text is not None]
    if not filled:
        return _finish(name, "constant", pd.Series([None] * len(series), index=series.index, dtype=object))
    for reader, kind in ((_as_numbers, "number"), (_as_dates, "date")):
        read = reader(texts)
        if read is not None:
            values = pd.Series(_spread(read, codes), index=series.index)
            lost = [text is not None and bool(gap) for text, gap in zip(texts, pd.isna(read), strict=True)]
            rows = int(np.array([*lost, False])[codes].sum())
            more = {"unread": rows, "unread_example": texts[lost.index(True)] if rows else ""}
            if kind == "date" and values.isna().all():  # filled, but day and month read both ways
                return Column(name, kind, values, 1.0, **more)
            return _finish(name, kind, values, **more)
    return _read_levels(name, series, codes, texts)


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or str(value).strip().casefold() in MISSING_WORDS


def _spread(read: np.ndarray, codes: np.ndarray) -> np.ndarray:
    padded = np.concatenate([read, np.array([np.nan if read.dtype.kind == "f" else "NaT"], dtype=read.dtype)])
    return padded[codes]


def _as_numbers(texts: list[str | None]) -> np.ndarray | None:
    """Numbers when 95 % of the filled texts are numbers; `1.234,56` only where every one is written so."""
    filled = [_NUMBER_DIRT.sub("", text) for text in texts if text is not None]
    european = all(re.fullmatch(r"[-+]?\d{1,3}(\.\d{3})*,\d+|[-+]?\d+,\d{1,2}", text) for text in filled)
    cleaned = [text.replace(".", "").replace(",", ".") if european else text.replace(",", "") for text in filled]
    numbers = np.array(pd.to_numeric(pd.Series(cleaned, dtype=object), errors="coerce"), dtype="float64")
    if np.isfinite(numbers).mean() < 0.95:
        return None
    numbers[~np.isfinite(numbers)] = np.nan
    out = np.full(len(texts), np.nan)
    out[[text is not None for text in texts]] = numbers
    return out


def _as_dates(texts: list[str | None]) -> np.ndarray | None:
    """Days where 95 % of the filled texts look like days. `25.12.2026`, `12/25/2026` and `25-12-2026` each have their
    own order of day and month; where that cannot be told from the column, no such day is read."""
    parsed = [None if text is None else _day(text) for text in texts]
    slashed = [None if text is None else _SLASHED.match(text) for text in texts]
    filled = sum(text is not None for text in texts)
    if sum(a is not None or b is not None for a, b in zip(parsed, slashed, strict=True)) < 0.95 * filled:
        return None
    marks = {match[2] for match in slashed if match}
    orders = {mark: _slashed_order([match for match in slashed if match and match[2] == mark]) for mark in marks}
    parsed = [
        _slashed_day(match, orders[match[2]]) if match else day for day, match in zip(parsed, slashed, strict=True)
    ]
    return pd.to_datetime(pd.Series(parsed, dtype=object), errors="coerce").to_numpy("datetime64[us]")


def _day(text: str) -> str | None:
    chinese = _CHINESE.match(text)
    if chinese:
        return "{}-{:0>2}-{:0>2}".format(*chinese.groups()[:3])
    named = _DAY_NAMED.match(text) or _NAMED_DAY.match(text)
    if named and named["m"][:3].casefold() in _MONTHS:
        return f"{named['y']}-{_MONTHS.index(named['m'][:3].casefold()) + 1:02d}-{named['d']:0>2}"
    if not _ISO.match(text):
        return None
    year, month, day = re.split(r"[-/.]", re.split(r"[ T]", text)[0])
    return f"{year}-{month:0>2}-{day:0>2}"


def _slashed_order(found: list[re.Match]) -> str | None:
    """`dm` or `md` when some day above 12 settles it, None when every date reads both ways or they disagree."""
    day_first = any(int(match[1]) > 12 for match in found)
    month_first = any(int(match[3]) > 12 for match in found)
    if day_first == month_first:
        return None
    return "dm" if day_first else "md"


def _slashed_day(found: re.Match, order: str | None) -> str | None:
    if order is None:
        return None
    day, month = (found[1], found[3]) if order == "dm" else (found[3], found[1])
    year = found[4] if len(found[4]) == 4 else f"20{found[4]}"
    return f"{year}-{month:0>2}-{day:0>2}"


def fold_level(text: str) -> str:
    """The spelling-free form of a level: case, spaces, hyphens, dots and a trailing `.0` don't make two levels; between
    digits they do (`1-10`, `110`)."""
    plain = re.sub(r"\s*([_\-.,'/])\s*", r"\1", re.sub(r"(?<=\d)\.0$", "", text.strip().casefold()))
    return _SPELLING.sub("", plain) or text


def _read_levels(name: str, series: pd.Series, codes: np.ndarray, texts: list[str | None]) -> Column:
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    best: dict[str, tuple[int, str]] = {}
    spellings: dict[str, set[str]] = {}
    for text, count in zip(texts, counts, strict=True):
        if text is not None:
            key = fold_level(text)
            spellings.setdefault(key, set()).add(text)
            best[key] = max(best.get(key, (0, "")), (int(count), text))
    chosen = np.array([None if text is None else best[fold_level(text)][1] for text in texts] + [None], dtype=object)
    values = pd.Series(chosen[codes], index=series.index, dtype=object)
    merged = tuple(tuple(sorted(group)) for group in spellings.values() if len(group) > 1)
    return _finish(name, _text_kind(texts, len(series), len(best)), values, merged=merged)


def _text_kind(texts: list[str | None], rows: int, levels: int) -> str:
    filled = [text for text in texts if text is not None]
    words = np.mean([len(text.split()) + len(re.findall(r"[\u4e00-\u9fff]", text)) / 4 for text in filled])
    if levels > 20 and (words > 5 or np.mean([len(text) for text in filled]) > 60) and levels > 0.02 * rows:
        return "text"
    return "id" if rows > 50 and levels > 0.9 * rows else "category"
