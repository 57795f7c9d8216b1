"""Does spend answer to demand? A line that is raised after good weeks looks better than it is.

What sales did beyond the fitted effects and the baseline is gathered into an expectation from the weeks before (weights
falling by WEIGHT a week). Where spend follows demand, spend is high when that expectation is; spend set by a calendar
does not know it. The spend is taken in logs, with its own switching between on and off and its own last weeks taken
out, since those hide what little the expectation moves.

Own null distribution: the expectation of every region is turned round in time by a random shift, which keeps how slowly
it moves and breaks only its meeting with the spend. Two baselines are tried: season and bends of the trend common to
all regions, which keeps most of a region's slow demand, and each region's own, which protects against a season that
spend and sales of one region share; a line is flagged only where both agree.
"""

from __future__ import annotations

import numpy as np

from planning.budget.fit import Fit, Scaled, Whitener, fitted_lines

FOLLOWS, AGREES = 0.025, 0.25  # p below which spend follows demand: with the common baseline, and with the own ones
WEIGHT, MEMORY = 0.55, 8  # of past sales in what is expected
SHIFTS = 999
ENOUGH = 4_000  # values from which two levels of spend are told
TWO_LEVELS = 10.0  # log likelihood by which two levels of spend must explain more than one
LEAST_PERIODS = 16


def follows_demand(data: Scaled, fit: Fit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return p of "spend does not follow demand" for every line (1 where it cannot be asked), its correlation with what
    could be expected, and the share of the spend's variance that trend and season explain.

    p is that of the common baseline, 1 where the own baselines do not agree.
    """
    brought = fitted_lines(data, fit)
    x = data.z if data.gather is None else np.einsum("nt,rlt->rln", data.gather, data.z, optimize=True)
    left = data.y - brought.sum(axis=2)
    common, own = CommonBaseline(data), data.plain
    rng = np.random.default_rng(7)
    p, strength, season = np.ones(x.shape[1]), np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for j in range(x.shape[1]):
        cells = data.learn[:, j]
        if not cells.any():
            continue
        season[j] = _season_share(own, x[:, j], data.seen, cells)
        if x.shape[2] < LEAST_PERIODS:
            continue
        logs, on = spend_levels(x[cells, j])
        whole = np.zeros(x[:, j].shape), np.zeros(x[:, j].shape)
        whole[0][cells], whole[1][cells] = logs, on
        p[j], strength[j] = meeting(*(_taken(common, v)[cells] for v in (*whole, left)), rng)
        if p[j] <= FOLLOWS and meeting(*(_taken(own, v)[cells] for v in (*whole, left)), rng)[0] > AGREES:
            p[j] = 1.0
    return p, strength, season


class CommonBaseline:
    """Takes out each region's level, linear trend and controls, then what season and bends all regions share."""

    def __init__(self, data: Scaled) -> None:
        shared = np.ptp(data.base, axis=0).max(axis=0) == 0
        periods = data.base.shape[1]
        line = np.stack([np.ones(periods), np.linspace(-1, 1, periods)], axis=1)
        wide = np.broadcast_to(line, (len(data.base), periods, 2))
        self.own = Whitener(np.concatenate([wide, data.base[:, :, ~shared]], axis=2), data.seen, 0.0)
        self.basis = _basis(self.own(np.ascontiguousarray(data.base[:, :, shared])).reshape(-1, int(shared.sum())))

    def __call__(self, v: np.ndarray) -> np.ndarray:
        """Return v (R, T, 1) with the baseline taken out."""
        left = self.own(v)
        flat = left.reshape(-1)
        return (flat - self.basis @ (self.basis.T @ flat)).reshape(left.shape)


def _basis(columns: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of the columns, those that say nothing new left out."""
    values, vectors = np.linalg.eigh(columns.T @ columns)
    kept = values > 1e-12 * max(float(values.max(initial=0.0)), 1e-300)
    return columns @ (vectors[:, kept] / np.sqrt(values[kept]))


def _taken(baseline, v: np.ndarray) -> np.ndarray:
    return baseline(v[..., None])[..., 0]


def _season_share(own: Whitener, x: np.ndarray, seen: np.ndarray, cells: np.ndarray) -> float:
    spread = ((x - x.mean(axis=1, keepdims=True)) * seen)[cells]
    total = (spread**2).sum()
    return max(1 - float((_taken(own, x)[cells] ** 2).sum() / total), 0.0) if total > 0 else 0.0


def spend_levels(x: np.ndarray, *, rounds: int = 30) -> tuple[np.ndarray, np.ndarray]:
    """Return log spend (regions, periods), no spend taken as a twentieth of the mean, and where it is switched on.

    On and off are the two groups of a mixture of normals over all regions; all on where one group explains as much.
    """
    mean = np.maximum(x.mean(axis=1, keepdims=True), 1e-300)
    logs = np.log(np.maximum(x / mean, 0.05))
    every = (logs - logs.mean(axis=1, keepdims=True)).ravel()
    v = every[:: 1 + len(every) // ENOUGH]
    centre, spread, part = np.quantile(v, [0.2, 0.8]), max(v.std() / 2, 1e-9), 0.5
    for _ in range(rounds):
        density = [np.log(q) - 0.5 * ((v - c) / spread) ** 2 for q, c in zip((1 - part, part), centre, strict=True)]
        upper = 1 / (1 + np.exp(np.clip(density[0] - density[1], -500, 500)))
        part = float(np.clip(upper.mean(), 0.02, 0.98))
        centre = np.array([(w * v).sum() / max(w.sum(), 1e-9) for w in (1 - upper, upper)])
        gaps = (1 - upper) * (v - centre[0]) ** 2 + upper * (v - centre[1]) ** 2
        spread = max(float(np.sqrt(gaps.mean())), 1e-9)
    gain = np.logaddexp(*density).sum() - len(v) * np.log(spread) + len(v) * (0.5 + np.log(max(v.std(), 1e-9)))
    if gain <= TWO_LEVELS:
        return logs, np.ones(x.shape)
    away = [((every - c) / spread) ** 2 for c in centre]
    return logs, (np.log(part / (1 - part)) > 0.5 * (away[1] - away[0])).reshape(x.shape).astype(float)


def meeting(
    spend: np.ndarray, on: np.ndarray, left: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    """Return how often chance lets spend meet the expected demand as well as it does (p), and their correlation.

    spend : log spend, on : its level, left : unexplained sales; all (regions, periods) with the baseline taken out.
    """
    expected = np.zeros_like(left)
    for lag in range(1, MEMORY + 1):
        expected[:, lag:] += WEIGHT ** (lag - 1) * left[:, :-lag]
    within = spend - on * ((on * spend).sum() / max((on * on).sum(), 1e-300))
    first = min(6, spend.shape[1] // 4)
    columns = [on[:, first:], within[:, first - 1 : -1], within[:, first - 2 : -2]]
    design = np.stack([c.ravel() for c in columns], axis=1)
    basis = _basis(design)
    target, source = spend[:, first:], expected[:, first:]
    target = target.ravel() - basis @ (basis.T @ target.ravel())
    away = source.ravel() - basis @ (basis.T @ source.ravel())
    size = float(np.sqrt((target**2).sum()))
    if size <= 1e-12 or (away**2).sum() <= 1e-300:
        return 1.0, 0.0
    seen = float(target @ away) / (size * float(np.sqrt((away**2).sum())))
    if seen <= 0:
        return 1.0, seen
    # All shifts of all regions at once: the circular cross-correlation of each region's spend with its expectation.
    spectrum = np.fft.rfft(target.reshape(source.shape)) * np.conj(np.fft.rfft(source))
    shifted = np.fft.irfft(spectrum, n=source.shape[1]) / (size * float(np.sqrt((source**2).sum())))
    near = min(4, source.shape[1] // 4)
    lags = rng.integers(near, source.shape[1] - near, (SHIFTS, len(source)))
    chance = shifted[np.arange(len(source)), lags].sum(axis=1)
    return float((1 + (chance >= seen).sum()) / (1 + SHIFTS)), seen
