"""Words and numbers in the reader's language: gettext catalogues and Babel's formats.

The message ids are the English texts; a catalogue a package lies in `planning/locale/<language>/<package>.po` and is
read at run time. `_` looks a text up in the current language, so it is called when a sentence is made, never at
import time, and the values are put in afterwards: `_("The chance is {p}.").format(p=percent(0.55))`.

Signs: a narrow no-break space (U+202F) is the thousands mark in English and stands before units, U+2212 is the minus.
Money in Chinese is counted in 万 and 亿, in English in k and m.
"""

from __future__ import annotations

import contextlib
import contextvars
import datetime as dt
import functools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

from planning.errors import UsageError, did_you_mean

LANGUAGES = ("en", "zh")
LOCALE_FOLDER = Path(__file__).parent / "locale"
NARROW_SPACE = "\u202f"
MINUS = "\u2212"

# As Babel writes them; a page has hundreds of days, and Babel takes longer over each than over a sentence.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_current: contextvars.ContextVar[str] = contextvars.ContextVar("language", default="en")

# Symbol before the figure (English), and the word after it (Chinese).
_SYMBOLS = {
    "EUR": "€",
    "USD": "$",
    "GBP": "£",
    "CNY": "¥",
    "JPY": "JP¥",
    "AUD": "A$",
    "CAD": "C$",
    "CHF": "CHF" + NARROW_SPACE,
}
_CHINESE_NAMES = {
    "EUR": "欧元",
    "USD": "美元",
    "GBP": "英镑",
    "CNY": "元",
    "JPY": "日元",
    "AUD": "澳元",
    "CAD": "加元",
    "CHF": "瑞士法郎",
}


def current() -> str:
    """Returns the language sentences are made in now: "en" or "zh"."""
    return _current.get()


@contextlib.contextmanager
def use(language: str) -> Iterator[None]:
    """Makes `language` the current one inside the block; UsageError names the nearest known language."""
    token = _current.set(_known(language))
    try:
        yield
    finally:
        _current.reset(token)


def set_language(language: str) -> None:
    """Makes `language` the current one for the rest of this process (a notebook's kernel)."""
    _current.set(_known(language))


def _known(language: str) -> str:
    if language not in LANGUAGES:
        raise UsageError(
            f"language '{language}' is not known. It is one of: {', '.join(LANGUAGES)}."
            f"{did_you_mean(language, LANGUAGES)}"
        )
    return language


@functools.cache
def _catalogue(language: str) -> dict[str, str | tuple[str, ...]]:
    """Returns message id → translation (a tuple of plural forms where the message has them) of every package."""
    if language == "en":
        return {}
    from babel.messages.pofile import read_po

    messages: dict[str, str | tuple[str, ...]] = {}
    for path in sorted((LOCALE_FOLDER / language).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=language):
                if message.id and message.string and not message.fuzzy:
                    key = message.id[0] if isinstance(message.id, tuple) else message.id
                    messages[key] = message.string
    return messages


def gettext(text: str) -> str:
    """Returns `text` in the current language; the English text itself where no translation exists."""
    found = _catalogue(current()).get(text, text)
    return found[0] if isinstance(found, tuple) else found


_ = gettext


def ngettext(one: str, many: str, n: int) -> str:
    """Returns the form of a counted text for `n` in the current language (Chinese has one form)."""
    found = _catalogue(current()).get(one)
    if found is None:
        return one if n == 1 else many
    return found[0] if isinstance(found, tuple) else found


def _figure(x: float, digits: int) -> str:
    """Formats `x` to `digits` places with the language's thousands mark and a true minus; never "−0"."""
    if x is None or not math.isfinite(x):
        return "–"
    text = f"{abs(x):,.{digits}f}"
    negative = x < 0 and any(c in "123456789" for c in text)
    mark = "," if current() == "zh" else NARROW_SPACE
    return (MINUS if negative else "") + text.replace(",", mark)


def number(x: float, digits: int = 0) -> str:
    """Returns a figure such as `1 366` (en) or `1,366` (zh); a dash for a missing one."""
    return _figure(x, digits)


def signed(x: float, digits: int = 0, formatter: Callable[..., str] | None = None) -> str:
    """Returns a figure with its sign always written; `formatter(x)` replaces the plain figure where given."""
    text = formatter(x) if formatter else _figure(x, digits)
    return text if x is None or not x > 0 or not any(c in "123456789" for c in text) else "+" + text


def percent(p: float, digits: int = 0) -> str:
    """Returns a rate in 0-1 as `55 %` (en) or `55%` (zh)."""
    if p is None or not math.isfinite(p):
        return "–"
    return _figure(100 * p, digits) + ("%" if current() == "zh" else NARROW_SPACE + "%")


def chance(p: float) -> str:
    """Returns a probability as whole percents, never a certainty that was not claimed: `above 99 %`, `below 1 %`."""
    if p is not None and math.isfinite(p):
        if p > 0.99 and p < 1:
            return _("above {p}").format(p=percent(0.99))
        if 0 < p < 0.01:
            return _("below {p}").format(p=percent(0.01))
    return percent(p)


def scale_of(x: float) -> tuple[float, str]:
    """Returns the unit money of size `x` is told in: (divisor, sign), such as (1e6, "m") or (1e4, "万")."""
    size = abs(x) if x is not None and math.isfinite(x) else 0.0
    steps = [(1e8, "亿"), (1e4, "万")] if current() == "zh" else [(1e9, "bn"), (1e6, "m"), (1e3, "k")]
    return next(((step, sign) for step, sign in steps if size >= step), (1.0, ""))


def money(x: float, currency: str, digits: int | None = None, scale: float | None = None) -> str:
    """Returns an amount as people say it: `€123.3 m`, `€9.4 k`, `1.233亿欧元`.

    `scale` (1, 1e3, 1e6, 1e9; 1e4, 1e8 in Chinese) fixes the unit, `digits` the decimals; both follow the size
    otherwise.
    """
    if x is None or not math.isfinite(x):
        return "–"
    divisor, sign = scale_of(x if scale is None else scale)
    if digits is None:
        digits = {1e8: 3, 1e4: 1, 1e9: 2, 1e6: 1, 1e3: 0}.get(divisor, 0 if abs(x) >= 1000 else 2)
    figure = _figure(abs(x) / divisor, digits)
    negative = MINUS if x < 0 and any(c in "123456789" for c in figure) else ""
    if current() == "zh":
        return f"{negative}{figure}{sign}{_CHINESE_NAMES.get(currency, currency)}"
    symbol = _SYMBOLS.get(currency, currency + NARROW_SPACE)
    return f"{negative}{symbol}{figure}{NARROW_SPACE + sign if sign else ''}"


def money_unit(currency: str, scale: float) -> str:
    """Returns the unit a chart or column states once: `EUR million`, `EUR k`, `万欧元`."""
    if current() == "zh":
        return {1e8: "亿", 1e4: "万"}.get(scale, "") + _CHINESE_NAMES.get(currency, currency)
    return (currency + " " + {1e9: "billion", 1e6: "million", 1e3: "k"}.get(scale, "")).strip()


def interval(lo: float, hi: float, formatter: Callable[[float], str] = number) -> str:
    """Returns `0.09 to 0.71` (en) or `0.09 至 0.71` (zh)."""
    return (_("{lo} to {hi}")).format(lo=formatter(lo), hi=formatter(hi))


def day(date: dt.date) -> str:
    """Returns `8 Jan 2027` (en) or `2027年1月8日` (zh)."""
    if current() == "zh":
        return f"{date.year}年{date.month}月{date.day}日"
    return f"{date.day} {_MONTHS[date.month - 1]} {date.year}"


def month(date: dt.date) -> str:
    """Returns `Jan 2027` (en) or `2027年1月` (zh)."""
    if current() == "zh":
        return f"{date.year}年{date.month}月"
    return f"{_MONTHS[date.month - 1]} {date.year}"


def paragraph(sentences: list[str]) -> str:
    """Returns whole sentences one after the other; Chinese ones stand without a space between."""
    return ("" if current() == "zh" else " ").join(text for text in sentences if text)


def listing(words: list[str]) -> str:
    """Returns words joined as a sentence needs them: `a, b and c` (en), `a、b和c` (zh)."""
    words = list(words)
    if len(words) < 2:
        return "".join(words)
    if current() == "zh":
        return "、".join(words[:-1]) + "和" + words[-1]
    return ", ".join(words[:-1]) + " and " + words[-1]
