"""`planning allocate` keeps its contract: columns, exact sums, summary, exit codes, one line a cause."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from planning.budget.simulate import simulate_world
from planning.cli import group

GEO = Path(__file__).parents[3] / "shared" / "data" / "spend" / "meridian_geo_all_channels.csv"
COLUMNS = ["region", "line", "current", "allocated", "lo", "hi", "marginal_return", "verdict"]
KEYS = [
    "total",
    "expected_gain",
    "expected_gain_interval",
    "expected_regret",
    "kkt_spread",
    "sum_error",
    "move_limit_forgone",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("allocate")
    world = simulate_world(2, regions=3, lines=2, periods=80)
    world.spend.to_csv(place / "spend.csv", index=False)
    world.outcome.to_csv(place / "sales.csv", index=False)
    return place


def run(*arguments):
    return CliRunner().invoke(group, ["allocate", *map(str, arguments)])


def total_of(folder):
    spend = pd.read_csv(folder / "spend.csv", parse_dates=["period"])
    last = spend[spend["period"] > spend["period"].max() - pd.Timedelta(weeks=52)]
    return round(float(last.groupby(["region", "line"])["amount"].mean().round(2).sum()), 2)


def test_the_table_and_summary_are_those_of_the_contract(folder):
    total = total_of(folder)
    result = run(
        folder / "spend.csv", "--outcome", folder / "sales.csv", "--total", total, "--out", folder / "split.csv"
    )
    assert result.exit_code == 0, result.output
    table = pd.read_csv(folder / "split.csv")
    summary = json.loads((folder / "summary.json").read_text())
    assert list(table.columns[:8]) == COLUMNS and set(KEYS) <= set(summary)
    assert (table["allocated"] * 100).round().astype(int).sum() == round(total * 100)
    assert summary["sum_error"] == 0 and summary["kkt_spread"] <= 1e-9 and summary["total"] == total
    assert (table["lo"] <= table["hi"]).all() and set(table["verdict"]) <= {"raise", "cut", "test", "keep"}
    assert ((table["allocated"] / table["current"] - 1).abs() <= 0.3 + 1e-6).all()
    raised = table["verdict"] == "raise"
    assert (table.loc[raised, "allocated"] > table.loc[raised, "current"]).all()


def test_a_strangers_table_end_to_end_says_what_it_cannot_tell(tmp_path):
    if not GEO.exists():
        pytest.skip("the reference data are not here")
    geo = pd.read_csv(GEO, index_col=0).rename(columns={"geo": "region", "time": "period"})
    channels = [c for c in geo.columns if c.endswith("_spend")]
    spend = geo.melt(["region", "period"], channels, "line", "amount")
    geo["outcome"] = geo["conversions"] * geo["revenue_per_conversion"]
    controls = ["competitor_sales_control", "sentiment_score_control", "Promo", "Organic_channel0_impression"]
    spend.to_csv(tmp_path / "spend.csv", index=False)
    geo[["period", "region", "outcome", *controls]].to_csv(tmp_path / "sales.csv", index=False)
    result = run(
        tmp_path / "spend.csv", "--outcome", tmp_path / "sales.csv", "--total", 1_373_820, "--out",
        tmp_path / "split.csv",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "cannot tell: whether the next unit of Channel3_spend" in result.stderr
    assert "return of Channel2_spend" in result.stdout
    lines = pd.DataFrame(json.loads((tmp_path / "summary.json").read_text())["lines"])
    assert len(lines) == 5 and lines["contribution"].between(lines["lo"], lines["hi"]).all()
    table = pd.read_csv(tmp_path / "split.csv")
    assert len(table) == 200 and round(table["allocated"].sum() * 100) == 137_382_000


def test_json_bounds_pilots_and_free_moves(folder):
    table = pd.read_csv(folder / "split.csv") if (folder / "split.csv").exists() else None
    bounds = pd.DataFrame(
        {"region": ["Region 1", ""], "line": ["Line A", "Line B"], "min": [100, None], "max": [None, 15000]}
    )
    bounds.to_csv(folder / "bounds.csv", index=False)
    pd.DataFrame(
        {"line": ["Line A"], "region": ["Region 2"], "x0": [1000], "x1": [2000], "delta": [900.0], "se": [200.0]}
    ).to_parquet(folder / "pilots.parquet")
    result = run(
        folder / "spend.csv", "--outcome", folder / "sales.csv", "--total", "50000.01", "--out", folder / "free.csv",
        "--bounds", folder / "bounds.csv", "--move-limit", "none", "--pilots", folder / "pilots.parquet",
        "--margin", "0.4", "--json",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    free = pd.read_csv(folder / "free.csv")
    assert round(free["allocated"].sum() * 100) == 5000001 and said["move_limit_forgone"] == 0
    assert free.loc[free["line"] == "Line B", "allocated"].sum() <= 15000.005
    assert table is None or not np.allclose(table["allocated"], free["allocated"])


@pytest.mark.parametrize(
    ("extra", "code", "words"),
    [
        (["--total", "0"], 2, "above 0"),
        (["--total", "1e9"], 1, "cannot be spent"),
        (["--total", "9000", "--move-limit", "wide"], 2, "no share"),
        (["--total", "9000", "--margin", "-1"], 2, "margin"),
        (["--total", "9000", "--out", "missing/split.csv"], 2, "no such folder"),
    ],
)
def test_wrong_use_and_impossible_budgets_exit_as_said(folder, extra, code, words):
    arguments = [folder / "spend.csv", "--outcome", folder / "sales.csv", *extra]
    result = run(*arguments, *([] if "--out" in extra else ["--out", folder / "x.csv"]))
    assert result.exit_code == code, result.output
    assert words in result.output and "Traceback" not in result.output


def test_missing_files_folders_and_wrong_contents(folder):
    options = ["--total", "9000", "--out", folder / "x.csv"]
    assert run(folder / "none.csv", "--outcome", folder / "sales.csv", *options).exit_code == 2
    assert run(folder, "--outcome", folder / "sales.csv", *options).exit_code == 2
    empty = folder / "empty.csv"
    empty.write_text("period,region,line,amount\n")
    assert run(empty, "--outcome", folder / "sales.csv", *options).exit_code == 1
    renamed = folder / "renamed.csv"
    renamed.write_text((folder / "spend.csv").read_text().replace("Region 1", "Regoin 1"))
    result = run(renamed, "--outcome", folder / "sales.csv", *options)
    assert result.exit_code == 1 and "Did you mean 'Region 1'?" in result.output
    assert not (folder / "x.csv").exists()


def test_two_currencies_over_both_tables_are_refused(folder):
    for name, currency in (("spend", "EUR"), ("sales", "USD")):
        pd.read_csv(folder / f"{name}.csv").assign(currency=currency).to_csv(
            folder / f"{name}_{currency}.csv", index=False
        )
    result = run(
        folder / "spend_EUR.csv", "--outcome", folder / "sales_USD.csv", "--total", "9000", "--out", folder / "x.csv"
    )  # fmt: skip
    assert result.exit_code == 1 and "EUR" in result.output and "USD" in result.output


def test_help_has_a_runnable_example():
    result = run("--help")
    assert result.exit_code == 0
    assert "planning allocate data/sample/spend.csv --outcome data/sample/outcome.csv" in result.output
