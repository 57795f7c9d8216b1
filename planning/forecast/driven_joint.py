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

from planning.errors import DataError
from planning.forecast import drivers as known_ahead
from planning.forecast import effects as regression
from planning.forecast.coherent import joint
from planning.forecast.effects import Effects
from planning.forecast.frequency import parse
from planning.forecast.hierarchy import joined
from planning.forecast.joint_forecast import JointForecast
from planning.forecast.panel import Panel


@dataclass(frozen=True, eq=False)
class DrivenJoint:
    """A joint forecast with drivers: `joint`, and `still`, the same with drivers as they were of late.

    effects: the table of `planning.forecast.drivers`; gain: share of past error drivers saved; names: drivers looked
    at, kept: those used. relative: bottom cells x steps x drivers, what each driver does to the cell against its
    recent mean (in the model's unit, zero where it is not used). ahead: the drivers' values behind it, logarithms
    taken where `logs` says so; model: the effects; rows: bottom cell → series of the model, -1 for none.
    """

    joint: JointForecast
    still: JointForecast
    effects: pd.DataFrame
    gain: float
    names: tuple[str, ...]
    kept: tuple[str, ...]
    relative: np.ndarray
    ahead: np.ndarray
    logs: np.ndarray
    model: Effects | None = None
    rows: np.ndarray | None = None

    @property
    def used(self) -> bool:
        """True where the forecast uses a driver."""
        return len(self.kept) > 0

    def values(self, x: np.ndarray) -> np.ndarray:
        """Returns driver values (bottom cells x steps x drivers) as the model takes them.

        Raises DataError for a driver that is not above zero though it was throughout.
        """
        bad = self.logs & (x <= 0).any(axis=(0, 1))
        if bad.any():
            name = self.names[int(np.flatnonzero(bad)[0])]
            raise DataError(f"driver '{name}' is zero or below, and was above zero throughout. Correct it.")
        return np.where(self.logs, np.log(np.where(self.logs, x, 1.0)), x)

    def effect_of(self, x: np.ndarray) -> np.ndarray:
        """Returns what driver values x (bottom cells x steps x drivers) do, against the drivers' recent mean."""
        values, out = self.values(x), np.zeros(x.shape)
        for place, i in enumerate(self.rows if self.rows is not None else ()):
            if i >= 0:
                out[place] = (values[place] - self.model.centre[i]) * self.model.beta[i]
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
    held: np.ndarray | None = None,
) -> DrivenJoint:
    """Returns the joint forecast with the drivers' known future, used where past forecasts were better with them.

    history: keys, ds, y and the driver columns; future: `ds` and the driver columns, with `unique_id` (the keys
    joined by "/") where they differ by cell. held: how many recent periods a driver's future is the mean of, 0 where
    it is known: past forecasts are judged with the same knowledge. A cell that ended before the others takes no
    effect. Raises DataError for a missing driver value, naming the dates.
    """
    keys, names = list(keys), list(drivers)
    table = history.assign(unique_id=joined(history, keys))
    found = judge(table, future, names, horizon, freq, use, held)
    kept = tuple(names[j] for j in found.kept)
    options = {"keys": keys, "horizon": horizon, "freq": freq, "spec": spec}
    if not kept:
        plain = joint(table, **options)
        nothing = np.zeros((int(plain.bottom.sum()), horizon, len(names)))
        return DrivenJoint(plain, plain, found.listed, found.gain, tuple(names), (), nothing, nothing, found.logs)
    effects = found.effects.take(found.kept)
    still = joint(_removed(table, found.panel, found.x, effects), **options)
    rows = pd.Index(found.panel.ids).get_indexer(joined(still.cells[still.bottom], keys))
    whole, relative = _put_back(still, rows, found.ahead, effects)
    ahead = np.where(rows[:, None, None] >= 0, found.ahead[rows], 0.0)
    return DrivenJoint(
        whole, still, found.listed, found.gain, tuple(names), kept, relative, ahead, found.logs, effects, rows
    )


@dataclass(frozen=True, eq=False)
class Judged:
    """Drivers on the panel: x beside its values, ahead (series x steps x drivers), effects, and which are kept."""

    panel: Panel
    x: np.ndarray
    ahead: np.ndarray
    logs: np.ndarray
    effects: Effects
    listed: pd.DataFrame
    gain: float
    kept: np.ndarray


def judge(
    table: pd.DataFrame,
    future: pd.DataFrame,
    names: list[str],
    horizon: int,
    freq: str = "MS",
    use: Literal["auto", "always"] = "auto",
    held: np.ndarray | None = None,
) -> Judged:
    """Returns the drivers' effects and which of them helped past forecasts (all of them with use "always")."""
    frequency = parse(freq, table["ds"].to_numpy().astype("datetime64[D]"))
    panel = Panel.of_frame(table[["unique_id", "ds", "y"]], frequency)
    panel = panel.take(panel.last == panel.last.max())
    x, ahead, logs = known_ahead.arrange(panel, table, future, names, horizon, frequency)
    found = regression.fit(panel, x)
    choice = known_ahead.choose(panel, x, found, horizon, use=use, held=held)
    listed = known_ahead.effects_table(found, names, logs, choice)
    return Judged(panel, x, ahead, logs, found, listed, choice.gain, choice.kept)


def undriven(plain: JointForecast) -> DrivenJoint:
    """Returns a joint forecast made without drivers in the same form."""
    nothing = np.zeros((int(plain.bottom.sum()), len(plain.periods), 0))
    listed = pd.DataFrame(columns=known_ahead.EFFECTS)
    return DrivenJoint(plain, plain, listed, float("nan"), (), (), nothing, nothing, np.zeros(0, dtype=bool))


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
