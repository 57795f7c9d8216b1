"""The Python calls of the contract: set_target, decompose, person_quotas on a joint forecast."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pandas as pd
import pytest

from planning import targets
from planning.forecast.joint_forecast import JointForecast
from planning.targets.goal import Target
from planning.targets.outlook import outlook
from planning.targets.policy import make_policy


def test_no_module_hides_a_function_of_its_name():
    for module in pkgutil.iter_modules(targets.__path__):
        importlib.import_module(f"planning.targets.{module.name}")
    assert all(callable(getattr(targets, name)) for name in targets.__all__)
    with pytest.raises(AttributeError, match="no attribute"):
        targets.absent  # noqa: B018


def test_set_target_then_decompose_on_any_joint_forecast(panel, content):
    joint = outlook(panel, 12)
    last = pd.Series(panel.year_total(pd.Timestamp("2026-01-01")), index=panel.cells["unique_id"])
    goal = targets.set_target(joint, make_policy(content), year=2027, last_year=last)
    assert isinstance(goal, Target) and goal.commit < goal.target < goal.stretch
    assert goal.attainment_probability == pytest.approx(joint.probability(goal.amount(goal.target)), abs=1e-9)
    plan = targets.decompose(goal)
    assert plan.cells["minor"].sum() == plan.months["minor"].sum() == goal.target


def test_a_forecast_of_finer_cells_is_summed_and_ended_cells_expect_nothing(history, content):
    finer = pd.concat(
        [
            history.assign(kind="a", amount=0.4 * history["amount"]),
            history.assign(kind="b", amount=0.6 * history["amount"]),
        ]
    )
    from planning.targets.history import read_panel

    joint = outlook(read_panel(finer, ["region", "line", "kind"]), 12)
    plan, _panel = targets.plan_year(history, make_policy(content), year=2027, joint=joint)
    alone, _same = targets.plan_year(history, make_policy(content), year=2027)
    assert isinstance(joint, JointForecast) and len(plan.cells) == 12
    assert plan.cells["expected"].sum() == pytest.approx(alone.cells["expected"].sum(), rel=0.01)
    few = joint.select([uid for uid in joint.cells["unique_id"] if not uid.startswith("East/Pumps")])
    part, _panel = targets.plan_year(history, make_policy(content), year=2027, joint=few)
    row = part.cells.set_index("unique_id").loc["East/Pumps"]
    assert row["expected"] == 0 and row["last_year"] > 0 and np.isfinite(part.target.growth)
