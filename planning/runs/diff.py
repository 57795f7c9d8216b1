"""What differs between two runs: parameters, inputs, versions, and the numbers themselves.

Tables are compared by key: the columns that are words or dates name a row, the numeric columns are its values. One row
of `numbers` is one changed value:

    notebook  table  key  column  before  after  change  relative
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from planning.runs import emit, registry

COLUMNS = ["notebook", "table", "key", "column", "before", "after", "change", "relative"]
_EQUAL = 1e-9


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what differs between two runs' records: `parameters`, `inputs`, `versions`, `steps` and `numbers`.

    The first four map a name to (before, after); `numbers` is a frame with the columns of the module's picture, the
    biggest relative changes first; a row that is in one run only has the other value missing.
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


def numbers(before: Path, after: Path) -> pd.DataFrame:
    """Returns every number that differs between the results of two run folders, the biggest relative change first."""
    parts = []
    for name in _notebooks(before, after):
        old, new = (emit.read_manifest(folder / "results" / name) or {} for folder in (before, after))
        parts.append(_key_numbers(name, old, new))
        for table in dict.fromkeys([*old.get("tables", {}), *new.get("tables", {})]):
            hashes = [manifest.get("tables", {}).get(table, {}).get("sha256") for manifest in (old, new)]
            if hashes[0] is not None and hashes[0] == hashes[1]:
                continue
            sides = [
                _table(folder / "results" / name, manifest, table) for folder, manifest in ((before, old), (after, new))
            ]
            parts.append(_table_changes(name, table, *sides))
    parts = [part for part in parts if len(part)]
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    changes = pd.concat(parts, ignore_index=True)
    size = changes["relative"].abs().fillna(float("inf"))
    return changes.iloc[size.argsort(kind="stable")[::-1]].reset_index(drop=True)


def _notebooks(before: Path, after: Path) -> list[str]:
    found = [
        path.name for folder in (before, after) for path in sorted((folder / "results").glob("*")) if path.is_dir()
    ]
    return list(dict.fromkeys(found))


def _key_numbers(notebook: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> pd.DataFrame:
    sides = [
        pd.Series({n["name"]: n["value"] for n in side.get("numbers", [])}, dtype="float64") for side in (old, new)
    ]
    frame = pd.DataFrame({"before": sides[0], "after": sides[1]})
    return _rows(notebook, "(key numbers)", frame.assign(key="", column=frame.index))


def _table(folder: Path, manifest: Mapping[str, Any], name: str) -> pd.DataFrame | None:
    entry = manifest.get("tables", {}).get(name)
    if entry is None or not (folder / entry["parquet"]).is_file():
        return None
    return pd.read_parquet(folder / entry["parquet"])


def _table_changes(notebook: str, name: str, old: pd.DataFrame | None, new: pd.DataFrame | None) -> pd.DataFrame:
    present = [side for side in (old, new) if side is not None]
    keys = [column for column in present[-1].columns if not pd.api.types.is_float_dtype(present[-1][column])]
    keys = [column for column in keys if not pd.api.types.is_bool_dtype(present[-1][column])] if len(keys) > 1 else keys
    if any(key not in side.columns for key in keys for side in present):
        keys = []
    long = [_long(side, keys) if side is not None else None for side in (old, new)]
    empty = pd.Series(dtype="float64", index=pd.MultiIndex.from_tuples([], names=["key", "column"]))
    frame = pd.DataFrame(
        {"before": empty if long[0] is None else long[0], "after": empty if long[1] is None else long[1]}
    )
    return _rows(notebook, name, frame.reset_index())


def _long(frame: pd.DataFrame, keys: list[str]) -> pd.Series:
    """One value a (key, column); equal keys are told apart by their order."""
    values = frame.select_dtypes("number").drop(columns=[key for key in keys if key in frame], errors="ignore")
    words = frame[keys].astype("str").fillna("").agg(" / ".join, axis=1)
    key = words if keys else pd.Series(range(1, len(frame) + 1), dtype=str)
    again = key.groupby(key).cumcount()
    key = key.where(again.eq(0), key + " #" + (again + 1).astype(str))
    long = values.astype("float64").set_axis(pd.Index(key, name="key"), axis=0).rename_axis("column", axis=1)
    return long.stack()


def _rows(notebook: str, table: str, frame: pd.DataFrame) -> pd.DataFrame:
    """Keeps what differs, beyond the last digits, and says by how much."""
    before, after = frame["before"].astype("float64"), frame["after"].astype("float64")
    change = after - before
    scale = before.abs().combine(after.abs(), max)
    same = (before.isna() & after.isna()) | (change.abs() <= _EQUAL * scale.clip(lower=1e-12))
    relative = (change / before.abs()).where(before.abs() > 0)
    rows = frame.assign(notebook=notebook, table=table, before=before, after=after, change=change, relative=relative)
    return rows.loc[~same, COLUMNS]
