"""`planning show`: one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planning.cli import common


@click.command(short_help="Show one run.")
@click.argument("run", default="latest")
@click.option("--pdf", is_flag=True, help="Print the run's pages to PDF beside them (needs Chromium).")
@common.guarded
def command(run: str, pdf: bool, as_json: bool) -> None:
    """Shows a run: its steps, what each answered, its key numbers, what went wrong, and where its pages are.

    RUN is an id, the beginning or end of one, `latest`, or `FLOW/latest`.

    \b
    planning show latest
    planning show annual_plan/latest --json
    """
    from planning.runs import emit, layout, registry, runner

    reports = layout.reports(layout.workspace())
    runner.revive(reports)
    record = registry.find(reports, run)
    folder = Path(record["folder"])
    if pdf:
        from planning.reports.pdf import print_run

        for path in print_run(folder):
            click.echo(str(path), err=as_json)
    manifests = {s["notebook"]: emit.read_manifest(folder / "results" / s["notebook"]) or {} for s in record["steps"]}
    if as_json:
        common.show({**record, "numbers": {name: m.get("numbers", []) for name, m in manifests.items()}}, True)
        return
    seconds = f" in {record['seconds']:.1f} s" if record.get("seconds") is not None else ""
    click.echo(f"{record['id']}  {record['flow']}  {record['status']}{seconds}  started by {record['trigger']}")
    for step in record["steps"]:
        _print_step(step, manifests[step["notebook"]])
    click.echo(f"\n{folder / 'index.html'}")


def _print_step(step: dict[str, Any], manifest: dict[str, Any]) -> None:
    seconds = f"{step['seconds']:.1f} s" if step["seconds"] is not None else ""
    reused = f"from {step['reused_from']}" if step.get("reused_from") else ""
    click.echo(f"\n{step['notebook']}  {step['status']}  {seconds}  {reused}".rstrip())
    if step["error"]:
        cell = f"cell {step['error']['cell']}: " if step["error"].get("cell") else ""
        click.echo(f"  {cell}{step['error']['message']}")
    if step.get("answer"):
        click.echo(f"  {step['answer']}")
    for number in manifest.get("numbers", []):
        click.echo(f"  {number['label']}: {number['text']}")
