"""The annual outlook: right on what is known, honest on past years, stable for young, ended and gappy cells."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from planning.errors import DataError, UsageError
from planning.forecast.accuracy import Replayed
from planning.targets.history import read_panel
from planning.targets.monthly import monthly
from planning.targets.outlook import outlook
from planning.targets.reliability import reliability, share_interval
from planning.targets.workspace import replay_of
from planning.targets.year import YearLaw

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def law_of(panel, horizon=12):
    joint = outlook(panel, horizon)
    return joint, YearLaw.of(joint, joint.periods[-12], joint.periods[-1])


def test_steady_growth_is_continued():
    months = pd.date_range("2018-01-01", "2026-12-01", freq="MS")
    y = 1000 * np.exp(0.05 * np.arange(len(months)) / 12) * (1 + 0.2 * np.sin(2 * np.pi * months.month.to_numpy() / 12))
    table = pd.concat([pd.DataFrame({"ds": months, "key": k, "amount": y * s}) for k, s in (("a", 1.0), ("b", 3.0))])
    joint, law = law_of(read_panel(table, ["key"]))
    exact = y[-12:].sum() * np.exp(0.05)
    assert law.mean == pytest.approx([exact, 3 * exact], rel=0.005)
    assert joint.mean[2] == pytest.approx(joint.mean[:2].sum(axis=0))
    share = y[-12:] / y[-12:].sum()
    assert law.profile[0] == pytest.approx(share, abs=0.004)


def test_looks_kept_from_other_ends_of_the_history_change_nothing(panel):
    ends = pd.to_datetime(["2024-03-01", "2026-08-01", "2025-06-01", "2025-07-01"])
    seen: dict = {}
    for known in map(panel.until, ends):
        alone, kept = outlook(known, 14), outlook(known, 14, seen=seen)
        assert np.array_equal(alone.mean, kept.mean) and np.array_equal(alone.errors, kept.errors)
    assert sum(map(len, seen.values())) < 120  # origins are shared, not made four times


def test_a_gap_before_the_year_is_forecast_through(panel):
    short = panel.until(pd.Timestamp("2026-08-01"))
    joint, law = law_of(short, 16)
    full = law_of(panel)[1]
    assert len(joint.periods) == 16 and law.mean.sum() == pytest.approx(full.mean.sum(), rel=0.04)
    assert law.sums(np.ones((12, 1)))[1] > full.sums(np.ones((12, 1)))[1] * 0.9


def test_ended_young_and_gappy_cells_get_a_forecast(history):
    ended = history[~((history["line"] == "Valves") & (history["ds"] >= "2026-06-01"))]
    young = ended[~((ended["line"] == "Sensors") & (ended["region"] == "East") & (ended["ds"] < "2026-04-01"))]
    holes = young[
        ~(
            (young["line"] == "Drives")
            & (young["region"] == "South")
            & young["ds"].isin(pd.to_datetime(["2025-03-01", "2026-02-01"]))
        )
    ]
    panel = read_panel(holes, ["region", "line"])
    assert panel.left_out == (("gap", 2),)
    law = law_of(panel)[1]
    expected = pd.Series(law.mean, index=law.cells["unique_id"])
    whole = pd.Series(law_of(read_panel(history, ["region", "line"]))[1].mean, index=law.cells["unique_id"])
    assert (expected[expected.index.str.endswith("Valves")] == 0).all() and np.isfinite(law.scale).all()
    assert expected["East/Sensors"] == pytest.approx(whole["East/Sensors"], rel=0.2)
    assert expected["South/Drives"] == pytest.approx(whole["South/Drives"], rel=0.04)


def test_order_of_rows_changes_no_bit(history):
    one = outlook(read_panel(history, ["region", "line"]), 12)
    two = outlook(read_panel(history.sample(frac=1, random_state=3), ["region", "line"]), 12)
    assert (one.mean == two.mean).all() and (one.errors == two.errors).all()


def test_too_little_or_too_far_is_refused(panel):
    with pytest.raises(DataError, match="12 months, 24 are needed"):
        outlook(panel.until(pd.Timestamp("2019-12-01")), 12)
    with pytest.raises(UsageError, match="earlier year"):
        outlook(panel, 60)
    assert outlook(panel.until(pd.Timestamp("2020-12-01")), 12).df == 4.0


def test_an_interval_of_a_share_holds_it():
    assert share_interval(0, 0) == (0.0, 1.0)
    lo, hi = share_interval(8, 10)
    assert lo < 0.8 < hi and share_interval(0, 5)[0] == 0.0 and share_interval(5, 5)[1] == 1.0


def test_stated_chances_hold_on_retail_better_than_the_plain_method():
    path = SHARED / "sales" / "aus_retail.parquet"
    if not path.exists():
        pytest.skip("the reference data ../shared/data is not on this machine")
    table = pd.read_parquet(path).rename(columns={"Month": "ds", "Turnover": "amount"})
    table = table[table["ds"] >= "1983-01-01"]
    table = table[table.groupby(["State", "Industry"])["ds"].transform("count") == 432]
    replay = reliability(read_panel(table, ["State", "Industry"]), years=25)
    below = replay.below().set_index("level")
    nominal = np.array([0.10, 0.25, 0.40, 0.50, 0.60, 0.75, 0.90])
    cells = below.loc["cell", [f"{q:.0%}" for q in nominal]].to_numpy(float)
    plain = np.array([0.079, 0.208, 0.360, 0.465, 0.579, 0.740, 0.889])
    assert np.abs(cells - nominal).max() <= 0.03 and np.abs(cells - nominal).mean() < np.abs(plain - nominal).mean()
    assert 0.75 <= below.loc["cell", "within_80"] <= 0.85 and below.loc["cell", "wape"] < 0.044
    assert np.abs(below.loc["State", [f"{q:.0%}" for q in nominal]].to_numpy(float) - nominal).max() <= 0.04
    sums = replay.sums.groupby("chance")[["joint", "independent", "observed"]].mean()
    assert (sums["joint"] - sums["observed"]).abs().max() <= 0.10
    assert (sums["independent"] - sums["observed"]).abs().max() > 0.2


def test_years_the_demand_forecast_replayed_are_taken_as_they_are(panel):
    """The plan's chances are checked on the forecast it rests on; years that were not replayed are made anew."""
    known = panel.until(panel.months[-13])
    made = monthly(known, 12)
    off = dataclasses.replace(made, mean=made.mean * 1.5)
    step = SimpleNamespace(
        parameters=SimpleNamespace(forecast="demand_forecast"), has=lambda *_names: True,
        result=lambda *_names: Replayed(pd.DataFrame(), (off,)),
    )  # fmt: skip
    joint = SimpleNamespace(meta={"method": "monthly"})
    plan = SimpleNamespace(
        target=SimpleNamespace(policy=SimpleNamespace(fiscal_year_start=1), adjusted=SimpleNamespace(joint=joint))
    )
    found = replay_of(step, plan, panel).positions.set_index(["level", "year"])
    step.parameters.forecast = "outlook"
    plain = replay_of(step, plan, panel).positions.set_index(["level", "year"])
    total = lambda frame, year: float(frame.loc[[("total", year)], "expected"].iloc[0])  # noqa: E731
    last = panel.months[-1].year
    assert total(found, last) == pytest.approx(1.5 * total(plain, last), rel=1e-6)
    assert total(found, last - 1) == pytest.approx(total(plain, last - 1))


def test_replayed_rounds_are_kept_and_read_again(panel, tmp_path):
    known = panel.until(panel.months[-13])
    kept = Replayed(pd.DataFrame({"round": [known.months[-1]]}), (monthly(known, 3), monthly(known, 2)))
    kept.save(tmp_path)
    again = Replayed.load(tmp_path)
    assert [len(joint.periods) for joint in again.joints] == [3, 2] and again.rows.equals(kept.rows)
    assert np.allclose(again.joints[0].mean, kept.joints[0].mean)
    assert again.beginning(panel.months[-12]).periods[-1] == panel.months[-10]
    assert again.beginning(panel.months[-1]) is None
