"""Runs many independent tasks: on this machine, or on a Dask cluster (`dask://HOST:PORT`), with the same results.

Results come back in the order of the tasks, whatever finished first. On a cluster a task whose worker dies is given to
another one. A bar with rate and time left is shown on a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from planning.errors import PlanningError, UsageError, did_you_mean

LOCAL = "local"
DASK = "dask://"
LEAST_FOR_PROCESSES = 4
PATIENCE = "10s"  # how long a scheduler may take to answer


def run_tasks(
    function: Callable[..., Any],
    tasks: Sequence[tuple[Any, ...]],
    *,
    engine: str = LOCAL,
    jobs: int = 1,
    label: str = "",
) -> list[Any]:
    """Returns function(*task) for each task, in their order; the first error ends the run.

    engine: "local" (processes when there are four tasks or more and two jobs), or "dask://HOST:PORT". Arguments should
    be small: paths, not arrays. Raises UsageError for an unknown engine or a cluster that does not answer.
    """
    if engine.startswith(DASK):
        found = _on_dask(function, tasks, engine.removeprefix(DASK))
    elif engine == LOCAL:
        found = _locally(function, tasks, jobs)
    else:
        hint = did_you_mean(engine, [LOCAL])
        raise UsageError(f"engine '{engine}' is not known. Name local or {DASK}HOST:PORT.{hint}")
    results: list[Any] = [None] * len(tasks)
    for index, result in _with_bar(found, len(tasks), label):
        results[index] = result
    return results


def _with_bar(found: Iterator[tuple[int, Any]], total: int, label: str) -> Iterator[tuple[int, Any]]:
    if not label or not sys.stderr.isatty():
        return found
    from tqdm import tqdm

    return iter(tqdm(found, total=total, desc=label, unit=" parts"))


def _call(function: Callable[..., Any], index: int, task: tuple[Any, ...]) -> tuple[int, Any]:
    return index, function(*task)


def _locally(function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], jobs: int) -> Iterator[tuple[int, Any]]:
    if jobs < 2 or len(tasks) < LEAST_FOR_PROCESSES:
        return (_call(function, index, task) for index, task in enumerate(tasks))
    from joblib import Parallel, delayed

    pool = Parallel(n_jobs=min(jobs, len(tasks)), return_as="generator_unordered")
    return pool(delayed(_call)(function, index, task) for index, task in enumerate(tasks))


def _on_dask(function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], address: str) -> Iterator[tuple[int, Any]]:
    from distributed import Client, as_completed

    try:
        client = Client(f"tcp://{address}", timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise UsageError(
            f"engine {DASK}{address}: no Dask scheduler answers there. Start one ('dask scheduler'), check the port."
        ) from error
    try:
        futures = {
            client.submit(function, *task, pure=False, retries=2): index for index, task in enumerate(tasks)
        }
        for future in as_completed(futures, loop=client.loop):
            try:
                yield futures[future], future.result()
            except PlanningError:
                client.cancel(list(futures))
                raise
    finally:
        client.close()
