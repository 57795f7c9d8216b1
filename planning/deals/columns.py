"""What kind of field a column is, and its values in that kind, however the export wrote them.

number    amounts, counts, scores; also `1,234`, `12 %` (0.12), `€ 5` as text, all of a column in one notation
category  names and classes; levels that differ only in case, spaces or punctuation are one level
date      days; ISO or one declared order, never guessed; also 20260302 where the name or every value says so
text      free text: refused as a cause
id        one value a row: refused as a cause
constant  one value or none
mixed     amounts with a decimal comma beside amounts with a decimal point, or in several units: none is read

Figures of which each has the same unit, `38.3 h` or `4.1万`, are numbers; k, m, 万 and 亿 multiply.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from planning.deals import days, units
from planning.deals.names import ID_WORDS, REFERENCE_WORDS, says
from planning.tables.numbers import column_mark, read_number

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
LOOKED_AT = 1000  # texts looked at before all are read as numbers
_LAKH = re.compile(r"(?<![\d.,])\d{1,2}(?:,\d{2})+,\d{3}(?![\d,])")  # 12,34,567
_PLAIN = {
    mark: re.compile(rf"[-+]?(?:\d{{1,3}}(?:\{other}\d{{3}})+|\d+)(?:\{mark}\d+)?") for mark, other in (".,", ",.")
}
_SIGNS = {"", "%"}  # signs behind a figure that leave it one; 5 k and 3 m may be names of products
_SPELLING = re.compile(r"(?<![\d\s_\-.,'/])[\s_\-.,'/]+|[\s_\-.,'/]+(?![\d\s_\-.,'/])")


@dataclass(frozen=True)
class Notation:
    """How the figures of a text column are written, shown by cells.

    doubtful: a cell that may be thousands or have three decimals. clash: a cell with a decimal comma and one with a
    decimal point, each with its place in the column. signed, plain: how many cells have a percent sign and how many
    have none, where both occur, with a cell of each. units: the unit of every cell, or, of a mixed column, each
    unit with a cell of it.
    """

    doubtful: str = ""
    clash: tuple[tuple[int, str], ...] = ()
    signed: tuple[int, str] = (0, "")
    plain: tuple[int, str] = (0, "")
    units: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Column:
    """One field read: `kind`, its `values` (float64, datetime64 or text; missing is NaN, NaT or None).

    `unread` cells hold something that is no number or day among numbers or days: taken as missing, and counted.
    So is an infinite number. `notation` is what the figures prove of their mark of decimals. `doubt` of a date:
    "ambiguous" or "unreadable" where no day was read, "year_first" where 26/12/25 may also begin with the year.
    """

    name: str
    kind: str
    values: pd.Series
    missing: float
    merged: tuple[tuple[str, ...], ...] = ()
    unread: int = 0
    unread_example: str = ""
    notation: Notation = Notation()
    doubt: str = ""

    def without_days(self, doubt: str, example: str) -> Column:
        """The same column as a date of which no day is read."""
        empty = pd.Series(np.full(len(self.values), "NaT", dtype="datetime64[us]"), index=self.values.index)
        filled = int(self.values.notna().sum())
        return Column(self.name, "date", empty, 1.0, unread=filled, unread_example=example, doubt=doubt)


def read_column(series: pd.Series) -> Column:
    """Says what kind of field a column is and returns its values in that kind."""
    column = _read(series)
    if column.kind in ("number", "category", "text", "id") and not pd.api.types.is_bool_dtype(series):
        example = days.no_day(column.name, column.values)
        if example:  # called a date, and none can be read: never a cause
            return column.without_days("unreadable", example)
    return column


def _read(series: pd.Series) -> Column:
    name = str(series.name)
    if pd.api.types.is_bool_dtype(series):
        return _finish(name, "number", series.astype("float64"))
    if pd.api.types.is_datetime64_any_dtype(series):
        return _finish(name, "date", naive(series))
    if pd.api.types.is_timedelta64_dtype(series):  # a duration is a number of days
        return _finish(name, "number", series.dt.total_seconds() / 86_400)
    if pd.api.types.is_numeric_dtype(series):
        values = pd.Series(series.to_numpy("float64", na_value=np.nan), index=series.index)
        whole = days.of_numbers(name, values)
        if whole is not None:
            return _finish(name, "date", whole[0], unread=whole[1], unread_example=whole[2])
        if says(name, ID_WORDS) and len(values) > 50 and values.nunique() > 0.98 * values.count() > 0:
            return _finish(name, "id", values)
        infinite = int(np.isinf(values).sum())
        more = {"unread": infinite, "unread_example": "inf"} if infinite else {}
        return _finish(name, "number", values.where(np.isfinite(values)), **more)
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
    compact = days.eight_digits(name, filled)
    read = days.of_texts(texts, compact=True) if compact else None
    numbers = None if read is not None else _as_numbers(texts)
    if numbers is not None:
        return _number_column(name, series.index, codes, texts, *numbers)
    if read is None and not compact:
        read = days.of_texts(texts, compact=False)
    if read is None:
        carried = units.carried(texts)
        if len(carried.units) > 1:
            notation = Notation(units=carried.units)
            return Column(name, "mixed", pd.Series(np.nan, index=series.index), 1.0, notation=notation)
        numbers = _as_numbers(carried.figures) if carried.units else None
        if numbers is None:
            return _read_levels(name, series, codes, texts)
        figures, notation = numbers[0] * carried.scale, replace(numbers[1], units=carried.units)
        return _number_column(name, series.index, codes, texts, figures, notation)
    values, lost = pd.Series(_spread(read.days, codes), index=series.index), _lost(texts, read.days, codes)
    if values.isna().all():  # filled, but no day of it can be told
        return Column(name, "date", values, 1.0, **lost, doubt=read.doubt or "unreadable")
    return _finish(name, "date", values, **lost, doubt="year_first" if read.doubt == "year_first" else "")


def _number_column(
    name: str, index: pd.Index, codes: np.ndarray, texts: list[str | None], numbers: np.ndarray, notation: Notation
) -> Column:
    if notation.clash:
        notation = Notation(clash=tuple((int(np.argmax(codes == level)), text) for level, text in notation.clash))
        return Column(name, "mixed", pd.Series(np.nan, index=index), 1.0, notation=notation)
    numbers = np.where(np.isinf(numbers), np.nan, numbers)
    lost = _lost(texts, numbers, codes)
    values = pd.Series(_spread(numbers, codes), index=index)
    counted = replace(notation, **_percents(texts, numbers, codes))
    return _finish(name, "number", values, notation=counted, **lost)


def _percents(texts: list[str | None], numbers: np.ndarray, codes: np.ndarray) -> dict[str, tuple[int, str]]:
    """Cells with and without a percent sign, where a column has both; a zero is the same either way."""
    if not any(text and text[-1] in "%％" for text in texts):
        return {}
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    told = {"signed": [0, ""], "plain": [0, ""]}
    for text, value, count in zip(texts, numbers, counts, strict=True):
        if text is not None and np.isfinite(value) and value:
            kind = told["signed" if text[-1] in "%％" else "plain"]
            kind[0], kind[1] = kind[0] + int(count), kind[1] or text
    return {kind: tuple(found) for kind, found in told.items()} if told["signed"][0] and told["plain"][0] else {}


def _lost(texts: list[str | None], read: np.ndarray, codes: np.ndarray) -> dict[str, object]:
    """How many cells hold something that could not be read, and one of them."""
    lost = [text is not None and bool(gap) for text, gap in zip(texts, pd.isna(read), strict=True)]
    rows = int(np.array([*lost, False])[codes].sum())
    return {"unread": rows, "unread_example": texts[lost.index(True)] if rows else ""}


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or str(value).strip().casefold() in MISSING_WORDS


def _spread(read: np.ndarray, codes: np.ndarray) -> np.ndarray:
    padded = np.concatenate([read, np.array([np.nan if read.dtype.kind == "f" else "NaT"], dtype=read.dtype)])
    return padded[codes]


def _as_numbers(texts: list[str | None]) -> tuple[np.ndarray, Notation] | None:
    """Numbers when 95 % of the filled texts are numbers in one notation or the other, `1,234.50` or `1.234,50`.

    One notation holds for the whole column: a text that can be read in one way only decides. Where two contradict each
    other no number is read, and `clash` names two of the texts by their place.
    """
    filled = [_LAKH.sub(_without_commas, text) if text and text.count(",") > 1 else text for text in texts]
    known = [text for text in filled if text is not None]
    numbers = pd.to_numeric(pd.Series(filled, dtype=object), errors="coerce").to_numpy("float64", copy=True)
    either, mark = ~np.isnan(numbers), "."
    if either.sum() < len(known):  # not all plain figures
        some = known[:: max(1, len(known) // LOOKED_AT)]
        if np.mean([any(not np.isnan(_figure(text, mark)) for mark in ".,") for text in some]) < 0.8:
            return None
        mark = column_mark(pd.Series(some, dtype="str")).mark  # most likely: the other one is tried on few texts then
        numbers = np.array([_figure(text, mark) for text in filled])
        back = "," if mark == "." else "."
        other = [_figure(text, back) if gap else 0.0 for text, gap in zip(filled, np.isnan(numbers), strict=True)]
        either = ~np.isnan(numbers) | ~np.isnan(other)
    if either.sum() < 0.95 * len(known):
        return None
    figures = pd.Series([text for text, figure in zip(filled, either, strict=True) if figure], dtype="str")
    found = column_mark(figures)
    if found.against:
        places = [filled.index(cell) for cell in (found.against, found.proof)]
        return numbers, Notation(clash=tuple((place, texts[place]) for place in places))
    if found.mark != mark:
        numbers = np.array([_figure(text, found.mark) for text in filled])
    enough = np.count_nonzero(~np.isnan(numbers)) >= 0.95 * len(known)
    return (numbers, Notation(found.doubtful)) if enough else None


def _without_commas(found: re.Match) -> str:
    return found[0].replace(",", "")


def _figure(text: str | None, mark: str) -> float:
    """One text as a number, NaN where it is none; 12 % is 0.12."""
    if text is None:
        return np.nan
    if _PLAIN[mark].fullmatch(text):  # the most of them, ten times as quick
        return float(text.replace("," if mark == "." else ".", "").replace(",", "."))
    value, unit, _currency = read_number(text, mark)
    return value if unit in _SIGNS else np.nan


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
