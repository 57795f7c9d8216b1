"""Sentences of the plan summary that are its own; what a part of the plan says of itself is taken from that part."""

from __future__ import annotations

from collections.abc import Sequence

from planning import language
from planning.language import _, ngettext

PARTS = ("data_check", "demand_forecast", "annual_targets", "regional_budget", "deal_postmortem")


def title(year: int | None) -> str:
    """Returns the name of the page."""
    return _("Plan summary {year}").format(year=year) if year else _("Plan summary")


def refusal() -> tuple[str, str]:
    """Returns headline and lede of a summary with nothing to sum up."""
    return (
        _("No part of the plan has been run yet, so there is nothing to sum up"),
        _("Run the whole plan with: planning run annual_plan"),
    )


def part_name(notebook: str) -> str:
    """Returns what a part of the plan is called."""
    known = {
        "data_check": _("Data check"), "demand_forecast": _("Demand forecast"), "annual_targets": _("Annual targets"),
        "regional_budget": _("Regional budget"), "deal_postmortem": _("Why deals are won and lost"),
    }  # fmt: skip
    return known.get(notebook, notebook)


def missing_part(notebook: str) -> tuple[str, str]:
    """Returns the question a part that was not run leaves open, and how to have it answered."""
    questions = {
        "data_check": _("Whether the data can be relied on"), "demand_forecast": _("What sales can be expected"),
        "annual_targets": _("What can be promised, and how likely it is"),
        "regional_budget": _("How the budget should be split"), "deal_postmortem": _("Why deals are won and lost"),
    }  # fmt: skip
    how = _("The part {part} has not finished. Run: planning run {notebook}")
    return questions.get(notebook, notebook), how.format(part=part_name(notebook), notebook=notebook)


def parts_finding(done: int, unsure: int) -> tuple[str, str]:
    """Returns the claim over the parts this page rests on, and how to read the list."""
    n, total = language.number(done), language.number(len(PARTS))
    if done == len(PARTS) and not unsure:
        head = _("All {total} parts of the plan gave an answer").format(total=total)
    elif done == len(PARTS):
        head = ngettext(
            "All {total} parts were run; {n} says that the data cannot tell",
            "All {total} parts were run; {n} say that the data cannot tell",
            unsure,
        ).format(total=total, n=language.number(unsure))
    else:
        head = _("{n} of {total} parts of the plan were run").format(n=n, total=total)
    return head, _("One line a part, in its own words. Each has a page of its own with its evidence.")


def parts_headings() -> dict[str, str]:
    """Returns the heads of the list of parts."""
    return {"part": _("Part"), "answer": _("Answer"), "state": _("State")}


def state(word: str) -> str:
    """Returns the state of a part in the reader's words."""
    return {"ok": _("answered"), "cannot_tell": _("cannot tell"), "missing": _("not run")}.get(word, word)


def not_run() -> str:
    """Returns what stands in place of the answer of a part that was not run."""
    return _("No answer yet")


def fan_title(year: int | None) -> str:
    """Returns the caption of the forecast's picture."""
    if year is None:
        return _("Total sales by month, actual and forecast")
    return _("Total sales by month, actual and forecast to the end of {year}").format(year=year)


def fan_alt(last: str, first: str, lo: str, hi: str) -> str:
    """Returns the forecast's picture in words: the last actual month, and the first month ahead with its interval."""
    return _(
        "Monthly sales: the last actual month was {last}, the next is expected at {first}, 80 % interval {span}."
    ).format(last=last, first=first, span=language.interval(lo, hi, str))


def second_view(monthly: str, yearly: str, chance: float, year: int) -> str:
    """Returns what the monthly forecast makes of the plan's target, beside the plan's own expectation."""
    return _(
        "This monthly forecast expects {monthly} for {year}; the plan rests on a yearly one that expects {yearly} "
        "after adjustments and limits. By the monthly one alone the chance of the target is {chance}."
    ).format(monthly=monthly, yearly=yearly, year=year, chance=language.chance(chance))


def before_limits(alone: str, whole: str, chance: float, year: int) -> str:
    """Returns what adjustments and limits make of the forecast the plan rests on."""
    return _(
        "This forecast expects {alone} for {year}; after adjustments and limits the plan expects {whole}. Without them "
        "the chance of the target would be {chance}."
    ).format(alone=alone, whole=whole, year=year, chance=language.chance(chance))


def two_forecasts(plan: float, monthly: float, year: int) -> tuple[str, str]:
    """Returns the question two forecasts leave open, and what tells them apart."""
    how = _(
        "The yearly one gives the target a chance of {plan}, the monthly one {monthly}. Both were tried on past years; "
        "sales of the first months of {year} tell them apart. Until then count on the lower chance."
    )
    return (
        _("Which of two forecasts is nearer"),
        how.format(plan=language.chance(plan), monthly=language.chance(monthly), year=year),
    )


def bridge_title() -> str:
    """Returns the caption of the bridge."""
    return _("From last year to the target")


def heat_title() -> str:
    """Returns the caption of the heat map."""
    return _("Chance of reaching the target, and growth")


def budget_title() -> str:
    """Returns the caption of the budget's picture."""
    return _("Budget by line, now and proposed")


def weights_title() -> str:
    """Returns the caption of the picture of family weights."""
    return _("What separates won from lost deals, share of each family")


def weights_words() -> tuple[str, str]:
    """Returns the heads of the weights' columns."""
    return _("share"), _("90 % interval")


def rows_alt(title_: str, rows: Sequence[tuple[str, str]]) -> str:
    """Returns a chart of rows in words: its title, then each row's name and value."""
    listed = language.listing([f"{name} {value}" for name, value in rows])
    return _("{title}: {rows}.").format(title=title_, rows=listed)
