"""The chance of a lead that has been open for a while: solved by hand, and against simulated leads."""

import numpy as np
import pandas as pd

from planning.deals import workspace
from planning.deals.ageing import chance_now
from planning.deals.families import parse_families


def now(chance: float, age: int, follow_up: int = 40) -> float:
    """Wins come at day 10; of the others half end at day 5, half never."""
    options = {"won_after": np.array([10.0, 10.0]), "ended_after": np.array([5.0, np.inf]), "follow_up": follow_up}
    return float(chance_now(np.array([chance]), np.array([age]), **options)[0])


def test_by_hand():
    assert now(0.5, 0) == 0.5
    assert np.isclose(now(0.5, 6), 0.5 / (0.5 + 0.25))  # half of the losses are gone, no win is
    assert now(0.5, 11) == 0.0  # every win would have come
    assert now(0.5, 8, follow_up=7) == 0.0
    assert now(0.0, 6) == 0.0 and now(1.0, 11) == 0.0


def simulated(n: int = 40_000) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    chance = rng.uniform(0.1, 0.9, n)
    won = rng.random(n) < chance
    days = np.where(won, np.minimum(rng.gamma(2.0, 20.0, n), 100), rng.gamma(2.0, 35.0, n)).astype(int)
    return pd.DataFrame({"chance": chance, "won": won, "days": days})


def test_it_is_what_becomes_of_simulated_leads():
    leads = simulated()
    won, other = leads[leads["won"]], leads[~leads["won"]]
    for age in (0, 20, 50, 80):
        left = leads[leads["days"] >= age]
        stated = chance_now(
            left["chance"].to_numpy(), np.full(len(left), age), won_after=won["days"].to_numpy(),
            ended_after=other["days"].to_numpy(), follow_up=100,
        )  # fmt: skip
        for part in (stated < np.median(stated), stated >= np.median(stated)):
            assert abs(stated[part].mean() - left["won"].to_numpy()[part].mean()) < 0.02


def test_leads_open_beyond_their_time_are_counted_and_not_graded():
    rng = np.random.default_rng(0)
    x = rng.normal(size=1200)
    created = pd.Timestamp("2023-01-01") + pd.to_timedelta(np.arange(1200), unit="D")
    outcome = np.where(rng.random(1200) < 1 / (1 + np.exp(-1.2 * x)), "won", "lost").astype(object)
    outcome[::40] = "open"
    frame = pd.DataFrame({"deal_id": np.arange(1200), "fit": x, "outcome": outcome, "created_date": created})
    frame["closed_date"] = (created + pd.to_timedelta(rng.integers(1, 30, 1200), unit="D")).where(outcome != "open")
    families = parse_families({"product": {"fields": ["fit"]}, "known_at": {"fit": "creation"}}, "f.toml")
    as_of = created.max() - pd.Timedelta(days=40)
    graded = workspace.grade_workspace(frame, families, as_of)
    waiting = ((frame["outcome"] == "open") | (frame["closed_date"] > as_of)) & (frame["created_date"] <= as_of)
    old = waiting & ((as_of - frame["created_date"]).dt.days >= graded.follow_up_days)
    assert graded.beyond == old.sum() > 0
    assert len(graded.open_leads) == (waiting & ~old).sum() > 0
    assert dict(graded.left_out)["created later"] == 40
    assert graded.n + len(graded.open_leads) + sum(rows for _reason, rows in graded.left_out) == graded.total == 1200
    # The same without a deal created after that day: those closed after it are slips, named and not used.
    known = frame[frame["created_date"] <= as_of]
    graded = workspace.grade_workspace(known, families, as_of)
    slips = known[known["closed_date"] > as_of]
    assert dict(graded.left_out)["closing day to come"] == len(slips) > 5
    assert f"{slips['deal_id'].iloc[0]} (" in graded.slips["evidence"].iloc[0]
    assert graded.n + len(graded.open_leads) + sum(rows for _reason, rows in graded.left_out) == graded.total


def test_the_chance_now_is_counted_from_leads_that_had_their_time():
    """A naive second count, lead by lead, of what the workspace says of its open leads."""
    rng = np.random.default_rng(1)
    created = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(900), unit="D")
    x = rng.normal(size=900)
    outcome = np.where(rng.random(900) < 1 / (1 + np.exp(-x)), "won", "lost").astype(object)
    days = rng.integers(1, 60, 900)
    outcome[created + pd.to_timedelta(days, unit="D") > created.max()] = "open"
    frame = pd.DataFrame({"deal_id": np.arange(900), "fit": x, "outcome": outcome, "created_date": created})
    frame["closed_date"] = (created + pd.to_timedelta(days, unit="D")).where(outcome != "open")
    families = parse_families({"product": {"fields": ["fit"]}, "known_at": {"fit": "creation"}}, "f.toml")
    graded = workspace.grade_workspace(frame, families, created.max())
    had = frame[frame["created_date"] + pd.Timedelta(days=graded.follow_up_days) <= created.max()]
    took = (had["closed_date"] - had["created_date"]).dt.days
    won = (had["outcome"] == "won") & (took <= graded.follow_up_days)
    assert len(graded.open_leads) > 10
    for lead in graded.open_leads.itertuples():
        still_won = sum(t >= lead.age for t in took[won]) / won.sum()
        still_lost = sum(not t < lead.age for t in took[~won]) / (~won).sum()
        a, b = lead.probability * still_won, (1 - lead.probability) * still_lost
        assert np.isclose(lead.now, a / (a + b) if a + b else 0.0)
