"""A table as it came out of a file or database, before its columns mean anything.

```
RawTable
├── frame     the cells: text where the source has no types, else the source's own; columns as the source names them
├── rows      for each line of the frame, the row a person sees in the source (the header of a plain file is row 1)
├── label     what faults call the source: the file's name, with the sheet where there are several
├── facts     what was found out and is said: encoding, delimiter, header_row, sheet, ...
├── faults    lines that could not be read at all
└── left_out  (reason, number of rows): footers, subtotals, blank lines
```
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from planning.errors import Fault, nearest
from planning.language import _, ngettext

SHOWN = 4  # rows or values named in one fault; the rest are counted


@dataclass
class RawTable:
    """One table as read. See the module's picture."""

    frame: pd.DataFrame
    label: str
    rows: np.ndarray
    facts: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    left_out: list[tuple[str, int]] = field(default_factory=list)

    def keep(self, mask: np.ndarray, reason: str) -> None:
        """Drops the lines where `mask` is False and counts them under `reason`."""
        gone = int((~mask).sum())
        if gone:
            self.frame = self.frame.loc[mask].reset_index(drop=True)
            self.rows = self.rows[mask]
            self.left_out.append((reason, gone))


class SourceRows:
    """For each line of a frame the row of its source, kept in `frame.attrs`.

    pandas copies `attrs` deeply with every step and compares them; this one is shared instead.
    """

    def __init__(self, rows: np.ndarray):
        self.rows = rows

    def __deepcopy__(self, _memo: Any) -> SourceRows:
        return self


def rows_text(rows: np.ndarray) -> str:
    """Returns how many more rows have the same fault: ` (and 12 more: rows 7, 9, 11, ...)`; empty for a single one.

    >>> rows_text(np.array([3, 7, 9]))
    ' (and 2 more: rows 7, 9)'
    """
    more = [str(row) for row in rows[1:SHOWN]]
    if not more:
        return ""
    listed = ", ".join(more) + (", ..." if len(rows) > SHOWN else "")
    text = ngettext(" (and {n} more: row {rows})", " (and {n} more: rows {rows})", len(rows) - 1)
    return text.format(n=f"{len(rows) - 1:,}", rows=listed)


def near(word: str, choices: Iterable[str]) -> str:
    """Returns ` Did you mean 'x'?` in the current language, or an empty text when nothing is near."""
    guess = nearest(word, choices)
    return _(" Did you mean '{guess}'?").format(guess=guess) if guess else ""


def listing_of(names: Sequence[str], limit: int) -> str:
    """Returns the first names joined by commas, with dots when there are more."""
    return ", ".join(names[:limit]) + (", ..." if len(names) > limit else "")


def shown(value: object, limit: int = 40) -> str:
    """Returns a cell as a fault quotes it: in double quotes, on one line, cut to `limit` characters."""
    text = " ".join(str(value).split())
    return f'"{text[: limit - 1]}…"' if len(text) > limit else f'"{text}"'


def is_text(column: pd.Series) -> bool:
    """Tells whether a column holds text cells (and not the source's own numbers, dates or flags)."""
    return isinstance(column.dtype, pd.StringDtype) or column.dtype == object


def blank(column: pd.Series) -> np.ndarray:
    """Returns where a column has nothing: missing, or text of spaces only."""
    missing = column.isna().to_numpy()
    if isinstance(column.dtype, pd.StringDtype):
        return missing | (column.str.strip() == "").fillna(False).to_numpy(dtype=bool)
    if column.dtype == object:
        return missing | column.map(lambda cell: isinstance(cell, str) and not cell.strip()).to_numpy(dtype=bool)
    return missing
