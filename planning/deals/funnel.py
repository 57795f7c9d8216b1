"""The funnel and the cycle: conversion per stage, where the days go, and when deals end (won, lost, no decision)."""

from __future__ import annotations

import numpy as np
import pandas as pd

CAUSES = ("won", "lost", "no_decision")
Z90 = 1.6448536269514722
NEARLY = 0.9


def wilson(hits: np.ndarray, n: np.ndarray, z: float = Z90) -> tuple[np.ndarray, np.ndarray]:
    """90 % Wilson interval of a rate."""
    n = np.maximum(np.asarray(n, dtype=float), 1e-9)
    rate = np.asarray(hits, dtype=float) / n
    middle = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * np.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return np.clip(middle - half, 0, 1), np.clip(middle + half, 0, 1)


def stage_order(history: pd.DataFrame) -> list[str]:
    """Stages in the order deals pass them: by the mean place of each stage among the stages of its deals."""
    place = history.groupby("deal_id")["entered_at"].rank()  # stages of one day share a place
    return list(place.groupby(history["stage"]).mean().sort_values(kind="stable").index)


def in_order(history: pd.DataFrame) -> pd.DataFrame:
    """The stage history by deal and time; stages a deal entered on one day in the order deals pass them."""
    if "stage" not in history:
        return history.sort_values(["deal_id", "entered_at"], kind="stable")
    places = {stage: number for number, stage in enumerate(stage_order(history))}
    keyed = history.assign(_place=history["stage"].map(places))
    return keyed.sort_values(["deal_id", "entered_at", "_place"], kind="stable").drop(columns="_place")


def funnel(deals: pd.DataFrame, history: pd.DataFrame, *, by: str | None = None) -> pd.DataFrame:
    """How many deals get from each stage to the next, and how long do they stay?

    Deals still waiting in a stage are counted (`waiting`) but are in no rate: their time is not up.
    Returns one row a stage (and value of `by`): `stage, entered, moved_on, left, waiting, conversion, lo90, hi90,
    days_median, days_p90`. A closing stage has no row.
    """
    first, order, won = _entries(deals, history)
    info = deals.set_index("deal_id").reindex(first.index)
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


def _entries(deals: pd.DataFrame, history: pd.DataFrame) -> tuple[pd.DataFrame, list[str], pd.Series]:
    """First entry of each deal (rows) into each stage (columns), the stages that are steps in order, who won."""
    history = history[history["deal_id"].isin(deals["deal_id"])]
    first = history.groupby(["deal_id", "stage"], sort=False)["entered_at"].min().unstack("stage")
    known = deals.set_index("deal_id").reindex(first.index)
    outcome = known["outcome"]
    closing = _closing_stages(first, outcome, known.get("closed_date"))
    order = [stage for stage in stage_order(history) if stage in first and stage not in closing]
    return first, order, outcome == "won"


def step_order(deals: pd.DataFrame, history: pd.DataFrame) -> list[str]:
    """Stages in the order deals pass them, those that only closed deals of one outcome ever enter at the end."""
    steps = _entries(deals, history)[1]
    return [*steps, *(stage for stage in stage_order(history) if stage not in steps)]


def _closing_stages(first: pd.DataFrame, outcome: pd.Series, closed: pd.Series | None) -> set[str]:
    """Stages that are the outcome and no step: only closed deals of one outcome ever enter them, or nearly only, and
    nearly always on the day of closing (a few deals contradict their history)."""
    found = set()
    for stage in first:
        entered = first[stage].notna()
        seen = outcome[entered]
        if seen.empty:
            continue
        usual = seen.value_counts().index[0]
        pure = float(seen.eq(usual).mean())
        mine = entered & outcome.eq(usual)
        on_the_day = 0.0 if closed is None else float((first.loc[mine, stage] == closed[mine]).mean())
        if usual != "open" and (pure == 1.0 or (pure >= NEARLY and on_the_day >= NEARLY)):
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


def cohort_funnel(deals: pd.DataFrame, history: pd.DataFrame, as_of: pd.Timestamp, *, least: int = 20) -> pd.DataFrame:
    """Do newer deals get from stage to stage as often as older ones did, each given the same time?

    A stage's time is what nine in ten of the deals that moved on took. Only deals that entered it that long before
    `as_of` count, and only moves within it, so that young cohorts don't look worse; and only deals old enough that nine
    in ten of their age had entered it as well, so that a young cohort is not one of quick deals. Cohorts are half-years
    of creation (quarters below two years). Returns one row a stage and cohort with at least `least` such deals, oldest
    first: `stage, cohort, entered, in_time, conversion, lo90, hi90, days_given`.
    """
    first, order, won = _entries(deals, history)
    created = deals.set_index("deal_id")["created_date"].reindex(first.index)
    half = (created.max() - created.min()).days > 730
    cohort = created.dt.year.astype("Int64").astype(str) + (
        " H" + ((created.dt.month + 5) // 6).astype("Int64").astype(str)
        if half
        else " Q" + created.dt.quarter.astype("Int64").astype(str)
    )
    closed = deals.set_index("deal_id")["closed_date"].reindex(first.index)
    rows = []
    for number, stage in enumerate(order):
        later = first[order[number + 1 :]].min(axis=1) if order[number + 1 :] else pd.Series(pd.NaT, index=first.index)
        days = (later.fillna(closed.where(won)) - first[stage]).dt.days
        if not days.notna().any():
            continue
        given = int(np.ceil(days.quantile(0.9)))
        reached = int(np.ceil((first[stage] - created).dt.days.quantile(0.9)))
        had_time = (first[stage] + pd.Timedelta(days=given) <= as_of) & (
            created + pd.Timedelta(days=max(reached, 0) + given) <= as_of
        )
        for name, members in cohort[had_time].groupby(cohort[had_time]).groups.items():
            hits = int((days[members] <= given).sum())
            if len(members) >= least:
                low, high = wilson(np.array([hits]), np.array([len(members)]))
                rate = hits / len(members)
                rows.append((stage, name, len(members), hits, rate, float(low[0]), float(high[0]), given))
    columns = ["stage", "cohort", "entered", "in_time", "conversion", "lo90", "hi90", "days_given"]
    return pd.DataFrame(rows, columns=columns)


def cohort_changes(table: pd.DataFrame) -> pd.DataFrame:
    """Does the newest cohort get on as often as all older ones together? One row a stage with at least two cohorts:
    `stage, cohort, newest, older, points` (difference of the rates) with `lo90, hi90`, and `verdict`: better, worse,
    cannot tell."""
    rows = []
    for stage, part in table.groupby("stage", sort=False):
        if len(part) < 2:
            continue
        new, old = part.iloc[-1], part.iloc[:-1][["entered", "in_time"]].sum()
        a, b = new["in_time"] / new["entered"], old["in_time"] / old["entered"]
        half = Z90 * np.sqrt(
            (new["in_time"] + 1) * (new["entered"] - new["in_time"] + 1) / (new["entered"] + 2) ** 3
            + (old["in_time"] + 1) * (old["entered"] - old["in_time"] + 1) / (old["entered"] + 2) ** 3
        )
        verdict = "better" if a - b > half else "worse" if b - a > half else "cannot tell"
        rows.append((stage, new["cohort"], a, b, a - b, a - b - half, a - b + half, verdict))
    return pd.DataFrame(rows, columns=["stage", "cohort", "newest", "older", "points", "lo90", "hi90", "verdict"])


def days_by_stage(deals: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Where do the days of a decided deal go? Mean days in each stage and its share of all: `stage, days_won,
    days_lost, days_mean, share`."""
    ordered = in_order(history)
    info = deals.set_index("deal_id")[["outcome", "closed_date"]].reindex(ordered["deal_id"])
    after = ordered.groupby("deal_id")["entered_at"].shift(-1).to_numpy()
    ends = pd.Series(after, index=ordered.index).fillna(pd.Series(info["closed_date"].to_numpy(), index=ordered.index))
    days = (ends - ordered["entered_at"]).dt.days.clip(lower=0)
    frame = pd.DataFrame({"stage": ordered["stage"], "outcome": info["outcome"].to_numpy(), "days": days})
    _, order, _ = _entries(deals, history)
    frame = frame[frame["outcome"].isin(CAUSES) & frame["stage"].isin(order)]
    count = deals["outcome"].value_counts()
    total = frame.groupby("stage")["days"].sum()
    per = {name: frame[frame["outcome"] == name].groupby("stage")["days"].sum() / max(int(count.get(name, 0)), 1)
           for name in ("won", "lost")}  # fmt: skip
    decided = max(int(count.reindex(list(CAUSES)).fillna(0).sum()), 1)
    out = pd.DataFrame({"stage": order})
    for column, values in (("days_won", per["won"]), ("days_lost", per["lost"]), ("days_mean", total / decided)):
        out[column] = out["stage"].map(values).fillna(0.0)
    out["share"] = out["days_mean"] / max(float(out["days_mean"].sum()), 1e-9)
    return out


def overdue(
    deals: pd.DataFrame, history: pd.DataFrame, as_of: pd.Timestamp, *, level: float = 0.9, least: int = 20
) -> pd.DataFrame:
    """Which open deals stand in their stage longer than 9 of 10 deals that moved on ever did?

    Returns `deal_id, stage, days, usual_days, times` (days ÷ usual), the longest waiting first. A stage that fewer than
    `least` deals have left has no usual time, so none of its deals is late.
    """
    ordered = in_order(history)
    left = ordered.groupby("deal_id")["entered_at"].shift(-1)
    days = (left - ordered["entered_at"]).dt.days
    past = days[left.notna()].groupby(ordered["stage"])
    usual = past.quantile(level)[past.size() >= least]
    last = ordered.groupby("deal_id").last()
    waiting = last[last.index.isin(deals.loc[deals["outcome"] == "open", "deal_id"])]
    frame = pd.DataFrame({"deal_id": waiting.index, "stage": waiting["stage"].to_numpy()})
    frame["days"] = (as_of - waiting["entered_at"]).dt.days.to_numpy()
    frame["usual_days"] = frame["stage"].map(usual)
    frame["times"] = frame["days"] / frame["usual_days"].clip(lower=1)
    late = frame[frame["days"] > frame["usual_days"]]
    return late.sort_values("times", ascending=False, kind="stable").reset_index(drop=True)


def overdue_by_stage(late: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    """In which stages do the overdue deals stand, in the order of the stages? `stage, deals, usual_days`."""
    grouped = late.groupby("stage", sort=False)
    frame = grouped.agg(deals=("deal_id", "count"), usual_days=("usual_days", "first"))
    return frame.reindex([stage for stage in order if stage in frame.index]).reset_index()


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
