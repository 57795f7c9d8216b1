"""Short and new series: the panel's season and half its drift on the series' own recent level.

    level  = mean of y / season, weights 0.8 a step back        season, drift: of the panel's longer series
    y(h)   = level * season(h) * exp(h * drift / 2)

Below a season (or `least` points) this is the forecast; up to 2m + 8 points it is averaged with the pool's, then it
fades over m more.
Source of the measurements: two or three points extrapolated by any model are far worse than their mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planning.forecast.panel import Panel

FADE = 0.8
BARELY_A_SEASON = 1.2  # the models start to speak, and cannot tell season from trend yet
DONOR_SEASONS = 8
MOST_DONORS = 20_000
USUAL_RELATIVE = float(np.log(0.2))


@dataclass(frozen=True)
class Profile:
    """What a panel lends to its short series; one row a donor, so that the profiles of parts can be joined.

    seasons (donors, m): log index by place in the calendar; drifts (donors,): log growth a step; relatives (sized,):
    log(scale / level).
    """

    seasons: np.ndarray
    drifts: np.ndarray
    relatives: np.ndarray

    @classmethod
    def merge(cls, parts: Sequence[Profile]) -> Profile:
        """Joins profiles in their order; of very many donors every k-th is kept."""
        seasons = np.concatenate([part.seasons for part in parts])
        drifts = np.concatenate([part.drifts for part in parts])
        relatives = np.concatenate([part.relatives for part in parts])
        step = max(1, -(-len(relatives) // MOST_DONORS))
        return cls(seasons[::step], drifts[::step], relatives[::step])

    @property
    def relative(self) -> float:
        """The usual log(scale / level) of the panel."""
        return float(np.median(self.relatives)) if len(self.relatives) else USUAL_RELATIVE

    def season(self) -> np.ndarray:
        """Returns the usual log index (m,) of the panel: medians over donors, mean zero."""
        if not len(self.drifts):
            return np.zeros(self.seasons.shape[1])
        index = np.median(self.seasons, axis=0)
        return index - index.mean()

    def drift(self) -> float:
        """Returns the usual log growth a step."""
        return float(np.median(self.drifts)) if len(self.drifts) else 0.0


def profile(panel: Panel, scale: np.ndarray) -> Profile:
    """Returns what the series of at least two seasons and three points, all positive, say on season and drift."""
    m = panel.season
    positive = np.minimum.reduceat(panel.flat, panel.offsets[:-1]) > 0 if panel.n else np.zeros(0, bool)
    sized = np.flatnonzero(positive & (panel.lengths >= min(2 * m + 3, 12)) & (scale > 0))
    donors = np.flatnonzero(positive & (panel.lengths >= 2 * m + 3))
    recent = np.nanmean(_recent(panel, sized, m), axis=1) if len(sized) else np.ones(0)
    years = np.minimum(panel.lengths[donors] // m, DONOR_SEASONS)
    z = np.log(_recent(panel, donors, DONOR_SEASONS * m)).reshape(-1, DONOR_SEASONS, m)
    z[np.arange(DONOR_SEASONS) < (DONOR_SEASONS - years)[:, None]] = np.nan
    mean = z.mean(axis=2)
    drifts = (mean[:, -1] - mean[np.arange(len(z)), DONOR_SEASONS - years]) / (years - 1) / m
    steady = np.nansum(z - mean[:, :, None], axis=1) / years[:, None]
    steady -= drifts[:, None] * (np.arange(m) - 0.5 * (m - 1))
    seasons = np.empty_like(steady)
    places = (panel.last[donors, None] - m + 1 + np.arange(m)) % m
    seasons[np.arange(len(z))[:, None], places] = steady
    return Profile(seasons, drifts, np.log(scale[sized] / recent))


def _recent(panel: Panel, rows: np.ndarray, count: int) -> np.ndarray:
    """Returns the last `count` values (rows, count) of series, NaN before their start."""
    back = np.arange(count - 1, -1, -1)
    at = panel.offsets[rows + 1, None] - 1 - back
    return np.where(back < panel.lengths[rows, None], panel.flat[np.maximum(at, 0)], np.nan)


def alone_below(season: int, least: int) -> int:
    """Returns the number of points below which this method forecasts alone."""
    return max(least, min(season, 12))


def shares(lengths: np.ndarray, season: int, least: int) -> np.ndarray:
    """Returns the weight (n,) of the short-series method: 1 when alone, 1/2 below 2m + 8, fading to 0 at 3m + 8.

    Weekly series are not averaged: the panel's season of 52 places did harm on rolling origins.
    """
    alone = lengths < alone_below(season, least)
    if season == 1 or season > 12:
        return np.where(alone, 1.0, 0.0)
    return np.where(alone, 1.0, 0.5 * np.clip((3 * season + 8 - lengths) / season, 0.0, 1.0))


def length_factor(lengths: np.ndarray, season: int) -> np.ndarray:
    """Returns how much wider the errors of a short series are than those of a long one of its scale."""
    barely = (lengths >= season) & (lengths < 1.2 * season) & (season > 1)
    return np.sqrt(1.0 + (season + 1.0) / (np.maximum(lengths, 1) + 3.5)) * np.where(barely, BARELY_A_SEASON, 1.0)


def forecast_short(y: np.ndarray, last: int, horizon: int, season: np.ndarray, drift: float) -> np.ndarray:
    """Returns the forecast (H,) of one short series whose last period has the number `last`."""
    weight = FADE ** np.arange(len(y))[::-1]
    weight /= weight.sum()
    if y.min() < 0:
        return np.full(horizon, float(weight @ y))
    index = np.exp(season)[np.arange(last - len(y) + 1, last + horizon + 1) % len(season)]
    growth = np.exp(0.5 * drift * np.arange(1, horizon + 1))
    return float(weight @ (y / index[: len(y)])) * index[len(y) :] * growth


def short_scale(y: np.ndarray, own: float, relative: float, season: int) -> float:
    """Returns the scale of a short series: its own (NaN below two points) drawn to the panel's share of its level."""
    level = float(np.mean(np.abs(y)))
    usual = level * float(np.exp(relative))
    if not own > 0:
        return usual if level > 0 else 0.0
    trust = len(y) / (len(y) + season + 6.0) * (1.0 if len(y) > season else 0.5)
    return float(np.exp(trust * np.log(own) + (1.0 - trust) * np.log(max(usual, 1e-300))))
