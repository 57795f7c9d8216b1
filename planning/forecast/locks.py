"""Figures that management fixes: the forecast of these cells and months adds up to them, and the rest moves least.

```
locks    lock_id  author  made_on  <keys>  from  to  amount  reason  evidence  expires
listed   lock_id  author  reason   evidence  place  from  to  before  amount  status
```

With x the bottom cells and months of a forecast, one row of A a lock and v its amounts, the move d that is least in the
metric of the forecast's own variance W (what is surest moves least) is

    d = W A' (A W A')^-1 (v - A x)         errors the same with v = 0: what is fixed has none

Cells and months outside every lock stay as they are. A cell that was never negative is not pushed below zero: it stops
there and the others of its lock carry the rest. Months of a lock that are over count as sold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from planning.errors import DataError
from planning.forecast.joint_forecast import JointForecast
from planning.forecast.judgement import Judged, reach, row_status, row_text
from planning.forecast.outlook import Outlook

LISTED = ["lock_id", "author", "reason", "evidence", "place", "from", "to", "before", "amount", "status"]
CLOSE = 1e-6  # share of a lock's amount to which it must hold
ROUNDS = 20
LEAST_VARIANCE = 1e-6  # of the mean variance: a cell without errors still moves, but last


@dataclass(frozen=True)
class Fixed:
    """The forecast with its locks, and every lock with what the forecast was before and what became of it."""

    joint: JointForecast
    listed: pd.DataFrame


def fix(
    joint: JointForecast,
    locks: pd.DataFrame | None,
    *,
    made_by: pd.Timestamp | None = None,
    actual: pd.DataFrame | None = None,
) -> Fixed:
    """Returns the forecast with the locks that are valid for it, and the list of all.

    made_by: the forecast's as-of date, as in `judgement.adjust`. actual: `unique_id, ds, actual` of the bottom cells,
    for locks whose first months are over. A lock that reaches beyond the forecast's months is not applied: status
    `beyond`. Raises DataError where locks contradict each other, naming them.
    """
    if locks is None or locks.empty:
        return Fixed(joint, pd.DataFrame(columns=LISTED))
    low = np.flatnonzero(joint.bottom)
    cells = joint.cells.iloc[low]
    rows, amounts, listed = [], [], []
    for row in locks.sort_values(["from", "lock_id"], kind="stable").to_dict("records"):
        inside, steps = reach(row, cells, joint)
        _whole_months(row)
        status = row_status(row, inside, steps, made_by)
        if status == "applied" and pd.Timestamp(row["to"]) > joint.periods[-1] + pd.offsets.MonthEnd(0):
            status = "beyond"
        before, ahead = 0.0, float(row["amount"])
        if status == "applied":
            sold = _sold(row, cells.iloc[inside], actual, joint.periods[0])
            before, ahead = sold + float(joint.mean[low][np.ix_(inside, steps)].sum()), ahead - sold
            rows.append((row_text(row, "lock_id"), inside, steps))
            amounts.append(ahead)
        listed.append(_listed(row, joint.keys, before, status))
    table = pd.DataFrame(listed, columns=LISTED)
    if not rows:
        return Fixed(joint, table)
    matrix = np.zeros((len(rows), len(low), len(joint.periods)), dtype=bool)
    for k, (_name, inside, steps) in enumerate(rows):
        matrix[k][np.ix_(inside, steps)] = True
    fixed = held(joint, matrix, np.array(amounts), [name for name, _inside, _steps in rows])
    ids, days = cells["unique_id"].to_numpy(), joint.periods.strftime("%Y-%m-%d")
    kept = [{"cells": ids[inside].tolist(), "periods": days[steps].tolist(), "amount": amount}
            for (_name, inside, steps), amount in zip(rows, amounts)]  # fmt: skip
    return Fixed(dataclasses.replace(fixed, meta=joint.meta | {"locks": kept}), table)


def of_outlook(look: Outlook, judged: Judged | None, locks: pd.DataFrame | None) -> Judged | None:
    """Returns the steps of the outlook's forecast with the locks known at its as-of day."""
    if judged is None or locks is None:
        return judged
    return of_judged(judged, locks, look.history.last + pd.offsets.MonthEnd(0), look.actual)


def of_judged(judged: Judged, locks: pd.DataFrame, day: pd.Timestamp, actual: pd.DataFrame | None = None) -> Judged:
    """Returns the steps of a forecast with the locks made by `day` in its last step, and in what targets start from."""
    final = fix(judged.adjusted, locks, made_by=day, actual=actual)
    held_too = fix(judged.statistical, locks, made_by=day, actual=actual)
    return dataclasses.replace(judged, final=final.joint, held=held_too.joint, fixed=final.listed)


def again(joint: JointForecast) -> JointForecast:
    """Returns a forecast that was changed after its locks were set with those locks holding that it covers whole."""
    ids, rows, amounts = pd.Index(joint.cells["unique_id"][joint.bottom]), [], []
    for lock in joint.meta.get("locks", []):
        inside, steps = ids.get_indexer(lock["cells"]), joint.periods.get_indexer(pd.DatetimeIndex(lock["periods"]))
        if (inside >= 0).all() and (steps >= 0).all():
            rows.append(np.zeros((len(ids), len(joint.periods)), dtype=bool))
            rows[-1][np.ix_(inside, steps)] = True
            amounts.append(lock["amount"])
    return held(joint, np.stack(rows), np.array(amounts), [str(k) for k in range(len(rows))]) if rows else joint


def held(joint: JointForecast, matrix: np.ndarray, amounts: np.ndarray, names: Sequence[str]) -> JointForecast:
    """Returns the forecast moved least so that the cells and months of each row of `matrix` add up to its amount.

    matrix: locks x bottom cells x months, True inside. Raises DataError where that is impossible.
    """
    low = np.flatnonzero(joint.bottom)
    a = matrix.reshape(len(matrix), -1).astype(float)
    errors = joint.errors[:, low].reshape(len(joint.errors), -1).astype(float)
    variance = joint.weights @ errors**2
    variance = np.maximum(variance, LEAST_VARIANCE * max(float(variance.mean()), 1e-300))
    floor = np.where(np.repeat(joint.nonnegative[low], len(joint.periods)), 0.0, -np.inf)
    start = joint.mean[low].ravel()
    values, free = start.copy(), np.ones(len(start), dtype=bool)
    for _round in range(ROUNDS):
        values = start + _move(a, variance * free, amounts - a @ np.where(free, start, floor.clip(min=0.0)))
        values = np.where(free, values, 0.0)
        below = free & (values < floor)
        if not below.any():
            break
        free &= ~below
    _check(a @ values, amounts, names)
    errors -= _move(a, variance * free, (a @ errors.T)).T
    mean, whole = joint.mean.copy(), joint.errors.copy()
    mean[low] = values.reshape(len(low), -1)
    whole[:, low] = errors.reshape(len(errors), len(low), -1).astype(np.float32)
    return joint._rebuilt(mean, whole)


def _move(a: np.ndarray, variance: np.ndarray, gap: np.ndarray) -> np.ndarray:
    """Returns W A' (A W A')^+ gap, one column a column of `gap`."""
    weighted = a * variance
    size = np.sqrt(np.maximum((weighted * a).sum(axis=1), 1e-300))
    system = (weighted @ a.T) / np.outer(size, size)
    scaled = np.linalg.pinv(system, rcond=1e-10, hermitian=True) @ (gap.T / size).T
    return weighted.T @ (scaled.T / size).T


def _check(found: np.ndarray, amounts: np.ndarray, names: Sequence[str]) -> None:
    off = np.abs(found - amounts) > CLOSE * np.maximum(np.abs(amounts), 1.0)
    if off.any():
        listed = ", ".join(names[k] for k in np.flatnonzero(off))
        raise DataError(f"locks {listed}: cannot hold together. Take one of them out, or change its amount.")


def _whole_months(row: dict) -> None:
    start, end = pd.Timestamp(row["from"]), pd.Timestamp(row["to"])
    if start.day != 1 or not end.is_month_end:
        name = row_text(row, "lock_id")
        raise DataError(f"lock {name}: covers part of a month. Write the first and the last day of its months.")


def _sold(row: dict, cells: pd.DataFrame, actual: pd.DataFrame | None, first: pd.Timestamp) -> float:
    """Returns what these cells sold in the months of a lock that are over."""
    start = pd.Timestamp(row["from"]).to_period("M").to_timestamp()
    if actual is None or start >= first:
        return 0.0
    over = actual["unique_id"].isin(cells["unique_id"]) & (actual["ds"] >= start) & (actual["ds"] < first)
    return float(actual.loc[over, "actual"].sum())


def _listed(row: dict, keys: tuple[str, ...], before: float, status: str) -> list:
    place = "/".join(row_text(row, key) for key in keys if row_text(row, key)) or "total"
    said = [row_text(row, name) for name in ("lock_id", "author", "reason", "evidence")]
    return [*said, place, pd.Timestamp(row["from"]), pd.Timestamp(row["to"]), before, float(row["amount"]), status]
