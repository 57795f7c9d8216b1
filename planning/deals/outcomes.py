"""Won, lost, no decision, open: what happened to each deal, from whatever words the export uses."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from planning.errors import UsageError, did_you_mean

_LOST = re.compile(r"lost|loss|lose|reject|declin|churn|fail|输|丢|失败|丢单|输单", re.I)
_UNDECIDED = re.compile(r"no.?decision|no.?bid|abandon|cancel|withdraw|disqualif|放弃|取消|未决|无决定", re.I)
_OPEN = re.compile(
    r"^(open|pending|new|active|pipeline|none)$|engag|prospect|progress|negotia|qualif|propos|discover|demo|quote|"
    r"contacted|working|on.?hold|进行|跟进|谈判|报价|初步|开放",
    re.I,
)
_LOST_CODES = {"0", "0.0", "false", "no", "n", "f", "否", "l"}


@dataclass(frozen=True)
class Outcomes:
    """`state` per row: 'won', 'lost', 'no_decision' or 'open'; `words` says which value was read as what."""

    state: np.ndarray
    words: dict[str, str]

    @property
    def closed(self) -> np.ndarray:
        """Rows that are won or lost."""
        return (self.state == "won") | (self.state == "lost")

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

    With two values in the column, the other one is lost. With more, values that say so are lost, undecided or open;
    where none says lost, every other value is lost. Empty is open.

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
    states = _classify(present, wanted, given)
    by_level = np.array([states.get(text, "open") if text else "open" for text in plain] + ["open"], dtype=object)
    return Outcomes(by_level[codes], {str(text): state for text, state in states.items()})


def _none_won(present: set[str]) -> bool:
    """Whether every value says that its deals are open, undecided or lost: then none is won, however won is written."""
    return all(_OPEN.search(text) or _UNDECIDED.search(text) or _LOST.search(text) for text in present)


def _classify(present: set[str], won: str | None, given: set[str | None]) -> dict[str, str]:
    rest = present - {won}
    states = {won: "won"} if won in present else {}
    if given:
        return states | {text: "lost" if text in given else _undecided(text) for text in rest}
    if len(rest) == 1 and won in present:
        (other,) = rest
        return states | {other: "lost" if not _OPEN.search(other) or _LOST.search(other) else "open"}
    says_lost = {text for text in rest if text in _LOST_CODES or _LOST.search(text)}
    for text in rest:
        if text in says_lost:
            states[text] = "lost"
        elif says_lost or _UNDECIDED.search(text) or _OPEN.search(text):
            states[text] = _undecided(text)
        else:
            states[text] = "lost"
    return states


def _undecided(text: str) -> str:
    return "no_decision" if _UNDECIDED.search(text) else "open"
