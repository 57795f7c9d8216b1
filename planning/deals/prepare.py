"""From an export to the rows a model may see: ids, repeats, outcomes, fields; everything dropped is counted by
reason."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from planning.deals import names, outcome_findings
from planning.deals.columns import Column, read_column
from planning.deals.dates_of_deals import closing_date, creation_date
from planning.deals.outcomes import Outcomes, plain_value, read_outcomes
from planning.errors import DataError, UsageError, did_you_mean
from planning.language import _, ngettext, number

DEAL_ID = "deal_id"
_SEVERAL = re.compile(r"\S\s*[;；、|]\s*\S|\S\s+(?:&|/|\+)\s+\S")


@dataclass(frozen=True)
class Finding:
    """One line of the audit: `severity` is refused, fault, warning or note; `rows` how many deals it concerns."""

    severity: str
    field: str
    rule: str
    evidence: str
    action: str = ""
    rows: int = 0


@dataclass(frozen=True)
class Prepared:
    """`deals` without repeats, one row a deal; `ids`, `outcomes`, fields read, and what was found and left out.

    rows: the row of the file each deal stands in, where the deals come from one.
    """

    deals: pd.DataFrame
    ids: pd.Series
    id_field: str | None
    outcome_field: str
    outcomes: Outcomes
    columns: dict[str, Column]
    findings: tuple[Finding, ...]
    left_out: tuple[tuple[str, int], ...] = field(default=())
    rows: np.ndarray | None = None

    @property
    def won(self) -> np.ndarray:
        """1.0 for won, 0.0 for lost, over the closed deals in order."""
        return (self.outcomes.state[self.outcomes.closed] == "won").astype(float)

    def place(self, at: int) -> str:
        """Where a deal stands, in words: its row in the file, else its id."""
        if self.rows is not None:
            return _("row {row}").format(row=int(self.rows[at]))
        return _("deal {id}").format(id=self.ids.iloc[at])

    def closed_column(self, name: str) -> pd.Series:
        """A field's values over the closed deals."""
        return self.columns[name].values[self.outcomes.closed]


def prepare(
    deals: pd.DataFrame, *, outcome: str, won: str, lost: tuple[str, ...] = (), id_field: str | None = None,
    open_for: Mapping[str, Collection[str]] | None = None,
) -> Prepared:  # fmt: skip
    """Reads an export: drops repeats and contradictions, reads outcomes and every field's kind.

    open_for: reason → ids of deals that count as open for it; the others are `still open`.

    Raises UsageError when the outcome column or the won value is not there, DataError when there are no rows.
    """
    _check_columns(deals, outcome, id_field)
    rows, doubtful = _of_file(deals), deals.attrs.get("doubtful", {})
    deals = _plain_cells(deals.rename(columns=str).reset_index(drop=True))
    findings: list[Finding] = []
    left_out: list[tuple[str, int]] = []
    id_field = id_field or find_id(deals, outcome)
    numbered = id_field is None
    ids = pd.Series(np.arange(1, len(deals) + 1)) if numbered else _ids(deals[id_field])
    keep = _repeated_rows(deals, findings, left_out)
    deals, ids = deals[keep].reset_index(drop=True), ids[keep].reset_index(drop=True)
    rows = None if rows is None else rows[keep]
    outcomes = read_outcomes(deals[outcome], won, lost)
    if not numbered:
        keep = _repeated_ids(deals, ids, outcomes, id_field, findings, left_out)
        deals, ids = deals[keep].reset_index(drop=True), ids[keep].reset_index(drop=True)
        rows = None if rows is None else rows[keep]
        outcomes = outcomes.of_rows(keep)
    _owners_in_one_cell(deals, findings)
    columns = {name: read_column(deals[name]) for name in deals.columns if name not in (id_field, outcome)}
    for name in set(doubtful) & set(columns):  # the file's reader made numbers of these texts
        columns[name] = replace(columns[name], notation=replace(columns[name].notation, doubtful=doubtful[name]))
    columns |= _of_which_year(deals, columns, outcomes)
    outcomes = _settled(deals[outcome], outcomes, columns, findings)
    left_out += _undecided(outcomes, ids, open_for or {})
    return Prepared(deals, ids, id_field, outcome, outcomes, columns, tuple(findings), tuple(left_out), rows)


def _settled(column: pd.Series, outcomes: Outcomes, columns: Mapping[str, Column], findings: list) -> Outcomes:
    """Takes deals that are only said not to be won as open where they have no closing date, and tells all readings."""
    won = outcomes.state == "won"
    name = closing_date(columns, won, ~won)
    undated = outcome_findings.waiting(column, outcomes, None if name is None else columns[name].values)
    outcomes = outcome_findings.taken_as_open(outcomes, undated)
    for severity, text, action, rows in outcome_findings.told(column, outcomes, undated):
        findings.append(Finding(severity, str(column.name), "outcome_words", text, action, rows))
    return outcomes


def _of_which_year(deals: pd.DataFrame, columns: Mapping[str, Column], outcomes: Outcomes) -> dict[str, Column]:
    """Dates such as 26/12/25 that, read with the day first, put most closings before the creation: no day is read."""
    won = outcomes.state == "won"
    closed = closing_date(columns, won, ~won)
    created = creation_date(columns, closed)
    doubtful = [name for name in (created, closed) if name is not None and columns[name].doubt == "year_first"]
    if closed is None or created is None or not doubtful:
        return {}
    both = columns[created].values.notna() & columns[closed].values.notna()
    if not (columns[closed].values[both] < columns[created].values[both]).mean() > 0.5:
        return {}
    example = {name: str(deals[name][columns[name].values.notna()].iloc[0]) for name in doubtful}
    return {name: columns[name].without_days("year_first", example[name]) for name in doubtful}


def _undecided(outcomes: Outcomes, ids: pd.Series, open_for: Mapping[str, Collection[str]]) -> list[tuple[str, int]]:
    """The deals that are neither won nor lost, each counted for one reason."""
    waiting, counts = outcomes.state == "open", []
    for reason, members in open_for.items():
        mine = waiting & ids.astype(str).isin(members).to_numpy()
        counts.append((reason, int(mine.sum())))
        waiting = waiting & ~mine
    counts += [("still open", int(waiting.sum())), ("ended without a decision", outcomes.count("no_decision"))]
    return [pair for pair in counts if pair[1]]


def _of_file(deals: pd.DataFrame) -> np.ndarray | None:
    """The row of the file each line stands in; None where the deals are not as they were read from one."""
    kept = deals.attrs.get("rows")
    as_read = isinstance(deals.index, pd.RangeIndex) and kept is not None and len(kept.rows) == len(deals)
    return kept.rows if as_read else None


def _check_columns(deals: pd.DataFrame, outcome: str, id_field: str | None) -> None:
    have = [str(name) for name in deals.columns]
    for option, name in (("--outcome", outcome), ("--id", id_field)):
        if name is not None and name not in have:
            shown = ", ".join(have[:12]) + (", ..." if len(have) > 12 else "")
            raise UsageError(
                f"{option} {name!r}: the deals have no such column.{did_you_mean(name, have)} They have: {shown}."
            )
    twice = sorted({name for name in have if have.count(name) > 1})
    if twice:
        raise DataError(f"the column {twice[0]!r} is there twice. Rename one of them.")
    if deals.empty:
        raise DataError("the deals have a header and no row. Export the closed deals too.")


def _plain_cells(deals: pd.DataFrame) -> pd.DataFrame:
    """Writes lists and other nested cells of a Parquet file out as text: they can neither be counted nor compared."""
    nested = [
        name
        for name in deals.columns
        if deals[name].dtype == object
        and deals[name].map(lambda cell: isinstance(cell, list | dict | np.ndarray)).any()
    ]
    return deals.assign(**{name: deals[name].astype(str) for name in nested}) if nested else deals


def find_id(deals: pd.DataFrame, outcome: str) -> str | None:
    """The column that names a deal: `deal_id`, else one called id or number whose values hardly repeat."""
    exact = [name for name in deals.columns if names.words(name) in ("deal id", "opportunity id", "record id", "id")]
    named = [name for name in deals.columns if names.says(name, names.ID_WORDS)]
    named.sort(key=lambda name: not names.says(name, names.DEAL_WORDS))
    for name in [*exact, *named]:
        filled = deals[name].count()
        distinct = deals[name].nunique() >= (0.5 if name in exact else 0.9) * max(filled, 1)
        if name != outcome and distinct and filled > 0.5 * len(deals):
            return name
    return None


def _ids(column: pd.Series) -> pd.Series:
    """Deal ids as they would be written: 1001.0 is 1001, an empty one is named by its row."""
    if pd.api.types.is_integer_dtype(column) and not column.isna().any():
        return column.reset_index(drop=True)
    if pd.api.types.is_float_dtype(column) and column.notna().all() and (column % 1 == 0).all():
        return column.astype("int64").reset_index(drop=True)
    texts = [plain_value(value) and str(value).strip() for value in column]
    if all(text and re.fullmatch(r"(0|[1-9]\d{0,17})(\.0+)?", text) for text in texts):
        return pd.Series([int(text.split(".")[0]) for text in texts])
    return pd.Series([text or f"row {row}" for row, text in enumerate(texts, 1)], dtype=object).str.replace(
        r"^(\d+)\.0$", r"\1", regex=True
    )


def _repeated_rows(deals: pd.DataFrame, findings: list, left_out: list) -> np.ndarray:
    repeated = deals.duplicated(keep="first").to_numpy()
    count = int(repeated.sum())
    if count:
        left_out.append(("repeated rows", count))
        evidence = ngettext(
            "{count} of {n} rows repeats another row in every column; it was counted once",
            "{count} of {n} rows repeat another row in every column; each was counted once", count,
        ).format(count=number(count), n=number(len(deals)))  # fmt: skip
        findings.append(Finding("warning", "(rows)", "repeated_rows", evidence, _("Export each deal once."), count))
    return ~repeated


def _repeated_ids(
    deals: pd.DataFrame, ids: pd.Series, outcomes: Outcomes, id_field: str, findings: list, left_out: list
) -> np.ndarray:
    """Keeps the last row of an id with one outcome; leaves out an id that is both won and lost."""
    shared = ids.duplicated(keep=False).to_numpy()
    keep = np.ones(len(ids), dtype=bool)
    if not shared.any():
        return keep
    closed = pd.Series(np.where(outcomes.closed, outcomes.state, None), dtype=object)
    states = closed[shared].groupby(ids[shared].astype(str)).nunique()
    contradicting = ids.astype(str).isin(states.index[states > 1]).to_numpy()
    keep[contradicting] = False
    older = ids.duplicated(keep="last").to_numpy() & ~contradicting
    keep[older] = False
    if contradicting.any():
        example, count = ids[contradicting].iloc[0], int((states > 1).sum())
        text = ngettext(
            "{n} id is both won and lost ({example}); its {rows} rows are left out",
            "{n} ids are both won and lost (such as {example}); their {rows} rows are left out", count,
        ).format(n=number(count), example=example, rows=number(int(contradicting.sum())))  # fmt: skip
        findings.append(
            Finding(
                "fault",
                id_field,
                "contradicting_outcomes",
                text,
                _("Settle which one holds."),
                int(contradicting.sum()),
            )
        )
        left_out.append(("one deal, two outcomes", int(contradicting.sum())))
    if older.any():
        text = ngettext(
            "{n} row shares its id with a later row; the last row of each id was kept",
            "{n} rows share their id with a later row; the last row of each id was kept", int(older.sum()),
        ).format(n=number(int(older.sum())))  # fmt: skip
        findings.append(
            Finding("warning", id_field, "repeated_ids", text, _("Export one row a deal."), int(older.sum()))
        )
        left_out.append(("older rows of the same deal", int(older.sum())))
    _two_owners(deals, ids, shared, findings)
    return keep


def _two_owners(deals: pd.DataFrame, ids: pd.Series, shared: np.ndarray, findings: list) -> None:
    for name in deals.columns:
        if names.says(name, names.PERSON_WORDS):
            owners = deals.loc[shared, name].groupby(ids[shared].astype(str)).nunique()
            count = int((owners > 1).sum())
            if count:
                text = ngettext(
                    "{n} deal is listed under two owners; the last one was kept",
                    "{n} deals are listed under two owners; the last one was kept", count,
                ).format(n=number(count))  # fmt: skip
                findings.append(Finding("warning", name, "two_owners", text, _("State who led the deal."), count))


def _owners_in_one_cell(deals: pd.DataFrame, findings: list) -> None:
    """Two names in the cell of one person, `Li; Wang`, are read as a person of their own."""
    for name in deals.columns:
        if names.says(name, names.PERSON_WORDS) and not pd.api.types.is_numeric_dtype(deals[name]):
            counts = deals[name].value_counts()  # work on the distinct values: a million rows have few of them
            several = [value for value in counts.index if _SEVERAL.search(str(value))]
            rows = int(counts[several].sum())
            if several:
                text = ngettext(
                    "{n} deal names several people in one cell, such as “{example}”; read as one person of that name",
                    "{n} deals name several people in one cell, such as “{example}”; read as one person of that name",
                    rows,
                ).format(n=number(rows), example=" ".join(str(several[0]).split())[:40])
                action = _("State who led the deal.")
                findings.append(Finding("warning", name, "two_owners", text, action, rows))
