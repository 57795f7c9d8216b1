"""The road of `make plan`: a new workspace, the sample company, the annual plan; here in Chinese."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

PLANNING = str(Path(sys.executable).with_name("planning"))
STEPS = ["data_check", "demand_forecast", "annual_targets", "regional_budget", "deal_postmortem", "plan_summary"]


def planning(folder: Path, *words: str) -> subprocess.CompletedProcess:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run([PLANNING, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=280)


def test_the_annual_plan_of_the_sample_company(tmp_path):
    assert planning(tmp_path, "init", "plan").returncode == 0
    folder = tmp_path / "plan"
    assert planning(folder, "sample", "data/sample").returncode == 0
    assert planning(folder, "check").returncode == 0
    done = planning(folder, "run", "annual_plan", "-p", "language=zh", "--json")
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    results = Path(record["folder"]) / "results"
    manifests = {name: json.loads((results / name / "manifest.json").read_text("utf-8")) for name in STEPS}
    for name, manifest in manifests.items():
        assert manifest["state"] == "ok", name
        assert re.search(r"[\u4e00-\u9fff]", manifest["answer"]), f"{name} does not answer in Chinese"
        page = (Path(record["folder"]) / f"{name}.html").read_text("utf-8")
        assert 'lang="zh' in page and "Content-Security-Policy" in page
        assert len(page.encode()) <= 250_000

    numbers = {number["name"]: number["value"] for number in manifests["annual_targets"]["numbers"]}
    assert 115e6 < numbers["commit"] < numbers["target"] < numbers["stretch"] < 135e6
    weights = json.loads((results / "deal_postmortem" / "manifest.json").read_text("utf-8"))["tables"]
    assert "weights" in weights
    assert (folder / "reports" / "index.html").is_file()
