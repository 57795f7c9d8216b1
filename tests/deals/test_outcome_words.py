"""What happened to each deal, from the words exports use; every reading is told with its count."""

import numpy as np
import pandas as pd
import pytest
from made_deals import deals

from planning.deals import audit
from planning.deals.outcomes import read_outcomes
from planning.deals.prepare import prepare

WON, LOST, OPEN, NONE = "won", "lost", "open", "no_decision"


@pytest.mark.parametrize(
    ("words", "states"),
    [
        (
            ["Closed Won", "Closed - No Decision", "Closed - Duplicate", "Closed Cancelled", "Closed (on hold)"],
            [WON, NONE, NONE, NONE, NONE],
        ),
        (
            ["Closed Won", "Closed lost", "Closed-Lost", "ClosedLost", "closedlost", "Disclosed"],
            [WON, LOST, LOST, LOST, LOST, OPEN],
        ),
        (["Gewonnen", "Verloren", "In Bearbeitung", "Zurückgestellt"], [WON, LOST, OPEN, NONE]),
        (["Gagné", "Perdu", "En cours", "Annulé", "En attente"], [WON, LOST, OPEN, NONE, OPEN]),
        (["Gagné", "En cours"], [WON, OPEN]),
        (["Ganada", "Perdida", "En curso", "Cancelada", "Abierta"], [WON, LOST, OPEN, NONE, OPEN]),
        (["已成交", "未成交", "跟进中", "搁置", "投标失败"], [WON, LOST, OPEN, NONE, LOST]),
        (["Won", "Won - renewal", "Won by rival", "Not won", "签约中"], [WON, WON, LOST, LOST, OPEN]),
        (["lost", "won"], [WON, LOST]),
    ],
)
def test_outcomes_are_read_by_whole_words_in_five_languages(words, states):
    assert read_outcomes(pd.Series(words, name="s"), words[0]).state.tolist() == states


def found(frame: pd.DataFrame, **options) -> pd.DataFrame:
    frame = audit(frame, **options)
    return frame[frame["rule"].eq("outcome_words")].set_index("severity")


def test_every_reading_is_told_with_its_count():
    frame = deals()
    assert found(frame).empty and found(frame.assign(outcome=frame["outcome"].replace("lost", "no decision"))).empty
    told = found(frame.assign(outcome=frame["outcome"].replace("won", "Closed Won")), won="Closed Won")
    count = int(frame["outcome"].eq("won").sum())
    assert f"Closed Won → won ({count})" in told.loc["note", "evidence"] and list(told.index) == ["note"]


def test_words_nobody_knows_are_lost_with_a_warning():
    frame = deals()
    frame.loc[frame["outcome"].eq("lost"), "outcome"] = "gone"
    frame.loc[:9, "outcome"] = "blue"
    told = found(frame)
    assert "“blue” (10)" in told.loc["warning", "evidence"] and "--lost" in told.loc["warning", "action"]
    assert told.loc["warning", "rows"] == int(frame["outcome"].ne("won").sum())
    assert "warning" not in found(frame, lost=("gone",)).index


@pytest.mark.parametrize("value", [False, "lapsed"])
def test_deals_not_won_without_a_closing_date_are_open(value):
    frame = deals()
    won = frame["outcome"].eq("won")
    waiting = ~won & (np.arange(600) % 2 == 0)
    day = pd.Series(pd.Timestamp("2025-03-01") + pd.to_timedelta(np.arange(600) % 90, unit="D"))
    frame = frame.assign(
        outcome=[True if each else value for each in won] if value is False else won.map({True: "won", False: value}),
        expected_close_date=day, closed_date=day.mask(waiting),
    )  # fmt: skip
    right = "True" if value is False else "won"
    outcomes = prepare(frame, outcome="outcome", won=right).outcomes
    assert (outcomes.state[waiting] == "open").all() and outcomes.count("lost") == int((~won & ~waiting).sum())
    told = found(frame, won=right).loc[["warning"]]
    assert told["rows"].eq(int(waiting.sum())).any()
    # A date that only won deals have says nothing, and a word for lost means what it says.
    only = frame.assign(closed_date=day.where(won))
    assert prepare(only, outcome="outcome", won=right).outcomes.count("open") == 0
    said = frame.assign(outcome=won.map({True: "won", False: "lost"}))
    assert prepare(said, outcome="outcome", won="won").outcomes.count("open") == 0
