"""Won, lost, no decision, open: what happened to each deal, from whatever words the export uses."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from planning.deals.names import words as words_of
from planning.errors import UsageError, did_you_mean

# English, German, French and Spanish by whole words or their beginnings, without accents; Chinese by what is contained.
_LOST = re.compile(
    r"\b((closed)?lost|loss(es)?|los(e|er|ing)|reject(ed|ion|s)?|declin(e|ed|es|ing)|churn(ed|s)?|fail(ed|ure|s)?|unsold|"
    r"unsuccessful|not (won|sold|successful)|no sale|(won|sold) by \w+|"
    r"verloren|abgelehnt|abgesagt|absage|nicht gewonnen|"
    r"perdue?s?|refuse?e?s?|rejete?e?s?|echec|echoue?e?s?|non gagne?e?s?|"
    r"perdid[oa]s?|rechazad[oa]s?|fallid[oa]s?|no ganad[oa]s?)\b|"
    r"[输丢败]|流失|落标|失单|[未没非不]有?(能)?(成交|赢|中标|签|成功|成单)"
)
_UNDECIDED = re.compile(
    r"\b(no ?decision|no ?bid|abandon|cancel|withdraw|disqualif|unqualif|on ?hold|duplicate|postpone|suspend|paused|"
    r"zuruckgestellt|zurueckgestellt|storn|abgebrochen|pausiert|verschoben|(keine|ohne) entscheidung|dublette|doppelt|"
    r"annul|suspendu|en pause|reporte|sans (decision|suite)|doublon|"
    r"aplazad|pospuest|anulad|en espera|sin decision|descartad)|"
    r"放弃|取消|未决|未定|无决定|搁置|暂停|挂起|暂缓|延期|冻结|作废|无效|重复|终止|中止"
)
_OPEN = re.compile(
    r"^(open|pending|new|active|pipeline|none|neu|aktiv|actif|active|nouveau|nouvelle|nuev[oa]|activ[oa])$|"
    r"\b(re)?open\b|engag|prospect|progress|negotia|qualif|propos|discover|demo|quote|contacted|working|"
    r"\b(offen|bearbeitung|in arbeit|laufend|angebot|verhandl|en cours|ouvert|en attente|negoci|devis|"
    r"abiert|en curso|en proceso|pendiente|propuesta|cotiz)|"
    r"进行|跟进|谈判|报价|初步|开放|洽谈|沟通|推进|待|处理中|意向|需求确认|方案|立项|投标|中$"
)
_WON = re.compile(
    r"^win$|\b((closed)?won|sold|gewonnen|beauftragt|gagnee?s?|remportee?s?|ganad[oa]s?)\b|赢|成交|中标|签约|已签|成单"
)
_CLOSED = re.compile(r"^(closed?|done|geschlossen|abgeschlossen|beendet|cloturee?|fermee?|cerrad[oa])\b|关闭|结束|结案")
_LOST_CODES = {"0", "false", "no", "n", "f", "否", "l", "nein", "non"}
PLAIN = {"won", "lost", "open", "no decision", "no_decision"}  # what needs no telling


@dataclass(frozen=True)
class Outcomes:
    """`state` per row: 'won', 'lost', 'no_decision' or 'open'; `words` says which value was read as what.

    guessed: values that no rule knows, taken as lost. coded: values such as False, which a deal still open has too.
    """

    state: np.ndarray
    words: dict[str, str]
    guessed: frozenset[str] = frozenset()
    coded: frozenset[str] = frozenset()

    @property
    def closed(self) -> np.ndarray:
        """Rows that are won or lost."""
        return (self.state == "won") | (self.state == "lost")

    def of_rows(self, keep: np.ndarray) -> Outcomes:
        """The outcomes of the rows kept."""
        return replace(self, state=self.state[keep])

    def count(self, state: str) -> int:
        """Number of rows in one state."""
        return int((self.state == state).sum())


def plain_value(value: object) -> str | None:
    """A cell as comparable text: `1.0` and `1` are one value, `Won ` and `won` too; None where it is empty."""
    if value is None or value is pd.NA or value != value:
        return None
    text = str(value).strip().casefold()
    return re.sub(r"^(-?\d+)\.0+$", r"\1", text) or None


def read_outcomes(column: pd.Series, won: str, lost: tuple[str, ...] = ()) -> Outcomes:
    """Reads each row's outcome: `won` is the value of a won deal, `lost` optionally those of lost ones.

    Values that say so are undecided, lost or open. Of those that say nothing known, the only other value of two is
    lost; with more, they are open where another value says lost, and lost where none does. Empty is open.

    Raises UsageError when `won` is not in the column although deals may be won by another name, or a value of
    `lost` is not there.
    """
    codes, levels = pd.factorize(column)
    plain = [plain_value(level) for level in levels]
    wanted, given = plain_value(won), {plain_value(value) for value in lost}
    present = {text for text in plain if text}
    if wanted not in present and not _none_won(present):
        shown = ", ".join(repr(str(level)) for level in list(levels)[:8])
        guess = did_you_mean(str(won), [str(level) for level in levels])
        raise UsageError(
            f"--won {won!r}: column {column.name!r} has no such value. It has: {shown or 'nothing'}.{guess}"
        )
    for value in lost:
        if plain_value(value) not in present:
            guess = did_you_mean(str(value), [str(level) for level in levels])
            raise UsageError(f"--lost {value!r}: column {column.name!r} has no such value.{guess}")
    spoken = {text: _spoken(level) for text, level in zip(plain, levels, strict=True) if text}
    states, guessed = _classify(spoken, wanted, given)
    by_level = np.array([states.get(text, "open") if text else "open" for text in plain] + ["open"], dtype=object)
    coded = frozenset(text for text, state in states.items() if state == "lost" and text in _LOST_CODES - given)
    return Outcomes(by_level[codes], states, frozenset(guessed), coded)


def _spoken(value: object) -> str:
    """A value as words without accents: `ClosedLost` and `Closed-Lost` are `closed lost`, `Gagné` is `gagne`."""
    apart = unicodedata.normalize("NFKD", words_of(str(value)))
    return "".join(sign for sign in apart if not unicodedata.combining(sign))


def _none_won(present: set[str]) -> bool:
    """Whether every value says that its deals are open, undecided or lost: then none is won, however won is written."""
    return all(_said(_spoken(text)) in ("open", "no_decision", "lost") for text in present)


def _said(spoken: str) -> str:
    """What a value says by its words: a state, or nothing."""
    for state, pattern in (("no_decision", _UNDECIDED), ("lost", _LOST), ("open", _OPEN), ("won", _WON)):
        if pattern.search(spoken):
            return state
    return ""


def _classify(spoken: dict[str, str], won: str | None, given: set[str | None]) -> tuple[dict[str, str], set[str]]:
    """The state of each value, and those that were taken as lost although no rule knows them."""
    states = {text: "lost" if text in _LOST_CODES else _said(words) for text, words in spoken.items() if text != won}
    if won not in spoken or _said(spoken[won]) != "won" or len(states) == 1:  # then another word for won is no won deal
        states = {text: "" if state == "won" else state for text, state in states.items()}
    if given:
        states = {
            text: "lost" if text in given else "open" if state == "lost" else state for text, state in states.items()
        }
    known = given or ("lost" in states.values() and len(states) > 1)
    unknown = {text for text, state in states.items() if not state}
    for text in unknown:
        closed = _CLOSED.search(spoken[text]) is not None
        states[text] = ("no_decision" if closed else "open") if known else "lost"
    first = {won: "won"} if won in spoken else {}
    return first | states, set() if known else unknown
