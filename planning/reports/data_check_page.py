"""The page of the data check: what a step says of a `planning.sources.CheckResult`, in the order a reader meets it."""

from __future__ import annotations

from typing import Any

import pandas as pd

from planning import charts, language
from planning.reports import sentences

SHORTEST_HISTORY = 3
_ROLES = {"ok": "now", "warnings": "plan", "faults": "risk", "missing": "risk"}


def show_answer(step: Any, result: Any) -> Any:
    """Says whether the tables can be planned from, with the counts."""
    counts, words = result.counts, sentences.data_check_labels()
    step.title(sentences.data_check_title())
    for name in ("tables", "rows", "faults", "warnings"):
        value = counts[name] + (counts["missing"] if name == "faults" else 0)
        step.number(f"n_{name}", value, label=words[name], text=language.number(value), lead=name == "faults")
    sales = result.frames.get("sales")
    last = None if sales is None or "ds" not in sales else sales["ds"].max().date()
    return step.answer(sentences.data_check_answer(counts), sentences.data_check_lede(counts, last))


def show_faults(step: Any, result: Any) -> Any:
    """Lists every fault and warning with its place and what to do; says nothing where there is none."""
    faults = result.faults
    missing = [("fault", name, name, pd.NA, None, line, "") for name, line in result.missing]
    frame = pd.concat([pd.DataFrame(missing, columns=faults.columns).astype(faults.dtypes), faults], ignore_index=True)
    stops = int((frame["severity"] == "fault").sum())
    if len(frame):
        step.finding("faults", *sentences.faults_finding(stops, len(frame) - stops))
    shown = frame.assign(
        severity=frame["severity"].map(sentences.severity), table=frame["table"].map(sentences.table_name)
    ).astype({"row": "float64"})
    return _tabulate(step, "faults", shown, {"row": "integer"}, details=len(shown) == 0)


def show_tables(step: Any, result: Any) -> Any:
    """Shows each table's days, rows and state."""
    tables = result.tables
    usable = int(tables["state"].isin(["ok", "warnings"]).sum())
    step.finding("tables", *sentences.tables_finding(usable, len(tables)))
    _show_spans(step, tables[tables["first_day"].notna()])
    names, states = tables["table"].map(sentences.table_name), tables["state"].map(sentences.table_state)
    shown = tables.assign(table=names, state=states)
    counts = ["rows", "columns", "faults", "warnings", "left_out"]
    formats = dict.fromkeys(counts, "integer") | {"first_day": "date", "last_day": "date"}
    return _tabulate(step, "tables", shown.astype(dict.fromkeys(counts, "float64")), formats, details=True)


def _show_spans(step: Any, tables: pd.DataFrame) -> None:
    if tables.empty:
        return
    words = sentences.data_check_labels()
    frame = pd.DataFrame({
        "label": tables["table"].map(sentences.table_name), "first": pd.to_datetime(tables["first_day"]),
        "last": pd.to_datetime(tables["last_day"]), "rows": tables["rows"].map(language.number),
        "state": tables["state"].map(sentences.table_state), "role": tables["state"].map(_ROLES),
    })  # fmt: skip
    alt = sentences.tables_alt(list(frame[["label", "first", "last"]].itertuples(index=False, name=None)))
    step.chart(
        "spans", charts.data_check.spans, frame, alt=alt, title=sentences.tables_title(), rows_heading=words["rows"],
        state_heading=words["state"],
    )  # fmt: skip


def show_history(step: Any, result: Any) -> Any:
    """Shows all sales by month; says nothing where sales cannot be read or are too short to look at."""
    sales = result.frames.get("sales")
    if sales is None or not {"ds", "amount"} <= set(sales.columns):
        return None
    months = sales.groupby(sales["ds"].dt.to_period("M").dt.start_time)["amount"].sum()
    if len(months) < SHORTEST_HISTORY:
        return None
    currency = step.settings.company.currency
    low, high, last = (language.money(float(x), currency) for x in (months.min(), months.max(), months.iloc[-1]))
    step.finding("history", *sentences.history_finding(len(months), low, high))
    frame = pd.DataFrame({"x": months.index, "series": "sales", "y": months.to_numpy(), "role": "ink"})
    alt = sentences.history_alt(len(months), low, high, last)
    return step.chart(
        "history", charts.lines, frame, alt=alt, title=sentences.history_title(), kind="money", currency=currency,
        zero=True,
    )  # fmt: skip


def show_limits(step: Any, result: Any) -> Any:
    """Says what cannot be told without the tables that are not there, and what was left out while reading."""
    for name in result.unconfigured:
        if limit := sentences.without_table(name):
            step.cannot_tell(*limit)
    rows = {name: len(frame) for name, frame in result.frames.items()}
    for table, reason, count in result.left_out.itertuples(index=False, name=None):
        share = count / (rows.get(table, 0) + count) if count else None
        step.left_out(f"{sentences.table_name(table)}: {reason}", count, share, sentences.left_out_done())


def _tabulate(step: Any, name: str, frame: pd.DataFrame, formats: dict[str, str], *, details: bool) -> Any:
    words = sentences.data_check_labels()
    headings = {column: words[column] for column in frame.columns if column in words}
    return step.tabulate(name, frame, headings=headings, formats=formats, details=details)
