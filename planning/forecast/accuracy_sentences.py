"""The words of the accuracy page, in the reader's language: numbers in, text out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from planning.forecast.sentences import CLOSE, gap
from planning.language import _, interval, ngettext, percent, signed


def accuracy_title() -> str:
    """Returns the page's name."""
    return _("Forecast accuracy")


def step_name(step: str) -> str:
    """Returns the name of a step of the forecast."""
    return {
        "naive": _("Same month a year before"),
        "statistical": _("Statistical forecast"),
        "adjusted": _("Adjusted by people"),
        "final": _("Final"),
    }.get(step, step)


def accuracy_answer(cells: Mapping[str, Any], rounds: int) -> str:
    """Returns the headline: how far monthly cells were off, over how many rounds."""
    text = ngettext(
        "Monthly cells were off by {wape} in {n} round", "Monthly cells were off by {wape} in {n} rounds", rounds
    )
    return text.format(wape=percent(cells["wape"], 1), n=rounds)


def accuracy_lede(added: pd.DataFrame, kept: int, replayed: int) -> str:
    """Returns what the statistical forecast and people added, and which rounds this rests on."""
    parts = [value_added(row) for row in added.to_dict("records") if row["step"] in ("statistical", "adjusted")]
    if replayed and kept:
        rest = _("Rounds from kept forecasts: {kept}; made again from what was known then: {replayed}.")
    elif replayed:
        rest = _("Rounds made again from what was known then: {replayed}; no kept forecast has met its months yet.")
    else:
        rest = _("Rounds from kept forecasts: {kept}.")
    return gap().join([*parts, rest.format(kept=kept, replayed=replayed)])


def value_added(row: Mapping[str, Any]) -> str:
    """Returns what a step added, in points of the error, or that it cannot be told."""
    points = percent(abs(row["fva"]), 1)
    name = step_name(row["step"])
    if not math.isfinite(row["fva"]) or row["fva"] == 0:
        return _("{step}: nothing was changed.").format(step=name)
    if not row["told"]:
        return _("{step}: what it adds cannot be told from zero.").format(step=name)
    if row["fva"] > 0:
        return _("{step}: {points} of sales less error.").format(step=name, points=points)
    return _("{step}: {points} of sales more error.").format(step=name, points=points)


def accuracy_labels() -> dict[str, str]:
    """Returns the labels of the accuracy page's key numbers."""
    return {
        "wape": _("Error of monthly cells"),
        "bias": _("Bias of the total"),
        "coverage": _("Inside the 80 % interval"),
        "fva": _("Added by people's adjustments"),
    }


def bias_note(bias: float) -> str:
    """Returns which way a bias leans."""
    if abs(bias) < CLOSE:
        return _("hardly any")
    return _("forecast too high") if bias > 0 else _("forecast too low")


def finding_lags(by_lag: pd.DataFrame) -> tuple[str, str]:
    """Returns headline and why of the error by months ahead."""
    first, last = by_lag.iloc[0], by_lag.iloc[-1]
    if len(by_lag) == 1:
        head = _("One month ahead cells were off by {wape}").format(wape=percent(first["wape"], 1))
    else:
        head = _("Off by {near} one month ahead, {far} {n} months ahead").format(
            near=percent(first["wape"], 1), far=percent(last["wape"], 1), n=int(last["lag"])
        )
    return head, _("Error is the sum of absolute errors over the sum of sales (WAPE).")


def finding_levels(judged: pd.DataFrame) -> tuple[str, str]:
    """Returns headline and why of interval coverage by level."""
    cells, total = judged.iloc[-1], judged.iloc[0]
    head = _("The 80 % interval held {cells} of the cells' months and {total} of the total's").format(
        cells=percent(cells["coverage_80"]), total=percent(total["coverage_80"])
    )
    return head, _(
        "A share far from 80 % says that the intervals are too narrow or too wide. Months of one round hang together."
    )


def finding_value_added(added: pd.DataFrame) -> tuple[str, str]:
    """Returns headline and why of the value each step added."""
    row = added[added["step"] == "adjusted"]
    if row.empty or not math.isfinite(row.iloc[0]["fva"]) or row.iloc[0]["fva"] == 0:
        head = _("People changed nothing in these rounds")
    elif not row.iloc[0]["told"]:
        head = _("Whether people's adjustments helped cannot be told")
    elif row.iloc[0]["fva"] > 0:
        head = _("People's adjustments took {points} off the error").format(points=percent(row.iloc[0]["fva"], 2))
    else:
        head = _("People's adjustments added {points} of error").format(points=percent(-row.iloc[0]["fva"], 2))
    return head, _(
        "Value added is the error of the step before less the error of this one; right of zero it helped. "
        "90 % intervals."
    )


def finding_worst(table: pd.DataFrame) -> tuple[str, str]:
    """Returns headline and why of the cells whose errors cost most."""
    if table.empty:
        return _("No cell has met its months yet"), ""
    head = ngettext("{n} cell makes {share} of all error", "{n} cells make {share} of all error", len(table)).format(
        n=len(table), share=percent(table["share"].sum())
    )
    return head, _("Error in money over all months and rounds: where a better forecast pays most.")


def finding_alarms(table: pd.DataFrame, cells: int) -> tuple[str, str]:
    """Returns headline and why of steady bias."""
    why = _(
        "The tracking signal is the sum of errors over their mean size. The limit is three times what it wanders "
        "without bias, wider where errors of neighbouring months hang together."
    )
    if table.empty:
        return _("No cell leans steadily to one side"), why
    head = ngettext(
        "{n} of {all} cells leans steadily to one side", "{n} of {all} cells lean steadily to one side", len(table)
    )
    return head.format(n=len(table), all=cells), why


def direction(way: str) -> str:
    """Returns the side a steady bias leans to."""
    return _("too high") if way == "over" else _("too low")


def finding_snapshots(kept: int, met: int) -> tuple[str, str]:
    """Returns headline and why of the list of kept forecasts."""
    head = ngettext("{n} forecast is kept", "{n} forecasts are kept", kept).format(n=kept)
    if kept == 0:
        head = _("No forecast is kept yet")
    if met == 0:
        return head, _("None has met its months yet.") if kept else ""
    why = ngettext("{n} of them has met some of its months.", "{n} of them have met some of their months.", met)
    return head, why.format(n=met)


def snapshot_headings() -> dict[str, str]:
    """Returns the column heads of the list of snapshots."""
    return {
        "as_of": _("Data until"),
        "revision": _("Revision"),
        "made_at": _("Made at"),
        "year": _("Plan year"),
        "months": _("Months forecast"),
        "met": _("Months met"),
    }


def alt_lags(by_lag: pd.DataFrame) -> str:
    """Returns the alt text of the error by months ahead."""
    listed = "; ".join(f"{int(row.lag)}: {percent(row.wape, 1)}" for row in by_lag.itertuples())
    return _("Error of monthly cells by months ahead: {listed}.").format(listed=listed)


def alt_value_added(added: pd.DataFrame) -> str:
    """Returns the alt text of the value-added chart."""
    rows = added[added["fva"].notna()]
    listed = "; ".join(f"{step_name(row.step)} {points(row.fva)}" for row in rows.itertuples())
    return _("Value added: {listed}.").format(listed=listed or "–")


def points(value: float) -> str:
    """Returns a difference of two rates in percent, with its sign."""
    return signed(value, formatter=lambda p: percent(p, 2))


def points_interval(row: Mapping[str, Any]) -> str:
    """Returns the interval of a difference of two rates in percent."""
    return interval(row["lo"], row["hi"], points)


def no_value() -> str:
    """Returns the words at the line of no value added."""
    return _("no difference")


def yes() -> str:
    """Returns yes."""
    return _("yes")


def no() -> str:
    """Returns no."""
    return _("no")


def months_ahead() -> str:
    """Returns the name of the axis of lags."""
    return _("months ahead")


def series_names() -> dict[str, str]:
    """Returns the names of the lines in the chart by lag."""
    return {"statistical": _("statistical"), "naive": _("year before")}


def no_accuracy() -> tuple[str, str]:
    """Returns headline and lede of the accuracy page when no round can be judged."""
    return (
        _("How accurate past forecasts were cannot be told yet"),
        _(
            "No kept forecast has met its months, and the history is too short to make past rounds again: that takes "
            "36 months before the first round. Keep forecasting; each run of the demand forecast is kept."
        ),
    )
