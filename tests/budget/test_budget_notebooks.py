"""The notebooks of the budget, cell by cell as a person runs them by hand, in a workspace of their own."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from planning import language
from planning.budget.simulate import simulate_world

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
CONFIG = """
[company]
name = "Acme"
currency = "EUR"
"""


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    world = simulate_world(3, regions=4, lines=3, periods=156)
    sales = world.outcome.rename(columns={"period": "ds", "outcome": "amount"})
    sales = sales.assign(line="Pumps", customer_type="OEM", margin=(sales["amount"] * 0.4).round(2))
    sales.to_csv(tmp_path / "sales.csv", index=False)
    world.spend.to_csv(tmp_path / "spend.csv", index=False)
    (tmp_path / "workbench.toml").write_text(CONFIG + '\n[sources.sales]\npath = "sales.csv"\n', "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PLANNING_WORKSPACE", str(tmp_path))
    yield tmp_path
    language.set_language("en")


def run_by_hand(root: Path, notebook: str, **parameters) -> tuple[dict, Path]:
    """Runs the code cells of a notebook with other parameters; returns its manifest and its results folder."""
    cells = json.loads((NOTEBOOKS / f"{notebook}.ipynb").read_text("utf-8"))["cells"]
    (root / "notebooks").mkdir(exist_ok=True)
    (root / "notebooks" / f"{notebook}.ipynb").write_text((NOTEBOOKS / f"{notebook}.ipynb").read_text("utf-8"), "utf-8")
    names: dict = {}
    for cell in cells:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), notebook, "exec"), names)
            if "parameters" in cell["metadata"].get("tags", []):
                names.update(parameters)
    folder = root / "reports" / ".by-hand" / notebook
    return json.loads((folder / "manifest.json").read_text("utf-8")), folder


def add_source(root: Path, name: str, file: str) -> None:
    with (root / "workbench.toml").open("a", encoding="utf-8") as config:
        config.write(f'\n[sources.{name}]\npath = "{file}"\n')


@pytest.mark.parametrize("notebook", ["regional_budget", "pilot_test"])
def test_without_spend_the_page_says_what_to_supply(workspace, notebook):
    manifest, _folder = run_by_hand(workspace, notebook, language="zh")
    assert manifest["state"] == "cannot_tell" and not manifest["charts"]
    assert "[sources.spend]" in manifest["cannot_tell"][0]["answer"]


def test_the_budget_of_the_year_is_kept_and_compared(workspace):
    add_source(workspace, "spend", "spend.csv")
    first, folder = run_by_hand(workspace, "regional_budget", language="zh")
    assert first["state"] == "ok" and set(pd.read_parquet(folder / "tables/allocation.parquet")["verdict"]) <= {
        "raise", "cut", "keep", "test",
    }  # fmt: skip
    second, folder = run_by_hand(workspace, "regional_budget", change=0.1, phasing="season", shock=-20.0, move=0.03)
    versions = list((workspace / "plans/2028/budget/versions").glob("*.json"))
    assert len(versions) == 2 and "against version" in second["sentences"]["version"]
    changes = pd.read_parquet(folder / "tables/changes.parquet")
    total = changes[changes["level"] == "total"].iloc[0]
    assert total["change"] == pytest.approx(0.1 * total["before"], abs=0.6)  # whole cents a week
    rows = pd.read_parquet(folder / "tables/budget_rows.parquet")
    cents = (rows[["q1", "q2", "q3", "q4", "year"]] * 100).round().astype(int)
    assert (cents.iloc[:, :4].sum(axis=1) == cents["year"]).all() and not np.allclose(rows["q1"], rows["q2"])
    assert pd.read_parquet(folder / "tables/move_options.parquet")["share"].tolist() == [0.02, 0.03, 0.05, 0.1]
    assert "costs" in next(s["why"] for s in second["sections"] if s["name"] == "moves")
    assert (folder / "files/budget.xlsx").is_file()
