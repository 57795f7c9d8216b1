"""The sample's tables hang together: unique keys, no orphans, sensible dates, the peculiarities real data have."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from planning import sample
from planning.sample.company import AS_OF, CURRENCY, CUSTOMER_TYPES, LINES, RATES, REGIONS

FIELDS = Path(sample.__file__).parents[1] / "tables" / "fields"
KEYS = {
    "sales": ["ds", "region", "line", "customer_type"], "history": ["unique_id", "ds"], "deals": ["deal_id"],
    "stage_history": ["deal_id", "stage", "entered_at"], "accounts": ["account_id"], "products": ["product_id"],
    "people": ["person_id"], "assignments": ["person_id", "region", "line", "customer_type"],
    "spend": ["period", "region", "line"], "outcome": ["period", "region"], "spend_lines": ["line"],
    "pilots": ["line", "region", "from"], "judged_response": ["line", "region", "author"],
    "market": ["region", "line", "ds"], "capacity": ["from", "region", "line", "kind"],
    "adjustments": ["adjustment_id"], "locks": ["lock_id"], "driver_plan": ["scenario", "ds", "region", "line"],
    "confirmations": ["department", "region", "line"],
    "priorities": ["dimension", "key"], "targets": ["year", "region", "line", "customer_type", "person_id"],
}  # fmt: skip


@pytest.fixture(scope="module")
def company():
    return sample.generate(seed=0)


def euros(table):
    return table["amount"] * table["currency"].map(RATES)


@pytest.mark.parametrize("name", sample.TABLES)
def test_keys_are_unique(company, name):
    assert not company[name].duplicated(KEYS[name]).any()


@pytest.mark.parametrize("name", sorted(set(sample.TABLES) - {"history", "outcome"}))
def test_tables_carry_the_documented_fields(company, name):
    fields = pd.read_csv(FIELDS / f"{name}.csv")
    missing = set(fields["name"]) - set(company[name].columns)
    left_out = {"is_closed", "is_won", "currency"} | ({"working_days"} if name == "driver_plan" else set())
    assert missing <= left_out  # optional columns
    if name != "deals":  # deals carry features beside
        assert set(company[name].columns) <= set(fields["name"])


def test_history_is_the_sales_in_euros(company):
    history = company["history"]
    assert list(history) == ["unique_id", "ds", "y", "region", "line", "customer_type"]
    assert history["y"].sum() == pytest.approx(euros(company["sales"]).sum(), abs=0.005 * len(history))
    row = history.iloc[-1]
    assert row["unique_id"] == f"{row['region']}/{row['line']}/{row['customer_type']}"


@pytest.mark.parametrize(
    ("child", "column", "parent", "key"),
    [
        ("deals", "account_id", "accounts", "account_id"), ("deals", "owner_id", "people", "person_id"),
        ("stage_history", "deal_id", "deals", "deal_id"), ("stage_history", "owner_id", "people", "person_id"),
        ("assignments", "person_id", "people", "person_id"), ("targets", "person_id", "people", "person_id"),
        ("accounts", "parent_id", "accounts", "account_id"), ("spend", "line", "spend_lines", "line"),
        ("pilots", "line", "spend_lines", "line"), ("judged_response", "line", "spend_lines", "line"),
        ("confirmations", "line", "sales", "line"), ("adjustments", "region", "sales", "region"),
    ],
)  # fmt: skip
def test_no_orphans(company, child, column, parent, key):
    used = set(company[child][column].dropna())
    assert used and used <= set(company[parent][key])


def test_sales_have_the_size_and_the_currencies_of_the_company(company):
    sold = company["sales"]
    last = sold[sold["ds"].dt.year == 2026]
    assert 116e6 < euros(last).sum() < 119e6
    assert sold.groupby("region")["currency"].unique().map(list).to_dict() == {r: [CURRENCY[r]] for r in REGIONS}
    assert 0.2 < euros(last)[last["currency"] != "EUR"].sum() / euros(last).sum() < 0.4
    assert np.array_equal(sold["amount"], sold["amount"].round(2))


def test_sales_have_a_launch_an_end_gaps_and_returns(company):
    sold = company["sales"]
    assert sold.loc[sold["line"] == "Sensors", "ds"].min() == pd.Timestamp("2025-01-01")
    ended = sold[(sold["region"] == "West") & (sold["line"] == "Drives") & (sold["customer_type"] == "Distributor")]
    assert ended["ds"].max() == pd.Timestamp("2025-06-01")
    assert (sold["amount"] < 0).sum() == len(company.truth["returns"]) == 5
    gaps = company.truth["gaps"]
    assert len(gaps) >= 9
    assert not gaps.merge(sold, on=["ds", "region", "line", "customer_type"]).shape[0]
    assert len(sold.groupby(["region", "line", "customer_type"])) == len(REGIONS) * len(LINES) * len(CUSTOMER_TYPES)


def test_the_lost_account_shows_as_a_level_shift(company):
    sold = company["sales"]
    cell = sold[(sold["region"] == "South") & (sold["line"] == "Valves") & (sold["customer_type"] == "OEM")]
    after = cell[(cell["ds"] >= "2024-05-01") & (cell["ds"] < "2025-05-01")]["amount"].mean()
    before = cell[(cell["ds"] >= "2023-05-01") & (cell["ds"] < "2024-05-01")]["amount"].mean()
    assert 0.5 < after / before < 0.78


def test_deals_end_after_they_begin_and_history_follows(company):
    deals, history = company["deals"], company["stage_history"]
    closed = deals["closed_date"].notna()
    assert (deals.loc[closed, "closed_date"] >= deals.loc[closed, "created_date"]).all()
    assert deals["closed_date"].max() <= AS_OF
    assert ((deals["outcome"] == "open") == ~closed).all()
    assert (history["left_at"].isna() | (history["left_at"] >= history["entered_at"])).all()
    last = history.drop_duplicates("deal_id", keep="last").set_index("deal_id")
    assert (last.loc[deals["deal_id"], "stage"].to_numpy() == deals["stage"].to_numpy()).all()
    assert (last.loc[deals["deal_id"], "amount"].to_numpy() == deals["amount"].to_numpy()).all()
    first = history.drop_duplicates("deal_id").set_index("deal_id")["entered_at"]
    assert (first.loc[deals["deal_id"]].to_numpy() == deals["created_date"].to_numpy()).all()


def test_owners_work_in_the_deal_s_region_on_its_first_day(company):
    deals = company["deals"].merge(company["people"], left_on="owner_id", right_on="person_id", suffixes=("", "_own"))
    assert (deals["region"] == deals["region_own"]).all()
    back_filled = deals["created_date"] == deals["closed_date"]
    assert (deals["start_date"] <= deals["created_date"])[~back_filled].all()
    assert (deals["end_date"].isna() | (deals["end_date"] >= deals["closed_date"])).all()


def test_people_share_out_every_living_cell_exactly(company):
    now = company["assignments"][company["assignments"]["to"].isna()]
    shares = now.groupby(["region", "line", "customer_type"])["share"].sum()
    assert len(shares) == 89
    assert shares.round(9).eq(1.0).all()
    people = company["people"]
    assert people.groupby("team").size().tolist() == [10] * 6
    assert (people["fte"] < 1).sum() == 6 and (people["start_date"] > "2025-09-30").sum() == 9


def test_scale_multiplies_deals_and_accounts_and_leaves_the_rest(company):
    small = sample.generate(seed=0, scale=0.25)
    assert len(small["deals"]) == 1000 and len(small["accounts"]) == 155
    for name in ("sales", "spend", "people", "targets", "adjustments"):
        pd.testing.assert_frame_equal(small[name], company[name])
