"""Runs a plan: independent steps side by side, a truthful record of each, pages and gallery at the end.

The runner is one process; its threads each drive one kernel, and kernels are processes of their own. The main thread
only waits, so that Ctrl-C and SIGTERM are heard at once: kernels and everything notebooks started are ended, and the
run is recorded as interrupted, with what did it.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planning import files, language
from planning.errors import PlanningError, UsageError
from planning.language import _
from planning.runs import emit, imports, inputs, layout, progress, reuse
from planning.runs.folder import RunFolder, sweep, utc_now
from planning.runs.plan import Plan, Planned
from planning.runs.step import CONTEXT

# Importing everything once costs about as much as two notebooks spend on their own imports.
WORTH_WARMING = 2
RANK = ("interrupted", "timeout", "died", "failed")


@dataclass
class Options:
    """How to run: `jobs` at once, seconds a notebook or a cell may take, whether to ignore what could be reused."""

    jobs: int = 2
    timeout: float | None = None
    cell_timeout: float | None = None
    force: bool = False
    trigger: str = "hand"
    extra: dict[str, Any] = field(default_factory=dict)
    kernels: Any = None  # shared by several runs, which do not close it
    gallery: bool = True


def run(root: Path, settings: Any, plan: Plan, options: Options, show: progress.Silent | None = None) -> dict[str, Any]:
    """Executes `plan` and returns the run's record; failures of notebooks are in the record, not raised.

    Raises UsageError when the run cannot be written at all (a locked folder, a full disk).
    """
    revive(layout.reports(root))
    return Running(root, settings, plan, options, show or progress.Silent()).execute()


def revive(reports: Path) -> list[Path]:
    """Marks runs whose process died as lost and makes their pages; returns their folders."""
    lost = sweep(reports) if reports.is_dir() else []
    for folder in lost:
        make_pages(folder)
    if lost:
        update_gallery(reports)
    return lost


@contextlib.contextmanager
def signals(handler: Callable[..., None]) -> Iterator[None]:
    """Lets `handler` hear Ctrl-C and SIGTERM inside the block; in a thread that cannot hear them it changes nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, previous in old.items():
            signal.signal(number, previous)


def stopped_by(number: int) -> str:
    """Returns what a signal to the runner is called: "Ctrl-C (SIGINT)", "SIGTERM"."""
    return "Ctrl-C (SIGINT)" if number == signal.SIGINT else signal.Signals(number).name


def make_pages(folder: Path) -> str:
    """Makes the run's pages; returns why not, where that failed: a page never changes what a run is."""
    from planning.reports.pages import render_run
    from planning.runs.diff import page_against_the_run_before

    trouble = ""
    for what, make in (("the comparison", page_against_the_run_before), ("pages", render_run)):
        try:
            make(folder)
        except Exception as error:
            trouble = f"{what} could not be made: {type(error).__name__}: {error}"
    return trouble


def update_gallery(reports: Path) -> str:
    """Brings the gallery up to date; returns why not, where that failed."""
    try:
        from planning.reports.gallery import update

        update(reports)
    except Exception as error:
        return f"the gallery could not be made: {type(error).__name__}: {error}"
    return ""


class Running:
    """One run at work: `execute()` runs it to its end, `stop(reason)` ends it from another thread."""

    def __init__(self, root: Path, settings: Any, plan: Plan, options: Options, show: progress.Silent):
        self.root, self.settings, self.plan, self.options, self.show = root, settings, plan, options, show
        self.steps = {step.notebook: _waiting(step) for step in plan.steps}
        self.started = time.monotonic()
        self.inputs = inputs.Inputs(root, settings)
        self.folder = RunFolder(
            layout.reports(root),
            plan.flow,
            {
                "target": plan.target,
                "trigger": options.trigger,
                "language": settings.company.language,
                "given": emit.plain(plan.given),
                "company": {"name": settings.company.name, "currency": settings.company.currency},
                "as_of": emit.plain(settings.plan.as_of),
                "parameters": {s.notebook: s.parameters for s in plan.steps},
                "inputs": {},
                "versions": inputs.versions(),
                "package_sha256": self.inputs.package,
                "kernel": {},
                "steps": list(self.steps.values()),
                "error": None,
                "warnings": [],
                **options.extra,
            },
        )
        self.settings_sha256 = self.inputs.settings_sha256()
        self.earlier = reuse.Earlier(layout.reports(root))
        self.what_if = bool(options.extra.get("what_if"))
        self.kernels: Any = options.kernels
        self.jobs: dict[str, Any] = {}
        self.reason: str | None = None
        self.by = ""
        self.stopped = threading.Event()
        self.mutex, self.kernel_mutex = threading.Lock(), threading.Lock()

    def execute(self) -> dict[str, Any]:
        self.show.begin(self.plan.flow, self.folder.run_id, len(self.steps))
        try:
            with signals(lambda number, _frame: self.stop(stopped_by(number))):
                self._all_steps()
            return self._close()
        except (OSError, UsageError) as error:  # steps keep their own errors: this one is of the folder
            told = error if isinstance(error, OSError) else error.__cause__
            cause = (told.strerror if isinstance(told, OSError) else "") or str(error)
            self._give_up(f"the run could not be written: {cause}")
            raise UsageError(
                f"{self.folder.final}: could not be written ({cause}). Nothing finished is lost; free space or check "
                "the disk, then run again."
            ) from error
        except BaseException:  # the folder stays as it is; the next command marks it lost
            self.folder.abandon()
            raise
        finally:
            self.show.end()

    def _give_up(self, message: str) -> None:
        final = self.folder.give_up(message)
        if final is not None:
            make_pages(final)
            update_gallery(layout.reports(self.root))

    def _all_steps(self) -> None:
        left = {step.notebook: step for step in self.plan.steps}
        running: dict[Future[None], str] = {}
        early = threading.Thread(target=self._start_early, daemon=True)
        early.start()
        try:
            with ThreadPoolExecutor(max(1, self.options.jobs), thread_name_prefix="notebook") as pool:
                while left or running:
                    for name in self._ready(left):
                        running[pool.submit(self._step, left.pop(name))] = name
                    done, _rest = wait(running, timeout=0.2, return_when=FIRST_COMPLETED)
                    for future in done:
                        running.pop(future)
                        future.result()
        finally:
            early.join()
            if self.kernels is not None and self.options.kernels is None:
                self.kernels.close()

    def _ready(self, left: dict[str, Planned]) -> list[str]:
        """Takes out the steps that may start now; those whose needs failed, or that come after a stop, are skipped."""
        ready = []
        for name, step in list(left.items()):
            states = {before: self.steps[before]["status"] for before in step.before}
            if any(state in ("waiting", "running") for state in states.values()) and not self.reason:
                continue
            absent = [table for table in step.declared.tables if table not in self.settings.sources]
            if absent and len(self.steps) > 1 and not self.reason:
                # A company without this table still gets the rest of its plan.
                with self._tongue(step):
                    cause = _("workbench.toml names no {tables}")
                self._skip(name, cause.format(tables=", ".join(f"[sources.{table}]" for table in absent)))
                left.pop(name)
                continue
            missing = [before for before in sorted(step.required) if states[before] not in ("ok", "reused")]
            if missing or self.reason:
                with self._tongue(step):
                    stopped = self.reason or not missing
                    cause = _("the run was stopped") if stopped else _("needs {steps}, which did not succeed")
                self._skip(name, cause.format(steps=", ".join(missing)))
                left.pop(name)
                continue
            ready.append(name)
        return ready

    def _tongue(self, step: Planned) -> contextlib.AbstractContextManager[None]:
        """Lets causes be written in the language the step was asked for in."""
        wanted = step.parameters.get("language")
        return language.use(wanted if wanted in language.LANGUAGES else self.settings.company.language)

    def _skip(self, name: str, cause: str) -> None:
        self.steps[name].update(status="skipped", error={"message": cause})
        self.folder.save()
        self.show.ended(name, "skipped", 0.0, cause)

    # ------------------------------------------------------------------ one step

    def _step(self, step: Planned) -> None:
        row = self.steps[step.notebook]
        row.update(status="running", started=utc_now())
        try:
            self._rest_on(step, row)
            if not self._reuse(step, row):
                self.folder.save()
                self.show.started(step.notebook)
                self._conclude(step, row, self._tries(step, row))
        except PlanningError as error:  # an input that cannot be read, a disk that is full
            row.update(
                status="failed",
                finished=utc_now(),
                seconds=0.0,
                error={"cell": None, "name": "", "message": str(error)},
            )
        self.folder.save()
        self.show.ended(step.notebook, row["status"], row["seconds"], self._note(row))

    def _rest_on(self, step: Planned, row: dict[str, Any]) -> None:
        """Writes down what the step's results will rest on."""
        row["inputs"] = self.inputs.of(step.declared)
        row["seed"] = step.declared.seed
        row["earlier"] = {name: path.parent.parent.name for name, path in step.outside.items()}
        row["replaced"] = self._replaced(self._earlier(step).values())
        row["key"] = inputs.key(
            step.declared,
            step.parameters,
            row["inputs"],
            self._earlier(step),
            self.settings_sha256,
            self.inputs.package,
        )
        with self.mutex:
            self.folder.record["inputs"].update(row["inputs"])

    def _reuse(self, step: Planned, row: dict[str, Any]) -> bool:
        started = time.monotonic()
        taken = None if self.options.force else self.earlier.take(row["key"], self.folder.path, what_if=self.what_if)
        if taken is None:
            return False
        row.update(
            {key: taken.get(key) for key in ("title", "state", "answer", "language", "results_sha256", "warnings")}
        )
        row.update(
            status="reused", finished=utc_now(), seconds=round(time.monotonic() - started, 3), cpu_seconds=0.0,
            reused_from=taken["run_id"], reason="its notebook, parameters, inputs, code and versions are unchanged",
            replaced=row["replaced"] | self._replaced([self.folder.path / "results" / step.notebook]),
            **self._beside(step),
        )  # fmt: skip
        return True

    def _replaced(self, results: Iterable[Path]) -> dict[str, list[str]]:
        """The versions that results are of where another counts now (a person's): folder → their version, that one."""
        kept = {name: version for one in results for name, version in emit.read_versions(one).items()}
        now = {name: files.current_version(self.root / name) for name in kept}
        return {name: [version, now[name]] for name, version in kept.items() if now[name] not in ("", version)}

    def _beside(self, step: Planned) -> dict[str, Any]:
        """The versions that a step of a what-if kept beside those that count, for the run's record."""
        kept = emit.read_versions(self.folder.path / "results" / step.notebook, beside=True)
        return {"what_if": kept} if kept else {}

    def _conclude(self, step: Planned, row: dict[str, Any], outcome: Any) -> None:
        results = self.folder.path / "results" / step.notebook
        manifest = emit.read_manifest(results)
        if outcome.status == "ok" and step.declared.begins and manifest is None:
            outcome.status = "failed"
            with self._tongue(step):
                message = _("the notebook did not reach step.finish(). Call it in the last cell.")
            outcome.error = {"cell": None, "name": "", "message": message}
        row.update(
            status=outcome.status, finished=utc_now(), seconds=outcome.seconds, cpu_seconds=outcome.cpu_seconds,
            error=outcome.error, warnings=outcome.warnings, **_said(manifest), **self._beside(step),
        )  # fmt: skip
        with self.mutex:
            imports.keep(layout.reports(self.root), step.notebook, self._imports(step))
        self._redact(step.notebook)
        row["results_sha256"] = inputs.content_sha256(results)

    def _tries(self, step: Planned, row: dict[str, Any]) -> Any:
        """Executes a step, again after a pause where it ended for a cause that [run] retry_on names."""
        policy = self.settings.run
        for attempt in range(policy.retries + 1):
            row["attempts"] = attempt + 1
            outcome = self._execute(step)
            if outcome.status not in policy.retry_on or attempt == policy.retries or self.reason:
                break
            row["warnings"].append(f"attempt {attempt + 1} {outcome.status}: {outcome.error['message']}")
            self.stopped.wait(policy.backoff * 2**attempt)
        outcome.warnings = [*row["warnings"], *outcome.warnings]
        return outcome

    def _execute(self, step: Planned) -> Any:
        from planning.runs.execute import Job

        name, folder = step.notebook, self.folder.path
        context = folder / ".context" / f"{name}.json"
        context.parent.mkdir(exist_ok=True)
        files.write_json(context, self._context(step))
        job = Job(
            step.declared.path, folder / f"{name}.ipynb", folder / "logs" / f"{name}.log", parameters=step.parameters,
            environment={CONTEXT: str(context), "PLANNING_WORKSPACE": str(self.root)}, kernel=self._kernel_source(),
            timeout=self.options.timeout, cell_timeout=self.options.cell_timeout,
            on_cell=lambda index, total: self.show.cell(name, index, total),
        )  # fmt: skip
        with self.mutex:
            self.jobs[name] = job
            job.reason, job.by = self.reason, self.by
        try:
            return job.run()
        finally:
            with self.mutex:
                del self.jobs[name]

    def _start_early(self) -> None:
        """Starts the kernels' process while the steps still import papermill, where nothing will be reused."""
        with contextlib.suppress(Exception):  # the step that needs a kernel meets the same and says it
            if self.options.force:
                self._kernel_source()

    def _kernel_source(self) -> Any:
        """Where kernels come from: made for the first step that needs one, since a run may reuse all of them."""
        from planning.runs import kernels

        with self.kernel_mutex:  # one of its own: starting takes seconds, in which a stop must be heard
            if self.kernels is None:
                notebooks = [step.declared.path for step in self.plan.steps]
                kind, why = self.settings.run.kernel, ""
                if kind == "warm" and len(notebooks) < WORTH_WARMING:
                    kind, why = "cold", "one notebook starts sooner without a warm process"
                reports = layout.reports(self.root)
                self.kernels = kernels.source(kind, self.options.jobs, notebooks, why=why, reports=reports)
            self.folder.record["kernel"] = {"kind": self.kernels.kind, "why": self.kernels.why}
        return self.kernels

    def _earlier(self, step: Planned) -> dict[str, Path]:
        """Where the results of earlier notebooks lie: in this run where they are part of it, else in a finished one."""
        return {name: self.folder.path / "results" / name for name in step.before} | step.outside

    def _imports(self, step: Planned) -> Path:
        return self.folder.path / ".context" / f"{step.notebook}.imports.json"

    def _context(self, step: Planned) -> dict[str, Any]:
        results = self.folder.path / "results" / step.notebook
        return {
            "notebook": step.notebook, "root": str(self.root), "path": str(step.declared.path),
            "run_id": self.folder.run_id, "results": str(results),
            "earlier": {name: str(path) for name, path in self._earlier(step).items()},
            "imports": str(self._imports(step)), "tables": str(self.folder.path / ".context" / "tables"),
            "pictures": self.settings.delivery.possible, "what_if": self.what_if,
        }  # fmt: skip

    def _note(self, row: dict[str, Any]) -> str:
        if row["error"]:
            cell = f"cell {row['error']['cell']}: " if row["error"].get("cell") else ""
            return cell + row["error"]["message"].splitlines()[0]
        return row.get("answer", "")

    def _redact(self, name: str) -> None:
        """Blanks every secret out of what the notebook wrote; the executed copy and the log are the places it could."""
        from planning.config import redact

        folder = self.folder.path
        kept = [folder / f"{name}.ipynb", folder / "logs" / f"{name}.log", *(folder / "results" / name).rglob("*.*")]
        for path in kept:
            if path.suffix in (".ipynb", ".log", ".json", ".csv", ".svg") and path.is_file():
                text = path.read_text(encoding="utf-8", errors="replace")
                clean = redact(text)
                if clean != text:
                    files.write_text(path, clean)
        row = self.steps[name]
        if row["error"]:
            row["error"] = {
                key: redact(value) if isinstance(value, str) else value for key, value in row["error"].items()
            }

    # ------------------------------------------------------------------ the end

    def stop(self, by: str) -> None:
        """Interrupts the run: no new step starts, the running ones are ended; `by` says what asked for it."""
        with self.mutex:
            self.reason, self.by = "interrupted", self.by or by
            self.stopped.set()
            jobs = list(self.jobs.values())
        for job in jobs:
            job.stop("interrupted", by)

    def _close(self) -> dict[str, Any]:
        record = self.folder.record
        states = [step["status"] for step in self.steps.values()]
        status = self.reason or next((state for state in RANK if state in states), "ok")
        record.update(status=status, finished=utc_now(), seconds=round(time.monotonic() - self.started, 3))
        record["error"] = next(
            (
                {"notebook": step["notebook"], **(step["error"] or {})}
                for step in self.steps.values()
                if step["status"] in RANK
            ),
            None,
        )
        record["cpu_seconds"] = round(sum(step.get("cpu_seconds") or 0 for step in self.steps.values()), 3)
        self.folder.save()
        trouble = make_pages(self.folder.path)
        if trouble:
            record["warnings"].append(trouble)
            self.folder.save()
        final = self.folder.finish()
        trouble = update_gallery(layout.reports(self.root)) if self.options.gallery else ""
        if trouble:
            record["warnings"].append(trouble)
        return {**record, "folder": str(final)}


def _waiting(step: Planned) -> dict[str, Any]:
    return {
        "notebook": step.notebook, "status": "waiting", "title": "", "state": "", "answer": "", "started": None,
        "finished": None, "seconds": None, "cpu_seconds": None, "parameters": step.parameters,
        "error": None, "warnings": [], "needs": sorted(step.before),
        "notebook_file": f"{step.notebook}.ipynb", "page": f"{step.notebook}.html", "log": f"logs/{step.notebook}.log",
        "key": None, "inputs": {}, "reused_from": None, "reason": "", "replaced": {},
    }  # fmt: skip


def _said(manifest: dict[str, Any] | None) -> dict[str, Any]:
    if manifest is None:
        return {}
    return {key: manifest[key] for key in ("title", "state", "answer", "numbers", "language")}
