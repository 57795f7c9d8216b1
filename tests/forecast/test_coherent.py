"""The joint forecast of a hierarchy: coherent, blind to row order, honest about gaps, starts and locks."""

import numpy as np
import pandas as pd
import pytest

from planning import forecast
from planning.errors import DataError, UsageError
from planning.forecast import coherent, nodes

KEYS = ["region", "line"]


def history(months=60, seed=0) -> pd.DataFrame:
    """Two regions x three lines with a season, a trend and a common shock; South/C starts two years before the end."""
    rng = np.random.default_rng(seed)
    ds = pd.date_range("2021-01-01", periods=months, freq="MS")
    season = 1 + 0.2 * np.sin(2 * np.pi * np.arange(months) / 12)
    common = np.exp(0.03 * rng.normal(size=months).cumsum() * 0.3)
    frames = []
    for i, (region, line) in enumerate([(r, ln) for r in ("North", "South") for ln in "ABC"]):
        y = 100 * (i + 1) * season * common * (1 + 0.004 * np.arange(months)) * np.exp(0.04 * rng.normal(size=months))
        frame = pd.DataFrame({"region": region, "line": line, "ds": ds, "y": y})
        frames.append(frame.iloc[months - 24 :] if (region, line) == ("South", "C") else frame)
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def made():
    return forecast.joint(history(), keys=KEYS, horizon=12, spec="region; line")


def test_every_node_is_there_and_sums_are_exact(made):
    assert made.cells["level"].value_counts().to_dict() == {"region/line": 6, "line": 3, "region": 2, "total": 1}
    np.testing.assert_allclose(made.mean[0], made.mean[made.bottom].sum(0), rtol=1e-12)
    np.testing.assert_allclose(made.errors[:, 0], made.errors[:, made.bottom].sum(1), rtol=1e-4, atol=1e-3)
    assert made.periods[0] == pd.Timestamp("2026-01-01")
    assert np.isfinite(made.mean).all() and np.isfinite(made.errors).all()
    assert made.weights.sum() == pytest.approx(1)


def test_the_forecast_is_near_what_the_series_does(made):
    last_year = history().query("ds >= '2025-01-01'").groupby("line")["y"].sum()
    expected = made.quantile(["A", "B", "C"], total=True).set_index("unique_id")["mean"]
    assert (np.abs(expected / last_year - 1.05) < 0.12).all()
    spread = made.quantile(["total"], levels=(0.1, 0.9), total=True)
    width = (spread[0.9] - spread[0.1]).iat[0] / spread["mean"].iat[0]
    assert 0.02 < width < 0.3


def test_a_launch_is_no_growth_and_an_ended_cell_is_left_out():
    t = np.arange(60)
    steady = 100 + 10 * np.sin(2 * np.pi * t / 12)
    launched = np.where(t >= 42, 0.5 * steady, np.nan)
    ended = np.where(t < 40, steady, np.nan)
    bottom, _ = nodes.fill_gaps(np.array([steady, launched, ended]), 12)
    over = nodes.end_cells(bottom, 12)
    assert over.tolist() == [False, False, True]
    np.testing.assert_allclose(nodes.always_there(bottom, over, 12).sum(axis=0), 1.5 * steady)
    late = np.where(t < 58, steady, np.nan)[None]
    assert not nodes.end_cells(late, 12).any()
    np.testing.assert_allclose(late[0], steady)


def test_an_ended_cell_gets_zero_and_is_named():
    frame = history()
    frame = frame[(frame["region"] != "North") | (frame["line"] != "B") | (frame["ds"] < "2024-06-01")]
    made = forecast.joint(frame, keys=KEYS, horizon=6)
    assert made.meta["ended"] == ["North/B"]
    assert made.select(["North/B"]).mean.sum() == 0
    np.testing.assert_allclose(made.mean[0], made.mean[made.bottom].sum(0))


def test_row_order_does_not_matter(made):
    again = forecast.joint(history().sample(frac=1, random_state=3), keys=KEYS, horizon=12, spec="line; region")
    ids = made.cells["unique_id"]
    pd.testing.assert_frame_equal(again.select(ids).quantile(), made.quantile(), check_exact=False, rtol=1e-9)


def test_a_lock_is_honoured_and_the_rest_moves_least(made):
    locks = pd.DataFrame({"unique_id": ["North", "South/A"], "ds": ["2026-03-01"] * 2, "y": [900.0, 500.0]})
    locked = forecast.joint(history(), keys=KEYS, horizon=12, spec="region; line", locks=locks)
    rows = pd.Index(locked.cells["unique_id"]).get_indexer(["North", "South/A"])
    np.testing.assert_allclose(locked.mean[rows, 2], [900, 500], rtol=1e-7)
    np.testing.assert_allclose(locked.errors[:, rows, 2], 0, atol=1e-3)
    np.testing.assert_allclose(locked.mean[0], locked.mean[locked.bottom].sum(0), rtol=1e-9)
    others = np.arange(12) != 2
    np.testing.assert_allclose(locked.mean[:, others], made.mean[:, others], rtol=1e-9)


def test_a_lock_holds_beside_an_ended_cell():
    frame = history()
    frame = frame[(frame["region"] != "North") | (frame["line"] != "B") | (frame["ds"] < "2024-06-01")]
    locks = pd.DataFrame({"unique_id": ["North"], "ds": ["2026-02-01"], "y": [700.0]})
    made = forecast.joint(frame, keys=KEYS, horizon=6, spec="region; line", locks=locks)
    index = pd.Index(made.cells["unique_id"])
    assert made.mean[index.get_loc("North"), 1] == pytest.approx(700.0)
    assert made.mean[index.get_loc("North/B")].sum() == 0


def test_locks_that_contradict_each_other_are_named():
    ids = ["North", "North/A", "North/B", "North/C"]
    locks = pd.DataFrame({"unique_id": ids, "ds": ["2026-03-01"] * 4, "y": [900.0, 10.0, 10.0, 10.0]})
    with pytest.raises(DataError, match="contradicts the other locks"):
        forecast.joint(history(), keys=KEYS, horizon=12, spec="region; line", locks=locks)
    wrong = pd.DataFrame({"unique_id": ["Nrth"], "ds": ["2026-03-01"], "y": [1.0]})
    with pytest.raises(UsageError, match="no such node"):
        forecast.joint(history(), keys=KEYS, horizon=12, locks=wrong)


def test_gaps_are_filled_from_the_season_and_counted():
    season = 10 + 3 * np.sin(2 * np.pi * np.arange(48) / 12)
    rows = np.array([season, season])
    rows[0, 20:22] = np.nan
    rows[1, :5] = np.nan
    filled, count = nodes.fill_gaps(rows, 12)
    assert count == 2
    np.testing.assert_allclose(filled[0, 20:22], season[20:22], atol=0.8)
    assert np.isnan(filled[1, :5]).all()


def test_a_duplicate_a_missing_column_and_a_short_history_are_named():
    twice = pd.concat([history(), history().iloc[:1]])
    with pytest.raises(DataError, match="North/A, 2021-01-01: stands twice"):
        forecast.joint(twice, keys=KEYS, horizon=12)
    with pytest.raises(UsageError, match="no column 'lines'"):
        forecast.joint(history(), keys=["region", "lines"], horizon=12)
    with pytest.raises(DataError, match="too short for a horizon of 12"):
        forecast.joint(
            history().query("ds < '2022-03-01' and (region != 'South' or line != 'C')"), keys=KEYS, horizon=12
        )
    with pytest.raises(UsageError, match="1 or more"):
        forecast.joint(history(), keys=KEYS, horizon=0)


def test_forecasts_are_not_negative_where_history_is_not():
    frame = history()
    falling = (frame["region"] == "North") & (frame["line"] == "A")
    t = frame.loc[falling].groupby("line").cumcount()
    frame.loc[falling, "y"] = np.maximum(60 - 1.0 * t, 0.0) + 0.1
    made = forecast.joint(frame, keys=KEYS, horizon=12)
    assert made.mean.min() >= 0
    assert made.quantile(levels=(0.025,))[0.025].min() >= 0
    assert made.draws(50, 1).min() >= 0


def test_degrees_of_freedom_are_those_of_the_spread_of_overlapping_sums():
    rng, back, h = np.random.default_rng(4), 6 + 2 * np.arange(20), 6
    weights = coherent.recency(back, 4)
    steps = rng.normal(size=(20_000, back.max() + 1))
    sums = np.stack([steps[:, b - h : b].sum(axis=1) for b in back], axis=1)
    squares = (sums**2) @ weights
    assert coherent.freedom(back, weights, h) == pytest.approx(2 * squares.mean() ** 2 / squares.var(), rel=0.04)
    assert coherent.freedom(back[:1], np.ones(1), h) == 4.0


def test_past_origins_meet_every_month():
    back = coherent.past_origins(441, 12, 12)
    assert len(back) <= 60 and np.gcd(np.diff(back)[0], 12) == 1
    assert set(back % 12) == set(range(12))
    assert back[0] == 12 and back[-1] <= 441 - 24
