"""The models against statsmodels, and against second implementations written the long way."""

import os
import subprocess
import sys

import numpy as np
import pytest

from planning.forecast import regression, smoothing

RNG = np.random.default_rng(3)


def series(n=60, m=4):
    steps = np.arange(n)
    return 100 + 0.7 * steps + 8 * np.sin(2 * np.pi * steps / m) + RNG.normal(0, 3, n)


@pytest.mark.parametrize("job", range(10))
def test_ets_likelihood_and_forecasts_equal_statsmodels(job):
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    trend, season, error = smoothing.FORMS[job]
    y, m, h = series(), 4, 9
    # With ratios as season statsmodels smooths y / new level, not Hyndman's s (1 + gamma e): compared without gamma
    alpha, beta, gamma, phi = 0.37, 0.11, 0.0 if season == 2 else 0.21, 0.93
    level, slope = 98.0, 0.6
    index = np.array([0.0, 3.0, -1.0, -2.0]) if season == 1 else np.array([1.0, 1.04, 0.99, 0.97])
    model = ETSModel(
        y, error="mul" if error else "add", trend="add" if trend else None, damped_trend=trend == 2,
        seasonal=[None, "add", "mul"][season], seasonal_periods=m if season else None, initialization_method="known",
        initial_level=level, initial_trend=slope if trend else None, initial_seasonal=index if season else None,
    )
    values = {"smoothing_level": alpha, "smoothing_trend": beta, "smoothing_seasonal": gamma, "damping_trend": phi}
    known = {"initial_level": level, "initial_trend": slope}
    known |= {f"initial_seasonal.{k}": index[k] for k in range(m)}
    point = np.array([{**values, **known}[name] for name in model.param_names])
    result = model.smooth(point)
    theta = np.array([alpha, beta if trend else 0.0, gamma if season else 0.0, [0.0, 1.0, phi][trend]])
    states = np.concatenate([[level, slope if trend else 0.0], index])
    value = smoothing.ets_pass.py_func(y, len(y), m, season, error == 1, theta, states)
    n = len(y)
    likelihood = -0.5 * (value - n * np.log(n) + n * (np.log(2 * np.pi) + 1))
    assert likelihood == pytest.approx(result.llf, abs=1e-8)
    out = np.empty(h)
    smoothing.ets_forecast.py_func(states, season, theta[3], n, m, h, out)
    np.testing.assert_allclose(out, result.forecast(h), rtol=0, atol=1e-8)


@pytest.mark.parametrize("job", [5, 7, 9])
def test_ratio_seasons_follow_the_state_equations(job):
    trend, m, y = smoothing.FORMS[job][0], 4, series()
    alpha, beta, gamma, phi = 0.37, 0.11 if trend else 0.0, 0.21, [0.0, 1.0, 0.93][trend]
    level, slope, index, total = 98.0, 0.6 if trend else 0.0, [1.0, 1.04, 0.99, 0.97], 0.0
    states = np.array([level, slope, *index])
    logs = 0.0
    for t, actual in enumerate(y):
        mean = (level + phi * slope) * index[t]
        e = (actual - mean) / mean
        total, logs = total + e * e, logs + np.log(mean)
        index.append(index[t] * (1 + gamma * e))
        level, slope = (level + phi * slope) * (1 + alpha * e), phi * slope + beta * (level + phi * slope) * e
    value = smoothing.ets_pass.py_func(y, len(y), m, 2, True, np.array([alpha, beta, gamma, phi]), states)
    assert value == pytest.approx(len(y) * np.log(total) + 2 * logs, abs=1e-6)
    np.testing.assert_allclose(states[:2], [level, slope], atol=1e-9)
    np.testing.assert_allclose(states[2:], index[-m:], atol=1e-9)


def test_dynamic_theta_runs_the_regression_of_every_past():
    y, alpha, theta = series(30), 0.4, 2.5
    states = np.zeros(4)
    level, total = y[0] * 0.5 + 0.3, 0.0
    for t, actual in enumerate(y):
        a, b = 0.0, 0.0
        if t == 1:
            a = y[0]
        if t > 1:
            b, a = np.polyfit(np.arange(1, t + 1), y[:t], 1)
        mean = level + (1 - 1 / theta) * ((1 - alpha) ** t * a + (1 - (1 - alpha) ** (t + 1)) / alpha * b)
        states[0] = level
        if t > 0:
            states[1:] = y[:t].mean(), b, (1 - alpha) ** t
            assert smoothing.theta_step.py_func(t, alpha, 1 - 1 / theta, states) == pytest.approx(mean, abs=1e-8)
            before = states.copy()
            smoothing.theta_update.py_func(t, alpha, actual, before)
            slope = np.polyfit(np.arange(t + 1), y[: t + 1], 1)[0]
            assert before[1] == pytest.approx(y[: t + 1].mean()) and before[2] == pytest.approx(slope, abs=1e-8)
        total += (actual - mean) ** 2
        level = alpha * actual + (1 - alpha) * level
    assert total > 0


def test_classic_theta_is_the_mean_of_its_two_lines():
    y, alpha, h = series(40), 0.3, 7
    n, states, out = len(y), np.zeros(4), np.empty(7)
    smoothing.ses_pass.py_func(y, n, alpha, states)
    smoothing.smooth_forecast.py_func(smoothing.SES, np.array([alpha]), y, n, 4, h, states, np.zeros(4), out)
    slope, first = np.polyfit(np.arange(n), y, 1)
    line = first + slope * np.arange(n + h)
    curve = 2 * y - line[:n]
    level = curve[0]
    for value in curve:
        level += alpha * (value - level)
    np.testing.assert_allclose(out, 0.5 * line[n:] + 0.5 * level, atol=1e-9)


def test_complex_smoothing_is_smoothing_of_complex_numbers():
    y, h = series(40) / 100, 5
    x, n = np.array([1.2, 0.95, 0.02, -0.01]), 40
    states, out = np.zeros(4), np.empty(h)
    value = smoothing.ces_pass.py_func(y, n, x, states)
    smoothing.smooth_forecast.py_func(smoothing.CES, x, y, n, 4, h, states, np.zeros(4), out)
    weight = complex(x[0], x[1])
    state, total = complex(y[:10].mean() + x[2], y[:10].mean() / 1.1 + x[3]), 0.0
    for actual in y:
        error = actual - state.real
        total += error**2
        state = weight * complex(actual, error) + (1 + 1j - weight) * state
    ahead = []
    for _ in range(h):
        ahead.append(state.real)
        state = weight * complex(state.real, 0) + (1 + 1j - weight) * state
    assert value == pytest.approx(n * np.log(total + 1e-15 * n))
    np.testing.assert_allclose(out, ahead, atol=1e-9)


def test_season_index_plain_and_shrunk():
    y, m = series(48, 12), 12
    out = np.empty(m)
    assert regression.season_index.py_func(y, len(y), m, True, 1.0, False, out)
    kernel = np.r_[0.5, np.ones(m - 1), 0.5] / m
    ratio = y[m // 2 : len(y) - m // 2] / np.convolve(y, kernel, "valid")
    places = np.arange(m // 2, len(y) - m // 2) % m
    plain = np.array([ratio[places == j].mean() for j in range(m)])
    np.testing.assert_allclose(out, plain / plain.mean(), atol=1e-10)
    shrunk = np.empty(m)
    regression.season_index.py_func(y, len(y), m, True, 0.75, True, shrunk)
    assert np.std(shrunk) < np.std(out) and shrunk.mean() == pytest.approx(1.0, abs=1e-3)
    assert not regression.season_index.py_func(y, 20, m, True, 1.0, False, out) and (out == 1).all()


def test_normal_equations_equal_least_squares():
    u, m, start = RNG.normal(size=80), 12, 12
    gram, side, coef = np.empty((5, 5)), np.empty(5), np.empty(5)
    regression.products.py_func(u, start, 80, m, 0.1, 0.98, gram, side)
    lags = [1, 2, 3, m]
    x = np.column_stack([u[start - lag : 80 - lag] - 0.1 for lag in lags])
    w = 0.98 ** np.arange(80 - start)[::-1]
    want = np.linalg.solve(x.T @ (w[:, None] * x) + 2 * np.eye(4), x.T @ (w * (u[start:] - 0.1)))
    regression.solve.py_func(gram, side, 3, True, 2.0, coef)
    np.testing.assert_allclose(coef[[0, 1, 2, 4]], want, atol=1e-9)
    assert coef[3] == 0


PROGRAM = """
import numpy as np
from planning.forecast.engine import nodes
t = np.arange(30.0)
y = np.vstack([50 + t + 5 * np.sin(t * np.pi / 2) + np.cos(7 * t), 40 - t + 9 * np.cos(3 * t)])
mean, past = nodes(y, 3, 4, [4], jobs=1)
print(repr(mean.ravel().tolist() + past.ravel().tolist()))
"""


def test_compiled_code_gives_what_the_same_code_gives_in_plain_python():
    found = []
    for flag in ("0", "1"):
        env = {**os.environ, "NUMBA_DISABLE_JIT": flag, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        done = subprocess.run([sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=True)
        found.append(np.array(eval(done.stdout)))
    assert np.isfinite(found[0]).all()
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6)
