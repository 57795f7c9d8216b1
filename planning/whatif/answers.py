"""What the panels say: numbers from the latest finished run, asked again with other values.

The chance of a yearly total follows the plan's own page: the totals it publishes with their chances (commit, target,
stretch) lie on a curve of normal scores, straight between them and on beyond them, so that a panel never contradicts
the page it stands beside.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from planning import language
from planning.errors import NotebookError, UsageError, did_you_mean
from planning.language import _, money, number, percent, signed
from planning.runs import emit, layout, registry

_HALF = 0.5


@dataclass(frozen=True)
class Curve:
    """The chance of reaching a total: `amounts` ascending with the normal `scores` of their chances."""

    amounts: np.ndarray
    scores: np.ndarray

    @classmethod
    def of(cls, points: list[tuple[float, float]]) -> Curve:
        """Returns the curve through (amount, chance) points; UsageError when they do not fall as a chance must."""
        kept = sorted({round(a, 2): p for a, p in points if 0 < p < 1}.items())
        amounts, scores = np.array([a for a, _p in kept]), ndtri(np.array([p for _a, p in kept]))
        if len(kept) < 2 or (np.diff(scores) >= 0).any():
            raise UsageError("the plan's totals and chances do not fall together. Run annual_targets again.")
        return cls(amounts, scores)

    def _line(self, x: float, xs: np.ndarray, ys: np.ndarray) -> float:
        i = int(np.clip(np.searchsorted(xs, x) - 1, 0, len(xs) - 2))
        return float(ys[i] + (x - xs[i]) * (ys[i + 1] - ys[i]) / (xs[i + 1] - xs[i]))

    def chance(self, amount: float) -> float:
        """Returns P(year >= amount), 0 to 1."""
        return float(ndtr(self._line(amount, self.amounts, self.scores)))

    def amount(self, chance: float) -> float:
        """Returns the total that is reached with this chance."""
        if not 0 < chance < 1:
            raise UsageError(f"a chance of {chance:g} is not between 0 and 1.")
        return self._line(float(ndtri(chance)), self.scores[::-1], self.amounts[::-1])


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

    def curve(self) -> Curve:
        """Returns the chance of each yearly total, as the annual targets published it."""
        numbers = (emit.read_manifest(self.folder("annual_targets")) or {}).get("numbers", [])
        return Curve.of([(n["value"], n["chance"]) for n in numbers if n.get("chance") and n["value"]])

    def target(self) -> float:
        """Returns the plan's target."""
        return float(self.result("annual_targets", "target"))


def target_sentence(curve: Curve, amount: float, currency: str) -> str:
    """Says the chance of a total, and the totals for even and for four-in-five chances beside it."""
    text = _(
        "The chance of reaching {amount} is {chance}; {half} is reached as often as not, {commit} four times in five."
    )
    return text.format(
        amount=money(amount, currency, 1, 1e6), chance=language.chance(curve.chance(amount)),
        half=money(curve.amount(_HALF), currency, 1, 1e6), commit=money(curve.amount(0.8), currency, 1, 1e6),
    )  # fmt: skip


def stretch_sentence(curve: Curve, chance: float, currency: str) -> str:
    """Says the total that is reached with a chance."""
    return _("{amount} is reached with a chance of {chance}.").format(
        amount=money(curve.amount(chance), currency, 1, 1e6), chance=language.chance(chance)
    )


def choices(joint: Any, key: str) -> list[str]:
    """Returns the members of a key of the joint forecast (regions, lines)."""
    bottom = joint.cells[joint.bottom]
    return sorted(map(str, bottom[key].unique()))


def shock_amount(joint: Any, percent_change: float, where: dict[str, str], start: Any) -> float:
    """Returns the money of a change of sales by a share (0.1 = 10 % more) from `start` on, by the forecast's mean.

    where: key → member, such as {"line": "Pumps"}; empty means everything.
    """
    bottom = np.flatnonzero(joint.bottom)
    cells = joint.cells.iloc[bottom]
    hit = np.ones(len(bottom), dtype=bool)
    for key, member in where.items():
        if member not in set(map(str, cells[key])):
            raise UsageError(f"the forecast has no {key} '{member}'.{did_you_mean(member, choices(joint, key))}")
        hit &= cells[key].astype(str).to_numpy() == member
    steps = joint.periods >= pd.Timestamp(start)
    return float(percent_change * joint.mean[np.ix_(bottom[hit], steps)].sum())


def shock_sentence(curve: Curve, target: float, change: float, currency: str) -> str:
    """Says what a change of the year's sales does to the chance of the target."""
    before, after = curve.chance(target), curve.chance(target - change)
    return _("The year changes by {change}; the chance of reaching {target} goes from {before} to {after}.").format(
        change=signed(change, formatter=lambda x: money(x, currency, 1, 1e6)), target=money(target, currency, 1, 1e6),
        before=language.chance(before), after=language.chance(after),
    )  # fmt: skip


class Budget:
    """The fitted response of the spend, asked for other totals; fitting takes seconds once, asking a tenth of one."""

    def __init__(self, latest: Latest):
        from planning.budget import fit_response
        from planning.budget.regional import bounds_of, outcome_of
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

    def ask(self, change: float, move_limit: float) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Returns the split (region, line, current, allocated, verdict) and summary of a total changed by a share."""
        from planning.budget import allocate

        found = allocate(
            self.response, self.current * (1 + change), bounds=self.bounds, fixed=self.fixed, move_limit=move_limit,
            margin=self.margin, bounds_file="spend_lines",
        )  # fmt: skip
        return found.table, found.summary


def budget_sentence(table: pd.DataFrame, summary: dict[str, Any], change: float, currency: str) -> str:
    """Says what the best split of a budget brings per period against today's."""
    moved = float((table["allocated"] - table["current"]).abs().sum()) / 2
    if round(100 * change) == 0:
        text = _("With today's budget, moving {moved} a period brings {gain} more margin a period.")
    elif change > 0:
        text = _(
            "With {share} more budget, moving {moved} a period brings {gain} more margin than today's split of it."
        )
    else:
        text = _(
            "With {share} less budget, moving {moved} a period brings {gain} more margin than today's split of it."
        )
    return text.format(
        share=percent(abs(change)), moved=money(moved, currency), gain=money(float(summary["expected_gain"]), currency)
    )


def lever_sentence(levers: pd.DataFrame, lever: str, share: float) -> str:
    """Says how many of the lost deals a lever would be expected to win, moved in a share of those it applies to."""
    row = levers.set_index("lever").loc[lever]
    text = _("Moved in {deals} lost deals, “{lever}” gives an expected {wins} more wins (90 % interval {lo} to {hi}).")
    return text.format(
        deals=number(share * row["deals"]), lever=lever, wins=number(share * row["expected_wins"]),
        lo=number(share * row["lo90"]), hi=number(share * row["hi90"]),
    )  # fmt: skip


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
