"""What the year under way says in words: weekly progress, and a plan made again after a shock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from planning.language import _, chance, listing, money, month, ngettext, number, percent, signed
from planning.targets.sentences import key_name

if TYPE_CHECKING:
    from planning.targets.pipeline import Pipeline
    from planning.targets.replan import Replan
    from planning.targets.workspace import Standing

RISK = 0.4


def labels() -> dict[str, str]:
    """Returns the headings of the tables of the year under way."""
    known = {
        "target": _("Target"),
        "actual": _("Actual to date"),
        "expected": _("Expected year"),
        "needed": _("Still needed"),
        "rest_expected": _("Expected of the rest"),
        "chance": _("Chance"),
        "attainment": _("Attained"),
        "team": _("Team"),
        "name": _("Name"),
        "person_id": _("Person"),
        "quota": _("Quota"),
        "band": _("Chance stated"),
        "reached": _("Share reached"),
        "stage": _("Stage"),
        "win_rate": _("Win rate"),
        "n": _("Past deals"),
        "open": _("Open"),
        "usual_days": _("Usual days"),
        "median_days": _("Days now"),
        "place": _("Where"),
        "late": _("Late"),
        "usual_share": _("Usually late"),
        "deal_id": _("Deal"),
        "amount": _("Amount"),
        "worth": _("Worth"),
        "age": _("Days in stage"),
        "move": _("Part moved"),
        "moved": _("Moved"),
        "shortfall": _("Expected shortfall"),
        "gain": _("Recovered"),
        "share_of_gain": _("Of what can be recovered"),
        "cells": _("Cells changed"),
        "before": _("Before"),
        "after": _("After"),
        "change": _("Change"),
        "event": _("Event"),
        "where": _("Where"),
        "from": _("From"),
        "effect": _("Effect"),
        "sure": _("How sure"),
        "chance_before": _("Chance before"),
        "chance_after": _("Chance after"),
    }
    return known | {key: key_name(key) for key in ("region", "line", "customer_type")}


def standing(state: Standing) -> tuple[str, str]:
    """Returns the answer of the week and at most two sentences."""
    total, months = state.progress.total, state.progress.months
    unit, year = state.currency, state.plan.target.year
    if months == 0:
        answer = _("The {year} target of {target} has a chance of {p}, as at its setting").format(
            year=year, target=money(total["target"], unit), p=chance(total["chance"])
        )
        return answer, _("No month of the year is over: nothing is known yet beyond the base rate.")
    if state.progress.law is None:
        reached = total["actual"] >= total["target"] - 0.005
        text = (
            _("{year} reached its target: {actual} of {target}")
            if reached
            else _("{year} missed its target: {actual} of {target}")
        )
        return text.format(year=year, actual=money(total["actual"], unit), target=money(total["target"], unit)), _(
            "The year is over."
        )
    answer = _("The {year} target of {target} now has a chance of {p}").format(
        year=year, target=money(total["target"], unit), p=chance(total["chance"])
    )
    moved = total["chance"] - state.start_chance
    last = state.plan.target.law.periods[months - 1]
    lede = _(
        "Through {month}, {actual} is booked and {needed} is still needed; {rest} is expected of the rest."
    ).format(
        month=month(last),
        actual=money(total["actual"], unit),
        needed=money(max(total["needed"], 0.0), unit),
        rest=money(total["rest_expected"], unit),
    )
    change = _("The chance was {p} when the target was set ({change} points).").format(
        p=percent(state.start_chance), change=signed(100 * moved)
    )
    return answer, f"{lede} {change}"


def weakest(state: Standing) -> tuple[str, str]:
    """Returns where the plan is at risk."""
    key = state.plan.target.law.keys[0]
    frame = state.progress.by(key).sort_values("chance", kind="stable")
    cells = state.progress.cells[state.progress.cells["target"] > 0]
    low = int((cells["chance"] < RISK).sum())
    first, last = frame.iloc[0], frame.iloc[-1]
    claim = _("{worst} is furthest from its target with a chance of {p}, {best} is surest with {q}").format(
        worst=first[key], p=chance(first["chance"]), best=last[key], q=chance(last["chance"])
    )
    why = ngettext(
        "{n} of {all} cells is below a {p} chance.", "{n} of {all} cells are below a {p} chance.", low
    ).format(n=number(low), all=number(len(cells)), p=percent(RISK))
    return claim, why


def progress_title() -> str:
    """Returns the title of the progress chart."""
    return _("Actual to date and expected year against target")


def progress_alt(frame: pd.DataFrame, key: str) -> str:
    """Returns the progress chart in words."""
    parts = [_("{name} {p}").format(name=row[key], p=chance(row["chance"])) for row in frame.to_dict("records")]
    return _("Chance of reaching the target: {parts}.").format(parts=listing(parts))


def held(state: Standing) -> tuple[str, str]:
    """Returns how often chances stated at this month held on past years, beside the hard call."""
    past = state.past
    if past is None or past.frame.empty:
        return (
            _("Chances at this month cannot be checked: no past year has three years before it"),
            _("From four full years on, past years are replayed with what was known then."),
        )
    years = past.frame["year"].nunique()
    if past.months == 0:
        claim = _("At the start of past years the chances were off by {b} on average (Brier)").format(
            b=number(past.brier, 3)
        )
    else:
        claim = _("At this month of past years chances erred by {b} (Brier), a run-rate call by {c}").format(
            b=number(past.brier, 3), c=number(past.brier_call, 3)
        )
    why = ngettext(
        "{n} past year was replayed to the same month with only what was known then; 0 is perfect, 0.25 a coin.",
        "{n} past years were replayed to the same month with only what was known then; 0 is perfect, 0.25 a coin.",
        years,
    )
    return claim, why.format(n=number(years))


def cases() -> str:
    """Returns the heading of a count of cells and years."""
    return _("Cells and years")


def teams(frame: pd.DataFrame) -> tuple[str, str]:
    """Returns how the teams stand."""
    low = frame.sort_values("chance", kind="stable").iloc[0]
    claim = _("{team} has the lowest chance of its quotas, {p}").format(team=low["team"], p=chance(low["chance"]))
    return claim, _("A person's actual is their share of the cells they work; a team's chance is its own, not a mean.")


def no_pipeline() -> tuple[str, str]:
    """Returns that no pipeline can be read, and what would let it."""
    return _("What is in the open pipeline"), _("Configure the tables deals and stage_history.")


def pipeline(state: Standing) -> tuple[str, str]:
    """Returns what the pipeline is worth, and whether it has told the months after it in the past."""
    found = state.pipeline
    deals, unit = found.deals, state.currency
    n = len(deals)
    if n == 0:
        return _("No deal is open"), _("What comes is repeat business and deals not yet known.")
    claim = ngettext(
        "{n} open deal is worth {worth} of its {amount}", "{n} open deals are worth {worth} of their {amount}", n
    ).format(
        n=number(n), worth=money(float(deals["worth"].sum()), unit), amount=money(float(deals["amount"].sum()), unit)
    )
    why = _("Worth is amount times the win rate of the stage, from deals closed before.")
    return claim, why + " " + signal(state.signal)


def signal(found: dict[str, float] | None) -> str:
    """Returns whether a fuller pipeline has meant more sales."""
    if not found or found["n"] < 24:
        return _("Too little history to say whether a fuller pipeline means more sales; it does not move the chances.")
    if not found["told"]:
        return _("On past months a fuller pipeline cannot be told to mean more sales, so it does not move the chances.")
    return _("On past months a pipeline fuller by 10 % meant {p} in sales of the next three months.").format(
        p=signed(found["slope"] * np.log(1.1), 1, lambda x: percent(x, 1))
    )


def alarms(found: Pipeline) -> list[str]:
    """Returns one sentence an alarm: which stage lags where, against its own history."""
    if found.alarms.empty:
        return [_("No stage lags more than chance explains.")]
    return [
        _("{place}, {stage}: {late} of {open} open deals stay longer than three in four did; {usual} is usual.").format(
            place=row["place"],
            stage=row["stage"],
            late=number(row["late"]),
            open=number(row["open"]),
            usual=percent(row["usual_share"]),
        )
        for row in found.alarms.to_dict("records")
    ]


def must_close(found: Pipeline) -> tuple[str, str]:
    """Returns what the largest open deals carry."""
    top = found.must_close()
    whole = float(found.deals["worth"].sum())
    share = float(top["worth"].sum()) / whole if whole > 0 else 0.0
    claim = ngettext(
        "{n} deal carries {p} of the pipeline's worth", "{n} deals carry {p} of the pipeline's worth", len(top)
    )
    return claim.format(n=number(len(top)), p=percent(share)), _(
        "Sorted by worth: what is won here moves the year most."
    )


def replan(result: Replan, currency: str) -> tuple[str, str]:
    """Returns what the shock does and what can be recovered."""
    names = listing([event.name for event in result.events])
    answer = _("{event}: the chance of the year's target goes from {p} to {q}").format(
        event=names, p=chance(result.chance_before), q=chance(result.kept_chance_total)
    )
    best = result.options.iloc[-1]
    middle = result.options.iloc[(result.options["move"] - 0.05).abs().argmin()]
    if best["gain"] <= 0:
        return answer, _("Moving targets between cells recovers nothing: they are equally hard already.")
    lede = _(
        "Moving {m} of the rest of the plan takes {gain} off the expected shortfalls, {share} of what moving can do."
    ).format(m=percent(middle["move"]), gain=money(middle["gain"], currency), share=percent(middle["share_of_gain"]))
    return answer, lede + " " + _("The total is kept: moving does not bring the lost sales back.")


def options(result: Replan, currency: str) -> tuple[str, str]:
    """Returns how the options compare."""
    frame = result.options
    parts = [
        _("{m} recovers {p}").format(m=percent(row["move"]), p=percent(row["share_of_gain"]))
        for row in frame.to_dict("records")
    ]
    claim = _("Of what moving can recover: {parts}").format(parts=listing(parts))
    frozen = ngettext("{n} month is over and keeps.", "{n} months are over and keep.", result.frozen).format(
        n=number(result.frozen)
    )
    return claim, frozen + " " + _(
        "Shortfall is the sum over cells of what is expected to be missing from their targets."
    )


def options_title() -> str:
    """Returns the title of the options chart."""
    return _("Expected shortfall taken away, by part of the plan moved")


def options_alt(frame: pd.DataFrame, currency: str) -> str:
    """Returns the options chart in words."""
    parts = [f"{percent(row['move'])} {money(row['gain'], currency)}" for row in frame.to_dict("records")]
    return _("Recovered by part moved: {parts}.").format(parts=listing(parts))


def event_table(result: Replan) -> pd.DataFrame:
    """Returns the events as a table."""
    rows = [
        [
            event.name,
            ", ".join(value for _key, value in event.keys) or _("all cells"),
            event.start,
            event.effect,
            event.sure,
        ]
        for event in result.events
    ]
    return pd.DataFrame(rows, columns=["event", "where", "from", "effect", "sure"])


def changes(frame: pd.DataFrame, move: float) -> tuple[str, str]:
    """Returns which cells an option moves."""
    if frame.empty:
        return _("No target changes"), ""
    up, down = int((frame["change"] > 0).sum()), int((frame["change"] < 0).sum())
    claim = _("With {m} moved, {down} cells come down and {up} go up").format(
        m=percent(move), down=number(down), up=number(up)
    )
    return claim, _("Sums of changes are zero to the cent; months that are over and locked cells are untouched.")
