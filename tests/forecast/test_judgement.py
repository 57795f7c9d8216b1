"""People's adjustments: what they reach, what they ask for, that statistical and adjusted forecast are both kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from planning.errors import DataError
from planning.forecast.judgement import adjust

ROW = {"adjustment_id": "A1", "author": "Head of North", "made_on": "2026-12-01", "region": "North", "line": None,
       "from": "2027-01-01", "to": "2027-03-31", "percent": 5.0, "amount": None, "reason": "campaign",
       "expires": "2027-12-31"}  # fmt: skip
DAY = pd.Timestamp("2026-12-31")


def log(**changes) -> pd.DataFrame:
    frame = pd.DataFrame([ROW | changes])
    for name in ("from", "to", "made_on", "expires"):
        frame[name] = pd.to_datetime(frame[name])
    return frame


def test_five_percent_means_five_percent_of_the_cells_and_months_named(ahead):
    judged = adjust(ahead, log(), made_by=DAY)
    north = (ahead.cells["region"] == "North").to_numpy()
    ratio = judged.adjusted.mean / ahead.mean
    assert np.allclose(ratio[north & ahead.bottom][:, :3], 1.05)
    assert np.allclose(ratio[north & ahead.bottom][:, 3:], 1.0)
    assert np.allclose(ratio[~north & ahead.bottom], 1.0)
    assert judged.statistical is ahead
    assert judged.listed["asked"].iloc[0] == pytest.approx(0.05 * ahead.mean[north & ahead.bottom][:, :3].sum())


def test_the_adjusted_forecast_stays_coherent_and_its_errors_scale(ahead):
    adjusted = adjust(ahead, log(), made_by=DAY).adjusted
    assert np.allclose(adjusted.mean[adjusted.bottom].sum(axis=0), adjusted.mean[0])
    assert np.allclose(adjusted.errors[:, adjusted.bottom].sum(axis=1), adjusted.errors[:, 0], rtol=1e-4, atol=1e-2)
    i = int(np.flatnonzero((ahead.cells["unique_id"] == "North/Pumps").to_numpy())[0])
    assert np.allclose(adjusted.errors[:, i, :3], 1.05 * ahead.errors[:, i, :3], rtol=1e-4)


def test_an_amount_is_shared_out_in_proportion_and_part_months_count_in_part(ahead):
    judged = adjust(ahead, log(percent=None, amount=300.0), made_by=DAY)
    change = judged.adjusted.mean - ahead.mean
    assert change[0].sum() == pytest.approx(300.0)
    half = adjust(ahead, log(**{"from": "2027-01-01", "to": "2027-01-15"}), made_by=DAY)
    assert half.adjusted.mean[0, 0] - ahead.mean[0, 0] == pytest.approx(
        0.05 * 15 / 31 * ahead.mean[(ahead.cells["region"] == "North") & ahead.bottom][:, 0].sum()
    )


def test_adjustments_are_read_against_the_statistical_forecast_so_order_does_not_matter(ahead):
    two = pd.concat([log(), log(adjustment_id="A2", percent=-3.0, region=None)])
    a, b = adjust(ahead, two, made_by=DAY), adjust(ahead, two.iloc[::-1], made_by=DAY)
    assert np.allclose(a.adjusted.mean, b.adjusted.mean)
    pd.testing.assert_frame_equal(a.listed, b.listed)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"region": "Nowhere"}, "no_such_cell"),
        ({"from": "2030-01-01", "to": "2030-02-01"}, "outside"),
        ({"made_on": "2027-01-05"}, "made_later"),
        ({"expires": "2026-06-30"}, "expired"),
        ({"percent": 0.0}, "nothing_asked"),
        ({"percent": None}, "nothing_asked"),
    ],
)
def test_an_adjustment_that_does_not_count_says_why_and_changes_nothing(ahead, changes, status):
    judged = adjust(ahead, log(**changes), made_by=DAY)
    assert judged.listed["status"].tolist() == [status]
    assert np.array_equal(judged.adjusted.mean, ahead.mean)


def test_a_cell_can_be_taken_to_zero_but_not_below(ahead):
    judged = adjust(ahead, log(percent=None, amount=-1e9), made_by=DAY)
    assert judged.adjusted.mean.min() == 0.0
    assert np.isfinite(judged.adjusted.errors).all()


def test_none_and_an_empty_log_leave_the_forecast_and_a_wrong_one_is_refused(ahead):
    assert adjust(ahead, None).adjusted is ahead
    assert adjust(ahead, log().iloc[:0]).listed.empty
    with pytest.raises(DataError, match="A1: ends 2027-01-01, before it starts"):
        adjust(ahead, log(**{"from": "2027-02-01", "to": "2027-01-01"}))
