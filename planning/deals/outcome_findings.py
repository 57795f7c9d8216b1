"""What each value of the outcome was read as, told with counts; deals only said not to be won may be open."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from planning.deals.outcomes import PLAIN, Outcomes, plain_value
from planning.deals.vocabulary import outcome_state
from planning.language import _, ngettext, number

MOST_WON, MANY_LOST, SOME_LOST = 0.8, 0.05, 0.05
SHOWN = 20  # values named in one finding


def waiting(column: pd.Series, outcomes: Outcomes, closed: pd.Series | None) -> np.ndarray:
    """Deals (n,) that a value such as False, or a word nobody knows, calls lost, but that have no closing date.

    They are open where most won deals have such a date, many lost ones have none, and some have one: a date that
    only won deals have says nothing.
    """
    none = np.zeros(len(column), dtype=bool)
    won, lost = outcomes.state == "won", outcomes.state == "lost"
    if closed is None or not won.any() or not lost.any():
        return none
    dated = closed.notna().to_numpy()
    doubtful = lost & _plain(column).isin(outcomes.coded | outcomes.guessed).to_numpy()
    empty = doubtful & ~dated
    many = empty.sum() >= MANY_LOST * doubtful.sum() and (~dated)[lost].mean() > 2 * (~dated)[won].mean()
    return empty if dated[won].mean() >= MOST_WON and many and dated[lost].mean() >= SOME_LOST else none


def taken_as_open(outcomes: Outcomes, rows: np.ndarray) -> Outcomes:
    """The outcomes with these rows open."""
    return replace(outcomes, state=np.where(rows, "open", outcomes.state).astype(object))


def told(column: pd.Series, outcomes: Outcomes, undated: np.ndarray) -> list[tuple[str, str, str, int]]:
    """Severity, evidence, action and rows of each finding on the outcome's values; none where all are plain words."""
    plain, found = _plain(column), []
    if set(plain.dropna()) <= PLAIN:
        return found
    shown = column.where(plain.notna(), None).map(lambda value: None if value is None else str(value).strip())
    counts = pd.DataFrame({"value": shown, "state": outcomes.state}).value_counts(["value", "state"], dropna=False)
    empty = _("(empty)")
    parts = [
        f"{empty if value is None or value != value else value} → {outcome_state(state)} ({number(count)})"
        for (value, state), count in counts.head(SHOWN).items()
    ]
    text = _("values read as: {values}").format(values="; ".join(parts) + ("; …" if len(counts) > SHOWN else ""))
    found.append(("note", text, _("Name the lost ones with --lost where this is not so."), len(column)))
    rows = (plain.isin(outcomes.guessed) & (outcomes.state == "lost")).to_numpy()
    if rows.any():
        words = ", ".join(f"“{value}” ({number(count)})" for value, count in shown[rows].value_counts().head(8).items())
        text = _("says neither won nor lost nor open, taken as lost: {words}").format(words=words)
        found.append(("warning", text, _("Name the lost ones with --lost."), int(rows.sum())))
    if undated.any():
        count = int(undated.sum())
        text = ngettext(
            "{n} deal that is not won has no closing date, which most won deals have: taken as open",
            "{n} deals that are not won have no closing date, which most won deals have: taken as open", count,
        ).format(n=number(count))  # fmt: skip
        found.append(("warning", text, _("Write won, lost or open; or name the lost ones with --lost."), count))
    return found


def _plain(column: pd.Series) -> pd.Series:
    codes, levels = pd.factorize(column)
    texts = np.array([plain_value(level) for level in levels] + [None], dtype=object)
    return pd.Series(texts[codes], index=column.index, dtype=object)
