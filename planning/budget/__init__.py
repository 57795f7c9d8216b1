"""Regional budget: how to split a budget over regions and lines, what it brings, and where nobody knows.

    spend, outcome ─▶ inputs (checks) ─▶ panel ─▶ fit + chains ─▶ Response (posterior curves)
                                                                    │
                  bounds, move limit ─▶ rules ─▶ solver ─▶ Allocation (table, certificate, verdicts)

`fit_response` and `allocate` are the two doors; everything else builds on their results. Pure functions of frames:
nothing here opens files, draws or prints.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "fit_response": "response", "Response": "response", "allocate": "allocation", "Allocation": "allocation",
    "simulate_world": "simulate", "World": "simulate",
}  # fmt: skip

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'planning.budget' has no attribute '{name}'")
    return getattr(importlib.import_module(f"planning.budget.{_HOME[name]}"), name)
