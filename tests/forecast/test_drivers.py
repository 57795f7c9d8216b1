"""Drivers: effects found again, against statsmodels and a plain loop, used only where they help, missing ones named."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from planning.errors import DataError, UsageError
from planning.forecast import drivers as d
from planning.forecast import effects
from planning.forecast.panel import Panel
from planning.forecast.table import forecast

H = 6


def made(n=24, months=66, seed=1, promotion=0.4, price=-1.5, spread=0.1):
    """Returns history and future of monthly series with a season, a wandering level, promotion and price."""
    rng = np.random.default_rng(seed)
    ds = pd.date_range("2021-01-01", periods=months + H, freq="MS")
    parts = []
    for i in range(n):
        level = 5 + np.cumsum(rng.normal(0, 0.02, months + H))
        season = 0.2 * np.sin(2 * np.pi * (np.arange(months + H) + i) / 12)
        promo = (rng.random(months + H) < 0.25).astype(float)
        cost = np.exp(rng.normal(0, 0.1, months + H)).round(3)
        effect = rng.normal(promotion, spread) * promo + rng.normal(price, spread) * np.log(cost)
        y = np.exp(level + season + effect + rng.normal(0, 0.05, months + H))
        parts.append(pd.DataFrame({"unique_id": f"S{i:02d}", "ds": ds, "y": y, "promo": promo, "price": cost}))
    frame = pd.concat(parts, ignore_index=True)
    past = frame["ds"] < ds[months]
    return frame[past].reset_index(drop=True), frame[~past].reset_index(drop=True)


@pytest.fixture(scope="module")
def case():
    history, future = made()
    driven = d.forecast_with_drivers(history, future.drop(columns="y"), horizon=H, freq="MS")
    return history, future, driven


def test_effects_are_found_again_with_intervals_that_hold_them(case):
    table = case[2].effects.set_index("driver")
    assert table.loc["promo", "kind"] == "per_unit" and table.loc["price", "kind"] == "elasticity"
    assert table.loc["promo", "effect"] == pytest.approx(0.4, abs=0.05)
    assert table.loc["price", "effect"] == pytest.approx(-1.5, abs=0.15)
    assert (table["lo"] < table["effect"]).all() and (table["effect"] < table["hi"]).all()
    assert table["told"].all() and table["used"].all() and case[2].gain > 0.2


def test_the_forecast_with_drivers_beats_the_one_without_and_its_interval_holds(case):
    history, future, driven = case
    actual = future.set_index(["unique_id", "ds"])["y"]
    with_drivers = driven.frame.set_index(["unique_id", "ds"])
    plain = forecast(history[["unique_id", "ds", "y"]], horizon=H, freq="MS").set_index(["unique_id", "ds"])
    error = (with_drivers["mean"] - actual).abs().mean()
    assert error < 0.6 * (plain["mean"] - actual).abs().mean()
    inside = (actual >= with_drivers["lo-80"]) & (actual <= with_drivers["hi-80"])
    assert 0.65 <= inside.mean() <= 0.95
    assert (with_drivers["lo-95"] <= with_drivers["lo-80"]).all()


def test_one_series_agrees_with_statsmodels_regression_with_arima_errors():
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    rng = np.random.default_rng(8)
    t = 240
    x = np.column_stack([rng.normal(0, 1, t), (rng.random(t) < 0.3).astype(float)])
    e = rng.normal(0, 0.05, t)
    y = np.exp(3 + 0.003 * np.arange(t) + np.cumsum(e - 0.6 * np.append(0, e[:-1])) + x @ [0.2, -0.3])
    panel = Panel.of_wide(["A"], y[None], "YS", "2240-01-01")
    ours = effects.fit(panel, x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = SARIMAX(np.log(y), exog=x, order=(0, 1, 1), trend="t").fit(disp=False)
    theirs, error = model.params[1:3], model.bse[1:3]
    assert np.all(np.abs(ours.beta[0] - theirs) < np.minimum(1.2 * error, 0.01))
    assert np.allclose(ours.pooled_se, error, rtol=0.3)


def test_normal_equations_agree_with_a_loop_written_from_the_formula():
    rng = np.random.default_rng(2)
    dv, dx, steps = rng.normal(size=30), rng.normal(size=(30, 2)), np.ones((30, 1))
    theta = 0.4
    got = effects._normal((dv, dx, steps), theta, 2)

    def filtered(column):
        out = []
        for t, value in enumerate(column):
            out.append(value + (theta * out[t - 1] if t else 0.0))
        return np.array(out)

    design = np.column_stack([filtered(dx[:, 0]), filtered(dx[:, 1]), filtered(steps[:, 0])])
    whole = np.linalg.lstsq(design, filtered(dv), rcond=None)[0]
    assert np.allclose(np.linalg.solve(got.gram, got.cross), whole[:2], atol=0.05)


def test_a_series_that_never_saw_a_driver_move_takes_the_panels_effect():
    history, future = made(12)
    still = history["unique_id"] == "S00"
    history.loc[still, "promo"] = 0.0
    driven = d.forecast_with_drivers(history, future.drop(columns="y"), horizon=H, freq="MS", use="always")
    found = driven.model.effects
    assert found.beta[0, 0] == pytest.approx(found.pooled[0])
    assert found.covariance[0, 0, 0] > 4 * found.covariance[1, 0, 0] or found.covariance[0, 0, 0] > found.spread[0] ** 2


def test_a_driver_without_effect_is_not_used():
    history, future = made(16, promotion=0.0, price=0.0, spread=0.0, seed=5)
    driven = d.forecast_with_drivers(history, future.drop(columns="y"), horizon=H, freq="MS")
    plain = forecast(history[["unique_id", "ds", "y"]], horizon=H, freq="MS")
    if not driven.used:
        pd.testing.assert_frame_equal(driven.frame, plain)
    assert driven.effects["effect"].abs().max() < 0.15
    assert driven.used is bool(driven.effects["used"].any())


def test_a_missing_future_names_driver_series_and_dates():
    history, future = made(3)
    gone = future[~((future["unique_id"] == "S01") & (future["ds"] >= "2026-11-01"))]
    with pytest.raises(DataError, match="'promo' is missing for S01 on 2026-11-01, 2026-12-01. Add these rows"):
        d.forecast_with_drivers(history, gone.drop(columns="y"), horizon=H, freq="MS")
    empty = future.assign(price=future["price"].where(future["ds"] != "2026-08-01"))
    with pytest.raises(DataError, match=r"'price' is missing for S00 on 2026-08-01 \(and 2 more series\)"):
        d.forecast_with_drivers(history, empty.drop(columns="y"), horizon=H, freq="MS")
    with pytest.raises(DataError, match="'promo' is 'yes' in row 2"):
        d.forecast_with_drivers(history, future.assign(promo="yes").drop(columns="y"), horizon=H, freq="MS")
    with pytest.raises(UsageError, match="Did you mean 'promo'"):
        d.forecast_with_drivers(history, future.rename(columns={"promo": "prmo"})[["ds", "prmo"]], horizon=H, freq="MS")


def test_a_hole_in_the_history_of_a_driver_is_named():
    history, future = made(3)
    history.loc[history["ds"] == "2023-05-01", "price"] = np.nan
    with pytest.raises(DataError, match="history: driver 'price' is empty for S00 on 2023-05-01 and 2 more"):
        d.forecast_with_drivers(history, future.drop(columns="y"), horizon=H, freq="MS")


def test_what_if_a_promotion_is_added_changes_only_its_month(case):
    history, future, driven = case
    other = future.drop(columns="y").copy()
    at = (other["unique_id"] == "S03") & (other["ds"] == other["ds"].min())
    other.loc[at, "promo"] = 1.0 - other.loc[at, "promo"]
    changed = d.what_if(driven, other)
    moved = changed[changed["change"] != 0]
    assert len(moved) == 1 and moved["unique_id"].iloc[0] == "S03"
    row = moved.iloc[0]
    assert row["change_lo"] < row["change"] < row["change_hi"]
    beta = driven.model.effects.beta[3, 0] * (2 * other.loc[at, "promo"].iloc[0] - 1)
    assert row["changed"] == pytest.approx(row["mean"] * np.exp(beta))


def test_series_with_zeros_and_a_future_for_all_series_at_once():
    history, future = made(6)
    history.loc[(history["unique_id"] == "S00") & (history["ds"].dt.month == 2), "y"] = 0.0
    shared = future[future["unique_id"] == "S01"].drop(columns=["y", "unique_id"])
    driven = d.forecast_with_drivers(history, shared, horizon=H, freq="MS", use="always")
    assert not driven.model.effects.log[0] and driven.model.effects.log[1]
    assert np.isfinite(driven.frame.select_dtypes("number").to_numpy()).all()
    assert (driven.frame["mean"] >= 0).all() and len(driven.frame) == 6 * H


def test_the_command_writes_forecast_report_and_effects_and_exits_1_on_a_missing_date(tmp_path, monkeypatch):
    from planning.cli.forecast import command

    monkeypatch.chdir(tmp_path)
    history, future = made(4)
    history.to_csv("h.csv", index=False)
    future.drop(columns="y").to_csv("f.csv", index=False)
    arguments = ["h.csv", "--horizon", str(H), "--freq", "MS", "--out", "o.csv", "--drivers"]
    done = CliRunner().invoke(command, [*arguments, "f.csv", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["rows"] == 4 * H
    assert set(pd.read_csv("o.effects.csv")["driver"]) == {"promo", "price"}
    assert len(pd.read_csv("o.report.csv")) == 4
    future[future["ds"] < "2026-12-01"].drop(columns="y").to_csv("g.csv", index=False)
    failed = CliRunner().invoke(command, [*arguments[:-2], "p.csv", "--drivers", "g.csv"])
    assert failed.exit_code == 1 and "2026-12-01" in failed.stderr
    assert not (tmp_path / "p.csv").exists()
