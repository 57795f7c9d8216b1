"""Seasonal indices in plain array code: the shrunk index of the kernels, for explanation and for the global model."""

from __future__ import annotations

import numpy as np

FADE = 0.75


def shrunk_index(y: np.ndarray, m: int, *, ratio: bool) -> tuple[np.ndarray, float]:
    """Returns the index (m,) by place t % m and the James-Stein weight W of flat (1: no season could be told).

    Ratios (mean 1) or differences (mean 0) to the centred moving average, weight 0.75 a year back; see
    `regression.season_index` for the formula. Flat below 2m + 3 points.
    """
    flat = np.ones(m) if ratio else np.zeros(m)
    n = len(y)
    if m < 2 or n < 2 * m + 3:
        return flat, 1.0
    kernel = np.r_[0.5, np.ones(m - 1), 0.5] / m if m % 2 == 0 else np.ones(m) / m
    centre = np.convolve(y, kernel, "valid")
    at = np.arange(m // 2, m // 2 + len(centre))
    value = y[at] / centre if ratio else y[at] - centre
    weight, place = FADE ** ((n - 1 - at) // m), at % m
    total = np.bincount(place, weight, minlength=m)
    square = np.bincount(place, weight * weight, minlength=m)
    mean = np.bincount(place, weight * value, minlength=m) / total
    within = float(np.bincount(place, weight * value * value, minlength=m).sum() - total @ (mean * mean))
    spare = float((total - square / total).sum())
    between = float(np.var(mean, ddof=1))
    w = 0.0
    if spare > 0 and between > 0:
        noise = float(np.mean(max(within, 0.0) / spare * square / total**2))
        w = min(1.0, (0.6 if m <= 4 else (m - 3.0) / (m - 1.0)) * noise / between)
    if ratio:
        return np.maximum(0.01, w + (1 - w) * mean / mean.mean()), w
    return (1 - w) * (mean - mean.mean()), w
