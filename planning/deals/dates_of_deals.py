"""Which of a table's dates is the day a deal was closed, and which the day it was created: by name and by filling."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from planning.deals import names
from planning.deals.columns import Column

_EXACT_CLOSED = (
    r"^((actual )?closed (date|at|on|time)|date closed|actual clos(e|ing) date|实际(成交|关闭|结单|签约)(日期|时间)|"
    r"(成交|关闭|结单)(日期|时间))$"
)
_EXACT_CREATED = r"^(created? (date|at|on|time|day)|creation (date|day)|date created|创建(日期|时间|日))$"
_PLANNED = r"expect|plan|forecast|estimat|target|预计|计划|预期|预估"
FILLED = 0.5  # an exact name counts when it is filled at least half as often as the best filled one


def closing_date(columns: Mapping[str, Column], closed: np.ndarray, waiting: np.ndarray) -> str | None:
    """The date that is filled for `closed` deals: by its exact name, else filled most for them and least for the
    `waiting` ones; a day that its name calls expected is none."""
    able = [name for name in _dates(columns, names.CLOSED_WORDS) if not names.says(name, _PLANNED)]
    filled = {name: _filled(columns[name], closed) for name in able}
    able = [name for name in able if filled[name] > 0 or not closed.any()]
    return _best(able, filled, _EXACT_CLOSED, {name: _filled(columns[name], waiting) for name in able})


def creation_date(columns: Mapping[str, Column], closing: str | None) -> str | None:
    """The date a deal began: by its exact name, else the best filled one that does not lie after most closings."""
    able = [name for name in _dates(columns, names.CREATED_WORDS) if name != closing]
    if closing is not None:
        late = {name: _after(columns[name], columns[closing]) for name in able}
        able = [name for name in able if late[name] <= 0.5 or names.says(name, _EXACT_CREATED)] or able
    filled = {name: float(columns[name].values.notna().mean()) for name in able}
    return _best(able, filled, _EXACT_CREATED, {})


def _dates(columns: Mapping[str, Column], words: str) -> list[str]:
    return [name for name, column in columns.items() if column.kind == "date" and names.says(name, words)]


def _best(able: list[str], filled: Mapping[str, float], exact: str, waiting: Mapping[str, float]) -> str | None:
    if not able:
        return None
    enough = FILLED * max(filled.values())
    rank = lambda name: (  # noqa: E731
        not (names.says(name, exact) and filled[name] >= enough),
        -round(filled[name], 2),
        waiting.get(name, 0.0),
        name,
    )
    return min(able, key=rank)


def _filled(column: Column, rows: np.ndarray) -> float:
    return float(column.values.notna().to_numpy()[rows].mean()) if rows.any() else 0.0


def _after(column: Column, closing: Column) -> float:
    """Share of the deals with both dates in which this one lies after the closing."""
    both = column.values.notna() & closing.values.notna()
    return float((column.values[both] > closing.values[both]).mean()) if both.any() else 0.0
