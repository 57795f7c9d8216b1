"""All runs below a reports folder, as short entries: read from the run folders, kept in a cache that may be deleted.

The truth is each run's `run.json`. The cache `.gallery.jsonl` (one entry a line, new ones appended) only spares reading
thousands of them again: an entry is taken from it while size and time of its `run.json` are unchanged, so the cache can
be removed at any moment.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planning.errors import PlanningError
from planning.files import write_text
from planning.reports import record

CACHE = ".gallery.jsonl"
VERSION = 5
RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}\Z")
_PLAIN = {"language", "as_of"}


@dataclass
class Entry:
    """One run in a line, as the gallery shows, sifts and searches it; `key` is (name, label, text, value)."""

    id: str
    flow: str
    status: str
    title: str
    line: str
    seconds: float | None = None
    given: str = ""
    key: tuple[str, str, str, float | None] | None = None
    stamp: tuple[int, int] = (0, 0)

    @property
    def failed(self) -> bool:
        """Whether a person has to look at it."""
        return record.shape_of(self.status) == record.FAILED

    @property
    def day(self) -> str:
        """The day it started, ISO, from its id."""
        return f"{self.id[:4]}-{self.id[4:6]}-{self.id[6:8]}"


def read(reports: Path) -> list[Entry]:
    """Returns an entry for each finished run below `reports`, the latest first, and refreshes the cache."""
    cached = _cached(reports)
    entries, fresh = [], []
    for flow, run_id, path, stamp in _folders(reports):
        entry = cached.pop((flow, run_id), None)
        if entry is None or tuple(entry.stamp) != stamp:
            cached.update({} if entry is None else {(flow, run_id): entry})
            entry = _entry(Path(path), flow, run_id, stamp)
            fresh.append(entry)
        entries.append(entry)
    entries.sort(key=lambda entry: (entry.id, entry.flow), reverse=True)
    if cached or len(fresh) == len(entries):
        _keep(reports, entries)
    elif fresh:
        _append(reports, fresh)
    return entries


def _folders(reports: Path) -> Iterator[tuple[str, str, str, tuple[int, int]]]:
    with os.scandir(reports) as flows:
        names = sorted(entry.name for entry in flows if entry.is_dir() and not entry.name.startswith("."))
    for flow in names:
        with os.scandir(reports / flow) as runs:
            for run in runs:
                if RUN_ID.match(run.name):
                    with contextlib.suppress(OSError):
                        facts = os.stat(f"{run.path}/{record.RUN_FILE}")
                        yield flow, run.name, run.path, (facts.st_mtime_ns, facts.st_size)


def _cached(reports: Path) -> dict[tuple[str, str], Entry]:
    try:
        lines = (reports / CACHE).read_text(encoding="utf-8").splitlines()
        if not lines or lines[0] != str(VERSION):
            return {}
        # One array of all lines is parsed much faster than each line by itself.
        rows = json.loads("[" + ",".join(lines[1:]) + "]")
        return {(row[1], row[0]): Entry(*row) for row in rows}
    except (OSError, ValueError, TypeError, IndexError):
        return {}


def _line_of(entry: Entry) -> str:
    return json.dumps(list(vars(entry).values()), ensure_ascii=False, separators=(",", ":"))


def _keep(reports: Path, entries: list[Entry]) -> None:
    with contextlib.suppress(PlanningError):  # a cache that cannot be written only costs time
        write_text(reports / CACHE, "\n".join([str(VERSION), *map(_line_of, entries)]) + "\n")


def _append(reports: Path, entries: list[Entry]) -> None:
    with contextlib.suppress(OSError), (reports / CACHE).open("a", encoding="utf-8") as file:
        file.write("".join(_line_of(entry) + "\n" for entry in entries))


def _entry(folder: Path, flow: str, run_id: str, stamp: tuple[int, int]) -> Entry:
    """Reads one run: its record, and a manifest only where the record does not hold the numbers."""
    facts = record.read_json(folder / record.RUN_FILE)
    steps = [_said(folder, name, step) for name, step in record.steps_of(facts).items()]
    status = str(facts.get("status") or "failed")
    teller = _teller(steps)
    if status == "ok" and teller and teller.get("state") == "cannot_tell":
        status = "cannot_tell"
    failed = record.shape_of(status) == record.FAILED
    return Entry(
        id=run_id, flow=flow, status=status, title=_title(facts, flow, steps), line=_line(facts, steps, teller, failed),
        seconds=facts.get("seconds") if isinstance(facts.get("seconds"), int | float) else None, given=_given(facts),
        key=_key(folder, teller) if teller and not failed else None, stamp=stamp,
    )  # fmt: skip


def _said(folder: Path, name: str, step: dict[str, Any]) -> dict[str, Any]:
    """Returns a step's record with what its manifest says, where the record itself does not say it."""
    if "answer" in step:
        return step
    manifest = record.read_json(folder / "results" / name / "manifest.json")
    return {"notebook": name, **{key: manifest.get(key) for key in ("answer", "title", "state")}, **step}


def _teller(steps: list[dict[str, Any]]) -> dict[str, Any] | None:
    answered = [step for step in steps if step.get("answer")]
    summary = [step for step in answered if step.get("notebook") == "plan_summary"]
    return (summary or answered or [None])[-1]


def _title(facts: dict[str, Any], flow: str, steps: list[dict[str, Any]]) -> str:
    own = steps[0].get("title") if len(steps) == 1 else ""
    return str(facts.get("title") or own or record.words_of(flow))


def _line(facts: dict[str, Any], steps: list[dict[str, Any]], teller: dict[str, Any] | None, failed: bool) -> str:
    if not failed:
        return str(teller.get("answer")) if teller else ""
    broken = [step for step in steps if record.shape_of(str(step.get("status"))) == record.FAILED]
    for step in broken:
        if causes := record.causes_of(step.get("error")):
            cell = step["error"].get("cell") if isinstance(step["error"], dict) else None
            where = f"{step.get('notebook')}" + (f", cell {cell}" if cell else "")
            return f"{where}: {causes[0]}"
    return next(iter(record.causes_of(facts.get("error"))), "")


def _given(facts: dict[str, Any]) -> str:
    """Returns the parameters a person chose, as text to search; those every run has are left out."""
    given = facts.get("given") or {}
    shown = {key: value for key, value in given.items() if key not in _PLAIN and value not in (None, "")}
    return ", ".join(f"{key} = {value}" for key, value in shown.items())


def _manifest_numbers(folder: Path, step: dict[str, Any]) -> list[dict[str, Any]]:
    if isinstance(step.get("numbers"), list):
        return step["numbers"]
    return record.read_json(folder / "results" / str(step.get("notebook")) / "manifest.json").get("numbers", [])


def _key(folder: Path, teller: dict[str, Any]) -> tuple[str, str, str, float | None] | None:
    numbers = [n for n in _manifest_numbers(folder, teller) if n.get("text")]
    if not numbers:
        return None
    first = next((n for n in numbers if n.get("lead")), numbers[0])
    name = f"{teller.get('notebook')}.{first.get('name')}"
    return name, str(first.get("label", "")), str(first["text"]), _finite(first)


def _finite(number: dict[str, Any]) -> float | None:
    value = number.get("value")
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return value if plain and math.isfinite(value) else None


@dataclass(frozen=True)
class Number:
    """One key number of one run: where it comes from, its name for people, its value raw and as text."""

    run_id: str
    step: str
    label: str
    value: float
    text: str


def numbers(reports: Path, flow: str, run_ids: list[str]) -> dict[str, list[Number]]:
    """Returns the key numbers of these runs by name (`<notebook>.<number>`), in the order of `run_ids`."""
    found: dict[str, list[Number]] = defaultdict(list)
    for run_id in run_ids:
        folder = reports / flow / run_id
        for name, step in record.steps_of(record.read_json(folder / record.RUN_FILE)).items():
            if record.shape_of(str(step.get("status"))) == record.FAILED:
                continue
            title = str(step.get("title") or record.words_of(name))
            for number in _manifest_numbers(folder, step):
                if (value := _finite(number)) is not None:
                    text = str(number.get("text") or value)
                    label = str(number.get("label", ""))
                    found[f"{name}.{number.get('name')}"].append(Number(run_id, title, label, value, text))
    return found
