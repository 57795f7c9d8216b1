"""One notebook, executed by papermill, with a status that is ours.

papermill's own metadata says `completed` after a kernel was killed or a cell ran out of time, and says nothing when a
notebook ends itself with `sys.exit(0)`. So the status here comes from the exception, from the reason we stopped it for,
and from whether the notebook reached `step.finish()`:

    ok failed timeout died interrupted
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_event_loop

from planning.runs import kernels, processes
from planning.runs.lean import (
    CellTimeoutError,
    DeadKernelError,
    NBClientEngine,
    PapermillExecutionError,
    PapermillNotebookClient,
    papermill,
    papermill_engines,
)

ENGINE = "planning"
CELL_OUTPUT = 1_000_000
NOTEBOOK_OUTPUT = 5_000_000
SAVE_EVERY = 10.0
GRACE = 5.0

# papermill warns of parameters its line parser cannot read (Literal, for one); ours were checked before.
logging.getLogger("papermill").setLevel(logging.ERROR)
logging.getLogger("traitlets").setLevel(logging.ERROR)


@dataclass
class Outcome:
    """How one execution ended. `error` names the cell (as counted in the source notebook) and the cause."""

    status: str
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    error: dict[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)


class Job:
    """One notebook to execute, and the means to stop it from another thread."""

    def __init__(
        self,
        notebook: Path,
        output: Path,
        log: Path,
        *,
        parameters: dict[str, Any],
        environment: dict[str, str],
        kernel: kernels.Kernels,
        timeout: float | None = None,
        cell_timeout: float | None = None,
        on_cell: Callable[[int, int], None] = lambda done, total: None,
    ):
        self.notebook, self.output, self.log = notebook, output, log
        self.parameters, self.environment, self.kernel = parameters, environment, kernel
        self.timeout, self.cell_timeout, self.on_cell = timeout, cell_timeout, on_cell
        self.client: Client | None = None
        self.reason: str | None = None
        self.by = ""
        self.cell: int | None = None
        self.logged = 0
        # What the kernel's process writes outside of cells: warnings of libraries, the last words of a crash.
        self.noise, self.noisy = log.with_suffix(".kernel.log"), False
        self._cell_started = 0.0
        self._done = threading.Event()

    def run(self) -> Outcome:
        """Executes the notebook; never raises for what happens inside it."""
        started = time.monotonic()
        watch = threading.Thread(target=self._watch, args=(started,), daemon=True)
        watch.start()
        with self.log.open("w", encoding="utf-8", errors="replace") as log:
            self.stream = log
            outcome = self._attempt()
        self._done.set()
        watch.join()
        self.bound_noise()
        _close_loop()
        outcome.seconds = round(time.monotonic() - started, 3)
        if self.noisy:
            outcome.warnings.append(f"{self.noise.name} was cut at {NOTEBOOK_OUTPUT / 1e6:g} MB")
        if self.client is not None:
            outcome.warnings += self.client.cut
            outcome.cpu_seconds = round(self.client.cpu_seconds, 3)
        return outcome

    def _attempt(self) -> Outcome:
        try:
            if self.reason:
                return Outcome(self.reason, error={"message": self._why()})
            notebook = papermill.execute_notebook(
                self.notebook,
                self.output,
                parameters=self.parameters,
                engine_name=ENGINE,
                kernel_name="python3",
                progress_bar=False,
                language="python",
                job=self,
            )
        except PapermillExecutionError as error:
            return self._stopped() or Outcome("failed", error=self._cause(error.ename, error.evalue, error.source))
        except CellTimeoutError as error:
            return Outcome("timeout", error=self._cause("CellTimeoutError", str(error)))
        except DeadKernelError:
            return self._stopped() or Outcome("died", error=self._cause("DeadKernelError", self._how_it_died()))
        except Exception as error:
            return self._stopped() or self._unexpected(error)
        return self._stopped() or self._exited(notebook) or Outcome("ok")

    def _stopped(self) -> Outcome | None:
        if self.reason is None:
            return None
        return Outcome(self.reason, error=self._cause(self.reason, self._why()))

    def _why(self) -> str:
        cell = self.reason == "timeout" and self._cell_was_late
        option = "cell-timeout" if cell else "timeout"
        return _REASONS[self.reason or ""].format(
            what="the cell" if cell else "the notebook", limit=self.cell_timeout if cell else self.timeout,
            option=option, key=option.replace("-", "_"), by=f" by {self.by}" if self.by else "",
        )  # fmt: skip

    def _unexpected(self, error: Exception) -> Outcome:
        dead = isinstance(error, RuntimeError) and "Kernel died" in str(error)
        status = "died" if dead else "failed"
        return Outcome(status, error=self._cause(type(error).__name__, str(error) or type(error).__name__))

    def _exited(self, notebook: Any) -> Outcome | None:
        """A notebook that called sys.exit(0) raises nothing and leaves the rest unrun; the cell's output tells."""
        for cell in notebook.cells:
            for output in cell.get("outputs", []):
                if output.output_type == "error":
                    return Outcome(
                        "failed", error=self._cause(output.ename, "the notebook ended itself before its last cell")
                    )
        return None

    def _how_it_died(self) -> str:
        code = self.client.exit_code if self.client else None
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):
                return f"the kernel was ended by {signal.Signals(-code).name}" + _OUT_OF_MEMORY * (
                    code == -signal.SIGKILL
                )
        return "the kernel ended" + (f" with exit code {code}" if code else "")

    def _cause(self, name: str, value: str, source: str = "") -> dict[str, Any]:
        cell = self.client.nb.cells[self.cell] if self.client and self.cell is not None else None
        source = source or (cell.source if cell is not None else "")
        return {
            "cell": self.client.source_cell(self.cell) if self.client and self.cell is not None else None,
            "name": name,
            "message": _one_line(name, value),
            "source": next((line for line in source.splitlines() if line.strip() and not line.startswith("#")), ""),
        }

    # ------------------------------------------------------------------ stopping

    _cell_was_late = False

    def started_cell(self, index: int, total: int) -> None:
        """Notes which cell runs now; the client calls it."""
        self.cell, self._cell_started = index, time.monotonic()
        self.on_cell(index, total)

    def _watch(self, started: float) -> None:
        while not self._done.wait(0.2):
            now = time.monotonic()
            self.bound_noise()
            self._cell_was_late = bool(
                self.cell_timeout and self.cell is not None and now - self._cell_started > self.cell_timeout
            )
            if self._cell_was_late or (self.timeout and now - started > self.timeout):
                self.stop("timeout")
                return

    def bound_noise(self) -> None:
        """Cuts what the kernel's process has written past its share, as a program it started may without end."""
        with contextlib.suppress(OSError):
            if self.noise.stat().st_size > NOTEBOOK_OUTPUT:
                os.truncate(self.noise, NOTEBOOK_OUTPUT)
                self.noisy = True

    def stop(self, reason: str, by: str = "") -> None:
        """Stops the notebook for `reason` (timeout, interrupted): asks the kernel first, then ends it.

        by: what asked for it, in the words of `stopped_by`.
        """
        self.reason, self.by = self.reason or reason, self.by or by
        if self.client is not None:
            self.client.know_family()
        self._signal(signal.SIGINT)
        threading.Thread(target=self._insist, daemon=True).start()

    def _insist(self) -> None:
        if not self._done.wait(GRACE):
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        pid = self.client.kernel_pid if self.client else None
        if pid:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, number)


_OUT_OF_MEMORY = ", as the system does when memory runs out"
_REASONS = {
    "timeout": (
        "{what} ran longer than {limit:g} seconds and was stopped. Raise --{option} (in workbench.toml: [run] {key}), "
        "or make it faster."
    ),
    "interrupted": "was interrupted{by}.",
}


def _one_line(name: str, value: str) -> str:
    """The cause as lines a person reads: errors of the package speak for themselves, others carry their name."""
    text = value.strip() or name
    if (
        name.endswith(("DataError", "UsageError", "ConfigError", "ModelError", "NotebookError", "PlanningError"))
        or name in _REASONS
    ):
        return text
    return text if name in ("DeadKernelError", text) else f"{name}: {text}"


def _close_loop() -> None:
    """Closes the event loop that the kernel's client opened for this thread: each holds three files."""
    loop = ensure_event_loop()
    if not loop.is_running():
        loop.close()


class Client(PapermillNotebookClient):
    """papermill's client with bounded output, our kernels, and knowledge of what it started."""

    def __init__(self, nb_man: Any, job: Job, **options: Any):
        super().__init__(nb_man, on_cell_start=self._cell_starts, **options)
        self.job = job
        self.cut: list[str] = []
        self.exit_code: int | None = None
        self.kernel_pid: int | None = None
        self.cpu_seconds = 0.0
        self.family: set[Any] = set()
        self._kept = 0
        self._in_cell = 0
        cells = enumerate(self.nb.cells)
        self.injected = next((i for i, cell in cells if "injected-parameters" in cell.metadata.get("tags", [])), None)

    def create_kernel_manager(self) -> Any:
        self.km = self.job.kernel.manager()
        return self.km

    def start_new_kernel_client(self, **options: Any) -> Any:
        self.kernel_pid = getattr(self.km.provisioner, "pid", None)
        if self.job.reason:  # stopped while the kernel was starting
            self.job.stop(self.job.reason)
        return super().start_new_kernel_client(**options)

    def _cleanup_kernel(self) -> None:
        self._measure()
        try:
            super()._cleanup_kernel()
        finally:
            processes.end_all(self.kernel_pid, self.job.environment, self.family)

    def know_family(self) -> None:
        """Notes which processes the kernel has below it, to end them whatever becomes of it."""
        self.family |= processes.family(self.kernel_pid)

    def _measure(self) -> None:
        self.know_family()
        process = getattr(self.km.provisioner, "process", None) if self.km else None
        self.exit_code = process.poll() if process is not None else None
        self.cpu_seconds = processes.cpu_seconds(self.kernel_pid)

    def _cell_starts(self, cell: Any, cell_index: int) -> None:
        self._in_cell = 0
        self.job.started_cell(cell_index, len(self.nb.cells))

    def output(self, outs: list[Any], msg: dict[str, Any], display_id: str, cell_index: int) -> Any:
        """Keeps an output, or its first part where the cell or the notebook has written its share."""
        if msg["msg_type"] == "stream":
            self._log(msg["content"]["text"])
        if msg["msg_type"] == "error":
            return super().output(outs, msg, display_id, cell_index)
        size, room = _size(msg), min(CELL_OUTPUT - self._in_cell, NOTEBOOK_OUTPUT - self._kept)
        self._in_cell += size
        self._kept += max(0, min(size, room))
        if size > room:
            self._cut(cell_index)
            if msg["msg_type"] != "stream" or room <= 0:
                return None
            msg["content"]["text"] = msg["content"]["text"][:room]
        return super().output(outs, msg, display_id, cell_index)

    def _log(self, text: str) -> None:
        """Writes what a cell prints into the live log, as far as its share goes."""
        text = text[: NOTEBOOK_OUTPUT - self.job.logged]
        if text:
            self.job.logged += len(text)
            self.job.stream.write(text)
            self.job.stream.flush()

    def _cut(self, cell_index: int) -> None:
        whole = self._in_cell <= CELL_OUTPUT
        what, limit = (
            ("the notebook", NOTEBOOK_OUTPUT) if whole else (f"cell {self.source_cell(cell_index)}", CELL_OUTPUT)
        )
        text = f"output of {what} was cut at {limit / 1e6:g} MB"
        if text not in self.cut:
            self.cut.append(text)

    def source_cell(self, index: int) -> int:
        """Returns a cell's number as people count them in the source; papermill's injected cell is not theirs."""
        return index + 1 - (self.injected is not None and self.injected < index)


def _size(msg: dict[str, Any]) -> int:
    content = msg["content"]
    if msg["msg_type"] == "stream":
        return len(content["text"])
    values = content.get("data", {}).values()
    return sum(len(value if isinstance(value, str) else json.dumps(value)) for value in values)


class Engine(NBClientEngine):
    """papermill's engine with our client; the notebook is saved every ten seconds instead of twice a cell."""

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, job: Job, **_options: Any) -> Any:
        save, last = nb_man.save, time.monotonic()
        noise = job.noise
        noise.unlink(missing_ok=True)  # of an earlier attempt

        def sometimes(**options: Any) -> None:
            nonlocal last
            if time.monotonic() - last > SAVE_EVERY:
                last = time.monotonic()
                save(**options)

        nb_man.save = sometimes
        try:
            job.client = Client(
                nb_man,
                job,
                kernel_name=kernel_name,
                startup_timeout=60,
                ipython_hist_file="",
                shutdown_kernel="immediate",
                resources={"metadata": {"path": str(job.notebook.parent)}},
            )
            with noise.open("a") as stream:  # appending: the file may be cut while it is written
                environment = {**os.environ, **job.kernel.limits, **job.environment}
                return job.client.execute(env=environment, stdout=stream, stderr=stream)
        finally:
            nb_man.save = save
            with contextlib.suppress(OSError):
                if noise.stat().st_size == 0:
                    noise.unlink()


papermill_engines.register(ENGINE, Engine)
