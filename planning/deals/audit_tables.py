"""The audit of the whole table: truncation, back-filling, impossible dates, mixed currencies, families nobody
recorded."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planning.deals import names
from planning.deals.dates_of_deals import closing_date, creation_date
from planning.deals.doubled import doubled_findings
from planning.deals.prepare import Finding, Prepared
from planning.deals.vocabulary import undecided
from planning.language import _, day, ngettext, number, percent
from planning.tables.numbers import CURRENCY_CODES

TRUNCATED_SHARE = 0.05
TRUNCATED_REFUSED = 0.10
BACKFILLED_SHARE, BACKFILLED_REFUSED = 0.20, 0.50
EDITED_GAP = 0.20
LOOKED_AT = 100_000
NAMED = 5  # deals named in one finding
_CURRENCY = rf"([€$£¥]|(?i:\b(?:{'|'.join(CURRENCY_CODES)})))"


def find_dates(prepared: Prepared) -> tuple[pd.Series | None, pd.Series | None]:
    """The dates a deal was created and closed, where the export has them."""
    outcomes = prepared.outcomes
    closed = closing_date(prepared.columns, outcomes.closed, outcomes.state == "open")
    created = creation_date(prepared.columns, closed)
    pick = lambda name: None if name is None else prepared.columns[name].values.reset_index(drop=True)  # noqa: E731
    return pick(created), pick(closed)


def audit_table(prepared: Prepared) -> list[Finding]:
    """All findings on the table as a whole."""
    created, closed = find_dates(prepared)
    found = doubled_findings(prepared.deals) + _counts(prepared) + _currencies(prepared) + _edited_amounts(prepared)
    if created is not None and closed is not None:
        known = prepared.outcomes.closed & created.notna().to_numpy() & closed.notna().to_numpy()
        if known.sum() >= 50:
            found += _impossible(created[known], closed[known])
            found += _truncation(created[known], closed[known])
            found += _backfilled(created[known], closed[known], prepared.outcomes.state[known] == "won")
            found += _young(prepared, created)
    if closed is not None:
        found += _future(closed, created, prepared)
    return found


def _counts(prepared: Prepared) -> list[Finding]:
    """Deals that are neither won nor lost, by reason; slips are told elsewhere."""
    found = []
    for reason, count in prepared.left_out:
        said = undecided(reason, count)
        if said:
            found.append(Finding("note", "(rows)", "left_out", *said, count))
    return found


def future_closings(future: pd.DataFrame, as_of: pd.Timestamp) -> list[Finding]:
    """Decided deals whose closing day is still to come (`deal_id, outcome, closed_date`), the first ones by name."""
    if future.empty:
        return []
    shown = [f"{deal.deal_id} ({day(deal.closed_date)})" for deal in future.head(NAMED).itertuples()]
    text = ngettext(
        "{n} decided deal ({won} won) has a closing day after the last day of data, {day}: {deals}; it counts neither "
        "as won nor as lost",
        "{n} decided deals ({won} won) have a closing day after the last day of data, {day}: {deals}; they count "
        "neither as won nor as lost", len(future),
    ).format(
        n=number(len(future)), won=number(int((future["outcome"] == "won").sum())), day=day(as_of),
        deals=", ".join(shown) + (", …" if len(future) > NAMED else ""),
    )  # fmt: skip
    action = _("A decided deal has been closed: correct the date, or set the outcome to open.")
    return [Finding("fault", "(dates)", "future_close", text, action, len(future))]


def _currencies(prepared: Prepared) -> list[Finding]:
    for name, column in prepared.columns.items():
        if names.says(name, r"currenc|币种") and column.kind == "category" and column.values.nunique() > 1:
            shown = ", ".join(f"{k} {number(v)}" for k, v in column.values.value_counts().head(5).items())
            text = _("amounts are in {x} currencies ({shown}) and are not comparable").format(
                x=column.values.nunique(), shown=shown
            )
            return [Finding("warning", name, "mixed_currencies", text, _("Convert amounts to one currency first."))]
    return _currency_signs(prepared)


def _currency_signs(prepared: Prepared) -> list[Finding]:
    """Amounts written with their sign in one column, `€ 500` beside `$ 500`, are read without it."""
    for name, column in prepared.columns.items():
        money = column.kind == "number" and names.says(name, names.AMOUNT_WORDS + "|amount|price|value")
        if not money or pd.api.types.is_numeric_dtype(prepared.deals[name]):
            continue
        texts = prepared.deals[name].dropna().head(LOOKED_AT).astype(str)
        signs = texts.str.extract(_CURRENCY, expand=False).dropna().value_counts()
        if len(signs) > 1:
            shown = ", ".join(f"{sign} {number(count)}" for sign, count in signs.items())
            text = _("amounts carry {n} currency signs ({shown}) and are not comparable; read without the sign")
            action = _("Convert amounts to one currency first.")
            return [Finding("warning", name, "mixed_currencies", text.format(n=len(signs), shown=shown), action)]
    return []


def _edited_amounts(prepared: Prepared) -> list[Finding]:
    """The amount differs from the first one far more often in won deals, or in lost ones: it is written at closing."""
    amounts = [
        name for name, column in prepared.columns.items()
        if column.kind == "number" and names.says(name, names.AMOUNT_WORDS + "|amount")
    ]  # fmt: skip
    first = next((name for name in amounts if names.says(name, names.FIRST_WORDS)), None)
    late = next((name for name in amounts if name != first and not names.says(name, names.FIRST_WORDS)), None)
    if first is None or late is None:
        return []
    a, b = prepared.closed_column(first), prepared.closed_column(late)
    known, won = (a.notna() & b.notna()).to_numpy(), prepared.won == 1
    if min((known & won).sum(), (known & ~won).sum()) < 50:
        return []
    moved = ((a - b).abs() > 0.005 * a.abs()).to_numpy()
    of_won, of_lost = moved[known & won].mean(), moved[known & ~won].mean()
    if abs(of_won - of_lost) <= EDITED_GAP:
        return []
    text = _("differs from {first} in {a} of won and {b} of lost deals: the amount is edited at closing").format(
        first=first, a=percent(of_won), b=percent(of_lost)
    )
    action = _("Take {first} as the size of a deal.").format(first=first)
    return [Finding("warning", late, "amount_edited", text, action, int((moved & known).sum()))]


def _impossible(created: pd.Series, closed: pd.Series) -> list[Finding]:
    wrong = int((closed < created).sum())
    if not wrong:
        return []
    return [
        Finding(
            "fault",
            "(dates)",
            "closed_before_created",
            ngettext(
                "{n} deal was closed before it was created", "{n} deals were closed before they were created", wrong
            ).format(n=number(wrong)),
            _("Correct the dates."),
            wrong,
        )
    ]


def _future(closed: pd.Series, created: pd.Series | None, prepared: Prepared) -> list[Finding]:
    """Won deals with a close date after the newest creation by far more than any cycle: the date is a wish."""
    if created is None or created.notna().sum() < 50:
        return []
    newest = max(created.max(), closed[closed <= created.max()].max())
    won = prepared.outcomes.state == "won"
    cycle = (closed - created).dt.days[prepared.outcomes.closed].dropna()
    if cycle.empty:
        return []
    limit = newest + pd.Timedelta(days=float(cycle.quantile(0.9)) * 1.5 + 30)
    late = int((won & (closed > limit).to_numpy()).sum())
    if not late:
        return []
    text = ngettext(
        "{n} won deal has a close date after {limit}, long after the newest deal was created",
        "{n} won deals have a close date after {limit}, long after the newest deal was created", late,
    ).format(n=number(late), limit=day(limit))  # fmt: skip
    return [Finding("fault", "(dates)", "future_close", text, _("A won deal has been closed: correct the date."), late)]


def _truncation(created: pd.Series, closed: pd.Series) -> list[Finding]:
    """Only deals closed after some day were exported: of the early ones, those that took long are all that is left.

    By the cycle times of later deals, a deal created g days before the first closing on record had closed earlier with
    chance F(g); each one still here stands for F/(1-F) that are missing.
    """
    first = closed.min()
    before = created < first - pd.Timedelta(days=1)
    cycle = (closed - created).dt.days
    reference = np.sort(cycle[~before].to_numpy())
    if before.sum() < 20 or len(reference) < 50:
        return []
    gap = (first - created[before]).dt.days.to_numpy()
    gone = np.clip(np.searchsorted(reference, gap) / len(reference), 0, 0.98)
    missing = float(np.sum(gone / (1 - gone)))
    share = missing / (missing + len(created))
    if share < TRUNCATED_SHARE:
        return []
    severity = "refused" if share >= TRUNCATED_REFUSED else "warning"
    text = _(
        "no deal closed before {first} is here, but {n} created before it are: by the cycle times of the others "
        "about {missing} earlier closings are missing ({share}), the quick ones first"
    ).format(first=day(first), n=number(int(before.sum())), missing=number(missing), share=percent(share))
    return [Finding(severity, "(rows)", "truncation", text, _("Export all deals by creation date."), int(before.sum()))]


def _backfilled(created: pd.Series, closed: pd.Series, won: np.ndarray) -> list[Finding]:
    """Deals typed in once they were decided: created and closed on one day, and winning far more often."""
    same = (closed.dt.normalize() == created.dt.normalize()).to_numpy()
    if same.mean() < BACKFILLED_SHARE or same.all():
        return []
    a, b = won[same].mean(), won[~same].mean()
    severity = "refused" if same.mean() >= BACKFILLED_REFUSED and abs(a - b) > 0.2 else "warning"
    text = _(
        "{x} of the deals were created and closed on one day and win {a}, the others {b}: typed in afterwards"
    ).format(x=percent(same.mean()), a=percent(a, 1), b=percent(b, 1))
    return [Finding(severity, "(rows)", "back_filled", text, _("Record deals when they begin."), int(same.sum()))]


def _young(prepared: Prepared, created: pd.Series) -> list[Finding]:
    """In the newest quarter of creation dates most deals are still open: only the quickly decided ones are compared."""
    newest = created.max()
    young = (created > newest - pd.Timedelta(days=90)).to_numpy()
    waiting = (prepared.outcomes.state == "open") & young
    if young.sum() < 50 or waiting.sum() < 0.3 * young.sum():
        return []
    text = _("of {n} deals created in the last 90 days {nx} are still open; the closed ones are the quick ones").format(
        n=number(int(young.sum())), nx=number(int(waiting.sum()))
    )
    return [
        Finding("note", "(rows)", "young_cohorts", text, _("Compare cohorts after the same time."), int(waiting.sum()))
    ]
