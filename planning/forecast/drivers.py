"""Drivers known ahead (price, promotion, working days, spend): their effects, forecasts that use them, and what-if.

```
history   unique_id  ds          y      price  promotion          future   unique_id  ds          price  promotion
          N01        2026-12-01  412.0   9.90        0.0                   N01        2027-01-01   9.50        1.0
effects   driver  kind        effect  lo     hi     spread  series  told  gain  used
          price   elasticity   -1.52  -1.60  -1.44    0.31      40  True  0.21  True
```

A driver above zero throughout enters as its logarithm (kind `elasticity`: 1 % more of it changes y by `effect` %);
any other one as it is (kind `per_unit`: one more of it changes y by the factor exp(effect)). The history is taken
to what it would have been with its drivers as they were of late, forecast like any other, and the future drivers'
effect is put back. A driver is used only where past forecasts with it were better than without; `used` in the
effects says so, `gain` the share of past error it saved beside the others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from planning.errors import DataError, UsageError, did_you_mean
from planning.forecast import effects as regression
from planning.forecast import engine
from planning.forecast.effects import Effects
from planning.forecast.frequency import Frequency
from planning.forecast.panel import Panel
from planning.forecast.table import check_options, check_reach, empty_frame, with_left_out

ID, DS, Y = "unique_id", "ds", "y"
TOLD = 1.645  # standard errors from zero at which an effect counts as told
JUDGED_SERIES = 36
ROUNDS = 2
_NAMED = 3
_Z80 = 1.2816


@dataclass(frozen=True, eq=False)
class Driven:
    """A forecast with drivers: `frame` and `report` as of `forecasts`, `effects` as drawn above, and how it was
    judged.

    gain: share by which drivers lowered the error of past forecasts (NaN where none could be made); used: True
    where the forecast uses drivers. model: what `what_if` needs.
    """

    frame: pd.DataFrame
    report: pd.DataFrame
    effects: pd.DataFrame
    gain: float
    used: bool
    model: Model


@dataclass(frozen=True, eq=False)
class Model:
    """Series, drivers' effects and future values: panel, names (p,), log (p,) of drivers, x future (n, H, p)."""

    panel: Panel
    names: tuple[str, ...]
    logs: np.ndarray
    effects: Effects
    ahead: np.ndarray


def driver_columns(history: pd.DataFrame, drivers: Sequence[str] | None = None) -> list[str]:
    """Returns the driver columns of a history: those named, else every column beside `unique_id, ds, y`.

    Raises UsageError for a name that is not there.
    """
    columns = [str(name) for name in history.columns if name not in (ID, DS, Y)]
    for name in drivers or []:
        if name not in columns:
            raise UsageError(f"the history has no driver '{name}'.{did_you_mean(name, columns)}")
    return list(drivers or columns)


def forecast_with_drivers(
    history: pd.DataFrame,
    future: pd.DataFrame,
    *,
    horizon: int,
    freq: str,
    levels: Sequence[float] = (80, 95),
    drivers: Sequence[str] | None = None,
    use: Literal["auto", "always"] = "auto",
    fill: str = "missing",
    clean: bool = True,
    global_model: bool = True,
    jobs: int | None = None,
    label: str = "history",
    rows: np.ndarray | None = None,
) -> Driven:
    """Returns the forecast of each series with the drivers' known future, used where that helped before.

    future: `unique_id, ds` and the driver columns for every step of the horizon; without `unique_id` it holds for all
    series. drivers: the columns meant (default: the columns of `future`). use "always" skips the judgement.

    Raises DataError for a missing or non-numeric driver value, naming series and dates; UsageError for impossible
    options.
    """
    from planning.forecast.checks import check_history

    options = check_options(horizon, levels, fill, clean, jobs, global_model)
    lost = [name for name in (ID, DS, Y) if name not in history.columns]
    if lost:
        check_history(history, freq, label=label, rows=rows)
    names = driver_columns(history, drivers or [str(c) for c in future.columns if c not in (ID, DS)])
    if not names:
        raise UsageError("the future has no driver column beside unique_id and ds. Give at least one.")
    table, frequency = check_history(history[[ID, DS, Y]], freq, label=label, rows=rows)
    panel = Panel.of_frame(table, frequency, fill=fill)
    check_reach(panel, options)
    x, ahead, logs = arrange(panel, history, future, names, horizon, frequency)
    found = regression.fit(panel, x)
    choice = choose(panel, x, found, horizon, use=use, jobs=jobs)
    used = found.take(choice.kept)
    frame, report = _forecast(panel, x, ahead, used if len(choice.kept) else None, options)
    report = with_left_out(report, table, frequency)
    model = Model(panel, tuple(names), logs, used, ahead)
    frame = frame if len(frame) else empty_frame(options)
    listed = effects_table(found, names, logs, choice)
    return Driven(frame, report, listed, choice.gain, len(choice.kept) > 0, model)


# ---- drivers on the panel's grid ------------------------------------------------------------------------------------


def arrange(
    panel: Panel, history: pd.DataFrame, future: pd.DataFrame, names: list[str], horizon: int, frequency: Frequency
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns drivers beside `panel.flat` (N, p), for the horizon (n, H, p), and which are logarithms (p,).

    Raises DataError naming the series and dates at which a value is missing.
    """
    lost = [name for name in names if name not in future.columns]
    if lost:
        raise DataError(
            f"the future has no driver '{lost[0]}'.{did_you_mean(lost[0], [str(c) for c in future.columns])}"
        )
    past = _numbers(history, names, "the history")
    then = _numbers(future, names, "the future")
    x = _on_grid(panel, history, past, names, frequency)
    ahead = _ahead(panel, future, then, names, horizon, frequency)
    logs = np.array([bool((x[:, j] > 0).all() and (ahead[:, :, j] > 0).all()) for j in range(len(names))])
    x[:, logs], ahead[:, :, logs] = np.log(x[:, logs]), np.log(ahead[:, :, logs])
    return x, ahead, logs


def _numbers(frame: pd.DataFrame, names: list[str], where: str) -> np.ndarray:
    """Returns the driver columns as numbers, NaN where empty."""
    values = np.empty((len(frame), len(names)))
    for j, name in enumerate(names):
        column = pd.to_numeric(frame[name], errors="coerce").to_numpy(float, na_value=np.nan)
        wrong = ~np.isfinite(column) & frame[name].notna().to_numpy()
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            found = frame[name].iloc[row]
            raise DataError(f"{where}: driver '{name}' is '{found}' in row {row + 2}. Write a finite number.")
        values[:, j] = column
    return values


def _days(frame: pd.DataFrame) -> np.ndarray:
    try:
        return pd.to_datetime(frame[DS]).to_numpy().astype("datetime64[D]")
    except (KeyError, ValueError, TypeError):
        raise DataError("the future's ds holds something that is no date. Write dates as 2026-12-31.") from None


def _on_grid(
    panel: Panel, history: pd.DataFrame, values: np.ndarray, names: list[str], frequency: Frequency
) -> np.ndarray:
    """Places the history's drivers beside `panel.flat`; a period without a row takes the line between its
    neighbours."""
    place = {name: i for i, name in enumerate(panel.ids)}
    series = history[ID].map(lambda one: place.get(str(one), -1)).to_numpy()
    ordinal = frequency.ordinal(_days(history))
    end = np.append(panel.offsets[1:], 0)[series] - 1 - (np.append(panel.last, 0)[series] - ordinal)
    inside = (series >= 0) & (end >= panel.offsets[:-1][series]) & (end < panel.offsets[1:][series])
    x = np.full((len(panel.flat), len(names)), np.nan)
    seen = np.zeros(len(panel.flat), dtype=bool)
    x[end[inside]], seen[end[inside]] = values[inside], True
    for j, name in enumerate(names):
        empty = seen & np.isnan(x[:, j])
        if empty.any():
            _missing(panel, np.flatnonzero(empty), name, "history")
        gaps = ~seen
        for i in np.unique(np.searchsorted(panel.offsets, np.flatnonzero(gaps), side="right") - 1):
            part = slice(panel.offsets[i], panel.offsets[i + 1])
            at, hole = np.arange(part.stop - part.start), gaps[part]
            x[part, j][hole] = np.interp(at[hole], at[~hole], x[part, j][~hole])
    return x


def _missing(panel: Panel, at: np.ndarray, name: str, where: str) -> None:
    owner = np.searchsorted(panel.offsets, at, side="right") - 1
    first = at[owner == owner[0]]
    ordinal = panel.last[owner[0]] - (panel.offsets[owner[0] + 1] - 1 - first)
    dates = ", ".join(str(day) for day in panel.frequency.date(ordinal)[:_NAMED])
    more = f" and {len(at) - min(len(first), _NAMED)} more" if len(at) > min(len(first), _NAMED) else ""
    raise DataError(f"{where}: driver '{name}' is empty for {panel.ids[owner[0]]} on {dates}{more}. Fill it in.")


def _ahead(
    panel: Panel, future: pd.DataFrame, values: np.ndarray, names: list[str], horizon: int, frequency: Frequency
) -> np.ndarray:
    """Returns the future drivers (n, H, p); DataError names the dates a value is missing at."""
    ordinal = frequency.ordinal(_days(future))
    ahead = np.full((panel.n, horizon, len(names)), np.nan)
    if ID in future.columns:
        place = {name: i for i, name in enumerate(panel.ids)}
        series = future[ID].map(lambda one: place.get(str(one), -1)).to_numpy()
        step = ordinal - np.append(panel.last, 0)[series] - 1
        ok = (series >= 0) & (step >= 0) & (step < horizon)
        ahead[series[ok], step[ok]] = values[ok]
    else:
        step = ordinal[None, :] - panel.last[:, None] - 1
        rows, columns = np.nonzero((step >= 0) & (step < horizon))
        ahead[rows, step[rows, columns]] = values[columns]
    bad = np.isnan(ahead)
    if bad.any():
        lines = [_lacking(panel, bad[:, :, j], name, frequency) for j, name in enumerate(names) if bad[:, :, j].any()]
        raise DataError("\n".join(lines))
    return ahead


def _lacking(panel: Panel, bad: np.ndarray, name: str, frequency: Frequency) -> str:
    rows = np.flatnonzero(bad.any(axis=1))
    i = rows[0]
    dates = [str(day) for day in frequency.date(panel.last[i] + 1 + np.flatnonzero(bad[i]))]
    shown = ", ".join(dates[:_NAMED]) + (f" and {len(dates) - _NAMED} more" if len(dates) > _NAMED else "")
    others = f" (and {len(rows) - 1:,} more series)" if len(rows) > 1 else ""
    return f"the future: driver '{name}' is missing for {panel.ids[i]} on {shown}{others}. Add these rows."


# ---- judging and forecasting ----------------------------------------------------------------------------------------


def without(panel: Panel, x: np.ndarray, found: Effects) -> Panel:
    """Returns the panel as it would have been with its drivers at their centre."""
    flat = panel.flat.copy()
    for i in range(panel.n):
        part = slice(panel.offsets[i], panel.offsets[i + 1])
        flat[part] = found.remove(i, panel.flat[part], x[part])
    return dataclasses.replace(panel, flat=flat)


@dataclass(frozen=True, eq=False)
class Choice:
    """Which drivers are used (`kept`, positions), and by what share they lowered the error of past forecasts (gain).

    told: effects that can be told from zero; gains: what each of them saved beside the others. NaN: not judged.
    """

    kept: np.ndarray
    gain: float
    told: np.ndarray
    gains: np.ndarray


def choose(
    panel: Panel,
    x: np.ndarray,
    found: Effects,
    horizon: int,
    *,
    use: Literal["auto", "always"] = "auto",
    held: np.ndarray | None = None,
    jobs: int | None = None,
) -> Choice:
    """Returns the drivers that helped past forecasts: told from zero, of use beside the others, and of use together.

    Two rounds, one and two horizons back, effects estimated anew from what was known then, on some dozen series long
    enough; error: mean absolute over the mean absolute change of the series. Together they must lower it by more than
    one standard error (over series). held: see `joint_with_drivers`. use "always" keeps all without judging.
    """
    p = x.shape[1]
    told = np.abs(found.pooled) > TOLD * found.pooled_se
    nothing = Choice(np.arange(p) if use == "always" else np.zeros(0, int), float("nan"), told, np.full(p, np.nan))
    every = np.flatnonzero(told)
    judged = _judged_rows(panel, horizon)
    if use == "always" or not len(every) or not len(judged):
        return nothing
    sub = panel.take(judged)
    xs = np.concatenate([x[panel.offsets[i] : panel.offsets[i + 1]] for i in judged])
    held = np.zeros(p, int) if held is None else np.asarray(held)
    sets = [every[:0], every] + [np.setdiff1d(every, [j]) for j in every if len(every) > 1]
    errors = _errors(sub, xs, sets, horizon, held, jobs)
    gains = np.full(p, np.nan)
    for place, j in enumerate(every):
        gains[j] = _gain(sub, errors[2 + place] if len(every) > 1 else errors[0], errors[1], strict=False)
    kept = every[gains[every] > 0]
    if len(kept) < len(every):
        errors = [errors[0], _errors(sub, xs, [kept], horizon, held, jobs)[0] if len(kept) else errors[0]]
    gain = _gain(sub, errors[0], errors[1])
    return Choice(kept if gain > 0 else kept[:0], gain, told, gains)


def _judged_rows(panel: Panel, horizon: int) -> np.ndarray:
    rows = np.flatnonzero(panel.lengths >= horizon + _least(panel))
    return rows[:: -(-len(rows) // JUDGED_SERIES)] if len(rows) else rows


def _least(panel: Panel) -> int:
    return engine.least(panel.season) + 2 * panel.season


def _errors(
    panel: Panel, x: np.ndarray, sets: Sequence[np.ndarray], horizon: int, held: np.ndarray, jobs: int | None
) -> list[np.ndarray]:
    """Returns the absolute error of past forecasts of each series, with each set of drivers."""
    out = [np.zeros(panel.n) for _ in sets]
    for back in horizon * np.arange(1, ROUNDS + 1):
        if back > horizon and panel.lengths.min() < back + _least(panel):
            break
        found = regression.fit(panel, x, back=int(back))
        ahead = _as_known(panel, x, int(back), horizon, held)
        real = engine.actuals(panel, horizon, [back])[0]
        for place, drivers in enumerate(sets):
            used = found.take(drivers)
            base = without(panel, x, used) if len(drivers) else panel
            made = engine.fit(base, horizon, [back], jobs=jobs).forecasts[0]
            if len(drivers):
                made = np.stack([used.add(i, made[i], ahead[i]) for i in range(panel.n)])
            out[place] += np.nanmean(np.abs(real - made), axis=1)
    return out


def _as_known(panel: Panel, x: np.ndarray, back: int, horizon: int, held: np.ndarray) -> np.ndarray:
    """Returns the drivers of the steps after a past origin as they would have been known: as they came, or held."""
    starts = panel.offsets[1:] - back
    ahead = np.stack([x[start : start + horizon] for start in starts])
    for j in np.flatnonzero(held):
        for i, start in enumerate(starts):
            ahead[i, :, j] = x[max(panel.offsets[i], start - held[j]) : start, j].mean()
    return ahead


def _gain(panel: Panel, plain: np.ndarray, driven: np.ndarray, *, strict: bool = True) -> float:
    """Returns the share by which the error fell; a fall within one standard error counts as none where `strict`."""
    scale = np.array([np.abs(np.diff(panel.series(i))).mean() for i in range(panel.n)])
    ok = np.isfinite(plain) & np.isfinite(driven) & (scale > 0)
    if not ok.any() or plain[ok].sum() == 0:
        return float("nan")
    a, b = plain[ok] / scale[ok], driven[ok] / scale[ok]
    gain = a - b
    error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else 0.0
    share = float(gain.mean() / a.mean())
    return share if not strict or abs(gain.mean()) > error else min(share, 0.0)


def _forecast(
    panel: Panel, x: np.ndarray, ahead: np.ndarray, found: Effects | None, options
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns frame and report, the effect of future drivers put back with its own uncertainty."""
    from planning.forecast.single import forecast_panel

    if found is None:
        return forecast_panel(panel, options)
    frame, report = forecast_panel(without(panel, x, found), options)
    if not len(frame):
        return frame, report
    floor = np.minimum.reduceat(panel.flat, panel.offsets[:-1]) >= 0
    dead = report.set_index(ID)["status"].reindex(panel.ids).isin(["ended", "no_demand"]).to_numpy()
    columns = [name for name in frame.columns if name not in (ID, DS)]
    values = frame[columns].to_numpy(float).reshape(panel.n, options.horizon, len(columns))
    for i in np.flatnonzero(~dead):
        sd = found.relative(i, ahead[i])[1]
        put = found.add(i, values[i].T, ahead[i])
        unit = np.abs(put[0]) if found.log[i] else np.full(options.horizon, found.size[i])
        for k, name in enumerate(columns[1:], start=1):
            z = _z(name) * unit * sd
            put[k] = put[0] + np.sign(z) * np.hypot(put[k] - put[0], z)
        values[i] = np.maximum(put.T, 0.0) if floor[i] else put.T
    frame[columns] = values.reshape(-1, len(columns))
    return frame, report


def _z(column: str) -> float:
    """Returns the normal quantile a column such as lo-80 stands for."""
    from scipy.special import ndtri

    side, level = column.split("-", 1)
    z = float(ndtri(0.5 + float(level) / 200))
    return -z if side == "lo" else z


EFFECTS = ("driver", "kind", "effect", "lo", "hi", "spread", "series", "told", "gain", "used")


def effects_table(found: Effects, names: Sequence[str], logs: np.ndarray, choice: Choice) -> pd.DataFrame:
    """Returns the effects as drawn in the module's text, 80 % intervals."""
    half = _Z80 * found.pooled_se
    return pd.DataFrame({
        "driver": list(names), "kind": np.where(logs, "elasticity", "per_unit"), "effect": found.pooled,
        "lo": found.pooled - half, "hi": found.pooled + half, "spread": found.spread, "series": int(found.own.sum()),
        "told": choice.told, "gain": choice.gains, "used": np.isin(np.arange(len(names)), choice.kept),
    })[list(EFFECTS)]  # fmt: skip


def what_if(driven: Driven, future: pd.DataFrame) -> pd.DataFrame:
    """Returns what another path of the drivers would change, one row a series and step.

    future: as of `forecast_with_drivers`. Columns: unique_id, ds, mean (as forecast), changed, change, change_lo,
    change_hi (80 %, from the uncertainty of the effects alone: the rest of the future is the same in both). Only
    drivers the forecast uses have an effect.
    """
    model = driven.model
    panel, h = model.panel, model.ahead.shape[1]
    then = _numbers(future, list(model.names), "the future")
    other = _ahead(panel, future, then, list(model.names), h, panel.frequency)
    if (other[:, :, model.logs] <= 0).any():
        name = next(n for j, n in enumerate(model.names) if model.logs[j] and (other[:, :, j] <= 0).any())
        raise DataError(f"the future: driver '{name}' is zero or below, and was above zero throughout. Correct it.")
    other[:, :, model.logs] = np.log(other[:, :, model.logs])
    out = driven.frame[[ID, DS, "mean"]].copy()
    mean = out["mean"].to_numpy().reshape(panel.n, h)
    changes = np.empty((3, panel.n, h))
    for i in range(panel.n):
        off = other[i] - model.ahead[i]
        middle = off @ model.effects.beta[i]
        sd = np.sqrt(np.maximum(np.einsum("tp,pq,tq->t", off, model.effects.covariance[i], off), 0.0))
        for k, effect in enumerate((middle, middle - _Z80 * sd, middle + _Z80 * sd)):
            log = model.effects.log[i]
            changes[k, i] = mean[i] * np.expm1(effect) if log else model.effects.size[i] * effect
    out["changed"] = out["mean"] + changes[0].ravel()
    out["change"] = changes[0].ravel()
    out["change_lo"], out["change_hi"] = changes[1].ravel(), changes[2].ravel()
    return out
