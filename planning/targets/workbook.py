"""What plan.xlsx says and holds: words and numbers in, no cells of a sheet here (those are written by reports)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from planning import language
from planning.language import _
from planning.targets import sentences
from planning.targets.plan import Plan
from planning.targets.versions import Version


@dataclass(frozen=True)
class WorkbookContent:
    """A plan as a workbook.

    facts: (label, text or number, kind) lines of the first sheet. margins: (sheet name, key, frame) one a key. cells:
    one row a cell. months: cells x 12 minor units. meta: what the import needs (plan_id, keys, digits).
    """

    title: str
    lede: str
    facts: list[tuple[str, object, str]]
    labels: dict[str, str]
    keys: tuple[str, ...]
    key_names: tuple[str, ...]
    cells: pd.DataFrame
    months: np.ndarray
    month_names: tuple[str, ...]
    quarter_names: tuple[str, ...]
    margins: list[tuple[str, str, pd.DataFrame]]
    digits: int
    currency: str
    meta: dict[str, str]


def workbook_content(plan: Plan, version: Version) -> WorkbookContent:
    """Returns the workbook of a plan in the current language."""
    goal = plan.target
    title, lede = sentences.headline(plan)
    keys = tuple(goal.law.keys)
    names = tuple(sentences.key_name(key) for key in keys)
    columns = ["unique_id", *keys, "last_year", "expected", "attainment_probability", "growth", "locked"]
    margins = [(_("By {key}").format(key=name), key, plan.by(key)) for key, name in zip(keys, names)]
    meta = {
        "plan_id": version.plan_id,
        "keys": "|".join(keys),
        "digits": str(version.digits),
        "year": str(version.year),
        "language": language.current(),
        "format": "1",
    }
    return WorkbookContent(
        title=title,
        lede=lede,
        facts=_facts(plan, version),
        labels=_labels(plan),
        keys=keys,
        key_names=names,
        cells=plan.cells[columns],
        months=version.months,
        margins=margins,
        month_names=tuple(language.month(pd.Timestamp(period)) for period in version.periods),
        quarter_names=tuple(_("Quarter {n}").format(n=n) for n in range(1, len(version.periods) // 3 + 1)),
        digits=version.digits,
        currency=version.currency,
        meta=meta,
    )


def _facts(plan: Plan, version: Version) -> list[tuple[str, object, str]]:
    goal = plan.target
    chance = goal.attainable.total_probability
    facts: list[tuple[str, object, str]] = [
        (_("Target {year}").format(year=goal.year), goal.amount(goal.target), "money"),
        (_("Chance of reaching it"), goal.attainment_probability, "percent"),
        (_("Commit"), goal.amount(goal.commit), "money"),
        (_("Chance of the commit"), chance(goal.amount(goal.commit)), "percent"),
        (_("Stretch"), goal.amount(goal.stretch), "money"),
        (_("Chance of the stretch"), chance(goal.amount(goal.stretch)), "percent"),
        (_("Expected"), goal.expected, "money"),
        (_("Last full year"), float(goal.last_year.sum()), "money"),
        (_("Target against last year"), goal.growth, "signed"),
    ]
    facts += [
        (_("Rule at its limit"), sentences.rule_text(rule, goal.policy.currency), "text") for rule in plan.binding
    ]
    missing = ", ".join(sentences.department(name) for name in goal.standing.missing)
    facts.append((_("Not answered yet"), missing or _("none"), "text"))
    facts.append((_("Plan version"), version.plan_id, "text"))
    return facts


def _labels(plan: Plan) -> dict[str, str]:
    unit = plan.target.policy.currency
    return {
        "summary": _("Summary"),
        "plan": _("Plan"),
        "last_year": _("Last year"),
        "expected": _("Expected"),
        "chance": _("Chance"),
        "growth": _("Growth"),
        "target": _("Target"),
        "new_target": _("New target"),
        "reason": _("Reason"),
        "total": _("Total"),
        "unit": _("Amounts in {currency}").format(currency=unit),
        "help": _("Yellow cells can be changed: months, or a new target for the year. Each change needs a reason."),
        "refused": _("Write an amount of 0 or above."),
        "locked": _("locked"),
    }
