"""Controlled rounding: every margin exact, no entry a whole unit off, the same for any row order."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planning.targets.rounding import round_cells, round_row, round_table


def whole_rows(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scales each row so that its sum is whole."""
    rows = np.maximum(np.rint(table.sum(axis=1)), 1)
    sums = table.sum(axis=1, keepdims=True)
    table = np.where(sums > 0, table / np.where(sums > 0, sums, 1), 1 / table.shape[1]) * rows[:, None]
    return table, rows.astype(int)


def exists(table: np.ndarray, rows: np.ndarray) -> bool:
    """Says by trying everything whether a controlled rounding exists."""
    floor = np.floor(table + 1e-9).astype(int)
    free = [tuple(x) for x in np.argwhere(table - floor > 1e-9)]
    for ups in itertools.product((0, 1), repeat=len(free)):
        trial = floor.copy()
        for place, up in zip(free, ups, strict=True):
            trial[place] += up
        if (trial.sum(axis=1) == rows).all() and (np.abs(trial.sum(axis=0) - table.sum(axis=0)) < 1 - 1e-9).all():
            return True
    return False


def test_row_gives_ties_to_the_earlier_position():
    assert round_row(np.array([0.5, 0.5, 2.0, 1.0]), 4).tolist() == [1, 0, 2, 1]


def test_row_refuses_a_total_that_is_not_its_sum():
    with pytest.raises(ValueError, match="not the sum"):
        round_row(np.array([1.2, 1.2]), 9)


@settings(max_examples=300, deadline=None)
@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 10**6), st.booleans())
def test_every_margin_of_random_tables_is_exact(r, c, seed, sparse):
    rng = np.random.default_rng(seed)
    table = rng.gamma(0.5, 3.0, (r, c)) * (rng.random((r, c)) < (0.4 if sparse else 1.0))
    table, rows = whole_rows(table)
    out = round_table(table, rows)
    assert (out.sum(axis=1) == rows).all()
    assert (np.abs(out - table) < 1).all()
    assert (np.abs(out.sum(axis=0) - table.sum(axis=0)) < 1).all()


def test_agrees_with_trying_everything_on_small_tables():
    rng = np.random.default_rng(3)
    for _ in range(40):
        table, rows = whole_rows(np.round(rng.random((3, 3)) * 4) / 4 + 0.25)
        assert exists(table, rows)
        out = round_table(table, rows)
        assert (np.abs(out.sum(axis=0) - table.sum(axis=0)) < 1 - 1e-9).all()


def test_three_keys_nest_and_shuffling_changes_nothing():
    rng = np.random.default_rng(1)
    codes = np.array(list(itertools.product(range(4), range(3), range(5))))
    values = rng.gamma(1, 1000, len(codes))
    values *= 123456 / values.sum()
    out = round_cells(values, codes, 123456)
    order = rng.permutation(len(codes))
    assert out.sum() == 123456 and (np.abs(out - values) < 1).all()
    for key in range(3):
        got, exact = np.bincount(codes[:, key], out), np.bincount(codes[:, key], values)
        assert (np.abs(got - exact) < 1).all()
    assert (round_cells(values[order], codes[order], 123456) == out[order]).all()


def test_whole_values_are_never_moved():
    table = np.array([[5.0, 2.5, 2.5], [1.0, 0.25, 0.75]])
    out = round_table(table, np.array([10, 2]))
    assert out[:, 0].tolist() == [5, 1]


def test_a_large_table_of_cents_stays_exact():
    rng = np.random.default_rng(2)
    table, rows = whole_rows(rng.gamma(2, 4e8, (800, 12)))
    out = round_table(table, rows)
    assert (out.sum(axis=1) == rows).all() and np.abs(out.sum(axis=0) - table.sum(axis=0)).max() < 1.01
