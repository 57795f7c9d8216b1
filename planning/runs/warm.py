"""Warm kernels: the runner's side of the process that forks them (see `zygote`).

papermill and nbclient run unmodified: only the provisioner differs, which asks the warm process for a fork where the
ordinary one starts a new Python.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from jupyter_client.provisioning import LocalProvisioner

PROBE_SECONDS = 15.0
START_SECONDS = 120.0
# What a thin notebook pulls in sooner or later; imported once, before any kernel is forked.
PRELOAD = (
    "ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "ipykernel.subshell_manager", "ipykernel.comm",
    "IPython.core.completer", "IPython.core.historyapp", "IPython.core.magics", "IPython.extensions.storemagic",
    "tornado.platform.asyncio", "html", "secrets", "urllib.parse",
    "numpy", "pandas", "pandas.io.formats.html", "pandas.io.parquet", "pyarrow.parquet", "babel.numbers",
    "babel.messages.pofile", "pydantic", "planning.config", "planning.language", "planning.runs.step",
    "planning.runs.emit",
    "planning.runs.registry", "planning.sources", "planning.language", "matplotlib.figure",
    "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg", "planning.charts.save",
)  # fmt: skip
LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")


class WarmError(RuntimeError):
    """The warm process did not start or failed its self-test; cold kernels are used instead."""


def thread_limits(jobs: int) -> dict[str, str]:
    """Returns the environment that shares the cores among `jobs` kernels; what the user set stays."""
    share = str(max(1, (os.cpu_count() or 1) // max(1, jobs)))
    return {name: os.environ.get(name, share) for name in LIMITS}


class Zygote:
    """The warm process of one runner. `fork()` gives a new kernel; `close()` ends it and every kernel left."""

    def __init__(self, preload: Iterable[str], limits: dict[str, str]):
        ours, theirs = socket.socketpair()
        environment = {**os.environ, **limits}
        environment.pop("PLANNING_STEP", None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "planning.runs.zygote", str(theirs.fileno())], pass_fds=[theirs.fileno()],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
        theirs.close()
        self._socket = ours
        self._changed = threading.Condition()
        self._forked: dict[str, int] = {}
        self._ended: dict[int, int] = {}
        self._gone = False
        self._count = 0
        self.report: dict[str, Any] | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._send({"preload": list(preload)})

    @property
    def pid(self) -> int:
        return self._process.pid

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            raise WarmError("the warm process has ended") from None

    def _read(self) -> None:
        buffer = b""
        while True:
            try:
                data = self._socket.recv(65536)
            except OSError:
                data = b""
            with self._changed:
                if not data:
                    self._gone = True
                    self._changed.notify_all()
                    return
                buffer += data
                *lines, buffer = buffer.split(b"\n")
                for line in lines:
                    self._note(json.loads(line))
                self._changed.notify_all()

    def _note(self, message: dict[str, Any]) -> None:
        if "ready" in message:
            self.report = message
        elif "forked" in message:
            self._forked[message["forked"]] = message["pid"]
        else:
            self._ended[message["ended"]] = message["code"]

    def _wait(self, what: Any, seconds: float, why: str) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: what() or self._gone, timeout=seconds) or not what():
                raise WarmError(why)

    def ready(self) -> dict[str, Any]:
        """Waits until everything is imported and the self-test has passed; WarmError says what failed."""
        self._wait(lambda: self.report is not None, START_SECONDS, "the warm process did not start")
        if self.report["threads"] != 1:
            raise WarmError(
                f"{self.report['threads']} Python threads ran after the imports; a fork of them is not safe"
            )
        pid = self._fork({"probe": "probe"}, "probe")
        self._wait(lambda: pid in self._ended, PROBE_SECONDS, "linear algebra in a forked process hung")
        if self._ended[pid] != 0:
            raise WarmError(f"the self-test of a forked process ended with {self._ended[pid]}")
        return self.report

    def _fork(self, message: dict[str, Any], name: str) -> int:
        self._send(message)
        self._wait(lambda: name in self._forked, START_SECONDS, "the warm process did not fork")
        return self._forked.pop(name)

    def fork(self, connection: str, folder: str, environment: dict[str, str], log: str) -> int:
        """Returns the pid of a new kernel that listens on `connection`."""
        with self._changed:
            self._count += 1
            name = f"k{self._count}"
        message = {"fork": name, "connection": connection, "folder": folder, "environment": environment, "log": log}
        return self._fork(message, name)

    def code_of(self, pid: int) -> int | None:
        """Returns a kernel's exit code (negative: the signal that ended it), or None while it lives."""
        with self._changed:
            if pid not in self._ended and self._gone:
                return -signal.SIGKILL
            return self._ended.get(pid)

    def close(self) -> None:
        """Ends the warm process and the kernels it has left."""
        with self._changed:
            self._gone = True
        self._socket.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._socket.close()


class WarmProcess:
    """A forked kernel, shaped like the `Popen` that jupyter_client expects."""

    stdin = stdout = stderr = None

    def __init__(self, zygote: Zygote, pid: int):
        self._zygote, self.pid = zygote, pid

    def poll(self) -> int | None:
        return self._zygote.code_of(self.pid)

    @property
    def returncode(self) -> int | None:
        return self.poll()

    def wait(self, timeout: float | None = None) -> int:
        end = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if end is not None and time.monotonic() > end:
                raise subprocess.TimeoutExpired("kernel", timeout)
            time.sleep(0.02)
        return code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


class WarmProvisioner(LocalProvisioner):
    """Asks the warm process for a fork where the ordinary provisioner starts a Python."""

    zygote: Zygote

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
        """Forks a kernel on the connection file that `cmd` names."""
        log = options.get("stderr")
        connection = cmd[cmd.index("-f") + 1]
        folder = str(options.get("cwd") or Path.cwd())
        environment = dict(options["env"])
        pid = await asyncio.to_thread(self.zygote.fork, connection, folder, environment, getattr(log, "name", ""))
        self.process = WarmProcess(self.zygote, pid)
        self.pid = self.pgid = pid
        self.cwd = folder
        return self.connection_info
