"""`planning schedule`: list, explain and run what is due."""

from __future__ import annotations

import datetime as dt
import shutil
import sys
from pathlib import Path
from typing import Any

import click

from planning.cli import common
from planning.errors import NotebookError

ACTIONS = ("run-due", "list", "next", "explain", "history")
MOST_EVENTS = 20


@click.command(short_help="List, explain and run what is due.")
@click.argument("action", type=click.Choice(ACTIONS), default="run-due")
@click.option("--name", help="Only this schedule.")
@click.option("--serve", is_flag=True, help="Stay and run what is due, until stopped.")
@click.option("--export", "kind", help="Print the schedules for cron, systemd, github or dagster.")
@click.option("--out", type=click.Path(path_type=Path), help="With --export: write the files into this folder.")
@common.guarded
def command(action: str, name: str | None, serve: bool, kind: str | None, out: Path | None, as_json: bool) -> None:
    """Runs what is due once (run-due), or tells when schedules come (list, next, explain) and what became of the
    planned times (history: run, missed, skipped or lost, the latest first).

    No daemon is needed: let cron, a systemd timer or --serve call run-due as often as they like.

    \b
    planning schedule list
    planning schedule history --name monthly
    planning schedule run-due
    planning schedule --export systemd --out ~/.config/systemd/user
    """
    from planning import config
    from planning.runs import layout, schedules

    root = layout.workspace()
    settings = config.load(root)
    if kind is not None:
        _export(kind, schedules.of_settings(settings, name), root, out, as_json)
    elif serve:
        _serve(root, name)
    elif action == "run-due":
        _run_due(root, settings, name, as_json)
    elif action == "history":
        _history(schedules.of_settings(settings, name), root, as_json)
    else:
        found = schedules.of_settings(settings, name)
        common.show(_told(action, found, root), as_json)
        if not found and not as_json:
            click.echo("workbench.toml has no [schedules]; docs/runs.md shows one.")


def _told(action: str, found: list[Any], root: Path) -> Any:
    from planning.runs import layout
    from planning.runs.due import Journal, utc_text

    now = dt.datetime.now(dt.UTC)
    if action == "explain":
        return {schedule.name: schedule.explain() for schedule in found}
    if action == "next":
        return {s.name: ", ".join(t.astimezone(s.zone).isoformat() for t in s.next(now, 5)) or "never" for s in found}
    told = {}
    for schedule in found:
        events = list(Journal(layout.reports(root), schedule.name).events().values())
        last = f"last {events[-1]['slot']} {events[-1]['status']}" if events else "not begun"
        coming = schedule.next(now, 1)
        told[schedule.name] = f"{schedule.explain()}; next {utc_text(coming[0]) if coming else 'never'}; {last}"
    return told


def _history(found: list[Any], root: Path, as_json: bool) -> None:
    from planning.runs import layout
    from planning.runs.due import Journal

    rows = [
        {"schedule": s.name, **event}
        for s in found
        for event in list(Journal(layout.reports(root), s.name).events().values())[: -MOST_EVENTS - 1 : -1]
    ]
    if as_json:
        common.show(rows, True)
        return
    for row in rows:
        click.echo(f"{row['slot']}  {row['status']:<11}  {row['schedule']:<12}  {row['run']}  {row['note']}".rstrip())
    if not rows:
        click.echo("no planned time has come yet. 'planning schedule next' lists them.")


def _run_due(root: Path, settings: Any, name: str | None, as_json: bool) -> None:
    from planning.runs import deliver, due, layout

    happened = due.run_due(root, settings, name=name)
    retried = deliver.retry(layout.reports(root), settings)
    if as_json:
        common.show({"slots": happened, "deliveries": retried}, True)
    else:
        for event in happened:
            click.echo(f"{event['slot']}  {event['status']}  {event['run']}  {event['note']}".rstrip())
        if not happened:
            click.echo("nothing is due.")
    failed = [event for event in happened if event["status"] not in ("ok", "missed", "skipped", "begun")]
    if failed:
        raise NotebookError(
            "\n".join(f"{event['slot']} {event['status']} {event['note'] or event['run']}" for event in failed)
        )


def _serve(root: Path, name: str | None) -> None:
    """Asks twice a minute; the settings are read anew each time, and a mistake in them does not end the loop."""
    import time

    from planning import config
    from planning.errors import PlanningError
    from planning.runs import deliver, due, layout

    click.echo("serving schedules; stop with Ctrl-C.")
    try:
        while True:
            try:
                settings = config.load(root)
                for event in due.run_due(root, settings, name=name):
                    click.echo(f"{event['slot']}  {event['status']}  {event['run']}  {event['note']}".rstrip())
                deliver.retry(layout.reports(root), settings)
            except PlanningError as error:
                click.echo(f"error: {error}", err=True)
            time.sleep(30 - time.time() % 30)
    except KeyboardInterrupt:
        click.echo("stopped.")


def _export(kind: str, found: list[Any], root: Path, out: Path | None, as_json: bool) -> None:
    from planning import files
    from planning.runs.export import export

    own = Path(sys.argv[0]).resolve()
    planning = str(own) if own.name == "planning" else shutil.which("planning") or "planning"
    texts = export(kind, found, root, planning)
    if out is None:
        common.show(texts if as_json else "\n".join(f"# --- {name}\n{text}" for name, text in texts.items()), as_json)
        return
    for name, text in texts.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(path, text)
        click.echo(str(path))
