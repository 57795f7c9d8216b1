"""The tables of a workspace: each read from its source, made canonical and checked, alone or all together.

```python
result = check_all(settings)      # reads every configured source; never raises for what is in the files
result.tables                     # one row a table: table, file, state, rows, columns, first and last day,
                                  # faults, warnings, left_out, found_out (encoding, dialect, ...)
result.faults                     # one row a fault: severity, table, file, row, column, found, fix
result.counts                     # {"tables": 12, "rows": 301, "faults": 0, "warnings": 3, "left_out": 2, "missing": 0}
result.left_out                   # one row a reason: table, reason, rows
result.frames["sales"]            # the canonical frames that could be read
result.blocks                     # table → the [sources.X.columns] lines to paste
result.ok                         # no fault and no missing file
```
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from planning.config import Settings, Source
from planning.errors import ConfigError, DataError, Fault, PlanningError, UsageError, did_you_mean
from planning.language import _
from planning.sources.reader import read_raw
from planning.tables.canonical import Checked, read_canonical
from planning.tables.checks import check_one, first_days
from planning.tables.cross_checks import check_together
from planning.tables.matching import match_columns
from planning.tables.raw import RawTable
from planning.tables.schema import fields, table_names

SUMMARY = [
    "table", "file", "state", "rows", "columns", "first_day", "last_day", "faults", "warnings", "left_out", "found_out",
]  # fmt: skip
HIDDEN = ("kind", "header_row", "sheet")


def read_table(name: str, settings: Settings) -> pd.DataFrame:
    """Returns the canonical table `name` of the workspace: our column names, typed, in the company's currency.

    Columns the source does not have are absent. `frame.attrs` has `label`, `facts`, `left_out` and `warnings`.
    Raises ConfigError when the table is not configured (exit 2), UsageError when its file is missing (exit 2),
    DataError with every fault of the table (exit 1).
    """
    return table_of(check_table(name, settings))


def table_of(checked: Checked) -> pd.DataFrame:
    """Returns the canonical frame of a checked table, as `read_table` does; DataError with its faults."""
    faults = [fault for fault in checked.faults if fault.severity == "fault"]
    if faults:
        message = "\n".join(fault.line() for fault in faults)
        raise DataError(message + (f"\n{_paste(checked.block)}" if checked.block else ""), faults)
    frame = checked.frame.reset_index(drop=True)
    warnings = [fault for fault in checked.faults if fault.severity == "warning"]
    frame.attrs.update(
        label=checked.label, facts=_Facts(checked.facts), left_out=_Lines(checked.left_out),
        warnings=_Lines(w.line() for w in warnings),
    )  # fmt: skip
    return frame


class _Facts(dict):
    """What was found out about a file. pandas copies `attrs` deeply with every step; this one is shared instead."""

    def __deepcopy__(self, _memo: Any) -> _Facts:
        return self


class _Lines(list):
    """As `_Facts`, for lists."""

    def __deepcopy__(self, _memo: Any) -> _Lines:
        return self


def _paste(block: str) -> str:
    """The block to paste as comment-safe lines of an error."""
    return _("Paste into workbench.toml and check the guesses:") + "\n" + block


def check_table(name: str, settings: Settings) -> Checked:
    """Reads and checks one table without raising for its contents; see `planning.tables.canonical.Checked`."""
    source = source_of(name, settings)
    raw = _open(name, source, settings)
    if name == "stage_history":
        _currency_of_deals(raw, settings)
    checked = read_canonical(name, raw, settings)
    check_one(checked)
    return checked


def source_of(name: str, settings: Settings) -> Source:
    """Returns where a table comes from; ConfigError when workbench.toml does not say."""
    fields(name)
    if name not in settings.sources:
        near = did_you_mean(name, settings.sources)
        raise ConfigError(f'[sources.{name}] is not in workbench.toml.{near} Add it with path = "..." to use {name}.')
    return settings.sources[name]


def _currency_of_deals(raw: RawTable, settings: Settings) -> None:
    """Gives amounts of a stage history without a currency the currency of their deal, where deals state one."""
    deals = settings.sources.get("deals")
    if deals is None:
        return
    ours = match_columns(fields("stage_history"), list(raw.frame.columns), settings.sources["stage_history"].columns)
    if "currency" in ours.theirs or not {"amount", "deal_id"} <= set(ours.theirs):
        return
    try:
        other = _open("deals", deals, settings)
    except PlanningError:
        return  # check_all says it of deals
    theirs = match_columns(fields("deals"), list(other.frame.columns), deals.columns).theirs
    if {"deal_id", "currency"} <= set(theirs):
        known = other.frame.drop_duplicates(theirs["deal_id"]).set_index(theirs["deal_id"])[theirs["currency"]]
        raw.frame["currency"] = raw.frame[ours.theirs["deal_id"]].map(known).astype("str")


def _open(name: str, source: Source, settings: Settings) -> RawTable:
    if source.query:
        from planning.sources.databases import read_query

        return read_query(name, source, settings.root)
    try:
        return read_raw(
            settings.root / source.path,
            label=source.path,
            sheet=source.sheet,
            header_row=source.header_row,
            encoding=source.encoding,
            delimiter=_delimiter(source.delimiter),
        )
    except UsageError as error:
        raise UsageError(f"sources.{name}.path: {error}") from None


def _delimiter(name: str) -> str:
    return {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";"}.get(name, name)


@dataclass
class CheckResult:
    """Everything `check_all` found. See the module's picture."""

    checked: dict[str, Checked] = field(default_factory=dict)
    missing: list[tuple[str, str]] = field(default_factory=list)  # (table, one line): files that could not be opened
    unconfigured: tuple[str, ...] = ()

    @functools.cached_property
    def faults(self) -> pd.DataFrame:
        """One row a fault or warning, tables in order, faults first."""
        rows = [
            (fault.severity, name, fault.file, fault.row, fault.column, fault.found, fault.fix)
            for name, checked in self.checked.items()
            for fault in sorted(checked.faults, key=lambda fault: fault.severity)
        ]
        frame = pd.DataFrame(rows, columns=["severity", "table", "file", "row", "column", "found", "fix"])
        return frame.astype({"row": "Int64"})

    @functools.cached_property
    def tables(self) -> pd.DataFrame:
        """One row a configured table."""
        rows = [_summary(name, checked) for name, checked in self.checked.items()]
        rows += [{"table": name, "state": "missing", "found_out": line} for name, line in self.missing]
        return pd.DataFrame(rows, columns=SUMMARY)

    @functools.cached_property
    def left_out(self) -> pd.DataFrame:
        """One row a reason for which lines of a source were not used."""
        rows = [(name, *item) for name, checked in self.checked.items() for item in checked.left_out]
        return pd.DataFrame(rows, columns=["table", "reason", "rows"])

    @property
    def frames(self) -> dict[str, pd.DataFrame]:
        """The canonical frames that have rows."""
        return {name: checked.frame for name, checked in self.checked.items() if len(checked.frame)}

    @property
    def blocks(self) -> dict[str, str]:
        """The lines to paste for tables whose columns were not all found."""
        return {name: checked.block for name, checked in self.checked.items() if checked.block}

    @property
    def counts(self) -> dict[str, int]:
        """Counts over all tables."""
        every = self.checked.values()
        return {
            "tables": len(self.checked) + len(self.missing),
            "rows": int(sum(len(checked.frame) for checked in every)),
            "faults": sum(checked.count("fault") for checked in every),
            "warnings": sum(checked.count("warning") for checked in every),
            "left_out": int(sum(rows for checked in every for _reason, rows in checked.left_out)),
            "missing": len(self.missing),
        }

    @property
    def ok(self) -> bool:
        """No fault, and every configured file is there."""
        return not self.missing and not self.counts["faults"]


def check_all(settings: Settings, keep: Callable[[str, Checked], None] | None = None) -> CheckResult:
    """Reads and checks every configured table, then all together; collects everything and raises nothing.

    What is in the files never raises; `result.missing` holds sources that could not be opened (exit 2 of the command).
    `keep(name, checked)` is called for each table that could be read, before they are checked together.
    """
    result = CheckResult(unconfigured=tuple(name for name in table_names() if name not in settings.sources))
    for name in settings.sources:
        label = settings.sources[name].path or f"query of {name}"
        try:
            result.checked[name] = check_table(name, settings)
            if keep is not None:
                keep(name, result.checked[name])
        except DataError as error:
            faults = error.faults or [Fault(label, None, None, str(error), "")]
            result.checked[name] = Checked(name, label, pd.DataFrame(), np.array([], int), faults=faults)
        except PlanningError as error:
            result.missing.append((name, str(error)))
    check_together(result.checked)
    return result


def _summary(name: str, checked: Checked) -> dict[str, Any]:
    first, last = first_days(checked)
    words = _fact_names()
    found = [f"{words.get(key, key)} {value}" for key, value in checked.facts.items() if value and key not in HIDDEN]
    if checked.facts.get("header_row", 1) != 1:
        found.append(_("header in row {row}").format(row=checked.facts["header_row"]))
    return {
        "table": name,
        "file": checked.label,
        "state": "faults" if checked.count("fault") else "warnings" if checked.count("warning") else "ok",
        "rows": len(checked.frame),
        "columns": len(checked.frame.columns),
        "first_day": first,
        "last_day": last,
        "faults": checked.count("fault"),
        "warnings": checked.count("warning"),
        "left_out": int(sum(rows for _reason, rows in checked.left_out)),
        "found_out": ", ".join(found),
    }


def _fact_names() -> dict[str, str]:
    return {
        "encoding": _("encoding"), "delimiter": _("delimiter"), "dialect": _("recognised as"), "decimal": _("decimals"),
        "dates": _("dates"), "outcome": _("outcome"), "units": _("units"), "identifiers": _("identifiers"),
        "currencies": _("currencies"), "summed": _("summed"), "database": _("database"),
    }  # fmt: skip
