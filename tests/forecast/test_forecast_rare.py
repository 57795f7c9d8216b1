"""Intermittent demand, ended series, short series and slips, by cases one can solve in the head."""

import numpy as np
import pandas as pd
import pytest

from planning.forecast import forecast, intermittent, short
from planning.forecast.cleaning import clean
from planning.forecast.kin import labels, narrowest
from planning.forecast.panel import Panel

RNG = np.random.default_rng(6)


def panel(rows, freq="MS"):
    return Panel.of_wide([str(k) for k in range(len(rows))], np.array(rows, float), freq, "2026-12-01")


@pytest.mark.parametrize(
    ("y", "m", "rare"),
    [([0, 0, 3, 0, 0, 5, 0, 2], 12, True), ([1, 2, 3, 4, 0, 2, 3, 4], 12, False), ([0, -1, 0, 3, 0, 0], 12, False),
     ([5, 5, 5, 5, 5, 0, 0] * 5, 7, False), ([0, 0, 0], 12, False)],
)  # fmt: skip
def test_what_counts_as_intermittent(y, m, rare):
    assert intermittent.is_intermittent(np.array(y, float), m) is rare


@pytest.mark.parametrize(
    ("y", "m", "ended"),
    [([4] * 20 + [0] * 6, 12, False), ([4] * 20 + [0] * 7, 12, True), ([4, 0, 0, 0] * 6 + [0] * 4, 12, False),
     ([4] * 60 + [0] * 10, 7, False), ([4] * 60 + [0] * 30, 7, True), ([0] * 9, 12, False)],
)  # fmt: skip
def test_when_a_series_has_ended(y, m, ended):
    assert bool(intermittent.has_ended(np.array(y, float), m)) is ended


def test_hurdle_quantiles_of_a_fair_coin_over_one_size():
    y = np.array([0, 7] * 200, dtype=float)
    found = intermittent.hurdle_quantiles(y, np.array([0.1, 0.3, 0.7, 0.99]))
    assert found.tolist() == [0, 0, 7, 7]


def test_count_quantiles_are_those_of_the_negative_binomial():
    from scipy.stats import nbinom

    y = RNG.negative_binomial(2, 0.4, 400).astype(float)
    chance, size = intermittent.tsb(y, 0.1, 0.1)
    mean = chance * size
    weight = 0.5 ** (np.arange(400)[::-1] / 30)
    variance = np.average((y - mean) ** 2, weights=weight)
    levels = np.array([0.05, 0.5, 0.9, 0.995])
    want = nbinom.ppf(levels, mean**2 / (variance - mean), mean / variance)
    np.testing.assert_array_equal(intermittent.count_quantiles(y, levels), want)


def test_intervals_of_intermittent_demand_hold():
    counts = np.where(RNG.random((150, 110)) < 0.4, RNG.poisson(3, (150, 110)) + 1, 0)
    ds = pd.date_range("2024-01-07", periods=104, freq="W")
    rows = [pd.DataFrame({"unique_id": f"{k:03d}", "ds": ds, "y": y[:104]}) for k, y in enumerate(counts)]
    found = forecast(pd.concat(rows), horizon=6, freq="W")
    actual = counts[:, 104:].ravel()
    assert np.mean((actual >= found["lo-95"]) & (actual <= found["hi-95"])) > 0.9
    assert found["mean"].mean() == pytest.approx(1.6, rel=0.15) and (found["lo-80"] >= 0).all()


def test_a_new_series_takes_the_season_of_the_panel():
    steps = np.arange(60)
    wave = np.exp(0.3 * np.sin(2 * np.pi * steps / 12))
    ds = pd.date_range("2022-01-01", periods=60, freq="MS")
    old = [pd.DataFrame({"unique_id": f"o{k}", "ds": ds, "y": 50 * (k + 1) * wave}) for k in range(6)]
    new = pd.DataFrame({"unique_id": "new", "ds": ds[-3:], "y": 1000 * wave[-3:]})
    found = forecast(pd.concat([*old, new]), horizon=12, freq="MS").set_index("unique_id").loc["new", "mean"]
    want = 1000 * np.exp(0.3 * np.sin(2 * np.pi * np.arange(60, 72) / 12))
    np.testing.assert_allclose(found, want, rtol=0.03)


def test_a_new_series_takes_the_season_of_those_alike_by_key():
    steps, ds = np.arange(60), pd.date_range("2022-01-01", periods=60, freq="MS")
    winter = np.exp(0.4 * np.cos(2 * np.pi * steps / 12))
    waves = {"Skis": winter, "Boats": 1 / winter}
    rows = [
        pd.DataFrame({"unique_id": f"{line}{k:02d}", "ds": ds, "y": 50.0 * (k + 1) * wave, "line": line, "price": 2.0})
        for line, wave in waves.items() for k in range(16)
    ]
    for line, wave in waves.items():
        rows.append(pd.DataFrame({"unique_id": f"new {line}", "ds": ds[-2:], "y": 1000 * wave[-2:], "line": line}))
    found = forecast(pd.concat(rows), horizon=12, freq="MS").set_index("unique_id")["mean"]
    for line, wave in waves.items():
        np.testing.assert_allclose(found[f"new {line}"], 1000 * wave[:12], rtol=0.03)
    alone = forecast(pd.concat(rows).drop(columns="line"), horizon=12, freq="MS").set_index("unique_id")["mean"]
    assert np.ptp(alone["new Skis"]) < 0.2 * np.ptp(found["new Skis"])


def test_keys_are_text_columns_of_one_value_a_series_that_series_share():
    table = pd.DataFrame({
        "unique_id": ["a", "a", "b", "b", "c"], "ds": "2026-01-01", "y": 1.0, "line": ["P", "P", "P", "P", "V"],
        "region": ["N", "N", "S", "S", "S"], "name": ["Anna", "Anna", "Bo", "Bo", "Cy"], "price": [1.0, 2, 3, 4, 5],
        "note": ["x", "y", "x", "x", "x"],
    })  # fmt: skip
    found = labels(table, table["unique_id"].astype("category").array, ("unique_id", "ds", "y"))
    assert found.tolist() == [
        ["line=P region=N", "line=P", "region=N"], ["line=P region=S", "line=P", "region=S"],
        ["line=V region=S", "line=V", "region=S"],
    ]  # fmt: skip


def test_the_narrowest_grouping_with_donors_enough_lends():
    donors = np.array([["a x", "a"]] * 16 + [["a y", "a"]] * 8 + [["b x", "b"]] * 30, dtype=object)
    rows = np.array([["a x", "a"], ["a y", "a"], ["c z", "c"], ["b x", "b"]], dtype=object)
    pairs = {tuple(mine): len(theirs) for mine, theirs in narrowest(donors, rows)}
    assert pairs == {(0,): 16, (1,): 24, (3,): 30}
    assert narrowest(donors[:0], rows) == []


def test_profiles_of_parts_join_to_the_profile_of_the_whole():
    rows = panel(100 + RNG.random((8, 40)))
    scale = np.ones(8)
    whole = short.profile(rows, scale)
    parts = [short.profile(rows.take(np.arange(k, k + 4)), scale[:4]) for k in (0, 4)]
    joined = short.Profile.merge(parts)
    np.testing.assert_allclose(joined.season(), whole.season())
    assert joined.drift() == pytest.approx(whole.drift()) and joined.relative == pytest.approx(whole.relative)


def test_only_values_that_stand_alone_are_replaced():
    y = 100 + RNG.normal(0, 1, (3, 40))
    y[0, 30] = 400
    y[1, 29:31] = 400
    y[2, 30:] = 400
    found = clean(panel(y), np.ones(3, bool))
    assert found.at.tolist() == [30] and found.panel.flat[30] == pytest.approx(100, abs=3)
    assert found.shift.tolist()[0] == 0 and found.shift.tolist()[2] == 10
    kept = clean(panel(y), np.ones(3, bool), replace_outliers=False)
    np.testing.assert_array_equal(kept.panel.flat, y.ravel())


def test_the_median_of_six_leaves_unknown_values_out():
    from planning.forecast.cleaning import _median_of_six

    values = np.random.default_rng(2).normal(size=(6, 200))
    values[:4, ::7] = np.nan
    values[:, 5] = np.nan
    usual = np.nanmedian(np.delete(values, 5, axis=1), axis=0)
    found = _median_of_six(values)
    np.testing.assert_array_equal(np.delete(found, 5), usual)
    assert found[5] == 0.0
