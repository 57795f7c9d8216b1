"""Family shares with intervals that hold: posterior draws, a parametric bootstrap, and a test for "no weight at all".

The estimand: Var(contribution of the family) ÷ Σ over families of the same, contributions in log-odds over the deals
at hand. The bootstrap draws a truth from the posterior, simulates what such data would have shown, refits including
the group variances, and so learns the estimator's own spread. It is run on the normal equations: data simulated from
coefficients b give X'W z ~ N(G b, G), so a refit costs columns³ and not deals x columns².

With few deals shares are noisy, and the largest is largest partly by luck. So effects (standard deviations of a
family's contribution) are read under a prior in which no family is preferred: shares ~ Dirichlet(a, ..., a), where a,
how even families are, is unknown and learned with them. With many deals the prior says nothing; at 800 it takes off a
sixth of the error. Where shares truly are very unequal (Dirichlet 1.5) it costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, special

from planning.deals.winmodel import Fit, Solver, symmetric_inverse, variance_steps

DRAWS = 400
WIDE = 500
LEVEL = 0.90
EVENNESS = (1.0, 2.0, 4.0, 8.0)
READINGS, LEAST_READINGS = 4000, 200
SETTLED = (8, 0.05)  # steps of the group variances in a refit; effects move by less than a tenth of their noise after


@dataclass(frozen=True)
class Shares:
    """Per family: `share` (sums to 1), 90 % `low` and `high`, `p_zero` of the drop test, and how many refits."""

    families: tuple[str, ...]
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_zero: np.ndarray
    refits: int


def family_shares(fit: Fit, codes: np.ndarray, *, refits: int = 60, seed: int = 0) -> Shares:
    """Shares of explained log-odds variance by family with calibrated 90 % intervals."""
    rng = np.random.default_rng(seed)
    if fit.design.width > WIDE:  # a refit costs columns³; fewer of them still settle the spread
        refits = max(min(refits, 24), refits * WIDE // fit.design.width)
    spread = column_covariance(fit, codes)
    sizes = _expected_variances(fit.coefficients, fit.covariance, spread)
    draws = _posterior(fit, rng, DRAWS)
    drawn = _variances(draws, spread)
    errors = _bootstrap(fit, spread, draws, drawn, refits, rng)
    p_zero = drop_tests(fit)
    share, low, high = _read(sizes, drawn, errors, p_zero, rng)
    return Shares(fit.design.families, share, low, high, p_zero, refits)


def column_covariance(fit: Fit, codes: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Per family its column numbers and their covariance over the deals (a sample of at most 60,000 of them)."""
    most = int(min(60_000, max(3_000, 2e10 / fit.design.width**2)))
    if len(codes) > most:
        codes = codes[np.random.default_rng(1).choice(len(codes), most, replace=False)]
    x = fit.design.matrix(codes)
    x -= x.mean(axis=0)
    out = []
    for number in range(len(fit.design.families)):
        columns = np.flatnonzero(fit.design.family_of == number)
        part = x[:, columns]
        out.append((columns, (part.T @ part).astype(np.float64) / len(codes)))
    return out


def _variances(b: np.ndarray, spread: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    return np.stack([np.einsum("ri,ri->r", b[:, c] @ s, b[:, c]) for c, s in spread], axis=1)


def _expected_variances(b: np.ndarray, covariance: np.ndarray, spread: list) -> np.ndarray:
    return np.array([b[c] @ s @ b[c] + np.sum(s * covariance[np.ix_(c, c)]) for c, s in spread])


def posterior_draws(fit: Fit, count: int, seed: int) -> np.ndarray:
    """Coefficients (count, p) drawn from the posterior."""
    return _posterior(fit, np.random.default_rng(seed), count)


def _posterior(fit: Fit, rng: np.random.Generator, count: int) -> np.ndarray:
    root = _root(fit.covariance)
    return fit.coefficients + rng.standard_normal((count, len(root))) @ root.T


def _root(matrix: np.ndarray) -> np.ndarray:
    scale = float(np.trace(matrix)) / len(matrix)
    for ridge in (1e-10, 1e-8, 1e-6, 1e-4):
        factor, failed = linalg.lapack.dpotrf(matrix + ridge * scale * np.eye(len(matrix)), lower=1)
        if not failed:
            return np.tril(factor)
    values, vectors = np.linalg.eigh(matrix)
    return vectors * np.sqrt(np.maximum(values, 0))


def _bootstrap(
    fit: Fit, spread: list, draws: np.ndarray, drawn: np.ndarray, refits: int, rng: np.random.Generator
) -> np.ndarray:
    """Errors (refits, families): effect estimated from simulated data minus the effect that generated them."""
    gram, design = fit.normal.gram, fit.design
    solver, root = Solver(gram, design.big), _root(gram)
    errors = np.empty((refits, len(spread)))
    for number in range(refits):
        truth = draws[number % len(draws)]
        score = gram @ truth + root @ rng.standard_normal(len(root))
        start = np.clip(fit.variances, 1e-4, None)
        _, variances = variance_steps(solver, score, design, start, *SETTLED)
        b = solver(score, design.penalty(variances))
        expected = np.array([b[c] @ s @ b[c] for c, s in spread]) + solver.traces(spread)
        errors[number] = np.sqrt(np.maximum(expected, 0)) - np.sqrt(drawn[number % len(draws)])
    return errors


def _read(
    sizes: np.ndarray, drawn: np.ndarray, errors: np.ndarray, p_zero: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Share and interval per family: readings of the effects within their noise, weighed by the even-handed prior; the
    interval also holds the middle 90 % of the plain posterior draws."""
    if len(sizes) == 1:
        return np.ones(1), np.ones(1), np.ones(1)
    noise = np.maximum(errors.std(axis=0, ddof=1), np.sqrt(drawn).std(axis=0))
    # The bootstrap's bias is nearly the same part of every effect (-5 %), so it leaves shares alone; taking it off
    # would only add its noise (800 deals: error .099 against .097).
    centre = np.sqrt(np.maximum(sizes, 0))
    effects = centre + noise * rng.standard_normal((READINGS, len(sizes)))
    parts = np.maximum(effects, 1e-3 * centre.max() + 1e-12) ** 2
    parts /= parts.sum(axis=1, keepdims=True)
    weight = even_handed(parts)
    tail = (1 - LEVEL) / 2
    plain = drawn / np.maximum(drawn.sum(axis=1, keepdims=True), 1e-12)
    share = weight @ parts
    low = np.minimum(_weighted_quantile(parts, weight, tail), np.quantile(plain, tail, axis=0))
    high = np.maximum(_weighted_quantile(parts, weight, 1 - tail), np.quantile(plain, 1 - tail, axis=0))
    low = np.where(p_zero > 0.05, 0.0, np.minimum(low, share))
    return share, low, np.maximum(high, share)


def even_handed(parts: np.ndarray) -> np.ndarray:
    """Weights (readings,) of the prior: Dirichlet shares of unknown evenness, per unit of effect and not of share."""
    count, logs = parts.shape[1], np.log(parts).sum(axis=1)
    each = np.stack([
        special.gammaln(count * a) - count * special.gammaln(a) + (a - 1) * logs for a in EVENNESS
    ], axis=1)  # fmt: skip
    weight = special.softmax(special.logsumexp(each, axis=1) + 0.5 * logs)
    while 1 / np.sum(weight**2) < LEAST_READINGS:  # many families: a gentler prior rather than a few readings
        weight = np.sqrt(weight) / np.sqrt(weight).sum()
    return weight


def _weighted_quantile(values: np.ndarray, weight: np.ndarray, level: float) -> np.ndarray:
    order = np.argsort(values, axis=0)
    reached = np.cumsum(weight[order], axis=0)
    place = np.minimum((reached < level).sum(axis=0), len(values) - 1)
    return values[order[place, np.arange(values.shape[1])], np.arange(values.shape[1])]


def drop_tests(fit: Fit) -> np.ndarray:
    """p-value of "this family carries no weight", by family.

    Each field gets a variance-component score test against the model without its family (the law of U'U is a mixture of
    chi-squares, matched in three moments); the fields of a family are combined by the Cauchy rule, valid under
    dependence.
    """
    design = fit.design
    p_family = np.ones(len(design.families))
    for number, name in enumerate(design.families):
        inside = design.family_of == number
        gram, score = _without(fit, inside)
        position = np.cumsum(inside) - 1
        places = [place for term, place in zip(design.terms, design.slices, strict=True) if term.family == name]
        tests = [_field_test(score, gram, position[place], design.groups[place]) for place in places]
        p_family[number] = _cauchy(np.array(tests))
    return p_family


def _without(fit: Fit, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covariance and value of the family's score when the family is left out and the rest is refitted."""
    gram, score = fit.normal.gram, fit.normal.score
    rest = ~inside
    penalty = fit.design.penalty(fit.variances)[rest]
    inverse = symmetric_inverse(gram[np.ix_(rest, rest)], penalty)
    cross = gram[np.ix_(inside, rest)]
    return gram[np.ix_(inside, inside)] - cross @ inverse @ cross.T, score[inside] - cross @ (inverse @ score[rest])


def _field_test(score: np.ndarray, covariance: np.ndarray, place: np.ndarray, groups: np.ndarray) -> float:
    ps = []
    for group in np.unique(groups):  # slope, bends and levels are tested apart: each has its own scale
        part = place[groups == group]
        ps.append(_quadratic_p(float(score[part] @ score[part]), covariance[np.ix_(part, part)]))
    return _cauchy(np.array(ps))


def _quadratic_p(value: float, covariance: np.ndarray) -> float:
    """P(u'u >= value) for u ~ N(0, covariance), matched in mean, variance and skewness."""
    square = covariance @ covariance
    c1, c2, c3 = np.trace(covariance), np.trace(square), float(np.sum(square * covariance))
    if c2 <= 0 or c3 <= 0:
        return 1.0
    degrees = c2**3 / c3**2
    return float(special.chdtrc(degrees, max((value - c1) * np.sqrt(degrees / c2) + degrees, 0.0)))


def _cauchy(p: np.ndarray) -> float:
    if not len(p):
        return 1.0
    statistic = np.mean(np.tan((0.5 - np.clip(p, 1e-15, 1 - 1e-6)) * np.pi))
    return float(np.clip(0.5 - np.arctan(statistic) / np.pi, 1e-15, 1.0))


def confounding_band(
    share: np.ndarray, low: np.ndarray, high: np.ndarray, delta: float
) -> tuple[np.ndarray, np.ndarray]:
    """Widens each interval for an unrecorded cause: a family's effect (sd of its contribution) may be over- or
    understated by `delta` times the effect of the strongest family; shares then follow. Contains the interval."""
    strongest = np.sqrt(share.max()) if len(share) else 0.0

    def moved(edge: np.ndarray, sign: int) -> np.ndarray:
        rest = np.maximum(1 - edge, 1e-9)
        effect = np.maximum(np.sqrt(edge) + sign * delta * strongest, 0.0)
        return effect**2 / (effect**2 + rest)

    if len(share) == 1:
        return low, high
    return np.minimum(moved(low, -1), low), np.maximum(moved(high, +1), high)
