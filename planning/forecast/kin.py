"""Which series are alike: by the key columns beside unique_id, ds and y, such as region, line or category.

    unique_id  ds          y     category        labels of N (one column a grouping)
    N          2026-01-01  10.0  MICRO      ->   "category=MICRO"
A key is a text column with one value a series; with several keys the first grouping is by all of them together. Short
series borrow season and drift from those that share the narrowest grouping with donors enough.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

LEAST_DONORS = 16


def labels(history: pd.DataFrame, ids: pd.Categorical, known: tuple[str, ...]) -> np.ndarray:
    """Returns labels (categories of ids, groupings); `ids` names the series of each row, `known` are no keys."""
    codes, count = ids.codes.astype(np.int64), len(ids.categories)
    columns = []
    for name in sorted(str(name) for name in history.columns if name not in known):
        column = history[name]
        if pd.api.types.is_numeric_dtype(column.dtype) or pd.api.types.is_datetime64_any_dtype(column.dtype):
            continue
        of, values = pd.factorize(column)
        one = np.full(count, -1)
        one[codes] = of
        shared = count == 1 or len(values) < count  # a name of each series' own tells no likeness
        if shared and (one[codes] == of).all():
            texts = np.array([f"{name}={value}" for value in values] + [""], dtype=object)
            columns.append(texts[one])
    if len(columns) > 1:
        columns.insert(0, np.array([" ".join(row) for row in zip(*columns)], dtype=object))
    return np.column_stack(columns) if columns else np.empty((count, 0), dtype=object)


def narrowest(donors: np.ndarray, rows: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Returns pairs (positions in rows, positions in donors): who borrows from whom; rows with too few alike are in
    none.

    donors (D, g) and rows (R, g) are labels of the same groupings. A row goes to its smallest group of at least
    LEAST_DONORS donors, the first of equals.
    """
    best, group = np.full(len(rows), len(donors)), np.full(len(rows), -1)
    members = np.full(donors.shape, -1)
    first = 0
    for j in range(min(donors.shape[1], rows.shape[1])):
        of, names = pd.factorize(donors[:, j])
        members[:, j] = first + of
        size, at = np.bincount(of, minlength=len(names)), pd.Index(names).get_indexer(rows[:, j])
        count = np.where(at >= 0, np.append(size, 0)[at], 0)
        take = (count >= LEAST_DONORS) & (count < best)
        best[take], group[take] = count[take], first + at[take]
        first += len(names)
    wanted = np.unique(group[group >= 0])
    return [(np.flatnonzero(group == k), np.flatnonzero((members == k).any(axis=1))) for k in wanted]
