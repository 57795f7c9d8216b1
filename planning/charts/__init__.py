"""Pictures: frames in, Axes out. This floor is the only one that imports matplotlib, and it does so when first drawn.

Which chart shows what:

    fan          history and forecast with bands, one series               planning.charts.fan_chart
    fans         the same for several series, one small panel each         planning.charts.fan_chart
    lines        series over time, named at their ends                     planning.charts.line_chart
    intervals    one row an estimate: dot, interval, optional wider band   planning.charts.rows
    bars         one row an amount, from zero                              planning.charts.rows

Charts of one domain lie in a module of its name and are reached as `charts.<domain>.<chart>`, such as
`charts.targets.bridge`. Every chart is `chart(frame, *, ax=None, narrow=False, ...) -> Axes`: it computes nothing,
writes nothing and shows nothing; `charts.save.save` draws it twice (page and phone) and keeps the files.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOME = {
    "fan": "planning.charts.fan_chart",
    "fans": "planning.charts.fan_chart",
    "lines": "planning.charts.line_chart",
    "intervals": "planning.charts.rows",
    "bars": "planning.charts.rows",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """Imports a chart, or a domain's module of charts, when it is first asked for: matplotlib costs half a second."""
    if name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    if name.startswith("_"):
        raise AttributeError(f"module 'planning.charts' has no attribute '{name}'")
    try:
        return importlib.import_module(f"planning.charts.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"planning.charts.{name}":
            raise
        known = ", ".join(sorted(_HOME))
        raise AttributeError(f"module 'planning.charts' has no chart '{name}'. It has: {known}.") from None


def __dir__() -> list[str]:
    return sorted(_HOME)
