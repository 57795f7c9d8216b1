"""Exports of Salesforce, HubSpot and Chinese systems: recognised by their column names, and what they mean.

The names themselves are aliases in `fields/*.csv`; here is the rest. Salesforce's probability is 0-100, HubSpot's 0-1.
A deal's outcome comes from the CRM's own marks (IsClosed, IsWon), not from the stage's text, and the close date of an
open deal is an expectation. Salesforce identifiers have 15 or 18 characters, the last three being a checksum.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from planning.language import _
from planning.tables.raw import RawTable
from planning.tables.schema import value_aliases

SIGNATURES = {
    "Salesforce API": {
        "IsWon", "IsClosed", "StageName", "CloseDate", "AccountId", "OwnerId", "CreatedDate", "LeadSource",
        "OpportunityId", "ParentId", "IsDeleted", "SystemModstamp", "CurrencyIsoCode", "NumberOfEmployees",
        "BillingState", "ForecastCategory",
    },
    "Salesforce report": {
        "Opportunity ID", "Opportunity Name", "Opportunity Owner", "Probability (%)", "Fiscal Period", "Account Owner",
        "Lead Source", "Amount Currency", "Last Stage Change Date", "From Stage", "To Stage",
    },
    "HubSpot properties": {
        "hs_object_id", "dealname", "dealstage", "closedate", "createdate", "hubspot_owner_id", "dealtype",
        "hs_deal_stage_probability", "hs_is_closed", "hs_is_closed_won", "hs_analytics_source", "closed_lost_reason",
    },
    "HubSpot export": {
        "Record ID", "Deal Name", "Deal Stage", "Deal owner", "Create Date", "Is Closed Won", "Is Deal Closed?",
        "Deal probability", "Deal Type", "Closed lost reason", "Original Traffic Source", "Associated Company",
        "Company owner",
    },
}  # fmt: skip
PERCENT = ("Salesforce API", "Salesforce report")
NO_DECISION = re.compile(r"no[ -_]?decision|non-?responsive|no budget|未决|无决策|搁置|项目取消", re.I)
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_ENTERED = re.compile(r"(?:hs_(?:v2_)?date_entered_(?P<id>.+)|Date entered [\"'“](?P<label>.+?)[\"'”])$", re.IGNORECASE)
_SALESFORCE_ID = re.compile(r"[0-9a-zA-Z]{15}(?:[A-Z0-5]{3})?")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def dialect_of(columns: Sequence[str]) -> str:
    """Returns the system an export comes from by its column names (at least two of its own), or an empty text.

    >>> dialect_of(["Id", "StageName", "CloseDate", "Amount"]), dialect_of(["region", "amount"])
    ('Salesforce API', '')
    """
    counts = {name: len(own.intersection(columns)) for name, own in SIGNATURES.items()}
    best = max(counts, key=lambda name: counts[name])
    if counts[best] >= 2:
        return best
    chinese = sum(bool(_CHINESE.search(column)) for column in columns)
    return "Chinese headers" if chinese >= 2 else ""


def stage_history_from_deals(raw: RawTable) -> RawTable:
    """Turns HubSpot's one column a stage (`hs_v2_date_entered_...`) into one row a deal and stage entered.

    A table without such columns comes back unchanged.
    """
    stages = {column: match for column in raw.frame.columns if (match := _ENTERED.match(column))}
    if not stages:
        return raw
    kept = [column for column in ("hs_object_id", "Record ID", "deal_id") if column in raw.frame.columns]
    parts, rows = [], []
    for column, match in stages.items():
        filled = raw.frame[column].notna().to_numpy()
        part = raw.frame.loc[filled, kept].copy()
        part["stage"] = re.sub(r"\s*\([^()]*\)$", "", match["id"] or match["label"])
        part["entered_at"] = raw.frame.loc[filled, column]
        parts.append(part)
        rows.append(raw.rows[filled])
    frame = pd.concat(parts, ignore_index=True)
    return RawTable(frame, raw.label, np.concatenate(rows), raw.facts, raw.faults, raw.left_out)


def outcome_from_marks(frame: pd.DataFrame) -> tuple[pd.Series | None, str]:
    """Makes the outcome of deals from is_closed and is_won, else from the stage's text; says which.

    Returns (None, "") when there is neither. A lost deal whose reason says that nobody decided is `no_decision`.
    """
    if "is_won" in frame:
        won = frame["is_won"].fillna(False).to_numpy(dtype=bool)
        closed = frame["is_closed"].fillna(False).to_numpy(dtype=bool) | won if "is_closed" in frame else None
        if closed is None:
            if "closed_date" not in frame:
                return None, ""
            closed = won | frame["closed_date"].notna().to_numpy()
        said = _("from the marks is_closed and is_won")
        if "is_closed" not in frame:
            said = _("from the mark is_won and the close date")
    elif "stage" in frame:
        known = value_aliases("deals", "outcome")
        # HubSpot writes the pipeline behind the stage: `Closed Won (Sales Pipeline)`.
        bare = frame["stage"].str.replace(r"\s*\([^()]*\)$", "", regex=True)
        outcome = bare.str.casefold().str.strip().map(known)
        if not outcome.isin(["won", "lost"]).any():
            return None, ""
        won, said = (outcome == "won").to_numpy(), _("from the text of the stage")
        closed = outcome.isin(["won", "lost", "no_decision"]).to_numpy()
    else:
        return None, ""
    outcome = np.where(won, "won", np.where(closed, "lost", "open"))
    if "loss_reason" in frame:
        undecided = frame["loss_reason"].str.contains(NO_DECISION).fillna(False).to_numpy(dtype=bool)
        outcome = np.where((outcome == "lost") & undecided, "no_decision", outcome)
    return pd.Series(outcome, index=frame.index, dtype="str"), said


def expected_close_dates(frame: pd.DataFrame) -> pd.DataFrame:
    """Moves the close date of open deals, an expectation, from closed_date to close_date.

    An export with one date of either name means both by it: the day of closing for deals that are closed, the day
    expected for those that are not.
    """
    if "outcome" not in frame:
        return frame
    if "closed_date" not in frame and "close_date" in frame:
        frame["closed_date"] = frame.pop("close_date")
    if "closed_date" not in frame:
        return frame
    is_open = (frame["outcome"] == "open").to_numpy() & frame["closed_date"].notna().to_numpy()
    if is_open.any():
        expected = frame["close_date"] if "close_date" in frame else pd.Series(pd.NaT, frame.index, "datetime64[us]")
        frame["close_date"] = expected.where(~is_open, expected.fillna(frame["closed_date"]))
        frame["closed_date"] = frame["closed_date"].mask(is_open)
    return frame


def long_id(text: str) -> str:
    """Returns a Salesforce identifier of 15 characters with its three of checksum; others unchanged.

    >>> long_id("0065g00000B1xYz")
    '0065g00000B1xYzAAJ'
    """
    if len(text) != 15:
        return text
    tail = ""
    for start in (0, 5, 10):
        bits = sum(1 << i for i, sign in enumerate(text[start : start + 5]) if "A" <= sign <= "Z")
        tail += _LETTERS[bits]
    return text + tail


def one_id_length(column: pd.Series) -> tuple[pd.Series, int]:
    """Returns a column of Salesforce identifiers all in 18 characters, and how many were lengthened.

    Columns with any other kind of identifier come back unchanged.
    """
    distinct = column.dropna().unique()
    if not len(distinct) or not all(len(text) in (15, 18) and text[0] in "0ae" for text in distinct[:50]):
        return column, 0
    if not all(_SALESFORCE_ID.fullmatch(text) and long_id(text[:15])[: len(text)] == text for text in distinct):
        return column, 0
    short = {text: long_id(text) for text in distinct if len(text) == 15}
    if not short:
        return column, 0
    return column.map(lambda text: short.get(text, text), na_action="ignore").astype("str"), len(short)
