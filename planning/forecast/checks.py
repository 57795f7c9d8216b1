"""Checks of a table `unique_id, ds, y` before it is forecast: every fault at once, each with its way out.

What is let through: ids as text exactly as written, dates that lie on one frequency, finite values or gaps (empty y).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from planning.errors import DataError, Fault, did_you_mean
from planning.forecast.frequency import NAMES, Frequency, looks_like, parse

COLUMNS = ("unique_id", "ds", "y")
ISO = r"\d{4}-\d{2}-\d{2}(?:[T ]00:00(?::00(?:\.0+)?)?)?"
EARLIEST, LATEST = np.datetime64("1678-01-01"), np.datetime64("2262-01-01")
NUMBER = "Write a number, or leave it empty for a gap."
EMPTY_WORDS = ("", "nan", "NaN", "NA", "N/A", "null", "None")


def check_history(
    history: pd.DataFrame, freq: str, *, label: str = "history", rows: np.ndarray | None = None
) -> tuple[pd.DataFrame, Frequency]:
    """Returns the table as unique_id (categorical of texts), ds (datetime64[s]), y (NaN = gap), and its frequency.

    `rows` are the line numbers to name (default: the header is 1). Raises DataError with every fault found: missing
    columns, empty ids, text or infinite y, dates that are none or not ISO, two rows of one (id, ds), dates off `freq`.
    """
    label = str(label)
    missing = [name for name in COLUMNS if name not in history.columns]
    if missing:
        has = ", ".join(map(str, history.columns))
        raise DataError(faults=[
            Fault(
                label, None, None, f"no column '{name}'. It has: {has}",
                did_you_mean(name, [str(c) for c in history.columns]).strip() or f"Name one of them '{name}'.",
            )
            for name in missing
        ])
    if history.empty:
        raise DataError(faults=[Fault(label, None, None, "no rows", "Write one row a series and period.")])
    lines = np.arange(2, len(history) + 2) if rows is None else np.asarray(rows)
    faults: list[Fault] = []
    ids = _ids(history["unique_id"], label, lines, faults)
    days = _dates(history["ds"], label, lines, faults)
    values = _values(history["y"], label, lines, faults)
    if faults:
        raise DataError(faults=faults)
    frequency = parse(freq, days)
    _fits(ids, days, frequency, freq, label, lines, faults)
    if not faults:
        _repeated(ids, days, frequency, label, lines, faults)
    if faults:
        raise DataError(faults=faults)
    return pd.DataFrame({"unique_id": ids, "ds": days.astype("datetime64[s]"), "y": values}), frequency


def _first(bad: np.ndarray, lines: np.ndarray) -> tuple[int, str]:
    """Returns the first bad line and how many more there are, in words."""
    at = np.flatnonzero(bad)
    more = f" (and {len(at) - 1:,} more)" if len(at) > 1 else ""
    return int(lines[at[0]]), more


def _ids(column: pd.Series, label: str, lines: np.ndarray, faults: list[Fault]) -> pd.Categorical:
    """Returns the ids as a categorical of sorted texts: each text is held once, however many rows there are."""
    codes, found = pd.factorize(column.to_numpy() if not isinstance(column.dtype, pd.CategoricalDtype) else column)
    names = []
    for value in found:
        whole = isinstance(value, float) and float(value).is_integer()
        names.append(value if isinstance(value, str) else str(int(value)) if whole else str(value))
    blank = np.array([not name.strip() for name in names] + [True])
    empty = blank[codes]
    if empty.any():
        row, more = _first(empty, lines)
        faults.append(Fault(label, row, "unique_id", f"no id{more}", "Give every row its series' id."))
    texts = np.array(names, dtype=object)
    order, inverse = np.unique(texts.astype(str), return_inverse=True) if len(texts) else (texts, codes[:0])
    return pd.Categorical.from_codes(np.where(codes >= 0, np.append(inverse, -1)[codes], -1), list(map(str, order)))


def _values(column: pd.Series, label: str, lines: np.ndarray, faults: list[Fault]) -> np.ndarray:
    if pd.api.types.is_bool_dtype(column.dtype):
        faults.append(Fault(label, int(lines[0]), "y", "true or false", NUMBER))
        return np.zeros(len(column))
    if pd.api.types.is_numeric_dtype(column.dtype):
        values = column.to_numpy(dtype=float, na_value=np.nan)
        wrong = np.zeros(len(values), dtype=bool)
    else:
        text = column.astype("str").fillna("").str.strip()
        empty = text.isin(EMPTY_WORDS).to_numpy()
        values = pd.to_numeric(text.where(~empty), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
        wrong = np.isnan(values) & ~empty
    if wrong.any():
        row, more = _first(wrong, lines)
        found = str(column.iloc[int(np.flatnonzero(wrong)[0])])[:40]
        faults.append(Fault(label, row, "y", f"'{found}' is no number{more}", NUMBER))
    infinite = np.isinf(values)
    if infinite.any():
        row, more = _first(infinite, lines)
        faults.append(Fault(label, row, "y", f"an infinite value{more}", NUMBER))
    return values


def _dates(column: pd.Series, label: str, lines: np.ndarray, faults: list[Fault]) -> np.ndarray:
    """Returns datetime64[D]; NaT where a fault was noted."""
    fix = "Write it as 2026-12-31."
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        stamps = column.dt.tz_localize(None) if getattr(column.dtype, "tz", None) is not None else column
        days = stamps.to_numpy().astype("datetime64[s]")
        timed = ~np.isnat(days) & (days.astype("datetime64[D]").astype("datetime64[s]") != days)
        wrong, what = timed, "has a time of day"
        days = days.astype("datetime64[D]")
        empty = np.isnat(days)
    else:
        codes, found = pd.factorize(column.to_numpy(dtype=object, na_value=None))
        text = pd.Series([str(value).strip() for value in found] + [""], dtype="str")
        parsed = pd.to_datetime(text.str[:10].where(text.str.fullmatch(ISO)), format="%Y-%m-%d", errors="coerce")
        days = parsed.to_numpy().astype("datetime64[D]")[codes]
        empty = text.eq("").to_numpy()[codes]
        wrong, what = np.isnat(days) & ~empty, "is no ISO date"
    far = ~np.isnat(days) & ~wrong & ((days < EARLIEST) | (days > LATEST))
    for bad, words in ((wrong, what), (far, "lies outside 1678 to 2262")):
        if bad.any():
            row, more = _first(bad, lines)
            found = str(column.iloc[int(np.flatnonzero(bad)[0])])[:40]
            faults.append(Fault(label, row, "ds", f"'{found}' {words}{more}", fix))
    if empty.any():
        row, more = _first(empty, lines)
        faults.append(Fault(label, row, "ds", f"no date{more}", fix))
    return days


def _fits(
    ids: pd.Categorical, days: np.ndarray, frequency: Frequency, freq: str, label: str, lines: np.ndarray,
    faults: list[Fault],
) -> None:
    wrong = ~frequency.fits(days)
    like = looks_like(days)
    if not wrong.any() and frequency.unit == "D" and like and like[0] in "WMQY" and len(np.unique(days)) > 3:
        wrong = np.ones(len(days), dtype=bool)
    if not wrong.any() and like and like[0] in "QY" and frequency.unit == "M" and len(np.unique(days)) > 3:
        wrong = np.ones(len(days), dtype=bool)
    if not wrong.any() and like and like[0] == "Y" and frequency.unit == "Q" and len(np.unique(days)) > 3:
        wrong = np.ones(len(days), dtype=bool)
    if not wrong.any():
        return
    row, more = _first(wrong, lines)
    at = int(np.flatnonzero(wrong)[0])
    name = NAMES[frequency.unit]
    if like and parse(like, days).unit != frequency.unit or like and like != frequency.alias:
        fix = f"The dates look like {like} ({NAMES[parse(like, days).unit]}): use --freq {like}, or correct them."
    else:
        fix = _apart(ids, days, at, frequency)
    found = f"{days[at]} is not on the frequency {freq} ({name}){more}"
    faults.append(Fault(label, row, "ds", found, fix))


def _apart(ids: pd.Categorical, days: np.ndarray, at: int, frequency: Frequency) -> str:
    """Returns the way out for row `at`: its series has another frequency than the rest, or none."""
    own = looks_like(days[ids.codes == ids.codes[at]])
    if own and parse(own, days).unit != frequency.unit:
        name = NAMES[parse(own, days).unit]
        return f"Series '{ids[at]}' looks like {own} ({name}): forecast tables of one frequency each."
    return "The dates have no steady step: give each series one row a period."


def _repeated(
    ids: pd.Categorical, days: np.ndarray, frequency: Frequency, label: str, lines: np.ndarray, faults: list[Fault]
) -> None:
    key = pd.Series(ids.codes.astype(np.int64) * (1 << 31) + (frequency.ordinal(days) + (1 << 24)))
    again = key.duplicated().to_numpy()
    if again.any():
        row, more = _first(again, lines)
        at = int(np.flatnonzero(again)[0])
        found = f"a second row for series '{ids[at]}' and {days[at]}{more}"
        faults.append(Fault(label, row, "ds", found, "Keep one row a series and period, or add them up first."))
