"""`planning runs`: the list of runs, and clearing out old ones."""

from __future__ import annotations

import click

from planning.cli import common
from planning.errors import UsageError, did_you_mean


@click.command(short_help="List the runs.")
@click.option("--flow", help="Only runs of this flow or notebook.")
@click.option("--status", help="Only runs that ended so: ok, failed, timeout, died, interrupted, lost.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="How many, the latest first.")
@click.option("--prune", is_flag=True, help="Remove old runs; the last good run of each flow is always kept.")
@click.option("--keep", default="30d", show_default=True, help="With --prune: how long runs are kept, as 30d or 12h.")
@common.guarded
def command(flow: str | None, status: str | None, limit: int, prune: bool, keep: str, as_json: bool) -> None:
    """Lists the runs, the latest first, with what each said and how much disk it uses.

    \b
    planning runs
    planning runs --flow annual_plan --status failed
    planning runs --prune --keep 30d
    """
    from planning.runs import housekeeping, layout, registry, runner

    reports = layout.reports(layout.workspace())
    runner.revive(reports)
    if prune:
        removed = housekeeping.prune(reports, housekeeping.seconds_of(keep))
        common.show({"removed": [path.name for path in removed["folders"]], "freed_mb": removed["megabytes"]}, as_json)
        return
    known = ("ok", "failed", "timeout", "died", "interrupted", "lost")
    if status in ("missed", "skipped"):
        raise UsageError(f"--status {status}: is of planned times, not of runs. See 'planning schedule history'.")
    if status is not None and status not in known:
        hint = did_you_mean(status, known)
        raise UsageError(f"--status {status}: is not a status.{hint} It is one of: {', '.join(known)}.")
    flows = registry.flows(reports)
    if flow is not None and flow not in flows:
        hint = did_you_mean(flow, flows)
        raise UsageError(f"--flow {flow}: has no run.{hint} Runs are of: {', '.join(flows) or 'nothing yet'}.")
    rows = []
    for record in registry.runs(reports, flow=flow, status=status):
        rows.append(housekeeping.line(record))
        if len(rows) == limit:
            break
    if as_json:
        common.show(rows, True)
    else:
        _print(rows)


def _print(rows: list[dict[str, object]]) -> None:
    if not rows:
        click.echo("no runs. Start one with 'planning run annual_plan'.")
        return
    for row in rows:
        seconds = f"{row['seconds']:.1f} s" if row["seconds"] is not None else "-"
        taken = f"{seconds:>8}  {row['megabytes']:>6.1f} MB"
        click.echo(f"{row['id']}  {row['status']:<11}  {row['flow']:<18}  {taken}  {row['said']}")
