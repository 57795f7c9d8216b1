"""Whole cents of a split: they add up to the total, and keep every rule for a sum to the cent.

Amounts are rounded by largest remainder. Where that breaks a rule (rules for regions and for lines cross, a move limit
ends within a cent), the cents beside the amounts that keep all rules are found by a small integer program.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from planning.budget.solver import Groups


def to_cents(x: np.ndarray, total: float, lo: np.ndarray, hi: np.ndarray, groups: Groups | None = None) -> np.ndarray:
    """Return whole cents that add up to ``total`` exactly: largest remainder, within the bounds in cents.

    A group whose sum lies at its floor or cap keeps that sum exactly: its cells are rounded among themselves first.
    Where a move limit ends within a cent and the total needs all of it, cells take that cent whole.
    """
    aim = int(round(total * 100))
    low, high = whole_up(lo).astype(np.int64), whole_down(hi).astype(np.int64)
    high = np.maximum(high, low)
    cents = np.clip(np.floor(x * 100 + 1e-7).astype(np.int64), low, high)
    rest = x * 100 - cents
    free = np.ones(len(x), bool)
    if groups is not None and groups.disjoint:
        for g in range(len(groups.floor)):
            inside = groups.member[g]
            for limit in (groups.floor[g], groups.cap[g]):
                if np.isfinite(limit) and abs(x[inside].sum() - limit) <= 1e-6 * max(1.0, abs(limit)):
                    cents[inside] = _spread_cents(
                        cents[inside], rest[inside], int(round(limit * 100)), low[inside], high[inside]
                    )
                    free &= ~inside
                    break
    if free.any():
        cents[free] = _spread_cents(cents[free], rest[free], aim - int(cents[~free].sum()), low[free], high[free])
    if cents.sum() != aim:
        cents = _spread_cents(cents, rest, aim, low, high)
    rules, between = sums_in_cents(groups, len(x), aim)
    for bounds in ((low, high), (whole_down(lo), whole_up(hi))):
        sums = rules @ cents
        if ((sums >= between[0]) & (sums <= between[1])).all():
            break
        beside = cents_beside(100 * x, bounds, rules, between)
        cents = cents if beside is None else beside.astype(np.int64)
    return cents


def sums_in_cents(
    groups: Groups | None, count: int, aim: int
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Return which cells (sums, cells) each rule and, last, the total are about, and the limits in cents."""
    if groups is None:
        return np.ones((1, count), bool), (np.array([aim]), np.array([aim]))
    floor, cap = groups.in_cents()
    return np.vstack([groups.member, np.ones(count, bool)]), (np.append(floor, aim), np.append(cap, aim))


def cents_beside(amounts, bounds, rules, between, others=None) -> np.ndarray | None:
    """Return whole cents next to ``amounts`` (cells,) within ``bounds`` with ``rules`` @ cents ``between``, or None.

    ``others`` : (amounts, least, most) of further columns of ``rules``, which may move freely between theirs. Sums over
    regions and over lines cross like those of a table, whose corners are whole numbers, so there are cents wherever
    there are amounts.
    """
    from scipy import optimize, sparse

    base, still, least, most = np.floor(np.round(amounts, 4)), np.zeros(0), np.zeros(0), np.zeros(0)
    if others is not None:
        still, least, most = others
    done = rules @ np.r_[base, still]
    reach = np.minimum(np.ceil(np.round(amounts, 4)), bounds[1]) - base
    result = optimize.milp(
        np.r_[1 - 2 * (amounts - base), 0 * still],
        integrality=np.r_[np.ones(len(base)), 0 * still],
        bounds=optimize.Bounds(np.r_[np.maximum(bounds[0] - base, 0), least - still], np.r_[reach, most - still]),
        constraints=optimize.LinearConstraint(
            sparse.csc_array(rules.astype(float)), between[0] - done, between[1] - done
        ),
    )
    return None if result.x is None else base + np.round(result.x[: len(base)])


def whole_up(amounts: np.ndarray, unit: float = 0.01) -> np.ndarray:
    """Return how many units, cents unless told otherwise, are at least ``amounts``; rounding errors do not count."""
    return np.ceil(np.round(amounts / unit, 4))


def whole_down(amounts: np.ndarray, unit: float = 0.01) -> np.ndarray:
    """Return how many whole units are in ``amounts``."""
    return np.floor(np.round(amounts / unit, 4))


def _spread_cents(cents, rest, aim: int, low, high):
    """Move single cents, largest remainder first, until the sum is ``aim`` or no cell may move."""
    cents = cents.copy()
    while (gap := aim - int(cents.sum())) != 0:
        room = cents < high if gap > 0 else cents > low
        if not room.any():
            break
        order = np.lexsort((np.arange(len(rest)), -rest if gap > 0 else rest))
        order = order[room[order]][: abs(gap)]
        cents[order] += 1 if gap > 0 else -1
        rest = rest - (np.isin(np.arange(len(rest)), order)) * (1 if gap > 0 else -1)
    return cents
