"""What a notebook says it reads: the literals of its `begin(...)` call, read with `ast` before anything runs.

```python
step = begin(globals(), "annual_targets", tables=["sales"], results={"demand_forecast": ["joint"]})
```

From these follow the order of a flow's steps, what may run side by side, and what a result may be reused for. So the
arguments are literals, and at run time a table or result that was not declared is refused.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planning.errors import ConfigError
from planning.runs.parameters import Parameter, code_cells, of_notebook

KEYWORDS = ("tables", "optional", "results", "optional_results", "files", "seed")


@dataclass(frozen=True)
class Declaration:
    """The contract of one notebook: its file, parameters, tables read and earlier results used."""

    notebook: str
    path: Path
    parameters: tuple[Parameter, ...] = ()
    tables: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    results: dict[str, tuple[str, ...]] = field(default_factory=dict)
    optional_results: dict[str, tuple[str, ...]] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    seed: int | None = None
    begins: bool = True

    @property
    def needs(self) -> set[str]:
        """The notebooks that come first where they are part of the same flow."""
        return set(self.results) | set(self.optional_results)


def read(path: str | Path) -> Declaration:
    """Returns what the notebook at `path` declares; ConfigError names the argument of `begin` that is no literal.

    A notebook without `begin` is one too: it has parameters, reads no declared input and is never reused.
    """
    path = Path(path)
    parameters = tuple(of_notebook(path))
    for cell in code_cells(path):
        call = _begin_call("".join(cell["source"]), path.stem)
        if call is not None:
            return _declared(call, path, parameters)
    return Declaration(path.stem, path, parameters, begins=False)


def _begin_call(source: str, name: str) -> ast.Call | None:
    lines = [line if not line.lstrip().startswith(("%", "!")) else "" for line in source.splitlines()]
    try:
        tree = ast.parse("\n".join(lines))
    except SyntaxError:
        return None
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return next((call for call in calls if ast.unparse(call.func).split(".")[-1] == "begin"), None)


def _declared(call: ast.Call, path: Path, parameters: tuple[Parameter, ...]) -> Declaration:
    if len(call.args) != 2 or ast.unparse(call.args[0]) != "globals()":
        raise ConfigError(f'{path.name}: write begin(globals(), "{path.stem}", tables=[...], ...).')
    name = _value(call.args[1], "the name", path)
    if name != path.stem:
        raise ConfigError(f"{path.name}: begin names '{name}', the file is '{path.stem}'. Make them equal.")
    given: dict[str, Any] = {}
    for keyword in call.keywords:
        if keyword.arg not in KEYWORDS:
            raise ConfigError(f"{path.name}: begin has no argument '{keyword.arg}'. It has: {', '.join(KEYWORDS)}.")
        given[keyword.arg] = _value(keyword.value, keyword.arg, path)
    return Declaration(
        name, path, parameters,
        tuple(given.get("tables", ())), tuple(given.get("optional", ())),
        {key: tuple(names) for key, names in given.get("results", {}).items()},
        {key: tuple(names) for key, names in given.get("optional_results", {}).items()},
        tuple(given.get("files", ())), given.get("seed"),
    )  # fmt: skip


def _value(node: ast.expr, what: str, path: Path) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise ConfigError(
            f"{path.name}: {what} of begin is `{ast.unparse(node)}`, which is no literal. Write the names out, so that "
            "the order of a flow is known before it runs."
        ) from None
