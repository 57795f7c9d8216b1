"""The processes a notebook started: how much CPU they took, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable

import psutil

from planning.runs.step import CONTEXT


def cpu_seconds(pid: int | None) -> float:
    """Returns the CPU seconds of a process and its living children; 0 where it has ended."""
    if pid is None:
        return 0.0
    total = 0.0
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                times = one.cpu_times()
                total += times.user + times.system
                if one is process:
                    total += times.children_user + times.children_system
    return total


def family(kernel: int | None) -> set[psutil.Process]:
    """Returns the living processes below a kernel; those whose parent ended count too, where `keep_children` ran."""
    with contextlib.suppress(psutil.Error):
        return set(psutil.Process(kernel).children(recursive=True)) if kernel is not None else set()
    return set()


def end_all(kernel: int | None, environment: dict[str, str], known: Iterable[psutil.Process] = ()) -> None:
    """Ends what is left of a step: the kernel's process group, those of its family, whatever carries the step's mark.

    A process that left the group (a daemon, a server started by a cell) still carries the mark it was born with in its
    environment; one that was given another environment is of the family (`known`).
    """
    if kernel is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(kernel, signal.SIGKILL)
    for process in known:
        with contextlib.suppress(psutil.Error):
            process.kill()
    mark = environment.get(CONTEXT)
    if mark:
        end_marked(lambda found: found == mark)


def end_marked(ours: Callable[[str], bool]) -> None:
    """Ends every process whose mark, the path of its step's context, is one of `ours`."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and ours(process.environ().get(CONTEXT, "")):
                process.kill()
