"""Sentences of the post-mortem in both languages: singular, zero, negative, missing; never a verdict on one deal."""

import pandas as pd
import pytest

from planning.deals import funnel_sentences, lead_sentences, sentences, vocabulary
from planning.language import use

SUMMARY = {
    "n": 6711, "n_won": 4238, "n_lost": 2473, "win_rate": 0.6315, "auc": 0.49, "auc_lo": 0.477, "auc_hi": 0.504,
    "delta": 0.3, "snapshot": "when the deal entered Proposal (outcome within 80 days)", "r2": 0.01,
    "not_measured": ["price"], "reasons": ["..."], "reason_codes": ["coin_flip", "truncation"],
}  # fmt: skip


def weights(p: float = 0.0) -> pd.DataFrame:
    return pd.DataFrame({
        "family": ["product", "customer", "house style"], "share": [0.5, 0.4, 0.1], "lo90": [0.4, 0.3, 0.0],
        "hi90": [0.6, 0.5, 0.2], "p_zero": [p, p, 0.4],
    })  # fmt: skip


def test_headline_names_the_two_strongest_families():
    assert sentences.headline(weights()) == (
        "Product fit and customer relationship separate won from lost deals: together 90 % of the explained difference"
    ).replace(" %", "\u202f%")
    with use("zh"):
        assert sentences.headline(weights()) == "产品匹配和客户关系区分了赢单与输单：合计占可解释差异的 90%"


def test_a_weight_not_told_from_zero_says_so():
    assert sentences.weight_text(0.0, 0.2, 0.4) == "cannot be told from zero"
    assert "house style" in dict(sentences.cannot_tell(SUMMARY, weights(), None))
    assert "Price" in dict(sentences.cannot_tell(SUMMARY, weights(), None))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_sentence_promises_a_win(language):
    table = pd.DataFrame({"chance": [0.39, 0.2], "lever": ["contacts", "contacts"], "expected_wins": [12.0, 3.0]})
    with use(language):
        said = [
            *sentences.second_look_finding(table, 2),
            *sentences.levers_finding(table),
            *sentences.weights_finding(weights(), SUMMARY),
        ]
    assert all(said) and not any("would have won" in text or "guarantee" in text for text in said)


def test_singular_and_plural():
    table = pd.DataFrame({"verdict": ["top", "cannot tell"]})
    assert sentences.performers_finding(table)[0].startswith("1 person is")
    assert sentences.performers_finding(pd.concat([table, table]))[0].startswith("2 people are")
    assert sentences.performers_finding(table.iloc[1:])[0].startswith("Nobody stands out")
    assert "1 open deal waits" in funnel_sentences.overdue_text(pd.DataFrame({"days": [3]}))
    assert "No open deal" in funnel_sentences.overdue_text(pd.DataFrame({"days": []}))


def test_a_move_of_a_lever_is_told_in_its_own_unit():
    none = float("nan")
    moves = [("price_gap", 0.045, -0.021), ("technical_check", 0, 1), ("response_hours", 38.31, 12.0)]
    moves += [("visits", none, 3.0), ("visits", none, none)]
    told = [vocabulary.lever_move(*move) for move in moves]
    assert [text.replace("\u202f", " ") for text in told] == ["4.5 % → −2.1 %", "no → yes", "38.3 → 12", "3", "–"]


def test_a_change_within_chance_is_called_so():
    table = pd.DataFrame({"part": ["market", "mix", "unexplained", "total"], "points": [-0.01, 0, 0, -0.01],
                          "lo90": [-0.02, 0, 0, -0.04], "hi90": [0.0, 0, 0, 0.02]})  # fmt: skip
    split = pd.Timestamp("2026-01-01")
    rates = pd.DataFrame({"period": ["before", "after"], "win_rate": [0.38, 0.31]})
    assert "31\u202f% after 38\u202f%, has moved within chance" in sentences.change_finding(table, split, rates)[0]
    clear = table.assign(hi90=[0.0, 0, 0, -0.001])
    said = sentences.change_finding(clear, split, rates)[0].replace("\u202f", " ")
    assert said == "The win rate moved from 38 % to 31 % since Jan 2026: market accounts for −1.0 points"


def test_refusals_say_why():
    assert "coin flip" in sentences.refusal_headline(SUMMARY)
    assert "too few" in sentences.refusal_headline(SUMMARY | {"auc": None})
    for code, words in (("truncation", "misleads"), ("one_family", "only one family"), ("none_told", "told from zero")):
        assert words in sentences.refusal_headline(SUMMARY | {"reason_codes": [code]})


def test_every_rule_and_label_has_words_in_both_languages():
    with use("zh"):
        words = [*vocabulary.labels().values(), *lead_sentences.labels().values(), vocabulary.rule_name("truncation")]
    assert all(words) and vocabulary.rule_name("unheard_of") == "unheard_of"
    assert vocabulary.family_name("our own") == "our own" and vocabulary.lever_name("price_floor") == "Price floor"
