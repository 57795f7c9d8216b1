"""Runs against plain papermill, once a notebook, in the same minutes on the same machine.

    python benchmarks/runs.py                 flow, reuse, pages, memory, fan-out, kill -9
    python benchmarks/runs.py --only flow     one of: flow, reuse, fanout, kill

Prints wall and CPU seconds of the flow `annual_plan` run by `papermill` once a notebook, and by `planning run --force`
with warm kernels; the ratio is what counts, since other work on the machine moves both. CPU is that of the whole
process tree (rusage of waited children). papermill pays most where Python may not keep compiled modules
(PYTHONDONTWRITEBYTECODE, as in containers), which is said in the first line; to see the other case as well:

    env -u PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX=/tmp/bytecode python benchmarks/runs.py --only flow
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PLANNING = [sys.executable, "-c", "from planning.cli import main; main()"]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def timed(words: list[str], folder: Path, **options) -> tuple[float, float, float]:
    """Runs a command; returns wall seconds, CPU seconds of its tree, and the peak of the tree's memory in MB (PSS)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    process = subprocess.Popen(words, cwd=folder, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak: list[float] = [0.0]
    watcher = threading.Thread(target=_watch, args=(process.pid, peak), daemon=True)
    watcher.start()
    errors = process.stderr.read().decode()
    if process.wait() not in options.get("codes", (0,)):
        raise SystemExit(f"{' '.join(words)} failed:\n{errors}")
    wall = time.monotonic() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    watcher.join()
    return wall, cpu, peak[0]


def _watch(pid: int, peak: list[float]) -> None:
    """Samples the memory of a process tree twice a second until it ends."""
    while psutil.pid_exists(pid):
        total = 0.0
        try:
            root = psutil.Process(pid)
            for one in [root, *root.children(recursive=True)]:
                total += one.memory_full_info().pss / 1e6
        except psutil.Error:
            pass
        peak[0] = max(peak[0], total)
        time.sleep(0.5)


def make_workspace(folder: Path) -> Path:
    """Returns a workspace with the sample company, the shipped notebooks and settings."""
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    shutil.copy(ROOT / "workbench.toml", folder)
    (folder / "data").mkdir()
    subprocess.run(
        [*PLANNING, "sample", "data/sample"], cwd=folder, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL
    )
    return folder


def flow(folder: Path) -> None:
    """The flow by plain papermill, notebook by notebook, against one forced run with warm kernels."""
    timed([*PLANNING, "run", "annual_plan"], folder)  # compiled code is in its cache for both
    steps = [s["notebook"] for s in last_run(folder)["steps"]]
    wall = cpu = 0.0
    for name in steps:
        target = folder / f"{name}.out.ipynb"
        words = [str(BIN / "papermill"), "--no-progress-bar", "--cwd", str(folder / "notebooks")]
        one = timed([*words, str(folder / "notebooks" / f"{name}.ipynb"), str(target)], folder)
        wall, cpu = wall + one[0], cpu + one[1]
    print(f"papermill, once a notebook   {wall:7.1f} s wall  {cpu:7.1f} s CPU")
    tries = [timed([*PLANNING, "run", "annual_plan", "--force"], folder) for _ in range(3)]
    # papermill's six starts even themselves out; one run of ours would not.
    ours = sorted(tries, key=lambda one: one[1])[1]
    record = last_run(folder)
    spread = ", ".join(f"{cpu:.1f}" for _wall, cpu, _peak in tries)
    print(f"planning run --force         {ours[0]:7.1f} s wall  {ours[1]:7.1f} s CPU  {record['kernel']}, of {spread}")
    print(f"  ratio                      {wall / ours[0]:7.2f} x faster  CPU {ours[1] / cpu:.2f} x  (goal 4 x, 0.25 x)")
    inside = sum(step["cpu_seconds"] for step in record["steps"])
    print(f"  of which inside notebooks  {inside:7.1f} s CPU; peak memory of the tree {ours[2]:.0f} MB (goal 1000)")
    bare = overhead(folder)
    print(f"  without the notebooks' own work: papermill {cpu - bare:.1f} s, planning {ours[1] - bare:.1f} s CPU, "
          f"ratio {(ours[1] - bare) / max(cpu - bare, 1e-9):.2f}")  # fmt: skip


def overhead(folder: Path) -> float:
    """CPU seconds the notebooks' own computation takes: their code in one process with everything imported."""
    code = (
        "import json, sys, time, resource\n"
        "from planning.runs import imports, kernels, zygote\n"
        "from pathlib import Path\n"
        "paths = [Path(p) for p in sys.argv[1:]]\n"
        "late = imports.known(Path('../reports'), [p.stem for p in paths])\n"
        "zygote.preload([*kernels.preload_for(paths), *late])\n"
        "start = time.process_time()\n"
        "for path in paths:\n"
        "    names = {'__name__': '__main__'}\n"
        "    for cell in json.loads(path.read_text())['cells']:\n"
        "        if cell['cell_type'] == 'code': exec(''.join(cell['source']), names)\n"
        "print(time.process_time() - start)\n"
    )
    steps = [s["notebook"] for s in last_run(folder)["steps"]]
    paths = [str(folder / "notebooks" / f"{name}.ipynb") for name in steps]
    out = subprocess.run(
        [sys.executable, "-c", code, *paths],
        cwd=folder / "notebooks",
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(out.stdout.split()[-1])


def reuse(folder: Path) -> None:
    """The same flow again with nothing changed, the seconds a page takes, and the runner's own memory."""
    for _ in range(2):  # the first run of a workspace drafts families.toml, which is an input of the second
        timed([*PLANNING, "run", "annual_plan"], folder)
    wall, cpu, peak = timed([*PLANNING, "run", "annual_plan"], folder)
    record = last_run(folder)
    kinds = {step["status"] for step in record["steps"]}
    print(f"unchanged flow, reused       {wall:7.2f} s wall  {cpu:7.2f} s CPU  (goal 2)  {kinds}")
    print(f"runner's own memory          {peak:7.0f} MB (goal 150)")
    code = (
        "import sys, time\nfrom planning.reports.pages import render_step, render_run\n"
        "from planning.reports import record\nrun = record.read_run(sys.argv[1])\nrender_run(sys.argv[1])\n"
        "for step in run.steps:\n    t = time.process_time()\n    render_step(sys.argv[1], step.notebook)\n"
        "    print(step.notebook, round(1000 * (time.process_time() - t)))\n"
    )
    out = subprocess.run([sys.executable, "-c", code, record["folder"]], capture_output=True, text=True, check=True)
    print("pages, ms CPU each (goal 50):", ", ".join(out.stdout.strip().splitlines()))


def last_run(folder: Path) -> dict:
    """Returns the record of the latest run."""
    out = subprocess.run(
        [*PLANNING, "show", "latest", "--json"], cwd=folder, capture_output=True, text=True, check=True
    )
    return json.loads(out.stdout)


def tiny(folder: Path, cell: str) -> None:
    """Writes a workspace of one small notebook."""
    (folder / "notebooks").mkdir(parents=True)
    (folder / "workbench.toml").write_text('[run]\nkernel = "warm"\n[flows.f]\nsteps = ["tiny"]\n')
    sources = [
        ('value: str = "a"', ["parameters"]),
        ("from planning.runs.step import begin\nstep = begin(globals(), \"tiny\")", []),
        (cell, []),
        ('step.answer("Done")\nstep.finish()', []),
    ]  # fmt: skip
    cells = [
        {
            "cell_type": "code",
            "id": f"c{i}",
            "metadata": {"tags": tags},
            "source": s,
            "outputs": [],
            "execution_count": None,
        }
        for i, (s, tags) in enumerate(sources)
    ]
    spec = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": spec, "nbformat": 4, "nbformat_minor": 5}
    (folder / "notebooks" / "tiny.ipynb").write_text(json.dumps(notebook))


def fanout(folder: Path, n: int = 200) -> None:
    """`n` runs of one notebook; what is left of processes, files and locks afterwards."""
    tiny(folder / "fan", "x = 1")
    code = (
        "import json, os, psutil, time\nfrom planning.runs import launch\n"
        "launch.start_each('tiny', 'value=x,y', jobs=2)\nhere = psutil.Process()\nfds = here.num_fds()\n"
        f"values = ','.join(f'v{{i}}' for i in range({n}))\nt = time.monotonic()\n"
        "found = launch.start_each('tiny', 'value=' + values, jobs=2)\n"
        "ok = sum(r['status'] == 'ok' for r in found['runs'])\n"
        "print(json.dumps([ok, here.num_fds() - fds, len(here.children(recursive=True)), os.listdir('reports/.locks'),"
        " time.monotonic() - t]))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=folder / "fan", env=ENVIRONMENT, capture_output=True, text=True
    )
    ok, files, children, locks, seconds = json.loads(out.stdout.splitlines()[-1])
    left = f"files left {files}, processes {children}, locks {locks}"
    print(f"fan-out                      {ok} of {n} ok in {seconds:.0f} s; {left}")


def kill(folder: Path, n: int = 50) -> None:
    """kill -9 at random moments: whatever is shown as finished is whole, and nothing finished before is lost."""
    place = folder / "kill"
    tiny(place, "import time\ntime.sleep(0.3)")
    rng = random.Random(7)
    subprocess.run([*PLANNING, "run", "f"], cwd=place, env=ENVIRONMENT, check=True, capture_output=True)
    whole, states = 1, {}
    for _ in range(n):
        process = subprocess.Popen(
            [*PLANNING, "run", "f", "--force"], cwd=place, env=ENVIRONMENT, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        time.sleep(rng.uniform(0.2, 6.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        out = subprocess.run(
            [*PLANNING, "runs", "--limit", "1000", "--json"], cwd=place, capture_output=True, text=True, check=True
        )
        rows = json.loads(out.stdout)
        good = [row for row in rows if row["status"] == "ok"]
        assert len(good) >= whole, "a finished run is gone"
        for row in good:
            manifest = Path(row["folder"]) / "results" / "tiny" / "manifest.json"
            assert json.loads(manifest.read_text())["answer"] == "Done", "a half written run is shown as finished"
        whole = len(good)
        states = {state: sum(row["status"] == state for row in rows) for state in {row["status"] for row in rows}}
    left = list((place / "reports").glob("*/.partial-*"))
    print(f"kill -9 at {n} moments        {states}; unfinished folders left {len(left)}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", choices=["flow", "reuse", "fanout", "kill"])
    only = parser.parse_args().only
    load = os.getloadavg()[0]
    keeps = "may not keep" if "PYTHONDONTWRITEBYTECODE" in os.environ else "keeps"
    print(f"{dt.datetime.now():%Y-%m-%d %H:%M}  {os.cpu_count()} cores, load {load:.1f}, Python {keeps} bytecode  "
          "python benchmarks/runs.py")  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if only in (None, "flow", "reuse"):
            make_workspace(folder)
        for part in (flow, reuse, fanout, kill):
            if only in (None, part.__name__):
                part(folder)


if __name__ == "__main__":
    main()
