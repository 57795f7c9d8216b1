"""The words of the forecast pages: singular, zero, negative, missing, in both languages."""

from __future__ import annotations

import pandas as pd
import pytest

from planning.forecast import accuracy_sentences as past
from planning.forecast import driver_sentences as words
from planning.forecast import sentences as s
from planning.language import use

TOTAL = {"expected": 125e6, "lo80": 118e6, "hi80": 132e6, "growth": 0.042}
NAN = float("nan")


@pytest.mark.parametrize(
    ("growth", "words"),
    [(0.042, "4.2\u202f% more than in 2026"), (-0.031, "3.1\u202f% less"), (0.001, "about as much"), (NAN, "in 2027")],
)
def test_the_headline_says_more_less_or_about_as_much(growth, words):
    text = s.answer(TOTAL | {"growth": growth}, 2027, 2026, "EUR")
    assert words in text and "nan" not in text and "€125.0" in text


def test_the_lede_says_what_is_not_known():
    assert "too short to say" in s.lede(TOTAL, "EUR", None)
    judged = {"wape": 0.094, "coverage_80": 0.8}
    assert "9.4\u202f%" in s.lede(TOTAL, "EUR", judged) and "80\u202f% of them" in s.lede(TOTAL, "EUR", judged)


def test_counts_are_singular_and_plural():
    series = pd.DataFrame({"status": ["forecast", "ended", "forecast"]})
    assert s.finding_left_out(series)[0] == "1 of 3 cells has no forecast"
    assert s.finding_left_out(series.assign(status="ended"))[0] == "3 of 3 cells have no forecast"
    assert s.finding_left_out(series.assign(status="forecast"))[0] == "Every cell has a forecast"
    assert s.finding_adjusted(1e6, 1.1e6, 1, 2027, "EUR")[0].startswith("1 adjustment moves 2027 by +")
    assert "No adjustment counts" in s.finding_adjusted(1e6, 1e6, 0, 2027, "EUR")[0]


def test_growth_of_keys_names_both_ends_and_copes_with_none():
    growth = {"growth": [0.05, -0.02], "growth_lo": [0.01, -0.05], "growth_hi": [0.09, 0.01]}
    table = pd.DataFrame({"level": "region", "unique_id": ["N", "S"], **growth})
    head, why = s.finding_growth(table, "region")
    assert head == "N is expected at +5.0\u202f%, S at −2.0\u202f%" and "1 of 2" in why
    assert "No growth can be stated" in s.finding_growth(table.assign(growth=NAN), "region")[0]
    assert s.finding_growth(table.head(1), "region")[0] == "N is expected at +5.0\u202f%"


def test_what_changed_is_told_with_its_sign_or_that_nothing_did():
    total = {"then": 100e6, "now": 97e6, "change": -3e6, "surprise": -1e6}
    assert "moved by −€3.0" in s.finding_changes(total, pd.Timestamp("2026-09-30"), "EUR")[0]
    still = s.finding_changes(total | {"change": 10.0}, pd.Timestamp("2026-09-30"), "EUR")[0]
    assert still == "The forecast stands where it stood on 30 Sep 2026"
    assert "first forecast kept" in s.finding_changes(None, None, "EUR")[0]


@pytest.mark.parametrize(
    ("fva", "told", "words"),
    [(0.03, True, "less error"), (-0.03, True, "more error"), (0.001, False, "cannot be told from zero"),
     (0.0, False, "nothing was changed")],
)  # fmt: skip
def test_value_added_never_claims_what_cannot_be_told(fva, told, words):
    row = {"step": "adjusted", "fva": fva, "told": told}
    assert words in past.value_added(row)
    head = past.finding_value_added(pd.DataFrame([row]))[0]
    assert ("cannot be told" in head) == (not told and fva != 0)


def test_every_sentence_has_a_chinese_form():
    effect = {"effect": 0.5, "lo": 0.4, "hi": 0.6}
    rows = pd.DataFrame({"part": ["trend", "working_days"], "change": [3e6, 1e6], "share": [0.03, 0.01]})
    with use("zh"):
        texts = [s.answer(TOTAL, 2027, 2026, "EUR"), *s.refusal("x"), *past.no_accuracy(), past.bias_note(0.1)]
        texts += [*s.finding_rounds(pd.DataFrame()), *words.finding_parts(rows, 1.2, effect, 0.04), s.reason("ended")]
        assert all(any("\u4e00" <= sign <= "\u9fff" for sign in text) for text in texts)
        assert "1.250亿欧元" in texts[0] and "比 2026 年增长 4.2%" in texts[0]
    english = words.finding_parts(rows, -1.0, effect, 0.04)
    assert english[0] == "+4.0\u202f% is +3.0\u202f% trend and level, +1.0\u202f% working days"
    assert "−1.0 working days" in english[1]
