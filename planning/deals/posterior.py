"""Draws of the families' variances from their posterior, the doubt about the group variances included.

    z | b ~ N(G b, G)          the normal equations of the fit: G = X'WX, z = X'W(working response)
    b_j | sd ~ N(0, sd_g²)     the columns of group g
    sd_g | t ~ |N(0, (c_g t_f)²)|     t_f flat: a family's reach is unknown, c_g halves bends and sorting columns
    share ~ Dirichlet(a, ..., a)      of the families' variances b'Sb over the deals; a is 1, 2, 4 or 8

The last line prefers no family. With few deals shares are noisy and the largest is largest partly by luck; it draws
them together as far as they are noise, and says nothing where deals are many.

A round of the sampler draws the coefficients given the group deviations a few times, and the deviations given the
coefficients twice: once as they are, once with each group's pattern held and its size drawn anew (the ancillary and
the sufficient form of Yu and Meng 2011, of which one mixes well where the other does not). The Dirichlet prior enters
as a Metropolis step: without it each draw is exact. A round costs columns³ / 3 and does not grow with the deals.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import linalg, special

from planning.deals.winmodel import Fit, cholesky

EVENNESS = np.array([1.0, 2.0, 4.0, 8.0])
DRAWS_A_ROUND, SETTLING = 8, 20
SMALLER = 0.5
CLASS_FROM = 40
DEVIATIONS = np.geomspace(0.01, 5.0, 48)
REACHES = np.geomspace(0.02, 4.0, 40)
LEAST_VARIANCE = 1e-9


def family_draws(
    fit: Fit, spread: list, rounds: int, rng: np.random.Generator, parts: Sequence = ()
) -> tuple[np.ndarray, np.ndarray]:
    """Variances (draws, families) of the families' contributions, drawn from the posterior, and (draws, parts) of
    `parts` of them in the same draws.

    `spread` is, per family in order, its columns and their covariance over the deals; `parts` the same of any columns.
    """
    chain = _Chain(fit, spread, rng)
    drawn, of_parts = [], []
    for number in range(SETTLING + rounds):
        found, b = chain.draw_coefficients()
        if number >= SETTLING:
            drawn.append(found)
            of_parts.append(chain.variances_of(chain.placed(parts), b))
        chain.draw_deviations()
        chain.draw_sizes()
    return np.concatenate(drawn), np.concatenate(of_parts)


def even_handed(variances: np.ndarray) -> np.ndarray:
    """Log density (...,) of families' effects (roots of `variances` (..., families)) under a prior that prefers none:
    Dirichlet shares of unknown evenness, per unit of effect and not of share."""
    count = variances.shape[-1]
    logs = np.log(variances).sum(axis=-1) - count * np.log(variances.sum(axis=-1))
    level = special.gammaln(count * EVENNESS) - count * special.gammaln(EVENNESS)
    return np.logaddexp.reduce(level + (EVENNESS - 1) * logs[..., None], axis=-1) + 0.5 * logs


class _Chain:
    """State of the sampler: coefficients `b` (p,), deviations `sd` (groups,), `reach` (families,). Columns stand in the
    order of their groups, the large class last: its own part of the equations is diagonal."""

    def __init__(self, fit: Fit, spread: list, rng: np.random.Generator):
        design, self.rng = fit.design, rng
        big = design.big if design.big is not None and design.big.stop - design.big.start > CLASS_FROM else None
        key = design.groups.copy()
        if big is not None:
            key[big] = design.n_groups
        order = np.argsort(key, kind="stable")
        self.cut = len(order) - (big.stop - big.start if big is not None else 0)
        gram, self.score = fit.normal.gram, fit.normal.score[order]
        self.inner = gram[np.ix_(order[: self.cut], order[: self.cut])]
        self.cross = gram[np.ix_(order[self.cut :], order[: self.cut])]
        self.own = np.diag(gram)[order[self.cut :]]
        found = np.unique(key[order][1:], return_index=True, return_inverse=True, return_counts=True)
        self.starts, self.group, self.counts = found[1:]
        self.place = np.argsort(order)
        self.spread = self.placed(spread)
        self.family = design.family_of[order][1:][self.starts]
        original = design.groups[order][1:][self.starts]
        names = [design.group_names[number] for number in original]
        self.scale = np.array([SMALLER if name.endswith((" bends", " sorting")) else 1.0 for name in names])
        self.members = np.bincount(self.family, minlength=len(spread))
        self.sd = np.sqrt(np.maximum(fit.variances[original], 1e-3))
        self.reach = np.full(len(spread), 0.4)
        self._stand(fit.coefficients[order])

    def _stand(self, b: np.ndarray) -> None:
        self.b, self.variances = b, self.variances_of(self.spread, b[None])[0]
        self.prior = even_handed(self.variances)

    def placed(self, parts: Sequence) -> list:
        """The same columns by their place in the chain."""
        return [(self.place[columns], s) for columns, s in parts]

    def variances_of(self, parts: Sequence, b: np.ndarray) -> np.ndarray:
        """Variances (draws, parts) over the deals of what the parts' columns contribute at `b` (draws, p)."""
        out = np.empty((len(b), len(parts)))
        for number, (columns, s) in enumerate(parts):
            out[:, number] = np.einsum("ri,ri->r", b[:, columns] @ s, b[:, columns])
        return np.maximum(out, LEAST_VARIANCE)

    def draw_coefficients(self) -> tuple[np.ndarray, np.ndarray]:
        """A few draws of b given the deviations; returns the variances (draws, families) and the coefficients
        (draws, p) the chain stood at."""
        cut, penalty = self.cut, 1 / self.sd[self.group] ** 2
        own = self.own + penalty[cut - 1 :]
        scaled = self.cross / own[:, None]
        matrix = self.inner - scaled.T @ self.cross
        matrix.flat[cut + 1 :: cut + 1] += penalty[: cut - 1]
        root = _factor(matrix)
        noise = self.rng.standard_normal((len(self.b), DRAWS_A_ROUND))
        mean = linalg.cho_solve((root, True), self.score[:cut] - scaled.T @ self.score[cut:], check_finite=False)
        head = mean[:, None] + _back(root, noise[:cut])
        tail = (self.score[cut:, None] - self.cross @ head) / own[:, None] + noise[cut:] / np.sqrt(own)[:, None]
        drawn = np.vstack([head, tail]).T
        found = self.variances_of(self.spread, drawn)
        stood, at = np.empty_like(found), np.empty_like(drawn)
        for number, (prior, chance) in enumerate(zip(even_handed(found), self._chances(len(found)), strict=True)):
            if chance < prior - self.prior:
                self.b, self.variances, self.prior = drawn[number], found[number], prior
            stood[number], at[number] = self.variances, self.b
        return stood, at

    def draw_deviations(self) -> None:
        """Deviations given the coefficients, then reaches given the deviations, each on a grid."""
        squares = np.add.reduceat(self.b[1:] ** 2, self.starts)
        spread = (self.reach[self.family] * self.scale)[:, None]
        log = (1 - self.counts[:, None]) * np.log(DEVIATIONS) - squares[:, None] / (2 * DEVIATIONS**2)
        self.sd = self._pick(log - 0.5 * (DEVIATIONS / spread) ** 2, DEVIATIONS)
        squares = np.bincount(self.family, (self.sd / self.scale) ** 2, len(self.reach))
        log = (1 - self.members[:, None]) * np.log(REACHES) - squares[:, None] / (2 * REACHES**2)
        self.reach = self._pick(log, REACHES)

    def draw_sizes(self) -> None:
        """Every group's size given its pattern b / sd: normal, since sizes enter the equations linearly."""
        pattern = self.b[1:] / self.sd[self.group]
        head, tail = pattern[: self.cut - 1], pattern[self.cut - 1 :]
        starts = self.starts[self.starts < self.cut - 1]
        matrix = np.add.reduceat(np.add.reduceat(self.inner[1:, 1:] * head, starts, axis=1) * head[:, None], starts)
        if len(tail):  # the large class is the last group
            shared = np.add.reduceat((tail @ self.cross[:, 1:]) * head, starts)
            matrix = np.block([[matrix, shared[:, None]], [shared[None], np.array([[tail**2 @ self.own]])]])
        matrix.flat[:: len(matrix) + 1] += 1 / (self.reach[self.family] * self.scale) ** 2
        with_intercept = np.r_[self.inner[1:, 0], self.cross[:, 0]]
        score = np.add.reduceat(pattern * (self.score[1:] - with_intercept * self.b[0]), self.starts)
        root = _factor(matrix)
        size = linalg.cho_solve((root, True), score, check_finite=False)
        size = size + _back(root, self.rng.standard_normal((len(size), 1)))[:, 0]
        before = self.b, self.variances, self.prior
        self._stand(np.r_[self.b[0], pattern * size[self.group]])
        if self._chances(1)[0] < self.prior - before[2]:
            self.sd = np.clip(np.abs(size), DEVIATIONS[0], DEVIATIONS[-1])
        else:
            self.b, self.variances, self.prior = before

    def _chances(self, count: int) -> np.ndarray:
        return np.log(self.rng.random(count))

    def _pick(self, log: np.ndarray, grid: np.ndarray) -> np.ndarray:
        """One value a row with probability exp(log) per unit of log(grid), spread over its cell."""
        reached = np.cumsum(np.exp(log - log.max(axis=1, keepdims=True)), axis=1)
        cell = (reached < self.rng.random((len(log), 1)) * reached[:, -1:]).sum(axis=1)
        return grid[cell] * (grid[1] / grid[0]) ** (self.rng.random(len(log)) - 0.5)


def _factor(matrix: np.ndarray) -> np.ndarray:
    factor = cholesky(matrix, (0.0, 1e-10, 1e-7, 1e-4, 1e-2))
    if factor is None:
        raise np.linalg.LinAlgError("the normal equations are not positive")
    return factor


def _back(root: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Noise of covariance (root root')⁻¹, one column a draw."""
    return linalg.lapack.dtrtrs(root, noise, lower=1, trans=1)[0]
