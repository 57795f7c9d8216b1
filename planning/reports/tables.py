"""Tables of a manifest as a page shows them: headed, scaled, totalled, folded when long, or laid out as a heat map.

A heat map is a table in long form shown as rows x columns, its manifest entry carrying `heat`:

    {"rows": "region", "columns": "line",      the two keys
     "chance": "attainment_probability",       tinted and written first (0-1)
     "second": "growth",                       written below it, signed (0-1), may be absent
     "limit": 0.4}                             cells with less are outlined; may be absent

A key's value "total" (or a missing one) is the margin and goes last.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

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
    """A table ready for the template: `rows` as cells, `lines` and `foot` as the markup of the same rows.

    The markup is put together here, since a template takes ten times as long over thousands of cells.
    """

    name: str
    title: str
    columns: list[cells.Column]
    rows: list[list[cells.Cell]]
    total: list[cells.Cell] | None
    folded: bool
    cards: bool
    count: int
    file: str = ""
    lines: list[str] = field(default_factory=list)
    foot: Markup = Markup()

    @property
    def cut(self) -> bool:
        """Whether the page shows only the first rows."""
        return self.count > len(self.rows)

    @property
    def body(self) -> Markup:
        """The rows as markup."""
        return Markup("\n".join(self.lines))

    def shorter(self, most: int) -> Table:
        """Returns the table with so many of its rows that it shows at most `most` cells."""
        shown = _rows_of(len(self.columns), most)
        return dataclasses.replace(self, rows=self.rows[:shown], lines=self.lines[:shown])


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


def read_columns(folder: Path, entry: dict[str, Any]) -> dict[str, list[Any]]:
    """Returns the columns of a manifest's table as lists; empty ones where the file is gone."""
    path = folder / str(entry.get("parquet", ""))
    names = [spec["name"] for spec in entry.get("columns", [])]
    if not path.is_file():
        return {name: [] for name in names}
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        known = [name for name in names if name in file.schema_arrow.names]
        table = file.read(columns=known or None, use_threads=False)
    return {name: _plain(column) for name, column in zip(table.column_names, table.columns, strict=True)}


def _plain(column: Any) -> list[Any]:
    """A column as Python's own values; nanoseconds become microseconds, since pyarrow asks pandas for the former."""
    kind = str(column.type)
    return (column.cast(kind.replace("[ns", "[us"), safe=False) if "[ns" in kind else column).to_pylist()


def view(
    folder: Path, name: str, entry: dict[str, Any], currency: str = "", base: str = "", most: int = MOST_CELLS
) -> Table | HeatMap:
    """Returns the table `name` of the manifest in `folder` as a page shows it; `base` leads from the page to it.

    At most `most` cells are shown.
    """
    frame = read_columns(folder, entry)
    if entry.get("heat") and any(frame.values()):
        return heat_map(frame, name, entry)
    return table(frame, name, entry, currency, base, most)


def table(
    frame: Mapping[str, Iterable[Any]], name: str, entry: dict[str, Any], currency: str = "", base: str = "",
    most: int = MOST_CELLS,
) -> Table:  # fmt: skip
    """Returns `frame` (a data frame, or a dict of lists) as a table: its first rows where it is long, folded beyond
    OPEN_ROWS or when asked for.
    """
    values = {str(column): list(frame[column]) for column in frame}
    specs = [spec for spec in entry.get("columns", []) if spec["name"] in values]
    if not specs:
        specs = [{"name": column, "label": column, "format": "text"} for column in values]
    columns = [cells.column(values, spec, currency) for spec in specs]
    shown, count = _rows_of(len(columns), most), max(map(len, values.values()), default=0)
    written = [[column.write(value) for value in values[column.name][:shown]] for column in columns]
    rows = [list(row) for row in zip(*written, strict=True)] if written else []
    total = _total(entry.get("total"), columns)
    folded, cards = bool(entry.get("details")) or count > OPEN_ROWS, len(columns) >= CARDS_FROM
    labels = [f' data-l="{escape(column.label)}"' if cards and column.label else "" for column in columns]
    foot = [cells.Cell(total[0].text, total[0].text), *total[1:]] if total else None
    return Table(
        name, entry.get("title", ""), columns, rows, total, folded, cards, count,
        base + entry["csv"] if entry.get("csv") else "", [_line(row, labels) for row in rows],
        Markup(_line(foot, labels) if foot else ""),
    )  # fmt: skip


def _line(row: list[cells.Cell], labels: list[str]) -> str:
    """Returns a row as markup; `labels` name the columns where the row becomes a card on a phone."""
    first = f'<tr><th scope="row"{_marks(row[0], "")}>{escape(row[0].text)}</th>'
    rest = zip(row[1:], labels[1:], strict=True)
    return first + "".join([f"<td{_marks(cell, label)}>{escape(cell.text)}</td>" for cell, label in rest]) + "</tr>"


def _marks(cell: cells.Cell, label: str) -> str:
    """Returns a cell's attributes: its look, the column it stands in, and its raw value where the text is another."""
    look = f' class="{cell.look}"' if cell.look else ""
    return f'{look}{label} data-v="{escape(cell.raw)}"' if cell.raw != cell.text else look + label


def _rows_of(columns: int, most: int) -> int:
    """Returns how many rows of so many columns a page shows when it has room for `most` cells."""
    return min(MOST_ROWS, max(most // max(columns, 1), OPEN_ROWS))


def _total(total: Any, columns: list[cells.Column]) -> list[cells.Cell] | None:
    """Returns the row of totals: what the notebook stated, and nothing where it stated nothing."""
    if not isinstance(total, dict) or not total:
        return None
    row = [column.write(total[column.name]) if column.name in total else cells.Cell("", "") for column in columns]
    if row and not row[0].text:
        row[0] = cells.Cell(_("All"), _("All"))
    return row


def heat_map(frame: Mapping[str, Iterable[Any]], name: str, entry: dict[str, Any]) -> HeatMap:
    """Returns a frame in long form (a data frame, or a dict of lists) as a map of rows x columns, tinted by chance."""
    heat = entry["heat"]
    by_row, by_column, second = heat["rows"], heat["columns"], heat.get("second")
    limit = heat.get("limit")
    labels = {spec["name"]: spec.get("label") or spec["name"] for spec in entry.get("columns", [])}
    used = (by_row, by_column, heat["chance"], *([second] if second else []))
    found = [(_key(r), _key(c), *rest) for r, c, *rest in zip(*(list(frame[key]) for key in used), strict=True)]
    if len({c for _r, c, *_rest in found}) > max(WIDEST_MAP, len({r for r, *_rest in found})):
        by_row, by_column = by_column, by_row  # the longer side goes down the page
        found = [(c, r, *rest) for r, c, *rest in found]
    shown = _riskiest(_riskiest(found, 1, WIDEST_MAP), 0, LONGEST_MAP)
    left_out = sum(len({line[side] for line in found}) - len({line[side] for line in shown}) for side in (0, 1))
    title = entry.get("title", "")
    if left_out:
        note = _("{n} rows or columns with higher chances are not shown").format(n=left_out)
        title = f"{title} ({note})" if title else note
    rows, columns = (_order([line[side] for line in shown]) for side in (0, 1))
    tiles = {line[:2]: _tile(line[2], line[3] if second else None, limit) for line in shown}
    grid = [(_shown(r), [tiles.get((r, c)) for c in columns]) for r in rows]
    margin = grid.pop() if rows and rows[-1] in MARGINS else None
    return HeatMap(
        name, title, labels.get(by_row, by_row), [_shown(c) for c in columns], grid, margin,
        "" if limit is None else language.percent(limit), _legend(),
    )  # fmt: skip


def _riskiest(lines: list[tuple[Any, ...]], side: int, most: int) -> list[tuple[Any, ...]]:
    """Returns the lines (row, column, chance, ...) of the `most` keys with the lowest mean chance, and the margin's."""
    chances: dict[str, list[float]] = {}
    for line in lines:
        if line[side] not in MARGINS:
            chances.setdefault(line[side], [])
            if not cells.absent(line[2]):
                chances[line[side]].append(float(line[2]))
    if len(chances) <= most:
        return lines
    means = {key: sum(one) / len(one) if one else math.inf for key, one in sorted(chances.items())}
    worst = {*sorted(means, key=means.__getitem__)[:most], *MARGINS}
    return [line for line in lines if line[side] in worst]


def _key(value: Any) -> str:
    return "" if cells.absent(value) else str(value)


def _order(keys: Iterable[str]) -> list[str]:
    """Returns the keys in the frame's order, the margin last."""
    found = list(dict.fromkeys(keys))
    return [key for key in found if key not in MARGINS] + [key for key in found if key in MARGINS]


def _shown(key: str) -> str:
    return _("All") if key in MARGINS else key


def _tile(chance: Any, second: Any, limit: float | None) -> Tile | None:
    if cells.absent(chance) or not math.isfinite(float(chance)):
        return None
    chance = float(chance)
    known = not cells.absent(second) and math.isfinite(float(second))
    below = language.signed(float(second), formatter=language.percent) if known else ""
    raw = f"{chance:.4g}" + (f"; {float(second):+.4g}" if known else "")
    tint = sum(chance >= step for step in STEPS)
    return Tile(language.chance(chance), below, tint, limit is not None and chance < limit, raw)


def _legend() -> list[tuple[int, str]]:
    """Returns the tints with the chances they stand for."""
    edges = [language.percent(step) for step in STEPS]
    between = [(i + 1, language.interval(a, b, str)) for i, (a, b) in enumerate(zip(edges, edges[1:], strict=False))]
    return [(0, _("below {p}").format(p=edges[0])), *between, (4, _("{p} and above").format(p=edges[-1]))]
