"""`planning lab`: pages behind the login with downloads, sources saved without outputs, no question asked."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from planning.cli import lab
from planning.whatif import lab_pages, links


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A running JupyterLab on a small workspace: its address with the token apart."""
    root = tmp_path_factory.mktemp("lab")
    (root / "workbench.toml").write_text("")
    (root / "notebooks").mkdir()
    (root / "reports" / "flow").mkdir(parents=True)
    (root / "reports" / "flow" / "page.html").write_text("<p>the page")
    (root / "reports" / ".locks").mkdir()
    (root / "reports" / ".locks" / "x").write_text("hidden")
    words = [*lab.arguments(root, None, True), "--ServerApp.port=0", f"--ServerApp.preferred_dir={root}"]
    environment = {**os.environ, **lab.environment(root), "JUPYTER_RUNTIME_DIR": str(root / "runtime")}
    log = (root / "log").open("w+")
    started = subprocess.Popen(words, cwd=root, env=environment, stderr=log, stdout=log, start_new_session=True)
    try:
        yield root, *_address(root / "log")
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()
        log.close()


def _address(log):
    for _ in range(300):
        found = re.search(r"(http://127\.0\.0\.1:\d+)/\S*token=(\w+)", log.read_text())
        if found:
            return found[1], found[2]
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def _get(address, token="", data=None):
    headers = {"Authorization": f"token {token}"} if token else {}
    request = urllib.request.Request(address, data=data, headers=headers, method="PUT" if data else "GET")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read().decode(), dict(answer.headers)


def test_a_page_opens_behind_the_login_apart_from_the_server_and_may_save_files(server):
    _root, address, token = server
    text, headers = _get(address + links.PAGES + "flow/page.html", token)
    assert text == "<p>the page" and headers["Content-Type"].startswith("text/html")
    policy = headers["Content-Security-Policy"]
    assert "sandbox allow-scripts allow-downloads" in policy and "allow-same-origin" not in policy
    without, _headers = _get(address + links.PAGES + "flow/page.html")
    assert "the page" not in without, "whoever is not logged in is sent to the login"


@pytest.mark.parametrize("path", [".locks/x", "../workbench.toml", "%2e%2e/workbench.toml", "flow/none.html"])
def test_nothing_hidden_and_nothing_outside_the_reports_is_served(server, path):
    _root, address, token = server
    with pytest.raises(urllib.error.HTTPError) as caught:
        _get(address + links.PAGES + path, token)
    assert caught.value.code in (403, 404)


def test_nobody_is_asked_about_news(server):
    _root, address, token = server
    text, _headers = _get(address + "/lab/api/settings/@jupyterlab/apputils-extension:notification", token)
    assert '"fetchNews": "false"' in json.dumps(json.loads(text)["schema"]) or '"default": "false"' in text


def test_a_notebook_is_saved_as_a_source(server):
    root, address, token = server
    cell = {"cell_type": "code", "source": "1", "metadata": {}, "execution_count": 3, "id": "a",
            "outputs": [{"output_type": "stream", "name": "stdout", "text": "1"}]}  # fmt: skip
    content = {"cells": [cell], "metadata": {"widgets": {"x": 1}}, "nbformat": 4, "nbformat_minor": 5}
    model = json.dumps({"type": "notebook", "format": "json", "content": content}).encode()
    _get(address + "/api/contents/notebooks/mine.ipynb", token, model)
    kept = json.loads((root / "notebooks" / "mine.ipynb").read_text())
    assert kept["cells"][0]["outputs"] == [] and kept["cells"][0]["execution_count"] is None
    assert "widgets" not in kept["metadata"]


def test_a_notebook_elsewhere_keeps_its_outputs():
    cell = {"cell_type": "code", "source": "1", "metadata": {}, "execution_count": 3, "outputs": ["kept"]}
    content = {"cells": [cell], "metadata": {"widgets": {}}}
    for path, kind in [("scratch/a.ipynb", "notebook"), ("notebooks/a.txt", "file")]:
        lab_pages.without_outputs({"type": kind, "content": content}, path)
    assert cell["outputs"] == ["kept"] and cell["execution_count"] == 3


def test_the_command_listens_on_this_machine_only(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "home.ipynb").write_text("{}")
    words = lab.arguments(tmp_path, 8899, True)
    assert words[0] == sys.executable and "--ServerApp.ip=127.0.0.1" in words and "--ServerApp.port=8899" in words
    assert "--LabApp.default_url=/lab/tree/notebooks/home.ipynb" in words and "--no-browser" in words
