"""Columns that are no field: figures and ISO dates are recognised, everything else stays text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from planning.tables.dates import to_dates
from planning.tables.numbers import first_like, text_cells, to_numbers
from planning.tables.raw import blank, is_text

SAMPLE = 200  # cells looked at before a whole column is tried
_ISO = r"\d{4}-\d{2}-\d{2}(?:[T ][\d:.]+Z?)?"
_FIGURE = {
    ".": r"\s*[+-]?(?:0|[1-9]\d*|\d*\.\d+|\d+\.)(?:\.\d+)?(?:[eE][+-]?\d+)?\s*",
    ",": r"\s*[+-]?(?:0|[1-9]\d*|\d{1,3}(?:\.\d{3})+)(?:,\d+)?\s*",
}


def is_identifier(name: str) -> bool:
    """Tells by its name whether a column holds identifiers, which stay text: `unique_id`, `Account ID`, `OwnerId`."""
    folded = name.casefold()
    return folded in {"id", "unique_id"} or folded.endswith(("_id", " id", "编号")) or name.endswith(("Id", "ID"))


def infer(column: pd.Series, decimal: str = ".") -> pd.Series:
    """Returns a text column as numbers or dates where every cell is a plain figure or an ISO date, else unchanged.

    A figure with a leading zero (`00123`) is an identifier: the column stays text.
    """
    if not is_text(column):
        return column
    if column.dtype == object:
        return as_text(column)
    filled = column[~blank(column)] if blank(column.head(SAMPLE)).all() else column
    head = filled.dropna().head(SAMPLE)
    if head.empty:
        return column
    if head.str.fullmatch(_ISO).all():
        read = to_dates(column, keep_time=True)
        return column if read.bad.any() or read.ambiguous.any() else pd.Series(read.values, index=column.index)
    if not head.str.fullmatch(_FIGURE[decimal]).all() or first_like([text_cells(column)], r"^\s*[+-]?0\d"):
        return column
    read = to_numbers(column, decimal)
    if read.bad.any() or read.nan_text or read.units.keys() - {""} or read.currencies:
        return column
    values = read.values
    low, high = (values.min(), values.max()) if len(values) else (np.nan, np.nan)  # NaN where any is missing
    whole = low > -(2**53) and high < 2**53 and np.array_equal(values, np.trunc(values))
    return pd.Series(values.astype(np.int64) if whole else values, index=column.index)


def as_text(column: pd.Series) -> pd.Series:
    """Returns a column as text: whole numbers without a point, dates in ISO, missing stays missing."""
    if isinstance(column.dtype, pd.StringDtype):
        return column
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column.dt.strftime("%Y-%m-%d").astype("str")
    return column.astype("object").map(_cell_text).astype("str")


def _cell_text(cell: Any) -> Any:
    if cell is None or cell is pd.NA or cell is pd.NaT or cell != cell:
        return None
    if isinstance(cell, float) and np.isfinite(cell) and cell == int(cell):
        return str(int(cell))
    return str(cell)
