"""Whether a policy can hold, and if not, the smallest set of its rules that contradict one another.

Rules say low <= sum of some cells <= high, cells are >= 0. By Farkas' lemma they contradict one another exactly if
multipliers y >= 0 exist with, for every cell, (sum of its rules' y on low) <= (sum of its rules' y on high), and
sum(low * y_low) > sum(high * y_high). The set with the fewest rules is found by a small integer programme over such
multipliers, and is checked by ordinary arithmetic afterwards.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from planning.errors import DataError
from planning.targets.split import Limit

SCALE = 1e4
LEAST = 1e-4


class InfeasiblePolicy(DataError):
    """The rules of a policy contradict one another; `rules` are the positions of the smallest such set."""

    def __init__(self, message: str, rules: Sequence[int]):
        self.rules = list(rules)
        super().__init__(message)


def conflict(limits: Sequence[Limit], cells: int) -> list[int] | None:
    """Returns the positions of the fewest limits that cannot hold together, or None where all can."""
    for position, limit in enumerate(limits):
        if limit.low > limit.high or limit.high < 0 or (limit.low > 0 and not len(limit.rows)):
            return [position]
    low, high = _numbers(limits)
    member = np.zeros((len(limits), cells))
    for position, limit in enumerate(limits):
        member[position, limit.rows] = 1.0
    if _possible(member, low, high):
        return None
    found = _fewest(member, low, high)
    return found if found is not None else _by_deletion(member, low, high)


def _numbers(limits: Sequence[Limit]) -> tuple[np.ndarray, np.ndarray]:
    size = max([1.0] + [abs(x) for limit in limits for x in (limit.low, limit.high) if np.isfinite(x)])
    low = np.array([max(limit.low, 0.0) for limit in limits]) * (SCALE / size)
    return low, np.array([limit.high for limit in limits]) * (SCALE / size)


def _possible(member: np.ndarray, low: np.ndarray, high: np.ndarray) -> bool:
    from scipy.optimize import linprog

    capped = np.isfinite(high)
    a = np.vstack([-member, member[capped]])
    b = np.concatenate([-low, high[capped]])
    patterns = np.unique(a, axis=1)
    answer = linprog(np.zeros(patterns.shape[1]), A_ub=patterns, b_ub=b, bounds=(0, None), method="highs")
    return answer.status == 0


def _fewest(member: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[int] | None:
    from scipy.optimize import Bounds, LinearConstraint, milp

    m = len(low)
    patterns = np.unique(member, axis=1).T
    capped = np.where(np.isfinite(high), 1.0, 0.0)
    ceiling = np.where(np.isfinite(high), high, 0.0)
    zero = np.zeros((len(patterns), m))
    constraints = [
        LinearConstraint(np.hstack([patterns, -patterns, zero]), -np.inf, 0),
        LinearConstraint(np.hstack([np.eye(m), np.eye(m), -2 * np.eye(m)]), -np.inf, 0),
        LinearConstraint(np.concatenate([low, -ceiling, np.zeros(m)])[None, :], LEAST, np.inf),
    ]
    # Among sets of equal size the contradiction that is largest.
    cost = np.concatenate([-low, ceiling, np.full(m, SCALE * (m + 1) * 10.0)]) / (SCALE * 10.0)
    with _quiet():
        answer = milp(
            cost,
            constraints=constraints,
            integrality=np.repeat([0, 0, 1], m),
            bounds=Bounds(np.zeros(3 * m), np.concatenate([np.ones(m), capped, np.ones(m)])),
            options={"time_limit": 10.0},
        )
    if answer.x is None:
        return None
    chosen = [int(g) for g in np.flatnonzero(answer.x[2 * m :] > 0.5)]
    # The solver's word is checked: these rules alone must be impossible, and no fewer of them. (Its answer has been
    # seen to hold a rule too many.)
    if not chosen or _possible(member[chosen], low[chosen], high[chosen]):
        return None
    return [chosen[g] for g in _by_deletion(member[chosen], low[chosen], high[chosen])]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the solver's own lines off standard output, where `--json` is printed."""
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:
        yield
        return
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            os.dup2(kept, 1)
            os.close(kept)


def _by_deletion(member: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[int]:
    """Returns a set from which no rule can be left out, by leaving out one after another."""
    kept = list(range(len(low)))
    for position in range(len(low)):
        rest = [g for g in kept if g != position]
        if rest and not _possible(member[rest], low[rest], high[rest]):
            kept = rest
    return kept
