"""`workbench.toml`, the one file a company edits, as typed settings.

`load()` finds the file upwards from the working folder and returns `Settings`; every mistake in the file is collected
and told in one line each, with the key's path and the nearest right key, as a `ConfigError` (exit 2).
"""

from planning.config.loading import FILE_NAME, find, load
from planning.config.models import Calendar, Company, Delivery, Flow, Plan, Run, Schedule, Settings, Source
from planning.config.secrets import redact

__all__ = [
    "FILE_NAME", "Calendar", "Company", "Delivery", "Flow", "Plan", "Run", "Schedule", "Settings", "Source", "find",
    "load", "redact",
]
