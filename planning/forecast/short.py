"""Short and new series: the panel's season and half its drift on the series' own recent level.

    level  = mean of y / season, weights 0.8 a step back        season, drift: of the panel's longer series, or of
    y(h)   = level * season(h) * exp(h * drift / 2)             those alike by key, where there are enough (`kin`)

Below a season (or `least` points) this is the forecast; up to 2m + 8 points it is averaged with the pool's, then it
fades over m more.
Source of the measurements: two or three points extrapolated by any model are far worse than their mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from planning.forecast.kin import narrowest
from planning.forecast.panel import Panel

FADE = 0.8
BARELY_A_SEASON = 1.2  # the models start to speak, and cannot tell season from trend yet
DONOR_SEASONS = 8
MOST_DONORS = 20_000
USUAL_RELATIVE = float(np.log(0.2))
FEW = {80.0: 0.87, 95.0: 0.95}


@dataclass(frozen=True)
class Profile:
    """What a panel lends to its short series; one row a donor, so that the profiles of parts can be joined.

    seasons (donors, m): log index by place in the calendar; drifts (donors,): log growth a step; both NaN for donors of
    less than two seasons and three points; relatives (donors,): log(scale / level), NaN without a scale; kin (donors,
    groupings): labels, see `planning.forecast.kin`.
    """

    seasons: np.ndarray
    drifts: np.ndarray
    relatives: np.ndarray
    kin: np.ndarray

    @classmethod
    def merge(cls, parts: Sequence[Profile]) -> Profile:
        """Joins profiles in their order; of very many donors every k-th is kept."""
        step = max(1, -(-sum(len(part.drifts) for part in parts) // MOST_DONORS))
        groupings = min(part.kin.shape[1] for part in parts)
        return cls(
            np.concatenate([part.seasons for part in parts])[::step],
            np.concatenate([part.drifts for part in parts])[::step],
            np.concatenate([part.relatives for part in parts])[::step],
            np.concatenate([part.kin[:, :groupings] for part in parts])[::step],
        )

    def take(self, which: np.ndarray) -> Profile:
        """Returns the donors at the positions `which`."""
        return Profile(self.seasons[which], self.drifts[which], self.relatives[which], self.kin[which])

    @property
    def relative(self) -> float:
        """The usual log(scale / level) of the panel."""
        known = self.relatives[np.isfinite(self.relatives)]
        return float(np.median(known)) if len(known) else USUAL_RELATIVE

    def season(self) -> np.ndarray:
        """Returns the usual log index (m,) of the panel: medians over donors, mean zero."""
        known = np.isfinite(self.drifts)
        if not known.any():
            return np.zeros(self.seasons.shape[1])
        index = np.median(self.seasons[known], axis=0)
        return index - index.mean()

    def drift(self) -> float:
        """Returns the usual log growth a step."""
        known = self.drifts[np.isfinite(self.drifts)]
        return float(np.median(known)) if len(known) else 0.0

    def lend(self, kin: np.ndarray | None, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns season (count, m), drift and relative scale (count,) for series labelled `kin`, from their like."""
        season, drift = np.tile(self.season(), (count, 1)), np.full(count, self.drift())
        relative = np.full(count, self.relative)
        for rows, donors in narrowest(self.kin, kin) if kin is not None else ():
            like = self.take(donors)
            season[rows], drift[rows], relative[rows] = like.season(), like.drift(), like.relative
        return season, drift, relative


def profile(panel: Panel, scale: np.ndarray) -> Profile:
    """Returns what the positive series of a season and more say on season (from two and three points on) and drift."""
    m = panel.season
    positive = np.minimum.reduceat(panel.flat, panel.offsets[:-1]) > 0 if panel.n else np.zeros(0, bool)
    donors = np.flatnonzero(positive & (panel.lengths >= min(2 * m + 3, 12)))
    kin = np.empty((len(donors), 0), dtype=object) if panel.kin is None else panel.kin[donors]
    recent = _recent(panel, donors, DONOR_SEASONS * m)
    level = np.nanmean(recent[:, -m:], axis=1) if len(donors) else np.ones(0)
    relatives = np.log(np.where(scale[donors] > 0, scale[donors], np.nan) / level)
    able = panel.lengths[donors] >= 2 * m + 3
    years = np.minimum(panel.lengths[donors] // m, DONOR_SEASONS)[able]
    z = np.log(recent[able]).reshape(-1, DONOR_SEASONS, m)
    z[np.arange(DONOR_SEASONS) < (DONOR_SEASONS - years)[:, None]] = np.nan
    mean = z.mean(axis=2)
    growth = (mean[:, -1] - mean[np.arange(len(z)), DONOR_SEASONS - years]) / (years - 1) / m
    steady = np.nansum(z - mean[:, :, None], axis=1) / years[:, None]
    steady -= growth[:, None] * (np.arange(m) - 0.5 * (m - 1))
    seasons, drifts = np.full((len(donors), m), np.nan), np.full(len(donors), np.nan)
    places = (panel.last[donors[able], None] - m + 1 + np.arange(m)) % m
    seasons[np.flatnonzero(able)[:, None], places] = steady
    drifts[able] = growth
    return Profile(seasons, drifts, relatives, kin)


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


def few(level: float, n: np.ndarray) -> np.ndarray:
    """Returns how much narrower an interval of `level` per cent is for 3 values and less, none at 9 and more.

    The widening of models is for parameters that have seen the future of a past origin; the mean of a few values has
    none. Read off four rolling origins of M3 and Australian retail cut to 1-11 months.
    """
    least = float(np.interp(level, list(FEW), list(FEW.values())))
    return least + (1.0 - least) * np.clip((n - 3.0) / 6.0, 0.0, 1.0)


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
