"""The processes a notebook started: how much CPU they took, and their end."""

from __future__ import annotations

import contextlib
import os
import signal

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


def end_all(kernel: int | None, environment: dict[str, str]) -> None:
    """Ends what is left of a step: the kernel's process group, and whatever carries the step's mark in its environment.

    A process that left the group (a daemon, a server started by a cell) still carries the mark it was born with.
    """
    if kernel is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(kernel, signal.SIGKILL)
    mark = environment.get(CONTEXT)
    if not mark:
        return
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(CONTEXT) == mark:
                process.kill()
