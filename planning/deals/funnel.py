"""The funnel and the cycle: conversion per stage, where the days go, and when deals end (won, lost, no decision)."""

from __future__ import annotations

import numpy as np
import pandas as pd

CAUSES = ("won", "lost", "no_decision")
Z90 = 1.6448536269514722


def wilson(hits: np.ndarray, n: np.ndarray, z: float = Z90) -> tuple[np.ndarray, np.ndarray]:
    """90 % Wilson interval of a rate."""
    n = np.maximum(np.asarray(n, dtype=float), 1e-9)
    rate = np.asarray(hits, dtype=float) / n
    middle = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def stage_order(history: pd.DataFrame) -> list[str]:
    """Stages in the order deals pass them: by the mean place of each stage among the stages of its deals."""
    ordered = history.sort_values(["deal_id", "entered_at"], kind="stable")
    place = ordered.groupby("deal_id").cumcount()
    return list(place.groupby(ordered["stage"]).mean().sort_values(kind="stable").index)


def funnel(deals: pd.DataFrame, history: pd.DataFrame, *, by: str | None = None) -> pd.DataFrame:
    """How many deals get from each stage to the next, and how long do they stay?

    Deals still waiting in a stage are counted (`waiting`) but are in no rate: their time is not up.
    Returns one row a stage (and value of `by`): `stage, entered, moved_on, left, waiting, conversion, lo90, hi90,
    days_median, days_p90`. A closing stage has no row.
    """
    first = history.groupby(["deal_id", "stage"], sort=False)["entered_at"].min().unstack("stage")
    order = [stage for stage in stage_order(history) if stage in first]
    info = deals.set_index("deal_id").reindex(first.index)
    closing = _closing_stages(first, info["outcome"])
    order = [stage for stage in order if stage not in closing]
    won = info["outcome"] == "won"
    groups = [(None, np.ones(len(first), dtype=bool))] if by is None else [
        (value, (info[by] == value).to_numpy()) for value in sorted(info[by].dropna().unique())
    ]  # fmt: skip
    rows = []
    for value, members in groups:
        for number, stage in enumerate(order):
            entered = first[stage].notna().to_numpy() & members
            later = first[order[number + 1 :]].notna().any(axis=1).to_numpy() | won.to_numpy()
            waiting = entered & ~later & (info["outcome"] == "open").to_numpy()
            rows.append((value, stage, *_stage_row(first, info, order, number, entered, later, waiting)))
    columns = [
        "group",
        "stage",
        "entered",
        "moved_on",
        "left",
        "waiting",
        "conversion",
        "lo90",
        "hi90",
        "days_median",
        "days_p90",
    ]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.drop(columns="group") if by is None else frame.rename(columns={"group": by})


def _closing_stages(first: pd.DataFrame, outcome: pd.Series) -> set[str]:
    """Stages that only closed deals of one outcome ever enter: they are the outcome, not a step."""
    found = set()
    for stage in first:
        seen = outcome[first[stage].notna()]
        if len(seen) and (seen.eq(seen.iloc[0]).all() and seen.iloc[0] != "open"):
            found.add(stage)
    return found


def _stage_row(first, info, order, number, entered, later, waiting) -> tuple:
    moved, left = entered & later, entered & ~later & ~waiting
    done = int(moved.sum() + left.sum())
    low, high = wilson(np.array([moved.sum()]), np.array([done]))
    after = first[order[number + 1 :]].min(axis=1) if order[number + 1 :] else pd.Series(pd.NaT, index=first.index)
    ends = after.fillna(info["closed_date"])
    days = (ends - first[order[number]]).dt.days[entered & ~waiting]
    conversion = moved.sum() / done if done else np.nan
    return (int(entered.sum()), int(moved.sum()), int(left.sum()), int(waiting.sum()), conversion,
            float(low[0]) if done else np.nan, float(high[0]) if done else np.nan, float(days.median()),
            float(days.quantile(0.9)))  # fmt: skip


def overdue(deals: pd.DataFrame, history: pd.DataFrame, as_of: pd.Timestamp, *, level: float = 0.9) -> pd.DataFrame:
    """Which open deals stand in their stage longer than 9 of 10 deals that moved on ever did?

    Returns `deal_id, stage, days, usual_days, times` (days ÷ usual), the longest waiting first.
    """
    ordered = history.sort_values(["deal_id", "entered_at"], kind="stable")
    left = ordered.groupby("deal_id")["entered_at"].shift(-1)
    days = (left - ordered["entered_at"]).dt.days
    usual = days[left.notna()].groupby(ordered["stage"]).quantile(level)
    last = ordered.groupby("deal_id").last()
    waiting = last[last.index.isin(deals.loc[deals["outcome"] == "open", "deal_id"])]
    frame = pd.DataFrame({"deal_id": waiting.index, "stage": waiting["stage"].to_numpy()})
    frame["days"] = (as_of - waiting["entered_at"]).dt.days.to_numpy()
    frame["usual_days"] = frame["stage"].map(usual)
    frame["times"] = frame["days"] / frame["usual_days"].clip(lower=1)
    late = frame[frame["days"] > frame["usual_days"]]
    return late.sort_values("times", ascending=False, kind="stable").reset_index(drop=True)


def cumulative_incidence(days: np.ndarray, cause: np.ndarray) -> pd.DataFrame:
    """By which day had what share of deals been won, lost, or ended undecided (Aalen-Johansen)?

    days (n,): from the start to the end, or to the last look for open deals. cause (n,): 'won', 'lost', 'no_decision',
    or 'open' (censored). Open deals count as long as they were seen; a loss is an end of its own and not a censored
    win.

    Returns one row a distinct day: `day, at_risk`, and per cause its cumulative share with `_lo, _hi` (90 %, delta
    method).
    """
    order = np.argsort(days, kind="stable")
    days, cause = np.asarray(days, dtype=float)[order], np.asarray(cause)[order]
    times, starts = np.unique(days, return_index=True)
    at_risk = len(days) - starts
    events = np.stack([np.add.reduceat((cause == name).astype(float), starts) for name in CAUSES], axis=1)
    total = events.sum(axis=1)
    survival = np.cumprod(1 - total / at_risk)
    before = np.concatenate([[1.0], survival[:-1]])
    share = np.cumsum(before[:, None] * events / at_risk[:, None], axis=0)
    frame = pd.DataFrame({"day": times, "at_risk": at_risk})
    for number, name in enumerate(CAUSES):
        error = np.sqrt(np.maximum(_variance(share[:, number], before, events[:, number], total, at_risk), 0))
        frame[name] = share[:, number]
        frame[f"{name}_lo"] = np.clip(share[:, number] - Z90 * error, 0, 1)
        frame[f"{name}_hi"] = np.clip(share[:, number] + Z90 * error, 0, 1)
    return frame


def _variance(
    share: np.ndarray, before: np.ndarray, own: np.ndarray, total: np.ndarray, at_risk: np.ndarray
) -> np.ndarray:
    """Delta-method variance of a cumulative incidence, by running sums (Marubini and Valsecchi 1995)."""
    n = at_risk.astype(float)
    a = np.where(n > total, total / (n * np.maximum(n - total, 1e-12)), 0.0)
    b = before**2 * own * (n - own) / n**3
    c = before * own / n**2
    s0, s1, s2 = np.cumsum(a), np.cumsum(a * share), np.cumsum(a * share**2)
    return share**2 * s0 - 2 * share * s1 + s2 + np.cumsum(b) - 2 * (share * np.cumsum(c) - np.cumsum(c * share))


def cycle(deals: pd.DataFrame, as_of: pd.Timestamp) -> tuple[pd.DataFrame, int]:
    """Time from first contact to the end by outcome, and how many deals were left out as older than the first closing.

    Deals created before the first closing on record are left out: had they closed earlier they would not be here.
    """
    known = deals[deals["created_date"].notna()]
    first = known["closed_date"].min()
    old = known["created_date"] < first - pd.Timedelta(days=30)
    kept = known[~old]
    ends = kept["closed_date"].fillna(as_of)
    days = (ends - kept["created_date"]).dt.days.clip(lower=0).to_numpy()
    outcome = kept["outcome"].where(kept["closed_date"].notna(), "open").to_numpy()
    return cumulative_incidence(days, outcome), int(old.sum())
