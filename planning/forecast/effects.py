"""What drivers do to sales: a regression of changes on changes, with coefficients that borrow from the whole panel.

For series i with value v (log y where y > 0 throughout, else y over its mean size) and drivers x:

    dv_t = drift + season_t + dx_t b_i + u_t,      u_t = e_t - theta e_(t-1)

which is a regression with ARIMA(0,1,1) errors: differencing takes the level out, theta (from the first residuals'
correlation, shrunk to the panel's) is filtered out of both sides, the season's own changes are projected out. Then

    b_i ~ N(b, diag(tau^2)),   own estimate ~ N(b_i, V_i)   →   posterior mean and covariance of b_i

with b the precision-weighted mean and tau^2 the median of squares of (own - b) less the median of V. A series that
never saw a driver move takes the panel's effect, with the panel's spread as its uncertainty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from planning.forecast.panel import Panel

LEAST_CHANGES = 6  # changes a series needs, beyond what its season takes, to say anything itself
MOST_THETA = 0.95
THETA_PRIOR = 20.0  # changes the panel's theta weighs as much as
OUTLIER = 4.0  # residuals beyond so many robust standard deviations are pulled in
LEAST_TAU = 1e-3
_CHI2_MEDIAN = 0.4549  # median of a squared standard normal


@dataclass(frozen=True, eq=False)
class Effects:
    """Coefficients of p drivers for n series.

    beta (n, p) and covariance (n, p, p) are posterior; pooled, pooled_se, spread (p,) the panel's effect, its
    standard error and how much series differ (tau). log (n,): True where the effect multiplies (`exp(x b)`), else
    it adds `size * x b`. centre (n, p): the drivers' recent mean, at which a series is left as it is. own (n,):
    enough changes.
    """

    beta: np.ndarray
    covariance: np.ndarray
    pooled: np.ndarray
    pooled_se: np.ndarray
    spread: np.ndarray
    log: np.ndarray
    size: np.ndarray
    centre: np.ndarray
    own: np.ndarray

    def take(self, drivers: np.ndarray) -> Effects:
        """Returns the effects with only these drivers; the others count as without effect."""
        beta, covariance = self.beta.copy(), self.covariance.copy()
        gone = np.setdiff1d(np.arange(self.beta.shape[1]), drivers)
        beta[:, gone] = 0.0
        covariance[:, gone, :] = 0.0
        covariance[:, :, gone] = 0.0
        return Effects(
            beta, covariance, self.pooled, self.pooled_se, self.spread, self.log, self.size, self.centre, self.own
        )

    def relative(self, i: int, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the effect (steps,) of driver values x (steps, p) on series i against its centre, and its sd."""
        off = x - self.centre[i]
        return off @ self.beta[i], np.sqrt(np.maximum(np.einsum("tp,pq,tq->t", off, self.covariance[i], off), 0.0))

    def remove(self, i: int, y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Returns a series as it would have been with its drivers at their centre."""
        effect = self.relative(i, x)[0]
        return y * np.exp(-effect) if self.log[i] else y - self.size[i] * effect

    def add(self, i: int, values: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Returns values (..., steps) of a series without drivers with the effect of x put back."""
        effect = self.relative(i, x)[0]
        return values * np.exp(effect) if self.log[i] else values + self.size[i] * effect


@dataclass(frozen=True, eq=False)
class _Own:
    """One series' normal equations on filtered changes: gram (p, p), cross (p,), noise variance, degrees left."""

    gram: np.ndarray
    cross: np.ndarray
    variance: float
    left: int


def fit(panel: Panel, x: np.ndarray, *, back: int = 0) -> Effects:
    """Returns the drivers' effects from the history less its last `back` periods.

    x (N, p): driver values beside `panel.flat`.
    """
    n, p = panel.n, x.shape[1]
    cuts = [slice(panel.offsets[i], max(panel.offsets[i + 1] - back, panel.offsets[i])) for i in range(n)]
    log = np.array([len(panel.flat[c]) > 0 and float(panel.flat[c].min()) > 0 for c in cuts])
    size = np.array([max(float(np.abs(panel.flat[c]).mean()), 1e-300) if len(panel.flat[c]) else 1.0 for c in cuts])
    centre = np.stack([x[c][-max(panel.season, 2) :].mean(axis=0) if len(x[c]) else np.zeros(p) for c in cuts])
    unit = _units(panel, x, cuts)
    changes = [_changes(panel, i, c, x[c] / unit, bool(log[i]), float(size[i])) for i, c in enumerate(cuts)]
    theta = _thetas(changes)
    own = [_normal(change, theta[i], p) for i, change in enumerate(changes)]
    beta, covariance, pooled, error, spread = _borrow(own, p)
    scale = np.outer(1 / unit, 1 / unit)
    enough = np.array([one is not None for one in own])
    return Effects(
        beta / unit, covariance * scale, pooled / unit, error / unit, spread / unit, log, size, centre, enough
    )


def _units(panel: Panel, x: np.ndarray, cuts: list[slice]) -> np.ndarray:
    """Returns the usual size of each driver's changes, so that one prior suits all drivers."""
    change = np.concatenate([np.diff(x[c], axis=0) for c in cuts if len(x[c]) > 1] or [np.zeros((1, x.shape[1]))])
    sd = np.sqrt((change**2).mean(axis=0))
    return np.where(sd > 0, sd, 1.0)


def _changes(
    panel: Panel, i: int, cut: slice, x: np.ndarray, log: bool, size: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Returns changes of v (t,), of the drivers (t, p), and the controls (t, k): drift and the season's changes."""
    y = panel.flat[cut]
    controls = _season(len(y), panel.season)
    if len(y) - 1 < controls.shape[1] + x.shape[1] + LEAST_CHANGES:
        return None
    value = np.log(y) if log else y / size
    filled = panel.filled[cut]
    keep = ~(filled[1:] | filled[:-1])
    steps = np.column_stack([np.ones(len(y) - 1), np.diff(controls, axis=0)])
    if keep.sum() < controls.shape[1] + x.shape[1] + LEAST_CHANGES:
        return None
    return np.diff(value)[keep], np.diff(x, axis=0)[keep], steps[keep]


def _season(length: int, season: int) -> np.ndarray:
    """Returns the season as Fourier pairs: whole for up to 12 periods, three pairs beyond; none under two seasons."""
    if season < 2 or length < 2 * season:
        return np.zeros((length, 0))
    pairs = season // 2 if season <= 12 else 3
    angle = 2 * np.pi * np.outer(np.arange(length), np.arange(1, pairs + 1)) / season
    waves = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    return waves[:, :-1] if season % 2 == 0 and season <= 12 else waves


def _thetas(changes: list) -> np.ndarray:
    """Returns theta of each series, 0 to .95, from the lag-1 correlation of first residuals, shrunk to the
    panel's."""
    r, length = np.full(len(changes), np.nan), np.zeros(len(changes))
    for i, change in enumerate(changes):
        if change is None:
            continue
        dv, dx, steps = change
        rest = dv - _fitted(np.column_stack([dx, steps]), dv)
        power = float(rest @ rest)
        r[i] = float(rest[1:] @ rest[:-1]) / power if power > 0 else 0.0
        length[i] = len(rest)
    middle = float(np.nanmedian(r)) if np.isfinite(r).any() else 0.0
    r = np.where(np.isfinite(r), (length * np.nan_to_num(r) + THETA_PRIOR * middle) / (length + THETA_PRIOR), middle)
    r = np.clip(r, -0.4999, -1e-9)
    return np.clip((-1 + np.sqrt(1 - 4 * r**2)) / (2 * r), 0.0, MOST_THETA)


def _fitted(design: np.ndarray, target: np.ndarray) -> np.ndarray:
    return design @ np.linalg.lstsq(design, target, rcond=None)[0]


def _normal(change: tuple | None, theta: float, p: int) -> _Own | None:
    """Returns a series' normal equations after theta and the controls are taken out; None where it is too short."""
    if change is None:
        return None
    dv, dx, steps = change
    whole = np.column_stack([dv, dx, steps])
    for t in range(1, len(whole)):
        whole[t] += theta * whole[t - 1]
    dv, dx, steps = whole[:, 0], whole[:, 1 : 1 + p], whole[:, 1 + p :]
    dv = dv - _fitted(steps, dv)
    dx = dx - _fitted(steps, dx)
    line = _fitted(dx, dv)
    limit = OUTLIER * 1.4826 * max(float(np.median(np.abs(dv - line))), 1e-12)
    dv = line + np.clip(dv - line, -limit, limit)
    rest = dv - _fitted(dx, dv)
    left = len(dv) - steps.shape[1] - p
    variance = max(float(rest @ rest) / max(left, 1), 1e-12)
    return _Own(dx.T @ dx, dx.T @ dv, variance, left)


def _borrow(own: list[_Own | None], p: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns posterior means and covariances, and the panel's effect with its error and spread."""
    known = [one for one in own if one is not None]
    gram = sum((one.gram / one.variance for one in known), np.zeros((p, p)))
    cross = sum((one.cross / one.variance for one in known), np.zeros(p))
    weak = np.diag(np.full(p, 1e-9) + 1e-9 * np.diag(gram))
    pooled = np.linalg.solve(gram + weak, cross)
    spread, error = np.full(p, LEAST_TAU), np.sqrt(np.diag(np.linalg.inv(gram + weak)))
    estimate, variance = _estimates(known, p)
    for _round in range(3):
        for j in range(p):
            ok = np.isfinite(variance[:, j])
            if not ok.any():
                pooled[j], error[j] = 0.0, 1.0
                continue
            if ok.sum() > 2:
                squares = np.median((estimate[ok, j] - pooled[j]) ** 2) / _CHI2_MEDIAN
                spread[j] = np.sqrt(max(squares - np.median(variance[ok, j]), LEAST_TAU**2))
            weight = 1.0 / (variance[ok, j] + spread[j] ** 2)
            pooled[j] = float(weight @ estimate[ok, j] / weight.sum())
            error[j] = float(1.0 / np.sqrt(weight.sum()))
    prior = np.diag(1.0 / spread**2)
    beta, covariance = np.tile(pooled, (len(own), 1)), np.empty((len(own), p, p))
    for i, one in enumerate(own):
        inner = np.diag(spread**2) if one is None else np.linalg.inv(one.gram / one.variance + prior)
        if one is not None:
            beta[i] = inner @ (one.cross / one.variance + prior @ pooled)
        carried = inner @ prior
        covariance[i] = inner + carried @ np.diag(error**2) @ carried.T
    return beta, covariance, pooled, error, spread


def _estimates(known: list[_Own], p: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns each series' own estimates and variances; NaN where it never saw the driver move."""
    estimate, variance = np.full((len(known), p), np.nan), np.full((len(known), p), np.nan)
    for i, one in enumerate(known):
        moved = np.flatnonzero(np.diag(one.gram) > 1e-8 * max(one.left, 1))
        if not len(moved):
            continue
        inner = np.linalg.pinv(one.gram[np.ix_(moved, moved)], hermitian=True)
        estimate[i, moved] = inner @ one.cross[moved]
        variance[i, moved] = np.maximum(one.variance * np.diag(inner), 1e-12)
    return estimate, variance
