"""`planning doctor`: check this machine and this workspace."""

from __future__ import annotations

import click

from planning.cli import common
from planning.errors import PlanningError


@click.command(short_help="Check this machine: versions, fonts, browser, kernels, permissions.")
@common.guarded
def command(as_json: bool) -> None:
    """Looks at versions, fonts, browser, kernels, cache, clock, folders, databases and schedules; exits 1 on a failure.

    \b
    planning doctor
    planning doctor --json
    """
    from planning.runs import checkup

    rows = checkup.check()
    if as_json:
        common.show(rows, True)
    else:
        for row in rows:
            click.echo(f"{row['status']:<5} {row['name']:<18} {row['found']}")
            if row["fix"]:
                click.echo(f"{'':<24} {row['fix']}")
    bad = [row for row in rows if row["status"] == checkup.FAIL]
    if bad:
        raise PlanningError("\n".join(f"{row['name']}: {row['found']}. {row['fix']}" for row in bad))
