"""Quotas of people: exact sums, ramp and part-time, locks, fairness, authority, KPIs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from planning.errors import DataError, UsageError
from planning.targets.authority import AuthorityRules, by_region, discount_authority
from planning.targets.kpis import smart_kpis, team_bonus
from planning.targets.people import blend, capacity_of, fairness, person_quotas


@pytest.fixture
def people() -> pd.DataFrame:
    rows = [
        (f"P{r}{k}", f"Rep {r}{k}", f"Team {region}", region, "2020-01-01", None, 1.0, 6, 9e6)
        for r, region in enumerate(("East", "North", "South"))
        for k in range(4)
    ]
    frame = pd.DataFrame(
        rows,
        columns=[
            "person_id",
            "name",
            "team",
            "region",
            "start_date",
            "end_date",
            "fte",
            "ramp_months",
            "quota_last_year",
        ],
    )
    frame.loc[1, "fte"] = 0.5
    frame.loc[2, "start_date"] = "2026-12-01"
    frame.loc[3, "end_date"] = "2026-06-30"
    return frame


@pytest.fixture
def assignments(people) -> pd.DataFrame:
    return people[["person_id", "region"]].assign(share=0.5)


def test_quotas_of_a_team_sum_to_its_target_to_the_cent(plan, people, assignments):
    result = person_quotas(plan, people, assignments, over_assignment=0.05)
    for team, group in result.quotas.groupby("team"):
        region = team.removeprefix("Team ")
        target = int(plan.cells.loc[plan.cells["region"] == region, "minor"].sum())
        assert group["minor"].sum() == round(target * 1.05)
    assert (result.teams["chance_quotas"] < result.teams["chance_target"]).all()
    assert result.teams["over_assignment"].to_numpy() == pytest.approx(0.05, abs=1e-6)


def test_part_time_newcomers_and_leavers_carry_their_part(plan, people, assignments):
    quotas = person_quotas(plan, people, assignments).quotas.set_index("person_id")
    assert "P03" not in quotas.index  # left before the year
    assert quotas.loc["P01", "expected"] == pytest.approx(0.5 * quotas.loc["P00", "expected"])
    ramp = capacity_of(people, pd.Timestamp("2027-01-01"))["capacity"].iloc[2]
    assert ramp == pytest.approx((2 + 3 + 4 + 5 + 6 * 8) / 72)
    assert quotas.loc["P02", "expected"] == pytest.approx(ramp * quotas.loc["P00", "expected"])
    assert quotas.loc["P02", "new"] and not quotas.loc["P00", "new"]


def test_everyone_of_a_team_has_the_same_chance_and_the_panel_says_so(plan, people, assignments):
    result = person_quotas(plan, people, assignments)
    assert result.quotas.groupby("team")["chance"].agg(np.ptp).max() < 1e-6
    panel = fairness(result).set_index("measure")["value"]
    assert panel["spread"] < 0.05 and abs(panel["hires"] - panel["others"]) < 0.05
    assert 0 < panel["within_80_120"] < 1


def test_locked_quotas_keep_and_the_rest_is_redistributed(plan, people, assignments):
    free = person_quotas(plan, people, assignments).quotas.set_index("person_id")
    kept = person_quotas(plan, people, assignments, locks=pd.Series({"P10": 1_000_000.0})).quotas.set_index("person_id")
    assert kept.loc["P10", "quota"] == 1_000_000 and kept.loc["P10", "locked"]
    assert (kept.loc[["P11", "P12", "P13"], "quota"] > free.loc[["P11", "P12", "P13"], "quota"]).all()
    assert kept.groupby("team")["minor"].sum().equals(free.groupby("team")["minor"].sum())
    with pytest.raises(DataError, match="Unlock one"):
        person_quotas(plan, people, assignments, locks=pd.Series({"P10": 9e9}))


def test_two_full_time_territories_and_strangers_are_refused(plan, people, assignments):
    two = pd.concat([assignments.assign(share=1.0), pd.DataFrame([("P00", "North", 1.0)], columns=assignments.columns)])
    with pytest.raises(DataError, match="P00 is full-time in East, North"):
        person_quotas(plan, people, two)
    with pytest.raises(DataError, match="nobody is called 'P99'"):
        person_quotas(plan, people, assignments.assign(person_id=assignments["person_id"].replace("P00", "P99")))


def test_the_blend_weighs_by_error(plan, people, assignments):
    mixed, error = blend(
        {"potential": pd.Series([100.0, 100.0]), "history": pd.Series([130.0, np.nan])},
        {"potential": 0.2, "history": 0.1},
    )
    assert mixed.tolist() == pytest.approx([(100 / 0.04 + 130 / 0.01) / (1 / 0.04 + 1 / 0.01), 100.0])
    assert error.iloc[0] < 0.1 and error.iloc[1] == pytest.approx(0.2)
    base = person_quotas(plan, people, assignments).quotas.set_index("person_id")
    more = pd.Series({"P10": 2 * base.loc["P10", "expected"]})
    after = person_quotas(plan, people, assignments, history=more).quotas.set_index("person_id")
    assert after.loc["P10", "quota"] > base.loc["P10", "quota"]


def test_harder_quotas_give_more_authority_within_the_floor_margin(plan, people, assignments):
    quotas = person_quotas(plan, people, assignments).quotas
    quotas.loc[0, "chance"], quotas.loc[1, "chance"] = 0.2, 0.8
    table = discount_authority(quotas, 0.30, 0.05)
    assert table["band"][0] > table["band"][1]
    assert table["band"][0] == pytest.approx(0.03 + 0.1 * 0.8)
    thin = discount_authority(quotas, pd.Series({"East": 0.16, "North": 0.30, "South": 0.30}), 0.05)
    east = thin[thin["region"] == "East"]
    assert east["limited_by_margin"].all() and (((0.16 - east["band"]) / (1 - east["band"])) >= 0.15 - 1e-9).all()
    assert by_region(table)["fund"].sum() == pytest.approx(0.015 * quotas["quota"].sum())
    with pytest.raises(UsageError, match="base"):
        AuthorityRules(base=0.2, most=0.1)


def test_kpis_derive_from_the_team_and_keep_its_sums(plan, people, assignments):
    result = person_quotas(plan, people, assignments)
    table = smart_kpis(result, year_end=pd.Timestamp("2027-12-31"), margin_rate=0.3,
                       new_customers=pd.Series({"Team East": 7, "Team North": 4}), collection_rate=0.95)  # fmt: skip
    team = result.quotas.set_index("person_id")["team"]
    counts = table[table["kpi"] == "new_customers"].assign(team=lambda f: f["person_id"].map(team))
    assert counts.groupby("team")["value"].sum().to_dict() == {"Team East": 7, "Team North": 4, "Team South": 0}
    assert set(table["kpi"]) == {"amount", "margin", "new_customers", "collection_rate"}
    assert (table[table["kpi"] == "collection_rate"]["value"] == 0.95).all()


def test_a_team_link_narrows_what_a_person_may_earn(plan, people, assignments):
    table = team_bonus(person_quotas(plan, people, assignments), weight_team=0.5)
    assert ((table["p90"] - table["p10"]) < (table["alone_p90"] - table["alone_p10"])).all()
    assert table["mean"].between(0.8, 1.2).all()
