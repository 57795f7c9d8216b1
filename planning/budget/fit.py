"""One pooled fit of all cells' response curves, by Gauss-Newton on an arrow-shaped system.

Per region r (T periods, L lines), after the baseline is partialled out and the noise whitened:

    y[r, t] = sum over l of exp(b[r, l]) * shape(carry_over(z[r, l], alpha[l])[t], exp(c[r, l])) + noise

y is the outcome over the region's usual sales, z the spend over the region's sales and the line's usual intensity.
Levels ``b`` and half-saturations ``c`` of a line's cells are drawn around the line's own centre (empirical Bayes): a
cell with little evidence borrows, one with much keeps its own. Unknowns of different regions meet only in the line's
centres and its carry-over, so one step solves a small dense system per region and one Schur complement of 3 L
unknowns: the cost is linear in the number of regions.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from planning.budget.curves import shape, shape_by_log_k, shape_slope

TAU_START, TAU_WEIGHT = 0.3, 6.0  # spread of cells around their line's centre: prior value, and its weight in cells
CENTRE_SD = np.array([1.5, 0.8])  # prior sd of a line's centre: log level, log half-saturation
ALPHA_SD = 1.2  # prior sd of logit(alpha) around 0.3
FADED = 1e-14  # a share of past spend that no longer counts
LOOK, HOPELESS, ROUGH = 5, 20.0, 10.0  # at this turn a form so far behind in evidence gets a tolerance so much wider


@dataclass(frozen=True)
class Scaled:
    """What the fit sees: z (R, L, T), y (R, T), seen (R, T) bool, base (R, T, P), learn (R, L) bool and measured rows.

    ``learn`` marks cells with variation; others take part only through their rows. ``rows`` is a tuple of arrays
    (region, line, z0, z1, delta, se), one a pilot or judged difference, in the same scaled units. ``gather`` (N, T)
    brings what T spend periods bring into the outcome's N periods (each row the mean of its periods); None where they
    are the same.
    """

    z: np.ndarray
    y: np.ndarray
    seen: np.ndarray
    base: np.ndarray
    learn: np.ndarray
    rows: tuple[np.ndarray, ...]
    gather: np.ndarray | None = None

    @cached_property
    def plain(self) -> Whitener:
        """The baseline without autocorrelation, which all forms share."""
        return Whitener(self.base, self.seen, 0.0)


@dataclass
class Fit:
    """The fitted point and the curvature around it: theta (R, 2L), centre (2L,), alpha (L,), tau (2,), sigma (R,)."""

    form: str
    theta: np.ndarray
    centre: np.ndarray
    logit_alpha: np.ndarray
    tau: np.ndarray
    sigma: np.ndarray
    whiten: Whitener
    blocks: np.ndarray
    border: np.ndarray
    schur: np.ndarray
    evidence: float
    residual: np.ndarray
    prior_centre: np.ndarray

    @property
    def rho(self) -> float:
        """The autocorrelation of the noise."""
        return self.whiten.rho


def carry(z: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return spend with geometric carry-over (R, T, L) from z (R, L, T) and alpha (L,).

    Steady spend keeps its amount; the first period carries as if its spend had run before the history began.
    """
    x = np.ascontiguousarray(z.transpose(2, 0, 1))
    return np.ascontiguousarray(_recursion((1 - alpha) * x, x[0], alpha).transpose(1, 0, 2))


def carry_slope(z: np.ndarray, carried: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return the derivative of `carry` by alpha (R, T, L), given what is carried at it."""
    gap = np.zeros((z.shape[2], z.shape[0], z.shape[1]), z.dtype)
    gap[1:] = carried.transpose(1, 0, 2)[:-1] - z.transpose(2, 0, 1)[1:]
    return np.ascontiguousarray(_recursion(gap, gap[0], alpha).transpose(1, 0, 2))


def _recursion(fresh: np.ndarray, first: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return the running state alpha * state + fresh over the first axis, in the place of ``fresh``.

    Each round doubles how far back the state reaches, until what lies further back has faded.
    """
    fresh[0] = first
    reach, kept = 1, alpha.copy()
    while reach < len(fresh) and kept.max(initial=0.0) > FADED:
        fresh[reach:] += kept * fresh[:-reach]
        reach, kept = 2 * reach, kept * kept
    return fresh


class Whitener:
    """Takes out the baseline of every region, with AR(1) noise whitened and unseen periods left out."""

    def __init__(self, base: np.ndarray, seen: np.ndarray, rho: float) -> None:
        self.rho, self.seen, self.whole = rho, seen, bool(seen.all())
        self.q, r = np.linalg.qr(self._filter(base))
        diagonal = np.abs(np.diagonal(r, axis1=1, axis2=2))
        # A control that says nothing new in a region must not take a direction of its own.
        self.q = self.q * (diagonal > 1e-9 * diagonal.max(axis=1, keepdims=True))[:, None, :]

    def _filter(self, v: np.ndarray) -> np.ndarray:
        if self.rho:
            v, before = v.copy(), v[:, :-1]
            v[:, 1:] -= self.rho * before
            v[:, 0] *= np.sqrt(1 - self.rho**2)
        return v if self.whole else np.where(self.seen[..., None], v, 0)

    def __call__(self, v: np.ndarray) -> np.ndarray:
        """Return v (R, T, m) with baseline and autocorrelation taken out."""
        out = self._filter(v)
        return out - self.q @ (self.q.transpose(0, 2, 1) @ out)

    def part(self, regions: slice, kind: type) -> Whitener:
        """Return the whitener of some regions, in another number format."""
        out = copy(self)
        out.q, out.seen = self.q[regions].astype(kind), self.seen[regions]
        return out

    def products(self, v: np.ndarray, residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the products of whitened columns with one another (R, m, m) and with a whitened residual (R, m).

        The baseline is taken out of the small products, not of the long columns.
        """
        out = self._filter(v)
        turned, inside = out.transpose(0, 2, 1), self.q.transpose(0, 2, 1) @ out
        return turned @ out - inside.transpose(0, 2, 1) @ inside, (turned @ residual[..., None])[..., 0]

    @cached_property
    def degrees(self) -> np.ndarray:
        """Return the degrees of freedom left per region."""
        return self.seen.sum(axis=1) - (np.abs(self.q).max(axis=1) > 0).sum(axis=1)


def _parts(data: Scaled, form: str, theta: np.ndarray, logit_alpha: np.ndarray, derivatives: bool):
    """Return the fitted contributions (R, T, L) and, where asked, their derivatives by level/half (R, T, 2L) and
    alpha."""
    lines = data.z.shape[1]
    alpha = 1 / (1 + np.exp(-logit_alpha))
    carried = carry(data.z, alpha)
    level, half = np.exp(theta[:, None, :lines]), np.exp(theta[:, None, lines:])
    level = level * data.learn[:, None, :]
    fitted = level * shape(carried, half, form)
    if not derivatives:
        return _gathered(data, fitted), None, None
    moved = carry_slope(data.z, carried, alpha) * (alpha * (1 - alpha))
    own = np.concatenate([fitted, level * shape_by_log_k(carried, half, form)], axis=2)
    shared = level * shape_slope(carried, half, form) * moved
    return _gathered(data, fitted), _gathered(data, own), _gathered(data, shared)


def _gathered(data: Scaled, v: np.ndarray) -> np.ndarray:
    return v if data.gather is None else np.einsum("nt,rtl->rnl", data.gather, v, optimize=True)


def fitted_lines(data: Scaled, fit: Fit) -> np.ndarray:
    """Return what each line brought in each outcome period at the fitted point: (R, N, L)."""
    return _parts(data, fit.form, fit.theta, fit.logit_alpha, False)[0]


def _row_parts(data: Scaled, form: str, theta: np.ndarray):
    """Return residuals of the measured differences over their errors, and derivatives by level and half (n, 2)."""
    region, line, z0, z1, delta, se = data.rows
    lines = data.z.shape[1]
    level, half = np.exp(theta[region, line]), np.exp(theta[region, lines + line])
    gap = level * (shape(z1, half, form) - shape(z0, half, form))
    by_half = level * (shape_by_log_k(z1, half, form) - shape_by_log_k(z0, half, form))
    return (delta - gap) / se, np.stack([gap, by_half], axis=1) / se[:, None]


class _System:
    """The objective and one Gauss-Newton step at fixed noise and spread."""

    def __init__(self, data: Scaled, form: str, whiten: Whitener, prior_centre: np.ndarray) -> None:
        self.data, self.form, self.whiten, self.prior_centre = data, form, whiten, prior_centre
        self.y = whiten(data.y[..., None])[..., 0]
        self.lines = data.z.shape[1]
        self.centre_precision = np.repeat(1 / CENTRE_SD**2, self.lines)
        self.alpha_prior = np.log(0.3 / 0.7)

    def objective(self, theta, centre, logit_alpha, tau, sigma) -> float:
        """Return minus the log posterior (up to a constant) at a point."""
        fitted, _, _ = _parts(self.data, self.form, theta, logit_alpha, False)
        residual = self.y - self.whiten(fitted.sum(axis=2, keepdims=True))[..., 0]
        return self.objective_of(residual, theta, centre, logit_alpha, tau, sigma)

    def objective_of(self, residual, theta, centre, logit_alpha, tau, sigma) -> float:
        """Return minus the log posterior (up to a constant) where the residual is already known."""
        value = (residual**2).sum(axis=1) @ sigma**-2
        value += (((theta - centre) / np.repeat(tau, self.lines)) ** 2).sum()
        value += (self.centre_precision * (centre - self.prior_centre) ** 2).sum()
        value += ((logit_alpha - self.alpha_prior) ** 2).sum() / ALPHA_SD**2
        return 0.5 * (value + (_row_parts(self.data, self.form, theta)[0] ** 2).sum())

    def assemble(self, theta, centre, logit_alpha, tau, sigma):
        """Return blocks (R, 2L, 2L), border (R, 2L, 3L), corner (3L, 3L), gradients of both, and the residual."""
        n = self.lines
        fitted, own, shared = _parts(self.data, self.form, theta, logit_alpha, True)
        residual = self.y - self.whiten(fitted.sum(axis=2, keepdims=True))[..., 0]
        gram, slope = self.whiten.products(np.concatenate([own, shared], axis=2), residual)
        gram /= (sigma**2)[:, None, None]
        slope /= (sigma**2)[:, None]
        precision = np.repeat(tau**-2.0, n)
        blocks, border = gram[:, : 2 * n, : 2 * n].copy(), np.zeros((len(theta), 2 * n, 3 * n))
        blocks[:, np.arange(2 * n), np.arange(2 * n)] += precision
        border[:, np.arange(2 * n), np.arange(2 * n)] = -precision
        border[:, :, 2 * n :] = gram[:, : 2 * n, 2 * n :]
        corner = np.diag(np.concatenate([len(theta) * precision + self.centre_precision, np.full(n, ALPHA_SD**-2.0)]))
        corner[2 * n :, 2 * n :] += gram[:, 2 * n :, 2 * n :].sum(axis=0)
        grad = slope[:, : 2 * n] - precision * (theta - centre)
        grad_shared = np.concatenate(
            [
                (precision * (theta - centre)).sum(axis=0) - self.centre_precision * (centre - self.prior_centre),
                slope[:, 2 * n :].sum(axis=0) - (logit_alpha - self.alpha_prior) / ALPHA_SD**2,
            ]
        )
        gap, row_jac = _row_parts(self.data, self.form, theta)
        for i, (region, line) in enumerate(zip(self.data.rows[0], self.data.rows[1], strict=True)):
            at = np.array([line, n + line])
            blocks[region][np.ix_(at, at)] += np.outer(row_jac[i], row_jac[i])
            grad[region, at] += row_jac[i] * gap[i]
        return blocks, border, corner, grad, grad_shared, residual


def _step(blocks, border, corner, grad, grad_shared):
    """Solve the arrow system: eliminate the regions, solve the shared unknowns, substitute back."""
    solved = np.linalg.solve(blocks, np.concatenate([border, grad[..., None]], axis=2))
    schur = corner - (border.transpose(0, 2, 1) @ solved[..., :-1]).sum(axis=0)
    right = grad_shared - (border.transpose(0, 2, 1) @ solved[..., -1:])[..., 0].sum(axis=0)
    shared = np.linalg.solve(schur, right)
    return solved[..., -1] - solved[..., :-1] @ shared, shared, schur


def _start(data: Scaled, form: str, whiten: Whitener) -> np.ndarray:
    """Return first centres: half-saturation at the usual spend, level from a pooled least squares, kept positive."""
    lines = data.z.shape[1]
    theta = np.zeros((len(data.z), 2 * lines))
    fitted, _, _ = _parts(data, form, theta, np.full(lines, np.log(0.3 / 0.7)), False)
    x, y = whiten(fitted).reshape(-1, lines), whiten(data.y[..., None]).reshape(-1)
    gram = x.T @ x
    level = np.linalg.solve(gram + np.eye(lines) * (1e-6 + 1e-2 * np.trace(gram) / lines), x.T @ y)
    return np.concatenate([np.log(np.clip(level, 0.01, 2.0)), np.zeros(lines)])


def _spread(theta, centre, blocks, lines):
    """Return the EM update of the spread of cells around their centres, shared by all lines."""
    variance = np.diagonal(np.linalg.inv(blocks), axis1=1, axis2=2)
    second = ((theta - centre) ** 2 + variance).reshape(len(theta), 2, lines)
    total = second.sum(axis=(0, 2)) + TAU_WEIGHT * TAU_START**2
    return np.sqrt(total / (len(theta) * lines + TAU_WEIGHT))


def _noise(residual, degrees, used):
    """Return the noise of each region, drawn a little towards the common one."""
    squares = (residual**2).sum(axis=1)
    free = np.maximum(degrees - used, 3.0)
    common = squares.sum() / free.sum()
    return np.sqrt((squares + 6.0 * common) / (free + 6.0)) + 1e-9


def _autocorrelation(residual: np.ndarray, seen: np.ndarray) -> float:
    pair = seen[:, 1:] & seen[:, :-1]
    top = (residual[:, 1:] * residual[:, :-1] * pair).sum()
    return float(top / max((residual[:, :-1] ** 2 * pair).sum(), 1e-12))


def fit_form(
    data: Scaled, form: str, *, spread: float | None = None, best: Fit | None = None, rounds: int = 40,
    tolerance: float = 2e-3,
) -> Fit:  # fmt: skip
    """Fit one form; the noise's autocorrelation is measured in a first pass and whitened in a second when it matters.

    ``spread`` fixes how far cells may differ from their line's centre (large: no pooling, near zero: full pooling).
    ``best`` is the fit of another form of the same data: its noise and whitening are shared, and a form that lies
    hopelessly behind it is not followed to its last digit.
    """
    if best is not None:
        return _fit(data, form, best.whiten, None, rounds, tolerance, spread, best)
    first = _fit(data, form, data.plain, None, rounds, tolerance, spread)
    rho = float(np.clip(_autocorrelation(first.residual, data.seen) + 1.5 / data.z.shape[2], 0.0, 0.9))
    if rho <= 0.12:
        return first
    return _fit(data, form, Whitener(data.base, data.seen, rho), first, rounds, tolerance, spread)


def _fit(
    data, form, whiten: Whitener, start: Fit | None, rounds, tolerance, spread: float | None, best: Fit | None = None
) -> Fit:
    lines = data.z.shape[1]
    prior = _start(data, form, data.plain)
    system = _System(data, form, whiten, np.concatenate([np.full(lines, np.log(0.08)), np.zeros(lines)]))
    centre = prior if start is None else start.centre
    theta = np.tile(centre, (len(data.z), 1)) if start is None else start.theta
    logit_alpha = np.full(lines, system.alpha_prior) if start is None else start.logit_alpha
    tau = np.full(2, spread or TAU_START) if start is None else start.tau
    sigma = _noise(system.y * 0.5, whiten.degrees, 0) if start is None else start.sigma
    for turn in range(rounds):
        blocks, border, corner, grad, grad_shared, residual = system.assemble(theta, centre, logit_alpha, tau, sigma)
        move, shared, schur = _step(blocks, border, corner, grad, grad_shared)
        size = 1.0 / max(1.0, np.abs(move).max() / 1.5, np.abs(shared).max() / 1.5)
        before = system.objective_of(residual, theta, centre, logit_alpha, tau, sigma)
        for _ in range(6):
            trial = theta + size * move, centre + size * shared[: 2 * lines], logit_alpha + size * shared[2 * lines :]
            if system.objective(*trial, tau, sigma) <= before + 1e-9:
                theta, centre, logit_alpha = trial
                break
            size /= 3.0
        if turn == LOOK and best is not None:
            here = _evidence(system, theta, centre, logit_alpha, tau, sigma, blocks, schur)
            tolerance *= ROUGH if here < best.evidence - HOPELESS else 1.0
        # Among many cells one that still creeps decides nothing: twice their usual move counts.
        cells = min(float(np.abs(move).max()), 2.0 * float(np.sqrt((move**2).mean())))
        done = turn > 4 and size * max(cells, float(np.abs(shared).max())) < tolerance
        sigma = _noise(residual, whiten.degrees, lines)
        tau = _spread(theta, centre, blocks, lines) if spread is None else tau
        if done:
            break
    blocks, border, corner, *_, residual = system.assemble(theta, centre, logit_alpha, tau, sigma)
    schur = corner - (border.transpose(0, 2, 1) @ np.linalg.solve(blocks, border)).sum(axis=0)
    evidence = _evidence(system, theta, centre, logit_alpha, tau, sigma, blocks, schur)
    return Fit(
        form,
        theta,
        centre,
        logit_alpha,
        tau,
        sigma,
        whiten,
        blocks,
        border,
        schur,
        evidence,
        residual,
        system.prior_centre,
    )


def _evidence(system, theta, centre, logit_alpha, tau, sigma, blocks, schur) -> float:
    """Return the log marginal likelihood up to a constant that all forms share (Laplace)."""
    value = -system.objective(theta, centre, logit_alpha, tau, sigma) - (system.whiten.degrees * np.log(sigma)).sum()
    value -= len(theta) * system.lines * np.log(tau).sum()
    return float(value - 0.5 * (np.linalg.slogdet(blocks)[1].sum() + np.linalg.slogdet(schur)[1]))


def draw_fit(fit: Fit, draws: int, rng: np.random.Generator, *, widen: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return draws of theta (draws, R, 2L) and of logit alpha (draws, L) around the fitted point."""
    lines = len(fit.logit_alpha)
    root = np.linalg.cholesky(np.linalg.inv(fit.schur) + 1e-12 * np.eye(3 * lines))
    shared = widen * rng.normal(size=(draws, 3 * lines)) @ root.T
    gain = np.linalg.solve(fit.blocks, fit.border)
    upper = np.linalg.cholesky(fit.blocks).transpose(0, 2, 1)
    noise = rng.normal(size=(len(fit.theta), 2 * lines, draws))
    own = widen * np.linalg.solve(upper, noise).transpose(2, 0, 1)
    theta = fit.theta + own - np.einsum("rij,dj->dri", gain, shared, optimize=True)
    return theta, fit.logit_alpha + shared[:, 2 * lines :]
