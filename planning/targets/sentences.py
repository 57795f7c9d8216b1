"""What a plan says in words: numbers in, text out, in the current language."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from planning.language import _, chance, listing, money, ngettext, number, percent, signed

if TYPE_CHECKING:
    from planning.targets.adjustments import Adjusted
    from planning.targets.goal import Target
    from planning.targets.plan import Plan
    from planning.targets.reliability import Replay

LOW = 0.4


def key_name(key: str) -> str:
    """Returns a key column as a heading."""
    known = {
        "region": _("Region"),
        "line": _("Product line"),
        "customer_type": _("Customer type"),
        "person": _("Person"),
        "team": _("Team"),
        "channel": _("Channel"),
        "month": _("Month"),
    }
    return known.get(key, key.replace("_", " ").capitalize() if key.islower() else key)


def department(name: str) -> str:
    """Returns a department's name."""
    known = {"finance": _("finance"), "production": _("production"), "marketing": _("marketing")}
    return known.get(name, name)


def kind_of_capacity(kind: str) -> str:
    """Returns what a capacity limits, as words."""
    known = {
        "supply": _("supply"),
        "cash": _("cash"),
        "headcount": _("headcount"),
        "confirmation": _("department limit"),
    }
    return known.get(kind, kind)


def headline(plan: Plan) -> tuple[str, str]:
    """Returns the plan's answer and at most two sentences on what limits it."""
    goal = plan.target
    unit = goal.policy.currency
    if goal.policy.amount is None:
        text = _("We can commit to {commit} for {year} and aim for {target}: the chance of reaching the target is {p}")
    else:
        text = _("The target of {target} for {year} has a chance of {p}; {commit} is what we can commit to")
    answer = text.format(
        commit=money(goal.amount(goal.commit), unit),
        target=money(goal.amount(goal.target), unit),
        year=goal.year,
        p=chance(goal.attainment_probability),
    )
    return answer, " ".join(
        part for part in (growth_sentence(goal), limit_sentence(plan), standing_sentence(goal)) if part
    )


def growth_sentence(goal: Target) -> str:
    """Returns how the target stands against the last full year."""
    if not np.isfinite(goal.growth):
        return _("There were no sales last year to compare with.")
    year = goal.last_year_start.year if goal.last_year_start.month == 1 else goal.last_year_start.year + 1
    if abs(goal.growth) < 0.0005:
        return _("The target equals {year}.").format(year=year)
    text = _("The target is {p} above {year}.") if goal.growth > 0 else _("The target is {p} below {year}.")
    return text.format(p=percent(abs(goal.growth), 1), year=year)


def limit_sentence(plan: Plan) -> str:
    """Returns what capacity takes, or which cells are unlikely."""
    goal = plan.target
    parts = []
    lost = float(goal.attainable.lost["lost"].sum())
    if lost > 0.0005 * max(goal.expected, 1.0):
        worst = goal.attainable.lost.sort_values("lost", ascending=False).iloc[0]
        parts.append(
            _("Limits take {amount} off expected sales, most of it {kind} of {place}.").format(
                amount=money(lost, goal.policy.currency),
                kind=kind_of_capacity(worst["kind"]),
                place=place_name(worst["place"]),
            )
        )
    live = plan.cells[plan.cells["target"] > 0]
    low = int((live["attainment_probability"] < LOW).sum())
    if low:
        parts.append(
            ngettext(
                "{n} of {all} cells has less than a {p} chance.", "{n} of {all} cells have less than a {p} chance.", low
            ).format(n=number(low), all=number(len(live)), p=percent(LOW))
        )
    return " ".join(parts)


def standing_sentence(goal: Target) -> str:
    """Returns which departments reject or have not answered."""
    standing = goal.standing
    if standing.rejected:
        names = listing([department(name) for name in standing.rejected])
        return _("It cannot be final: rejected by {names}.").format(names=names)
    if standing.missing:
        names = listing([department(name) for name in standing.missing])
        return _("Not answered yet: {names}.").format(names=names)
    return _("All departments have confirmed it.")


def place_name(place: str) -> str:
    """Returns the cells of a rule; "total" in words."""
    return _("all cells") if place == "total" else place


def bridge_labels(plan: Plan) -> pd.DataFrame:
    """Returns the bridge with a label a row in the current language (`label, change, after, lo, hi, kind, step`)."""
    goal = plan.target
    year = goal.last_year_start.year
    fixed = {
        "last_year": _("{year} actual").format(year=year if goal.last_year_start.month == 1 else year + 1),
        "trend": _("Market and trend"),
        "base": _("Base forecast {year}").format(year=goal.year),
        "rest": _("Other limits"),
        "attainable": _("Attainable, expected"),
        "target": _("Target at {p}").format(p=percent(goal.attainment_probability)),
    }
    frame = goal.bridge.copy()
    frame["label"] = [fixed.get(row.step) or step_label(row.step, row.label) for row in frame.itertuples()]
    return frame


def step_label(step: str, label: str) -> str:
    """Returns an adjustment's or a limit's step of the bridge in words."""
    first, _bar, second = label.partition("|")
    if step == "capacity":
        return _("Limit: {kind}, {place}").format(kind=kind_of_capacity(second), place=place_name(first))
    return _("{reason}, {place}").format(reason=first, place=place_name(second))


def bridge_finding(plan: Plan) -> tuple[str, str]:
    """Returns the claim and the reading of the bridge."""
    goal, frame = plan.target, plan.target.bridge
    unit = goal.policy.currency
    trend = float(frame.loc[frame["step"] == "trend", "change"].iloc[0])
    verb = _("The base forecast adds {amount}") if trend >= 0 else _("The base forecast takes away {amount}")
    claim = verb.format(amount=money(abs(trend), unit))
    changed = float(frame.loc[frame["step"].isin(["adjustment", "capacity", "rest"]), "change"].sum())
    if abs(changed) >= 0.0005 * max(goal.expected, 1.0):
        text = (
            _("{claim}; adjustments and limits add {amount}")
            if changed > 0
            else _("{claim}; adjustments and limits take back {amount}")
        )
        claim = text.format(claim=claim, amount=money(abs(changed), unit))
    why = _("Dots are totals, bars are changes, the pale line is the 80 % interval.")
    side = goal.amount(goal.target) - goal.expected
    if goal.policy.amount is None and abs(side) > 0.0005 * max(goal.expected, 1.0):
        why += " " + (
            _("The target lies above the expected value because the policy asks for a chance of {p}.")
            if side > 0
            else _("The target lies below the expected value because the policy asks for a chance of {p}.")
        ).format(p=percent(goal.policy.target))
    return claim, why


def bridge_alt(plan: Plan) -> str:
    """Returns the bridge in words."""
    unit = plan.target.policy.currency
    frame = bridge_labels(plan)
    totals = frame[frame["kind"] == "total"]
    parts = [f"{row.label} {money(row.after, unit)}" for row in totals.itertuples()]
    return _("Bridge from last year to the target: {steps}.").format(steps=listing(parts))


def heat_frame(plan: Plan) -> pd.DataFrame:
    """Returns chance and growth of each cell of the first two keys; `total` stands in the margins."""
    keys = list(plan.target.law.keys)[:2]
    cells = plan.cells
    if len(keys) == 1:
        keys = keys * 1
    rows = []
    for name in [*sorted(cells[keys[0]].unique()), "total"]:
        for other in [*sorted(cells[keys[1]].unique()), "total"] if len(keys) > 1 else ["total"]:
            inside = np.ones(len(cells), dtype=bool) if name == "total" else (cells[keys[0]] == name).to_numpy()
            if len(keys) > 1 and other != "total":
                inside = inside & (cells[keys[1]] == other).to_numpy()
            if not inside.any():
                continue
            amount = plan.target.amount(int(cells["minor"].to_numpy()[inside].sum()))
            last = float(cells["last_year"].to_numpy()[inside].sum())
            row = dict(zip(keys, (name, other)))
            rows.append(
                row
                | {
                    "target": amount,
                    "growth": amount / last - 1 if last > 0 else np.nan,
                    "attainment_probability": plan.target.attainable.total_probability(amount, inside),
                }
            )
    return pd.DataFrame(rows)


def cells_finding(plan: Plan) -> tuple[str, str]:
    """Returns which cells carry the risk, and how to read the heat map."""
    keys = list(plan.target.law.keys)[:2]
    frame = heat_frame(plan)
    inner = frame[(frame[keys] != "total").all(axis=1) & (frame["target"] > 0)]
    low = inner[inner["attainment_probability"] < LOW]
    if low.empty:
        least, most = inner["attainment_probability"].min(), inner["attainment_probability"].max()
        claim = _("No cell is left alone: chances run from {lo} to {hi}").format(lo=chance(least), hi=chance(most))
    else:
        key = keys[-1]
        worst = low.groupby(key)["target"].count().sort_values(ascending=False, kind="stable").index[0]
        claim = ngettext(
            "{n} of the map's {all} fields has less than a {p} chance, in {worst}",
            "{n} of the map's {all} fields have less than a {p} chance, most in {worst}",
            len(low),
        ).format(n=number(len(low)), all=number(len(inner)), p=percent(LOW), worst=worst)
    why = _(
        "Upper figure: chance of reaching the cell's target. Lower figure: target against last year. "
        "Sums have a chance of their own, because good and bad years are only partly shared."
    )
    binding = [rule_text(rule, plan.target.policy.currency) for rule in plan.binding[:2]]
    return claim, " ".join([why, *(_("At its limit: {rule}.").format(rule=text) for text in binding)])


def rule_text(rule: dict, currency: str) -> str:
    """Returns a rule that stands at its limit: where, and what it allows."""
    place = ", ".join(str(value) for value in rule["keys"].values()) or _("all cells")
    amount = money(rule["limit"], currency)
    if rule["rule"] == "lock":
        return _("{place} locked at {amount}").format(place=place, amount=amount)
    text = _("{place} at least {amount}") if rule["side"] == "least" else _("{place} at most {amount}")
    return text.format(place=place, amount=amount)


def reliability_finding(replay: Replay) -> tuple[str, str]:
    """Returns how often stated chances held on the company's own past years."""
    if replay.positions.empty:
        return (
            _("Stated chances could not be checked: no past year has three years before it"),
            _("From four full years on, past years are replayed with what was known then."),
        )
    reached = replay.reached()
    cells = reached[reached["level"] == "cell"]
    worst = cells.iloc[(cells["reached"] - cells["chance"]).abs().argmax()]
    years = int(cells["years"].iloc[0])
    claim = _(
        "On our own past, a stated chance of {stated} came true {reached} of the time at its furthest off"
    ).format(stated=percent(worst["chance"]), reached=percent(worst["reached"]))
    why = ngettext(
        "{n} past year was replayed with only what was known before it.",
        "{n} past years were replayed with only what was known before each.",
        years,
    ).format(n=number(years))
    if years < 8:
        why += " " + _("So few years say little about the total: its intervals are wide.")
    return claim, why


def weight_sentence(adjusted: Adjusted) -> str:
    """Returns what past adjustments were worth."""
    if adjusted.applied.empty and adjusted.log_rows == 0:
        return _("No planner adjusted the forecast.")
    if adjusted.log_rows == 0:
        return _("No past adjustment can be judged yet, so each counts for {p} of what it says.").format(
            p=percent(adjusted.weight)
        )
    return ngettext(
        "Adjustments count for {p} of what they say: that is what {n} past one was worth.",
        "Adjustments count for {p} of what they say: that is what {n} past ones were worth.",
        adjusted.log_rows,
    ).format(p=percent(adjusted.weight), n=number(adjusted.log_rows))


def ratchet_sentence(goal: Target) -> str:
    """Returns how much of last year's surprise enters this year's base: the ratchet is damped, and shown."""
    base = goal.bridge.loc[goal.bridge["step"] == "trend", "change"]
    last = float(goal.last_year.sum())
    if last <= 0 or base.empty:
        return ""
    return _(
        "The base grows by {p} on last year, from several years' growth of cell and peers, not from last year's alone."
    ).format(p=signed(float(base.iloc[0]) / last, 1, lambda x: percent(x, 1)))


def labels() -> dict[str, str]:
    """Returns the headings of the plan's tables."""
    return {
        "target": _("Target"),
        "expected": _("Expected"),
        "last_year": _("Last year"),
        "growth": _("Growth"),
        "attainment_probability": _("Chance"),
        "locked": _("Locked"),
        "month": _("Month"),
        "step": _("Step"),
        "label": _("Step"),
        "change": _("Change"),
        "after": _("After"),
        "lo": _("From"),
        "hi": _("To"),
        "level": _("Level"),
        "chance": _("Chance stated"),
        "reached": _("Share reached"),
        "hits": _("Reached"),
        "n": _("Of"),
        "years": _("Years"),
        "department": _("Department"),
        "place": _("Where"),
        "status": _("Status"),
        "limit": _("Limit"),
        "comment": _("Comment"),
        "kind": _("Kind"),
        "owner": _("Owner"),
        "amount": _("Amount"),
        "lost": _("Lost sales"),
        "expected_demand": _("Expected demand"),
        "author": _("Author"),
        "reason": _("Reason"),
        "asked": _("Asked for"),
        "weight": _("Weight"),
        "group": _("Group"),
        "fva": _("Value added"),
        "fva_weighted": _("Value added at the weight"),
        "total": _("Total"),
        "told": _("Differs"),
        "plan_view": _("Forecast"),
        "market_view": _("Market view"),
        "difference": _("Difference"),
        "year": _("Year"),
        "currency": _("Currency"),
        "interval_80": _("80 % interval"),
        "last_year_start": _("Last year from"),
        "lost_to_capacity": _("Lost to limits"),
        "adjustment_weight": _("Weight of adjustments"),
        "seed": _("Seed"),
        "commit": _("Commit"),
        "stretch": _("Stretch"),
    }


def level_name(level: str) -> str:
    """Returns a level of the reliability table in words."""
    return {"cell": _("cells"), "total": _("total")}.get(level, key_name(level))


def exceed_note() -> str:
    """Returns what the chance beside last year's actual means."""
    return _("chance to exceed it")


def bridge_title(plan: Plan) -> str:
    """Returns the title of the bridge."""
    return _("From last year's actual to the {year} target").format(year=plan.target.year)


def heat_title() -> str:
    """Returns the title of the heat map."""
    return _("Chance of attainment and target growth")
