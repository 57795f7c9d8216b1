"""The words of the forecast pages: singular, zero, negative, missing, in both languages."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from planning.forecast import accuracy_sentences as past
from planning.forecast import driver_sentences as words
from planning.forecast import judgement_sentences as people
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
    assert people.finding_adjusted(1e6, 1.1e6, 1, 2027, "EUR")[0].startswith("1 adjustment moves 2027 by +")
    assert "No adjustment counts" in people.finding_adjusted(1e6, 1e6, 0, 2027, "EUR")[0]


def test_growth_of_keys_names_both_ends_and_copes_with_none():
    growth = {"growth": [0.05, -0.02], "growth_lo": [0.01, -0.05], "growth_hi": [0.09, 0.01]}
    table = pd.DataFrame({"level": "region", "unique_id": ["N", "S"], **growth})
    head, why = s.finding_growth(table, "region")
    assert head == "N is expected at +5.0\u202f%, S at −2.0\u202f%" and "1 of 2" in why
    assert "No growth can be stated" in s.finding_growth(table.assign(growth=NAN), "region")[0]
    assert s.finding_growth(table.head(1), "region")[0] == "N is expected at +5.0\u202f%"


def test_what_changed_is_told_with_its_sign_or_that_nothing_did():
    total = {"then": 100e6, "now": 97e6, "change": -3e6, "surprise": -1e6}
    then = pd.Timestamp("2026-09-30")
    assert "moved by −€3.0" in people.finding_changes(total, then, "EUR")[0]
    still = people.finding_changes(total | {"change": 10.0}, then, "EUR")[0]
    assert still == "The forecast stands where it stood on 30 Sep 2026"
    assert "same month" in people.finding_changes(total | {"surprise": NAN}, then, "EUR")[1]
    assert "first forecast kept" in people.finding_first()[0]


def test_fixed_figures_are_singular_and_plural_with_their_change():
    table = pd.DataFrame({"amount": [2e6], "before": [2.5e6]})
    assert people.finding_fixed(table, "EUR")[0].startswith("1 figure is fixed at €2.0")
    two = people.finding_fixed(pd.concat([table, table]), "EUR")[0]
    assert two.startswith("2 figures are fixed at €4.0") and "−€1.0" in two
    steps = people.steps_shown({"statistical": 10.0, "adjusted": 12.0, "final": 12.0})
    assert steps["change"].tolist()[1:] == [2.0, 0.0] and np.isnan(steps["change"].iloc[0])


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
    effect = {"driver": ["working_days"], "kind": "elasticity", "effect": 0.5, "lo": 0.4, "hi": 0.6}
    effect, apart = pd.DataFrame(effect), pd.DataFrame({"driver": ["working_days"], "then": 252.0, "now": 251.0})
    rows = pd.DataFrame({"part": ["trend", "working_days"], "change": [3e6, 1e6], "share": [0.03, 0.01]})
    with use("zh"):
        texts = [s.answer(TOTAL, 2027, 2026, "EUR"), *s.refusal("x"), *past.no_accuracy(), past.bias_note(0.1)]
        texts += [*s.finding_rounds(pd.DataFrame()), *words.finding_parts(rows, apart, effect, 0.04), s.reason("ended")]
        assert all(any("\u4e00" <= sign <= "\u9fff" for sign in text) for text in texts)
        assert "1.250亿欧元" in texts[0] and "比 2026 年增长 4.2%" in texts[0]
    english = words.finding_parts(rows, apart, effect, 0.04)
    assert english[0] == "+4.0\u202f% is +3.0\u202f% trend and level, +1.0\u202f% working days"
    assert "251.0 against 252.0" in english[1] and "one more a month changes sales by +2.4\u202f%" in english[1]


def test_a_driver_is_told_with_a_move_one_can_picture_and_why_it_is_not_used():
    columns = {"driver": ["promotion", "price_index"], "kind": ["per_unit", "elasticity"], "effect": [0.1, -0.5]}
    table = pd.DataFrame(columns | {"lo": [0.05, -1.0], "hi": [0.15, 0.0], "gain": [0.02, NAN]})
    table = table.assign(told=[True, False], used=[True, False])
    shown = words.effects_shown(table, {"promotion": "planned", "price_index": "held"}, dict.fromkeys(table.driver, 3))
    assert shown["effect"].tolist() == pytest.approx([100 * np.expm1(0.1), 100 * (1.1**-0.5 - 1)])
    assert shown["used"].tolist() == ["used", "not used: its effect cannot be told from zero"]
    assert shown["ahead"].tolist() == ["as planned", "not planned: mean of the last 3 months"]


def test_a_what_if_says_what_was_asked_and_its_interval():
    total = {"change": -1e6, "changed": 99e6, "change_lo": -2e6, "change_hi": 0.0}
    asked = words.what_if_asked("", 0.02, -0.1)
    assert asked == "prices +2.0\u202f%, promotion −10.0\u202f% of the time"
    head, why = words.finding_what_if(asked, total, 2027, "EUR")
    assert "changes by −€1.0" in head and "−€2.0" in why
    assert "stays as it is" in words.finding_what_if("x", total | {"change": 0.0}, 2027, "EUR")[0]
