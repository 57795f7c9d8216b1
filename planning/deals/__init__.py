"""Deal post-mortem: why deals are won and lost, how sure that is, and what to do about it. Frames in, frames out."""

from __future__ import annotations

import importlib
from typing import Any

_WHERE = {
    "audit": "auditing",
    "family_weights": "attribution",
    "deal_contributions": "attribution",
    "FamilyWeights": "attribution",
    "load_families": "families",
    "counterfactual": "levers",
    "performers": "casemix",
    "practices": "habits",
    "period_change": "change",
    "won_lost_gap": "change",
    "grade_leads": "grading",
    "simulate_deals": "simulate",
}

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'planning.deals' has no attribute {name!r}")
    module = importlib.import_module(f"planning.deals.{_WHERE[name]}")
    value = getattr(module, name)
    globals()[name] = value
    return value
