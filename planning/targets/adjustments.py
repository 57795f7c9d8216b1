"""Planners' adjustments, counted by what such adjustments were worth in the past.

A log row says what a planner changed, what the base forecast had said and what came. One weight is learned for all
planners together, (actual - base) = weight * adjustment, by recent rows of equal say; one weight a person would be
mostly noise. Forecast value added (FVA) = error of the base less error after the adjustment, as a share of actual
sales; positive means the adjustment helped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from planning.errors import DataError, did_you_mean
from planning.forecast import locks
from planning.forecast.joint_forecast import JointForecast
from planning.targets.history import Panel

PRIOR_WEIGHT = 0.5  # what an adjustment counts for before any log exists
PRIOR_ROWS = 8.0
FEWEST = 5
APPLIED = ["adjustment_id", "label", "author", "reason", "asked", "weight", "change", "status"]


@dataclass(frozen=True)
class Adjusted:
    """The joint forecast after adjustments. applied: one row an adjustment (asked and counted change in currency)."""

    joint: JointForecast
    applied: pd.DataFrame
    weight: float
    weight_sd: float
    log_rows: int
    log: pd.DataFrame | None = None


def learn_weight(log: pd.DataFrame | None) -> tuple[float, float, int]:
    """Returns the pooled weight of past adjustments, its standard error, and the rows it rests on.

    log: `base`, `adjusted` (or `percent`), `actual`, one row an adjustment whose period is over. In relative terms
    (each row over its base) so that a large cell has no larger say; shrunk to 0.5 by 8 rows' worth; between 0 and 1.
    """
    if log is None or len(log) < FEWEST:
        return PRIOR_WEIGHT, 0.5, 0 if log is None else len(log)
    x, y = _relative(log)
    keep = np.isfinite(x) & np.isfinite(y) & (x != 0)
    x, y = x[keep], np.clip(y[keep], -1.0, 1.0)
    if len(x) < FEWEST:
        return PRIOR_WEIGHT, 0.5, len(x)
    prior = PRIOR_ROWS * float(np.mean(x**2))
    size = float(x @ x) + prior
    weight = (float(x @ y) + prior * PRIOR_WEIGHT) / size
    residual = y - weight * x
    sd = float(np.sqrt(np.mean(residual**2) / size))
    return float(np.clip(weight, 0.0, 1.0)), sd, len(x)


def _relative(log: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    for column in ("base", "actual"):
        if column not in log:
            raise DataError(f"adjustment log: has no column '{column}'.{did_you_mean(column, log.columns)}")
    base = log["base"].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        if "adjusted" in log:
            x = log["adjusted"].to_numpy(float) / base - 1
        else:
            x = log["percent"].to_numpy(float) / 100
        return x, log["actual"].to_numpy(float) / base - 1


def value_added(log: pd.DataFrame, by: str | None = None, *, level: float = 0.9) -> pd.DataFrame:
    """Returns FVA as adjusted and at the learned weight, with an interval of the former, for all or by a column.

    by: "author", "reason", "direction" (up or down) or None. The interval is the normal one of the mean over rows;
    `told` is False where it holds 0, so that the adjustment's worth cannot be told.
    """
    from scipy.special import ndtri

    weight = learn_weight(log)[0]
    x, y = _relative(log)
    frame = pd.DataFrame({"x": x, "y": y, "author": log.get("author", ""), "reason": log.get("reason", "")})
    frame["direction"] = np.where(frame["x"] > 0, "up", "down")
    frame = frame[np.isfinite(frame["x"]) & np.isfinite(frame["y"]) & (frame["x"] != 0)]
    scale = (1 + frame["y"]).abs().mean()
    frame["asked"] = (frame["y"].abs() - (frame["y"] - frame["x"]).abs()) / scale
    frame["counted"] = (frame["y"].abs() - (frame["y"] - weight * frame["x"]).abs()) / scale
    rows = []
    groups = [("all", frame)] if by is None else list(frame.groupby(by, sort=True))
    for name, part in groups:
        half = ndtri(0.5 + level / 2) * part["asked"].std(ddof=1) / np.sqrt(len(part)) if len(part) > 1 else np.inf
        mean = float(part["asked"].mean())
        rows.append(
            {
                "group": name,
                "n": len(part),
                "fva": mean,
                "lo": mean - half,
                "hi": mean + half,
                "fva_weighted": float(part["counted"].mean()),
                "told": bool(abs(mean) > half),
            }
        )
    return pd.DataFrame(rows, columns=["group", "n", "fva", "lo", "hi", "fva_weighted", "told"])


def adjust(
    joint: JointForecast, adjustments: pd.DataFrame | None, log: pd.DataFrame | None, periods: pd.DatetimeIndex
) -> Adjusted:
    """Returns the forecast with each adjustment of the plan year added at the learned weight.

    adjustments: `from, to, <keys>, percent (8 = 8 %) or amount, author, reason, evidence, expires`; an empty key holds
    for all its values. An adjustment without evidence, expired before the year, or outside it, is listed and not
    applied. The weight's own uncertainty is added to the errors.
    """
    weight, sd, rows = learn_weight(log)
    if adjustments is None or adjustments.empty:
        return Adjusted(joint, pd.DataFrame(columns=APPLIED), weight, sd, rows, log)
    low = np.flatnonzero(joint.bottom)
    cells = _texts(joint.cells.iloc[low], joint.keys)
    change = np.zeros((len(low), len(joint.periods)))
    listed = []
    order = [c for c in ("adjustment_id", "from", *joint.keys) if c in adjustments]
    for row in adjustments.sort_values(order, kind="stable").to_dict("records"):
        inside, steps = _where(row, cells, joint, periods)
        status = _status(row, inside, steps, periods)
        asked = _asked(row, joint.mean[low][inside][:, steps]) if status == "applied" else np.zeros((0, 0))
        change[np.ix_(inside, steps)] += weight * asked if status == "applied" else 0.0
        listed.append(
            [
                str(row.get("adjustment_id", "")),
                _label(row, joint.keys),
                _text(row, "author"),
                _text(row, "reason"),
                float(asked.sum()),
                weight,
                weight * float(asked.sum()),
                status,
            ]
        )
    shifted = joint.shifted(change)
    applied = pd.DataFrame(listed, columns=APPLIED)
    widened = _widened(shifted, change * (sd / weight if weight > 0 else 0.0))
    return Adjusted(locks.again(widened), applied, weight, sd, rows, log)  # what management fixed stays fixed


def past_log(
    panel: Panel, adjustments: pd.DataFrame | None, start: pd.Timestamp
) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
    """Parts an adjustments table into the log of those whose time is over before `start`, and those of the future.

    For each past one the base forecast is made again from the history before the day it was made, and the actual read
    from the panel: columns `author, reason, made_on, base, adjusted, actual`. One made before 24 months of history
    exist, or on a cell that had no history then, cannot be judged and is left out.
    """
    if adjustments is None or adjustments.empty:
        return None, adjustments
    from planning.targets.outlook import SHORTEST, horizon_of, outlook

    end = pd.to_datetime(adjustments["to"])
    over = end <= panel.months[-1] + pd.offsets.MonthEnd(0)
    future = adjustments[(pd.to_datetime(adjustments["to"]).isna() | (end >= start)) & ~over]
    if "made_on" not in adjustments:
        return None, future
    past = adjustments[over].assign(asof=pd.to_datetime(adjustments["made_on"]).dt.to_period("M").dt.start_time)
    rows, seen = [], {}
    for asof, group in past.groupby("asof", sort=True):
        known = panel.until(asof - pd.DateOffset(months=1)) if asof > panel.months[0] else None
        if known is None or len(known.months) < SHORTEST:
            continue
        horizon = min(horizon_of(known, pd.to_datetime(group["to"]).max()), 36)
        joint = outlook(known, max(horizon, 1), seen=seen)
        low = np.flatnonzero(joint.bottom)
        cells = _texts(joint.cells.iloc[low], joint.keys)
        rows += [_judged(row, joint, low, cells, panel) for row in group.to_dict("records")]
    columns = ["author", "reason", "made_on", "base", "adjusted", "actual"]
    log = pd.DataFrame([row for row in rows if row is not None], columns=columns)
    return log, future


def _texts(cells: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Returns the cells with their keys as plain texts, to be compared with many rows."""
    return cells.assign(**{key: cells[key].astype(str).astype(object) for key in keys})


def _judged(row: dict, joint: JointForecast, low: np.ndarray, cells: pd.DataFrame, panel: Panel) -> list | None:
    inside, steps = _where(row, cells, joint, joint.periods)
    months = np.flatnonzero(panel.months.isin(joint.periods[steps]))
    if not len(inside) or not len(steps) or len(months) != len(steps):
        return None
    mean = joint.mean[low][inside][:, steps]
    known = panel.cells["unique_id"].isin(cells["unique_id"].iloc[inside]).to_numpy()
    base, actual = float(mean.sum()), float(np.nansum(panel.known[known][:, months]))
    if base <= 0:
        return None
    change = float(_asked(row, mean).sum())
    return [_text(row, "author"), _text(row, "reason"), row.get("made_on"), base, base + change, actual]


def _where(row: dict, cells: pd.DataFrame, joint: JointForecast, periods: pd.DatetimeIndex):
    inside = np.ones(len(cells), dtype=bool)
    for key in joint.keys:
        if pd.notna(row.get(key)) and str(row[key]) != "":
            inside &= (cells[key] == str(row[key])).to_numpy()
    start = pd.Timestamp(row["from"]) if pd.notna(row.get("from")) else periods[0]
    end = pd.Timestamp(row["to"]) if pd.notna(row.get("to")) else periods[-1]
    inside_year = (joint.periods >= periods[0]) & (joint.periods <= periods[-1])
    steps = inside_year & (joint.periods + pd.offsets.MonthEnd(0) >= start) & (joint.periods <= end)
    return np.flatnonzero(inside), np.flatnonzero(steps)


def _status(row: dict, inside: np.ndarray, steps: np.ndarray, periods: pd.DatetimeIndex) -> str:
    if not len(inside):
        return "no such cell"
    if not len(steps):
        return "outside the year"
    if pd.notna(row.get("expires")) and pd.Timestamp(row["expires"]) < periods[0]:
        return "expired"
    if "evidence" in row and _text(row, "evidence").lower() in ("", "none", "-"):
        return "no evidence"
    return "applied"


def _asked(row: dict, mean: np.ndarray) -> np.ndarray:
    if pd.notna(row.get("percent")):
        return mean * (float(row["percent"]) / 100)
    amount = float(row["amount"]) if pd.notna(row.get("amount")) else 0.0
    total = mean.sum()
    return mean * (amount / total) if total > 0 else np.full(mean.shape, amount / max(mean.size, 1))


def _text(row: dict, name: str) -> str:
    value = row.get(name)
    return str(value).strip() if value is not None and pd.notna(value) else ""


def _label(row: dict, keys: Sequence[str]) -> str:
    place = ", ".join(_text(row, key) for key in keys if _text(row, key)) or "total"
    return f"{_text(row, 'reason') or 'adjustment'}|{place}"


def _widened(joint: JointForecast, spread: np.ndarray) -> JointForecast:
    """Adds one error array `spread` (bottom cells x steps, one standard deviation) to the law."""
    if not np.any(spread):
        return joint
    import dataclasses

    share = 1.0 / (len(joint.weights) + 1)
    extra = joint.shifted(spread).mean - joint.mean
    errors = np.concatenate([joint.errors / np.sqrt(1 - share), (extra / np.sqrt(share))[None].astype(np.float32)])
    return dataclasses.replace(
        joint, errors=errors.astype(np.float32), weights=np.append(joint.weights * (1 - share), share)
    )
