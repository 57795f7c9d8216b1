"""The form of a families file: which tables and keys it may have; every mistake is told with what was likely meant."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from planning.deals import moments
from planning.language import _
from planning.tables.raw import near

RESERVED = ("known_at", "trust", "levers", "owners")
# How alike a table's name and one of these are where it is a misspelling: more, where the table has a family's form.
NEAR_A_FAMILY, NEAR_NO_FAMILY = 0.9, 0.75


@dataclass
class Form:
    """What the file says, table by table, and its `problems`, one line each."""

    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    known_at: dict[str, str] = field(default_factory=dict)
    trust: list[str] = field(default_factory=list)
    levers: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read(content: Mapping, where: str) -> Form:
    """Returns what a parsed families file says; `where` names the file in its problems."""
    form = Form()
    told = form.problems
    form.fields = _family_tables(content, where, told)
    form.known_at = _pairs(content, "known_at", where, told, 'region = "creation"')
    form.levers = _pairs(content, "levers", where, told, _('response_hours = "down" (or "up")'), ("up", "down"))
    form.owners = _pairs(content, "owners", where, told, 'response_hours = "Sales"')
    form.trust = _trusted(content.get("trust", {}), where, told)
    odd = _('{file}: [known_at] {line} is not "creation" or "closing", nor likely a stage. Did you mean "{right}"?')
    told += [
        odd.format(file=where, line=f"{key_of(name)} = {text_of(when)}", right=right)
        for name, when in form.known_at.items()
        if (right := moments.meant(when))
    ]
    if not form.fields and not told:
        told.append(_('{file}: no family. Write at least one: [product] fields = ["..."].').format(file=where))
    return form


def _family_tables(content: Mapping, where: str, problems: list[str]) -> dict[str, tuple[str, ...]]:
    """The families with their fields; what is no family is told, with the table that was most likely meant."""
    fields: dict[str, tuple[str, ...]] = {}
    owner: dict[str, str] = {}
    for family, table in content.items():
        if family in RESERVED:
            continue
        members = table.get("fields") if isinstance(table, Mapping) else table
        right = isinstance(members, list | tuple) and all(isinstance(name, str) for name in members)
        reserved = _reserved(family, NEAR_A_FAMILY if right else NEAR_NO_FAMILY)
        if reserved and not (right and reserved == "owners"):  # a family may well be called [owner]
            text = _("{file}: [{table}] is no family. Did you mean [{meant}]?")
            problems.append(text.format(file=where, table=family, meant=reserved))
            continue
        if not right:
            text = _('{file}: [{table}] needs fields = ["name", ...].{found} Tables that are no family: {others}.')
            others = ", ".join(f"[{name}]" for name in RESERVED)
            problems.append(text.format(file=where, table=family, found=_found(table, members), others=others))
            continue
        extra = [key for key in table if key != "fields"] if isinstance(table, Mapping) else []
        problems += [_unknown_key(where, family, key, near(key, ["fields"])) for key in extra]
        for name in members:
            if name in owner and owner[name] != family:
                text = _("{file}: field '{field}' is in [{one}] and in [{other}]. Keep it in one family.")
                problems.append(text.format(file=where, field=name, one=owner[name], other=family))
            owner[name] = family
        fields[family] = tuple(dict.fromkeys(members))
    return fields


def _reserved(table: str, near: float) -> str | None:
    """The table of another kind that a misspelt one most likely is: `knownat`, `known-at`, `lever`."""
    plain = {re.sub(r"[\W_]+", "", name): name for name in RESERVED}
    found = difflib.get_close_matches(re.sub(r"[\W_]+", "", table).casefold(), list(plain), n=1, cutoff=near)
    return plain[found[0]] if found else None


def _unknown_key(where: str, table: str, key: str, hint: str) -> str:
    return _("{file}: [{table}] has an unknown key '{key}'.{hint}").format(file=where, table=table, key=key, hint=hint)


def _found(table: object, members: object) -> str:
    """What stands where a list of names is meant."""
    if members is None and isinstance(table, Mapping):
        keys = list(table)[:3]
        if not keys:
            return _(" It is empty.")
        return _(" It has: {names}.").format(names=", ".join(keys)) + near(keys[0], ["fields"])
    return _(" Found: {value}.").format(value=_shown(members))


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _pairs(
    content: Mapping, table: str, where: str, problems: list[str], example: str, allowed: tuple[str, ...] = ()
) -> dict[str, str]:
    """A table of texts by field, such as [known_at]; every line that is none is told."""
    found = content.get(table, {})
    text = _("{file}: [{table}] needs lines such as {example}. Found: {value}.{hint}")
    if not isinstance(found, Mapping):
        problems.append(text.format(file=where, table=table, example=example, value=_shown(found), hint=""))
        return {}
    wrong = {
        name: value for name, value in found.items()
        if not isinstance(value, str) or (allowed and value.strip() not in allowed)
    }  # fmt: skip
    problems += [
        text.format(
            file=where,
            table=table,
            example=example,
            value=f"{key_of(name)} = {_shown(value)}",
            hint=near(value, allowed) if isinstance(value, str) else "",
        )  # fmt: skip
        for name, value in wrong.items()
    ]
    return {name: value.strip() for name, value in found.items() if name not in wrong}


def _trusted(trust: object, where: str, problems: list[str]) -> list[str]:
    """The names of [trust] fields, a list of texts."""
    keys = [key for key in trust if key != "fields"] if isinstance(trust, Mapping) else []
    problems += [
        _unknown_key(where, "trust", key, near(key, ["fields"]) or _(" It has: {names}.").format(names="fields"))
        for key in keys
    ]
    names_of = trust.get("fields", []) if isinstance(trust, Mapping) else trust
    if isinstance(names_of, list | tuple) and all(isinstance(name, str) for name in names_of):
        return list(names_of)
    example = f'fields = ["{names_of}"]' if isinstance(names_of, str) else 'fields = ["name", ...]'
    text = _("{file}: [trust] fields = {value}: a list of names is meant. Write {example}.")
    problems.append(text.format(file=where, value=_shown(names_of), example=example))
    return []


def text_of(value: str) -> str:
    """Returns a text as TOML writes it."""
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def key_of(name: str) -> str:
    """Returns a name as a key of TOML."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else text_of(name)
