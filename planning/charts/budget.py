"""Charts of the budget: now and proposed, response curves with intervals, return over the total."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes

from planning import language
from planning.charts import style
from planning.charts.rows import Column, formatter_of, place_rows, value_axis
from planning.language import _


def allocation(frame: pd.DataFrame, *, ax: Axes | None = None, narrow: bool = False, currency: str = "") -> Axes:
    """Shows each line's spend now (ring) and proposed (dot), the change and the verdict at the right.

    Frame: `label, now, proposed, verdict` (raise, cut, keep, test) and `verdict_text`. Returns the Axes.
    """
    ax = ax or style.canvas(narrow)
    now, then = frame["now"].to_numpy(float), frame["proposed"].to_numpy(float)
    write, unit = formatter_of("money", currency=currency, values=[*now, *then])
    change, _unit = formatter_of("money", currency=currency, values=[*now, *then])
    roles = {"raise": style.PLAN, "cut": style.RISK, "test": style.AUX}
    colours = [roles.get(verdict, style.NOW) for verdict in frame["verdict"]]
    texts = [language.signed(b - a, formatter=change) for a, b in zip(now, then, strict=True)]
    texts = [f"{text} · {word}" if narrow else text for text, word in zip(texts, frame["verdict_text"], strict=True)]
    columns = [Column(_("change, {unit}").format(unit=unit), texts, colours, True)]
    columns.append(Column(_("verdict"), list(frame["verdict_text"]), style.MUTED))
    with style.house():
        places = place_rows(ax, list(frame["label"]), narrow=narrow, columns=columns, above=16)
        value_axis(ax, 0.0, (1.2 if narrow else 1.06) * max(now.max(), then.max(), 1e-9), write)
        ax.hlines(places, now, then, color=colours, linewidth=2.5)
        ax.plot(now, places, "o", color=style.PAPER, markeredgecolor=style.NOW, markeredgewidth=2, markersize=9)
        for x, y, colour in zip(then, places, colours, strict=True):
            ax.plot([x], [y], "o", color=colour, markersize=9)
        _first_row_words(ax, now[0], then[0], places[0], below=narrow)
    return ax


def _money_ticks(low: float, high: float, most: int) -> tuple[list[float], list[str], float]:
    """Returns ticks of money with as few decimals as tell them apart, and the scale they are written in."""
    scale, _digits = style.money_scale([low, high])
    ticks = style.nice_ticks(low, high, most)
    digits = style.digits_for([tick / scale for tick in ticks])
    return ticks, [language.number(tick / scale, digits) for tick in ticks], scale


def _first_row_words(ax: Axes, now: float, then: float, place: float, *, below: bool) -> None:
    """Writes `now` and `proposed` at the marks of the first row, on the outer sides of both."""
    later = then >= now
    for x, text, colour, left in ((now, _("now"), style.MUTED, later), (then, _("proposed"), style.PLAN, not later)):
        ax.annotate(
            text, (x, place), textcoords="offset points",
            xytext=(-9 if left else 9, -4) if below else (-4 if left else 4, 13),
            ha="right" if left else "left", fontsize=12, color=colour, annotation_clip=False,
        )  # fmt: skip


def curves(
    frame: pd.DataFrame, *, ax: Axes | None = None, narrow: bool = False, currency: str = "", most: int = 9
) -> Axes:
    """Shows one small response curve a line: return over spend with its 90 % band, today as a dot.

    Frame: `line, multiple, spend, margin, lo, hi` (a year's amounts; multiple 1 is today). All panels share one scale
    of returns, so that lines can be compared. Returns the Axes of the first panel.
    """
    names = list(dict.fromkeys(frame["line"]))[: most if not narrow else min(most, 6)]
    ax = ax or style.canvas(narrow)
    columns = 1 if narrow else 3
    count = max(1, -(-len(names) // columns))
    tall = 178 if narrow else 186
    shown = frame[frame["line"].isin(names)]
    with style.house():
        figure = ax.figure
        figure.set_figheight((count * tall + 10) / 72)
        ax.remove()
        grid = figure.subplots(count, columns, squeeze=False)
        for panel, name in zip(grid.flat, names, strict=False):
            _curve(panel, shown[shown["line"] == name], str(name), currency, float(shown["hi"].max()))
        for panel in list(grid.flat)[len(names) :]:
            panel.remove()
        width, total = 72 * figure.get_figwidth(), count * tall + 10
        figure.subplots_adjust(
            left=40 / width, right=1 - 12 / width, top=1 - 42 / total, bottom=40 / total, wspace=0.24, hspace=0.78
        )
    return grid[0][0]


def _curve(ax: Axes, part: pd.DataFrame, name: str, currency: str, top: float) -> None:
    part = part.sort_values("spend")
    ax.fill_between(part["spend"], part["lo"], part["hi"], color=style.PLAN, alpha=0.18, linewidth=0)
    ax.plot(part["spend"], part["margin"], color=style.PLAN, linewidth=2)
    today = part[part["multiple"] == 1.0].iloc[0]
    ax.plot([today["spend"]], [today["margin"]], "o", color=style.PAPER, markeredgecolor=style.NOW, markeredgewidth=2)
    ax.set_ylim(0, 1.05 * top)
    ax.set_xlim(0, float(part["spend"].max()))
    ticks, texts, scale = _money_ticks(0, 1.05 * top, 3)
    ax.set_yticks(ticks, texts)
    unit = language.money_unit(currency, scale)
    ticks, texts, scale = _money_ticks(0, float(part["spend"].max()), 4)
    ax.set_xticks(ticks, texts)
    spend_unit = language.money_unit(currency, scale)
    ax.grid(axis="y")
    ax.annotate(
        style.wrap(name, 200), (0, 1), xycoords="axes fraction", xytext=(-36, 22), textcoords="offset points",
        fontweight="bold", va="bottom", color=style.INK,
    )  # fmt: skip
    ax.annotate(
        _("return, {unit}").format(unit=unit), (0, 1), xycoords="axes fraction", xytext=(-36, 7),
        textcoords="offset points", va="bottom", fontsize=12, color=style.MUTED,
    )  # fmt: skip
    ax.annotate(
        _("spend, {unit}").format(unit=spend_unit), (1, 0), xycoords="axes fraction", xytext=(0, -34),
        textcoords="offset points", ha="right", fontsize=12, color=style.MUTED, annotation_clip=False,
    )  # fmt: skip


def frontier(frame: pd.DataFrame, *, ax: Axes | None = None, narrow: bool = False, currency: str = "") -> Axes:
    """Shows what a total budget returns when it is split best, with its 80 % band; today's total is marked.

    Frame: `multiple, budget, margin, lo, hi`. The thin grey line is where a budget returns what it costs. Returns the
    Axes.
    """
    ax = ax or style.canvas(narrow)
    frame = frame.sort_values("budget")
    with style.house():
        style.layout(ax, height=270 if narrow else 320, left=46, right=24, top=34, bottom=48)
        ax.fill_between(frame["budget"], frame["lo"], frame["hi"], color=style.PLAN, alpha=0.18, linewidth=0)
        ax.plot(frame["budget"], frame["margin"], color=style.PLAN, linewidth=2)
        low, high = float(frame["budget"].min()), float(frame["budget"].max())
        top = 1.08 * float(frame["hi"].max())
        ax.plot([low, high], [low, high], color=style.NOW, linewidth=1, linestyle=(0, (2, 2)))
        ax.set_xlim(low, high)
        ax.set_ylim(0, top)
        today = frame.iloc[(frame["multiple"] - 1.0).abs().argmin()]
        ax.plot(
            [today["budget"]], [today["margin"]], "o", color=style.PAPER, markeredgecolor=style.NOW, markeredgewidth=2
        )
        ax.annotate(
            _("today's total"), (today["budget"], today["margin"]), xytext=(0, 12), textcoords="offset points",
            ha="center", fontsize=12, color=style.MUTED,
        )  # fmt: skip
        if high < top:
            ax.annotate(
                _("return = cost"), (high, high), xytext=(-4, -16), textcoords="offset points", ha="right",
                fontsize=12, color=style.MUTED,
            )  # fmt: skip
        units = []
        for axis, ends in ((ax.xaxis, (low, high)), (ax.yaxis, (0.0, top))):
            ticks, texts, scale = _money_ticks(*ends, 5)
            axis.set_ticks(ticks, texts)
            units.append(language.money_unit(currency, scale))
        ax.grid(axis="y")
        ax.annotate(
            _("return a year, {unit}").format(unit=units[1]), (0, 1), xycoords="axes fraction", xytext=(-40, 12),
            textcoords="offset points", fontsize=12, color=style.MUTED,
        )  # fmt: skip
        ax.annotate(
            _("budget a year, {unit}").format(unit=units[0]), (1, 0), xycoords="axes fraction", xytext=(0, -38),
            textcoords="offset points", ha="right", fontsize=12, color=style.MUTED, annotation_clip=False,
        )  # fmt: skip
    return ax


def chances(frame: pd.DataFrame, *, ax: Axes | None = None, narrow: bool = False, currency: str = "") -> Axes:
    """Shows the chance of the annual target over the total budget: best split (blue) and today's proportions (grey).

    Frame: `multiple, budget, chance_as_now, chance_best`. Returns the Axes.
    """
    ax = ax or style.canvas(narrow)
    frame = frame.sort_values("budget")
    low, high = float(frame["budget"].min()), float(frame["budget"].max())
    with style.house():
        style.layout(ax, height=250 if narrow else 290, left=46, right=118 if not narrow else 24, top=34, bottom=48)
        for column, colour, name in (
            ("chance_as_now", style.NOW, _("today's proportions")), ("chance_best", style.PLAN, _("best split")),
        ):  # fmt: skip
            ax.plot(frame["budget"], frame[column], color=colour, linewidth=2)
            last = frame.iloc[-1]
            above = column == "chance_best"
            inside = {"xytext": (-4, 8 if above else -18), "ha": "right"}
            # Two chances that end close together keep their names apart.
            close = abs(float(last["chance_best"] - last["chance_as_now"])) < 0.09
            beside = {"xytext": (6, (4 if above else -12) if close else -4), "ha": "left"}
            ax.annotate(
                name, (last["budget"], last[column]), textcoords="offset points", fontsize=12, color=colour,
                annotation_clip=False, **(inside if narrow else beside),
            )  # fmt: skip
        today = frame[frame["multiple"] == 1.0].iloc[0]
        for column in ("chance_as_now", "chance_best"):
            ax.plot(
                [today["budget"]], [today[column]], "o", color=style.PAPER, markeredgecolor=style.NOW, markeredgewidth=2
            )
        ax.set_xlim(low, high)
        ax.set_ylim(0, 1)
        ticks, texts, scale = _money_ticks(low, high, 4)
        ax.set_xticks(ticks, texts)
        ax.set_yticks([0, 0.25, 0.5, 0.75, 1.0], [language.percent(p) for p in (0, 0.25, 0.5, 0.75, 1.0)])
        ax.grid(axis="y")
        unit = language.money_unit(currency, scale)
        ax.annotate(
            _("budget a year, {unit}").format(unit=unit), (1, 0), xycoords="axes fraction", xytext=(0, -38),
            textcoords="offset points", ha="right", fontsize=12, color=style.MUTED, annotation_clip=False,
        )  # fmt: skip
    return ax


def detectable(frame: pd.DataFrame, *, ax: Axes | None = None, narrow: bool = False) -> Axes:
    """Shows the effect a pilot is expected to have (dot) against the smallest that would show (bar mark), one row a
    line.

    Frame: `label, expected, smallest, power` (rates 0-1). A dot right of its mark can be read. Returns the Axes.
    """
    ax = ax or style.canvas(narrow)
    expected, smallest = frame["expected"].to_numpy(float), frame["smallest"].to_numpy(float)
    colours = [style.PLAN if e >= s else style.AUX for e, s in zip(expected, smallest, strict=True)]
    columns = [Column(_("chance to show"), [language.chance(p) for p in frame["power"]], colours, True)]
    columns.append(Column(_("expected"), [language.percent(e, 1) for e in expected], style.MUTED))
    columns.append(Column(_("smallest that shows"), [language.percent(s, 1) for s in smallest], style.MUTED))
    with style.house():
        places = place_rows(ax, list(frame["label"]), narrow=narrow, columns=columns)
        value_axis(ax, 0.0, 1.08 * float(max(expected.max(), smallest.max(), 1e-9)), lambda v: language.percent(v, 1))
        ax.hlines(places, expected, smallest, color=style.GRID, linewidth=6)
        ax.plot(smallest, places, "|", color=style.NOW, markersize=16, markeredgewidth=3)
        for x, y, colour in zip(expected, places, colours, strict=True):
            ax.plot([x], [y], "o", color=colour, markersize=9)
    return ax
