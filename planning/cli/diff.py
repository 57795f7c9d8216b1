"""`planning diff`: what differs between two runs, or two versions of the plan or its budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planning.cli import common
from planning.errors import UsageError


@click.command(short_help="Compare two runs, two plans or two budgets.")
@click.argument("before")
@click.argument("after")
@click.option(
    "--limit", type=click.IntRange(0), default=20, show_default=True, help="How many changed numbers to print."
)
@click.option("--page", is_flag=True, help="Write the comparison as a page into the folder of the second run.")
@common.guarded
def command(before: str, after: str, limit: int, page: bool, as_json: bool) -> None:
    """Compares parameters, inputs, versions and numbers of two runs, the biggest changes first.

    Runs are named as in `planning show`; two plan or budget ids (see `planning plans`) are compared cell by cell.

    \b
    planning diff annual_plan/latest 20270108T093000Z-1f3a9c
    """
    from planning.runs import diff, layout, registry, runner

    root = layout.workspace()
    reports = layout.reports(root)
    runner.revive(reports)
    try:
        records = [registry.find(reports, one) for one in (before, after)]
    except UsageError as error:
        plans = _plans(root, before, after)
        if plans is None:
            raise error
        common.show(plans, as_json)
        return
    found = diff.compare(*records)
    if page:
        from planning.reports.compare import render_diff

        click.echo(str(render_diff(records[1]["folder"], found)), err=as_json)
    if as_json:
        common.show(found, True)
    else:
        _print(found, limit)


def _plans(root: Path, before: str, after: str) -> Any:
    """The comparison of two versions of a plan or its budget, or None where no plan of the workspace has both."""
    from planning.cli.plans import compared

    try:
        return compared(sorted((root / "plans").glob("*")), before, after)
    except UsageError:
        return None


def _print(found: dict[str, Any], limit: int) -> None:
    for part in ("parameters", "inputs", "versions", "steps"):
        for name, (old, new) in found[part].items():
            click.echo(f"{part[:-1]} {name}: {_shown(old)} -> {_shown(new)}")
    numbers = found["numbers"]
    if not numbers:
        click.echo("no number differs.")
        return
    import pandas as pd

    alone = sum(row["before"] is None or row["after"] is None for row in numbers)
    click.echo(f"{len(numbers)} numbers differ{f', {alone} of them in one run only' if alone else ''}:")
    shown = pd.DataFrame(numbers[:limit], columns=list(numbers[0]))
    shown = shown.drop(columns="size")
    shown["relative"] = [
        "" if row["relative"] is None else f"{100 * row['relative']:+.2f} %" for row in numbers[:limit]
    ]
    click.echo(shown.to_string(index=False, na_rep="-"))


def _shown(value: Any) -> str:
    return "(none)" if value is None else str(value)
