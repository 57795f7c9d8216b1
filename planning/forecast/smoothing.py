"""Compiled exponential smoothing: one pass of a model over one series, its forecast, and the search for its parameters.

A *job* is one model to fit, named by a number:

| job | model | searched | source |
|---|---|---|---|
| 0-9 | ETS, rows of FORMS | alpha, beta/alpha, gamma/(1-alpha), phi | Hyndman, Koehler, Ord and Snyder (2008) |
| 10 | dynamic optimised theta | first level, alpha, theta | Fiorucci, Pellegrini, Louzada and others (2016) |
| 11 | SES under the classic theta method | alpha | Assimakopoulos and Nikolopoulos (2000) |
| 12 | complex exponential smoothing | a0, a1, both first states | Svetunkov, Kourentzes and Ord (2022) |

States lie in one array: ETS level, slope, m seasonal; theta level, mean, slope B, (1-alpha)^t; CES both components.
The error of an ETS model changes its likelihood only: written with the one-step error the state updates are the same.
All functions are inner ones of `kernels.run`, compiled with it; no array expressions, so that compiling stays short.
"""

from __future__ import annotations

import math

import numpy as np

from planning.forecast.inner import inner

N_FORMS = 10
THETA, SES, CES = 10, 11, 12
N_JOBS = 13
BAD = 1e300

# Trend (0 none, 1 linear, 2 damped), season (0 none, 1 additive, 2 ratio), error (0 additive, 1 multiplicative).
FORMS = np.array(
    [(0, 0, 0), (0, 0, 1), (2, 0, 0), (2, 0, 1), (0, 1, 0), (0, 2, 1), (1, 1, 0), (1, 2, 1), (2, 1, 0), (2, 2, 1)]
)
FORM_NAMES = ("NNa", "NNm", "AdNa", "AdNm", "NAa", "NMm", "AAa", "AMm", "AdAa", "AdMm")

# One column a kind of parameter: lowest, highest, start, first step of the search.
# alpha beta* gamma* phi | theta: level alpha theta | SES alpha | CES: a0 a1 first states
BOX = np.array(
    [
        [0.005, 0.0, 0.0, 0.80, -9.0, 0.01, 1.0, 0.01, 0.01, 0.01, -9.0, -9.0],
        [0.990, 0.99, 0.99, 0.98, 9.0, 0.99, 40.0, 0.99, 1.80, 1.90, 9.0, 9.0],
        [0.300, 0.10, 0.10, 0.93, 0.0, 0.50, 2.0, 0.50, 1.30, 1.00, 0.0, 0.0],
        [0.250, 0.15, 0.15, 0.04, 0.1, -0.2, 1.0, -0.2, -0.1, 0.05, 0.1, 0.1],
    ]
)


@inner
def slots(job, which):
    """Fills `which` with the BOX columns the job searches; returns how many."""
    if job == 10:
        which[0], which[1], which[2] = 4, 5, 6
        return 3
    if job == 11:
        which[0] = 7
        return 1
    if job == 12:
        which[0], which[1], which[2], which[3] = 8, 9, 10, 11
        return 4
    k = 1
    which[0] = 0
    if FORMS[job, 0] > 0:
        which[k] = 1
        k += 1
    if FORMS[job, 1] > 0:
        which[k] = 2
        k += 1
    if FORMS[job, 0] == 2:
        which[k] = 3
        k += 1
    return k


@inner
def ets_parameters(job, x, theta):
    """Writes alpha, beta, gamma, phi of the searched point `x` into `theta`."""
    k = 1
    alpha = x[0]
    theta[0], theta[1], theta[2], theta[3] = alpha, 0.0, 0.0, 0.0
    if FORMS[job, 0] > 0:
        theta[1] = alpha * x[k]
        theta[3] = 1.0
        k += 1
    if FORMS[job, 1] > 0:
        theta[2] = (1.0 - alpha) * x[k]
        k += 1
    if FORMS[job, 0] == 2:
        theta[3] = x[k]


@inner
def ets_pass(y, n, m, season, multiplicative, theta, st):
    """Runs the recursion over y, moving `st` to the last states; returns n log(sum e^2) + 2 sum log|mu|.

    season 0, 1, 2 as in FORMS; the second term is there for multiplicative errors, e = (y - mu)/mu.
    """
    alpha, beta, gamma, phi = theta[0], theta[1], theta[2], theta[3]
    level, slope = st[0], st[1]
    total, logs, product, held, j = 0.0, 0.0, 1.0, 0, 0
    for t in range(n):
        slope *= phi
        p = level + slope
        mu = p
        divide = 1.0
        if season == 2:
            divide = st[2 + j]
            mu = p * divide
        elif season == 1:
            mu = p + st[2 + j]
        e = y[t] - mu
        if multiplicative:
            if mu <= 1e-8:
                return BAD
            r = e / mu
            total += r * r
            product *= mu
            held += 1
            if held == 8:
                logs += math.log(product)
                product, held = 1.0, 0
        else:
            total += e * e
        if season == 2:
            if p <= 1e-8 or divide <= 1e-8:
                return BAD
            st[2 + j] = divide + gamma * e / p
            e /= divide
        elif season == 1:
            st[2 + j] += gamma * e
        level = p + alpha * e
        slope += beta * e
        j += 1
        if j == m:
            j = 0
    st[0], st[1] = level, slope
    return n * math.log(total + 1e-15 * n) + 2.0 * (logs + math.log(product))


@inner
def ets_forecast(st, season, phi, n, m, h, out):
    """Writes the point forecasts from the states after n observations."""
    level, slope, j = st[0], st[1], n % m
    for k in range(h):
        slope *= phi
        level += slope
        if season == 2:
            out[k] = level * st[2 + j]
        elif season == 1:
            out[k] = level + st[2 + j]
        else:
            out[k] = level
        j += 1
        if j == m:
            j = 0


@inner
def theta_step(t, alpha, weight, st):
    """Returns the one-step mean of the dynamic theta model for time t (from 0) given the states at t."""
    mean, slope, power = st[1], st[2], st[3]
    start = mean - 0.5 * (t + 1.0) * slope if t > 0 else 0.0
    return st[0] + weight * (power * start + (1.0 - power * (1.0 - alpha)) / alpha * slope)


@inner
def theta_update(t, alpha, value, st):
    """Moves the theta states over the observation `value` at time t."""
    k = t + 1.0
    st[2] = ((k - 2.0) * st[2] + 6.0 * (value - st[1]) / k) / (k + 1.0) if t > 0 else 0.0
    st[1] += (value - st[1]) / k
    st[0] = alpha * value + (1.0 - alpha) * st[0]
    st[3] *= 1.0 - alpha


@inner
def theta_pass(d, n, x, st):
    """Runs the dynamic theta model over d; returns n log(sum of squared one-step errors), the first two left out."""
    alpha, weight, total = x[1], 1.0 - 1.0 / x[2], 0.0
    st[0], st[1], st[2], st[3] = d[0] * 0.5 + x[0], 0.0, 0.0, 1.0
    for t in range(n):
        e = d[t] - theta_step(t, alpha, weight, st)
        if t > 1:
            total += e * e
        theta_update(t, alpha, d[t], st)
    return n * math.log(total + 1e-15 * n)


@inner
def ses_pass(d, n, alpha, st):
    """Runs simple smoothing over d from its first value; returns n log(sum of squared one-step errors)."""
    level, total = d[0], 0.0
    for t in range(n):
        e = d[t] - level
        total += e * e
        level += alpha * e
    st[0] = level
    return n * math.log(total + 1e-15 * n)


@inner
def ces_pass(d, n, x, st):
    """Runs complex smoothing over d from the searched first states; returns n log(sum of squared one-step errors)."""
    a0, a1, total = x[0], x[1], 0.0
    start = 0.0
    first = min(10, n)
    for t in range(first):
        start += d[t] / first
    level, potential = start + x[2], start / 1.1 + x[3]
    for t in range(n):
        e = d[t] - level
        total += e * e
        new = level - (1.0 - a1) * potential + (a0 - a1) * e
        potential = level + (1.0 - a0) * potential + (a0 + a1) * e
        level = new
        if abs(level) > 1e6:
            return BAD
    st[0], st[1] = level, potential
    return n * math.log(total + 1e-15 * n)


@inner
def objective(job, x, y, d, n, m, init, st, theta):
    """Returns what the search makes small for one job at `x`; leaves the last states in `st`."""
    if job == THETA:
        return theta_pass(d, n, x, st)
    if job == SES:
        return ses_pass(d, n, x[0], st)
    if job == CES:
        return ces_pass(d, n, x, st)
    ets_parameters(job, x, theta)
    for i in range(len(init)):
        st[i] = init[i]
    if FORMS[job, 0] == 0:
        st[1] = 0.0
    return ets_pass(y, n, m, FORMS[job, 1], FORMS[job, 2] == 1, theta, st)


@inner
def smooth_forecast(job, x, d, n, m, h, st, theta, out):
    """Writes h forecasts of one fitted job from the states its last pass left in `st`."""
    if job < N_FORMS:
        ets_forecast(st, FORMS[job, 1], theta[3], n, m, h, out)
    elif job == THETA:
        weight = 1.0 - 1.0 / x[2]
        for k in range(h):
            value = theta_step(n + k, x[1], weight, st)
            out[k] = value
            theta_update(n + k, x[1], value, st)
    elif job == SES:
        slope, alpha = 0.0, x[0]
        for t in range(n):
            slope += (t - 0.5 * (n - 1)) * d[t]
        slope *= 12.0 / (n * (n * n - 1.0)) if n > 1 else 0.0
        for k in range(h):
            out[k] = st[0] + 0.5 * slope * (k + (1.0 - (1.0 - alpha) ** n) / alpha)
    else:
        level, potential = st[0], st[1]
        for k in range(h):
            out[k] = level
            new = level - (1.0 - x[1]) * potential
            potential = level + (1.0 - x[0]) * potential
            level = new


@inner
def clamp(row, which, k):
    """Moves a trial point into its box."""
    for i in range(k):
        row[i] = min(max(row[i], BOX[0, which[i]]), BOX[1, which[i]])


@inner
def search(job, y, d, n, m, init, st, theta, x, warm, most, tol, sim, fv, which):
    """Nelder-Mead from `x` (from BOX when not `warm`), one call of the objective for every kind of trial.

    sim holds k+1 vertices, then (rows 5-7) the reflected point, the second trial and the centre. On return `x` is the
    best point, `st` and `theta` are its last states and parameters; returns its value. Stops after `most` steps or
    when the values of the simplex lie within `tol`.
    """
    k = slots(job, which)
    for i in range(k + 1):
        for j in range(k):
            sim[i, j] = x[j] if warm else BOX[2, which[j]]
            if j == i - 1:
                step = BOX[3, which[j]] * (0.4 if warm else 1.0)
                far = sim[i, j] + step
                sim[i, j] = far if BOX[0, which[j]] < far < BOX[1, which[j]] else sim[i, j] - step
    phase, row, steps, best, worst, reflected = 0, 0, 0, 0, 0, 0.0
    while True:
        clamp(sim[row], which, k)
        value = objective(job, sim[row], y, d, n, m, init, st, theta)
        if phase == 5:
            return value
        if not value < BAD:
            value = BAD
        if phase == 0 or phase == 4:
            fv[row] = value
            row += 1
            if row <= k:
                continue
        elif phase == 1:
            reflected = value
            phase, row = after_reflection(k, sim, fv, best, worst, reflected)
            if phase > 0:
                continue
        else:
            took = accept_second(k, sim, fv, worst, phase, value, reflected)
            if not took:
                shrink(k, sim, fv, best)
                phase, row = 4, 1
                continue
        steps += 1
        best, worst = extremes(k, fv)
        if steps > most or fv[worst] - fv[best] < tol:
            for j in range(k):
                x[j] = sim[best, j]
            phase, row = 5, best
            continue
        for j in range(k):
            centre = 0.0
            for i in range(k + 1):
                if i != worst:
                    centre += sim[i, j]
            sim[7, j] = centre / k
            sim[5, j] = 2.0 * sim[7, j] - sim[worst, j]
        phase, row = 1, 5


@inner
def extremes(k, fv):
    """Returns the rows of the lowest and the highest value."""
    best, worst = 0, 0
    for i in range(1, k + 1):
        if fv[i] < fv[best]:
            best = i
        if fv[i] >= fv[worst]:
            worst = i
    return best, worst


@inner
def after_reflection(k, sim, fv, best, worst, reflected):
    """Decides the step after a reflection: takes it (phase 0), or proposes expansion (2) or contraction (3)."""
    if reflected < fv[best]:
        for j in range(k):
            sim[6, j] = 2.0 * sim[5, j] - sim[7, j]
        return 2, 6
    if k > 1:
        for i in range(k + 1):
            if i != worst and reflected < fv[i]:
                for j in range(k):
                    sim[worst, j] = sim[5, j]
                fv[worst] = reflected
                return 0, 0
    towards = 5 if reflected < fv[worst] else worst
    for j in range(k):
        sim[6, j] = 0.5 * (sim[7, j] + sim[towards, j])
    return 3, 6


@inner
def accept_second(k, sim, fv, worst, phase, value, reflected):
    """Takes the expansion or contraction of row 6 if it is good enough; False asks for a shrink."""
    if phase == 3 and value >= min(reflected, fv[worst]):
        return False
    source = 6 if phase == 3 or value < reflected else 5
    for j in range(k):
        sim[worst, j] = sim[source, j]
    fv[worst] = value if source == 6 else reflected
    return True


@inner
def shrink(k, sim, fv, best):
    """Halves the simplex towards its best vertex, which becomes row 0."""
    for j in range(k):
        sim[0, j], sim[best, j] = sim[best, j], sim[0, j]
    fv[0], fv[best] = fv[best], fv[0]
    for i in range(1, k + 1):
        for j in range(k):
            sim[i, j] = 0.5 * (sim[0, j] + sim[i, j])
