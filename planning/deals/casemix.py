"""People adjusted for the deals they were given: who is better than chance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planning.deals.attribution import FamilyWeights, family_parts
from planning.deals.funnel import Z90

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
    p_top = np.clip(p_top, 0.5 / draws, 1 - 0.5 / draws)  # drawn: never is not impossible
    p_below = (drawn < np.median(drawn, axis=1, keepdims=True)).mean(axis=0)
    verdict = np.where(np.round(p_top, 2) >= SURE, "top", np.where((p_below > 0.95), "below", "cannot tell"))
    expected = np.bincount(codes, 1 / (1 + np.exp(-offset)), len(names))
    frame = pd.DataFrame({
        "person": names, "deals": np.bincount(codes, minlength=len(names)),
        "wins": np.bincount(codes, won, len(names)).astype(int),
        "expected_wins": expected * won.sum() / max(expected.sum(), 1e-9), "effect": effect,
        "lo90": effect - Z90 * np.sqrt(variance), "hi90": effect + Z90 * np.sqrt(variance),
        "p_top": p_top, "verdict": verdict,
    })  # fmt: skip
    return frame.sort_values("p_top", ascending=False, kind="stable").reset_index(drop=True)
