"""The executed notebook as a page: its words, its code and what each cell said, as text.

Everything is escaped and nothing of an output is put in as markup, so a notebook that printed a script shows a script.
Pictures a cell displayed stand on the step's own page; here an output is its plain text, an image only where it is a
PNG.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from planning.language import _
from planning.reports import site
from planning.reports.record import Run, Step

MOST_TEXT = 20_000
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_BASE64 = re.compile(r"[A-Za-z0-9+/=\s]+\Z")


def write(run: Run, step: Step) -> str:
    """Writes `<notebook>.notebook.html` beside the executed notebook; returns its name, or "" where there is none."""
    cells = read_cells(run.folder / f"{step.notebook}.ipynb")
    if not cells:
        return ""
    name = f"{step.notebook}.notebook.html"
    title = _("Executed notebook: {title}").format(title=step.title)
    shown = [_cell(cell) for cell in cells]
    text = site.render(
        "notebook.html.j2", title, headline=title, name=step.title, page=f"{step.notebook}.html",
        source=f"{step.notebook}.ipynb", cells=[cell for cell in shown if cell],
    )  # fmt: skip
    site.write(run.folder / name, text)
    return name


def read_cells(path: Path) -> list[dict[str, Any]]:
    """Returns the cells of a notebook file; none where it is missing or damaged."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (OSError, ValueError, KeyError):
        return []
    return [cell for cell in cells if isinstance(cell, dict)]


def source_of(cell: dict[str, Any]) -> str:
    """Returns a cell's source as one text."""
    return _joined(cell.get("source", "")).strip()


def _joined(text: Any) -> str:
    return "".join(text) if isinstance(text, list) else str(text or "")


def _cell(cell: dict[str, Any]) -> dict[str, Any] | None:
    source = source_of(cell)
    if cell.get("cell_type") == "markdown":
        return {"kind": "words", "blocks": _blocks(source)} if source else None
    outputs = [output for one in cell.get("outputs", []) if (output := _output(one))]
    return {"kind": "code", "source": source, "outputs": outputs} if source or outputs else None


def _blocks(source: str) -> list[tuple[str, str]]:
    """Returns the blocks of a Markdown cell as (h2 or p, text); marks other than headings stay as they are written."""
    blocks = []
    for block in re.split(r"\n\s*\n", source):
        heading = re.match(r"#{1,6}\s+(.*)", block)
        blocks.append(("h2", heading[1].strip()) if heading else ("p", " ".join(block.split())))
    return blocks


def _output(output: dict[str, Any]) -> dict[str, Any] | None:
    if output.get("output_type") == "error":
        text = f"{output.get('ename', '')}: {output.get('evalue', '')}"
        return {"kind": "error", "text": _plain(text), "trace": _plain("\n".join(output.get("traceback", [])))}
    data = output.get("data", {})
    picture = _joined(data.get("image/png", ""))
    if picture and _BASE64.match(picture):
        alt = _joined(data.get("text/plain", "")) or _("An image this cell displayed")
        return {"kind": "picture", "data": "".join(picture.split()), "text": _plain(alt)}
    text = _plain(_joined(output.get("text", "")) or _joined(data.get("text/plain", "")))
    return {"kind": "text", "text": text} if text.strip() else None


def _plain(text: str) -> str:
    text = _ANSI.sub("", text)
    return text if len(text) <= MOST_TEXT else text[:MOST_TEXT] + " …"
