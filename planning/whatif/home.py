"""The first page an analyst sees in JupyterLab: what to do next, the state of the plan, the last pages."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from planning import config, language
from planning.errors import PlanningError
from planning.language import _
from planning.reports import record, words
from planning.runs import emit, inputs, layout, registry
from planning.runs.due import Journal
from planning.whatif import links


def show(flow: str = "annual_plan", root: Path | None = None) -> emit.Shown:
    """Returns the home page of a flow: the next thing to do, each notebook's last answer, links to the last pages."""
    workspace = layout.workspace(root)
    try:
        settings = config.load(workspace)
    except PlanningError as error:
        return emit.Shown("".join(f"<p>{html.escape(line)}</p>" for line in str(error).splitlines()), str(error))
    with language.use(settings.company.language):
        known = registry.runs(layout.reports(workspace), flow=flow)
        run = next((record for record in known if not record.get("what_if")), None)
        todo = next_steps(workspace, settings, run)
        heading = html.escape(_("What to do next"))
        parts = [f"<h1>{html.escape(settings.company.name)}</h1>", f"<h2>{heading}</h2>"]
        parts.append("<ol>" + "".join(f"<li>{one}</li>" for one in todo) + "</ol>")
        if run is not None:
            heading = html.escape(_("The state of the plan"))
            parts += [f"<h2>{heading}</h2>", _state(run)]
        return emit.Shown("".join(parts), " ".join(todo))


def next_steps(root: Path, settings: Any, run: dict[str, Any] | None) -> list[str]:
    """Returns what to do next as lines of HTML, the most urgent first."""
    missing = [name for name, source in settings.sources.items() if source.path and not (root / source.path).exists()]
    lines = []
    if not settings.sources or missing:
        what = ", ".join(missing) or _("no table is configured")
        lines.append(_("Bring the data ({missing}): {command}, or name your own files in workbench.toml.").format(
            missing=html.escape(what), command="<code>planning sample data/sample</code>"
        ))  # fmt: skip
    if run is None:
        lines.append(_("Make the first plan: {command}, or {cell} in a cell of this notebook.").format(
            command="<code>planning run annual_plan</code>", cell='<code>whatif.launch("annual_plan")</code>'
        ))  # fmt: skip
        return lines
    changed = [name for name in _changed(root, settings, run) if name not in missing]
    if changed:
        lines.append(_("Plan again, the data have changed since ({changed}): {command}.").format(
            changed=html.escape(language.listing(changed)), command=f"<code>planning run {run['flow']}</code>"
        ))  # fmt: skip
    if run["status"] != "ok":
        error = run.get("error") or {}
        cause = html.escape(f"{error.get('notebook', '')}: {error.get('message', '')}".strip(": "))
        lines.append(_("The last run ended as {status} ({cause}); put it right, then {command}.").format(
            status=html.escape(words.state(run["status"])), cause=cause, command="<code>planning resume</code>"
        ))  # fmt: skip
    page = _page(run, "index.html", f"{record.words_of(run['flow'])}, {words.moment(record.started(run['id']))}")
    lines.append(_("Read the last plan: {page}.").format(page=page))
    lines.append(_("Ask it something with the panels below: run all cells."))
    journals = [Journal(layout.reports(root), name) for name in settings.schedules]
    if any(journal.events() for journal in journals):
        lines.append(_("See what ran on its own: {command}.").format(command="<code>planning schedule list</code>"))
    return lines


def _changed(root: Path, settings: Any, run: dict[str, Any]) -> list[str]:
    """Returns the tables read from files whose content is not what the run read; a query is not asked again here."""
    of_files = {name for name, source in settings.sources.items() if source.path}
    now = inputs.Inputs(root, settings)
    known = {name: entry["sha256"] for name, entry in run.get("inputs", {}).items() if name in of_files}
    return [name for name, sha256 in known.items() if now.table(name)["sha256"] != sha256]


def _page(run: dict[str, Any], page: str, text: str) -> str:
    return f'<a href="{links.of_run(run, page)}" target="_blank">{html.escape(text)}</a>'


def _state(run: dict[str, Any]) -> str:
    rows = []
    left = '<td style="text-align:left">'  # JupyterLab sets tables to the right
    for step in run["steps"]:
        said = step.get("answer") or (step.get("error") or {}).get("message", "")
        page = _page(run, step["page"], record.words_of(step["notebook"]))
        state = html.escape(words.state(step["status"]))
        rows.append(f"<tr>{left}{page}</td>{left}{state}</td>{left}{html.escape(said)}</td></tr>")
    everything = html.escape(_("All runs"))
    gallery = f'<p><a href="{links.of_file("index.html")}" target="_blank">{everything}</a></p>'
    return f"<table>{''.join(rows)}</table>{gallery}"
