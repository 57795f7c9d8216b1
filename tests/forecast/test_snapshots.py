"""Kept forecasts: append only, read back whole, and what changed since the last one adds up."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from planning.errors import DataError
from planning.forecast import changes, past, snapshots
from planning.forecast.judgement import adjust
from planning.forecast.outlook import node_history, outlook, until, year_months


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


def test_what_changed_adds_up_and_an_unchanged_history_is_said(workspace, company, ahead):
    judged = adjust(ahead, None)
    found = changes.since(snapshots.before(workspace, pd.Timestamp("2026-12-31")), judged, company, year_months(2027))
    parts = found.table[list(changes.PARTS)].sum(axis=1)
    assert np.allclose(parts, found.table["change"])
    assert found.total["revised"] == pytest.approx(0.0, abs=1e-6)
    assert not found.revised_history
    bridge = changes.bridge(found)
    assert bridge["after"].iloc[-1] == pytest.approx(bridge["after"].iloc[-2])


def test_a_revised_past_is_told_from_a_changed_method(workspace, company, ahead):
    revised = company.whole.assign(y=company.whole["y"] * np.where(company.whole["ds"] == "2025-05-01", 2.0, 1.0))
    history = type(company)(revised, revised, company.series, company.keys, company.currency)
    found = changes.since(snapshots.listed(workspace)[0], adjust(ahead, None), history, year_months(2027))
    assert found.revised_history and abs(found.total["revised"]) > 0


def test_without_an_earlier_snapshot_there_is_nothing_to_compare(tmp_path, company, ahead):
    assert snapshots.before(tmp_path, pd.Timestamp("2026-12-31")) is None
    assert changes.since(None, adjust(ahead, None), company, year_months(2027)) is None


def test_kept_rounds_come_before_rounds_made_again(workspace, company):
    found = past.gather(workspace, company, rounds=2, every=3, horizon=3)
    assert (found.kept, found.replayed) == (1, 1)
    assert found.snapshots["met"].tolist() == [3]
    assert found.rows.groupby("round").size().index.tolist() == [pd.Timestamp("2026-06-30"), pd.Timestamp("2026-09-30")]
    assert json.loads((workspace / "forecasts/2026-09-30/manifest.json").read_text())["year"] == 2027
