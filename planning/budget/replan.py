"""A plan meets a shock: the best change when only a share of the budget may move, and phasing over a year.

Moving at most M of a budget from a plan x0 is exact with two prices: a cell takes more only where its marginal lies
above the common price by the cost of moving, gives only where it lies below by as much, and stays in between. Both
prices are found by bisection, one inside the other.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from planning.budget.solver import solve, spend_at
from planning.errors import UsageError

SHARES = (0.02, 0.05, 0.10)


def least_move(curves, plan: np.ndarray, lo: np.ndarray, hi: np.ndarray, limit: float) -> np.ndarray:
    """Return the best split with the plan's total that moves at most ``limit`` (amount leaving its cell) from the
    plan."""
    total = float(plan.sum())
    best = solve(curves, total, lo, hi).x
    if np.abs(best - plan).sum() / 2 <= limit:
        return best
    here = curves.marginal(plan)
    low, high = 0.0, float(here.max() - here.min())
    x = plan
    for _ in range(60):
        cost = 0.5 * (low + high)
        x = _at_cost(curves, plan, here, lo, hi, total, cost)
        if np.abs(x - plan).sum() / 2 > limit:
            low = cost
        else:
            high = cost
    return _at_cost(curves, plan, here, lo, hi, total, high)


def _at_cost(curves, plan, here, lo, hi, total, cost) -> np.ndarray:
    """Return the best split when moving a unit costs ``cost`` on each side."""
    low, high = float(here.min()) - cost, float(here.max()) + cost
    x = plan
    for _ in range(70):
        price = 0.5 * (low + high)
        up = np.maximum(spend_at(curves, np.full(len(plan), price + cost), lo, hi), plan)
        down = np.minimum(spend_at(curves, np.full(len(plan), max(price - cost, 1e-300)), lo, hi), plan)
        x = np.where(here > price + cost, up, np.where(here < price - cost, down, plan))
        if x.sum() > total:
            low = price
        else:
            high = price
    return x


def move_options(
    curves, plan: np.ndarray, lo: np.ndarray, hi: np.ndarray, *, shares: tuple[float, ...] = SHARES
) -> tuple[pd.DataFrame, dict[float, np.ndarray]]:
    """Return what moving 2, 5 or 10 % of the budget obtains of the possible gain, and the splits.

    Columns: share (of the budget that may move), moved (amount), gain, of_possible (share of the gain without a limit).
    """
    total = float(plan.sum())
    base = float(curves.value(plan).sum())
    possible = float(curves.value(solve(curves, total, lo, hi).x).sum()) - base
    rows, splits = [], {}
    for share in shares:
        x = least_move(curves, plan, lo, hi, share * total)
        gain = float(curves.value(x).sum()) - base
        rows.append((share, float(np.abs(x - plan).sum() / 2), gain, gain / possible if possible > 0 else 1.0))
        splits[share] = x
    return pd.DataFrame(rows, columns=["share", "moved", "gain", "of_possible"]), splits


def phase(
    a: np.ndarray, k: np.ndarray, carry_over: np.ndarray, season: np.ndarray, total: float, *, floor: float = 0.0
) -> np.ndarray:
    """Return spend by cell and phase (cells, phases) of a year's total, with what carries from one phase to the next.

    a, k : Hill curves a phase; carry_over : share of a phase's spend that works in the next one; season : weight of the
    response of each phase (mean 1); floor : least spend of a cell and phase. Needs cvxpy, the optional extra.
    """
    try:
        import cvxpy as cp
    except ImportError:
        raise UsageError(
            "phasing over a year needs cvxpy. Install the extra: pip install 'planning-workbench[optimise]'."
        ) from None
    cells, phases = len(a), len(season)
    x = cp.Variable((cells, phases))
    value, state = 0.0, x[:, -1]
    for q in range(phases):
        # The year before is taken to end as this one does, so that nothing is won by emptying the last phase.
        state = cp.multiply(1 - carry_over, x[:, q]) + cp.multiply(carry_over, state if q else x[:, phases - 1])
        value = value + season[q] * (a.sum() - cp.sum(cp.multiply(a * k, cp.inv_pos(state + k))))
    scale = float(a.sum())
    problem = cp.Problem(cp.Maximize(value / scale), [x >= floor, cp.sum(x) == total])
    problem.solve(solver=cp.CLARABEL)
    if problem.status != "optimal":
        raise UsageError(f"phasing {total:,.2f} with a floor of {floor:,.2f} has no solution. Lower the floor.")
    spend = np.maximum(x.value, floor)
    return spend * (total / spend.sum())
