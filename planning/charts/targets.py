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


def progress(frame: pd.DataFrame, *, ax: Axes | None = None, narrow: bool = False, currency: str = "") -> Axes:
    """Shows each row's actual to date (solid), what is expected of the rest (pale), and its target (a tick).

    Frame: `label, actual, rest_expected, target, chance`. Bars start at 0. Returns the Axes.
    """
    ax = ax or style.canvas(narrow)
    frame = frame.reset_index(drop=True)
    actual, rest, target = (frame[name].to_numpy(float) for name in ("actual", "rest_expected", "target"))
    scale, digits = style.money_scale(target)
    with style.house():
        texts = [language.percent(p) for p in frame["chance"]]
        colours = [style.RISK if p < 0.4 else style.INK for p in frame["chance"]]
        unit = language.money_unit(currency, scale)
        places = place_rows(ax, list(frame["label"]), narrow=narrow, columns=[Column("P", texts, colours, True)])
        most = float(np.max([*(actual + rest), *target], initial=1.0))
        value_axis(ax, 0.0, 1.04 * most, lambda x: language.number(x / scale, digits), most=4 if narrow else 6)
        ax.barh(places, actual, height=0.5, color=style.PLAN, zorder=2)
        ax.barh(places, rest, left=actual, height=0.5, color=style.PLAN, alpha=0.3, zorder=2)
        for place, value in zip(places, target, strict=True):
            ax.plot([value, value], [place - 0.36, place + 0.36], color=style.INK, linewidth=2, zorder=3)
        ax.set_xlabel(unit, fontsize=12, color=style.MUTED, loc="left")
    return ax


def options(frame: pd.DataFrame, *, ax: Axes | None = None, narrow: bool = False, currency: str = "") -> Axes:
    """Shows what each option of moving the plan recovers, one bar an option.

    Frame: `move, gain, share_of_gain`. Bars start at 0. Returns the Axes.
    """
    ax = ax or style.canvas(narrow)
    gain = frame["gain"].to_numpy(float)
    scale, digits = style.money_scale(gain)
    with style.house():
        names = [language.percent(m) for m in frame["move"]]
        texts = [language.number(g / scale, digits) for g in gain]
        shares = [language.percent(s) for s in frame["share_of_gain"]]
        columns = [
            Column(language.money_unit(currency, scale), texts, style.GAIN, True),
            Column("", shares, style.MUTED),
        ]
        places = place_rows(ax, names, narrow=narrow, columns=columns)
        value_axis(ax, 0.0, 1.05 * max(float(gain.max()), 1e-9), lambda x: language.number(x / scale, digits), most=4)
        ax.barh(places, gain, height=0.5, color=style.GAIN, zorder=2)
    return ax
