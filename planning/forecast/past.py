"""All past rounds of a workspace in one place: kept snapshots first, rounds made again from history beside them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from planning.forecast import accuracy, judgement, snapshots
from planning.forecast.history import History
from planning.forecast.joint_forecast import TOTAL, JointForecast
from planning.forecast.locks import fix
from planning.forecast.outlook import levels, node_history, settled


@dataclass(frozen=True)
class Past:
    """Rounds beside what happened (`rows`, see `accuracy`), how many were kept and how many made again.

    snapshots: one row a kept forecast, `as_of, revision, made_at, year, months, met`. levels: total first, cells
    last.
    """

    rows: pd.DataFrame
    kept: int
    replayed: int
    snapshots: pd.DataFrame
    levels: tuple[str, ...]

    @property
    def bottom(self) -> str:
        """The name of the level of the cells."""
        return self.levels[-1]

    @functools.cached_property
    def added(self) -> pd.DataFrame:
        """What each step added, judged on the cells."""
        return accuracy.value_added(self.rows[self.rows["level"] == self.bottom])

    def measures(self, level: str) -> dict[str, Any]:
        """Returns the measures of one level over all rounds."""
        return accuracy.measures(self.rows[self.rows["level"] == level]).iloc[0].to_dict()


def gather(
    root: str | Path,
    history: History,
    adjustments: pd.DataFrame | None = None,
    locks: pd.DataFrame | None = None,
    *,
    rounds: int = 8,
    every: int = 3,
    horizon: int = 12,
) -> Past:
    """Returns all rounds that can be judged: kept forecasts whose months are over, and `rounds` made again.

    A round made again uses what was known then only, people's adjustments and management's locks of that time included
    (by the day they were made). Rounds of a day for which a forecast was kept are not made again.
    """
    names = (TOTAL, *("/".join(level) for level in levels(history.keys)), "/".join(history.keys))
    actual = node_history(history, _nodes(history))
    kept = snapshots.rounds(root, actual)

    def adjust(joint: JointForecast, known: History, day: pd.Timestamp) -> tuple[JointForecast, JointForecast]:
        judged = judgement.adjust(joint, adjustments, made_by=day)
        if locks is None:
            return judged.adjusted, judged.adjusted
        over = node_history(known, joint.cells)
        return judged.adjusted, fix(judged.adjusted, locks, made_by=day, actual=over).joint

    again = accuracy.replay(settled(history, horizon), rounds=rounds, every=every, horizon=horizon, adjust=adjust).rows
    if len(kept) and len(again):
        again = again[~again["round"].isin(kept["round"])]
    parts = [part for part in (kept, again) if len(part)]
    rows = pd.concat(parts, ignore_index=True) if parts else again
    rows = rows[rows["actual"].notna()] if len(rows) else rows
    listed = _listed(root, history)
    count = [part["round"].nunique() if len(part) else 0 for part in (kept, again)]
    return Past(rows.reset_index(drop=True), count[0], count[1], listed, names)


def _nodes(history: History) -> pd.DataFrame:
    """Returns the nodes of all cells the history ever had, named as forecasts name them."""
    from planning.forecast import hierarchy

    cells = history.series[list(history.keys)]
    return hierarchy.build(cells, history.keys, [list(level) for level in levels(history.keys)]).cells


def _listed(root: str | Path, history: History) -> pd.DataFrame:
    rows = []
    for one in snapshots.listed(root):
        months = pd.DatetimeIndex(one.frame()["ds"].unique())
        rows.append({
            "as_of": one.as_of, "revision": one.revision, "made_at": one.manifest.get("made_at", ""),
            "year": one.manifest.get("year"), "months": len(months), "met": int((months <= history.last).sum()),
        })  # fmt: skip
    return pd.DataFrame(rows, columns=["as_of", "revision", "made_at", "year", "months", "met"])
