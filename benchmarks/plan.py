"""How long the two commands take, and how much they weigh: the figures of issue-sized promises, printed.

    python benchmarks/plan.py             in this checkout: second run of the flow, --help, check, size of .venv
    python benchmarks/plan.py --clone     as well from a fresh clone in an empty folder with an empty HOME

Wall seconds and the peak memory of the process tree (proportional set size, sampled from /proc).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIMITS = {"plan from nothing": 240, "second run": 45, "help": 0.5, "check": 3}


def tree_memory(pid: int) -> int:
    """Returns the proportional set size of a process and its children, in bytes."""
    pids, todo = [], [pid]
    while todo:
        here = todo.pop()
        pids.append(here)
        try:
            for task in os.listdir(f"/proc/{here}/task"):
                todo += map(int, Path(f"/proc/{here}/task/{task}/children").read_text().split())
        except OSError:
            continue
    total = 0
    for here in pids:
        try:
            text = Path(f"/proc/{here}/smaps_rollup").read_text()
        except OSError:
            continue
        total += sum(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))
    return total


def timed(command: list[str], cwd: Path, env: dict[str, str] | None = None) -> tuple[float, float]:
    """Runs a command; returns wall seconds and peak memory in MB. Ends the benchmark when it fails."""
    peak = 0
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.extend(process.stderr), daemon=True)
    reader.start()
    while process.poll() is None:
        peak = max(peak, tree_memory(process.pid))
        time.sleep(0.2)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{' '.join(command)} failed with {process.returncode}: {''.join(errors[-5:])}")
    return seconds, peak / 1e6


def show(name: str, seconds: float, memory: float) -> None:
    limit = LIMITS.get(name)
    print(f"{name:<20} {seconds:8.2f} s   limit {limit} s   peak {memory:6.0f} MB")


def from_nothing() -> None:
    """Clones the checkout into an empty folder with an empty HOME and makes the plan there."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        subprocess.run(["git", "clone", "--quiet", str(ROOT), f"{folder}/clone"], check=True)
        env = {key: value for key, value in os.environ.items() if not key.startswith(("VIRTUAL_ENV", "PYTHON"))}
        show("plan from nothing", *timed(["make", "plan"], Path(folder) / "clone", env | {"HOME": str(home)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clone", action="store_true")
    if parser.parse_args().clone:
        from_nothing()
    planning = str(ROOT / ".venv" / "bin" / "planning")
    timed([planning, "run", "annual_plan", "--force"], ROOT)
    show("second run", *timed([planning, "run", "annual_plan", "--force"], ROOT))
    show("unchanged inputs", *timed([planning, "run", "annual_plan"], ROOT))
    show("help", *timed([planning, "--help"], ROOT))
    show("check", *timed([planning, "check"], ROOT))
    size = sum(path.lstat().st_size for path in (ROOT / ".venv").rglob("*") if not path.is_symlink())
    print(f"{'.venv':<20} {size / 1e6:8.0f} MB  (with the packages of the tests, where they are installed)")


if __name__ == "__main__":
    main()
