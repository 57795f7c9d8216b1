"""Why the win rate moved between two periods, and what separates won from lost deals: shares that sum exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from planning.deals.attribution import FamilyWeights, canonical_order, family_parts
from planning.deals.calibrate import posterior_draws
from planning.errors import UsageError

REPEATS = 200


def period_change(result: FamilyWeights, dates: pd.Series, split: pd.Timestamp, *, seed: int = 0) -> pd.DataFrame:
    """Why did the win rate change from before `split` to after it?

    dates: by deal_id (closing or creation). Rows: each family (its mean contribution moved, times the mean slope of
    the win rate), `mix` (the spread of deals changed), `unexplained` (what no recorded field saw), and `total`;
    `points` are win rate differences (0.02 = 2 points) with 90 % intervals over deals and model; the rows sum to the
    total exactly.
    """
    parts, after, known = _two_periods(result, dates, split)
    won = result.prepared.won[known]
    families = list(result.model.design.families)
    intercept = float(result.model.coefficients[0])
    rng = np.random.default_rng(seed)
    steps = posterior_draws(result.model, REPEATS, seed) - result.model.coefficients
    codes = result.codes[known]
    point = _decompose(parts, intercept, won, after)
    repeats = np.empty((REPEATS, len(point)))
    for number in range(REPEATS):
        rows = rng.integers(0, len(won), len(won))
        noise = family_parts(replace(result.model, coefficients=steps[number]), codes)
        repeats[number] = _decompose((parts + noise)[rows], intercept, won[rows], after[rows])
    low, high = np.nanquantile(repeats, [0.05, 0.95], axis=0)
    frame = pd.DataFrame({"part": [*families, "mix", "unexplained", "total"], "points": point})
    frame["lo90"], frame["hi90"] = np.minimum(low, point), np.maximum(high, point)
    return _as_named(frame, [*result.measured, "mix", "unexplained", "total"])


def _as_named(frame: pd.DataFrame, parts: list[str]) -> pd.DataFrame:
    """The rows in the order in which the families file names them."""
    return frame.set_index("part").loc[parts].reset_index()


def period_rates(result: FamilyWeights, dates: pd.Series, split: pd.Timestamp) -> pd.DataFrame:
    """What was the win rate before and after `split`? Two rows: `period` (before, after), `deals, wins, win_rate`."""
    _parts, after, known = _two_periods(result, dates, split)
    won = result.prepared.won[known]
    periods = (("before", ~after), ("after", after))
    rows = [(name, int(m.sum()), int(won[m].sum()), float(won[m].mean())) for name, m in periods]
    return pd.DataFrame(rows, columns=["period", "deals", "wins", "win_rate"])


def _two_periods(
    result: FamilyWeights, dates: pd.Series, split: pd.Timestamp
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids = result.prepared.ids[result.prepared.outcomes.closed].to_numpy()
    when = dates.reindex(ids)
    known = np.flatnonzero(when.notna().to_numpy())
    after = (when.iloc[known] >= split).to_numpy()
    order = canonical_order(np.column_stack([result.codes[known], after]), result.prepared.won[known])
    known, after = known[order], after[order]  # what is drawn from them does not depend on the order they came in
    if min(after.sum(), (~after).sum()) < 30:
        raise UsageError(
            f"{split:%Y-%m-%d} leaves {int((~after).sum())} deals before and {int(after.sum())} after; 30 are needed."
        )
    return family_parts(result.model, result.codes[known]), after, known


def _decompose(parts: np.ndarray, intercept: float, won: np.ndarray, after: np.ndarray) -> np.ndarray:
    chance = 1 / (1 + np.exp(-(intercept + parts.sum(axis=1))))
    slope = float(np.mean(chance * (1 - chance)))
    families = slope * (parts[after].mean(axis=0) - parts[~after].mean(axis=0))
    modelled = chance[after].mean() - chance[~after].mean()
    total = won[after].mean() - won[~after].mean()
    return np.concatenate([families, [modelled - families.sum(), total - modelled, total]])


def won_lost_gap(result: FamilyWeights, *, seed: int = 0) -> pd.DataFrame:
    """By how much do won and lost deals differ in log-odds, and from which families?

    Returns `part, gap, lo90, hi90, share`: one row a family and `total`; the families sum to the total exactly.
    """
    won = result.prepared.won == 1
    parts = family_parts(result.model, result.codes)
    gap = parts[won].mean(axis=0) - parts[~won].mean(axis=0)
    draws = posterior_draws(result.model, REPEATS, seed)
    design = result.model.design
    spread = np.zeros((REPEATS, len(gap)))
    place = {name: number for number, name in enumerate(design.families)}
    for number, (term, columns) in enumerate(zip(design.terms, design.slices, strict=True)):
        size = len(term.table)
        shares = (np.bincount(result.codes[won, number], minlength=size) / won.sum()
                  - np.bincount(result.codes[~won, number], minlength=size) / (~won).sum())  # fmt: skip
        spread[:, place[term.family]] += draws[:, columns] @ (shares @ term.table)
    low, high = np.quantile(spread, [0.05, 0.95], axis=0)
    total_low, total_high = np.quantile(spread.sum(axis=1), [0.05, 0.95])
    frame = pd.DataFrame({"part": [*design.families, "total"], "gap": [*gap, gap.sum()]})
    frame["lo90"] = np.minimum([*low, total_low], frame["gap"])
    frame["hi90"] = np.maximum([*high, total_high], frame["gap"])
    frame["share"] = frame["gap"] / gap.sum()
    return _as_named(frame, [*result.measured, "total"])
