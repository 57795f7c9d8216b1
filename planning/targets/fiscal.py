"""Sales by the months the company plans in: under 4-4-5 a row counts for the month that names its fiscal period.

The plan, its progress and its replays sum months, so rows are dated once, here, by the first of the month they count
for; a last period that has not ended is left out, and said. Calendar months are left as they are.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd

from planning import calendar
from planning.forecast.history import Fiscal, months_of
from planning.targets.history import Panel

NEARLY = pd.Timedelta(days=6)  # rows dated by the first day of a week end six days before the week does


@dataclasses.dataclass(frozen=True)
class FiscalSales:
    """Sales up to a day: `frame` dated by the month each row counts for, and how many rows of an unfinished period are
    left out."""

    frame: pd.DataFrame
    fiscal: Fiscal
    unfinished: int = 0

    def ends(self, months: pd.DatetimeIndex) -> pd.DatetimeIndex:
        """Returns the last day of the period each month names."""
        if self.fiscal.pattern == "calendar":
            return months + pd.offsets.MonthEnd(0)
        named = (calendar.period_named(month.date(), self.fiscal.start_month, self.fiscal.pattern) for month in months)
        return pd.DatetimeIndex([period.end for period in named])

    def last_day(self) -> pd.Timestamp:
        """Returns the last day of the last period with sales."""
        return self.ends(pd.DatetimeIndex([self.frame["ds"].max().replace(day=1)]))[0]

    def said_in(self, panel: Panel) -> Panel:
        """Returns the panel made of these sales, which says what was left out of them."""
        if not self.unfinished:
            return panel
        return dataclasses.replace(panel, left_out=(*panel.left_out, ("unfinished_month", self.unfinished)))


def fiscal_sales(step: Any, as_of: Any = None) -> FiscalSales:
    """Returns the sales table of a notebook's step up to `as_of` (all where it is empty), by the company's calendar."""
    sales, rule = step.table("sales"), step.settings.calendar
    known = sales if as_of is None else sales[sales["ds"] <= pd.Timestamp(as_of)]
    fiscal = Fiscal(rule.fiscal_year_start, rule.pattern)
    if rule.pattern == "calendar" or known.empty or bool((known["ds"].dt.day == 1).all()):
        return FiscalSales(known, dataclasses.replace(fiscal, pattern="calendar"))
    dated = known.assign(ds=months_of(known["ds"], fiscal))
    whole = FiscalSales(dated, fiscal)
    last = dated["ds"].max()
    if whole.last_day() - known["ds"].max() <= NEARLY:
        return whole
    return FiscalSales(dated[dated["ds"] < last], fiscal, int((dated["ds"] == last).sum()))
