"""Sentences of the data check and of the plan summary: numbers in, text out, in the reader's language."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from planning import language
from planning.language import _, ngettext

# ---------------------------------------------------------------------------------------------- data check


def data_check_title() -> str:
    """Returns the name of the page."""
    return _("Data check")


def data_check_answer(counts: Mapping[str, int]) -> str:
    """Returns whether the tables can be used: the number of faults that stop the plan, or that there are none."""
    stops = counts["faults"] + counts["missing"]
    tables = ngettext("{n} table", "{n} tables", counts["tables"]).format(n=language.number(counts["tables"]))
    if not counts["tables"]:
        return _("No table is configured yet: there is nothing to plan from")
    if not stops:
        rows = ngettext("{n} row", "{n} rows", counts["rows"]).format(n=language.number(counts["rows"]))
        return _("{tables} with {rows} can be planned from: no fault was found").format(tables=tables, rows=rows)
    found = ngettext("{n} fault stops the plan", "{n} faults stop the plan", stops).format(n=language.number(stops))
    return _("{found}; {tables} were read").format(found=found, tables=tables)


def data_check_lede(counts: Mapping[str, int], last_day: dt.date | None) -> str:
    """Returns what limits the answer: warnings, rows left out, and how far the sales reach."""
    warnings, left_out = counts["warnings"], counts["left_out"]
    parts = []
    if warnings:
        words = ngettext("{n} thing is worth a look", "{n} things are worth a look", warnings)
        parts.append(words.format(n=language.number(warnings)))
    if left_out:
        words = ngettext("{n} row was left out and counted below", "{n} rows were left out and counted below", left_out)
        parts.append(words.format(n=language.number(left_out)))
    first = _("; ").join(parts) or _("Nothing was left out and nothing looked odd")
    if last_day is None:
        return first + _(".")
    return _("{first}. Sales are known to {month}.").format(first=first, month=language.month(last_day))


def data_check_labels() -> dict[str, str]:
    """Returns the words of columns and key numbers by name."""
    return {
        "tables": _("Tables read"), "rows": _("Rows"), "faults": _("Faults"), "warnings": _("Warnings"),
        "table": _("Table"), "file": _("File"), "state": _("State"), "columns": _("Columns"),
        "first_day": _("First day"), "last_day": _("Last day"), "left_out": _("Left out"),
        "found_out": _("Found out while reading"), "severity": _("Severity"), "row": _("Row"), "column": _("Column"),
        "found": _("What was found"), "fix": _("What to do"), "month": _("Month"), "amount": _("Sales"),
    }  # fmt: skip


def severity(word: str) -> str:
    """Returns the severity of a finding in the reader's words."""
    return {"fault": _("fault"), "warning": _("warning")}.get(word, word)


def table_state(word: str) -> str:
    """Returns the state of a table in the reader's words."""
    known = {"ok": _("usable"), "warnings": _("usable, see notes"), "faults": _("not usable"), "missing": _("missing")}
    return known.get(word, word)


def table_name(name: str) -> str:
    """Returns a canonical table's name for people."""
    known = {
        "sales": _("Sales"), "deals": _("Deals"), "stage_history": _("Stage history"), "accounts": _("Accounts"),
        "products": _("Products"), "people": _("People"), "assignments": _("Assignments"), "spend": _("Spend"),
        "spend_lines": _("Spend lines"), "pilots": _("Pilots"), "judged_response": _("Judged responses"),
        "market": _("Market"), "capacity": _("Capacity limits"), "adjustments": _("Adjustments"),
        "locks": _("Fixed forecasts"), "driver_plan": _("Planned prices and promotions"),
        "confirmations": _("Confirmations"), "priorities": _("Priorities"), "targets": _("Targets of last year"),
    }  # fmt: skip
    return known.get(name, name)


def tables_finding(usable: int, total: int) -> tuple[str, str]:
    """Returns the claim over the tables and how to read the chart."""
    if usable == total:
        head = ngettext("The {n} table can be used", "All {n} tables can be used", total).format(n=total)
    else:
        head = _("{usable} of {total} tables can be used").format(usable=usable, total=total)
    why = _("Each bar runs from the first to the last day in the table. Tables without days stand in the list only.")
    return head, why


def tables_alt(rows: Sequence[tuple[str, dt.date, dt.date]]) -> str:
    """Returns the picture of covered days in words."""
    parts = [
        _("{name} {first} to {last}").format(name=name, first=language.month(first), last=language.month(last))
        for name, first, last in rows
    ]
    return _("Days covered by each table: {parts}.").format(parts=language.listing(parts))


def tables_title() -> str:
    """Returns the caption of the chart of covered days."""
    return _("Days each table covers")


def faults_finding(faults: int, warnings: int) -> tuple[str, str]:
    """Returns the claim over what was found wrong, and how to read it."""
    why = _("Row is the line a person sees in the file; the header is row 1.")
    stop = ngettext("{n} fault has to be put right", "{n} faults have to be put right", faults).format(n=faults)
    look = ngettext("{n} thing is worth a look", "{n} things are worth a look", warnings).format(n=warnings)
    if faults and warnings:
        return _("{stop}; {look}").format(stop=stop, look=look), why
    return (stop if faults else look), why


def history_finding(months: int, low: str, high: str) -> tuple[str, str]:
    """Returns the claim over the sales history and why it is shown."""
    head = ngettext(
        "Sales cover {n} month, from {low} to {high} a month",
        "Sales cover {n} months, from {low} to {high} a month",
        months,
    ).format(n=months, low=low, high=high)
    return head, _("A jump, a gap or a short last month here would go into every forecast. Look before you trust it.")


def history_title() -> str:
    """Returns the caption of the chart of monthly sales."""
    return _("All sales by month, as read")


def history_alt(months: int, low: str, high: str, last: str) -> str:
    """Returns the picture of monthly sales in words."""
    return _("Monthly sales over {n} months, lowest {low}, highest {high}, last {last}.").format(
        n=months, low=low, high=high, last=last
    )


def left_out_done() -> str:
    """Returns what is done with rows that are left out."""
    return _("Not used; the file was not changed")


def without_table(name: str) -> tuple[str, str] | None:
    """Returns what cannot be told without a table, and what would answer it; None where nothing hangs on it."""
    known = {
        "deals": (
            _("Why deals are won or lost"),
            _("Export the closed and open deals with their fields into [sources.deals]."),
        ),
        "stage_history": (
            _("What was known about a deal at the time"),
            _("Export the stage history of the deals into [sources.stage_history]."),
        ),
        "spend": (_("What the budget brings"), _("List spend by period, region and line in [sources.spend].")),
        "pilots": (
            _("Whether spend causes sales or only goes with them"),
            _("Record one test region a line in [sources.pilots]."),
        ),
        "capacity": (_("Whether supply, cash and people allow the plan"), _("List the limits in [sources.capacity].")),
        "market": (_("Whether the market leaves room for the plan"), _("Add potential and share in [sources.market].")),
        "adjustments": (
            _("What planners know that the past does not"),
            _("Log their changes with reason and author in [sources.adjustments]."),
        ),
        "driver_plan": (
            _("What the prices and promotions planned will sell"),
            _("Write price and promotion of each month ahead into [sources.driver_plan]."),
        ),
        "people": (_("What each person can carry"), _("List people with start dates and roles in [sources.people].")),
        "targets": (_("How last year's targets were met"), _("Add last year's targets in [sources.targets].")),
    }  # fmt: skip
    return known.get(name)
