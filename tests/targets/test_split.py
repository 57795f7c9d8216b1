"""The split against an outside solver, and the smallest contradicting set against trying everything."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from planning.targets.feasible import conflict
from planning.targets.split import Limit, split

FREE = (-np.inf, np.inf)


def test_without_limits_all_share_one_effort():
    base, slope = np.array([10.0, 20.0, 5.0]), np.array([1.0, 2.0, 0.5])
    out = split(base, slope, 42.0, [], np.zeros(3), np.full(3, np.inf))
    assert out.sum() == pytest.approx(42.0)
    assert np.ptp((out - base) / slope) < 1e-9


def test_agrees_with_a_quadratic_solver_under_crossing_limits():
    cp = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(4)
    for trial in range(12):
        n = 12
        base, slope = rng.gamma(5, 20, n), rng.gamma(2, 3, n)
        rows, columns = np.arange(n) // 4, np.arange(n) % 4
        total = base.sum() * 1.05
        limits = [
            Limit(np.flatnonzero(rows == 0), -np.inf, base[rows == 0].sum() * 0.98),
            Limit(np.flatnonzero(columns == 1), base[columns == 1].sum() * 1.15, np.inf),
            Limit(np.flatnonzero(rows == trial % 3), base[rows == trial % 3].sum() * 0.9, np.inf),
        ]
        low, high = np.zeros(n), np.full(n, np.inf)
        high[5] = base[5] * 0.8
        out = split(base, slope, total, limits, low, high)
        x = cp.Variable(n)
        rules = [cp.sum(x) == total, x >= 0, x[5] <= high[5]]
        rules += [cp.sum(x[limit.rows]) <= limit.high for limit in limits if np.isfinite(limit.high)]
        rules += [cp.sum(x[limit.rows]) >= limit.low for limit in limits if np.isfinite(limit.low)]
        cp.Problem(cp.Minimize(cp.sum(cp.multiply(1 / slope, cp.square(x - base)))), rules).solve(solver="CLARABEL")
        assert np.abs(out - x.value).max() < 1e-3
        assert out.sum() == pytest.approx(total, abs=1e-6)


def smallest(limits, cells):
    """The fewest limits that cannot hold together, by trying every subset on a grid of linear programmes."""
    from scipy.optimize import linprog

    for size in range(1, len(limits) + 1):
        for chosen in itertools.combinations(range(len(limits)), size):
            a, b = [], []
            for g in chosen:
                row = np.zeros(cells)
                row[limits[g].rows] = 1
                if np.isfinite(limits[g].high):
                    a.append(row)
                    b.append(limits[g].high)
                if np.isfinite(limits[g].low):
                    a.append(-row)
                    b.append(-limits[g].low)
            if linprog(np.zeros(cells), A_ub=np.array(a), b_ub=b, bounds=(0, None)).status == 2:
                return size
    return None


def test_the_conflict_is_the_smallest_and_real():
    rng = np.random.default_rng(6)
    found = 0
    for _ in range(40):
        cells = 6
        limits = [Limit(np.arange(cells), 100.0, 100.0)]
        for _rule in range(5):
            rows = np.flatnonzero(rng.random(cells) < 0.5)
            if len(rows):
                value = float(rng.integers(5, 90))
                limits.append(Limit(rows, value, np.inf) if rng.random() < 0.5 else Limit(rows, -np.inf, value))
        wanted, got = smallest(limits, cells), conflict(limits, cells)
        found += wanted is not None
        assert (got is None) == (wanted is None)
        assert got is None or len(got) == wanted
    assert found > 5


def test_a_rule_against_itself_and_two_equal_locks():
    assert conflict([Limit(np.arange(3), 10, 10), Limit(np.array([0]), 5, 4)], 3) == [1]
    locks = [Limit(np.arange(3), 10, 10), Limit(np.array([0]), 5, 5), Limit(np.array([0]), 6, 6)]
    assert conflict(locks, 3) == [1, 2]
