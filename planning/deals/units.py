"""Units behind figures: `38.3 h`, `41.0k`, `12天`; one unit in a whole column makes its figures numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

from planning.tables.numbers import SCALES

FEWEST = 20  # fewer distinct values are classes, such as products called 5 k and 8 k
SHARE = 0.95  # of the distinct values that must be figures with a unit for several units to be told
LOOKED_AT = 200
_CARRIED = re.compile(r"^(?P<figure>[^\w.,]{0,3}\d[\d.,' ]*?)\s*(?P<unit>(?:°\s?)?[^\W\d_]{1,12}|[%％])\.?$")
_PLAIN = re.compile(r"^[^\w.,]{0,3}\d[\d.,' ]*$")
_MULTIPLIED = {unit for unit in SCALES if unit not in ("t", "%", "元")}
_SAME = {
    "hour": "h", "hours": "h", "hr": "h", "hrs": "h", "std": "h", "stunden": "h", "小时": "h", "minutes": "min",
    "minute": "min", "mins": "min", "分钟": "min", "day": "d", "days": "d", "tag": "d", "tage": "d", "天": "d",
    "日": "d", "week": "w", "weeks": "w", "wk": "w", "wks": "w", "woche": "w", "wochen": "w", "周": "w",
    "month": "months",
    "monat": "months", "monate": "months", "月": "months", "个月": "months", "year": "years", "yr": "years",
    "yrs": "years", "jahr": "years", "jahre": "years", "年": "years", "mio": "m", "mn": "m", "％": "%",
}  # fmt: skip
_KNOWN = {
    *_SAME,
    *_SAME.values(),
    *SCALES,
    "s",
    "sec",
    "kg",
    "g",
    "km",
    "cm",
    "mm",
    "pcs",
    "件",
    "台",
    "个",
    "秒",
    "公里",
}


@dataclass(frozen=True)
class Carried:
    """The texts without their unit, what the unit multiplies them by, and each unit found with a cell of it."""

    figures: list[str | None]
    scale: float
    units: tuple[tuple[str, str], ...]


def carried(texts: list[str | None]) -> Carried:
    """Which unit do the figures of a column carry? None (no `units`) where they are classes or plain words.

    One unit is taken where every filled text carries it, whatever it is; several are told where nearly all texts are
    figures with a unit that is known, or with none.

    >>> carried([f"{n} days" for n in range(2, 30)]).units
    (('days', '2 days'),)
    """
    none = Carried(texts, 1.0, ())
    filled = [text for text in texts if text is not None]
    some = filled[:: max(1, len(filled) // LOOKED_AT)]
    like = sum(_CARRIED.match(text) is not None or _PLAIN.match(text) is not None for text in some)
    if len(filled) < FEWEST or like < 0.8 * len(some):
        return none
    found = [None if text is None else _CARRIED.match(text) for text in texts]
    by_unit: dict[str, tuple[str, str]] = {}
    for text, match in zip(texts, found, strict=True):
        if match:
            by_unit.setdefault(_unit(match), (match["unit"], text))
    figures = sum(match is not None for match in found)
    if figures == len(filled) and len(by_unit) == 1:
        (unit,) = by_unit
        scale = SCALES[unit] if unit in _MULTIPLIED else 1.0
        return Carried([match and match["figure"] for match in found], scale, tuple(by_unit.values()))
    plain = next((text for text in filled if _PLAIN.match(text)), None)
    rows = figures + sum(_PLAIN.match(text) is not None for text in filled)
    several = len(by_unit) + (plain is not None) > 1 and set(by_unit) <= _KNOWN
    if not several or rows < SHARE * len(filled):
        return none
    return Carried(texts, 1.0, (*by_unit.values(), *([("", plain)] if plain else [])))


def _unit(match: re.Match) -> str:
    unit = match["unit"].casefold()
    return _SAME.get(unit, unit)
