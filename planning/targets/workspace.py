"""The plan of a workspace: what the notebooks call, one function a notebook, frames and settings from their step."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planning import files
from planning.forecast.joint_forecast import JointForecast
from planning.targets import units, versions
from planning.targets.annual import plan_year
from planning.targets.authority import discount_authority
from planning.targets.fiscal import FiscalSales, fiscal_sales
from planning.targets.history import Panel, read_panel
from planning.targets.kpis import smart_kpis, team_bonus
from planning.targets.market import market_view
from planning.targets.monthly import fitting, monthly
from planning.targets.outlook import ANNUAL, year_periods
from planning.targets.people import PeoplePlan, chance_above, fairness, person_quotas
from planning.targets.pipeline import Pipeline, lift, open_pipeline, past_signal, pipeline_signal
from planning.targets.plan import Plan
from planning.targets.policy import policy_of
from planning.targets.progress import Progress, progress
from planning.targets.reliability import InYear, Replay, in_year, reliability
from planning.targets.replan import MOVES, Replan, events_of, replan
from planning.targets.versions import Version


def plan_workspace(step: Any) -> tuple[Plan, Panel]:
    """Returns the plan of a workspace's step: its tables, its policy, its plan year and as-of date.

    step: a notebook's step, with `parameters` (`as_of`, `amount`, `split`, `forecast`), `settings`, `table`, `result`.
    """
    settings, asked = step.settings, step.parameters
    policy = policy_of(settings, step.table("priorities"))
    changes: dict[str, Any] = {"method": asked.split}
    if asked.amount is not None:
        changes["amount"] = units.to_minor(asked.amount, policy.digits)
    policy = dataclasses.replace(policy, **changes)
    known = fiscal_sales(step, asked.as_of or settings.plan.as_of)
    sales = known.frame
    year = settings.plan.year or next_year(sales, policy.fiscal_year_start)
    joint = step.result("demand_forecast", "joint") if _on_demand_forecast(step) else None
    if joint is not None and not _covers(joint, year, policy.fiscal_year_start):
        joint = None
    plan, panel = plan_year(
        sales,
        policy,
        year=year,
        joint=joint,
        adjustments=step.table("adjustments"),
        capacity=step.table("capacity"),
        confirmations=step.table("confirmations"),
        seed=step.seed,
        file="sales",
    )
    return plan, known.said_in(panel)


def _on_demand_forecast(step: Any, result: str = "joint") -> bool:
    return step.parameters.forecast == "demand_forecast" and step.has("demand_forecast", result)


def _covers(joint: JointForecast, year: int, start_month: int) -> bool:
    start, end = year_periods(year, start_month)
    return bool(joint.periods[0] <= start and joint.periods[-1] >= end)


def replay_of(step: Any, plan: Plan, panel: Panel) -> Replay:
    """Returns past years replayed by the method the step's plan rests on; fewer years where that method is slow.

    Where the plan rests on the demand forecast, the rounds its page shows are taken as they are.
    """
    start_month = plan.target.policy.fiscal_year_start
    if plan.target.adjusted.joint.meta.get("method") == ANNUAL:
        return reliability(panel, start_month=start_month)
    years = int(np.clip(150_000 // panel.y.size, 3, 8))
    replayed = step.result("demand_forecast", "replayed") if _on_demand_forecast(step, "replayed") else None

    def method(known: Panel, horizon: int) -> JointForecast:
        joint = replayed and replayed.beginning(known.months[-1] + pd.DateOffset(months=1))
        return fitting(joint, known) if joint and len(joint.periods) >= horizon else monthly(known, horizon)

    return reliability(panel, start_month=start_month, years=years, method=method)


def next_year(sales: pd.DataFrame, start_month: int) -> int:
    """Returns the fiscal year after the one the last sales lie in."""
    last = pd.Timestamp(sales["ds"].max())
    this = last.year if start_month == 1 or last.month < start_month else last.year + 1
    return this + 1


def market_of(step: Any, plan: Plan, panel: Panel) -> pd.DataFrame | None:
    """Returns the market's second view of a step's plan, or None without a market table."""
    return market_view(plan, step.table("market"), panel)


def keep_version(step: Any, plan: Plan) -> Version:
    """Writes the plan into the workspace's `plans/<year>` as a version and returns it; the parent is the one before.

    That of a what-if (`step.what_if`) is kept beside the version that counts, unless it is the same plan.
    """
    folder = Path(step.root) / "plans" / str(plan.target.year)
    folder.mkdir(parents=True, exist_ok=True)
    version = keep(folder, plan, cause=step.notebook, what_if=step.what_if)
    step.keeps(folder, version.plan_id)
    return version


def keep(folder: Path, plan: Plan, *, cause: str, what_if: bool = False) -> Version:
    """Keeps a plan as the current version of `folder`; the same plan again is the same version.

    what_if: keep it beside the current one, which stays.
    """
    before = versions.load(folder) if files.current_version(folder) else None
    written = f"what if: {cause}" if what_if else cause
    version = versions.record(plan, cause=written)
    if before is not None and before.year == plan.target.year:
        again = versions.record(plan, parent=before.parent, cause=before.cause)
        same = again.plan_id == before.plan_id and before.cause in (cause, written)
        version = before if same else versions.record(plan, parent=before.plan_id, cause=written)
    versions.save(folder, version, plan.target.adjusted.joint, current=not what_if)
    return version


@dataclasses.dataclass(frozen=True)
class PeopleView:
    """What a plan asks of people: quotas and teams, how fair they are, discount authority and KPIs."""

    plan: PeoplePlan
    year: int
    fairness: pd.DataFrame
    authority: pd.DataFrame
    kpis: pd.DataFrame
    bonus: pd.DataFrame


def people_of(step: Any, plan: Plan) -> PeopleView | None:
    """Returns the people's part of a step's plan; None without the tables people and assignments.

    Margin rates come from the sales table, past discounts and new customers from deals and accounts where configured.
    """
    people, assignments = step.table("people"), step.table("assignments")
    if people is None or assignments is None:
        return None
    result = person_quotas(plan, people, assignments, over_assignment=step.parameters.over_assignment)
    known, law = fiscal_sales(step), plan.target.law
    sales = known.frame
    last = sales[(sales["ds"] >= plan.target.last_year_start) & (sales["ds"] < law.periods[0])]
    margin: pd.Series | float = 0.3
    if "margin" in last and "region" in last:
        sums = last.dropna(subset=["margin"]).groupby("region")[["margin", "amount"]].sum()
        margin = sums["margin"] / sums["amount"]
    rate = float(margin.mean()) if isinstance(margin, pd.Series) else margin
    kpis = smart_kpis(
        result,
        year_end=known.ends(law.periods[-1:])[0],
        margin_rate=rate,
        new_customers=_new_customers(step, result, plan),
    )
    authority = discount_authority(result.quotas, margin, _past_discounts(step))
    return PeopleView(result, plan.target.year, fairness(result), authority, kpis, team_bonus(result, seed=step.seed))


def _past_discounts(step: Any) -> pd.Series | float:
    deals = step.table("deals")
    if deals is None or "discount" not in deals or "region" not in deals:
        return 0.05
    won = deals[deals["outcome"].eq("won") & deals["discount"].notna()]
    weight = won["amount"].fillna(0.0)
    sums = (won["discount"] * weight).groupby(won["region"]).sum() / weight.groupby(won["region"]).sum()
    return sums.clip(0.0, 0.5) if len(sums) else 0.05


def _new_customers(step: Any, result: PeoplePlan, plan: Plan) -> pd.Series | None:
    """Returns last year's count of accounts with a first order, by the team of their region."""
    accounts = step.table("accounts")
    if accounts is None or "first_order_date" not in accounts or "region" not in result.quotas:
        return None
    first = pd.to_datetime(accounts["first_order_date"])
    start = plan.target.last_year_start
    fresh = accounts[(first >= start) & (first < start + pd.DateOffset(years=1))]
    team = result.quotas.groupby("region")["team"].agg(lambda names: names.mode().iloc[0])
    return fresh["region"].map(team).value_counts()


@dataclasses.dataclass(frozen=True)
class Standing:
    """A workspace's plan in its year: progress by cell, team and person, and the open pipeline."""

    plan: Plan
    progress: Progress
    currency: str
    as_of: pd.Timestamp
    start_chance: float
    people: pd.DataFrame | None
    teams: pd.DataFrame | None
    pipeline: Pipeline | None
    signal: dict[str, float] | None
    past: InYear | None = None


def standing(step: Any) -> Standing:
    """Returns where the year stands on the step's as-of day, from sales to date and the open pipeline.

    The plan is made again from what was known before the year, by the workspace's policy. step: a notebook's step with
    parameters `as_of` and `year`.
    """
    plan, _panel, known, as_of = _planned_year(step)
    actual, sales = _actual(plan, known, as_of), known.frame
    deals, stages = step.table("deals"), step.table("stage_history")
    pipeline = signal = weight = None
    if deals is not None and stages is not None:
        place = plan.target.law.keys[0] if plan.target.law.keys[0] in deals else "region"
        pipeline = open_pipeline(deals, stages, as_of, place=place)
        signal = pipeline_signal(past_signal(deals, stages, sales, as_of, place=place))
        factors = lift(deals, stages, as_of, signal, place=place) if place in plan.cells else None
        weight = None if factors is None else (factors, place, signal["r2"])
    state = progress(plan, plan.target.adjusted.joint, actual, pipeline=weight)
    people = teams = None
    if step.table("people") is not None and step.table("assignments") is not None:
        quotas = person_quotas(plan, step.table("people"), step.table("assignments"))
        people, teams = people_standing(quotas, state)
    over = state.law is None
    past = None if over else in_year(_panel, state.months, start_month=plan.target.policy.fiscal_year_start)
    return Standing(
        plan,
        state,
        plan.target.policy.currency,
        as_of,
        plan.target.attainment_probability,
        people,
        teams,
        pipeline,
        signal,
        past,
    )


def _planned_year(step: Any) -> tuple[Plan, Panel, FiscalSales, pd.Timestamp]:
    """Returns the plan of the year as it was made before it, its panel, all sales to the as-of day, and that day."""
    settings, asked = step.settings, step.parameters
    policy = policy_of(settings, step.table("priorities"))
    known = fiscal_sales(step, asked.as_of or settings.plan.as_of)
    sales = known.frame
    as_of = pd.Timestamp(asked.as_of or settings.plan.as_of or known.last_day())
    year = asked.year or settings.plan.year or next_year(sales, policy.fiscal_year_start)
    start, _end = year_periods(year, policy.fiscal_year_start)
    before = sales[sales["ds"] < start]
    folder = step.path("plans") / str(year)
    if files.current_version(folder):
        # The plan people agreed on is followed, not one made again.
        plan = versions.plan_of(folder, versions.load(folder))
        return plan, read_panel(before, plan.target.law.keys, file="sales"), known, as_of
    plan, panel = plan_year(
        before,
        policy,
        year=year,
        adjustments=step.table("adjustments"),
        capacity=step.table("capacity"),
        confirmations=None,
        seed=step.seed,
        file="sales",
    )
    return plan, panel, known, as_of


def _actual(plan: Plan, known: FiscalSales, as_of: pd.Timestamp) -> np.ndarray:
    """Returns the plan's cells x finished months of the year through `as_of`; 0 where a cell sold nothing."""
    law, sales = plan.target.law, known.frame
    months = law.periods[known.ends(law.periods) <= as_of + pd.Timedelta(days=1)]
    recorded = months[months <= sales["ds"].max()]
    frame = sales[sales["ds"] >= law.periods[0]]
    month = pd.to_datetime(frame["ds"]).dt.to_period("M").dt.start_time
    ids = frame[list(law.keys)].astype(str).agg("/".join, axis=1) if len(frame) else pd.Series(dtype=str)
    table = frame["amount"].groupby([ids, month]).sum().unstack() if len(frame) else pd.DataFrame()
    return table.reindex(index=law.cells["unique_id"], columns=recorded).fillna(0.0).to_numpy(float)


def shock(step: Any) -> tuple[Replan, pd.DataFrame]:
    """Returns the options after the step's events, and what the asked option changes (`where, before, after, change`).

    step: a notebook's step with parameters `as_of`, `year`, `move` and one event (`event, region, line, start, percent,
    sure`), or a table of events in the workspace.
    """
    plan, _panel, known, as_of = _planned_year(step)
    asked = step.parameters
    event = {"event": asked.event, "from": asked.start, "percent": asked.percent, "sure": asked.sure}
    event |= {key: getattr(asked, key, "") or None for key in plan.target.law.keys}
    events = events_of(pd.DataFrame([event]), plan.target.law.keys)
    actual = _actual(plan, known, as_of)
    result = replan(plan, plan.target.adjusted.joint, events, actual, moves=sorted({*MOVES, asked.move}))
    months = result.plans[asked.move]
    unit = 10**plan.target.policy.digits
    before, after = plan.cells["minor"].to_numpy(), months.sum(axis=1)
    changes = plan.cells[list(plan.target.law.keys)].assign(
        before=before / unit, after=after / unit, change=(after - before) / unit
    )
    changes = changes[changes["change"] != 0]
    return result, changes.sort_values("change", key=abs, ascending=False, kind="stable").reset_index(drop=True)


def people_standing(quotas: PeoplePlan, state: Progress) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns people and teams with their actual to date, expected year and chance now.

    A person's actual is the share of the cells' actuals that the quota was made of; where sales by person are recorded,
    give those their own cells. What one person's part may differ shrinks with the part of the year that is over.
    """
    frame = quotas.quotas
    actual = quotas.part @ state.cells["actual"].to_numpy()
    rest = quotas.part @ state.cells["rest_expected"].to_numpy()
    left = rest / np.maximum(actual + rest, 1e-9)
    loads = np.zeros((1, len(frame))) if state.law is None else state.law.loads @ quotas.part.T
    own = frame["own_spread"].to_numpy() * left
    df = np.inf if state.law is None else state.law.df
    scale = np.sqrt((loads**2).sum(axis=0) + own**2)
    people = frame[[c for c in ("person_id", "name", "team", "quota") if c in frame]].assign(
        actual=actual, expected=actual + rest, chance=chance_above(frame["quota"] - actual - rest, scale, df)
    )
    rows = []
    for team, at in people.groupby(people["team"].astype(str)).indices.items():
        spread = np.sqrt((loads[:, at].sum(axis=1) ** 2).sum() + (own[at] ** 2).sum())
        part = people.iloc[at]
        gap = np.array([part["quota"].sum() - part["expected"].sum()])
        rows.append(
            [
                team,
                part["quota"].sum(),
                part["actual"].sum(),
                part["expected"].sum(),
                float(chance_above(gap, np.array([spread]), df)[0]),
            ]
        )
    return people, pd.DataFrame(rows, columns=["team", "quota", "actual", "expected", "chance"])
