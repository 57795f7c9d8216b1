"""The two notebooks from end to end, cell by cell in this process: page, joint, snapshot, accuracy, refusal."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from made_sales import sales

from planning.forecast.joint_forecast import JointForecast
from planning.language import use

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
SETTINGS = """
[company]
name = "Made"
[calendar]
holidays = "DE"
[plan]
by = ["region", "line"]
[sources.sales]
path = "sales.csv"
[sources.adjustments]
path = "adjustments.csv"
[sources.locks]
path = "locks.csv"
"""
LOCKS = """lock_id,author,made_on,region,line,from,to,amount,reason,evidence
L1,Board,2026-12-07,North,Valves,2027-01-01,2027-12-31,13000,contract,signed
"""
ADJUSTMENTS = """adjustment_id,author,made_on,region,line,from,to,percent,amount,reason,evidence,expires
A1,Head of North,2026-09-01,North,,2026-10-01,2027-12-31,5,,campaign,order,2027-12-31
A2,Head of South,2026-12-05,South,Valves,2027-01-01,2027-12-31,,-900,account lost,notice,2027-12-31
"""


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    (tmp_path / "workbench.toml").write_text(SETTINGS)
    (tmp_path / "adjustments.csv").write_text(ADJUSTMENTS)
    (tmp_path / "locks.csv").write_text(LOCKS)
    sales().to_csv(tmp_path / "sales.csv", index=False)
    shutil.copytree(NOTEBOOKS, tmp_path / "notebooks")
    monkeypatch.setenv("PLANNING_WORKSPACE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PLANNING_STEP", raising=False)
    return tmp_path


def run(workspace: Path, name: str, **parameters) -> dict:
    """Executes the notebook's cells with these parameters and returns the manifest it left."""
    cells = json.loads((workspace / "notebooks" / f"{name}.ipynb").read_text("utf-8"))["cells"]
    names: dict = {}
    with use("en"):
        for cell in cells:
            if cell["cell_type"] != "code":
                continue
            exec(compile("".join(cell["source"]), name, "exec"), names)
            if "parameters" in cell["metadata"].get("tags", []):
                names.update(parameters)
    return json.loads((workspace / "reports" / ".by-hand" / name / "manifest.json").read_text("utf-8"))


def test_a_forecast_is_made_kept_changed_and_judged(workspace):
    sales(57).to_csv(workspace / "sales.csv", index=False)  # to September 2026
    first = run(workspace, "demand_forecast", year=2027, rounds=1)
    assert first["state"] == "ok" and "in 2027" in first["answer"]
    assert "first forecast kept" in first["sentences"]["finding_changes"]
    sales().to_csv(workspace / "sales.csv", index=False)
    second = run(workspace, "demand_forecast", year=2027, rounds=1)
    assert "Since 30 Sep 2026" in second["sentences"]["finding_changes"]
    assert "2 adjustments move 2027" in second["sentences"]["finding_adjusted"]
    assert "1 figure is fixed at €13" in second["sentences"]["finding_fixed"]
    folder = workspace / "reports" / ".by-hand" / "demand_forecast"
    steps = pd.read_parquet(folder / second["tables"]["steps"]["parquet"])["expected"]
    assert steps[1] != steps[0] and steps[2] != steps[1]
    joint = JointForecast.load(folder / second["objects"]["joint"]["folder"])
    growth = pd.read_parquet(folder / second["tables"]["growth"]["parquet"])
    assert joint.periods[-1] == pd.Timestamp("2027-12-01")
    held = joint.mean[joint.cells["unique_id"] == "North/Valves"].sum()
    assert held == pytest.approx(13000) and growth["expected"].iloc[0] == pytest.approx(steps[0])
    assert {"last_year", "expected", "growth", "lo80", "hi80"} <= set(growth.columns)
    assert sorted(path.name for path in (workspace / "forecasts").iterdir()) == ["2026-09-30", "2026-12-31"]
    accuracy = run(workspace, "forecast_accuracy", rounds=2, every=3)
    assert accuracy["state"] == "ok" and "kept forecasts: 1;" in accuracy["lede"]
    kept = pd.read_parquet(workspace / "reports/.by-hand/forecast_accuracy" / accuracy["tables"]["kept"]["parquet"])
    assert kept["met"].tolist() == [3, 0]


def test_a_forecast_made_with_hindsight_is_not_kept_and_says_so(workspace):
    page = run(workspace, "demand_forecast", as_of=pd.Timestamp("2026-09-30").date(), year=2027, rounds=0)
    assert "later sales than 30 Sep 2026 are known" in page["sentences"]["finding_not_kept"]
    assert not (workspace / "forecasts").exists()


def test_the_page_in_chinese_has_no_english_sentence(workspace):
    page = run(workspace, "demand_forecast", language="zh", rounds=0, keep=False)
    said = [*page["sentences"].values(), *(number["label"] for number in page["numbers"])]
    assert all(any("\u4e00" <= sign <= "\u9fff" for sign in text) for text in said if text)
    assert not (workspace / "forecasts").exists()


def test_a_history_too_short_is_a_page_that_says_so(workspace):
    sales(9).to_csv(workspace / "sales.csv", index=False)
    page = run(workspace, "demand_forecast")
    assert page["state"] == "cannot_tell" and "12 are needed" in page["lede"]
    assert page["objects"] == {} and not (workspace / "forecasts").exists()
    assert run(workspace, "forecast_accuracy")["state"] == "cannot_tell"
