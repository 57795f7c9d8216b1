"""Starting a run from wherever one is wished: the command line, a schedule, a notebook, a panel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from planning import config
from planning.runs import layout, parameters, plan, progress, runner


def parameters_of(pairs: Iterable[str]) -> dict[str, str]:
    """Returns the `name=value` texts of a command line as a dict."""
    return parameters.from_command_line(pairs)


def start(
    target: str, *, given: Mapping[str, Any] | None = None, root: str | Path | None = None, jobs: int | None = None,
    timeout: float | None = None, cell_timeout: float | None = None, force: bool = False, trigger: str = "hand",
    show: progress.Silent | None = None,
) -> dict[str, Any]:
    """Runs a flow or a notebook and returns the run's record (see run.json); whether it went well is in its `status`.

    Raises UsageError or ConfigError, one line a mistake, before anything is started or written.
    """
    workspace = layout.workspace(root)
    settings = config.load(workspace / layout.CONFIG)
    planned = plan.make(workspace, settings, target, given)
    options = runner.Options(
        jobs=jobs or settings.run.jobs, timeout=timeout or settings.run.timeout, cell_timeout=cell_timeout, force=force,
        trigger=trigger,
    )
    return runner.run(workspace, settings, planned, options, show)
