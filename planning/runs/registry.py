"""The runs that are there: folders and `run.json` are the truth, read when asked; there is no database.

A run whose process died is found by its lock, which the system frees: the next command marks it `lost` and gives it its
final name, so that nothing half written is ever shown as finished.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from planning import files
from planning.errors import UsageError, did_you_mean
from planning.runs import emit, layout

RECORD = "run.json"
GOOD = ("ok", "reused")


def folders(reports: Path) -> list[Path]:
    """Returns the folders of finished runs, the latest first."""
    found: list[Path] = []
    for flow in _flows(reports):
        with os.scandir(flow) as entries:
            found += [Path(entry.path) for entry in entries if layout.RUN_ID.match(entry.name)]
    return sorted(found, key=lambda path: path.name, reverse=True)


def flows(reports: Path) -> list[str]:
    """Returns the names of flows and notebooks that have runs."""
    return [path.name for path in _flows(reports)]


def _flows(reports: Path) -> list[Path]:
    if not reports.is_dir():
        return []
    return [path for path in sorted(reports.iterdir()) if path.is_dir() and not path.name.startswith(".")]


def partial_folders(reports: Path) -> list[Path]:
    """Returns the folders of runs that are being written, or whose process died."""
    return [path for flow in _flows(reports) for path in sorted(flow.glob(layout.PARTIAL + "*")) if path.is_dir()]


def read(folder: Path) -> dict[str, Any] | None:
    """Returns a run's record with its folder, or None when the folder holds none that can be read."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    record["folder"] = str(folder)
    return record


def runs(reports: Path, *, flow: str | None = None, status: str | None = None) -> Iterator[dict[str, Any]]:
    """Yields the records of finished runs, the latest first, of one flow or status where named."""
    for folder in folders(reports):
        if flow is not None and folder.parent.name != flow:
            continue
        record = read(folder)
        if record is not None and status in (None, record["status"]):
            yield record


def find(reports: Path, wanted: str) -> dict[str, Any]:
    """Returns one run by its id, the end or beginning of its id, `latest`, or `<flow>/latest`.

    Raises UsageError when no run or more than one fits.
    """
    if wanted == "latest" or wanted.endswith("/latest"):
        flow = wanted.rpartition("/")[0] or None
        record = next(runs(reports, flow=flow), None)
        if record is None:
            raise UsageError(
                f"there is no finished run{f' of {flow}' if flow else ''} yet. Start one with 'planning run'."
            )
        return record
    name = wanted.rstrip("/").rpartition("/")[2]
    known = folders(reports)
    fitting = [path for path in known if path.name == name] or [
        path for path in known if name and (path.name.startswith(name) or path.name.endswith(name))
    ]
    if len(fitting) > 1:
        raise UsageError(
            f"'{wanted}' fits {len(fitting)} runs: {', '.join(path.name for path in fitting[:5])}. "
            "Write more of the id."
        )
    record = read(fitting[0]) if fitting else None
    if record is None:
        hint = did_you_mean(name, [path.name for path in known[:500]])
        raise UsageError(f"there is no run '{wanted}'.{hint} 'planning runs' lists them.")
    return record


def latest_results(reports: Path, notebook: str) -> Path | None:
    """Returns the results folder of the latest finished run that counts and in which this notebook succeeded.

    Fan-outs and what-ifs never count; of a what-if count the steps whose versions were adopted, and those they rest on.
    Of a notebook that keeps a version, the results of the version that counts now go before later ones.
    """
    latest = None
    for record in runs(reports):
        for step in record["steps"]:
            folder = Path(record["folder"]) / "results" / notebook
            if step["notebook"] != notebook or step["status"] not in GOOD or not (folder / "manifest.json").is_file():
                continue
            if record.get("each") or record.get("what_if") and notebook not in _adopted(reports.parent, record):
                continue
            if _current(reports.parent, folder):
                return folder
            latest = latest or folder
    return latest


def _adopted(root: Path, record: dict[str, Any]) -> set[str]:
    """The notebooks of a what-if whose versions were all adopted, and those without versions that they rest on."""
    kept = {step["notebook"]: step for step in record["steps"] if step.get("what_if")}
    results = Path(record["folder"]) / "results"
    found = {name for name in kept if _current(root, results / name)}
    needs = {step["notebook"]: set(step.get("needs", ())) for step in record["steps"]}
    left = list(found)
    while left:
        more = needs[left.pop()] & needs.keys() - kept.keys() - found
        found |= more
        left += more
    return found


def _current(root: Path, results: Path) -> bool:
    """Tells whether all versions that a step kept, of a plan or a budget, are those that count now."""
    kept = emit.read_versions(results) | emit.read_versions(results, beside=True)
    return all(files.current_version(root / name) == version for name, version in kept.items())
