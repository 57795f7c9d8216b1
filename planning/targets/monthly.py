"""The monthly joint forecast as the plan's base: the one the demand forecast's page shows.

Plan and forecast page then tell one number. `planning.targets.outlook` is the annual method, for histories given alone.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from planning.errors import DataError
from planning.forecast import joint as joint_forecast
from planning.forecast.joint_forecast import JointForecast
from planning.targets.history import Panel
from planning.targets.outlook import with_total


def monthly(panel: Panel, horizon: int) -> JointForecast:
    """Returns the monthly joint forecast of a panel for `horizon` months, over the panel's cells and their total."""
    keys = list(panel.by)
    rows, columns = np.nonzero(np.isfinite(panel.y))
    history = panel.cells[keys].iloc[rows].reset_index(drop=True)
    history = history.assign(ds=panel.months[columns], y=panel.y[rows, columns])
    return fitting(joint_forecast(history, keys=keys, horizon=horizon, freq="MS"), panel)


def fitting(joint: JointForecast, panel: Panel) -> JointForecast:
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
