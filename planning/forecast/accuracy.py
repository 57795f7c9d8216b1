"""Were past forecasts right: one table of forecasts beside what happened, and the measures made of it.

```
round       unique_id  level   ds          lag  actual  naive   statistical  adjusted  final  lo-80 hi-80 ...  scale
2025-12-31  North      region  2026-01-01    1  2.21e6  2.10e6       2.18e6    2.20e6  ...
```

`round` is the last day known when the forecast was made, `lag` the months ahead, `naive` the value of the same
month one year (or, further ahead, more years) before the round, `scale` the node's mean absolute yearly change up
to the round. Signs: bias = forecast - actual, positive is over-forecast; fva = wape(step before) - wape(step),
positive means it helped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from planning.errors import DataError, UsageError, did_you_mean
from planning.forecast.history import History, as_of_day, until
from planning.forecast.joint_forecast import TOTAL, JointForecast
from planning.forecast.outlook import node_history, outlook

STEPS = ("naive", "statistical", "adjusted", "final")
ROUND_HORIZON = 12
LEAST_KNOWN = 36  # months known before a round is replayed
ALARM = 3.0  # standard errors of a sum of errors from which bias is called steady
LEAST_ERRORS = 6
_MAD_TO_SD = 1.2533

# statistical forecast, the history it was made from, its round → the forecast adjusted by people, and the final one
Adjust = Callable[[JointForecast, History, pd.Timestamp], tuple[JointForecast, JointForecast]]


@dataclass(frozen=True)
class Replayed:
    """Rounds that would have been made: `rows` as drawn above, and the joint forecast of each, latest first."""

    rows: pd.DataFrame
    joints: tuple[JointForecast, ...] = ()

    def beginning(self, month: pd.Timestamp) -> JointForecast | None:
        """Returns the forecast whose first step is `month`, if one was replayed."""
        return next((joint for joint in self.joints if joint.periods[0] == month), None)

    def save(self, folder: str | Path) -> None:
        """Writes `rows.parquet` and one folder a joint forecast."""
        folder = Path(folder)
        for number, joint in enumerate(self.joints):
            joint.save(folder / str(number))
        self.rows.to_parquet(folder / "rows.parquet", index=False)

    @classmethod
    def load(cls, folder: str | Path) -> Replayed:
        """Reads what `save` wrote."""
        folder = Path(folder)
        places = sorted((place for place in folder.iterdir() if place.is_dir()), key=lambda place: int(place.name))
        return cls(pd.read_parquet(folder / "rows.parquet"), tuple(JointForecast.load(place) for place in places))


def replay(
    history: History, *, rounds: int = 2, every: int = 12, horizon: int = ROUND_HORIZON, adjust: Adjust | None = None
) -> Replayed:
    """Returns the forecasts that would have been made at the ends of past months, beside what then happened.

    The latest round lies `every` months back (or `horizon`, if that is less), earlier ones each `every` months
    before. Each is made from what was known then only, cells judged anew. No round with under 36 months known; none
    at all gives an empty table.
    """
    parts, joints = [], []
    back = min(every, horizon)
    for _round in range(rounds):
        if history.months - back < LEAST_KNOWN:
            break
        known = until(history, history.last - pd.DateOffset(months=back))
        try:
            joint = outlook(known, horizon)
        except DataError:
            break
        adjusted, final = adjust(joint, known, as_of_day(known)) if adjust else (joint, joint)
        parts.append(compare(joint, history, known, adjusted=adjusted, final=final))
        joints.append(joint)
        back += every
    rows = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=_COLUMNS)
    return Replayed(rows, tuple(joints))


_COLUMNS = ["round", "unique_id", "level", "ds", "lag", "actual", "naive", "statistical", "adjusted",
            "final", "lo-80", "hi-80", "lo-95", "hi-95", "scale"]  # fmt: skip


def compare(
    joint: JointForecast,
    history: History,
    known: History,
    *,
    adjusted: JointForecast | None = None,
    final: JointForecast | None = None,
) -> pd.DataFrame:
    """Returns the rows of one round: a forecast made from `known` beside what `history` says happened."""
    frame = joint.quantile(levels=(0.1, 0.9, 0.025, 0.975))
    frame = frame.rename(columns={0.1: "lo-80", 0.9: "hi-80", 0.025: "lo-95", 0.975: "hi-95", "mean": "statistical"})
    frame["level"] = np.repeat(joint.cells["level"].to_numpy(), len(joint.periods))
    frame["adjusted"] = (adjusted or joint).mean.ravel()
    frame["final"] = (final or adjusted or joint).mean.ravel()
    frame["round"] = as_of_day(known)
    frame["lag"] = np.tile(np.arange(1, len(joint.periods) + 1), len(joint.cells))
    actual = node_history(history, joint.cells)
    frame = frame.merge(actual, on=["unique_id", "ds"], how="left")
    before = node_history(known, joint.cells)
    wide = before.pivot(index="unique_id", columns="ds", values="actual").reindex(joint.cells["unique_id"])
    frame["naive"] = _naive(wide, joint.periods).ravel()
    frame["scale"] = np.repeat(_scale(wide), len(joint.periods))
    return frame[_COLUMNS]


def _naive(wide: pd.DataFrame, periods: pd.DatetimeIndex) -> np.ndarray:
    """Returns the seasonal naive forecast, nodes x steps; the last value where a year before is not known."""
    last = wide.columns[-1]
    filled = wide.ffill(axis=1)
    columns = []
    for month in periods:
        years = 1
        while month - pd.DateOffset(years=years) > last:
            years += 1
        same = wide.get(month - pd.DateOffset(years=years))
        columns.append(filled[last] if same is None else same.fillna(filled[last]))
    return np.column_stack([column.to_numpy(float) for column in columns])


def _scale(wide: pd.DataFrame) -> np.ndarray:
    """Returns each node's mean absolute change against the year before; NaN under 13 months."""
    values = wide.to_numpy(float)
    if values.shape[1] <= 12:
        return np.full(len(values), np.nan)
    change = np.abs(values[:, 12:] - values[:, :-12])
    known = np.isfinite(change)
    total = np.where(known, change, 0.0).sum(axis=1)
    return np.where(known.any(axis=1) & (total > 0), total / np.maximum(known.sum(axis=1), 1), np.nan)


# ---- measures -------------------------------------------------------------------------------------------------------


def measures(rows: pd.DataFrame, by: Sequence[str] = (), *, step: str = "statistical") -> pd.DataFrame:
    """Returns how far a step's forecasts lay from what happened, one row a group of `by`.

    Columns: n, actual (sum of absolute actuals), wape, mase, bias (mean, in money), bias_share (sum of errors over
    sum of actuals), coverage_80, coverage_95 (share of actuals inside the statistical intervals), wape_naive.
    """
    for column in (*by, step):
        if column not in rows:
            raise UsageError(f"the rounds have no column '{column}'.{did_you_mean(column, rows.columns)}")
    known = rows[rows["actual"].notna() & rows[step].notna()]
    groups = [((), known)] if not by else known.groupby(list(by), sort=True)
    out = [dict(zip(by, name)) | _measure(part, step) for name, part in groups]
    return pd.DataFrame(out, columns=[*by, *_MEASURES])


_MEASURES = ["n", "actual", "wape", "mase", "bias", "bias_share", "coverage_80", "coverage_95", "wape_naive"]


def _measure(part: pd.DataFrame, step: str) -> dict[str, float]:
    error = part[step].to_numpy(float) - part["actual"].to_numpy(float)
    actual = part["actual"].to_numpy(float)
    size = float(np.abs(actual).sum())
    scaled = np.abs(error) / part["scale"].to_numpy(float)
    naive = np.abs(part["naive"].to_numpy(float) - actual)
    return {
        "n": len(part),
        "actual": size,
        "wape": float(np.abs(error).sum() / size) if size > 0 else np.nan,
        "mase": float(np.nanmean(scaled)) if np.isfinite(scaled).any() else np.nan,
        "bias": float(error.mean()) if len(part) else np.nan,
        "bias_share": float(error.sum() / size) if size > 0 else np.nan,
        "coverage_80": _inside(part, "80"),
        "coverage_95": _inside(part, "95"),
        "wape_naive": float(np.nansum(naive) / size) if size > 0 else np.nan,
    }


def _inside(part: pd.DataFrame, level: str) -> float:
    if part.empty:
        return np.nan
    return float(((part["actual"] >= part[f"lo-{level}"]) & (part["actual"] <= part[f"hi-{level}"])).mean())


def of_total(rows: pd.DataFrame, bottom: str) -> pd.DataFrame:
    """Returns how far the total's forecasts lay off, round by round, and what could not be foreseen of it.

    One row a round: `round, n, actual, bias_share, coverage_80`, and `unforeseen`: sales of cells that were not
    forecast, most of them begun after the round, as a share of the total's. bottom: the level of the cells in `rows`.
    """
    known = rows[rows["actual"].notna()]
    total, cells = known[known["level"] == TOTAL], known[known["level"] == bottom]
    out = measures(total, ["round"])[["round", "n", "actual", "bias_share", "coverage_80"]]
    forecast = cells.groupby("round")["actual"].sum().reindex(out["round"]).fillna(0.0).to_numpy(float)
    whole = total.groupby("round")["actual"].sum().reindex(out["round"]).to_numpy(float)
    out["unforeseen"] = np.where(np.abs(whole - forecast) > 1e-9 * np.abs(whole), 1 - forecast / whole, 0.0)
    return out


def value_added(rows: pd.DataFrame, *, level: float = 0.9, least: float = 1e-12) -> pd.DataFrame:
    """Returns what each step added to accuracy: naive → statistical → adjusted (→ final, where the rounds have it).

    One row a step: `step, n, wape, fva, lo, hi, told`. Errors of one month hang together over cells and those of
    one cell over months, so the interval takes the larger of two jackknife errors, leaving out one round, or one
    node, at a time. `told` is False where the interval holds 0. A step that changed nothing in these rows has fva 0
    and is not told.
    """
    from scipy.special import stdtrit

    steps = [step for step in STEPS if step in rows]
    known = rows.dropna(subset=["actual", *steps])
    out = []
    for place, step in enumerate(steps):
        wape = _wape(known, step)
        row = {"step": step, "n": len(known), "wape": wape, "fva": np.nan, "lo": np.nan, "hi": np.nan, "told": False}
        if place:
            before = steps[place - 1]
            fva = _wape(known, before) - wape
            spreads = [_jackknife(known, before, step, unit) for unit in ("round", "unique_id")]
            error, groups = max(spreads)
            half = float(stdtrit(max(groups - 1, 1), 0.5 + level / 2)) * error
            row |= {"fva": fva, "lo": fva - half, "hi": fva + half, "told": bool(abs(fva) > max(half, least))}
        out.append(row)
    return pd.DataFrame(out, columns=["step", "n", "wape", "fva", "lo", "hi", "told"])


def _wape(rows: pd.DataFrame, step: str) -> float:
    size = rows["actual"].abs().sum()
    return float((rows[step] - rows["actual"]).abs().sum() / size) if size > 0 else np.nan


def _jackknife(rows: pd.DataFrame, before: str, step: str, unit: str) -> tuple[float, int]:
    """Returns the jackknife error of the difference of two WAPE leaving out one `unit` at a time, and how many."""
    gain = (rows[before] - rows["actual"]).abs() - (rows[step] - rows["actual"]).abs()
    sums = pd.DataFrame({"gain": gain, "size": rows["actual"].abs(), unit: rows[unit]}).groupby(unit).sum()
    m = len(sums)
    if m < 2:
        return 0.0, m
    left = sums.sum() - sums
    values = (left["gain"] / left["size"].where(left["size"] > 0)).dropna().to_numpy()
    return float(np.sqrt((m - 1) / m * ((values - values.mean()) ** 2).sum())) if len(values) > 1 else 0.0, m


def by_level(rows: pd.DataFrame, levels: Sequence[str]) -> pd.DataFrame:
    """Returns `measures` of each level, in the order of `levels` (total first, cells last); empty without rounds."""
    table = measures(rows, ["level"]).set_index("level")
    return table.reindex([level for level in levels if level in table.index]).reset_index()


def worst(rows: pd.DataFrame, *, level: str, step: str = "statistical", most: int = 10) -> pd.DataFrame:
    """Returns the nodes of a level whose errors cost most, in money: `unique_id`, measures, `error`, `share` of all
    errors."""
    at = rows[rows["level"] == level]
    table = measures(at, ["unique_id"], step=step)
    table["error"] = table["wape"] * table["actual"]
    total = table["error"].sum()
    table["share"] = table["error"] / total if total > 0 else np.nan
    return table.sort_values("error", ascending=False, kind="stable").head(most).reset_index(drop=True)


def alarms(rows: pd.DataFrame, *, level: str, step: str = "statistical") -> pd.DataFrame:
    """Returns the nodes whose errors lean steadily to one side: `unique_id, n, signal, limit, direction, bias_share`.

    The errors are the shortest lag known of each month. Tracking signal: sum of errors / mean absolute error; for
    errors without bias it wanders like 1.25 sqrt(n), and the limit is three times that.
    """
    at = rows[(rows["level"] == level) & rows["actual"].notna() & rows[step].notna()]
    at = at.sort_values(["unique_id", "ds", "lag"], kind="stable").drop_duplicates(["unique_id", "ds"])
    out = []
    for name, part in at.groupby("unique_id", sort=True):
        error = (part[step] - part["actual"]).to_numpy(float)
        size = np.abs(error).mean()
        if len(error) < LEAST_ERRORS or size == 0:
            continue
        signal, limit = float(error.sum() / size), ALARM * _MAD_TO_SD * np.sqrt(_independent(error))
        limit = limit * len(error) / _independent(error)
        if abs(signal) > limit:
            share = float(error.sum() / max(np.abs(part["actual"]).sum(), 1e-300))
            way = "over" if signal > 0 else "under"
            out.append({"unique_id": name, "n": len(error), "signal": signal, "limit": limit, "direction": way,
                        "bias_share": share})  # fmt: skip
    table = pd.DataFrame(out, columns=["unique_id", "n", "signal", "limit", "direction", "bias_share"])
    return table.sort_values("signal", key=lambda s: -s.abs(), kind="stable").reset_index(drop=True)


def _independent(error: np.ndarray) -> float:
    """Returns how many independent errors a run of neighbouring months is worth, by its lag-1 correlation."""
    n = len(error)
    centred = error - error.mean()
    size = float(centred @ centred)
    r = float(np.clip(centred[1:] @ centred[:-1] / size, 0.0, 0.9)) if size > 0 else 0.0
    return max(2.0, n * (1 - r) / (1 + r))
