"""Sentences of the pilot page: numbers in, text out, in the reader's language."""

from __future__ import annotations

import math

from planning.budget.pilots import FEWEST_WINDOWS
from planning.language import _, chance, interval, listing, money, ngettext, number, percent, signed

POWER = 0.8


def duration(length: int, step: str) -> str:
    """Return a length in periods as words: `6 months`."""
    if step == "MS":
        return ngettext("{n} month", "{n} months", length).format(n=length)
    if step == "W":
        return ngettext("{n} week", "{n} weeks", length).format(n=length)
    if step == "QS":
        return ngettext("{n} quarter", "{n} quarters", length).format(n=length)
    return ngettext("{n} period", "{n} periods", length).format(n=length)


def answer(figures: dict, best: dict) -> str:
    """Return the headline: the pilot to run, or that none of those possible can be read."""
    if best["power"] >= POWER:
        return _("Test {line} in {regions} for {time}: the chance that its effect shows is {p}.").format(
            line=best["line"],
            regions=best["regions"],
            time=duration(int(best["length"]), figures["step"]),
            p=chance(best["power"]),
        )
    return _("No pilot of up to {time} can be read from regional sales: the best has a chance of {p}.").format(
        time=duration(figures["longest"], figures["step"]), p=chance(best["power"])
    )


def lede(figures: dict, best: dict) -> str:
    """Return why: the effect expected against the smallest that shows."""
    return _(
        "{times} times the spend on {line} is expected to move sales by {effect}; "
        "the smallest change that shows is {smallest}."
    ).format(
        times=number(figures["times"], 0 if float(figures["times"]).is_integer() else 1),
        line=best["line"],
        effect=percent(best["effect"], 1),
        smallest=percent(best["smallest"], 1),
    )


def proposals_finding(readable: int, lines: int) -> str:
    """Return how many lines have a pilot that can be read."""
    if readable == 0:
        return ngettext(
            "The one line has no pilot that can be read", "None of {n} lines has a pilot that can be read", lines
        ).format(n=lines)
    return ngettext(
        "{n} line has a pilot that can be read", "{n} lines have a pilot that can be read", readable
    ).format(n=readable)


def proposals_why(placebos: int) -> str:
    """Return how the chances were found."""
    return _(
        "Each chance comes from {n} past windows in which nothing was tried; a dot right of its line's mark would show."
    ).format(n=placebos)


def readings_finding(shown: int, count: int) -> str:
    """Return how many finished pilots differ from chance."""
    if count == 0:
        return _("No finished pilot is recorded")
    if shown == 0:
        return ngettext(
            "The one finished pilot cannot be told from chance in the sales",
            "None of {n} finished pilots can be told from chance in the sales",
            count,
        ).format(n=count)
    return ngettext(
        "{shown} of {n} finished pilot differs from chance", "{shown} of {n} finished pilots differ from chance", count
    ).format(shown=shown, n=count)


def readings_why() -> str:
    """Return how to read a reading."""
    return _(
        "Change of the region's sales against the others, with the 90 % interval; "
        "p is the share of placebos as far off."
    )


def reading_text(line: str, region: str, effect: float, lo: float, hi: float, p: float) -> str:
    """Return what one pilot did."""
    return _("{line} in {region}: {effect} (90 % interval {interval}), p = {p}").format(
        line=line,
        region=region,
        effect=signed(effect, formatter=lambda v: percent(v, 1)),
        interval=interval(lo, hi, lambda v: percent(v, 1)),
        p=number(p, 2),
    )


def aa_text(rate: float, tests: int) -> str:
    """Return what the test says where nothing happened."""
    return _(
        "Where nothing was tried, {n} runs of the same test called {rate} an effect; an honest test calls about 5 %."
    ).format(n=number(tests), rate=percent(rate, 1))


def carries_text(figures: dict) -> str:
    """Return whether the choices of regions, or the past windows, can carry a test at 5 %."""
    words = {
        "n": number(figures["choices"]), "count": number(figures["count"]), "regions": number(figures["regions"]),
        "windows": number(figures["placebos"]),
    }  # fmt: skip
    if figures["exact"]:
        text = _("The {count} of {regions} regions can be chosen in {n} ways: enough for a test at 5 %.")
        return text.format(**words)
    text = _(
        "The {count} of {regions} regions can be chosen in only {n} ways, which cannot carry a test at 5 %; "
        "{windows} past windows of the same regions serve as placebo instead."
    ).format(**words)
    if figures["placebos"] >= FEWEST_WINDOWS:
        return text
    return text + " " + _("They cannot carry it either: no p below {p} is possible. More history is needed.").format(
        p=number(1 / (1 + figures["placebos"]), 2)
    )


def learned_text(line: str, before: float, after: float) -> str:
    """Return how much a finished pilot narrowed what is known of its line."""
    if math.isnan(before):
        return _("{line} is known only through its pilot (interval {after} of its effect).").format(
            line=line, after=percent(after)
        )
    if after < 0.95 * before:
        return _("The pilot of {line} narrows its 90 % interval from {before} to {after} of its effect.").format(
            line=line, before=percent(before), after=percent(after)
        )
    return _(
        "The pilot of {line} adds little to what its history says (interval {before} before, {after} after)."
    ).format(line=line, before=percent(before), after=percent(after))


def break_even(line: str) -> tuple[str, str]:
    """Return the open question about a line whose expected effect is not known."""
    question = _("What may a pilot of {line} be expected to show?").format(line=line)
    return question, _("Nothing was measured yet; the table takes the effect at which it would pay for itself.")


def unreadable(lines: list[str]) -> tuple[str, str]:
    """Return what would make pilots of these lines readable."""
    question = ngettext("Does {line} work?", "Do {line} work?", len(lines)).format(line=listing(lines))
    return question, _(
        "A longer pilot, more regions, or an outcome closer to the spend (leads, orders of its customers)."
    )


def alt(rows: list[tuple[str, float, float]]) -> str:
    """Return the alternative text of the proposals."""
    parts = [
        _("{line}: expected {effect}, smallest that shows {smallest}").format(
            line=line, effect=percent(effect, 1), smallest=percent(smallest, 1)
        )
        for line, effect, smallest in rows
    ]
    return "; ".join(parts)


def labels() -> dict[str, str]:
    """Return headings of tables and numbers."""
    return {
        "line": _("Budget line"), "regions": _("Regions"), "count": _("Number"), "length": _("Periods"),
        "effect": _("Expected effect"), "smallest": _("Smallest that shows"), "power": _("Chance to show"),
        "cost": _("Extra spend"), "placebos": _("Placebos"), "basis": _("Basis"), "region": _("Region"),
        "from": _("From"), "to": _("To"), "recorded": _("Recorded a period"), "delta": _("Read here a period"),
        "lo": _("from"), "hi": _("to"),
        "p": _("p"), "test": _("Compared with"), "reason": _("Why not"), "aa": _("Called an effect where none was"),
        "proposals": _("Pilots that are possible"), "readings": _("Finished pilots"),
        "chart": _("Expected effect and the smallest that shows"),
    }  # fmt: skip


def basis_words() -> dict[str, str]:
    """Return the words for where an expected effect comes from."""
    return {"expected": _("response curve"), "break-even": _("would pay for itself")}


def test_words() -> dict[str, str]:
    """Return the words for what a pilot was compared with."""
    return {"regions": _("other regions"), "times": _("other times"), "": ""}


def cost_text(cost: float, currency: str) -> str:
    """Return the extra spend of a pilot."""
    return money(cost, currency)
