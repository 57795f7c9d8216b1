"""The house look: palette by role, fonts that know Chinese, canvases measured in CSS pixels.

A figure unit (one point) is one CSS pixel. The wide drawing is 816 px across, the phone's 358 px. A chart asked for
with `ax=None` gets a canvas of its own, whose height it may set; on somebody else's axes it only draws.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.util
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from planning import language

WIDE, NARROW = 816, 358

# What a colour says; the page holds a light and a dark value for each role.
INK, MUTED, GRID, RULE, PAPER = "#1a2430", "#566170", "#e4e8ec", "#d3d9e0", "#ffffff"
NOW, PLAN, GAIN, RISK, AUX = "#65707d", "#1b5e9b", "#0b6e69", "#b4530a", "#6d4a9c"
ROLES = {
    "ink": INK,
    "muted": MUTED,
    "grid": GRID,
    "rule": RULE,
    "paper": PAPER,
    "now": NOW,
    "plan": PLAN,
    "gain": GAIN,
    "risk": RISK,
    "aux": AUX,
}

_FONTS = ("Noto Sans SC", "Noto Sans CJK SC", "Source Han Sans SC", "DejaVu Sans")
_THIN = set("iljtfrI.,:;'|!()[] \u202f\u00a0")


@functools.cache
def _fonts() -> tuple[str, ...]:
    """Returns the font names matplotlib may use here, the one with Chinese glyphs first.

    Noto Sans SC comes with the zhplot package, whose own import would change matplotlib's settings for everybody;
    only its file is used. DejaVu Sans, shipped with matplotlib, fills in what the first lacks (the narrow space).
    """
    spec = importlib.util.find_spec("zhplot")
    if spec is not None and spec.origin:
        for path in sorted((Path(spec.origin).parent / "fonts").glob("*.ttf")):
            _register(str(path))
    known = set(font_manager.fontManager.get_font_names())
    return tuple(name for name in _FONTS if name in known)


def _register(path: str) -> None:
    """Makes a font file known, also as its own bold: it has one weight, and matplotlib would complain each time."""
    manager = font_manager.fontManager
    manager.addfont(path)
    entry = manager.ttflist[-1]
    manager.ttflist.append(dataclasses.replace(entry, weight=700))


@functools.cache
def _settings() -> dict[str, Any]:
    """Returns the house style, checked once by matplotlib's own reader."""
    read = matplotlib.rc_params_from_file(Path(__file__).with_name("house.mplstyle"), use_default_template=False)
    return {**read, "font.family": ["sans-serif"], "font.sans-serif": list(_fonts())}


@contextlib.contextmanager
def house() -> Iterator[None]:
    """Draws in the house style inside the block, and leaves matplotlib's settings as they were.

    A block inside a block costs nothing: `rc_context` would copy and check three hundred settings each time.
    """
    settings, current = _settings(), matplotlib.rcParams
    old = {key: current._get(key) for key in settings}
    current._update_raw(settings)
    try:
        yield
    finally:
        current._update_raw(old)


def canvas(narrow: bool = False, height: float | None = None) -> Axes:
    """Returns the axes of a new figure, `height` px high, as wide as the page's column or the phone."""
    width = NARROW if narrow else WIDE
    with house():
        figure = Figure(figsize=(width / 72, (height or (300 if narrow else 380)) / 72), dpi=72)
        axes = figure.add_subplot()
    figure.house_canvas = True
    return axes


def layout(
    ax: Axes, *, height: float | None = None, left: float = 0, right: float = 0, top: float = 0, bottom: float = 26
) -> None:
    """Sets the height of the canvas and its margins in px; axes that live in somebody else's figure are left alone."""
    figure = ax.figure
    if not getattr(figure, "house_canvas", False):
        return
    if height is not None:
        figure.set_figheight(height / 72)
    width, tall = (72 * side for side in figure.get_size_inches())
    figure.subplots_adjust(left=left / width, right=1 - right / width, top=1 - top / tall, bottom=bottom / tall)


def text_width(text: str, size: float = 13) -> float:
    """Returns about how many px a line of text takes in the page's font, on the generous side.

    The page's font is not known when a chart is drawn, so this is a rule: a Chinese sign is one em, a thin Latin
    letter a third, any other six tenths.
    """
    ems = sum(1.0 if ord(c) > 0x2E7F else 0.33 if c in _THIN else 0.6 for c in text)
    return ems * size


def widest(texts: Iterable[str], size: float = 13) -> float:
    """Returns the width in px of the widest line among `texts`; 0 without any."""
    return max((text_width(line, size) for text in texts for line in str(text).split("\n")), default=0.0)


# A line may end after a word and its space, or after a Chinese sign and the marks that close it.
_WORDS = re.compile("[^\u2e80-\uffff ]+ *|[\u2e80-\uffff][，。；：、）》]* *| +")


def wrap(text: str, width: float, size: float = 13) -> str:
    """Returns `text` broken into at most two lines of `width` px, the second cut with an ellipsis where needed."""
    if text_width(text, size) <= width:
        return text
    words = _WORDS.findall(text)
    first = ""
    while words and text_width((first + words[0]).rstrip(), size) <= width:
        first += words.pop(0)
    return "\n".join(line for line in (first.rstrip(), _cut("".join(words), width, size)) if line)


def _cut(text: str, width: float, size: float) -> str:
    if text_width(text, size) <= width:
        return text
    while text and text_width(text + "…", size) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def nice_ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Returns 3 to `most` round values that lie inside [low, high]."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low] if math.isfinite(low) else [0.0]
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    for factor in (1, 2, 5, 10, 20):
        step = factor * power
        start = math.ceil(low / step - 1e-9)
        ticks = [k * step for k in range(start, math.floor(high / step + 1e-9) + 1)]
        if len(ticks) <= most:
            return ticks
    return ticks


def digits_for(ticks: list[float]) -> int:
    """Returns how many decimals the ticks need so that no two of them read alike."""
    for digits in range(4):
        if all(abs(t - round(t, digits)) < 1e-9 * max(1.0, abs(t)) for t in ticks):
            return digits
    return 4


def money_scale(values: Iterable[float]) -> tuple[float, int]:
    """Returns (divisor, decimals) so that the largest of `values` has at most four figures before the point."""
    size = max((abs(v) for v in values if v is not None and math.isfinite(v)), default=0.0)
    steps = (1e8, 1e4, 1.0) if language.current() == "zh" else (1e9, 1e6, 1e3, 1.0)
    scale = next((step for step in steps if size >= 2 * step), 1.0)
    shown = size / scale
    return scale, 0 if shown >= 100 else 1 if shown >= 10 else 2
