"""`planning forecast` on files, on folders of parts, and on a Dask cluster whose worker dies."""

import json
import os
import signal

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from planning.cli.forecast import command
from planning.forecast import parts

RNG = np.random.default_rng(2)


def history(count=24, n=40):
    ds = pd.date_range("2023-01-01", periods=n, freq="MS")
    frames = []
    for k in range(count):
        y = 50 + k + 10 * np.sin(np.arange(n) * np.pi / 6) + RNG.normal(0, 3, n)
        frames.append(pd.DataFrame({"unique_id": f"{k:05d}/北", "ds": ds, "y": y.round(3)}))
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def table():
    return history()


@pytest.fixture
def folder(tmp_path, table):
    source = tmp_path / "in"
    source.mkdir()
    names = sorted(table["unique_id"].unique())
    for k in range(6):
        table[table["unique_id"].isin(names[k * 4 : k * 4 + 4])].to_parquet(source / f"part-{k}.parquet", index=False)
    return source


def call(*arguments):
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def test_a_csv_becomes_a_csv_and_a_report(tmp_path, table):
    source, out = tmp_path / "sales.csv", tmp_path / "out.csv"
    table.to_csv(source, index=False)
    found = call(source, "--horizon", 3, "--freq", "MS", "--out", out, "--json")
    assert found.exit_code == 0, found.output
    assert json.loads(found.output)["ok"] == 24
    rows = pd.read_csv(out, dtype={"unique_id": str})
    assert rows.columns.tolist() == ["unique_id", "ds", "mean", "lo-80", "hi-80", "lo-95", "hi-95"]
    assert len(rows) == 72 and rows["unique_id"].iloc[0] == "00000/北" and rows["ds"].iloc[0] == "2026-05-01"
    report = pd.read_csv(tmp_path / "out.report.csv", dtype={"unique_id": str})
    assert report["unique_id"].nunique() == 24 and {"n", "status", "reason"} <= set(report.columns)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "out.report.csv", "sales.csv"]


@pytest.mark.parametrize(
    ("change", "options", "code", "words"),
    [
        ({"y": "x"}, [], 1, "is no number"),
        ({}, ["--freq", "QS"], 1, "use --freq MS"),
        ({}, ["--horizon", "0"], 2, "horizon 0"),
        ({}, ["--levels", "a"], 2, "--levels a"),
        ({}, ["--engine", "spark"], 2, "engine 'spark' is not known"),
        ({}, ["--out", "nowhere/out.csv"], 2, "no such folder"),
        ({}, ["--out", "out.txt"], 2, "Name a .csv or .parquet file"),
    ],
)
def test_wrong_input_writes_nothing_and_exits_as_agreed(tmp_path, table, change, options, code, words):
    source = tmp_path / "sales.csv"
    table.head(80).assign(**change).to_csv(source, index=False)
    basic = {"--horizon": "3", "--freq": "MS", "--out": str(tmp_path / "out.csv")}
    given = dict(zip(options[::2], options[1::2]))
    if "--out" in given:
        given["--out"] = str(tmp_path / given["--out"])
    found = call(source, *[word for pair in {**basic, **given}.items() for word in pair])
    assert found.exit_code == code and words in found.output and "Traceback" not in found.output
    assert [path.name for path in tmp_path.iterdir()] == ["sales.csv"]


def test_a_missing_file_exits_2(tmp_path):
    assert call(tmp_path / "no.csv", "--horizon", 1, "--freq", "MS", "--out", tmp_path / "o.csv").exit_code == 2


def test_parts_give_what_one_table_gives(tmp_path, table, folder, monkeypatch):
    monkeypatch.setattr("planning.forecast.intervals.past_origins", _same_origins)
    table.to_parquet(tmp_path / "all.parquet", index=False)
    options = {"horizon": 3, "freq": "MS", "jobs": 1}
    parts.forecast_file(tmp_path / "all.parquet", tmp_path / "one.parquet", **options)
    found = parts.forecast_folder(folder, tmp_path / "many", **options)
    assert found["series"] == 24 and (tmp_path / "many.report.csv").exists()
    names = sorted(path.name for path in (tmp_path / "many").iterdir())
    assert names == [f"part-{k}.parquet" for k in range(6)]
    many = pd.concat([pd.read_parquet(tmp_path / "many" / name) for name in names], ignore_index=True)
    pd.testing.assert_frame_equal(many, pd.read_parquet(tmp_path / "one.parquet"), rtol=1e-9)


def _same_origins(lengths, horizon, season, least, *, small=True):
    return [3, 4, 5]


def test_a_series_in_two_parts_is_a_fault_and_nothing_is_written(tmp_path, table, folder):
    table.head(40).to_parquet(folder / "part-9.parquet", index=False)
    found = call(folder, "--horizon", 2, "--freq", "MS", "--out", tmp_path / "many", "--jobs", 1)
    assert found.exit_code == 1 and "part-9.parquet" in found.output and "part-0.parquet too" in found.output
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_cluster_gives_the_same_numbers_even_when_a_worker_dies(tmp_path, folder):
    from distributed import LocalCluster

    options = {"horizon": 3, "freq": "MS"}
    parts.forecast_folder(folder, tmp_path / "here.parquet", jobs=1, **options)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True) as cluster:
        address = cluster.scheduler_address.removeprefix("tcp://")
        victim = next(iter(cluster.workers.values())).pid
        os.kill(victim, signal.SIGKILL)
        parts.forecast_folder(folder, tmp_path / "there.parquet", engine=f"dask://{address}", **options)
    here, there = (pd.read_parquet(tmp_path / name) for name in ("here.parquet", "there.parquet"))
    pd.testing.assert_frame_equal(here, there, check_exact=True)


def test_a_silent_scheduler_exits_2(tmp_path, folder, monkeypatch):
    monkeypatch.setattr("planning.forecast.running.PATIENCE", "1s")
    out = tmp_path / "x.parquet"
    found = call(folder, "--horizon", 2, "--freq", "MS", "--out", out, "--engine", "dask://127.0.0.1:1")
    assert found.exit_code == 2 and "no Dask scheduler" in found.output and not out.exists()


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".parquet"])
def test_a_series_called_total_is_a_series(tmp_path, suffix):
    ds = pd.date_range("2025-01-01", periods=12, freq="MS").astype(str)
    frame = pd.concat([pd.DataFrame({"unique_id": name, "ds": ds, "y": range(12)}) for name in ("North", "total")])
    source, out = tmp_path / f"sales{suffix}", tmp_path / "out.csv"
    write = {".csv": frame.to_csv, ".xlsx": frame.to_excel, ".parquet": frame.to_parquet}[suffix]
    write(source, index=False)
    assert call(source, "--horizon", 2, "--freq", "MS", "--out", out).exit_code == 0
    assert sorted(set(pd.read_csv(out)["unique_id"])) == ["North", "total"]
