"""Which column of an export is which field: by our name, by a known alias, else a best guess to paste.

Names are compared folded: without case, spaces, signs, the `__c` of Salesforce's own fields and a unit in brackets, so
`Close Date`, `CloseDate` and `close_date` are one name, and `金额（万元）` is 金额 in ten thousands.
"""

from __future__ import annotations

import difflib
import functools
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from planning.tables.dates import read_date
from planning.tables.numbers import CURRENCY_CODES, CURRENCY_SIGNS, SCALES, read_number
from planning.tables.raw import is_text
from planning.tables.schema import DATED, NUMERIC, Field

_BRACKET = re.compile(r"[(\[（【]\s*([^()\[\]（）【】]*)\s*[)\]）】]\s*$")


@functools.lru_cache(maxsize=4096)
def fold(name: str) -> str:
    """Returns a column's name as it is compared.

    >>> fold("Loss_Reason__c"), fold("Close Date"), fold("金额（万元）"), fold("Probability (%)")
    ('lossreason', 'closedate', '金额', 'probability')
    """
    name = unicodedata.normalize("NFKC", str(name)).strip()
    name = re.sub(r"__[cr]\b", "", name)
    bare = _BRACKET.sub("", name) or name
    return "".join(sign for sign in bare.casefold() if sign.isalnum())


def header_unit(name: str) -> tuple[float, str]:
    """Returns (factor, currency) that a bracket in a column's name states; (1.0, "") when it states none.

    >>> header_unit("金额（万元）"), header_unit("Amount (k EUR)"), header_unit("Region")
    ((10000.0, ''), (1000.0, 'EUR'), (1.0, ''))
    """
    match = _BRACKET.search(unicodedata.normalize("NFKC", str(name)))
    if not match:
        return 1.0, ""
    factor, currency = 1.0, ""
    inside = match.group(1).casefold()
    if inside in {"teur", "tusd", "tchf", "tgbp"}:
        return 1e3, inside[1:].upper()
    parts = [part for part in re.split(r"[\s/,]+", inside) if part]
    for part in parts:
        if part in CURRENCY_SIGNS or part.upper() in CURRENCY_CODES:
            currency = CURRENCY_SIGNS.get(part, part.upper())
        elif part in SCALES and part != "%":
            factor *= SCALES[part]
        elif part[:1] == "k" and part[1:] in CURRENCY_SIGNS:
            factor, currency = factor * 1e3, CURRENCY_SIGNS[part[1:]]
    return factor, currency


@dataclass
class Match:
    """How a table's columns were understood."""

    theirs: dict[str, str] = field(default_factory=dict)  # our field → their column
    extra: list[str] = field(default_factory=list)  # their columns that are no field
    wrong: dict[str, str] = field(default_factory=dict)  # our field → a declared column that is not there
    unknown: list[str] = field(default_factory=list)  # keys of [sources.X.columns] that are no field of the table


def match_columns(fields: Sequence[Field], columns: Sequence[str], declared: Mapping[str, str] | None = None) -> Match:
    """Finds for each field its column: as declared, else exactly our name, else folded our name or a known alias.

    Our exact name goes first, because a folded one may be somebody else's word: Salesforce's `CloseDate` is our
    closed_date, not our close_date.
    """
    declared = declared or {}
    match = Match()
    by_fold: dict[str, str] = {}
    for column in columns:
        by_fold.setdefault(fold(column), column)
    names = {field.name for field in fields}
    for name, column in declared.items():
        if name not in names:
            match.unknown.append(name)
        elif column in columns or fold(column) in by_fold:
            match.theirs[name] = column if column in columns else by_fold[fold(column)]
        else:
            match.wrong[name] = column
    taken = set(match.theirs.values())
    exact = {column.strip().casefold(): column for column in reversed(columns)}
    finders = (
        lambda each: [exact.get(each.name.casefold())],
        lambda each: [by_fold.get(fold(name)) for name in (each.name, *each.aliases)],
    )
    for find in finders:
        for each in fields:
            if each.name not in match.theirs and each.name not in match.wrong:
                found = next((column for column in find(each) if column is not None and column not in taken), None)
                if found is not None:
                    match.theirs[each.name] = found
                    taken.add(found)
    match.extra = [column for column in columns if column not in taken]
    return match


def guesses(missing: Sequence[Field], frame: pd.DataFrame, columns: Sequence[str]) -> dict[str, str]:
    """Returns our field → the free column it most likely is, by likeness of the names and of what the cells hold."""
    scores = []
    for each in missing:
        for column in columns:
            score = _likeness(each, column) + _fit(each, frame[column])
            if score >= 0.75:
                scores.append((score, each.name, column))
    out: dict[str, str] = {}
    for _score, name, column in sorted(scores, reverse=True):
        if name not in out and column not in out.values():
            out[name] = column
    return out


def _likeness(each: Field, column: str) -> float:
    """The best likeness (0-1) of a column's name to the field's own name and aliases; containment counts 0.8."""
    folded = fold(column)
    best = 0.0
    for name in map(fold, (each.name, *each.aliases)):
        if len(name) >= 2 and len(folded) >= 2 and (name in folded or folded in name):
            best = max(best, 0.8)
        best = max(best, difflib.SequenceMatcher(None, name, folded).ratio())
    return best


def _fit(each: Field, column: pd.Series) -> float:
    """How well the cells fit the field's type: 0.5 for all of them, -1 for none, 0 where any cell would do."""
    cells = column.dropna().head(50)
    if each.type not in (*NUMERIC, *DATED) or cells.empty:
        return 0.0 if each.type not in ("choice", "flag") else -0.2
    if not is_text(column):
        dated = pd.api.types.is_datetime64_any_dtype(column.dtype)
        return 0.5 if dated == (each.type in DATED) else -1.0
    texts = [str(cell).strip() for cell in cells if str(cell).strip()]
    if each.type in DATED:
        good = [read_date(text, "day") != "bad" and not text.isdigit() for text in texts]
    else:
        good = [any(read_number(text, mark)[1] is not None for mark in ".,") for text in texts]
    share = sum(good) / max(len(good), 1)
    return 0.5 if share > 0.9 else -1.0
