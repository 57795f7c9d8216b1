"""Tables of a manifest as a page shows them: headed, scaled, totalled, folded when long, or laid out as a heat map.

A heat map is a table in long form shown as rows x columns, its manifest entry carrying `heat`:

    {"rows": "region", "columns": "line",      the two keys
     "chance": "attainment_probability",       tinted and written first (0-1)
     "second": "growth",                       written below it, signed (0-1), may be absent
     "limit": 0.4}                             cells with less are outlined; may be absent

A key's value "total" (or a missing one) is the margin and goes last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from planning import language
from planning.language import _
from planning.reports import cells

WIDEST_MAP = 9  # columns of a heat map a page can show, without the margin
LONGEST_MAP = 40
OPEN_ROWS = 12
# A page carries at most so many rows and cells of one table; the rest is in the CSV beside it.
MOST_ROWS, MOST_CELLS = 150, 900
CARDS_FROM = 5
STEPS = (0.4, 0.5, 0.6, 0.7)
MARGINS = {"total", "all", "All", "Total", ""}


@dataclass(frozen=True)
class Table:
    """A table ready for the template."""

    name: str
    title: str
    columns: list[cells.Column]
    rows: list[list[cells.Cell]]
    total: list[cells.Cell] | None
    folded: bool
    cards: bool
    count: int
    file: str = ""

    @property
    def cut(self) -> bool:
        """Whether the page shows only the first rows."""
        return self.count > len(self.rows)


@dataclass(frozen=True)
class Tile:
    """One cell of a heat map."""

    first: str
    second: str
    tint: int
    below: bool
    raw: str


@dataclass(frozen=True)
class HeatMap:
    """A heat map ready for the template; `rows` holds (name, tiles), the margin row last where there is one."""

    name: str
    title: str
    corner: str
    columns: list[str]
    rows: list[tuple[str, list[Tile | None]]]
    margin: tuple[str, list[Tile | None]] | None
    limit: str
    legend: list[tuple[int, str]] = field(default_factory=list)


def read_frame(folder: Path, entry: dict[str, Any]) -> pd.DataFrame:
    """Returns the frame of a manifest's table; an empty one with its columns where the file is gone."""
    path = folder / str(entry.get("parquet", ""))
    if not path.is_file():
        return pd.DataFrame(columns=[spec["name"] for spec in entry.get("columns", [])])
    import pyarrow.parquet as pq

    names = [spec["name"] for spec in entry.get("columns", [])]
    file = pq.ParquetFile(path)
    known = [name for name in names if name in file.schema_arrow.names]
    return file.read(columns=known or None).to_pandas()


def view(
    folder: Path, name: str, entry: dict[str, Any], currency: str = "", base: str = "", most: int = MOST_CELLS
) -> Table | HeatMap:
    """Returns the table `name` of the manifest in `folder` as a page shows it; `base` leads from the page to it.

    At most `most` cells are shown.
    """
    frame = read_frame(folder, entry)
    if entry.get("heat") and not frame.empty:
        return heat_map(frame, name, entry)
    return table(frame, name, entry, currency, base, most)


def table(
    frame: pd.DataFrame, name: str, entry: dict[str, Any], currency: str = "", base: str = "", most: int = MOST_CELLS
) -> Table:
    """Returns `frame` as a table: its first rows where it is long, folded beyond OPEN_ROWS or when asked for."""
    specs = [spec for spec in entry.get("columns", []) if spec["name"] in frame.columns]
    if not specs:
        specs = [{"name": str(column), "label": str(column), "format": "text"} for column in frame.columns]
    columns = [cells.column(frame, spec, currency) for spec in specs]
    shown = frame.head(min(MOST_ROWS, max(most // max(len(columns), 1), OPEN_ROWS)))
    written = [[column.write(value) for value in shown[column.name]] for column in columns]
    rows = [list(row) for row in zip(*written, strict=True)] if written else []
    total = _total(entry.get("total"), columns)
    folded = bool(entry.get("details")) or len(frame) > OPEN_ROWS
    return Table(
        name, entry.get("title", ""), columns, rows, total, folded, len(columns) >= CARDS_FROM, len(frame),
        base + entry["csv"] if entry.get("csv") else "",
    )  # fmt: skip


def _total(total: Any, columns: list[cells.Column]) -> list[cells.Cell] | None:
    """Returns the row of totals: what the notebook stated, and nothing where it stated nothing."""
    if not isinstance(total, dict) or not total:
        return None
    row = [column.write(total[column.name]) if column.name in total else cells.Cell("", "") for column in columns]
    if row and not row[0].text:
        row[0] = cells.Cell(_("All"), _("All"))
    return row


def heat_map(frame: pd.DataFrame, name: str, entry: dict[str, Any]) -> HeatMap:
    """Returns a frame in long form as a map of rows x columns, tinted by chance."""
    heat = entry["heat"]
    by_row, by_column, chance, second = heat["rows"], heat["columns"], heat["chance"], heat.get("second")
    limit = heat.get("limit")
    labels = {spec["name"]: spec.get("label") or spec["name"] for spec in entry.get("columns", [])}
    if frame[by_column].nunique() > max(WIDEST_MAP, frame[by_row].nunique()):
        by_row, by_column = by_column, by_row  # the longer side goes down the page
    shown = _riskiest(_riskiest(frame, by_column, chance, WIDEST_MAP), by_row, chance, LONGEST_MAP)
    left_out = sum(frame[key].nunique() - shown[key].nunique() for key in (by_row, by_column))
    frame, title = shown, entry.get("title", "")
    if left_out:
        note = _("{n} rows or columns with higher chances are not shown").format(n=left_out)
        title = f"{title} ({note})" if title else note
    rows, columns = _order(frame[by_row]), _order(frame[by_column])
    tiles = {
        (_key(row[by_row]), _key(row[by_column])): _tile(row[chance], row.get(second) if second else None, limit)
        for row in frame.to_dict("records")
    }
    grid = [(_shown(r), [tiles.get((r, c)) for c in columns]) for r in rows]
    margin = grid.pop() if rows and rows[-1] in MARGINS else None
    return HeatMap(
        name, title, labels.get(by_row, by_row), [_shown(c) for c in columns], grid, margin,
        "" if limit is None else language.percent(limit), _legend(),
    )  # fmt: skip


def _riskiest(frame: pd.DataFrame, key: str, chance: str, most: int) -> pd.DataFrame:
    """Returns the rows of the `most` keys with the lowest mean chance, and those of the margin."""
    keys = frame[key].map(_key)
    inner = frame[~keys.isin(MARGINS)]
    if inner[key].nunique() <= most:
        return frame
    worst = inner.groupby(key, sort=True)[chance].mean().sort_values(kind="stable").index[:most]
    return frame[keys.isin(MARGINS) | frame[key].isin(worst)]


def _key(value: Any) -> str:
    return "" if value is None or (isinstance(value, float) and math.isnan(value)) else str(value)


def _order(keys: pd.Series) -> list[str]:
    """Returns the keys in the frame's order, the margin last."""
    found = list(dict.fromkeys(_key(key) for key in keys))
    return [key for key in found if key not in MARGINS] + [key for key in found if key in MARGINS]


def _shown(key: str) -> str:
    return _("All") if key in MARGINS else key


def _tile(chance: Any, second: Any, limit: float | None) -> Tile | None:
    if chance is None or not math.isfinite(float(chance)):
        return None
    chance = float(chance)
    known = second is not None and math.isfinite(float(second))
    below = language.signed(float(second), formatter=language.percent) if known else ""
    raw = f"{chance:.4g}" + (f"; {float(second):+.4g}" if known else "")
    tint = sum(chance >= step for step in STEPS)
    return Tile(language.chance(chance), below, tint, limit is not None and chance < limit, raw)


def _legend() -> list[tuple[int, str]]:
    """Returns the tints with the chances they stand for."""
    edges = [language.percent(step) for step in STEPS]
    between = [(i + 1, language.interval(a, b, str)) for i, (a, b) in enumerate(zip(edges, edges[1:], strict=False))]
    return [(0, _("below {p}").format(p=edges[0])), *between, (4, _("{p} and above").format(p=edges[-1]))]
