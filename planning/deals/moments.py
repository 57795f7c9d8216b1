"""Since when a field is known, as a families file says it: "creation", the name of a stage, or "closing"."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping

import pandas as pd

from planning.deals import names

CREATION = "creation"
CLOSING = {
    "closing",
    "close",
    "closed",
    "at closing",
    "after closing",
    "closed won",
    "closed lost",
    "won",
    "lost",
    "成交",
    "关闭",
    "结单",
}
# Said otherwise, in what is left without "at", "when the deal is", "date", "时", "后" and their like. Words that may be
# a stage of their own ("Decision", "签约") are not among them.
_MEANT = {
    "closing": {*CLOSING, "closure", "结案", "关单", "结束", "完结", "赢单", "输单", "丢单", "成单"},
    CREATION: {"created", "create", "创建", "新建", "建立", "创立", "录入", "建档"},
}
_AROUND = re.compile(
    r"^((at|on|after|upon|when|once|by|the|deal|deals|is|was|its|time|of)\s+)+|\s+(date|day|time|stage)$"
    r"|^[在于已]|(的?时候|之后|以后|后|时间|时|日期|日|阶段)$"
)
# "created" is no misspelling of "creation" and "negotiation" is none either: one or two letters are.
NEAR = 0.8


def is_closing(when: str) -> bool:
    """Tells whether a field known then is known only when the deal ends."""
    return str(when).strip().casefold() in CLOSING


def meant(when: str) -> str | None:
    """Returns "creation" or "closing" for a text that nearly says it; None for either itself, or the name of a stage.

    >>> meant("closeing"), meant("at close"), meant("结案"), meant("创建时")
    ('closing', 'closing', 'closing', 'creation')
    >>> meant("closing"), meant("Negotiation"), meant("Closing call")
    (None, None, None)
    """
    said = " ".join(re.sub(r"[\s_\-]+", " ", str(when)).split()).casefold()
    if not said or said == CREATION or said in CLOSING:
        return None
    core = said
    while (shorter := _AROUND.sub("", core)) != core and shorter:
        core = shorter
    for word, others in _MEANT.items():
        if core == word or core in others or _near(core, word):
            return word
    return None


def _near(word: str, right: str) -> bool:
    return difflib.SequenceMatcher(None, word, right).ratio() >= NEAR


def stages_of(deals: pd.DataFrame) -> tuple[str, ...]:
    """The stages that the deals' own stage column names; empty without one."""
    name = next((name for name in deals.columns if names.words(name) in names.STAGE_NAMES), None)
    if name is None:
        return ()
    return tuple(dict.fromkeys(str(stage).strip() for stage in deals[name].dropna() if str(stage).strip()))


def named_stages(known_at: Mapping[str, str], listed: Iterable[str]) -> dict[str, list[str]]:
    """Stage as the file writes it → the listed fields that are known from it on."""
    found: dict[str, list[str]] = {}
    for name in listed:
        when = str(known_at.get(name, "")).strip()
        if when and when.casefold() != CREATION and not is_closing(when):
            found.setdefault(when, []).append(name)
    return found


def near_stage(stage: str, stages: Iterable[str]) -> str | None:
    """Returns the other stage of which `stage` is most likely a misspelling; None for a stage of them."""
    by_fold = {str(one).casefold(): str(one) for one in stages}
    fold = stage.casefold()
    if fold in by_fold:
        return None
    return next((right for other, right in by_fold.items() if _near(fold, other)), None)
