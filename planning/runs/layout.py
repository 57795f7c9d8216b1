"""Where things lie: the workspace, its notebooks, its reports, and one run's folder.

```
reports/index.html                       the gallery
reports/<flow>/<run-id>/                 a finished run        (run.json, <notebook>.ipynb, .html, results/, logs/)
reports/<flow>/.partial-<run-id>/        one being written, or one whose process died
reports/.by-hand/<notebook>/             what a notebook emitted when it was run by hand in JupyterLab
reports/.locks/<run-id>.lock             held by flock while the run is written
reports/.imports.json                    what notebooks imported late (imports)
```
"""

from __future__ import annotations

import datetime as dt
import os
import re
import secrets
from pathlib import Path

from planning.errors import UsageError, did_you_mean

RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}\Z")
PARTIAL = ".partial-"
CONFIG = "workbench.toml"


def workspace(start: str | Path | None = None) -> Path:
    """Returns the folder that holds `workbench.toml`, looking upward from `start` (the current folder).

    Raises UsageError with the way to make one.
    """
    here = Path(start or Path.cwd()).resolve()
    places = [here, *here.parents]
    if start is None and "PLANNING_WORKSPACE" in os.environ:  # a kernel whose notebook lies elsewhere
        places.append(Path(os.environ["PLANNING_WORKSPACE"]))
    for folder in places:
        if (folder / CONFIG).is_file():
            return folder
    raise UsageError(f"{here}: no {CONFIG} here or above. Go to your workspace, or make one with 'planning init DIR'.")


def reports(root: Path) -> Path:
    """Returns the folder of all runs."""
    return root / "reports"


def notebooks(root: Path) -> dict[str, Path]:
    """Returns the workspace's notebooks by name."""
    return {path.stem: path for path in sorted((root / "notebooks").glob("*.ipynb"))}


def notebook(root: Path, name: str) -> Path:
    """Returns the path of a notebook by name; UsageError names the nearest."""
    known = notebooks(root)
    if name not in known:
        raise UsageError(
            f"there is no notebook '{name}' in {root / 'notebooks'}.{did_you_mean(name, known)} "
            f"There are: {', '.join(known) or 'none'}."
        )
    return known[name]


def new_run_id(now: dt.datetime | None = None) -> str:
    """Returns `YYYYMMDDTHHMMSSZ-<6 hex>`: three digits for the part of the second, so that runs of one second sort in
    their order (a fast run takes less than one), and three by chance."""
    now = now or dt.datetime.now(dt.UTC)
    return f"{now:%Y%m%dT%H%M%SZ}-{now.microsecond * 4096 // 1_000_000:03x}{secrets.randbelow(4096):03x}"


def by_hand(root: Path, name: str) -> Path:
    """Returns where a notebook run by hand leaves its results."""
    return reports(root) / ".by-hand" / name
