"""Short and new series: the panel's season and half its drift on the series' own recent level.

    level  = mean of y / season, weights 0.8 a step back        season, drift: of the panel's longer series
    y(h)   = level * season(h) * exp(h * drift / 2)

Below `least` points this is the forecast; up to 2m + 8 points it is averaged with the pool's, then fades over m more.
Source of the measurements: two or three points extrapolated by any model are far worse than their mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planning.forecast.panel import Panel

FADE = 0.8


@dataclass(frozen=True)
class Profile:
    """What a panel lends to its short series. Sums over donors, so that profiles of parts can be added.

    season (m,) mean log index by place in the calendar, drift: mean log growth a step, relative: mean log scale/level;
    donors and sized: the number of series behind them.
    """

    season: np.ndarray
    drift: float
    donors: int
    relative: float
    sized: int

    @classmethod
    def merge(cls, parts: list[Profile]) -> Profile:
        """Joins the profiles of parts, each weighing by its donors."""
        donors = sum(part.donors for part in parts)
        sized = sum(part.sized for part in parts)
        if not parts:
            return cls(np.zeros(1), 0.0, 0, np.log(0.2), 0)
        season = sum((part.season * part.donors for part in parts), np.zeros(len(parts[0].season))) / max(donors, 1)
        drift = sum(part.drift * part.donors for part in parts) / max(donors, 1)
        relative = sum(part.relative * part.sized for part in parts) / sized if sized else float(np.log(0.2))
        return cls(season, drift, donors, relative, sized)


def profile(panel: Panel, scale: np.ndarray) -> Profile:
    """Returns what the series of at least two seasons and three points, all positive, say on season and drift."""
    m = panel.season
    index = np.zeros(m)
    drift, donors, relative, sized = 0.0, 0, 0.0, 0
    for i in np.flatnonzero(panel.lengths >= min(2 * m + 3, 12)):
        y = panel.series(i)
        if y.min() <= 0:
            continue
        if scale[i] > 0:
            relative += float(np.clip(np.log(scale[i] / np.mean(y[-m:])), -7.0, 2.0))
            sized += 1
        if len(y) < 2 * m + 3:
            continue
        z = np.log(y[-(len(y) // m) * m :]).reshape(-1, m)
        place = np.arange(panel.last[i] - m + 1, panel.last[i] + 1) % m
        steady = z - z.mean(axis=1, keepdims=True)
        growth = float(z[-1].mean() - z[0].mean()) / (len(z) - 1) / m
        steady = steady - growth * (np.arange(m) - 0.5 * (m - 1))
        index[place] += np.clip(steady.mean(axis=0), -3.0, 3.0)
        drift += float(np.clip(growth, -0.1, 0.1))
        donors += 1
    return Profile(
        index / max(donors, 1), drift / max(donors, 1), donors, relative / sized if sized else float(np.log(0.2)), sized
    )


def shares(lengths: np.ndarray, season: int, least: int) -> np.ndarray:
    """Returns the weight (n,) of the short-series method: 1 below `least`, 1/2 below 2m + 8, fading to 0 at 3m + 8."""
    if season == 1:
        return np.where(lengths < least, 1.0, 0.0)
    fading = 0.5 * np.clip((3 * season + 8 - lengths) / season, 0.0, 1.0)
    return np.where(lengths < least, 1.0, fading)


def forecast_short(y: np.ndarray, last: int, horizon: int, lent: Profile) -> np.ndarray:
    """Returns the forecast (H,) of one short series whose last period has the number `last`."""
    m = len(lent.season)
    places = np.arange(last - len(y) + 1, last + horizon + 1) % m
    weight = FADE ** np.arange(len(y))[::-1]
    weight /= weight.sum()
    if y.min() < 0:
        return np.full(horizon, float(weight @ y))
    season = np.exp(lent.season)[places]
    steps = np.arange(1, horizon + 1)
    return float(weight @ (y / season[: len(y)])) * season[len(y) :] * np.exp(0.5 * lent.drift * steps)


def short_scale(y: np.ndarray, own: float, lent: Profile) -> float:
    """Returns the scale of a short series: its own (NaN below two points) drawn to the panel's share of its level."""
    level = float(np.mean(np.abs(y)))
    usual = level * float(np.exp(lent.relative))
    if not own > 0:
        return usual if level > 0 else 0.0
    trust = len(y) / (len(y) + 6.0)
    return float(np.exp(trust * np.log(own) + (1.0 - trust) * np.log(max(usual, 1e-300))))
