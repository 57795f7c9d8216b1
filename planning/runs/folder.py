"""One run's folder while it is written: locked, under a partial name, its record always whole, renamed when done."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
import platform
import shutil
import threading
from pathlib import Path
from typing import Any

from planning import files
from planning.errors import UsageError
from planning.runs import layout, registry

RESERVE, RESERVED = ".reserve", 256_000


def utc_now() -> str:
    """Returns the time now as run.json holds it: UTC, seconds with milliseconds."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Lock:
    """An flock on a file; the system frees it when the process ends, however it ends."""

    def __init__(self, path: Path):
        self.path = path
        self._fd: int | None = None

    def take(self, *, wait: bool = False) -> bool:
        """Takes the lock if nobody has it, or waits for it; tells whether it did."""
        # O_CLOEXEC is Python's default: a kernel or a zygote started meanwhile does not inherit the lock.
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            return False
        with contextlib.suppress(OSError):  # for people only; a full disk does not undo the lock
            os.ftruncate(fd, 0)
            os.write(fd, f"{os.getpid()} {utc_now()}\n".encode())
        self._fd = fd
        return True

    def release(self, remove: bool = True) -> None:
        """Gives the lock back, and removes its file."""
        if self._fd is None:
            return
        if remove:
            self.path.unlink(missing_ok=True)
        os.close(self._fd)
        self._fd = None


def lock_folder(reports: Path) -> Path:
    """Returns the folder of the locks, made where it is missing; UsageError when reports cannot be written."""
    folder = reports / ".locks"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(reports, os.W_OK):
            raise PermissionError(13, "no permission to write")
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(
            f"{reports}: runs cannot be written there ({reason}). Give write permission, or free the name."
        ) from None
    return folder


class RunFolder:
    """A run being written: `record` is run.json, `save()` writes it whole, `finish()` renames the folder."""

    def __init__(self, reports: Path, flow: str, record: dict[str, Any]):
        self.run_id = layout.new_run_id()
        self.final = reports / flow / self.run_id
        self.path = reports / flow / (layout.PARTIAL + self.run_id)
        self._mutex = threading.Lock()
        self._lock = Lock(lock_folder(reports) / f"{self.run_id}.lock")
        if not self._lock.take():
            raise UsageError(f"{self._lock.path}: is held by another run. Start again.")
        self.record = {
            "id": self.run_id,
            "flow": flow,
            "status": "running",
            "started": utc_now(),
            "finished": None,
            "pid": os.getpid(),
            "host": platform.node(),
            **record,
        }
        try:
            (self.path / "logs").mkdir(parents=True)
            (self.path / "results").mkdir()
            (self.path / RESERVE).write_bytes(bytes(RESERVED))
            self.save()
        except OSError as error:
            self._lock.release()
            reason = error.strerror or str(error)
            raise UsageError(
                f"{self.path.parent}: a run cannot be written there ({reason}). Free space or give permission."
            ) from None

    def save(self) -> None:
        """Writes run.json as it stands now, whole."""
        with self._mutex:
            files.write_json(self.path / registry.RECORD, self.record)

    def finish(self) -> Path:
        """Renames the folder to its final name and frees the lock; returns the final path."""
        shutil.rmtree(self.path / ".context", ignore_errors=True)
        (self.path / RESERVE).unlink(missing_ok=True)
        os.replace(self.path, self.final)
        self._lock.release()
        return self.final

    def give_up(self, message: str) -> Path | None:
        """Ends the run as failed where it can no longer be written; returns its final path.

        What was held in reserve for this makes room for the last words. Without even that the run is abandoned.
        """
        (self.path / RESERVE).unlink(missing_ok=True)
        for step in self.record["steps"]:
            step["status"] = {"running": "failed", "waiting": "skipped"}.get(step["status"], step["status"])
        self.record.update(status="failed", finished=utc_now(), error={"message": message})
        try:
            self.save()
            return self.finish()
        except (OSError, UsageError):
            self.abandon()
            return None

    def abandon(self) -> None:
        """Frees the lock without finishing: what is there is found and marked by the next command."""
        self._lock.release(remove=False)


def sweep(reports: Path) -> list[Path]:
    """Marks the runs whose process died as `lost` and gives them their final names; returns those folders.

    A run is dead when its lock can be taken. Its steps that were running are lost, those that waited were skipped.
    """
    swept: list[Path] = []
    dead = registry.partial_folders(reports)
    locks = lock_folder(reports) if dead else None
    for folder in dead:
        run_id = folder.name.removeprefix(layout.PARTIAL)
        lock = Lock(locks / f"{run_id}.lock")
        if not lock.take():
            continue
        try:
            if folder.is_dir():
                _end_processes(folder)
                swept += _bury(folder, run_id)
        finally:
            lock.release()
    return swept


def _end_processes(folder: Path) -> None:
    """Ends what the notebooks of a dead run had started: its runner is no longer there to do it."""
    from planning.runs import processes

    context = f"{folder.resolve()}{os.sep}"
    processes.end_marked(lambda mark: mark.startswith(context))


_LOST = "The process of this run ended without a word (killed, or the machine stopped)."


def _bury(folder: Path, run_id: str) -> list[Path]:
    record = registry.read(folder)
    if record is None:  # killed before its first word was written: there is nothing to keep
        shutil.rmtree(folder, ignore_errors=True)
        return []
    record.pop("folder")
    record["finished"] = record["finished"] or utc_now()
    if record["status"] == "running":
        record["status"] = "lost"
        record["error"] = {"message": _LOST}
        for step in record["steps"]:
            step["status"] = {"running": "lost", "waiting": "skipped"}.get(step["status"], step["status"])
    files.write_json(folder / registry.RECORD, record)
    for rest in folder.rglob(".*.partial*"):
        with contextlib.suppress(OSError):
            shutil.rmtree(rest) if rest.is_dir() else rest.unlink()
    shutil.rmtree(folder / ".context", ignore_errors=True)
    (folder / RESERVE).unlink(missing_ok=True)
    final = folder.with_name(run_id)
    os.replace(folder, final)
    return [final]
