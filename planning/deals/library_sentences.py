"""What the practice library says in words: numbers in, text out, in the current language."""

from __future__ import annotations

from typing import Any

import pandas as pd

from planning.deals.vocabulary import part_name, practice_name
from planning.language import _, interval, listing, ngettext, number, paragraph, percent, signed


def title() -> str:
    """Returns the page's name."""
    return _("Practice library")


def headline(library: pd.DataFrame) -> str:
    """Returns how many practices go with winning, the clearest named."""
    good = library[library["next_step"] == "spread"]
    if good.empty:
        return _("None of {n} practices goes with winning beyond chance").format(n=number(len(library)))
    names = listing(["“" + practice_name(name) + "”" for name in good["practice"][:2]])
    return ngettext(
        "{k} of {n} practices goes with winning: {names}", "{k} of {n} practices go with winning, clearest {names}",
        len(good),
    ).format(k=number(len(good)), n=number(len(library)), names=names)  # fmt: skip


def lede(library: pd.DataFrame, people: pd.DataFrame) -> str:
    """Returns how it was compared and for how many people it cannot be told."""
    unsure = int((people["verdict"] == "cannot tell").sum())
    return _(
        "Each person is compared with their own deals, and deals of equal difficulty with one another. {unsure} of {n} "
        "people are neither surely among the best fifth nor surely below the middle."
    ).format(unsure=number(unsure), n=number(len(people)))


def key_numbers(library: pd.DataFrame, people: pd.DataFrame) -> list[dict[str, Any]]:
    """Returns the page's key numbers, as arguments of `step.number`."""
    out = []
    good = library[library["next_step"] == "spread"]
    if len(good):
        best = good.iloc[0]
        out.append({
            "name": "best_points", "value": float(best["points"]), "label": practice_name(best["practice"]),
            "text": _("{points} points").format(points=signed(best["points"], 1)), "lead": True,
            "note": _("win rate for one ordinary step; 90 % interval {range}").format(
                range=interval(best["points_lo"], best["points_hi"], lambda x: number(x, 1))),
        })  # fmt: skip
    counts = people["verdict"].value_counts()
    top, unsure = int(counts.get("top", 0)), int(counts.get("cannot tell", 0))
    out.append({"name": "surely_best", "value": top, "label": _("Very likely among the best fifth"),
                "text": number(top), "note": _("of {n} people").format(n=number(len(people)))})  # fmt: skip
    out.append({"name": "cannot_say", "value": unsure, "label": _("Cannot tell"), "text": number(unsure),
                "note": _("people for whom a ranking would be luck")})  # fmt: skip
    return out


def practices_finding(library: pd.DataFrame) -> tuple[str, str]:
    """Returns the claim over all practices looked at."""
    good = library[library["next_step"] == "spread"]
    if good.empty:
        claim = _("No practice differs beyond chance")
    else:
        best = good.iloc[0]
        claim = _("“{practice}”: {points} points of win rate for one ordinary step").format(
            practice=practice_name(best["practice"]), points=signed(best["points"], 1)
        )
    why = _(
        "Dot and line: how the win rate differs between a person's own deals that are one ordinary step apart, with "
        "its 90 % interval. An ordinary step is one standard deviation within a person. Of those said to differ, about "
        "one in ten may be chance."
    )
    return claim, why


def thirds_finding(part: pd.DataFrame) -> tuple[str, str]:
    """Returns the claim over one practice: the thirds of each person's deals with most and least of it."""
    best, worst = part.loc[part["win_rate"].idxmax()], part.loc[part["win_rate"].idxmin()]
    claim = _("{name}: {best} won in the best part of a person's deals, {worst} in the worst").format(
        name=practice_name(best["practice"]), best=percent(best["win_rate"]), worst=percent(worst["win_rate"])
    )
    why = _(
        "Each person's deals cut into parts by this practice. The dot is the share won, with its 90 % interval; the "
        "upright line is what these deals let expect of anybody. The distance between them is what the practice goes "
        "with."
    )
    return claim, why


def third_name(code: str, typical: float) -> str:
    """Returns a part of a person's deals with the value typical of it."""
    digits = 0 if abs(typical) >= 10 or float(typical).is_integer() else 1
    return _("{third}, typically {value}").format(third=part_name(code), value=number(typical, digits))


def thirds_alt(part: pd.DataFrame) -> str:
    """Returns the chart of thirds in words."""
    return _("; ").join(
        _("{third}: {won} won, {expected} expected").format(
            third=third_name(r.third, r.typical), won=percent(r.win_rate), expected=percent(r.expected_rate)
        )
        for r in part.itertuples()
    )


def practices_alt(library: pd.DataFrame) -> str:
    """Returns the chart of practices in words."""
    rows = [
        _("{name} {value} ({range})").format(
            name=practice_name(r.practice), value=signed(r.points, 1),
            range=interval(r.points_lo, r.points_hi, lambda x: number(x, 1)),
        )
        for r in library.itertuples()
    ]
    return _("Win rate, points for one ordinary step: {rows}").format(rows=_("; ").join(rows))


def people_finding(people: pd.DataFrame) -> tuple[str, str]:
    """Returns the claim over people."""
    top = people[people["verdict"] == "top"]
    if top.empty:
        claim = _("Nobody stands out beyond chance among {n} people").format(n=number(len(people)))
    else:
        first = top.iloc[0]
        claim = _("{person} won {wins} deals where {expected} were to be expected").format(
            person=first["person"], wins=number(first["wins"]), expected=number(first["expected_wins"])
        )
    why = _(
        "Chance that a person is among the best fifth, from deals won beyond what the deals they were given let "
        "expect. Few deals say little: a chance between is “cannot tell”, not mediocre."
    )
    return claim, why


def people_alt(shown: pd.DataFrame) -> str:
    """Returns the chart of people in words."""
    return _("; ").join(f"{r.person} {percent(r.p_top)}" for r in shown.itertuples())


def library_finding(library: pd.DataFrame) -> tuple[str, str]:
    """Returns the claim over what to do next."""
    good, open_ = int((library["next_step"] == "spread").sum()), int((library["next_step"] == "collect").sum())
    claim = ngettext("{n} practice to spread", "{n} practices to spread", good).format(n=number(good))
    claim += _(", {n} still open").format(n=number(open_)) if open_ else ""
    why = _(
        "Beyond their deals: share won minus share expected, in points, in the part of a person's deals with less and "
        "with more of the practice. Spread it as a trial, some people first, and hold the difference against this page "
        "on the day stated."
    )
    return claim, why


def next_step(code: str) -> str:
    """Returns what to do with a practice."""
    known = {"spread": _("try it with others"), "look": _("goes with losing: look why"), "collect": _("cannot tell")}
    return known.get(code, code)


def cannot_tell(library: pd.DataFrame) -> list[tuple[str, str]]:
    """Returns the practices that stay open, each with the difference that would have been seen."""
    text = _("Cannot be told from chance; a difference from {points} points on would have been seen. More deals tell.")
    rows = library[library["next_step"] == "collect"]
    out = [(practice_name(r.practice), text.format(points=number(r.seen_from, 1))) for r in rows.itertuples()]
    last = _(
        "A practice may go with winning because of something else in those deals that nobody recorded. A trial tells."
    )
    return [*out, (_("Whether a practice causes wins"), last)]


def refusal(answer: str) -> tuple[str, str]:
    """Returns why there is no library: the post-mortem's own answer, or that nobody's name stands at the deals."""
    lede = _("A practice is compared between deals of equal difficulty; these deals cannot say which are equal.")
    if not answer:
        lede = _("A practice is compared inside a person's deals: the deals need owner_id and a practice as a number.")
    return _("No practice can be judged yet"), paragraph([answer + _("."), lede]) if answer else lede


def labels() -> dict[str, str]:
    """Returns the headings of the tables."""
    return {
        "practice": _("Practice"), "verdict": _("Verdict"), "points": _("Win rate, points"),
        "points_lo": _("Interval from"), "points_hi": _("to"), "beyond_less": _("Beyond their deals, less of it"),
        "beyond_more": _("Beyond their deals, more of it"), "seen_from": _("Seen from"), "next_step": _("Next step"),
        "owner": _("Owned by"), "check_on": _("Check on"), "third": _("Part"), "typical": _("Typically"),
        "deals": _("Number of deals"), "wins": _("Won"), "win_rate": _("Win rate"),
        "lo90": _("Interval from"), "hi90": _("to"), "expected_rate": _("Expected of these deals"),
        "person": _("Person"), "expected_wins": _("Expected wins"),
        "p_top": _("P(best fifth)"), "people": _("People"), "step": _("points"), "none": _("no difference"),
        "interval": _("90 % interval"), "won": _("won"), "expected": _("expected"), "chance": _("chance"),
        "chart_practices": _("Win rate between a person's own deals one ordinary step apart, points"),
        "chart_people": _("Chance of being among the best fifth"),
        "title_thirds": _("Each practice, by part of a person's own deals"),
        "title_people": _("All people"), "title_limits": _("What would have been seen"),
    }  # fmt: skip
