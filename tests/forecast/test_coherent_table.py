"""`planning forecast --by`: coherent means and draws, every node in the report, bad tables refused whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from made_sales import sales

from planning.cli.forecast import command
from planning.errors import DataError, UsageError
from planning.forecast.coherent_table import coherent

TOURISM = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "forecasting" / "tourism_hierarchy.csv"


def table(months: int = 48) -> pd.DataFrame:
    return sales(months).rename(columns={"amount": "y"})


@pytest.fixture(scope="module")
def done():
    return coherent(table(), by=["region", "line"], horizon=4, freq="MS", spec="region")


def wide(result) -> pd.DataFrame:
    return result.frame.pivot(index="unique_id", columns="ds", values="mean")


def test_means_add_up_and_only_the_levels_asked_for_are_there(done):
    mean = wide(done)
    assert list(done.frame["unique_id"].unique()) == [
        "total", "North", "South", "North/Pumps", "North/Valves", "South/Pumps", "South/Valves",
    ]  # fmt: skip
    cells = mean.loc[[name for name in mean.index if "/" in name]]
    assert np.allclose(cells.sum(), mean.loc["total"], rtol=1e-9)
    assert np.allclose(cells.loc[["North/Pumps", "North/Valves"]].sum(), mean.loc["North"], rtol=1e-9)
    assert (done.frame["lo-95"] <= done.frame["lo-80"]).all() and (done.frame["hi-80"] <= done.frame["hi-95"]).all()


def test_the_report_names_every_node_and_each_cell_that_was_left_out():
    frame = table()
    nothing = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=9, freq="MS"), "region": "West", "line": "Pumps",
                            "y": np.nan})  # fmt: skip
    zero = nothing.assign(region="East", y=0.0)
    ended = frame[(frame["region"] == "South") & (frame["line"] == "Pumps") & (frame["ds"] < "2024-06-01")]
    rest = frame[~((frame["region"] == "South") & (frame["line"] == "Pumps"))]
    result = coherent(pd.concat([rest, ended, nothing, zero]), by=["region", "line"], horizon=3, freq="MS")
    report = result.report.set_index("unique_id")
    assert report.loc["West/Pumps", ["status", "n"]].tolist() == ["left_out", 0]
    assert report.loc["East/Pumps", "status"] == "no_demand"
    assert report.loc["South/Pumps", "status"] == "ended"
    assert report.loc["total", "reason"] == "sum of 5 cells"
    mean = wide(result)
    assert "West/Pumps" not in mean.index and (mean.loc["South/Pumps"] == 0).all()
    assert np.isfinite(mean.to_numpy()).all()


def test_the_order_of_rows_does_not_matter(done):
    again = coherent(table().sample(frac=1, random_state=4), by=["region", "line"], horizon=4, freq="MS", spec="region")
    pd.testing.assert_frame_equal(again.frame, done.frame)


def test_a_bad_table_and_wrong_keys_are_refused_with_the_way_out():
    frame = table(30)
    with pytest.raises(UsageError, match="no column 'regoin'.*Did you mean 'region'"):
        coherent(frame, by=["regoin"], horizon=2, freq="MS")
    with pytest.raises(UsageError, match="--spec names 'lin'.*Did you mean 'line'"):
        coherent(frame, by=["region", "line"], horizon=2, freq="MS", spec="lin")
    with pytest.raises(DataError, match="a second row for series 'North/Pumps'"):
        coherent(pd.concat([frame, frame.head(1)]), by=["region", "line"], horizon=2, freq="MS")
    with pytest.raises(DataError, match="is empty"):
        coherent(frame.assign(line=frame["line"].where(frame.index > 0)), by=["region", "line"], horizon=2, freq="MS")
    with pytest.raises(DataError, match="use --freq MS"):
        coherent(frame, by=["region", "line"], horizon=2, freq="W")


def test_drivers_enter_cell_by_cell_and_the_result_stays_coherent():
    frame = table(60)
    rng = np.random.default_rng(3)
    frame["promo"] = (rng.random(len(frame)) < 0.3).astype(float)
    frame["y"] *= np.exp(0.5 * frame["promo"])
    ahead = pd.MultiIndex.from_product(
        [["North", "South"], ["Pumps", "Valves"], pd.date_range("2027-01-01", periods=3, freq="MS")],
        names=["region", "line", "ds"],
    ).to_frame(index=False)
    off = coherent(frame, by=["region", "line"], horizon=3, freq="MS", future=ahead.assign(promo=0.0))
    on = coherent(frame, by=["region", "line"], horizon=3, freq="MS", future=ahead.assign(promo=1.0))
    ratio = wide(on) / wide(off)
    assert on.driven.effects.set_index("driver").loc["promo", "used"]
    assert np.allclose(ratio, np.exp(0.5), rtol=0.1)
    mean = wide(on)
    assert np.allclose(mean.loc[[n for n in mean.index if "/" in n]].sum(), mean.loc["total"], rtol=1e-9)


@pytest.mark.skipif(not TOURISM.exists(), reason="the tourism data are not beside this checkout")
def test_the_command_on_the_tourism_hierarchy_with_draws(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    frame = pd.read_csv(TOURISM).rename(
        columns={"date_time": "ds", "State": "state", "Region": "region", "Purpose": "purpose", "Trips": "y"}
    )
    frame[frame["state"].isin(["Tasmania", "Victoria"])].to_csv("tourism.csv", index=False)
    arguments = [
        "tourism.csv",
        "--by",
        "state,region,purpose",
        "--spec",
        "state; purpose; state,purpose",
        "--horizon",
        "4",
    ]
    arguments += ["--freq", "QS", "--out", "out.csv", "--draws", "50", "--draws-out", "draws", "--json"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    said = json.loads(result.output)
    draws, cells = np.load("draws/draws.npy"), pd.read_parquet("draws/cells.parquet")
    assert draws.shape == (50, len(cells), 4) and draws.dtype == np.float32
    assert list(cells.columns) == ["unique_id", "state", "region", "purpose", "level"]
    bottom = (cells["level"] == "state/region/purpose").to_numpy()
    total = (cells["unique_id"] == "total").to_numpy()
    assert np.allclose(draws[:, bottom].sum(axis=1), draws[:, total][:, 0], rtol=1e-4)
    assert said["rows"] == 4 * len(cells) == len(pd.read_csv("out.csv"))
    assert set(cells["unique_id"]) == set(pd.read_csv("out.report.csv")["unique_id"])


def test_options_that_need_another_one_are_refused(tmp_path):
    path = tmp_path / "h.csv"
    table(30).to_csv(path, index=False)
    base = [str(path), "--horizon", "2", "--freq", "MS", "--out", str(tmp_path / "o.csv")]
    for extra, words in (
        (["--spec", "region"], "--spec needs --by"),
        (["--by", "region,line", "--draws", "5"], "go together"),
        (["--by", "region,line", "--engine", "dask://h:1"], "leave it out"),
        (["--drivers", str(tmp_path / "none.csv")], "no such file"),
    ):
        result = CliRunner().invoke(command, [*base, *extra])
        assert result.exit_code == 2 and words in result.stderr
    assert not (tmp_path / "o.csv").exists()


def test_quarters_and_the_year_are_written_as_sums_of_the_months(tmp_path):
    table().to_csv(tmp_path / "in.csv", index=False)
    out = tmp_path / "out.csv"
    call = [str(tmp_path / "in.csv"), "--horizon", "12", "--freq", "MS", "--out", str(out), "--by", "region,line"]
    found = CliRunner().invoke(command, [*call, "--spec", "region", "--sums", "QS,YS"])
    assert found.exit_code == 0, found.output
    months, quarters, years = (pd.read_csv(tmp_path / name) for name in ("out.csv", "out.QS.csv", "out.YS.csv"))
    of = {name: frame.groupby("unique_id")["mean"].sum() for name, frame in (("m", months), ("q", quarters))}
    np.testing.assert_allclose(of["q"], of["m"], rtol=1e-12)
    np.testing.assert_allclose(years.set_index("unique_id")["mean"].sort_index(), of["m"], rtol=1e-12)
    whole = years.set_index("unique_id").loc["total"]
    assert whole["hi-95"] - whole["lo-95"] < (months["hi-95"] - months["lo-95"])[months["unique_id"] == "total"].sum()
    refused = CliRunner().invoke(command, [*call[:2], "5", *call[3:], "--sums", "YS"])
    assert refused.exit_code == 2 and "no whole period of YS" in refused.output
