"""From a table of sales to a plan: history → joint forecast → target → split, in one call."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planning import files
from planning.errors import DataError, UsageError
from planning.forecast.joint_forecast import JointForecast
from planning.targets import units, versions
from planning.targets.adjustments import past_log
from planning.targets.goal import DRAWS, SEED, set_target
from planning.targets.history import Panel, read_panel
from planning.targets.market import market_view
from planning.targets.outlook import horizon_of, outlook, with_total, year_periods
from planning.targets.plan import Plan, decompose
from planning.targets.policy import Policy, policy_of
from planning.targets.versions import Version


def plan_year(
    history: pd.DataFrame,
    policy: Policy,
    *,
    year: int,
    joint: JointForecast | None = None,
    adjustments: pd.DataFrame | None = None,
    capacity: pd.DataFrame | None = None,
    confirmations: pd.DataFrame | None = None,
    draws: int = DRAWS,
    seed: int = SEED,
    file: str = "history",
) -> tuple[Plan, Panel]:
    """Returns the plan of a fiscal year and the panel it stands on.

    history: `ds, <policy.by>, amount`. joint: a forecast over the policy's keys that covers the year; made from the
    history where none is given. adjustments: the whole table; rows whose time is over teach the weight of the others.
    Raises DataError, ConfigError or InfeasiblePolicy, each with the way out.
    """
    panel = read_panel(history, policy.by, currency=policy.currency, rates=policy.rates, file=file)
    start, end = year_periods(year, policy.fiscal_year_start)
    _reachable(panel, start, year)
    joint = outlook(panel, horizon_of(panel, end)) if joint is None else _fitting(joint, panel)
    last_start = panel.last_full_year(start)
    last = pd.Series(panel.year_total(last_start), index=panel.cells["unique_id"])
    log, future = past_log(panel, adjustments, start)
    target = set_target(
        joint,
        policy,
        year=year,
        last_year=last,
        last_year_start=last_start,
        adjustments=future,
        adjustment_log=log,
        capacity=capacity,
        confirmations=confirmations,
        draws=draws,
        seed=seed,
    )
    return decompose(target), panel


def _fitting(joint: JointForecast, panel: Panel) -> JointForecast:
    """Returns a given forecast over the panel's keys; cells it left out (ended ones) are expected to sell nothing."""
    if tuple(joint.keys) != panel.by:
        joint = joint.aggregate(panel.by)
    known = joint.cells.loc[joint.bottom, list(panel.by)].astype(str).agg("/".join, axis=1)
    if set(known) - set(panel.cells["unique_id"]):
        unknown = sorted(set(known) - set(panel.cells["unique_id"]))[0]
        raise DataError(f"the forecast has the cell '{unknown}', the history has not. Make both from the same table.")
    rows = np.flatnonzero(joint.bottom)
    place = pd.Index(known).get_indexer(panel.cells["unique_id"])
    found = place >= 0
    mean = np.zeros((len(place), len(joint.periods)))
    errors = np.zeros((len(joint.weights), *mean.shape), dtype=np.float32)
    mean[found] = joint.mean[rows[place[found]]]
    errors[:, found] = joint.errors[:, rows[place[found]]]
    return with_total(panel, mean, errors, joint.weights, joint.df, joint.periods, dict(joint.meta))


def _reachable(panel: Panel, start: pd.Timestamp, year: int) -> None:
    last = panel.months[-1]
    if last >= start + pd.DateOffset(months=11):
        raise UsageError(f"--year {year}: the history already covers it (through {last:%Y-%m}). Name a later year.")
    if last >= start:
        raise DataError(
            f"--year {year}: the history reaches into it ({last:%Y-%m}). Leave out the months from {start:%Y-%m} on to "
            "plan "
            "the year as it was at its start, or use the weekly progress to see where it stands."
        )
    if (start.year - last.year) * 12 + start.month - last.month > 25:
        raise UsageError(
            f"--year {year}: the history ends {last:%Y-%m}, more than two years before. Name an earlier year."
        )


def plan_tables(plan: Plan) -> dict[str, pd.DataFrame]:
    """Returns the published tables `targets` and `cells`; amounts of `targets` as decimal text, exact."""
    keys = list(plan.target.law.keys)
    digits = plan.target.policy.digits
    targets = plan.months[keys].assign(
        month=plan.months["month"].dt.strftime("%Y-%m-%d"), target=units.decimal_text(plan.months["minor"], digits)
    )
    cells = plan.cells[keys].assign(
        target=units.decimal_text(plan.cells["minor"], digits),
        expected=plan.cells["expected"].round(digits),
        attainment_probability=plan.cells["attainment_probability"].round(6),
        growth=plan.cells["growth"].round(6),
        locked=plan.cells["locked"],
        last_year=plan.cells["last_year"].round(digits),
    )
    return {"targets": targets, "cells": cells}


def write_plan(plan: Plan, folder: str | Path) -> dict[str, Any]:
    """Writes `targets.csv`, `cells.csv` and `summary.json` into `folder` (made where its parent exists)."""
    folder = Path(folder)
    make_folder(folder)
    tables = plan_tables(plan)
    files.write_table(folder / "targets.csv", tables["targets"])
    files.write_table(folder / "cells.csv", tables["cells"])
    summary = plan.summary()
    files.write_json(folder / "summary.json", summary)
    return summary


def make_folder(folder: Path) -> None:
    """Makes an output folder; UsageError where a file stands in its place or the parent is missing."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file, a folder is meant. Name another place.")
    if not folder.parent.is_dir():
        raise UsageError(f"{folder.parent}: there is no such folder. Create it, or name another place.")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: could not be made ({error.strerror}). Give write permission.") from error


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
    sales = until(step.table("sales"), asked.as_of or settings.plan.as_of)
    year = settings.plan.year or _next_year(sales, policy.fiscal_year_start)
    wanted = asked.forecast == "demand_forecast" and step.has("demand_forecast", "joint")
    joint = step.result("demand_forecast", "joint") if wanted else None
    return plan_year(
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


def until(table: pd.DataFrame, as_of: Any, column: str = "ds") -> pd.DataFrame:
    """Returns the rows of a table dated up to `as_of`; all where it is empty."""
    return table if as_of is None else table[table[column] <= pd.Timestamp(as_of)]


def _next_year(sales: pd.DataFrame, start_month: int) -> int:
    last = pd.Timestamp(sales["ds"].max())
    this = last.year if start_month == 1 or last.month < start_month else last.year + 1
    return this + 1


def market_of(step: Any, plan: Plan, panel: Panel) -> pd.DataFrame | None:
    """Returns the market's second view of a step's plan, or None without a market table."""
    return market_view(plan, step.table("market"), panel)


def keep_version(step: Any, plan: Plan) -> Version:
    """Writes the plan into the workspace's `plans/<year>` as a version and returns it; the parent is the one before."""
    folder = Path(step.root) / "plans" / str(plan.target.year)
    folder.mkdir(parents=True, exist_ok=True)
    return keep(folder, plan, cause="annual_targets")


def keep(folder: Path, plan: Plan, *, cause: str) -> Version:
    """Keeps a plan as the current version of `folder`; the same plan again is the same version."""
    known = (folder / "versions" / "current").exists()
    before = versions.load(folder) if known else None
    version = versions.record(plan, cause=cause)
    if before is not None and before.year == plan.target.year:
        again = versions.record(plan, parent=before.parent, cause=cause)
        same = again.plan_id == before.plan_id
        version = before if same else versions.record(plan, parent=before.plan_id, cause=cause)
    versions.save(folder, version, plan.target.adjusted.joint)
    return version
