"""What notebooks import while they run, kept for the next warm process to import before its first fork.

A notebook's own import lines are read from its source (`kernels.preload_for`); what the package brings in late, inside
functions, is only known once it has run. `step.finish()` writes down the modules that came since `begin`, the runner
keeps them by notebook in `reports/.imports.json`. Losing that file costs a second of the next run, nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from planning import files

FILE = ".imports.json"
# The compiled kernels know where their cache lies only when they are asked for by their own door.
DOORS = {"planning.forecast.kernels": "planning.forecast.compiled:kernels"}


def known(reports: Path, notebooks: Iterable[str]) -> list[str]:
    """Returns the modules that these notebooks imported when they ran before."""
    kept = _read(reports)
    return list(dict.fromkeys(name for notebook in notebooks for name in kept.get(notebook, ())))


def keep(reports: Path, notebook: str, written: Path) -> None:
    """Adds the modules that a notebook wrote to `written` when it finished; nothing happens where it wrote none."""
    try:
        modules = json.loads(written.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    kept = _read(reports)
    mine = dict.fromkeys([*kept.get(notebook, ()), *(DOORS.get(name, name) for name in modules)])
    if list(mine) != kept.get(notebook):
        files.write_json(reports / FILE, {**kept, notebook: list(mine)})


def forget(reports: Path) -> None:
    """Drops what was kept: one of these modules does not bear a fork."""
    (reports / FILE).unlink(missing_ok=True)


def _read(reports: Path) -> dict[str, list[str]]:
    try:
        return json.loads((reports / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
