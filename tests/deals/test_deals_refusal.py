"""Refusals: each kind of them says why in the reader's language, and what is decided by its code."""

import re

import numpy as np
import pandas as pd
import pytest
from made_deals import deals

from planning.deals import asof, family_weights, workspace
from planning.deals.families import parse_families
from planning.language import use
from planning.reports import leads_page
from planning.runs import emit

OWN_NAMES = re.compile(r"known_at|AUC|P\d+|fit|owner")


class Page(emit.Results):
    """A step that only keeps what the page says."""

    def title(self, text):
        self.manifest["title"] = text



BOTH = {
    "product": {"fields": ["fit"]},
    "skill": {"fields": ["owner"]},
    "known_at": {"fit": "creation", "owner": "creation"},
}
ALONE = {"product": {"fields": ["fit"]}, "known_at": {"fit": "creation"}}
SILENT = {"product": {"fields": ["fit"]}}


def truncated() -> pd.DataFrame:
    """Everything that closed in the first half year is missing."""
    rng = np.random.default_rng(2)
    frame = deals(4000)
    created = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 700, 4000), unit="D")
    closed = created + pd.to_timedelta(rng.integers(1, 200, 4000), unit="D")
    frame = frame.assign(created_on=created, closed_on=closed)
    return frame[closed >= pd.Timestamp("2024-07-01")]


def back_filled() -> pd.DataFrame:
    """Most deals are typed in on the day they are won."""
    frame = deals(1000)
    created = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(1000) % 300, unit="D")
    same = (np.arange(1000) % 10 < 6) & (frame["outcome"] == "won") | (np.arange(1000) % 10 < 5)
    frame.loc[same & (np.arange(1000) % 9 > 0), "outcome"] = "won"
    frame.loc[~same, "outcome"] = np.where(np.arange(1000)[~same] % 5 > 0, "lost", "won")
    return frame.assign(created_on=created, closed_on=created + pd.to_timedelta(np.where(same, 0, 40), unit="D"))


CASES = {
    "none_decided": (deals().assign(outcome="open"), BOTH),
    "one_outcome": (deals().assign(outcome="won"), BOTH),
    "too_few": (deals(150), BOTH),
    "no_field": (deals(), SILENT),
    "coin_flip": (deals(effect=0.0), BOTH),
    "one_family": (deals(), ALONE),
    "truncation": (truncated(), BOTH),
    "back_filled": (back_filled(), BOTH),
}


@pytest.mark.parametrize("code", CASES)
def test_a_refusal_has_a_code_and_a_sentence_in_both_languages(code):
    frame, families = CASES[code]
    result = family_weights(frame, families=families, refits=10)
    assert result.refused and result.weights is None and code in result.summary["reason_codes"]
    assert all(re.fullmatch(r"[A-Z0-9][^\n]*\.", reason) for reason in result.summary["reasons"])
    with use("zh"):
        chinese = family_weights(frame, families=families, refits=10)
    assert chinese.summary["reason_codes"] == result.summary["reason_codes"]
    said = [*chinese.summary["reasons"], chinese.summary["estimand"], chinese.summary["snapshot"]]
    said += chinese.findings[["evidence", "action"]].stack().tolist()
    for text in said:
        assert not re.search(r"[A-Za-z]{3,}", OWN_NAMES.sub("", text)), text


def test_deals_that_are_all_open_are_not_told_to_state_known_at():
    result = family_weights(CASES["none_decided"][0], families=SILENT)
    assert result.summary["reason_codes"] == ["none_decided"]


def test_fields_that_say_nothing_are_told_from_fields_without_known_at():
    dull = deals().assign(fit=1.0)
    assert "differs between deals" in family_weights(dull, families=ALONE).summary["reasons"][0]
    assert "state known_at" in family_weights(deals(), families=SILENT).summary["reasons"][0]


def leads(**change) -> tuple[pd.DataFrame, object]:
    frame = deals(900, **change)
    created = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(900), unit="D")
    frame = frame.assign(created_date=created, closed_date=created + pd.Timedelta(days=20))
    return frame, parse_families(BOTH, "f.toml")


@pytest.mark.parametrize("kind", ["few", "no field", "no day", "coin flip", "one outcome"])
def test_leads_that_cannot_be_graded_get_a_page_that_says_why(kind, tmp_path):
    frame, families = leads(effect=0.0 if kind == "coin flip" else 1.2)
    if kind == "few":
        frame = frame.head(300)
    if kind == "no field":
        families = parse_families(SILENT, "f.toml")
    if kind == "no day":
        frame = asof.dated(frame.drop(columns="closed_date"))
    if kind == "one outcome":
        frame["outcome"] = "won"
    with use("zh"):
        graded = workspace.grade_workspace(frame, families, pd.Timestamp("2027-01-01"))
        step = Page(tmp_path, "page", "zh")
        leads_page.show_answer(step, graded)
    manifest = step.manifest
    assert manifest["state"] == "cannot_tell" and graded.reason
    sections = manifest["sections"]
    said = [manifest["answer"], manifest["lede"]]
    said += [text for each in sections for text in (each["finding"], each["why"])]
    said += [text for line in manifest["cannot_tell"] for text in (line["question"], line["answer"])]
    assert graded.reason in said and not any(re.search(r"[A-Za-z]{3,}", OWN_NAMES.sub("", text)) for text in said)


def test_leads_without_the_time_to_be_judged_are_counted(tmp_path):
    frame, families = leads()
    graded = workspace.grade_workspace(frame, families, frame["created_date"].max() + pd.Timedelta(days=1))
    step = Page(tmp_path, "page", "en")
    leads_page.show_answer(step, graded)
    young = int((frame["created_date"] > frame["created_date"].max() - pd.Timedelta(days=19)).sum())
    assert [line["rows"] for line in step.manifest["left_out"]] == [young]
