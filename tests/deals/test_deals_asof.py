"""The tables as they stood on the last day of data: nothing later gets in; a closing day far in the future is none."""

import pandas as pd

from planning.deals.asof import as_came_in, dated, last_day, named, until
from planning.deals.workspace import workspace_families


def deals() -> pd.DataFrame:
    days = ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"]
    ends = ["2026-01-20", "2026-05-01", "2031-05-05", None]
    return pd.DataFrame({
        "deal_id": ["1.0", "2.0", "3.0", "x1.0"], "created_date": pd.to_datetime(days),
        "closed_date": pd.to_datetime(ends), "outcome": ["won", "lost", "won", "open"],
    })  # fmt: skip


def test_a_families_file_drafted_from_the_export_speaks_of_the_workspaces_columns(tmp_path):
    path = tmp_path / "families.toml"
    path.write_text(
        '[skill]\nfields = ["sales_agent", "接触次数"]\n[market]\nfields = ["地区", "index"]\n'
        '[price]\nfields = ["gap", "gpa"]\n[known_at]\nsales_agent = "creation"\n"地区" = "creation"\n'
        'gap = "Proposal"\n[levers]\ngap = "down"\n[owners]\ngap = "Pricing"\n', encoding="utf-8"
    )  # fmt: skip
    columns = ["deal_id", "owner_id", "region", "price_gap", "接触次数"]
    table = workspace_families(path, columns, declared={"price_gap": "gap"})
    assert table.family_of == {"owner_id": "skill", "接触次数": "skill", "region": "market"}
    assert table.known_at == {"owner_id": "creation", "region": "creation"}
    assert set(table.absent) == {"index", "gap", "gpa"}  # price_gap is a column of the company's own: no field of ours
    own = workspace_families(path, [*columns, "gap"])
    assert own.known_at["gap"] == "Proposal" and own.levers == {"gap": "down"} and own.owners == {"gap": "Pricing"}


def test_a_lead_has_the_owner_and_the_amount_it_came_in_with():
    table = pd.DataFrame({"deal_id": ["1", "2", "3"], "owner_id": ["late", "b", "c"], "amount": [9.0, 8.0, 7.0]})
    days = pd.to_datetime(["2026-02-01", "2026-01-01", "2026-01-01"])
    history = pd.DataFrame({"deal_id": ["1", "1", "2"], "entered_at": days, "owner_id": ["late", "early", None],
                            "amount": [9.0, 5.0, 4.0]})  # fmt: skip
    then = as_came_in(table, history)
    assert then["owner_id"].tolist() == ["early", "b", "c"] and then["amount"].tolist() == [5.0, 4.0, 7.0]
    assert as_came_in(table, None) is table


def test_ids_in_one_form():
    assert named(deals())["deal_id"].tolist() == ["1", "2", "3", "x1.0"]
    assert named(pd.DataFrame({"deal_id": [7, 8]}))["deal_id"].tolist() == ["7", "8"]
    assert named(pd.DataFrame({"deal_id": [7.0, None]}))["deal_id"].isna().tolist() == [False, True]


def test_the_last_day_is_no_typing_error_and_no_wish():
    many = pd.concat([deals()] * 1 + [deals().head(2)] * 20, ignore_index=True)
    assert last_day(many) == pd.Timestamp("2026-05-01")
    assert last_day(many, "2026-03-15") == pd.Timestamp("2026-03-15")
    assert last_day(many, "2030-01-01") == pd.Timestamp("2026-05-01")
    assert last_day(dated(many.drop(columns="closed_date"))) == pd.Timestamp("2026-04-01")


def test_what_was_closed_later_was_open_then():
    many = pd.concat([deals()] + [deals().head(2)] * 20, ignore_index=True)
    stood = until(many, pd.Timestamp("2026-03-15"))
    assert stood.deals["outcome"].tolist()[:3] == ["won", "open", "open"] and stood.unborn == 1
    assert stood.deals["closed_date"].notna().tolist()[:3] == [True, False, False]
    # The newest deal was created after that day, so the export is younger: 1 May is no slip, the year 2031 is one.
    assert stood.then_open == {"2.0"} and stood.future["deal_id"].tolist() == ["3.0"]


def test_a_closing_day_after_the_export_is_a_slip():
    stood = until(deals(), pd.Timestamp("2026-04-01"))
    assert not stood.unborn and not stood.then_open and stood.future["deal_id"].tolist() == ["2.0", "3.0"]
