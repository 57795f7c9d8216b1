"""`planning run`: execute a notebook or a flow and write its pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planning.cli import common
from planning.errors import NotebookError, UsageError


@click.command(short_help="Execute a notebook or a flow and write its pages.")
@click.argument("target", metavar="FLOW_OR_NOTEBOOK")
@click.option(
    "-p", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter; NOTEBOOK.NAME=VALUE for one step."
)
@click.option("--jobs", type=click.IntRange(1, 64), help="Notebooks at once (default: [run] jobs of workbench.toml).")
@click.option("--force", is_flag=True, help="Run every step, even where nothing has changed.")
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds one notebook may take.")
@click.option("--cell-timeout", type=click.FloatRange(min=0, min_open=True), help="Seconds one cell may take.")
@click.option(
    "--scenario", metavar="NAME", help="A what-if: take the parameters of scenarios/NAME.toml; -p goes before them."
)
@click.option("--what-if", is_flag=True, help="Keep its plan and its budget beside those that count.")
@click.option("--each", metavar="NAME[=A,B]", help="One run for each value of a parameter.")
@click.option("--engine", default="local", show_default=True, help="With --each: local or dask://HOST:PORT.")
@common.guarded
def command(
    target: str,
    parameters: tuple[str, ...],
    jobs: int | None,
    force: bool,
    timeout: float | None,
    cell_timeout: float | None,
    scenario: str | None,
    what_if: bool,
    each: str | None,
    engine: str,
    as_json: bool,
) -> None:
    """Executes a flow of workbench.toml, or a notebook, and writes the run's folder, its pages and the gallery.

    With --what-if, --scenario or --each its plan and budget are kept as versions beside those that count.

    \b
    planning run annual_plan
    planning run demand_forecast -p language=zh
    planning run annual_plan -p annual_targets.amount=125000000 --jobs 2
    planning run demand_forecast --each language=en,zh
    """
    from planning.runs import launch, progress

    if engine != "local" and each is None:
        raise UsageError("--engine is for --each: one flow runs on this machine. Name a parameter, as --each region.")
    given = {**(launch.scenario(scenario) if scenario else {}), **launch.parameters_of(parameters)}
    options = {"jobs": jobs, "timeout": timeout, "cell_timeout": cell_timeout, "force": force}
    options["show"] = progress.Silent() if as_json else progress.for_stream()
    if each is not None:
        tell_each(launch.start_each(target, each, given=given, engine=engine, **options), as_json)
        return
    record = launch.start(target, given=given, what_if=what_if or bool(scenario), **options)
    tell(record, as_json)


def tell(record: dict[str, Any], as_json: bool) -> None:
    """Prints how a run ended; raises NotebookError (exit 3) when it is not good."""
    if as_json:
        common.show(record, True)
    else:
        click.echo(f"{record['status']}: {Path(record['folder']) / 'index.html'}")
        for warning in [
            *record["warnings"],
            *(f"{s['notebook']}: {w}" for s in record["steps"] for w in s["warnings"]),
        ]:
            click.echo(f"warning: {warning}", err=True)
        for line in [*replaced_lines(record), *what_if_lines(record)]:
            click.echo(line)
    if record["status"] != "ok":
        raise NotebookError("\n".join(causes(record)))


def replaced_lines(record: dict[str, Any]) -> list[str]:
    """Returns of which version the numbers of a run are, where a person has made another one count."""
    found = {name: pair for step in record["steps"] for name, pair in (step.get("replaced") or {}).items()}
    return [f"{name}: the numbers are of version {used}; {now} counts now." for name, (used, now) in found.items()]


def what_if_lines(record: dict[str, Any]) -> list[str]:
    """Returns what is said of a what-if: each version it kept beside one that counts, else that nothing changed."""
    if not record.get("what_if"):
        return []
    kept = [pair for step in record["steps"] for pair in step.get("what_if", {}).items()]
    return [
        f"what if: {folder} keeps version {version} beside the one that counts. "
        f"'planning plans --adopt {version}' makes it count."
        for folder, version in kept
    ] or ["what if: the plan that counts stays as it was, and no later run goes on from these results."]


def tell_each(found: dict[str, Any], as_json: bool) -> None:
    """Prints how the runs of a fan-out ended; raises NotebookError when one of them is not good."""
    bad = [record for record in found["runs"] if record["status"] != "ok"]
    if as_json:
        common.show(found, True)
    else:
        click.echo(f"{len(found['runs']) - len(bad)} of {len(found['runs'])} ok: {found['page']}")
    lines = [f"{r['each']['value']}: {line}" for r in bad for line in causes(r)]
    if found["not_run"]:
        lines.append(f"not run, since it was stopped before: {', '.join(found['not_run'])}")
    if lines:
        raise NotebookError("\n".join(lines))


def causes(record: dict[str, Any]) -> list[str]:
    """Returns one line a step that did not succeed: notebook, cell, cause, and where the executed copy lies."""
    lines = []
    for step in record["steps"]:
        if step["status"] in ("ok", "reused"):
            continue
        error = step["error"] or {}
        cell = f", cell {error['cell']}" if error.get("cell") else ""
        message = " ".join(str(error.get("message", "")).split())
        copy = Path(record["folder"]) / step["notebook_file"]
        lines.append(
            f"{step['notebook']}{cell} {step['status']}: {message}" + (f" See {copy}" if copy.is_file() else "")
        )
    return lines or [f"the run is {record['status']}."]
