"""Kept forecasts: append only, read back whole, and what changed since the last one adds up."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from made_sales import sales

from planning.errors import DataError, UsageError
from planning.forecast import changes, locks, past, snapshots
from planning.forecast.driven_joint import undriven
from planning.forecast.history import history_of, until
from planning.forecast.judgement import adjust
from planning.forecast.outlook import Outlook, node_history, outlook


@pytest.fixture(scope="module")
def earlier(company):
    known = until(company, pd.Timestamp("2026-09-01"))
    return known, adjust(outlook(known, 15), None)


@pytest.fixture
def workspace(tmp_path, earlier):
    known, judged = earlier
    snapshots.keep(tmp_path, judged, known, year=2027, seed=7)
    return tmp_path


def test_a_snapshot_is_kept_whole_and_read_back(workspace, earlier):
    known, judged = earlier
    (one,) = snapshots.listed(workspace)
    assert one.path.name == "2026-09-30" and one.manifest["seed"] == 7
    frame = one.frame()
    assert {"naive", "statistical", "adjusted", "final", "lo-80", "hi-95"} <= set(frame.columns)
    assert np.allclose(frame["statistical"].to_numpy(), judged.statistical.mean.ravel())
    assert np.allclose(one.joint().mean, judged.statistical.mean)
    assert set(one.manifest["files"]) >= {"forecast.parquet", "history.parquet", "joint/cells.parquet"}
    snapshots.check(one)


def test_equal_numbers_are_not_kept_twice_and_others_do_not_replace_them(workspace, earlier):
    known, judged = earlier
    before = {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()}
    again = snapshots.keep(workspace, judged, known)
    assert again.revision == 1 and len(snapshots.listed(workspace)) == 1
    other = snapshots.keep(workspace, adjust(judged.statistical.scaled(_one(judged, 1.1)), None), known)
    assert other.path.name == "2026-09-30.2"
    assert all(path.read_bytes() == content for path, content in before.items())


def _one(judged, factor):
    return pd.Series({"North/Pumps": factor})


def test_a_name_that_is_taken_is_never_written_over(workspace, earlier):
    known, judged = earlier
    taken = workspace / "forecasts" / "2026-09-30.2"
    taken.mkdir()
    (taken / "note.txt").write_text("mine")
    other = snapshots.keep(workspace, adjust(judged.statistical.scaled(_one(judged, 1.1)), None), known)
    assert other.path.name == "2026-09-30.3" and (taken / "note.txt").read_text() == "mine"


def test_a_changed_file_is_found_and_a_damaged_manifest_is_no_snapshot(workspace):
    (one,) = snapshots.listed(workspace)
    with (one.path / "forecast.parquet").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DataError, match="was changed or removed after the snapshot was made"):
        snapshots.check(one)
    (one.path / "manifest.json").write_text("{")
    assert snapshots.listed(workspace) == []


def test_rounds_hold_only_months_that_are_over(workspace, company, ahead):
    rows = snapshots.rounds(workspace, node_history(company, ahead.cells))
    assert set(rows["ds"]) == {pd.Timestamp(f"2026-{m}-01") for m in (10, 11, 12)}
    assert (rows["round"] == pd.Timestamp("2026-09-30")).all() and rows["actual"].notna().all()


def look_of(history, joint):
    return Outlook(history, 2027, 2026, joint, None, node_history(history, joint.cells), driven=undriven(joint))


def test_what_changed_adds_up_and_an_unchanged_history_is_said(workspace, company, ahead):
    judged = adjust(ahead, None)
    found = changes.since(snapshots.last_other(workspace, judged, company), judged, look_of(company, ahead))
    assert np.allclose(found.table[list(changes.PARTS)].sum(axis=1), found.table["change"])
    assert found.total["revised"] == 0 and found.total["drivers"] == 0
    assert found.total["method"] == pytest.approx(0.0, abs=1e-6) and found.parts == ["sales_since"]
    bridge = changes.bridge(found)
    assert bridge["after"].iloc[-1] == pytest.approx(bridge["after"].iloc[-2], rel=1e-4)


def test_a_revised_past_is_told_from_a_changed_method(workspace, company, ahead):
    revised = company.whole.assign(y=company.whole["y"] * np.where(company.whole["ds"] == "2025-05-01", 2.0, 1.0))
    history = dataclasses.replace(company, frame=revised, whole=revised)
    found = changes.since(snapshots.listed(workspace)[0], adjust(ahead, None), look_of(history, ahead))
    assert abs(found.total["revised"]) > 1 and found.total["method"] == pytest.approx(0.0, abs=1e-6)
    other = dataclasses.replace(ahead, mean=1.1 * ahead.mean)
    kept = snapshots.keep(workspace, adjust(other, None), company)
    found = changes.since(kept, adjust(ahead, None), look_of(company, ahead))
    assert found.parts == ["method"] and np.isnan(found.total["surprise"])
    assert found.total["method"] == pytest.approx(-0.1 * ahead.mean[0].sum())


def test_people_and_fixed_figures_are_parts_of_the_change(workspace, company, ahead):
    row = {"from": pd.Timestamp("2027-01-01"), "to": pd.Timestamp("2027-12-31"), "author": "B", "reason": "r"}
    asked = pd.DataFrame([row | {"adjustment_id": "A", "region": "North", "percent": 5.0}])
    fixed = pd.DataFrame([row | {"lock_id": "L", "region": "South", "amount": 50_000.0}])
    look = look_of(company, ahead)
    judged = locks.of_outlook(look, adjust(ahead, asked), fixed)
    found = changes.since(snapshots.listed(workspace)[0], judged, look)
    north, south = (ahead.mean[ahead.cells["unique_id"] == name].sum() for name in ("North", "South"))
    assert found.total["adjustments"] == pytest.approx(0.05 * north)
    assert found.total["fixed"] == pytest.approx(50_000 - south)
    assert found.total["now"] == pytest.approx(judged.final.mean[0].sum())


def test_a_snapshot_of_the_same_day_with_other_numbers_is_the_last_one(workspace, company, ahead):
    judged = adjust(ahead, None)
    assert snapshots.last_other(workspace, judged, company).as_of == pd.Timestamp("2026-09-30")
    snapshots.keep(workspace, judged, company)
    assert snapshots.last_other(workspace, judged, company).as_of == pd.Timestamp("2026-09-30")
    other = adjust(dataclasses.replace(ahead, mean=1.1 * ahead.mean), None)
    assert snapshots.last_other(workspace, other, company).as_of == pd.Timestamp("2026-12-31")


def test_without_a_comparable_snapshot_there_is_nothing_to_compare(tmp_path, workspace, company, ahead):
    assert snapshots.last_other(tmp_path / "empty", adjust(ahead, None), company) is None
    dollars = dataclasses.replace(company, currency="USD")
    assert snapshots.last_other(workspace, adjust(ahead, None), dollars) is None


def test_a_forecast_made_with_hindsight_is_no_snapshot(tmp_path, ahead):
    known = history_of(sales(), as_of=pd.Timestamp("2026-09-30").date())
    with pytest.raises(UsageError, match="as of 2026-09-30 was made with later sales at hand"):
        snapshots.keep(tmp_path, adjust(outlook(known, 15), None), known)
    assert snapshots.listed(tmp_path) == []


def test_kept_rounds_come_before_rounds_made_again(workspace, company):
    found = past.gather(workspace, company, rounds=2, every=3, horizon=3)
    assert (found.kept, found.replayed) == (1, 1)
    assert found.snapshots["met"].tolist() == [3]
    assert found.rows.groupby("round").size().index.tolist() == [pd.Timestamp("2026-06-30"), pd.Timestamp("2026-09-30")]
    assert json.loads((workspace / "forecasts/2026-09-30/manifest.json").read_text())["year"] == 2027
