"""The words about drivers: what the growth is made of, what an effect is worth, what is not known ahead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from planning.forecast.sentences import growth_text
from planning.language import _, money, number, percent, signed


def part_names() -> dict[str, str]:
    """Returns the names of the parts of growth."""
    return {"trend": _("trend and level"), "working_days": _("working days"), "price_index": _("price"),
            "promotion": _("promotion")}  # fmt: skip


def year_names(year: int, last_year: int) -> dict[str, str]:
    """Returns the names of the ends of the bridge."""
    return {"last_year": _("Sales {year}").format(year=last_year), "plan_year": _("Expected {year}").format(year=year)}


def finding_parts(rows: pd.DataFrame, gap: float, effect: Mapping[str, Any], gain: float) -> tuple[str, str]:
    """Returns headline and why of the parts of growth."""
    names = part_names()
    listed = _(", ").join(f"{growth_text(row.share)} {names.get(row.part, row.part)}" for row in rows.itertuples())
    head = _("{growth} is {parts}").format(growth=growth_text(rows["share"].sum()), parts=listed)
    days = signed(gap, formatter=lambda x: number(x, 1))
    why = _(
        "The plan year has {days} working days against the last full year. 1 % more working days sells {effect} more "
        "(80 % interval {lo} to {hi}); with them past forecasts were off by {gain} less."
    ).format(
        days=days, effect=percent(effect["effect"] / 100, 2), lo=percent(effect["lo"] / 100, 2),
        hi=percent(effect["hi"] / 100, 2), gain=percent(gain, 1),
    )  # fmt: skip
    return head, why


def alt_parts(rows: pd.DataFrame, currency: str) -> str:
    """Returns the alt text of the bridge of growth."""
    names = part_names()
    listed = "; ".join(
        f"{names.get(row.part, row.part)} {signed(row.change, formatter=lambda x: money(x, currency))}"
        for row in rows.itertuples()
    )
    return _("From last year to the plan year: {listed}.").format(listed=listed)


def drivers_unused() -> str:
    """Returns what is counted: drivers that were looked at and not used."""
    return _("drivers looked at (working days) that did not make past forecasts better")


def drivers_unknown() -> tuple[str, str]:
    """Returns the question prices and promotions leave open, and what would answer it."""
    return (
        _("What would other prices or promotions sell?"),
        _("The plan for them: price and promotion of each month ahead, given to the forecast as known drivers."),
    )


def effect_headings() -> dict[str, str]:
    """Returns the column heads of the table of effects."""
    return {
        "driver": _("Driver"),
        "effect": _("Effect of 1 %, in %"),
        "lo": _("80 % from"),
        "hi": _("80 % to"),
        "spread": _("Spread over cells"),
        "series": _("Cells it rests on"),
    }
