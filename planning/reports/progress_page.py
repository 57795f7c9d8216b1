"""The pages of the year under way: weekly progress, and a plan made again after a shock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from planning import charts
from planning.language import chance, money
from planning.targets import year_sentences as words

if TYPE_CHECKING:
    from planning.targets.replan import Replan
    from planning.targets.workspace import Standing

FORMATS = {
    "target": "money",
    "actual": "money",
    "expected": "money",
    "needed": "money",
    "rest_expected": "money",
    "chance": "probability",
    "attainment": "percent",
    "amount": "money",
    "worth": "money",
    "age": "integer",
    "win_rate": "percent",
    "open": "integer",
    "late": "integer",
    "usual_days": "number",
    "median_days": "number",
    "usual_share": "percent",
    "n": "integer",
    "quota": "money",
    "move": "percent",
    "moved": "money",
    "shortfall": "money",
    "gain": "money",
    "share_of_gain": "percent",
    "cells": "integer",
    "before": "money",
    "after": "money",
    "change": "money",
    "effect": "percent",
    "sure": "percent",
    "from": "date",
}


def _table(step: Any, name: str, frame: pd.DataFrame, **options: Any) -> None:
    names = words.labels()
    step.tabulate(
        name,
        frame,
        headings={column: names[column] for column in frame.columns if column in names},
        formats={column: FORMATS[column] for column in frame.columns if column in FORMATS},
        **options,
    )


def show_standing(step: Any, standing: Standing) -> None:
    """The answer: the chance of the year's target now, and by how much it moved."""
    state, unit = standing.progress, standing.currency
    names = words.labels()
    step.answer(*words.standing(standing))
    total = state.total
    step.number(
        "chance",
        total["chance"],
        label=names["chance"],
        text=chance(total["chance"]),
        chance=total["chance"],
        lead=True,
    )
    for name in ("actual", "expected", "target"):
        step.number(name, total[name], label=names[name], text=money(total[name], unit))


def show_cells(step: Any, standing: Standing) -> None:
    """Chance of every region and line, and of every cell."""
    keys = list(standing.plan.target.law.keys)
    step.finding("cells", *words.weakest(standing))
    frame = standing.progress.by(keys[0])
    step.chart(
        "progress",
        charts.targets.progress,
        frame.rename(columns={keys[0]: "label"}),
        alt=words.progress_alt(frame, keys[0]),
        title=words.progress_title(),
        currency=standing.currency,
    )
    for key in keys[:2]:
        _table(step, f"by_{key}", standing.progress.by(key), details=True)
    _table(step, "cells", standing.progress.cells.drop(columns=["unique_id"]), details=True)


def show_held(step: Any, standing: Standing) -> None:
    """How often chances stated at this month held on past years."""
    if standing.progress.law is None:
        return
    step.finding("held", *words.held(standing))
    if standing.past is not None and len(standing.past.frame):
        frame = standing.past.table()
        step.tabulate(
            "held",
            frame,
            headings={
                "band": words.labels()["band"],
                "chance": words.labels()["chance"],
                "reached": words.labels()["reached"],
                "n": words.cases(),
            },
            formats={"chance": "percent", "reached": "percent", "n": "integer"},
        )


def show_people(step: Any, standing: Standing) -> None:
    """Chance of every team and person, where people are known."""
    if standing.people is None:
        return
    step.finding("people", *words.teams(standing.teams))
    _table(step, "teams", standing.teams)
    _table(step, "people", standing.people, details=True)


def show_pipeline(step: Any, standing: Standing) -> None:
    """What is open and worth how much, which stages lag, what must close."""
    pipeline = standing.pipeline
    if pipeline is None:
        step.cannot_tell(*words.no_pipeline())
        return
    step.finding("pipeline", *words.pipeline(standing))
    _table(step, "stages", pipeline.stages)
    for number, sentence in enumerate(words.alarms(pipeline), start=1):
        step.text(f"alarm_{number}", sentence)
    if len(pipeline.alarms):
        _table(step, "alarms", pipeline.alarms.drop(columns=["p_value"]), details=True)
    step.finding("must_close", *words.must_close(pipeline))
    _table(step, "must_close", pipeline.must_close())


def show_replan(step: Any, result: Replan, currency: str) -> None:
    """The answer, the options, and what each changes."""
    step.answer(*words.replan(result, currency))
    names = words.labels()
    step.number(
        "chance_before",
        result.chance_before,
        label=names["chance_before"],
        text=chance(result.chance_before),
        chance=result.chance_before,
    )
    step.number(
        "chance_after",
        result.kept_chance_total,
        label=names["chance_after"],
        text=chance(result.kept_chance_total),
        chance=result.kept_chance_total,
        lead=True,
    )
    step.finding("options", *words.options(result, currency))
    frame = result.options
    step.chart(
        "options",
        charts.targets.options,
        frame,
        alt=words.options_alt(frame, currency),
        title=words.options_title(),
        currency=currency,
    )
    _table(step, "options", frame)
    _table(step, "events", words.event_table(result))


def show_changes(step: Any, result: Replan, move: float, changes: pd.DataFrame) -> None:
    """Which cells an option moves, the largest first."""
    step.finding("changes", *words.changes(changes, move))
    _table(step, "changes", changes)
