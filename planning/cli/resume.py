"""`planning resume`: go on with a run that was stopped or failed."""

from __future__ import annotations

import click

from planning.cli import common, run


@click.command(short_help="Go on with an interrupted or failed run.")
@click.argument("wanted", metavar="RUN", default="latest")
@click.option("--jobs", type=click.IntRange(1, 64), help="Notebooks at once.")
@common.guarded
def command(wanted: str, jobs: int | None, as_json: bool) -> None:
    """Runs the same flow with the same parameters again; steps that had finished are taken over if nothing changed.

    \b
    planning resume latest
    """
    from planning.runs import launch, progress

    record = launch.resume(wanted, jobs=jobs, show=progress.Silent() if as_json else progress.for_stream())
    run.tell(record, as_json)
