"""What differs between two runs: parameters, inputs, versions, and the numbers themselves.

Tables are compared by key: the columns that are words, dates or whole numbers name a row, the others are its values.
One row of `numbers` is one changed value:

    notebook  table  key  column  before  after  change  relative

Plain rows instead of a frame: the comparison is made after each run, and the runner does without pandas.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from planning.runs import emit, registry

Row = dict[str, Any]
_EQUAL = 1e-9


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what differs between two runs' records: `parameters`, `inputs`, `versions`, `steps` and `numbers`.

    The first four map a name to (before, after); `numbers` is a list of rows with the keys of the module's picture, the
    biggest relative changes first; a row that is in one run only has None for the other value.
    """
    return {
        "before": before["id"],
        "after": after["id"],
        "parameters": _changed(_parameters(before), _parameters(after)),
        "inputs": _changed(_hashes(before), _hashes(after)),
        "versions": _changed(
            {**before["versions"], "source": before["package_sha256"][:12]},
            {**after["versions"], "source": after["package_sha256"][:12]},
        ),
        "steps": _changed(_statuses(before), _statuses(after)),
        "numbers": numbers(Path(before["folder"]), Path(after["folder"])),
    }


def page_against_the_run_before(folder: Path) -> Path | None:
    """Writes the page that compares a good run with the last good one of the same flow and given parameters.

    Returns its path; None where the run did not go well or none came before it.
    """
    from planning.reports.compare import render_diff

    record = registry.read(folder)
    if record is None or record["status"] not in registry.GOOD:
        return None
    for earlier in registry.runs(folder.parent.parent, flow=record["flow"]):
        alike = earlier["status"] in registry.GOOD and earlier.get("given") == record.get("given")
        if alike and earlier["id"] < record["id"]:
            return render_diff(folder, compare(earlier, record))
    return None


def _parameters(record: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{step}.{name}": value for step, row in record["parameters"].items() for name, value in row.items()}


def _hashes(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: entry["sha256"][:12] for name, entry in record["inputs"].items()}


def _statuses(record: Mapping[str, Any]) -> dict[str, Any]:
    same = {"reused": "ok"}
    return {step["notebook"]: same.get(step["status"], step["status"]) for step in record["steps"]}


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = dict.fromkeys([*before, *after])
    return {name: (before.get(name), after.get(name)) for name in names if before.get(name) != after.get(name)}


def numbers(before: Path, after: Path) -> list[Row]:
    """Returns every number that differs between the results of two run folders, the biggest relative change first."""
    changes: list[Row] = []
    for name in _notebooks(before, after):
        old, new = (emit.read_manifest(folder / "results" / name) or {} for folder in (before, after))
        changes += _changes(name, "(key numbers)", _key_numbers(old), _key_numbers(new))
        for table in dict.fromkeys([*old.get("tables", {}), *new.get("tables", {})]):
            hashes = [manifest.get("tables", {}).get(table, {}).get("sha256") for manifest in (old, new)]
            if hashes[0] is not None and hashes[0] == hashes[1]:
                continue
            sides = ((before, old), (after, new))
            read = [_table(folder / "results" / name, manifest, table) for folder, manifest in sides]
            changes += _table_changes(name, table, *read)
    return sorted(changes, key=lambda row: -math.inf if row["relative"] is None else -abs(row["relative"]))


def _notebooks(before: Path, after: Path) -> list[str]:
    found = [
        path.name for folder in (before, after) for path in sorted((folder / "results").glob("*")) if path.is_dir()
    ]
    return list(dict.fromkeys(found))


def _key_numbers(manifest: Mapping[str, Any]) -> dict[tuple[str, str], float | None]:
    return {("", n["name"]): _number(n["value"]) for n in manifest.get("numbers", [])}


def _table(folder: Path, manifest: Mapping[str, Any], name: str) -> Any:
    """Returns a kept table (pyarrow's); None where the run has none."""
    entry = manifest.get("tables", {}).get(name)
    if entry is None or not (folder / entry["parquet"]).is_file():
        return None
    import pyarrow.parquet as pq

    with pq.ParquetFile(folder / entry["parquet"]) as file:
        return file.read(use_threads=False)


def _table_changes(notebook: str, name: str, old: Any, new: Any) -> list[Row]:
    present = [side for side in (old, new) if side is not None]
    if not present:
        return []
    keys = [field.name for field in present[-1].schema if str(field.type) not in ("double", "float", "halffloat")]
    if len(keys) > 1:
        keys = [key for key in keys if str(present[-1].schema.field(key).type) != "bool"]
    if any(key not in side.column_names for key in keys for side in present):
        keys = []
    return _changes(notebook, name, *({} if side is None else dict(_values(side, keys)) for side in (old, new)))


def _values(table: Any, keys: list[str]) -> Iterator[tuple[tuple[str, str], float | None]]:
    """Yields ((key, column), value) of a table's figures; equal keys are told apart by their order."""
    names, again = [], {}
    for i, words in enumerate(zip(*(table.column(key).to_pylist() for key in keys)) if keys else range(table.num_rows)):
        name = " / ".join(map(_word, words)) if keys else str(i + 1)
        again[name] = again.get(name, 0) + 1
        names.append(name if again[name] == 1 else f"{name} #{again[name]}")
    for field in table.schema:
        if field.name not in keys and str(field.type).startswith(("double", "float", "halffloat", "int", "uint")):
            for name, value in zip(names, table.column(field.name).to_pylist(), strict=True):
                yield (name, field.name), _number(value)


def _word(value: Any) -> str:
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        value = value.date()
    return "" if value is None else str(value)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _changes(
    notebook: str, table: str, old: Mapping[tuple[str, str], float | None], new: Mapping[tuple[str, str], float | None]
) -> list[Row]:
    """Returns what differs, beyond the last digits, and by how much."""
    rows = []
    for key, column in dict.fromkeys([*old, *new]):
        before, after = old.get((key, column)), new.get((key, column))
        both = before is not None and after is not None
        if before is after or (both and abs(after - before) <= _EQUAL * max(abs(before), abs(after), 1e-12)):
            continue
        change = after - before if both else None
        relative = change / abs(before) if both and before else None
        rows.append({
            "notebook": notebook, "table": table, "key": key, "column": column, "before": before, "after": after,
            "change": change, "relative": relative,
        })  # fmt: skip
    return rows
