"""What a forecast is made of: level, trend and season of every step, and the parameters of the fitted models.

`mean = level + trend + season`, exact to rounding: the season is what the shrunk index adds to the step, the level
where the seasonally adjusted series stands now (mean of the last three values, the newest weighing three times), the
trend the rest: how far the forecast moves away from today's level.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from planning.forecast import engine
from planning.forecast.checks import check_history
from planning.forecast.panel import Panel
from planning.forecast.season import shrunk_index
from planning.forecast.smoothing import FORM_NAMES, FORMS, N_FORMS
from planning.forecast.table import forecasts

LEVEL_WEIGHTS = np.array([1.0, 2.0, 3.0]) / 6.0


def explain(history: pd.DataFrame, *, horizon: int, freq: str) -> pd.DataFrame:
    """Returns why each step is what it is: unique_id, ds, mean, level, trend, season (in the unit of y).

    history, horizon, freq as in `forecast`. The three parts add up to the mean.
    """
    frame = forecasts(history, horizon=horizon, freq=freq).frame[["unique_id", "ds", "mean"]]
    table, frequency = check_history(history, freq)
    panel = Panel.of_frame(table, frequency)
    mean = frame["mean"].to_numpy().reshape(panel.n, horizon)
    level, season = np.empty_like(mean), np.empty_like(mean)
    m = panel.season
    for i in range(panel.n):
        y = panel.series(i)
        positive = y.min() > 0
        index, _ = shrunk_index(y, m, ratio=positive)
        ahead = index[(len(y) + np.arange(horizon)) % m]
        past = index[np.arange(len(y)) % m]
        adjusted = (y / past if positive else y - past)[-3:]
        weights = LEVEL_WEIGHTS[-len(adjusted) :]
        level[i] = weights @ adjusted / weights.sum()
        season[i] = mean[i] - mean[i] / ahead if positive else ahead
    trend = mean - level - season
    return frame.assign(level=level.ravel(), trend=trend.ravel(), season=season.ravel())


def parameters(panel: Panel, horizon: int = 1) -> pd.DataFrame:
    """Returns the fitted ETS forms: unique_id, form, weight, alpha, beta, gamma, phi; one row a series and form used.

    Forms are named trend, season, error: AdNm is a damped trend, no season, multiplicative errors.
    """
    points = engine.fit(panel, horizon).points
    rows = []
    for job in range(N_FORMS):
        trend, season, _ = FORMS[job]
        x = points[:, job]
        alpha = x[:, 0]
        beta = alpha * x[:, 1] if trend else np.zeros(panel.n)
        gamma = (1 - alpha) * x[:, 2 if trend else 1] if season else np.zeros(panel.n)
        last = 1 + (trend > 0) + (season > 0)
        phi = x[:, last] if trend == 2 else np.full(panel.n, float(trend == 1))
        rows.append(pd.DataFrame({
            "unique_id": panel.ids, "form": FORM_NAMES[job], "weight": x[:, 4], "alpha": alpha, "beta": beta,
            "gamma": gamma, "phi": phi,
        }))
    table = pd.concat(rows, ignore_index=True)
    return table[table["weight"] > 0].sort_values(["unique_id", "weight"], ascending=[True, False], ignore_index=True)
