"""forecast(): contract, properties, every kind of series, and that one bad series never ends the run."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planning.errors import DataError, UsageError
from planning.forecast import forecast, forecasts
from planning.forecast.engine import nodes

RNG = np.random.default_rng(11)
H = 6


def months(y, name="a", end="2026-10-01"):
    ds = pd.date_range(end=end, periods=len(y), freq="MS")
    return pd.DataFrame({"unique_id": name, "ds": ds, "y": np.asarray(y, dtype=float)})


def seasonal(n, level=100.0, noise=5.0):
    steps = np.arange(n)
    return level * (1 + 0.2 * np.sin(2 * np.pi * steps / 12)) + RNG.normal(0, noise, n)


def panel(count=12, n=48):
    return pd.concat([months(seasonal(n, 50.0 * (k + 1)), f"s{k:02d}") for k in range(count)], ignore_index=True)


def test_rows_columns_order_and_dates():
    found = forecast(panel(3), horizon=H, freq="MS", levels=(80, 95))
    assert found.columns.tolist() == ["unique_id", "ds", "mean", "lo-80", "hi-80", "lo-95", "hi-95"]
    assert len(found) == 3 * H and found["unique_id"].tolist() == sorted(found["unique_id"])
    assert found["ds"].iloc[0] == pd.Timestamp("2026-11-01") and not found.isna().any().any()
    assert (found["lo-95"] <= found["lo-80"]).all() and (found["lo-80"] <= found["mean"]).all()
    assert (found["hi-80"] <= found["hi-95"]).all() and (found["mean"] <= found["hi-80"]).all()


def test_the_season_is_found():
    found = forecast(panel(6, 60), horizon=12, freq="MS")
    first = found[found["unique_id"] == "s05"]["mean"].to_numpy()
    want = 300 * (1 + 0.2 * np.sin(2 * np.pi * np.arange(60, 72) / 12))
    assert np.abs(first / want - 1).max() < 0.06


def test_row_order_and_jobs_change_nothing():
    history = panel(70, 36)
    one = forecast(history, horizon=H, freq="MS", jobs=1)
    two = forecast(history.sample(frac=1, random_state=3), horizon=H, freq="MS", jobs=2)
    pd.testing.assert_frame_equal(one, two, check_exact=True)


@given(st.sampled_from([1e-6, 1e-3, 7.0, 1e6, 1e12]), st.integers(0, 5))
@settings(max_examples=12, deadline=None)
def test_forecasts_scale_with_the_unit(unit, seed):
    y = 100 * (1 + 0.2 * np.sin(np.arange(40) * np.pi / 6)) + np.random.default_rng(seed).normal(0, 20, 40)
    base, _ = nodes(y[None, :], H, 12, [], jobs=1)
    scaled, _ = nodes(unit * y[None, :], H, 12, [], jobs=1)
    np.testing.assert_allclose(scaled, unit * base, rtol=5e-3)  # a search may turn on the last digit


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=40), st.sampled_from(["D", "W", "MS", "QS", "YS"]))
@settings(max_examples=40, deadline=None)
def test_any_values_give_finite_forecasts_inside_nested_intervals(values, freq):
    ds = pd.date_range("2000-01-01", periods=len(values), freq="W-SUN" if freq == "W" else freq)
    history = pd.DataFrame({"unique_id": "x", "ds": ds, "y": values})
    found = forecast(history, horizon=9, freq=freq, levels=(50, 90), jobs=1)
    assert len(found) == 9 and np.isfinite(found.select_dtypes("number")).all().all()
    assert (found["lo-90"] <= found["lo-50"]).all() and (found["hi-50"] <= found["hi-90"]).all()
    if min(values) >= 0:
        assert (found.select_dtypes("number") >= 0).all().all()


KINDS = {
    "ok": (seasonal(48), "ok"),
    "one": ([5.0], "short"),
    "three": ([5.0, 6.0, 7.0], "short"),
    "zeros": (np.zeros(20), "no_demand"),
    "flat": (np.full(20, 7.0), "constant"),
    "rare": (np.where(RNG.random(60) < 0.4, 4.0, 0.0), "intermittent"),
    "gone": (np.r_[seasonal(40), np.zeros(26)], "ended"),
    "empty": ([np.nan, np.nan], "left_out"),
    "huge": (1e12 * (1 + RNG.random(40)), "ok"),
    "tiny": (1e-6 * (1 + RNG.random(40)), "ok"),
    "negative": (RNG.normal(-5, 3, 40), "ok"),
    "late": (np.r_[np.zeros(30), seasonal(30)], "ok"),
}


def test_every_kind_of_series_gets_a_forecast_or_a_reason():
    history = pd.concat([months(y, name) for name, (y, _) in KINDS.items()], ignore_index=True)
    result = forecasts(history, horizon=H, freq="MS")
    report = result.report.set_index("unique_id")
    assert {name: report["status"][name] for name in KINDS} == {name: status for name, (_, status) in KINDS.items()}
    assert (report["reason"][report["status"] != "ok"] != "").all() and len(report) == len(KINDS)
    assert set(result.frame["unique_id"]) == set(KINDS) - {"empty"}
    assert not result.frame.isna().any().any() and np.isfinite(result.frame["mean"]).all()
    of = result.frame.set_index("unique_id")["mean"]
    assert (of["gone"] == 0).all() and (of["zeros"] == 0).all() and (of["flat"] == 7).all()
    assert of["late"].mean() == pytest.approx(100, rel=0.15) and 0.5 < of["rare"].mean() < 3


def test_an_isolated_slip_is_replaced_for_fitting_and_reported():
    y = seasonal(60)
    slipped = y.copy()
    slipped[-4] *= 10
    clean = forecast(months(y), horizon=H, freq="MS")["mean"]
    result = forecasts(months(slipped), horizon=H, freq="MS")
    assert result.report["outliers"].tolist() == ["2026-07-01"]
    np.testing.assert_allclose(result.frame["mean"], clean, rtol=0.05)
    raw = forecasts(months(slipped), horizon=H, freq="MS", clean=False)
    assert raw.report["outliers"].tolist() == [""] and not np.allclose(raw.frame["mean"], clean, rtol=0.05)


def test_a_level_shift_is_told_and_followed():
    y = seasonal(60, 100, 2)
    y[-10:] *= 1.8
    result = forecasts(months(y), horizon=H, freq="MS")
    assert result.report["shift_since"].tolist()[0] in {"2025-12-01", "2026-01-01", "2026-02-01"}
    assert result.frame["mean"].mean() > 150


def test_a_level_shift_a_season_ago_is_no_growth_and_no_season():
    y, steady = seasonal(72, 100, 2), seasonal(72, 100, 2) * 1.8
    y[-12:] *= 1.8
    result = forecasts(months(y), horizon=H, freq="MS")
    assert "earlier values moved" in result.report["reason"][0] and "+8" in result.report["reason"][0]
    never = forecast(months(steady), horizon=H, freq="MS")["mean"]
    np.testing.assert_allclose(result.frame["mean"], never, rtol=0.05)
    kept = forecasts(months(y), horizon=H, freq="MS", clean=False).report
    assert kept["reason"].tolist() == [""] and kept["shift_since"].tolist() != [""]


def test_gaps_and_empty_ends_are_counted():
    history = months(seasonal(40))
    history.loc[[5, 6, 39], "y"] = np.nan
    result = forecasts(history, horizon=2, freq="MS")
    assert result.report["gaps"].tolist() == [2]
    assert result.frame["ds"].tolist() == [pd.Timestamp("2026-10-01"), pd.Timestamp("2026-11-01")]


def test_horizon_longer_than_the_history_and_thirty_years_of_days():
    assert len(forecast(months(seasonal(20)), horizon=60, freq="MS")) == 60
    days = pd.DataFrame({"unique_id": "d", "ds": pd.date_range("1996-01-01", "2025-12-31"), "y": 1.0})
    days["y"] = 50 + 10 * (days["ds"].dt.day_of_week == 5) + RNG.normal(0, 1, len(days))
    found = forecast(days, horizon=7, freq="D").set_index("ds")["mean"]
    assert found["2026-01-03"] == pytest.approx(60, abs=1.5) and found["2026-01-05"] == pytest.approx(50, abs=1.5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"horizon": 0}, "horizon 0"), ({"horizon": -2}, "horizon -2"), ({"levels": (80, 120)}, "levels 120"),
        ({"levels": ()}, "levels"), ({"levels": (80, 80)}, "different"), ({"fill": "zeros"}, "Did you mean 'zero'"),
        ({"freq": "MSS"}, "not known"), ({"horizon": 5000}, "2261"),
    ],
)
def test_impossible_options_say_what_is_possible(options, words):
    with pytest.raises(UsageError, match=words):
        forecast(months(seasonal(30)), **{"horizon": 3, "freq": "MS", **options})


def test_mixed_frequencies_are_a_fault():
    mixed = pd.concat([months(seasonal(20)), months([1, 2, 3], "b").assign(ds=pd.date_range("2026-01-03", periods=3))])
    with pytest.raises(DataError, match="not on the frequency MS"):
        forecast(mixed, horizon=2, freq="MS")
    weeks = months(seasonal(20), "w").assign(ds=pd.date_range("2026-01-04", periods=20, freq="W"))
    with pytest.raises(DataError, match="Series 'w' looks like W-SUN"):
        forecast(pd.concat([months(seasonal(60)), weeks]), horizon=2, freq="MS")


def test_a_series_of_mostly_gaps_is_told_and_reports_always_have_the_same_columns():
    quarters = months(seasonal(20), "q").assign(ds=pd.date_range("2020-01-01", periods=20, freq="QS"))
    report = forecasts(pd.concat([months(seasonal(60)), quarters]), horizon=2, freq="MS").report
    assert report["reason"].tolist() == ["", "38 of 58 periods have no value"]
    nothing = forecasts(months([np.nan] * 5), horizon=2, freq="MS")
    assert list(nothing.report.columns) == list(report.columns) and len(nothing.frame) == 0
    assert nothing.report["status"].tolist() == ["left_out"]


def test_intervals_hold_on_series_they_never_saw():
    rng = np.random.default_rng(5)
    walks = 200 + np.cumsum(rng.normal(0, 3, (120, 60)), axis=1)
    history = pd.concat([months(row[:54], f"{k:03d}") for k, row in enumerate(walks)], ignore_index=True)
    found = forecast(history, horizon=6, freq="MS")
    actual = walks[:, 54:].ravel()
    for level, low, high in ((80, 70, 90), (95, 89, 99)):
        held = 100 * np.mean((actual >= found[f"lo-{level}"]) & (actual <= found[f"hi-{level}"]))
        assert low <= held <= high


def test_the_global_model_is_the_same_every_time_and_only_for_large_panels():
    rng = np.random.default_rng(8)
    rows = 100 + np.cumsum(rng.normal(0.5, 3, (310, 36)), axis=1)
    history = pd.concat([months(np.maximum(row, 5), f"{k:03d}") for k, row in enumerate(rows)], ignore_index=True)
    one = forecasts(history, horizon=4, freq="MS", jobs=1)
    two = forecasts(history.sample(frac=1, random_state=1), horizon=4, freq="MS", jobs=2)
    pd.testing.assert_frame_equal(one.frame, two.frame, check_exact=True)
    assert set(one.report["forecast_by"]) == {"pool, global model 0.2"}
    without = forecasts(history, horizon=4, freq="MS", global_model=False)
    assert 0 < np.abs(one.frame["mean"] / without.frame["mean"] - 1).max() < 0.5
    assert "global" not in forecasts(panel(4), horizon=2, freq="MS").report["forecast_by"][0]


def test_the_plain_shrunk_index_is_the_compiled_ones():
    from planning.forecast.regression import season_index
    from planning.forecast.season import shrunk_index

    y, out = seasonal(55), np.empty(12)
    season_index.py_func(y, len(y), 12, True, 0.75, True, out)
    np.testing.assert_allclose(shrunk_index(y, 12, ratio=True)[0], out, atol=1e-9)
    season_index.py_func(y, len(y), 12, False, 0.75, True, out)
    np.testing.assert_allclose(shrunk_index(y, 12, ratio=False)[0], out, atol=1e-9)


def test_indices_of_series_of_different_length_are_those_of_each_alone():
    from planning.forecast.season import shrunk_index, shrunk_indices

    rows = np.full((3, 55), np.nan)
    for row, n in zip(rows, (55, 31, 20)):  # the last is too short for a season
        row[-n:] = seasonal(n)
    index, flat = shrunk_indices(rows, 12, ratio=True)
    for row, found, w, n in zip(rows, index, flat, (55, 31, 20)):
        alone, its = shrunk_index(row[-n:], 12, ratio=True)
        np.testing.assert_allclose(np.roll(found, n % 12), alone, atol=1e-12)
        assert w == pytest.approx(its, abs=1e-9)
    assert flat[2] == 1.0 and (index[2] == 1.0).all()
