"""The year's budget as a table: region, category and quarter, exact to the cent.

    cells (proposed a year) [+ phases] ─┐
    people plan x cost, travel ─────────┴─▶ rows: region, line, category, q1..q4, year ─▶ budget_table, versions
"""

from __future__ import annotations

import numpy as np
import pandas as pd

QUARTERS = ["q1", "q2", "q3", "q4"]
CATEGORIES = {
    "channel": "marketing", "campaign": "marketing", "tool": "tools", "headcount": "people", "travel": "travel",
    "pilot": "pilots",
}  # fmt: skip


def spread_exactly(cents: int, weight: np.ndarray) -> list[int]:
    """Return whole cents by weight that add up exactly, largest remainder first.

    >>> spread_exactly(10, np.array([0.25, 0.25, 0.25, 0.25]))
    [3, 3, 2, 2]
    """
    ideal = cents * weight
    parts = np.floor(ideal).astype(np.int64)
    order = np.lexsort((np.arange(len(weight)), -(ideal - parts)))
    parts[order[: cents - int(parts.sum())]] += 1
    return [int(p) for p in parts]


def budget_rows(
    cells: pd.DataFrame, kinds: pd.Series, *, phases: np.ndarray | None = None, staff: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return the year's budget, one row a region and line: region, line, category, q1..q4, year, exact to the cent.

    cells : region, line, proposed (a year); kinds : line -> type of `spend_lines`; phases : (cells, 4) shares of the
    year (equal by default); staff : further rows region, line, category, amount (a year, spent evenly).
    """
    named = cells[["region", "line"]].assign(
        category=cells["line"].map(kinds).map(CATEGORIES).fillna("marketing"), amount=cells["proposed"]
    )
    shares = np.full((len(named), 4), 0.25) if phases is None else phases
    if staff is not None and len(staff):
        named = pd.concat([named, staff[named.columns]], ignore_index=True)
        shares = np.vstack([shares, np.full((len(staff), 4), 0.25)])
    cents = (named["amount"] * 100).round().astype("int64")
    parts = [spread_exactly(int(c), share / share.sum()) for c, share in zip(cents, shares, strict=True)]
    table = named[["region", "line", "category"]].reset_index(drop=True)
    table[QUARTERS] = np.array(parts, dtype=np.int64).reshape(-1, 4) / 100
    return table.assign(year=cents.to_numpy() / 100)


def budget_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the budget by region and category, exact to the cent: region, category, q1..q4, year."""
    cents = (rows[[*QUARTERS, "year"]] * 100).round().astype("int64")
    sums = cents.groupby([rows["region"], rows["category"]]).sum()
    return (sums / 100).reset_index()


def staff_rows(plan: pd.DataFrame, *, person_cost: float | None, travel_cost: float | None) -> pd.DataFrame:
    """Return what the planned sales people cost: region, line, category, amount; nothing for a cost that is not given.

    plan : region, available, hires (full-time people, as `resources.people_plan` has them). Nobody is sent away: a
    region with more people than it needs keeps them.
    """
    parts = []
    for category, cost in (("people", person_cost), ("travel", travel_cost)):
        if cost:
            amount = ((plan["available"] + plan["hires"]) * cost).round(2)
            parts.append(
                pd.DataFrame({"region": plan["region"], "line": "sales people", "category": category, "amount": amount})
            )
    columns = ["region", "line", "category", "amount"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)
