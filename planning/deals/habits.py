"""Practices: what people do differently from deal to deal, and which of it goes with winning.

Compared inside the same person's deals, so that what able people happen to do is not taken for what makes them able;
with the deals' difficulty held equal, so that a habit of easy deals is not either; and under false-discovery control,
since of many habits looked at some differ by luck. Comparing the best with the rest does none of the three: of what it
finds, more than half is false (`make bench-deals`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy import special

from planning.deals.attribution import FamilyWeights
from planning.deals.auditing import refused_fields
from planning.deals.families import Families, standard_levers
from planning.deals.funnel import Z90, wilson
from planning.deals.prepare import Finding

HABITS = ("skill", "process")
THIRDS = ("low", "middle", "high")
PRACTICE_COLUMNS = ["practice", "effect", "lo90", "hi90", "points", "points_lo", "points_hi", "p", "q", "verdict"]


def practice_fields(result: FamilyWeights, families: Families) -> dict[str, str]:
    """Which fields say how a deal was worked, and which way is "more of it": levers but the price, and numbers of the
    families skill and process. Running times are none of them: a deal that moves fast is often one the customer wants.
    """
    barred = refused_fields([Finding(row.severity, row.field, row.rule, "") for row in result.findings.itertuples()])
    columns = result.prepared.columns
    wanted = {name: way for name, way in families.levers.items() if families.family_of.get(name) != "price"}
    for family in HABITS:
        usual = standard_levers()
        wanted |= {name: usual.get(name, "up") for name in families.fields.get(family, ()) if name not in wanted}
    return {
        name: way
        for name, way in wanted.items()
        if name in columns and columns[name].kind == "number" and name not in barred
    }


def practices(result: FamilyWeights, fields: dict[str, str], people: pd.Series, *, rate: float = 0.10) -> pd.DataFrame:
    """Which habits go with winning inside the same person's deals, the deals' difficulty held equal?

    fields: numeric practices with the way they are moved,
    such as {"response_hours": "down"}. Returns one row a practice: `practice, effect` (log-odds per
    standard deviation within a person, that way) with `lo90, hi90`, `points` (win rate,
    same unit) with `points_lo, points_hi`,
    `p`, `q` (Benjamini-Hochberg) and `verdict`: differs or cannot tell; about `rate` of those that differ are chance.
    """
    codes, won = _person_codes(result, people), result.prepared.won
    columns, names = [], []
    for name, way in fields.items():
        values = (-1 if way == "down" else 1) * _normal_scores(result.prepared.closed_column(name))
        inside = values - (np.bincount(codes, values) / np.bincount(codes))[codes]
        if inside.std() > 0.05:
            columns.append(inside / inside.std())
            names.append(name)
    if not names:
        return pd.DataFrame(columns=PRACTICE_COLUMNS)
    offset = _offset_without(result, names)
    b, error, slope = _within(won, offset, codes, np.column_stack(columns))
    p = 2 * special.ndtr(-np.abs(b / error))
    q = _benjamini_hochberg(p)
    frame = pd.DataFrame({
        "practice": names, "effect": b, "lo90": b - Z90 * error, "hi90": b + Z90 * error, "points": slope * b,
        "points_lo": slope * (b - Z90 * error), "points_hi": slope * (b + Z90 * error), "p": p, "q": q,
        "verdict": np.where(q <= rate, "differs", "cannot tell"),
    })  # fmt: skip
    return frame.sort_values("p", kind="stable").reset_index(drop=True)


def _normal_scores(values: pd.Series) -> np.ndarray:
    ranks = values.rank(pct=True).fillna(0.5).to_numpy()
    return special.ndtri(np.clip(ranks - 0.5 / len(values), 1e-4, 1 - 1e-4))


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


def by_thirds(result: FamilyWeights, fields: Mapping[str, str], people: pd.Series) -> pd.DataFrame:
    """How often does a person win when doing least, middling and most of a practice, against what the deals let expect?

    Each person's own deals are cut into thirds by the practice (two-valued ones in two), so people are compared with
    themselves. Returns one row a practice and third: `practice, third` (low, middle, high, as the field is written),
    `typical` (its median), `deals, wins, win_rate` with `lo90, hi90`, and `expected_rate` of these deals for anybody.
    """
    codes, won = _person_codes(result, people), result.prepared.won
    rows = []
    for name in fields:
        values = result.prepared.closed_column(name).to_numpy("float64")
        expected = 1 / (1 + np.exp(-_offset_without(result, [name])))
        expected = expected * won.mean() / expected.mean()
        for third, members in _own_thirds(values, codes):
            n, wins = int(members.sum()), int(won[members].sum())
            if n:
                low, high = wilson(np.array([wins]), np.array([n]))
                rows.append((name, third, float(np.median(values[members])), n, wins, wins / n, float(low[0]),
                             float(high[0]), float(expected[members].mean())))  # fmt: skip
    columns = ["practice", "third", "typical", "deals", "wins", "win_rate", "lo90", "hi90", "expected_rate"]
    return pd.DataFrame(rows, columns=columns)


def _own_thirds(values: np.ndarray, codes: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Deals in the lower, middle and upper third of their person's own; two-valued fields by their value."""
    known = ~np.isnan(values)
    if len(np.unique(values[known])) <= 2:
        top = values[known].max(initial=-np.inf)
        return [("low", known & (values < top)), ("high", known & (values == top))]
    frame = pd.DataFrame({"value": values, "who": codes})
    rank = frame.groupby("who")["value"].rank(pct=True).to_numpy()
    enough = frame.groupby("who")["value"].transform("count").to_numpy() >= 6
    place = np.where(rank <= 1 / 3, 0, np.where(rank <= 2 / 3, 1, 2))
    return [(name, known & enough & (place == number)) for number, name in enumerate(THIRDS)]


def _person_codes(result: FamilyWeights, people: pd.Series) -> np.ndarray:
    ids = result.prepared.ids[result.prepared.outcomes.closed].to_numpy()
    return pd.Categorical(people.reindex(ids).fillna("(none)")).codes.astype(int)


def library(practised: pd.DataFrame, thirds: pd.DataFrame, as_of: pd.Timestamp, *, months: int = 6) -> pd.DataFrame:
    """What does the company know of each practice, and what is to be done with it until when?

    practised, thirds: as of `practices` (with `way, owner`) and `by_thirds`. Returns one row a practice: `practice,
    verdict, points` with its interval, `beyond_less, beyond_more` (win rate beyond what the deals let expect, in the
    third with less and with more of it, in points), `seen_from` (the difference that would have been told from
    chance), `next_step` (spread, look, collect), `owner, check_on`.
    """
    beyond = thirds.assign(beyond=100 * (thirds["win_rate"] - thirds["expected_rate"]))
    beyond = beyond.pivot_table(index="practice", columns="third", values="beyond").reindex(columns=["low", "high"])
    frame = practised[["practice", "verdict", "points", "points_lo", "points_hi", "owner"]].copy()
    turned = (practised["way"] == "down").to_numpy()
    low, high = (frame["practice"].map(beyond[third]).to_numpy() for third in ("low", "high"))
    frame["beyond_less"], frame["beyond_more"] = np.where(turned, high, low), np.where(turned, low, high)
    frame["seen_from"] = (frame["points_hi"] - frame["points_lo"]) / 2
    differs = frame["verdict"] == "differs"
    frame["next_step"] = np.where(differs & (frame["points"] > 0), "spread", np.where(differs, "look", "collect"))
    frame["check_on"] = (as_of + pd.DateOffset(months=months)).normalize()
    order = ["practice", "verdict", "points", "points_lo", "points_hi", "beyond_less", "beyond_more", "seen_from",
             "next_step", "owner", "check_on"]  # fmt: skip
    return frame[order].reset_index(drop=True)
