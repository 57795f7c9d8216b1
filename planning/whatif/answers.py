"""What the panels say: the latest results, asked again with other values.

The chance of a yearly total is computed, not read off: the plan's own version keeps its joint forecast, its capacities
and its seed, so the same draws answer for any total, and a shock is put into the forecast and drawn again. A panel thus
says for the plan's target exactly what the page says.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from planning import language
from planning.errors import NotebookError, UsageError
from planning.language import _, money, number, percent, signed
from planning.runs import emit, layout, registry
from planning.targets import versions
from planning.targets.capacity import Attainable, attainable
from planning.targets.goal import DRAWS
from planning.targets.plan import Plan
from planning.targets.replan import Event, shocked
from planning.targets.year import YearLaw

_HALF, _COMMIT = 0.5, 0.8


@dataclass(frozen=True)
class Outlook:
    """What the year may bring (`reach`: the draws under the plan's capacities), and the plan it is asked about."""

    plan: Plan
    reach: Attainable

    @classmethod
    def of(cls, plan: Plan) -> Outlook:
        """Returns the outlook a plan rests on."""
        return cls(plan, plan.target.attainable)

    @property
    def target(self) -> float:
        """The plan's total."""
        return self.plan.target.amount(self.plan.target.target)

    def chance(self, amount: float) -> float:
        """Returns P(year >= amount), 0 to 1."""
        return self.reach.total_probability(amount)

    def amount(self, chance: float) -> float:
        """Returns the total that is reached with this chance."""
        if not 0 < chance < 1:
            raise UsageError(f"a chance of {chance:g} is not between 0 and 1.")
        return self.reach.total_quantile(1 - chance)

    def after(self, event: Event) -> Outlook:
        """Returns the outlook with an event in it: the forecast moved, drawn and cut by capacities again."""
        goal = self.plan.target
        joint = shocked(goal.adjusted.joint, [event])
        law = YearLaw.of(joint, goal.law.periods[0], goal.law.periods[-1])
        n = DRAWS if self.reach.draws is None else len(self.reach.draws)
        return Outlook(self.plan, attainable(joint, law, self.reach.caps, n=n, seed=goal.seed))

    def expected(self) -> float:
        """Returns the year's expected total."""
        return float(self.reach.mean().sum())

    def choices(self, key: str) -> list[str]:
        """Returns the members of a key of the plan (its regions, its lines)."""
        return sorted(self.plan.cells[key].astype(str).unique())

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the plan's cells."""
        return self.plan.target.law.keys


class Latest:
    """The results of the latest finished run of each notebook, read when asked for."""

    def __init__(self, root: Path | None = None):
        self.root = layout.workspace(root)
        self._folders: dict[str, Path] = {}
        self._kept: dict[str, Any] = {}

    def folder(self, notebook: str) -> Path:
        """Returns where a notebook's results lie; NotebookError says how to make them."""
        if notebook not in self._folders:
            found = registry.latest_results(layout.reports(self.root), notebook)
            if found is None:
                raise NotebookError(f"{notebook} has not been run yet. Run 'planning run annual_plan' first.")
            self._folders[notebook] = found
        return self._folders[notebook]

    def result(self, notebook: str, name: str) -> Any:
        """Returns a table, object or number by name."""
        return emit.load_result(self.folder(notebook), name)

    def settings(self) -> Any:
        """Returns the workspace's settings."""
        if "settings" not in self._kept:
            from planning import config

            self._kept["settings"] = config.load(self.root)
        return self._kept["settings"]

    @property
    def currency(self) -> str:
        return self.settings().company.currency

    def outlook(self) -> Outlook:
        """Returns the outlook of the plan as it stands, on the forecast its version keeps."""
        year = int(self.result("annual_targets", "summary")["year"].iloc[0])
        folder = self.root / "plans" / str(year)
        return Outlook.of(versions.plan_of(folder, versions.load(folder)))


def target_sentence(outlook: Outlook, amount: float, currency: str) -> str:
    """Says the chance of a total, and the totals for even and for four-in-five chances beside it."""
    text = _(
        "The chance of reaching {amount} is {chance}; {half} is reached as often as not, {commit} four times in five."
    )
    return text.format(
        amount=money(amount, currency, 1, 1e6), chance=language.chance(outlook.chance(amount)),
        half=money(outlook.amount(_HALF), currency, 1, 1e6), commit=money(outlook.amount(_COMMIT), currency, 1, 1e6),
    )  # fmt: skip


def stretch_sentence(outlook: Outlook, chance: float, currency: str) -> str:
    """Says the total that is reached with a chance."""
    return _("{amount} is reached with a chance of {chance}.").format(
        amount=money(outlook.amount(chance), currency, 1, 1e6), chance=language.chance(chance)
    )


def shock_sentence(outlook: Outlook, event: Event, currency: str) -> str:
    """Says what an event does to the year's expected sales and to the chance of the plan's target."""
    after, target = outlook.after(event), outlook.target
    return _("The year changes by {change}; the chance of reaching {target} goes from {before} to {after}.").format(
        change=signed(after.expected() - outlook.expected(), formatter=lambda x: money(x, currency, 1, 1e6)),
        target=money(target, currency, 1, 1e6),
        before=language.chance(outlook.chance(target)), after=language.chance(after.chance(target)),
    )  # fmt: skip


class Budget:
    """The fitted response of the spend, asked for other totals; fitting takes seconds once, asking a tenth of one."""

    def __init__(self, latest: Latest):
        from planning.budget import fit_response
        from planning.budget.regional import bounds_of, outcome_of, periods_a_year
        from planning.sources import read_table

        settings = latest.settings()

        def table(name: str) -> pd.DataFrame | None:
            return read_table(name, settings) if name in settings.sources else None

        outcome, margin = outcome_of(table("sales"))
        self.margin = margin if margin is not None else 1.0
        self.response = fit_response(
            table("spend"), outcome, pilots=table("pilots"), judged=table("judged_response"), seed=7,
            files={"outcome": "sales", "judged": "judged_response"},
        )  # fmt: skip
        self.bounds, self.fixed = bounds_of(table("spend_lines"), self.response)
        self.current = float(self.response.cells["current"].sum())
        self.periods = periods_a_year(self.response)

    def ask(self, change: float, move_limit: float) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Returns the split (region, line, current, allocated, verdict) and summary of a total changed by a share."""
        from planning.budget import allocate

        found = allocate(
            self.response, self.current * (1 + change), bounds=self.bounds, fixed=self.fixed, move_limit=move_limit,
            margin=self.margin, bounds_file="spend_lines",
        )  # fmt: skip
        return found.table, found.summary


def budget_sentence(
    table: pd.DataFrame, summary: dict[str, Any], change: float, currency: str, periods: float = 1.0
) -> str:
    """Says what the best split of a budget brings against today's; `periods` of the table make its year."""
    moved = periods * float((table["allocated"] - table["current"]).abs().sum()) / 2
    if round(100 * change) == 0:
        text = _("With today's budget of {total} a year, moving {moved} brings {gain} more margin a year.")
    elif change > 0:
        text = _(
            "With {share} more budget, {total} a year, moving {moved} brings {gain} margin a year over today's split."
        )
    else:
        text = _(
            "With {share} less budget, {total} a year, moving {moved} brings {gain} margin a year over today's split."
        )
    return text.format(
        share=percent(abs(change)), total=money(periods * float(table["allocated"].sum()), currency),
        moved=money(moved, currency), gain=money(periods * float(summary["expected_gain"]), currency),
    )  # fmt: skip


def lever_sentence(levers: pd.DataFrame, lever: str, share: float) -> str:
    """Says how many of the lost deals a lever would be expected to win, moved in a share of those it applies to."""
    row = levers.set_index("lever").loc[lever]
    text = _("Moved in {deals} lost deals, “{lever}” gives an expected {wins} more wins (90 % interval {lo} to {hi}).")
    return text.format(
        deals=number(share * row["deals"]), lever=lever, wins=number(share * row["expected_wins"]),
        lo=number(share * row["lo90"]), hi=number(share * row["hi90"]),
    )  # fmt: skip


def free_name(root: Path, prefix: str) -> str:
    """Returns the first of prefix-1, prefix-2, ... that no kept scenario has: one panel must not write over another."""
    taken = {path.stem for path in (root / "scenarios").glob("*.toml")}
    return next(name for n in itertools.count(1) if (name := f"{prefix}-{n}") not in taken)


def write_scenario(root: Path, name: str, flow: str, parameters: dict[str, Any]) -> Path:
    """Writes chosen values as `scenarios/<name>.toml`, which `planning run --scenario NAME` reads; returns its path."""
    import json

    from planning import files

    if not name.replace("-", "_").isidentifier():
        raise UsageError(f"'{name}' is no name for a scenario. Use letters, digits, - and _.")
    folder = root / "scenarios"
    folder.mkdir(exist_ok=True)
    lines = [f'"{key}" = {json.dumps(value, ensure_ascii=False)}' for key, value in parameters.items()]
    path = folder / f"{name}.toml"
    files.write_text(path, f'flow = "{flow}"\n\n[parameters]\n' + "\n".join(lines) + "\n")
    return path
