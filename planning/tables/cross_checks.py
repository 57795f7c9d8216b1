"""What the tables must obey together: what one names must stand in the other, and days must fit across them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from planning.language import _, ngettext
from planning.tables.canonical import Checked
from planning.tables.raw import listing_of, near, shown
from planning.tables.schema import DIMENSIONS, Reference, references

LISTED = 4


def check_together(tables: Mapping[str, Checked]) -> None:
    """Adds the faults between tables to the table that points to the other."""
    for reference in references():
        orphans(tables, reference)
    stages_of_deals(tables)


def orphans(tables: Mapping[str, Checked], reference: Reference) -> None:
    """Values of a column that the other table does not have; tables that are not configured are passed over."""
    one, other = tables.get(reference.table), tables.get(reference.to_table)
    if one is None or other is None or reference.field not in one.frame or reference.to_field not in other.frame:
        return
    known = other.frame[reference.to_field].dropna().unique()
    if not len(known):
        return
    column = one.frame[reference.field]
    lost = (~column.isin(known) & column.notna()).to_numpy()
    if not lost.any():
        return
    names = column[lost].value_counts().index
    share = lost.sum() / max(int(column.notna().sum()), 1)
    found = ngettext(
        "{values} is not in {table}.{field} ({share} of the rows)",
        "{values} are not in {table}.{field} ({share} of the rows)",
        len(names),
    ).format(
        values=listing_of([shown(name) for name in names], LISTED), table=reference.to_table, field=reference.to_field,
        share=f"{share:.0%}",
    )  # fmt: skip
    theirs = one.match.theirs.get(reference.field, reference.field)
    one.say(lost, theirs, found, _fix(one, reference, names[0], known, share), reference.severity)


def _fix(one: Checked, reference: Reference, name: str, known: np.ndarray, share: float) -> str:
    dimension = reference.field in DIMENSIONS
    if share > 0.9 and not dimension:
        text = _("Hardly any value fits: are these names where {table} has identifiers, or the reverse?")
        return text.format(table=reference.to_table)
    fix = _("Add it to {table}, or correct it.").format(table=reference.to_table)
    if dimension:
        fix = _("Correct it, or say what it means: [sources.{table}.values.{field}]")
        fix = fix.format(table=one.name, field=reference.field)
    return f"{near(name, known[:5000])} {fix}".strip()


def stages_of_deals(tables: Mapping[str, Checked]) -> None:
    """A stage is not entered before the deal was created, nor after it was closed."""
    history, deals = tables.get("stage_history"), tables.get("deals")
    if history is None or deals is None or not {"deal_id", "entered_at"} <= set(history.frame):
        return
    if "deal_id" not in deals.frame or deals.frame["deal_id"].duplicated().any():
        return
    days = deals.frame.set_index("deal_id").reindex(history.frame["deal_id"])
    entered = history.frame["entered_at"].dt.normalize().to_numpy()
    for column, text, early in (
        ("created_date", _("deal {deal} entered a stage before the deal was created"), True),
        ("closed_date", _("deal {deal} entered a stage after the deal was closed"), False),
    ):
        if column in days:
            day = pd.Series(days[column]).to_numpy()
            wrong = (entered < day) if early else (entered > day)
            if wrong.any():
                at = int(np.flatnonzero(wrong)[0])
                found = text.format(deal=history.frame["deal_id"].iloc[at])
                fix = _("Correct the day; such rows are not used as what was known then.")
                history.say(wrong, history.match.theirs.get("entered_at"), found, fix, "warning")
