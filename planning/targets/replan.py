"""A shock in the year: what it does to the plan, and what moving a little of it recovers.

Months that are over keep, commitments keep. An event lowers (or raises) the expected sales of some cells from a month
on; how sure it is goes into the spread. Moving m % of what is left of the plan takes it from the cells least likely to
reach their target and gives it to those most likely, down to one level and up to another: of all moves of that size it
leaves the least expected shortfall,

    shortfall = sum over cells of E[(target - sales)+]        its slope is the chance of missing
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from planning.errors import DataError, Fault
from planning.forecast.joint_forecast import JointForecast
from planning.targets.capacity import attainable
from planning.targets.plan import Plan, with_months
from planning.targets.progress import caps_left, condition
from planning.targets.rounding import round_row, round_table
from planning.targets.year import YearLaw

MOVES = (0.02, 0.05, 0.10)


@dataclasses.dataclass(frozen=True)
class Event:
    """A shock: `keys` where, `start` from when, `effect` on sales (-0.2 = a fifth less), `sure` 0-1 that it comes."""

    name: str
    keys: tuple[tuple[str, str], ...]
    start: pd.Timestamp
    effect: float
    sure: float = 1.0
    end: pd.Timestamp | None = None


@dataclasses.dataclass(frozen=True)
class Replan:
    """Options after a shock.

    options: move (share of the rest of the plan), moved, shortfall, gain, share_of_gain, chance_total, cells. plans:
    months (minor) a move. before: chance of the total without the event; frozen: months that are over.
    """

    plan: Plan
    events: tuple[Event, ...]
    frozen: int
    options: pd.DataFrame
    plans: dict[float, np.ndarray]
    chance_before: float
    kept_chance_total: float
    law: YearLaw

    def moved(self, move: float) -> Plan:
        """Returns the plan of one option."""
        return with_months(self.plan.target, self.plans[move], self.plan.cells["locked"].to_numpy())


def events_of(table: pd.DataFrame, keys: Sequence[str]) -> list[Event]:
    """Returns the events of a table `event, <keys>, from, to, percent (-20 = a fifth less), sure (0-1)`."""
    events, faults = [], []
    for number, row in enumerate(table.to_dict("records"), start=2):
        sure = float(row["sure"]) if pd.notna(row.get("sure")) else 1.0
        percent = row.get("percent")
        if percent is None or pd.isna(percent) or not -100 <= float(percent) <= 300:
            faults.append(
                Fault("events", number, "percent", f"found {percent!r}", "Write -100 to 300 (-20 = a fifth less).")
            )
            continue
        if not 0 < sure <= 1:
            faults.append(Fault("events", number, "sure", f"found {sure!r}", "Write a probability above 0, up to 1."))
            continue
        where = tuple((k, str(row[k])) for k in keys if k in row and pd.notna(row[k]) and str(row[k]) != "")
        end = pd.Timestamp(row["to"]) if pd.notna(row.get("to")) else None
        events.append(
            Event(str(row.get("event", "event")), where, pd.Timestamp(row["from"]), float(percent) / 100, sure, end)
        )
    if faults:
        raise DataError(faults=faults)
    return events


def shocked(joint: JointForecast, events: Sequence[Event]) -> JointForecast:
    """Returns the forecast with the events in it: mean by effect times sureness, the rest of it as spread."""
    low = np.flatnonzero(joint.bottom)
    cells = joint.cells.iloc[low]
    for event in events:
        inside = np.ones(len(low), dtype=bool)
        for key, value in event.keys:
            inside &= (cells[key].astype(str) == value).to_numpy()
        steps = joint.periods + pd.offsets.MonthEnd(0) >= event.start
        if event.end is not None:
            steps &= joint.periods <= event.end
        if not inside.any() or not steps.any():
            place = ", ".join(value for _, value in event.keys)
            raise DataError(
                f"event '{event.name}': touches no cell or no month left ({place}). Correct where and from when."
            )
        change = np.zeros((len(low), len(joint.periods)))
        at = np.ix_(np.flatnonzero(inside), np.flatnonzero(steps))
        change[at] = event.effect * joint.mean[low][at]
        joint = _spread(joint.shifted(change * event.sure), change * np.sqrt(event.sure * (1 - event.sure)))
    return joint


def _spread(joint: JointForecast, change: np.ndarray) -> JointForecast:
    if not change.any():
        return joint
    share = 1.0 / (len(joint.weights) + 1)
    extra = (joint.shifted(change).mean - joint.mean) / np.sqrt(share)
    errors = np.concatenate([joint.errors / np.sqrt(1 - share), extra[None].astype(np.float32)])
    weights = np.append(joint.weights * (1 - share), share)
    return dataclasses.replace(joint, errors=errors.astype(np.float32), weights=weights)


def replan(
    plan: Plan,
    joint: JointForecast,
    events: Sequence[Event],
    actual: np.ndarray,
    *,
    moves: Sequence[float] = MOVES,
    commitments: Sequence[str] = (),
) -> Replan:
    """Returns what moving 2, 5 and 10 % of the rest of the plan recovers after `events`.

    actual: cells (in the plan's order) x months that are over. commitments: unique_ids whose targets keep, beside
    locks. The total keeps. Frozen months and kept cells are identical to the plan's, to the minor unit.
    """
    periods = plan.target.law.periods
    year = joint.window(periods[0], periods[-1]).select(plan.cells["unique_id"])
    frozen = actual.shape[1]
    known = condition(year, actual)
    calm = YearLaw.of(known, known.periods[0], known.periods[-1])
    after = shocked(known, events)
    law = YearLaw.of(after, after.periods[0], after.periods[-1])
    done = np.nansum(actual, axis=1)
    minor = plan.months["minor"].to_numpy(np.int64).reshape(len(plan.cells), -1)
    goal = plan.cells["target"].to_numpy() - done
    fixed = plan.cells["locked"].to_numpy() | plan.cells["unique_id"].isin(commitments).to_numpy()
    room = minor[:, frozen:].sum(axis=1) / 10**plan.target.policy.digits
    best = _moved(law, goal, room, fixed, np.inf)
    kept = shortfall(law, goal)
    gain_most = kept - shortfall(law, best)
    rows, plans = [], {}
    for move in moves:
        new = _moved(law, goal, room, fixed, move * float(room.sum()))
        plans[move] = _months(minor, frozen, goal, new, plan.target.policy.digits)
        left = shortfall(law, new)
        rows.append(
            [
                move,
                float(np.abs(new - goal).sum() / 2),
                left,
                kept - left,
                (kept - left) / gain_most if gain_most > 0 else 1.0,
                int((np.abs(new - goal) > 0.005).sum()),
            ]
        )
    names = ["move", "moved", "shortfall", "gain", "share_of_gain", "cells"]
    total = float(goal.sum())
    caps = caps_left(plan, actual)
    before, now = (attainable(j, w, caps, seed=plan.target.seed) for j, w in ((known, calm), (after, law)))
    return Replan(
        plan,
        tuple(events),
        frozen,
        pd.DataFrame(rows, columns=names),
        plans,
        before.total_probability(total),
        now.total_probability(total),
        law,
    )


def shortfall(law: YearLaw, goal: np.ndarray) -> float:
    """Returns the sum over cells of E[(goal - sales)+] under the t of each cell."""
    scale = np.maximum(law.scale, 1e-9)
    z = (goal - law.mean) / scale
    if not np.isfinite(law.df):
        return float((scale * (z * special.ndtr(z) + np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi))).sum())
    df = law.df
    log_density = special.gammaln((df + 1) / 2) - special.gammaln(df / 2) - 0.5 * np.log(df * np.pi)
    density = np.exp(log_density - (df + 1) / 2 * np.log1p(z**2 / df))
    return float((scale * (z * special.stdtr(df, z) + (df + z**2) / (df - 1) * density)).sum())


def _moved(law: YearLaw, goal: np.ndarray, room: np.ndarray, fixed: np.ndarray, most: float) -> np.ndarray:
    """Returns the goals after moving at most `most`: the hardest come down to one z, the easiest go up to another."""
    scale = np.where(fixed, 0.0, law.scale)
    live = scale > 0
    if not live.any():
        return goal
    z = np.where(live, (goal - law.mean) / np.where(live, scale, 1.0), 0.0)

    def down(level: float) -> np.ndarray:
        return np.where(live, np.minimum(np.maximum(z - level, 0.0) * scale, np.maximum(room, 0.0)), 0.0)

    def up(level: float) -> np.ndarray:
        return np.where(live, np.maximum(level - z, 0.0) * scale, 0.0)

    low, high = float(z[live].min()), float(z[live].max())
    even = _bisect(lambda x: up(x).sum() - down(x).sum(), low, high)
    amount = min(most, float(up(even).sum()))
    give = _bisect(lambda x: amount - down(x).sum(), even, high)
    take = _bisect(lambda x: up(x).sum() - amount, low, even)
    return goal - down(give) + up(take)


def _bisect(rising, low: float, high: float) -> float:
    """Returns where a rising function crosses 0 between `low` and `high`."""
    for _ in range(200):
        middle = 0.5 * (low + high)
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


def _months(minor: np.ndarray, frozen: int, goal: np.ndarray, new: np.ndarray, digits: int) -> np.ndarray:
    """Returns the months of an option: frozen ones and unmoved cells as they were, the rest exact, the total kept."""
    out = minor.copy()
    rest = minor[:, frozen:].sum(axis=1)
    moved = np.abs(new - goal) > 0.5 / 10**digits
    if not moved.any():
        return out
    exact = rest + (new - goal) * 10**digits
    total = int(rest[moved].sum())
    exact_moved = exact[moved] * (total / exact[moved].sum())
    whole = round_row(exact_moved, total)
    profile = minor[moved][:, frozen:].astype(float)
    empty = profile.sum(axis=1) <= 0
    profile[empty] = 1.0
    out[np.ix_(moved, np.arange(frozen, minor.shape[1]))] = round_table(
        profile / profile.sum(axis=1, keepdims=True) * whole[:, None], whole
    )
    return out
