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
_COMMA_DECIMAL = re.compile(
    r"^(?:\d{1,3}(?:[.']\d{3})+,\d+|\d+,(?:\d{1,2}|\d{4,})|0+,\d+|\d{4,},\d+|\d{1,3}(?:\.\d{3}){2,})$"
)
_POINT_DECIMAL = re.compile(
    r"^(?:\d{1,3}(?:[,']\d{3})+\.\d+|\d+\.(?:\d{1,2}|\d{4,})|0+\.\d+|\d{4,}\.\d+|\d{1,3}(?:,\d{3}){2,})$"
)
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
        return np.isinf(self.values) | (np.abs(np.nan_to_num(self.values)) > LARGEST)


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
    cells = pc.utf8_trim_whitespace(pa.array(column, type=pa.large_string(), from_pandas=True))
    if decimal != "," and not thousands:
        fast = _cast(cells)
        if fast is not None:
            return fast
    return _read_distinct(cells, decimal, thousands)


def _as_text(cell: object) -> object:
    if cell is None or isinstance(cell, str):
        return cell
    return None if cell != cell else str(cell)


def _cast(cells: pa.Array) -> Numbers | None:
    """The quick way for plain figures: one cast of the whole column, or None when a cell needs more care."""
    if isinstance(cells, pa.ChunkedArray):
        cells = cells.combine_chunks()
    empty = pc.equal(cells, "")
    try:
        values = pc.cast(pc.if_else(pc.fill_null(empty, True), None, cells), pa.float64())
    except pa.ArrowInvalid:
        return None
    numbers = values.to_numpy(zero_copy_only=False)
    written_nan = np.isnan(numbers) & values.is_valid().to_numpy(zero_copy_only=False)
    return Numbers(numbers, np.zeros(len(numbers), bool), nan_text=int(written_nan.sum()))


def _read_distinct(cells: pa.Array, decimal: str, thousands: str) -> Numbers:
    """Reads each distinct text once; units and bad cells are remembered by their first position."""
    codes, distinct = pd.factorize(cells.to_pandas(), use_na_sentinel=True)
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
    """
    comma, point, doubtful = "", "", ""
    for column in columns:
        if not (isinstance(column.dtype, pd.StringDtype) or column.dtype == object):
            continue
        texts = column.map(_as_text) if column.dtype == object else column
        cells = pc.drop_null(pa.array(texts, type=pa.large_string(), from_pandas=True))
        marked = pc.unique(cells.filter(pc.match_substring_regex(cells, "[,.]")))
        for text in marked.to_pylist():
            body = re.sub(r"[^\d.,']", "", text.translate(_SPACES))
            if not comma and _COMMA_DECIMAL.match(body):
                comma = text
            elif not point and _POINT_DECIMAL.match(body):
                point = text
            elif not doubtful and re.fullmatch(r"\d{1,3},\d{3}", body):
                doubtful = text
            if comma and point:
                return DecimalMark(".", point, comma)
    if comma:
        return DecimalMark(",", comma)
    return DecimalMark(".", point, "", "" if point else doubtful)
