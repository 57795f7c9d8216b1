"""Exports as they come: types, repeats, contradictions, leaks; every treatment is stated and counted."""

import numpy as np
import pandas as pd
import pytest
from made_deals import deals

from planning.deals import audit, family_weights
from planning.deals.columns import read_column
from planning.deals.drafting import draft
from planning.deals.families import families_toml, load_families, parse_families, restrict
from planning.deals.names import closing_by_name, known_by_name
from planning.deals.outcomes import read_outcomes
from planning.errors import ConfigError, DataError, UsageError
from planning.sources import read_frame

FAMILIES = {
    "product": {"fields": ["fit"]},
    "skill": {"fields": ["owner"]},
    "known_at": {"fit": "creation", "owner": "creation"},
}


def rules(frame: pd.DataFrame, **options) -> set[tuple[str, str]]:
    found = audit(frame, **options)
    return set(zip(found["rule"], found["field"], strict=True))


def test_a_flag_that_only_won_deals_have_is_refused_as_number_and_as_word():
    frame = deals(1200)
    won, half = frame["outcome"].eq("won"), np.random.default_rng(1).random(1200) < 0.5
    families = {"other": {"fields": ["sent"]}, "known_at": {"sent": "creation"}}
    for sent in ((won & half).astype(int), (won & half).map({True: "yes", False: "no"}), (won & half)):
        found = audit(frame.assign(sent=sent), families=families)
        row = found[found["field"].eq("sent") & found["rule"].eq("pure_levels")].iloc[0]
        assert row["severity"] == "refused" and row["rows"] == int((won & half).sum())
    # A count that says no more than it should is no finding.
    found = audit(frame.assign(sent=np.random.default_rng(2).poisson(2.0, 1200)), families=families)
    assert not found["rule"].eq("pure_levels").any()


def test_spellings_are_one_level_and_size_bands_are_not():
    merged = read_column(pd.Series(["Mid-Market", "mid market", "MidMarket", "10 - 50", "10-50"] * 20, name="segment"))
    assert merged.values.nunique() == 2
    bands = read_column(pd.Series(["1-10 staff", "110 staff", "v1.1", "v11", "11-50 staff"] * 20, name="size"))
    assert bands.values.nunique() == 5 and not bands.merged


def test_deals_none_of_which_is_won_are_one_outcome_and_no_typing_error():
    answer = family_weights(deals(400).assign(outcome="lost"), families=FAMILIES)
    assert answer.refused and answer.summary["n_lost"] == 400 and "one outcome" in answer.summary["reasons"][0]
    with pytest.raises(UsageError, match="no such value"):
        read_outcomes(pd.Series(["sold", "lost", "lost"]), "won")


def test_a_families_file_saved_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "families.toml"
    path.write_text(families_toml(parse_families(FAMILIES, "x")), encoding="utf-8-sig")
    assert load_families(path).family_of == parse_families(FAMILIES, "x").family_of


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1,234", "5", "12"], "number"),
        (["12 %", "5 %", "7 %"], "number"),
        (["2026-01-05", "2026-02-01", ""], "date"),
        (["25/12/2026", "01/02/2026"], "date"),
        (["2026年1月5日", "2026年3月1日"], "date"),
        (["2026年01月05日 10:30", "2026年03月01日 09:00"], "date"),
        (["05-Jan-2026", "17-Feb-2026"], "date"),
        (["Jan 05, 2026", "December 25, 2025"], "date"),
        (["25.12.26", "01.02.26"], "date"),
        (["May", "June 2"], "category"),
        (["red", "Red ", "blue"], "category"),
        (["", None, "n/a"], "constant"),
        (["same", "same"], "constant"),
    ],
)
def test_kinds_of_columns(texts, kind):
    assert read_column(pd.Series(texts, name="x", dtype=object)).kind == kind


def test_ids_written_as_numbers_are_classes_and_not_sizes():
    for values in ([38.0, 7.0, 38.0, np.nan], ["38.0", "7", "38", None]):
        column = read_column(pd.Series(values, name="owner_id"))
        assert column.kind == "category" and set(column.values.dropna()) == {"38", "7"}
    assert read_column(pd.Series([38.0, 7.0, 38.0], name="response_hours")).kind == "number"


def test_spellings_of_one_level_are_merged():
    column = read_column(pd.Series(["GTX Pro", "GTXPro", "GTX Pro", "MG"], name="product"))
    assert column.values.tolist() == ["GTX Pro", "GTX Pro", "GTX Pro", "MG"]
    assert column.merged == (("GTX Pro", "GTXPro"),)


def test_outcomes_in_other_words():
    states = read_outcomes(pd.Series(["Won", "Lost", "Engaging", "No decision", None], name="s"), "won").state
    assert states.tolist() == ["won", "lost", "open", "no_decision", "open"]
    assert read_outcomes(pd.Series([1.0, 0.0], name="s"), "1").state.tolist() == ["won", "lost"]
    assert read_outcomes(pd.Series([True, False], name="s"), "True").state.tolist() == ["won", "lost"]


def test_a_won_value_that_is_not_there_is_wrong_usage():
    with pytest.raises(UsageError, match="Did you mean 'won'"):
        read_outcomes(pd.Series(["won", "lost"], name="outcome"), "wom")


def test_repeated_rows_are_dropped_counted_and_found():
    frame = pd.concat([deals(), deals().head(40)], ignore_index=True).drop(columns="deal_id")
    result = family_weights(frame, families=FAMILIES)
    assert result.summary["n"] == 600 and result.summary["left_out"]["repeated rows"] == 40
    assert ("repeated_rows", "(rows)") in set(zip(result.findings["rule"], result.findings["field"], strict=True))


def test_without_an_id_deals_are_numbered_by_row():
    from planning.deals import deal_contributions

    frame = deals().drop(columns="deal_id")
    ids = deal_contributions(family_weights(frame, families=FAMILIES))["deal_id"]
    assert ids.tolist() == list(range(1, 601))


def test_ids_written_as_floats_come_back_whole():
    from planning.deals import deal_contributions

    frame = deals().assign(deal_id=lambda f: f["deal_id"].astype(float))
    assert deal_contributions(family_weights(frame, families=FAMILIES))["deal_id"].tolist() == list(range(1, 601))


def test_one_deal_with_two_outcomes_is_left_out():
    frame = deals()
    twice = frame.head(5).assign(outcome=lambda f: np.where(f["outcome"] == "won", "lost", "won"), fit=0.5)
    result = family_weights(pd.concat([frame, twice], ignore_index=True), families=FAMILIES)
    assert result.summary["n"] == 595 and result.summary["left_out"]["one deal, two outcomes"] == 10
    assert "contradicting_outcomes" in set(result.findings["rule"])


@pytest.mark.parametrize("outcomes", [["won"] * 600, ["open"] * 600, [None] * 600])
def test_one_outcome_or_none_is_refused_with_a_reason(outcomes):
    created = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.arange(600) // 3, unit="D")
    frame = deals().assign(outcome=outcomes, created_date=created, closed_date=pd.NaT)
    result = family_weights(frame, families=FAMILIES)
    assert result.refused and result.summary["reasons"] and result.summary["auc"] is None


def test_too_few_deals_are_refused():
    result = family_weights(deals(150), families=FAMILIES)
    assert result.refused and "at least 100" in result.summary["reasons"][0]


def test_awkward_columns_do_not_stop_the_weights():
    rng, n = np.random.default_rng(4), 900
    frame = deals(n).assign(
        text=[f"customer {i} asked for many different things in a long sentence {i * 7}" for i in range(n)],
        level=np.char.add("L", rng.integers(0, 5000, n).astype(str)), empty=None, constant=1.0,
        rare=np.where(rng.random(n) < 0.05, rng.normal(size=n), np.nan), flag=rng.random(n) < 0.5,
        amount=np.where(rng.random(n) < 0.3, 0, rng.lognormal(9, 1, n)),
        infinite=np.where(rng.random(n) < 0.01, np.inf, 1.0),
    )  # fmt: skip
    fields = ["text", "level", "empty", "constant", "rare", "flag", "amount", "infinite"]
    families = FAMILIES | {
        "more": {"fields": fields},
        "known_at": FAMILIES["known_at"] | dict.fromkeys(fields, "creation"),
    }
    result = family_weights(frame, families=families, refits=20)
    assert not result.refused and np.isfinite(result.weights["share"]).all()
    found = set(zip(result.findings["rule"], result.findings["field"], strict=True))
    assert {("free_text", "text"), ("constant", "empty"), ("constant", "constant"), ("zero_amounts", "amount")} <= found


def test_a_class_of_5000_values_is_named_and_numbers_as_text_with_gaps_are_read():
    n = 6000
    level = np.char.add("L", np.random.default_rng(1).integers(0, 5000, n).astype(str))
    text = pd.Series(["1,234", None, "5", "n/a"] * (n // 4), name="text")
    frame = deals(n).assign(level=level, text=text)
    assert ("many_levels", "level") in rules(frame)
    assert read_column(frame["text"]).values.isna().mean() == 0.5


def test_leaks_are_refused():
    frame = deals(1000)
    won = (frame["outcome"] == "won").to_numpy()
    frame = frame.assign(
        loss_note=np.where(won, None, "x1"), signed_days=np.where(won, 5.0, 90.0) + np.arange(1000) % 7,
        grade=np.where(won, "hot", "cold"), elapsed_days=np.arange(1000) % 50,
    )  # fmt: skip
    found = rules(frame)
    assert ("one_outcome_only", "loss_note") in found and ("one_field_auc", "signed_days") in found
    assert ("one_field_auc", "grade") in found and ("name_after_the_fact", "elapsed_days") in found


def test_fields_without_known_at_or_known_at_closing_are_refused_and_listed():
    families = {"product": {"fields": ["fit"]}, "skill": {"fields": ["owner"]}, "known_at": {"fit": "closing"}}
    result = family_weights(deals(), families=families)
    assert result.refused
    assert result.summary["refused_fields"] == {"fit": "known_at_closing", "owner": "no_known_at"}


def test_a_family_without_fields_is_not_measured_and_not_zero():
    result = family_weights(deals(), families=FAMILIES | {"price": {"fields": []}})
    assert result.summary["not_measured"] == ["price"]
    assert "price" not in set(result.weights["family"])


def test_round_amounts_and_truncation_are_found():
    rng, n = np.random.default_rng(6), 2000
    won = rng.random(n) < 0.4
    amount = np.where(won & (rng.random(n) < 0.8), rng.integers(5000, 90000, n), 1000 * rng.integers(5, 90, n))
    created = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")
    closed = created + pd.to_timedelta(rng.integers(5, 120, n), unit="D")
    frame = pd.DataFrame(
        {"amount": amount, "created": created, "closed": closed, "outcome": np.where(won, "won", "lost")}
    )
    assert ("round_amounts", "amount") in rules(frame)
    assert "truncation" not in {rule for rule, _ in rules(frame)}
    late = frame[frame["closed"] >= "2025-05-01"]
    assert "truncation" in {rule for rule, _ in rules(late)}


def test_an_amount_edited_at_closing_is_found_and_one_edited_for_all_is_not():
    rng, frame = np.random.default_rng(2), deals(800)
    first = rng.lognormal(9, 1, 800).round()
    won = (frame["outcome"] == "won").to_numpy()
    edited = np.where(won & (rng.random(800) < 0.7), first * 0.93, first)
    assert ("amount_edited", "amount") in rules(frame.assign(amount_first=first, amount=edited))
    assert "amount_edited" not in {rule for rule, _ in rules(frame.assign(amount_first=first, amount=first * 0.93))}


def test_dates_that_read_both_ways_are_a_fault_and_not_a_guess():
    day = np.arange(600) % 11 + 1
    frame = deals().assign(closed_on=[f"{d:02d}/{d % 9 + 1:02d}/2026" for d in day])
    assert ("ambiguous_dates", "closed_on") in rules(frame)
    clear = frame.assign(closed_on=[f"{d + 12:02d}/{d % 9 + 1:02d}/2026" for d in day])
    assert "ambiguous_dates" not in {rule for rule, _ in rules(clear)}


def test_three_formats_in_one_column_are_each_read_by_their_own_mark():
    """25.12.2026 and 12/25/2026 side by side: each mark proves its own order; naively read by strptime."""
    days = pd.date_range("2026-01-01", periods=600, freq="D")
    forms = ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"]
    column = read_column(pd.Series([day.strftime(forms[i % 3]) for i, day in enumerate(days)], name="created_on"))
    assert column.kind == "date" and column.unread == 0 and (column.values == days.to_numpy()).all()


def test_days_that_contradict_each_other_are_not_read_and_counted():
    days = pd.date_range("2026-01-01", periods=600, freq="D")
    forms = ["%Y-%m-%d", "%d/%m/%Y", "%m/%d/%Y"]
    texts = [day.strftime(forms[i % 3]) for i, day in enumerate(days)]
    column = read_column(pd.Series(texts, name="created_on"))
    assert column.values.notna().sum() == 200 and column.unread == 400
    found = audit(deals().assign(created_on=texts)).set_index("rule")
    assert found.loc["unread", "rows"] == 400 and "400 cells" in found.loc["unread", "evidence"]


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["75.544,50", "24.283", "900,00", "-1.000"], [75544.5, 24283.0, 900.0, -1000.0]),
        (["75,544.50", "24,283", "900.00", "-1,000"], [75544.5, 24283.0, 900.0, -1000.0]),
        (["€ 1.234.567", "€ 24.283"], [1234567.0, 24283.0]),
        (["0,5", "1,234"], [0.5, 1.234]),
        (["0.5", "1,234"], [0.5, 1234.0]),
        (["12,34,567.50", "EUR 900"], [1234567.5, 900.0]),
        (["12 %", "0,5%"], [0.12, 0.005]),
    ],
)
def test_one_notation_holds_for_the_whole_column(texts, values):
    column = read_column(pd.Series(texts * 9, name="x", dtype=object))
    assert column.kind == "number" and column.values.tolist() == values * 9 and column.unread == 0


def test_two_notations_in_one_column_are_refused_with_row_and_cell(tmp_path):
    frame = deals().assign(price=["900,00"] * 300 + ["1,234.50"] * 300)
    found = audit(frame).set_index("rule").loc["two_notations"]
    assert found["severity"] == "refused" and found["field"] == "price"
    assert "“900,00” (deal 1)" in found["evidence"] and "“1,234.50” (deal 301)" in found["evidence"]
    frame.to_csv(tmp_path / "deals.csv", index=False)
    read = read_frame(tmp_path / "deals.csv")
    found = audit(read).set_index("rule").loc["two_notations"]
    assert "“900,00” (row 2)" in found["evidence"] and "“1,234.50” (row 302)" in found["evidence"]
    drafted = draft(read, outcome="outcome", won="won")
    assert "price" not in drafted.families.family_of
    assert "(row 302)" in drafted.fields.set_index("field").loc["price", "why"]


def test_amounts_that_may_be_thousands_or_three_decimals_are_told(tmp_path):
    frame = deals().assign(price=[f"{i % 90 + 10}.283" for i in range(600)], rate=np.linspace(0, 2, 600).round(3))
    frame.to_csv(tmp_path / "deals.csv", index=False)
    read = read_frame(tmp_path / "deals.csv")
    found = audit(read)
    told = found[found["rule"] == "doubtful_notation"]
    assert told["field"].tolist() == ["price"] and "“10.283” was read with three decimals" in told["evidence"].iloc[0]


def test_percents_beside_shares_are_counted():
    frame = deals().assign(discount=["12 %"] * 200 + ["0.10"] * 399 + ["0"])
    found = audit(frame).set_index("rule").loc["mixed_percents"]
    assert found["rows"] == 200 and "200, such as “12 %”" in found["evidence"] and "399" in found["evidence"]
    assert "mixed_percents" not in {rule for rule, _ in rules(deals().assign(discount=["12 %", "5 %"] * 300))}


def test_infinite_numbers_are_counted(tmp_path):
    ratio = np.arange(600.0)
    ratio[[250, 400]] = np.inf, -np.inf
    found = audit(deals().assign(ratio=ratio)).set_index("rule").loc["unread"]
    assert found["rows"] == 2 and "“inf”" in found["evidence"]
    deals().assign(ratio=ratio).to_csv(tmp_path / "deals.csv", index=False)
    found = audit(read_frame(tmp_path / "deals.csv")).set_index("rule").loc["unread"]
    assert found["rows"] == 2 and found["field"] == "ratio"


@pytest.mark.parametrize(
    ("english", "chinese"),
    [("customer_score", "客户评分"), ("lead_score", "线索评分"), ("customer_tags", "客户标签"), ("tags", "标签"),
     ("credit_rating", "信用评级"), ("customer_industry", "客户行业")],
)  # fmt: skip
def test_a_name_says_the_same_in_both_languages(english, chinese):
    assert known_by_name(english) == known_by_name(chinese)
    assert closing_by_name("客户评分") is None and known_by_name("客户评分")[0] is None


@pytest.mark.parametrize(
    ("written", "scale"),
    [
        ("{:.1f} h", 1), ("{:.1f}小时", 1), ("{:.1f}k", 1e3), ("{:.1f}万", 1e4), ("{:.0f} days", 1), ("{:.0f}天", 1),
        ("€{:.1f} m", 1e6), ("{:.1f}亿", 1e8),
    ],
)  # fmt: skip
def test_one_unit_in_every_cell_makes_numbers(written, scale):
    figures = np.arange(600) % 90 + 2.0
    frame = deals().assign(effort=[written.format(figure) for figure in figures])
    column = read_column(frame["effort"])
    assert column.kind == "number" and np.allclose(column.values, figures * scale)
    assert ("units_read", "effort") in rules(frame)


def test_several_units_are_not_read_and_names_of_products_are_classes():
    frame = deals().assign(effort=[f"{i % 50 + 2} {'h' if i % 3 else 'days'}" for i in range(600)])
    found = audit(frame).set_index("rule")
    assert read_column(frame["effort"]).kind == "mixed" and found.loc["several_units", "severity"] == "refused"
    assert "effort" not in draft(frame, outcome="outcome", won="won").families.family_of
    bare = [f"{i % 50 + 2} h" if i % 3 else f"{i % 50 + 2}" for i in range(600)]
    assert read_column(pd.Series(bare, name="effort")).kind == "mixed"
    assert read_column(pd.Series([f"{i % 5 + 2} k" for i in range(600)], name="product")).kind == "category"
    models = pd.Series([f"{i % 40 + 100}{'ABC'[i % 3]}" for i in range(600)], name="product")
    assert read_column(models).kind == "category"
    one_or_more = pd.Series(["1 day", *[f"{i % 40 + 2} days" for i in range(599)]], name="effort")
    assert read_column(one_or_more).kind == "number"


def test_words_among_numbers_are_counted():
    prices = [str(i % 50) for i in range(600)]
    prices[3], prices[9] = "on request", "on request"
    found = audit(deals().assign(price=prices)).set_index("rule")
    assert found.loc["unread", "rows"] == 2 and "“on request”" in found.loc["unread", "evidence"]
    assert ("unread", "price") not in rules(deals().assign(price=[*prices[:3], None, *prices[4:9], "", *prices[10:]]))


@pytest.mark.parametrize("pair", ["Li; Wang", "Li、Wang", "Li & Wang", "Li / Wang"])
def test_two_people_in_one_cell_are_found(pair):
    frame = deals()
    assert "two_owners" not in {rule for rule, _ in rules(frame)}
    frame.loc[5, "owner"] = pair
    assert ("two_owners", "owner") in rules(frame)


def test_amounts_with_several_currency_signs_are_found():
    euros = [f"€ {i}" for i in range(600)]
    assert "mixed_currencies" not in {rule for rule, _ in rules(deals().assign(amount=euros))}
    assert ("mixed_currencies", "amount") in rules(deals().assign(amount=["$ 7", *euros[1:]]))


def test_a_lost_value_that_is_not_there_is_wrong_usage():
    column = pd.Series(["赢单", "输单", "未决"], name="结果")
    assert read_outcomes(column, "赢单", ("输单",)).state.tolist() == ["won", "lost", "no_decision"]
    with pytest.raises(UsageError, match="--lost '丢单'.*no such value"):
        read_outcomes(column, "赢单", ("丢单",))


def test_the_first_amount_is_known_at_creation_in_both_languages():
    amounts = np.arange(600) * 7.0
    for name in ("amount_first", "首次金额"):
        drafted = draft(deals().assign(**{name: amounts}), outcome="outcome", won="won").families
        assert drafted.known_at[name] == "creation" and drafted.family_of[name] == "size"
    assert "金额" not in draft(deals().assign(金额=amounts), outcome="outcome", won="won").families.known_at


def test_every_finding_says_what_to_do():
    result = family_weights(deals().assign(same=1, other=np.arange(600) % 7), families=FAMILIES, refits=10)
    assert len(result.findings) >= 2 and (result.findings["action"] != "").all()


def test_families_files_say_what_is_wrong(tmp_path):
    with pytest.raises(ConfigError, match="is in \\[a\\] and in \\[b\\]"):
        parse_families({"a": {"fields": ["x"]}, "b": {"fields": ["x"]}}, "f.toml")
    with pytest.raises(ConfigError, match="unknown key 'feilds'"):
        parse_families({"a": {"fields": ["x"], "feilds": []}}, "f.toml")
    with pytest.raises(ConfigError, match="needs lines such as"):
        parse_families({"a": {"fields": ["x"]}, "owners": {"x": 3}}, "f.toml")
    assert parse_families({"a": {"fields": ["x"]}, "owners": {"x": "Sales"}}, "f.toml").owners == {"x": "Sales"}
    with pytest.raises(UsageError, match="no such file"):
        load_families(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="Did you mean 'fit'"):
        family_weights(deals(), families={"a": {"fields": ["fitt"]}})


@pytest.mark.parametrize("asked", [audit, family_weights])
def test_the_id_of_the_deals_in_a_family_is_wrong(asked):
    with pytest.raises(ConfigError, match=r"\[product\] lists 'deal_id', which is the id of the deals"):
        asked(deals(), families=FAMILIES | {"product": {"fields": ["fit", "deal_id"]}})


def test_names_of_the_families_file_that_do_nothing_are_found():
    table = parse_families(
        FAMILIES | {"price": {"fields": ["discont"]}, "levers": {"owner": "up", "fit": "up", "visit": "up"}}, "f.toml"
    )
    frame = deals().assign(discount=np.arange(600) % 7)
    told = audit(frame, families=restrict(table, list(frame), tell=True)).set_index(["rule", "field"])
    assert "“discount”" in told.loc[("not_in_deals", "discont"), "action"]
    assert ("not_in_deals", "visit") in told.index and ("idle_lever", "owner") in told.index
    assert ("idle_lever", "fit") not in told.index
    assert "not_in_deals" not in {rule for rule, _ in rules(frame, families=restrict(table, list(frame)))}


def test_a_draft_reads_back_and_stays_silent_where_it_cannot_tell(tmp_path):
    frame = deals().assign(
        **{'Total "Days" open': 3.5, "zz": np.arange(600) % 9, "客户行业": np.where(np.arange(600) % 2, "水", "电")}
    )
    drafted = draft(frame, outcome="outcome", won="won")
    path = tmp_path / "f.toml"
    path.write_text(families_toml(drafted.families, {"zz": "note"}), encoding="utf-8")
    table = load_families(path)
    assert table.family_of == drafted.families.family_of
    assert table.family_of["客户行业"] == "customer" and table.known_at["客户行业"] == "creation"
    assert "zz" not in table.known_at


def test_a_column_twice_or_no_rows_is_a_data_error():
    with pytest.raises(DataError, match="twice"):
        audit(pd.concat([deals(), deals()[["fit"]]], axis=1))
    with pytest.raises(DataError, match="no row"):
        audit(deals().head(0))


@pytest.mark.parametrize(
    "column",
    [
        [[1, 2]] * 600,
        [1e300] + list(range(599)),
        pd.date_range("2025-01-01", periods=600, tz="UTC"),
        pd.to_timedelta(np.arange(600), unit="D"),
        pd.Categorical(["a", "b"] * 300),
        [i if i % 2 else f"t{i}" for i in range(600)],
    ],
)
def test_odd_types_get_a_treatment(column):
    frame = deals().assign(odd=column)
    families = FAMILIES | {"odd": {"fields": ["odd"]}, "known_at": FAMILIES["known_at"] | {"odd": "creation"}}
    result = family_weights(frame, families=families, refits=10)
    assert not result.refused and result.weights["share"].sum() == pytest.approx(1)
