"""Charts of the plan: the bridge from last year to the target, progress in the year."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from planning import language
from planning.charts import style
from planning.charts.rows import Column, place_rows, value_axis


def bridge(frame: pd.DataFrame, *, ax: Axes | None = None, narrow: bool = False, currency: str = "") -> Axes:
    """Shows the way from last year to the target: dots are totals, bars are changes, pale lines 80 % intervals.

    Frame: `label, change, after, lo, hi, kind` ("total" or "change"), in order. The scale does not start at 0: totals
    are dots, so that changes stay visible. Returns the Axes.
    """
    ax = ax or style.canvas(narrow)
    total = frame["kind"].to_numpy() == "total"
    change = frame["change"].to_numpy(float)
    after = frame["after"].to_numpy(float)
    scale, digits = style.money_scale(after)
    smallest = np.nanmin(np.abs(change[change != 0]), initial=np.inf) / scale
    digits += int(not total.all() and smallest < 10 and digits < 2)
    texts = [
        language.number(a / scale, digits) if t else language.signed(c / scale, digits)
        for t, a, c in zip(total, after, change, strict=True)
    ]
    colours = [style.INK if t else style.GAIN if c >= 0 else style.RISK for t, c in zip(total, change, strict=True)]
    colours[-1] = style.PLAN
    with style.house():
        column = Column(language.money_unit(currency, scale), texts, colours, True)
        places = place_rows(ax, list(frame["label"]), narrow=narrow, columns=[column], strong=list(total))
        _bridge_axis(ax, frame, scale, digits, narrow)
        _bridge_marks(ax, frame, places, total, colours)
    return ax


def _bridge_axis(ax: Axes, frame: pd.DataFrame, scale: float, digits: int, narrow: bool) -> None:
    after, change = frame["after"].to_numpy(float), np.nan_to_num(frame["change"].to_numpy(float))
    known = np.concatenate([after, after - change, frame["lo"].to_numpy(float), frame["hi"].to_numpy(float)])
    known = known[np.isfinite(known)]
    pad = 0.06 * (np.ptp(known) or abs(known[0]) or 1.0)
    value_axis(
        ax,
        float(known.min() - pad),
        float(known.max() + pad),
        lambda x: language.number(x / scale, digits),
        most=4 if narrow else 6,
    )


def _bridge_marks(ax: Axes, frame: pd.DataFrame, places: np.ndarray, total: np.ndarray, colours: list[str]) -> None:
    for i, row in enumerate(frame.to_dict("records")):
        if i + 1 < len(frame):
            ax.plot([row["after"]] * 2, [places[i], places[i + 1]], color=style.NOW, linewidth=1, zorder=1)
        if total[i]:
            if np.isfinite(row["lo"]):
                ax.plot(
                    [row["lo"], row["hi"]],
                    [places[i]] * 2,
                    color=style.NOW,
                    alpha=0.35,
                    linewidth=6,
                    solid_capstyle="round",
                    zorder=2,
                )
            ax.plot([row["after"]], [places[i]], "o", color=colours[i], markersize=8, zorder=3)
        else:
            ax.barh([places[i]], [-row["change"]], left=[row["after"]], height=0.5, color=colours[i], zorder=2)
