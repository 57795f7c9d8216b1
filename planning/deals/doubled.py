"""Columns that stand twice in a table's header: the reader calls the second one `region (2)`; somebody must know."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pandas as pd

from planning.deals.prepare import Finding
from planning.errors import DataError
from planning.language import _, ngettext, number

_AGAIN = re.compile(r"(?P<name>.+) \((?P<place>[2-9]|\d\d+)\)$")


def doubled(deals: pd.DataFrame) -> list[tuple[str, str, int]]:
    """Columns of one name: (the first, as the other is called, rows in which they differ)."""
    names = [str(name) for name in deals.columns]
    found = []
    for other in names:
        match = _AGAIN.fullmatch(other)
        if match and match["name"] in names:
            one, two = (deals[name].astype(object).where(deals[name].notna(), None) for name in (match["name"], other))
            found.append((match["name"], other, int(((one != two) & ~(one.isna() & two.isna())).sum())))
    return found


def check_doubled(deals: pd.DataFrame, used: Iterable[str]) -> None:
    """Raises DataError where a column that is `used` stands twice with different values: nobody can tell which holds.

    A file that names the second one too, `region (2)`, knows of it.
    """
    wanted = set(used)
    label = deals.attrs.get("label", "the deals")
    problems = [
        f"{label}: the column {name!r} stands twice, with different values in {rows} rows; the second is read as "
        f"{other!r}. Keep the one that is meant, or rename the other."
        for name, other, rows in doubled(deals)
        if rows and name in wanted and other not in wanted
    ]
    if problems:
        raise DataError("\n".join(problems))


def doubled_findings(deals: pd.DataFrame) -> list[Finding]:
    """A finding for each column that stands twice."""
    found = []
    for name, other, rows in doubled(deals):
        if rows:
            text = ngettext(
                "“{name}” stands twice in the header; this is the second one, and {n} row differs",
                "“{name}” stands twice in the header; this is the second one, and {n} rows differ", rows,
            ).format(name=name, n=number(rows))  # fmt: skip
        else:
            text = _("“{name}” stands twice in the header, with the same values; this is the second one").format(
                name=name
            )
        action = _("Keep one of “{name}” and “{other}”, or rename one.").format(name=name, other=other)
        found.append(Finding("warning" if rows else "note", other, "doubled_column", text, action, rows))
    return found
