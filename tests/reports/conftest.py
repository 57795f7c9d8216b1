import importlib.util
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("made_run", Path(__file__).with_name("made_run.py"))
_made = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_made)


@pytest.fixture
def made():
    """The module that makes a small finished run."""
    return _made


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A reports folder with a finished, a failed and a Chinese run, pages made."""
    from planning.reports import gallery, pages

    reports = tmp_path_factory.mktemp("reports")
    folders = {
        "done": _made.make_run(reports, evil=True),
        "failed": _made.make_run(reports, "20270109T061204Z-4be19d", status="failed"),
        "zh": _made.make_run(reports, "20270107T061204Z-4be19e", tongue="zh"),
    }
    for folder in folders.values():
        pages.render_run(folder)
    gallery.update(reports)
    return folders
