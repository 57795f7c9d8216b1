"""The compiled pool: seven forecasts of one series and their trimmed mean, over a chunk of a panel.

| row of the parts | forecast |
|---|---|
| 0 | ETS: ten forms on the raw series, mean with weights exp(-0.1 (AICc - lowest AICc)) |
| 1 | temporal ETS: the same on sums of three steps, reconciled with row 0 by structural weights (else = row 0) |
| 2 | dynamic optimised theta, 3 theta, 4 CES: on the series divided by its shrunk recency-weighted index |
| 5 | ridge autoregression of seasonal log differences |
| 6 | autoregression chosen by AICc |

The forecast is the mean of two trimmed means (lowest and highest value of a step dropped): of all rows, and of all but
row 6. Values further than two ranges outside the history are left out. Choices and figures: docs/forecast.md.

One entry point (`run`) with one explicit signature: everything else is inlined into it, which keeps compiling near ten
seconds. It holds no lock, so that threads run chunks of series side by side; the result does not depend on chunks.
"""

from __future__ import annotations

import math

import numpy as np
from numba import float64, int64, njit, void

from planning.forecast.regression import LAGS, autoregression, season_index, seasonal_regression
from planning.forecast.smoothing import BAD, FORMS, N_FORMS, N_JOBS, inner, search, slots, smooth_forecast

N_PARTS = 7
N_FITS = N_JOBS + N_FORMS  # the ETS forms a second time, on sums
TOLERANCE, STEPS = 0.05, 100
SKIP_BELOW = 0.02  # an ETS form with less weight than this is not followed back to earlier origins


@inner
def first_states(y, n, m, season, index, init):
    """Writes heuristic first states: regression on the first max(10, 2m) seasonally adjusted values, plain indices."""
    k = min(max(10, 2 * m), n)
    mean, slope, square = 0.0, 0.0, 0.0
    for t in range(k):
        value = y[t]
        if season == 1:
            value -= index[t % m]
        elif season == 2:
            value /= index[t % m]
        at = t - 0.5 * (k - 1)
        mean += value / k
        slope += at * value
        square += at * at
    slope = slope / square if square > 0.0 else 0.0
    init[0] = mean - slope * 0.5 * (k + 1)
    init[1] = slope
    for j in range(m):
        init[2 + j] = index[j] if season > 0 else 0.0
    return mean


@inner
def fit_forms(y, n, m, d, positive, seasonal, h, warm, most, base, par, init, flat, out, room):
    """Fits the jobs of one level (base 0: ETS, theta, SES, CES; base 13: ETS on sums), writing each one's forecast.

    `par[job]` keeps the fitted point (columns 0-3) and the AICc weight (column 4); a job left out has weight 0. With
    `warm` the search starts at the kept point and forms of little weight are skipped. Row 0 of `out` becomes the
    weighted mean of the ETS forms, row 1+j the forecast of job 10+j.
    """
    st, theta, sim, fv, which, scores, path = room
    jobs = N_JOBS if base == 0 else N_FORMS
    lowest = math.inf
    total = 0.0
    for k in range(h):
        out[0, k] = 0.0
    for job in range(jobs):
        x = par[base + job]
        level = flat
        if job < N_FORMS:
            season = FORMS[job, 1]
            k = slots(job, which)
            free = k + 2.0 + (1.0 if FORMS[job, 0] > 0 else 0.0) + (m - 1.0 if season > 0 else 0.0)
            if (season > 0 and not seasonal) or (FORMS[job, 2] == 1 and not positive) or n - free - 1.0 < 1.0:
                scores[job] = math.inf
                continue
            if warm and x[4] < SKIP_BELOW:
                scores[job] = math.inf
                continue
            level = init[season]
            if FORMS[job, 0] == 0:
                level = init[3 + season]
        value = search(job, y, d, n, m, level, st, theta, x, warm, most, TOLERANCE, sim, fv, which)
        smooth_forecast(job, x, d, n, m, h, st, theta, path)
        if job >= N_FORMS:
            for k in range(h):
                out[1 + job - N_FORMS, k] = path[k] if value < BAD else math.nan
            continue
        fine = value < BAD
        for k in range(h):
            fine = fine and math.isfinite(path[k])
        if not fine:
            scores[job] = math.inf
            continue
        score = value + 2.0 * free + 2.0 * free * (free + 1.0) / (n - free - 1.0)
        scores[job] = score
        if score < lowest:
            shift = math.exp(-0.1 * (lowest - score)) if lowest < math.inf else 0.0
            for k in range(h):
                out[0, k] *= shift
            total *= shift
            lowest = score
        w = math.exp(-0.1 * (score - lowest))
        total += w
        for k in range(h):
            out[0, k] += w * path[k]
    for job in range(N_FORMS):
        if not warm:
            par[base + job, 4] = math.exp(-0.1 * (scores[job] - lowest)) / total if scores[job] < math.inf else 0.0
    for k in range(h):
        out[0, k] = out[0, k] / total if total > 0.0 else math.nan


@inner
def prepare(y, n, m, positive, index, init):
    """Fills the six first states of a level (season none, additive, ratio; with and without trend)."""
    seasonal = season_index(y, n, m, positive, 1.0, False, index)
    for season in range(3):
        if season == 1 and positive:
            seasonal = season_index(y, n, m, False, 1.0, False, index)
        if season == 2:
            season_index(y, n, m, positive, 1.0, False, index)
        mean = first_states(y, n, m, season, index, init[season])
        for j in range(len(init[season])):
            init[3 + season, j] = init[season, j]
        init[3 + season, 0] = mean
    return seasonal


@inner
def combine(parts, h, low, high, floor, out):
    """Writes the mean of the trimmed mean of all rows and that of all but the last; NaN where no row is inside."""
    room = np.empty(N_PARTS)
    for k in range(h):
        whole = 0.0
        for take in range(N_PARTS - 1, N_PARTS + 1):
            count, total, least, most = 0, 0.0, math.inf, -math.inf
            for i in range(take):
                value = parts[i, k]
                if math.isfinite(value) and low <= value <= high:
                    room[count] = max(value, floor)
                    count += 1
            for i in range(count):
                total += room[i]
                least = min(least, room[i])
                most = max(most, room[i])
            if count >= 5:
                whole += 0.5 * (total - least - most) / (count - 2.0)
            else:
                whole += 0.5 * (total / count if count > 0 else math.nan)
        out[k] = whole


@inner
def from_base(y, n, m, positive, h, long, warm, most, par, index, init, room, fits, parts):
    """Fills parts 0 and 2-4 from the series itself; fits[0] keeps the ETS path to the end of the last sum."""
    seasonal = prepare(y, n, m, positive, index, init)
    season_index(y, n, m, positive, 0.75, True, index)
    d = np.empty(n)
    for t in range(n):
        d[t] = y[t] / index[t % m] if positive else y[t] - index[t % m]
    fit_forms(y, n, m, d, positive, seasonal, long, warm, most, 0, par, init, init[0], fits, room)
    for k in range(h):
        s = index[(n + k) % m]
        parts[0, k] = fits[0, k]
        parts[1, k] = fits[0, k]
        for i in range(1, 4):
            parts[1 + i, k] = fits[i, k] * s if positive else fits[i, k] + s


@inner
def from_sums(y, n, m, positive, h, long, size, warm, most, par, index, init, room, fits, parts):
    """Fills part 1: ETS on sums of `size` steps, half the gap to the summed base path shared out."""
    count = n // size
    base = fits[0].copy()
    level = np.empty(count)
    for t in range(count):
        level[t] = 0.0
        for k in range(size):
            level[t] += y[n - (count - t) * size + k]
    seasonal = prepare(level, count, m // size, positive, index, init)
    fit_forms(level, count, m // size, level, positive, seasonal, long // size, warm, most, N_JOBS, par, init, init[0],
              fits, room)
    for k in range(h):
        gap = fits[0, k // size]
        for i in range(size):
            gap -= base[k // size * size + i]
        parts[1, k] = base[k] + gap / (2.0 * size)


@inner
def from_regressions(y, n, m, positive, h, parts):
    """Fills parts 5 and 6, on logs where every value is positive."""
    z = np.empty(n + h)
    u = np.empty(n + h)
    gram, side, coef, trial = np.empty((LAGS, LAGS)), np.empty(LAGS), np.empty(LAGS), np.empty(LAGS)
    for which in range(2):
        for t in range(n):
            z[t] = math.log(y[t]) if positive else y[t]
        if which == 0:
            seasonal_regression(z, n, m, h, u, gram, side, coef)
        else:
            autoregression(z, n, m, h, u, gram, side, coef, trial)
        for k in range(h):
            parts[5 + which, k] = math.exp(min(z[n + k], 50.0)) if positive else z[n + k]


@inner
def one(raw, m, h, warm, most, par, parts, out):
    """Forecasts one series: fills `out` (h) and the fitted points `par`, `parts` (7, h) is room; on y / mean |y|."""
    n = len(raw)
    scale, low, high = 0.0, math.inf, -math.inf
    for t in range(n):
        scale += abs(raw[t]) / n
        low = min(low, raw[t])
        high = max(high, raw[t])
    scale = scale if scale > 0.0 else 1.0
    y = np.empty(n)
    for t in range(n):
        y[t] = raw[t] / scale
    low, high = low / scale, high / scale
    positive = low > 1e-6
    size = 3 if m % 3 == 0 and m > 3 and n >= 18 else 1
    long = size * ((h + size - 1) // size)
    index, init, fits = np.empty(m), np.empty((6, m + 2)), np.empty((4, long))
    room = (np.empty(max(m, 4) + 2), np.empty(4), np.empty((8, 4)), np.empty(5), np.empty(4, np.int64),
            np.empty(N_JOBS), np.empty(long))
    from_base(y, n, m, positive, h, long, warm, most, par, index, init, room, fits, parts)
    if size > 1:
        from_sums(y, n, m, positive, h, long, size, warm, most, par, index, init, room, fits, parts)
    from_regressions(y, n, m, positive, h, parts)
    reach = 2.0 * (high - low)
    combine(parts, h, low - reach, high + reach, 0.0 if low >= 0.0 else -math.inf, out)
    for k in range(h):
        out[k] *= scale


@njit(
    void(float64[::1], int64[::1], int64, int64, int64, int64[::1], int64, float64[:, :, ::1], float64[:, :, ::1]),
    nogil=True, error_model="numpy", cache=True,
)
def run(flat, offsets, first, last, m, origins, least, par, out):
    """Forecasts series first..last-1 of a panel from their ends and from earlier origins.

    flat, offsets: series i is flat[offsets[i]:offsets[i+1]]. origins: points left off the end, the first one 0 as a
    rule. out (origins, n, h) gets the forecasts, NaN where fewer than `least` points remain; par (n, 23, 5) the fitted
    points of the first origin, from which later ones take three steps.
    """
    h = out.shape[2]
    room = np.empty((N_PARTS, h))
    for i in range(first, last):
        for k in range(len(origins)):
            end = offsets[i + 1] - origins[k]
            if end - offsets[i] < least:
                for j in range(h):
                    out[k, i, j] = math.nan
                continue
            one(flat[offsets[i]:end], m, h, k > 0, 3 if k > 0 else STEPS, par[i], room, out[k, i])
