"""A plan meets a shock: the best change when only a share of the budget may move, and phasing over a year.

Moving at most M of a budget from a plan x0 is exact with two prices: a cell takes more only where its marginal lies
above the common price by the cost of moving, gives only where it lies below by as much, and stays in between. Both
prices are found by Brent's method, one inside the other.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import optimize

from planning.budget.solver import solve, spend_at

SHARES = (0.02, 0.05, 0.10)
EXACT = 1e-11  # how near prices are found, as a share of the widest difference between marginals


def least_move(curves, plan: np.ndarray, lo: np.ndarray, hi: np.ndarray, limit: float) -> np.ndarray:
    """Return the best split with the plan's total that moves at most ``limit`` (amount leaving its cell) from the
    plan."""
    total = float(plan.sum())
    best = solve(curves, total, lo, hi).x
    if np.abs(best - plan).sum() / 2 <= limit:
        return best
    here = curves.marginal(plan)
    high = float(here.max() - here.min())
    near = EXACT * high

    def split(cost: float) -> np.ndarray:
        return _at_cost(curves, plan, here, lo, hi, total, cost)

    def beyond(x: np.ndarray) -> float:
        return float(np.abs(x - plan).sum() / 2) - limit

    cost = _crossing(lambda cost: beyond(split(cost)), 0.0, high, near)
    x = split(cost)
    while cost < high and beyond(x) > 0:  # the limit is a rule: the root is taken from its cautious side
        cost, near = cost + near, 2 * near
        x = split(min(cost, high))
    return x


def _at_cost(curves, plan, here, lo, hi, total, cost) -> np.ndarray:
    """Return the best split when moving a unit costs ``cost`` on each side."""
    low, high = float(here.min()) - cost, float(here.max()) + cost

    def split(price: float) -> np.ndarray:
        takes, gives = here > price + cost, here < price - cost
        moved = spend_at(curves, np.where(takes, price + cost, max(price - cost, 1e-300)), lo, hi)
        return np.where(takes, np.maximum(moved, plan), np.where(gives, np.minimum(moved, plan), plan))

    price = _crossing(lambda price: split(price).sum() - total, low, high, EXACT * max(abs(low), abs(high)))
    return split(price)


def _crossing(falling, low: float, high: float, near: float) -> float:
    """Return where a falling function crosses zero, an end where it does not."""
    if falling(low) <= 0:
        return low
    return high if falling(high) >= 0 else float(optimize.brentq(falling, low, high, xtol=near))


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


def carried_over(alpha: np.ndarray, periods: float) -> np.ndarray:
    """Return which share of a phase's effect falls into the next one, from the carry-over ``alpha`` a period.

    >>> carried_over(np.array([0.5]), 13).round(3)
    array([0.077])
    """
    alpha = np.nan_to_num(np.asarray(alpha, float))
    return np.minimum(alpha * (1 - alpha**periods) / np.maximum((1 - alpha) * periods, 1e-9), 0.49)


def phase(
    curves, amounts: np.ndarray, carry_over: np.ndarray, season: np.ndarray, *, sweeps: int = 12
) -> np.ndarray:
    """Return the best spend by cell and phase (cells, phases) when each cell's phases average its ``amounts``.

    A phase works with (1 - c) of its own spend and c of that of the phase before; the year before is taken to end as
    this one does, so that nothing is won by emptying the last phase. season : weight of the response of each phase.
    curves : concave, with `inverse` and `marginal` (cells,). At the optimum a cell's next unit returns the same in all
    phases with spend: found by bisection on that price, cell by cell, phases solved in turn (they meet only through c).
    """
    count = len(season)
    low, high = np.full(len(amounts), -80.0), np.full(len(amounts), 80.0)
    x = np.repeat(amounts[:, None], count, axis=1)
    for _ in range(64):
        middle = 0.5 * (low + high)
        x = _phases_at(curves, np.exp(middle), x, carry_over, season, sweeps)
        over = x.mean(axis=1) > amounts
        low, high = np.where(over, middle, low), np.where(over, high, middle)
    mean = x.mean(axis=1, keepdims=True)
    return np.where(mean > 0, x * (amounts[:, None] / np.where(mean > 0, mean, 1.0)), amounts[:, None])


def _phases_at(curves, price, x, c, season, sweeps: int) -> np.ndarray:
    """Return each phase's best spend at a price of the cell, the others given, until nothing moves."""
    x, count = x.copy(), len(season)
    for _ in range(sweeps):
        before = x.copy()
        for q in range(count):
            after, earlier = (q + 1) % count, (q - 1) % count
            later = season[after] * curves.marginal((1 - c) * x[:, after] + c * x[:, q])
            wanted = np.maximum(price - c * later, 1e-300) / ((1 - c) * season[q])
            x[:, q] = np.maximum((curves.inverse(wanted) - c * x[:, earlier]) / (1 - c), 0.0)
        if np.abs(x - before).max() <= 1e-12 * max(float(np.abs(x).max()), 1.0):
            break
    return x


def phased_value(curves, x: np.ndarray, carry_over: np.ndarray, season: np.ndarray) -> float:
    """Return the mean response a phase of a phased plan (cells, phases)."""
    states = (1 - carry_over)[:, None] * x + carry_over[:, None] * np.roll(x, 1, axis=1)
    return float(np.mean([w * curves.value(states[:, q]).sum() for q, w in enumerate(season)]))
