"""Old runs: how much disk they use, and which may go."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planning.errors import UsageError
from planning.runs import layout, registry
from planning.runs.folder import Lock, lock_folder

_SPAN = re.compile(r"(\d+)\s*(s|m|h|d|w)\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds_of(text: str) -> int:
    """Returns a span of time as seconds.

    >>> seconds_of("30d")
    2592000
    """
    found = _SPAN.match(text.strip())
    if not found:
        raise UsageError(f"'{text}' is not a span of time. Write a number and s, m, h, d or w, such as 30d or 12h.")
    return int(found[1]) * _SECONDS[found[2]]


def megabytes(folder: Path) -> float:
    """Returns the disk a folder uses; a file that two runs share counts half in each."""
    sizes = (path.lstat() for path in folder.rglob("*") if path.is_file())
    return round(sum(stat.st_size / stat.st_nlink for stat in sizes) / 1e6, 2)


def line(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what the list of runs shows of one run."""
    error = record.get("error") or {}
    answers = [step.get("answer") for step in record["steps"] if step.get("answer")]
    cause = f"{error.get('notebook', '')}: {error.get('message', '')}".strip(": ")
    return {
        "id": record["id"],
        "flow": record["flow"],
        "status": record["status"],
        "started": record["started"],
        "seconds": record.get("seconds"),
        "reused": sum(step["status"] == "reused" for step in record["steps"]),
        "steps": len(record["steps"]),
        "megabytes": megabytes(Path(record["folder"])),
        "said": " ".join((cause or (answers[-1] if answers else "")).split()),
        "folder": record["folder"],
    }


def prune(reports: Path, older_than: float, *, now: dt.datetime | None = None) -> dict[str, Any]:
    """Removes finished runs older than `older_than` seconds; returns {"folders": [...], "megabytes": freed}.

    The last good run of each flow stays, however old, and the last one that is no what-if; so does a run that is being
    written.
    """
    now = now or dt.datetime.now(dt.UTC)
    kept_good: set[tuple[str, bool]] = set()  # flow; whether it counts
    removed: list[Path] = []
    freed = 0.0
    for record in list(registry.runs(reports)):
        folder = Path(record["folder"])
        kind = (record["flow"], not record.get("what_if"))
        if record["status"] == "ok" and not kept_good & {kind, (record["flow"], True)}:
            kept_good.add(kind)
            continue
        started = dt.datetime.strptime(folder.name.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
        if (now - started).total_seconds() <= older_than:
            continue
        lock = Lock(lock_folder(reports) / f"{folder.name}.lock")
        if not lock.take():
            continue
        freed += megabytes(folder)
        # Renamed first: a removal that is interrupted leaves no run that looks whole.
        doomed = folder.with_name(layout.PARTIAL + "removed-" + folder.name)
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
        removed.append(folder)
        lock.release()
    return {"folders": removed, "megabytes": round(freed, 2)}
