"""The plan on one page: what the parts of a plan said, chosen for a board, each part optional.

A part is a notebook that was run before. Its sentences are its own, taken from its manifest; pictures are drawn again
from its tables. What a part left open, and every part that is missing, is said under "what we cannot tell".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from planning import charts, language
from planning.reports import summary_sentences as sentences

KEY_NUMBERS = {"annual_targets": ("commit", "target", "stretch", "last_year"), "demand_forecast": ("expected",)}
MOST_LINES = 8
# Two forecasts whose chances differ by less are told as one.
ALIKE = 0.05


@dataclass
class Parts:
    """What the parts of the plan left: their manifests, the currency, and what must be said open before all else."""

    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)
    currency: str = ""
    open_first: list[tuple[str, str]] = field(default_factory=list)

    def said(self, notebook: str) -> bool:
        """Whether a part was run and gave an answer it stands by."""
        return self.manifests.get(notebook, {}).get("state") == "ok"

    @property
    def leading(self) -> dict[str, Any] | None:
        """The part whose answer is the page's: the targets, else the forecast, else whatever was answered."""
        order = ["annual_targets", "demand_forecast", "regional_budget", "deal_postmortem", "data_check"]
        return next((self.manifests[name] for name in order if self.said(name)), None)

    def section(self, notebook: str, item: str) -> tuple[str, str] | None:
        """Returns finding and why of the part's section that holds the chart or table `item`."""
        for section in self.manifests.get(notebook, {}).get("sections", []):
            if section.get("finding") and any(one["name"] == item for one in section["items"]):
                return section["finding"], section.get("why", "")
        return None


def gather(step: Any) -> Parts:
    """Reads what the parts of the plan left in this run, or in the latest one."""
    found = {name: step.manifest(name) for name in sentences.PARTS}
    return Parts({name: one for name, one in found.items() if one}, step.settings.company.currency)


def show_answer(step: Any, parts: Parts) -> Any:
    """Says the plan's answer with its key numbers; refuses where no part of it was run."""
    step.title(sentences.title(_year(step, parts)))
    if parts.leading is None:
        return step.refuse(*sentences.refusal())
    for notebook, names in KEY_NUMBERS.items():
        if not parts.said(notebook) or (notebook != "annual_targets" and parts.said("annual_targets")):
            continue
        numbers = {n["name"]: n for n in parts.manifests[notebook]["numbers"]}
        for name in names:
            if name in numbers:
                row = {key: numbers[name].get(key) for key in ("value", "label", "text", "chance", "note", "lead")}
                step.number(name, row.pop("value"), **row)
    return step.answer(parts.leading["answer"], parts.leading.get("lede", ""))


def _year(step: Any, parts: Parts) -> int | None:
    if parts.said("annual_targets") and step.has("annual_targets", "summary"):
        return int(step.result("annual_targets", "summary")["year"].iloc[0])
    return step.settings.plan.year


def show_bridge(step: Any, parts: Parts) -> Any:
    """Shows the way from last year to the target."""
    section = parts.section("annual_targets", "bridge")
    if section is None or not step.has("annual_targets", "bridge"):
        return None
    step.finding("bridge", *section)
    frame = step.result("annual_targets", "bridge")
    frame = frame.assign(kind=np.where(frame["change"].isna(), "total", "change"))
    totals = [(label, language.money(after, parts.currency)) for label, after in _totals(frame)]
    alt = sentences.rows_alt(sentences.bridge_title(), totals)
    return step.chart(
        "bridge", charts.targets.bridge, frame, alt=alt, title=sentences.bridge_title(), currency=parts.currency
    )


def _totals(frame: pd.DataFrame) -> list[tuple[str, float]]:
    return list(frame.loc[frame["kind"] == "total", ["label", "after"]].itertuples(index=False, name=None))


def show_forecast(step: Any, parts: Parts) -> Any:
    """Shows history and forecast of the total with its bands."""
    section = parts.section("demand_forecast", "total")
    sales = step.table("sales")
    if section is None or sales is None or not step.has("demand_forecast", "joint"):
        return None
    from planning.forecast import outlook
    from planning.forecast.history import history_from

    settings, joint = step.settings, step.result("demand_forecast", "joint")
    frame = outlook.fan_frame(joint, outlook.node_history(history_from(sales, settings), joint.cells), ["total"])
    step.finding("forecast", *section)
    last = frame.loc[frame["actual"].notna(), "actual"].iloc[-1]
    first = frame[frame["mean"].notna()].iloc[0]
    figures = [language.money(float(x), parts.currency) for x in (last, first["mean"], first["lo-80"], first["hi-80"])]
    step.chart(
        "forecast", charts.fan, frame, alt=sentences.fan_alt(*figures), title=sentences.fan_title(settings.plan.year),
        currency=parts.currency,
    )  # fmt: skip
    return _show_second_view(step, parts, joint, frame)


def _show_second_view(step: Any, parts: Parts, joint: Any, fan: pd.DataFrame) -> Any:
    """Says what the forecast drawn above makes of the target, where that is not the plan's own chance.

    Where the plan rests on it, adjustments and limits are the difference; where it rests on another one, two forecasts
    on one page must not look like one: the board reads both expectations and both chances.
    """
    if not (parts.said("annual_targets") and step.has("annual_targets", "summary")):
        return None
    plan = step.result("annual_targets", "summary").iloc[0]
    view = second_view(joint, fan, float(plan["target"]), int(plan["year"]), step.settings.calendar.fiscal_year_start)
    chance = float(plan["attainment_probability"])
    if view is None or abs(view["chance"] - chance) < ALIKE:
        return None
    expected = language.money(view["expected"], parts.currency), language.money(float(plan["expected"]), parts.currency)
    if plan.get("base") == "demand_forecast":
        return step.text("second_view", sentences.before_limits(*expected, view["chance"], int(plan["year"])))
    parts.open_first.append(sentences.two_forecasts(chance, view["chance"], int(plan["year"])))
    return step.text("second_view", sentences.second_view(*expected, view["chance"], int(plan["year"])))


def second_view(
    joint: Any, fan: pd.DataFrame, target: float, year: int, start_month: int = 1
) -> dict[str, float] | None:
    """Returns `expected` sales of the year and the `chance` of `target` under a monthly joint forecast.

    fan: the total's `ds, actual`; months of the year that are over count as sold. None where the forecast does not
    reach the end of the year.
    """
    from planning.forecast import outlook

    months = outlook.year_months(year, start_month)
    sold = fan.loc[fan["ds"].isin(months) & fan["actual"].notna(), "actual"]
    to_come = int(joint.periods.isin(months).sum())
    if not to_come or len(sold) + to_come < len(months):
        return None
    ahead = joint.window(months[0], months[-1])
    done = float(sold.sum())
    expected = done + float(ahead.quantile(["total"], (0.5,), total=True)["mean"].iloc[0])
    return {"expected": expected, "chance": float(ahead.probability(target - done))}


def show_cells(step: Any, parts: Parts) -> Any:
    """Shows the chance and growth of each cell as a map."""
    section = parts.section("annual_targets", "heat")
    if section is None or not step.has("annual_targets", "heat"):
        return None
    step.finding("cells", *section)
    entry = parts.manifests["annual_targets"]["tables"]["heat"]
    labels, formats = ({c["name"]: c[what] for c in entry["columns"]} for what in ("label", "format"))
    return step.tabulate(
        "chances", step.result("annual_targets", "heat"), title=sentences.heat_title(), headings=labels,
        formats=formats, heat=entry["heat"],
    )  # fmt: skip


def show_budget(step: Any, parts: Parts) -> Any:
    """Shows the budget's lines, now and proposed; what the part says of itself where it refused."""
    if not parts.said("regional_budget"):
        return _refused(step, parts, "regional_budget", "budget")
    section = parts.section("regional_budget", "lines_table")
    if section is None or not step.has("regional_budget", "lines_table"):
        return None
    from planning.budget.sentences import verdict_words

    manifest = parts.manifests["regional_budget"]
    step.finding("budget", manifest["answer"], section[0] + "\n" + manifest.get("lede", ""))
    frame = step.result("regional_budget", "lines_table")
    frame = frame.assign(label=frame["line"], verdict_text=frame["verdict"].map(verdict_words()))
    rows = [
        (row.line, f"{language.money(row.now, parts.currency)} → {language.money(row.proposed, parts.currency)}")
        for row in frame.itertuples()
    ]
    return step.chart(
        "budget", charts.budget.allocation, frame, alt=sentences.rows_alt(sentences.budget_title(), rows),
        title=sentences.budget_title(), currency=parts.currency,
    )  # fmt: skip


def show_deals(step: Any, parts: Parts) -> Any:
    """Shows what separates won from lost deals, or that these data cannot tell."""
    if not (parts.said("deal_postmortem") and step.has("deal_postmortem", "weights")):
        return _refused(step, parts, "deal_postmortem", "deals")
    from planning.deals import vocabulary

    manifest = parts.manifests["deal_postmortem"]
    weights = step.result("deal_postmortem", "weights").sort_values("share", ascending=False)
    step.finding("deals", manifest["answer"], manifest.get("lede", ""))
    names = [vocabulary.family_name(family) for family in weights["family"]]
    frame = weights.assign(label=names, value=weights["share"], lo=weights["lo90"], hi=weights["hi90"])
    frame = frame.reset_index(drop=True)
    rows = [(row.label, language.percent(row.value)) for row in frame.itertuples()]
    heading, interval = sentences.weights_words()
    shown = [c for c in ("label", "value", "lo", "hi", "band_lo", "band_hi") if c in frame]
    return step.chart(
        "deals", charts.intervals, frame[shown],
        alt=sentences.rows_alt(sentences.weights_title(), rows), title=sentences.weights_title(), kind="percent",
        heading=heading, interval_heading=interval, low=0.0,
    )  # fmt: skip


def _refused(step: Any, parts: Parts, notebook: str, name: str) -> Any:
    """Says what a part that could not answer says of itself; nothing where it was not run."""
    manifest = parts.manifests.get(notebook)
    if not manifest:
        return None
    step.finding(name, manifest["answer"], sentences.part_name(notebook))
    return step.text(f"{name}_why", manifest["lede"]) if manifest.get("lede") else None


def show_parts(step: Any, parts: Parts) -> Any:
    """Lists the parts with the answer of each."""
    rows = [_part_row(name, parts.manifests.get(name)) for name in sentences.PARTS]
    unsure = sum(one.get("state") == "cannot_tell" for one in parts.manifests.values())
    step.finding("parts", *sentences.parts_finding(len(parts.manifests), unsure))
    return step.tabulate("parts", pd.DataFrame(rows), headings=sentences.parts_headings())


def _part_row(name: str, manifest: dict[str, Any] | None) -> dict[str, str]:
    state = manifest["state"] if manifest else "missing"
    answer = manifest["answer"] if manifest else sentences.not_run()
    return {"part": sentences.part_name(name), "answer": answer, "state": sentences.state(state)}


def show_limits(step: Any, parts: Parts) -> Any:
    """Says what each missing part leaves open, then what the others do, and what all of them left out."""
    missing = [sentences.missing_part(name) for name in sentences.PARTS if name not in parts.manifests]
    open_ = [(one["question"], one["answer"]) for m in parts.manifests.values() for one in m.get("cannot_tell", [])]
    for question, answer in list(dict.fromkeys([*parts.open_first, *missing, *open_]))[:MOST_LINES]:
        step.cannot_tell(question, answer)
    lines = {one["reason"]: one for m in parts.manifests.values() for one in m.get("left_out", []) if one["rows"]}
    for one in lines.values():
        step.left_out(one["reason"], one["rows"], one.get("share"), one.get("done", ""))
