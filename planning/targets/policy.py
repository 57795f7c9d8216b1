"""The policy of a plan (P.toml): read strictly, so that a misspelt word never silently changes a target.

```
currency = "EUR"
by = ["region", "line"]
target = { commit = 0.80, target = 0.55, stretch = 0.25 }    # or { amount = 12_000_000 }
split = { method = "equal_probability" }                     # or "expected_share"
priority = [{ line = "Sensors", weight = 1.2 }]
bounds = [{ region = "North", min_growth = 0.0, max_growth = 0.25 }]
lock = [{ region = "South", line = "Valves", amount = 150_000 }]
capacity = [{ line = "Pumps", amount = 4_000_000, kind = "supply" }]
rates = { CHF = 1.05 }                                       # policy currency per unit, for other currencies in HISTORY
```
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planning.errors import ConfigError, DataError, UsageError, did_you_mean
from planning.targets import units

TOP = ("currency", "by", "target", "split", "priority", "bounds", "lock", "capacity", "rates", "fiscal_year_start")
TARGET_WORDS = ("commit", "target", "stretch", "amount", "accept_improbable")
METHODS = ("equal_probability", "expected_share")
VALUES = {
    "priority": ("weight",),
    "bounds": ("min_growth", "max_growth"),
    "lock": ("amount",),
    "capacity": ("amount", "kind", "owner"),
}
NEEDED = {"priority": ("weight",), "bounds": (), "lock": ("amount",), "capacity": ("amount",)}
CAPACITY_KINDS = ("supply", "cash", "headcount", "confirmation")


@dataclass(frozen=True)
class Rule:
    """One row of the policy: its `kind`, the cells it holds for (`keys`), its numbers (`values`)."""

    kind: str
    keys: tuple[tuple[str, str], ...]
    values: tuple[tuple[str, Any], ...]

    def get(self, name: str, default: Any = None) -> Any:
        """Returns one of the rule's values."""
        return dict(self.values).get(name, default)

    def place(self) -> str:
        """Returns the cells as text: `region=North, line=Pumps`, or `all cells`."""
        return ", ".join(f"{k}={v}" for k, v in self.keys) or "all cells"

    def text(self) -> str:
        """Returns the rule as a person wrote it: `bounds region=North: min_growth 0.0, max_growth 0.25`."""
        return f"{self.kind} {self.place()}: " + ", ".join(f"{k} {v}" for k, v in self.values)


@dataclass(frozen=True)
class Policy:
    """What was asked of a plan. Probabilities are attainment probabilities (0-1), `amount` is in minor units."""

    currency: str
    by: tuple[str, ...]
    commit: float = 0.80
    target: float = 0.55
    stretch: float = 0.25
    amount: int | None = None
    method: str = "equal_probability"
    rules: tuple[Rule, ...] = ()
    rates: Mapping[str, float] = field(default_factory=dict)
    fiscal_year_start: int = 1
    accept_improbable: bool = False
    path: str = "policy"

    @property
    def digits(self) -> int:
        """Decimals of the currency."""
        return units.digits_of(self.currency)

    def of(self, kind: str) -> tuple[Rule, ...]:
        """Returns the rules of one kind."""
        return tuple(rule for rule in self.rules if rule.kind == kind)


def read_policy(path: str | Path) -> Policy:
    """Reads P.toml. Raises ConfigError (exit 2) with every fault at once, each naming the nearest right key."""
    path = Path(path)
    if path.is_dir():
        raise UsageError(f"{path}: is a folder, a policy file is meant. Name the .toml file in it.")
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file. Write a policy (see 'planning targets --help').") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read ({error}). Save it as UTF-8 text.") from error
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: is not valid TOML: {error}.") from error
    return make_policy(content, str(path))


def make_policy(content: Mapping[str, Any], path: str = "policy") -> Policy:
    """Returns the policy of a parsed P.toml; ConfigError lists every fault, one a line."""
    faults: list[str] = []
    faults += _unknown(content, TOP, "")
    currency = _currency(content, faults)
    by = _by(content, faults)
    goal = _goal(content, currency, faults)
    split = _table(content, "split", ("method",), faults)
    method = split.get("method", METHODS[0])
    if method not in METHODS:
        faults.append(
            f"split.method: '{method}' is not known. It is one of: {', '.join(METHODS)}."
            f"{did_you_mean(str(method), METHODS)}"
        )
    rules = [rule for kind in VALUES for rule in _rules(content, kind, by, currency, faults)]
    rates = _rates(content, faults)
    start = content.get("fiscal_year_start", 1)
    if type(start) is not int or not 1 <= start <= 12:
        faults.append(f"fiscal_year_start: {start!r} is not a month. Write 1 to 12.")
    if faults:
        raise ConfigError("\n".join(f"{path}: {fault}" for fault in faults))
    return Policy(
        currency, tuple(by), **goal, method=method, rules=tuple(rules), rates=rates, fiscal_year_start=start, path=path
    )


def policy_of(settings: Any, priorities: Any = None) -> Policy:
    """Returns the policy of a workspace: its policy file where it names one, else its keys, currency and chances.

    priorities: the table `dimension, key, weight, min_growth, max_growth`; rows on keys the plan is not split over are
    left out. Rules of the table come after those of the file.
    """
    plan, company = settings.plan, settings.company
    if plan.policy:
        own = read_policy(settings.root / plan.policy)
    else:
        own = Policy(
            currency=company.currency,
            by=tuple(plan.by),
            commit=plan.attainment.commit,
            target=plan.attainment.target,
            stretch=plan.attainment.stretch,
            fiscal_year_start=settings.calendar.fiscal_year_start,
            path="workbench.toml",
        )
    rules = list(own.rules)
    for row in [] if priorities is None else priorities.to_dict("records"):
        if row["dimension"] not in own.by:
            continue
        keys = ((row["dimension"], str(row["key"])),)
        given = {name: row[name] for name in ("weight", "min_growth", "max_growth") if _number(row.get(name))}
        if given.get("weight", 1.0) != 1.0:
            rules.append(Rule("priority", keys, (("weight", given["weight"]),)))
        growth = tuple((name, given[name]) for name in ("min_growth", "max_growth") if name in given)
        if growth:
            rules.append(Rule("bounds", keys, growth))
    return dataclasses.replace(own, rules=tuple(rules))


def _unknown(table: Mapping[str, Any], known: Iterable[str], where: str) -> list[str]:
    known = list(known)
    return [
        f"unknown key '{where}{key}'.{did_you_mean(key, known)} Known: {', '.join(known)}."
        for key in table
        if key not in known
    ]


def _table(content: Mapping[str, Any], name: str, known: tuple[str, ...], faults: list[str]) -> Mapping[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, Mapping):
        faults.append(f"{name}: {table!r} is not a table. Write {name} = {{ {known[0]} = ... }}.")
        return {}
    faults += _unknown(table, known, f"{name}.")
    return table


def _currency(content: Mapping[str, Any], faults: list[str]) -> str:
    currency = content.get("currency")
    if not (isinstance(currency, str) and len(currency) == 3 and currency.isalpha() and currency.isupper()):
        shown = "is missing" if currency is None else f"{currency!r} is not a currency code"
        faults.append(f'currency: {shown}. Write three capital letters, such as currency = "EUR".')
        return "EUR"
    return currency


def _by(content: Mapping[str, Any], faults: list[str]) -> list[str]:
    by = content.get("by")
    if not isinstance(by, list) or not by or not all(isinstance(key, str) and key for key in by):
        faults.append('by: name the key columns the target is split over, such as by = ["region", "line"].')
        return []
    for key in sorted({key for key in by if by.count(key) > 1}):
        faults.append(f"by: '{key}' stands twice. Name each key once.")
    return by


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _goal(content: Mapping[str, Any], currency: str, faults: list[str]) -> dict[str, Any]:
    table = _table(content, "target", TARGET_WORDS, faults)
    goal: dict[str, Any] = {}
    for name, default in (("commit", 0.80), ("target", 0.55), ("stretch", 0.25)):
        chance = table.get(name, default)
        if not _number(chance) or not 0 < chance < 1:
            hint = f" Did you mean {chance / 100}?" if _number(chance) and 1 < chance < 100 else ""
            faults.append(f"target.{name}: {chance!r} is not a probability between 0 and 1.{hint}")
            chance = default
        goal[name] = float(chance)
    if not faults and not goal["commit"] >= goal["target"] >= goal["stretch"]:
        faults.append("target: the chances must fall from commit to target to stretch, such as 0.80, 0.55, 0.25.")
    accept = table.get("accept_improbable", False)
    if not isinstance(accept, bool):
        faults.append(f"target.accept_improbable: {accept!r} is not true or false.")
    goal["accept_improbable"] = bool(accept)
    goal["amount"] = _amount(table, "target", currency, faults) if "amount" in table else None
    return goal


def _amount(table: Mapping[str, Any], where: str, currency: str, faults: list[str]) -> int | None:
    amount = table["amount"]
    if not _number(amount) or amount < 0 or (where == "target" and amount == 0):
        kind = "above 0" if where == "target" else "0 or above"
        faults.append(f"{where}.amount: {amount!r} is not an amount {kind}. Write a plain number, such as 150_000.")
        return None
    try:
        return units.to_minor(amount, units.digits_of(currency))
    except DataError as error:
        faults.append(f"{where}.amount: {error}")
        return None


def _rules(content: Mapping[str, Any], kind: str, by: list[str], currency: str, faults: list[str]) -> list[Rule]:
    rows = content.get(kind, [])
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        faults.append(
            f"{kind}: write a list of tables, such as {kind} = [{{ {(by or ['region'])[0]} = ..., "
            f"{VALUES[kind][0]} = ... }}]."
        )
        return []
    return [_rule(row, kind, f"{kind}[{i}]", by, currency, faults) for i, row in enumerate(rows, start=1)]


def _rule(row: Mapping[str, Any], kind: str, where: str, by: list[str], currency: str, faults: list[str]) -> Rule:
    known = [*by, *VALUES[kind]]
    faults += _unknown(row, known, f"{where}.")
    missing = [name for name in NEEDED[kind] if name not in row]
    if kind == "bounds" and not {"min_growth", "max_growth"} & set(row):
        missing = ["min_growth or max_growth"]
    faults += [f"{where}: {name} is missing." for name in missing]
    keys = tuple((key, str(row[key])) for key in by if key in row)
    if kind == "lock" and not keys:
        faults.append(f"{where}: names no cell. To fix the whole target write target = {{ amount = ... }}.")
    values = []
    for name in VALUES[kind]:
        if name not in row:
            continue
        value = row[name]
        if name == "amount":
            value = _amount(row, where, currency, faults)
        elif name == "kind" and value not in CAPACITY_KINDS:
            faults.append(
                f"{where}.kind: '{value}' is not known. It is one of: {', '.join(CAPACITY_KINDS)}."
                f"{did_you_mean(str(value), CAPACITY_KINDS)}"
            )
        elif name in ("weight", "min_growth", "max_growth"):
            lowest = -1.0 if name != "weight" else 0.0
            if not _number(value) or value < lowest or (name == "weight" and value == 0):
                faults.append(
                    f"{where}.{name}: {value!r} is not a number {'above 0' if name == 'weight' else 'of -1 or above'}."
                )
        values.append((name, value))
    return Rule(kind, keys, tuple(values))


def _rates(content: Mapping[str, Any], faults: list[str]) -> dict[str, float]:
    rates = content.get("rates", {})
    if not isinstance(rates, Mapping):
        faults.append("rates: write a table, such as rates = { CHF = 1.05 }.")
        return {}
    for code, rate in rates.items():
        if not _number(rate) or rate <= 0:
            faults.append(f"rates.{code}: {rate!r} is not a rate above 0 (policy currency per unit).")
    return dict(rates)
