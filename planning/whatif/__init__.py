"""Moving a slider and seeing the plan answer: panels for JupyterLab over the results of the latest run.

    from planning import whatif
    whatif.target()      another target, another chance
    whatif.budget()      another total, another move limit
    whatif.shock()       something happens to a region or a line
    whatif.lever()       a lever on the deals that were lost
    whatif.launch("annual_plan")     a run with its progress and the link to its page

`answers` holds the numbers and sentences without any widget; `panels` only shows them.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = dict.fromkeys(("target", "budget", "shock", "lever", "launch"), "planning.whatif.panels")
_HOME |= {"show": "planning.whatif.home"}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'planning.whatif' has no panel '{name}'. It has: {', '.join(_HOME)}.")
    return getattr(importlib.import_module(_HOME[name]), name)
