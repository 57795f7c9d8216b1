"""Working days of a month by region, from public holidays: the one driver every company knows years ahead."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from planning.errors import ConfigError

COLUMN = "working_days"


@functools.lru_cache(maxsize=64)
def working_days(code: str, first: int, last: int) -> pd.Series:
    """Returns the working days (Monday to Friday, no public holiday) of each month of the years first to last.

    code: a country ("DE") or country-state ("DE-BY"). Raises ConfigError for an unknown one.

    >>> int(working_days("DE", 2027, 2027).loc["2027-05-01"])
    19
    """
    import holidays

    country, _sep, part = code.partition("-")
    try:
        closed = holidays.country_holidays(country, subdiv=part or None, years=range(first, last + 1))
    except (NotImplementedError, KeyError) as error:
        raise ConfigError(f"calendar: '{code}' names no country or state. Write one such as DE or DE-BY.") from error
    days = pd.date_range(f"{first}-01-01", f"{last}-12-31", freq="D")
    free = pd.DatetimeIndex(sorted(closed)) if closed else pd.DatetimeIndex([])
    worked = np.asarray(days.day_of_week < 5) & ~days.isin(free)
    return pd.Series(worked, index=days.to_period("M").to_timestamp()).groupby(level=0).sum().astype(float)


def by_cell(
    cells: pd.DataFrame, keys: Sequence[str], calendar: Mapping[str, str], months: pd.DatetimeIndex
) -> pd.DataFrame:
    """Returns `unique_id, ds, working_days` of each cell and month.

    cells: the key columns, one row a cell. calendar: region → code, "" for all regions without one of their own; a cell
    without any code is taken to work in all of them alike (the mean).
    """
    codes = sorted(set(calendar.values()))
    table = {code: working_days(code, months[0].year, months[-1].year).reindex(months).to_numpy() for code in codes}
    usual = calendar.get("", "")
    mean = np.mean(list(table.values()), axis=0)
    parts = []
    for row in cells[list(keys)].astype("str").drop_duplicates().itertuples(index=False):
        code = calendar.get(getattr(row, "region", ""), usual)
        days = table.get(code, mean)
        parts.append(pd.DataFrame({"unique_id": "/".join(row), "ds": months, COLUMN: days}))
    return pd.concat(parts, ignore_index=True)


def calendar_of(settings) -> dict[str, str]:
    """Returns region → holiday code as workbench.toml says under [calendar], "" the company's; empty for none."""
    codes = {"": settings.calendar.holidays, **settings.calendar.regions}
    return {region: code for region, code in codes.items() if code}
