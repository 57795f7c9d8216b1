"""The audit of single fields: is this field a cause that was known before the outcome, or the outcome in disguise?"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from scipy import special

from planning.deals import names
from planning.deals.columns import Column
from planning.deals.design import MAX_LEVELS
from planning.deals.prepare import Finding, Prepared
from planning.language import _, ngettext, number, percent

SAMPLE = 100_000
ONE_FIELD_REFUSED, ONE_FIELD_REVIEW = 0.95, 0.90
FILL_WON_LOST, FILL_CLOSED_OPEN = 0.30, 0.40
RANDOM_MINUS_TIME = 0.12
PURE, PURE_ROWS, FEW_NUMBERS = 0.97, 50, 12
BY_CHANCE, SET_APART = 1e-6, 3.0
MOSTLY_MISSING = 0.95
ROUND_GAP = 0.20


def audit_field(
    prepared: Prepared, name: str, rows: np.ndarray, order: np.ndarray | None, known_at: str | None = None
) -> list[Finding]:
    """All findings on one field; `rows` are the closed deals looked at, `order` their time order where dates exist."""
    column = prepared.columns[name]
    if column.kind == "mixed":
        return [_several_units(column) if column.notation.units else _two_notations(prepared, name)]
    shaped = _shape(prepared, name) + _unread(column) + _notation(column)
    if column.kind in ("constant", "text", "id", "date"):
        return shaped + _fill(prepared, name, known_at)
    won = prepared.outcomes.state[rows] == "won"
    values = column.values.iloc[rows]
    found = shaped + _fill(prepared, name, known_at) + _merged(name, column.merged)
    if len(rows) >= 100 and 20 <= won.sum() <= len(won) - 20:
        codes = field_codes(values, column.kind)
        found += _one_field(name, codes, won, order) + _pure(name, codes, values, column.kind, won)
        if column.kind == "number" and names.says(name, names.AMOUNT_WORDS):
            found += _round_amounts(name, values.to_numpy(), won)
    if column.kind == "number" and names.says(name, names.AMOUNT_WORDS):
        found += _zero_amounts(name, column.values)
    return found


def _shape(prepared: Prepared, name: str) -> list[Finding]:
    column = prepared.columns[name]
    filled = 1 - column.missing
    if column.kind == "constant":
        return [
            Finding(
                "note",
                name,
                "constant",
                _("one value or none ({filled} filled): it separates nothing").format(filled=percent(filled)),
            )
        ]
    if column.kind == "text":
        return [
            Finding(
                "refused", name, "free_text", _("free text, nearly every row differs"), _("Code it into a class first.")
            )
        ]
    if column.kind == "id":
        return [
            Finding(
                "refused",
                name,
                "id_like",
                _("{x} values in {n} rows: a name, not a cause").format(
                    x=number(column.values.nunique()), n=number(len(column.values))
                ),
            )
        ]
    if column.kind == "date":
        text = _("a date is no cause: it would call the calendar the market")
        refused = Finding("refused", name, "date", text, _("Use an outside index of the period instead."))
        if column.values.notna().any():
            return [refused]
        if column.doubt == "unreadable":
            example = " ".join(column.unread_example.split())[:40]
            text = _("called a date, but “{example}” is no day: no date was read").format(example=example)
            action = _("Export dates as 2026-03-02.")
            return [refused, Finding("fault", name, "unread_dates", text, action, column.unread)]
        if column.doubt == "year_first":
            text = _("“{example}” may begin with the day or with the year: no date was read")
            text, action = text.format(example=column.unread_example), _("Export dates as 2026-03-02.")
            return [refused, Finding("fault", name, "ambiguous_dates", text, action, column.unread)]
        text = _("day and month cannot be told apart (is 02/03/2026 in March or in February?): no date was read")
        return [refused, Finding("fault", name, "ambiguous_dates", text, _("Export dates as 2026-03-02."))]
    many = _many_levels(name, column.values) if column.kind == "category" else []
    if column.missing > MOSTLY_MISSING:
        rows = int(column.values.notna().sum())
        text = _("{x} missing; it speaks for {rows} deals only").format(x=percent(column.missing, 1), rows=number(rows))
        return [*many, Finding("warning", name, "mostly_missing", text, "", rows)]
    return many


def _unread(column: Column) -> list[Finding]:
    """Cells that hold no number among numbers, or no day among days: taken as missing, counted and shown."""
    if not column.unread or (column.kind == "date" and column.values.isna().all()):
        return []
    rows, example = column.unread, " ".join(column.unread_example.split())[:40]
    if column.kind == "date":
        text = ngettext(
            "{n} cell is no day, or day and month cannot be told apart, such as “{example}”; taken as empty",
            "{n} cells are no day, or day and month cannot be told apart, such as “{example}”; taken as empty", rows,
        )  # fmt: skip
        action = _("Export dates as 2026-03-02.")
    else:
        text = ngettext(
            "{n} cell is no number, such as “{example}”; taken as empty",
            "{n} cells are no number, such as “{example}”; taken as empty", rows,
        )  # fmt: skip
        action = _("Write numbers only, or leave the cell empty.")
    return [Finding("warning", column.name, "unread", text.format(n=number(rows), example=example), action, rows)]


def _two_notations(prepared: Prepared, name: str) -> Finding:
    """Amounts with a decimal comma beside amounts with a decimal point: which is which cannot be told cell by cell."""
    one, other = (
        _("“{cell}” ({place})").format(cell=cell, place=prepared.place(at))
        for at, cell in prepared.columns[name].notation.clash
    )
    text = _("{one} has a decimal comma and {other} a decimal point: no number of this field was read")
    action = _("Export all of its numbers in one notation, such as 75544.50.")
    return Finding("refused", name, "two_notations", text.format(one=one, other=other), action)


def _several_units(column: Column) -> Finding:
    """Figures in hours beside figures in days: none is read, because which is meant would have to be converted."""
    shown = ", ".join(f"“{cell}”" for _unit, cell in column.notation.units[:6])
    text = _("figures in several units, such as {cells}: no number of this field was read")
    action = _("Export all of its numbers in one unit.")
    return Finding("refused", column.name, "several_units", text.format(cells=shown), action)


def _notation(column: Column) -> list[Finding]:
    """Figures that could be read another way, told with how they were read."""
    found, notation = [], column.notation
    if notation.units:
        unit, cell = notation.units[0]
        text = _("every cell carries “{unit}”, such as “{cell}”: read as numbers").format(unit=unit, cell=cell)
        found.append(Finding("note", column.name, "units_read", text, _("Nothing to do.")))
    if notation.doubtful:
        cell = notation.doubtful
        thousands = re.search(r"\d,\d{3}", cell) is not None
        text = _("“{cell}” was read as thousands; no cell shows whether it has three decimals")
        if not thousands:
            text = _("“{cell}” was read with three decimals; no cell shows whether it is thousands")
        action = _("Write such numbers without a mark of thousands, or with two decimals.")
        severity = "note" if thousands else "warning"
        found.append(Finding(severity, column.name, "doubtful_notation", text.format(cell=cell), action))
    (signed, one), (plain, other) = notation.signed, notation.plain
    if signed:
        text = _(
            "with a percent sign: {n}, such as “{one}”; without: {m}, such as “{other}”; the first were divided by "
            "100, the others taken as shares"
        ).format(n=number(signed), m=number(plain), one=one, other=other)
        action = _("Write all of them as percents, or all as shares of 1.")
        found.append(Finding("warning", column.name, "mixed_percents", text, action, signed))
    return found


def _many_levels(name: str, values: pd.Series) -> list[Finding]:
    """A class of very many values: the commonest are told apart, the rare ones are taken together."""
    counts = values.value_counts()
    if len(counts) < MAX_LEVELS:
        return []
    rows = int(counts.iloc[MAX_LEVELS - 1 :].sum())
    text = _("{n} values; beyond the {most} commonest they may be taken together as one ({rows} deals)").format(
        n=number(len(counts)), most=number(MAX_LEVELS - 1), rows=number(rows)
    )
    return [Finding("note", name, "many_levels", text, _("Group it into fewer classes."), rows)]


def _merged(name: str, merged: tuple[tuple[str, ...], ...]) -> list[Finding]:
    if not merged:
        return []
    shown = "; ".join(" = ".join(group) for group in merged[:4])
    person = names.says(name, names.PERSON_WORDS)
    rule = "merged_owners" if person else "merged_spellings"
    return [
        Finding(
            "warning" if person else "note",
            name,
            rule,
            ngettext(
                "{n} value was spelt several ways: {shown}", "{n} values were spelt several ways: {shown}", len(merged)
            ).format(n=number(len(merged)), shown=shown),
        )
    ]


def _fill(prepared: Prepared, name: str, known_at: str | None) -> list[Finding]:
    """Fields filled for one outcome, or at closing only, carry the outcome in their emptiness."""
    filled = prepared.columns[name].values.notna().to_numpy()
    state = prepared.outcomes.state
    won, lost = filled[state == "won"], filled[state == "lost"]
    waiting = filled[state == "open"]
    found = []
    if len(won) >= 20 and len(lost) >= 20:
        a, b = won.mean(), lost.mean()
        text = _("filled in {a} of won and {b} of lost deals").format(a=percent(a, 1), b=percent(b, 1))
        if min(a, b) < 0.01 and max(a, b) > 0.05:
            found.append(
                Finding("refused", name, "one_outcome_only", text, _("Fill it for every deal while it is open."))
            )
        elif abs(a - b) > FILL_WON_LOST:
            found.append(Finding("refused", name, "fill_won_lost", text, _("Fill it for every deal while it is open.")))
    if len(waiting) >= 50 and len(won) + len(lost) >= 50:
        found += _fill_open(name, float(np.concatenate([won, lost]).mean()), float(waiting.mean()), known_at)
    return found


def _fill_open(name: str, closed: float, waiting: float, known_at: str | None) -> list[Finding]:
    """A field that fills up with the stages is emptier in open deals; one that is empty until closing is the
    outcome's."""
    if closed - waiting <= FILL_CLOSED_OPEN:
        return []
    text = _("filled in {closed} of closed and {waiting} of open deals").format(
        closed=percent(closed, 1), waiting=percent(waiting, 1)
    )
    if waiting < 0.02 or (known_at or "").casefold() == "creation":
        return [
            Finding(
                "refused",
                name,
                "fill_closed_open",
                _("{text}: written at closing").format(text=text),
                _("Record it when it becomes known."),
            )
        ]
    if known_at:
        return [
            Finding(
                "note",
                name,
                "fill_closed_open",
                _('{text}, as its known_at = "{known_at}" lets expect').format(text=text, known_at=known_at),
            )
        ]
    return [
        Finding(
            "warning",
            name,
            "fill_closed_open",
            _("{text}: written late").format(text=text),
            _("State at which stage it is known."),
        )
    ]


def field_codes(values: pd.Series, kind: str, bins: int = 24) -> np.ndarray:
    """A field as small codes: quantile bins or levels (the 500 commonest); missing is -1."""
    if kind == "number":
        numbers = values.to_numpy("float64")
        known = numbers[~np.isnan(numbers)]
        if not len(known):
            return np.full(len(numbers), -1)
        edges = np.unique(np.quantile(known, np.arange(1, bins) / bins))
        return np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers, side="right"))
    top = values.value_counts().index[:500]
    return pd.Index(top).get_indexer(values.to_numpy(dtype=object))


def rank_auc(score: np.ndarray, won: np.ndarray) -> float:
    """P(score of a won deal > score of a lost one), ties count half."""
    ranks = pd.Series(score).rank().to_numpy()
    n_won = int(won.sum())
    n_lost = len(won) - n_won
    if not n_won or not n_lost:
        return float("nan")
    return float((ranks[won.astype(bool)].sum() - n_won * (n_won + 1) / 2) / (n_won * n_lost))


def _held_out_auc(codes: np.ndarray, won: np.ndarray, learn: np.ndarray) -> float:
    shifted = codes + 1
    wins = np.bincount(shifted[learn], won[learn], int(shifted.max()) + 1)
    seen = np.bincount(shifted[learn], minlength=int(shifted.max()) + 1)
    rate = (wins + 5 * won[learn].mean()) / (seen + 5)
    return rank_auc(rate[shifted[~learn]], won[~learn])


def _one_field(name: str, codes: np.ndarray, won: np.ndarray, order: np.ndarray | None) -> list[Finding]:
    half = np.random.default_rng(0).permutation(len(won)) < len(won) // 2
    auc = (_held_out_auc(codes, won, half) + _held_out_auc(codes, won, ~half)) / 2
    found = []
    text = _("this field alone tells won from lost with a held-out AUC of {auc}").format(auc=number(auc, 2))
    if auc > ONE_FIELD_REFUSED:
        found.append(Finding("refused", name, "one_field_auc", text, _("It is most likely written after the fact.")))
    elif auc > ONE_FIELD_REVIEW:
        found.append(Finding("warning", name, "one_field_auc", text, _("Check when it is written.")))
    if order is not None and len(won) >= 400:
        early = np.zeros(len(won), dtype=bool)
        early[order[: int(0.7 * len(won))]] = True
        later = _held_out_auc(codes, won, early)
        if auc - later > RANDOM_MINUS_TIME:
            text = _("AUC {auc} on random deals but {later} on later ones: it knows the period or the batch").format(
                auc=number(auc, 2), later=number(later, 2)
            )
            found.append(Finding("warning", name, "random_against_time", text, _("Check how and when it is filled.")))
    return found


def _pure(name: str, codes: np.ndarray, values: pd.Series, kind: str, won: np.ndarray) -> list[Finding]:
    """Levels that nearly always win: an id is a process artefact, a class is the outcome in other words."""
    if kind == "number" and values.nunique() <= FEW_NUMBERS:  # a flag or a small count says as much as a class
        values = values.map(lambda value: None if pd.isna(value) else f"{value:g}")
        codes = field_codes(values, "category")
    elif kind != "category":
        return []
    known = codes >= 0
    seen = np.bincount(codes[known], minlength=1)
    wins = np.bincount(codes[known], won[known], len(seen))
    base = won.mean()
    rate = wins / np.maximum(seen, 1)
    nearly = (rate >= PURE) | (rate <= 1 - PURE)
    pure = nearly & (seen >= PURE_ROWS)
    if not 0.08 < base < 0.92:
        return []
    if not pure.any():
        return _set_apart(name, values, seen, wins, base, nearly)
    labels = values.value_counts().index
    worst = int(np.argmax(np.where(pure, seen, -1)))
    rows = int(seen[pure].sum())
    text = ngettext(
        "{n} value wins nearly always or never: “{value}”, {wins} of {deals} won",
        "{n} values win nearly always or never, on {rows} deals, such as “{value}”: {wins} of {deals} won",
        int(pure.sum()),
    ).format(
        n=number(int(pure.sum())), value=" ".join(str(labels[worst]).split())[:60], wins=number(int(wins[worst])),
        deals=number(int(seen[worst])), rows=number(rows),
    )  # fmt: skip
    if names.says(name, names.PERSON_WORDS) or len(seen) > 40:
        return [Finding("warning", name, "pure_id", text, _("Look at who creates these deals and when."), rows)]
    always = int(seen[(seen >= PURE_ROWS) & (rate >= PURE)].sum())
    if always > 0.1 * len(won) or rows > 0.4 * len(won):
        return [Finding("refused", name, "pure_levels", text, _("Its values repeat the outcome."), rows)]
    return [Finding("warning", name, "pure_levels", text, _("Check when these values are written."), rows)]


def _set_apart(
    name: str, values: pd.Series, seen: np.ndarray, wins: np.ndarray, base: float, nearly: np.ndarray
) -> list[Finding]:
    """A value that is no rule yet: too few deals for one, or not quite pure, but no chance and hardly a cause."""
    chance = np.minimum(special.bdtr(seen - wins, seen, 1 - base), special.bdtr(wins, seen, base))
    few = nearly & (chance * len(seen) < BY_CHANCE)
    odds = np.log((wins + 0.5) / (seen - wins + 0.5)) - np.log(base / (1 - base))
    found = few | ((seen >= PURE_ROWS) & (np.abs(odds) > SET_APART))
    if not found.any():
        return []
    worst = int(np.argmax(np.where(found, seen, -1)))
    text = _("“{value}”: {wins} of {deals} won, against {rate} of all deals").format(
        value=" ".join(str(values.value_counts().index[worst]).split())[:60], wins=number(int(wins[worst])),
        deals=number(int(seen[worst])), rate=percent(float(base)),
    )  # fmt: skip
    return [Finding("warning", name, "set_apart", text, _("Check when it is written."), int(seen[found].sum()))]


def _round_amounts(name: str, amounts: np.ndarray, won: np.ndarray) -> list[Finding]:
    """Amounts are edited at closing: the real invoice amount is rarely a round one."""
    filled = ~np.isnan(amounts) & (amounts != 0)
    if filled.sum() < 200 or np.nanmedian(amounts[filled]) < 2000:
        return []
    for unit in (1000, 100):
        even = filled & (amounts % unit == 0)
        odd = filled & ~even
        if min(even.sum(), odd.sum()) >= 100:
            a, b = won[even].mean(), won[odd].mean()
            if abs(a - b) > ROUND_GAP:
                text = _("multiples of {unit} win {a}, other amounts {b}: the amount is edited at closing").format(
                    unit=unit, a=percent(a, 1), b=percent(b, 1)
                )
                return [
                    Finding(
                        "warning",
                        name,
                        "round_amounts",
                        text,
                        _("Use the first amount, or a class of size."),
                        int(even.sum()),
                    )
                ]
    return []


def _zero_amounts(name: str, amounts: pd.Series) -> list[Finding]:
    zero = int((amounts == 0).sum())
    if not zero:
        return []
    text = ngettext(
        "{n} deal has an amount of zero; taken as it is", "{n} deals have an amount of zero; taken as they are", zero
    ).format(n=number(zero))
    return [Finding("note", name, "zero_amounts", text, _("Leave it empty where it is not known."), zero)]
