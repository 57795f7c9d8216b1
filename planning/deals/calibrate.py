"""Family shares with intervals that hold: draws from the posterior, and a test for "no weight at all".

The estimand: Var(contribution of the family) ÷ Σ over families of the same, contributions in log-odds over the deals
at hand. The draws (`posterior`) know that the group variances are estimated and prefer no family, so the mean share is
the estimate and the middle 90 % the interval. They work on the normal equations: their cost does not grow with deals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from planning.deals.posterior import family_draws
from planning.deals.winmodel import Fit, cholesky, symmetric_inverse

WIDE, LEAST_ROUNDS = 800, 40
ROUNDS_A_REFIT = 3
LEVEL = 0.90
THIN_LEVELS, THIN_DEALS = 40, 10
NO_CHANCE = 0.05


@dataclass(frozen=True)
class Shares:
    """Per family: `share` (sums to 1), 90 % `low` and `high`, `p_zero` of the drop test, and `refits` as asked.

    `thin`: classes of many values with few deals each that say no more than chance, with the p-value of their test.
    """

    families: tuple[str, ...]
    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p_zero: np.ndarray
    refits: int
    thin: Mapping[str, float] = field(default_factory=dict)


def family_shares(fit: Fit, codes: np.ndarray, *, refits: int = 60, seed: int = 0) -> Shares:
    """Shares of explained log-odds variance by family with 90 % intervals; `refits` is how often the group variances
    are drawn anew, in threes."""
    rounds = ROUNDS_A_REFIT * refits
    if fit.design.width > WIDE:  # a round costs columns³; fewer of them still settle the shares
        rounds = max(min(rounds, LEAST_ROUNDS), rounds * WIDE // fit.design.width)
    p_zero = drop_tests(fit)
    if len(fit.design.families) == 1:
        return Shares(fit.design.families, np.ones(1), np.ones(1), np.ones(1), p_zero, refits)
    thin = {name: p for name, p in thin_classes(fit, len(codes)).items() if p > NO_CHANCE}
    spread = column_covariance(fit, codes)
    drawn, rest = family_draws(fit, spread, rounds, np.random.default_rng(seed), _without_fields(fit, spread, thin))
    parts = drawn / drawn.sum(axis=1, keepdims=True)
    share, tail = parts.mean(axis=0), (1 - LEVEL) / 2
    low, high = np.quantile(parts, [tail, 1 - tail], axis=0)
    if thin:  # what says no more than chance may be nothing: then its family has less, and every other more
        cut = np.quantile(rest / rest.sum(axis=1, keepdims=True), [tail, 1 - tail], axis=0)
        low, high = np.minimum(low, cut[0]), np.maximum(high, cut[1])
    low = np.where(p_zero > NO_CHANCE, 0.0, np.minimum(low, share))
    return Shares(fit.design.families, share, low, np.maximum(high, share), p_zero, refits, thin)


def _without_fields(fit: Fit, spread: list, fields: Mapping[str, float]) -> list:
    """The families' columns and covariances without those of some fields; nothing where there are none to leave out."""
    if not fields:
        return []
    design = fit.design
    out = np.zeros(design.width, dtype=bool)
    for term, place in zip(design.terms, design.slices, strict=True):
        out[place] = term.field in fields
    return [(columns[~out[columns]], s[np.ix_(~out[columns], ~out[columns])]) for columns, s in spread]


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


def posterior_draws(fit: Fit, count: int, seed: int) -> np.ndarray:
    """Coefficients (count, p) drawn from the posterior."""
    root = cholesky(fit.covariance.copy(), (1e-10, 1e-8, 1e-6, 1e-4))
    if root is None:
        values, vectors = np.linalg.eigh(fit.covariance)
        root = vectors * np.sqrt(np.maximum(values, 0))
    noise = np.random.default_rng(seed).standard_normal((count, len(root)))
    return fit.coefficients + noise @ root.T


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


def thin_classes(fit: Fit, deals: int) -> dict[str, float]:
    """p-value of "its values say nothing", by field, of the classes with many values and few deals a value."""
    out = {}
    for term, place in zip(fit.design.terms, fit.design.slices, strict=True):
        levels = len(term.levels)
        if term.kind == "category" and levels >= THIN_LEVELS and deals < THIN_DEALS * levels:
            inside = np.zeros(fit.design.width, dtype=bool)
            inside[place] = True
            gram, score = _without(fit, inside)
            out[term.field] = _field_test(score, gram, np.arange(len(score)), fit.design.groups[place])
    return out


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
    """One p-value of several, each at most 0.9 in it: one near 1 would else outweigh any other (at 5 % the level stays
    between 4 and 5.6 % for up to twelve tests)."""
    if not len(p):
        return 1.0
    statistic = np.mean(np.tan((0.5 - np.clip(p, 1e-15, 0.9)) * np.pi))
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
