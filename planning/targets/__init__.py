"""Annual targets: set with a probability, split over keys and months to the cent, given to people, revised.

Everything works on a `planning.forecast.JointForecast`; what is linear is closed form, the rest seeded draws.
"""

from __future__ import annotations

from typing import Any

_WHERE = {
    "set_target": "goal",
    "decompose": "plan",
    "person_quotas": "people",
    "read_policy": "policy",
    "plan_year": "annual",
}
__all__ = list(_WHERE)


def __getattr__(name: str) -> Any:
    # Loaded when asked for: the package is imported by commands that need one function of it.
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
