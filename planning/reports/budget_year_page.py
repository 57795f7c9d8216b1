"""The year ahead on the budget's page: quarters, what the target needs, the version, small moves and shocks.

A function a cell of the notebook, as in `budget_page`; each says nothing where the result is a refusal.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from planning.budget import ahead, versions
from planning.budget import year_sentences as words
from planning.budget.ahead import YearAhead
from planning.budget.regional import RegionalBudget
from planning.reports import budget_workbook
from planning.targets.fiscal import fiscal_sales
from planning.targets.workspace import next_year

QUARTERS = ["q1", "q2", "q3", "q4"]
PEOPLE = [
    "region", "need", "lo", "hi", "available", "hires", "sales_a_deal", "hit_rate", "deals_a_person", "ramp_months",
]  # fmt: skip


def year_ahead(step: Any, budget: RegionalBudget) -> YearAhead | None:
    """Returns the year of a step's proposal: its quarters, and what the annual target needs where targets are there."""
    if budget.refused:
        return None
    asked, start = step.parameters, step.settings.calendar.fiscal_year_start
    lines, people, sales = step.table("spend_lines"), step.table("people"), fiscal_sales(step).frame
    targets = None
    if step.has("annual_targets", "cells"):
        cells = step.result("annual_targets", "cells")
        if "region" in cells.columns:
            targets = cells.groupby("region", as_index=False)["target"].sum().rename(columns={"target": "amount"})
    kinds = lines.set_index("line")["type"] if lines is not None else pd.Series(dtype=object)
    phases = ahead.phased(budget, sales, kinds, by_season=asked.phasing == "season", start_month=start)
    return ahead.year_of(
        budget, sales, phases, kinds=kinds, targets=targets, people=people, deals=step.table("deals"),
        person_cost=asked.person_cost, travel_cost=asked.travel_cost, payment_days=asked.payment_days,
    )  # fmt: skip


def show_year(step: Any, year: YearAhead | None, currency: str) -> Any:
    """Shows the year's budget by region, category and quarter, exact to the cent."""
    if year is None:
        return None
    names, table = words.labels(), year.table
    sums = (table["year"] * 100).round().groupby(table["category"]).sum().sort_values(ascending=False) / 100
    phases = year.phases
    step.finding(
        "year", words.year_finding(float(sums.sum()), [(str(k), float(v)) for k, v in sums.items()], currency),
        words.year_why(phases.gain, phases.by_season, currency),
    )  # fmt: skip
    amounts = [*QUARTERS, "year"]
    kinds = {"category": words.category_words()}
    by = (table[amounts] * 100).round().groupby(table["category"]).sum().loc[sums.index] / 100
    _money_table(step, "budget_by_category", by.reset_index(), names["by_category"], amounts, kinds, details=False)
    _money_table(step, "budget_table", table, names["table"], amounts, kinds, details=True)
    rows = year.rows.sort_values(["region", "category", "line"], kind="stable").reset_index(drop=True)
    _money_table(step, "budget_rows", rows, names["rows"], amounts, kinds | {"line": words.line_words()}, details=True)
    if len(year.people) and not (step.parameters.person_cost and step.parameters.travel_cost):
        step.cannot_tell(*words.no_person_cost())
    return None


def show_needs(step: Any, year: YearAhead | None, currency: str) -> Any:
    """Shows what the annual target needs in people, material and cash, where targets are there."""
    if year is None or not (len(year.people) or len(year.material)):
        return None
    names, people = words.labels(), year.people
    asked = ("need", "available", "hires")
    sums = {c: round(float(people[c].sum()), 2) if len(people) else float("nan") for c in asked}
    chain = bool(len(people) and people["hit_rate"].notna().any())
    step.finding(
        "needs", words.needs_finding(sums["need"], sums["available"], int(sums["hires"]) if len(people) else 0),
        words.needs_why(chain, step.parameters.payment_days),
    )  # fmt: skip
    if len(people):
        shown = people[PEOPLE].dropna(axis="columns", how="all")
        formats = dict.fromkeys(("need", "lo", "hi", "available"), "ratio")
        formats |= dict.fromkeys(("deals_a_person", "ramp_months"), "number")
        formats |= {"hires": "integer", "sales_a_deal": "money", "hit_rate": "percent"}
        _table(step, "needs_people", shown, names["people"], formats, sums)
    if len(year.material):
        sums = {"need": round(float(year.material["need"].sum()), 2)}
        _table(step, "needs_material", year.material, names["material"], {}, sums)
    if len(year.cash):
        _table(step, "needs_cash", year.cash, names["cash"], {}, None, {"quarter": words.quarter_words()})
        most = year.cash.loc[year.cash["need"].idxmax()]
        step.text("cash", words.cash_text(most["need"], most["lo"], most["hi"], most["quarter"], currency))
    return None


def keep_version(step: Any, budget: RegionalBudget, year: YearAhead | None, currency: str) -> Any:
    """Keeps the budget as a version of the workspace's plan, shows what changed, and keeps budget.xlsx."""
    if year is None:
        return None
    settings = step.settings
    for_year = settings.plan.year or next_year(fiscal_sales(step).frame, settings.calendar.fiscal_year_start)
    folder = Path(step.root) / "plans" / str(for_year) / "budget"
    made = versions.record(
        year.rows, year=for_year, currency=currency, figures=budget.figures, cause=step.notebook
    )
    version = versions.keep(folder, made, what_if=step.what_if)
    step.keeps(folder, version.plan_id)
    parent = versions.load(folder, version.parent) if version.parent else None
    comparable = parent is not None and parent.currency == currency
    changes = versions.diff(parent, version) if comparable else pd.DataFrame()
    cells = changes[changes["level"] == "cell"] if len(changes) else changes
    total = version.total - parent.total if comparable else 0.0
    step.text("version", words.version_text(version.plan_id, version.parent, len(cells), total, currency))
    if len(cells):
        codes = {"level": words.level_words()}
        names, formats = words.labels(), dict.fromkeys(("before", "after", "change"), "money")
        shown = changes.drop(columns="reason")
        step.tabulate(
            "changes", shown, title=names["changes"], headings={c: names[c] for c in shown.columns}, formats=formats,
            details=True, words=codes,
        )  # fmt: skip
    return step.file("budget.xlsx", budget_workbook.writer(budget, year, version, changes, currency))


def show_moves(step: Any, budget: RegionalBudget, currency: str) -> Any:
    """Shows what moving 2, 5 or 10 % of the budget obtains, after the shock that the parameters state."""
    if budget.refused:
        return None
    asked, names = step.parameters, words.labels()
    result = ahead.shaken(
        budget, percent=asked.shock, region=asked.shock_region, line=asked.shock_line, move=asked.move
    )
    options = result.options
    chosen = options.loc[(options["share"] - asked.move).abs().idxmin()]
    step.finding(
        "moves", words.shock_finding(chosen["share"], chosen["of_possible"], chosen["gain"], currency,
                                     shock=result.shock),
        words.shock_why(result.lost, asked.shock, asked.shock_region, asked.shock_line, currency),
    )  # fmt: skip
    formats = {"share": "percent", "moved": "money", "gain": "money", "of_possible": "percent"}
    step.tabulate(
        "move_options", options, title=names["options"], headings={c: names[c] for c in options.columns},
        formats=formats,
    )  # fmt: skip
    if len(result.changes):
        _money_table(step, "moves_table", result.changes, names["moves"], ["before", "after", "change"], {}, True)
    return None


def _table(
    step: Any, name: str, frame: pd.DataFrame, title: str, formats: dict, total: dict | None, codes: dict | None = None
) -> Any:
    names = words.labels()
    formats = {c: formats.get(c, "money") for c in frame.columns if c not in ("region", "quarter")}
    headings = {c: names[c] for c in frame.columns}
    return step.tabulate(name, frame, title=title, headings=headings, formats=formats, total=total, words=codes)


def _money_table(
    step: Any, name: str, frame: pd.DataFrame, title: str, amounts: list[str], codes: dict, details: bool
) -> Any:
    names = words.labels()
    sums = {column: int((frame[column] * 100).round().sum()) / 100 for column in amounts}
    return step.tabulate(
        name, frame, title=title, headings={c: names[c] for c in frame.columns},
        formats=dict.fromkeys(amounts, "money"), details=details, total=sums, words=codes,
    )  # fmt: skip
