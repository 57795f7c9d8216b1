"""Compiled seasonal indices and autoregressions, closed form: no search. Inner functions of `kernels.run`."""

from __future__ import annotations

import math

import numpy as np

from planning.forecast.smoothing import inner

LAGS = 5  # 1, 2, 3, 4 and the season


@inner
def season_index(y, n, m, ratio, fade, shrink, out):
    """Writes the seasonal index (mean 1 as ratios, mean 0 as differences); False and a flat one where n < 2m + 3.

    Ratios (or differences) to the centred moving average are averaged by season with weight `fade` a year back. With
    `shrink` the index is pulled to flat by James-Stein: W = min(1, (m-3)/(m-1) V/A), V the pooled variance of a
    seasonal mean, A the variance of the m means.
    """
    neutral = 1.0 if ratio else 0.0
    for j in range(m):
        out[j] = neutral
    if m < 2 or n < 2 * m + 3:
        return False
    weight = np.zeros(m)
    second = np.zeros(m)
    square = np.zeros(m)
    mean = np.zeros(m)
    half = m // 2
    for t in range(half, n - half):
        centre = 0.0
        for k in range(t - half, t + half + 1):
            centre += y[k]
        if m % 2 == 0:
            centre -= 0.5 * (y[t - half] + y[t + half])
        centre /= m
        value = y[t] / centre if ratio else y[t] - centre
        w = fade ** ((n - 1 - t) // m)
        j = t % m
        weight[j] += w
        square[j] += w * w
        mean[j] += w * value
        second[j] += w * value * value
    total = 0.0
    for j in range(m):
        mean[j] /= weight[j]
        total += mean[j] / m
    within, between, spare = 0.0, 0.0, 0.0
    for j in range(m):
        within += second[j] - weight[j] * mean[j] * mean[j]
        spare += weight[j] - square[j] / weight[j]
        between += (mean[j] - total) ** 2 / (m - 1.0)
    w = 0.0
    if shrink and spare > 0.0 and between > 0.0:
        noise = 0.0
        for j in range(m):
            noise += max(within, 0.0) / spare * square[j] / (weight[j] * weight[j]) / m
        w = min(1.0, (0.6 if m <= 4 else (m - 3.0) / (m - 1.0)) * noise / between)
    for j in range(m):
        if ratio:
            out[j] = max(0.01, w + (1.0 - w) * mean[j] / total)
        else:
            out[j] = (1.0 - w) * (mean[j] - total)
    return True


@inner
def has_season(z, n, m):
    """Tells whether the autocorrelation at lag m is positive at 90 %, by Bartlett's variance."""
    if m < 2 or n < 2 * m + 6:
        return False
    mean, c0, spread, r = 0.0, 0.0, 1.0, 0.0
    for t in range(n):
        mean += z[t] / n
    for t in range(n):
        c0 += (z[t] - mean) ** 2
    if c0 <= 0.0:
        return False
    for lag in range(1, m + 1):
        r = 0.0
        for t in range(lag, n):
            r += (z[t] - mean) * (z[t - lag] - mean)
        r /= c0
        if lag < m:
            spread += 2.0 * r * r
    return r > 1.645 * math.sqrt(spread / n)


@inner
def products(u, start, n, m, centre, fade, gram, side):
    """Fills weighted cross products of the lags 1-4, m and with the target from `start` on; returns the target's."""
    square = 0.0
    for i in range(LAGS):
        side[i] = 0.0
        for j in range(LAGS):
            gram[i, j] = 0.0
    row = np.empty(LAGS)
    w = fade ** (n - 1.0 - start)
    for t in range(start, n):
        value = u[t] - centre
        for i in range(LAGS):
            lag = i + 1 if i < 4 else m
            row[i] = u[t - lag] - centre if t >= lag else 0.0
        for i in range(LAGS):
            side[i] += w * row[i] * value
            for j in range(i + 1):
                gram[i, j] += w * row[i] * row[j]
        square += w * value * value
        w /= fade
    return square


@inner
def solve(gram, side, short, seasonal, ridge, coef):
    """Solves (gram + ridge I) coef = side for lags 1..short (+ the season), zero elsewhere; returns side'coef."""
    which = np.empty(LAGS, np.int64)
    k = 0
    for i in range(LAGS):
        coef[i] = 0.0
        if i < short or (i == 4 and seasonal):
            which[k] = i
            k += 1
    a = np.empty((LAGS, LAGS + 1))
    for i in range(k):
        for j in range(k):
            p, q = which[i], which[j]
            a[i, j] = gram[max(p, q), min(p, q)]
        a[i, i] += ridge + 1e-12
        a[i, k] = side[which[i]]
    for i in range(k):
        for p in range(i + 1, k):
            f = a[p, i] / a[i, i]
            for q in range(i, k + 1):
                a[p, q] -= f * a[i, q]
    explained, size = 0.0, 0.0
    for i in range(k - 1, -1, -1):
        value = a[i, k]
        for q in range(i + 1, k):
            value -= a[i, q] * coef[which[q]]
        coef[which[i]] = value / a[i, i]
        explained += coef[which[i]] * side[which[i]]
    for i in range(k):
        size += coef[which[i]]
    if abs(size) > 0.98:
        for i in range(k):
            coef[which[i]] *= 0.98 / abs(size)
    return explained


@inner
def run_on(u, start, n, m, h, centre, coef):
    """Extends u[start:n] by h values of the autoregression around `centre`, in place."""
    for t in range(n, n + h):
        value = centre
        for i in range(LAGS):
            lag = i + 1 if i < 4 else m
            if coef[i] != 0.0 and t - lag >= start:
                value += coef[i] * (u[t - lag] - centre)
        u[t] = value


@inner
def seasonal_regression(z, n, m, h, u, gram, side, coef):
    """Extends z by h with a ridge autoregression (lags 1, 2, 3, season) of its seasonal differences, half drift.

    Weights .985 a step back; first differences where n < 2m + 6. `u` is room for n + h values.
    """
    lag = m if m > 1 and n >= 2 * m + 6 else 1
    mean, total, spread = 0.0, 0.0, 0.0
    w = 0.985 ** (n - 1.0 - lag)
    for t in range(lag, n):
        u[t] = z[t] - z[t - lag]
        mean += w * u[t]
        total += w
        w /= 0.985
    mean /= total
    for t in range(lag, n):
        spread += (u[t] - mean) ** 2 / (n - lag)
    seasonal = m > 4 and n - lag >= 2 * m + 4
    products(u, lag + (m if seasonal else 3), n, m, 0.5 * mean, 0.985, gram, side)
    solve(gram, side, 3, seasonal, 4.0 * spread, coef)
    run_on(u, lag, n, m, h, 0.5 * mean, coef)
    for t in range(n, n + h):
        z[t] = z[t - lag] + u[t]


@inner
def autoregression(z, n, m, h, u, gram, side, coef, trial):
    """Extends z by h with an autoregression of order 0-4 (+ the season) chosen by AICc on fitting differences."""
    seasonal = has_season(z, n, m)
    lag = m if seasonal else 0
    for t in range(lag, n):
        u[t] = z[t] - z[t - lag] if lag > 0 else z[t]
    mean, spread, rough = 0.0, 0.0, 0.0
    for t in range(lag, n):
        mean += u[t] / (n - lag)
    for t in range(lag, n):
        spread += (u[t] - mean) ** 2
        if t > lag:
            rough += (u[t] - u[t - 1]) ** 2
    start = lag
    last = u[n - 1]
    if rough < spread:
        start = lag + 1
        for t in range(n - 1, lag, -1):
            u[t] -= u[t - 1]
        mean = 0.0
        for t in range(start, n):
            mean += u[t] / (n - start)
    room = n - start
    far = m > 4 and room >= 2 * m + 4
    first = start + (m if far else 4)
    rows = n - first
    best = math.inf
    square = products(u, first, n, m, mean, 1.0, gram, side) if rows > 3 else 0.0
    for i in range(LAGS):
        coef[i] = 0.0
    for choice in range(10):
        order, with_season = choice % 5, choice >= 5
        k = order + 2.0 + (1.0 if with_season else 0.0)
        if rows < k + 4 or (with_season and not far):
            continue
        rest = square - solve(gram, side, order, with_season, 0.0, trial)
        score = rows * math.log(max(rest, 1e-12 * rows) / rows) + 2.0 * k + 2.0 * k * (k + 1.0) / (rows - k - 1.0)
        if score < best:
            best = score
            for i in range(LAGS):
                coef[i] = trial[i]
    run_on(u, start, n, m, h, mean, coef)
    for t in range(n, n + h):
        step = u[t]
        if start > lag:
            last += step
            step = last
        z[t] = z[t - lag] + step if lag > 0 else step
