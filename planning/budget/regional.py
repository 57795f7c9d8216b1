"""The planner's question, whole: next year's budget over regions and lines, from the company's own tables.

    sales, spend [, spend_lines, pilots, judged_response] ─▶ RegionalBudget (a year's amounts, margin, frontier, curves)

Sales are added up by region and period; weekly spend meets monthly sales by the days they share (see `panel`). All
amounts of the result are for a year. Where the tables cannot answer, the result is a refusal with reasons, never an
error.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from planning.budget import sentences
from planning.budget.allocation import SMALL_MOVE, SURE, AllCells, Allocation, allocate, split
from planning.budget.effects import past_returns
from planning.budget.inputs import STEP_DAYS
from planning.budget.response import Response, fit_response
from planning.budget.rules import make_rules, read_bounds
from planning.errors import DataError, Fault

MULTIPLES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5)
CURVE_MULTIPLES = (0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0)


@dataclass
class RegionalBudget:
    """A budget proposal, or why there is none (``refused`` lists the reasons; ``impossible``: limits, not evidence).

    cells : region, line, now, proposed, change, return_at_margin, return_lo, return_hi, verdict, evidence, reason (a
    year); lines : the same per line; curves : line, multiple, spend, margin, lo, hi; frontier : multiple, budget,
    margin, lo, hi, marginal_return; returns : what the latest year's spend brought back (see `effects.past_returns`);
    figures : plain numbers.
    """

    refused: list[str] = field(default_factory=list)
    allocation: Allocation | None = None
    cells: pd.DataFrame = field(default_factory=pd.DataFrame)
    lines: pd.DataFrame = field(default_factory=pd.DataFrame)
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    frontier: pd.DataFrame = field(default_factory=pd.DataFrame)
    returns: pd.DataFrame = field(default_factory=pd.DataFrame)
    figures: dict = field(default_factory=dict)
    impossible: bool = False
    warnings: list[Fault] = field(default_factory=list)


def outcome_of(sales: pd.DataFrame) -> tuple[pd.DataFrame, float | None]:
    """Return sales as outcome by region and period with controls, and the margin rate where margins are recorded.

    Working days are a control as they are; price index and promotion are weighted by the rows' amounts.
    """
    sales = sales[sales["amount"].notna()]
    keys = [sales["ds"].rename("period"), sales["region"]]
    outcome = sales.groupby(keys)["amount"].sum().rename("outcome").to_frame()
    if "working_days" in sales.columns:
        outcome["working_days"] = sales.groupby(keys)["working_days"].mean()
    weight = sales["amount"].clip(lower=0.0)
    for name in ("price_index", "promotion"):
        if name in sales.columns:
            known = sales[name].notna()
            top = (sales[name] * weight).where(known).groupby(keys).sum()
            outcome[name] = top / weight.where(known).groupby(keys).sum().replace(0.0, np.nan)
    margin = None
    if "margin" in sales.columns and sales["margin"].notna().mean() > 0.5:
        known = sales[sales["margin"].notna()]
        margin = float(known["margin"].sum() / known["amount"].sum()) if known["amount"].sum() > 0 else None
    return outcome.reset_index(), margin if margin is None or 0 < margin <= 1 else None


def bounds_of(spend_lines: pd.DataFrame | None, response: Response) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Return floors and caps of `spend_lines` (per period and region) as bounds of cells, and the commitments."""
    if spend_lines is None or not len(spend_lines):
        return None, None
    rules = response.cells.merge(spend_lines, on="line", how="inner", sort=False)
    blank = pd.Series(np.nan, index=rules.index)
    bounds = pd.DataFrame(
        {
            "region": rules["region"],
            "line": rules["line"],
            "min": rules.get("floor", blank),
            "max": rules.get("cap", blank),
        }
    )
    least = rules.get("min_lot", blank)
    # Nothing or at least the lot: a cell that already spends stays in, so the lot is a floor; one at nothing stays out.
    running = rules["current"] >= least.fillna(np.inf)
    bounds["min"] = np.fmax(bounds["min"], least.where(running))
    # A cell that is outside its own limits today is not forced back by them in one step.
    bounds["min"] = np.fmin(bounds["min"], rules["current"])
    bounds["max"] = np.fmax(bounds["max"], rules["current"])
    bounds = bounds[bounds["min"].notna() | bounds["max"].notna()]
    fixed = None
    if "fixed" in spend_lines.columns:
        chosen = spend_lines["fixed"].fillna(0).astype(float) > 0
        fixed = spend_lines.loc[chosen, ["line"]].assign(region="")
    return (bounds if len(bounds) else None), (fixed if fixed is not None and len(fixed) else None)


def regional_budget(
    spend: pd.DataFrame | None,
    sales: pd.DataFrame,
    *,
    spend_lines: pd.DataFrame | None = None,
    pilots: pd.DataFrame | None = None,
    judged: pd.DataFrame | None = None,
    change: float = 0.0,
    move_limit: float | None = 0.3,
    margin: float | None = None,
    as_of=None,
    seed: int = 7,
) -> RegionalBudget:
    """Return the proposal for a year; ``change`` is next year's budget over this one's (0.05 = five percent more).

    spend, sales and the optional tables are canonical, in one currency. margin : of sales; None takes the recorded
    margins (1.0 where there are none: then returns are sales, not profit). Without a spend table nothing can be told.
    """
    if spend is None:
        return RegionalBudget(refused=[sentences.no_spend()])
    if as_of is not None:
        spend = spend[pd.to_datetime(spend["period"]) <= pd.Timestamp(as_of)]
        sales = sales[pd.to_datetime(sales["ds"]) <= pd.Timestamp(as_of)]
    try:
        outcome, recorded = outcome_of(sales)
        response = fit_response(
            spend,
            outcome,
            pilots=pilots,
            judged=judged,
            seed=seed,
            files={"outcome": "sales", "judged": "judged_response"},
        )
    except DataError as error:
        return RegionalBudget(refused=str(error).splitlines(), warnings=error.faults)
    if not len(response.informed):
        reasons = [f"{line}: no variation, pilot or judged curve" for line in response.lines["line"]]
        return RegionalBudget(refused=reasons, warnings=response.warnings)
    rate = margin if margin is not None else recorded if recorded is not None else 1.0
    bounds, fixed = bounds_of(spend_lines, response)
    total = float(response.cells["current"].sum()) * (1 + change)
    try:
        result = allocate(
            response, total, bounds=bounds, move_limit=move_limit, margin=rate, fixed=fixed, bounds_file="spend_lines"
        )
    except DataError as error:
        return RegionalBudget(refused=str(error).splitlines(), impossible=True, warnings=response.warnings)
    return _yearly(result, recorded is not None or margin is not None)


def periods_a_year(response: Response) -> float:
    """Return how many periods of the spend a year's amounts are made of; 52 weeks, so that they add up to the rows."""
    step = response.panel.step
    return 52.0 if step == "W" else 365.25 / STEP_DAYS[step]


def _yearly(result: Allocation, profit: bool) -> RegionalBudget:
    response, summary = result.response, result.summary
    year = periods_a_year(response)
    curves = AllCells(response.draws, response.informed, len(response.cells), summary["margin"])
    cells = _cells(result, year)
    lines = _lines(result, curves, year)
    frontier = _frontier(result, curves, year)
    figures = {
        "budget": summary["total"] * year, "budget_now": summary["current_total"] * year,
        "gain": summary["expected_gain"] * year, "gain_lo": summary["expected_gain_lo"] * year,
        "gain_hi": summary["expected_gain_hi"] * year, "gain_probability": summary["gain_probability"],
        "response": summary["expected_response"] * year, "regret": summary["expected_regret"],
        "shadow_price": summary["shadow_price"], "shadow_lo": summary["shadow_price_lo"],
        "shadow_hi": summary["shadow_price_hi"], "forgone": summary["move_limit_forgone"],
        "forgone_amount": summary["move_limit_forgone_amount"] * year, "move_limit": summary["move_limit"],
        "moved": float(np.abs(cells["proposed"] - cells["now"]).sum() / 2), "profit": profit,
        "margin": summary["margin"],
        "breakeven": _breakeven(frontier), "kkt_spread": summary["kkt_spread"], "sum_error": summary["sum_error"],
        "noise": response.noise, "periods_a_year": year,
    }  # fmt: skip
    return RegionalBudget(
        [],
        result,
        cells,
        lines,
        line_curves(response, curves, year),
        frontier,
        past_returns(response, margin=summary["margin"], periods=int(round(year))),
        figures,
        warnings=response.warnings,
    )


def _cells(result: Allocation, year: float) -> pd.DataFrame:
    table = result.table
    cells = table[["region", "line"]].copy()
    cells["now"], cells["proposed"] = (table["current"] * year).round(2), (table["allocated"] * year).round(2)
    cells["change"] = (cells["proposed"] - cells["now"]).round(2)
    cells["return_at_margin"] = table["marginal_return"]
    cells["return_lo"], cells["return_hi"] = table["marginal_lo"], table["marginal_hi"]
    cells["verdict"], cells["evidence"], cells["reason"] = table["verdict"], table["evidence"], table["reason"]
    return cells


def _lines(result: Allocation, curves: AllCells, year: float) -> pd.DataFrame:
    """Return one row a line: sums of its cells, what the next unit spread over its regions returns, and the verdict."""
    table, response = result.table, result.response
    position = response.cells["draw"].to_numpy()
    slope = curves.marginal(response.cells["current"].to_numpy(float))
    price = result.summary["shadow_price"]
    flagged = set(result.summary["lines_following_demand"])
    rows = []
    for line, part in table.groupby("line", sort=False):
        now, proposed = part["current"].sum(), part["allocated"].sum()
        at = position[part.index]
        values = dict.fromkeys(("value", "lo", "hi", "above"), float("nan"))
        if (at >= 0).all() and now > 0:
            weight = part["current"].to_numpy(float) / now
            draws = slope[:, at] @ weight
            values = {
                "value": draws.mean(), "lo": np.quantile(draws, 0.05), "hi": np.quantile(draws, 0.95),
                "above": float((draws > price).mean()),
            }  # fmt: skip
        verdict = _line_verdict(now, proposed, values["above"], part["verdict"].eq("keep").all(), line in flagged)
        evidence = response.lines.set_index("line").loc[line, "evidence"]
        rows.append((line, now * year, proposed * year, *values.values(), verdict, evidence, line in flagged))
    columns = ["line", "now", "proposed", "return_at_margin", "return_lo", "return_hi", "chance", "verdict", "evidence"]
    lines = pd.DataFrame(rows, columns=[*columns, "follows_demand"]).round({"now": 2, "proposed": 2})
    lines.insert(3, "change", (lines["proposed"] - lines["now"]).round(2))
    return lines.sort_values("change", ascending=False, kind="stable").reset_index(drop=True)


def _line_verdict(now: float, proposed: float, chance: float, kept: bool, flagged: bool) -> str:
    if not np.isfinite(chance):
        return "test"
    small = abs(proposed - now) <= SMALL_MOVE * max(now, 0.01)
    if kept:
        return "keep"
    if not small and proposed > now and chance >= SURE:
        return "test" if flagged else "raise"
    if not small and proposed < now and chance <= 1 - SURE:
        return "cut"
    return "keep" if small else "test"


def line_curves(response: Response, curves: AllCells, year: float) -> pd.DataFrame:
    """Return the response of each informed line at multiples of its current spend in all regions, a year's amounts."""
    now = response.cells["current"].to_numpy(float)
    position = response.cells["draw"].to_numpy()
    parts = []
    for multiple in CURVE_MULTIPLES:
        reply = curves.response(now * multiple)
        for line, part in response.cells[position >= 0].groupby("line", sort=False):
            total = reply[:, part["draw"].to_numpy()].sum(axis=1) * year
            lo, hi = np.quantile(total, [0.05, 0.95])
            parts.append((line, multiple, part["current"].sum() * multiple * year, total.mean(), lo, hi))
    return pd.DataFrame(parts, columns=["line", "multiple", "spend", "margin", "lo", "hi"])


def _frontier(result: Allocation, curves: AllCells, year: float) -> pd.DataFrame:
    """Return what each total brings when it is split best, every cell within the move limit of its scaled spend."""
    response, limit = result.response, result.summary["move_limit"]
    none = read_bounds(None, response.cells)
    rows = []
    for multiple in MULTIPLES:
        cells = response.cells.assign(current=response.cells["current"] * multiple)
        total = float(cells["current"].sum())
        rules = make_rules(cells, none, total, move_limit=limit)
        best = split(curves, total, rules.lo, np.minimum(rules.hi, total + rules.lo), rules)
        reply = curves.response(best.x).sum(axis=1) * year
        rows.append((multiple, total * year, reply.mean(), *np.quantile(reply, [0.1, 0.9]), best.price))
    return pd.DataFrame(rows, columns=["multiple", "budget", "margin", "lo", "hi", "marginal_return"])


def _breakeven(frontier: pd.DataFrame) -> float | None:
    """Return the budget at which the next unit returns one unit, inside the frontier; None where it lies outside."""
    price, budget = frontier["marginal_return"].to_numpy(), frontier["budget"].to_numpy()
    crossing = np.flatnonzero((price[:-1] >= 1.0) & (price[1:] < 1.0))
    if not len(crossing):
        return None
    i = int(crossing[0])
    return float(budget[i] + (price[i] - 1.0) / (price[i] - price[i + 1]) * (budget[i + 1] - budget[i]))
