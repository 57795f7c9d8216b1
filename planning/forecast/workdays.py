"""Working days of a period by region, from public holidays: the one driver every company knows years ahead."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import pandas as pd

from planning.calendar import public_holidays
from planning.errors import ConfigError

COLUMN = "working_days"
DAY = np.timedelta64(1, "D")


@functools.lru_cache(maxsize=64)
def _open(code: str, first: int, last: int) -> np.ndarray:
    """Returns how many working days lie before each day from 1 January of `first` to the end of `last`."""
    closed = public_holidays(code, range(first, last + 1))
    if closed is None:
        raise ConfigError(f"calendar: '{code}' names no country or state. Write one such as DE or DE-BY.")
    days = np.arange(np.datetime64(f"{first}-01-01"), np.datetime64(f"{last + 1}-01-01"))
    worked = np.is_busday(days, holidays=np.array(sorted(closed), dtype="datetime64[D]"))
    return np.concatenate([[0.0], np.cumsum(worked)])


def between(code: str, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Returns the working days (Monday to Friday, no public holiday) from each start to its end, both included.

    code: a country ("DE") or country-state ("DE-BY"). Raises ConfigError for an unknown one.

    >>> between("DE", np.array(["2027-05-01"], "datetime64[D]"), np.array(["2027-05-31"], "datetime64[D]"))
    array([19.])
    """
    starts, ends = starts.astype("datetime64[D]"), ends.astype("datetime64[D]")
    if not len(starts):
        return np.zeros(0)
    first, last = (int(str(day)[:4]) for day in (starts.min(), ends.max()))
    before, origin = _open(code, first, last), np.datetime64(f"{first}-01-01")
    return before[(ends - origin + DAY).astype(int)] - before[(starts - origin).astype(int)]


def by_region(
    regions: pd.Series | None, cells: int, calendar: Mapping[str, str], starts: np.ndarray, ends: np.ndarray
) -> np.ndarray:
    """Returns working days, cells x periods.

    regions: the region of each cell, None without one. calendar: region → code, "" for all regions without one of
    their own; a cell without any code is taken to work in all of them alike (the mean).
    """
    table = {code: between(code, starts, ends) for code in sorted(set(calendar.values()))}
    mean = np.mean(list(table.values()), axis=0)
    usual = calendar.get("", "")
    codes = [usual] * cells if regions is None else [calendar.get(str(region), usual) for region in regions]
    return np.stack([table.get(code, mean) for code in codes]) if codes else np.zeros((0, len(starts)))


def calendar_of(settings) -> dict[str, str]:
    """Returns region → holiday code as workbench.toml says under [calendar], "" the company's; empty for none."""
    codes = {"": settings.calendar.holidays, **settings.calendar.regions}
    return {region: code for region, code in codes.items() if code}
