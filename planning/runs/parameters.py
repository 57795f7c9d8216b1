"""The parameters of a notebook, read from its own `parameters` cell and held strictly.

```python
horizon: int = 12                       # months ahead
language: Literal["en", "zh"] = "en"    # language of the page
as_of: Optional[date] = None            # last day of data used; empty: all
```

One `name: annotation = literal  # help` a statement; types int, float, bool, str, date, Literal, list and Optional
(`X | None`). The cell is read with `ast`, never executed; a name, a type or a value that does not fit is refused before
a kernel starts. The normalised form of a value is what JSON holds (dates as ISO text), so that 1 and 1.0 of a float
are the same run.
"""

from __future__ import annotations

import ast
import datetime as dt
import io
import json
import math
import re
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from planning.errors import ConfigError, UsageError, did_you_mean

_WHOLE = re.compile(r"[+-]?\d+\Z")
PLAIN = ("int", "float", "bool", "str", "date")
IMPORTS = {"__future__", "typing", "datetime"}


@dataclass(frozen=True)
class Kind:
    """The type of one parameter: a plain name, "literal" with its choices, or "list" with the kind of its items."""

    name: str
    choices: tuple[Any, ...] = ()
    item: Kind | None = None
    optional: bool = False

    def describe(self) -> str:
        """Returns what a person may write, such as `a whole number` or `one of: en, zh`."""
        words = {
            "int": "a whole number",
            "float": "a number",
            "bool": "true or false",
            "str": "text",
            "date": "a date as 2026-12-31",
            "literal": "one of: " + ", ".join(map(str, self.choices)),
        }
        text = words.get(self.name) or f"a list, each item {self.item.describe()}"
        return text + (", or empty" if self.optional else "")


@dataclass(frozen=True)
class Parameter:
    """One declared parameter. `default` is in normalised (JSON) form."""

    name: str
    kind: Kind
    default: Any
    help: str = ""

    def normalise(self, value: Any) -> Any:
        """Returns `value` (a text, or a value of TOML or Python) in JSON form; UsageError says why not."""
        try:
            return _normalise(value, self.kind)
        except ValueError as error:
            reason = f" ({error})" if str(error) else ""
            hint = did_you_mean(str(value), map(str, self.kind.choices)) if self.kind.choices else ""
            raise UsageError(
                f"parameter {self.name}: {value!r} is not {self.kind.describe()}{reason}.{hint} "
                f"Write -p {self.name}={_example(self)}."
            ) from None

    def native(self, value: Any) -> Any:
        """Returns a normalised value as Python has it: ISO text becomes a date."""
        return _native(value, self.kind)


def _example(parameter: Parameter) -> str:
    if parameter.default not in (None, "", []):
        return json.dumps(parameter.default, ensure_ascii=False).strip('"')
    example = {"int": "12", "float": "0.5", "bool": "true", "date": "2026-12-31", "str": "text"}
    return example.get(parameter.kind.name) or ",".join(map(str, parameter.kind.choices[:1])) or "a,b"


def _normalise(value: Any, kind: Kind) -> Any:
    if value is None or (kind.optional and isinstance(value, str) and value.strip().lower() in ("", "none", "null")):
        if kind.optional:
            return None
        raise ValueError("empty")
    return (
        {
            "int": _whole,
            "float": _real,
            "bool": _truth,
            "str": _text,
            "date": _date,
        }[kind.name](value)
        if kind.name in PLAIN
        else _chosen(value, kind)
        if kind.name == "literal"
        else _items(value, kind)
    )


def _whole(value: Any) -> int:
    if isinstance(value, bool):
        raise ValueError
    if isinstance(value, str):
        if not _WHOLE.match(value.strip()):
            raise ValueError
        return int(value)
    if value != int(value):
        raise ValueError
    return int(value)


def _real(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError
    try:
        number = float(value)
    except ValueError:
        raise ValueError from None
    if not math.isfinite(number):
        raise ValueError("not finite")
    return number


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in ("true", "yes", "1", "on"):
        return True
    if word in ("false", "no", "0", "off"):
        return False
    raise ValueError


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _date(value: Any) -> str:
    if isinstance(value, dt.datetime):
        raise ValueError("has a time")
    if isinstance(value, dt.date):
        return value.isoformat()
    try:
        return dt.date.fromisoformat(str(value).strip()).isoformat()
    except ValueError:
        raise ValueError("no such day, or not ISO") from None


def _chosen(value: Any, kind: Kind) -> Any:
    for choice in kind.choices:
        if value == choice and isinstance(value, bool) == isinstance(choice, bool):
            return choice
        if isinstance(value, str) and value.strip() == str(choice):
            return choice
    raise ValueError


def _items(value: Any, kind: Kind) -> list[Any]:
    if isinstance(value, str):
        text = value.strip()
        value = json.loads(text) if text.startswith("[") else [part.strip() for part in text.split(",") if part.strip()]
    if not isinstance(value, list | tuple):
        raise ValueError
    return [_normalise(item, kind.item) for item in value]


def _native(value: Any, kind: Kind) -> Any:
    if value is None:
        return None
    if kind.name == "date":
        return dt.date.fromisoformat(value)
    if kind.name == "list":
        return [_native(item, kind.item) for item in value]
    return value


def of_notebook(path: str | Path) -> list[Parameter]:
    """Returns the parameters a notebook declares, in order; empty when it has no `parameters` cell.

    Raises ConfigError with file and line for a statement that is not `name: annotation = literal`.
    """
    cell = next((cell for cell in code_cells(path) if "parameters" in cell["metadata"].get("tags", [])), None)
    return [] if cell is None else of_source("".join(cell["source"]), str(Path(path).name))


def code_cells(path: str | Path) -> list[dict[str, Any]]:
    """Returns a notebook's code cells as plain dicts; UsageError when the file is not a notebook."""
    try:
        notebook = json.loads(Path(path).read_text(encoding="utf-8"))
        return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such notebook. See the folder notebooks/.") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: cannot be read as a notebook ({error}). Open and save it in JupyterLab.") from None


def of_source(source: str, name: str = "parameters") -> list[Parameter]:
    """Returns the parameters declared in the text of a `parameters` cell.

    >>> [p.name for p in of_source("horizon: int = 12  # months ahead")]
    ['horizon']
    """
    try:
        body = ast.parse(source).body
    except SyntaxError as error:
        raise ConfigError(
            f"{name}, parameters cell, line {error.lineno}: {error.msg}. Write `name: type = value  # help`."
        ) from None
    comments = _comments(source)
    found: list[Parameter] = []
    for statement in body:
        if isinstance(statement, ast.ImportFrom) and statement.module in IMPORTS:
            continue
        parameter = _declared(statement, comments, name)
        if any(parameter.name == other.name for other in found):
            raise ConfigError(
                f"{name}, parameters cell, line {statement.lineno}: {parameter.name} is declared twice. Keep one."
            )
        found.append(parameter)
    return found


def _comments(source: str) -> dict[int, str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return {token.start[0]: token.string.lstrip("# ").rstrip() for token in tokens if token.type == tokenize.COMMENT}


def _declared(statement: ast.stmt, comments: Mapping[int, str], name: str) -> Parameter:
    place = f"{name}, parameters cell, line {statement.lineno}"
    if not (
        isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name) and statement.value is not None
    ):
        raise ConfigError(f"{place}: is not a parameter. Write `name: type = value  # help`, one a line.")
    try:
        kind = _kind(statement.annotation)
    except ValueError as error:
        raise ConfigError(
            f"{place}: type {error} is not known. "
            "Use int, float, bool, str, date, Literal[...], list[...] or Optional[...]."
        ) from None
    try:
        default = _normalise(_literal(statement.value), kind)
    except ValueError:
        raise ConfigError(
            f"{place}: the default {ast.unparse(statement.value)} of {statement.target.id} is not "
            f"{kind.describe()}. Correct one of them."
        ) from None
    return Parameter(statement.target.id, kind, default, comments.get(statement.end_lineno or 0, ""))


def _literal(node: ast.expr) -> Any:
    """The value of a literal; `date(2026, 12, 31)` counts as one."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in ("date", "datetime.date") and not node.keywords:
        return dt.date(*[ast.literal_eval(argument) for argument in node.args])
    return ast.literal_eval(node)


def _kind(node: ast.expr) -> Kind:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _kind(ast.parse(node.value, mode="eval").body)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = [
            side for side in (node.left, node.right) if not (isinstance(side, ast.Constant) and side.value is None)
        ]
        if len(sides) == 1:
            return _optional(_kind(sides[0]))
        raise ValueError(ast.unparse(node))
    name = ast.unparse(node.value if isinstance(node, ast.Subscript) else node).split(".")[-1]
    if not isinstance(node, ast.Subscript):
        if name not in PLAIN:
            raise ValueError(ast.unparse(node))
        return Kind(name)
    if name == "Optional":
        return _optional(_kind(node.slice))
    if name == "Literal":
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        choices = tuple(ast.literal_eval(item) for item in items)
        return Kind("literal", tuple(choice for choice in choices if choice is not None), optional=None in choices)
    if name in ("list", "List"):
        return Kind("list", item=_kind(node.slice))
    raise ValueError(ast.unparse(node))


def _optional(kind: Kind) -> Kind:
    return Kind(kind.name, kind.choices, kind.item, optional=True)


def resolve(declared: Iterable[Parameter], given: Mapping[str, Any], notebook: str) -> dict[str, Any]:
    """Returns every parameter of a notebook with its value in normalised form: the given one, else the default.

    Raises UsageError, one line a fault, for a name the notebook does not declare (with the nearest) or a value that
    does not fit its type.
    """
    declared = list(declared)
    names = [parameter.name for parameter in declared]
    faults = [
        f"{notebook} has no parameter '{name}'.{did_you_mean(name, names)} It has: {', '.join(names) or 'none'}."
        for name in given
        if name not in names
    ]
    values: dict[str, Any] = {}
    for parameter in declared:
        try:
            values[parameter.name] = (
                parameter.normalise(given[parameter.name]) if parameter.name in given else parameter.default
            )
        except UsageError as error:
            faults.append(f"{notebook}: {error}")
    if faults:
        raise UsageError("\n".join(faults))
    return values


def from_command_line(pairs: Iterable[str]) -> dict[str, str]:
    """Returns `name=value` texts as a dict; UsageError for a missing `=`, a wrong name, or one given twice."""
    values: dict[str, str] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        name = name.strip()
        if not sign:
            raise UsageError(f"-p {pair}: has no '='. Write -p name=value.")
        if not all(part.isidentifier() for part in name.split(".")) or name.count(".") > 1:
            raise UsageError(f"-p {pair}: '{name}' is not a name. Write -p name=value, or -p notebook.name=value.")
        if name in values:
            raise UsageError(f"-p {name}: given twice. Keep one.")
        values[name] = value
    return values
