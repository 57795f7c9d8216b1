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
from planning.forecast.season import shrunk_indices

LEAST_SERIES = 300
ROWS, ROWS_A_SERIES = 25_000, 70
FLIPPED = 0.3
WEIGHT = 0.2
PLAIN = 4  # features at the end that keep their sign: W, log S, k, log t
MOST_PERIODS = 3_000  # of a history: what was before lends nothing to a season or a level


@dataclass(frozen=True)
class Book:
    """The panel as one array of z (n, T), right-aligned, NaN before the start; per series the rest that is needed.

    index (n, m): the season, in the order of the last m periods; shrink (n,): W; sums: z added up from the left.
    """

    z: np.ndarray
    spread: np.ndarray
    lengths: np.ndarray
    index: np.ndarray
    shrink: np.ndarray
    sums: np.ndarray

    @classmethod
    def of(cls, panel: Panel) -> Book:
        """Makes the arrays of a panel of positive series."""
        lengths = np.minimum(panel.lengths, MOST_PERIODS)
        width = int(lengths.max())
        back = np.arange(width - 1, -1, -1)
        at = panel.offsets[1:, None] - 1 - back
        y = np.where(back < lengths[:, None], panel.flat[np.maximum(at, 0)], np.nan)
        index, shrink = shrunk_indices(y, panel.season, ratio=True)
        z = np.log(y / index[:, (np.arange(width) - width) % panel.season])
        change = np.diff(z, axis=1)
        spread = np.sqrt(np.nanmean(change * change, axis=1))
        sums = np.concatenate([np.zeros((panel.n, 1)), np.cumsum(np.nan_to_num(z), axis=1)], axis=1)
        return cls(z, np.maximum(spread, 1e-4), lengths, index, shrink, sums)

    def mean(self, rows: np.ndarray, at: np.ndarray, back: int, count: int) -> np.ndarray:
        """Returns means of `count` values of z, `back` before the column `at`; NaN where they begin before a start."""
        low, high = at - back - count + 1, at - back + 1
        total = self.sums[rows, np.maximum(high, 0)] - self.sums[rows, np.maximum(low, 0)]
        return np.where(low >= self.z.shape[1] - self.lengths[rows], total / count, np.nan)


def standing(book: Book, rows: np.ndarray, at: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns what holds for any step: signed features (N, m + 6), W, log S and log t (N, 3), levels L (N,)."""
    z, spread = book.z, book.spread[rows]
    lags = z[rows[:, None], at[:, None] - np.arange(m + 1)]
    level = (3 * lags[:, 0] + 2 * lags[:, 1] + z[rows, at - 2]) / 6
    year, before = book.mean(rows, at, 0, m) - level, book.mean(rows, at, m, m) - level
    third = book.mean(rows, at, 0, max(m // 3, 2)) - level
    start = z.shape[1] - book.lengths[rows]
    length = at - start + 1
    growth = (lags[:, 0] - z[rows, start]) / np.maximum(length - 1, 1)
    signed = np.column_stack([lags - level[:, None], year, before, third, year - before, growth])
    return signed / spread[:, None], np.column_stack([book.shrink[rows], np.log(spread), np.log(length)]), level


def seasons_ago(book: Book, rows: np.ndarray, at: np.ndarray, ahead: np.ndarray, m: int) -> np.ndarray:
    """Returns what happened over the same `ahead` steps one and two seasons ago, and their mean (N, 3)."""
    start, found = book.z.shape[1] - book.lengths[rows], []
    for k in (1, 2):
        known = (ahead <= k * m) & (at - k * m >= start)
        then = np.where(known, at - k * m, 0)
        change = book.z[rows, np.where(known, then + ahead, 0)] - book.z[rows, then]
        found.append(np.where(known, change, np.nan) / book.spread[rows])
    return np.column_stack([*found, 0.5 * (found[0] + found[1])])


def features(book: Book, rows: np.ndarray, at: np.ndarray, ahead: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns features (N, F) and levels L (N,) for series `rows`, last known column `at`, `ahead` steps to go."""
    signed, plain, level = standing(book, rows, at, m)
    return np.column_stack([signed, seasons_ago(book, rows, at, ahead, m), plain, ahead]), level


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
        loss="absolute_error", max_iter=40, max_leaf_nodes=31, learning_rate=0.16, min_samples_leaf=60,
        l2_regularization=5.0, max_bins=63, max_features=0.5, early_stopping=False, random_state=seed,
    )
    with threadpool_limits(1):  # spinning threads on a busy machine cost ten times the work
        model.fit(x[np.isfinite(target)], target[np.isfinite(target)])
        return _predict(model, book, panel, horizon)


def _predict(model: Any, book: Book, panel: Panel, horizon: int) -> np.ndarray:
    m, last = panel.season, book.z.shape[1] - 1
    rows = np.arange(panel.n)
    signed, plain, level = standing(book, rows, np.full(panel.n, last), m)
    every, steps = np.repeat(rows, horizon), np.tile(np.arange(1, horizon + 1), panel.n)
    ago = seasons_ago(book, every, np.full(len(every), last), steps, m)
    x = np.column_stack([signed[every], ago, plain[every], steps])
    z = level[every] + book.spread[every] * model.predict(x)
    y = np.exp(np.clip(z, -690, 690)) * book.index[every, (steps - 1) % m]
    low, high = np.minimum.reduceat(panel.flat, panel.offsets[:-1]), np.maximum.reduceat(panel.flat, panel.offsets[:-1])
    reach = 2 * (high - low)
    return np.clip(y.reshape(panel.n, horizon), np.maximum(low - reach, 0)[:, None], (high + reach)[:, None])
