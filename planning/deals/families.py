"""The table a company owns: which field belongs to which family, and since when each field is known.

```toml
[product]
fields = ["requirements_met", "line"]

[known_at]
requirements_met = "proposal"       # "creation", the name of a stage, or "closing"
line = "creation"

[trust]                             # fields whose name looks written after the fact, but which are not
fields = []

[levers]                            # what a person can move, and which way
response_hours = "down"

[owners]                            # who would move it
response_hours = "Sales"
```
A field without `known_at`, or known only at closing, is refused as a cause.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from planning.deals import names
from planning.deals.vocabulary import after_the_fact
from planning.errors import ConfigError, UsageError, did_you_mean, nearest
from planning.language import _

CLOSING = {
    "closing",
    "close",
    "closed",
    "at closing",
    "after closing",
    "closed won",
    "closed lost",
    "won",
    "lost",
    "成交",
    "关闭",
    "结单",
}
RESERVED = ("known_at", "trust", "levers", "owners")
CATEGORY_LIMIT = 0.9


@dataclass(frozen=True)
class Families:
    """`fields` per family in order, `known_at` per field, and the fields whose name is `trust`ed.

    `absent`: names of the file that the deals don't have, each with what to write instead, or nothing. `later`: fields
    known only from a stage after the moment at which the deals are taken. `unplaced`: fields whose stage the stage
    history does not have.
    """

    fields: Mapping[str, tuple[str, ...]]
    known_at: Mapping[str, str] = field(default_factory=dict)
    trust: frozenset[str] = frozenset()
    levers: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    later: Mapping[str, str] = field(default_factory=dict)
    unplaced: Mapping[str, str] = field(default_factory=dict)

    @property
    def family_of(self) -> dict[str, str]:
        """Family of each field."""
        return {name: family for family, members in self.fields.items() for name in members}

    def refusal(self, name: str) -> tuple[str, str] | None:
        """Why a field may not be a cause by this table alone: (rule, evidence), or None."""
        known = str(self.known_at.get(name, "")).strip()
        if not known:
            return "no_known_at", _("no known_at is stated for it")
        if known.casefold() in CLOSING:
            return "known_at_closing", _('known only at closing (known_at = "{known}")').format(known=known)
        if name in self.later:
            text = _("known only from {stage} on, after the moment at which the deals are taken")
            return "known_later", text.format(stage=self.later[name])
        reason = names.closing_by_name(name)
        if reason and name not in self.trust:
            return "name_after_the_fact", (
                _(
                    'its name says {reason}, against known_at = "{known}"; add it to [trust] fields if it truly is'
                ).format(reason=after_the_fact(reason), known=known)
            )
        return None


def as_families(value: Families | Mapping | str | Path) -> Families:
    """Returns Families from a TOML file's path, its parsed content, or Families themselves."""
    if isinstance(value, Families):
        return value
    if isinstance(value, Mapping):
        return parse_families(value, "families")
    return load_families(value)


def load_families(path: str | Path) -> Families:
    """Reads a families file. Raises UsageError when it cannot be read, ConfigError when it says what it may not."""
    path = Path(path)
    if not path.is_file():
        what = "is a folder, a file is meant" if path.is_dir() else "there is no such file"
        raise UsageError(f"{path}: {what}. 'planning families' drafts one.")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text. Save it as UTF-8.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f'{path}: not TOML: {error}. Names with spaces need quotes: "Deal Size" = "creation".'
        ) from error
    return parse_families(content, str(path))


def parse_families(content: Mapping, where: str) -> Families:
    """Checks the parsed content: tables of fields, known_at as text, no field in two families."""
    fields: dict[str, tuple[str, ...]] = {}
    problems, owner = [], {}
    for family, table in content.items():
        if family in RESERVED:
            continue
        members = table.get("fields") if isinstance(table, Mapping) else table
        if not isinstance(members, list | tuple) or not all(isinstance(name, str) for name in members):
            problems.append(f'{where}: [{family}] needs fields = ["name", ...].')
            continue
        extra = [key for key in table if key != "fields"] if isinstance(table, Mapping) else []
        problems += [f"{where}: [{family}] has an unknown key {key!r}.{did_you_mean(key, ['fields'])}" for key in extra]
        for name in members:
            if name in owner and owner[name] != family:
                problems.append(
                    f"{where}: field {name!r} is in [{owner[name]}] and in [{family}]. Keep it in one family."
                )
            owner[name] = family
        fields[family] = tuple(dict.fromkeys(members))
    known_at, trust = content.get("known_at", {}), content.get("trust", {})
    if not isinstance(known_at, Mapping) or not all(isinstance(when, str) for when in known_at.values()):
        problems.append(f'{where}: [known_at] needs lines such as region = "creation".')
        known_at = {}
    trusted = trust.get("fields", []) if isinstance(trust, Mapping) else trust
    if not fields and not problems:
        problems.append(f'{where}: no family. Write at least one: [product] fields = ["..."].')
    levers = content.get("levers", {})
    if not isinstance(levers, Mapping) or not all(way in ("up", "down") for way in levers.values()):
        problems.append(f'{where}: [levers] needs lines such as response_hours = "down" (or "up").')
    owners = content.get("owners", {})
    if not isinstance(owners, Mapping) or not all(isinstance(who, str) for who in owners.values()):
        problems.append(f'{where}: [owners] needs lines such as response_hours = "Sales".')
    if problems:
        raise ConfigError("\n".join(problems))
    return Families(fields, dict(known_at), frozenset(map(str, trusted)), dict(levers), dict(owners))


def renamed(families: Families, names: Mapping[str, str]) -> Families:
    """The same table with fields under other names: an export's own words become those of the workspace."""
    new = lambda name: names.get(name, name)  # noqa: E731
    return Families(
        {family: tuple(map(new, members)) for family, members in families.fields.items()},
        {new(name): when for name, when in families.known_at.items()},
        frozenset(map(new, families.trust)),
        {new(name): way for name, way in families.levers.items()},
        {new(name): who for name, who in families.owners.items()},
        families.absent,
    )


def restrict(families: Families, columns: list[str], *, tell: bool = False) -> Families:
    """Keeps the fields a table has; families without any stay, empty: they are not measured, which is not zero.

    tell: keep what was dropped in `absent`, for the audit to say: in a company's own file it is a misspelling.
    """
    have = set(columns)
    named = [*families.family_of, *families.known_at, *families.levers] if tell else []
    return Families(
        {family: tuple(name for name in members if name in have) for family, members in families.fields.items()},
        {name: when for name, when in families.known_at.items() if name in have},
        families.trust,
        {name: way for name, way in families.levers.items() if name in have},
        families.owners,
        {name: nearest(name, columns) or "" for name in dict.fromkeys(named) if name not in have},
    )


def check_against(families: Families, columns: list[str], outcome: str, where: str = "families") -> None:
    """Raises ConfigError for a field that the deals don't have (nearest named) or that is the outcome itself."""
    problems = []
    for family, members in families.fields.items():
        for name in members:
            if name == outcome:
                problems.append(f"{where}: [{family}] lists {name!r}, which is the outcome itself. Take it out.")
            elif name not in columns:
                problems.append(
                    f"{where}: [{family}] lists {name!r}, which the deals don't have.{did_you_mean(name, columns)}"
                )
    if problems:
        raise ConfigError("\n".join(problems))


def draft_families(audited: pd.DataFrame) -> Families:
    """Makes the draft from the audit's field table (`field, family, known_at`): what it cannot tell stays out."""
    fields: dict[str, list[str]] = {}
    known_at = {}
    for row in audited.itertuples():
        if not isinstance(row.family, str):
            continue
        fields.setdefault(row.family, []).append(row.field)
        if isinstance(row.known_at, str):
            known_at[row.field] = row.known_at
    order = [family for family, _ in names.FAMILY_WORDS]
    ranked = sorted(fields, key=lambda family: order.index(family) if family in order else len(order))
    return Families({family: tuple(fields[family]) for family in ranked}, known_at)


def families_toml(families: Families, notes: Mapping[str, str] | None = None) -> str:
    """The families file as text, with the reason for each known_at as a comment."""
    notes = notes or {}
    lines = [
        "# Which field belongs to which family, and since when it is known. Drafted; confirm every line.",
        '# known_at: "creation", the name of a stage, or "closing". A field without one, or known only at closing,',
        "# is refused as a cause.",
        "",
    ]
    for family, members in families.fields.items():
        lines += [f"[{_key(family)}]", "fields = [", *(f"    {_text(name)}," for name in members), "]", ""]
    lines.append("[known_at]")
    for members in families.fields.values():
        for name in members:
            note = f"  # {notes[name]}" if notes.get(name) else ""
            if name in families.known_at:
                lines.append(f"{_key(name)} = {_text(families.known_at[name])}{note}")
            else:
                lines.append(f'# {_key(name)} = ""{note}'.replace("\n", " "))
    if families.trust:
        lines += ["", "[trust]", f"fields = [{', '.join(map(_text, sorted(families.trust)))}]"]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _text(name)
