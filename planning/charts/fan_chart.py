"""Forecast fans: what was, and what may come, in one hue.

The frame of a fan, one row a period in order of time:

    ds          actual    median    lo-50  hi-50  lo-80  hi-80  lo-95  hi-95
    2026-11-01   9.83e6      -         -      -      -      -      -      -
    2026-12-01  10.21e6      -         -      -      -      -      -      -
    2027-01-01      -      9.64e6   9.41e6 9.88e6    ...

`median` may be called `mean` (then it is named so). Any levels may be present; the widest is the palest.
"""

from __future__ import annotations

import datetime as dt
import re

import numpy as np
import pandas as pd
from matplotlib import dates as mdates
from matplotlib.axes import Axes

from planning import language
from planning.charts import style
from planning.errors import UsageError
from planning.language import _

_BAND = re.compile(r"lo-(\d+(?:\.\d+)?)$")
_ALPHA = (0.16, 0.22, 0.34, 0.4)


def bands(frame: pd.DataFrame) -> list[str]:
    """Returns the levels a fan's frame holds, the widest first, as they are written in its columns."""
    found = [m[1] for column in frame.columns if (m := _BAND.match(str(column))) and f"hi-{m[1]}" in frame]
    return sorted(found, key=float, reverse=True)


def fan(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    narrow: bool = False,
    currency: str = "",
    unit: str = "",
    events: dict[str, str] | None = None,
    years: float | None = None,
    height: float | None = None,
) -> Axes:
    """Shows history and forecast of one series with its bands, each named at its end.

    `currency` makes the axis money, scaled and named once above it; `unit` names it otherwise. `events` maps an ISO
    date of the history to two words said at the line. `years` of history are drawn (4 wide, 2 on the phone).
    Returns the Axes. Raises UsageError when a needed column is missing.
    """
    centre = _centre(frame)
    ax = ax or style.canvas(narrow)
    with style.house():
        frame = _recent(frame, years or (2 if narrow else 4))
        style.layout(
            ax, height=height or (290 if narrow else 350), left=34, right=70 if narrow else 118, top=30, bottom=28
        )
        _axes(ax, frame, currency, unit, narrow)
        _draw(ax, frame, centre)
        _name_ends(ax, frame, centre, narrow)
        _divide(ax, frame, centre)
        for date, words in (events or {}).items():
            _mark(ax, frame, pd.Timestamp(date), words)
    return ax


def fans(
    frame: pd.DataFrame,
    *,
    by: str = "unique_id",
    ax: Axes | None = None,
    narrow: bool = False,
    currency: str = "",
    unit: str = "",
    most: int = 9,
) -> Axes:
    """Shows one small fan for each of the first `most` values of `by` in the order of the frame, each on its own scale.

    The frame is a fan's frame with a column `by`. Returns the Axes of the first panel.
    """
    names = list(dict.fromkeys(frame[by]))[: most if not narrow else min(most, 6)]
    ax = ax or style.canvas(narrow)
    if not names:
        return ax
    columns = 1 if narrow else 3
    rows = max(1, -(-len(names) // columns))
    with style.house():
        figure, tall = ax.figure, 168 if narrow else 176
        figure.set_figheight((rows * tall + 10) / 72)
        ax.remove()
        grid = figure.subplots(rows, columns, squeeze=False)
        for panel, name in zip(grid.flat, names, strict=False):
            _small(panel, frame[frame[by] == name], str(name), currency, unit, narrow)
        for panel in list(grid.flat)[len(names) :]:
            panel.remove()
        width = 72 * figure.get_figwidth()
        total = rows * tall + 10
        figure.subplots_adjust(
            left=34 / width,
            right=1 - 8 / width,
            top=1 - 40 / total,
            bottom=26 / total,
            wspace=0.22,
            hspace=0.62,
        )
    return grid[0][0]


def _small(ax: Axes, frame: pd.DataFrame, name: str, currency: str, unit: str, narrow: bool) -> None:
    centre = _centre(frame)
    frame = _recent(frame, 2)
    _axes(ax, frame, currency, unit, narrow, ticks=3)
    _draw(ax, frame, centre)
    start = frame.loc[frame[centre].notna(), "ds"].min()
    ax.axvline(start, color=style.NOW, linewidth=1, linestyle=(0, (2, 2)))
    ax.annotate(
        style.wrap(name, 200),
        (0, 1),
        xycoords="axes fraction",
        xytext=(-34, 24),
        textcoords="offset points",
        fontweight="bold",
        va="bottom",
        color=style.INK,
    )


def _centre(frame: pd.DataFrame) -> str:
    for column in ("median", "mean"):
        if column in frame:
            if missing := {"ds", "actual"} - set(frame.columns):
                raise UsageError(f"a fan needs the columns ds and actual; {', '.join(sorted(missing))} is missing.")
            return column
    raise UsageError(f"a fan needs a column 'median' or 'mean'. It has: {', '.join(map(str, frame.columns))}.")


def _recent(frame: pd.DataFrame, years: float) -> pd.DataFrame:
    last = frame.loc[frame["actual"].notna(), "ds"].max()
    if pd.isna(last):
        return frame.sort_values("ds")
    return frame[frame["ds"] > last - pd.Timedelta(days=365.25 * years)].sort_values("ds")


def _axes(ax: Axes, frame: pd.DataFrame, currency: str, unit: str, narrow: bool, ticks: int = 5) -> None:
    """Sets limits, value ticks with their unit said once, and years centred under their months."""
    values = frame.select_dtypes("number").to_numpy(dtype=float)
    low, high = (float(np.nanmin(values)), float(np.nanmax(values))) if np.isfinite(values).any() else (0.0, 1.0)
    low = 0.0 if low >= 0 and low < 0.35 * high else low
    pad = 0.06 * (high - low or abs(high) or 1.0)
    ax.set_ylim(low if low == 0 else low - pad, high + pad)
    marks = style.nice_ticks(*ax.get_ylim(), most=ticks)
    scale = style.money_scale([high, low])[0] if currency else 1.0
    digits = style.digits_for([m / scale for m in marks])
    ax.set_yticks(marks, [language.number(m / scale, digits) for m in marks])
    ax.grid(axis="y")
    words = language.money_unit(currency, scale) if currency else unit
    ax.annotate(
        words,
        (0, 1),
        xycoords="axes fraction",
        xytext=(-34, 8),
        textcoords="offset points",
        fontsize=12,
        color=style.MUTED,
        va="bottom",
    )
    dates = frame["ds"]
    if len(dates):
        ax.set_xlim(dates.min(), dates.max())
        _years(ax, dates)


def _years(ax: Axes, dates: pd.Series) -> None:
    first, last = dates.min(), dates.max()
    starts = [pd.Timestamp(y, 1, 1) for y in range(first.year, last.year + 2)]
    inside = [s for s in starts if first < s <= last]
    middles, names = [], []
    span = (last - first) / pd.Timedelta(days=1)
    for a, b in zip([first, *inside], [*inside, last], strict=True):
        if (b - a) / pd.Timedelta(days=1) > 0.09 * span:
            middles.append(a + (b - a) / 2)
            names.append(str(a.year))
    ax.set_xticks([mdates.date2num(m) for m in middles], names)
    for start in inside:
        ax.plot(
            [start, start],
            [0, -0.022],
            color=style.RULE,
            linewidth=1,
            transform=ax.get_xaxis_transform(),
            clip_on=False,
        )


def _draw(ax: Axes, frame: pd.DataFrame, centre: str) -> None:
    future = _joined(frame, centre)
    for alpha, level in zip(_ALPHA, bands(frame), strict=False):
        ax.fill_between(
            future["ds"], future[f"lo-{level}"], future[f"hi-{level}"], color=style.PLAN, alpha=alpha, linewidth=0
        )
    ax.plot(future["ds"], future[centre], color=style.PLAN, linewidth=2.25)
    past = frame[frame["actual"].notna()]
    ax.plot(past["ds"], past["actual"], color=style.INK, linewidth=1.5)


def _joined(frame: pd.DataFrame, centre: str) -> pd.DataFrame:
    """Returns the forecast rows, led by the last actual as a point without width, so that the fan opens at the line."""
    future = frame[frame[centre].notna()]
    past = frame[frame["actual"].notna() & frame[centre].isna()]
    if past.empty or future.empty:
        return future
    last = past.iloc[[-1]].copy()
    for column in [centre, *[f"{side}-{level}" for level in bands(frame) for side in ("lo", "hi")]]:
        last[column] = last["actual"]
    return pd.concat([last, future])


def _name_ends(ax: Axes, frame: pd.DataFrame, centre: str, narrow: bool) -> None:
    """Writes each band's level and the middle's name right of the last period, spread so that none overlap."""
    future = frame[frame[centre].notna()]
    if future.empty:
        return
    last = future.iloc[-1]
    names = [(last[f"hi-{level}"], _level_name(level, narrow), False) for level in bands(frame)]
    word = _("median") if centre == "median" else _("mean")
    places = _spread([*names, (last[centre], word, True)], ax)
    for (value, text, strong), place in places:
        if np.isfinite(value):
            ax.annotate(
                text,
                (1, place),
                xycoords=ax.get_yaxis_transform(),
                xytext=(8, 0),
                textcoords="offset points",
                fontsize=12,
                color=style.PLAN,
                fontweight="bold" if strong else "normal",
                va="center",
                annotation_clip=False,
            )


def _level_name(level: str, narrow: bool) -> str:
    percent = language.percent(float(level) / 100)
    return percent if narrow else _("{level} interval").format(level=percent)


def _spread(
    names: list[tuple[float, str, bool]], ax: Axes, gap: float = 16
) -> list[tuple[tuple[float, str, bool], float]]:
    """Returns each name with a height, pushed down where two would stand closer than `gap` px."""
    low, high = ax.get_ylim()
    height = 72 * ax.figure.get_figheight() * ax.get_position().height
    step = gap * (high - low) / max(height, 1)
    placed: list[tuple[tuple[float, str, bool], float]] = []
    ceiling = float("inf")
    for name in sorted(names, key=lambda item: -item[0]):
        place = min(name[0], ceiling - step) if placed else name[0]
        placed.append((name, place))
        ceiling = place
    return placed


def _divide(ax: Axes, frame: pd.DataFrame, centre: str) -> None:
    """Draws the line between what was and what may come, with both words at it."""
    start = frame.loc[frame[centre].notna(), "ds"].min()
    if pd.isna(start):
        return
    past = frame.loc[frame["actual"].notna(), "ds"]
    at = mdates.date2num(past.max() if len(past) else start)
    ax.axvline(at, color=style.NOW, linewidth=1, linestyle=(0, (2, 2)))
    for words, side, colour in ((_("actual"), "right", style.INK), (_("forecast"), "left", style.PLAN)):
        ax.annotate(
            words,
            (at, 1),
            xycoords=ax.get_xaxis_transform(),
            xytext=(-6 if side == "right" else 6, 8),
            textcoords="offset points",
            ha=side,
            va="bottom",
            fontsize=12,
            color=colour,
            annotation_clip=False,
        )


def _mark(ax: Axes, frame: pd.DataFrame, date: pd.Timestamp | dt.date, words: str) -> None:
    rows = frame[(frame["ds"] <= date) & frame["actual"].notna()]
    if rows.empty or date < frame["ds"].min():
        return
    row = rows.iloc[-1]
    # The words hang below the lowest point they would otherwise cover.
    reach = pd.Timedelta(days=0.07 * (frame["ds"].max() - frame["ds"].min()).days)
    near = frame[(frame["ds"] > date - reach) & (frame["ds"] < date + reach)]["actual"].min()
    drop = 72 * ax.figure.get_figheight() * ax.get_position().height * (row["actual"] - near) / np.ptp(ax.get_ylim())
    ax.annotate(
        words,
        (row["ds"], row["actual"]),
        xytext=(0, -float(drop) - 10),
        textcoords="offset points",
        ha="center",
        va="top",
        fontsize=12,
        color=style.MUTED,
        arrowprops={"arrowstyle": "-", "color": style.MUTED, "linewidth": 1},
    )
