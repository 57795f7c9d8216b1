"""Charts of the data check: which days each table covers."""

from __future__ import annotations

import pandas as pd
from matplotlib import dates as mdates
from matplotlib.axes import Axes

from planning.charts import style
from planning.charts.rows import Column, place_rows


def spans(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    narrow: bool = False,
    rows_heading: str = "",
    state_heading: str = "",
) -> Axes:
    """Shows the first and last day each table covers as a bar on one calendar, its rows and state at the right.

    Frame: `label, first, last, rows, state, role` (a colour name of style.ROLES); `rows` and `state` are texts.
    Returns the Axes.
    """
    ax = ax or style.canvas(narrow)
    colours = [style.ROLES[role] for role in frame["role"]]
    with style.house():
        columns = [Column(rows_heading, list(frame["rows"])), Column(state_heading, list(frame["state"]), colours)]
        places = place_rows(ax, list(frame["label"]), narrow=narrow, columns=columns)
        first, last = (mdates.date2num(frame[side].to_numpy()) for side in ("first", "last"))
        for place, start, end, colour in zip(places, first, last, colours, strict=True):
            ax.plot([start, end], [place, place], color=colour, linewidth=6, solid_capstyle="butt")
            ax.plot([start], [place], "s", color=colour, markersize=6, markeredgewidth=0, clip_on=False)
        _calendar(ax, frame["first"].min(), frame["last"].max(), narrow)
    return ax


def _calendar(ax: Axes, first: pd.Timestamp, last: pd.Timestamp, narrow: bool) -> None:
    """Sets the scale to whole years, with a tick each first of January, or each second or fifth where they are many."""
    if pd.isna(first) or pd.isna(last):
        return
    start, end = pd.Timestamp(first.year, 1, 1), pd.Timestamp(last.year + 1, 1, 1)
    years = list(range(start.year, end.year + 1))
    step = next((s for s in (1, 2, 5, 10, 20) if len(years) / s <= (4 if narrow else 9)), 50)
    ticks = [year for year in years if year % step == 0]
    ax.set_xlim(mdates.date2num(start), mdates.date2num(end))
    ax.set_xticks([mdates.date2num(pd.Timestamp(year, 1, 1)) for year in ticks], [str(year) for year in ticks])
