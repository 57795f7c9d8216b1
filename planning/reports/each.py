"""The index page of a fan-out: one row a value, with the run's state, its key numbers and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from planning import language
from planning.language import _, ngettext
from planning.reports import pages, record, site, words

MOST_NUMBERS = 3


def render_each(path: str | Path, name: str, runs: Sequence[tuple[str, str | Path]]) -> Path:
    """Writes the index of runs made for each value of the parameter `name`; `runs` holds (value, run folder).

    The page links each run's own page by a relative path, so it must lie in the folder that holds the run folders.
    """
    path = Path(path)
    read = [(value, record.read_run(folder)) for value, folder in runs]
    first = read[0][1] if read else None
    tongue = first.language if first is not None and first.language in language.LANGUAGES else "en"
    with language.use(tongue):
        good = sum(not run.failed for _value, run in read)
        told = ngettext("{good} of {n} run is finished", "{good} of {n} runs are finished", len(read))
        columns = _columns([run for _value, run in read])
        return site.write(path, site.render(
            "each.html.j2", name, name=record.words_of(path.parent.name), heading=record.words_of(name),
            company=pages.company_of(first, first.teller) if first else "", home="../index.html", group=path.stem,
            headline=told.format(good=good, n=len(read)), lede=_failures(read), labels=list(columns.values()),
            rows=[_row(value, run, list(columns)) for value, run in read],
        ))  # fmt: skip


def _columns(runs: list[record.Run]) -> dict[str, str]:
    """The key numbers the runs share, at most three: name → label."""
    found: dict[str, str] = {}
    for run in runs:
        for number in run.teller.manifest.get("numbers", []) if run.teller else []:
            found.setdefault(number["name"], number["label"])
    return dict(list(found.items())[:MOST_NUMBERS])


def _failures(read: list[tuple[str, record.Run]]) -> str:
    failed = [value for value, run in read if run.failed]
    return _("A person is needed for {values}.").format(values=language.listing(failed)) if failed else ""


def _row(value: str, run: record.Run, names: list[str]) -> dict[str, Any]:
    manifest = run.teller.manifest if run.teller else {}
    numbers = {number["name"]: number for number in manifest.get("numbers", [])}
    cells = [{"text": numbers.get(n, {}).get("text", "–"), "raw": numbers.get(n, {}).get("value", "")} for n in names]
    answer = " ".join(run.causes) if run.failed else manifest.get("answer", "")
    return {
        "value": value, "href": f"{run.folder.name}/index.html", "state": words.state(run.status), "answer": answer,
        "cells": cells,
    }  # fmt: skip
