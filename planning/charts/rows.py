"""Charts of rows: one line an item, its name left, its value right, marks on one common scale between them.

`place_rows` is the frame all of them stand in, domain charts too: on the page the name stands left of the marks, on
the phone above them; row height and type are the same in every chart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from planning import language
from planning.charts import style

ROW, PHONE_ROW = 34, 50
# On the phone names stand on the scale: paper behind them keeps grid and reference lines out of the words.
_BACKING = {"facecolor": style.PAPER, "edgecolor": "none", "pad": 1.5}


@dataclass(frozen=True)
class Column:
    """A column of words right of the marks: its heading, one text a row, and a colour for all or one a row."""

    heading: str
    texts: Sequence[str]
    colour: str | Sequence[str] = style.INK
    strong: bool = False

    def colour_of(self, row: int) -> str:
        """Returns the colour of the text in `row`."""
        return self.colour if isinstance(self.colour, str) else self.colour[row]


def place_rows(
    ax: Axes,
    names: Sequence[str],
    *,
    narrow: bool,
    columns: Sequence[Column] = (),
    strong: Sequence[bool] = (),
    ticks: bool = True,
    above: float = 0,
) -> np.ndarray:
    """Lays out one row a name and returns their heights on the y axis, first row on top.

    `columns` are written at the right (on the phone only the first, at the end of the name's line). `strong` sets
    single names in bold. `above` px are kept free over the first row for words at the marks.
    """
    names = [str(name) for name in names]
    strong = list(strong) or [False] * len(names)
    shown = list(columns[:1] if narrow else columns)
    step = PHONE_ROW if narrow else ROW
    headings = any(column.heading for column in shown)
    top, bottom = (22 if headings else 4) + above, 28 if ticks else 6
    left = 0 if narrow else min(style.widest(names), 210) + 18
    widths = [max(style.widest(c.texts), style.text_width(c.heading, 12), 30) + 16 for c in shown]
    style.layout(
        ax,
        height=top + bottom + step * max(len(names), 1),
        left=left + 6,
        right=8 if narrow else sum(widths) + 10,
        top=top,
        bottom=bottom,
    )
    places = np.arange(len(names), dtype=float)
    ax.set_ylim(max(len(names), 1) - 0.5, -0.5)
    ax.set_yticks([])
    ax.grid(axis="x")
    for row, name in enumerate(names):
        _name(ax, name, places[row], left, narrow, strong[row])
    edge = 0.0
    for column, width in zip(shown, widths, strict=True):
        edge = 0 if narrow else edge + width
        _column(ax, column, places, edge, narrow, above)
    return places + (0.22 if narrow else 0.0)


def _name(ax: Axes, name: str, place: float, left: float, narrow: bool, strong: bool) -> None:
    words = name if narrow else style.wrap(name, 210)
    ax.annotate(
        words,
        (0, place - (0.24 if narrow else 0)),
        xycoords=ax.get_yaxis_transform(),
        xytext=(-6 - left, 0),
        textcoords="offset points",
        va="center",
        ha="left",
        fontsize=13,
        fontweight="bold" if strong else "normal",
        color=style.INK,
        annotation_clip=False,
        linespacing=1.15,
        zorder=4,
        bbox=_BACKING if narrow else None,
    )


def _column(ax: Axes, column: Column, places: np.ndarray, edge: float, narrow: bool, above: float) -> None:
    for row, text in enumerate(column.texts):
        ax.annotate(
            text,
            (1, places[row] - (0.24 if narrow else 0)),
            xycoords=ax.get_yaxis_transform(),
            xytext=(edge, 0),
            textcoords="offset points",
            va="center",
            ha="right",
            color=column.colour_of(row),
            fontweight="bold" if column.strong else "normal",
            annotation_clip=False,
        )
    if column.heading:
        ax.annotate(
            column.heading,
            (1, 1),
            xycoords="axes fraction",
            xytext=(edge, 6 + above),
            textcoords="offset points",
            va="bottom",
            ha="right",
            fontsize=12,
            color=style.MUTED,
            annotation_clip=False,
        )


def value_axis(ax: Axes, low: float, high: float, formatter: Callable[[float], str], *, most: int = 5) -> None:
    """Sets the common scale to [low, high] with a few round ticks, written by `formatter`."""
    if high <= low:
        high = low + 1.0
    ax.set_xlim(low, high)
    # Of ticks that would read alike only the first is kept.
    ticks = {formatter(t): t for t in reversed(style.nice_ticks(low, high, most))}
    ax.set_xticks(list(ticks.values()), list(ticks))


def formatter_of(kind: str, *, currency: str = "", values: Sequence[float] = ()) -> tuple[Callable[[float], str], str]:
    """Returns how to write a value of `kind` ("percent", "money", "number", "ratio") and the unit to state once."""
    if kind == "percent":
        return language.percent, ""
    if kind == "money":
        scale, digits = style.money_scale(values)
        return (lambda x: language.number(x / scale, digits)), language.money_unit(currency, scale)
    sizes = [abs(v) for v in values if np.isfinite(v)]
    digits = 2 if kind == "ratio" else 0 if max(sizes, default=0) >= 100 else 1 if max(sizes, default=0) >= 10 else 2
    return (lambda x: language.number(x, digits)), ""


def intervals(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    narrow: bool = False,
    kind: str = "number",
    currency: str = "",
    heading: str = "",
    interval_heading: str = "",
    reference: float | None = None,
    reference_name: str = "",
    low: float | None = None,
    high: float | None = None,
) -> Axes:
    """Shows estimates with their intervals, one row each, on one scale.

    Frame: `label, value, lo, hi` and, where wanted, `band_lo, band_hi` (a wider, paler band), `role` (a colour name of
    style.ROLES) and `text` (written in place of the interval's figures). `reference` draws a line all rows are read
    against, such as 0.5 for a coin flip. Returns the Axes.
    """
    ax = ax or style.canvas(narrow)
    numbers = [c for c in ("value", "lo", "hi", "band_lo", "band_hi") if c in frame]
    values = frame[numbers].to_numpy(dtype=float)
    known = np.append(values[np.isfinite(values)], [] if reference is None else [reference])
    write, unit = formatter_of(kind, currency=currency, values=list(known))
    colours = [style.ROLES[role] for role in frame["role"]] if "role" in frame else [style.PLAN] * len(frame)
    with style.house():
        texts = list(frame["text"]) if "text" in frame else _interval_texts(frame, write)
        first = Column(", ".join(w for w in (heading, unit) if w), [write(v) for v in frame["value"]], colours, True)
        places = place_rows(
            ax,
            list(frame["label"]),
            narrow=narrow,
            columns=[first, Column(interval_heading, texts, style.MUTED)],
            above=16 if reference_name else 0,
        )
        _limits(ax, known, write, low, high, narrow)
        _interval_marks(ax, frame, places, colours)
        if reference is not None:
            _reference(ax, reference, reference_name)
    return ax


def _interval_texts(frame: pd.DataFrame, write: Callable[[float], str]) -> list[str]:
    return [language.interval(lo, hi, write) for lo, hi in zip(frame["lo"], frame["hi"], strict=True)]


def _limits(
    ax: Axes, known: np.ndarray, write: Callable[[float], str], low: float | None, high: float | None, narrow: bool
) -> None:
    least, most = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    pad = 0.04 * (most - least or 1.0)
    start = low if low is not None else 0.0 if 0 <= least < 0.5 * most else least - pad
    value_axis(ax, start, high if high is not None else most + pad, write, most=4 if narrow else 6)


def _interval_marks(ax: Axes, frame: pd.DataFrame, places: np.ndarray, colours: list[str]) -> None:
    for place, colour, row in zip(places, colours, frame.to_dict("records"), strict=True):
        if np.isfinite(row.get("band_lo", np.nan)):
            ax.plot(
                [row["band_lo"], row["band_hi"]],
                [place, place],
                color=colour,
                alpha=0.18,
                linewidth=12,
                solid_capstyle="butt",
            )
        ax.plot([row["lo"], row["hi"]], [place, place], color=colour, alpha=0.55, linewidth=4)
        ax.plot([row["value"]], [place], "o", color=colour, markersize=8.5, clip_on=False)


def _reference(ax: Axes, at: float, name: str) -> None:
    ax.axvline(at, color=style.INK, linewidth=1, zorder=0.9)
    if name:
        ax.annotate(
            name,
            (at, 1),
            xycoords=ax.get_xaxis_transform(),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=12,
            color=style.INK,
            annotation_clip=False,
        )


def bars(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    narrow: bool = False,
    kind: str = "number",
    currency: str = "",
    heading: str = "",
    note_heading: str = "",
    signed: bool = False,
) -> Axes:
    """Shows amounts as bars from zero, one row each, the value at the right.

    Frame: `label, value` and, where wanted, `role` (a colour name of style.ROLES), `lo, hi` (a thin interval at the
    bar's end), `note` (words at the far right, on the page only). `signed` colours gains and losses. Returns the Axes.
    """
    ax = ax or style.canvas(narrow)
    values = frame["value"].to_numpy(dtype=float)
    spread = frame[[c for c in ("value", "lo", "hi") if c in frame]].to_numpy(dtype=float)
    known = np.append(spread[np.isfinite(spread)], 0.0)
    write, unit = formatter_of(kind, currency=currency, values=list(known))
    colours = _bar_colours(frame, values, signed)
    with style.house():
        texts = [language.signed(v, formatter=write) if signed else write(v) for v in values]
        columns = [Column(", ".join(w for w in (heading, unit) if w), texts, colours if signed else style.INK, True)]
        if "note" in frame:
            columns.append(Column(note_heading, list(frame["note"]), style.MUTED))
        places = place_rows(ax, list(frame["label"]), narrow=narrow, columns=columns, ticks=False)
        ax.grid(False)
        ax.barh(places, np.nan_to_num(values), height=0.2 if narrow else 0.46, color=colours)
        if {"lo", "hi"} <= set(frame.columns):
            ax.hlines(places, frame["lo"], frame["hi"], color=style.INK, linewidth=1.25)
        ax.axvline(0, color=style.RULE, linewidth=1)
        value_axis(ax, min(float(known.min()), 0.0), float(known.max()) or 1.0, write)
        ax.set_xticks([])
    return ax


def _bar_colours(frame: pd.DataFrame, values: np.ndarray, signed: bool) -> list[str]:
    if "role" in frame:
        return [style.ROLES[role] for role in frame["role"]]
    if signed:
        return [style.RISK if v < 0 else style.GAIN for v in values]
    return [style.PLAN] * len(values)
