"""The page of the annual targets: which sentence, picture and table stands where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from planning import charts
from planning.language import chance, money
from planning.targets import judgement_sentences as judgement
from planning.targets import people_sentences as words
from planning.targets import sentences
from planning.targets.adjustments import value_added
from planning.targets.annual import plan_tables
from planning.targets.authority import by_region
from planning.targets.outlook import ANNUAL

if TYPE_CHECKING:
    from planning.targets.history import Panel
    from planning.targets.plan import Plan
    from planning.targets.reliability import Replay
    from planning.targets.workspace import PeopleView

MONEY = {"target": "money", "expected": "money", "last_year": "money", "growth": "percent"}


def show_answer(step: Any, plan: Plan, panel: Panel) -> None:
    """The answer, and commit, target, stretch and last year with their chances."""
    goal, unit = plan.target, plan.target.policy.currency
    step.answer(*sentences.headline(plan))
    names = sentences.labels()
    for name in ("commit", "target", "stretch"):
        amount = goal.amount(getattr(goal, name))
        p = goal.attainable.total_probability(amount)
        step.number(name, amount, label=names[name], text=money(amount, unit), chance=p, lead=name == "target")
    last = float(goal.last_year.sum())
    step.number(
        "last_year",
        last,
        label=sentences.bridge_labels(plan)["label"].iloc[0],
        text=money(last, unit),
        chance=goal.attainable.total_probability(last),
        note=sentences.exceed_note(),
    )
    step.number(
        "attainment_probability",
        goal.attainment_probability,
        label=names["attainment_probability"],
        text=chance(goal.attainment_probability),
    )
    for reason, rows in panel.left_out:
        step.left_out(judgement.left_out_reason(reason), rows, done=judgement.left_out_done(reason))


def show_bridge(step: Any, plan: Plan) -> None:
    """The road from last year to the target."""
    frame = sentences.bridge_labels(plan)
    step.finding("bridge", *sentences.bridge_finding(plan))
    step.chart(
        "bridge",
        charts.targets.bridge,
        frame,
        alt=sentences.bridge_alt(plan),
        title=sentences.bridge_title(plan),
        currency=plan.target.policy.currency,
    )
    _table(
        step,
        "bridge",
        frame[["label", "change", "after", "lo", "hi", "kind", "step"]],
        formats={"change": "money", "after": "money", "lo": "money", "hi": "money"},
        details=True,
    )


def show_cells(step: Any, plan: Plan) -> None:
    """Chance and growth of every cell, and the plan by cell."""
    keys = list(plan.target.law.keys)
    names = sentences.labels()
    step.finding("cells", *sentences.cells_finding(plan))
    if len(keys) > 1:
        heat = sentences.heat_frame(plan)
        _table(
            step,
            "heat",
            heat,
            keys=tuple(keys),
            title=sentences.heat_title(),
            formats=MONEY | {"attainment_probability": "probability"},
            heat={
                "rows": keys[0],
                "columns": keys[1],
                "chance": "attainment_probability",
                "second": "growth",
                "limit": sentences.LOW,
            },
        )
    cells = plan.cells[[*keys, "target", "expected", "attainment_probability", "growth", "locked", "last_year"]]
    total = {name: float(cells[name].sum()) for name in ("target", "expected", "last_year")}
    _table(
        step,
        "cells",
        cells,
        keys=tuple(keys),
        formats=MONEY | {"attainment_probability": "probability"},
        details=True,
        total={keys[0]: names["total"], **total},
    )
    tables = plan_tables(plan)
    months = tables["targets"].assign(target=tables["targets"]["target"].astype(float))
    months["month"] = pd.to_datetime(months["month"])
    _table(step, "targets", months, keys=tuple(keys), formats={"target": "money", "month": "month"}, details=True)


def show_reliability(step: Any, replay: Replay) -> None:
    """How often stated chances held on the company's own past."""
    step.finding("reliability", *sentences.reliability_finding(replay))
    if replay.positions.empty:
        return
    frame = replay.reached()
    frame = frame.assign(level=[sentences.level_name(level) for level in frame["level"]])
    _table(
        step,
        "reliability",
        frame[["level", "chance", "reached", "lo", "hi", "hits", "n", "years"]],
        formats={
            "chance": "percent",
            "reached": "percent",
            "lo": "percent",
            "hi": "percent",
            "hits": "integer",
            "n": "integer",
            "years": "integer",
        },
    )


def show_judgement(step: Any, plan: Plan) -> None:
    """What planners changed, what such changes were worth, what limits cut, and who has answered."""
    goal = plan.target
    step.finding("judgement", sentences.weight_sentence(goal.adjusted), sentences.ratchet_sentence(goal))
    if len(goal.adjusted.applied):
        _table(
            step,
            "adjustments",
            judgement.adjustment_table(goal.adjusted),
            formats={"asked": "money", "change": "money", "weight": "percent"},
        )
    log = goal.adjusted.log
    if log is not None and len(log):
        parts = [
            value_added(log),
            value_added(log, "direction"),
            value_added(log, "reason"),
            value_added(log, "author"),
        ]
        _table(
            step,
            "value_added",
            judgement.value_table(pd.concat(parts, ignore_index=True)),
            formats={"fva": "percent", "lo": "percent", "hi": "percent", "fva_weighted": "percent", "n": "integer"},
            details=True,
        )
    if len(goal.attainable.lost):
        _table(
            step,
            "capacity",
            judgement.capacity_table(goal.attainable.lost),
            formats={"amount": "money", "expected_demand": "money", "lost": "money", "chance": "percent"},
        )


def show_standing(step: Any, plan: Plan) -> None:
    """What the departments said, the market's view, and what cannot be told."""
    goal = plan.target
    step.finding("departments", *judgement.standing_finding(goal))
    if len(goal.standing.answers):
        _table(step, "departments", judgement.standing_table(goal), formats={"limit": "money"})
    for question, answer in judgement.cannot_tell(plan):
        step.cannot_tell(question, answer)


def show_market(step: Any, plan: Plan, view: pd.DataFrame | None) -> None:
    """Market potential times share as a second view of the expected sales, with its own error."""
    if view is None or view.empty:
        return
    step.finding("market", *judgement.market_finding(view))
    _table(
        step,
        "market",
        view,
        keys=tuple(plan.target.law.keys),
        formats={"plan_view": "money", "market_view": "money", "lo": "money", "hi": "money", "difference": "percent"},
        details=True,
    )


def show_people(step: Any, view: PeopleView | None) -> None:
    """Quotas of teams and people, how fair they are, discount authority and KPIs; nothing where no people are known."""
    if view is None:
        return
    names = words.labels()
    formats = {
        "quota": "money",
        "quota_last_year": "money",
        "chance": "probability",
        "target": "money",
        "quotas": "money",
        "over_assignment": "percent",
        "chance_target": "probability",
        "chance_quotas": "probability",
        "band": "percent",
        "difficulty": "percent",
        "fund": "money",
        "expected_cost": "money",
        "due": "date",
        "mean": "percent",
        "p10": "percent",
        "p90": "percent",
    }
    tables = {
        "people": (
            words.headline(view),
            [("teams", view.plan.teams, False), ("quotas", words.quota_table(view), True)],
        ),
        "fairness": (words.fairness_finding(view), [("fairness", words.fairness_table(view), False)]),
        "authority": (
            words.authority_finding(view),
            [
                ("authority_by_region", by_region(view.authority), False),
                ("authority", view.authority.drop(columns=["limited_by_margin", "floor_margin"]), True),
                ("kpis", words.kpi_table(view), True),
                ("bonus", view.bonus[["person_id", "mean", "p10", "p90"]], True),
            ],
        ),
    }
    for finding, (text, parts) in tables.items():
        step.finding(finding, *text)
        for name, frame, details in parts:
            step.tabulate(
                name,
                frame,
                headings={c: names[c] for c in frame.columns if c in names},
                formats={c: formats[c] for c in frame.columns if c in formats},
                details=details,
            )


def keep_summary(step: Any, plan: Plan) -> None:
    """One row of plain numbers for later notebooks."""
    summary = {name: value for name, value in plan.summary().items() if isinstance(value, int | float | str)}
    own = plan.target.adjusted.joint.meta.get("method") == ANNUAL
    summary["base"] = "outlook" if own else "demand_forecast"  # as the notebook's parameter `forecast` says it
    formats = dict.fromkeys(("total", "commit", "target", "stretch", "expected", "last_year"), "money")
    formats |= {"attainment_probability": "percent", "growth": "percent"}
    _table(step, "summary", pd.DataFrame([summary]), formats=formats, details=True)


def _table(step: Any, name: str, frame: pd.DataFrame, *, keys: tuple[str, ...] = (), **options: Any) -> None:
    """Keeps a table with the headings and formats of the columns it has."""
    names = sentences.labels() | {key: sentences.key_name(key) for key in keys}
    formats = {column: kind for column, kind in options.pop("formats", {}).items() if column in frame}
    headings = {column: names[column] for column in frame.columns if column in names}
    step.tabulate(name, frame, headings=headings, formats=formats, **options)
