"""Finding an input file, and saying what is wrong with its name before anything is read (exit 2)."""

from __future__ import annotations

import os
from pathlib import Path

from planning.errors import UsageError, nearest

SUFFIXES = {
    ".csv": "csv", ".txt": "csv", ".tsv": "csv", ".tab": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".xlsx": "excel", ".xlsm": "excel",
}


def input_file(path: str | Path, *, folders: bool = False) -> Path:
    """Returns `path` where it is a readable file (or, with `folders`, a folder); UsageError says what it is instead."""
    path = Path(path)
    if path.is_dir():
        if folders:
            return path
        raise UsageError(f"{path}: is a folder, a file is meant. Name a file in it{_some(path)}.")
    if not path.exists():
        raise UsageError(f"{path}: there is no such file.{_hint(path)}")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path}: may not be read. Give read permission, or name a copy.")
    return path


def kind_of(path: Path) -> str:
    """Returns "csv", "parquet" or "excel" by the file's suffix; UsageError for any other."""
    kind = SUFFIXES.get(path.suffix.lower())
    if kind:
        return kind
    if path.suffix.lower() in {".xls", ".ods", ".numbers"}:
        raise UsageError(f"{path}: '{path.suffix}' is not read. Save it as .xlsx or .csv.")
    raise UsageError(f"{path}: '{path.suffix}' is no kind of table known here. Name a .csv, .parquet or .xlsx file.")


def _hint(path: Path) -> str:
    parent = path.parent
    if parent.name == "sample" and not (parent.is_dir() and any(parent.iterdir())):
        return f" Write the sample company first: planning sample {parent}"
    if not parent.is_dir():
        return f" The folder {parent} does not exist either."
    near = nearest(path.name, [entry.name for entry in parent.iterdir() if not entry.name.startswith(".")])
    return f" Did you mean '{near}'?" if near else f" The folder holds{_some(parent) or ' nothing'}."


def _some(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir() if entry.suffix.lower() in SUFFIXES)
    return f": {', '.join(names[:6])}{', ...' if len(names) > 6 else ''}" if names else ""
