"""Drafts the families file from the deals themselves: names and data say what they can, the rest stays open."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from planning.deals.auditing import field_table, run_audit
from planning.deals.doubled import check_doubled
from planning.deals.families import Families, draft_families, families_toml
from planning.deals.prepare import prepare


@dataclass(frozen=True)
class Draft:
    """The drafted `families`, their `toml` text, and `fields`: `field, family, known_at, why`."""

    families: Families
    toml: str
    fields: pd.DataFrame


def draft(deals: pd.DataFrame, *, outcome: str, won: str, lost: tuple[str, ...] = ()) -> Draft:
    """Which family does each field of these deals belong to, and since when is it known?

    Where that cannot be told from the name or the data, `known_at` is empty: a person fills it in.
    """
    check_doubled(deals, [outcome])
    prepared = prepare(deals, outcome=outcome, won=won, lost=lost)
    fields = field_table(prepared, run_audit(prepared, None))
    families = draft_families(fields)
    return Draft(families, families_toml(families, dict(zip(fields["field"], fields["why"], strict=True))), fields)
