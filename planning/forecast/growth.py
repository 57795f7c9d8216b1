"""A second view of the year ahead: the last year's level, its months' shares, and growth shared with the panel.

Pools of smoothing models damp their trends, which is right for single months and low for a year's sum of a panel that
grows together. Growth here is half a node's own mean log growth over up to six years and half that of all nodes; the
forecast of step h is

    last season's sum * share of its month (last three seasons) * exp(growth * seasons ahead)

The shares hold the growth inside a season, so a whole season ahead is counted for each of its steps.
"""

from __future__ import annotations

import numpy as np

MOST_YEARS = 6
LEAST_YEARS = 2
PROFILE_YEARS = 3
LIMIT = 0.5  # a node's mean log growth is believed up to this size


def ahead(values: np.ndarray, horizon: int, season: int, back: np.ndarray) -> np.ndarray:
    """Returns forecasts (1 + origins, nodes, horizon) made at the end and `back` steps before it; NaN where not known.

    values: nodes x T, NaN before a node starts. A node needs two whole positive seasons of history.
    """
    length = values.shape[1]
    return np.stack([_once(values[:, : length - steps], horizon, season) for steps in (0, *back)])


def _once(values: np.ndarray, horizon: int, season: int) -> np.ndarray:
    nodes, length = values.shape
    years = min(length // season, MOST_YEARS + 1)
    out = np.full((nodes, horizon), np.nan)
    if years < LEAST_YEARS:
        return out
    seasons = values[:, length - years * season :].reshape(nodes, years, season)
    sums = seasons.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        growth = np.diff(np.log(np.where(sums > 0, sums, np.nan)), axis=1)
    counted = np.isfinite(growth)
    own = np.where(counted, growth, 0.0).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
    known = counted[:, -1] & (np.nanmin(np.where(np.isfinite(seasons[:, -1]), seasons[:, -1], -1.0), axis=1) >= 0)
    if not known.any():
        return out
    own = np.clip(own, -LIMIT, LIMIT)
    shared = np.median(own[known])
    rate = 0.5 * own + 0.5 * shared
    recent = np.where(np.isfinite(seasons[:, -PROFILE_YEARS:]), seasons[:, -PROFILE_YEARS:], 0.0)
    profile = recent.sum(axis=1) / np.maximum(recent.sum(axis=(1, 2)), 1e-300)[:, None]
    step = np.arange(1, horizon + 1)
    level = sums[:, -1][:, None] * profile[:, (step - 1) % season]
    made = level * np.exp(rate[:, None] * np.ceil(step / season))
    out[known] = made[known]
    return out
