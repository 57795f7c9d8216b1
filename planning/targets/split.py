"""Splitting a total over cells: every cell equally hard, or by expected share, within group limits.

Both are one problem. With base b, slope a > 0 and a common effort x, a cell gets b + a * x:

    equal probability   b = mean + shift * scale, a = scale     x is the standard quantile all cells share
    expected share      b = 0, a = weight * mean                x is the common factor

Limits on sums of cells give each limit its own extra effort, as little as it needs: the solution minimises
sum (T - b)^2 / 2a under the limits. It is found by raising and lowering one limit's effort at a time (each step is
exact, by the breakpoints of a piecewise linear sum), then polished by solving for all binding limits at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SWEEPS = 3000


@dataclass(frozen=True)
class Limit:
    """`low` <= sum of the cells in `rows` <= `high`, in minor units."""

    rows: np.ndarray
    low: float
    high: float


def split(
    base: np.ndarray, slope: np.ndarray, total: float, limits: Sequence[Limit], low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Returns float shares that sum to `total`, within `low` and `high` per cell and every limit.

    The limits must be feasible (`feasible.conflict` returned None).
    """
    groups = [Limit(np.arange(len(base)), total, total), *limits]
    effort = np.zeros(len(groups))
    shared = np.zeros(len(base))
    tolerance = max(1e-3, 1e-11 * abs(total))
    for _ in range(SWEEPS):
        worst = 0.0
        for g, group in enumerate(groups):
            rows = group.rows
            others = shared[rows] - effort[g]
            new = _effort(base[rows], slope[rows], others, low[rows], high[rows], group)
            shared[rows] += new - effort[g]
            worst = max(worst, abs(new - effort[g]) * float(slope[rows].sum()))
            effort[g] = new
        if worst <= tolerance or len(groups) == 1:
            break
    return _polished(base, slope, shared, effort, groups, low, high)


def _effort(base, slope, others, low, high, group: Limit) -> float:
    """Returns the effort nearest 0 at which the group's sum lies within its limits."""

    def reached(x: float) -> float:
        return float(np.clip(base + slope * (others + x), low, high).sum())

    now = reached(0.0)
    if group.low <= now <= group.high:
        return 0.0
    return _solve(base + slope * others, slope, low, high, group.low if now < group.low else group.high)


def _solve(at: np.ndarray, slope: np.ndarray, low: np.ndarray, high: np.ndarray, wanted: float) -> float:
    """Returns x with sum(clip(at + slope * x, low, high)) = wanted, or the x of the nearest sum that can be reached."""
    moving = (slope > 0) & (high > low)
    if not moving.any():
        return 0.0
    a, s, lo, hi = at[moving], slope[moving], low[moving], high[moving]
    wanted -= float(np.clip(at[~moving], low[~moving], high[~moving]).sum())
    starts, ends = (lo - a) / s, (hi - a) / s
    points = np.concatenate([starts, ends[np.isfinite(ends)]])
    change = np.concatenate([s, -s[np.isfinite(ends)]])
    order = np.argsort(points, kind="stable")
    points, rising = points[order], np.cumsum(change[order])
    sums = float(lo.sum()) + np.concatenate([[0.0], np.cumsum(rising[:-1] * np.diff(points))])
    k = int(np.searchsorted(sums, wanted, side="right")) - 1
    if k < 0:
        return float(points[0])
    if k >= len(points) - 1 and rising[-1] <= 1e-12 * s.sum():
        return float(points[-1])
    return float(points[k] + (wanted - sums[k]) / max(rising[k], 1e-300))


def _polished(base, slope, shared, effort, groups, low, high) -> np.ndarray:
    """Solves exactly for the efforts of the binding limits, with the cells that stand at a bound held there."""
    out = np.clip(base + slope * shared, low, high)
    for _ in range(3):
        free = (out > low) & (out < high) & (slope > 0)
        active = [g for g in range(len(groups)) if g == 0 or effort[g] != 0]
        member = np.zeros((len(active), len(base)))
        for position, g in enumerate(active):
            member[position, groups[g].rows] = 1.0
        wanted = np.array([groups[g].low if g == 0 or effort[g] > 0 else groups[g].high for g in active])
        gap = wanted - member @ out
        if not free.any() or np.abs(gap).max() < 1e-9 * max(1.0, abs(groups[0].low)) * 1e-4:
            break
        weighted = member[:, free] * slope[free]
        step = np.linalg.lstsq(weighted @ member[:, free].T, gap, rcond=1e-12)[0]
        out[free] += slope[free] * (member[:, free].T @ step)
        out = np.clip(out, low, high)
    return out
