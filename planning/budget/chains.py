"""From the fitted point to posterior draws: many short chains at once, started at the normal approximation.

The normal approximation around the fitted point gives levels of weak cells a long upper tail that the data do not
support. Each draw therefore runs as a chain of its own for a few sweeps: a Metropolis step of all (level,
half-saturation) pairs of a region, with the exact likelihood, then Gibbs steps of the line's centres and of the
spread of cells around them. All chains and regions move in one array operation; chains of different draws never meet,
so the draws stay independent.
"""

from __future__ import annotations

import numpy as np

from planning.budget.curves import shape
from planning.budget.fit import CENTRE_SD, TAU_START, TAU_WEIGHT, Fit, Scaled, carry, draw_fit

CHUNK = 300_000  # numbers a chunk of regions may hold at once
MANY = 15_000_000  # above this all draws share the fitted carry-over and fewer sweeps do: so many cells know both well


class _Likelihood:
    """Log-likelihood of every chain and region of one chunk: sums of squares with the baseline taken out."""

    def __init__(self, data: Scaled, fit: Fit, regions: slice, logit_alpha: np.ndarray) -> None:
        self.form, self.sigma = fit.form, fit.sigma[regions]
        self.whiten = fit.whiten.part(regions, np.float32)
        self.y = fit.whiten.part(regions, float)(data.y[regions][..., None])[..., 0].astype(np.float32)
        self.learn, self.gather = data.learn[regions].astype(np.float32), data.gather
        self.carried = _carried(data.z[regions].astype(np.float32), 1 / (1 + np.exp(-logit_alpha)))
        region, line, *rest = data.rows
        inside = (region >= regions.start) & (region < regions.stop)
        self.rows = (region[inside] - regions.start, line[inside], *(v[inside] for v in rest))

    def __call__(self, theta: np.ndarray) -> np.ndarray:
        """Return the log-likelihood (draws, regions) at theta (draws, regions, 2L)."""
        lines = self.learn.shape[1]
        level, half = np.exp(theta[..., :lines]).astype(np.float32), np.exp(theta[..., lines:]).astype(np.float32)
        value = np.zeros(theta.shape[:2])
        fitted = np.zeros((*theta.shape[:2], self.carried.shape[-1]), np.float32)
        for j in range(lines):
            fitted += (level[..., j] * self.learn[:, j])[..., None] * shape(
                self.carried[j], half[..., j, None], self.form
            )
        if self.gather is not None:
            fitted = fitted @ self.gather.T.astype(np.float32)
        residual = self.y - self._project(fitted)
        value -= 0.5 * np.einsum("drt,drt->dr", residual, residual) / self.sigma**2
        region, line, z0, z1, delta, se = self.rows
        if len(region):
            h = half[:, region, line]
            gap = level[:, region, line] * (shape(z1, h, self.form) - shape(z0, h, self.form))
            np.add.at(value.T, region, (-0.5 * ((delta - gap) / se) ** 2).T)
        return value

    def _project(self, fitted: np.ndarray) -> np.ndarray:
        """Take the baseline out of (draws, regions, T): the whitener works with the chains as its last axis."""
        return self.whiten(fitted.transpose(1, 2, 0)).transpose(2, 0, 1)


def _carried(z: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return spend with each draw's carry-over (L, draws, R, T), or (L, 1, R, T) where all draws share it."""
    wide = np.broadcast_to(z[None], (len(alpha), *z.shape))
    flat = carry(wide.transpose(1, 0, 2, 3).reshape(len(z), -1, z.shape[2]), alpha.astype(np.float32).ravel())
    parts = flat.reshape(len(z), z.shape[2], len(alpha), z.shape[1])
    return np.ascontiguousarray(parts.transpose(3, 2, 0, 1))


def _prior(theta, centre, tau):
    lines = theta.shape[-1] // 2
    spread = np.repeat(tau, lines, axis=1)[:, None, :]
    return -0.5 * (((theta - centre[:, None, :]) / spread) ** 2).sum(axis=2)


def _hyper(theta, prior_centre, tau, rng):
    """Draw centres and spreads given the cells' values (conjugate)."""
    draws, regions, two = theta.shape
    lines = two // 2
    precision = np.repeat(tau**-2.0, lines, axis=1)
    own = np.repeat(1 / CENTRE_SD**2, lines)
    total = regions * precision + own
    mean = (precision * theta.sum(axis=1) + own * prior_centre) / total
    centre = mean + rng.normal(size=mean.shape) / np.sqrt(total)
    squares = ((theta - centre[:, None, :]) ** 2).reshape(draws, regions, 2, lines).sum(axis=(1, 3))
    shape_, scale = (TAU_WEIGHT + regions * lines) / 2, (TAU_WEIGHT * TAU_START**2 + squares) / 2
    return centre, np.sqrt(scale / rng.gamma(shape_, size=squares.shape))


def sample(data: Scaled, fit: Fit, draws: int, rng: np.random.Generator, *, sweeps: int = 12) -> np.ndarray:
    """Return posterior draws of theta (draws, R, 2L) of one form."""
    theta, logit_alpha = draw_fit(fit, draws, rng)
    lines = data.z.shape[1]
    centre = np.tile(fit.centre, (draws, 1)) + 0.1 * rng.normal(size=(draws, 2 * lines))
    tau = np.tile(fit.tau, (draws, 1))
    width = max(1, CHUNK // (draws * lines * data.z.shape[2]))
    chunks = [slice(i, min(i + width, len(data.z))) for i in range(0, len(data.z), width)]
    root = np.linalg.cholesky(np.linalg.inv(fit.blocks))
    carry_over = logit_alpha if draws * data.z.size <= MANY else fit.logit_alpha[None]
    like = [_Likelihood(data, fit, part, carry_over) for part in chunks]
    value = np.concatenate([one(theta[:, part]) for one, part in zip(like, chunks, strict=True)], axis=1)
    for turn in range(sweeps if draws * data.z.size <= MANY else sweeps // 3):
        centre, tau = _hyper(theta, fit.prior_centre, tau, rng)
        scale = (2.4 if turn % 2 else 1.0) / np.sqrt(2 * lines)
        for one, part in zip(like, chunks, strict=True):
            noise = rng.normal(size=theta[:, part].shape)
            trial = theta[:, part] + scale * np.einsum("rij,drj->dri", root[part], noise, optimize=True)
            trial_value = one(trial)
            gain = trial_value - value[:, part] + _prior(trial, centre, tau) - _prior(theta[:, part], centre, tau)
            taken = np.log(rng.random(gain.shape)) < gain
            theta[:, part] = np.where(taken[..., None], trial, theta[:, part])
            value[:, part] = np.where(taken, trial_value, value[:, part])
    return theta
