"""Lines over time or over a quantity, each named at its end instead of in a legend.

Frame in long form: `x` (a date or a number), `series`, `y`, and, where wanted, `lo, hi` (a band round the line) and
`role` (a colour name of style.ROLES, one a series).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from planning import language
from planning.charts import style
from planning.charts.fan_chart import _spread, _years
from planning.charts.rows import formatter_of

_TURN = (style.PLAN, style.RISK, style.GAIN, style.AUX, style.NOW)


def lines(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    narrow: bool = False,
    kind: str = "number",
    currency: str = "",
    unit: str = "",
    x_name: str = "",
    reference: float | None = None,
    reference_name: str = "",
    zero: bool = False,
    height: float | None = None,
) -> Axes:
    """Shows up to five series, each named at its last point; `reference` is a level they are read against.

    `kind` is how values are written ("money", "percent", "number", "ratio"), `zero` starts the axis there.
    Returns the Axes.
    """
    ax = ax or style.canvas(narrow)
    names = list(dict.fromkeys(frame["series"]))
    with style.house():
        room = 8 + min(style.widest(map(str, names), 12) + 8, 110 if narrow else 200) if len(names) > 1 else 46
        style.layout(
            ax, height=height or (270 if narrow else 320), left=40, right=room, top=30, bottom=46 if x_name else 28
        )
        _value_axis(ax, frame, kind, currency, unit, zero, reference)
        ends = []
        for turn, name in enumerate(names):
            part = frame[frame["series"] == name].sort_values("x")
            colour = style.ROLES[part["role"].iloc[0]] if "role" in frame else _TURN[turn % len(_TURN)]
            ends += _line(ax, part, str(name), colour)
        _x_axis(ax, frame["x"], x_name)
        if reference is not None:
            _reference(ax, reference, reference_name)
        if len(names) > 1:
            _end_names(ax, ends)
    return ax


def _line(ax: Axes, part: pd.DataFrame, name: str, colour: str) -> list[tuple[float, str, str]]:
    if {"lo", "hi"} <= set(part.columns):
        ax.fill_between(part["x"], part["lo"], part["hi"], color=colour, alpha=0.18, linewidth=0)
    ax.plot(part["x"], part["y"], color=colour, linewidth=2)
    known = part[part["y"].notna()]
    if known.empty:
        return []
    last = known.iloc[-1]
    ax.plot([last["x"]], [last["y"]], "o", color=colour, markersize=6, clip_on=False)
    return [(float(last["y"]), name, colour)]


def _end_names(ax: Axes, ends: list[tuple[float, str, str]]) -> None:
    colours = {name: colour for _value, name, colour in ends}
    for (_value, name, _strong), place in _spread([(v, n, False) for v, n, _c in ends], ax):
        ax.annotate(
            style.wrap(name, 200, 12),
            (1, place),
            xycoords=ax.get_yaxis_transform(),
            xytext=(9, 0),
            textcoords="offset points",
            fontsize=12,
            color=colours[name],
            va="center",
            annotation_clip=False,
        )


def _value_axis(
    ax: Axes, frame: pd.DataFrame, kind: str, currency: str, unit: str, zero: bool, reference: float | None
) -> None:
    columns = [c for c in ("y", "lo", "hi") if c in frame]
    values = frame[columns].to_numpy(dtype=float)
    known = np.append(values[np.isfinite(values)], ([] if reference is None else [reference]) + ([0.0] if zero else []))
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    pad = 0.08 * (high - low or abs(high) or 1.0)
    ax.set_ylim(low if zero and low == 0 else low - pad, high + pad)
    ticks = style.nice_ticks(*ax.get_ylim())
    write, money = formatter_of(kind, currency=currency, values=list(known))
    ax.set_yticks(ticks, [_tick(t, ticks, kind, currency, known, write) for t in ticks])
    ax.grid(axis="y")
    ax.annotate(
        money or unit,
        (0, 1),
        xycoords="axes fraction",
        xytext=(-40, 8),
        textcoords="offset points",
        fontsize=12,
        color=style.MUTED,
        va="bottom",
    )


def _tick(
    tick: float, ticks: list[float], kind: str, currency: str, known: np.ndarray, write: Callable[[float], str]
) -> str:
    if kind == "percent":
        return language.percent(tick, style.digits_for([100 * t for t in ticks]))
    scale = style.money_scale(known)[0] if kind == "money" else 1.0
    return language.number(tick / scale, style.digits_for([t / scale for t in ticks]))


def _x_axis(ax: Axes, x: pd.Series, name: str) -> None:
    low, high = x.min(), x.max()
    if pd.isna(low):
        return
    ax.set_xlim(low, high if high > low else low + (pd.Timedelta(days=1) if _is_date(x) else 1))
    if _is_date(x):
        _years(ax, x)
    else:
        ticks = style.nice_ticks(float(low), float(high))
        ax.set_xticks(ticks, [language.number(t, style.digits_for(ticks)) for t in ticks])
    if name:
        ax.set_xlabel(name, labelpad=6)


def _is_date(x: pd.Series) -> bool:
    return pd.api.types.is_datetime64_any_dtype(x)


def _reference(ax: Axes, at: float, name: str) -> None:
    ax.axhline(at, color=style.INK, linewidth=1, linestyle=(0, (2, 2)))
    if name:
        ax.annotate(
            name,
            (0, at),
            xycoords=ax.get_yaxis_transform(),
            xytext=(4, 4),
            textcoords="offset points",
            fontsize=12,
            color=style.INK,
            va="bottom",
        )
