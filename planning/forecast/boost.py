"""The global model: one boosted forest of trees learnt over all series of a panel, blended in at a small weight.

    z      = log(y / shrunk season),   L = (3 z_t + 2 z_(t-1) + z_(t-2)) / 6,   S = root mean square of the changes of z
    target = (z_(t+k) - L) / S         one model for all steps k, the step is a feature

Features are relative to L and in units of S as well: the last m+1 values, what happened over the same k steps one and
two seasons ago, means of the last season, of the one before, of the last third, growth since the start; W, log S, k
and log t. Three tenths of the rows have all signs turned, so that the panel's drift is learnt less. Worth it from
some hundred series on; with fewer it did harm in measurements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planning.forecast.panel import Panel
from planning.forecast.season import shrunk_index

LEAST_SERIES = 300
ROWS, ROWS_A_SERIES = 50_000, 70
FLIPPED = 0.3
WEIGHT = 0.2
PLAIN = 4  # features at the end that keep their sign: W, log S, k, log t


@dataclass(frozen=True)
class Book:
    """The panel as one array of z (n, T), right-aligned, NaN before the start; per series the rest that is needed."""

    z: np.ndarray
    spread: np.ndarray
    lengths: np.ndarray
    index: np.ndarray
    shrink: np.ndarray
    sums: np.ndarray

    @classmethod
    def of(cls, panel: Panel) -> Book:
        """Makes the arrays of a panel of positive series."""
        m, width = panel.season, int(panel.lengths.max())
        z = np.full((panel.n, width), np.nan)
        index, shrink = np.ones((panel.n, m)), np.ones(panel.n)
        for i in range(panel.n):
            y = panel.series(i)
            index[i], shrink[i] = shrunk_index(y, m, ratio=True)
            z[i, width - len(y) :] = np.log(y / index[i][np.arange(len(y)) % m])
        change = np.diff(z, axis=1)
        spread = np.sqrt(np.nanmean(change * change, axis=1))
        sums = np.concatenate([np.zeros((panel.n, 1)), np.cumsum(np.nan_to_num(z), axis=1)], axis=1)
        return cls(z, np.maximum(spread, 1e-4), panel.lengths, index, shrink, sums)


def features(book: Book, rows: np.ndarray, at: np.ndarray, ahead: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns features (N, F) and levels L (N,) for series `rows`, last known column `at`, `ahead` steps to go."""
    start = book.z.shape[1] - book.lengths[rows]

    def value(back: np.ndarray) -> np.ndarray:
        column = at - back
        return np.where((column >= start) & (back >= 0), book.z[rows, np.clip(column, 0, book.z.shape[1] - 1)], np.nan)

    def mean(back: int, count: int) -> np.ndarray:
        low, high = at - back - count + 1, at - back + 1
        total = book.sums[rows, np.clip(high, 0, None)] - book.sums[rows, np.clip(low, 0, None)]
        return np.where(low >= start, total / count, np.nan)

    zero = np.zeros_like(at)
    level = (3 * value(zero) + 2 * value(zero + 1) + value(zero + 2)) / 6
    columns = [value(zero + lag) - level for lag in range(m + 1)]
    ago = [np.where(ahead <= k * m, value(k * m - ahead) - value(zero + k * m), np.nan) for k in (1, 2)]
    year, before, third = mean(0, m) - level, mean(m, m) - level, mean(0, max(m // 3, 2)) - level
    length = at - start + 1
    growth = (value(zero) - book.z[rows, start]) / np.maximum(length - 1, 1)
    columns += [*ago, 0.5 * (ago[0] + ago[1]), year, before, third, year - before, growth]
    spread = book.spread[rows]
    plain = [book.shrink[rows], np.log(spread), ahead.astype(float), np.log(length)]
    return np.column_stack([column / spread for column in columns] + plain), level


def sample(book: Book, m: int, horizon: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns series, last known columns and steps of the training rows; a series weighs as the root of its rows."""
    least = m + 2 if m > 1 else 4
    count = np.maximum(book.lengths - least - 1, 0).astype(float)
    size = min(ROWS, ROWS_A_SERIES * len(count))
    rows = rng.choice(len(count), size=size, p=np.sqrt(count) / np.sqrt(count).sum())
    ahead = rng.integers(1, horizon + 1, size)
    ahead = np.minimum(ahead, book.lengths[rows] - least)
    room = book.lengths[rows] - least - ahead + 1
    back = (rng.random(size) * room).astype(np.int64)
    return rows, book.z.shape[1] - 1 - ahead - back, ahead


def forecast_global(panel: Panel, horizon: int, *, seed: int = 0) -> np.ndarray:
    """Returns the global model's forecasts (n, H) of a panel of positive series of two seasons and three points."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from threadpoolctl import threadpool_limits

    m, rng = panel.season, np.random.default_rng(seed)
    book = Book.of(panel)
    rows, at, ahead = sample(book, m, horizon, rng)
    x, level = features(book, rows, at, ahead, m)
    target = np.clip((book.z[rows, at + ahead] - level) / book.spread[rows], -15, 15)
    turned = rng.random(len(target)) < FLIPPED
    x[turned, :-PLAIN] *= -1
    target[turned] *= -1
    model = HistGradientBoostingRegressor(
        loss="absolute_error", max_iter=120, max_leaf_nodes=31, learning_rate=0.07, min_samples_leaf=60,
        l2_regularization=5.0, max_bins=63, max_features=0.5, early_stopping=False, random_state=seed,
    )
    with threadpool_limits(1):  # spinning threads on a busy machine cost ten times the work
        model.fit(x[np.isfinite(target)], target[np.isfinite(target)])
        return _predict(model, book, panel, horizon)


def _predict(model: Any, book: Book, panel: Panel, horizon: int) -> np.ndarray:
    m = panel.season
    every, last = np.repeat(np.arange(panel.n), horizon), book.z.shape[1] - 1
    steps = np.tile(np.arange(1, horizon + 1), panel.n)
    x, level = features(book, every, np.full(len(every), last), steps, m)
    z = level + book.spread[every] * model.predict(x)
    y = np.exp(np.clip(z, -690, 690)) * book.index[every, (panel.lengths[every] - 1 + steps) % m]
    low, high = np.minimum.reduceat(panel.flat, panel.offsets[:-1]), np.maximum.reduceat(panel.flat, panel.offsets[:-1])
    reach = 2 * (high - low)
    return np.clip(y.reshape(panel.n, horizon), np.maximum(low - reach, 0)[:, None], (high + reach)[:, None])
