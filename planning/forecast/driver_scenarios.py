"""What another path of the drivers would sell: the same future, with other prices, promotions or working days.

change = mean (exp((x' - x) b) - 1)        b with its uncertainty, in all cells alike; nothing else differs
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planning.errors import DataError, UsageError
from planning.forecast.driven_joint import DrivenJoint
from planning.forecast.hierarchy import joined
from planning.forecast.history import history_from
from planning.forecast.outlook import Outlook, year_months

_Z80 = 1.2816


@dataclass(frozen=True)
class WhatIf:
    """A changed path of the drivers: its name in parts (scenario, price, promotion) and what it would change.

    table: one row a node, sums over the plan year's months ahead: `unique_id, level, mean, changed, change,
    change_lo, change_hi` (80 %). idle: drivers that were moved and have no effect in the forecast.
    """

    scenario: str
    price: float
    promotion: float
    table: pd.DataFrame
    idle: tuple[str, ...]


def changed(driven: DrivenJoint, x: np.ndarray, steps: Sequence[int] | None = None) -> pd.DataFrame:
    """Returns what driver values x (bottom cells x steps x drivers) would change, one row a node and step.

    steps: sums over these steps instead, one row a node. Columns as of `WhatIf.table`, with `ds` where not summed.
    """
    joint = driven.joint
    low = np.flatnonzero(joint.bottom)
    off = driven.values(x) - driven.ahead
    change, doubt = np.zeros(joint.mean[low].shape), np.zeros(joint.mean[low].shape)
    for place, i in enumerate(driven.rows if driven.rows is not None else ()):
        if i < 0 or not joint.mean[low[place]].any():
            continue
        middle = off[place] @ driven.model.beta[i]
        sd = np.sqrt(np.maximum(np.einsum("tp,pq,tq->t", off[place], driven.model.covariance[i], off[place]), 0.0))
        mean = joint.mean[low[place]]
        change[place] = mean * np.expm1(middle) if driven.model.log[i] else driven.model.size[i] * middle
        doubt[place] = sd * (np.abs(mean * np.exp(middle)) if driven.model.log[i] else driven.model.size[i])
    summing = joint.summing()[:, low]
    parts = [joint.mean, summing @ change, summing @ doubt]
    ids = joint.cells[["unique_id", "level"]]
    if steps is None:
        h = len(joint.periods)
        frame = ids.loc[ids.index.repeat(h)].reset_index(drop=True)
        frame.insert(1, "ds", np.tile(joint.periods, len(ids)))
        mean, moved, sd = (part.ravel() for part in parts)
    else:
        frame = ids.copy()
        mean, moved, sd = (part[:, list(steps)].sum(axis=1) for part in parts)
    return frame.assign(
        mean=mean, changed=mean + moved, change=moved, change_lo=moved - _Z80 * sd, change_hi=moved + _Z80 * sd
    )


def path_of(driven: DrivenJoint, future: pd.DataFrame) -> np.ndarray:
    """Returns another path of the drivers as `changed` takes it: bottom cells x steps x drivers.

    future: `ds` and the driver columns, with `unique_id` where they differ by cell. A driver it leaves out stays as
    planned. Raises DataError for a value that is missing or no number, naming the dates.
    """
    joint, x = driven.joint, np.where(driven.logs, np.exp(driven.ahead), driven.ahead)
    ids = joined(joint.cells[joint.bottom], joint.keys)
    days = pd.to_datetime(future["ds"]) if "ds" in future else pd.Series(dtype="datetime64[s]")
    known = [name for name in driven.names if name in future]
    if not known or not len(days):
        raise UsageError(f"the what-if table has none of the drivers {', '.join(driven.names)}, or no dates (ds).")
    for name in known:
        values = pd.to_numeric(future[name], errors="coerce")
        column = pd.DataFrame({"ds": days.to_numpy(), name: values.to_numpy(float)})
        if "unique_id" in future:
            grid = pd.MultiIndex.from_product([ids, joint.periods])
            column["unique_id"] = future["unique_id"].astype("str").to_numpy()
            layer = column.drop_duplicates(["unique_id", "ds"]).set_index(["unique_id", "ds"])[name].reindex(grid)
        else:
            layer = column.drop_duplicates("ds").set_index("ds")[name].reindex(np.tile(joint.periods, len(ids)))
        layer = layer.to_numpy(float).reshape(x.shape[:2])
        if np.isnan(layer).any():
            row, step = np.argwhere(np.isnan(layer))[0]
            raise DataError(
                f"the what-if table: driver '{name}' is missing for {ids.iloc[row]} on {joint.periods[step]:%Y-%m-%d}. "
                "Add these rows."
            )
        x[:, :, driven.names.index(name)] = layer
    return x


def beside(driven: DrivenJoint, other: pd.DataFrame | None, out: Path) -> dict[Path, pd.DataFrame]:
    """Returns what is written beside a forecast with drivers: the effects, and what another path would change."""
    found = {out.with_name(f"{out.stem}.effects.csv"): driven.effects}
    if other is not None:
        found[out.with_name(f"{out.stem}.whatif.csv")] = changed(driven, path_of(driven, other))
    return found


def of_outlook(
    look: Outlook, sales: pd.DataFrame, settings: Any, *, plan: pd.DataFrame | None = None, scenario: str | None = "",
    price_change: float = 0.0, promotion_change: float = 0.0, as_of: dt.date | None = None,
) -> WhatIf | None:  # fmt: skip
    """Returns what a scenario of `driver_plan`, other prices, or other promotions would change; None if none is asked.

    price_change: 0.02 = 2 % above the path in all months ahead; promotion_change: 0.1 = a tenth of the time more, or
    -0.1 = less, taken off the months that have promotions (never below none or above all of the time). Raises
    UsageError for an unknown scenario.
    """
    scenario = scenario or ""
    if look.refused or not (scenario or price_change or promotion_change):
        return None
    if look.history.paths is None or not look.driven.names:
        raise UsageError("there is no driver to change: the sales table has neither price_index nor promotion.")
    driven = look.driven
    ids = joined(driven.joint.cells[driven.joint.bottom], driven.joint.keys)
    history = look.history
    if scenario:
        history = history_from(sales, settings, as_of=as_of, plan=plan, scenario=scenario)
    paths = history.paths.take(driven.names)
    ahead = paths.ahead(history.last, len(driven.joint.periods), ids)
    x = ahead.set_index("unique_id").loc[list(ids), list(driven.names)].to_numpy(float)
    x = x.reshape(len(ids), len(driven.joint.periods), len(driven.names)).copy()
    for j, name in enumerate(driven.names):
        if name == "price_index":
            x[:, :, j] *= 1 + price_change
        if name == "promotion":
            x[:, :, j] = _promoted(x[:, :, j], promotion_change)
    steps = np.flatnonzero(driven.joint.periods.isin(year_months(look.year, look.start_month)))
    moved = np.abs(driven.values(x) - driven.ahead).max(axis=(0, 1)) > 1e-12
    asked = {"price_index": price_change, "promotion": promotion_change}
    idle = [name for j, name in enumerate(driven.names) if moved[j] and name not in driven.kept]
    idle += [name for name, change in asked.items() if change and name not in driven.names]
    return WhatIf(scenario, price_change, promotion_change, changed(driven, x, steps), tuple(idle))


def _promoted(share: np.ndarray, change: float) -> np.ndarray:
    """Returns shares of the time on promotion (cells x months) with so much more of it, or less in proportion."""
    if change >= 0:
        return np.minimum(share + change, 1.0)
    mean = share.mean(axis=1, keepdims=True)
    return share * np.maximum(1 + change / np.where(mean > 0, mean, 1.0), 0.0)
