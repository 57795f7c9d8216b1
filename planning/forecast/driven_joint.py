"""The joint forecast with drivers known ahead: taken out of every cell before, put back after, sums made last.

    y* = y exp(-(x - c) b)   →   joint forecast of y*   →   mean and errors of a cell and step times exp((x' - c) b)

c is a driver's recent mean, x' its future. Where a cell's history is not above zero the effect adds instead. The
uncertainty of b enters as one more error array, moved together in all cells.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from planning.forecast import drivers as known_ahead
from planning.forecast import effects as regression
from planning.forecast.coherent import joint
from planning.forecast.effects import Effects
from planning.forecast.frequency import parse
from planning.forecast.joint_forecast import JointForecast
from planning.forecast.panel import Panel


@dataclass(frozen=True, eq=False)
class DrivenJoint:
    """joint: the forecast; effects: the table of `planning.forecast.drivers`; gain: share of past error drivers
    saved.

    parts: bottom cells x steps x drivers, the change each driver makes to the mean against its recent mean (zero
    where it is not used), for the decomposition of growth; `still` the forecast with drivers as they were of late.
    """

    joint: JointForecast
    still: JointForecast
    effects: pd.DataFrame
    gain: float
    used: bool
    names: tuple[str, ...]
    relative: np.ndarray
    model: Effects | None = None
    rows: np.ndarray | None = None  # bottom cell → series of the model, -1 for none

    def effect_of(self, x: np.ndarray) -> np.ndarray:
        """Returns what driver values x (bottom cells x steps x drivers) do, against the drivers' recent mean."""
        out = np.zeros(x.shape)
        for place, i in enumerate(self.rows if self.rows is not None else ()):
            if i >= 0:
                out[place] = (x[place] - self.model.centre[i]) * self.model.beta[i]
        return out


def joint_with_drivers(
    history: pd.DataFrame,
    future: pd.DataFrame,
    *,
    keys: Sequence[str],
    horizon: int,
    freq: str = "MS",
    spec: Any = None,
    drivers: Sequence[str],
    use: Literal["auto", "always"] = "auto",
) -> DrivenJoint:
    """Returns the joint forecast with the drivers' known future, used where past forecasts were better with them.

    history: keys, ds, y and the driver columns; future: `ds` and the driver columns, with `unique_id` (the keys
    joined by "/") where they differ by cell. A cell that ended before the others takes no effect. Raises DataError
    for a missing driver value, naming the dates.
    """
    keys, names = list(keys), list(drivers)
    table = history.assign(unique_id=_joined(history, keys))
    panel, x, ahead, logs, found, told, gain, kept = judge(table, future, names, horizon, freq, use)
    found_used = found.take(kept)
    listed = known_ahead.effects_table(found, names, logs, told, kept)
    options = {"keys": keys, "horizon": horizon, "freq": freq, "spec": spec}
    if not len(kept):
        plain = joint(table, **options)
        relative = np.zeros((int(plain.bottom.sum()), horizon, len(names)))
        return DrivenJoint(plain, plain, listed, float(gain), False, tuple(names), relative)
    still = joint(_removed(table, panel, x, found_used), **options)
    rows = pd.Index(panel.ids).get_indexer(_joined(still.cells[still.bottom], keys))
    whole, relative = _put_back(still, rows, ahead, found_used)
    return DrivenJoint(whole, still, listed, float(gain), True, tuple(names), relative, found_used, rows)


def judge(
    table: pd.DataFrame,
    future: pd.DataFrame,
    names: list[str],
    horizon: int,
    freq: str = "MS",
    use: Literal["auto", "always"] = "auto",
) -> tuple[Panel, np.ndarray, np.ndarray, np.ndarray, Effects, np.ndarray, float, np.ndarray]:
    """Returns panel, drivers now and ahead, which are logarithms, effects, which are told, gain, and which are used."""
    frequency = parse(freq, table["ds"].to_numpy().astype("datetime64[D]"))
    panel = Panel.of_frame(table[["unique_id", "ds", "y"]], frequency)
    panel = panel.take(panel.last == panel.last.max())
    x, ahead, logs = known_ahead.arrange(panel, table, future, names, horizon, frequency)
    found = regression.fit(panel, x)
    told = np.abs(found.pooled) > known_ahead.TOLD * found.pooled_se
    gain = known_ahead.backtest(panel, x, told, horizon) if use == "auto" and told.any() else np.nan
    kept = np.arange(len(names)) if use == "always" else np.flatnonzero(told & bool(gain > 0))
    return panel, x, ahead, logs, found, told, float(gain), kept


def undriven(plain: JointForecast) -> DrivenJoint:
    """Returns a joint forecast made without drivers in the same form."""
    nothing = np.zeros((int(plain.bottom.sum()), len(plain.periods), 0))
    return DrivenJoint(plain, plain, pd.DataFrame(columns=EFFECTS), float("nan"), False, (), nothing)


EFFECTS = ("driver", "kind", "effect", "lo", "hi", "spread", "series", "told", "used")


def _joined(frame: pd.DataFrame, keys: list[str]) -> pd.Series:
    named = frame[keys[0]].astype("str")
    return named.str.cat([frame[key].astype("str") for key in keys[1:]], sep="/") if len(keys) > 1 else named


def _removed(table: pd.DataFrame, panel: Panel, x: np.ndarray, found: Effects) -> pd.DataFrame:
    """Returns the table with y as it would have been with the drivers at their recent mean; gaps stay gaps."""
    flat = known_ahead.without(panel, x, found).flat
    place = {name: i for i, name in enumerate(panel.ids)}
    series = table["unique_id"].map(lambda one: place.get(one, -1)).to_numpy()
    ordinal = panel.frequency.ordinal(table["ds"].to_numpy().astype("datetime64[D]"))
    at = panel.offsets[1:][series] - 1 - (panel.last[series] - ordinal)
    inside = (series >= 0) & (at >= panel.offsets[:-1][series]) & (at < panel.offsets[1:][series])
    y = table["y"].to_numpy(float).copy()
    inside &= np.isfinite(y)
    y[inside] = flat[at[inside]]
    return table.assign(y=y)


def _put_back(
    still: JointForecast, rows: np.ndarray, ahead: np.ndarray, found: Effects
) -> tuple[JointForecast, np.ndarray]:
    low = np.flatnonzero(still.bottom)
    mean, errors = still.mean.copy(), still.errors.copy()
    relative = np.zeros((len(low), ahead.shape[1], ahead.shape[2]))
    doubt = np.zeros((len(low), ahead.shape[1]))
    for place, (node, i) in enumerate(zip(low, rows)):
        if i < 0 or not mean[node].any():
            continue
        relative[place] = (ahead[i] - found.centre[i]) * found.beta[i]
        mean[node] = found.add(i, mean[node], ahead[i])
        doubt[place] = found.relative(i, ahead[i])[1] * (mean[node] if found.log[i] else found.size[i])
        if found.log[i]:
            errors[:, node] *= np.exp(relative[place].sum(axis=1)).astype(np.float32)
    mean[low] = np.where(still.nonnegative[low][:, None], np.maximum(mean[low], 0.0), mean[low])
    whole = dataclasses.replace(still, mean=mean, errors=errors)
    return _widened(still._rebuilt(whole.mean, whole.errors), doubt), relative


def _widened(joint: JointForecast, doubt: np.ndarray) -> JointForecast:
    """Returns the forecast with one more error array: `doubt` (bottom cells x steps, one standard deviation)."""
    share = 1.0 / (len(joint.weights) + 1)
    extra = (joint.shifted(doubt).mean - joint.mean) / np.sqrt(share)
    errors = np.concatenate([joint.errors / np.sqrt(1 - share), extra[None]]).astype(np.float32)
    return dataclasses.replace(joint, errors=errors, weights=np.append(joint.weights * (1 - share), share))
