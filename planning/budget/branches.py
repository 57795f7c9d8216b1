"""Splits that are not one smooth hill: nothing or at least a minimum, S-shaped curves, whole lots.

A cell is either *off* (at a fixed amount, mostly nothing) or *on* somewhere on the concave part of its curve. At one
price for all cells each cell's best choice is exact, and price times total plus the sum of what the cells keep is an
upper bound on any split (the Lagrangian dual). The split is repaired to spend the total exactly, improved by
switching cells, and printed with what it may still be away from the bound.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass

import numpy as np

from planning.budget.curves import Curves
from planning.budget.solver import Groups, solve
from planning.errors import DataError

EVERY = 12  # up to this many cells every choice is tried: the result is then the optimum
FEW = 20  # up to this many cells pairs of switches are tried as well


@dataclass(frozen=True)
class BranchSolution:
    """A split with its bound: x, which cells are on, price, value, bound >= best value, and the gap as a share of
    it."""

    x: np.ndarray
    on: np.ndarray
    price: float
    value: float
    bound: float

    @property
    def dual_gap(self) -> float:
        """Return how far the value is below the bound at most, as a share of the bound."""
        return max(self.bound - self.value, 0.0) / max(abs(self.bound), 1e-300)


def solve_branches(curves, total: float, off: np.ndarray, on_lo: np.ndarray, on_hi: np.ndarray) -> BranchSolution:
    """Return the split of ``total`` where each cell takes ``off`` or lies in [on_lo, on_hi], concave there.

    ``curves`` gives value, marginal and inverse of all cells. Raises DataError when no choice of cells spends the
    total.
    """
    kept = curves.value(off)
    low, high = _prices(curves, on_lo, on_hi, kept, off)
    bound = np.inf
    for _ in range(120):
        price = float(np.exp(0.5 * (low + high)))
        x, on, dual = _choice(curves, price, total, kept, off, on_lo, on_hi)
        bound = min(bound, dual)
        low, high = (0.5 * (low + high), high) if x.sum() > total else (low, 0.5 * (low + high))
        if high - low < 1e-13:
            break
    _, on, dual = _choice(curves, float(np.exp(high)), total, kept, off, on_lo, on_hi)
    bound = min(bound, dual)
    search = _Search(curves, total, kept, off, on_lo, on_hi)
    on = search.feasible(on, _appeal(curves, float(np.exp(high)), kept, off, on_lo, on_hi))
    on = search.improve(on, _appeal(curves, float(np.exp(high)), kept, off, on_lo, on_hi))
    found = search.split(on)
    value = float(curves.value(found.x).sum())
    return BranchSolution(found.x, on, found.price, value, bound)


def _prices(curves, on_lo, on_hi, kept, off) -> tuple[float, float]:
    slope_lo, slope_hi = curves.marginal(on_lo), curves.marginal(on_hi)
    steps = np.maximum(on_lo - off, 1e-12)
    average = np.where(on_lo > off, (curves.value(on_lo) - kept) / steps, 0.0)
    top = max(float(slope_lo.max()), float(average.max()), 1e-12)
    bottom = slope_hi[slope_hi > 0].min(initial=top)
    return float(np.log(min(bottom, top) * 1e-3)), float(np.log(top * 10))


def _choice(curves, price, total, kept, off, on_lo, on_hi):
    """Return spend, which cells are on, and the dual value when every cell answers the price on its own."""
    x_on = np.clip(curves.inverse(np.full(len(off), price)), on_lo, on_hi)
    gain_on, gain_off = curves.value(x_on) - price * x_on, kept - price * off
    on = gain_on >= gain_off
    return np.where(on, x_on, off), on, price * total + float(np.maximum(gain_on, gain_off).sum())


def _appeal(curves, price, kept, off, on_lo, on_hi) -> np.ndarray:
    x_on = np.clip(curves.inverse(np.full(len(off), price)), on_lo, on_hi)
    return curves.value(x_on) - price * x_on - (kept - price * off)


class _Search:
    """Values of choices of cells: with the choice made the rest is concave and exact."""

    def __init__(self, curves, total, kept, off, on_lo, on_hi) -> None:
        self.curves, self.total, self.kept = curves, total, kept
        self.off, self.on_lo, self.on_hi = off, on_lo, on_hi

    def limits(self, on) -> tuple[np.ndarray, np.ndarray]:
        """Return lo and hi of every cell under a choice."""
        return np.where(on, self.on_lo, self.off), np.where(on, self.on_hi, self.off)

    def possible(self, on) -> bool:
        """Tell whether the total can be spent exactly under a choice."""
        lo, hi = self.limits(on)
        slack = 1e-9 * max(abs(self.total), 1.0)
        return lo.sum() <= self.total + slack and hi.sum() >= self.total - slack

    def split(self, on):
        """Return the exact split under a choice."""
        lo, hi = self.limits(on)
        return solve(self.curves, self.total, lo, hi)

    def value(self, on) -> float:
        """Return the value of the best split under a choice, minus infinity where there is none."""
        if not self.possible(on):
            return -np.inf
        return float(self.curves.value(self.split(on).x).sum())

    def values(self, choices: np.ndarray) -> np.ndarray:
        """Return the value of the best split under each choice (m, cells), all choices bisected at once where
        possible."""
        if not isinstance(self.curves, Curves):
            return np.array([self.value(on) for on in choices])
        lo, hi = self.limits(choices)
        slack = 1e-9 * max(abs(self.total), 1.0)
        possible = (lo.sum(axis=1) <= self.total + slack) & (hi.sum(axis=1) >= self.total - slack)
        low, high = np.full((len(lo), 1), -60.0), np.full((len(lo), 1), 60.0)
        for _ in range(52):
            middle = 0.5 * (low + high)
            x = np.clip(self.curves.inverse(np.exp(middle)), lo, hi)
            over = x.sum(axis=1, keepdims=True) > self.total
            low, high = np.where(over, middle, low), np.where(over, high, middle)
        return np.where(possible, self.curves.value(x).sum(axis=1), -np.inf)

    def price(self, on) -> float:
        """Return the price of the best split under a choice."""
        return float(self.split(on).price) if self.possible(on) else 0.0

    def bounds(self, choices: np.ndarray, price: float) -> np.ndarray:
        """Return what no split under each choice (m, cells) can exceed: the Lagrangian dual at a price."""
        if not price > 0:
            return np.full(len(choices), np.inf)
        x_on = np.clip(self.curves.inverse(np.full(len(self.off), price)), self.on_lo, self.on_hi)
        gain_on, gain_off = self.curves.value(x_on) - price * x_on, self.kept - price * self.off
        return price * self.total + np.where(choices, gain_on, gain_off).sum(axis=1)

    def feasible(self, on, appeal) -> np.ndarray:
        """Switch cells, most appealing first, until the total can be spent."""
        on = on.copy()
        for _ in range(2 * len(on)):
            if self.possible(on):
                return on
            lo, hi = self.limits(on)
            short = hi.sum() < self.total
            candidates = np.flatnonzero(~on if short else on)
            if not len(candidates):
                break
            at = candidates[np.argmax(appeal[candidates])] if short else candidates[np.argmin(appeal[candidates])]
            on[at] = short
        if self.possible(on):
            return on
        raise DataError(
            f"no choice of cells spends {self.total:,.2f} exactly: each takes its fixed amount or at least its "
            "minimum. Lower a minimum, or change the total."
        )

    def improve(self, on, appeal) -> np.ndarray:
        """Try every choice where cells are few; else switch single cells near the margin, and pairs, while it helps."""
        value = self.value(on)
        if len(on) <= (EVERY if isinstance(self.curves, Curves) else EVERY // 2):
            every = (np.arange(2 ** len(on))[:, None] >> np.arange(len(on)) & 1).astype(bool)
            every = every[self.bounds(every, self.price(on)) > value]
            values = self.values(every) if len(every) else np.array([-np.inf])
            return every[int(np.argmax(values))] if values.max() > value else on
        near = np.argsort(np.abs(appeal), kind="stable")[: max(FEW, 24)]
        for _ in range(12):
            trials = [self._switched(on, [i]) for i in near]
            if len(on) <= FEW:
                trials += [self._switched(on, list(pair)) for pair in itertools.combinations(range(len(on)), 2)]
            # A choice whose bound at today's price is not above what is there need not be solved.
            least = value + 1e-9 * abs(value)
            trials = np.array(trials)
            trials = trials[self.bounds(trials, self.price(on)) > least]
            if not len(trials):
                break
            values = self.values(trials)
            best = int(np.argmax(values))
            if values[best] <= least:
                break
            on, value = trials[best], values[best]
        return on

    @staticmethod
    def _switched(on, which) -> np.ndarray:
        trial = on.copy()
        trial[which] = ~trial[which]
        return trial


def inflection(curves: Curves) -> np.ndarray:
    """Return where an S-shaped curve turns from convex to concave; 0 for concave forms."""
    if curves.form != "s":
        return np.zeros_like(curves.k)
    n = curves.slope
    return curves.k * ((n - 1) / (n + 1)) ** (1 / n)


def solve_s_shaped(curves: Curves, total: float, lo: np.ndarray, hi: np.ndarray) -> BranchSolution:
    """Return the split over S-shaped curves within lo and hi: a cell stays at lo or lies beyond its inflection."""
    on_lo = np.clip(np.maximum(inflection(curves), lo), lo, hi)
    return solve_branches(curves, total, lo, on_lo, hi)


def solve_lots(curves, total: float, lot: float, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    """Return how many whole lots each cell gets (concave curves): exact, the best increments first.

    Amounts are multiples of ``lot`` within lo and hi. Raises DataError naming the nearest totals that whole lots can
    make.
    """
    least = np.ceil(lo / lot - 1e-9).astype(np.int64)
    most = np.floor(hi / lot + 1e-9).astype(np.int64)
    count = int(round(total / lot))
    if abs(count * lot - total) > 1e-6 * max(lot, 1.0):
        below = np.floor(total / lot) * lot
        raise DataError(
            f"the total {total:,.2f} is no multiple of the lot {lot:,.2f}. Take {below:,.2f} or {below + lot:,.2f}."
        )
    if (most < least).any() or not least.sum() <= count <= most.sum():
        raise DataError(
            f"whole lots of {lot:,.2f} can make totals from {least.sum() * lot:,.2f} to {most.sum() * lot:,.2f} within "
            f"the bounds, not {total:,.2f}. Change the total, the lot or a bound."
        )

    def step(n):
        return curves.value((n + 1.0) * lot) - curves.value(n * 1.0 * lot)

    lots = _lots_at_one_price(curves, lot, least, most, count, step)
    return _lots_repaired(step, lots, least, most, count)


def solve_grouped_lots(
    curves, total: float, lot: float, lo: np.ndarray, hi: np.ndarray, groups: Groups, words: list[str]
) -> np.ndarray:
    """Return whole lots within limits on the sums of disjoint groups: exact, as the groups' values are concave too.

    Solved without the groups' limits first. Where sums over their caps outweigh those below their floors, the former
    stand at their caps in the best split (else the latter at their floors); they are set there and the rest is solved
    again (Bitran and Hax 1981). ``words`` name the groups for messages.
    """
    least, most = np.ceil(groups.floor / lot - 1e-9), np.floor(groups.cap / lot + 1e-9)
    _groups_can(lot, lo, hi, groups, least, most, words)
    lots, open_cells = np.zeros(len(lo), np.int64), np.ones(len(lo), bool)
    free = np.ones(len(words), bool)
    while open_cells.any():
        rest = total - lots[~open_cells].sum() * lot
        lots[open_cells] = _lots_of(curves, rest, lot, lo, hi, open_cells)
        sums = groups.member @ lots
        over, under = np.where(free, np.maximum(sums - most, 0), 0), np.where(free, np.maximum(least - sums, 0), 0)
        if not (over.any() or under.any()):
            break
        aim, wrong = (most, over > 0) if over.sum() >= under.sum() else (least, under > 0)
        for g in np.flatnonzero(wrong):
            inside = groups.member[g]
            lots[inside] = _lots_of(curves, float(aim[g]) * lot, lot, lo, hi, inside)
            free[g], open_cells = False, open_cells & ~inside
    return lots


def _lots_of(curves, total, lot, lo, hi, cells: np.ndarray) -> np.ndarray:
    at = np.flatnonzero(cells)
    return solve_lots(curves.take(at), round(total, 6), lot, lo[at], hi[at])


def _groups_can(lot, lo, hi, groups: Groups, least, most, words) -> None:
    """Refuse a group whose limits no whole lots can meet, by name."""
    low, high = np.ceil(lo / lot - 1e-9), np.floor(hi / lot + 1e-9)
    for g, name in enumerate(words):
        inside = groups.member[g]
        can = max(low[inside].sum(), least[g]), min(high[inside].sum(), most[g])
        if can[0] > can[1]:
            raise DataError(
                f"no whole lots of {lot:,.2f} meet the rule for {name}: its cells make {low[inside].sum() * lot:,.2f} "
                f"to {high[inside].sum() * lot:,.2f}. Change the lot, the rule or a bound."
            )


def _lots_at_one_price(curves, lot, least, most, count, step) -> np.ndarray:
    """Return lots whose last one is worth the price and whose next one is not, for the price that spends the most."""
    low, high = np.log(1e-12 * max(step(least).max(), 1e-300)), np.log(2 * max(step(least).max(), 1e-300))
    lots = least
    for _ in range(60):
        price = float(np.exp(0.5 * (low + high)))
        near = np.floor(
            np.clip(curves.inverse(np.full(len(least), price / lot)), least * lot, most * lot) / lot + 1e-12
        )
        n = np.clip(near.astype(np.int64), least, most)
        n = np.where((n < most) & (step(n) >= price), n + 1, n)
        n = np.where((n > least) & (step(np.maximum(n - 1, 0)) < price), n - 1, n)
        if n.sum() > count:
            low = np.log(price)
        else:
            high, lots = np.log(price), n
        if high - low < 1e-12 or n.sum() == count:
            break
    return lots


def _lots_repaired(step, lots, least, most, count) -> np.ndarray:
    """Add the best next lots until all are given, then swap while the best next beats the worst last."""
    lots = lots.copy()
    gains = step(lots)
    heap = [(-gains[i], i) for i in np.flatnonzero(lots < most)]
    heapq.heapify(heap)
    for _ in range(count - int(lots.sum())):
        _, i = heapq.heappop(heap)
        lots[i] += 1
        if lots[i] < most[i]:
            heapq.heappush(heap, (-float(step(lots)[i]), i))
    for _ in range(len(lots)):
        following = np.where(lots < most, step(lots), -np.inf)
        last = np.where(lots > least, step(np.maximum(lots - 1, 0)), np.inf)
        up, down = int(np.argmax(following)), int(np.argmin(last))
        if following[up] <= last[down] * (1 + 1e-12):
            break
        lots[up] += 1
        lots[down] -= 1
    return lots
