"""Demand forecasting: what each series will sell, how sure that is, and whether past forecasts were right.

`forecast` answers for a table `unique_id, ds, y`, `joint` for all cells of a hierarchy together; `engine` is the
interface other code builds on. Numba and scikit-learn are brought in only when a forecast is made.
"""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "forecast": "table",
    "forecasts": "table",
    "Forecasts": "table",
    "forecast_with_drivers": "drivers",
    "what_if": "drivers",
    "explain": "explanation",
    "parameters": "explanation",
    "joint": "coherent",
    "JointForecast": "joint_forecast",
}


def __getattr__(name: str) -> Any:
    """Imports what the package offers when it is first used, so that importing the package costs nothing."""
    if name not in _HOMES:
        raise AttributeError(f"module 'planning.forecast' has no attribute '{name}'")
    return getattr(importlib.import_module(f"planning.forecast.{_HOMES[name]}"), name)
