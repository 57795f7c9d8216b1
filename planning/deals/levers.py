"""What might have won it: the chance that a lost deal had been won with one lever moved inside the range seen.

    P(would have won | lost) = (p' - p) ÷ (1 - p)

p is the model's chance as the deal was, p' with the lever moved by one standard deviation, at most to the 90th
percentile seen. It is a probability for sums and rankings: no single deal is ever said to have been winnable for
sure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from planning.deals.attribution import FamilyWeights, one_thread
from planning.deals.calibrate import posterior_draws
from planning.errors import UsageError, did_you_mean

DRAWS = 200
COLUMNS = ["deal_id", "lever", "now", "moved_to", "win_probability", "moved_probability", "chance", "lo90", "hi90",
           "distance", "seen_share"]  # fmt: skip


@dataclass(frozen=True)
class Counterfactual:
    """`deals`: one row a lost deal and lever; `totals`: expected wins a lever with 90 % interval."""

    deals: pd.DataFrame
    totals: pd.DataFrame


def counterfactual(
    result: FamilyWeights, levers: Mapping[str, int | str], *, step: float = 1.0, limit: float = 0.9, seed: int = 0
) -> Counterfactual:
    """How likely had each lost deal been won with one lever moved, and how many wins is that in sum?

    levers: field → +1/"up" or -1/"down", the direction a person can move it. step: in standard deviations. limit:
    quantile of the range seen that no lever goes beyond.

    `deals`: `chance` is P(would have won | lost) with `lo90, hi90`; `distance` the move in standard deviations, 0
    where the deal is at the limit already; `seen_share` the share of closed deals at least as far along. `totals`:
    `lever, deals, expected_wins, lo90, hi90`. Raises UsageError for a refused model or a lever that is no number of
    the model.
    """
    if result.model is None or result.codes is None:
        raise UsageError("these data carry no model: " + "; ".join(result.summary["reasons"]))
    directions = {name: _sign(name, way) for name, way in levers.items()}
    with one_thread(result.prepared):
        rows, totals = [], []
        lost = np.flatnonzero(result.prepared.won == 0)
        draws = posterior_draws(result.model, DRAWS, seed)
        base = _log_odds(result, result.codes[lost], draws)
        for name, sign in directions.items():
            part, wins = _one_lever(result, name, sign, step, limit, lost, draws, base)
            rows.append(part)
            totals.append(_total(name, part, wins))
    return Counterfactual(pd.concat(rows, ignore_index=True)[COLUMNS], pd.DataFrame(totals))


def _sign(name: str, way: int | str) -> int:
    known = {"up": 1, "down": -1, 1: 1, -1: -1, "+": 1, "-": -1}
    if way not in known:
        raise UsageError(f'lever {name!r}: {way!r} is no direction. Say "up" or "down".')
    return known[way]


def _log_odds(result: FamilyWeights, codes: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Log-odds (draws + 1, n): the estimate first, then one row a posterior draw."""
    model = result.model
    b = np.vstack([model.coefficients, draws]).astype(np.float32)
    out = np.empty((len(b), len(codes)), dtype=np.float32)
    for start in range(0, len(codes), 8192):
        out[:, start : start + 8192] = b @ model.design.matrix(codes[start : start + 8192]).T
    return out


def _one_lever(result, name, sign, step, limit, lost, draws, base) -> tuple[pd.DataFrame, np.ndarray]:
    terms = [term.field for term in result.model.design.terms]
    if name not in terms:
        raise UsageError(
            f"lever {name!r} is no field of the model.{did_you_mean(name, terms)} It has: {', '.join(terms)}."
        )
    place = terms.index(name)
    term = result.model.design.terms[place]
    if term.kind != "number":
        raise UsageError(f"lever {name!r} is a class; a lever is a number that a person can raise or lower.")
    values = result.prepared.closed_column(name).to_numpy("float64")
    moved, distance, seen = _move(values, lost, sign, step, limit)
    codes = term.code(pd.Series(moved))
    columns = result.model.design.slices[place]
    table = term.table.astype(np.float64)
    shift = table[codes] - table[result.codes[lost, place]]
    b = np.vstack([result.model.coefficients[columns], draws[:, columns]])
    before, after = _chance(base), _chance(base + b @ shift.T)
    gain = np.clip((after - before) / np.maximum(1 - before, 1e-9), 0, 1)
    frame = pd.DataFrame({
        "deal_id": result.prepared.ids[result.prepared.outcomes.closed].to_numpy()[lost], "lever": name,
        "now": values[lost], "moved_to": moved, "win_probability": before[0], "moved_probability": after[0],
        "chance": gain[0], "lo90": np.quantile(gain[1:], 0.05, axis=0), "hi90": np.quantile(gain[1:], 0.95, axis=0),
        "distance": distance, "seen_share": seen,
    })  # fmt: skip
    frame[["lo90", "hi90"]] = np.column_stack(
        [frame[["lo90", "chance"]].min(axis=1), frame[["hi90", "chance"]].max(axis=1)]
    )
    return frame, gain[1:].sum(axis=1)


def _chance(eta: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(eta, -30, 30)))


def _move(values: np.ndarray, lost: np.ndarray, sign: int, step: float, limit: float) -> tuple[np.ndarray, ...]:
    """Moves by `step` sd within the quantile `limit`; a two-valued field moves to its better value."""
    known = values[~np.isnan(values)]
    spread = float(known.std()) or 1.0
    edge = float(np.quantile(known, limit if sign > 0 else 1 - limit))
    now = values[lost]
    if len(np.unique(known)) <= 2:
        edge = float(known.max() if sign > 0 else known.min())
        target = np.full(len(now), edge)
    else:
        target = np.minimum(now + step * spread, edge) if sign > 0 else np.maximum(now - step * spread, edge)
    target = np.maximum(target, now) if sign > 0 else np.minimum(target, now)
    moved = np.where(np.isnan(now), np.nan, target)
    distance = np.where(np.isnan(now), 0.0, np.abs(target - now) / spread)
    order = np.sort(known)
    seen = np.searchsorted(order, moved, side="left") / len(order)
    return moved, distance, (1 - seen) if sign > 0 else np.searchsorted(order, moved, side="right") / len(order)


def _total(name: str, part: pd.DataFrame, wins: np.ndarray) -> dict:
    """Expected wins of one lever; the interval adds the chance of the deals themselves to that of the model."""
    expected = float(part["chance"].sum())
    luck = float((part["chance"] * (1 - part["chance"])).sum())
    spread = 1.645 * np.sqrt(float(wins.var()) + luck)
    moved = int((part["distance"] > 0).sum())
    return {
        "lever": name,
        "deals": moved,
        "expected_wins": expected,
        "lo90": max(expected - spread, 0.0),
        "hi90": expected + spread,
    }


def best_lever(counter: Counterfactual, *, top: int | None = None) -> pd.DataFrame:
    """The lever with the largest chance per lost deal, largest first."""
    best = counter.deals.sort_values("chance", ascending=False, kind="stable").drop_duplicates("deal_id")
    return best.head(top).reset_index(drop=True) if top else best.reset_index(drop=True)
