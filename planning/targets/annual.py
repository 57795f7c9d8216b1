"""From a table of sales to a plan: history → joint forecast → target → split, in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from planning import files
from planning.errors import DataError, UsageError
from planning.forecast.joint_forecast import JointForecast
from planning.targets import units
from planning.targets.adjustments import past_log
from planning.targets.goal import DRAWS, SEED, set_target
from planning.targets.history import Panel, read_panel
from planning.targets.monthly import fitting
from planning.targets.outlook import horizon_of, outlook, year_periods
from planning.targets.plan import Plan, decompose
from planning.targets.policy import Policy


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
    joint = outlook(panel, horizon_of(panel, end)) if joint is None else fitting(joint, panel)
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
