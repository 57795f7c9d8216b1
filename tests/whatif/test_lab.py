"""`planning lab`: pages behind the login with downloads, sources saved without outputs, no question asked."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
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
        if found and _listens(found[1]):  # the address is written before the server takes its first call
            return found[1], found[2]
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def _listens(address):
    host, port = address.removeprefix("http://").split(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


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
    assert kept["metadata"] == lab_pages.SOURCE, "what JupyterLab adds of the kernel is not kept either"


def test_the_home_notebook_opens_with_what_there_is_to_do_and_unchanged(server):
    root, address, token = server
    cells = [{"cell_type": "code", "source": text, "metadata": {}, "execution_count": None, "id": f"c{i}",
              "outputs": []} for i, text in enumerate(["from planning import whatif", "whatif.show()"])]  # fmt: skip
    source = {"cells": cells, "metadata": lab_pages.SOURCE, "nbformat": 4, "nbformat_minor": 5}
    (root / "notebooks" / "home.ipynb").write_text(json.dumps(source))
    (root / "notebooks" / "other.ipynb").write_text(json.dumps(source))
    contents = f"{address}/api/contents/notebooks/"
    read = {name: json.loads(_get(f"{contents}{name}.ipynb", token)[0]) for name in ("home", "other")}
    first, second = read["home"]["content"]["cells"]
    assert first["outputs"] == [] and read["other"]["content"]["cells"][1]["outputs"] == []
    assert "planning run annual_plan" in second["outputs"][0]["data"]["text/html"] and second["metadata"]["trusted"]
    told = json.loads(_get(address + "/api/kernelspecs", token)[0])["kernelspecs"]["python3"]["spec"]["display_name"]
    assert read["other"]["content"]["metadata"]["kernelspec"]["display_name"] == told
    body = json.dumps({"type": "notebook", "format": "json", "content": read["home"]["content"]}).encode()
    _get(contents + "home.ipynb", token, body)
    assert json.loads((root / "notebooks" / "home.ipynb").read_text())["metadata"] == lab_pages.SOURCE


def test_the_kernel_s_own_words_are_those_ipykernel_says():
    asked = "import json; from ipykernel.ipkernel import IPythonKernel as K; print(json.dumps(K.language_info))"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert json.loads(said) == lab_pages._LANGUAGE


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
