"""What the plan year's growth is made of: +6 % = +4 trend, +3 working days, -1 price."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planning.forecast import workdays
from planning.forecast.hierarchy import joined
from planning.forecast.joint_forecast import TOTAL
from planning.forecast.outlook import Outlook, year_months

TREND = "trend"


def parts(look: Outlook) -> pd.DataFrame:
    """Returns the change of the total from the last full year to the plan year, taken apart.

    Rows `part, change, share` (of last year's sales): `trend`, then one row a driver the forecast uses. A driver's
    part is the plan year's sales times how much its effect differs from the same months of the last full year;
    `trend` is the rest: level, growth and season. The parts add up to the whole change. Empty where no driver is
    used.
    """
    driven = look.driven
    total = look.growth[look.growth["level"] == TOTAL].iloc[0]
    if driven is None or not driven.used:
        return pd.DataFrame(columns=["part", "change", "share"])
    periods = driven.joint.periods
    columns = np.flatnonzero(periods.isin(year_months(look.year, look.start_month)))
    plan = driven.joint.mean[driven.joint.bottom][:, columns]
    before = periods[columns] - pd.DateOffset(years=look.year - look.last_year)
    moved = driven.relative[:, columns] - driven.effect_of(_paths(look, before))
    each = (plan[:, :, None] * -np.expm1(-moved)).sum(axis=(0, 1))
    used = [name in driven.kept for name in driven.names]
    rows = [(TREND, float(total["change"] - each.sum()))]
    rows += [(name, float(change)) for name, change, use in zip(driven.names, each, used) if use]
    frame = pd.DataFrame(rows, columns=["part", "change"])
    last = float(total["last_year"])
    return frame.assign(share=frame["change"] / last if last > 0 else np.nan)


def _paths(look: Outlook, months: pd.DatetimeIndex) -> np.ndarray:
    """Returns what the drivers were in past months, bottom cells x months x drivers."""
    joint = look.driven.joint
    cells = joined(joint.cells[joint.bottom], joint.keys)
    return look.history.paths.take(look.driven.names).of(cells, months)


def apart(look: Outlook) -> pd.DataFrame:
    """Returns how the plan year's drivers differ from the last full year's, as cells weigh in the total.

    Rows `driver, then, now` of the drivers the forecast uses: working days are the year's sum, others its mean.
    """
    driven, rows = look.driven, []
    months = driven.joint.periods[driven.joint.periods.isin(year_months(look.year, look.start_month))]
    columns = np.flatnonzero(driven.joint.periods.isin(months))
    weight = np.maximum(driven.joint.mean[driven.joint.bottom][:, columns].sum(axis=1), 0.0)
    weight = weight / weight.sum() if weight.sum() > 0 else np.full(len(weight), 1.0 / len(weight))
    before = _paths(look, months - pd.DateOffset(years=look.year - look.last_year))
    ahead = np.where(driven.logs, np.exp(driven.ahead[:, columns]), driven.ahead[:, columns])
    for j, name in enumerate(driven.names):
        if name in driven.kept:
            then, now = (float(weight @ x[:, :, j].mean(axis=1)) for x in (before, ahead))
            size = len(months) if name == workdays.COLUMN else 1
            rows.append((name, then * size, now * size))
    return pd.DataFrame(rows, columns=["driver", "then", "now"])


def bridge(look: Outlook) -> pd.DataFrame:
    """Returns the way from last year to the plan year as `label, change, after, lo, hi, kind` for
    `targets.bridge`."""
    total, rows = look.total, parts(look)
    after = total["last_year"] + np.cumsum(rows["change"].to_numpy())
    frame = pd.DataFrame({"label": ["last_year", *rows["part"], "plan_year"]})
    frame["change"] = [np.nan, *rows["change"], np.nan]
    frame["after"] = [total["last_year"], *after, total["expected"]]
    frame["kind"] = ["total", *["change"] * len(rows), "total"]
    frame["lo"] = [np.nan] * (len(frame) - 1) + [total["lo80"]]
    frame["hi"] = [np.nan] * (len(frame) - 1) + [total["hi80"]]
    return frame
