"""Sums of steps over whole quarters and years: exact means, intervals of their own that hold."""

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from planning.cli.forecast import command
from planning.errors import UsageError
from planning.forecast import forecasts, intervals
from planning.forecast.frequency import parse, whole_periods


def walks(n: int, length: int, first: str = "2020-01-01", seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Returns the history of n random walks and the twelve months after it."""
    rows = 300 + np.cumsum(np.random.default_rng(seed).normal(0, 5, (n, length + 12)), axis=1)
    ds = pd.date_range(first, periods=length, freq="MS")
    frames = [pd.DataFrame({"unique_id": f"{k:03d}", "ds": ds, "y": row[:length]}) for k, row in enumerate(rows)]
    return pd.concat(frames, ignore_index=True), rows[:, length:]


def test_sums_are_of_whole_periods_and_hold():
    history, future = walks(200, 60)
    found = forecasts(history, horizon=14, freq="MS", sums=("QS", "YS"), jobs=1)
    quarters, years = found.sums["QS"], found.sums["YS"]
    assert [f"{day:%Y-%m}" for day in quarters["ds"][:4]] == ["2025-01", "2025-04", "2025-07", "2025-10"]
    assert len(quarters) == 800 and len(years) == 200
    steps = found.frame["mean"].to_numpy().reshape(200, 14)[:, :12]
    np.testing.assert_allclose(years["mean"], steps.sum(axis=1))
    np.testing.assert_allclose(quarters["mean"].to_numpy().reshape(200, 4), steps.reshape(200, 4, 3).sum(axis=2))
    actual = future.sum(axis=1)
    for level, low, high in ((80, 70, 90), (95, 88, 99.5)):
        held = 100 * np.mean((actual >= years[f"lo-{level}"]) & (actual <= years[f"hi-{level}"]))
        assert low <= held <= high
    assert (years["lo-95"] <= years["lo-80"]).all() and (years["hi-80"] <= years["hi-95"]).all()


def test_every_kind_of_series_has_its_sum():
    rng = np.random.default_rng(1)
    history, _ = walks(12, 48)
    ds = pd.date_range("2020-01-01", periods=48, freq="MS")
    kinds = {"flat": np.full(48, 7.0), "none": np.zeros(48), "rare": rng.poisson(0.4, 48) * 5.0, "new": [50.0, 52.0]}
    extra = [pd.DataFrame({"unique_id": name, "ds": ds[-len(y):], "y": y}) for name, y in kinds.items()]
    found = forecasts(pd.concat([history, *extra]), horizon=12, freq="MS", sums=["YS"])
    years = found.sums["YS"].set_index("unique_id")
    assert len(years) == 16 and np.isfinite(years.drop(columns="ds")).all().all()
    assert years.loc["flat", "mean"] == pytest.approx(84) and years.loc["none", "hi-95"] == 0
    assert 0 <= years.loc["rare", "lo-95"] < years.loc["rare", "mean"] < years.loc["rare", "hi-80"]


def test_quantiles_of_sums_are_those_of_the_summed_paths():
    rng = np.random.default_rng(2)
    paths = rng.normal(size=(5_000, 1)) + 0.5 * rng.normal(size=(5_000, 6))
    steps = np.array([True, True, True, False, False, False])
    low, high = intervals.sum_bounds(paths, 100_000, 80, steps, 12)
    want = intervals.SUM_WIDEN * 1.2816 * np.sqrt(9 + 3 * 0.25)
    assert high == pytest.approx(want, rel=0.04) and low == pytest.approx(-want, rel=0.04)


def test_whole_periods_leave_the_ends_out():
    first = int(parse("MS").ordinal(np.array(["2027-02-01"], "datetime64[D]"))[0])
    days, member = whole_periods(parse("MS"), "QS", first, 8)
    assert days.astype(str).tolist() == ["2027-04-01", "2027-07-01"] and member.sum(axis=1).tolist() == [3, 3]
    assert not member[:, :2].any()
    with pytest.raises(UsageError, match="quarterly steps cannot be added up to MS"):
        whole_periods(parse("QS"), "MS", 0, 4)


def test_the_command_writes_sums_beside_the_forecast(tmp_path):
    walks(3, 48)[0].to_csv(tmp_path / "in.csv", index=False)
    call = [str(tmp_path / "in.csv"), "--freq", "MS", "--out", str(tmp_path / "o.csv"), "--sums", "YS", "--horizon"]
    done = CliRunner().invoke(command, [*call, "12"])
    assert done.exit_code == 0, done.output
    assert len(pd.read_csv(tmp_path / "o.YS.csv")) == 3
    refused = CliRunner().invoke(command, [*call, "5"])
    assert refused.exit_code == 2 and "covers no whole period of YS" in refused.output
    cluster = CliRunner().invoke(command, [*call, "12", "--engine", "dask://127.0.0.1:1"])
    assert cluster.exit_code == 2 and "--sums without --by" in cluster.output
