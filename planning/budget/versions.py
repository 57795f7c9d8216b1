"""Versions of a budget: immutable, named by their content, each with the version it came from.

```
DIR/versions/<plan_id>.json   one version: region, line, category and four quarters in minor units, figures, parent
DIR/versions/current          the plan_id that counts now
```
A record carries no time stamp: the same inputs give the same bytes. When it was made is the file's own time.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planning import files
from planning.errors import DataError, UsageError

KEYS = ["region", "line", "category"]
QUARTERS = ["q1", "q2", "q3", "q4"]
UNIT = 100


@dataclasses.dataclass(frozen=True)
class Version:
    """One version of a budget. rows: region, line, category, q1..q4 (minor units); figures: plain numbers."""

    plan_id: str
    parent: str | None
    cause: str
    author: str
    year: int
    currency: str
    figures: dict[str, Any]
    rows: pd.DataFrame

    @property
    def total(self) -> float:
        """The year's budget."""
        return int(self.rows[QUARTERS].to_numpy().sum()) / UNIT


def record(
    table: pd.DataFrame, *, year: int, currency: str, figures: dict[str, Any], parent: str | None = None,
    cause: str = "planned", author: str = "",
) -> Version:  # fmt: skip
    """Returns the version that a budget table is (`resources.budget_rows`: KEYS and q1..q4 in money)."""
    cents = (table[QUARTERS] * UNIT).round().astype("int64")
    rows = pd.concat([table[KEYS], cents], axis=1).sort_values(KEYS, kind="stable").reset_index(drop=True)
    named = {name: round(value, 6) for name, value in figures.items() if isinstance(value, float) and value == value}
    version = Version("", parent, cause, author, int(year), currency, named, rows)
    return dataclasses.replace(version, plan_id=files.content_id(_content(version)))


def _content(version: Version) -> dict[str, Any]:
    content = {field.name: getattr(version, field.name) for field in dataclasses.fields(version)}
    return content | {"plan_id": None, "rows": version.rows.to_dict("records")}


def load(folder: str | Path, plan_id: str | None = None) -> Version:
    """Reads a version of a budget folder: the current one, or the one whose id starts with `plan_id`."""
    if not files.has_versions(folder):
        raise UsageError(f"{folder}: holds no budget. Make one by 'planning run regional_budget'.")
    found, content = files.read_version(folder, plan_id)
    rows = pd.DataFrame(content.pop("rows"), columns=[*KEYS, *QUARTERS])
    return Version(**(content | {"plan_id": found}), rows=rows)


def keep(folder: str | Path, version: Version, *, what_if: bool = False) -> Version:
    """Keeps a budget as the current version of `folder`, its parent the one before; the same budget again is the same
    version.

    what_if: keep it beside the current one, which stays.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    cause = f"what if: {version.cause}" if what_if else version.cause
    if files.current_version(folder):
        before = load(folder)
        again = _under(version, before.parent, before.cause)
        if again.plan_id == before.plan_id and before.cause in (version.cause, cause):
            return before
        version = _under(version, before.plan_id, cause)
    else:
        version = _under(version, version.parent, cause)
    files.keep_version(folder, _content(version), current=not what_if)
    return version


def adopt(folder: str | Path, plan_id: str) -> Version:
    """Makes a kept version the one that counts, and returns it."""
    version = load(folder, plan_id)
    files.keep_version(folder, _content(version))
    return version


def _under(version: Version, parent: str | None, cause: str) -> Version:
    version = dataclasses.replace(version, parent=parent, cause=cause)
    return dataclasses.replace(version, plan_id=files.content_id(_content(version)))


def versions(folder: str | Path) -> pd.DataFrame:
    """Returns one row a version: `plan_id, parent, current, made_at, year, currency, budget, cause, author`, oldest
    first."""
    now, rows = files.current_version(folder), []
    for path in files.version_paths(folder):
        one = load(folder, path.stem)
        made = files.made_at(path)
        rows.append(
            (one.plan_id, one.parent or "", one.plan_id == now, made, one.year, one.currency, one.total, one.cause,
             one.author)
        )  # fmt: skip
    columns = ["plan_id", "parent", "current", "made_at", "year", "currency", "budget", "cause", "author"]
    return pd.DataFrame(rows, columns=columns)


def diff(old: Version, new: Version) -> pd.DataFrame:
    """Returns what changed between two versions, the largest first: the total, sums by key and quarter, then cells.

    Columns `level` (total, region, line, category, quarter, cell), `where`, `before`, `after`, `change`, `reason`; sums
    are exact. Raises DataError where the two are in different currencies.
    """
    if old.currency != new.currency:
        raise DataError(f"budgets {old.plan_id} and {new.plan_id} are in {old.currency} and {new.currency}.")
    both = old.rows.merge(new.rows, on=KEYS, how="outer", suffixes=("_old", "_new"))
    amounts = both.drop(columns=KEYS).fillna(0).astype("int64")
    sides = {side: amounts[[f"{q}_{tail}" for q in QUARTERS]] for side, tail in (("before", "old"), ("after", "new"))}
    both = both[KEYS].assign(**{side: part.sum(axis=1) for side, part in sides.items()})
    total = pd.DataFrame({"where": ["total"], **{side: [both[side].sum()] for side in sides}})
    parts = [total.assign(level="total", reason=new.cause)]
    for key in KEYS:
        sums = both.groupby(key, as_index=False)[["before", "after"]].sum().rename(columns={key: "where"})
        parts.append(sums.assign(level=key, reason=""))
    quarters = pd.DataFrame({"where": QUARTERS, **{side: part.sum().to_numpy() for side, part in sides.items()}})
    parts.append(quarters.assign(level="quarter", reason=""))
    parts.append(both.assign(level="cell", where=both["region"] + "/" + both["line"], reason=""))
    out = pd.concat(parts, ignore_index=True)
    out["change"] = (out["after"] - out["before"]) / UNIT
    out["before"], out["after"] = out["before"] / UNIT, out["after"] / UNIT
    out = out[(out["change"] != 0) | (out["level"] == "total")]
    rank = out["level"].map({"total": 0, "category": 1, "region": 2, "line": 3, "quarter": 4, "cell": 5})
    order = np.lexsort((out["where"].to_numpy(str), -out["change"].abs(), rank))
    return out.iloc[order][["level", "where", "before", "after", "change", "reason"]].reset_index(drop=True)
