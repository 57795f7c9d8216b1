"""The words about drivers: what growth is made of, what an effect is worth, how a driver is known ahead, what-if."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from planning.forecast.sentences import gap, growth_text, money_in
from planning.language import _, interval, money, number, percent, signed

USUAL_DAYS = 21.0  # working days of a month


def part_names() -> dict[str, str]:
    """Returns the names of the parts of growth."""
    return {"trend": _("trend and level"), "working_days": _("working days"), "price_index": _("price"),
            "promotion": _("promotion")}  # fmt: skip


def part_name(part: str) -> str:
    """Returns the name of one part of growth."""
    return part_names().get(part, part)


def year_names(year: int, last_year: int) -> dict[str, str]:
    """Returns the names of the ends of the bridge."""
    return {"last_year": _("Sales {year}").format(year=last_year), "plan_year": _("Expected {year}").format(year=year)}


def move_of(driver: str, kind: str) -> tuple[str, float]:
    """Returns a move of a driver people can picture, in words and in the unit of its effect."""
    if kind == "elasticity":
        if driver == "working_days":
            return _("one day more a month"), math.log1p(1 / USUAL_DAYS)
        return _("10 % more"), math.log(1.1)
    if driver == "promotion":
        return _("a whole month of it"), 1.0
    return _("one more"), 1.0


def effects_shown(effects: pd.DataFrame, how: Mapping[str, str], months: Mapping[str, int]) -> pd.DataFrame:
    """Returns the table of effects as people read it: what a move of each driver sells, and whether it is used.

    how: driver → calendar, planned or held; months: the recent months a held one is the mean of. effect, lo, hi in
    per cent of sales.
    """
    rows = []
    for row in effects.to_dict("records"):
        name, (words, unit) = row["driver"], move_of(row["driver"], row["kind"])
        sells = {side: 100 * math.expm1(row[side] * unit) for side in ("effect", "lo", "hi")}
        rows.append({"driver": part_name(name), "move": words} | sells | {
            "saved": row["gain"], "used": used_text(row), "ahead": ahead_text(how[name], months[name]),
        })  # fmt: skip
    return pd.DataFrame(rows)


def used_text(row: Mapping[str, Any]) -> str:
    """Returns whether a driver is used, or why not."""
    if row["used"]:
        return _("used")
    if not row["told"]:
        return _("not used: its effect cannot be told from zero")
    return _("not used: past forecasts were no better with it")


def ahead_text(how: str, months: int) -> str:
    """Returns how a driver is known for the months ahead."""
    if how == "held":
        return _("not planned: mean of the last {n} months").format(n=months)
    return {"calendar": _("holidays"), "planned": _("as planned")}[how]


def finding_parts(rows: pd.DataFrame, apart: pd.DataFrame, effects: pd.DataFrame, gain: float) -> tuple[str, str]:
    """Returns headline and why of the parts of growth.

    rows: `part, share`; apart: `driver, then, now`; effects: the table of effects.
    """
    listed = _(", ").join(f"{growth_text(row.share)} {part_name(row.part)}" for row in rows.itertuples())
    head = _("{growth} is {parts}").format(growth=growth_text(rows["share"].sum()), parts=listed)
    known = effects.set_index("driver")
    said = [_moved(row.driver, row.then, row.now, known.loc[row.driver].to_dict()) for row in apart.itertuples()]
    if math.isfinite(gain):
        said.append(_("With them past forecasts were off by {gain} less.").format(gain=percent(gain, 1)))
    return head, gap().join(said)


def _moved(driver: str, then: float, now: float, effect: Mapping[str, Any]) -> str:
    """Returns how a driver differs from last year, and what a move of it sells."""
    unit = move_of(driver, effect["kind"])[1]
    sells = growth_text(math.expm1(effect["effect"] * unit))
    span = interval(math.expm1(effect["lo"] * unit), math.expm1(effect["hi"] * unit), growth_text)
    if driver == "working_days":
        text = _(
            "Working days: {now} against {then}; one more a month changes sales by {sells} (80 % interval {span})."
        )
        return text.format(now=number(now, 1), then=number(then, 1), sells=sells, span=span)
    if driver == "price_index":
        text = _("Prices: {change} against last year; 10 % more changes sales by {sells} (80 % interval {span}).")
        return text.format(change=growth_text(now / then - 1), sells=sells, span=span)
    text = _(
        "Promotion: {now} of the time against {then}; a whole month of it changes sales by {sells} (80 % interval "
        "{span})."
    )
    return text.format(now=percent(now, 1), then=percent(then, 1), sells=sells, span=span)


def finding_unused() -> tuple[str, str]:
    """Returns headline and why where drivers were looked at and none is used."""
    return (
        _("No driver made past forecasts better"),
        _("Each was judged on past years with what was known then; the forecast rests on the sales alone."),
    )


def alt_parts(rows: pd.DataFrame, currency: str) -> str:
    """Returns the alt text of the bridge of growth."""
    listed = "; ".join(
        f"{part_name(row.part)} {signed(row.change, formatter=money_in(currency))}"
        for row in rows.itertuples()
    )
    return _("From last year to the plan year: {listed}.").format(listed=listed)


def held_question(names: list[str]) -> tuple[str, str]:
    """Returns what stays open where drivers are in no plan, and what would answer it."""
    listed = _(", ").join(part_name(name) for name in names)
    return (
        _("What will the plan for {drivers} sell?").format(drivers=listed),
        _("Its path month by month, in [sources.driver_plan]; until then it is taken to stay as it was of late."),
    )


def none_question() -> tuple[str, str]:
    """Returns the question prices and promotions leave open where the sales table has neither."""
    return (
        _("What would other prices or promotions sell?"),
        _("Columns price_index and promotion in the sales table, and their plan in [sources.driver_plan]."),
    )


def thin_column(name: str) -> str:
    """Returns what is counted: a driver's column with too few values."""
    return _("driver column too empty to be used: {name}").format(name=part_name(name))


def effect_headings() -> dict[str, str]:
    """Returns the column heads of the table of effects."""
    return {
        "driver": _("Driver"),
        "move": _("A move of"),
        "effect": _("changes sales by, %"),
        "lo": _("80 % from"),
        "hi": _("80 % to"),
        "saved": _("Past error saved"),
        "used": _("Used"),
        "ahead": _("Known ahead"),
    }


# ---- what-if --------------------------------------------------------------------------------------------------------


def what_if_asked(scenario: str, price: float, promotion: float) -> str:
    """Returns the change that was asked about, in words."""
    said = []
    if scenario:
        said.append(_("scenario “{name}”").format(name=scenario))
    if price:
        said.append(_("prices {change}").format(change=growth_text(price)))
    if promotion:
        said.append(_("promotion {change} of the time").format(change=growth_text(promotion)))
    return _(", ").join(said)


def finding_what_if(asked: str, total: Mapping[str, Any], year: int, currency: str) -> tuple[str, str]:
    """Returns headline and why of a what-if; asked: the change in words."""
    change = signed(total["change"], formatter=money_in(currency))
    head = _("With {asked}, {year} changes by {change}, to {changed}").format(
        asked=asked, year=year, change=change, changed=money(total["changed"], currency)
    )
    if abs(total["change"]) < 0.5:
        head = _("With {asked}, {year} stays as it is").format(asked=asked, year=year)
    why = _(
        "80 % interval of the change: {span}, from what is not known of the effects; the rest of the future is the "
        "same in both."
    )
    return head, why.format(span=interval(total["change_lo"], total["change_hi"], _change(currency)))


def _change(currency: str):
    return lambda x: signed(x, formatter=money_in(currency))


def what_if_idle(names: list[str]) -> tuple[str, str]:
    """Returns what a what-if cannot tell: drivers moved that the forecast does not use."""
    listed = _(", ").join(part_name(name) for name in names)
    return (
        _("What would another path of {drivers} sell?").format(drivers=listed),
        _("More history in which it moved: so far it made no past forecast better."),
    )


def what_if_headings() -> dict[str, str]:
    """Returns the column heads of the what-if table."""
    return {
        "unique_id": _("Cell"), "level": _("Level"), "mean": _("As planned"), "changed": _("Changed path"),
        "change": _("Change"), "change_lo": _("80 % from"), "change_hi": _("80 % to"), "share": _("Change, share"),
    }  # fmt: skip


def share_of(table: pd.DataFrame) -> np.ndarray:
    """Returns each change as a share of what was expected; NaN where nothing was."""
    mean = table["mean"].to_numpy(float)
    return np.where(mean > 0, table["change"].to_numpy(float) / np.where(mean > 0, mean, 1.0), np.nan)
