"""A real browser for the pages: the distribution's Chromium driven by playwright; skipped where there is none."""

import importlib.util
from pathlib import Path

import pytest

from planning.reports import pdf

_REPORTS = Path(__file__).resolve().parents[1] / "reports" / "made_run.py"


@pytest.fixture(scope="session")
def chromium():
    """One browser for all tests; each test opens its own context."""
    path = pdf.chromium()
    if path is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=path, args=["--disable-quic", "--no-first-run", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A reports folder with three runs and a gallery of many, as files."""
    from planning.reports import gallery, pages

    spec = importlib.util.spec_from_file_location("made_run", _REPORTS)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    reports = tmp_path_factory.mktemp("site")
    for folder in (
        made.make_run(reports, evil=True),
        made.make_run(reports, "20270109T061204Z-4be19d", status="failed"),
        made.make_run(reports, "20270107T061204Z-4be19e", tongue="zh"),
    ):
        pages.render_run(folder)
    made.make_old_runs(reports, 120)
    gallery.update(reports, tongue="en")
    return reports


@pytest.fixture
def open_page(chromium, site):
    """Opens a page of the site; fails the test on any console message, error, or request that leaves the file."""
    contexts, complaints = [], []

    def open_(name, *, width=1280, dark=False, script=True):
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            java_script_enabled=script,
            accept_downloads=True,
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        name, _hash, anchor = name.partition("#")
        own = (site / name).as_uri()
        page.on("request", lambda request: complaints.append(request.url) if _foreign(request.url, own) else None)
        page.goto(f"{own}#{anchor}" if anchor else own)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert complaints == []


def _foreign(url, own):
    return not (url.split("#")[0] == own or url.startswith(("data:", "blob:")))
