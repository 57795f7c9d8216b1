"""What follows from the weights: snapshot, funnel, cycle, people, change, grades, against naive second counts."""

import tomllib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from planning.deals import family_weights, funnel_sentences, workspace
from planning.deals.casemix import performers
from planning.deals.change import period_change, won_lost_gap
from planning.deals.drafting import draft
from planning.deals.families import parse_families
from planning.deals.funnel import (
    cohort_changes,
    cohort_funnel,
    cumulative_incidence,
    days_by_stage,
    funnel,
    overdue,
    overdue_by_stage,
    wilson,
)
from planning.deals.grading import grade_leads
from planning.deals.habits import by_thirds, library, practice_fields, practices
from planning.deals.lostdeals import against_competitors, every_deal, surprise_losses, typical_losses
from planning.deals.reasons import reason_family, written_against_model
from planning.deals.simulate import simulate_deals
from planning.deals.snapshot import snapshot
from planning.errors import DataError, UsageError


@pytest.fixture(scope="module")
def world():
    return simulate_deals(3000, seed=21, people=30)


@pytest.fixture(scope="module")
def weighed(world):
    families = {name: {"fields": fields} for name, fields in world.families.items()}
    known = {field: "creation" for fields in world.families.values() for field in fields}
    return family_weights(world.deals, families=families | {"known_at": known}, refits=20)


def history() -> tuple[pd.DataFrame, pd.DataFrame]:
    day = pd.Timestamp("2026-01-01")
    deals = pd.DataFrame({
        "deal_id": ["a", "b", "c", "d"], "outcome": ["won", "lost", "open", "lost"],
        "created_date": [day] * 4, "closed_date": [day + pd.Timedelta(days=30), day + pd.Timedelta(days=20),
        pd.NaT, day + pd.Timedelta(days=5)],
        "amount": [120.0, 50.0, 70.0, 10.0], "owner_id": ["p2", "p1", "p1", "p1"],
    })  # fmt: skip
    rows = [("a", "Lead", 0, 100, "p1"), ("a", "Proposal", 10, 110, "p1"), ("a", "Won", 30, 120, "p2"), ("b",
    "Lead", 0, 50, "p1"),
            ("b", "Proposal", 5, 50, "p1"), ("c", "Lead", 0, 70, "p1"), ("c", "Proposal", 2, 75, "p1"), ("d",
            "Lead", 0, 10, "p1")]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["deal_id", "stage", "day", "amount", "owner_id"])
    frame["entered_at"] = day + pd.to_timedelta(frame.pop("day"), unit="D")
    return deals, frame


def test_snapshot_knows_nothing_of_later():
    deals, stages = history()
    taken = snapshot(deals, stages, stage="Proposal", as_of=pd.Timestamp("2026-12-31"), follow_up_days=60)
    row = taken.deals.set_index("deal_id").loc["a"]
    assert row["amount"] == 110 and row["owner_id"] == "p1" and row["days_before"] == 10 and row["stages_before"] == 1
    assert dict(taken.left_out) == {"never reached the moment of the snapshot": 1}


def test_snapshot_of_a_day_knows_nothing_entered_later_that_day():
    """Proposal and Won on one day, in either order of the rows: the proposal's amount and owner hold."""
    deals, stages = history()
    day = stages["entered_at"].min()
    stages.loc[(stages["deal_id"] == "a") & (stages["stage"] == "Won"), "entered_at"] = day + pd.Timedelta(days=10)
    for rows in (stages, stages.iloc[::-1]):
        taken = snapshot(deals, rows, stage="Proposal", as_of=pd.Timestamp("2026-12-31"), follow_up_days=60)
        row = taken.deals.set_index("deal_id").loc["a"]
        assert row["amount"] == 110 and row["owner_id"] == "p1" and row["stage"] == "Proposal"


def test_snapshot_at_an_age():
    deals, stages = history()
    taken = snapshot(deals, stages, age_days=6, as_of=pd.Timestamp("2026-12-31"), follow_up_days=60)
    rows = taken.deals.set_index("deal_id")
    assert list(rows.index) == ["a", "b", "c"]  # d was closed before
    assert rows["stages_before"].tolist() == [0, 1, 1] and rows["amount"].tolist() == [100, 50, 75]
    assert taken.rule == "6 days after the deal was created (outcome within 60 days)"


def test_what_is_known_from_a_later_stage_is_not_known_at_the_snapshot():
    """By hand: at the lead nobody knows the price; at an age of 4 days only c has got to the proposal."""
    deals, stages = history()
    deals = deals.assign(price=[1.0, 2.0, 3.0, 4.0], size=[5.0, 6.0, 7.0, 8.0])
    options = {"as_of": pd.Timestamp("2026-12-31"), "follow_up_days": 60}
    known_at = {"price": "proposal", "size": "Lead", "amount": "creation"}
    lead = snapshot(deals, stages, stage="Lead", known_at=known_at, **options)
    assert lead.deals["price"].isna().all() and lead.later == {"price": "proposal"}
    assert lead.deals["size"].notna().all() and lead.deals["amount"].notna().all()
    aged = snapshot(deals, stages, age_days=4, known_at=known_at, **options)
    assert aged.deals.set_index("deal_id")["price"].dropna().to_dict() == {"c": 3.0} and aged.later == {}
    proposal = snapshot(deals, stages, stage="Proposal", known_at=known_at, **options)
    assert proposal.deals["price"].notna().all() and proposal.later == {}


def test_snapshot_gives_every_deal_the_same_time():
    deals, stages = history()
    taken = snapshot(deals, stages, stage="Proposal", as_of=pd.Timestamp("2026-12-31"), follow_up_days=17)
    assert taken.deals.set_index("deal_id").loc["a", "outcome"] == "open"
    with pytest.raises(UsageError, match="Did you mean 'Proposal'"):
        snapshot(deals, stages, stage="Proposl")


def test_funnel_counts_waiting_deals_in_no_rate():
    deals, stages = history()
    table = funnel(deals, stages).set_index("stage")
    assert table.loc["Lead", ["entered", "moved_on", "left", "waiting"]].tolist() == [4, 3, 1, 0]
    assert table.loc["Proposal", ["entered", "moved_on", "left", "waiting"]].tolist() == [3, 1, 1, 1]
    assert table.loc["Proposal", "conversion"] == 0.5
    late = overdue(deals, stages, pd.Timestamp("2026-06-01"))
    assert set(late["deal_id"]) <= {"c"}


def test_the_funnel_names_the_smallest_rate_and_not_the_most_deals():
    rows = [("Lead", 100, 90, 0.9), ("Proposal", 1000, 700, 0.7), ("Talks", 100, 60, 0.6), ("New", 5, 0, np.nan)]
    table = pd.DataFrame(rows, columns=["stage", "entered", "moved_on", "conversion"]).assign(lo90=0.5, hi90=0.8)
    assert funnel_sentences.funnel_finding(table)[0].startswith("The smallest part goes on from Talks: 60")
    assert funnel_sentences.funnel_finding(table.tail(1))[0] == "No deal has left its stage yet"
    assert "New" not in funnel_sentences.funnel_alt(table)


def test_no_deal_is_late_by_the_habit_of_a_few():
    deals, stages = history()
    late = overdue(deals, stages, pd.Timestamp("2027-01-01"), least=1)
    assert late["deal_id"].tolist() == ["c"] and late["stage"].tolist() == ["Proposal"]
    assert overdue(deals, stages, pd.Timestamp("2027-01-01"), least=3).empty
    table = pd.DataFrame({"deal_id": list("xyz"), "stage": ["Talks", "Lead", "Talks"], "usual_days": [9, 4, 9]})
    by_stage = overdue_by_stage(table, ["Lead", "Proposal", "Talks"])
    assert by_stage.values.tolist() == [["Lead", 1, 4], ["Talks", 2, 9]]


def test_every_deal_adds_up_by_family_and_by_field(weighed):
    table = every_deal(weighed)
    families = list(weighed.model.design.families)
    assert np.allclose(table["intercept"] + table[families].sum(axis=1), table["log_odds"])
    for family in families:
        fields = [name for name in table if name.startswith(f"{family}: ")]
        assert fields and np.allclose(table[fields].sum(axis=1), table[family])
    assert np.allclose(table["log_odds"], weighed.model.log_odds(weighed.codes), atol=1e-9)
    assert (table["outcome"] == "won").tolist() == (weighed.prepared.won == 1).tolist()


def test_wilson_interval_of_a_known_case():
    low, high = wilson(np.array([5]), np.array([10]), z=1.96)
    assert low[0] == pytest.approx(0.2366, abs=1e-3) and high[0] == pytest.approx(0.7634, abs=1e-3)


def test_cumulative_incidence_agrees_with_statsmodels():
    from statsmodels.duration.survfunc import CumIncidenceRight

    rng = np.random.default_rng(0)
    days = rng.integers(1, 60, 400).astype(float)
    cause = rng.choice(["won", "lost", "no_decision", "open"], 400)
    ours = cumulative_incidence(days, cause)
    status = pd.Series(cause).map({"open": 0, "won": 1, "lost": 2, "no_decision": 3}).to_numpy()
    theirs = CumIncidenceRight(days, status)
    for number, name in enumerate(("won", "lost", "no_decision")):
        at = np.searchsorted(ours["day"], theirs.times)
        np.testing.assert_allclose(ours[name].to_numpy()[at], theirs.cinc[number], atol=1e-6)
    assert (ours["won_lo"] <= ours["won"]).all() and (ours["won"] <= ours["won_hi"]).all()


def test_a_loss_is_no_censored_win():
    table = cumulative_incidence(np.array([1.0, 2.0, 3.0, 4.0]), np.array(["lost", "won", "lost", "won"]))
    assert table["won"].iloc[-1] == pytest.approx(0.5) and table["lost"].iloc[-1] == pytest.approx(0.5)


def test_performers_are_ranked_by_what_they_add(weighed, world):
    table = performers(weighed, world.deals.set_index("deal_id")["owner_id"]).set_index("person")
    talent = world.parts["skill"].groupby(world.deals["owner_id"]).mean()
    assert table["effect"].corr(talent, method="spearman") > 0.5
    assert set(table["verdict"]) <= {"top", "below", "cannot tell"}
    assert table["p_top"].sum() == pytest.approx(6, abs=0.01)
    assert table["expected_wins"].sum() == pytest.approx(table["wins"].sum())


def test_practices_tell_a_real_one_from_noise(weighed, world):
    owner = world.deals.set_index("deal_id")["owner_id"]
    table = practices(weighed, {"contacts": "up", "tenure_years": "up"}, owner).set_index("practice")
    assert table.loc["contacts", "verdict"] == "differs" and table.loc["contacts", "effect"] > 0
    turned = practices(weighed, {"contacts": "down"}, owner)
    assert turned["effect"].iloc[0] == pytest.approx(-table.loc["contacts", "effect"], abs=0.02)


def test_parts_of_a_persons_deals_are_counted_as_by_hand(weighed, world):
    owner = world.deals.set_index("deal_id")["owner_id"]
    table = by_thirds(weighed, {"contacts": "up", "response_hours": "down"}, owner)
    deals = world.deals.assign(won=world.deals["outcome"] == "won")
    rank = deals.groupby("owner_id")["response_hours"].rank(pct=True)
    quick = deals[rank <= 1 / 3]
    row = table[(table["practice"] == "response_hours") & (table["third"] == "low")].iloc[0]
    assert row["deals"] == len(quick) and row["wins"] == quick["won"].sum()
    assert row["typical"] == quick["response_hours"].median()
    assert row["lo90"] < row["win_rate"] < row["hi90"]


def test_the_library_says_what_to_do_next(weighed, world):
    owner = world.deals.set_index("deal_id")["owner_id"]
    ways = {"contacts": "up", "tenure_years": "up", "response_hours": "down"}
    table = practices(weighed, ways, owner)
    table = table.assign(way=table["practice"].map(ways), owner="sales")
    table.loc[table["practice"] == "tenure_years", ["verdict", "q"]] = ["cannot tell", 0.5]
    found = library(table, by_thirds(weighed, ways, owner), pd.Timestamp("2026-12-31")).set_index("practice")
    assert found.loc["contacts", "next_step"] == "spread" and found.loc["tenure_years", "next_step"] == "collect"
    assert found.loc["contacts", "beyond_more"] > found.loc["contacts", "beyond_less"]
    assert (found["check_on"] == pd.Timestamp("2027-06-30")).all() and (found["seen_from"] > 0).all()


def test_practices_are_what_people_do_not_the_price_and_not_refused_fields(weighed):
    from planning.deals.families import parse_families

    families = parse_families({
        "skill": {"fields": ["contacts", "owner_id"]}, "price": {"fields": ["discount"]},
        "levers": {"discount": "up", "requirements_met": "up"},
    }, "f.toml")  # fmt: skip
    assert practice_fields(weighed, families) == {"requirements_met": "up", "contacts": "up"}


def test_deals_that_changed_hands_are_counted():
    from planning.deals.funnel_sentences import handed_over_text
    from planning.deals.snapshot import handed_over

    _deals, stages = history()
    assert handed_over(stages).to_dict("records") == [{"owners": 2, "deals": 1}]
    assert handed_over(stages.drop(columns="owner_id")).empty
    assert handed_over_text(1).startswith("1 deal changed") and handed_over_text(2).startswith("2 deals changed")


def test_cohorts_are_given_the_same_time():
    day, rows, entries = pd.Timestamp("2026-01-01"), [], []
    for number in range(120):
        began = day + pd.Timedelta(days=3 * number)
        wins = number % 2 == 0
        rows.append((f"d{number}", "won" if wins else "lost", began, began + pd.Timedelta(days=20)))
        entries += [(f"d{number}", "Lead", began)]
        entries += [(f"d{number}", "Offer", began + pd.Timedelta(days=10))] if wins else []
    deals = pd.DataFrame(rows, columns=["deal_id", "outcome", "created_date", "closed_date"])
    stages = pd.DataFrame(entries, columns=["deal_id", "stage", "entered_at"])
    stages = pd.concat([stages, stages[stages["stage"] == "Lead"].assign(stage="Offer").iloc[1:2]])
    table = cohort_funnel(deals, stages, as_of=pd.Timestamp("2026-10-05"), least=5)
    lead = table[table["stage"] == "Lead"].set_index("cohort")
    assert list(lead.index) == ["2026 Q1", "2026 Q2", "2026 Q3"]
    assert lead.loc["2026 Q1", "days_given"] == 10 and lead["conversion"].between(0.4, 0.6).all()
    in_q3 = deals["created_date"].between("2026-07-01", "2026-09-25")
    assert lead.loc["2026 Q3", "entered"] == in_q3.sum()
    assert set(cohort_changes(table)["verdict"]) == {"cannot tell"}


def test_days_by_stage_add_up_to_the_time_to_the_end():
    deals, stages = history()
    table = days_by_stage(deals, stages).set_index("stage")
    assert table.loc["Lead", "days_mean"] == pytest.approx((10 + 5 + 5) / 3)
    assert table.loc["Proposal", "days_mean"] == pytest.approx((20 + 15) / 3)
    assert table["share"].sum() == pytest.approx(1)


def test_gap_and_change_sum_exactly(weighed, world):
    gap = won_lost_gap(weighed).set_index("part")["gap"]
    assert gap.drop("total").sum() == pytest.approx(gap["total"], abs=1e-12)
    dates = world.deals.set_index("deal_id")["created_date"]
    table = period_change(weighed, dates, pd.Timestamp("2025-07-01")).set_index("part")
    after = (dates >= "2025-07-01").to_numpy()
    won = (world.deals["outcome"] == "won").to_numpy()
    assert table.loc["total", "points"] == pytest.approx(won[after].mean() - won[~after].mean())
    assert table["points"].drop("total").sum() == pytest.approx(table.loc["total", "points"], abs=1e-12)
    with pytest.raises(UsageError, match="30 are needed"):
        period_change(weighed, dates, pd.Timestamp("2030-01-01"))


def test_reasons_in_three_languages():
    found = [
        reason_family(text)
        for text in ("too expensive", "Preis zu hoch", "价格太高", "we answered too late", None, "xyz")
    ]
    assert found == ["price", "price", "price", "skill", "not written", "other"]


def test_written_reasons_against_the_model(weighed, world):
    reasons = pd.Series("price", index=world.deals["deal_id"])
    table = written_against_model(weighed, reasons)
    lost = int((world.deals["outcome"] == "lost").sum())
    assert table.loc[0, "deals"] == lost and table.loc[0, "agrees"] + table.loc[0, "no_sign"] <= lost


def test_review_tables_speak_of_lost_deals_only(weighed, world):
    lost = set(world.deals.loc[world.deals["outcome"] == "lost", "deal_id"])
    kinds, surprises = typical_losses(weighed), surprise_losses(weighed)
    assert set(kinds["deal_id"]) <= lost and kinds["deals"].sum() == len(lost)
    assert set(surprises["deal_id"]) <= lost and (surprises["win_probability"] >= 0.6).all()


def test_competitors_are_compared_like_for_like(weighed, world):
    rng = np.random.default_rng(3)
    names = pd.Series(rng.choice(["A", "B", "C"], len(world.deals)), index=world.deals["deal_id"], name="rival")
    table = against_competitors(weighed, names)
    assert set(table["verdict"]) == {"cannot tell"} and table["deals"].sum() == len(world.deals)


def test_grades_keep_their_promise(world):
    families = {"a": {"fields": ["requirements_met", "price_gap", "customer_score", "market_growth"]}}
    families["known_at"] = dict.fromkeys(families["a"]["fields"], "creation")
    graded = grade_leads(world.deals, families=families)
    assert graded.grades["kept"].sum() >= 2 and graded.scores["auc_lo"] > 0.6
    assert graded.grades.set_index("grade")["observed"].loc[["hot", "warm", "cold"]].is_monotonic_decreasing
    with pytest.raises(DataError, match="decided leads"):
        grade_leads(world.deals.head(100), families=families)
    for shares in ({"hot": 2.0}, {"cold": -1.0}, {"hot": 0.7, "cold": 0.7}):
        with pytest.raises(UsageError, match="shares of the leads are meant"):
            grade_leads(world.deals, families=families, **shares)


def test_the_whole_post_mortem_of_a_refused_table_still_has_its_funnel():
    deals, stages = history()
    families = workspace.workspace_families(workspace.CANONICAL, list(deals.columns))
    mortem = workspace.analyse(deals, stages, families, pd.Timestamp("2026-12-31"))
    assert mortem.result.refused and len(mortem.tables["funnel"]) == 2


def test_a_few_deals_that_contradict_their_history_make_the_outcome_no_step():
    """One deal outside the table, one whose outcome says otherwise, some taken as open: the funnel stays the same."""
    days = pd.date_range("2025-01-01", periods=200)
    won = np.arange(200) % 2 == 0
    deals = pd.DataFrame({"deal_id": np.arange(200).astype(str), "created_date": days, "outcome": "lost",
                          "closed_date": days + pd.Timedelta(days=20)})  # fmt: skip
    deals.loc[won, "outcome"] = "won"
    steps = (("Lead", days), ("Talks", days + pd.Timedelta(days=10)))
    parts = [pd.DataFrame({"deal_id": deals["deal_id"], "stage": stage, "entered_at": at}) for stage, at in steps]
    ends = pd.DataFrame({"deal_id": deals["deal_id"], "stage": np.where(won, "Closed won", "Closed lost"),
                         "entered_at": deals["closed_date"]})  # fmt: skip
    stages = pd.concat([*parts, ends], ignore_index=True)
    plain = funnel(deals, stages).set_index("stage")
    assert list(plain.index) == ["Lead", "Talks"] and plain.loc["Talks", "conversion"] == 0.5
    assert list(funnel(deals.drop(index=[1]), stages)["stage"]) == ["Lead", "Talks"]
    assert funnel(deals.head(100), stages).set_index("stage").loc["Lead", "entered"] == 100
    slips = deals.assign(outcome=deals["outcome"].mask(deals.index == 0, "lost"))
    slips.loc[slips.index % 40 == 3, ["outcome", "closed_date"]] = ["open", pd.NaT]
    assert list(funnel(slips, stages)["stage"]) == ["Lead", "Talks"]
    with pytest.raises(UsageError, match="on the day they end"):
        snapshot(deals, stages, stage="Closed won")


def test_a_practice_without_a_levers_table_goes_the_way_its_name_says(weighed, world):
    fields = [name for name in ("response_hours", "contacts") if name in world.deals]
    families = replace(weighed.families, fields={"skill": tuple(fields)}, levers={})
    assert practice_fields(weighed, families) == {"response_hours": "down", "contacts": "up"}


def test_a_draft_names_the_levers_it_knows(world):
    made = draft(world.deals.rename(columns={"response_hours": "响应时长"}), outcome="outcome", won="won")
    assert made.families.levers.get("contacts") == "up"
    assert parse_families(tomllib.loads(made.toml), "draft").levers == made.families.levers


def test_a_young_cohort_is_not_one_of_quick_deals():
    """Deals that reach the second stage quickly go on more often, whenever they began: no cohort differs."""
    rng = np.random.default_rng(0)
    n, as_of = 4000, pd.Timestamp("2026-12-31")
    began = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 720, n), unit="D")
    reached = rng.integers(5, 100, n)
    moved = rng.random(n) < np.where(reached < 30, 0.9, 0.4)
    ends = pd.Series(began + pd.to_timedelta(reached + 20, unit="D"))
    deals = pd.DataFrame({"deal_id": np.arange(n).astype(str), "created_date": began, "closed_date": ends,
                          "outcome": np.where(moved, "won", "lost")})  # fmt: skip
    deals.loc[ends > as_of, ["closed_date", "outcome"]] = [pd.NaT, "open"]
    days = {"Lead": pd.Series(began), "Talks": pd.Series(began + pd.to_timedelta(reached, unit="D"))}
    stages = pd.concat(deals[["deal_id"]].assign(stage=stage, entered_at=at) for stage, at in days.items())
    stages = stages[stages["entered_at"] <= as_of]
    changes = cohort_changes(cohort_funnel(deals, stages, as_of)).set_index("stage")
    assert changes.loc["Talks", "verdict"] == "cannot tell"
