"""The win model: an additive logistic model whose people, accounts and classes are random effects.

    log-odds(won) = intercept + Σ over fields of table[field][code of the deal]

Each field is a small table of columns looked up by the deal's code (a bin of a number, a level of a class), so a
million deals are a few bytes each. Coefficients of a group (the slopes of a family, its bends, the levels of a class)
are normal with a common variance, estimated together with them (penalised quasi-likelihood, Fellner-Schall steps).
The normal equations are small (columns x columns); everything after the fit works on them and not on the deals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import linalg, sparse

from planning.deals.design import Design

CHUNK = 16_384
AVERAGED_WORK = 3e9
VARIANCE_LIMITS = (1e-6, 25.0)
LIKELY_EFFECT = 1.0
NEGLIGIBLE = 2e-4
WIDE_CLASS = 100


@dataclass(frozen=True)
class Normal:
    """Weighted normal equations at a fit: `gram` (p, p) = X'WX, `score` (p,) = X'W z, log-likelihood there."""

    gram: np.ndarray
    score: np.ndarray
    log_likelihood: float


@dataclass(frozen=True)
class Fit:
    """Coefficients (p,), their posterior covariance (p, p), one variance a group, and the normal equations."""

    coefficients: np.ndarray
    covariance: np.ndarray
    variances: np.ndarray
    normal: Normal
    iterations: int
    converged: bool
    design: Design = field(repr=False)

    def log_odds(self, codes: np.ndarray) -> np.ndarray:
        """Log-odds (n,) of coded deals."""
        return self.coefficients[0] + self.design.contributions(codes, self.coefficients).sum(axis=1)


class Solver:
    """Solves (gram + penalty) b = score; the largest class is eliminated first because its own part is diagonal."""

    def __init__(self, gram: np.ndarray, big: slice | None):
        p = len(gram)
        self.big = big if big is not None and big.stop - big.start > 40 else None
        self.gram = gram
        if self.big is not None:
            self.rest = np.r_[0 : self.big.start, self.big.stop : p]
            self.diagonal = np.diag(gram)[self.big].copy()
            self.cross = np.ascontiguousarray(gram[self.big][:, self.rest])
            self.inner = np.ascontiguousarray(gram[np.ix_(self.rest, self.rest)])

    def __call__(self, score: np.ndarray, penalty: np.ndarray) -> np.ndarray:
        """Returns the coefficients; `group_traces` then speaks of the inverse for the same penalty."""
        if self.big is None:
            self.inverse = symmetric_inverse(self.gram, penalty)
            return self.inverse @ score
        self.own = self.diagonal + penalty[self.big]
        half = self.cross / np.sqrt(self.own)[:, None]  # a matrix times its own transpose costs half of another product
        self.inverse = symmetric_inverse(self.inner - half.T @ half, penalty[self.rest])
        solution, share = np.empty(len(score)), score[self.big] / self.own
        solution[self.rest] = self.inverse @ (score[self.rest] - self.cross.T @ share)
        solution[self.big] = share - (self.cross @ solution[self.rest]) / self.own
        return solution

    def group_traces(self, groups: np.ndarray, count: int) -> np.ndarray:
        """Sums (count,) of the inverse's diagonal over the columns of each group; columns of group -1 are in none."""
        if self.big is None:
            return np.bincount(groups[groups >= 0], np.diag(self.inverse)[groups >= 0], count)
        small = groups[self.rest]
        sums = np.bincount(small[small >= 0], np.diag(self.inverse)[small >= 0], count)
        for group in np.unique(groups[self.big]):
            rows = groups[self.big] == group
            scaled = self.cross[rows] / self.own[rows][:, None]
            sums[group] += np.sum(1 / self.own[rows]) + np.sum((scaled.T @ scaled) * self.inverse)
        return sums


def cholesky(matrix: np.ndarray, ridges: Sequence[float] = (0.0, 1e-10, 1e-7, 1e-4)) -> np.ndarray | None:
    """Lower factor of a symmetric positive matrix, which gets a tiny ridge where rounding made it not quite positive;
    None where the largest of `ridges` (times the mean of its diagonal) is not enough."""
    scale = float(np.trace(matrix)) / len(matrix)
    for ridge in ridges:
        matrix.flat[:: len(matrix) + 1] += ridge * scale
        factor, failed = linalg.lapack.dpotrf(matrix, lower=1)
        if not failed:
            return factor
    return None


def symmetric_inverse(matrix: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """Inverse of a symmetric positive matrix plus a diagonal."""
    work = matrix.copy()
    work.flat[:: len(work) + 1] += penalty
    factor = cholesky(work)
    if factor is None:
        return np.linalg.pinv(work)
    lower, _ = linalg.lapack.dpotri(factor, lower=1)  # its upper part stays zero, as dpotrf leaves it
    inverse = lower + lower.T
    inverse.flat[:: len(work) + 1] *= 0.5
    return inverse


def variance_steps(
    solver: Solver, score: np.ndarray, design: Design, variances: np.ndarray, steps: int, tolerance: float = 3e-3
) -> tuple[np.ndarray, np.ndarray]:
    """Alternates coefficients and group variances (var = b'b / effective number of coefficients) until they settle.

    A group's deviation is half-normal of scale `LIKELY_EFFECT` a priori: deals that say nothing against it, such as a
    value that has always won, would else drive its effect without bound. Where deals say something it hardly counts.
    """
    groups, n_groups = design.groups, design.n_groups
    sizes = np.bincount(groups[groups >= 0], minlength=n_groups)
    inside = groups >= 0
    previous = None
    for _ in range(steps):
        penalty = np.zeros(len(groups))
        penalty[inside] = 1.0 / variances[groups[inside]]
        b = solver(score, penalty)
        squares = np.bincount(groups[inside], (b * b)[inside], n_groups)
        traces = solver.group_traces(groups, n_groups)
        effective = np.maximum(sizes - traces / variances, 1e-3)
        bounded = np.sqrt(effective**2 + 4 * squares / LIKELY_EFFECT**2) - effective
        fresh = np.clip(LIKELY_EFFECT**2 / 2 * bounded, *VARIANCE_LIMITS)
        step = np.log(fresh / variances)
        if previous is not None:  # a steady shrinking or growing is taken in longer steps
            same = (step * previous > 0) & (np.abs(step) > 0.5 * np.abs(previous))
            step = np.where(same, np.clip(1.8 * step, -2, 2), step)
        previous = step
        variances = np.clip(variances * np.exp(step), *VARIANCE_LIMITS)
        if np.all((np.abs(step) < tolerance) | (variances <= NEGLIGIBLE)):
            break
    return b, variances


def normal_equations(
    design: Design, codes: np.ndarray, won: np.ndarray, b: np.ndarray, covariance: np.ndarray | None = None
) -> Normal:
    """One pass over the deals: X'WX, X'(W eta + y - p) and the log-likelihood at coefficients `b`.

    With the posterior `covariance`, p and W are averaged over the uncertainty of each deal's log-odds (a Gaussian
    variational step). Without it the spread of people with few deals comes out too small.
    """
    if design.big is not None and design.big.stop - design.big.start > WIDE_CLASS:
        return _normal_with_class(design, codes, won, b, covariance)
    p = design.width
    gram, score, total = np.zeros((p, p)), np.zeros(p), 0.0
    for start in range(0, len(codes), CHUNK):
        x = design.matrix(codes[start : start + CHUNK])
        y = won[start : start + CHUNK]
        eta = np.clip(x @ b.astype(np.float32), -15, 15).astype(np.float64)
        doubt = 0.0 if covariance is None else np.einsum("ij,ij->i", x @ covariance.astype(np.float32), x)
        chance, weight = _chance_and_weight(eta, doubt)
        total += float(np.sum(y * eta - np.logaddexp(0, eta)))
        score += x.T @ (weight * eta + y - chance).astype(np.float32)
        x *= np.sqrt(weight)[:, None].astype(np.float32)
        gram += x.T @ x
    return Normal(gram, score, total)


def _chance_and_weight(eta: np.ndarray, doubt: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Chance of winning and its slope at log-odds `eta`, averaged over their variance `doubt` (MacKay's rule)."""
    shrink = 1 / np.sqrt(1 + np.pi / 8 * np.maximum(doubt, 0))
    chance = 1 / (1 + np.exp(-shrink * eta))
    return chance, np.maximum(shrink * chance * (1 - chance), 1e-5)


def _normal_with_class(
    design: Design, codes: np.ndarray, won: np.ndarray, b: np.ndarray, covariance: np.ndarray | None
) -> Normal:
    """The same sums where one class has many levels: its columns are never written out, each deal has just one."""
    big, p = design.big, design.width
    rest = np.r_[0 : big.start, big.stop : p]
    place, column_of = design.big_columns
    size = big.stop - big.start
    inner, cross = np.zeros((len(rest), len(rest))), np.zeros((size, len(rest)))
    own, score, total = np.zeros(size), np.zeros(p), 0.0
    for start in range(0, len(codes), CHUNK):
        part, y = codes[start : start + CHUNK], won[start : start + CHUNK]
        level = column_of[part[:, place]]
        x = design.matrix(part, rest)
        eta = np.clip((x @ b[rest].astype(np.float32)).astype(np.float64) + b[big][level], -15, 15)
        doubt = 0.0 if covariance is None else _doubt_with_class(x, level, covariance, rest, big)
        chance, weight = _chance_and_weight(eta, doubt)
        total += float(np.sum(y * eta - np.logaddexp(0, eta)))
        working = weight * eta + y - chance
        score[rest] += x.T @ working.astype(np.float32)
        score[big] += np.bincount(level, working, size)
        own += np.bincount(level, weight, size)
        member = sparse.csr_matrix(
            (weight.astype(np.float32), level, np.arange(len(part) + 1)), shape=(len(part), size)
        )
        cross += member.T @ x
        x *= np.sqrt(weight)[:, None].astype(np.float32)
        inner += x.T @ x
    gram = np.zeros((p, p))
    gram[np.ix_(rest, rest)] = inner
    gram[big.start : big.stop, rest] = cross
    gram[rest, big.start : big.stop] = cross.T
    gram[np.arange(big.start, big.stop), np.arange(big.start, big.stop)] = own
    return Normal(gram, score, total)


def _doubt_with_class(
    x: np.ndarray, level: np.ndarray, covariance: np.ndarray, rest: np.ndarray, big: slice
) -> np.ndarray:
    """Variance of each deal's log-odds: its other columns, its one column of the class, and what they share."""
    inner = covariance[np.ix_(rest, rest)].astype(np.float32)
    shared = covariance[big][:, rest].astype(np.float32)[level]
    both = np.einsum("ij,ij->i", x @ inner + 2 * shared, x)
    return both.astype(np.float64) + np.diag(covariance)[big][level]


def fit(
    design: Design,
    codes: np.ndarray,
    won: np.ndarray,
    *,
    start: Fit | None = None,
    max_iterations: int = 25,
    tolerance: float = 1e-3,
    averaged: bool = True,
    covariance: bool = True,
) -> Fit:
    """Fits the win model; large data start from a fit of 40,000 deals, so that few passes over all are needed.

    design: the columns; codes (n, fields); won (n,) 1.0 or 0.0. Iterates until the log-odds move by less than
    `tolerance`
    (root mean square) and no group's standard deviation by more than ten times that. `averaged` refines moderate data;
    without `covariance` only the coefficients are computed.
    """
    if start is None and len(codes) > 80_000:
        some = np.random.default_rng(0).choice(len(codes), 40_000, replace=False)
        start = fit(design, codes[some], won[some], max_iterations=max_iterations, tolerance=tolerance)
    b, variances = _begin(design, won, start)
    normal = normal_equations(design, codes, won, b)
    converged, iteration = False, 0
    for iteration in range(1, max_iterations + 1):
        solver = Solver(normal.gram, design.big)
        step, fresh = variance_steps(solver, normal.score, design, variances, 6 if iteration < 4 else 25)
        step, trial = _damped(design, codes, won, b, step, normal, fresh)
        moved = float(np.sqrt(np.mean(design.contributions(codes[:20_000], step - b).sum(axis=1) ** 2)))
        settled = float(np.max(np.abs(np.sqrt(fresh) - np.sqrt(variances)), initial=0.0))
        b, variances, normal = step, fresh, trial
        if moved < tolerance and settled < 10 * tolerance:
            converged = True
            break
    if averaged and len(codes) * design.width**2 <= AVERAGED_WORK:
        b, variances, normal = _averaged(design, codes, won, b, variances, normal, tolerance)
    if not covariance:
        b = Solver(normal.gram, design.big)(normal.score, design.penalty(variances))
        return Fit(b, np.zeros((0, 0)), variances, normal, iteration, converged, design)
    inverse = symmetric_inverse(normal.gram, design.penalty(variances))
    return Fit(inverse @ normal.score, inverse, variances, normal, iteration, converged, design)


def _damped(
    design: Design,
    codes: np.ndarray,
    won: np.ndarray,
    b: np.ndarray,
    step: np.ndarray,
    normal: Normal,
    variances: np.ndarray,
) -> tuple[np.ndarray, Normal]:
    """Halves a step that lowers the penalised likelihood (up to six times)."""
    trial = normal_equations(design, codes, won, step)
    floor = _penalised(normal, b, variances, design) - 1e-3 * len(won) ** 0.5
    for _ in range(6):
        if _penalised(trial, step, variances, design) >= floor:
            break
        step = (step + b) / 2
        trial = normal_equations(design, codes, won, step)
    return step, trial


def _averaged(
    design: Design,
    codes: np.ndarray,
    won: np.ndarray,
    b: np.ndarray,
    variances: np.ndarray,
    normal: Normal,
    tolerance: float,
) -> tuple[np.ndarray, np.ndarray, Normal]:
    """A few passes with p and W averaged over the posterior, in moderate data where that matters."""
    for _ in range(4):
        covariance = symmetric_inverse(normal.gram, design.penalty(variances))
        normal = normal_equations(design, codes, won, b, covariance)
        before = variances
        b, variances = variance_steps(Solver(normal.gram, design.big), normal.score, design, variances, 25)
        if np.max(np.abs(np.sqrt(before) - np.sqrt(variances)), initial=0.0) < 10 * tolerance:
            break
    return b, variances, normal


def _begin(design: Design, won: np.ndarray, start: Fit | None) -> tuple[np.ndarray, np.ndarray]:
    if start is not None:
        return start.coefficients.copy(), np.maximum(start.variances, 1e-4)
    rate = float(np.clip(won.mean(), 1e-4, 1 - 1e-4))
    b = np.zeros(design.width)
    b[0] = np.log(rate / (1 - rate))
    return b, np.full(design.n_groups, 0.1)


def _penalised(normal: Normal, b: np.ndarray, variances: np.ndarray, design: Design) -> float:
    return normal.log_likelihood - 0.5 * float(np.sum(design.penalty(variances) * b * b))
