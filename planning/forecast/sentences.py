"""The words of the forecast pages, in the reader's language: numbers in, text out.

Every function takes plain numbers (or a one-row frame) and returns a sentence; `_` is called when the sentence is
made.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd

from planning import language
from planning.language import _, interval, money, ngettext, percent, signed

CLOSE = 0.005  # growth below this reads as "about as much as"


def money_in(currency: str) -> Callable[[float], str]:
    """Returns how amounts of a currency are written."""
    return lambda x: money(x, currency)


def label(unique_id: str) -> str:
    """Returns the name of a node as people read it: total in words, keys set apart."""
    return _("Total") if unique_id == "total" else str(unique_id).replace("/", " · ")


def level_name(level: str) -> str:
    """Returns a level's name: total, or its keys' names joined."""
    names = {
        "total": _("Total"),
        "region": _("Region"),
        "line": _("Product line"),
        "customer_type": _("Customer type"),
    }
    return " × ".join(names.get(part, part) for part in str(level).split("/"))


def title() -> str:
    """Returns the page's name."""
    return _("Demand forecast")


def answer(total: Mapping[str, Any], year: int, last_year: int, currency: str) -> str:
    """Returns the headline: what the plan year brings, against the last full year."""
    expected, growth = money(total["expected"], currency), total["growth"]
    if growth is None or not math.isfinite(growth):
        return _("We expect to sell {expected} in {year}").format(expected=expected, year=year)
    if abs(growth) < CLOSE:
        text = _("We expect to sell {expected} in {year}, about as much as in {last}")
    elif growth > 0:
        text = _("We expect to sell {expected} in {year}, {share} more than in {last}")
    else:
        text = _("We expect to sell {expected} in {year}, {share} less than in {last}")
    return text.format(expected=expected, year=year, share=percent(abs(growth), 1), last=last_year)


def lede(total: Mapping[str, Any], currency: str, judged: Mapping[str, Any] | None) -> str:
    """Returns how sure the headline is, and how the method did in its last rounds."""
    first = _("The 80 % interval is {span}, as wide as forecasts of whole years were wrong before.").format(
        span=interval(total["lo80"], total["hi80"], money_in(currency))
    )
    if not judged or not math.isfinite(judged["coverage_80"]):
        return first + gap() + _("The history is too short to say how well such forecasts did.")
    return (
        first
        + gap()
        + _(
            "In the years replayed, monthly cells were off by {wape}, and {held} of them lay inside their 80 % "
            "interval."
        ).format(wape=percent(judged["wape"], 1), held=percent(judged["coverage_80"]))
    )


def gap() -> str:
    """Returns what stands between two sentences: nothing in Chinese."""
    return "" if language.current() == "zh" else " "


def interval_text(row: Mapping[str, Any], currency: str) -> str:
    """Returns `80 % interval €118.1 m to €132.6 m`."""
    return _("80 % interval {span}").format(span=interval(row["lo80"], row["hi80"], money_in(currency)))


def number_labels(year: int, last_year: int) -> dict[str, str]:
    """Returns the labels of the key numbers."""
    return {
        "expected": _("Expected sales {year}").format(year=year),
        "growth": _("Growth against {last}").format(last=last_year),
        "chance": _("Chance of selling more than in {last}").format(last=last_year),
        "wape": _("Error of monthly cells, last rounds"),
    }


def wape_note(judged: Mapping[str, Any]) -> str:
    """Returns what the same error is for the same month of the year before."""
    return _("{naive} by repeating the year before").format(naive=percent(judged["wape_naive"], 1))


def growth_text(growth: float) -> str:
    """Returns a growth rate with its sign."""
    return signed(growth, formatter=lambda g: percent(g, 1))


def finding_total(total: Mapping[str, Any], year: int, last_year: int, currency: str) -> tuple[str, str]:
    """Returns headline and why of the total's fan."""
    head = _("{lo} to {hi} is where {year} falls in four cases of five").format(
        lo=money(total["lo80"], currency), hi=money(total["hi80"], currency), year=year
    )
    why = _(
        "The bands hold 50, 80 and 95 % of what may come, month by month. They are as wide as past forecasts were "
        "wrong, with the months of a year moving together."
    )
    return head, why


def finding_growth(table: pd.DataFrame, level: str) -> tuple[str, str]:
    """Returns headline and why of the growth by one key: who grows most and who least."""
    rows = table[(table["level"] == level) & table["growth"].notna()].sort_values("growth")
    if rows.empty:
        return _("No growth can be stated: there are no sales of a full year"), ""
    top, low = rows.iloc[-1], rows.iloc[0]
    if len(rows) == 1:
        head = _("{name} is expected at {growth}").format(name=top["unique_id"], growth=growth_text(top["growth"]))
    else:
        head = _("{top} is expected at {high}, {low} at {least}").format(
            top=top["unique_id"],
            high=growth_text(top["growth"]),
            low=low["unique_id"],
            least=growth_text(low["growth"]),
        )
    unsure = int(((rows["growth_lo"] < 0) & (rows["growth_hi"] > 0)).sum())
    why = _(
        "The bar is the 80 % interval of the year's growth; for {n} of {all} it holds zero, so that up or down cannot "
        "be told."
    ).format(n=unsure, all=len(rows))
    return head, why


def finding_cells(table: pd.DataFrame, level: str, shown: int) -> tuple[str, str]:
    """Returns headline and why of the cells: how many, and how much of the total the largest hold."""
    rows = table[table["level"] == level].sort_values("expected", ascending=False)
    total = rows["expected"].sum()
    share = rows["expected"].head(shown).sum() / total if total > 0 else float("nan")
    head = ngettext(
        "The largest cell holds {share} of sales", "The {n} largest cells hold {share} of sales", shown
    ).format(n=min(shown, len(rows)), share=percent(share))
    why = ngettext(
        "{all} cell is forecast, and adds up to the total month by month.",
        "{all} cells are forecast, and add up to the total month by month.",
        len(rows),
    ).format(all=len(rows))
    return head, why


STATUSES = ("ended", "no_demand", "too_short")


def reason(status: str) -> str:
    """Returns why a cell has no forecast, in words."""
    return {
        "ended": _("nothing sold for twelve months or more: taken as ended"),
        "no_demand": _("no demand in the history"),
        "too_short": _("fewer than six months known"),
    }.get(status, status)


def finding_left_out(series: pd.DataFrame) -> tuple[str, str]:
    """Returns headline and why of the list of cells without a forecast."""
    n = int((series["status"] != "forecast").sum())
    if n == 0:
        return _("Every cell has a forecast"), _("No cell was too short, empty or ended.")
    head = ngettext("{n} of {all} cells has no forecast", "{n} of {all} cells have no forecast", n).format(
        n=n, all=len(series)
    )
    return head, _("They count as nothing in the total; their sales stay in the history of the aggregates.")


def finding_rounds(judged: pd.DataFrame) -> tuple[str, str]:
    """Returns headline and why of the accuracy of replayed rounds (measures by level, the bottom level last)."""
    if judged.empty:
        return (
            _("How well such forecasts did cannot be told yet"),
            _("A round is replayed from at least 36 months before it; this history is shorter."),
        )
    cells = judged.iloc[-1]
    gain = 1 - cells["wape"] / cells["wape_naive"] if cells["wape_naive"] > 0 else float("nan")
    if math.isfinite(gain) and gain > 0:
        head = _("Monthly cells were off by {wape}, {gain} less than by repeating the year before")
    else:
        head = _("Monthly cells were off by {wape}, no better than repeating the year before")
    head = head.format(wape=percent(cells["wape"], 1), gain=percent(gain))
    why = _(
        "Each round was forecast from what was known then only, and compared with what followed. Of the actual months, "
        "{c80} lay inside the 80 % interval and {c95} inside the 95 % interval."
    ).format(c80=percent(cells["coverage_80"]), c95=percent(cells["coverage_95"]))
    return head, why


def total_in_rounds(rows: pd.DataFrame) -> str:
    """Returns how the total did in replayed rounds and what of its error nobody could foresee (`accuracy.of_total`)."""
    size = rows["actual"].sum()
    bias, unforeseen = (float((rows[name] * rows["actual"]).sum() / size) for name in ("bias_share", "unforeseen"))
    held = float((rows["coverage_80"] * rows["n"]).sum() / rows["n"].sum())
    if round(bias, 3) == 0:
        text = _("Of the total's {n} months {held} lay inside the 80 % interval; on the whole it was right.")
    elif bias < 0:
        text = _("Of the total's {n} months {held} lay inside the 80 % interval; it was forecast {off} too low.")
    else:
        text = _("Of the total's {n} months {held} lay inside the 80 % interval; it was forecast {off} too high.")
    text = text.format(n=int(rows["n"].sum()), held=percent(held), off=percent(abs(bias), 1))
    if round(unforeseen, 3) > 0:
        text += " " + _(
            "Cells that could not be forecast then, most of them not begun, brought {share} of its sales: a forecast "
            "cannot see a launch that no plan names."
        ).format(share=percent(unforeseen, 1))
    return text


def left_out_rows(code: str) -> str:
    """Returns why rows of the sales table were not used."""
    return {
        "after_as_of": _("rows after the last day of data used"),
        "unfinished_month": _("rows of a month that was not over"),
    }.get(code, code)


def refusal(error: str) -> tuple[str, str]:
    """Returns headline and lede of the page when nothing can be forecast."""
    return (
        _("These sales are too short or too thin to forecast the plan year"),
        _(
            "A forecast needs cells with at least six months of sales and past months to check itself on. "
            "Found: {found}"
        ).format(found=error),
    )


def growth_headings(year: int, last_year: int) -> dict[str, str]:
    """Returns the column heads of the growth table."""
    return {
        "unique_id": _("Cell"),
        "name": _("Cell"),
        "level": _("Level"),
        "region": _("Region"),
        "line": _("Product line"),
        "customer_type": _("Customer type"),
        "last_year": _("Sales {year}").format(year=last_year),
        "expected": _("Expected {year}").format(year=year),
        "lo80": _("80 % from"),
        "hi80": _("80 % to"),
        "change": _("Change"),
        "growth": _("Growth"),
        "growth_lo": _("Growth, 80 % from"),
        "growth_hi": _("Growth, 80 % to"),
        "chance_of_growth": _("Chance of growth"),
    }


def series_headings() -> dict[str, str]:
    """Returns the column heads of the list of series."""
    return {
        "unique_id": _("Cell"),
        "region": _("Region"),
        "line": _("Product line"),
        "customer_type": _("Customer type"),
        "months": _("Months known"),
        "first": _("First month"),
        "last": _("Last sale"),
        "gaps": _("Gaps filled"),
        "negative": _("Months below zero"),
        "status": _("Status"),
        "reason": _("Reason"),
    }


def accuracy_headings() -> dict[str, str]:
    """Returns the column heads of accuracy tables."""
    return {
        "unique_id": _("Cell"),
        "level": _("Level"),
        "round": _("Round"),
        "lag": _("Months ahead"),
        "step": _("Step"),
        "n": _("Forecasts"),
        "actual": _("Actual sales"),
        "wape": _("Error (WAPE)"),
        "mase": _("MASE"),
        "bias": _("Bias a month"),
        "bias_share": _("Bias"),
        "unforeseen": _("Not forecast"),
        "coverage_80": _("Inside 80 %"),
        "coverage_95": _("Inside 95 %"),
        "wape_naive": _("Error of the year before"),
        "error": _("Error, sum"),
        "share": _("Share of all error"),
        "fva": _("Value added"),
        "lo": _("90 % from"),
        "hi": _("90 % to"),
        "told": _("Can be told"),
        "signal": _("Tracking signal"),
        "limit": _("Limit"),
        "direction": _("Leans to"),
    }


def alt_total(total: Mapping[str, Any], year: int, currency: str) -> str:
    """Returns the alt text of the total's fan."""
    return _("Sales a month with the forecast to the end of {year}: {expected} expected in the year, {span}.").format(
        year=year, expected=money(total["expected"], currency), span=interval_text(total, currency)
    )


def alt_growth(table: pd.DataFrame, level: str) -> str:
    """Returns the alt text of a growth chart: every row with its figure."""
    rows = table[(table["level"] == level) & table["growth"].notna()].sort_values("growth", ascending=False)
    listed = "; ".join(f"{row.unique_id} {growth_text(row.growth)}" for row in rows.itertuples())
    return _("Expected growth with its 80 % interval: {listed}.").format(listed=listed or "–")


def alt_cells(ids: list[str]) -> str:
    """Returns the alt text of the small fans."""
    return _("History and forecast of {names}, each on its own scale.").format(names=", ".join(map(label, ids)))


def gaps(series: pd.DataFrame) -> list[tuple[str, int, str]]:
    """Returns (reason, count, what was done) of months filled in or below zero."""
    rows = []
    if filled := int(series["gaps"].sum()):
        done = _("filled from the same months of other years")
        rows.append((_("months missing inside a cell's history"), filled, done))
    if negative := int(series["negative"].sum()):
        rows.append((_("months below zero (returns)"), negative, _("kept")))
    return rows


def no_change() -> str:
    """Returns the words at the line of no growth."""
    return _("no change")


def cells_without() -> str:
    """Returns what is counted: cells without a forecast."""
    return _("cells without a forecast")


def month_headings() -> dict[str, str]:
    """Returns the column heads of the total month by month."""
    return {
        "ds": _("Month"),
        "mean": _("Expected"),
        "lo-80": _("80 % from"),
        "hi-80": _("80 % to"),
        "lo-95": _("95 % from"),
        "hi-95": _("95 % to"),
    }
