"""The page of pilots: what a step says of a `PilotPlan`, a function a cell of the notebook."""

from __future__ import annotations

from typing import Any

import pandas as pd

from planning import charts
from planning.budget import pilot_sentences as words
from planning.budget import sentences
from planning.budget.pilots import LEVEL
from planning.budget.trial import POWER, PilotPlan
from planning.language import chance, percent


def show_answer(step: Any, plan: PilotPlan, currency: str) -> Any:
    """Says which pilot to run, or that none can be read, with its key numbers."""
    if plan.refused:
        return step.refuse(*sentences.refusal(plan.refused))
    best, names = plan.best.iloc[0].to_dict(), words.labels()
    figures = plan.figures | {"longest": int(plan.proposals["length"].max())}
    step.number(
        "power", best["power"], label=names["power"], text=chance(best["power"]), chance=best["power"], lead=True
    )
    step.number("smallest", best["smallest"], label=names["smallest"], text=percent(best["smallest"], 1))
    step.number("cost", best["cost"], label=names["cost"], text=words.cost_text(best["cost"], currency))
    if figures["aa_tests"]:
        step.number("aa_rate", figures["aa_rate"], label=names["aa"], text=percent(figures["aa_rate"], 1))
    return step.answer(words.answer(figures, best), words.lede(figures, best))


def show_proposals(step: Any, plan: PilotPlan) -> Any:
    """Shows each line's best pilot: expected effect against the smallest that shows, and all possible pilots."""
    if plan.refused:
        return None
    names, figures, best = words.labels(), plan.figures, plan.best
    step.finding(
        "proposals",
        words.proposals_finding(figures["readable"], figures["lines"]),
        words.proposals_why(figures["placebos"]),
    )
    frame = pd.DataFrame(
        {"label": best["line"], "expected": best["effect"], "smallest": best["smallest"], "power": best["power"]}
    )
    rows = list(best[["line", "effect", "smallest"]].itertuples(index=False, name=None))
    step.chart("proposals", charts.budget.detectable, frame, alt=words.alt(rows), title=names["chart"])
    _table(step, "best_pilots", best, names["proposals"], details=False)
    _table(step, "pilot_options", plan.proposals, names["proposals"], details=True)
    step.text("carries", words.carries_text(figures))
    return step.text("aa", words.aa_text(figures["aa_rate"], figures["aa_tests"])) if figures["aa_tests"] else None


def show_readings(step: Any, plan: PilotPlan) -> Any:
    """Shows what finished pilots did, read from the sales, and what they added to the curves."""
    if plan.refused:
        return None
    readings, names = plan.readings, words.labels()
    shown = int((readings["p"] <= LEVEL).sum())
    step.finding("readings", words.readings_finding(shown, len(readings)), words.readings_why())
    known = readings[readings["effect"].notna()]
    if len(known):
        frame = pd.DataFrame(
            {
                "label": known["line"] + ", " + known["region"],
                "value": known["effect"],
                "lo": known["lo"],
                "hi": known["hi"],
            }
        )
        told = [
            words.reading_text(*row)
            for row in known[["line", "region", "effect", "lo", "hi", "p"]].itertuples(index=False)
        ]
        step.chart(
            "readings",
            charts.intervals,
            frame,
            alt="; ".join(told),
            title=names["readings"],
            kind="percent",
            reference=0.0,
        )
    if len(readings):
        formats = {
            "recorded": "money",
            "delta": "money",
            "effect": "percent",
            "lo": "percent",
            "hi": "percent",
            "p": "ratio",
        }
        headings = {name: names[name] for name in readings.columns} | {"effect": names["delta"]}
        step.tabulate(
            "finished_pilots", readings, title=names["readings"], headings=headings, formats=formats, details=True,
            words={"test": words.test_words()},
        )  # fmt: skip
    for at, row in enumerate(plan.learned.itertuples(index=False), start=1):
        step.text(f"learned_{at}", words.learned_text(*row))
    return None


def show_limits(step: Any, plan: PilotPlan) -> Any:
    """Says which lines' pilots cannot be read and what would help."""
    for reason in plan.refused[:6]:
        step.cannot_tell(sentences.refused_question(), reason)
    if plan.refused:
        return None
    for row in plan.best[plan.best["basis"] == "break-even"].to_dict("records"):
        step.cannot_tell(*words.break_even(row["line"]))
    hidden = list(plan.best.loc[(plan.best["basis"] == "expected") & (plan.best["power"] < POWER), "line"])
    if hidden:
        step.cannot_tell(*words.unreadable(hidden))
    return None


def _table(step: Any, name: str, frame: pd.DataFrame, title: str, *, details: bool) -> Any:
    names = words.labels()
    formats = {"effect": "percent", "smallest": "percent", "power": "probability", "cost": "money", "count": "integer"}
    headings = {column: names[column] for column in frame.columns}
    return step.tabulate(
        name, frame, title=title, headings=headings, formats=formats | {"length": "integer"}, details=details,
        words={"basis": words.basis_words()},
    )  # fmt: skip
