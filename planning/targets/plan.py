"""The plan: the target over cells and months, each sum exact to the minor unit, each cell with its chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from planning.errors import ConfigError, PlanningError, did_you_mean
from planning.targets import units
from planning.targets.capacity import Cap
from planning.targets.feasible import InfeasiblePolicy, conflict
from planning.targets.goal import Target
from planning.targets.policy import Policy, Rule
from planning.targets.rounding import round_cells, round_table
from planning.targets.split import Limit, split
from planning.targets.year import YearLaw

# The odds of a miss change by about e^1.6 for one unit of the quantile near the median (logistic against normal).
LOGIT_PER_UNIT = 1.6


@dataclass(frozen=True)
class Plan:
    """A target split over cells and months.

    cells: unique_id, <keys>, minor (int64), target, expected, attainment_probability, growth, locked, last_year,
    difficulty. months: unique_id, <keys>, month, minor, target. binding: rules that stand at their limit.
    """

    target: Target
    cells: pd.DataFrame
    months: pd.DataFrame
    binding: tuple[dict[str, Any], ...]

    def summary(self) -> dict[str, Any]:
        """Returns the plan in plain numbers, rounded to what does not depend on the machine."""
        goal, digits = self.target, self.target.policy.digits
        return {
            "year": goal.year,
            "currency": goal.policy.currency,
            "total": goal.amount(int(self.cells["minor"].sum())),
            "commit": goal.amount(goal.commit),
            "target": goal.amount(goal.target),
            "stretch": goal.amount(goal.stretch),
            "attainment_probability": round(goal.attainment_probability, 9),
            "expected": round(goal.expected, digits),
            "interval_80": [round(bound, digits) for bound in goal.interval],
            "last_year": round(float(goal.last_year.sum()), digits),
            "last_year_start": f"{goal.last_year_start:%Y-%m-%d}",
            "growth": round(goal.growth, 9) if np.isfinite(goal.growth) else None,
            "binding": list(self.binding),
            "lost_to_capacity": round(float(goal.attainable.lost["lost"].sum()), digits),
            "adjustment_weight": round(goal.adjusted.weight, 9),
            "final": goal.standing.final,
            "departments_missing": list(goal.standing.missing),
            "departments_rejecting": list(goal.standing.rejected),
            "seed": goal.seed,
        }

    def by(self, key: str) -> pd.DataFrame:
        """Returns the plan summed over one key: target, expected, last_year, growth, attainment_probability."""
        return _sums(self, [key])


@dataclass(frozen=True)
class _Bound:
    """A rule with its limit in minor units and the sentence that names it."""

    rule: str
    keys: tuple[tuple[str, str], ...]
    limit: Limit
    text: str


def decompose(target: Target) -> Plan:
    """Returns the plan: `target` split by its policy over cells and months.

    Raises InfeasiblePolicy (exit 1) naming each rule of the smallest set that cannot hold, ConfigError for a rule that
    names a cell which does not exist.
    """
    policy, law = target.policy, target.law
    _known_names(policy, law)
    bounds = [_bound(rule, policy, law, target.last_year) for rule in policy.rules if rule.kind in ("bounds", "lock")]
    bounds += [_cap_bound(cap, policy, law) for cap in target.attainable.caps if cap.months is None]
    _refuse_conflict(bounds, target)
    exact = _exact(target, bounds)
    codes = np.column_stack([np.unique(law.cells[key], return_inverse=True)[1] for key in law.keys])
    minor = _verified(round_cells(exact, codes, target.target), codes, bounds, target, exact)
    months = round_table(law.profile * minor[:, None], minor)
    return Plan(
        target, _cell_table(target, minor, bounds), _month_table(law, months, policy), _binding(bounds, minor, policy)
    )


def with_months(target: Target, months: np.ndarray, locked: np.ndarray) -> Plan:
    """Returns the plan whose cells and months people have set (minor units, cells in the law's order)."""
    cells = _cell_table(target, months.sum(axis=1), ()).assign(locked=locked)
    return Plan(target, cells, _month_table(target.law, months, target.policy), ())


def _known_names(policy: Policy, law: YearLaw) -> None:
    faults = []
    for rule in policy.rules:
        for key, value in rule.keys:
            names = sorted(set(law.cells[key].astype(str)))
            if value not in names:
                faults.append(
                    f"{policy.path}: {rule.kind} names {key} '{value}', which has no history."
                    f"{did_you_mean(value, names)} "
                    f"Known: {', '.join(names[:12])}{', ...' if len(names) > 12 else ''}."
                )
        if not faults and not law.rows(rule.keys).any():
            faults.append(f"{policy.path}: {rule.kind} names {rule.place()}, a combination without history.")
    if faults:
        raise ConfigError("\n".join(faults))


def _bound(rule: Rule, policy: Policy, law: YearLaw, last_year: pd.Series) -> _Bound:
    rows = np.flatnonzero(law.rows(rule.keys))
    if rule.kind == "lock":
        amount = float(rule.get("amount"))
        return _Bound(
            "lock", rule.keys, Limit(rows, amount, amount), f"{rule.place()} locked at {_money(amount, policy)}"
        )
    base = round(float(last_year.to_numpy()[rows].sum()) * 10**policy.digits)
    low, high = rule.get("min_growth"), rule.get("max_growth")
    least = -np.inf if low is None else np.ceil(round((1 + low) * base, 6))
    most = np.inf if high is None else np.floor(round((1 + high) * base, 6))
    parts = [] if low is None else [f"growth of at least {low:+.1%}, {_money(least, policy)}"]
    parts += [] if high is None else [f"growth of at most {high:+.1%}, {_money(most, policy)}"]
    text = f"{rule.place()} bounded by {' and '.join(parts)} (last year {_money(base, policy)})"
    return _Bound("bounds", rule.keys, Limit(rows, least, most), text)


def _cap_bound(cap: Cap, policy: Policy, law: YearLaw) -> _Bound:
    amount = float(round(cap.amount * 10**policy.digits))
    kind = "confirmation" if cap.kind == "confirmation" else "capacity"
    place = ", ".join(f"{k}={v}" for k, v in cap.keys) or "all cells"
    what = f"limited by {cap.owner}" if kind == "confirmation" else f"{cap.kind} capacity"
    text = f"{place} {what}: at most {_money(amount, policy)}"
    return _Bound(kind, cap.keys, Limit(np.flatnonzero(law.rows(cap.keys)), -np.inf, amount), text)


def _money(minor: float, policy: Policy) -> str:
    return f"{minor / 10**policy.digits:,.{policy.digits}f} {policy.currency}"


def _refuse_conflict(bounds: Sequence[_Bound], target: Target) -> None:
    cells, policy = len(target.law.cells), target.policy
    total = float(target.target)
    asked = "given" if policy.amount is not None else f"at a chance of {policy.target:.0%}"
    whole = _Bound(
        "target",
        (),
        Limit(np.arange(cells), total, total),
        f"the target of all cells, {asked}: {_money(total, policy)}",
    )
    everything = [whole, *bounds]
    found = conflict([bound.limit for bound in everything], cells) if bounds else None
    if found is not None:
        named = "\n".join(f"{everything[g].rule}: {everything[g].text}." for g in found)
        count = "one rule cannot hold" if len(found) == 1 else f"these {len(found)} rules cannot hold together"
        raise InfeasiblePolicy(f"{policy.path}: {count}. Change one of them:\n{named}", found)


def _exact(target: Target, bounds: Sequence[_Bound]) -> np.ndarray:
    """Returns the cells' float targets in minor units."""
    policy, law = target.policy, target.law
    unit = 10**policy.digits
    mean = np.maximum(target.attainable.mean() if target.attainable.draws is not None else law.mean, 0.0) * unit
    weight = _weights(policy, law)
    if policy.method == "expected_share":
        base, slope = np.zeros(len(mean)), mean * weight
    else:
        slope = law.scale * unit
        base = np.maximum(law.mean, 0.0) * unit + slope * np.log(weight) / LOGIT_PER_UNIT
    low, high = np.zeros(len(mean)), np.full(len(mean), np.inf)
    groups = []
    touched = np.zeros(len(mean), dtype=bool)
    for bound in bounds:
        touched[bound.limit.rows] = True
        if len(bound.limit.rows) == 1:
            cell = bound.limit.rows[0]
            low[cell], high[cell] = max(low[cell], bound.limit.low), min(high[cell], bound.limit.high)
        else:
            groups.append(bound.limit)
    # A cell without spread can still be asked to move by a rule that holds for it.
    slope = np.where(touched, np.maximum(slope, 1e-4 * slope.mean() + 1e-9), slope)
    return split(base, slope, float(target.target), groups, low, high)


def _weights(policy: Policy, law: YearLaw) -> np.ndarray:
    weight = np.ones(len(law.cells))
    for rule in policy.of("priority"):
        weight[law.rows(rule.keys)] *= float(rule.get("weight"))
    return weight


def _verified(
    minor: np.ndarray, codes: np.ndarray, bounds: Sequence[_Bound], target: Target, exact: np.ndarray
) -> np.ndarray:
    """Checks every sum in integers; a rule over cells that are no margin of the rounding may need a few units moved."""
    minor = minor.copy()
    for _ in range(200):
        broken = [(b, int(minor[b.limit.rows].sum())) for b in bounds]
        broken = [(b, s) for b, s in broken if not b.limit.low <= s <= b.limit.high]
        if not broken and int(minor.sum()) == target.target and (minor >= 0).all():
            return minor
        if not broken or not _moved(minor, exact, bounds, *broken[0]):
            break
    raise PlanningError(
        "the split could not be rounded so that every rule holds to the cent. Loosen a rule by one unit."
    )


def _moved(minor: np.ndarray, exact: np.ndarray, bounds: Sequence[_Bound], bound: _Bound, now: int) -> bool:
    """Moves one unit into or out of a broken rule, between cells that agree in every other rule's membership."""
    others = np.array([np.isin(np.arange(len(minor)), b.limit.rows) for b in bounds if b is not bound])
    inside = np.isin(np.arange(len(minor)), bound.limit.rows)
    step = 1 if now < bound.limit.low else -1
    gap = exact - minor
    for cell in np.flatnonzero(inside)[np.argsort(-step * gap[inside], kind="stable")]:
        alike = ~inside if not len(others) else ~inside & (others == others[:, [cell]]).all(axis=0)
        if step > 0:
            alike &= minor > 0
        if alike.any() and minor[cell] + step >= 0:
            partner = np.flatnonzero(alike)[np.argmin(step * gap[alike])]
            minor[cell] += step
            minor[partner] -= step
            return True
    return False


def _cell_table(target: Target, minor: np.ndarray, bounds: Sequence[_Bound]) -> pd.DataFrame:
    policy, law = target.policy, target.law
    last = target.last_year.to_numpy(float)
    amount = units.from_minor(minor, policy.digits)
    locked = np.zeros(len(minor), dtype=bool)
    for bound in bounds:
        if bound.rule == "lock" and len(bound.limit.rows) == 1:
            locked[bound.limit.rows] = True
    chance = target.attainable.probability(amount)
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.where(last > 0, amount / last - 1, np.nan)
    table = law.cells.copy()
    return table.assign(
        minor=minor,
        target=amount,
        expected=target.attainable.mean(),
        attainment_probability=chance,
        growth=growth,
        locked=locked,
        last_year=last,
        difficulty=1 - chance,
    )


def _month_table(law: YearLaw, months: np.ndarray, policy: Policy) -> pd.DataFrame:
    n, h = months.shape
    table = law.cells.loc[np.repeat(np.arange(n), h)].reset_index(drop=True)
    flat = months.ravel()
    return table.assign(month=np.tile(law.periods, n), minor=flat, target=units.from_minor(flat, policy.digits))


def _binding(bounds: Sequence[_Bound], minor: np.ndarray, policy: Policy) -> tuple[dict[str, Any], ...]:
    """Returns the rules whose sum stands at a limit, to one minor unit a cell."""
    rows = []
    for bound in bounds:
        now = int(minor[bound.limit.rows].sum())
        for side, limit in (("least", bound.limit.low), ("most", bound.limit.high)):
            if np.isfinite(limit) and abs(now - limit) <= len(bound.limit.rows):
                rows.append(
                    {
                        "rule": bound.rule,
                        "keys": dict(bound.keys),
                        "side": side,
                        "limit": units.from_minor(int(limit), policy.digits),
                        "text": bound.text,
                    }
                )
                break
    return tuple(rows)


def _sums(plan: Plan, keys: list[str]) -> pd.DataFrame:
    cells, goal = plan.cells, plan.target
    rows = []
    for names, part in cells.groupby(keys, sort=True, observed=True):
        inside = cells.index.isin(part.index)
        amount = goal.amount(int(part["minor"].sum()))
        last = float(part["last_year"].sum())
        rows.append(
            {
                **dict(zip(keys, names if isinstance(names, tuple) else (names,))),
                "target": amount,
                "expected": float(part["expected"].sum()),
                "last_year": last,
                "growth": amount / last - 1 if last > 0 else np.nan,
                "attainment_probability": goal.attainable.total_probability(amount, inside),
            }
        )
    return pd.DataFrame(rows)
