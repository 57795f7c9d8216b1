"""The audit: which fields may be causes, and whether the table can carry weights at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from planning.deals import audit_families, audit_fields, audit_tables, names
from planning.deals.doubled import check_doubled
from planning.deals.families import Families, as_families, check_against, check_id
from planning.deals.prepare import Finding, Prepared, prepare
from planning.deals.vocabulary import after_the_fact, usual_action
from planning.language import _

FINDING_COLUMNS = ["severity", "field", "rule", "evidence", "action", "rows"]
ORDER = {"fault": 0, "refused": 1, "warning": 2, "note": 3}
IN_DOUBT = ("doubtful_notation", "mixed_percents")  # rules that a draft tells: its reader looks at every field
BLOCKING = ("truncation", "back_filled")


def audit(
    deals: pd.DataFrame,
    *,
    outcome: str = "outcome",
    won: str = "won",
    families: Families | Mapping | str | Path | None = None,
    lost: tuple[str, ...] = (),
) -> pd.DataFrame:
    """Which fields may be called causes of winning, and what is wrong with the table?

    deals: one row a deal, any columns. outcome, won: the outcome's column and the value of a won deal; `lost` its
    lost ones. families: field → family and known_at; without it every field is judged by its data and name only.

    Returns one row a finding: `severity` (fault, refused, warning, note), `field`, `rule`, `evidence`, `action`,
    `rows`. Raises UsageError for a missing column or won value.
    """
    prepared = prepare(deals, outcome=outcome, won=won, lost=lost)
    table = None if families is None else as_families(families)
    if table is not None:
        check_against(table, [str(name) for name in deals.columns], outcome)
        check_id(table, prepared.id_field)
    check_doubled(deals, [outcome, *(table.family_of if table else ())])
    return findings_frame(run_audit(prepared, table))


def run_audit(prepared: Prepared, families: Families | None) -> list[Finding]:
    """All findings on a prepared table, the gravest first."""
    found = list(prepared.findings) + audit_tables.audit_table(prepared)
    rows = np.flatnonzero(prepared.outcomes.closed)
    if len(rows) > audit_fields.SAMPLE:
        drawn = pd.util.hash_array(prepared.ids.iloc[rows].astype(str).to_numpy(dtype=object))  # by id, not by place
        rows = rows[np.sort(np.argsort(drawn, kind="stable")[: audit_fields.SAMPLE])]
    created, _ = audit_tables.find_dates(prepared)
    order = None
    if created is not None and created.iloc[rows].notna().mean() > 0.9:
        order = np.argsort(created.iloc[rows].fillna(created.min()).to_numpy(), kind="stable")
    for name in prepared.columns:
        known_at = None if families is None else families.known_at.get(name)
        found += audit_fields.audit_field(prepared, name, rows, order, known_at)
    if families is not None:
        found += audit_families.table_refusals(families, prepared)
        found += audit_families.idle_names(families, prepared, refused_fields(found))
    else:
        found += _by_name(prepared)
    return sorted(found, key=lambda finding: ORDER[finding.severity])


def _by_name(prepared: Prepared) -> list[Finding]:
    reasons = {name: names.closing_by_name(name) for name in prepared.columns}
    return [
        Finding(
            "refused", name, "name_after_the_fact", _("its name says {reason}").format(reason=after_the_fact(reason))
        )
        for name, reason in reasons.items()
        if reason
    ]


def findings_frame(findings: list[Finding]) -> pd.DataFrame:
    """Findings as a table, one row a finding."""
    rows = [[getattr(finding, column) for column in FINDING_COLUMNS] for finding in findings]
    frame = pd.DataFrame(rows, columns=FINDING_COLUMNS)
    usual = frame["rule"].map(usual_action)
    return frame.assign(action=frame["action"].where(frame["action"] != "", usual).astype(object))


def refused_fields(findings: list[Finding]) -> set[str]:
    """Fields that may not be causes."""
    return {
        finding.field for finding in findings if finding.severity == "refused" and not finding.field.startswith("(")
    }


def blocking(findings: list[Finding]) -> list[Finding]:
    """Findings on the whole table that make any weight misleading."""
    return [finding for finding in findings if finding.rule in BLOCKING and finding.severity == "refused"]


def field_table(prepared: Prepared, findings: list[Finding]) -> pd.DataFrame:
    """What the draft says of each field: `field, family, known_at, why`; fields that can be no cause have no family."""
    by_field: dict[str, list[Finding]] = {}
    for finding in findings:
        by_field.setdefault(finding.field, []).append(finding)
    rows = []
    for name, column in prepared.columns.items():
        family, known, why = _draft_row(name, column.kind, by_field.get(name, []), len(prepared.deals))
        doubts = [f.evidence for f in by_field.get(name, []) if f.rule in IN_DOUBT and f.severity == "warning"]
        rows.append((name, family, known, "; ".join([why, *doubts])))
    return pd.DataFrame(rows, columns=["field", "family", "known_at", "why"])


def _draft_row(name: str, kind: str, found: list[Finding], n: int) -> tuple[str | None, str | None, str]:
    rules = {finding.rule: finding for finding in found}
    if kind == "mixed":
        return None, None, next(rules[rule].evidence for rule in ("two_notations", "several_units") if rule in rules)
    if kind in ("constant", "text", "id", "date"):
        return None, None, kind
    written = next((f for f in found if f.severity == "refused"), None)
    known, why = names.known_by_name(name)
    if written is not None:
        return names.family_by_name(name) or "other", "closing", written.evidence
    if "doubled_column" in rules:
        return names.family_by_name(name) or "other", None, rules["doubled_column"].evidence
    if "round_amounts" in rules:
        return names.family_by_name(name) or "size", None, rules["round_amounts"].evidence
    if "fill_closed_open" in rules and known != "proposal":
        return names.family_by_name(name) or "other", None, rules["fill_closed_open"].evidence
    if "one_field_auc" in rules or ("pure_levels" in rules and rules["pure_levels"].rows > 0.05 * n):
        return names.family_by_name(name) or "other", None, found[0].evidence
    if (
        names.says(name, names.AMOUNT_WORDS)
        and kind == "number"
        and known != "closing"
        and not names.says(name, names.FIRST_WORDS)
    ):
        return names.family_by_name(name) or "size", None, "amounts are often edited at closing; use the first one"
    return names.family_by_name(name) or "other", known, why
