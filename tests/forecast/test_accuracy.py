"""Measures of past forecasts against a naive second implementation and cases solved in the head."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from planning.errors import UsageError
from planning.forecast import accuracy, sentences
from planning.forecast.history import until


def rows(n=8, seed=0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    out = []
    for r in range(4):
        for unit in range(n):
            for lag in (1, 2, 3):
                actual = 100.0 + rng.normal(0, 10)
                out.append({
                    "round": pd.Timestamp("2025-12-31") + pd.DateOffset(months=3 * r), "unique_id": f"C{unit}",
                    "level": "cell", "ds": pd.Timestamp("2026-01-01") + pd.DateOffset(months=3 * r + lag - 1),
                    "lag": lag,
                    "actual": actual, "naive": actual + rng.normal(0, 20), "statistical": actual + rng.normal(0, 10),
                    "adjusted": np.nan, "lo-80": actual - 5, "hi-80": actual + rng.normal(0, 5), "lo-95": 0.0,
                    "hi-95": 999.0, "scale": 12.0,
                })  # fmt: skip
    frame = pd.DataFrame(out)
    return frame.assign(adjusted=frame["statistical"])


def test_measures_agree_with_a_loop_over_the_rows():
    frame = rows()
    got = accuracy.measures(frame).iloc[0]
    error = size = scaled = inside = 0.0
    for row in frame.to_dict("records"):
        off = row["statistical"] - row["actual"]
        error += abs(off)
        size += abs(row["actual"])
        scaled += abs(off) / row["scale"]
        inside += row["lo-80"] <= row["actual"] <= row["hi-80"]
    assert got["wape"] == pytest.approx(error / size)
    assert got["mase"] == pytest.approx(scaled / len(frame))
    assert got["coverage_80"] == pytest.approx(inside / len(frame))
    assert got["coverage_95"] == 1.0


def test_a_forecast_ten_above_is_biased_up_by_ten():
    frame = rows().assign(statistical=lambda f: f["actual"] + 10)
    got = accuracy.measures(frame, ["unique_id"])
    assert np.allclose(got["bias"], 10.0)
    assert (got["bias_share"] > 0).all()


def test_what_the_total_missed_is_told_from_cells_that_had_not_begun():
    """Two cells of 40 are forecast right, one of 20 began after the round: that much the total is too low."""
    cell = {"round": pd.Timestamp("2025-12-31"), "level": "cell", "ds": pd.Timestamp("2026-01-01"), "lag": 1,
            "actual": 40.0, "naive": 40.0, "statistical": 40.0, "lo-80": 30.0, "hi-80": 50.0, "lo-95": 0.0,
            "hi-95": 99.0, "scale": 1.0}  # fmt: skip
    total = cell | {"level": "total", "actual": 100.0, "statistical": 80.0, "lo-80": 70.0, "hi-80": 90.0}
    later = total | {"round": pd.Timestamp("2026-12-31"), "actual": 80.0, "hi-80": 80.0}
    frame = pd.DataFrame([cell, cell, total, later, *[cell | {"round": later["round"]}] * 2])
    got = accuracy.of_total(frame, "cell")
    assert got["bias_share"].tolist() == [-0.2, 0.0] and got["unforeseen"].tolist() == pytest.approx([0.2, 0.0])
    text = sentences.total_in_rounds(got)
    assert text.startswith("Of the total's 2 months 50\u202f% lay inside") and "11.1\u202f% too low" in text
    assert "brought 11.1\u202f% of its sales" in text
    assert "brought" not in sentences.total_in_rounds(got.tail(1)) and "right" in sentences.total_in_rounds(got.tail(1))
    assert "too high" in sentences.total_in_rounds(got.assign(bias_share=0.1))


def test_months_without_an_actual_are_left_out_and_zero_sales_give_no_wape():
    frame = rows()
    frame.loc[:11, "actual"] = np.nan
    assert accuracy.measures(frame).iloc[0]["n"] == len(frame) - 12
    none = accuracy.measures(frame.assign(actual=0.0)).iloc[0]
    assert np.isnan(none["wape"]) and np.isnan(none["bias_share"])


def test_an_unknown_column_names_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'round'"):
        accuracy.measures(rows(), ["rond"])


def test_value_added_is_positive_where_the_step_helped_and_told_only_then():
    table = accuracy.value_added(rows(40)).set_index("step")
    good = table.loc["statistical"]
    assert good["fva"] == pytest.approx(table.loc["naive", "wape"] - good["wape"])
    assert good["told"] and good["lo"] > 0
    assert table.loc["adjusted", "fva"] == 0.0 and not table.loc["adjusted", "told"]


def test_value_added_of_noise_is_told_about_as_rarely_as_its_interval_says():
    told = 0
    for seed in range(40):
        frame = rows(12, seed)
        noise = np.random.default_rng(1000 + seed).normal(0, 10, len(frame))
        told += bool(accuracy.value_added(frame.assign(naive=frame["actual"] + noise)).set_index("step").loc[
            "statistical", "told"])  # fmt: skip
    assert told <= 8


def test_an_alarm_sounds_for_steady_bias_and_not_for_noise():
    rng = np.random.default_rng(4)
    months = pd.date_range("2024-01-01", periods=24, freq="MS")
    parts = []
    for name, shift in (("high", 20.0), ("noise", 0.0), ("low", -20.0)):
        actual = 100 + rng.normal(0, 3, 24)
        parts.append(pd.DataFrame({"unique_id": name, "level": "cell", "ds": months, "lag": 1, "actual": actual,
                                   "statistical": actual + shift + rng.normal(0, 10, 24)}))  # fmt: skip
    table = accuracy.alarms(pd.concat(parts), level="cell").set_index("unique_id")
    assert set(table.index) == {"high", "low"}
    assert table.loc["high", "direction"] == "over" and table.loc["low", "signal"] < 0


def test_false_alarms_are_rare_even_where_errors_hang_together():
    rng = np.random.default_rng(5)
    months = pd.date_range("2022-01-01", periods=36, freq="MS")
    parts = []
    for unit in range(200):
        error = np.zeros(36)
        for t in range(1, 36):
            error[t] = 0.5 * error[t - 1] + rng.normal()
        parts.append(pd.DataFrame({"unique_id": f"C{unit:03d}", "level": "cell", "ds": months, "lag": 1,
                                   "actual": 100.0, "statistical": 100.0 + error}))  # fmt: skip
    assert len(accuracy.alarms(pd.concat(parts), level="cell")) <= 12


def test_a_replayed_round_uses_only_what_was_known_then(company):
    frame = accuracy.replay(company, rounds=1, every=6, horizon=6).rows
    tampered = type(company)(
        company.frame, company.whole.assign(y=company.whole["y"].where(company.whole["ds"] <= "2026-06-01", 7e9)),
        company.series, company.keys, company.currency,
    )  # fmt: skip
    again = accuracy.replay(tampered, rounds=1, every=6, horizon=6).rows
    assert np.array_equal(frame["statistical"], again["statistical"])
    assert (frame["round"] == pd.Timestamp("2026-06-30")).all() and set(frame["lag"]) == set(range(1, 7))
    naive = frame[(frame["unique_id"] == "total") & (frame["lag"] == 1)].iloc[0]["naive"]
    assert naive == pytest.approx(company.whole[company.whole["ds"] == "2025-07-01"]["y"].sum())


def test_a_history_under_36_months_gives_no_round(company):
    short = until(company, pd.Timestamp("2024-06-01"))
    assert accuracy.replay(short, rounds=2).rows.empty


def test_worst_cells_come_first_and_shares_are_of_all_error():
    frame = rows()
    frame.loc[frame["unique_id"] == "C3", "statistical"] += 300
    table = accuracy.worst(frame, level="cell", most=3)
    assert table["unique_id"].iloc[0] == "C3" and len(table) == 3
    assert table["share"].iloc[0] > 0.5 and table["share"].sum() <= 1.0
