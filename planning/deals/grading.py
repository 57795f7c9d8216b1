"""Hot, Warm or Cold: leads graded by a calibrated chance, each grade with the rate it promises and the rate it kept.

The model learns on the earlier leads only and is judged on the later ones. A grade promises a rate with an interval for
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
from planning.deals.prepare import Prepared, prepare
from planning.deals.winmodel import fit
from planning.errors import DataError

GRADES = ("hot", "warm", "cold")
LEAST = 400
BLOCKS = 5
PERIODS = 4


@dataclass(frozen=True)
class Grading:
    """`grades`: promise and record per grade; `over_time` the same per period; `leads` a row a lead; scores; "
    "findings."""

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
    and `kept` (observed inside the promise). `leads`: `deal_id,
    probability, grade, state, half`. Raises DataError with fewer than 400 decided leads or no field left.
    """
    table = as_families(families)
    check_against(table, [str(name) for name in leads.columns], outcome)
    prepared = prepare(leads, outcome=outcome, won=won, lost=lost)
    findings = auditing.run_audit(prepared, table)
    usable = usable_fields(prepared, table, findings)
    closed = np.flatnonzero(prepared.outcomes.closed)
    if len(closed) < LEAST or not usable:
        raise DataError(
            f"{len(closed)} decided leads and {len(usable)} fields known in time; {LEAST} leads and one field are meant."
        )
    rows = closed[np.argsort(_times(prepared, order)[closed], kind="stable")]
    won_now = (prepared.outcomes.state[rows] == "won").astype(float)
    half = len(rows) // 2
    with one_thread(prepared):
        past, truth, block = _replayed(prepared, usable, rows[:half], won_now[:half])
        shape = _shape(past, truth, block)
        eta = _bend(_predict(prepared, usable, rows[:half], won_now[:half], np.arange(len(prepared.deals))), shape)
    chance = 1 / (1 + np.exp(-eta))
    before = 1 / (1 + np.exp(-_bend(past, shape)))
    limits = (float(np.quantile(before, 1 - hot)), float(np.quantile(before, cold)))
    drift = _drift(before, truth, block, limits)
    grades = _grade_table(chance[rows[half:]], won_now[half:], limits, drift)
    over_time = _over_time(chance[rows[half:]], won_now[half:], limits, drift)
    scores = _scores(chance[rows[half:]], won_now[half:]) | {"recalibrated": shape != (0.0, 1.0), "learned_on": half}
    frame = pd.DataFrame({"deal_id": prepared.ids, "probability": chance, "grade": _grade(chance, limits),
                          "state": prepared.outcomes.state})  # fmt: skip
    frame["half"] = ""
    frame.loc[rows[:half], "half"], frame.loc[rows[half:], "half"] = "learned on", "judged on"
    return Grading(grades, over_time, frame, scores, auditing.findings_frame(findings))


def _times(prepared: Prepared, order: str | None) -> np.ndarray:
    from planning.deals.audit_tables import find_dates

    if order is not None:
        return pd.Series(prepared.deals[order]).rank(method="first").to_numpy()
    created, _ = find_dates(prepared)
    if created is not None and created.notna().mean() > 0.9:
        return created.rank(method="first").fillna(0).to_numpy()
    return np.arange(len(prepared.deals), dtype=float)


def _predict(
    prepared: Prepared, usable: dict[str, str], learn: np.ndarray, won: np.ndarray, score: np.ndarray
) -> np.ndarray:
    """Log-odds of the rows `score` from a model of the rows `learn` alone: bins and levels are learned there too."""
    columns = {name: prepared.columns[name] for name in usable}
    here = {name: replace(column, values=column.values.iloc[learn]) for name, column in columns.items()}
    varying = {name: column for name, column in here.items() if column.values.nunique(dropna=False) > 1}
    design = build_design(varying, {name: usable[name] for name in varying})
    model = fit(design, design.codes({name: c.values for name, c in varying.items()}), won, tolerance=3e-3)
    return model.log_odds(design.codes({name: columns[name].values.iloc[score] for name in varying}))


def _replayed(prepared: Prepared, usable: dict[str, str], rows: np.ndarray, won: np.ndarray) -> tuple[np.ndarray, ...]:
    """Past promises: each block of the earlier half predicted from the blocks before it."""
    edges = np.linspace(0, len(rows), BLOCKS + 1).astype(int)
    eta, block = [], []
    for number in range(1, BLOCKS):
        learn, test = rows[: edges[number]], rows[edges[number] : edges[number + 1]]
        eta.append(_predict(prepared, usable, learn, won[: edges[number]], test))
        block.append(np.full(len(test), number))
    return np.concatenate(eta), won[edges[1] :], np.concatenate(block)


def _shape(eta: np.ndarray, won: np.ndarray, block: np.ndarray) -> tuple[float, float]:
    """Shift and stretch of the log-odds (Platt) where they lower the log-loss of the last block, else none."""
    early = block < block.max()
    a, b = 0.0, 1.0
    for _ in range(25):
        p = 1 / (1 + np.exp(-(a + b * eta[early])))
        w = np.maximum(p * (1 - p), 1e-6)
        x = np.column_stack([np.ones(early.sum()), eta[early]])
        step = np.linalg.solve((x * w[:, None]).T @ x + 1e-6 * np.eye(2), x.T @ (won[early] - p))
        a, b = a + step[0], b + step[1]
    loss = lambda z: float(np.mean(np.logaddexp(0, z) - won[~early] * z))  # noqa: E731
    return (float(a), float(b)) if b > 0 and loss(a + b * eta[~early]) < loss(eta[~early]) - 1e-4 else (0.0, 1.0)


def _bend(eta: np.ndarray, shape: tuple[float, float]) -> np.ndarray:
    return shape[0] + shape[1] * eta


def _grade(chance: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    return np.where(chance >= limits[0], "hot", np.where(chance < limits[1], "cold", "warm"))


def _drift(chance: np.ndarray, won: np.ndarray, block: np.ndarray, limits: tuple[float, float]) -> dict[str, float]:
    """Per grade the variance of past promises about what came, beyond the luck of the draw."""
    grade, out = _grade(chance, limits), {}
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


def _grade_table(
    chance: np.ndarray, won: np.ndarray, limits: tuple[float, float], drift: dict[str, float]
) -> pd.DataFrame:
    grade, rows = _grade(chance, limits), []
    least = {"hot": limits[0], "warm": limits[1], "cold": 0.0}
    for name in GRADES:
        mine = grade == name
        n = int(mine.sum())
        p = float(chance[mine].mean()) if n else np.nan
        half = Z90 * np.sqrt(np.mean(chance[mine] * (1 - chance[mine])) / n + drift[name]) if n else np.nan
        seen = float(won[mine].mean()) if n else np.nan
        low, high = wilson(np.array([won[mine].sum()]), np.array([n]))
        rows.append(
            (
                name,
                least[name],
                n,
                p,
                max(p - half, 0.0),
                min(p + half, 1.0),
                seen,
                low[0],
                high[0],
                abs(seen - p) <= half,
            )
        )
    columns = ["grade", "least", "leads", "predicted", "lo90", "hi90", "observed", "observed_lo", "observed_hi", "kept"]
    return pd.DataFrame(rows, columns=columns)


def _over_time(
    chance: np.ndarray, won: np.ndarray, limits: tuple[float, float], drift: dict[str, float]
) -> pd.DataFrame:
    parts = np.array_split(np.arange(len(won)), PERIODS)
    tables = [
        _grade_table(chance[part], won[part], limits, drift).assign(period=number)
        for number, part in enumerate(parts, 1)
    ]
    return pd.concat(tables, ignore_index=True)[
        ["period", "grade", "leads", "predicted", "lo90", "hi90", "observed", "kept"]
    ]


def _scores(chance: np.ndarray, won: np.ndarray) -> dict[str, Any]:
    eta = np.log(np.clip(chance, 1e-9, 1 - 1e-9) / np.clip(1 - chance, 1e-9, 1))
    auc, error = delong(eta, won)
    return {
        "auc": auc, "auc_lo": auc - Z90 * error, "auc_hi": min(auc + Z90 * error, 1.0),
        "brier": float(np.mean((chance - won) ** 2)), "log_loss": float(np.mean(np.logaddexp(0, eta) - won * eta)),
        "n": len(won), "rate": float(won.mean()),
    }  # fmt: skip
