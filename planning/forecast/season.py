"""Seasonal indices in plain array code: the shrunk index of the kernels, for explanation and for the global model."""

from __future__ import annotations

import numpy as np

FADE = 0.75


def shrunk_index(y: np.ndarray, m: int, *, ratio: bool) -> tuple[np.ndarray, float]:
    """Returns the index (m,) of one series by place t % m, and W; see `shrunk_indices`."""
    index, flat = shrunk_indices(y[None, :], m, ratio=ratio)
    return np.roll(index[0], len(y) % m), float(flat[0])


def shrunk_indices(y: np.ndarray, m: int, *, ratio: bool) -> tuple[np.ndarray, np.ndarray]:
    """Returns indices (n, m) of series that end together, the last m places in order, and James-Stein weights W (n,).

    y (n, T) is NaN before a series' start only. W is the weight of a flat index (1: no season could be told). Ratios
    (mean 1) or differences (mean 0) to the centred moving average, weight 0.75 a year back; see
    `regression.season_index` for the formula. Flat below 2m + 3 points.
    """
    n, length = y.shape
    flat = np.ones((n, m)) if ratio else np.zeros((n, m))
    if m < 2 or length < 2 * m + 3:
        return flat, np.ones(n)
    value, weight = _off_centre(y, m, ratio)
    square = weight * weight
    total, square, mean = weight.sum(axis=1), square.sum(axis=1), (weight * value).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean /= total
        within = ((weight * value * value).sum(axis=1) - total * mean * mean).sum(axis=1)
        spare = (total - square / total).sum(axis=1)
        noise = (np.maximum(within, 0.0)[:, None] / spare[:, None] * square / total**2).mean(axis=1)
        between = mean.var(axis=1, ddof=1)
        share = 0.6 if m <= 4 else (m - 3.0) / (m - 1.0)
        w = np.where((spare > 0) & (between > 0), np.minimum(1.0, share * noise / between), 0.0)
        centre = mean.mean(axis=1, keepdims=True)
        shaped = np.maximum(0.01, w[:, None] + (1 - w)[:, None] * mean / centre)
        index = shaped if ratio else (1 - w)[:, None] * (mean - centre)
    able = np.isfinite(y).sum(axis=1) >= 2 * m + 3
    return np.where(able[:, None], index, flat), np.where(able, w, 1.0)


def _off_centre(y: np.ndarray, m: int, ratio: bool) -> tuple[np.ndarray, np.ndarray]:
    """Returns values against their centred moving average and weights, (n, years, m) both; weight 0 where none is."""
    n, length = y.shape
    half, sums = m // 2, np.concatenate([np.zeros((n, 1)), np.cumsum(np.nan_to_num(y), axis=1)], axis=1)
    middle = np.arange(half, length - half)
    centre = sums[:, middle + half + 1] - sums[:, middle - half]
    if m % 2 == 0:
        centre -= 0.5 * (y[:, middle - half] + y[:, middle + half])
    centre /= m
    years = -(-length // m)
    value, weight = np.zeros((n, years * m)), np.zeros((n, years * m))
    with np.errstate(invalid="ignore", divide="ignore"):
        off = y[:, middle] / centre if ratio else y[:, middle] - centre
    known = np.isfinite(y[:, middle - half])
    at = middle + years * m - length
    value[:, at] = np.where(known, off, 0.0)
    weight[:, at] = known * FADE ** ((length - 1 - middle) // m)
    return value.reshape(n, years, m), weight.reshape(n, years, m)
