"""The pages of the budget: what a step says of a `RegionalBudget`, in the order a reader meets it.

A function a cell of the notebook; each takes the step and the result, and says nothing where the result is a refusal.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from planning import charts
from planning.budget import sentences
from planning.budget.effects import anchored, target_chance
from planning.budget.regional import RegionalBudget
from planning.language import money, percent


def show_answer(step: Any, budget: RegionalBudget, currency: str) -> Any:
    """Says the answer with its key numbers, or that the tables cannot tell."""
    if budget.refused:
        return step.refuse(*sentences.refusal(budget.refused, impossible=budget.impossible))
    figures, words = budget.figures, sentences.labels()
    step.number("budget", figures["budget"], label=words["budget"], text=money(figures["budget"], currency), lead=True)
    step.number(
        "gain", figures["gain"], label=words["gain"], text=money(figures["gain"], currency),
        chance=figures["gain_probability"],
    )  # fmt: skip
    step.number(
        "next_10000", 10_000 * figures["shadow_price"], label=words["next"],
        text=money(10_000 * figures["shadow_price"], currency, scale=1, digits=0),
        note=sentences.next_amount(figures, currency),
    )  # fmt: skip
    step.number("regret", figures["regret"], label=words["regret"], text=percent(figures["regret"], 1))
    return step.answer(sentences.answer(figures, currency), sentences.lede(figures, currency))


def show_lines(step: Any, budget: RegionalBudget, currency: str) -> Any:
    """Shows now and proposed by line, picture and table."""
    if budget.refused:
        return None
    lines, words = budget.lines, sentences.labels()
    by = {verdict: list(lines.loc[lines["verdict"] == verdict, "line"]) for verdict in ("raise", "cut", "test")}
    step.finding("lines", sentences.lines_finding(by["raise"], by["cut"]), sentences.lines_why(len(by["test"])))
    frame = lines.assign(label=lines["line"], verdict_text=lines["verdict"].map(sentences.verdict_words()))
    rows = list(lines[["line", "now", "proposed"]].itertuples(index=False, name=None))
    step.chart(
        "allocation_by_line", charts.budget.allocation, frame, alt=sentences.chart_alt(rows, currency),
        title=words["allocation"], currency=currency,
    )  # fmt: skip
    shown = ["line", "now", "proposed", "change", "return_at_margin", "return_lo", "return_hi", "verdict", "evidence"]
    return _table(step, "lines_table", lines[shown], words["allocation"], details=False)


def show_cells(step: Any, budget: RegionalBudget) -> Any:
    """Shows every region's line: the table `allocation` that later notebooks read, and the certificate in words."""
    if budget.refused:
        return None
    counts = budget.cells["verdict"].value_counts().to_dict()
    step.finding("cells", sentences.cells_finding(counts), sentences.cells_why())
    words = sentences.labels()
    _table(step, "allocation", budget.cells.drop(columns="reason"), words["cells"], details=True)
    return step.text("certificate", sentences.certificate(budget.figures))


def show_curves(step: Any, budget: RegionalBudget, currency: str) -> Any:
    """Shows the response curve of each line with its interval."""
    if budget.refused:
        return None
    step.finding("curves", sentences.curves_finding(budget.figures, currency), sentences.curves_why())
    today = budget.curves[budget.curves["multiple"] == 1.0]
    rows = list(today[["line", "margin", "lo", "hi"]].itertuples(index=False, name=None))
    return step.chart(
        "curves", charts.budget.curves, budget.curves, alt=sentences.curves_alt(rows, currency),
        title=sentences.labels()["curves"], currency=currency,
    )  # fmt: skip


def show_frontier(step: Any, budget: RegionalBudget, currency: str) -> Any:
    """Shows what other totals would return, and the summary row for later notebooks."""
    if budget.refused:
        return None
    words, frontier = sentences.labels(), budget.frontier
    step.finding(
        "frontier",
        sentences.frontier_finding(budget.figures, currency),
        sentences.frontier_why(budget.figures, currency),
    )
    ends = [tuple(frontier.iloc[i][["budget", "margin"]]) for i in (0, -1)]
    step.chart(
        "frontier", charts.budget.frontier, frontier, alt=sentences.frontier_alt(*ends, currency),
        title=words["frontier"], currency=currency,
    )  # fmt: skip
    formats = {"multiple": "percent", "budget": "money", "margin": "money", "lo": "money", "hi": "money"}
    headings = {name: words[name] for name in ("multiple", "budget", "margin", "marginal_return")}
    headings |= {"lo": words["return_lo"], "hi": words["return_hi"]}
    step.tabulate(
        "frontier_table", frontier, title=words["frontier"], headings=headings,
        formats=formats | {"marginal_return": "ratio"}, details=True,
    )  # fmt: skip
    summary = pd.DataFrame(
        [{k: v for k, v in budget.figures.items() if v is None or isinstance(v, int | float | bool)}]
    )
    return step.tabulate(
        "summary", summary.astype({"breakeven": float, "move_limit": float}), title=words["summary"], details=True
    )


def show_returns(step: Any, budget: RegionalBudget, currency: str) -> Any:
    """Shows what the latest year's spend brought back, line by line, and how far that is proven."""
    if budget.refused:
        return None
    returns, words = budget.returns, sentences.labels()
    sure = int(((returns["roi_lo"] > 0) & (returns["proof"] == "measured")).sum())
    step.finding("returns", sentences.returns_finding(sure, len(returns)), sentences.returns_why())
    frame = returns.rename(columns={"line": "label", "roi": "value"})[["label", "value"]]
    frame = frame.assign(lo=returns["roi_lo"], hi=returns["roi_hi"])
    rows = list(returns[["line", "contribution", "lo", "hi"]].itertuples(index=False, name=None))
    step.chart(
        "returns", charts.intervals, frame, alt=sentences.curves_alt(rows, currency), title=words["returns"],
        kind="percent", reference=0.0,
    )  # fmt: skip
    formats = dict.fromkeys(("spend", "contribution", "lo", "hi"), "money")
    formats |= dict.fromkeys(("roi", "roi_lo", "roi_hi"), "percent") | {"payback": "number"}
    headings = {name: words[name] for name in ("line", "spend", "contribution", "roi", "payback", "proof")}
    headings |= {
        "lo": words["return_lo"],
        "hi": words["return_hi"],
        "roi_lo": words["return_lo"],
        "roi_hi": words["return_hi"],
    }
    return step.tabulate(
        "returns_table", returns, title=words["returns"], headings=headings, formats=formats, details=True,
        words={"proof": sentences.proof_words()},
    )  # fmt: skip


def show_target(step: Any, budget: RegionalBudget, currency: str) -> Any:
    """Shows the chance of the annual target over the budget, where forecast and target are there."""
    if budget.refused or not (step.has("demand_forecast", "joint") and step.has("annual_targets", "summary")):
        return None
    joint = step.result("demand_forecast", "joint")
    year = joint.window(joint.periods[-min(12, len(joint.periods))])
    summary = step.result("annual_targets", "summary").iloc[0]
    target = float(summary["target"])
    chance_of = anchored(year.probability, target, float(summary["attainment_probability"]))
    table = target_chance(
        budget.allocation.response, chance_of, target, periods=budget.figures["periods_a_year"],
        move_limit=budget.figures["move_limit"],
    )  # fmt: skip
    words, now = sentences.labels(), table[table["multiple"] == 1.0].iloc[0]
    headline = sentences.target_finding(now["chance_as_now"], now["chance_best"], target, currency)
    step.finding("target", headline, sentences.target_why())
    rows = list(table[["budget", "chance_best"]].itertuples(index=False, name=None))
    step.chart(
        "target_chance", charts.budget.chances, table, alt=sentences.target_alt(rows, currency), title=words["target"],
        currency=currency,
    )  # fmt: skip
    formats = {"multiple": "percent", "budget": "money", "effect": "money"}
    formats |= dict.fromkeys(("chance_as_now", "chance_best"), "probability")
    headings = {name: words[name] for name in table.columns}
    return step.tabulate("target_table", table, title=words["target"], headings=headings, formats=formats, details=True)


def show_limits(step: Any, budget: RegionalBudget) -> Any:
    """Says what the data cannot tell about which line, and what was left out of the fit."""
    for reason in budget.refused[:6]:
        step.cannot_tell(sentences.refused_question(impossible=budget.impossible), reason)
    if budget.refused:
        return None
    response = budget.allocation.response
    for row in response.lines.to_dict("records"):
        if row["evidence"] == "none":
            reasons = response.cells.loc[response.cells["line"] == row["line"], "reason"]
            step.cannot_tell(*sentences.no_evidence(row["line"], reasons.mode().iloc[0]))
        elif row["evidence"] == "judged":
            step.cannot_tell(*sentences.judged_only(row["line"]))
        elif row["follows_demand"]:
            step.cannot_tell(*sentences.follows_demand(row["line"]))
    for fault in budget.warnings:
        step.left_out(f"{fault.file}: {fault.found}", _count(fault.found), done=fault.fix)
    return None


def _count(found: str) -> int:
    digits = "".join(c for c in found.split(" ")[0] if c.isdigit())
    return int(digits) if digits else 0


def _table(step: Any, name: str, frame: pd.DataFrame, title: str, *, details: bool) -> Any:
    words = sentences.labels()
    formats = {"now": "money", "proposed": "money", "change": "money"}
    formats |= dict.fromkeys(("return_at_margin", "return_lo", "return_hi"), "ratio")
    sums = {key: round(float(frame[key].sum()), 2) for key in ("now", "proposed", "change")}
    return step.tabulate(
        name, frame, title=title, headings={c: words[c] for c in frame.columns if c in words}, formats=formats,
        details=details, total=sums,
        words={"verdict": sentences.verdict_words(), "evidence": sentences.evidence_words()},
    )  # fmt: skip
