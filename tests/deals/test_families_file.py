"""The families file as people write it: no table, key, name or moment is ignored; and columns that stand twice."""

import re

import numpy as np
import pandas as pd
import pytest
from made_deals import deals

from planning import language
from planning.deals import audit, family_weights
from planning.deals.columns import read_column
from planning.deals.drafting import draft
from planning.deals.families import check_against, load_families, parse_families, placed, restrict
from planning.errors import ConfigError, DataError, UsageError

FAMILIES = {
    "product": {"fields": ["fit"]},
    "skill": {"fields": ["owner"]},
    "known_at": {"fit": "creation", "owner": "creation"},
}


def wide(n: int) -> pd.DataFrame:
    """Deals with a region and a discount beside, which say nothing."""
    rng = np.random.default_rng(3)
    return deals(n).assign(region=rng.choice(["North", "South"], n), discount=rng.normal(size=n))


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"trust": {"fields": "region"}}, r'\[trust\] fields = "region": a list of names.*Write fields = \["region"'),
        ({"trust": {"field": ["fit"]}}, r"\[trust\] has an unknown key 'field'. Did you mean 'fields'"),
        ({"trust": {"fields": [3]}}, r"\[trust\] fields = \[3\]: a list of names"),
        ({"knownat": {"fit": "creation"}}, r"\[knownat\] is no family. Did you mean \[known_at\]"),
        ({"known-at": {"fit": "creation"}}, r"\[known-at\] is no family. Did you mean \[known_at\]"),
        ({"lever": {"fit": "up"}}, r"\[lever\] is no family. Did you mean \[levers\]"),
        ({"Trusts": {"fields": ["visits"]}}, r"\[Trusts\] is no family. Did you mean \[trust\]"),
        ({"owner": {"fit": "Sales"}}, r"\[owner\] is no family. Did you mean \[owners\]"),
        ({"market": {"region": "creation"}}, r"\[market\] needs fields.*It has: region.*\[known_at\]"),
        ({"levers": {"fit": "upp"}}, r"\[levers\] needs lines such as .* Found: fit = \"upp\". Did you mean 'up'"),
        ({"known_at": {"fit": 3}}, r"\[known_at\] needs lines such as .* Found: fit = 3"),
    ],
)
def test_a_families_file_has_no_table_or_key_that_is_ignored(odd, words):
    with pytest.raises(ConfigError, match=r"f\.toml: " + words):
        parse_families(FAMILIES | odd, "f.toml")


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"trust": {"fields": "region"}}, '：[trust] fields = "region"：应为名称列表。请写 fields = ["region"]。'),
        ({"trust": {"field": ["fit"]}}, "：[trust] 中有未知的键“field”。 是否指“fields”？"),
        ({"knownat": {"fit": "creation"}}, "：[knownat] 不是字段族。是否指 [known_at]？"),
        ({"market": {"region": "creation"}}, '：[market] 需要写 fields = ["name", ...]。 其中有：region。'),
        ({"levers": {"fit": "upp"}}, '现有内容：fit = "upp"。 是否指“up”？'),
        ({"known_at": {"fit": "closeing"}}, '也不像阶段名。是否指 "closing"？'),
        ({"product": {"fields": ["fit"]}, "price": {"fields": ["fit"]}}, "请只保留在一个族中。"),
    ],
)
def test_what_is_wrong_with_a_families_file_is_said_in_chinese_on_chinese_pages(odd, words):
    with language.use("zh"), pytest.raises(ConfigError, match=re.escape(words)) as told:
        parse_families(FAMILIES | odd, "f.toml")
    assert not re.search("Did you mean|Found|needs|It has", str(told.value))


def test_what_the_deals_lack_and_what_is_no_file_are_said_in_chinese_too(tmp_path):
    odd = parse_families(FAMILIES | {"levers": {"discuont": "up"}}, "f.toml")
    (tmp_path / "f.toml").write_text("[product\n")
    with language.use("zh"):
        with pytest.raises(ConfigError, match="列出了“discuont”，但商机表中没有。 是否指“discount”？"):
            check_against(odd, list(wide(2).columns), "outcome")
        with pytest.raises(ConfigError, match="不是 TOML"):
            load_families(tmp_path / "f.toml")
        with pytest.raises(UsageError, match="没有这个文件"):
            load_families(tmp_path / "none.toml")


def test_a_family_may_be_called_owner():
    table = parse_families({"owner": {"fields": ["owner_id"]}, "levels": {"fields": ["x"]}}, "f.toml")
    assert set(table.fields) == {"owner", "levels"}


@pytest.mark.parametrize(
    ("table", "name", "guess"),
    [("known_at", "fitt", "fit"), ("levers", "discuont", "discount"), ("owners", "discuont", "discount"),
     ("trust", "ragion", "region")],
)  # fmt: skip
def test_a_name_that_the_deals_do_not_have_is_told_in_every_table(table, name, guess):
    content = {"fields": [name]} if table == "trust" else {name: "up" if table == "levers" else "creation"}
    odd = parse_families({**FAMILIES, table: {**FAMILIES.get(table, {}), **content}}, "f.toml")
    with pytest.raises(ConfigError, match=rf"f.toml: \[{table}\] lists '{name}'.*Did you mean '{guess}'"):
        family_weights(wide(400), families=odd)


def test_in_a_workspace_such_names_are_findings_and_misspelt_stages_have_a_hint():
    """A families file may speak of columns that today's deals lack: it goes on, and says which names do nothing."""
    odd = {"trust": {"fields": ["ragion"]}, "owners": {"fitt": "Sales"}}
    odd["known_at"] = {"fit": "Propsal", "owner": "Won it"}
    table = restrict(parse_families(FAMILIES | odd, "f.toml"), list(wide(2).columns), tell=True)
    assert dict(table.absent) == {"ragion": "region", "fitt": "fit"} and not table.trust
    found = family_weights(wide(600), families=placed(table, ["Lead", "Proposal"])).findings
    found = found[found["rule"].isin(["not_in_deals", "no_such_stage", "stages_taken"])].set_index("field")
    assert set(found.index) == {"ragion", "fitt", "fit", "owner"}
    assert found.loc["fit", "severity"] == "refused" and "nearly “Proposal”" in found.loc["fit", "evidence"]
    assert found.loc["owner", "severity"] == "warning" and "taken as known" in found.loc["owner", "evidence"]


@pytest.mark.parametrize(
    ("when", "right"),
    [("closeing", "closing"), ("at close", "closing"), ("closing date", "closing"),
     ("when the deal is lost", "closing"), ("结案", "closing"), ("关闭后", "closing"), ("created", "creation"),
     ("craetion", "creation"), ("创建时", "creation")],
)  # fmt: skip
def test_a_moment_that_is_nearly_creation_or_closing_is_no_stage(when, right):
    """Taken for the name of a stage, a field that is known at closing would pass as a cause."""
    with pytest.raises(ConfigError, match=rf'f.toml: \[known_at\] fit = "{when}".*Did you mean "{right}"'):
        parse_families(FAMILIES | {"known_at": {"fit": when}}, "f.toml")


def test_stages_are_checked_against_the_deals_own_and_told_where_there_are_none():
    known = {"fit": "Propozal", "owner": "Proposal", "discount": "Proposal"}
    table = parse_families(FAMILIES | {"price": {"fields": ["discount"]}, "known_at": known}, "f.toml")
    found = family_weights(wide(600), families=table).findings
    taken = found[found["rule"] == "stages_taken"].iloc[0]
    assert "“Propozal” (fit)" in taken["evidence"] and "“Proposal” (owner, discount)" in taken["evidence"]
    odd = found[found["rule"] == "no_such_stage"].iloc[0]
    assert odd["field"] == "fit" and odd["action"] == "Did you mean “Proposal”?"
    staged = wide(600).assign(Stage=lambda frame: np.where(frame.index % 3, "Proposal", "Negotiation"))
    with pytest.raises(ConfigError, match=r'\[known_at\] fit = "Propozal".*Did you mean "Proposal"'):
        family_weights(staged, families=table)
    # A stage no deal stands in now is no mistake: closed deals may all stand in two.
    other = parse_families(FAMILIES | {"known_at": {"fit": "Qualified", "owner": "proposal"}}, "f.toml")
    assert not family_weights(staged, families=other).findings["rule"].eq("no_such_stage").any()


def test_a_column_that_stands_twice_is_told(tmp_path):
    frame = wide(600)
    twice = frame.assign(**{"fit (2)": frame["fit"], "region (2)": np.roll(frame["region"].to_numpy(), 1)})
    found = family_weights(twice, families=FAMILIES).findings
    found = found[found["rule"] == "doubled_column"].set_index("field")
    assert found["severity"].to_dict() == {"region (2)": "warning", "fit (2)": "note"}
    assert "“region” stands twice in the header" in found.loc["region (2)", "evidence"]
    assert "“fit” and “fit (2)”" in found.loc["fit (2)", "action"]
    listed = FAMILIES | {"market": {"fields": ["region"]}, "known_at": {**FAMILIES["known_at"], "region": "creation"}}
    with pytest.raises(DataError, match=r"the column 'region' stands twice, with different values.*'region \(2\)'"):
        family_weights(twice, families=listed)
    outcome = frame.assign(**{"outcome (2)": frame["outcome"].iloc[::-1].to_numpy()})
    for call in (audit, draft, lambda table, **_: family_weights(table, families=FAMILIES)):
        with pytest.raises(DataError, match="'outcome' stands twice"):
            call(outcome, outcome="outcome", won="won")
    fields = draft(twice, outcome="outcome", won="won").fields.set_index("field")
    assert pd.isna(fields.loc["region (2)", "known_at"]) and "stands twice" in fields.loc["region (2)", "why"]


def test_a_duration_is_a_number_of_days():
    days = pd.Series(pd.to_timedelta([1.5, 3.0, None] * 40, unit="D"), name="wait")
    column = read_column(days)
    assert column.kind == "number" and column.values.head(2).tolist() == [1.5, 3.0] and column.values.isna().sum() == 40
    frame = wide(600).assign(wait=pd.to_timedelta(np.random.default_rng(0).gamma(2.0, 4.0, 600), unit="D"))
    found = family_weights(frame, families=FAMILIES | {"skill": {"fields": ["wait"]}, "known_at": {"wait": "creation",
                           "fit": "creation"}})  # fmt: skip
    assert {term.field: term.kind for term in found.model.design.terms}["wait"] == "number"
