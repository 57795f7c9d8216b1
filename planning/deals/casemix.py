"""People and practices, adjusted for the deals they were given: who is better than chance, and what differs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from planning.deals.attribution import FamilyWeights, family_parts

TOP_SHARE = 0.20
SURE = 0.80


def case_mix(result: FamilyWeights, without: tuple[str, ...] = ("skill",)) -> np.ndarray:
    """Log-odds (n,) of the closed deals from every family but `without`: how hard each deal was for anybody."""
    model = result.model
    parts = family_parts(model, result.codes)
    keep = [name not in without for name in model.design.families]
    return model.coefficients[0] + parts[:, keep].sum(axis=1)


def shrunken_effects(
    won: np.ndarray, offset: np.ndarray, codes: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Effects of groups beyond an offset: u ~ N(0, variance) estimated with their posterior variances (Laplace, EM)."""
    effect, variance, shift = np.zeros(count), 0.2, 0.0
    for _ in range(60):
        eta = offset + shift + effect[codes]
        p = 1 / (1 + np.exp(-eta))
        weight = p * (1 - p)
        shift += float((won - p).sum() / max(weight.sum(), 1e-9))
        slope = np.bincount(codes, won - p, count) - effect / variance
        curve = np.bincount(codes, weight, count) + 1 / variance
        effect = effect + slope / curve
        fresh = max(float(np.mean(effect**2 + 1 / curve)), 1e-5)
        if abs(np.log(fresh / variance)) < 1e-4 and np.abs(slope / curve).max() < 1e-6:
            break
        variance = fresh
    return effect, 1 / curve, variance


def performers(result: FamilyWeights, people: pd.Series, *, seed: int = 0, draws: int = 2000) -> pd.DataFrame:
    """Who sells better than their deals would let expect, and how likely is each among the best fifth?

    people: person by deal_id. Returns one row a person: `person, deals, wins, expected_wins` (from the deals they had),
    `effect` (log-odds beyond it) with `lo90, hi90`, `p_top` (chance to be in the best 20 %) and `verdict`: top, below
    (surely under the middle) or cannot tell.
    """
    ids = result.prepared.ids[result.prepared.outcomes.closed].to_numpy()
    who = pd.Categorical(people.reindex(ids).fillna("(none)"))
    codes, names = who.codes.astype(int), list(who.categories)
    won, offset = result.prepared.won, case_mix(result)
    effect, variance, _ = shrunken_effects(won, offset, codes, len(names))
    rng = np.random.default_rng(seed)
    drawn = effect + np.sqrt(variance) * rng.standard_normal((draws, len(names)))
    best = max(1, round(TOP_SHARE * len(names)))
    p_top = (np.argsort(np.argsort(-drawn, axis=1), axis=1) < best).mean(axis=0)
    p_below = (drawn < np.median(drawn, axis=1, keepdims=True)).mean(axis=0)
    z = stats.norm.ppf(0.95)
    verdict = np.where(p_top > SURE, "top", np.where((p_below > 0.95), "below", "cannot tell"))
    expected = np.bincount(codes, 1 / (1 + np.exp(-offset)), len(names))
    frame = pd.DataFrame({
        "person": names, "deals": np.bincount(codes, minlength=len(names)),
        "wins": np.bincount(codes, won, len(names)).astype(int),
        "expected_wins": expected * won.sum() / max(expected.sum(), 1e-9), "effect": effect,
        "lo90": effect - z * np.sqrt(variance), "hi90": effect + z * np.sqrt(variance),
        "p_top": p_top, "verdict": verdict,
    })  # fmt: skip
    return frame.sort_values("p_top", ascending=False, kind="stable").reset_index(drop=True)


def practices(result: FamilyWeights, fields: dict[str, str], people: pd.Series, *, rate: float = 0.10) -> pd.DataFrame:
    """Which habits go with winning inside the same person's deals, the deals' difficulty held equal?

    fields: numeric practices with the way they are moved,
    such as {"response_hours": "down"}. Returns one row a practice: `practice, effect` (log-odds per
    standard deviation within a person, that way) with `lo90, hi90`, `points` (win rate,
    same unit) with `points_lo, points_hi`,
    `p`, `q` (Benjamini-Hochberg) and `verdict`: differs or cannot tell; about `rate` of those that differ are chance.
    """
    ids = result.prepared.ids[result.prepared.outcomes.closed].to_numpy()
    codes = pd.Categorical(people.reindex(ids).fillna("(none)")).codes.astype(int)
    won = result.prepared.won
    columns, names = [], []
    for name, way in fields.items():
        values = (-1 if way == "down" else 1) * _normal_scores(result.prepared.closed_column(name))
        inside = values - (np.bincount(codes, values) / np.bincount(codes))[codes]
        if inside.std() > 0.05:
            columns.append(inside / inside.std())
            names.append(name)
    if not names:
        return pd.DataFrame(
            columns=["practice", "effect", "lo90", "hi90", "points", "points_lo", "points_hi", "p", "q", "verdict"]
        )
    offset = _offset_without(result, names)
    b, error, slope = _within(won, offset, codes, np.column_stack(columns))
    p = 2 * stats.norm.sf(np.abs(b / error))
    q = _benjamini_hochberg(p)
    z = stats.norm.ppf(0.95)
    frame = pd.DataFrame({
        "practice": names, "effect": b, "lo90": b - z * error, "hi90": b + z * error, "points": slope * b,
        "points_lo": slope * (b - z * error), "points_hi": slope * (b + z * error), "p": p, "q": q,
        "verdict": np.where(q <= rate, "differs", "cannot tell"),
    })  # fmt: skip
    return frame.sort_values("p", kind="stable").reset_index(drop=True)


def _normal_scores(values: pd.Series) -> np.ndarray:
    ranks = values.rank(pct=True).fillna(0.5).to_numpy()
    return stats.norm.ppf(np.clip(ranks - 0.5 / len(values), 1e-4, 1 - 1e-4))


def _offset_without(result: FamilyWeights, fields: list[str]) -> np.ndarray:
    """Difficulty of the deals from every field but the practices and the person."""
    model = result.model
    parts = model.design.contributions(result.codes, model.coefficients)
    keep = [term.family != "skill" and term.field not in fields for term in model.design.terms]
    return model.coefficients[0] + parts[:, keep].sum(axis=1)


def _within(
    won: np.ndarray, offset: np.ndarray, codes: np.ndarray, x: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Logistic regression on x, the offset's slope and one intercept a person; persons are eliminated blockwise."""
    z = np.column_stack([x, (offset - offset.mean()) / (offset.std() or 1.0)])
    b, person = np.zeros(z.shape[1]), np.zeros(codes.max() + 1)
    b[-1] = offset.std()
    for _ in range(30):
        p = 1 / (1 + np.exp(-(z @ b + person[codes])))
        w = p * (1 - p)
        own = np.bincount(codes, w) + 0.05  # a weak prior: a person who lost every deal has no finite intercept
        cross = np.stack([np.bincount(codes, w * column) for column in z.T], axis=1)
        score, score_person = z.T @ (won - p), np.bincount(codes, won - p) - 0.05 * person
        inverse = np.linalg.inv((z * w[:, None]).T @ z - cross.T @ (cross / own[:, None]))
        step = inverse @ (score - cross.T @ (score_person / own))
        b = b + step
        person = person + (score_person - cross @ step) / own
        if np.abs(step).max() < 1e-8:
            break
    return b[:-1], np.sqrt(np.diag(inverse))[:-1], float(w.mean())


def _benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    order = np.argsort(p)
    scaled = p[order] * len(p) / np.arange(1, len(p) + 1)
    q = np.empty(len(p))
    q[order] = np.minimum.accumulate(scaled[::-1])[::-1].clip(0, 1)
    return q
