"""The joint forecast against its definition: sums of draws, a matrix written out, cases solved in the head."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from planning.errors import DataError, UsageError
from planning.forecast.joint_forecast import JointForecast


def example(nonnegative=False, df=8.0, seed=0) -> JointForecast:
    """Two regions x two lines and the total, 3 months, 30 past origins."""
    rng = np.random.default_rng(seed)
    low = pd.DataFrame({"region": ["N", "N", "S", "S"], "line": ["P", "V", "P", "V"]})
    cells = low.assign(unique_id=low["region"] + "/" + low["line"], level="region/line")
    total = pd.DataFrame({"unique_id": ["total"], "level": ["total"], "region": ["total"], "line": ["total"]})
    common = rng.normal(size=(30, 1, 3))
    bottom_errors = (common + rng.normal(size=(30, 4, 3))) * np.array([1, 2, 3, 4])[None, :, None]
    mean = np.array([[10.0, 11, 12], [20, 21, 22], [30, 31, 32], [40, 41, 42]])
    return JointForecast(
        cells=pd.concat([cells, total], ignore_index=True)[["unique_id", "level", "region", "line"]],
        periods=pd.date_range("2027-01-01", periods=3, freq="MS"),
        mean=np.vstack([mean, mean.sum(0)]),
        errors=np.concatenate([bottom_errors, bottom_errors.sum(1, keepdims=True)], axis=1).astype(np.float32),
        weights=np.full(30, 1 / 30),
        df=df,
        keys=("region", "line"),
        bottom=np.array([True] * 4 + [False]),
        nonnegative=np.full(5, nonnegative),
    )


def test_closed_form_agrees_with_draws():
    joint = example()
    draws = joint.draws(40_000, seed=1, cells=joint.cells["unique_id"])
    levels = (0.1, 0.5, 0.9)
    by_draws = np.quantile(draws.sum(axis=2), levels, axis=0).T
    closed = joint.quantile(levels=levels, total=True)[list(levels)].to_numpy()
    width = (closed[:, 2] - closed[:, 0])[:, None]
    assert np.abs(by_draws - closed).max() < 0.02 * width.max()
    assert (np.abs(by_draws - closed) / width).max() < 0.03


def test_a_draw_is_coherent_and_repeats_with_its_seed():
    joint = example(nonnegative=True)
    draws = joint.draws(500, seed=3, cells=joint.cells["unique_id"])
    np.testing.assert_allclose(draws[:, :4].sum(axis=1), draws[:, 4], rtol=1e-5)
    assert draws.min() >= 0
    np.testing.assert_array_equal(draws, joint.draws(500, seed=3, cells=joint.cells["unique_id"]))
    assert not np.array_equal(draws, joint.draws(500, seed=4, cells=joint.cells["unique_id"]))


def test_law_is_the_sum_written_out():
    joint = example()
    c = np.random.default_rng(5).normal(size=(2, 5, 3))
    mean, scale = joint.law(c)
    for i in range(2):
        parts = [(c[i] * e.astype(float)).sum() for e in joint.errors]
        assert mean[i] == pytest.approx((c[i] * joint.mean).sum())
        assert scale[i] == pytest.approx(np.sqrt(np.mean(np.square(parts))))


def test_probability_at_the_mean_is_a_half_and_matches_the_quantile():
    joint = example()
    total = joint.mean[:4].sum()
    assert joint.probability(total) == pytest.approx(0.5)
    q = joint.quantile(["total"], levels=[0.2], total=True)[0.2].iat[0]
    assert joint.probability(q) == pytest.approx(0.8, abs=1e-6)
    each = joint.probability(joint.quantile(levels=[0.75], total=True).set_index("unique_id")[0.75])
    np.testing.assert_allclose(each, 0.25, atol=1e-6)


def test_one_error_and_infinite_df_is_the_normal_law():
    joint = example(df=float("inf"))
    mean, scale = joint.law(np.eye(5)[4][:, None] * np.ones((1, 3)))
    assert joint.probability(mean + scale) == pytest.approx(stats.norm.sf(1))


def test_aggregate_equals_the_sum_of_the_nodes():
    joint = example()
    by_region = joint.aggregate(["region"])
    assert by_region.cells["unique_id"].tolist() == ["N", "S", "total"]
    np.testing.assert_allclose(by_region.mean[0], joint.mean[:2].sum(0))
    np.testing.assert_allclose(by_region.errors[:, 2], joint.errors[:, 4], rtol=1e-5)
    assert by_region.probability(300.0) == pytest.approx(joint.probability(300.0))


def test_scaling_and_shifting_keep_it_coherent():
    joint = example()
    scaled = joint.scaled(pd.Series({"N/P": 2.0}))
    np.testing.assert_allclose(scaled.mean[4], scaled.mean[:4].sum(0))
    np.testing.assert_allclose(scaled.errors[:, 4], scaled.errors[:, :4].sum(1), rtol=1e-5)
    moved = joint.shifted(np.ones((4, 3)))
    np.testing.assert_allclose(moved.mean[4], joint.mean[4] + 4)
    np.testing.assert_allclose(moved.errors, joint.errors, atol=1e-5)


def test_saved_and_read_back(tmp_path):
    joint = example().window(end="2027-02-01")
    joint.save(tmp_path / "joint")
    back = JointForecast.load(tmp_path / "joint")
    pd.testing.assert_frame_equal(back.quantile(), joint.quantile())
    np.testing.assert_array_equal(back.draws(10, 1), joint.draws(10, 1))
    with pytest.raises(UsageError, match=r"manifest\.json is missing"):
        JointForecast.load(tmp_path)


def test_wrong_use_is_named():
    joint = example()
    with pytest.raises(UsageError, match="Did you mean 'N/P'"):
        joint.select(["N/p"])
    with pytest.raises(UsageError, match="Forecast further ahead"):
        joint.window(start="2028-01-01")
    with pytest.raises(DataError, match="do not fit"):
        joint.law(np.ones((2, 2)))


def test_quarters_and_years_are_exact_sums_of_whole_periods():
    joint = example()
    long = dataclasses.replace(
        joint, periods=pd.date_range("2027-02-01", periods=18, freq="MS"), mean=np.tile(joint.mean, 6),
        errors=np.tile(joint.errors, 6),
    )  # fmt: skip
    quarters, year = long.summed("QS"), long.window("2027-04-01").summed("YS-APR")
    assert [f"{day:%Y-%m}" for day in quarters.periods] == ["2027-04", "2027-07", "2027-10", "2028-01", "2028-04"]
    assert list(year.periods) == [pd.Timestamp("2027-04-01")]
    np.testing.assert_allclose(quarters.mean[:, 0], long.mean[:, 2:5].sum(axis=1))
    np.testing.assert_allclose(quarters.mean[:, :4].sum(axis=1), year.mean[:, 0])
    target = pd.Series(long.mean[:, 2:14].sum(axis=1) * 1.02, index=long.cells["unique_id"])
    pd.testing.assert_series_equal(year.probability(target), long.probability(target, steps=slice(2, 14)), rtol=1e-5)
    np.testing.assert_allclose(quarters.mean[-1], quarters.mean[:4].sum(axis=0))


@pytest.mark.parametrize(("freq", "words"), [("YS", "no whole period of YS"), ("MS", "monthly steps cannot be added")])
def test_what_cannot_be_summed_says_so(freq, words):
    with pytest.raises(UsageError, match=words):
        example().summed(freq)
