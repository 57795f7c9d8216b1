"""The first page an analyst sees in JupyterLab: what to do next, the state of the plan, the last pages."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from planning import config, language
from planning.errors import PlanningError
from planning.language import _
from planning.runs import emit, layout, registry
from planning.runs.due import Journal


def show(flow: str = "annual_plan", root: Path | None = None) -> emit.Shown:
    """Returns the home page of a flow: the next thing to do, each notebook's last answer, links to the last pages."""
    workspace = layout.workspace(root)
    try:
        settings = config.load(workspace)
    except PlanningError as error:
        return emit.Shown("".join(f"<p>{html.escape(line)}</p>" for line in str(error).splitlines()), str(error))
    with language.use(settings.company.language):
        record = next(registry.runs(layout.reports(workspace), flow=flow), None)
        todo = next_steps(workspace, settings, record)
        heading = html.escape(_("What to do next"))
        parts = [f"<h1>{html.escape(settings.company.name)}</h1>", f"<h2>{heading}</h2>"]
        parts.append("<ol>" + "".join(f"<li>{one}</li>" for one in todo) + "</ol>")
        if record is not None:
            heading = html.escape(_("The state of the plan"))
            parts += [f"<h2>{heading}</h2>", _state(record)]
        return emit.Shown("".join(parts), " ".join(todo))


def next_steps(root: Path, settings: Any, record: dict[str, Any] | None) -> list[str]:
    """Returns what to do next as lines of HTML, the most urgent first."""
    missing = [name for name, source in settings.sources.items() if source.path and not (root / source.path).exists()]
    lines = []
    if not settings.sources or missing:
        what = ", ".join(missing) or _("no table is configured")
        lines.append(_("Bring the data ({missing}): {command}, or name your own files in workbench.toml.").format(
            missing=html.escape(what), command="<code>planning sample data/sample</code>"
        ))  # fmt: skip
    if record is None:
        lines.append(_("Make the first plan: {command}.").format(command="<code>planning run annual_plan</code>"))
        return lines
    page = _link(record, "index.html")
    if record["status"] != "ok":
        error = record.get("error") or {}
        cause = html.escape(f"{error.get('notebook', '')}: {error.get('message', '')}".strip(": "))
        lines.append(_("The last run ended as {status} ({cause}); put it right, then {command}.").format(
            status=record["status"], cause=cause, command="<code>planning resume</code>"
        ))  # fmt: skip
    lines.append(_("Read the last plan: {page}.").format(page=f'<a href="{page}" target="_blank">{record["id"]}</a>'))
    lines.append(_("Ask it something with the panels below: run all cells."))
    journals = [Journal(layout.reports(root), name) for name in settings.schedules]
    if any(journal.events() for journal in journals):
        lines.append(_("See what ran on its own: {command}.").format(command="<code>planning schedule list</code>"))
    return lines


def _link(record: dict[str, Any], page: str) -> str:
    return html.escape(f"../reports/{record['flow']}/{record['id']}/{page}", quote=True)


def _state(record: dict[str, Any]) -> str:
    rows = []
    for step in record["steps"]:
        said = step.get("answer") or (step.get("error") or {}).get("message", "")
        cells = (step["notebook"], step["status"], said)
        first = f'<a href="{_link(record, step["page"])}" target="_blank">{html.escape(cells[0])}</a>'
        left = '<td style="text-align:left">'  # JupyterLab sets tables to the right
        rows.append(f"<tr>{left}{first}</td>{left}{html.escape(cells[1])}</td>{left}{html.escape(cells[2])}</td></tr>")
    everything = html.escape(_("All runs"))
    gallery = f'<p><a href="../reports/index.html" target="_blank">{everything}</a></p>'
    return f"<table>{''.join(rows)}</table>{gallery}"
