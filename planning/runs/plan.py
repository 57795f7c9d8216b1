"""What a run will do, settled before anything starts: steps, their order, every parameter's value.

Each mistake of the command (an unknown flow, parameter or value; a circle of notebooks; a result that nobody made yet)
is told here, all at once, before a kernel starts or a folder is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planning.errors import UsageError, did_you_mean
from planning.runs import declaration, layout, parameters, registry
from planning.runs.declaration import Declaration


@dataclass
class Planned:
    """One step: its notebook's declaration, its parameters in normalised form, where earlier results come from."""

    declared: Declaration
    parameters: dict[str, Any]
    before: set[str] = field(default_factory=set)
    required: set[str] = field(default_factory=set)
    outside: dict[str, Path] = field(default_factory=dict)

    @property
    def notebook(self) -> str:
        return self.declared.notebook


@dataclass
class Plan:
    """A flow's name and its steps in an order in which each comes after what it needs."""

    flow: str
    steps: list[Planned]
    given: dict[str, Any]
    target: str = ""


def make(root: Path, settings: Any, target: str, given: Mapping[str, Any] | None = None) -> Plan:
    """Returns the plan of running `target`, a flow of workbench.toml or a notebook by name or path.

    given: parameter values, as text or typed; `name` goes to each notebook that declares it, `notebook.name` to one.
    Raises UsageError with one line a mistake.
    """
    flow, paths, preset = _steps_of(root, settings, target)
    declared = [declaration.read(path) for path in paths]
    values = _values(declared, {**preset, **(given or {})}, settings.company.language)
    names = {one.notebook for one in declared}
    steps = [
        Planned(one, values[one.notebook], one.needs & names - {one.notebook}, set(one.results) & names)
        for one in declared
    ]
    _find_outside(layout.reports(root), steps, names)
    return Plan(flow, _ordered(steps), dict(given or {}), target)


def _steps_of(root: Path, settings: Any, target: str) -> tuple[str, list[Path], dict[str, Any]]:
    if target in settings.flows:
        flow = settings.flows[target]
        return target, [layout.notebook(root, name) for name in dict.fromkeys(flow.steps)], dict(flow.parameters)
    if target.endswith(".ipynb") or "/" in target:
        path = Path(target).resolve()
        if not path.is_file():
            raise UsageError(f"{path}: there is no such notebook. See the folder notebooks/.")
        return path.stem, [path], {}
    known = layout.notebooks(root)
    if target not in known:
        choices = [*settings.flows, *known]
        raise UsageError(
            f"there is no flow or notebook '{target}'.{did_you_mean(target, choices)} "
            f"Flows: {', '.join(settings.flows) or 'none'}. Notebooks: {', '.join(known) or 'none'}."
        )
    return target, [known[target]], {}


def _values(declared: Sequence[Declaration], given: Mapping[str, Any], language: str) -> dict[str, dict[str, Any]]:
    faults: list[str] = []
    mine: dict[str, dict[str, Any]] = {one.notebook: {} for one in declared}
    accepts = {one.notebook: [parameter.name for parameter in one.parameters] for one in declared}
    everything = sorted({name for names in accepts.values() for name in names})
    for key, value in given.items():
        notebook, _dot, name = key.rpartition(".")
        takers = [notebook] if notebook else [one for one, names in accepts.items() if name in names]
        if notebook and notebook not in mine:
            faults.append(
                f"-p {key}: there is no step '{notebook}'.{did_you_mean(notebook, mine)} Steps: {', '.join(mine)}."
            )
            continue
        if not takers or name not in accepts[takers[0]]:
            where = notebook or (f"{declared[0].notebook}" if len(declared) == 1 else "no notebook of this flow")
            verb = "has no parameter" if notebook or len(declared) == 1 else "has the parameter"
            faults.append(
                f"{where} {verb} '{name}'.{did_you_mean(name, everything)} "
                f"Parameters: {', '.join(everything) or 'none'}."
            )
            continue
        for taker in takers:
            if notebook or name not in mine[taker] or f"{taker}.{name}" not in given:
                mine[taker][name] = value
    values: dict[str, dict[str, Any]] = {}
    for one in declared:
        if "language" in accepts[one.notebook]:
            mine[one.notebook].setdefault("language", language)
        try:
            values[one.notebook] = parameters.resolve(one.parameters, mine[one.notebook], one.notebook)
        except UsageError as error:
            faults += str(error).splitlines()
    if faults:
        raise UsageError("\n".join(dict.fromkeys(faults)))
    return values


def _find_outside(reports: Path, steps: Sequence[Planned], inside: set[str]) -> None:
    """Finds the latest results of notebooks that are needed and not part of this run; says what is missing."""
    faults: list[str] = []
    for step in steps:
        for name in step.declared.needs - inside:
            latest = registry.latest_results(reports, name)
            if latest is not None:
                step.outside[name] = latest
            elif name in step.declared.results:
                known = any(one["notebook"] == name for record in registry.runs(reports) for one in record["steps"])
                found = "has no finished run that counts" if known else "has not been run"
                faults.append(
                    f"{step.notebook} needs results of {name}, which {found}. Run 'planning run {name}' first."
                )
    if faults:
        raise UsageError("\n".join(faults))


def _ordered(steps: Sequence[Planned]) -> list[Planned]:
    """The steps in the flow's order, each after those it needs; UsageError names a circle."""
    left, done, order = list(steps), set(), []
    while left:
        ready = [step for step in left if step.before <= done]
        if not ready:
            circle = ", ".join(step.notebook for step in left)
            raise UsageError(
                f"these notebooks need one another in a circle: {circle}. Remove one of the results in begin(...)."
            )
        order.append(ready[0])
        done.add(ready[0].notebook)
        left.remove(ready[0])
    return order
