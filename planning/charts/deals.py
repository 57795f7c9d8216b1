"""Charts of deals: when deals end and how, and predicted against observed rates of grades."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from planning import language
from planning.charts import style
from planning.charts.rows import Column, place_rows, value_axis

MOST_STEPS = 60
OUTCOMES = (("won", style.GAIN), ("lost", style.RISK), ("no_decision", style.NOW))


def incidence(
    frame: pd.DataFrame, *, ax: Axes | None = None, narrow: bool = False, words: dict[str, str] | None = None
) -> Axes:
    """Shows by which day what share of deals was won, lost or ended undecided, with 90 % bands, named at the line's
    end.

    Frame: `day` and per outcome its share with `_lo, _hi`. `words` names the outcomes and days. Returns the Axes.
    """
    words = words or {}
    ax = ax or style.canvas(narrow)
    # More steps than the eye can tell apart only make the page heavy.
    frame = frame.iloc[np.unique(np.linspace(0, len(frame) - 1, MOST_STEPS).astype(int))]
    last = float(frame["day"].iloc[-1])
    with style.house():
        style.layout(ax, height=280, left=44, right=92 if narrow else 120, top=10, bottom=40)
        ends = []
        for name, colour in OUTCOMES:
            ax.fill_between(
                frame["day"], frame[f"{name}_lo"], frame[f"{name}_hi"], step="post", color=colour, alpha=0.18, lw=0
            )
            ax.step(frame["day"], frame[name], where="post", color=colour, linewidth=2)
            ends.append((float(frame[name].iloc[-1]), name, colour))
        for place, (value, name, colour) in zip(_apart([e[0] for e in ends]), ends, strict=True):
            text = f"{words.get(name, name)} {language.percent(value)}"
            ax.annotate(text, (last, place), xytext=(6, 0), textcoords="offset points", va="center",
            color=colour, fontsize=12,
                        annotation_clip=False)  # fmt: skip
        top = max(float(frame[f"{name}_hi"].max()) for name, _ in OUTCOMES)
        ax.set_xlim(0, last)
        ax.set_ylim(0, top * 1.05)
        ticks = style.nice_ticks(0, top * 1.05, 5)
        ax.set_yticks(ticks, [language.percent(t) for t in ticks])
        days = style.nice_ticks(0, last, 4 if narrow else 7)
        ax.set_xticks(days, [language.number(d) for d in days])
        ax.set_xlabel(words.get("days", "days"))
        ax.grid(axis="y")
    return ax


def _apart(values: list[float], least: float = 0.045) -> list[float]:
    """Moves labels of nearly equal ends apart, keeping their order."""
    order = np.argsort(values)
    placed = np.array(values, dtype=float)
    for lower, upper in zip(order[:-1], order[1:], strict=True):
        placed[upper] = max(placed[upper], placed[lower] + least)
    return list(placed)


def calibration(
    frame: pd.DataFrame,
    *,
    ax: Axes | None = None,
    narrow: bool = False,
    words: dict[str, str] | None = None,
    low: float = 0.0,
    high: float = 1.0,
) -> Axes:
    """Shows each grade's observed rate (dot, 90 % interval) against the rate that was predicted (upright line).

    Frame: `label, predicted, observed, lo90, hi90`; the scale goes from `low` to `high`. Returns the Axes.
    """
    words = words or {}
    ax = ax or style.canvas(narrow)
    with style.house():
        observed = Column(
            words.get("observed", "observed"), [language.percent(v) for v in frame["observed"]], style.PLAN, True
        )
        predicted = Column(
            words.get("predicted", "predicted"), [language.percent(v) for v in frame["predicted"]], style.MUTED
        )
        places = place_rows(ax, list(frame["label"]), narrow=narrow, columns=[observed, predicted])
        value_axis(ax, low, high, language.percent, most=4 if narrow else 6)
        for place, row in zip(places, frame.to_dict("records"), strict=True):
            ax.plot([row["lo90"], row["hi90"]], [place, place], color=style.PLAN, alpha=0.55, linewidth=4)
            ax.plot([row["observed"]], [place], "o", color=style.PLAN, markersize=8.5)
            ax.plot([row["predicted"]] * 2, [place - 0.26, place + 0.26], color=style.INK, linewidth=2)
    return ax
