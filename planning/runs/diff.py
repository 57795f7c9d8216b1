"""What differs between two runs: parameters, inputs, versions, and the numbers themselves.

Tables are compared by key: the fewest columns of words, dates (or whole numbers, where those do not suffice) that name
each row of both tables and find most of them again. A sentence beside the figures is no key, and the other columns of
figures are the values. One row of `numbers` is one changed value:

    notebook  table  key  column  before  after  change  relative  size

Plain rows instead of a frame: the comparison is made after each run, and the runner does without pandas.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from planning.runs import emit, registry

Row = dict[str, Any]
_EQUAL = 1e-9
_FIGURES = ("double", "float", "halffloat", "decimal", "int", "uint")
_FEW = 5


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what differs between two runs' records: `parameters`, `inputs`, `versions`, `steps` and `numbers`.

    The first four map a name to (before, after); `numbers` is a list of rows with the keys of the module's picture, the
    biggest changes first; a row that is in one run only has None for the other value.
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
    """Returns every number that differs between the results of two run folders, the biggest changes first.

    How big a change is (`size`) is told against the usual size of its column, the root of the mean square of both
    runs: a growth of 0.1 % that becomes 3 % has moved by 5 000 % of itself and is not news. Rows of one run only last.
    """
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
    return sorted(changes, key=lambda row: (row["change"] is None, -row["size"]))


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
    keys = _keys(present)
    return _changes(notebook, name, *({} if side is None else dict(_values(side, keys)) for side in (old, new)))


def _keys(tables: list[Any]) -> list[str]:
    """Returns the columns that name a row, in their order; none where the rows can only be counted."""
    names = [name for name in tables[-1].column_names if all(name in table.column_names for table in tables)]
    kinds = {name: str(tables[-1].schema.field(name).type) for name in names}
    words = [name for name in names if not kinds[name].startswith((*_FIGURES, "bool"))]
    whole = [name for name in names if kinds[name].startswith(("int", "uint"))]
    best, found = None, -1
    for chosen in [*_choices(words), *([*words, *whole[: n + 1]] for n in range(len(whole)))]:
        rows = [list(zip(*(table.column(name).to_pylist() for name in chosen))) for table in tables]
        named = [set(side) for side in rows]
        if any(len(side) < len(listed) for side, listed in zip(named, rows)):
            continue
        again = len(set.intersection(*named))
        if again > found:
            best, found = chosen, again
        if again == max(map(len, rows)) or set(chosen) & set(whole):
            break
    return list(best) if best is not None else words


def _choices(words: list[str]) -> list[list[str]]:
    """Columns from the left first, since keys stand there; then, of a few columns, any of them."""
    from_left = [words[:n] for n in range(1, len(words) + 1)]
    some = itertools.chain.from_iterable(itertools.combinations(words, n) for n in range(1, len(words)))
    others = [list(one) for one in some] if len(words) <= _FEW else []
    return from_left + [one for one in others if one not in from_left]


def _values(table: Any, keys: list[str]) -> Iterator[tuple[tuple[str, str], float | None]]:
    """Yields ((key, column), value) of a table's figures; equal keys are told apart by their order."""
    names, again = [], {}
    for i, words in enumerate(zip(*(table.column(key).to_pylist() for key in keys)) if keys else range(table.num_rows)):
        name = " / ".join(map(_word, words)) if keys else str(i + 1)
        again[name] = again.get(name, 0) + 1
        names.append(name if again[name] == 1 else f"{name} #{again[name]}")
    for field in table.schema:
        if field.name not in keys and str(field.type).startswith(_FIGURES):
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
    rows, usual = [], _usual([*old.items(), *new.items()])
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
            "size": abs((after or 0.0) - (before or 0.0)) / (usual[column] or 1.0),
        })  # fmt: skip
    return rows


def _usual(values: Iterable[tuple[tuple[str, str], float | None]]) -> dict[str, float]:
    """Returns the usual size of each column's figures."""
    found: dict[str, list[float]] = {}
    for (_key, column), value in values:
        found.setdefault(column, []).append(value or 0.0)
    return {column: math.sqrt(math.fsum(x * x for x in known) / len(known)) for column, known in found.items()}
