"""Tables from SQL: DuckDB over the workspace's files, any other database through SQLAlchemy.

A query may be a SELECT or the name of a table. It runs read-only. The address is a secret: no error, log or run folder
holds it; errors of a driver are blanked and shortened to one line.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planning.config import Source, redact
from planning.errors import DataError, Fault, UsageError
from planning.language import _
from planning.tables.raw import RawTable

BATCH = 50_000
DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_READING = re.compile(r"\s*(?:--[^\n]*\n|\s)*(?:select|with|from|values|unpivot|pivot|describe)\b", re.IGNORECASE)
_NAME = re.compile(r"[\w.\"]+")


def read_query(name: str, source: Source, root: Path) -> RawTable:
    """Reads what the query of `[sources.<name>]` returns; paths in a DuckDB query are relative to `root`.

    Raises UsageError when the database cannot be reached or the query is wrong, DataError when it returns no rows.
    """
    query = _statement(name, source.query)
    address = source.database.get_secret_value() if source.database else ""
    if "://" in address and not address.startswith("duckdb:"):
        frame = _sqlalchemy(name, query, address)
        kind = address.split(":", 1)[0].split("+")[0]
    else:
        frame = _duckdb(name, query, address.removeprefix("duckdb:///").removeprefix("duckdb:"), root)
        kind = "duckdb"
    label = f"query of {name}"
    if frame.empty:
        fix = _("Widen its conditions, or correct the table.")
        raise DataError(faults=[Fault(label, None, None, _("the query returns no rows"), fix)])
    return RawTable(frame, label, np.arange(1, len(frame) + 1, dtype=np.int64), {"kind": kind, "database": kind})


def _statement(name: str, query: str) -> str:
    query = query.strip().rstrip(";")
    if _NAME.fullmatch(query):
        return f"SELECT * FROM {query}"
    if not _READING.match(query):
        raise UsageError(f"sources.{name}.query: is no SELECT. Write a SELECT, or the name of a table.")
    return query


def _duckdb(name: str, query: str, database: str, root: Path) -> pd.DataFrame:
    """Runs a query over files of the workspace (`FROM 'data/raw/sales.csv'`) or a DuckDB file, opened read-only."""
    import duckdb

    with _explained(name, duckdb.Error):
        path = str(root / database) if database else ":memory:"
        with contextlib.closing(duckdb.connect(path, read_only=bool(database))) as connection:
            connection.execute("SET file_search_path = ?", [str(root)])
            frame = connection.execute(query).df()
    return _plain(frame)


def _sqlalchemy(name: str, query: str, address: str) -> pd.DataFrame:
    """Runs a query in a read-only transaction, fetched in batches so that a large result needs no second copy."""
    import sqlalchemy

    scheme, rest = address.split("://", 1)
    with _explained(name, sqlalchemy.exc.SQLAlchemyError, ModuleNotFoundError):
        engine = sqlalchemy.create_engine(f"{DRIVERS.get(scheme, scheme)}://{rest}", hide_parameters=True)
        try:
            with engine.connect() as connection:
                _only_read(connection)
                result = connection.execution_options(stream_results=True).execute(sqlalchemy.text(query))
                names = list(result.keys())
                parts = [pd.DataFrame(list(map(tuple, rows)), columns=names) for rows in result.partitions(BATCH)]
        finally:
            engine.dispose()
    return _plain(pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names))


def _only_read(connection: Any) -> None:
    dialect = connection.dialect.name
    if dialect in {"postgresql", "mysql", "mariadb"}:
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    elif dialect == "sqlite":
        connection.exec_driver_sql("PRAGMA query_only = ON")


@contextlib.contextmanager
def _explained(name: str, *errors: type[Exception]) -> Iterator[None]:
    """Turns a driver's error into one line without the address and its secrets."""
    try:
        yield
    except errors as error:
        cause = getattr(error, "orig", None) or error
        text = next((line.strip() for line in str(cause).splitlines() if line.strip()), type(error).__name__)
        text = redact(re.sub(r"\w[\w+]*://\S+", "the database", text))
        if isinstance(error, ModuleNotFoundError):
            raise UsageError(f"sources.{name}.database: its driver is not installed ({text}). Install it.") from None
        raise UsageError(f"sources.{name}: {text[:300]}. Check database and query.") from None


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns a result with columns of numbers, dates, flags or text; decimals become float64."""
    out = {}
    for name in frame.columns:
        column = frame[name]
        if column.dtype == object:
            column = _objects(column)
        out[str(name)] = column
    return pd.DataFrame(out, index=frame.index)


def _objects(column: pd.Series) -> pd.Series:
    kinds = {type(cell) for cell in column if cell is not None and cell == cell}
    if kinds and kinds <= {decimal.Decimal, int, float}:
        return column.astype("float64")
    if kinds and kinds <= {dt.date, dt.datetime}:
        return pd.to_datetime(column, utc=any(getattr(cell, "tzinfo", None) for cell in column if cell is not None))
    if kinds == {bool}:
        return column.astype("boolean")
    return column.map(lambda cell: None if cell is None or cell != cell else str(cell)).astype("str")
