"""Controlled rounding: integers that add up to every published margin, none a whole unit from its exact value.

A row of numbers is rounded by largest remainders. A table is rounded so that each entry, each column sum and each row
sum is its exact value rounded down or up: start from largest remainders by row, then swap roundings within rows along
paths from the columns that got too many to those that got too few. Such a rounding always exists, because the exact
table is a fractional flow between its rounded margins and flows with whole capacities have whole solutions.
"""

from __future__ import annotations

from collections import deque

import numpy as np


def _fuzz(values: np.ndarray) -> float:
    """Returns what a float sum of these values may be off, in minor units."""
    return max(1e-7, 64 * np.finfo(float).eps * float(np.abs(values).max(initial=0.0)) * 8)


def _floors(values: np.ndarray, fuzz: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the whole part and the rest of each value; a rest within `fuzz` of 0 or 1 counts as whole."""
    whole = np.floor(values + fuzz)
    rest = values - whole
    return whole.astype(np.int64), np.where(rest <= fuzz, 0.0, rest)


def round_row(values: np.ndarray, total: int) -> np.ndarray:
    """Returns integers that sum to `total`, each its value rounded down or up, by largest remainders.

    Ties go to the earlier position. Raises ValueError where `total` is not the rounded sum of the values.

    >>> round_row(np.array([1.5, 1.5, 1.0]), 4).tolist()
    [2, 1, 1]
    """
    values = np.asarray(values, dtype=float)
    whole, rest = _floors(values, _fuzz(values))
    missing = total - int(whole.sum())
    if not 0 <= missing <= np.count_nonzero(rest):
        raise ValueError(f"the total {total} is not the sum of the values, {float(np.sum(values))}.")
    whole[np.argsort(-rest, kind="stable")[:missing]] += 1
    return whole


def round_table(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Returns an integer table with row sums `rows`; entries and column sums are rounded down or up.

    values: R x C, whose exact row sums are the integers `rows`. Deterministic; ties go to the earlier column.
    """
    values = np.asarray(values, dtype=float)
    fuzz = _fuzz(values.sum(axis=0))
    whole, rest = _floors(values, fuzz)
    need = np.asarray(rows, dtype=np.int64) - whole.sum(axis=1)
    free = rest > 0
    if (need < 0).any() or (need > free.sum(axis=1)).any():
        raise ValueError("a row total is not the sum of its row.")
    ups = _largest(rest, need)
    exact = values.sum(axis=0) - whole.sum(axis=0)
    low = np.floor(exact + fuzz).astype(np.int64)
    high = np.maximum(np.ceil(exact - fuzz).astype(np.int64), low)
    _repair(ups, free, rest, low, high)
    return whole + ups


def _largest(rest: np.ndarray, need: np.ndarray) -> np.ndarray:
    order = np.argsort(-rest, axis=1, kind="stable")
    ups = np.zeros(rest.shape, dtype=bool)
    np.put_along_axis(ups, order, np.arange(rest.shape[1]) < need[:, None], axis=1)
    return ups


def _repair(ups: np.ndarray, free: np.ndarray, rest: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """Swaps roundings within rows, in place, until each column holds `low` to `high` roundings up."""
    count = ups.sum(axis=0)
    _direct(ups, free, rest, low, high, count)
    while (count > high).any() or (count < low).any():
        if (count > high).any():
            sources, sinks = count > high, count < high
        else:
            sources, sinks = count > low, count < low
        path = _path(ups, free, sources, sinks)
        if path is None:
            raise ValueError("the table has no controlled rounding: its margins do not fit its entries.")
        for give, take in zip(path, path[1:]):
            row = _rows_between(ups, free, rest, give, take, 1)
            ups[row, give], ups[row, take] = False, True
        count[path[0]] -= 1
        count[path[-1]] += 1


def _direct(ups, free, rest, low, high, count) -> None:
    """Moves as many roundings as one swap each can: from columns above their share to columns below it."""
    for give in np.flatnonzero(count > high):
        for take in np.argsort(count >= low, kind="stable"):
            _move(ups, free, rest, count, give, take, min(count[give] - high[give], high[take] - count[take]))
    for take in np.flatnonzero(count < low):
        for give in np.flatnonzero(count > low):
            _move(ups, free, rest, count, give, take, min(count[give] - low[give], low[take] - count[take]))


def _move(ups, free, rest, count, give: int, take: int, wanted: int) -> None:
    if wanted <= 0 or give == take:
        return
    rows = _rows_between(ups, free, rest, give, take, int(wanted))
    ups[rows, give], ups[rows, take] = False, True
    count[give] -= len(rows)
    count[take] += len(rows)


def _rows_between(ups, free, rest, give: int, take: int, wanted: int) -> np.ndarray:
    """Returns up to `wanted` rows that can hand a rounding from one column to another, the cheapest first."""
    rows = np.flatnonzero(ups[:, give] & free[:, take] & ~ups[:, take])
    if len(rows) <= wanted:
        return rows
    cost = rest[rows, give] - rest[rows, take]
    return rows[np.argsort(cost, kind="stable")[:wanted]]


def _path(ups: np.ndarray, free: np.ndarray, sources: np.ndarray, sinks: np.ndarray) -> list[int] | None:
    """Returns the shortest chain of columns from a source to a sink in which each step has a row that can swap."""
    previous: dict[int, int | None] = {int(column): None for column in np.flatnonzero(sources)}
    queue = deque(previous)
    while queue:
        column = queue.popleft()
        givers = ups[:, column]
        reach = (free[givers] & ~ups[givers]).any(axis=0)
        for following in map(int, np.flatnonzero(reach)):
            if following in previous:
                continue
            previous[following] = column
            if sinks[following]:
                return _unwind(previous, following)
            queue.append(following)
    return None


def _unwind(previous: dict[int, int | None], column: int) -> list[int]:
    path = [column]
    while previous[path[-1]] is not None:
        path.append(previous[path[-1]])
    return path[::-1]


def round_cells(values: np.ndarray, codes: np.ndarray, total: int) -> np.ndarray:
    """Returns integers for cells that carry one code a key (n x keys), summing to `total`.

    The cell itself, the margin of each key, and of each leading set of keys, is its exact value rounded down or up.
    """
    values, codes = np.asarray(values, dtype=float), np.atleast_2d(codes)
    if codes.shape[1] == 1:
        return _scatter_row(values, codes[:, 0], total)
    groups = np.unique(codes[:, 0], return_inverse=True)[1]
    group_totals: np.ndarray | None = None
    for depth in range(1, codes.shape[1]):
        columns = np.unique(codes[:, depth], return_inverse=True)[1]
        table = np.zeros((groups.max() + 1, columns.max() + 1))
        np.add.at(table, (groups, columns), values)
        rounded = _table_with_free_rows(table, total) if group_totals is None else round_table(table, group_totals)
        cells = groups * table.shape[1] + columns
        present, groups = np.unique(cells, return_inverse=True)
        group_totals = rounded.ravel()[present]
    return group_totals[groups]


def _scatter_row(values: np.ndarray, codes: np.ndarray, total: int) -> np.ndarray:
    order = np.argsort(codes, kind="stable")
    out = np.empty(len(values), dtype=np.int64)
    out[order] = round_row(values[order], total)
    return out


def _table_with_free_rows(table: np.ndarray, total: int) -> np.ndarray:
    """Rounds a table whose row sums need not be whole: a slack column takes each row to the next integer."""
    sums = table.sum(axis=1)
    down, rest = _floors(sums, _fuzz(sums))
    slack = np.where(rest > 0, 1.0 - rest, 0.0)
    rows = down + (rest > 0)
    rounded = round_table(np.column_stack([table, slack]), rows)[:, :-1]
    if int(rounded.sum()) != total:
        raise ValueError(f"the total {total} is not the sum of the table, {float(table.sum())}.")
    return rounded
