"""Sentences of the year ahead: quarters, what the target needs, versions, and the options after a shock."""

from __future__ import annotations

import math

from planning.language import _, interval, listing, money, ngettext, number, percent, signed


def labels() -> dict[str, str]:
    """Return the headings of the year's tables."""
    return {
        "region": _("Region"), "line": _("Budget line"), "category": _("Category"), "quarter": _("Quarter"),
        "q1": _("Q1"), "q2": _("Q2"), "q3": _("Q3"), "q4": _("Q4"), "year": _("Year"),
        "by_category": _("Budget by quarter"), "table": _("Budget by region and quarter"),
        "rows": _("Budget by line and quarter"),
        "need": _("Needed"), "lo": _("from"), "hi": _("to"), "available": _("There at the start"),
        "hires": _("To hire"), "sales_a_deal": _("Sales a won deal"), "hit_rate": _("Hit rate"),
        "deals_a_person": _("Deals a person"), "ramp_months": _("Ramp, months"),
        "people": _("Sales people the target needs, full-time years"),
        "material": _("Material and purchased goods the target needs"),
        "cash": _("Cash tied up until customers pay"), "outlay": _("Paid out"),
        "changes": _("What changed since the version before"), "level": _("Sum over"), "where": _("Name"),
        "before": _("Before"), "after": _("After"), "change": _("Change"), "reason": _("Why"),
        "share": _("May move"), "moved": _("Moves"), "gain": _("Gains a year"),
        "of_possible": _("Of what a free new split gains"), "options": _("What small moves obtain"),
        "moves": _("What moves"), "quarters": _("Quarters"),
        "sheet_people": _("People needed"), "sheet_material": _("Material needed"), "sheet_cash": _("Cash needed"),
        "sheet_changes": _("Changes"),
    }  # fmt: skip


def category_words() -> dict[str, str]:
    """Return the words of the budget's categories."""
    return {
        "marketing": _("marketing"), "tools": _("tools"), "people": _("people"), "travel": _("travel"),
        "pilots": _("pilots"),
    }  # fmt: skip


def line_words() -> dict[str, str]:
    """Return the words of the lines that no spend table names."""
    return {"sales people": _("sales people")}


def quarter_words() -> dict[str, str]:
    """Return the words of the quarters."""
    return {"q1": _("Q1"), "q2": _("Q2"), "q3": _("Q3"), "q4": _("Q4")}


def level_words() -> dict[str, str]:
    """Return the words of what a change is summed over."""
    return {
        "total": _("total"), "category": _("category"), "region": _("region"), "line": _("line"),
        "quarter": _("quarter"), "cell": _("region and line"),
    }  # fmt: skip


def year_finding(total: float, parts: list[tuple[str, float]], currency: str) -> str:
    """Return what the year costs, by category (code, amount), largest first."""
    words = category_words()
    named = [f"{words[code]} {money(amount, currency)}" for code, amount in parts]
    return _("The year costs {total}: {parts}").format(total=money(total, currency), parts=listing(named))


def year_why(gain: float, by_season: bool, currency: str) -> str:
    """Return how the quarters came about, and what phasing gains."""
    if not by_season:
        return _("Quarters are equal. The parameter phasing = season puts more where a quarter's sales are strong.")
    if gain <= 0:
        return _("Quarters follow the season of the sales and what carries over; on these data that gains nothing.")
    return _(
        "Quarters follow the season of the sales and what carries over; that is expected to bring {gain} more a year "
        "than equal quarters, if spend works in proportion to a quarter's sales."
    ).format(gain=money(gain, currency))


def no_person_cost() -> tuple[str, str]:
    """Return the open question about the cost of sales people, and what would answer it."""
    return _("What do sales people and their travel cost?"), _(
        "The tables do not say. Give person_cost and travel_cost, a year of one full-time person, as parameters; "
        "they then stand in the budget by region and quarter."
    )


def needs_finding(need: float, there: float, hires: int) -> str:
    """Return how many people the target needs against those there; NaN where people are not recorded."""
    if math.isnan(need):
        return _("What the target needs in material and cash")
    if hires == 0:
        return _("The target needs {need} full-time sales people; {there} are there").format(
            need=number(need, 1), there=number(there, 1)
        )
    return ngettext(
        "The target needs {need} full-time sales people; {there} are there, {n} is to be hired",
        "The target needs {need} full-time sales people; {there} are there, {n} are to be hired",
        hires,
    ).format(need=number(need, 1), there=number(there, 1), n=number(hires))


def needs_why(chain: bool, payment_days: int) -> str:
    """Return how needs were found; ``chain``: deals are recorded."""
    text = _("Each region's own ratio to sales over the last years, with the 80 % interval of one more year.")
    if chain:
        text += " " + _("People: won deals a unit of sales, over the hit rate, over deals a person; newcomers ramp.")
    return text + " " + ngettext(
        "Cash: what is paid out in a quarter and comes back {n} day later.",
        "Cash: what is paid out in a quarter and comes back {n} days later.",
        payment_days,
    ).format(n=number(payment_days))


def cash_text(most: float, lo: float, hi: float, quarter: str, currency: str) -> str:
    """Return the largest cash need and its quarter (q1..q4)."""
    return _("Most cash is tied up in {quarter}: {amount} (80 % interval {interval}).").format(
        quarter=quarter_words()[quarter], amount=money(most, currency),
        interval=interval(lo, hi, lambda v: money(v, currency)),
    )  # fmt: skip


def version_named(plan_id: str, parent: str | None) -> str:
    """Return the name of a version and of the one it came from."""
    if parent is None:
        return _("Version {id}").format(id=plan_id)
    return _("Version {id}, after {parent}").format(id=plan_id, parent=parent)


def version_text(plan_id: str, parent: str | None, changed: int, change: float, currency: str) -> str:
    """Return which version the budget is, and how far it is from the one before."""
    if parent is None:
        return _("This is version {id} of the budget, the first one.").format(id=plan_id)
    if changed == 0:
        return _("This is version {id} of the budget; its amounts are those of version {parent}.").format(
            id=plan_id, parent=parent
        )
    return ngettext(
        "This is version {id} of the budget; against version {parent}, {n} amount differs and the total by {change}.",
        "This is version {id} of the budget; against version {parent}, {n} amounts differ and the total by {change}.",
        changed,
    ).format(
        id=plan_id, parent=parent, n=number(changed), change=signed(change, formatter=lambda v: money(v, currency))
    )  # fmt: skip


def shock_finding(share: float, of_possible: float, gain: float, currency: str, *, shock: bool) -> str:
    """Return what moving a share of the budget obtains, after a shock or from today's split."""
    values = {"share": percent(share), "part": percent(of_possible), "gain": money(gain, currency)}
    if gain <= 0:
        return _("Moving money gains nothing")
    if shock:
        return _("After the shock, moving {share} of the budget wins back {gain}, {part} of what can be won").format(
            **values
        )
    return _("Moving only {share} of the budget already gains {gain}, {part} of what can be gained").format(**values)


def shock_why(lost: float, percent_: float, region: str, line: str, currency: str) -> str:
    """Return what the shock is and costs, or how to state one."""
    if percent_ == 0:
        return _(
            "From today's split, the best small moves. With shock, shock_region and shock_line the same is told of the "
            "proposal after a change of what the spend brings."
        )
    where = ", ".join(part for part in (region, line) if part) or _("everywhere")
    change = signed(percent_ / 100, formatter=percent)
    if lost >= 0:
        text = _("What the spend brings changes by {change} ({where}); that costs {lost} a year before anything moves.")
    else:
        text = _("What the spend brings changes by {change} ({where}); that adds {lost} a year before anything moves.")
    return text.format(change=change, where=where, lost=money(abs(lost), currency))
