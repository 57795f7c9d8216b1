"""Cells: a value of a frame as a reader sees it, and as the CSV of the page keeps it.

Formats of a column: money, percent, probability, number, integer, ratio, significant (three figures, for values of very
different size), date, month, text. Money is scaled once for the whole column and the unit goes into its head
("Target, EUR k"), so cells stay plain figures.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from planning import language
from planning.language import _

NUMERIC = {"money", "percent", "probability", "number", "integer", "ratio", "significant"}
# Words of at most this many signs stay on one line.
SHORT = 14


@dataclass(frozen=True)
class Cell:
    """One cell: the text shown, the raw value in the unit of its head, and the classes it is drawn with."""

    text: str
    raw: str
    look: str = ""


@dataclass(frozen=True)
class Column:
    """One column: its key in the frame, the head shown, its alignment, and how a value becomes a cell."""

    name: str
    label: str
    right: bool
    write: Callable[[Any], Cell]


def column(frame: Mapping[str, Iterable[Any]], spec: dict[str, Any], currency: str = "") -> Column:
    """Returns how the column `spec` ({name, label, format [, words of its codes]}) of `frame` is written.

    frame: a data frame, or a dict of lists: pages are made from lists, so that a page needs no pandas.
    """
    name, kind = spec["name"], spec.get("format", "text")
    label = spec.get("label") or name
    values = frame.get(name, ())
    if kind not in NUMERIC:
        known = spec.get("words") or {}
        lengths = [len(str(known.get(v, v))) for v in values if not absent(v)] if kind == "text" else []
        short = bool(lengths) and max(lengths) <= SHORT
        return Column(name, label, False, _words(kind, "line" if short else "", known))
    sizes = [abs(number) for value in values if (number := _number(value)) is not None]
    scale, digits, unit = _scale(kind, sizes, currency)
    return Column(name, f"{label}, {unit}" if unit else label, True, _figure(kind, scale, digits))


def absent(value: Any) -> bool:
    """Tells whether a cell holds nothing: None, or the NaN, NaT or NA of a frame."""
    return (
        value is None or type(value).__name__ in ("NaTType", "NAType") or (isinstance(value, float) and value != value)
    )


def _scale(kind: str, sizes: list[float], currency: str) -> tuple[float, int, str]:
    """Returns (divisor, decimals, unit for the head) that fit a column's values, given without their signs."""
    largest = max(sizes, default=0.0)
    if kind == "money":
        if language.current() == "zh":
            scale = 1e4 if largest >= 1e5 else 1.0
            digits = 1 if scale > 1 and largest < 1e7 else 0
        else:
            scale = 1e6 if largest >= 2e9 else 1e3 if largest >= 2e5 else 1.0
            digits = 2 if largest < 100 else 0
        return scale, digits, language.money_unit(currency, scale) if currency else ""
    if kind in ("percent", "probability"):
        return 1.0, (1 if 0 < largest < 0.1 and kind == "percent" else 0), ""
    if kind in ("integer", "significant"):
        return 1.0, 0, ""
    if kind == "ratio":
        return 1.0, 2, ""
    whole = all(size.is_integer() for size in sizes)
    return 1.0, 0 if whole or largest >= 1000 else 1 if largest >= 100 else 2 if largest >= 1 else 3, ""


def _figure(kind: str, scale: float, digits: int) -> Callable[[Any], Cell]:
    def write(value: Any) -> Cell:
        number = _number(value)
        if number is None:
            words = "" if absent(value) or isinstance(value, float) else str(value)
            return Cell(words or "–", words, "right")
        if kind == "probability":
            text, raw = language.chance(number), number
        elif kind == "percent":
            text, raw = language.percent(number, digits), number
        elif kind == "significant":
            text, raw = language.number(number, _digits(number)), number
        else:
            text, raw = language.number(number / scale, digits), number / scale
        down = number < 0 and kind != "significant"  # a reading below zero is no loss
        return Cell(text, _raw(raw), "right down" if down else "right")

    return write


def _number(value: Any) -> float | None:
    """Returns a finite number, or None for what is missing or is words."""
    if value is None or isinstance(value, str):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _digits(number: float) -> int:
    """Returns the decimals that leave a number three figures, without zeros at the end: 0.104, 0.039, 8.7, 45."""
    size = abs(number)
    whole = size >= 100 or size == 0 or (size >= 1 and number.is_integer())
    digits = 0 if whole else min(2 - math.floor(math.log10(size)), 6)
    while digits and round(size, digits) == round(size, digits - 1):
        digits -= 1
    return digits


def _raw(number: float) -> str:
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e15 else f"{number:.12g}"


def _words(kind: str, look: str, known: Mapping[str, str]) -> Callable[[Any], Cell]:
    def write(value: Any) -> Cell:
        if absent(value):
            return Cell("–" if kind in ("date", "month") else "", "")
        if kind in ("date", "month"):
            day = _day(value)
            return Cell((language.day if kind == "date" else language.month)(day), day.isoformat(), "line")
        if isinstance(value, bool):
            return Cell(_("yes") if value else _("no"), str(value).lower())
        text = str(known.get(value, value))
        return Cell(text, text, look)

    return write


def _day(value: Any) -> dt.date:
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    return value.date() if isinstance(value, dt.datetime) else value
