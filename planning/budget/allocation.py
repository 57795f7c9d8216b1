"""The split of a budget over regions and lines, with its certificate and a verdict for every cell.

The value of a split is the posterior mean of the response, times margin. The split is exact for that value (see
`solver`); what it may lose because the curves are not known exactly is the expected regret.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pandas as pd

from planning.budget.branches import inflection, solve_branches, solve_grouped_lots
from planning.budget.cents import to_cents
from planning.budget.curves import Curves, Draws, Table
from planning.budget.response import Response
from planning.budget.rules import Rules, make_rules, read_bounds
from planning.budget.solver import Groups, Solution, kkt_spread, polish, solve
from planning.errors import DataError, Fault, UsageError

MOVE_LIMIT = 0.3
SURE = 0.8  # probability from which a verdict is given
SMALL_MOVE = 0.05  # a change below this share of current is no change


@dataclass
class Allocation:
    """The result. table : region, line, current, allocated, lo, hi, marginal_return, verdict and how it came about;
    summary : plain numbers and the certificate; rules, hard : the limits with and without the move limit; notes : what
    was treated how (warnings of the tables, held cells)."""

    table: pd.DataFrame
    summary: dict
    response: Response
    rules: Rules
    hard: Rules
    solution: Solution
    notes: list[str] = field(default_factory=list)
    warnings: list[Fault] = field(default_factory=list)


def allocate(
    response: Response,
    total: float | None = None,
    *,
    bounds: pd.DataFrame | None = None,
    move_limit: float | None = MOVE_LIMIT,
    margin: float = 1.0,
    fixed: pd.DataFrame | None = None,
    lot: float | None = None,
    bounds_file: str = "bounds",
) -> Allocation:
    """Split ``total`` (per period of spend; None: as much as now) over the cells of a fitted response.

    bounds : region, line, min, max, an empty key meaning the sum over all; fixed : region, line of commitments that
    stay (an empty region means every region); move_limit : largest change of a cell, as a share of its current spend;
    margin : margin earned on a unit of outcome; lot : amounts come in whole lots of this size (cells that stay as
    they are excepted). Raises DataError naming the smallest set of limits that cannot hold.
    """
    _sane(total, move_limit, margin, lot)
    cells = response.cells
    current = cells["current"].to_numpy(float)
    total = round(float(current.sum()) if total is None else float(total), 2)
    checked = read_bounds(bounds, cells, bounds_file)
    committed = _committed(cells, fixed)
    limits = partial(make_rules, cells, checked, total, fixed=committed, whole_lot=lot)
    rules = limits(move_limit=move_limit)
    hard = rules if move_limit is None else limits(move_limit=None)
    draws, informed = response.draws, response.informed
    curves = AllCells(draws, informed, len(cells), margin)
    lo, hi = rules.lo, np.minimum(rules.hi, total + rules.lo)
    solution = split(curves, total, lo, hi, rules)
    if lot is not None:
        solution = _in_lots(curves, solution, total, lot, lo, hi, rules)
        lo = hi = solution.x
    cents = to_cents(solution.x, total, lo, hi, rules.groups if len(rules.words) else None)
    allocated = cents / 100.0
    table = _table(response, curves, allocated, rules, solution.price, margin)
    summary = _summary(response, curves, allocated, cents, solution, rules, total, move_limit, hard, margin)
    summary["lines"] = line_figures(response, curves, solution.price)
    notes = [*rules.notes, *(fault.line() for fault in response.warnings), *untold(summary)]
    return Allocation(table, summary, response, rules, hard, solution, notes, response.warnings)


def _sane(total, move_limit, margin, lot) -> None:
    if total is not None and not (np.isfinite(total) and total > 0):
        raise UsageError(f"the total is {total:g}; there is nothing to split. Give an amount per period above 0.")
    if move_limit is not None and not 0 <= move_limit < 10:
        raise UsageError(f"the move limit is {move_limit:g}; give a share such as 0.3, or none.")
    if not (np.isfinite(margin) and 0 < margin <= 10):
        raise UsageError(f"the margin is {margin:g}; give the margin on a unit of outcome, such as 0.35.")
    if lot is not None and not (np.isfinite(lot) and lot >= 0.01):
        raise UsageError(f"the lot is {lot:g}; give an amount of at least 0.01, such as 500.")


def _committed(cells: pd.DataFrame, fixed: pd.DataFrame | None) -> np.ndarray:
    marked = np.zeros(len(cells), bool)
    if fixed is not None:
        for one in fixed.to_dict("records"):
            match = cells["line"].to_numpy() == one["line"]
            if one.get("region"):
                match &= cells["region"].to_numpy() == one["region"]
            marked |= match
    return marked


class AllCells:
    """The mean curves of all cells of a table, informed or not: a cell nothing is known about brings nothing more."""

    def __init__(self, draws: Draws, informed: np.ndarray, count: int, margin: float) -> None:
        self.draws, self.informed, self.count, self.margin = draws, informed, count, margin

    def table(self, lo: np.ndarray, hi: np.ndarray, *, below: np.ndarray | None = None, knots: int = 129) -> Table:
        """Return the mean of the informed cells as concave tables between lo and hi, in margin.

        ``below`` adds the point each cell takes when it is off, below ``lo``, so that its value is known too.
        """
        table = self.draws.table(lo[self.informed], hi[self.informed], knots=knots)
        grid, slopes, start = table.knots, table.marginals * self.margin, table.start * self.margin
        if below is not None:
            off = below[self.informed]
            kept = self.margin * self.draws.response(off).mean(axis=0)
            # A first segment whose area is the whole step from off to on; it is never inverted, only valued.
            mean_slope = np.divide(start - kept, grid[:, 0] - off, out=slopes[:, 0].copy(), where=grid[:, 0] > off)
            grid = np.column_stack([off, grid])
            slopes = np.column_stack([2 * mean_slope - slopes[:, 0], slopes])
            start = kept
        return Table(grid, slopes, start)

    def response(self, x: np.ndarray) -> np.ndarray:
        """Return the margin per draw and informed cell at a split of all cells."""
        return self.margin * self.draws.response(x[self.informed])

    def marginal(self, x: np.ndarray) -> np.ndarray:
        """Return the margin the next unit brings, per draw and informed cell."""
        return self.margin * self.draws.marginal(x[self.informed])


def split(curves: AllCells, total: float, lo, hi, rules: Rules) -> Solution:
    """Return the best split within limits: cells with curves are solved, the others stay.

    The mean curves are tabulated, the table is solved exactly, and the result is moved by Newton's method to the
    optimum of the mean curves themselves. Curves that are not concave and nothing-or-the-minimum go through
    `solve_branches`.
    """
    informed = curves.informed
    x = lo.copy()
    rest = total - (x.sum() - x[informed].sum())
    if not len(informed):
        return Solution(x, float("nan"), np.zeros(len(rules.words)), 0.0)
    groups = _informed_groups(rules, x, informed)
    low, high, gap = lo[informed], hi[informed], 0.0
    least = np.maximum(curves.draws.peak(low, high), np.where(low == 0, rules.least[informed], 0.0))
    if (least > low).any():
        on_curves = curves.table(_placed(lo, informed, np.minimum(least, high)), hi, below=lo)
        chosen = solve_branches(on_curves, rest, low, np.minimum(least, high), high)
        low, high = np.where(chosen.on, np.minimum(least, high), low), np.where(chosen.on, high, low)
        gap = chosen.dual_gap
    found = solve(curves.table(_placed(lo, informed, low), _placed(hi, informed, high)), rest, low, high, groups)
    x[informed], price, spread = _polished(curves, found, low, high, groups)
    return Solution(x, price, found.group_prices, spread, gap)


def _informed_groups(rules: Rules, x: np.ndarray, informed: np.ndarray) -> Groups:
    """Return the rules for sums as they are for the cells with curves, what the others take being given."""
    member = rules.groups.member
    part = (member * x).sum(axis=1) - (member[:, informed] * x[informed]).sum(axis=1)
    return Groups(member[:, informed], rules.groups.floor - part, rules.groups.cap - part)


def _in_lots(curves: AllCells, solution: Solution, total: float, lot: float, lo, hi, rules: Rules) -> Solution:
    """Return the best split in whole lots of the cells with curves; the certificate is that of the split it comes
    from."""
    if (rules.least > 0).any() or not rules.groups.disjoint:
        raise UsageError("whole lots do not go together with min_lot or with rules for crossing sums. Use one of them.")
    movable, x = ~rules.held[curves.informed], solution.x.copy()
    at = curves.informed[movable]
    rest = round(total - (x.sum() - x[at].sum()), 6)
    below = np.floor(rest / lot + 1e-9) * lot
    if abs(rest - below) > 0.005 and rest < total:
        kept = total - rest
        raise DataError(
            f"cells that stay as they are take {kept:,.2f}; what is left of {total:,.2f} is no multiple of the lot "
            f"{lot:,.2f}. Take a total of {kept + below:,.2f} or {kept + below + lot:,.2f}."
        )
    low, high = np.ceil(lo[at] / lot - 1e-9) * lot, np.floor(hi[at] / lot + 1e-9) * lot
    table = curves.table(_placed(lo, at, np.minimum(low, high)), _placed(hi, at, np.maximum(low, high) + lot))
    groups = _informed_groups(rules, x, at)
    table = table.take(np.flatnonzero(movable))
    x[at] = solve_grouped_lots(table, rest, lot, low, high, groups, rules.words) * lot
    return Solution(x, solution.price, solution.group_prices, solution.kkt_spread, solution.dual_gap)


def _placed(values: np.ndarray, at: np.ndarray, new: np.ndarray) -> np.ndarray:
    out = values.copy()
    out[at] = new
    return out


def _polished(curves: AllCells, found: Solution, lo, hi, groups: Groups) -> tuple[np.ndarray, float, float]:
    """Return spend, price and KKT spread at the optimum of the mean curves, starting from that of their tables."""
    if len(groups.floor) and not groups.disjoint:
        return found.x, found.price, found.kkt_spread
    mean = MeanCurves(curves)
    x, price, own = polish(mean, found, lo, hi, groups)
    return x, price, kkt_spread(mean.marginal(x), x, lo, hi, own)


class MeanCurves:
    """Mean marginal and curvature over the draws of the informed cells, in margin."""

    def __init__(self, curves: AllCells) -> None:
        self.draws, self.margin = curves.draws, curves.margin

    def marginal(self, x: np.ndarray) -> np.ndarray:
        """Return the mean margin of the next unit at ``x`` (cells,)."""
        return self.margin * self.draws.marginal(x).mean(axis=0)

    def curvature(self, x: np.ndarray) -> np.ndarray:
        """Return how fast the mean marginal falls at ``x``."""
        return self.margin * self.draws.curvature(x).mean(axis=0)


def _table(response: Response, curves: AllCells, allocated, rules: Rules, price, margin) -> pd.DataFrame:
    table = response.cells[["region", "line", "current"]].copy()
    table["current"] = table["current"].round(2)
    table["allocated"] = allocated
    for name in ("lo", "hi", "marginal_return", "response", "marginal_lo", "marginal_hi", "chance_above_price"):
        table[name] = np.nan
    at = response.informed
    if len(at):
        reply, slope = curves.response(allocated), curves.marginal(allocated)
        now = curves.marginal(response.cells["current"].to_numpy(float))
        # The bar is the draw's own: an error common to all cells says nothing about where a euro works better.
        weight = np.maximum(allocated[at], 1e-9)
        bar = price * (slope @ weight) / max(float(slope.mean(axis=0) @ weight), 1e-300)
        table.loc[at, "lo"], table.loc[at, "hi"] = np.quantile(reply, [0.05, 0.95], axis=0)
        table.loc[at, "response"] = reply.mean(axis=0)
        table.loc[at, "marginal_return"] = slope.mean(axis=0)
        table.loc[at, "marginal_lo"], table.loc[at, "marginal_hi"] = np.quantile(slope, [0.05, 0.95], axis=0)
        table.loc[at, "chance_above_price"] = (now > bar[:, None]).mean(axis=0)
    table["evidence"] = response.cells["evidence"]
    table["reason"] = response.cells["reason"]
    table["verdict"] = _verdicts(table, response, rules)
    first = ["region", "line", "current", "allocated", "lo", "hi", "marginal_return", "verdict"]
    return table[first + [c for c in table.columns if c not in first]]


def line_figures(response: Response, curves: AllCells, price: float) -> list[dict]:
    """Return what each line brings today, a period: line, spend, contribution with its 90 % interval, return per unit
    of spend, and the chance that its next unit works better than elsewhere; None where nothing is known."""
    now, cells = response.cells["current"].to_numpy(float), response.cells
    reply, slope = (f(now) for f in (curves.response, curves.marginal)) if len(curves.informed) else (None, None)
    rows = []
    for line, part in cells.groupby("line", sort=False):
        at = part["draw"].to_numpy()
        row = dict.fromkeys(("contribution", "lo", "hi", "return_per_unit", "chance_better"))
        spend = float(part["current"].sum())
        if (at >= 0).all() and spend > 0:
            total = reply[:, at].sum(axis=1)
            lo, hi = (float(v) for v in np.quantile(total, [0.05, 0.95]))
            better = slope[:, at] @ (part["current"].to_numpy(float) / spend) > price
            row = {
                "contribution": float(total.mean()), "lo": lo, "hi": hi, "return_per_unit": float(total.mean()) / spend,
                "chance_better": float(better.mean()),
            }  # fmt: skip
        rows.append({"line": line, "spend": round(spend, 2)} | row)
    return rows


def untold(summary: dict) -> list[str]:
    """Return, plainly, what these data cannot tell."""
    told = []
    chance = summary["gain_probability"]
    if chance is not None and chance < SURE:
        unsure = f"cannot tell: whether the split is better than today's proportions (chance {chance:.0%})"
        worse = f"the limits force a split that brings less than today's proportions (chance of more {chance:.0%})"
        told.append(unsure if chance > 1 - SURE else worse)
    for one in summary["lines"]:
        better = one["chance_better"]
        if better is None:
            told.append(f"cannot tell: what {one['line']} brings; a pilot or judged sales would say")
        elif 1 - SURE < better < SURE:
            told.append(
                f"cannot tell: whether the next unit of {one['line']} works better than elsewhere "
                f"(chance {better:.0%}); a pilot would"
            )
    for line in summary["lines_following_demand"]:
        told.append(f"cannot tell: how much of the effect of {line} is demand that its spend follows; a pilot would")
    return told


def _verdicts(table: pd.DataFrame, response: Response, rules: Rules) -> list[str]:
    """Return raise, cut, keep or test for every cell.

    Test where nothing is known, where the spend follows demand and looks good, or where a real change is proposed
    that is not sure enough; keep where (almost) nothing changes or a commitment holds; raise and cut where it is sure.
    """
    flagged = set(response.lines.loc[response.lines["follows_demand"], "line"])
    verdicts = []
    for row, held in zip(table.to_dict("records"), rules.held, strict=True):
        change = row["allocated"] - row["current"]
        small = abs(change) <= SMALL_MOVE * max(row["current"], 0.01)
        chance = row["chance_above_price"]
        if not np.isfinite(chance):
            verdicts.append("test")
        elif held:
            verdicts.append("keep")
        elif change > 0 and not small and chance >= SURE:
            verdicts.append("test" if row["line"] in flagged else "raise")
        elif change < 0 and not small and chance <= 1 - SURE:
            verdicts.append("cut")
        else:
            verdicts.append("keep" if small else "test")
    return verdicts


def _summary(response, curves, allocated, cents, solution, rules, total, move_limit, hard, margin) -> dict:
    current = response.cells["current"].to_numpy(float)
    same_money = current * (total / current.sum()) if current.sum() > 0 else current
    summary = {
        "total": total, "currency": None, "period": response.panel.step, "margin": margin,
        "current_total": round(float(current.sum()), 2), "expected_gain": 0.0, "expected_gain_lo": 0.0,
        "expected_gain_hi": 0.0, "expected_gain_interval": [0.0, 0.0], "gain_probability": None,
        "expected_response": 0.0, "expected_regret": None, "expected_regret_now": None,
        "kkt_spread": solution.kkt_spread, "dual_gap": solution.dual_gap,
        "sum_error": (int(cents.sum()) - int(round(total * 100))) / 100.0,
        "move_limit": move_limit, "move_limit_forgone": 0.0, "move_limit_forgone_amount": 0.0,
        "shadow_price": None, "shadow_price_lo": None, "shadow_price_hi": None,
        "cells": len(current), "cells_without_evidence": int(len(current) - len(response.informed)),
        "lines_following_demand": list(response.lines.loc[response.lines["follows_demand"], "line"]),
        "lines_without_evidence": list(response.lines.loc[response.lines["evidence"] == "none", "line"]),
        "forms": response.forms, "binding_groups": _binding(solution, rules),
    }  # fmt: skip
    if not len(response.informed):
        return summary
    gain = (curves.response(allocated) - curves.response(same_money)).sum(axis=1)
    lo, hi = (float(v) for v in np.quantile(gain, [0.05, 0.95]))
    free_gain = float(gain.mean()) if hard is rules else _free_gain(curves, same_money, total, hard)
    regret, regret_now = expected_regret(curves, allocated, same_money, total, rules)
    free = (rules.hi > rules.lo)[response.informed]
    slope = curves.marginal(allocated)[:, free] if free.any() else curves.marginal(allocated)
    weight = np.maximum(allocated[response.informed][free] if free.any() else allocated[response.informed], 1e-9)
    per_unit = (
        slope
        @ (weight / weight.sum())
        * (solution.price / max(float((slope @ (weight / weight.sum())).mean()), 1e-300))
    )
    summary |= {
        "expected_gain": float(gain.mean()), "expected_gain_lo": lo, "expected_gain_hi": hi,
        "expected_gain_interval": [lo, hi], "gain_probability": float(((gain > 0).sum() + 0.5) / (len(gain) + 1)),
        "expected_response": float(curves.response(allocated).sum(axis=1).mean()),
        "expected_regret": regret, "expected_regret_now": regret_now,
        "move_limit_forgone": float(max(1 - gain.mean() / free_gain, 0.0)) if free_gain > 0 else 0.0,
        "move_limit_forgone_amount": float(max(free_gain - gain.mean(), 0.0)),
        "shadow_price": float(solution.price), "shadow_price_lo": float(np.quantile(per_unit, 0.1)),
        "shadow_price_hi": float(np.quantile(per_unit, 0.9)),
    }  # fmt: skip
    return summary


def _binding(solution: Solution, rules: Rules) -> list[dict]:
    return [
        {"rule": words, "price": float(price)}
        for words, price in zip(rules.words, solution.group_prices, strict=True)
        if abs(price) > 1e-9
    ]


def _free_gain(curves, same_money, total, free: Rules) -> float:
    """Return the gain of the best split without the move limit, all other rules kept."""
    hi = np.minimum(free.hi, total + free.lo)
    best = split(curves, total, free.lo, hi, free)
    return float((curves.response(best.x) - curves.response(same_money)).sum(axis=1).mean())


def expected_regret(curves: AllCells, allocated, same_money, total: float, rules: Rules, *, draws: int = 100):
    """Return the share of the best response, known exactly, that the split and the current split lose on average.

    Every draw is taken as the truth in turn and solved exactly within the bounds of the cells.
    """
    step = max(1, len(curves.draws) // draws)
    at = curves.informed
    lo, hi = rules.lo[at], np.minimum(rules.hi, total + rules.lo)[at]
    rest = allocated[at].sum()
    a, k, forms = (v[::step] for v in (curves.draws.a, curves.draws.k, curves.draws.forms))
    best = np.empty(len(a))
    for form in np.unique(forms):
        rows = forms == form
        best[rows] = _best_of_draws(Curves(a[rows], k[rows], str(form)), rest, lo, hi)
    sub = Draws(curves.draws.cells, a, k, forms)
    mine, now = sub.response(allocated[at]).sum(axis=1), sub.response(same_money[at]).sum(axis=1)
    total_best = np.maximum(best, 1e-300)
    return float(np.mean(np.maximum(best - mine, 0) / total_best)), float(np.mean((best - now) / total_best))


def _best_of_draws(curves: Curves, total: float, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    """Return the best value of many known truths (draws, cells) at once: exact where concave, else the dual bound."""
    count = len(curves.a)
    low, high = np.full(count, -60.0), np.full(count, 60.0)
    turn = np.clip(np.maximum(inflection(curves), lo), lo, hi)
    kept, bound = curves.value(np.broadcast_to(lo, curves.a.shape)), np.full(count, np.inf)
    for _ in range(70):
        middle = 0.5 * (low + high)
        price = np.exp(middle)[:, None]
        x = np.clip(curves.inverse(price), turn, hi)
        gain, stay = curves.value(x) - price * x, kept - price * lo
        bound = np.minimum(bound, price[:, 0] * total + np.maximum(gain, stay).sum(axis=1))
        over = np.where(gain >= stay, x, lo).sum(axis=1) > total
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    return bound
