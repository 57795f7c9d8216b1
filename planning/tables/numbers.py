"""Text to numbers: decimal comma or point, thousands marks, currency signs, percents, thousands and 万.

The mark of the decimals is decided once for a whole table, because `1.234` alone is a thousand or a bit more than one:
any cell that can be read in one way only (`1.234,56`, `0,5`, `1,234.50`) decides; cells for both are a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

MISSING = ("", "nan", "na", "n/a", "null", "none", "#n/a", "#nv", "-", "--", "–", "—", ".", "无", "空")
LARGEST = 1e15  # beyond it cents are lost in float64, and no company's figure lies there
CURRENCY_SIGNS = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "CNY", "￥": "CNY", "us$": "USD", "a$": "AUD", "c$": "CAD"}
SCALES = {
    "k": 1e3, "t": 1e3, "千": 1e3, "m": 1e6, "mio": 1e6, "mn": 1e6, "百万": 1e6, "bn": 1e9, "万": 1e4, "亿": 1e8,
    "%": 0.01, "元": 1.0, "万元": 1e4, "千元": 1e3, "亿元": 1e8, "百万元": 1e6,
}
CURRENCY_CODES = (
    "EUR", "USD", "GBP", "CHF", "CNY", "RMB", "JPY", "AUD", "CAD", "NZD", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF",
    "RON", "TRY", "INR", "KRW", "SGD", "HKD", "TWD", "THB", "MYR", "IDR",
    "PHP", "VND", "BRL", "MXN", "ZAR", "AED", "SAR",
    "ILS",
)
_SPACES = str.maketrans(
    {"\u00a0": "", "\u202f": "", "\u2009": "", " ": "", "\u2212": "-", "’": "'", "，": ",", "％": "%"}
)
_SIGNS = "|".join(
    re.escape(sign.casefold()) for sign in sorted([*CURRENCY_SIGNS, *CURRENCY_CODES], key=len, reverse=True)
)
_UNITS = "|".join(re.escape(unit) for unit in sorted(SCALES, key=len, reverse=True))
_PIECES = re.compile(
    rf"(?P<sign>[+-]?)(?P<before>{_SIGNS})?(?P<sign2>[+-]?)(?P<body>[\d.,']*\d[\d.,']*(?:e[+-]?\d+)?)"
    rf"(?P<scale>{_UNITS})?(?P<after>{_SIGNS})?(?P<sign3>-?)"
)
# A cell that can be read in one way only. RE2 of Arrow and Python's re both read these.
_EDGE = r"(?:^|[^\d.,'])", r"(?:[^\d.,']|$)"
_ONE_WAY = (
    r"(?:\d{{1,3}}(?:[{other}']\d{{3}})+{mark}\d+|\d+{mark}(?:\d{{1,2}}|\d{{4,}})|0+{mark}\d+|\d{{4,}}{mark}\d+"
    r"|\d{{1,3}}(?:{other}\d{{3}}){{2,}})"
)
_COMMA_DECIMAL = _EDGE[0] + _ONE_WAY.format(mark=",", other=r"\.") + _EDGE[1]
_POINT_DECIMAL = _EDGE[0] + _ONE_WAY.format(mark=r"\.", other=",") + _EDGE[1]
_DOUBTFUL = _EDGE[0] + r"\d{1,3},\d{3}" + _EDGE[1]
_THOUSAND = _EDGE[0] + r"\d{1,3}\.\d{3}" + _EDGE[1]
_GROUPED = {
    ".": re.compile(r"^(?:\d{1,3}(?:[,']\d{3})+|\d*)(?:\.\d*)?(?:e[+-]?\d+)?$"),
    ",": re.compile(r"^(?:\d{1,3}(?:[.']\d{3})+|\d*)(?:,\d*)?(?:e[+-]?\d+)?$"),
}


@dataclass
class Numbers:
    """A column read as numbers: NaN where empty or bad."""

    values: np.ndarray  # float64
    bad: np.ndarray  # bool: a cell that is no number
    units: dict[str, int] = field(default_factory=dict)  # scale sign → first position it stands at ("" for plain)
    currencies: dict[str, int] = field(default_factory=dict)  # currency written in the cells → first position
    nan_text: int = 0  # cells that said NaN, NULL or the like and were read as empty

    @property
    def not_finite(self) -> np.ndarray:
        """Where a number is infinite or too large to be a figure of a company."""
        with np.errstate(invalid="ignore"):
            return (self.values > LARGEST) | (self.values < -LARGEST)


def to_numbers(column: pd.Series, decimal: str = ".", thousands: str = "") -> Numbers:
    """Reads a column as numbers, with `decimal` as the mark of the decimals.

    Typed columns pass through; text is read strictly: a thousands mark must stand every three digits.
    """
    if pd.api.types.is_bool_dtype(column.dtype):
        return Numbers(column.to_numpy(dtype=float, na_value=np.nan), np.zeros(len(column), bool))
    if pd.api.types.is_numeric_dtype(column.dtype):
        return Numbers(column.to_numpy(dtype=float, na_value=np.nan), np.zeros(len(column), bool))
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return Numbers(np.full(len(column), np.nan), column.notna().to_numpy())
    if column.dtype == object:
        column = column.map(_as_text).astype("str")
    cells = text_cells(column)
    if decimal != "," and not thousands:
        fast = _cast(cells)
        if fast is not None:
            return fast
    return _read_distinct(column.str.strip(), decimal, thousands)


def text_cells(column: pd.Series) -> pa.ChunkedArray:
    """Returns a text column's cells as Arrow holds them, piece by piece and without a copy."""
    cells = pa.chunked_array(column)
    return cells if cells.type == pa.large_string() else cells.cast(pa.large_string())


def distinct_texts(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Returns each distinct text of a column once, and for each cell its place in that list (-1 for a missing one)."""
    encoded = text_cells(column).dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = pa.concat_arrays(encoded.chunks) if encoded.num_chunks else pa.array([], "str").dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return codes, encoded.dictionary.to_pylist()


def _as_text(cell: object) -> object:
    if cell is None or isinstance(cell, str):
        return cell
    return None if cell != cell else str(cell)


def _cast(cells: pa.ChunkedArray) -> Numbers | None:
    """The quick way for plain figures: a cast piece by piece, or None when a cell needs more care."""
    numbers, written_nan, at = np.empty(len(cells)), 0, 0
    for piece in cells.chunks:
        trimmed = pc.utf8_trim_whitespace(piece)
        empty = pc.fill_null(pc.equal(trimmed, ""), True)
        try:
            values = pc.cast(pc.if_else(empty, None, trimmed), pa.float64())
        except pa.ArrowInvalid:
            return None
        part = values.to_numpy(zero_copy_only=False)
        written_nan += int((np.isnan(part) & values.is_valid().to_numpy(zero_copy_only=False)).sum())
        numbers[at : at + len(part)] = part
        at += len(part)
    return Numbers(numbers, np.zeros(len(numbers), bool), nan_text=written_nan)


def _read_distinct(cells: pd.Series, decimal: str, thousands: str) -> Numbers:
    """Reads each distinct text once; units and bad cells are remembered by their first position."""
    codes, distinct = distinct_texts(cells)
    parsed = [read_number(text, decimal, thousands) for text in distinct]
    values = np.array([item[0] for item in parsed] + [np.nan])
    bad = np.array([item[1] is None for item in parsed] + [False])
    numbers = Numbers(values[codes], bad[codes])
    first = pd.Series(np.arange(len(codes))).groupby(codes).first()
    for code, (value, unit, currency) in enumerate(parsed):
        if unit is None or np.isnan(value):
            continue
        at = int(first[code])
        if value != 0:
            numbers.units[unit] = min(at, numbers.units.get(unit, at))
        if currency:
            numbers.currencies[currency] = min(at, numbers.currencies.get(currency, at))
    written = np.array([text.casefold() in MISSING and text != "" for text in distinct] + [False])
    numbers.nan_text = int(written[codes].sum())
    return numbers


def read_number(text: str, decimal: str = ".", thousands: str = "") -> tuple[float, str | None, str]:
    """Returns (value, scale sign, currency) of one cell; (NaN, "", "") when empty, (NaN, None, "") when no number.

    >>> read_number("1.234,56 €", ",")
    (1234.56, '', 'EUR')
    >>> read_number("(12 k)")
    (-12000.0, 'k', '')
    """
    folded = text.casefold().translate(_SPACES).strip()
    if folded in MISSING or text.strip().casefold() in MISSING:
        return np.nan, "", ""
    if folded.lstrip("+-") in {"inf", "infinity", "∞"}:
        return (-np.inf if folded.startswith("-") else np.inf), "", ""
    negative = folded.startswith("(") and folded.endswith(")")
    match = _PIECES.fullmatch(folded[1:-1] if negative else folded)
    if not match:
        return np.nan, None, ""
    currencies = {CURRENCY_SIGNS.get(sign, sign.upper()) for sign in (match["before"], match["after"]) if sign}
    body = match["body"]
    if thousands and thousands != decimal:
        body = body.replace(thousands, "")
    if len(currencies) > 1 or not _GROUPED[decimal or "."].match(body):
        return np.nan, None, ""
    for mark in {",", ".", "'"} - {decimal or "."}:
        body = body.replace(mark, "")
    negative ^= "-" in match["sign"] + match["sign2"] + match["sign3"]
    scale = match["scale"] or ""
    value = float(body.replace(",", ".")) * SCALES.get(scale, 1.0)
    return (-value if negative else value), ("" if scale == "元" else scale), next(iter(currencies), "")


@dataclass(frozen=True)
class DecimalMark:
    """The mark of a table's decimals and how it was found: `proof` and `against` are cells as written."""

    mark: str = "."
    proof: str = ""
    against: str = ""
    doubtful: str = ""  # a cell such as "1,234" that no other cell decides


def decimal_mark(columns: Iterable[pd.Series]) -> DecimalMark:
    """Finds the mark of the decimals in the text columns that should be numbers.

    A table without any comma has a point. `against` is not empty when cells prove both marks: the table is mixed.

    >>> decimal_mark([pd.Series(["1.234,56", "7"]), pd.Series(["1.500"])]).mark
    ','
    """
    texts = [column for column in columns if isinstance(column.dtype, pd.StringDtype) or column.dtype == object]
    cells = [text_cells(column.map(_as_text).astype("str") if column.dtype == object else column) for column in texts]
    comma = first_like(cells, _COMMA_DECIMAL)
    point = first_like(cells, _POINT_DECIMAL) if comma or first_like(cells, ",") else ""
    if comma and point:
        return DecimalMark(".", point, comma)
    if comma:
        return DecimalMark(",", comma)
    return DecimalMark(".", point, "", "" if point else first_like(cells, _DOUBTFUL))


def column_mark(column: pd.Series) -> DecimalMark:
    """Finds the mark of the decimals in one text column by itself, as `decimal_mark` does for a table.

    Without a telling cell it is a point; `doubtful` is then a cell such as "24.283" or "1,234", where every cell with
    that mark could be read both ways.

    >>> column_mark(pd.Series(["75.544,50", "24.283"])).mark, column_mark(pd.Series(["24.283", "900"])).doubtful
    (',', '24.283')
    """
    cells = [text_cells(column.map(_as_text).astype("str") if column.dtype == object else column)]
    if not first_like(cells, r"[.,]"):
        return DecimalMark()
    point, comma = first_like(cells, _POINT_DECIMAL), first_like(cells, _COMMA_DECIMAL)
    if comma:
        return DecimalMark("." if point else ",", point or comma, comma if point else "")
    return DecimalMark(".", point, "", "" if point else first_like(cells, _DOUBTFUL) or first_like(cells, _THOUSAND))


def first_like(columns: Iterable[pa.ChunkedArray], pattern: str) -> str:
    """Returns the first cell that holds the pattern, looking piece by piece; an empty text for none."""
    for cells in columns:
        for piece in cells.chunks:
            found = piece.filter(pc.fill_null(pc.match_substring_regex(piece, pattern), False))
            if len(found):
                return found[0].as_py()
    return ""
