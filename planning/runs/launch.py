"""Starting a run from wherever one is wished: the command line, a schedule, a notebook, a panel."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from planning import config
from planning.errors import UsageError, did_you_mean
from planning.runs import layout, parameters, plan, progress, registry, runner

PANEL = "notebook"  # the trigger of a what-if panel's button


def parameters_of(pairs: Iterable[str]) -> dict[str, str]:
    """Returns the `name=value` texts of a command line as a dict."""
    return parameters.from_command_line(pairs)


def scenario(name: str, root: str | Path | None = None) -> dict[str, Any]:
    """Returns the parameters kept in `scenarios/<name>.toml`; UsageError names the nearest."""
    folder = layout.workspace(root) / "scenarios"
    known = [path.stem for path in sorted(folder.glob("*.toml"))]
    if name not in known:
        raise UsageError(
            f"there is no scenario '{name}'.{did_you_mean(name, known)} Kept: {', '.join(known) or 'none'}."
        )
    try:
        return dict(tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))["parameters"])
    except (ValueError, KeyError) as error:
        raise UsageError(f"scenarios/{name}.toml: cannot be read ({error}). Keep it again from the panel.") from None


def start(
    target: str,
    *,
    given: Mapping[str, Any] | None = None,
    root: str | Path | None = None,
    jobs: int | None = None,
    timeout: float | None = None,
    cell_timeout: float | None = None,
    force: bool = False,
    trigger: str = "hand",
    what_if: bool | None = None,
    extra: Mapping[str, Any] | None = None,
    show: progress.Silent | None = None,
) -> dict[str, Any]:
    """Runs a flow or a notebook and returns the run's record (see run.json); whether it went well is in its `status`.

    what_if: keep the plan and the budget it makes beside those that count. None: where a panel gave it values.
    Raises UsageError or ConfigError, one line a mistake, before anything is started or written.
    """
    workspace = layout.workspace(root)
    settings = config.load(workspace / layout.CONFIG)
    planned = plan.make(workspace, settings, target, given)
    if what_if is None:
        what_if = trigger == PANEL and any(name.rpartition(".")[2] != "language" for name in given or {})
    options = runner.Options(
        jobs=jobs or settings.run.jobs,
        timeout=timeout or settings.run.timeout,
        cell_timeout=cell_timeout or settings.run.cell_timeout or None,
        force=force,
        trigger=trigger,
        extra={**(extra or {}), **({"what_if": True} if what_if else {})},
    )
    return runner.run(workspace, settings, planned, options, show)


def start_each(
    target: str, each: str, *, given: Mapping[str, Any] | None = None, root: str | Path | None = None,
    jobs: int | None = None, timeout: float | None = None, cell_timeout: float | None = None, force: bool = False,
    engine: str = "local", show: progress.Silent | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Makes one run for each value of a parameter (`name`, or `name=a,b`); see `fanout.run_each`."""
    from planning.runs import fanout

    workspace = layout.workspace(root)
    settings = config.load(workspace / layout.CONFIG)
    name, values = fanout.values_of(workspace, settings, target, each)
    options = runner.Options(
        jobs=jobs or settings.run.jobs, timeout=timeout or settings.run.timeout,
        cell_timeout=cell_timeout or settings.run.cell_timeout or None, force=force, trigger="fan-out",
        extra={"what_if": True},
    )  # fmt: skip
    return fanout.run_each(
        workspace, settings, target, name, values, given=given, options=options, show=show, engine=engine
    )


def resume(wanted: str, *, jobs: int | None = None, show: progress.Silent | None = None) -> dict[str, Any]:
    """Starts a run of the same flow and parameters as an earlier one; its finished steps are reused where they may be.

    Raises UsageError when that run ended well: there is nothing to go on with.
    """
    reports = layout.reports(layout.workspace())
    runner.revive(reports)
    record = registry.find(reports, wanted)
    if record["status"] == "ok":
        raise UsageError(
            f"{record['id']} ended well; there is nothing to go on with. Use 'planning run {record['flow']}'."
        )
    again = {"trigger": f"resume:{record['id']}", "what_if": bool(record.get("what_if"))}
    return start(record["target"], given=record["given"], jobs=jobs, show=show, **again)
