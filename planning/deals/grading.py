"""Hot, Warm or Cold: leads graded by a calibrated chance, each grade with the rate it promises and the rate it kept.

The later half of the leads is judged in parts,
each by a model of everything before it. A grade promises a rate with an interval for
the next period: luck of the draw, and how far earlier promises were off beyond luck (drift), measured on the past.
Recalibration is kept only where it helped on held-out leads; it can hurt as easily.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planning.deals import auditing
from planning.deals.attribution import one_thread, usable_fields
from planning.deals.design import build_design
from planning.deals.families import Families, as_families, check_against
from planning.deals.funnel import Z90, wilson
from planning.deals.heldout import delong
from planning.deals.lead_sentences import wrong_shares
from planning.deals.prepare import Prepared, prepare
from planning.deals.winmodel import fit
from planning.errors import DataError, UsageError

GRADES = ("hot", "warm", "cold")
LEAST = 400
BLOCKS, FIRST, MEMORY = 10, 5, 4


class TooFew(DataError):
    """Too few decided leads, or no field that was known in time: `leads` and `fields` say how many there are."""

    def __init__(self, leads: int, fields: int):
        super().__init__(
            f"{leads} decided leads and {fields} fields known in time; at least {LEAST} and 1 are meant."
        )
        self.leads, self.fields = leads, fields


@dataclass(frozen=True)
class Grading:
    """`grades`: promise and record per grade; `over_time` the same by period; `leads`: a row each; scores; findings."""

    grades: pd.DataFrame
    over_time: pd.DataFrame
    leads: pd.DataFrame
    scores: dict[str, Any]
    findings: pd.DataFrame


def grade_leads(
    leads: pd.DataFrame,
    *,
    families: Families | Mapping | str | Path,
    outcome: str = "outcome",
    won: str = "won",
    lost: tuple[str, ...] = (),
    order: str | None = None,
    hot: float = 0.20,
    cold: float = 0.50,
) -> Grading:
    """Which leads deserve attention, and how far can the grades be believed?

    leads: one row a lead, decided and open ones. order: column that puts leads in time (default: creation date, else
    the row order). hot, cold: share of the earlier leads that lie above the hot and below the cold limit.

    `grades`: `grade, least` (probability the grade starts at), `leads, predicted` with `lo90,
    hi90` (promised for the later
    half), `observed` there with `observed_lo, observed_hi`,
    and `kept` (observed inside the promise). `over_time`: the same by `period`, with the days its leads came in
    (`began, ended`) where they have one. `leads`: `deal_id,
    probability, grade, state, half`. Raises TooFew, a DataError, with fewer than 400 decided leads or no field left.
    """
    if not (0 < hot < 1 and 0 < cold < 1 and hot + cold < 1):
        raise UsageError(wrong_shares(hot, cold))
    table = as_families(families)
    check_against(table, [str(name) for name in leads.columns], outcome)
    prepared = prepare(leads, outcome=outcome, won=won, lost=lost)
    findings = auditing.run_audit(prepared, table)
    usable = usable_fields(prepared, table, findings)
    closed = np.flatnonzero(prepared.outcomes.closed)
    if len(closed) < LEAST or not usable:
        raise TooFew(len(closed), len(usable))
    rows = closed[np.argsort(_times(prepared, order)[closed], kind="stable")]
    won_now = (prepared.outcomes.state[rows] == "won").astype(float)
    with one_thread(prepared):
        past, block = _replayed(prepared, usable, rows, won_now)
        final = _predict(prepared, usable, rows, won_now, np.arange(len(prepared.deals)))
    judged = [
        _judge(past, won_now[len(won_now) - len(past) :], block, number, hot, cold) for number in range(FIRST, BLOCKS)
    ]
    later = pd.concat(judged, ignore_index=True)
    shape, limits, _ = _promise(past, won_now[len(won_now) - len(past) :], block, BLOCKS, hot, cold)
    chance = 1 / (1 + np.exp(-_bend(final, shape)))
    chance[rows[len(rows) - len(later) :]] = later["chance"]
    frame = pd.DataFrame({"deal_id": prepared.ids, "probability": chance, "grade": grade_of(chance, limits),
                          "state": prepared.outcomes.state, "judged": False})  # fmt: skip
    frame.loc[rows[len(rows) - len(later) :], ["grade", "judged"]] = np.column_stack(
        [later["grade"], [True] * len(later)]
    )
    grades = _grade_table(later).assign(least=[limits[0], limits[1], 0.0])
    parts = [_grade_table(part).assign(period=number) for number, part in later.groupby("period")]
    over_time = pd.concat(parts, ignore_index=True)[["period", *grades.columns.drop("least")]]
    over_time = _dated(over_time, later["period"].to_numpy(), prepared, rows[len(rows) - len(later) :])
    scores = _scores(later["chance"].to_numpy(), later["won"].to_numpy())
    scores |= {"recalibrated": shape != (0.0, 1.0), "learned_on": len(rows) - len(later)}
    return Grading(grades, over_time, frame, scores, auditing.findings_frame(findings))


def _times(prepared: Prepared, order: str | None) -> np.ndarray:
    from planning.deals.audit_tables import find_dates

    if order is not None:
        return pd.Series(prepared.deals[order]).rank(method="first").to_numpy()
    created, _ = find_dates(prepared)
    if created is not None and created.notna().mean() > 0.9:
        return created.rank(method="first").fillna(0).to_numpy()
    return np.arange(len(prepared.deals), dtype=float)


def _dated(over_time: pd.DataFrame, period: np.ndarray, prepared: Prepared, rows: np.ndarray) -> pd.DataFrame:
    """Adds the first and the last day on which the leads of a period came in, where the leads have such a day."""
    from planning.deals.audit_tables import find_dates

    created, _ = find_dates(prepared)
    if created is None or created.iloc[rows].isna().all():
        return over_time
    days = created.iloc[rows].groupby(period)
    over_time.insert(1, "began", over_time["period"].map(days.min()))
    over_time.insert(2, "ended", over_time["period"].map(days.max()))
    return over_time


def _predict(
    prepared: Prepared, usable: dict[str, str], learn: np.ndarray, won: np.ndarray, score: np.ndarray
) -> np.ndarray:
    """Log-odds of the rows `score` from a model of the rows `learn` alone: bins and levels are learned there too."""
    columns = {name: prepared.columns[name] for name in usable}
    here = {name: replace(column, values=column.values.iloc[learn]) for name, column in columns.items()}
    varying = {name: column for name, column in here.items() if column.values.nunique(dropna=False) > 1}
    design = build_design(varying, {name: usable[name] for name in varying})
    model = fit(
        design, design.codes({name: c.values for name, c in varying.items()}), won, tolerance=3e-3, covariance=False
    )
    return model.log_odds(design.codes({name: columns[name].values.iloc[score] for name in varying}))


def _replayed(
    prepared: Prepared, usable: dict[str, str], rows: np.ndarray, won: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Each block of leads but the first predicted by a model of the blocks before it: log-odds and block number."""
    edges = np.linspace(0, len(rows), BLOCKS + 1).astype(int)
    eta, block = [], []
    for number in range(1, BLOCKS):
        learn, test = rows[: edges[number]], rows[edges[number] : edges[number + 1]]
        eta.append(_predict(prepared, usable, learn, won[: edges[number]], test))
        block.append(np.full(len(test), number))
    return np.concatenate(eta), np.concatenate(block)


def _promise(
    eta: np.ndarray, won: np.ndarray, block: np.ndarray, number: int, hot: float, cold: float
) -> tuple[tuple[float, float], tuple[float, float], dict[str, float]]:
    """What can be promised for block `number` from the blocks before it: recalibration, limits of the grades, drift."""
    seen = (block < number) & (block >= number - MEMORY)
    shape = _shape(eta[seen], won[seen], block[seen])
    both = []
    for bend in (shape, (0.0, 1.0)):  # the bend was fitted to these very promises: the plain ones are looked at too
        chance = 1 / (1 + np.exp(-_bend(eta[seen], bend)))
        limits = (float(np.quantile(chance, 1 - hot)), float(np.quantile(chance, cold)))
        both.append((limits, _drift(chance, won[seen], block[seen], limits)))
    return shape, both[0][0], {name: max(drift[name] for _, drift in both) for name in GRADES}


def _judge(eta: np.ndarray, won: np.ndarray, block: np.ndarray, number: int, hot: float, cold: float) -> pd.DataFrame:
    """The leads of one block with their chance and grade as promised before, and what came."""
    shape, limits, drift = _promise(eta, won, block, number, hot, cold)
    now = block == number
    chance = 1 / (1 + np.exp(-_bend(eta[now], shape)))
    grade = grade_of(chance, limits)
    return pd.DataFrame({"period": number - FIRST + 1, "chance": chance, "grade": grade, "won": won[now],
                         "drift": [drift[name] for name in grade]})  # fmt: skip


def _shape(eta: np.ndarray, won: np.ndarray, block: np.ndarray) -> tuple[float, float]:
    """A shift, or shift and stretch, of the log-odds learned on the last block but one, where it lowers the last one's
    log-loss; else none. The stretch must earn its keep beyond the shift: the model is shrunken already."""
    early, last = block == block.max() - 1, block == block.max()

    def loss(shape: tuple[float, float]) -> float:
        z = shape[0] + shape[1] * eta[last]
        return float(np.mean(np.logaddexp(0, z) - won[last] * z))

    best = (0.0, 1.0)
    for stretch in (False, True):
        shape = _platt(eta[early], won[early], stretch)
        if shape[1] > 0 and loss(shape) < loss(best) - 3e-3:
            best = shape
    return best


def _platt(eta: np.ndarray, won: np.ndarray, stretch: bool) -> tuple[float, float]:
    a, b = 0.0, 1.0
    for _ in range(25):
        p = 1 / (1 + np.exp(-(a + b * eta)))
        w = np.maximum(p * (1 - p), 1e-6)
        x = np.column_stack([np.ones(len(eta)), eta]) if stretch else np.ones((len(eta), 1))
        step = np.linalg.solve((x * w[:, None]).T @ x + 1e-6 * np.eye(x.shape[1]), x.T @ (won - p))
        a, b = a + step[0], b + (step[1] if stretch else 0.0)
    return float(a), float(b)


def _bend(eta: np.ndarray, shape: tuple[float, float]) -> np.ndarray:
    return shape[0] + shape[1] * eta


def grade_of(chance: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Hot from the first limit on, cold below the second."""
    return np.where(chance >= limits[0], "hot", np.where(chance < limits[1], "cold", "warm"))


def _drift(chance: np.ndarray, won: np.ndarray, block: np.ndarray, limits: tuple[float, float]) -> dict[str, float]:
    """Per grade the variance of past promises about what came, beyond the luck of the draw."""
    grade, out = grade_of(chance, limits), {}
    for name in GRADES:
        extra = []
        for number in np.unique(block):
            mine = (grade == name) & (block == number)
            if mine.sum() >= 10:
                p = chance[mine].mean()
                extra.append((won[mine].mean() - p) ** 2 - p * (1 - p) / mine.sum())
        out[name] = max(float(np.mean(extra)) if extra else 0.0, 0.0)
    common = float(np.mean(list(out.values())))
    return {name: max(value, common / 2) for name, value in out.items()}


def _grade_table(later: pd.DataFrame) -> pd.DataFrame:
    """Promise and record per grade; drift is common to a period's leads, so it is averaged over periods."""
    rows = []
    for name in GRADES:
        mine = later[later["grade"] == name]
        n = len(mine)
        p, seen = float(mine["chance"].mean()), float(mine["won"].mean())
        luck = float((mine["chance"] * (1 - mine["chance"])).sum()) / max(n, 1) ** 2
        by_period = mine.groupby("period")["drift"].agg(["size", "first"])
        drift = float(((by_period["size"] / max(n, 1)) ** 2 * by_period["first"]).sum())
        half = Z90 * np.sqrt(luck + drift) if n else np.nan
        low, high = wilson(np.array([mine["won"].sum()]), np.array([n]))
        kept = bool(abs(seen - p) <= half)
        rows.append((name, n, p, max(p - half, 0.0), min(p + half, 1.0), seen, float(low[0]), float(high[0]), kept))
    columns = ["grade", "leads", "predicted", "lo90", "hi90", "observed", "observed_lo", "observed_hi", "kept"]
    return pd.DataFrame(rows, columns=columns)


def _scores(chance: np.ndarray, won: np.ndarray) -> dict[str, Any]:
    eta = np.log(np.clip(chance, 1e-9, 1 - 1e-9) / np.clip(1 - chance, 1e-9, 1))
    auc, error = delong(eta, won)
    return {
        "auc": auc, "auc_lo": auc - Z90 * error, "auc_hi": min(auc + Z90 * error, 1.0),
        "brier": float(np.mean((chance - won) ** 2)), "log_loss": float(np.mean(np.logaddexp(0, eta) - won * eta)),
        "n": len(won), "rate": float(won.mean()),
    }  # fmt: skip
