"""The pages of deals: every number a sentence says stands in a table, in both languages; refusals are full pages."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from planning import config, sample
from planning.deals import asof, workspace
from planning.deals.families import parse_families
from planning.errors import DataError, UsageError
from planning.language import day, month, use
from planning.reports import deals_page, leads_page, library_page
from planning.runs import emit
from planning.sources import read_table

ROOT = Path(__file__).resolve().parents[2]
# Constants of the method, not results: the level of every interval, a coin flip, the chance from which
# a loss is a surprise, the odds that one more of log-odds makes.
SAID_FREELY = {90.0, 0.5, 60.0, 70.0, 80.0, 100.0, 2.7, 400.0}


class Recorder(emit.Results):
    """A step that keeps what a page says without drawing charts."""

    def __init__(self, folder):
        super().__init__(folder, "page", "en")
        self.frames, self.alts, self.words = {}, [], set()

    def tabulate(self, name, frame, **options):
        self.frames[name] = frame
        self.words |= {word for known in (options.get("words") or {}).values() for word in known.values()}
        return self.table(name, frame, **options)

    def chart(self, name, plot, frame, *, alt, title="", **options):
        self.alts.append(alt)

    def title(self, text):
        self.manifest["title"] = text

    def file(self, name, writer):
        self.manifest["files"][name] = name


class After:
    """A step after the post-mortem: what it says goes to `page`, what it reads comes from `earlier`."""

    def __init__(self, page: Recorder, earlier: dict):
        self.page, self.earlier = page, earlier

    def __getattr__(self, name):
        return getattr(self.page, name)

    def manifest(self, notebook):
        return {"state": "ok", "answer": ""}

    def has(self, notebook, name):
        return name in self.earlier

    def result(self, notebook, name):
        return self.earlier[name]


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """A workspace with the sample company in it."""
    root = tmp_path_factory.mktemp("workspace")
    shutil.copy(ROOT / "workbench.toml", root)
    (root / "data").mkdir()
    sample.write(root / "data" / "sample")
    return config.load(root / "workbench.toml")


@pytest.fixture(scope="module")
def tables(company):
    return read_table("deals", company), read_table("stage_history", company)


@pytest.fixture(scope="module")
def mortem(tables):
    deals, stages = tables
    families = workspace.workspace_families(workspace.CANONICAL, list(deals.columns))
    return workspace.analyse(deals, stages, families, pd.Timestamp("2026-12-31"), seed=20270101)


def test_no_number_depends_on_the_order_of_rows_or_of_the_families_file(tables):
    deals, stages = tables[0].head(1500), tables[1]
    families = workspace.workspace_families(workspace.CANONICAL, list(deals.columns))
    turned = replace(
        families, fields={name: members[::-1] for name, members in reversed(families.fields.items())},
        known_at=dict(reversed(families.known_at.items())),
    )  # fmt: skip

    def everything(rows, history, table) -> dict[str, pd.DataFrame]:
        mortem = workspace.analyse(rows, history, table, pd.Timestamp("2026-12-31"))
        leads = workspace.grade_workspace(
            rows, workspace.at_creation(table), pd.Timestamp("2026-12-31"), history=history
        )
        return dict(mortem.tables) | {"open_leads": leads.open_leads, "grades": leads.grading.grades}

    plain = everything(deals, stages, families)
    shuffled = everything(deals.sample(frac=1, random_state=1), stages.sample(frac=1, random_state=2), families)
    for name, frame in shuffled.items():
        pd.testing.assert_frame_equal(frame, plain[name], check_exact=True, obj=name)
    other = everything(deals, stages, turned)
    keys = {"weights": "family", "gap": "part", "typical": "deal_id", "practices": "practice", "levers": "lever",
            "grades": "grade", "open_leads": "deal_id"}  # fmt: skip
    for name, key in keys.items():
        frame = other[name].set_index(key)[[c for c in plain[name] if c != key]].loc[plain[name][key]].reset_index()
        expected = plain[name][[key, *(c for c in plain[name] if c != key)]]
        pd.testing.assert_frame_equal(frame, expected, rtol=1e-9, atol=1e-12, check_dtype=False, obj=name)


def post_mortem_page(mortem, folder) -> Recorder:
    step = Recorder(folder)
    for show in (deals_page.show_answer, deals_page.show_weights, deals_page.show_reasons, deals_page.show_lost_deals,
                 deals_page.show_people, deals_page.show_competitors, deals_page.show_change, deals_page.show_funnel,
                 deals_page.show_audit, deals_page.keep_results):  # fmt: skip
        show(step, mortem)
    return step


def said(step: Recorder) -> list[str]:
    m = step.manifest
    sections = [text for section in m["sections"] for text in (section["finding"], section["why"])]
    numbers = [f"{n['text']} {n['note']}" for n in m["numbers"]]
    open_ = [text for line in m["cannot_tell"] for text in (line["question"], line["answer"])]
    return [m["answer"], m["lede"], *sections, *numbers, *open_, *m["sentences"].values(), *step.alts]


def values_of(step: Recorder) -> tuple[np.ndarray, set[str]]:
    """All figures of the page's tables (also how many rows they have), and their texts and dates as written."""
    figures, words = [0.0], set(step.words)
    for frame in step.frames.values():
        figures.append(float(len(frame)))
        for column in frame:
            values = frame[column].dropna()
            if pd.api.types.is_numeric_dtype(values):
                figures += [float(value) for value in values]
            elif pd.api.types.is_datetime64_any_dtype(values):
                words |= {form(value.date()) for value in values.unique() for form in (day, month)}
            else:
                words |= {str(value) for value in values.unique()}
        words |= {str(column) for column in frame}
    figures += [float(line["rows"]) for line in step.manifest["left_out"]]
    return np.abs(np.array(figures)), words


def missing_numbers(step: Recorder) -> list[tuple[str, str]]:
    figures, words = values_of(step)
    figures = figures[np.isfinite(figures)]
    out = []
    for text in said(step):
        plain = text
        for word in sorted(words, key=len, reverse=True):
            plain = plain.replace(word, " ") if len(word) > 2 and any(c.isdigit() for c in word) else plain
        plain = re.sub(r"(?<=\d)[\u202f\u00a0,](?=\d{3})", "", plain)
        for whole, part, rate in re.findall(r"(\d+)(\.\d+)?[\u202f\u00a0 ]?(%?)", plain):
            value, digits = float(whole + part), len(part) - 1 if part else 0
            scaled = figures * 100 if rate else figures
            if value not in SAID_FREELY and not (np.abs(scaled - value) <= 0.5 * 10.0**-digits + 1e-9).any():
                out.append((whole + part + rate, text))
    return out


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_number_of_the_post_mortem_is_in_a_table(mortem, tmp_path, language):
    with use(language):
        step = post_mortem_page(mortem, tmp_path)
        assert len(said(step)) > 40
        assert missing_numbers(step) == []


def test_the_truth_of_the_sample_lies_in_all_intervals(mortem, company):
    path = company.root / "data" / "sample" / "truth" / "family_weights.csv"
    truth = pd.read_csv(path).set_index("family")["share"]
    weights = mortem.result.weights.set_index("family")
    assert set(weights.index) == set(truth.index)
    assert (weights["lo90"] <= truth.reindex(weights.index)).all()
    assert (truth.reindex(weights.index) <= weights["hi90"]).all()


def test_a_number_that_stands_in_no_table_is_caught(mortem, tmp_path):
    step = post_mortem_page(mortem, tmp_path)
    step.text("stray", "The win rate rose by 77.77 points")
    assert [number for number, _ in missing_numbers(step)] == ["77.77"]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_number_of_the_library_is_in_a_table(mortem, tmp_path, language):
    with use(language):
        earlier = post_mortem_page(mortem, tmp_path / "a").frames
        step = Recorder(tmp_path / "b")
        library_page.show_library(After(step, earlier))
        assert step.manifest["state"] == "ok" and {"library", "thirds", "people"} <= set(step.frames)
        assert missing_numbers(step) == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_number_of_the_lead_grades_is_in_a_table(tables, tmp_path, language):
    deals, _stages = tables
    families = workspace.at_creation(workspace.workspace_families(workspace.CANONICAL, list(deals.columns)))
    graded = workspace.grade_workspace(deals, families, pd.Timestamp("2026-12-31"))
    with use(language):
        step = Recorder(tmp_path)
        leads_page.show_answer(step, graded)
        leads_page.show_promises(step, graded)
        leads_page.show_open(step, graded)
        assert missing_numbers(step) == []


def counted(page: Recorder) -> int:
    return sum(line["rows"] for line in page.manifest["left_out"])


def test_every_deal_is_used_or_left_out_once(mortem, tables, tmp_path):
    """Counted anew from the tables: open when their time was up, closed after it, ended without a decision."""
    deals, _stages = tables
    step = post_mortem_page(mortem, tmp_path)
    assert counted(step) + mortem.result.summary["n"] == len(deals)
    assert f"all {len(deals):,} deals".replace(",", "\u202f") in step.manifest["left_out_of"]
    rows = {line["reason"]: line["rows"] for line in step.manifest["left_out"]}
    began = mortem.history[mortem.history["stage"] == "Proposal"].groupby("deal_id")["entered_at"].min()
    proposed = deals.merge(began.rename("at"), left_on="deal_id", right_index=True)
    limit = proposed["at"] + pd.Timedelta(days=mortem.follow_up_days)
    proposed = proposed[(limit <= mortem.as_of) & ~(proposed["closed_date"] < proposed["at"])]
    late = proposed["closed_date"] > limit.reindex(proposed.index)
    assert rows["Deals still open"] == (proposed["outcome"] == "open").sum() > 0
    assert rows["Deals closed after the time every deal is given"] == late.sum() > 0
    undecided = (proposed["outcome"] == "no_decision") & ~late
    assert rows["Deals that ended without a decision"] == undecided.sum() > 0
    notes = mortem.result.findings.query("rule == 'left_out'")
    assert sorted(notes["rows"]) == sorted([(proposed["outcome"] == "open").sum(), late.sum(), undecided.sum()])
    assert not notes["action"].str.contains("once they are decided").any()


def test_closing_days_to_come_are_named_and_counted_once(tables, tmp_path):
    deals, stages = tables
    deals = deals.copy()
    wished = deals.index[(deals["outcome"] == "won").to_numpy()][100:400]
    deals.loc[wished, "closed_date"] = pd.Timestamp("2027-02-01")
    families = workspace.workspace_families(workspace.CANONICAL, list(deals.columns))
    mortem = workspace.analyse(deals, stages, families, pd.Timestamp("2026-12-31"), seed=20270101)
    step = post_mortem_page(mortem, tmp_path)
    assert counted(step) + mortem.result.summary["n"] == len(deals) and missing_numbers(step) == []
    told = mortem.result.findings.set_index("rule").loc["future_close"]
    assert told["severity"] == "fault" and told["rows"] == 300 and "(300 won)" in told["evidence"]
    assert f"{deals.loc[wished[0], 'deal_id']} (1 Feb 2027)" in told["evidence"]
    graded = workspace.grade_workspace(deals, workspace.at_creation(families), pd.Timestamp("2026-12-31"))
    page = Recorder(tmp_path / "leads")
    leads_page.show_answer(page, graded)
    leads_page.show_open(page, graded)
    assert dict(graded.left_out)["closing day to come"] == 300 and "slips" in page.frames
    assert counted(page) + graded.n + len(graded.open_leads) == len(deals) == graded.total
    assert [line["share"] for line in page.manifest["left_out"]] == [
        line["rows"] / len(deals) for line in page.manifest["left_out"]
    ]


def test_deals_of_an_earlier_day_are_counted_once(tables, tmp_path):
    deals, stages = tables
    families = workspace.workspace_families(workspace.CANONICAL, list(deals.columns))
    for options in ({}, {"age_days": 20}):
        mortem = workspace.analyse(deals, stages, families, pd.Timestamp("2025-12-31"), too_early=5, **options)
        step = post_mortem_page(mortem, tmp_path / str(len(options)))
        assert counted(step) + mortem.result.summary["n"] == len(deals) + 5
        assert not mortem.result.findings["rule"].eq("future_close").any()


def test_the_library_without_weights_says_why():
    refused: list = []
    before = {"state": "cannot_tell", "answer": "These deals cannot say"}
    step = SimpleNamespace(
        title=str, has=lambda *names: False, manifest=lambda name: before, refuse=lambda *said: refused.append(said)
    )
    library_page.show_library(step)
    assert refused[0][0] == "No practice can be judged yet" and refused[0][1].startswith("These deals cannot say. ")


def test_one_measured_family_is_refused_and_never_a_hundred_percent(tables, tmp_path):
    deals, stages = tables
    families = parse_families({
        "skill": {"fields": ["owner_id", "contacts", "response_hours"]},
        "known_at": {"owner_id": "creation", "contacts": "Proposal", "response_hours": "Qualified"},
    }, "f.toml")  # fmt: skip
    mortem = workspace.analyse(deals, stages, families, pd.Timestamp("2026-12-31"))
    assert mortem.result.refused and mortem.result.weights is None
    step = post_mortem_page(mortem, tmp_path)
    assert step.manifest["state"] == "cannot_tell" and "only one family of causes" in step.manifest["answer"]
    assert "Selling skill" not in step.manifest["answer"] and "funnel" in step.frames
    assert missing_numbers(step) == []


@pytest.mark.parametrize(("outcome", "words"), [("won", "ended the same way"), ("open", "No deal is decided yet")])
def test_tables_of_one_outcome_get_full_pages(tables, tmp_path, outcome, words):
    deals, stages = tables
    deals = deals.assign(outcome=outcome, closed_date=deals["closed_date"] if outcome == "won" else pd.NaT)
    families = workspace.workspace_families(workspace.CANONICAL, list(deals.columns))
    mortem = workspace.analyse(deals, stages, families, pd.Timestamp("2026-12-31"))
    step = post_mortem_page(mortem, tmp_path)
    assert step.manifest["state"] == "cannot_tell" and words in step.manifest["answer"]
    assert missing_numbers(step) == []
    graded = workspace.grade_workspace(deals, workspace.at_creation(families), pd.Timestamp("2026-12-31"))
    assert graded.grading is None and graded.reason


def test_deals_without_a_close_date_still_have_weights_and_a_page(tables, tmp_path):
    deals = asof.dated(tables[0].drop(columns="closed_date"))
    families = workspace.workspace_families(workspace.CANONICAL, list(deals.columns))
    mortem = workspace.analyse(deals, None, families, pd.Timestamp("2026-12-31"))
    step = post_mortem_page(mortem, tmp_path)
    assert not mortem.result.refused and "change" not in step.frames and "cycle" not in step.frames
    assert missing_numbers(step) == []


@pytest.mark.parametrize("form", ["{:.0f}", "{:.1f}"])
def test_ids_that_are_numbers_find_their_people_and_reasons(mortem, tables, form):
    """The sample with the deals numbered as a CRM does it, once written as floats: every table stays as it was."""
    deals, stages = tables
    number = {name: place for place, name in enumerate(deals["deal_id"], 9001)}
    numbered = deals.assign(deal_id=deals["deal_id"].map(number).map(form.format))
    steps = stages.assign(deal_id=stages["deal_id"].map(number).map("{:.0f}".format))
    families = workspace.workspace_families(workspace.CANONICAL, list(deals.columns))
    other = workspace.analyse(numbered, steps, families, pd.Timestamp("2026-12-31"), seed=20270101)
    for name in ("reasons", "performers", "competitors", "change", "practices"):
        pd.testing.assert_frame_equal(other.tables[name], mortem.tables[name])
    first = mortem.tables["second_look"]["deal_id"].map(number).map("{:.0f}".format)
    assert other.tables["second_look"]["deal_id"].tolist() == first.tolist()
    early = workspace.at_creation(families)
    plain, counted = (
        workspace.grade_workspace(table, early, pd.Timestamp("2026-12-31")).open_leads for table in (deals, numbered)
    )
    assert plain["owner_id"].tolist() == counted["owner_id"].tolist() and len(plain) > 100


def test_fields_known_after_the_moment_are_refused(tables):
    deals, stages = tables
    families = workspace.workspace_families(workspace.CANONICAL, list(deals.columns))
    mortem = workspace.analyse(deals, stages, families, pd.Timestamp("2026-12-31"), stage="Lead")
    refused = mortem.result.summary["refused_fields"]
    late = {name for name, when in families.known_at.items() if when in ("Proposal", "Qualified")}
    assert {name for name, rule in refused.items() if rule == "known_later"} == late
    assert "price" in mortem.result.summary["not_measured"]
    odd = replace(families, known_at={**families.known_at, "discount": "Propsal", "line": "closing"})
    found = workspace.analyse(deals, stages, odd, pd.Timestamp("2026-12-31"), stage="Proposal").result.findings
    assert found.loc[found["rule"] == "no_such_stage", "field"].tolist() == ["discount"]
    none_right = replace(families, known_at={**dict.fromkeys(families.known_at, "creation"), "discount": "Propsal"})
    found = workspace.analyse(deals, stages, none_right, pd.Timestamp("2026-12-31")).result.findings
    assert found.loc[found["rule"] == "no_such_stage", "field"].tolist() == ["discount"]


def test_an_age_as_the_moment(tables, tmp_path):
    deals, stages = tables
    families = workspace.workspace_families(workspace.CANONICAL, list(deals.columns))
    options = {"as_of": pd.Timestamp("2026-12-31"), "age_days": 30}
    mortem = workspace.analyse(deals, stages, families, **options)
    assert mortem.rule.startswith("30 days after the deal was created") and missing_numbers(
        post_mortem_page(mortem, tmp_path)
    ) == []
    with pytest.raises(UsageError, match="two moments"):
        workspace.analyse(deals, stages, families, stage="Proposal", **options)
    with pytest.raises(UsageError, match="need a stage_history"):
        workspace.analyse(deals, None, families, **options)
    age = pd.Timestamp("2026-12-31") - deals["created_date"].min()
    with pytest.raises(UsageError, match=r"age_days 100000: no deal was open that long; the oldest .* such as") as told:
        workspace.analyse(deals, stages, families, **options | {"age_days": 100_000})
    half = int(str(told.value).rsplit("such as ", 1)[1].split(":")[0])
    smaller = workspace.analyse(deals, stages, families, **options | {"age_days": half})
    assert half < age.days and smaller.result.summary["n"] > 0
    with use("zh"), pytest.raises(UsageError, match="age_days 100000：没有商机"):
        workspace.analyse(deals, stages, families, **options | {"age_days": 100_000})


def test_a_parameter_out_of_its_range_is_named_as_it_was_given(tables):
    deals, stages = tables
    families = workspace.workspace_families(workspace.CANONICAL, list(deals.columns))
    with pytest.raises(UsageError, match="^delta 5: between 0 and 1"):
        workspace.analyse(deals, stages, families, pd.Timestamp("2026-12-31"), delta=5)
    with pytest.raises(UsageError, match="^hot 3, cold 0.5: shares"):
        workspace.grade_workspace(deals, families, pd.Timestamp("2026-12-31"), hot=3)
    with pytest.raises(UsageError, match=r"none is left \(Deals .*: \d.*Name an earlier moment"):
        waiting = stages["deal_id"].isin(deals.loc[deals["outcome"] == "open", "deal_id"])
        late = stages[waiting & (stages["entered_at"] > "2026-11-01")]
        workspace.analyse(deals, late, families, pd.Timestamp("2026-12-31"), stage="Proposal")


def test_a_history_of_other_deals_is_an_error_that_names_both_ids(tables):
    deals, stages = tables
    families = workspace.workspace_families(workspace.CANONICAL, list(deals.columns))
    other = deals.assign(deal_id=np.arange(1.0, len(deals) + 1))
    with pytest.raises(DataError, match='"D000001".*"1".*same ids'):
        workspace.analyse(other, stages, families, pd.Timestamp("2026-12-31"))
