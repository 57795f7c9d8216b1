"""The words about what people add to a forecast, what management fixes, and what changed since the last one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from planning import language
from planning.forecast.sentences import growth_text, money_in
from planning.language import _, money, ngettext, signed


def status_text(status: str) -> str:
    """Returns what became of an adjustment or of a fixed figure."""
    return {
        "applied": _("counted"),
        "no_such_cell": _("names no cell of the forecast"),
        "outside": _("outside the months forecast"),
        "beyond": _("reaches beyond the months forecast"),
        "expired": _("expired"),
        "made_later": _("made after the data end"),
        "nothing_asked": _("changes nothing"),
    }.get(status, status)


def adjustments_over() -> str:
    """Returns what is counted: adjustments of other months."""
    return _("adjustments of months that are not forecast here")


def with_people(final: float, growth: float, currency: str) -> str:
    """Returns what the year comes to with adjustments and fixed figures."""
    return _("{final} ({growth}) with what people adjust and fix").format(
        final=money(final, currency), growth=growth_text(growth)
    )


def finding_adjusted(statistical: float, adjusted: float, applied: int, year: int, currency: str) -> tuple[str, str]:
    """Returns headline and why of the step from the statistical to the adjusted forecast of the plan year."""
    why = _(
        "Statistical, adjusted and final forecast are all kept, so that what people add can be measured when the "
        "months are over. Targets count adjustments at what such adjustments were worth, not in full."
    )
    if applied == 0:
        return _("No adjustment counts for {year}: the forecast is the statistical one").format(year=year), why
    change = adjusted - statistical
    head = ngettext(
        "{n} adjustment moves {year} by {change} to {adjusted}",
        "{n} adjustments move {year} by {change} to {adjusted}",
        applied,
    ).format(
        n=applied, year=year, change=signed(change, formatter=money_in(currency)), adjusted=money(adjusted, currency)
    )
    return head, why


def steps_shown(totals: Mapping[str, float]) -> pd.DataFrame:
    """Returns the steps of the plan year's forecast as a table: `step, expected, change`."""
    names = {"statistical": _("statistical"), "adjusted": _("adjusted by people"), "final": _("final")}
    rows, before = [], None
    for step, value in totals.items():
        rows.append({"step": names[step], "expected": value, "change": None if before is None else value - before})
        before = value
    return pd.DataFrame(rows).astype({"expected": float, "change": float})


def step_headings(year: int) -> dict[str, str]:
    """Returns the column heads of the table of steps."""
    return {"step": _("Step"), "expected": _("Expected {year}").format(year=year), "change": _("Change")}


def adjustment_headings() -> dict[str, str]:
    """Returns the column heads of the list of adjustments."""
    return {
        "adjustment_id": _("Adjustment"),
        "author": _("By"),
        "reason": _("Reason"),
        "evidence": _("Evidence"),
        "place": _("Cells"),
        "from": _("From"),
        "to": _("To"),
        "asked": _("Asked for"),
        "status": _("Status"),
    }


def finding_fixed(table: pd.DataFrame, currency: str) -> tuple[str, str]:
    """Returns headline and why of what management fixed; table: as of `locks.LISTED`, those that hold."""
    change = float((table["amount"] - table["before"]).sum())
    head = ngettext(
        "{n} figure is fixed at {amount}, {change} against the forecast",
        "{n} figures are fixed at {amount}, {change} against the forecast",
        len(table),
    ).format(
        n=len(table), amount=money(float(table["amount"].sum()), currency),
        change=signed(change, formatter=money_in(currency)),
    )  # fmt: skip
    return head, _(
        "The months and cells of a fixed figure add up to it; what is least sure of them moves most, and the others "
        "stay as they are. A fixed figure has no interval."
    )


def lock_headings() -> dict[str, str]:
    """Returns the column heads of the list of fixed figures."""
    return {
        "lock_id": _("Fixed figure"),
        "author": _("By"),
        "reason": _("Reason"),
        "evidence": _("Evidence"),
        "place": _("Cells"),
        "from": _("From"),
        "to": _("To"),
        "before": _("Forecast before"),
        "amount": _("Fixed at"),
        "status": _("Status"),
    }


# ---- what changed ---------------------------------------------------------------------------------------------------


def finding_first() -> tuple[str, str]:
    """Returns headline and why where no earlier forecast of these months is kept."""
    return (
        _("This is the first forecast kept of these months"),
        _("From the next one on, this section says what changed and why."),
    )


def finding_changes(total: Mapping[str, Any], then: Any, currency: str) -> tuple[str, str]:
    """Returns headline and why of what changed since the last snapshot."""
    day, change = language.day(pd.Timestamp(then).date()), total["change"]
    if abs(change) < 0.0005 * abs(total["then"]):
        head = _("The forecast stands where it stood on {day}").format(day=day)
    else:
        head = _("Since {day} the forecast moved by {change}, to {now}").format(
            day=day, change=signed(change, formatter=money_in(currency)), now=money(total["now"], currency)
        )
    if pd.isna(total["surprise"]):
        return head, _("Both were made from sales up to the same month.")
    return head, _("Sold since, against what was forecast for those months: {surprise}.").format(
        surprise=signed(total["surprise"], formatter=money_in(currency))
    )


def change_part(part: str) -> str:
    """Returns the name of a part of the change."""
    return {
        "method": _("method changed"),
        "revised": _("past figures revised"),
        "sales_since": _("sales since"),
        "drivers": _("plan of drivers changed"),
        "adjustments": _("adjustments"),
        "fixed": _("fixed figures"),
    }[part]


def change_headings() -> dict[str, str]:
    """Returns the column heads of the table of changes."""
    return {
        "unique_id": _("Cell"),
        "level": _("Level"),
        "then": _("Then"),
        "now": _("Now"),
        "change": _("Change"),
        "method": _("Method"),
        "revised": _("Revised figures"),
        "sales_since": _("Sales since"),
        "drivers": _("Drivers"),
        "adjustments": _("Adjustments"),
        "fixed": _("Fixed"),
        "surprise": _("Sold since, against forecast"),
    }


def alt_changes(labels: list[str], values: list[float], currency: str) -> str:
    """Returns the alt text of the change's parts."""
    listed = "; ".join(f"{name} {signed(value, formatter=money_in(currency))}" for name, value in zip(labels, values))
    return _("Parts of the change: {listed}.").format(listed=listed)


def change_labels() -> dict[str, str]:
    """Returns the names of the ends of the bridge."""
    return {"then": _("forecast then"), "now": _("forecast now")}


def not_kept(day: Any) -> tuple[str, str]:
    """Returns why a forecast made with hindsight is not kept, and what is done with such rounds."""
    return (
        _("This forecast is not kept: later sales than {day} are known").format(
            day=language.day(pd.Timestamp(day).date())
        ),
        _("It was made with hindsight; the accuracy page makes such rounds again and counts them apart."),
    )
