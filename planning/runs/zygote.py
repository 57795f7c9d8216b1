"""The warm process: imports what notebooks use, then forks one kernel after another in a third of a second.

Started as `python -m planning.runs.zygote FD`, it talks JSON lines over a socket with the runner (see `warm`):

```
→ {"preload": [modules]}                                          ← {"ready": seconds, "missing": [...], "threads": n}
→ {"fork": id, "connection": path, "folder": cwd, "environment": {...}, "log": path}    ← {"forked": id, "pid": pid}
→ {"probe": id}                                                   ← {"forked": id, "pid": pid}
                                                                  ← {"ended": pid, "code": returncode}
```

What makes a fork safe here, each held by a test: nothing is computed before it, only imported (a BLAS product or an
OpenMP loop before the fork hangs the child); the process has one Python thread; thread limits stand in the environment
before the first import; a child seeds its random streams anew, closes the socket, and ends by `os._exit`.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from typing import Any

from planning import cache

# ipykernel reads this at import; a fork gets its own parent by argument.
os.environ.pop("JPY_PARENT_PID", None)


def main(descriptor: int) -> None:
    """Serves until the runner closes the socket; then ends the kernels that are left."""
    cache.keep_bytecode()
    connection = socket.socket(fileno=descriptor)
    wake_read, wake_write = os.pipe()
    os.set_blocking(wake_write, False)
    os.set_blocking(wake_read, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children: set[int] = set()
    buffer = b""
    while True:
        ready, _w, _x = select.select([connection, wake_read], [], [])
        if wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_read, 4096)
            _reap(connection, children)
        if connection not in ready:
            continue
        data = connection.recv(65536)
        if not data:
            break
        buffer += data
        *lines, buffer = buffer.split(b"\n")
        for line in lines:
            _serve(json.loads(line), connection, (wake_read, wake_write), children)
    for pid in children:
        with contextlib.suppress(OSError):
            os.killpg(pid, signal.SIGKILL)


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(json.dumps(message).encode() + b"\n")


def _reap(connection: socket.socket, children: set[int]) -> None:
    for pid in list(children):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            children.discard(pid)
            _send(connection, {"ended": pid, "code": os.waitstatus_to_exitcode(status)})


def _serve(message: dict[str, Any], connection: socket.socket, wake: tuple[int, int], children: set[int]) -> None:
    if "preload" in message:
        _send(connection, preload(message["preload"]))
        return
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            connection.close()
            for one in wake:
                os.close(one)
            code = _probe() if "probe" in message else _kernel(message, parent)
        finally:
            _leave(code)
    with contextlib.suppress(OSError):
        os.setpgid(pid, pid)  # the child does the same by setsid; whoever is first, a signal to the group finds it
    children.add(pid)
    _send(connection, {"forked": message.get("fork", message.get("probe")), "pid": pid})


def preload(modules: list[str]) -> dict[str, Any]:
    """Imports modules and does nothing else; tells the seconds, what was missing and how many threads run.

    "module:function" calls a function that only imports (`imports.DOORS`).
    """
    started = time.monotonic()
    missing = []
    gc.disable()  # imports leave no garbage worth looking for, and looking takes a fifth of their time
    _without_debugger()
    for name in modules:
        module, _door, function = name.partition(":")
        try:
            imported = importlib.import_module(module)
            if function:
                getattr(imported, function)()
        except Exception as error:
            missing.append(f"{name}: {type(error).__name__}")
    gc.freeze()  # what is shared stays shared: the collector does not write into it
    gc.enable()
    return {"ready": round(time.monotonic() - started, 3), "missing": missing, "threads": threading.active_count()}


def _without_debugger() -> None:
    """Lets ipykernel believe that there is no debugger: nobody steps through a run, and each kernel would import one.

    A notebook may still import debugpy itself.
    """
    if "debugpy" in sys.modules:
        return
    sys.modules["debugpy"] = None
    try:
        with contextlib.suppress(ImportError):
            importlib.import_module("ipykernel.debugger")
    finally:
        del sys.modules["debugpy"]


def _kernel(message: dict[str, Any], parent: int) -> int:
    """Becomes an ordinary ipykernel."""
    with contextlib.suppress(OSError):
        os.setsid()
    os.environ.clear()
    os.environ.update(message["environment"])
    os.chdir(message["folder"])
    _redirect(message.get("log") or os.devnull)
    reseed()
    from ipykernel.kernelapp import IPKernelApp

    app = IPKernelApp.instance()
    app.initialize([
        "-f", message["connection"], f"--IPKernelApp.parent_handle={parent}", "--HistoryManager.enabled=False",
    ])  # fmt: skip
    app.start()
    return 0


def _redirect(log: str) -> None:
    """Gives the child its own standard streams, so that nothing of it reaches the runner's terminal."""
    null = os.open(os.devnull, os.O_RDONLY)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(null, 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.close(null)
    os.close(out)
    sys.stdout = sys.__stdout__ = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115


def reseed() -> None:
    """Seeds the global random streams anew: a fork would repeat those of its sister."""
    import random

    random.seed()
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()


def _probe() -> int:
    """What must work in a fork here: linear algebra, threads, and a process of its own."""
    import subprocess

    import numpy as np

    square = np.random.default_rng(1).normal(size=(200, 200))
    np.linalg.solve(square @ square.T + np.eye(200), square)
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    return subprocess.run([sys.executable, "-S", "-c", ""], check=False).returncode


def _leave(code: int) -> None:
    """Ends a fork at once after its exit handlers: the interpreter's own teardown costs a second and gains nothing."""
    import atexit

    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]))
