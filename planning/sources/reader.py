"""Any table file as a frame: `read_raw` gives the cells as written, `read_frame` gives them typed.

`read_frame` is what the commands on files use: no workspace, no canonical names. Identifiers stay text, plain figures
become numbers, ISO dates become dates; columns a caller names as numbers or dates are read strictly, and every bad
cell is one fault with its row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from planning.errors import DataError, Fault, did_you_mean
from planning.language import _
from planning.sources.paths import input_file, kind_of
from planning.tables.dates import DateOrder, date_order, to_dates
from planning.tables.inference import as_text, infer, is_identifier
from planning.tables.numbers import column_mark, decimal_mark, to_numbers
from planning.tables.raw import RawTable, SourceRows, is_text, rows_text, shown


def read_raw(
    path: str | Path,
    *,
    label: str = "",
    sheet: str | int | None = None,
    header_row: int | None = None,
    encoding: str = "",
    delimiter: str = "",
) -> RawTable:
    """Reads a CSV, Parquet or Excel file into cells as written; what is left out of the options is found out.

    Raises UsageError for a missing or unreadable file or a folder, DataError for contents that are no table.
    """
    path = input_file(path)
    kind = kind_of(path)
    label = label or path.name
    if kind == "csv":
        from planning.sources.csv_files import read_csv

        return read_csv(path, label, encoding=encoding, delimiter=delimiter, header_row=header_row)
    if kind == "excel":
        from planning.sources.excel_files import read_excel

        return read_excel(path, label, sheet=sheet, header_row=header_row)
    return _read_parquet(path, label)


def _read_parquet(path: Path, label: str) -> RawTable:
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.read_table(path)
    except (pa.ArrowInvalid, pa.ArrowIOError, OSError):
        found = _("is no Parquet file, or is damaged")
        raise DataError(faults=[Fault(label, None, None, found, _("Write it again."))]) from None
    if table.num_rows == 0:
        found = _("has columns but no rows")
        raise DataError(faults=[Fault(label, None, None, found, _("Write it again with its rows."))])
    rows = np.arange(1, table.num_rows + 1, dtype=np.int64)
    frame = table.to_pandas(split_blocks=True, self_destruct=True)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    for name in frame.columns:
        column = frame[name]
        texts = column.dtype == object and column.map(lambda cell: cell is None or isinstance(cell, str)).all()
        if texts or isinstance(column.dtype, pd.CategoricalDtype):
            frame[name] = column.astype("str")
    frame.columns = [str(name) for name in frame.columns]
    return RawTable(frame, label, rows, {"kind": "parquet"})


def read_frame(
    path: str | Path,
    *,
    required: Sequence[str] = (),
    text: Sequence[str] = (),
    numbers: Sequence[str] = (),
    dates: Sequence[str] = (),
    sheet: str | int | None = None,
    header_row: int | None = None,
    encoding: str = "",
    delimiter: str = "",
    decimal: str = "",
    thousands: str = "",
    date_format: str = "",
    usecols: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Reads any CSV, Parquet or Excel file as a typed frame; one row a line of the file, columns as it names them.

    `required` columns must be there. `text` columns stay text (so do `unique_id` and every `*_id`); `numbers` and
    `dates` are read strictly: a cell that is none is a fault, an empty one is NaN or NaT. Other text columns become
    numbers where all cells are plain figures without leading zeros, dates where all cells are ISO dates.
    `frame.attrs` has `label`, `facts` (encoding, delimiter, ...) and `left_out` of the file, the source's row of each
    line (`rows`), and `doubtful`: column → a cell such as "24.283" that was read as a bit more than 24 and, for all the
    column says, may be thousands.

    Raises UsageError (missing file, folder; exit 2) and DataError (wrong contents; exit 1) with every fault found.
    """
    raw = read_raw(path, sheet=sheet, header_row=header_row, encoding=encoding, delimiter=delimiter)
    _require(raw, [*required, *(name for name in (*numbers, *dates) if name in required)])
    if usecols is not None:
        raw.frame = raw.frame[[name for name in raw.frame.columns if name in usecols]]
    number_columns = [name for name in numbers if name in raw.frame.columns]
    date_columns = [name for name in dates if name in raw.frame.columns]
    mark = decimal or _decimal(raw, number_columns)
    order = DateOrder() if date_format else date_order(raw.frame[name] for name in date_columns)
    for name in number_columns:
        raw.frame[name] = _strict_numbers(raw, name, mark, thousands)
    for name in date_columns:
        raw.frame[name] = _strict_dates(raw, name, date_format, order.orders)
    if raw.faults:
        raise DataError(faults=raw.faults)
    doubtful = {}
    for name in raw.frame.columns:
        if name not in number_columns and name not in date_columns:
            written = raw.frame[name]
            raw.frame[name] = _plain(written, name, keep=name in text)
            if is_text(written) and pd.api.types.is_numeric_dtype(raw.frame[name].dtype):
                doubtful |= {name: cell} if (cell := column_mark(written).doubtful) else {}
    raw.frame.attrs.update(
        label=raw.label, facts=raw.facts, left_out=raw.left_out, rows=SourceRows(raw.rows), doubtful=doubtful
    )
    return raw.frame


def _require(raw: RawTable, required: Sequence[str]) -> None:
    columns = list(raw.frame.columns)
    for name in dict.fromkeys(required):
        if name not in columns:
            listed = ", ".join(columns[:12]) + (", ..." if len(columns) > 12 else "")
            found = f"no column '{name}'. It has: {listed}"
            fix = did_you_mean(name, columns).strip() or f"Name one of them {name}."
            raw.faults.append(Fault(raw.label, None, None, found, fix))
        elif (again := f"{name} (2)") in columns and not raw.frame[name].equals(raw.frame[again]):
            found = "the column stands twice, with different values"
            raw.faults.append(Fault(raw.label, None, name, found, "Keep the one that is meant, or rename the other."))
    if raw.faults:
        raise DataError(faults=raw.faults)


def _decimal(raw: RawTable, names: Sequence[str]) -> str:
    found = decimal_mark(raw.frame[name] for name in names)
    if found.against:
        text = f"both {shown(found.against)} and {shown(found.proof)} occur"
        raw.faults.append(Fault(raw.label, None, None, text, 'Say which one is meant: decimal = "," or decimal = "."'))
    return found.mark


def _strict_numbers(raw: RawTable, name: str, mark: str, thousands: str) -> np.ndarray:
    column = raw.frame[name]
    read = to_numbers(column, mark, thousands)
    for mask, what, fix in (
        (read.bad, "is no number", "Write a plain number."),
        (read.not_finite, "is not a finite figure", "Write the number, or leave the cell empty."),
    ):
        if mask.any():
            at = np.flatnonzero(mask)
            found = f"{shown(column.iloc[at[0]])} {what}{rows_text(raw.rows[at])}"
            fix = _formula_fix(column.iloc[at[0]], fix)
            raw.faults.append(Fault(raw.label, int(raw.rows[at[0]]), name, found, fix))
    return read.values


def _formula_fix(cell: object, fix: str) -> str:
    return "Save the formula's value instead." if isinstance(cell, str) and cell.lstrip().startswith("=") else fix


def _strict_dates(raw: RawTable, name: str, declared: str, order: Mapping[str, str]) -> np.ndarray:
    column = raw.frame[name]
    read = to_dates(column, declared, order, keep_time=True)
    for mask, what, fix in (
        (read.bad, "is no date" + (f" of the form {declared}" if declared else ""), "Write it as 2026-12-31."),
        (read.ambiguous, "may be day or month first", "Write dates as 2026-12-31, or declare the format."),
    ):
        if mask.any():
            at = np.flatnonzero(mask)
            found = f"{shown(column.iloc[at[0]])} {what}{rows_text(raw.rows[at])}"
            raw.faults.append(Fault(raw.label, int(raw.rows[at[0]]), name, found, fix))
    return read.values


def _plain(column: pd.Series, name: str, *, keep: bool) -> pd.Series:
    """Types a column nobody named: identifiers and words stay text, all-plain figures and ISO dates are read."""
    if not is_text(column):
        return as_text(column) if keep else column
    return as_text(column) if keep or is_identifier(name) else infer(column)
