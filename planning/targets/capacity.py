"""What can be sold at most: supply, cash and headcount cut the forecast to what is attainable.

A capacity row says that the sum of some cells over some months cannot exceed an amount. In each joint draw the cells of
a row that is exceeded are scaled down together; what was cut off is that row's lost sales. Rows apply in order, so a
sale is lost to the first row that stops it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from planning.forecast.joint_forecast import JointForecast
from planning.targets.policy import Rule
from planning.targets.year import YearLaw


@dataclass(frozen=True, eq=False)
class Cap:
    """One capacity: cells by `keys`, `months` of the year (None: all 12), the `amount` they cannot exceed."""

    keys: tuple[tuple[str, str], ...]
    amount: float
    kind: str = "supply"
    owner: str = ""
    months: np.ndarray | None = None

    def place(self) -> str:
        """Returns the cells as text."""
        return ", ".join(value for _, value in self.keys) or "total"

    def _parts(self) -> tuple:
        return self.keys, self.amount, self.kind, self.owner, None if self.months is None else tuple(self.months)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cap) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())


@dataclass(frozen=True)
class Attainable:
    """The year's law cut by capacities: closed form where none exists, draws where one does.

    lost: one row a capacity: `place, kind, owner, amount, expected_demand, lost, chance` (P(demand above it)).
    """

    law: YearLaw
    draws: np.ndarray | None
    lost: pd.DataFrame
    caps: tuple[Cap, ...] = ()

    def mean(self) -> np.ndarray:
        """Returns each cell's expected attainable sum."""
        return self.law.mean if self.draws is None else self.draws.mean(axis=0)

    def total_quantile(self, level: float, rows: np.ndarray | None = None) -> float:
        """Returns the quantile of the sum of all cells, or of the cells where `rows` is True."""
        if self.draws is None:
            return self.law.total_quantile(level, rows)
        return float(np.quantile(self._sum(rows), level, method="higher"))

    def total_probability(self, target: float, rows: np.ndarray | None = None) -> float:
        """Returns P(sum >= target) of all cells, or of the cells where `rows` is True."""
        if self.draws is None:
            return self.law.total_probability(target, rows)
        # Scaling to a capacity leaves float dust below it.
        return float((self._sum(rows) >= target - 1e-9 * abs(target) - 0.005).mean())

    def probability(self, target: np.ndarray) -> np.ndarray:
        """Returns each cell's P(sum >= target)."""
        if self.draws is None:
            return self.law.probability(target)
        target = np.asarray(target, dtype=float)
        return (self.draws >= target - 1e-9 * np.abs(target) - 0.005).mean(axis=0)

    def _sum(self, rows: np.ndarray | None) -> np.ndarray:
        return self.draws.sum(axis=1) if rows is None else self.draws[:, np.asarray(rows, dtype=bool)].sum(axis=1)


def caps_of(rules: Sequence[Rule], digits: int) -> list[Cap]:
    """Returns the capacities of a policy."""
    return [
        Cap(rule.keys, rule.get("amount") / 10**digits, rule.get("kind", "supply"), rule.get("owner", ""))
        for rule in rules
    ]


def caps_of_table(capacity: pd.DataFrame, law: YearLaw) -> list[Cap]:
    """Returns the capacities of the table `from, to, <keys>, amount, kind, owner` that touch the plan year.

    An empty key holds for all its values. A row whose window is partly outside the year holds for the months inside.
    """
    out = []
    for row in capacity.sort_values([c for c in ("from", "to", *law.keys, "kind") if c in capacity]).to_dict("records"):
        start = pd.Timestamp(row["from"]) if pd.notna(row.get("from")) else law.periods[0]
        end = pd.Timestamp(row["to"]) if pd.notna(row.get("to")) else law.periods[-1]
        months = (law.periods + pd.offsets.MonthEnd(0) >= start) & (law.periods <= end)
        keys = tuple((k, str(row[k])) for k in law.keys if pd.notna(row.get(k)) and str(row.get(k)) != "")
        if not months.any() or not law.rows(keys).any():
            continue
        owner = row.get("owner")
        out.append(
            Cap(
                keys,
                float(row["amount"]),
                str(row.get("kind", "supply")),
                str(owner) if pd.notna(owner) else "",
                None if months.all() else months,
            )
        )
    return out


def attainable(joint: JointForecast, law: YearLaw, caps: Sequence[Cap], *, n: int = 4000, seed: int = 1) -> Attainable:
    """Returns what can be attained under `caps`; without any, the law itself."""
    columns = ["place", "kind", "owner", "amount", "expected_demand", "lost", "chance"]
    if not caps:
        return Attainable(law, None, pd.DataFrame(columns=columns))
    caps = _distinct(caps)
    monthly = any(cap.months is not None for cap in caps)
    draws = _monthly(joint, law, n, seed) if monthly else law.draws(n, seed)[:, :, None]
    rows = []
    for cap in caps:
        inside = np.flatnonzero(law.rows(cap.keys))
        steps = np.arange(draws.shape[2]) if cap.months is None else np.flatnonzero(cap.months)
        part = draws[:, inside][:, :, steps]
        demand = part.sum(axis=(1, 2))
        over = demand > cap.amount
        factor = np.where(over, cap.amount / np.where(over, demand, 1.0), 1.0)
        draws[np.ix_(np.arange(n), inside, steps)] = part * factor[:, None, None]
        rows.append(
            [
                cap.place(),
                cap.kind,
                cap.owner,
                cap.amount,
                float(demand.mean()),
                float((demand - np.minimum(demand, cap.amount)).mean()),
                float(over.mean()),
            ]
        )
    return Attainable(law, draws.sum(axis=2), pd.DataFrame(rows, columns=columns), tuple(caps))


def _distinct(caps: Sequence[Cap]) -> list[Cap]:
    """Returns the capacities without those that say nothing new: the same cells and months, no lower amount."""
    least: dict[tuple, Cap] = {}
    for cap in caps:
        place = (cap.keys, None if cap.months is None else tuple(cap.months))
        if place not in least or cap.amount < least[place].amount:
            least[place] = cap
    return list(least.values())


def _monthly(joint: JointForecast, law: YearLaw, n: int, seed: int) -> np.ndarray:
    part = joint.window(law.periods[0], law.periods[-1]).select(law.cells["unique_id"])
    return part.draws(n, seed).astype(float)
