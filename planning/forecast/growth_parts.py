"""What the plan year's growth is made of: +6 % = +4 trend, +3 working days, -1 price."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planning.forecast import workdays
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
    moved = driven.relative[:, columns] - driven.effect_of(_before(look, periods[columns]))
    each = (plan[:, :, None] * -np.expm1(-moved)).sum(axis=(0, 1))
    rows = [(TREND, float(total["change"] - each.sum())), *zip(driven.names, map(float, each))]
    frame = pd.DataFrame(rows, columns=["part", "change"])
    last = float(total["last_year"])
    return frame.assign(share=frame["change"] / last if last > 0 else np.nan)


def _before(look: Outlook, months: pd.DatetimeIndex) -> np.ndarray:
    """Returns the logarithm of working days in the same months of the last full year, bottom cells x steps x 1."""
    years = look.year - look.last_year
    then = months - pd.DateOffset(years=years)
    cells = look.driven.joint.cells[look.driven.joint.bottom]
    days = workdays.by_cell(cells, look.history.keys, look.history.calendar, then)
    wide = days[workdays.COLUMN].to_numpy().reshape(len(cells), len(then))
    return np.log(wide)[:, :, None]


def days_apart(look: Outlook) -> float:
    """Returns how many working days more the plan year has than the last full year, as cells weigh in the total."""
    cells = look.driven.joint.cells[look.driven.joint.bottom]
    counts = []
    for year in (look.year, look.last_year):
        months = year_months(year, look.start_month)
        days = workdays.by_cell(cells, look.history.keys, look.history.calendar, months)
        counts.append(days[workdays.COLUMN].to_numpy().reshape(len(cells), len(months)).sum(axis=1))
    weight = np.maximum(look.driven.joint.mean[look.driven.joint.bottom].sum(axis=1), 0.0)
    gap = counts[0] - counts[1]
    return float(gap @ weight / weight.sum()) if weight.sum() > 0 else float(gap.mean())


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
