"""One row a deal as it was known at a chosen moment, rebuilt from the stage history; nothing later gets in.

`snapshot(deals, history, stage="Proposal")`: amount, owner and probability are those of the moment the deal entered
the stage; stages passed and days used are counted up to then only. A deal is judged after the same follow-up time as
every other, so that young cohorts don't look worse: one that has not had its time yet is left out, one that was still
open when its time was up counts as open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from planning.deals.funnel import NEARLY, in_order, step_order
from planning.errors import UsageError
from planning.language import _, number
from planning.tables.raw import near, shown

FROM_HISTORY = ("amount", "owner_id", "probability", "close_date")
FOLLOW_UP_SHARE = 0.9


@dataclass(frozen=True)
class Snapshot:
    """`deals` (one row a deal, with `snapshot_at`, `days_before`, `stages_before`), the `rule` in words, rows left out.

    `later`: fields that no deal had yet at its snapshot, with the stage from which they are known. `late`: ids of the
    deals that were closed after their time, which count as open.
    """

    deals: pd.DataFrame
    rule: str
    left_out: tuple[tuple[str, int], ...]
    follow_up_days: int
    later: Mapping[str, str] = field(default_factory=dict)
    late: frozenset[str] = frozenset()


def snapshot(
    deals: pd.DataFrame,
    history: pd.DataFrame,
    *,
    stage: str | None = None,
    age_days: int | None = None,
    as_of: pd.Timestamp | None = None,
    follow_up_days: int | None = None,
    known_at: Mapping[str, str] | None = None,
) -> Snapshot:
    """What was known about each deal when it entered `stage` (or was `age_days` old)?

    deals, history: canonical tables. as_of: last day of data; default the last day in either table.
    follow_up_days: time every deal is given; default the 90th percentile from snapshot to closing.
    known_at: field → stage from which it is known; it is emptied for deals that had not got so far.
    Raises UsageError for a stage the history does not have.
    """
    as_of = as_of or max(history["entered_at"].max(), deals["closed_date"].max())
    at = _moments(deals, history, stage, age_days)
    rows = deals.merge(at.rename("snapshot_at"), left_on="deal_id", right_index=True, how="inner")
    left_out = [("never reached the moment of the snapshot", len(deals) - len(rows))]
    early = rows["closed_date"].isna() | (rows["closed_date"] >= rows["snapshot_at"])
    left_out.append(("closed before the moment of the snapshot", int((~early).sum())))
    rows = rows[early].copy()
    order = step_order(deals, history)
    seen = _seen(rows, history, order, stage)
    rows, later = _masked(_as_known(rows, seen), seen, order, known_at or {})
    waits = (rows["closed_date"] - rows["snapshot_at"]).dt.days
    follow_up = int(follow_up_days or np.ceil(waits.quantile(FOLLOW_UP_SHARE) if waits.notna().any() else 90))
    had_time = rows["snapshot_at"] + pd.Timedelta(days=follow_up) <= as_of
    left_out.append((f"not yet followed for {follow_up} days", int((~had_time).sum())))
    rows = rows[had_time].copy()
    late = rows["closed_date"].notna() & ((rows["closed_date"] - rows["snapshot_at"]).dt.days > follow_up)
    rows.loc[late, "outcome"] = "open"
    rule, left_out = _rule(stage, age_days or 0, follow_up), [pair for pair in left_out if pair[1]]
    ids = frozenset(rows.loc[late, "deal_id"])
    return Snapshot(rows.reset_index(drop=True), rule, tuple(left_out), follow_up, later, ids)


def _rule(stage: str | None, age_days: int, follow_up: int) -> str:
    """The moment in words, as the end of "known ..."."""
    if stage is not None:
        text = _("when the deal entered {stage} (outcome within {days} days)")
        return text.format(stage=stage, days=number(follow_up))
    text = _("{age} days after the deal was created (outcome within {days} days)")
    return text.format(age=number(age_days), days=number(follow_up))


def _moments(deals: pd.DataFrame, history: pd.DataFrame, stage: str | None, age_days: int | None) -> pd.Series:
    if stage is None:
        return (deals.set_index("deal_id")["created_date"] + pd.Timedelta(days=age_days or 0)).dropna()
    stages = list(history["stage"].dropna().unique())
    if stage not in stages:
        text = _("stage {stage}: the stage history has no such stage.{near} It has: {stages}.")
        raise UsageError(text.format(stage=shown(stage), near=near(stage, stages), stages=", ".join(map(str, stages))))
    at = history[history["stage"] == stage].groupby("deal_id")["entered_at"].min()
    ends = deals.set_index("deal_id")["closed_date"].reindex(at.index)
    if len(at) >= 20 and (at == ends).mean() >= NEARLY:
        text = _("stage {stage}: deals enter it on the day they end, so no deal was open then. Take an earlier one.")
        raise UsageError(text.format(stage=shown(stage)))
    return at


def _seen(rows: pd.DataFrame, history: pd.DataFrame, order: list[str], stage: str | None) -> pd.DataFrame:
    """The history of each deal up to its snapshot, oldest first."""
    seen = in_order(history).merge(rows[["deal_id", "snapshot_at"]], on="deal_id")
    seen = seen[seen["entered_at"] <= seen["snapshot_at"]]
    if stage is not None:  # a history of days: what was entered later on the same day was not known yet
        later = set(order[order.index(stage) + 1 :])
        seen = seen[~(seen["stage"].isin(later) & (seen["entered_at"] == seen["snapshot_at"]))]
    return seen


def _as_known(rows: pd.DataFrame, seen: pd.DataFrame) -> pd.DataFrame:
    """Overwrites what changes over time by the last state written at or before the snapshot; counts up to then only."""
    last = seen.groupby("deal_id").last()
    for name in FROM_HISTORY:
        if name in last and name in rows:
            rows[name] = rows["deal_id"].map(last[name]).where(lambda known: known.notna(), rows[name])
    rows["stages_before"] = rows["deal_id"].map(seen.groupby("deal_id")["stage"].nunique()).fillna(0).astype(int) - 1
    if "created_date" in rows:
        rows["days_before"] = (rows["snapshot_at"] - rows["created_date"]).dt.days
    rows["stage"] = rows["deal_id"].map(last["stage"]) if "stage" in last else None
    return rows


def _masked(
    rows: pd.DataFrame, seen: pd.DataFrame, order: list[str], known_at: Mapping[str, str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Empties what is known only from a later stage than a deal had reached; fields that no deal had are named."""
    rank = {str(stage).casefold(): number for number, stage in enumerate(order)}
    reached = seen["stage"].astype(str).str.casefold().map(rank).groupby(seen["deal_id"]).max()
    reached = rows["deal_id"].map(reached).fillna(-1)
    later = {}
    for name, stage in known_at.items():
        needed = rank.get(str(stage).casefold())
        if needed is None or name not in rows:
            continue
        known = reached >= needed
        if not known.all():
            rows[name] = rows[name].where(known)
        if not known.any():
            later[name] = str(stage)
    return rows, later


def handed_over(history: pd.DataFrame) -> pd.DataFrame:
    """How many deals changed hands? One row a number of owners above one: `owners, deals`."""
    if "owner_id" not in history:
        return pd.DataFrame(columns=["owners", "deals"])
    owners = history.groupby("deal_id")["owner_id"].nunique()
    return owners[owners > 1].value_counts().rename_axis("owners").rename("deals").sort_index().reset_index()
