"""Progress: a bar on a terminal, plain lines elsewhere, a panel in JupyterLab that ends with the run's page."""

from __future__ import annotations

import io
import time

from planning.runs import progress, registry


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _story(show: progress.Silent) -> None:
    show.begin("plan", "20270101T000000Z-abcdef", 2)
    show.started("first")
    show.cell("first", 1, 4)
    show.ended("first", "ok", 1.25, "An answer")
    show.started("second")
    show.ended("second", "failed", 0.5, "cell 3: no")
    show.end()


def test_a_log_gets_one_line_an_event():
    stream = io.StringIO()
    assert isinstance(progress.for_stream(stream), progress.Lines)
    _story(progress.for_stream(stream))
    assert stream.getvalue().splitlines() == [
        "plan: run 20270101T000000Z-abcdef, 2 notebooks", "first: started", "first: ok in 1.2 s: An answer",
        "second: started", "second: failed in 0.5 s: cell 3: no",
    ]  # fmt: skip


def test_a_terminal_gets_a_bar_with_notebook_and_cell(monkeypatch):
    stream = _Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    show = progress.for_stream(stream)
    assert isinstance(show, progress.Bar)
    show.begin("plan", "id", 2)
    show._bar.mininterval = 0
    show.started("first")
    show.cell("first", 2, 4)
    show._bar.refresh()
    assert "first 2/4" in stream.getvalue() and "25%" in stream.getvalue()
    show.ended("first", "ok", 1.0, "An answer")
    show.end()
    assert "first: ok in 1.0 s: An answer" in stream.getvalue()


def test_a_run_started_from_a_panel_shows_its_progress_and_links_its_page(workspace, quick, no_pages):
    from planning.whatif import panels

    workspace.notebook("first", "assert step.parameters.n == 3")
    box = panels.launch("first", root=workspace.root)
    bar, line = box.children
    deadline = time.monotonic() + 60
    while "Open its page" not in line.value and time.monotonic() < deadline:
        time.sleep(0.05)
    record = next(registry.runs(workspace.reports))
    assert bar.value == 1.0 and f"../reports/first/{record['id']}/first.html" in line.value
    assert "Done. An answer" in line.value
    refused = panels.launch("fisrt", root=workspace.root)
    while "Did you mean" not in refused.children[1].value and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "Did you mean" in refused.children[1].value
