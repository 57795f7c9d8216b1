"""The exact split of a total over concave curves: one price for all, found by bisection, with its certificate.

At the optimum every cell that is free to move has the same marginal response, the price; a cell at its floor has
less, one at its cap has more (Karush-Kuhn-Tucker). The spend at a price falls as the price rises, so the price that
spends the total is found by bisection; nothing is approximated. Groups (disjoint sets of cells with a floor and a cap
of their own) get a price of their own only where theirs binds, found the same way first. Overlapping groups are
solved by raising one group's price at a time until no rule moves any more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from planning.budget.cents import whole_down, whole_up

STEPS = 200


@dataclass(frozen=True)
class Groups:
    """Sets of cells with limits on their sum: member (groups, cells) bool, floor and cap (groups,)."""

    member: np.ndarray
    floor: np.ndarray
    cap: np.ndarray

    @property
    def disjoint(self) -> bool:
        """Tell whether no cell is in two groups."""
        return bool((self.member.sum(axis=0) <= 1).all())

    def in_cents(self) -> tuple[np.ndarray, np.ndarray]:
        """Return floor and cap in whole cents; a sum asked to a fraction of a cent is rounded."""
        floor, cap = whole_up(self.floor), whole_down(self.cap)
        exact = floor > cap
        return np.where(exact, np.round(100 * self.floor), floor), np.where(exact, np.round(100 * self.cap), cap)


@dataclass(frozen=True)
class Solution:
    """A split: x (cells,), price of the total, price of each group, and how far it is from the optimality
    conditions."""

    x: np.ndarray
    price: float
    group_prices: np.ndarray
    kkt_spread: float
    dual_gap: float = 0.0


def spend_at(curves, price, lo: np.ndarray, hi: np.ndarray) -> np.ndarray:
    """Return the best spend of every cell when a unit of budget costs ``price``."""
    return np.clip(curves.inverse(price), lo, hi)


def _bracket(curves, lo, hi) -> tuple[float, float]:
    free = hi > lo
    if not free.any():
        return 1.0, 1.0
    low, high = curves.marginal(hi)[free], curves.marginal(lo)[free]
    floor = max(float(low[low > 0].min(initial=np.inf)), 1e-300) if (low > 0).any() else 1e-300
    return floor * (1 - 1e-12), float(high.max()) * (1 + 1e-12)


def _bisect(excess, low: np.ndarray, high: np.ndarray, *, steps: int = STEPS) -> np.ndarray:
    """Return prices at which the falling function ``excess`` (of an array of log prices) crosses zero."""
    for _ in range(steps):
        middle = 0.5 * (low + high)
        over = excess(middle) > 0
        moved = np.where(over, low, high)
        low, high = np.where(over, middle, low), np.where(over, high, middle)
        if np.all(high - low <= 4e-16 * np.maximum(np.abs(low), 1.0)) or np.all(np.where(over, low, high) == moved):
            break
    return 0.5 * (low + high)


def solve(curves, total: float, lo: np.ndarray, hi: np.ndarray, groups: Groups | None = None) -> Solution:
    """Return the split of ``total`` with the largest response; sum(lo) <= total <= sum(hi) must hold."""
    if groups is None or not len(groups.floor):
        return _plain(curves, total, lo, hi, np.zeros(len(lo), int), np.ones(1), np.ones(1), None)
    if not groups.disjoint:
        return _overlapping(curves, total, lo, hi, groups)
    of = np.where(groups.member.any(axis=0), groups.member.argmax(axis=0), len(groups.floor))
    count = len(groups.floor) + 1
    low, high = (np.log(v) for v in _bracket(curves, lo, hi))

    def sums(log_price: np.ndarray) -> np.ndarray:
        x = spend_at(curves, np.exp(log_price)[of], lo, hi)
        return np.bincount(of, x, minlength=count)

    floor, cap = np.append(groups.floor, -np.inf), np.append(groups.cap, np.inf)
    span = np.full(count, low - 1e-9), np.full(count, high + 1e-9)
    capped = np.exp(_bisect(lambda p: sums(p) - cap, *span))
    raised = np.exp(_bisect(lambda p: sums(p) - floor, *span))
    # A cap that never binds is crossed nowhere: its price falls to the lower end and must not act.
    least, most = np.bincount(of, lo, minlength=count), np.bincount(of, hi, minlength=count)
    capped = np.where(cap >= most, 0.0, capped)
    raised = np.where(floor <= least, np.inf, raised)
    return _plain(curves, total, lo, hi, of, capped, raised, groups)


def _plain(curves, total, lo, hi, of, capped, raised, groups) -> Solution:
    """Bisect the price of the total; a group's own price lies between its cap's and its floor's."""
    low, high = (np.log(v) for v in _bracket(curves, lo, hi))
    if groups is None:

        def at(price):
            return spend_at(curves, price, lo, hi)
    else:

        def at(price):
            return spend_at(curves, np.clip(price, capped, raised)[of], lo, hi)

    price = float(np.exp(_bisect(lambda p: np.asarray(at(np.exp(p)).sum() - total), np.asarray(low), np.asarray(high))))
    x = _settle(at(price), total, lo, hi, curves, of, groups)
    if groups is None:
        return Solution(x, price, np.zeros(0), kkt_spread(curves.marginal(x), x, lo, hi, np.full(len(x), price)))
    own = np.clip(price, capped, raised)
    return Solution(x, price, own[:-1] - price, kkt_spread(curves.marginal(x), x, lo, hi, own[of]))


def _settle(x, total, lo, hi, curves, of, groups):
    """Spread the last rounding error of the sum over the free cells, in proportion to how little it moves their
    price."""
    free = (x > lo) & (x < hi)
    if groups is not None and free.any():
        sums, cap, floor = np.bincount(of, x), np.append(groups.cap, np.inf), np.append(groups.floor, -np.inf)
        size = np.maximum(np.abs(sums), 1.0)
        bound = (np.abs(sums - cap[: len(sums)]) <= 1e-9 * size) | (np.abs(sums - floor[: len(sums)]) <= 1e-9 * size)
        free &= ~bound[of]
    if not free.any():
        return x
    weight = np.where(free, np.minimum(hi - x, x - lo), 0.0)
    gap = total - x.sum()
    if weight.sum() <= abs(gap):
        return x
    return np.clip(x + gap * weight / weight.sum(), lo, hi)


def polish(
    curves, found: Solution, lo: np.ndarray, hi: np.ndarray, groups: Groups, *, rounds: int = 60
) -> tuple[np.ndarray, float, np.ndarray]:
    """Return split, price and each cell's own price at the optimum of smooth curves, from a split that is nearly there.

    ``curves`` gives marginal and curvature at any spend; ``groups`` are disjoint. Newton's method on the limits that
    act: a step ends at the first limit in its way, which acts from then on, and a limit that holds back nothing is let
    go, so that no limit is broken on the way and the conditions hold at the end.
    """
    x, count, price = found.x.copy(), len(groups.floor), found.price
    free = (x > lo + 1e-9 * (hi - lo)) & (x < hi - 1e-9 * (hi - lo))
    of = np.where(groups.member.any(axis=0), groups.member.argmax(axis=0), count) if count else np.zeros(len(x), int)
    acts = np.zeros(count + 1, int)
    acts[:count] = np.where(np.abs(found.group_prices) > 1e-9 * max(abs(price), 1e-300), np.sign(found.group_prices), 0)
    for _ in range(rounds):
        slope, bend = curves.marginal(x), np.minimum(curves.curvature(x), -1e-300)
        give = np.where(free, -1.0 / bend, 0.0)
        classes = np.where(acts[of] != 0, of, count)
        own = _class_prices(slope, give, classes, (x <= lo, x >= hi), count, price)
        move = give * (slope - own[classes])
        step, blocked = _first_in_the_way(x, move, lo, hi, free, of, acts, groups)
        x = x + move * step
        if blocked is not None:
            kind, at = blocked
            if kind == "cell":
                free[at], x[at] = False, hi[at] if move[at] > 0 else lo[at]
            else:
                acts[at] = 1 if move[of == at].sum() > 0 else -1
        elif np.abs(move).max(initial=0.0) <= 1e-12 * max(float(np.abs(x).max(initial=0.0)), 1.0):
            held_back = slope - own[classes]
            tight = 1e-10 * np.abs(own[classes])
            inward = ~free & (hi > lo) & np.where(x >= hi, held_back < -tight, held_back > tight)
            idle = acts[:count] * (own[:count] - own[count]) < -1e-10 * abs(own[count])
            if not (inward.any() or idle.any()):
                break
            free |= inward
            acts[:count][idle] = 0
    return x, float(own[count]), own[classes]


def _class_prices(slope, give, classes, ends, count: int, price: float) -> np.ndarray:
    """Return each class's price: what its free cells have in common; where none is free, the one nearest to the total's
    that leaves its cells at their ends."""
    room = np.bincount(classes, give, count + 1)
    own = np.divide(np.bincount(classes, give * slope, count + 1), room, out=np.full(count + 1, np.nan), where=room > 0)
    own[count] = price if np.isnan(own[count]) else own[count]
    for one in np.flatnonzero(np.isnan(own)):
        inside = classes == one
        least, most = slope[inside & ends[0]].max(initial=-np.inf), slope[inside & ends[1]].min(initial=np.inf)
        own[one] = np.clip(own[count], least, max(least, most))
    return own


def _first_in_the_way(x, move, lo, hi, free, of, acts, groups: Groups) -> tuple[float, tuple[str, int] | None]:
    """Return how much of ``move`` may be made (at most 1) and the cell or the group that ends it, if one does."""
    moves = free & (move != 0)
    share = np.full(len(x), np.inf)
    np.divide(np.where(move > 0, hi - x, lo - x), move, out=share, where=moves)
    step, blocked = 1.0, None
    if len(x) and share.min() < step:
        step, blocked = max(float(share.min()), 0.0), ("cell", int(share.argmin()))
    if len(groups.floor):
        sums, change = groups.member @ x, groups.member @ move
        waits = (acts[:-1] == 0) & (np.abs(change) > 1e-13 * np.maximum(np.abs(sums), 1.0))
        share = np.full(len(sums), np.inf)
        np.divide(np.where(change > 0, groups.cap - sums, groups.floor - sums), change, out=share, where=waits)
        if share.min() < step:
            step, blocked = max(float(share.min()), 0.0), ("group", int(share.argmin()))
    return step, blocked


def kkt_spread(marginal, x, lo, hi, price) -> float:
    """Return the largest relative violation of the optimality conditions: 0 for an exact optimum."""
    edge = 1e-9 * np.maximum(hi - lo, 1e-12)
    gap = (marginal - price) / np.where(np.isfinite(price) & (price > 0), price, 1.0)
    wrong = np.where(x <= lo + edge, np.maximum(gap, 0), np.where(x >= hi - edge, np.maximum(-gap, 0), np.abs(gap)))
    wrong = wrong[hi > lo]
    return float(wrong.max(initial=0.0))


def _overlapping(curves, total, lo, hi, groups: Groups) -> Solution:
    """Solve with crossing groups: the price of one rule after another, the total being the last, until none moves."""
    rules = np.vstack([groups.member, np.ones(len(lo), bool)])
    floor, cap = np.append(groups.floor, total), np.append(groups.cap, total)
    low, high = _bracket(curves, lo, hi)
    prices = np.zeros(len(rules))
    prices[-1] = np.sqrt(low * high)
    widest = 2.0 * high
    moved = np.full(len(rules), widest)
    for _ in range(2000):
        before = prices.copy()
        for g in range(len(rules) - 1, -1, -1):
            inside = np.flatnonzero(rules[g])
            others = (prices[:, None] * rules[:, inside]).sum(axis=0) - prices[g]
            part, a, b = curves.take(inside), lo[inside], hi[inside]

            def total_at(p, part=part, others=others, a=a, b=b):
                return spend_at(part, np.maximum(others + p, 1e-300), a, b).sum()

            equal = g == len(rules) - 1
            prices[g] = _rule_price(total_at, floor[g], cap[g], widest, prices[g], moved[g], equal=equal)
        moved = np.abs(prices - before)
        if moved.max() <= 1e-13 * max(abs(prices[-1]), 1e-12):
            break
    own = (prices[:, None] * rules).sum(axis=0)
    x = spend_at(curves, np.maximum(own, 1e-300), lo, hi)
    return Solution(x, float(prices[-1]), prices[:-1], kkt_spread(curves.marginal(x), x, lo, hi, own))


def _rule_price(
    total_at, floor: float, cap: float, widest: float, near: float, step: float, *, equal: bool
) -> float:
    """Return the price of one rule, sought around ``near`` in steps that grow from ``step``: zero where idle."""
    if not equal and floor <= total_at(0.0) <= cap:
        return 0.0
    aim = cap if equal or total_at(0.0) > cap else floor

    def excess(price: float) -> float:
        return total_at(price) - aim

    step = max(2.0 * step, 1e-14 * widest)
    low, high = max(near - step, -widest), min(near + step, widest)
    while excess(low) < 0 and low > -widest:
        low, high, step = max(low - 4 * step, -widest), low, 4 * step
    while excess(high) > 0 and high < widest:
        low, high, step = high, min(high + 4 * step, widest), 4 * step
    if not excess(low) > 0 or not excess(high) < 0:  # met on the way, or out of reach
        return low if abs(excess(low)) <= abs(excess(high)) else high
    return float(optimize.brentq(excess, low, high, xtol=1e-16 * widest, rtol=1e-15, maxiter=200))
