"""Where the header of a table stands (title rows may come first), and what its columns are called."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

from planning.tables.dates import read_date
from planning.tables.matching import fold
from planning.tables.numbers import read_number
from planning.tables.schema import fields, table_names

LOOKED_AT = 30
ARROWS = re.compile(r"\s*[↑↓▲▼]\s*$")


@functools.cache
def _known_names() -> frozenset[str]:
    return frozenset(
        fold(name) for table in table_names() for field in fields(table) for name in (field.name, *field.aliases)
    )


def header_index(rows: Sequence[Sequence[Any]]) -> int:
    """Returns the index of the header in the first rows of a table.

    It is the first row about as wide as the widest whose cells are all words and all different; a later row that
    holds more of the names we know (at least two) is preferred, so report headings are passed over.
    """
    rows = rows[:LOOKED_AT]
    widths = [sum(not _blank(cell) for cell in row) for row in rows]
    widest = max(widths, default=0)
    fits = [i for i, row in enumerate(rows) if widths[i] and widths[i] >= 0.6 * widest and _all_words(row)]
    if not fits:
        return next((i for i, width in enumerate(widths) if width), 0)
    known = {i: sum(fold(str(cell)) in _known_names() for cell in rows[i] if not _blank(cell)) for i in fits}
    best = max(fits, key=lambda i: (known[i], -i))
    return best if known[best] >= 2 else fits[0]


def _blank(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _all_words(row: Sequence[Any]) -> bool:
    cells = [cell for cell in row if not _blank(cell)]
    if not all(isinstance(cell, str) for cell in cells):
        return False
    texts = [cell.strip() for cell in cells]
    if len(set(texts)) < len(texts):
        return False
    return not any(_is_value(text) for text in texts)


def _is_value(text: str) -> bool:
    """Tells a figure or a date, which a header does not hold; a bare year may be one."""
    if re.fullmatch(r"(19|20)\d\d", text):
        return False
    value, unit, _currency = read_number(text)
    return (unit is not None and value == value) or not isinstance(read_date(text, "day"), str)


def column_names(header: Sequence[Any]) -> tuple[list[str], list[int]]:
    """Returns distinct names for a header's cells, and the positions of grouped columns (a sort arrow in a report).

    An empty cell becomes `column 3`, a repeated name gets ` (2)`.
    """
    names: list[str] = []
    grouped = []
    for place, cell in enumerate(header):
        text = "" if _blank(cell) else " ".join(str(cell).split())
        if ARROWS.search(text):
            grouped.append(place)
            text = ARROWS.sub("", text)
        text = text or f"column {place + 1}"
        count = 2
        name = text
        while name in names:
            name = f"{text} ({count})"
            count += 1
        names.append(name)
    return names, grouped
