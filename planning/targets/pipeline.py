"""The open pipeline as of a day: what it is worth by calibrated stage, what lags, what must close.

Only what was known on the day is read: stages entered by then, deals created by then. A stage's win rate is learned
from deals closed before the day (won or not after they had reached the stage), shrunk towards the rate of all deals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

SHRINK_DEALS = 20.0
ENDINGS = ("won", "lost", "no decision")  # stages that are outcomes, not places a deal waits in
FEWEST = 8  # deals behind a rate or an alarm


@dataclass(frozen=True)
class Pipeline:
    """The open pipeline. deals: deal_id, keys, stage, amount, age (days in stage), chance, worth. stages: stage, open,
    win_rate, n, usual_days. alarms: stage, place, open, late, usual_share, p_value, median_days, usual_days."""

    as_of: pd.Timestamp
    deals: pd.DataFrame
    stages: pd.DataFrame
    alarms: pd.DataFrame

    def must_close(self, n: int = 10) -> pd.DataFrame:
        """Returns the open deals that are worth most, largest first."""
        columns = [
            c
            for c in ("deal_id", "name", "region", "line", "stage", "amount", "chance", "worth", "age")
            if c in self.deals
        ]
        return (
            self.deals.sort_values(["worth", "deal_id"], ascending=[False, True])[columns]
            .head(n)
            .reset_index(drop=True)
        )

    def worth(self, key: str) -> pd.Series:
        """Returns the weighted pipeline by a key."""
        return self.deals.groupby(key)["worth"].sum()


def open_pipeline(deals: pd.DataFrame, stages: pd.DataFrame, as_of: pd.Timestamp, *, place: str = "region") -> Pipeline:
    """Returns the pipeline open on `as_of`.

    deals: deal_id, created_date, closed_date, outcome, amount, <keys>. stages: deal_id, stage, entered_at, left_at and,
    where recorded, amount. An alarm is a stage and place where more open deals are older than the usual 75 % of past
    stays than chance explains (binomial, 5 %, corrected for the number looked at).
    """
    as_of = pd.Timestamp(as_of)
    history = stages.assign(entered_at=pd.to_datetime(stages["entered_at"]), left_at=pd.to_datetime(stages["left_at"]))
    history = history[history["entered_at"] <= as_of]
    closed = pd.to_datetime(deals["closed_date"])
    known = deals[pd.to_datetime(deals["created_date"]) <= as_of].assign(closed=closed)
    past = known[(known["closed"] <= as_of) & known["outcome"].isin(["won", "lost", "no_decision"])]
    current = known[known["closed"].isna() | (known["closed"] > as_of)]
    rates = _win_rates(past, history)
    stays = _stays(past, history)
    now = history[history["deal_id"].isin(current["deal_id"])].sort_values(["deal_id", "entered_at"], kind="stable")
    now = now.groupby("deal_id", as_index=False).last()[
        ["deal_id", "stage", "entered_at", *(["amount"] if "amount" in history else [])]
    ]
    table = current.drop(columns=["stage"], errors="ignore").merge(now, on="deal_id", suffixes=("", "_then"))
    if "amount_then" in table:
        # The amount as it stood in that stage, not what it became.
        table["amount"] = table["amount_then"].fillna(table["amount"])
    table["age"] = (as_of - table["entered_at"]).dt.days
    usual = float(rates["win_rate"].mean()) if len(rates) else 0.0
    table["chance"] = [float(rates["win_rate"].get(stage, usual)) for stage in table["stage"]]
    table["worth"] = table["amount"].fillna(0.0) * table["chance"]
    counts = table.groupby("stage").size()
    summary = rates.assign(
        open=counts.reindex(rates.index).fillna(0).astype(int), usual_days=stays.groupby("stage")["days"].median()
    )
    return Pipeline(
        as_of, table.reset_index(drop=True), summary.reset_index(names="stage"), _alarms(table, stays, place)
    )


def _win_rates(past: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Returns stage → win_rate, n: of past deals that reached it, the share won, shrunk to the rate of all."""
    won = past.set_index("deal_id")["outcome"].eq("won")
    overall = float(won.mean()) if len(won) else 0.0
    reached = history[history["deal_id"].isin(past["deal_id"])].drop_duplicates(["deal_id", "stage"])
    reached = reached.assign(won=reached["deal_id"].map(won).astype(float))
    ending = reached["stage"].astype(str).str.lower().str.replace("_", " ").str.strip()
    reached = reached[~(ending.str.startswith("closed") | ending.isin(ENDINGS))]
    group = reached.groupby("stage")["won"].agg(["sum", "size"])
    rate = (group["sum"] + SHRINK_DEALS * overall) / (group["size"] + SHRINK_DEALS)
    return pd.DataFrame({"win_rate": rate, "n": group["size"].astype(int)})


def _stays(past: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Returns the finished stays of past deals: stage, days."""
    stays = history[history["deal_id"].isin(past["deal_id"]) & history["left_at"].notna()]
    days = (stays["left_at"] - stays["entered_at"]).dt.total_seconds() / 86400
    return pd.DataFrame({"stage": stays["stage"], "days": days})


def _alarms(table: pd.DataFrame, stays: pd.DataFrame, place: str) -> pd.DataFrame:
    columns = ["stage", "place", "open", "late", "usual_share", "p_value", "median_days", "usual_days"]
    rows = []
    late_from = stays.groupby("stage")["days"].quantile(0.75)
    usual = stays.groupby("stage")["days"].median()
    for (stage, where), part in table.groupby(["stage", place], sort=True):
        if len(part) < FEWEST or stage not in late_from.index or late_from[stage] <= 0:
            continue
        finished = stays.loc[stays["stage"] == stage, "days"]
        # Open stays are seen while they last: long ones are met more often, in proportion to their length.
        share = float(finished.sub(late_from[stage]).clip(lower=0).sum() / max(finished.sum(), 1e-9))
        late = int((part["age"] > late_from[stage]).sum())
        p = float(special.bdtrc(late - 1, len(part), min(share, 0.999))) if late > 0 else 1.0
        rows.append([stage, where, len(part), late, share, p, float(part["age"].median()), float(usual[stage])])
    frame = pd.DataFrame(rows, columns=columns)
    return (
        frame[frame["p_value"] < 0.05 / max(len(frame), 1)].sort_values("p_value", kind="stable").reset_index(drop=True)
    )


def pipeline_signal(monthly: pd.DataFrame) -> dict[str, float]:
    """Returns what a fuller pipeline meant for the months after: `slope, se, r2, n, told` (told: 2 se from 0).

    monthly: one row a past month and place: `fullness` (log of weighted pipeline over its mean of the 12 months before)
    and `surprise` (log of the next 3 months' sales over the same months a year before, less the growth of the 12 months
    before). Pooled over places; without 24 rows nothing is told.
    """
    frame = monthly.replace([np.inf, -np.inf], np.nan).dropna(subset=["fullness", "surprise"])
    if len(frame) < 24 or frame["fullness"].std() < 1e-6:
        return {"slope": 0.0, "se": np.inf, "r2": 0.0, "n": len(frame), "told": False}
    x = frame["fullness"] - frame["fullness"].mean()
    y = frame["surprise"] - frame["surprise"].mean()
    slope = float((x * y).sum() / (x * x).sum())
    residual = y - slope * x
    # Windows of three months overlap threefold: a third of the rows count.
    se = float(np.sqrt((residual**2).sum() / max(len(frame) / 3 - 2, 1) / (x * x).sum() * len(frame) / 3))
    r2 = float(1 - (residual**2).sum() / (y**2).sum()) if (y**2).sum() > 0 else 0.0
    return {"slope": slope, "se": se, "r2": r2, "n": len(frame), "told": bool(abs(slope) > 2 * se)}


def past_signal(
    deals: pd.DataFrame, stages: pd.DataFrame, sales: pd.DataFrame, as_of: pd.Timestamp, *, place: str = "region"
) -> pd.DataFrame:
    """Returns the rows `pipeline_signal` learns from: each past month-end's pipeline beside the three months after it.

    sales: ds, <place>, amount. Columns `month, <place>, fullness, surprise`.
    """
    monthly = sales.groupby([place, pd.to_datetime(sales["ds"]).dt.to_period("M").dt.start_time])["amount"].sum()
    wide = monthly.unstack(0).sort_index()
    ends = [m + pd.offsets.MonthEnd(0) for m in wide.index if m + pd.offsets.MonthEnd(0) <= as_of]
    value = (
        pd.DataFrame({end: _value_at(deals, stages, end, place) for end in ends[12:]})
        .T.reindex(columns=wide.columns)
        .fillna(0.0)
    )
    rows = []
    for i, end in enumerate(value.index):
        at = wide.index.get_loc(end.to_period("M").start_time)
        if i < 12 or at < 24 or at + 3 >= len(wide) or wide.index[at + 3] > as_of:
            continue
        before = value.iloc[i - 12 : i].mean()
        ahead, same = wide.iloc[at + 1 : at + 4].sum(), wide.iloc[at - 11 : at - 8].sum()
        growth = wide.iloc[at - 11 : at + 1].sum() / wide.iloc[at - 23 : at - 11].sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            fullness, surprise = np.log(value.iloc[i] / before), np.log(ahead / same / growth)
        rows.append(
            pd.DataFrame(
                {"month": end, place: wide.columns, "fullness": fullness.to_numpy(), "surprise": surprise.to_numpy()}
            )
        )
    return (
        pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=["month", place, "fullness", "surprise"])
    )


def lift(
    deals: pd.DataFrame,
    stages: pd.DataFrame,
    as_of: pd.Timestamp,
    signal: dict[str, float],
    *,
    place: str = "region",
) -> pd.Series | None:
    """Returns the factor the open pipeline puts on the next three months' sales of each place.

    exp(slope * fullness), between 0.7 and 1.4; None where the past has not told that a fuller pipeline means more.
    """
    if not signal["told"]:
        return None
    ends = [as_of - pd.offsets.MonthEnd(k) for k in range(1, 13)]
    before = pd.DataFrame({end: _value_at(deals, stages, end, place) for end in ends}).fillna(0.0).mean(axis=1)
    now = _value_at(deals, stages, as_of, place).reindex(before.index).fillna(0.0)
    fullness = np.log((now + 0.1 * before) / (1.1 * before)).where(before > 0, 0.0)
    return np.exp(signal["slope"] * fullness).clip(0.7, 1.4)


def _value_at(deals: pd.DataFrame, stages: pd.DataFrame, end: pd.Timestamp, place: str) -> pd.Series:
    found = open_pipeline(deals, stages, end, place=place)
    return found.deals.groupby(place)["worth"].sum()
