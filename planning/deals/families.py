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

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import pandas as pd

from planning.deals import families_form, moments, names
from planning.deals.families_form import key_of, text_of
from planning.deals.vocabulary import after_the_fact
from planning.errors import ConfigError, UsageError, nearest
from planning.language import _
from planning.tables.matching import match_columns
from planning.tables.raw import near
from planning.tables.schema import fields as deal_fields

CANONICAL = Path(__file__).with_name("canonical_families.toml")


@dataclass(frozen=True)
class Families:
    """`fields` per family in order, `known_at` per field, and the fields whose name is `trust`ed.

    `absent`: names of the file that the deals don't have, each with what to write instead, or nothing. `later`: fields
    known only from a stage after the moment at which the deals are taken. `unplaced`: fields whose stage the stage
    history does not have. `stages`: those of the stage history, where there is one. `source`: the file, for errors.
    """

    fields: Mapping[str, tuple[str, ...]]
    known_at: Mapping[str, str] = field(default_factory=dict)
    trust: frozenset[str] = frozenset()
    levers: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)
    later: Mapping[str, str] = field(default_factory=dict)
    unplaced: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[str, ...] = ()
    source: str = "families"

    @property
    def family_of(self) -> dict[str, str]:
        """Family of each field."""
        return {name: family for family, members in self.fields.items() for name in members}

    def refusal(self, name: str) -> tuple[str, str] | None:
        """Why a field may not be a cause by this table alone: (rule, evidence), or None."""
        known = str(self.known_at.get(name, "")).strip()
        if not known:
            return "no_known_at", _("no known_at is stated for it")
        if moments.is_closing(known):
            return "known_at_closing", _('known only at closing (known_at = "{known}")').format(known=known)
        if name in self.later:
            text = _("known only from {stage} on, after the moment at which the deals are taken")
            return "known_later", text.format(stage=self.later[name])
        if name in self.unplaced and (right := moments.near_stage(known, self.stages)):
            text = _("its known_at = “{stage}” is no stage of the stage history, nearly “{right}”")
            return "no_such_stage", text.format(stage=known, right=right)
        reason = names.closing_by_name(name)
        if reason and name not in self.trust:
            return "name_after_the_fact", (
                _(
                    'its name says {reason}, against known_at = "{known}"; add it to [trust] fields if it truly is'
                ).format(reason=after_the_fact(reason), known=known)
            )
        return None


@cache
def standard_levers() -> dict[str, str]:
    """Which way a person can move the fields of our own names: `response_hours` down, `contacts` up."""
    return dict(load_families(CANONICAL).levers)


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
        folder = _("{file}: is a folder, a file is meant. 'planning families' drafts one.")
        none = _("{file}: there is no such file. 'planning families' drafts one.")
        raise UsageError((folder if path.is_dir() else none).format(file=path))
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UsageError(_("{file}: not UTF-8 text. Save it as UTF-8.").format(file=path)) from error
    except tomllib.TOMLDecodeError as error:
        text = _('{file}: not TOML: {error}. Names with spaces need quotes: "Deal Size" = "creation".')
        raise ConfigError(text.format(file=path, error=error)) from error
    return parse_families(content, str(path))


def parse_families(content: Mapping, where: str) -> Families:
    """Checks the parsed content: every table is one that is meant, in its form, and no field is in two families.

    Raises ConfigError with one line a mistake: file, table, key, what was found, what to do.
    """
    form = families_form.read(content, where)
    if form.problems:
        raise ConfigError("\n".join(form.problems))
    return Families(form.fields, form.known_at, frozenset(form.trust), form.levers, form.owners, source=where)


def renamed(families: Families, names: Mapping[str, str]) -> Families:
    """The same table with fields under other names: an export's own words become those of the workspace."""
    new = lambda name: names.get(name, name)  # noqa: E731
    return replace(
        families,
        fields={family: tuple(map(new, members)) for family, members in families.fields.items()},
        known_at={new(name): when for name, when in families.known_at.items()},
        trust=frozenset(map(new, families.trust)),
        levers={new(name): way for name, way in families.levers.items()},
        owners={new(name): who for name, who in families.owners.items()},
    )


def restrict(families: Families, columns: list[str], *, tell: bool = False) -> Families:
    """Keeps the fields a table has; families without any stay, empty: they are not measured, which is not zero.

    tell: keep what was dropped in `absent`, for the audit to say: in a company's own file it is a misspelling.
    """
    have = set(columns)
    named = [name for _table, name in _names(families)] if tell else []
    return replace(
        families,
        fields={family: tuple(name for name in members if name in have) for family, members in families.fields.items()},
        known_at={name: when for name, when in families.known_at.items() if name in have},
        trust=families.trust & have,
        levers={name: way for name, way in families.levers.items() if name in have},
        owners={name: who for name, who in families.owners.items() if name in have},
        absent={name: nearest(name, columns) or "" for name in dict.fromkeys(named) if name not in have},
    )


def _names(families: Families) -> list[tuple[str, str]]:
    """Every field the file names, with the table that names it: the families first."""
    tables = {**families.fields, "known_at": families.known_at, "trust": sorted(families.trust),
              "levers": families.levers, "owners": families.owners}  # fmt: skip
    return [(table, name) for table, members in tables.items() for name in members]


def check_against(families: Families, columns: list[str], outcome: str) -> None:
    """Raises ConfigError for a name that the deals don't have (nearest named) or that is the outcome itself.

    Every table counts: a misspelt lever is moved by nobody, a misspelt [known_at] says nothing of its field.
    """
    problems = []
    for table, name in _names(families):
        if name == outcome and table in families.fields:
            text = _("{file}: [{table}] lists '{field}', which is the outcome itself. Take it out.")
            problems.append(text.format(file=families.source, table=table, field=name))
        elif name not in columns:
            hint = near(name, columns) or _(" Correct the name, or take it out.")
            text = _("{file}: [{table}] lists '{field}', which the deals don't have.{hint}")
            problems.append(text.format(file=families.source, table=table, field=name, hint=hint))
    if problems:
        raise ConfigError("\n".join(problems))


def check_id(families: Families, id_field: str | None) -> None:
    """Raises ConfigError where a family lists the column that names the deals: it is no cause."""
    found = [table for table, members in families.fields.items() if id_field in members]
    if found:
        raise ConfigError(
            f"{families.source}: [{found[0]}] lists {id_field!r}, which is the id of the deals. Take it out."
        )


def placed(families: Families, stages: Sequence[str]) -> Families:
    """The same table with the `stages` of a stage history, and the fields whose stage is none of them in `unplaced`."""
    known = {str(stage).casefold() for stage in stages}
    named = moments.named_stages(families.known_at, families.family_of)
    unplaced = {name: stage for stage, members in named.items() if stage.casefold() not in known for name in members}
    return replace(families, stages=tuple(map(str, stages)), unplaced=unplaced)


def check_stages(families: Families, deals: pd.DataFrame) -> None:
    """Raises ConfigError for a stage of [known_at] that is a misspelling of one in the deals' own stage column."""
    stages = moments.stages_of(deals)
    text = _("{file}: [known_at] {line}: the deals have no such stage. Did you mean {right}?")
    problems = [
        text.format(
            file=families.source, line=f"{key_of(members[0])} = {text_of(stage)}", right=text_of(right)
        )  # fmt: skip
        for stage, members in moments.named_stages(families.known_at, families.family_of).items()
        if (right := moments.near_stage(stage, stages))
    ]
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
    named = [name for name, when in known_at.items() if not moments.is_closing(when)]
    theirs = match_columns(deal_fields("deals"), named).theirs
    levers = {theirs.get(ours, ours): way for ours, way in standard_levers().items() if theirs.get(ours, ours) in named}
    return Families({family: tuple(fields[family]) for family in ranked}, known_at, levers=levers)


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
        lines += [f"[{key_of(family)}]", "fields = [", *(f"    {text_of(name)}," for name in members), "]", ""]
    lines.append("[known_at]")
    for members in families.fields.values():
        for name in members:
            note = f"  # {notes[name]}" if notes.get(name) else ""
            if name in families.known_at:
                lines.append(f"{key_of(name)} = {text_of(families.known_at[name])}{note}")
            else:
                lines.append(f'# {key_of(name)} = ""{note}'.replace("\n", " "))
    if families.trust:
        lines += ["", "[trust]", f"fields = [{', '.join(map(text_of, sorted(families.trust)))}]"]
    if families.levers:
        lines += ["", "[levers]  # what a person can move, and which way"]
        lines += [f"{key_of(name)} = {text_of(way)}" for name, way in families.levers.items()]
    return "\n".join(lines) + "\n"
