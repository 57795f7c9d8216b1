"""One run a value: every run its own, one index page, nothing left behind; on a real Dask cluster as well."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import psutil
import pytest

from planning.errors import UsageError
from planning.runs import launch, registry

PARAMETERS = """from typing import Literal
region: Literal["North", "South"] = "North"  # part of the country
n: int = 1  # rows"""
CELL = """p = step.parameters
assert p.region != "Bad"
step.number("n", len(p.region), label="Letters", text=str(len(p.region)))"""


def test_each_choice_gets_its_run_and_one_page_lists_them(workspace, quick):
    workspace.notebook("first", CELL, parameters=PARAMETERS)
    found = launch.start_each("first", "region", jobs=2)
    assert [(r["each"]["value"], r["status"]) for r in found["runs"]] == [("North", "ok"), ("South", "ok")]
    page = Path(found["page"]).read_text(encoding="utf-8")
    assert "2 of 2 runs are finished" in page
    assert all(f'href="{Path(r["folder"]).name}/index.html"' in page for r in found["runs"])
    assert registry.latest_results(workspace.reports, "first") is None, "a fan-out is not the latest result by hand"
    assert (workspace.reports / "index.html").is_file()


def test_values_may_be_named_and_a_failed_one_is_told(workspace, quick, no_pages):
    workspace.notebook("first", CELL, parameters=PARAMETERS.replace('Literal["North", "South"]', "str"))
    found = launch.start_each("first", "region=North, Bad", jobs=2)
    assert [record["status"] for record in found["runs"]] == ["ok", "failed"]
    assert "A person is needed for Bad" in Path(found["page"]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("each", "words"),
    [("regoin", "Did you mean 'region'"), ("n", "Name them"), ("region=North,West", "one of: North, South")],
)
def test_all_values_are_checked_before_the_first_run(workspace, quick, each, words):
    workspace.notebook("first", CELL, parameters=PARAMETERS)
    with pytest.raises(UsageError, match=words):
        launch.start_each("first", each)
    assert registry.folders(workspace.reports) == []


def test_many_runs_leave_no_process_and_no_file_open(workspace, quick, no_pages):
    workspace.notebook("first", CELL, parameters=PARAMETERS.replace('Literal["North", "South"]', "str"))
    launch.start_each("first", "region=a,b", jobs=2)
    here = psutil.Process()
    files, children = here.num_fds(), len(here.children(recursive=True))
    found = launch.start_each("first", "region=" + ",".join(f"r{i}" for i in range(12)), jobs=2)
    assert [record["status"] for record in found["runs"]] == ["ok"] * 12
    assert here.num_fds() <= files + 2 and len(here.children(recursive=True)) <= children
    assert os.listdir(workspace.reports / ".locks") == []


@pytest.mark.parametrize("engine", ["local", "dask"])
def test_a_signal_ends_every_run_and_names_those_that_never_began(workspace, engine, alive):
    """Four values, two at once: the two at work end as interrupted with all they had started, the others are named."""
    import json
    import signal
    import subprocess
    import sys
    import time

    workspace.configure('[run]\nkernel = "cold"\n')
    child = "subprocess.Popen(['/bin/sleep', '600'], start_new_session=True)"
    cell = f"import subprocess, time\nprint({child}.pid, flush=True)\ntime.sleep(300)"
    workspace.notebook("slow", cell)
    words = ["run", "slow", "--each", "n=1,2,3,4", "--jobs", "2", "--json"]
    with contextlib.ExitStack() as stack:
        if engine == "dask":
            from distributed import LocalCluster

            options = {"threads_per_worker": 2, "processes": False, "dashboard_address": None, "protocol": "tcp"}
            cluster = stack.enter_context(LocalCluster(n_workers=1, **options))
            words += ["--engine", "dask://" + cluster.scheduler_address.removeprefix("tcp://")]
        planning = [sys.executable, "-c", "from planning.cli import main; main()", *words]
        started = subprocess.Popen(planning, cwd=workspace.root, stdout=subprocess.PIPE, text=True)
        deadline, said = time.monotonic() + 90, []
        while len(said) < 2 and time.monotonic() < deadline:
            time.sleep(0.2)
            said = [log for log in workspace.reports.glob("slow/.partial-*/logs/slow.log") if log.read_text().strip()]
        pids = [int(log.read_text()) for log in said]
        assert len(pids) == 2 and all(map(alive, pids))
        started.send_signal(signal.SIGTERM)
        out, _err = started.communicate(timeout=60)
    found = json.loads(out)
    assert started.returncode == 3 and [run["status"] for run in found["runs"]] == ["interrupted"] * 2
    assert "by SIGTERM" in found["runs"][0]["error"]["message"]
    assert sorted([run["each"]["value"] for run in found["runs"]] + found["not_run"]) == ["1", "2", "3", "4"]
    assert not any(map(alive, pids)) and os.listdir(workspace.reports / ".locks") == []


def test_a_dask_cluster_makes_the_same_runs(workspace, no_pages, monkeypatch):
    from distributed import LocalCluster

    monkeypatch.setenv("PYTHONWARNINGS", "ignore")
    workspace.notebook("first", CELL, parameters=PARAMETERS)
    options = {"threads_per_worker": 1, "processes": False, "dashboard_address": None, "protocol": "tcp"}
    with LocalCluster(n_workers=1, **options) as cluster:
        engine = "dask://" + cluster.scheduler_address.removeprefix("tcp://")
        found = launch.start_each("first", "region", engine=engine)
    assert [(r["each"]["value"], r["status"]) for r in found["runs"]] == [("North", "ok"), ("South", "ok")]
    with pytest.raises(UsageError, match="write local or dask://"):
        launch.start_each("first", "region", engine="spark")
