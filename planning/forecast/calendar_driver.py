"""Working days from public holidays as a driver of any table: one column in the history, one in the drivers ahead.

    --holidays DE                     one calendar for all
    --holidays North=DE,South=AT      by the column region

The days of a period are its Mondays to Fridays without holidays: of a day 0 or 1, of a week the seven days from its
date on where weeks are dated by their Monday, else those up to its date, of months, quarters and years all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from planning.errors import UsageError
from planning.forecast import workdays
from planning.forecast.frequency import Frequency, parse

REGION = "region"


def codes_of(text: str) -> dict[str, str]:
    """Returns region → code, "" for all, of `DE` or `North=DE,South=AT`; UsageError for anything else.

    >>> codes_of("DE-BY"), codes_of("North=DE,South=AT")
    ({'': 'DE-BY'}, {'North': 'DE', 'South': 'AT'})
    """
    found = {}
    for part in text.split(","):
        region, mark, code = part.strip().partition("=")
        code, region = (code, region) if mark else (region, "")
        if not code.strip() or (mark and not region.strip()) or region.strip() in found:
            raise UsageError(f"--holidays {text} is not possible. Write a country such as DE-BY, or North=DE,South=AT.")
        found[region.strip()] = code.strip()
    return found


def known_days(
    history: pd.DataFrame, future: pd.DataFrame | None, other: pd.DataFrame | None, codes: Mapping[str, str], *,
    keys: Sequence[str], freq: str, horizon: int,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame | None]:  # fmt: skip
    """Returns history, drivers ahead, and another path of them, each with the column working_days.

    keys: the columns that name a series; codes as of `codes_of`. Without `future` one is made, from each series' last
    value on. Raises UsageError where the column is there already, or a region is named and no column has it.
    """
    for frame, what in ((history, "the table"), (future, "the future")):
        if frame is not None and workdays.COLUMN in frame:
            raise UsageError(f"{what} has a column {workdays.COLUMN} already. Leave out the column, or --holidays.")
    if set(codes) - {""} and REGION not in history:
        raise UsageError("--holidays names regions, and the table has no column region. Write one country for all.")
    if lost := [name for name in (*keys, "ds") if name not in history]:
        raise UsageError(f"the table has no column '{lost[0]}'. It has: {', '.join(map(str, history.columns))}.")
    dates = _dates(history)
    frequency = parse(freq, dates[~np.isnat(dates)])
    regional = bool(set(codes) - {""})
    cells = history.drop_duplicates(list(keys))[[*keys, *([REGION] if regional and REGION not in keys else [])]]
    future = _steps(history, dates, cells, keys, frequency, horizon) if future is None else future
    paths = [None if frame is None else _ahead(frame, cells, codes, keys, frequency) for frame in (future, other)]
    return history.assign(**{workdays.COLUMN: _days(history, codes, frequency)}), *paths


def _dates(frame: pd.DataFrame) -> np.ndarray:
    return pd.to_datetime(frame["ds"], errors="coerce").to_numpy().astype("datetime64[D]")


def _days(frame: pd.DataFrame, codes: Mapping[str, str], frequency: Frequency) -> np.ndarray:
    """Returns the working days of each row's period; NaN where its date is none, which later checks name."""
    dates = _dates(frame)
    known = ~np.isnat(dates)
    days = np.full(len(frame), np.nan)
    periods, back = np.unique(frequency.ordinal(dates[known]), return_inverse=True)
    starts, ends = span(frequency, periods)
    regions = frame[REGION].to_numpy(object)[known] if REGION in frame else None
    names, place = (np.array([""]), np.zeros(known.sum(), int)) if regions is None else _factorized(regions)
    table = workdays.by_region(pd.Series(names), len(names), codes, starts, ends)
    days[known] = table[place, back]
    return days


def _factorized(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    place, names = pd.factorize(pd.Series(values).astype("str"))
    return np.asarray(names, dtype=object), place


def span(frequency: Frequency, ordinal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the first and the last day of periods."""
    date = frequency.date(ordinal)
    if frequency.unit == "D":
        return date, date
    if frequency.unit == "W":
        six = np.timedelta64(6, "D")
        return (date, date + six) if frequency.anchor == 0 else (date - six, date)
    one = np.timedelta64(1, "D")
    if frequency.end:
        return frequency.date(ordinal - 1) + one, date
    return date, frequency.date(ordinal + 1) - one


def _steps(
    history: pd.DataFrame, dates: np.ndarray, cells: pd.DataFrame, keys: Sequence[str], frequency: Frequency,
    horizon: int,
) -> pd.DataFrame:  # fmt: skip
    """Returns the keys and dates of the steps after each series' last value."""
    known = ~np.isnat(dates) & pd.to_numeric(history["y"], errors="coerce").notna().to_numpy() if "y" in history else []
    if not np.any(known):
        return cells.head(0).assign(ds=pd.Series(dtype="datetime64[s]"))
    last = history[list(keys)][known].assign(last=frequency.ordinal(dates[known]))
    last = last.groupby(list(keys), as_index=False)["last"].max()
    if len(keys) > 1 or keys[0] != "unique_id":
        last["last"] = last["last"].max()  # cells of a hierarchy end together
    frame = last.loc[last.index.repeat(horizon)].reset_index(drop=True)
    ordinal = frame.pop("last").to_numpy() + np.tile(np.arange(1, horizon + 1), len(last))
    return frame.assign(ds=frequency.date(ordinal).astype("datetime64[s]"))


def _ahead(
    future: pd.DataFrame, cells: pd.DataFrame, codes: Mapping[str, str], keys: Sequence[str], frequency: Frequency
) -> pd.DataFrame:
    """Returns drivers ahead with working days, one row a series where regions differ."""
    if "ds" not in future:
        raise UsageError("the future has no column 'ds'. Name the column of its dates so.")
    named = [key for key in keys if key in future]
    if set(codes) - {""} and REGION not in future:
        future = future.merge(cells, on=named) if named else future.merge(cells, how="cross")
    future = future.assign(**{workdays.COLUMN: _days(future, codes, frequency)})
    return future.drop(columns=REGION) if REGION in future and REGION not in keys else future
