"""Sentences of the budget pages: numbers in, text out, in the reader's language."""

from __future__ import annotations

import math

from planning.language import _, chance, interval, listing, money, ngettext, number, percent

SURE = 0.8


def _what(figures: dict) -> str:
    return _("margin") if figures["profit"] else _("sales")


def answer(figures: dict, currency: str) -> str:
    """Return the headline: what moving money brings, or that today's split cannot be told from the best one."""
    budget = money(figures["budget"], currency)
    if figures["moved"] < 0.001 * figures["budget"] or figures["gain"] <= 0:
        return _("We propose to leave the split of {budget} as it is").format(budget=budget)
    if figures["gain_probability"] < SURE:
        return _("Today's split of {budget} cannot be told from a better one").format(budget=budget)
    return _("Moving {moved} of {budget} brings {gain} more {what} a year").format(
        moved=money(figures["moved"], currency),
        budget=budget,
        gain=money(figures["gain"], currency),
        what=_what(figures),
    )


def lede(figures: dict, currency: str) -> str:
    """Return at most two sentences: how sure it is, and what the move limit leaves for later."""
    sure = _("The chance that it beats today's split is {p} (90 % interval {interval}).").format(
        p=chance(figures["gain_probability"]),
        interval=interval(figures["gain_lo"], figures["gain_hi"], lambda v: money(v, currency)),
    )
    if figures["move_limit"] is None:
        return sure
    limit = _(
        "No region's line moves by more than {limit}, which leaves {share} of the possible gain for later."
    ).format(limit=percent(figures["move_limit"]), share=percent(figures["forgone"]))
    return sure + " " + limit if figures["forgone"] >= 0.005 else sure


def next_amount(figures: dict, currency: str, amount: float = 10_000) -> str:
    """Return what the next amount brings, with its 80 % interval."""
    return _("The next {amount} return {back} (80 % interval {interval}).").format(
        amount=money(amount, currency, scale=1, digits=0),
        back=money(amount * figures["shadow_price"], currency, scale=1, digits=0),
        interval=interval(
            amount * figures["shadow_lo"],
            amount * figures["shadow_hi"],
            lambda v: money(v, currency, scale=1, digits=0),
        ),
    )


def lines_finding(raised: list[str], cut: list[str]) -> str:
    """Return the heading of now and proposed: which lines gain, which give."""
    if raised and cut:
        return _("Raise {raised}; cut {cut}").format(raised=listing(raised), cut=listing(cut))
    if raised:
        return _("Raise {raised}").format(raised=listing(raised))
    if cut:
        return _("Cut {cut}").format(cut=listing(cut))
    return _("No line is sure enough to move as a whole")


def lines_why(tests: int) -> str:
    """Return how to read the verdicts, with the number of lines to test."""
    text = _("A line is raised or cut where the chance that it works better or worse than elsewhere is 80 % or more.")
    if not tests:
        return text
    more = ngettext("{n} line is to be tested first.", "{n} lines are to be tested first.", tests).format(n=tests)
    return text + " " + more


def cells_finding(counts: dict[str, int]) -> str:
    """Return how many of the regions' lines get which verdict."""
    return _("{up} to raise, {down} to cut, {test} to test, {keep} to keep").format(
        up=counts.get("raise", 0), down=counts.get("cut", 0), test=counts.get("test", 0), keep=counts.get("keep", 0)
    )


def cells_why() -> str:
    """Return how to read the table of regions and lines."""
    return _(
        "Each region's line with its marginal return and the 90 % interval; proposals add up to the budget to the cent."
    )


def curves_finding(figures: dict, currency: str) -> str:
    """Return what the whole budget brings."""
    return _("The budget brings {response} of {what} a year").format(
        response=money(figures["response"], currency), what=_what(figures)
    )


def curves_why() -> str:
    """Return how to read the curves."""
    return _(
        "Each line's return when its spend changes in all regions alike; "
        "the band is the 90 % interval, the dot is today."
    )


def frontier_finding(figures: dict, currency: str) -> str:
    """Return what the next unit of the total brings, and whether it pays."""
    back = money(figures["shadow_price"], currency, scale=1, digits=2)
    one = money(1, currency, scale=1, digits=0)
    if not figures["profit"]:
        return _("The next {one} brings {back} of sales").format(one=one, back=back)
    if figures["shadow_lo"] > 1:
        return _("A larger budget pays: the next {one} returns {back}").format(one=one, back=back)
    if figures["shadow_hi"] < 1:
        return _("A larger budget does not pay: the next {one} returns {back}").format(one=one, back=back)
    return _("Whether a larger budget pays cannot be told: the next {one} returns {back}").format(one=one, back=back)


def frontier_why(figures: dict, currency: str) -> str:
    """Return where the budget breaks even on its last unit."""
    if figures["profit"] and figures["breakeven"] is not None:
        return _("The last unit spent pays for itself up to a budget of about {budget}.").format(
            budget=money(figures["breakeven"], currency)
        )
    return _("Each total is split in the best way within the move limit; the band is the 80 % interval.")


def certificate(figures: dict) -> str:
    """Return the proof of the split in words."""
    return _(
        "The split is the best one for the fitted curves (marginal returns are equal to {digits} digits) "
        "and adds up to the cent; "
        "because curves are not known exactly it is expected to lose {regret} of the possible return."
    ).format(
        digits=number(min(-math.log10(max(figures["kkt_spread"], 1e-15)), 15)), regret=percent(figures["regret"], 1)
    )


def refusal(reasons: list[str], *, impossible: bool = False) -> tuple[str, str]:
    """Return headline and lede when the tables cannot say where the budget works, or no split keeps all limits."""
    head = _("These tables cannot tell where the budget works.")
    if impossible:
        head = _("No split of this budget keeps all its limits.")
    return head, reasons[0] if reasons else ""


def no_spend() -> str:
    """Return what a company without a spend table has to supply."""
    return _(
        "There is no table of past spend. Name one in workbench.toml as [sources.spend], with period, region, line and "
        "amount: at least half a year of weekly or a year of monthly rows, so that an effect can be told from the base."
    )


def refused_question(*, impossible: bool = False) -> str:
    """Return the question a refusal leaves open; each reason answers what is wanted."""
    return _("Which limit has to give way?") if impossible else _("Where does the budget work?")


def no_evidence(line: str, reason: str) -> tuple[str, str]:
    """Return the open question about a line without evidence and what would answer it."""
    why = {
        "no variation": _("It cost the same all the time, so its effect cannot be told from the base."),
        "started too recently": _("It started too recently to be measured."),
        "never spent": _("Nothing was ever spent on it."),
    }.get(reason, _("Its effect could not be measured."))
    question = _("What does {line} bring?").format(line=line)
    return question, why + " " + _("A pilot in the largest regions would answer it.")


def judged_only(line: str) -> tuple[str, str]:
    """Return the open question about a line known by judgement alone."""
    question = _("Is the judged effect of {line} true?").format(line=line)
    return question, _("Only people's estimates are known, no measurement. A pilot would check them.")


def follows_demand(line: str) -> tuple[str, str]:
    """Return the open question about a line whose spend follows sales."""
    question = _("Does {line} bring sales, or do sales bring its spend?").format(line=line)
    return question, _(
        "Its spend rises after good sales, so its effect is over-stated. A pilot with a fixed spend would tell."
    )


def chart_alt(rows: list[tuple[str, float, float]], currency: str) -> str:
    """Return the alternative text of now and proposed."""
    parts = [
        _("{line} from {now} to {proposed}").format(line=line, now=money(now, currency), proposed=money(then, currency))
        for line, now, then in rows
    ]
    return "; ".join(parts)


def curves_alt(rows: list[tuple[str, float, float, float]], currency: str) -> str:
    """Return the alternative text of the response curves: what each line brings at today's spend."""
    parts = [
        _("{line} brings {value} today (90 % interval {interval})").format(
            line=line, value=money(value, currency), interval=interval(lo, hi, lambda v: money(v, currency))
        )
        for line, value, lo, hi in rows
    ]
    return "; ".join(parts)


def frontier_alt(low: tuple[float, float], high: tuple[float, float], currency: str) -> str:
    """Return the alternative text of the frontier."""
    return _("Return from {a} at a budget of {b} to {c} at {d}.").format(
        a=money(low[1], currency), b=money(low[0], currency), c=money(high[1], currency), d=money(high[0], currency)
    )


def labels() -> dict[str, str]:
    """Return the headings of tables and numbers."""
    return {
        "line": _("Budget line"),
        "region": _("Region"),
        "now": _("Now"),
        "proposed": _("Proposed"),
        "change": _("Change"),
        "return_at_margin": _("Marginal return"),
        "return_lo": _("from"),
        "return_hi": _("to"),
        "verdict": _("Verdict"),
        "evidence": _("Evidence"),
        "chance": _("Chance that it works better than elsewhere"),
        "budget": _("Budget a year"),
        "gain": _("Expected gain a year"),
        "next": _("What the next 10 000 return"),
        "regret": _("Expected loss against perfect knowledge"),
        "margin": _("Return a year"),
        "marginal_return": _("Marginal return"),
        "multiple": _("Budget against now"),
        "allocation": _("Now and proposed, a year"),
        "cells": _("Regions and lines"),
        "curves": _("Response curves"),
        "frontier": _("Return over the total budget"),
        "summary": _("Key figures"),
        "spend": _("Spent"),
        "contribution": _("Brought back"),
        "roi": _("Return on investment"),
        "payback": _("Back after, periods"),
        "proof": _("Proof"),
        "returns": _("What past spend brought back, latest year"),
        "chance_as_now": _("Chance, today's proportions"),
        "chance_best": _("Chance, best split"),
        "effect": _("Sales more or less"),
        "target": _("Chance of the target over the budget"),
    }


def verdict_words() -> dict[str, str]:
    """Return the words of the verdicts."""
    return {"raise": _("raise"), "cut": _("cut"), "keep": _("keep"), "test": _("test first")}


def evidence_words() -> dict[str, str]:
    """Return the words for where knowledge comes from."""
    return {
        "measured": _("measured"),
        "pooled": _("borrowed from other regions"),
        "pilot": _("pilot"),
        "judged": _("judged"),
        "none": _("not measured"),
    }


def proof_words() -> dict[str, str]:
    """Return the words for how far a past return is proven."""
    return {"measured": _("measured"), "contribution, not proven": _("contribution, not proven")}


def returns_finding(sure: int, count: int) -> str:
    """Return how many lines brought back more than they cost for sure."""
    if sure == 0:
        return _("No line is sure to have brought back what it cost")
    return ngettext(
        "{n} of {count} lines has surely brought back more than it cost",
        "{n} of {count} lines have surely brought back more than they cost",
        sure,
    ).format(n=sure, count=count)


def returns_why() -> str:
    """Return how to read past returns."""
    return _("Return over spend with its 90 % interval; where nothing was measured it is a contribution, not proven.")


def target_finding(now: float, best: float, target: float, currency: str) -> str:
    """Return what the best split does to the chance of the annual target."""
    return _("The best split takes the chance of {target} from {now} to {best}").format(
        target=money(target, currency), now=chance(now), best=chance(best)
    )


def target_why() -> str:
    """Return where the chances come from."""
    return _(
        "From the same joint forecast as the targets, with what each budget would bring added to it; "
        "at today's budget and split the chance is the one the targets state."
    )


def target_alt(rows: list[tuple[float, float]], currency: str) -> str:
    """Return the alternative text of the chance over the budget."""
    parts = [_("{budget}: {chance}").format(budget=money(b, currency), chance=chance(p)) for b, p in rows]
    return "; ".join(parts)
