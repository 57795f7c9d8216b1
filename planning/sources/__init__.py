"""The only opener of inputs: files, workbooks and databases become frames.

read_frame(path, ...)       any CSV, Parquet or Excel file as a typed frame (the commands on files)
read_table(name, settings)  one canonical table of the workspace, checked, in the company's currency
check_all(settings)         every configured table read and checked, all faults at once (`planning check`, data_check)
"""

from __future__ import annotations

from typing import Any

_PLACES = {
    "read_frame": "planning.sources.reader",
    "read_raw": "planning.sources.reader",
    "read_table": "planning.sources.workspace",
    "check_table": "planning.sources.workspace",
    "check_all": "planning.sources.workspace",
    "CheckResult": "planning.sources.workspace",
}
__all__ = ["CheckResult", "check_all", "check_table", "read_frame", "read_raw", "read_table"]


def __getattr__(name: str) -> Any:
    """Brings in a name's module at first use: pandas costs a second."""
    import importlib

    if name not in _PLACES:
        raise AttributeError(f"module 'planning.sources' has no attribute '{name}'")
    return getattr(importlib.import_module(_PLACES[name]), name)
