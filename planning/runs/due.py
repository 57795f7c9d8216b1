"""Running what is due, once: no daemon is needed, cron, a systemd timer or a loop may call it as often as they like.

What happened to each slot stands in `reports/.schedules/<name>.jsonl`, one line an event, the last one of a slot wins:

    {"slot": "2026-11-02T06:00:00Z", "status": "ok", "run": "20261102T060001Z-1f3a9c", "at": ..., "note": ""}

Status: running, ok, failed (and the other ends of a run), missed (too late, or left out by catch_up), skipped (the
schedule's own earlier run was still going), lost (the process died in it). A slot is written down before its run
starts, so it is never run twice. Whatever became of a slot that was to run, there is a run folder that says so, and it
is delivered: also where the run was refused before it began, or died.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from planning.runs import launch, layout, refused, registry, runner, schedules
from planning.runs.folder import Lock, lock_folder
from planning.runs.schedules import UTC, Schedule

ON_TIME = 300  # seconds after its slot within which a run is not late
Start = Callable[..., dict[str, Any]]


def utc_text(moment: dt.datetime) -> str:
    """Returns a UTC instant as it is written: `2026-11-02T06:00:00Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_text(text: str) -> dt.datetime:
    """Returns the instant of such a text."""
    return dt.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


class Journal:
    """What happened to the slots of one schedule."""

    def __init__(self, reports: Path, name: str):
        self.folder = reports / ".schedules"
        self.path = self.folder / f"{name}.jsonl"

    def events(self) -> dict[str, dict[str, Any]]:
        """Returns the last event of each slot, in the order of the slots; a torn last line is left out."""
        found: dict[str, dict[str, Any]] = {}
        if self.path.is_file():
            for line in self.path.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError):
                    event = json.loads(line)
                    found[event["slot"]] = event
        return dict(sorted(found.items()))

    def write(self, slot: dt.datetime, status: str, now: dt.datetime, run: str = "", note: str = "") -> dict[str, Any]:
        """Adds an event; one write of one line, so that two processes never mix theirs."""
        event = {"slot": utc_text(slot), "status": status, "run": run, "at": utc_text(now), "note": note}
        self.folder.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
        return event

    @contextlib.contextmanager
    def deciding(self) -> Iterator[None]:
        """Holds what two processes may not do at once: deciding what becomes of a slot."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def run_due(
    root: Path, settings: Any, *, now: dt.datetime | None = None, name: str | None = None, start: Start = launch.start,
    deliver: Callable[..., Any] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Runs every slot that is due and returns what became of each; an empty list when nothing was.

    A schedule seen for the first time starts from `now`: times before that are nobody's.
    """
    now = now or dt.datetime.now(UTC)
    reports = layout.reports(root)
    happened: list[dict[str, Any]] = []
    for schedule in schedules.of_settings(settings, name):
        happened += _run_schedule(root, reports, settings, schedule, now, start, deliver or _deliver)
    return happened


def _deliver(record: dict[str, Any], settings: Any, schedule: Any) -> None:
    from planning.runs import deliver

    deliver.after_run(record, settings, schedule)


def _run_schedule(
    root: Path,
    reports: Path,
    settings: Any,
    schedule: Schedule,
    now: dt.datetime,
    start: Start,
    deliver: Callable[..., Any],
) -> list[dict[str, Any]]:
    journal = Journal(reports, schedule.name)
    lock = Lock(lock_folder(reports) / f"schedule-{schedule.name}.lock")
    mine = lock.take()
    try:
        with journal.deciding():
            dead = [slot for slot, e in journal.events().items() if mine and e["status"] == "running"]
            happened, wanted = _decide(journal, schedule, now, mine)
        for slot in dead:
            happened.append(_settle(root, settings, schedule, journal, from_text(slot), now, deliver))
        for slot in wanted:
            happened.append(_run_slot(root, settings, schedule, journal, slot, now, start, deliver))
        return happened
    finally:
        lock.release(remove=False)


def _decide(
    journal: Journal, schedule: Schedule, now: dt.datetime, mine: bool
) -> tuple[list[dict[str, Any]], list[dt.datetime]]:
    """Writes down what becomes of every slot up to now; returns those events and the slots to run."""
    events = journal.events()
    happened = []
    if not events:
        journal.write(now, "begun", now, note="the schedule was first seen")
        return [], []
    due = schedule.between(from_text(max(events)), now)
    if not mine:
        note = "the earlier run of this schedule was still going"
        return [journal.write(slot, "skipped", now, note=note) for slot in due], []
    limit = ON_TIME if schedule.spec.catch_up == "none" else schedule.max_late
    fresh = [slot for slot in due if (now - slot).total_seconds() <= limit]
    wanted = fresh if schedule.spec.catch_up == "all" else fresh[-1:]
    for slot in due:
        if slot not in wanted:
            late = "later than max_late" if slot not in fresh else "a later time took its place"
            happened.append(journal.write(slot, "missed", now, note=late))
    for slot in wanted:
        journal.write(slot, "running", now)
    return happened, wanted


def _run_slot(
    root: Path, settings: Any, schedule: Schedule, journal: Journal, slot: dt.datetime, now: dt.datetime, start: Start,
    deliver: Callable[..., Any],
) -> dict[str, Any]:  # fmt: skip
    try:
        record = start(
            schedule.spec.flow, given=schedule.spec.parameters, root=root, trigger=f"schedule:{schedule.name}",
            extra={"slot": utc_text(slot)},
        )  # fmt: skip
    except Exception as error:  # a wrong parameter, a full disk: the schedule goes on with its next slot
        found = refused.record(root, settings, schedule, utc_text(slot), "failed", str(error))
        event = journal.write(slot, "failed", now, run=found.get("id", ""), note=" ".join(str(error).split()))
        return _sent(event, found, settings, schedule, deliver)
    return _sent(journal.write(slot, record["status"], now, run=record["id"]), record, settings, schedule, deliver)


def _settle(
    root: Path, settings: Any, schedule: Schedule, journal: Journal, slot: dt.datetime, now: dt.datetime,
    deliver: Callable[..., Any],
) -> dict[str, Any]:  # fmt: skip
    """Writes down what became of a slot whose process died, from the run it left, and delivers that run."""
    reports, text, mine = layout.reports(root), utc_text(slot), f"schedule:{schedule.name}"
    runner.revive(reports)
    left = (r for r in registry.runs(reports) if r.get("slot") == text and r.get("trigger") == mine)
    found = next(left, None) or refused.record(
        root, settings, schedule, text, "lost", "The process of this schedule ended before its run began."
    )
    status = found.get("status", "lost")
    event = journal.write(slot, status, now, run=found.get("id", ""), note="the process of this run died")
    if found and (Path(found["folder"]) / "delivery.json").is_file():
        return event
    return _sent(event, found, settings, schedule, deliver)


def _sent(
    event: dict[str, Any], record: dict[str, Any], settings: Any, schedule: Schedule, deliver: Callable[..., Any]
) -> dict[str, Any]:
    """Delivers a run; what goes wrong with it is a note on the event and changes nothing else."""
    try:
        if record:
            deliver(record, settings, schedule)
    except Exception as error:
        from planning.config import redact

        event["note"] = redact(f"delivery failed: {error}")
    return event
