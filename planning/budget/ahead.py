"""The year ahead of a proposal: its quarters, the people and cash it needs, and what a shock would change.

    RegionalBudget ─▶ phased (quarters), year_of (rows, people, material, cash), shaken (options after a shock)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from planning.budget import replan, resources, year
from planning.budget.allocation import AllCells
from planning.budget.effects import shocked
from planning.budget.regional import RegionalBudget
from planning.errors import UsageError, did_you_mean


@dataclass(frozen=True)
class Phases:
    """Shares of the year by cell and quarter (cells, 4), the sales season, and what it gains over equal quarters."""

    shares: np.ndarray
    season: np.ndarray
    gain: float = 0.0
    by_season: bool = False


@dataclass(frozen=True)
class YearAhead:
    """rows : region, line, category, q1..q4, year; table : the same by region and category; people, material, cash :
    what the target needs (see `resources`), empty where it cannot be told."""

    rows: pd.DataFrame
    table: pd.DataFrame
    phases: Phases
    people: pd.DataFrame = field(default_factory=pd.DataFrame)
    material: pd.DataFrame = field(default_factory=pd.DataFrame)
    cash: pd.DataFrame = field(default_factory=pd.DataFrame)


@dataclass(frozen=True)
class Shaken:
    """options : share, moved, gain, of_possible (a year's amounts); changes : region, line, before, after, change of
    the option asked for; lost : what the shock costs before anything moves; shock : whether there was one."""

    options: pd.DataFrame
    changes: pd.DataFrame
    lost: float
    shock: bool


def quarter_season(sales: pd.DataFrame, *, start_month: int = 1) -> np.ndarray:
    """Return each fiscal quarter's sales over a mean quarter's (mean 1), from the full years of the sales table."""
    dates = pd.to_datetime(sales["ds"])
    full = dates.dt.year.isin(resources.full_years(sales))
    quarter = ((dates.dt.month - start_month) % 12) // 3
    sums = sales["amount"].where(full, 0.0).groupby(quarter).sum().reindex(range(4), fill_value=0.0).to_numpy(float)
    sums = np.maximum(sums, 0.02 * max(sums.sum(), 1e-9) / 4)
    return sums / sums.mean()


def phased(
    budget: RegionalBudget, sales: pd.DataFrame, kinds: pd.Series, *, by_season: bool, start_month: int = 1
) -> Phases:
    """Return how a proposal's yearly amounts fall on the quarters.

    Equal quarters; or, ``by_season``, where a quarter's spend works in proportion to that quarter's sales and part of
    it carries into the next: then more is spent ahead of and in strong quarters, each cell's year staying as it is.
    Tools, people and commitments (``kinds`` : line -> type) cost the same in every quarter.
    """
    response, result = budget.allocation.response, budget.allocation
    season = quarter_season(sales, start_month=start_month)
    shares = np.full((len(response.cells), 4), 0.25)
    at = response.informed
    amounts = result.table["allocated"].to_numpy(float)
    if not by_season or not len(at):
        return Phases(shares, season)
    curves = AllCells(response.draws, at, len(amounts), result.summary["margin"])
    table = curves.table(np.zeros(len(amounts)), 4.2 * amounts)
    alpha = response.lines.set_index("line")["carry_over"].reindex(response.cells["line"].iloc[at]).to_numpy(float)
    periods = budget.figures["periods_a_year"]
    carried = replan.carried_over(alpha, periods / 4)
    equal = np.repeat(amounts[at][:, None], 4, axis=1)
    marketing = response.cells["line"].iloc[at].map(kinds).map(year.CATEGORIES).fillna("marketing").eq("marketing")
    movable = marketing.to_numpy() & ~result.rules.held[at]
    best = np.where(movable[:, None], replan.phase(table, amounts[at], carried, season), equal)
    gain = [replan.phased_value(table, x, carried, season) * periods for x in (best, equal)]
    total = best.sum(axis=1, keepdims=True)
    shares[at] = np.where(total > 0, best / np.where(total > 0, total, 1.0), 0.25)
    return Phases(shares, season, float(gain[0] - gain[1]), True)


def year_of(
    budget: RegionalBudget, sales: pd.DataFrame, phases: Phases, *, kinds: pd.Series,
    targets: pd.DataFrame | None = None, people: pd.DataFrame | None = None, deals: pd.DataFrame | None = None,
    person_cost: float | None = None, travel_cost: float | None = None, payment_days: int = 45,
) -> YearAhead:  # fmt: skip
    """Return the year's budget by region, line and quarter, and what the target needs in people, material and cash.

    kinds : line -> type of `spend_lines`; targets : region, amount of the year (None: needs are not known);
    person_cost, travel_cost : a year, of a full-time person (None: not in the budget); payment_days : until customers
    pay.
    """
    plan, material, cash = pd.DataFrame(), pd.DataFrame(), pd.DataFrame()
    if targets is not None and people is not None:
        plan = resources.people_plan(targets, sales, people, deals)
    staff = year.staff_rows(plan, person_cost=person_cost, travel_cost=travel_cost) if len(plan) else None
    rows = year.budget_rows(budget.cells, kinds, phases=phases.shares, staff=staff)
    if targets is not None:
        material = resources.material_needs(targets, sales)
    if len(material):
        cash = resources.cash_needs(material, rows, phases.season / 4, payment_days=payment_days)
    return YearAhead(rows, year.budget_table(rows), phases, plan, material, cash)


def shaken(
    budget: RegionalBudget, *, percent: float = 0.0, region: str = "", line: str = "", move: float = 0.05
) -> Shaken:
    """Return what moving 2, 5, 10 % (and ``move``) of the budget obtains after a shock, and the changes ``move`` makes.

    percent : change of what the spend brings, -30 a third less, in ``region`` and of ``line`` (empty: all). With a
    shock the plan is the proposal; without one it is today's split, and the options are small steps to a better one.
    Floors, caps and commitments hold; the share that may move takes the place of the limit on single cells.
    """
    result = budget.allocation
    response, hard = result.response, result.hard
    _known(response.cells, region, line)
    if not (-100.0 < percent < 1000.0 and 0.0 < move <= 1.0):
        raise UsageError(f"shock {percent:g} %, move {move:g}: give a change above -100 and a share up to 1.")
    at, periods = response.informed, budget.figures["periods_a_year"]
    proposed = result.table["allocated"].to_numpy(float)
    plan = proposed if percent else result.table["current"].to_numpy(float)
    plan = plan * (result.summary["total"] / plan.sum())
    lo = np.minimum(hard.lo, plan)
    hi = np.maximum(np.minimum(hard.hi, 3.0 * np.maximum(plan, proposed)), plan)
    factors = pd.DataFrame([{"region": region, "line": line, "factor": 1 + percent / 100}])
    draws = shocked(response.draws, factors)
    margin = result.summary["margin"]
    after = AllCells(draws, at, len(plan), margin)
    curves = after.table(lo, hi)
    before = AllCells(response.draws, at, len(plan), margin)
    lost = float((before.response(plan) - after.response(plan)).sum(axis=1).mean())
    shares = tuple(sorted({*replan.SHARES, round(move, 6)}))
    options, splits = replan.move_options(curves, plan[at], lo[at], hi[at], shares=shares)
    options[["moved", "gain"]] *= periods
    then = plan.copy()
    then[at] = splits[round(move, 6)]
    changes = response.cells[["region", "line"]].assign(before=plan * periods, after=then * periods).round(2)
    changes = changes.assign(change=(changes["after"] - changes["before"]).round(2))
    changes = changes[changes["change"].abs() >= 1.0].sort_values("change", key=abs, ascending=False, kind="stable")
    return Shaken(options, changes.reset_index(drop=True), lost * periods, percent != 0)


def _known(cells: pd.DataFrame, region: str, line: str) -> None:
    for key, value in (("region", region), ("line", line)):
        names = list(cells[key].unique())
        if value and value not in names:
            raise UsageError(f"shock_{key}: there is no {key} '{value}' in the spend.{did_you_mean(value, names)}")
