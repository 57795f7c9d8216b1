"""Sentences of targets in both languages: singular, zero, negative, missing, a given amount, a finished year."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from planning import language
from planning.targets import people_sentences, sentences, year_sentences
from planning.targets.annual import plan_year
from planning.targets.policy import make_policy
from planning.targets.reliability import reliability


@pytest.mark.parametrize(
    ("spoken", "words"), [("en", ["can commit to", "55\u202f%"]), ("zh", ["可承诺", "达成概率 55%"])]
)
def test_the_answer_has_its_number_and_chance(plan, spoken, words):
    with language.use(spoken):
        answer, lede = sentences.headline(plan)
        others = [*sentences.bridge_finding(plan), sentences.bridge_alt(plan), *sentences.cells_finding(plan), lede]
    assert all(word in answer for word in words) and all(others)
    assert ("2026" in lede) and "{" not in answer + "".join(others)


def test_a_given_amount_tells_its_chance(history, content, plan):
    amount = round(plan.target.expected * 1.01, 2)
    given = plan_year(history, make_policy(content | {"target": {"amount": amount}}), year=2027)[0]
    assert "has a chance of" in sentences.headline(given)[0]
    assert 0.2 < given.target.attainment_probability < 0.5


def test_growth_above_below_equal_and_without_a_year_before(plan):
    goal = plan.target
    for factor, word in ((2.0, "below"), (0.5, "above"), (0.0, "no sales last year")):
        changed = dataclasses.replace(
            goal, last_year=goal.last_year * 0 + factor * goal.amount(goal.target) / len(goal.last_year)
        )
        assert word in sentences.growth_sentence(changed)
    same = dataclasses.replace(goal, last_year=goal.last_year * 0 + goal.amount(goal.target) / len(goal.last_year))
    assert "equals 2026" in sentences.growth_sentence(same)


def test_a_rule_at_its_limit_is_told_in_words(history, content):
    asked = content | {"lock": [{"region": "East", "line": "Pumps", "amount": 1_000_000}],
                       "bounds": [{"region": "North", "max_growth": -0.1}]}  # fmt: skip
    plan = plan_year(history, make_policy(asked), year=2027)[0]
    texts = [sentences.rule_text(rule, "EUR") for rule in plan.binding]
    assert texts[1] == "East, Pumps locked at €1.0\u202fm" and texts[0].startswith("North at most €")
    with language.use("zh"):
        assert "锁定为" in sentences.rule_text(plan.binding[1], "EUR")


def test_reliability_says_when_it_cannot_be_checked(panel):
    replay = reliability(panel)
    assert "years were replayed" in sentences.reliability_finding(replay)[1]
    none = reliability(panel.until(pd.Timestamp("2021-12-01")))
    assert none.positions.empty and "could not be checked" in sentences.reliability_finding(none)[0]


def test_the_reason_of_a_quota_names_what_changed():
    row = {"locked": False, "new": False, "quota": 1.1e6, "quota_last_year": 1.0e6, "territory_growth": 0.05,
           "expected": 1.05e6, "capacity": 0.5}  # fmt: skip
    assert people_sentences.reason(row, "EUR") == (
        "+10\u202f% on last year's €1.0\u202fm: the territory is expected at €1.1\u202fm (+5.0\u202f%). "
        "Counts for 50\u202f% of a full year."
    )
    assert people_sentences.reason(row | {"quota_last_year": np.nan}, "EUR").startswith("No quota last year")
    assert people_sentences.reason(row | {"new": True}, "EUR").startswith("New: counts for 50")
    assert people_sentences.reason(row | {"locked": True}, "EUR") == "Locked at €1.1\u202fm."


def test_signals_and_alarms_never_claim_what_is_not_told():
    told = {"slope": 0.4, "se": 0.1, "r2": 0.3, "n": 90, "told": True}
    assert "+3.8\u202f%" in year_sentences.signal(told)
    assert "cannot be told" in year_sentences.signal(told | {"told": False})
    assert "Too little history" in year_sentences.signal(None)
