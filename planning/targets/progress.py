"""Where the year stands: the joint forecast conditioned on what has come, with a chance a cell, team and person.

With E the past error arrays of the forecast, relative to each cell's level, the errors of the months still to come are
regressed, pooled over all cells and arrays, on what the months so far showed:

    rest error = b1 * mean error to date of the cell + b2 * of its last 3 months + b3 * of all cells + residual

The residual arrays are the new errors, so the result is again a joint forecast and sums stay right. With no month known
it is the forecast itself: it knows no more than the base rate.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from planning.errors import DataError
from planning.forecast.joint_forecast import JointForecast
from planning.targets.capacity import Attainable, Cap, attainable
from planning.targets.goal import DRAWS
from planning.targets.plan import Plan
from planning.targets.year import YearLaw

RIDGE = 0.05


def condition(joint: JointForecast, actual: np.ndarray) -> JointForecast:
    """Returns the joint forecast of the months after those known.

    joint: bottom cells (and aggregates), the plan year only. actual: bottom cells x months known, NaN where a cell is
    not recorded (its forecast counts). Raises DataError where no month is left.
    """
    months = actual.shape[1]
    if months >= len(joint.periods):
        raise DataError("the year is over: nothing is left to forecast. Compare actuals with the targets instead.")
    if months == 0:
        return joint
    low = np.flatnonzero(joint.bottom)
    mean, errors = joint.mean[low], joint.errors[:, low].astype(float)
    size = np.maximum(np.abs(mean).mean(axis=1), 1e-9)[:, None]
    features = _features(errors[:, :, :months] / size, size)
    # Past arrays lie at 0 on average only if the forecast had no bias; what is seen now is measured from the forecast.
    now = np.where(np.isfinite(actual), actual - mean[:, :months], 0.0)
    today = _features((now / size)[None], size)[0]
    rest = errors[:, :, months:] / size
    weights = joint.weights
    slopes = _slopes(features, rest, weights)
    residual = (rest - features @ slopes) * size
    moved = (today @ slopes) * size
    used = 1.0 / max(float(np.sum(weights**2)), 1e-9)
    residual *= np.sqrt(used / max(used - features.shape[2], 1.0))
    return _rebuilt(
        joint, low, months, np.maximum(mean[:, months:] + moved, np.minimum(mean[:, months:], 0.0)), residual
    )


def _features(relative: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Returns K x n x 3: mean error to date, of the last 3 months, and of all cells by size."""
    known = relative.mean(axis=2)
    last = relative[:, :, -3:].mean(axis=2)
    weight = size[:, 0] / size.sum()
    common = np.repeat((known @ weight)[:, None], relative.shape[1], axis=1)
    return np.stack([known, last, common], axis=2)


def _slopes(features: np.ndarray, rest: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns 3 x months left, by ridge, pooled over cells and arrays; outlying cells count less."""
    spread = np.sqrt(np.maximum((weights[:, None] * features[:, :, 0] ** 2).sum(axis=0), 1e-12))
    x = (features / spread[None, :, None] * np.sqrt(weights)[:, None, None]).reshape(-1, features.shape[2])
    y = (rest / spread[None, :, None] * np.sqrt(weights)[:, None, None]).reshape(-1, rest.shape[2])
    gram = x.T @ x
    penalty = RIDGE * np.diag(np.diag(gram)) + 1e-12 * np.eye(len(gram))
    return np.linalg.solve(gram + penalty, x.T @ y)


def _rebuilt(joint: JointForecast, low: np.ndarray, months: int, mean: np.ndarray, errors: np.ndarray) -> JointForecast:
    whole = np.zeros((len(joint.cells), mean.shape[1]))
    arrays = np.zeros((len(joint.weights), *whole.shape), dtype=np.float32)
    whole[low], arrays[:, low] = mean, errors
    top = np.flatnonzero(~joint.bottom)
    if len(top):
        summing = joint.summing(top)[:, low]
        whole[top] = summing @ mean
        arrays[:, top] = np.einsum("tb,kbh->kth", summing, errors).astype(np.float32)
    return dataclasses.replace(joint, mean=whole, errors=arrays, periods=joint.periods[months:])


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where a plan stands. cells: keys, target, actual, expected (year), chance, needed, rest_expected."""

    plan: Plan
    months: int
    cells: pd.DataFrame
    total: dict[str, float]
    law: YearLaw | None
    joint: JointForecast
    reach: Attainable | None = None

    def by(self, key: str) -> pd.DataFrame:
        """Returns the standing of each value of a key, with its own chance (a sum's, not a mean of chances)."""
        rows = []
        for name, part in self.cells.groupby(key, sort=True):
            inside = self.cells.index.isin(part.index)
            rows.append({key: name, **_standing(part, self._chance(inside))})
        return pd.DataFrame(rows)

    def _chance(self, inside: np.ndarray) -> float:
        part = self.cells[inside]
        gap = float(part["target"].sum() - part["actual"].sum())
        if self.reach is None:
            return float(gap <= 0.005)
        return self.reach.total_probability(gap, inside)


def lifted(joint: JointForecast, factors: pd.Series, key: str, explained: float) -> JointForecast:
    """Returns the forecast with the next three months of each value of `key` times its factor.

    explained: share of the variance of those months that the factors stand for (0-1); it leaves the errors.
    """
    low = np.flatnonzero(joint.bottom)
    factor = joint.cells[key].iloc[low].map(factors).fillna(1.0).to_numpy(float)
    mean, errors = joint.mean[low].copy(), joint.errors[:, low].astype(float)
    mean[:, :3] *= factor[:, None]
    errors[:, :, :3] *= factor[None, :, None] * np.sqrt(1 - min(max(explained, 0.0), 0.9))
    return _rebuilt(joint, low, 0, mean, errors)


def progress(
    plan: Plan,
    joint: JointForecast,
    actual: pd.DataFrame | np.ndarray,
    *,
    pipeline: tuple[pd.Series, str, float] | None = None,
) -> Progress:
    """Returns where the plan stands after the months of `actual`.

    joint: the forecast the plan was made on (`plan.target.adjusted.joint`). actual: cells (in the plan's order) x
    months known, currency; NaN where not recorded. pipeline: factors of the next three months by value of a key, the
    key, and the share of variance they explain (`lifted`), where the past has told that they mean something.
    """
    actual = np.asarray(actual, dtype=float)
    months = actual.shape[1]
    periods = plan.target.law.periods
    year = joint.window(periods[0], periods[-1]).select(plan.cells["unique_id"])
    done = np.nansum(actual, axis=1)
    if months >= len(periods):
        law = reach = None
        rest = np.zeros(len(done))
        chance = (done >= plan.cells["target"].to_numpy() - 0.005).astype(float)
    else:
        known = condition(year, actual)
        known = known if pipeline is None else lifted(known, *pipeline)
        law = YearLaw.of(known, known.periods[0], known.periods[-1])
        reach = attainable(known, law, caps_left(plan, actual), n=DRAWS, seed=plan.target.seed)
        rest = reach.mean()
        chance = reach.probability(plan.cells["target"].to_numpy() - done)
        year = known
    keys = list(plan.target.law.keys)
    cells = plan.cells[["unique_id", *keys, "target"]].assign(
        actual=done, rest_expected=rest, expected=done + rest, chance=chance
    )
    cells["needed"] = cells["target"] - cells["actual"]
    result = Progress(plan, months, cells, {}, law, year, reach)
    whole = _standing(cells, result._chance(np.ones(len(cells), dtype=bool)))
    return dataclasses.replace(result, total=whole)


def _standing(part: pd.DataFrame, chance: float) -> dict[str, float]:
    sums = {name: float(part[name].sum()) for name in ("target", "actual", "expected", "needed", "rest_expected")}
    return {**sums, "chance": chance, "attainment": sums["actual"] / sums["target"] if sums["target"] > 0 else np.nan}


def caps_left(plan: Plan, actual: np.ndarray) -> list[Cap]:
    """Returns the plan's capacities for the months to come: what they still allow after the months of `actual`."""
    months, law = actual.shape[1], plan.target.law
    left = []
    for cap in plan.target.attainable.caps:
        window = np.ones(len(law.periods), dtype=bool) if cap.months is None else np.asarray(cap.months, dtype=bool)
        if not window[months:].any():
            continue
        used = float(np.nansum(actual[law.rows(cap.keys)][:, window[:months]]))
        rest = None if window[months:].all() else window[months:]
        left.append(Cap(cap.keys, max(cap.amount - used, 0.0), cap.kind, cap.owner, rest))
    return left
