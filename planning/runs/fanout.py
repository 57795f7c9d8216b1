"""One run for each value of a parameter: `planning run FLOW --each region`.

On this machine the runs share one source of kernels and go side by side in threads; with a Dask cluster each run is
made by a worker, which must see the same workspace folder. Every run is an ordinary run with its own folder; one page
beside them, `each-<id>.html`, lists them all.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from planning.errors import UsageError, did_you_mean
from planning.runs import layout, plan, progress, runner
from planning.runs.folder import lock_folder

MOST_VALUES = 1000


def values_of(root: Path, settings: Any, target: str, wanted: str) -> tuple[str, list[str]]:
    """Returns (parameter, values) of `name`, or `name=a,b`: the named values, else the parameter's own choices, else
    what the column of that name in the sales table holds.

    Raises UsageError when no notebook of the flow has the parameter or no values are found.
    """
    name, sign, listed = wanted.partition("=")
    planned = plan.make(root, settings, target)
    declared = {p.name: p for step in planned.steps for p in step.declared.parameters}
    if name not in declared:
        known = ", ".join(declared) or "none"
        raise UsageError(
            f"--each {name}: no notebook of {target} has it.{did_you_mean(name, declared)} It has: {known}."
        )
    if sign:
        found = [value.strip() for value in listed.split(",") if value.strip()]
    else:
        kind = declared[name].kind
        found = [str(choice) for choice in (kind.item or kind).choices] or _column(settings, name)
    found = list(dict.fromkeys(found))
    if not found or len(found) > MOST_VALUES:
        raise UsageError(f"--each {name}: {len(found)} values found. Name them: --each {name}=North,South.")
    return name, found


def _column(settings: Any, name: str) -> list[str]:
    if "sales" not in settings.sources:
        return []
    from planning.sources import read_table

    sales = read_table("sales", settings)
    return sorted(map(str, sales[name].dropna().unique())) if name in sales.columns else []


def run_each(
    root: Path,
    settings: Any,
    target: str,
    name: str,
    values: Sequence[str],
    *,
    given: Mapping[str, Any] | None = None,
    options: runner.Options,
    show: progress.Silent | None = None,
    engine: str = "local",
) -> dict[str, Any]:
    """Makes one run a value; returns {group, name, page, runs: [records in the order of `values`], not_run: [values]}.

    engine: "local", or "dask://HOST:PORT" for a cluster whose workers see the workspace. All values are checked before
    the first run starts.
    """
    plans = [plan.make(root, settings, target, {**(given or {}), name: value}) for value in values]
    group = "each-" + layout.new_run_id()
    extras = [{**options.extra, "each": {"group": group, "name": name, "value": value}} for value in values]
    show = show or progress.Silent()
    runner.revive(layout.reports(root))
    if engine == "local":
        records = _local(root, settings, plans, extras, options, show)
    else:
        records = _on_dask(engine, root, target, [{**(given or {}), name: value} for value in values], extras, options)
    not_run = [value for value, record in zip(values, records) if record is None]
    records = [record for record in records if record is not None]
    page = _index(layout.reports(root), plans[0].flow, group, name, records)
    runner.update_gallery(layout.reports(root))
    return {"group": group, "name": name, "page": str(page), "runs": records, "not_run": not_run}


def _local(
    root: Path, settings: Any, plans: Sequence[plan.Plan], extras: Sequence[dict[str, Any]], options: runner.Options,
    show: progress.Silent,
) -> list[dict[str, Any] | None]:  # fmt: skip
    """Runs side by side with kernels of one source; a signal stops those at work and starts no further one."""
    from planning.runs import kernels

    paths = [step.declared.path for step in plans[0].steps]
    source = kernels.source(settings.run.kernel, options.jobs, paths, reports=layout.reports(root))
    stop = threading.Event()
    active: dict[int, runner.Running] = {}
    reason: list[str] = []

    def one(index: int) -> dict[str, Any] | None:
        if stop.is_set():
            return None
        own = replace(options, jobs=1, extra=extras[index], kernels=source, gallery=False)
        running = runner.Running(root, settings, plans[index], own, progress.Silent())
        active[index] = running
        if stop.is_set():
            running.stop(reason[0])
        try:
            record = running.execute()
        finally:
            active.pop(index, None)
        show.ended(extras[index]["each"]["value"], record["status"], record["seconds"])
        return record

    def halt(number: int, _frame: Any) -> None:
        reason.append(runner.stopped_by(number))
        stop.set()
        for running in list(active.values()):
            running.stop(reason[0])

    show.begin(plans[0].flow, extras[0]["each"]["group"], len(plans))
    try:
        with runner.signals(halt), ThreadPoolExecutor(options.jobs, thread_name_prefix="each") as pool:
            futures = [pool.submit(one, index) for index in range(len(plans))]
            while not all(future.done() for future in futures):
                stop.wait(0.1) if not stop.is_set() else threading.Event().wait(0.1)
            return [future.result() for future in futures]
    finally:
        source.close()
        show.end()


def _on_dask(
    engine: str, root: Path, target: str, given: Sequence[dict[str, Any]], extras: Sequence[dict[str, Any]],
    options: runner.Options,
) -> list[dict[str, Any] | None]:  # fmt: skip
    """Runs on a Dask cluster, through joblib as all parallel work of the package does.

    A signal to this process reaches the workers by a file in the workspace, which they see: they end what they run.
    """
    scheme, _sep, address = engine.partition("://")
    if scheme != "dask" or ":" not in address:
        raise UsageError(f"--engine {engine}: write local or dask://HOST:PORT.")
    import joblib
    from distributed import Client

    try:
        client = Client(f"tcp://{address}", timeout=10)
    except OSError as error:
        raise UsageError(
            f"--engine {engine}: no Dask scheduler answers there ({error}). Start one, or use local."
        ) from None
    mark = lock_folder(layout.reports(root)) / f"{extras[0]['each']['group']}.stop"
    try:
        with (
            client,
            joblib.parallel_config("dask", client=client),
            runner.signals(lambda number, _frame: mark.write_text(runner.stopped_by(number))),
        ):
            work = joblib.Parallel()
            return work(
                joblib.delayed(_on_worker)(str(root), target, one, extra, options, str(mark))
                for one, extra in zip(given, extras)
            )
    finally:
        mark.unlink(missing_ok=True)


def _on_worker(
    root: str, target: str, given: dict[str, Any], extra: dict[str, Any], options: runner.Options, mark: str
) -> dict[str, Any] | None:
    from planning import config

    stop = Path(mark)
    if stop.exists():
        return None
    settings = config.load(root)
    planned = plan.make(Path(root), settings, target, given)
    own = replace(options, jobs=1, extra=extra, gallery=False)
    running = runner.Running(Path(root), settings, planned, own, progress.Silent())
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            if stop.exists():
                running.stop(stop.read_text() or "a signal")
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        return running.execute()
    finally:
        done.set()
        watcher.join()


def _index(reports: Path, flow: str, group: str, name: str, records: Sequence[dict[str, Any]]) -> Path:
    from planning.reports.each import render_each

    pairs = [(str(record["each"]["value"]), record["folder"]) for record in records]
    return render_each(reports / flow / f"{group}.html", name, pairs)
