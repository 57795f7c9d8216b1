"""The lost-deal review: typical losses, surprise losses, competitors, needs misjudged, and what to improve first."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planning.deals.attribution import FamilyWeights, canonical_order, deal_contributions
from planning.deals.casemix import shrunken_effects

SURPRISE = 0.60
MOST = 3000


def typical_losses(result: FamilyWeights, *, kinds: int = 4, seed: int = 0) -> pd.DataFrame:
    """What do lost deals look like, in a few kinds? Medoids of the lost deals' family contributions.

    Returns one row a kind: `deal_id` of its most central deal, `deals, share, weakest, strongest` (the families that
    spoke most against and for it), and that deal's contribution per family.
    """
    order = canonical_order(result.codes, result.prepared.won, result.prepared.ids[result.prepared.outcomes.closed])
    parts = deal_contributions(result).set_index("deal_id").drop(columns="intercept").iloc[order]
    parts = parts[result.prepared.won[order] == 0]
    rng = np.random.default_rng(seed)
    sample = parts if len(parts) <= MOST else parts.iloc[np.sort(rng.choice(len(parts), MOST, replace=False))]
    centres = _medoids(sample.to_numpy(), min(kinds, len(sample)), rng)
    distances = ((parts.to_numpy()[:, None, :] - sample.to_numpy()[centres][None]) ** 2).sum(axis=2)
    sizes = np.bincount(distances.argmin(axis=1), minlength=len(centres))
    frame = sample.iloc[centres].reset_index()
    frame.insert(1, "deals", sizes)
    frame.insert(2, "share", sizes / max(len(parts), 1))
    frame.insert(3, "weakest", sample.iloc[centres].idxmin(axis=1).to_numpy())
    frame.insert(4, "strongest", sample.iloc[centres].idxmax(axis=1).to_numpy())
    return frame.sort_values("deals", ascending=False, kind="stable").reset_index(drop=True)


def _medoids(x: np.ndarray, kinds: int, rng: np.random.Generator) -> np.ndarray:
    """k-medoids by alternating assignment and re-centring, started far apart (k-means++)."""
    squares = (x**2).sum(axis=1)
    distance = np.maximum(squares[:, None] + squares[None, :] - 2 * x @ x.T, 0)
    centres = [int(distance.sum(axis=1).argmin())]
    while len(centres) < kinds:
        nearest = distance[:, centres].min(axis=1)
        if nearest.sum() <= 0:
            break
        centres.append(int(rng.choice(len(x), p=nearest / nearest.sum())))
    for _ in range(50):
        owner = distance[:, centres].argmin(axis=1)
        fresh = [int(np.flatnonzero(owner == k)[np.sqrt(distance[np.ix_(owner == k, owner == k)]).sum(axis=1).argmin()])
                 for k in range(len(centres)) if (owner == k).any()]  # fmt: skip
        if fresh == centres:
            break
        centres = fresh
    return np.array(centres)


def surprise_losses(result: FamilyWeights, *, least: float = SURPRISE) -> pd.DataFrame:
    """Which deals were lost although everything recorded spoke for them? `deal_id, win_probability, strongest,
    weakest`."""
    parts = deal_contributions(result).set_index("deal_id")
    chance = 1 / (1 + np.exp(-parts.sum(axis=1)))
    lost = (result.prepared.won == 0) & (chance.to_numpy() >= least)
    families = parts.drop(columns="intercept")[lost]
    frame = pd.DataFrame({"deal_id": families.index, "win_probability": chance[lost].to_numpy()})
    frame["strongest"], frame["weakest"] = families.idxmax(axis=1).to_numpy(), families.idxmin(axis=1).to_numpy()
    return frame.sort_values("win_probability", ascending=False, kind="stable").reset_index(drop=True)


def every_deal(result: FamilyWeights) -> pd.DataFrame:
    """What pulled each closed deal up or down, by family and by field, in log-odds?

    Returns one row a won or lost deal: `deal_id, outcome, win_probability, log_odds, intercept`, one column a family,
    then one column `family: field`; 0 is the average deal. A row's `intercept` and families add up to its `log_odds`,
    a family's fields to the family.
    """
    parts, fields = deal_contributions(result), deal_contributions(result, by="field")
    total = parts.drop(columns="deal_id").sum(axis=1)
    owner = {term.field: term.family for term in result.model.design.terms}
    named = fields.drop(columns=["deal_id", "intercept"]).rename(columns=lambda name: f"{owner[name]}: {name}")
    head = pd.DataFrame({
        "deal_id": parts["deal_id"], "outcome": np.where(result.prepared.won == 1, "won", "lost"),
        "win_probability": 1 / (1 + np.exp(-total)), "log_odds": total, "intercept": parts["intercept"],
    })  # fmt: skip
    return pd.concat([head, parts.drop(columns=["deal_id", "intercept"]), named], axis=1)


def against_competitors(result: FamilyWeights, competitor: pd.Series) -> pd.DataFrame:
    """How do we fare against each competitor, the deals' difficulty held equal?

    competitor: name by deal_id. Returns `competitor, deals, wins, win_rate, expected_rate` (from the rest of the deal),
    `adjusted_rate` with `lo90, hi90` (shrunken towards the common rate) and `verdict`: better, worse, cannot tell.
    """
    ids = result.prepared.ids[result.prepared.outcomes.closed].to_numpy()
    names = competitor.reindex(ids)
    known = names.notna().to_numpy()
    columns = ["competitor", "deals", "wins", "win_rate", "expected_rate", "adjusted_rate", "lo90", "hi90", "verdict"]
    if known.sum() < 50:
        return pd.DataFrame(columns=columns)
    codes, labels = pd.factorize(names[known].to_numpy())
    won, offset = result.prepared.won[known], _without_field(result, competitor.name)[known]
    effect, variance, _ = shrunken_effects(won, offset, codes, len(labels))
    base = won.mean()
    centre = np.log(base / (1 - base))
    counts, wins = np.bincount(codes), np.bincount(codes, won)
    rate = lambda u: 1 / (1 + np.exp(-(centre + u)))  # noqa: E731
    low, high = rate(effect - 1.645 * np.sqrt(variance)), rate(effect + 1.645 * np.sqrt(variance))
    frame = pd.DataFrame({
        "competitor": labels, "deals": counts, "wins": wins.astype(int), "win_rate": wins / counts,
        "expected_rate": np.bincount(codes, 1 / (1 + np.exp(-offset))) / counts, "adjusted_rate": rate(effect),
        "lo90": low, "hi90": high,
        "verdict": np.where(low > base, "better", np.where(high < base, "worse", "cannot tell")),
    })  # fmt: skip
    return frame.sort_values("adjusted_rate", kind="stable").reset_index(drop=True)


def _without_field(result: FamilyWeights, name: object) -> np.ndarray:
    model = result.model
    parts = model.design.contributions(result.codes, model.coefficients)
    keep = [term.field != name for term in model.design.terms]
    return model.coefficients[0] + parts[:, keep].sum(axis=1)


def unmet_needs(deals: pd.DataFrame) -> pd.DataFrame:
    """Which requirement did we not meet, by product line? `line, need, deals, lost, win_rate` over closed deals."""
    if not {"unmet_requirement", "line", "outcome"} <= set(deals.columns):
        return pd.DataFrame(columns=["line", "need", "deals", "lost", "win_rate"])
    closed = deals[deals["outcome"].isin(["won", "lost"]) & deals["unmet_requirement"].notna()]
    grouped = closed.assign(won=closed["outcome"] == "won").groupby(["line", "unmet_requirement"], observed=True)["won"]
    frame = grouped.agg(["size", "sum"]).reset_index()
    frame.columns = ["line", "need", "deals", "won"]
    frame["lost"] = frame["deals"] - frame["won"]
    frame["win_rate"] = frame["won"] / frame["deals"]
    return frame.drop(columns="won").sort_values("lost", ascending=False, kind="stable").reset_index(drop=True)


def improvements(totals: pd.DataFrame, owners: dict[str, str], as_of: pd.Timestamp, *, months: int = 6) -> pd.DataFrame:
    """What to change first: levers by expected wins, with who owns it and when its effect is checked."""
    frame = totals.sort_values("expected_wins", ascending=False, kind="stable").reset_index(drop=True)
    frame["owner"] = [owners.get(lever, "") for lever in frame["lever"]]
    frame["check_on"] = (as_of + pd.DateOffset(months=months)).normalize()
    return frame
