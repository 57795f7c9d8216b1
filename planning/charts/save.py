"""A chart as files: two SVG drawings ready to be put into a page, and a PNG for mail and Excel.

The SVG files hold one `<svg>` element each: no XML head, no style sheet of their own (it would restyle the page), ids
that carry the drawing's name, colours as `var(--role, #hex)`, text as text in the page's font, and the alt text as
`<title>` and `<desc>`.
"""

from __future__ import annotations

import hashlib
import io
import re
import struct
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from planning.charts import style
from planning.errors import UsageError
from planning.files import atomic_path, write_text

MOST_MARKS = 2000
# Paths longer than so many points lose those closer than so many px to the one before.
LONG_PATH, SEEN = 200, 0.5
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"
_NUMBER = re.compile(r"-?\d+\.\d{2,}(?:e-?\d+)?")
_REFERENCE = re.compile(r"url\(#([^)]+)\)")
_FAMILY = re.compile(r"\s*font-family:[^;]*;?")
_NO_TURN = re.compile(r"rotate\(-?0(?:\.0+)?[ ,][^)]*\)$")
_ROLE_OF = {colour: role for role, colour in style.ROLES.items()}
_COLOUR = re.compile("|".join(_ROLE_OF))

# Pixels of a PNG per inch and per metre.
DPI, PER_METRE = 144, 5669

Plot = Callable[..., Axes]


def save(
    plot: Plot,
    frame: pd.DataFrame,
    folder: str | Path,
    name: str,
    *,
    alt: str,
    title: str = "",
    options: dict[str, Any] | None = None,
    png: bool = True,
) -> dict[str, str]:
    """Draws `plot(frame, narrow=False)` and `plot(frame, narrow=True)` and keeps both, with a PNG where `png`.

    `alt` says in words what the picture shows, with its key figures, and is required: a chart without it cannot be
    read aloud. Returns the chart's entry of the manifest: title, alt, the file names `wide`, `narrow` and `png`, and
    the `sha256` of the wide drawing. Raises UsageError when `alt` is empty.
    """
    if not alt.strip():
        raise UsageError(f"chart '{name}' has no alt text. Say in a sentence what it shows, with its key figures.")
    folder = Path(folder)
    wide = draw(plot, frame, narrow=False, options=options)
    narrow = draw(plot, frame, narrow=True, options=options)
    drawing = to_svg(wide, name=f"{name}-w", title=title, alt=alt)
    write_text(folder / f"{name}.wide.svg", drawing)
    write_text(folder / f"{name}.narrow.svg", to_svg(narrow, name=f"{name}-n", title=title, alt=alt))
    entry = {
        "title": title,
        "alt": alt,
        "wide": f"{name}.wide.svg",
        "narrow": f"{name}.narrow.svg",
        "sha256": hashlib.sha256(drawing.encode()).hexdigest(),
    }
    if png:
        with atomic_path(folder / f"{name}.png") as path:
            path.write_bytes(to_png(wide))
        entry["png"] = f"{name}.png"
    return entry


def draw(plot: Plot, frame: pd.DataFrame, *, narrow: bool, options: dict[str, Any] | None = None) -> Figure:
    """Returns the figure of one drawing, made on a canvas of the page's or the phone's width."""
    ax = style.canvas(narrow)
    with style.house():
        drawn = plot(frame, ax=ax, narrow=narrow, **(options or {}))
        _rasterise(drawn.figure)
    return drawn.figure


def _rasterise(figure: Figure) -> None:
    """Turns marks into an image where a drawing has more of them than a page should carry as SVG; lines stay lines."""
    for ax in figure.axes:
        marks = [(dots, len(dots.get_offsets())) for dots in ax.collections]
        marks += [(line, len(line.get_xydata())) for line in ax.lines if line.get_marker() not in ("None", "", None)]
        for artist, count in marks:
            if count > MOST_MARKS:
                artist.set_rasterized(True)


def to_svg(figure: Figure, *, name: str, title: str, alt: str) -> str:
    """Returns `figure` as one `<svg>` element for a page."""
    buffer = io.StringIO()
    with style.house():
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    # A prefix of the content keeps ids apart when two drawings of one name meet on a page.
    prefix = f"{name}-{hashlib.sha256(buffer.getvalue().encode()).hexdigest()[:6]}"
    return inline(buffer.getvalue(), prefix=re.sub(r"[^\w-]", "-", prefix), title=title, alt=alt)


def to_png(figure: Figure) -> bytes:
    """Returns `figure` as a PNG of DPI on white.

    Rows are packed as they are: flat areas gain nothing from the filters a photograph needs, which take longer than
    the drawing.
    """
    buffer = io.BytesIO()
    with style.house():
        figure.savefig(buffer, format="raw", dpi=DPI, facecolor="white")
    wide, high = (int(side * DPI) for side in figure.get_size_inches())
    pixels = np.frombuffer(buffer.getbuffer(), dtype=np.uint8).reshape(high, wide, 4)
    rows = np.zeros((high, 1 + 3 * wide), dtype=np.uint8)  # each row led by its filter: none
    rows[:, 1:] = pixels[..., :3].reshape(high, -1)
    parts = (
        (b"IHDR", struct.pack(">2I5B", wide, high, 8, 2, 0, 0, 0)),
        (b"pHYs", struct.pack(">2IB", PER_METRE, PER_METRE, 1)),
        (b"IDAT", zlib.compress(rows, level=3)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


def inline(text: str, *, prefix: str, title: str, alt: str) -> str:
    """Returns matplotlib's SVG `text` as an element that may stand in a page among others."""
    root = ET.fromstring(text)
    _drop(root)
    used = _references(root)
    for element in root.iter():
        _clean(element, used, prefix)
    for attribute in ("width", "height", "version"):
        root.attrib.pop(attribute, None)
    root.set("role", "img")
    root.set("aria-labelledby", f"{prefix}-t {prefix}-d")
    for tag, words, end in (("desc", alt, "d"), ("title", title or alt, "t")):
        child = ET.Element(_SVG + tag, {"id": f"{prefix}-{end}"})
        child.text = words
        root.insert(0, child)
    ET.register_namespace("", _SVG[1:-1])
    return ET.tostring(root, encoding="unicode").replace(' xmlns="http://www.w3.org/2000/svg"', "", 1)


def _drop(parent: ET.Element) -> None:
    """Removes metadata, style sheets, and groups that hold nothing."""
    for child in list(parent):
        _drop(child)
        tag = child.tag.removeprefix(_SVG)
        empty = tag in ("g", "defs") and len(child) == 0
        if tag in ("style", "metadata") or tag.startswith("{") or empty:
            parent.remove(child)
    if parent.tag != _SVG + "text":
        parent.text = parent.tail = None


def _references(root: ET.Element) -> set[str]:
    """Returns the ids something in the drawing points at; the others are weight."""
    found: set[str] = set()
    for element in root.iter():
        found.update(element.attrib.get(key, "")[1:] for key in (_HREF, "href"))
        for value in element.attrib.values():
            found.update(_REFERENCE.findall(value))
    return found


def _clean(element: ET.Element, used: set[str], prefix: str) -> None:
    """Prefixes ids, rounds numbers, and turns colours and fonts into the page's own, in the tag only, never in text."""
    attributes = element.attrib
    if "id" in attributes and attributes["id"] not in used:
        del attributes["id"]
    if _HREF in attributes:
        attributes["href"] = attributes.pop(_HREF)
    if _NO_TURN.match(attributes.get("transform", "")):
        del attributes["transform"]
    for key, value in list(attributes.items()):
        if key == "id":
            value = f"{prefix}-{value}"
        elif key == "href":
            value = f"#{prefix}-{value[1:]}" if value.startswith("#") else value
        else:
            value = _REFERENCE.sub(rf"url(#{prefix}-\1)", value)
            value = value if key.startswith("data-") else _NUMBER.sub(_rounded, value)
        if key in ("style", "fill", "stroke"):
            value = _restyled(value)
        if key == "d":
            value = _thinned(value)
        attributes[key] = " ".join(value.split()) if key in ("d", "style") else value


def _thinned(path: str) -> str:
    """Returns a path of straight lines without the points nobody sees: those within half a px of the one before.

    A curve of a thousand steps becomes one of at most a few hundred points; other commands are left as they are.
    """
    words = path.split()
    if len(words) < 3 * LONG_PATH or set(words[::3]) - {"M", "L", "z"} or "z" in words[:-1]:
        return path
    closed = words[-1] == "z"
    numbers = [float(word) for i, word in enumerate(words[: len(words) - closed]) if i % 3]
    points = list(zip(numbers[::2], numbers[1::2], strict=True))
    if words[3::3].count("M"):
        return path
    kept = points[:1]
    for i, (x, y) in enumerate(points[1:], start=1):
        near = abs(x - kept[-1][0]) < SEEN and abs(y - kept[-1][1]) < SEEN
        flat = i + 1 < len(points) and y == kept[-1][1] == points[i + 1][1]
        if i + 1 == len(points) or not (near or flat):
            kept.append((x, y))
    drawn = " L ".join(f"{x:.1f} {y:.1f}".replace(".0", "") for x, y in kept)
    return f"M {drawn}" + (" z" if closed else "")


def _rounded(match: re.Match[str]) -> str:
    return f"{float(match.group()):.2f}".rstrip("0").rstrip(".") or "0"


def _restyled(value: str) -> str:
    """Leaves the font to the page, and says colours by role."""
    value = _FAMILY.sub("", value).replace("font-weight: bold", "font-weight: 650")
    return _COLOUR.sub(lambda m: f"var(--{_ROLE_OF[m.group()]}, {m.group()})", value)
