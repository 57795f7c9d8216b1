"""Panels, frequencies and the checks of a table."""

import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planning.errors import DataError, UsageError
from planning.forecast.checks import check_history
from planning.forecast.frequency import looks_like, parse
from planning.forecast.panel import Panel

ALIASES = {"D": "D", "W-SUN": "W-SUN", "W-WED": "W-WED", "MS": "MS", "ME": "ME", "QS": "QS-JAN", "QE": "QE-DEC",
           "QS-FEB": "QS-FEB", "YS": "YS-JAN", "YE": "YE-DEC"}


def table(**columns):
    base = {"unique_id": ["a"] * 4, "ds": ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"], "y": [1, 2, 3, 4]}
    return pd.DataFrame({**base, **columns})


@pytest.mark.parametrize("alias", ALIASES)
def test_periods_go_to_numbers_and_back_as_pandas_counts_them(alias):
    dates = pd.date_range("1999-11-28", periods=40, freq=ALIASES[alias]).to_numpy()
    frequency = parse(alias, dates)
    ordinal = frequency.ordinal(dates)
    assert (np.diff(ordinal) == 1).all()
    assert (frequency.date(ordinal) == dates.astype("datetime64[D]")).all() and frequency.fits(dates).all()
    assert frequency.unit == parse(looks_like(dates)).unit


def test_an_unknown_frequency_names_the_known_ones():
    with pytest.raises(UsageError, match="It is one of: D, W"):
        parse("MM")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": [1, "x", 3, 4]}, r"row 3, column y: 'x' is no number"),
        ({"y": [1, np.inf, 3, 4]}, "an infinite value"),
        ({"y": [1, "-inf", 3, 4]}, "an infinite value"),
        ({"ds": ["2026-01-01", "01/02/2026", "2026-03-01", "2026-04-01"]}, "'01/02/2026' is no ISO date"),
        ({"ds": ["2026-01-01", "2026-02-30", "2026-03-01", "2026-04-01"]}, "no ISO date"),
        ({"ds": ["2026-01-01", None, "2026-03-01", "2026-04-01"]}, "no date"),
        ({"ds": ["2026-01-01"] * 2 + ["2026-03-01", "2026-04-01"]}, "row 3, column ds: a second row for series 'a'"),
        ({"unique_id": ["a", "", "a", "a"]}, "no id"),
    ],
)
def test_a_bad_table_says_row_column_and_way_out(change, words):
    with pytest.raises(DataError, match=words) as caught:
        check_history(table(**change), "MS")
    assert str(caught.value).rstrip().endswith((".", "?"))


def test_a_missing_column_says_which_is_meant():
    with pytest.raises(DataError, match="no column 'unique_id'.*Did you mean 'uniqueid'"):
        check_history(table().rename(columns={"unique_id": "uniqueid"}), "MS")


@pytest.mark.parametrize(("freq", "like"), [("QS", "MS"), ("W", "MS"), ("D", "MS"), ("ME", "MS"), ("YS", "MS")])
def test_wrong_frequency_says_which_it_looks_like(freq, like):
    with pytest.raises(DataError, match=f"look like {like}"):
        check_history(table(), freq)


def test_ids_stay_as_written_and_gaps_are_kept():
    frame = table(unique_id=["00123", "00123", "华北/阀", "华北/阀"], y=["1", "", "3", None])
    checked, frequency = check_history(frame, "MS")
    panel = Panel.of_frame(checked, frequency)
    assert panel.ids.tolist() == ["00123", "华北/阀"] and panel.lengths.tolist() == [1, 1]
    assert check_history(table(unique_id=[7, 7, 7, 7]), "MS")[0]["unique_id"].tolist() == ["7"] * 4


@given(st.lists(st.integers(1, 100), min_size=30, max_size=30), st.sets(st.integers(1, 28), max_size=8))
@settings(max_examples=25, deadline=None)
def test_gaps_are_filled_between_the_known_values_and_marked(values, holes):
    ds = pd.date_range("2024-01-01", periods=30, freq="MS")
    frame = pd.DataFrame({"unique_id": "a", "ds": ds, "y": np.array(values, float)})
    panel = Panel.of_frame(frame.drop(index=list(holes)).sample(frac=1, random_state=1), "MS")
    assert panel.filled.sum() == len(holes) and np.isfinite(panel.flat).all() and len(panel.flat) == 30
    known = ~panel.filled
    np.testing.assert_array_equal(panel.flat[known], np.array(values, float)[known])
    assert panel.flat.min() >= min(values) and panel.flat.max() <= max(values)
    zero = Panel.of_frame(frame.drop(index=list(holes)), "MS", fill="zero")
    assert (zero.flat[zero.filled] == 0).all()


def test_taking_series_keeps_each_ones_values():
    frame = pd.concat([
        pd.DataFrame({"unique_id": str(k), "ds": pd.date_range("2025-01-01", periods=k + 2, freq="MS"), "y": k + 1.0})
        for k in range(5)
    ])
    panel = Panel.of_frame(frame, "MS").take(np.array([3, 0]))
    assert panel.ids.tolist() == ["3", "0"]
    assert panel.series(0).tolist() == [4.0] * 5 and panel.series(1).tolist() == [1.0, 1.0]


def test_threads_follow_the_share_a_run_gives_its_notebooks(monkeypatch):
    from planning.forecast import engine

    monkeypatch.setenv("NUMBA_NUM_THREADS", "3")
    assert engine.workers(None) == 3 and engine.workers(2) == 2
    for none in ("", "many", "0"):
        monkeypatch.setenv("NUMBA_NUM_THREADS", none)
        assert engine.workers(None) == len(os.sched_getaffinity(0))
