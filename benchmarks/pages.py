"""Pages and gallery: time of one page, of a gallery of 5,000 runs made anew, and of one run added to it.

    python benchmarks/pages.py

Limits (issue of the runs): a page in 50 ms, 5,000 runs in 2 s, one added in 0.2 s. CPU seconds are printed, since wall
time on a busy machine says little.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from planning.reports import gallery, pages, shelf

RUNS = 5000
NOTEBOOKS = ["data_check", "demand_forecast", "annual_targets", "regional_budget", "deal_postmortem", "plan_summary"]
FLOWS = ["annual_plan", "weekly_progress", "replan", "data_check", "forecast_accuracy"]


def main() -> None:
    """Prints the figures against their limits."""
    with tempfile.TemporaryDirectory() as folder:
        reports = Path(folder)
        per_page, largest = _pages(reports / "one")
        many = reports / "many"
        many.mkdir()
        _make_runs(many)
        rebuild = _cpu(lambda: gallery.update(many))
        again = _cpu(lambda: gallery.update(many))
        _make_run(many, "annual_plan", dt.datetime(2030, 1, 1), random.Random(1))
        added = _cpu(lambda: gallery.update(many))
        size = (many / "index.html").stat().st_size
        cache = (many / shelf.CACHE).stat().st_size
    rows = [
        ("one page, mean of four", per_page, 0.05), (f"gallery of {RUNS} runs from nothing", rebuild, 2.0),
        ("the same, nothing new", again, 0.2), ("one run added", added, 0.2),
    ]  # fmt: skip
    print(f"{dt.date.today()}  python benchmarks/pages.py")
    for name, seconds, limit in rows:
        print(f"{name:<36} {seconds:7.3f} s CPU   limit {limit:g} s   {'ok' if seconds <= limit else 'MISSED'}")
    print(f"largest page {largest / 1e3:.0f} kB, gallery page {size / 1e3:.0f} kB, cache {cache / 1e6:.1f} MB")


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def _pages(reports: Path) -> tuple[float, int]:
    """Returns the CPU seconds of one page of the tests' small run, and the bytes of the largest."""
    path = Path(__file__).resolve().parents[1] / "tests" / "reports" / "made_run.py"
    spec = importlib.util.spec_from_file_location("made_run", path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    folder = made.make_run(reports)
    pages.render_run(folder)
    seconds = _cpu(lambda: pages.render_run(folder))
    return seconds / 4, max(page.stat().st_size for page in folder.glob("*.html"))


def _make_runs(reports: Path) -> None:
    rng = random.Random(0)
    start = dt.datetime(2025, 1, 1)
    for i in range(RUNS):
        _make_run(reports, rng.choice(FLOWS), start + dt.timedelta(hours=3.3 * i), rng)


def _make_run(reports: Path, flow: str, when: dt.datetime, rng: random.Random) -> None:
    """Writes one run.json of the size a real one has."""
    run_id = f"{when:%Y%m%dT%H%M%SZ}-{rng.getrandbits(24):06x}"
    folder = reports / flow / run_id
    folder.mkdir(parents=True)
    failed = rng.random() < 0.03
    steps = [_step(name, rng) for name in (NOTEBOOKS if flow == "annual_plan" else [flow])]
    if failed:
        steps[-1].update(status="failed", answer="", error={"cell": 4, "message": "ValueError: sales.csv, row 12"})
    record = {
        "id": run_id, "flow": flow, "status": "failed" if failed else "ok", "seconds": 41.2, "language": "en",
        "given": {"region": rng.choice(["North", "South", "East"])}, "steps": steps, "parameters": {}, "inputs": {},
        "versions": {f"tool_{k}": "1.2.3" for k in range(13)},
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record, indent=1))


def _step(name: str, rng: random.Random) -> dict[str, object]:
    numbers = [
        {"name": f"n{k}", "label": f"Number {k}", "value": 100 * rng.random(), "text": "100", "lead": k == 0}
        for k in range(4)
    ]
    return {
        "notebook": name, "status": "ok", "title": name.replace("_", " "), "state": "ok", "seconds": 3.1, "error": None,
        "answer": "We can commit to €119.7 m and aim for €123.3 m", "parameters": {"language": "en", "year": 2027},
        "inputs": {f"table_{k}": {"sha256": "a" * 64} for k in range(4)}, "numbers": numbers,
    }  # fmt: skip


if __name__ == "__main__":
    main()
