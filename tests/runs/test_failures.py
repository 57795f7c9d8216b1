"""Every way a notebook or its runner can end, with the true status of each; cold kernels and warm ones alike."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from planning import config
from planning.runs import execute, kernels, registry, warm

PLANNING = [sys.executable, "-c", "from planning.cli import main; main()"]
PRELOAD = ("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "tornado.platform.asyncio", "numpy")

# cell → (status, words of the message, what the notebook's limits are)
TABLE = {
    "exception": ("1 / 0", "failed", "ZeroDivisionError: division by zero", {}),
    "our own error": (
        "from planning.errors import DataError\nraise DataError('sales.csv, row 7: found x. Write a number.')",
        "failed", "sales.csv, row 7: found x. Write a number.", {},
    ),
    "kill -9": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "died", "SIGKILL", {}),
    "segfault": ("import ctypes\nctypes.string_at(0)", "died", "SIGSEGV", {}),
    "exit code": ("import os\nos._exit(3)", "died", "exit code 3", {}),
    "sys.exit(1)": ("import sys\nsys.exit(1)", "failed", "SystemExit", {}),
    "sys.exit(0)": ("import sys\nsys.exit(0)", "failed", "ended itself", {}),
    "input()": ("input('name? ')", "failed", "StdinNotImplementedError", {}),
    "cell timeout": ("import time\ntime.sleep(60)", "timeout", "longer than 3 seconds", {"cell_timeout": 3}),
    "timeout": ("import time\ntime.sleep(60)", "timeout", "longer than 8 seconds", {"timeout": 8}),
    "ignores interrupts": (
        "import time, signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)",
        "timeout", "longer than 3 seconds", {"cell_timeout": 3},
    ),
    "swallows interrupts": (
        "import time\nwhile True:\n    try:\n        time.sleep(60)\n    except KeyboardInterrupt:\n        pass",
        "timeout", "longer than 3 seconds", {"cell_timeout": 3},
    ),
    "ends well": ("print('fine')", "ok", "", {}),
}  # fmt: skip


@pytest.fixture(scope="module", params=["cold", "warm"])
def source(request):
    """Kernels of either kind; the warm process imports only what these notebooks use."""
    limits = dict.fromkeys(warm.LIMITS, "1")
    made = kernels.Kernels(limits) if request.param == "cold" else kernels.WarmKernels(limits, PRELOAD)
    yield made
    made.close()


@pytest.fixture
def job(source, tmp_path, monkeypatch, write_notebook):
    """Makes a job of one failing cell between two good ones."""
    monkeypatch.setattr(execute, "GRACE", 0.7)

    def make(cell: str, **limits) -> execute.Job:
        notebook = write_notebook(tmp_path / "nb.ipynb", ["a = 1", cell, "print('after')"])
        return execute.Job(
            notebook, tmp_path / "out.ipynb", tmp_path / "nb.log", parameters={"n": 4}, kernel=source,
            environment={"PLANNING_STEP": str(tmp_path / "step.json")}, **limits,
        )  # fmt: skip

    return make


@pytest.mark.parametrize("event", TABLE)
def test_status_is_true(event, job, alive):
    cell, status, words, limits = TABLE[event]
    one = job(cell, **limits)
    outcome = one.run()
    assert outcome.status == status, outcome
    if status == "ok":
        assert outcome.error is None and "after" in one.log.read_text()
        return
    assert words in outcome.error["message"]
    assert outcome.error["cell"] == 3  # parameters, one good cell, then this one; the injected cell is not counted
    assert "after" not in one.log.read_text()
    assert one.output.is_file(), "the executed copy is kept"
    assert not alive(one.client.kernel_pid)


def test_output_is_bounded_and_said(job, monkeypatch):
    monkeypatch.setattr(execute, "CELL_OUTPUT", 200_000)
    one = job("for _ in range(50):\n    print('x' * 100_000)\nprint('end')")
    outcome = one.run()
    assert outcome.status == "ok"
    assert outcome.warnings == ["output of cell 3 was cut at 0.2 MB"]
    kept = json.loads(one.output.read_text())["cells"]
    assert [sum(len(text) for out in cell["outputs"] for text in out["text"]) for cell in kept[-2:]] == [200_000, 6]
    assert one.log.stat().st_size <= execute.NOTEBOOK_OUTPUT


@pytest.mark.parametrize(
    "cell",
    [
        "import subprocess\nsubprocess.run('yes 0123456789 | head -c 9000000', shell=True)",
        "import os\nfor _ in range(90):\n    os.write(2, b'x' * 100_000)",
        "from IPython.display import JSON, display\nfor _ in range(9):\n    display(JSON({'a': ['x' * 100] * 9000}))",
    ],
    ids=["a program", "a file descriptor", "structured"],
)
def test_output_that_passes_by_python_is_bounded_too(job, monkeypatch, cell):
    monkeypatch.setattr(execute, "CELL_OUTPUT", 200_000)
    monkeypatch.setattr(execute, "NOTEBOOK_OUTPUT", 500_000)
    one = job(cell)
    outcome = one.run()
    assert outcome.status == "ok" and any("was cut at" in warning for warning in outcome.warnings)
    assert sum(p.stat().st_size for p in (one.output, one.log, one.noise) if p.exists()) < 1_300_000
    assert "after" in one.output.read_text()


def test_nothing_the_notebook_started_lives_on(job, tmp_path, alive):
    pids = tmp_path / "pids"
    cell = (
        "import subprocess, sys\n"
        "sleeper = [sys.executable, '-S', '-c', 'import time; time.sleep(600)']\n"
        "started = [subprocess.Popen(sleeper), subprocess.Popen(sleeper, start_new_session=True)]\n"
        "started += [subprocess.Popen(sleeper, start_new_session=True, env={})]\n"
        f"open({str(pids)!r}, 'w').write(' '.join(str(p.pid) for p in started))"
    )
    assert job(cell).run().status == "ok"
    deadline = time.monotonic() + 5
    left = [int(pid) for pid in pids.read_text().split()]
    assert len(left) == 3
    while any(map(alive, left)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, left))


def test_a_daemon_without_parent_and_environment_is_ended_as_well(workspace, tmp_path, quick, no_pages, alive):
    from planning.runs import launch

    kept = tmp_path / "pid"
    shell = f"env -i setsid /bin/sleep 600 > /dev/null 2>&1 & echo $! > {kept}"
    workspace.notebook("first", f"import subprocess\nsubprocess.run({shell!r}, shell=True)")
    assert launch.start("first")["status"] == "ok"
    pid, deadline = int(kept.read_text()), time.monotonic() + 5
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid)


def test_a_job_stopped_before_it_began_never_starts_a_kernel(job):
    one = job("print(1)")
    one.stop("interrupted", "SIGTERM")
    outcome = one.run()
    assert (outcome.status, outcome.error["message"]) == ("interrupted", "was interrupted by SIGTERM.")
    assert one.client is None


# ---------------------------------------------------------------------- the runner itself is signalled


def _start(workspace, *, kernel: str = "cold") -> subprocess.Popen:
    workspace.configure(f'[run]\nkernel = "{kernel}"\n')
    child = "import subprocess\nprint(subprocess.Popen(['/bin/sleep', '600'], start_new_session=True).pid)\n"
    workspace.notebook("slow", child + "import time\nprint('sleeping', flush=True)\ntime.sleep(120)")
    return subprocess.Popen(
        [*PLANNING, "run", "slow"], cwd=workspace.root, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def _kernel_of(workspace, runner: subprocess.Popen) -> int:
    """Waits until the notebook sleeps, and returns its kernel's pid."""
    import psutil

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        logs = list(workspace.reports.glob("slow/.partial-*/logs/slow.log"))
        if logs and "sleeping" in logs[0].read_text():
            mark = str(logs[0].parent.parent / ".context" / "slow.json")
            for process in psutil.Process(runner.pid).children(recursive=True):
                if process.environ().get("PLANNING_STEP") == mark:
                    return process.pid
        time.sleep(0.1)
    raise AssertionError("the notebook did not start")


@pytest.mark.parametrize(("number", "by"), [(signal.SIGINT, "Ctrl-C (SIGINT)"), (signal.SIGTERM, "SIGTERM")])
def test_a_signal_to_the_runner_ends_the_kernel_and_is_recorded(workspace, number, by, alive):
    runner = _start(workspace)
    kernel = _kernel_of(workspace, runner)
    os.kill(runner.pid, number)
    _out, errors = runner.communicate(timeout=60)
    assert runner.returncode == 3
    assert not alive(kernel)
    record = next(registry.runs(workspace.reports))
    assert (record["status"], record["steps"][0]["status"]) == ("interrupted", "interrupted")
    assert f"slow, cell 3 interrupted: was interrupted by {by}." in errors and "Traceback" not in errors
    assert Path(record["folder"], "slow.ipynb").is_file()
    assert not alive(int(Path(record["folder"], "logs", "slow.log").read_text().split()[0]))


def test_a_killed_runner_is_found_lost_by_the_next_command(workspace, alive):
    runner = _start(workspace)
    kernel = _kernel_of(workspace, runner)
    os.kill(runner.pid, signal.SIGKILL)
    runner.communicate(timeout=60)
    assert list(registry.runs(workspace.reports)) == [], "nothing half written is shown as finished"
    listed = subprocess.run(
        [*PLANNING, "runs", "--json"], cwd=workspace.root, capture_output=True, text=True, check=True
    )
    assert [row["status"] for row in json.loads(listed.stdout)] == ["lost"]
    record = next(registry.runs(workspace.reports))
    assert record["steps"][0]["status"] == "lost"
    assert Path(record["folder"], "index.html").is_file()
    deadline = time.monotonic() + 20
    while alive(kernel) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(kernel), "the kernel sees that its runner is gone"
    assert not alive(int(Path(record["folder"], "logs", "slow.log").read_text().split()[0])), "what it had started too"


def test_a_full_disk_is_one_line_and_loses_nothing(workspace, monkeypatch, no_pages, quick):
    from planning.errors import PlanningError
    from planning.runs import folder, launch

    workspace.notebook("good")
    first = launch.start("good")
    calls = {"n": 0}
    write = folder.files.write_json

    def full(path, value):
        calls["n"] += 1
        if calls["n"] > 2:
            raise folder.UsageError(f"{path}: could not be written (No space left on device). Nothing was changed.")
        write(path, value)

    monkeypatch.setattr(folder.files, "write_json", full)
    with pytest.raises(PlanningError, match="No space left"):
        launch.start("good", force=True)
    monkeypatch.setattr(folder.files, "write_json", write)
    assert [record["id"] for record in registry.runs(workspace.reports)] == [first["id"]]
    folder.sweep(workspace.reports)
    assert {record["status"] for record in registry.runs(workspace.reports)} == {"ok", "lost"}


def test_a_full_disk_leaves_a_run_that_says_so(workspace, monkeypatch, quick):
    """A disk that fills while a notebook runs: what was held in reserve has room for the last words."""
    from planning.errors import UsageError
    from planning.runs import folder, launch

    workspace.configure('[flows.f]\nsteps = ["first", "second"]\n[run]\njobs = 1\n')
    workspace.notebook("first")
    workspace.notebook("second", more=', results={"first": ["n"]}')
    write = folder.files.write_json

    def full(path, value):
        if path.name == "run.json" and value["steps"][0]["status"] == "ok" and (path.parent / folder.RESERVE).exists():
            raise folder.UsageError(f"{path}: could not be written (No space left on device).")
        write(path, value)

    monkeypatch.setattr(folder.files, "write_json", full)
    with pytest.raises(UsageError, match="No space left"):
        launch.start("f")
    record = next(registry.runs(workspace.reports))
    assert (record["status"], [step["status"] for step in record["steps"]]) == ("failed", ["ok", "skipped"])
    assert "No space left" in Path(record["folder"], "index.html").read_text(encoding="utf-8")
    assert not Path(record["folder"], folder.RESERVE).exists() and os.listdir(workspace.reports / ".locks") == []


def test_settings_of_the_test_are_those_of_the_workspace(workspace):
    assert config.load(workspace.root).company.name == "Test"


def test_a_disk_that_refuses_the_log_is_one_line_too(workspace, monkeypatch, no_pages, quick):
    from planning.errors import UsageError
    from planning.runs import launch, runner

    def refused(*_args, **_options):
        raise OSError(28, "No space left on device")

    workspace.notebook("good")
    monkeypatch.setattr(runner.Running, "_execute", refused)
    with pytest.raises(UsageError, match="Nothing finished is lost"):
        launch.start("good")
