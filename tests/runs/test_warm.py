"""The traps of forking, each with its test: no computation before it, limits, seeds, locks, source, compiled code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from planning.runs import execute, folder, kernels, warm, zygote

LIMITS = dict.fromkeys(warm.LIMITS, "1")
LIGHT = ("ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "tornado.platform.asyncio", "numpy")
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="warm kernels are for Linux")


@pytest.fixture(scope="module")
def source():
    made = kernels.WarmKernels(LIMITS, [*LIGHT, "numba"])
    yield made
    made.close()


@pytest.fixture
def say(source, tmp_path, write_notebook):
    """Runs cells in a warm kernel and returns what they printed."""

    def run(*cells: str) -> str:
        notebook = write_notebook(tmp_path / "nb.ipynb", list(cells), parameters=None)
        job = execute.Job(
            notebook, tmp_path / "out.ipynb", tmp_path / "nb.log", parameters={}, kernel=source,
            environment={"PLANNING_STEP": str(tmp_path / "s.json"), "MARK": "x"}, timeout=60,
        )  # fmt: skip
        outcome = job.run()
        assert outcome.status == "ok", outcome
        return (tmp_path / "nb.log").read_text()

    return run


def test_the_preload_imports_and_computes_nothing():
    """After the imports the process has one Python thread, and no more OS threads than limits of one allow."""
    code = (
        "import sys, json; from planning.runs import zygote, warm\n"
        "report = zygote.preload(warm.PRELOAD)\n"
        "import threadpoolctl, os\n"
        "pools = [p['num_threads'] for p in threadpoolctl.threadpool_info()]\n"
        "print(json.dumps([report, pools, len(os.listdir('/proc/self/task'))]))"
    )
    environment = {**os.environ, **LIMITS}
    out = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    report, pools, tasks = json.loads(out)
    assert report["missing"] == [] and report["threads"] == 1
    assert set(pools) <= {1} and tasks <= 2


def test_limits_stand_before_the_first_import_and_share_the_cores(monkeypatch):
    for name in warm.LIMITS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert set(warm.thread_limits(2).values()) == {"4"} and set(warm.thread_limits(16).values()) == {"1"}
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert warm.thread_limits(2)["OMP_NUM_THREADS"] == "3"


def test_linear_algebra_threads_and_processes_work_in_a_fork(say):
    said = say(
        "import numpy as np\nsquare = np.random.default_rng(0).normal(size=(300, 300))",
        "print('blas', (square @ square).shape)\nfrom concurrent.futures import ThreadPoolExecutor",
        "print('threads', list(ThreadPoolExecutor(2).map(abs, [-1, -2])))",
        "import os, subprocess, sys\nprint('mark', os.environ['MARK'], os.environ['OMP_NUM_THREADS'])",
    )
    assert "blas (300, 300)" in said and "threads [1, 2]" in said and "mark x 1" in said


def test_compiled_code_and_its_cache_work_in_a_fork(say, tmp_path):
    (tmp_path / "compiled_here.py").write_text(
        "import numba\n@numba.njit(cache=True)\ndef total(x):\n"
        "    s = 0.0\n    for v in x:\n        s += v\n    return s\n"
    )
    cell = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport numpy as np, compiled_here\n"
    cell += "print('sum', compiled_here.total(np.arange(5.0)), sum(compiled_here.total.stats.cache_hits.values()))"
    assert "sum 10.0 0" in say(cell)
    assert "sum 10.0 1" in say(cell), "the second kernel takes the compiled code from the cache"


def test_sisters_do_not_share_random_numbers_nor_state(say):
    cell = "import numpy as np, random, os\n"
    cell += "print('draw', np.random.random(), random.random(), os.environ.get('LEFT'))\n"
    cell += "np.set_printoptions(precision=1)\nos.environ['LEFT'] = 'behind'"
    first, second = say(cell), say(cell)
    assert first != second and "None" in second


def test_a_lock_is_free_when_its_holder_dies_though_a_warm_process_lives(tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path; from planning.runs import folder, warm\n"
        f"lock = folder.Lock(Path({str(tmp_path / 'l.lock')!r})); assert lock.take()\n"
        "z = warm.Zygote(['json'], {}); print(z.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.returncode == -9
    mine = folder.Lock(tmp_path / "l.lock")
    assert mine.take()
    mine.release()


def test_the_warm_process_ends_with_its_runner(alive):
    code = "import os; from planning.runs import warm\n"
    code += "z = warm.Zygote(['json'], {}); print(z.pid, flush=True); os._exit(0)"
    pid = int(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    deadline = time.monotonic() + 20
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(pid)


def test_new_source_means_a_new_warm_process(monkeypatch):
    from planning.runs import inputs

    made = kernels.WarmKernels(LIMITS, ["numpy"])
    try:
        before = made.zygote.pid
        made.manager()
        assert made.zygote.pid == before
        monkeypatch.setattr(inputs, "package_sha256", lambda: "changed")
        made.manager()
        assert made.zygote.pid != before
    finally:
        made.close()


def test_a_failed_self_test_means_cold_kernels_and_says_why(monkeypatch):
    monkeypatch.setattr(warm, "PRELOAD", ("json",))
    monkeypatch.setattr(warm.Zygote, "ready", lambda _self: (_ for _ in ()).throw(warm.WarmError("it hung")))
    made = kernels.source("warm", 1)
    try:
        assert (made.kind, made.why) == ("cold", "no warm kernels here: it hung")
    finally:
        made.close()
    monkeypatch.setattr(sys, "platform", "win32")
    assert "not tested on win32" in kernels.source("warm", 1).why


def test_a_second_kernel_takes_under_a_second_of_cpu(source, tmp_path, write_notebook):
    notebook = write_notebook(tmp_path / "nb.ipynb", ["import numpy", "print(1)"], parameters=None)
    used = []
    for _ in range(2):
        job = execute.Job(
            notebook, tmp_path / "out.ipynb", tmp_path / "nb.log", parameters={}, kernel=source,
            environment={"PLANNING_STEP": str(tmp_path / "s.json")},
        )  # fmt: skip
        used.append(job.run().cpu_seconds)
    assert used[1] < 1.0


def test_the_preload_follows_the_notebooks_imports(tmp_path, write_notebook):
    path = write_notebook(tmp_path / "n.ipynb", ["from planning import charts\nimport json\n%matplotlib inline"])
    assert "planning.charts" not in kernels.preload_for([path]), "a cell with a magic is left alone"
    path = write_notebook(tmp_path / "n.ipynb", ["from planning import charts\nimport json"])
    found = kernels.preload_for([path])
    assert {"planning.charts", "json", *warm.PRELOAD} <= set(found)
    assert zygote.preload(["no.such.module"])["missing"] and Path(path).is_file()


def test_what_a_notebook_imports_late_is_imported_before_the_next_fork(workspace, no_pages):
    """The second run's warm process has the module; one that starts a thread is forgotten, and kernels stay warm."""
    from planning.runs import imports, launch

    workspace.configure('[run]\nkernel = "warm"\n[flows.f]\nsteps = ["a", "b"]\n')
    late = "import json as _j\nimport sys\nprint('there', 'modulefinder' in sys.modules)\n__import__('modulefinder')"
    workspace.notebook("a", late)
    workspace.notebook("b", "1")
    first, second = (launch.start("f", force=True) for _ in range(2))
    said = [(Path(run["folder"]) / "logs" / "a.log").read_text() for run in (first, second)]
    assert [text.strip() for text in said] == ["there False", "there True"]
    assert "modulefinder" in imports.known(workspace.reports, ["a"]) and not imports.known(workspace.reports, ["b"])

    (workspace.root / "starts_a_thread.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    (workspace.reports / imports.FILE).write_text('{"a": ["starts_a_thread"]}')
    made = kernels.source("warm", 1, [workspace.root / "notebooks" / "a.ipynb"], reports=workspace.reports)
    try:
        assert made.kind == "warm" and imports.known(workspace.reports, ["a"]) == []
    finally:
        made.close()


def test_compiled_kernels_come_in_by_their_own_door(tmp_path):
    from planning.runs import imports

    (tmp_path / "late.json").write_text('["numba", "planning.forecast.kernels"]')
    imports.keep(tmp_path, "a", tmp_path / "late.json")
    imports.keep(tmp_path, "a", tmp_path / "nothing.json")
    assert imports.known(tmp_path, ["a", "b"]) == ["numba", "planning.forecast.compiled:kernels"]
    assert zygote.preload(["tests_of_nothing:x", "json:dumps"])["missing"][0].startswith("tests_of_nothing")


def test_no_kernel_imports_a_debugger_that_nobody_asked_for(say):
    assert say("import sys\nprint('debugpy' in sys.modules, 'pydevd' in sys.modules)") == "False False\n"
