"""The fields of every canonical table, read from `fields/<table>.csv`: one row a column, with unit and meaning.

Importer, checks, Excel entry template and data dictionary all read the same rows. A row:

```
name,type,unit,required,key,allowed,description_en,description_zh,aliases
amount,money,currency,yes,,>=0,Amount of the deal,商机金额,value|deal value|Betrag|金额
```

type      id, text, choice, number, money, integer, rate (0-1), flag, date, timestamp (UTC)
required  yes: the column must be there and may not be empty
key       yes: part of the table's key; by: part of it where `[plan] by` names it (sales)
allowed   choices `a|b`, or a range `0..1`, `>=0`, `>0`, or `currency`
aliases   what others call it, the likeliest first; compared without case, spaces and signs
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from planning.errors import UsageError, did_you_mean
from planning.language import current

FIELDS_FOLDER = Path(__file__).parent / "fields"
VALUES_FILE = Path(__file__).parent / "values.csv"
REFERENCES_FILE = Path(__file__).parent / "references.csv"
NUMERIC = ("number", "money", "integer", "rate")
DATED = ("date", "timestamp")
DIMENSIONS = ("region", "line", "customer_type")


@dataclass(frozen=True)
class Field:
    """One column of a canonical table. See the module's picture of a row."""

    name: str
    type: str
    unit: str = ""
    required: bool = False
    key: str = ""
    allowed: str = ""
    description_en: str = ""
    description_zh: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """What the field means, in the current language."""
        return self.description_zh if current() == "zh" else self.description_en

    @property
    def choices(self) -> tuple[str, ...]:
        """The allowed values of a choice; empty for every other type."""
        return tuple(self.allowed.split("|")) if self.type == "choice" else ()

    @property
    def bounds(self) -> tuple[float, float, bool]:
        """The allowed range of a number: (low, high, low itself excluded)."""
        rule, infinite = self.allowed, float("inf")
        if self.type not in NUMERIC or not rule:
            return -infinite, infinite, False
        if ".." in rule:
            low, high = rule.split("..")
            return float(low), float(high), False
        return float(rule.lstrip(">=")), infinite, not rule.startswith(">=")


@dataclass(frozen=True)
class Reference:
    """A column whose values must stand in another table's column; `severity` of one that does not."""

    table: str
    field: str
    to_table: str
    to_field: str
    severity: str


@functools.cache
def table_names() -> tuple[str, ...]:
    """Returns the names of all canonical tables."""
    return tuple(sorted(path.stem for path in FIELDS_FOLDER.glob("*.csv")))


@functools.cache
def fields(table: str) -> tuple[Field, ...]:
    """Returns the fields of `table` in their order; UsageError names the nearest table for an unknown one.

    >>> [field.name for field in fields("priorities")]
    ['dimension', 'key', 'weight', 'min_growth', 'max_growth']
    """
    if table not in table_names():
        names = ", ".join(table_names())
        raise UsageError(f"there is no table '{table}'.{did_you_mean(table, table_names())} Tables: {names}.")
    return tuple(_field(row) for row in _rows(FIELDS_FOLDER / f"{table}.csv"))


def _field(row: dict[str, str]) -> Field:
    aliases = tuple(part for part in row["aliases"].split("|") if part)
    return Field(**{**row, "required": row["required"] == "yes", "aliases": aliases})


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def fields_for(table: str, by: Sequence[str] = DIMENSIONS) -> tuple[Field, ...]:
    """Returns the fields of `table` for a company that plans `by` these keys.

    In `sales` the keys of `by` are required, and keys of its own (`state`) become text columns; a dimension that
    `by` leaves out is an ordinary optional column.
    """
    out = []
    for field in fields(table):
        if field.key == "by":
            used = field.name in by
            field = Field(**{**field.__dict__, "key": "yes" if used else "", "required": used})
        out.append(field)
    known = {field.name for field in out}
    if table == "sales":
        out += [
            Field(name, "text", "", True, "yes", "", f"Key '{name}' of [plan] by", f"[plan] by 中的维度 {name}")
            for name in by
            if name not in known
        ]
    return tuple(out)


def key_of(fields: Sequence[Field]) -> list[str]:
    """Returns the names of the key columns."""
    return [field.name for field in fields if field.key == "yes"]


@functools.cache
def value_aliases(table: str, field: str) -> dict[str, str]:
    """Returns what others write for a choice → our value, such as `赢单` → `won`; keys without case."""
    out = {}
    for row in _rows(VALUES_FILE):
        if row["table"] == table and row["field"] == field:
            out.update({alias.casefold(): row["value"] for alias in row["aliases"].split("|")})
    return out


@functools.cache
def references() -> tuple[Reference, ...]:
    """Returns which column points to which table, from `references.csv`."""
    return tuple(Reference(**row) for row in _rows(REFERENCES_FILE))
