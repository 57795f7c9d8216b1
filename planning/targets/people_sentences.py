"""What quotas say in words: one sentence a person, the fairness panel, authority and KPIs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from planning.language import _, chance, money, ngettext, number, percent, signed
from planning.targets import sentences

if TYPE_CHECKING:
    from planning.targets.workspace import PeopleView


def labels() -> dict[str, str]:
    """Returns the headings of the people's tables."""
    return sentences.labels() | {
        "person_id": _("Person"),
        "name": _("Name"),
        "team": _("Team"),
        "region": _("Region"),
        "quota": _("Quota"),
        "quota_last_year": _("Quota last year"),
        "reason": _("Reason"),
        "people": _("People"),
        "quotas": _("Sum of quotas"),
        "over_assignment": _("Over-assignment"),
        "chance_target": _("Chance of the target"),
        "chance_quotas": _("Chance of all quotas"),
        "measure": _("Measure"),
        "value": _("Value"),
        "difficulty": _("Difficulty"),
        "band": _("Discount alone"),
        "fund": _("Discount fund"),
        "expected_cost": _("Expected margin cost"),
        "kpi": _("KPI"),
        "measured_by": _("Measured by"),
        "due": _("Due"),
        "team_value": _("Team"),
        "mean": _("Expected bonus"),
        "p10": _("Low bonus"),
        "p90": _("High bonus"),
        "chance": _("Chance"),
    }


def headline(view: PeopleView) -> tuple[str, str]:
    """Returns how hard the quotas are and what over-assignment does."""
    quotas, teams = view.plan.quotas, view.plan.teams
    claim = ngettext(
        "{n} person carries the plan, with a chance of {p}",
        "{n} people carry the plan, each with a chance near {p}",
        len(quotas),
    ).format(n=number(len(quotas)), p=chance(float(quotas["chance"].median())))
    over = float(teams["quotas"].sum() / teams["target"].sum() - 1)
    text = _("Quotas sum to {over} over the targets; a team reaches its target with {p}, all of its quotas with {q}.")
    why = text.format(
        over=percent(over, 1),
        p=chance(float(teams["chance_target"].mean())),
        q=chance(float(teams["chance_quotas"].mean())),
    )
    lost = float(view.plan.unassigned["target"].sum())
    if lost > 0:
        why += " " + _("Cells worth {amount} have nobody.").format(amount=money(lost, view.plan.currency))
    return claim, why


def quota_table(view: PeopleView) -> pd.DataFrame:
    """Returns each person's quota beside last year's, with the reason in a sentence."""
    frame = view.plan.quotas
    reasons = [reason(row, view.plan.currency) for row in frame.to_dict("records")]
    columns = [c for c in ("person_id", "name", "team", "quota", "quota_last_year", "chance") if c in frame]
    return frame[columns].assign(reason=reasons)


def reason(row: dict, currency: str) -> str:
    """Returns why a person's quota is what it is, against last year's."""
    if row["locked"]:
        return _("Locked at {amount}.").format(amount=money(row["quota"], currency))
    growth = signed(row["territory_growth"], 1, lambda x: percent(x, 1))
    if row["new"]:
        text = _("New: counts for {capacity} of a full year; the territory changes by {growth}.")
        return text.format(capacity=percent(row["capacity"]), growth=growth)
    last = row.get("quota_last_year")
    if last is None or not np.isfinite(last) or last <= 0:
        return _("No quota last year; the territory changes by {growth}.").format(growth=growth)
    change = signed(row["quota"] / last - 1, 0, percent)
    text = _("{change} on last year's {last}: the territory is expected at {expected} ({growth}).")
    sentence = text.format(
        change=change, last=money(last, currency), expected=money(row["expected"], currency), growth=growth
    )
    if row["capacity"] < 0.995:
        sentence += " " + _("Counts for {capacity} of a full year.").format(capacity=percent(row["capacity"]))
    return sentence


def fairness_finding(view: PeopleView) -> tuple[str, str]:
    """Returns how evenly hard the quotas are, and what limits that."""
    panel = view.fairness.set_index("measure")["value"]
    claim = _("Chances spread by {points} points between people").format(points=number(100 * panel["spread"], 1))
    why = _("With territories known to 10 %, the true spread is about 13 points; only better estimates lower it.")
    return claim, why


def fairness_table(view: PeopleView) -> pd.DataFrame:
    """Returns the fairness panel in words."""
    names = {
        "spread": _("Spread of chances (sd)"),
        "p10": _("Chance, lowest tenth"),
        "p90": _("Chance, highest tenth"),
        "hires": _("Chance, hires"),
        "others": _("Chance, others"),
        "corr_size": _("Correlation with size of territory"),
        "corr_tenure": _("Correlation with tenure"),
        "within_80_120": _("Expected within 80 to 120 % of quota"),
    }
    frame = view.fairness
    shown = [number(v, 2) if m.startswith("corr") else percent(v, 1) for m, v in zip(frame["measure"], frame["value"])]
    return pd.DataFrame({"measure": [names[m] for m in frame["measure"]], "value": shown})


def authority_finding(view: PeopleView) -> tuple[str, str]:
    """Returns what discount people may give alone, and what that is expected to cost."""
    frame = view.authority
    claim = _("Discounts of up to {lo} to {hi} need no approval; expected cost {cost}").format(
        lo=percent(float(frame["band"].min()), 1),
        hi=percent(float(frame["band"].max()), 1),
        cost=money(float(frame["expected_cost"].sum()), view.plan.currency),
    )
    why = _(
        "The harder the quota, the wider the band, never through the floor margin of {floor}. Beyond it people decide."
    )
    cost, fund = float(frame["expected_cost"].sum()), float(frame["fund"].sum())
    covered = _("The year's fund of {fund} covers {p} of the expected cost.").format(
        fund=money(fund, view.plan.currency), p=percent(min(fund / cost, 1.0) if cost > 0 else 1.0)
    )
    return claim, why.format(floor=percent(float(frame["floor_margin"].iloc[0]))) + " " + covered


def kpi_table(view: PeopleView) -> pd.DataFrame:
    """Returns the KPIs in SMART form, in words."""
    names = {
        "amount": _("Sales"),
        "margin": _("Margin"),
        "new_customers": _("New customers"),
        "collection_rate": _("Collection rate"),
    }
    measured = {
        "amount": _("Sales booked in the assigned cells"),
        "margin": _("Margin booked in the assigned cells"),
        "new_customers": _("Accounts with a first order in the year"),
        "collection_rate": _("Share of invoices settled by their due date"),
    }
    unit = view.plan.currency

    def shown(kpi: str, value: float) -> str:
        if kpi == "collection_rate":
            return percent(value)
        return number(value) if kpi == "new_customers" else money(value, unit)

    frame = view.kpis
    return frame.assign(
        kpi=[names[k] for k in frame["kpi"]],
        value=[shown(k, v) for k, v in zip(frame["kpi"], frame["value"])],
        measured_by=[measured[k] for k in frame["kpi"]],
        team_value=[shown(k, v) for k, v in zip(frame["kpi"], frame["team_value"])],
    )
