"""Addresses of report pages in what a notebook shows."""

from __future__ import annotations

import html
import os
from pathlib import Path
from typing import Any

PAGES = "/planning/pages/"
LAB_CONFIG = Path(__file__).with_name("lab_config")


def of_run(record: dict[str, Any], page: str = "index.html") -> str:
    """Returns the address of a page of a run, escaped."""
    return of_file(f"{record['flow']}/{record['id']}/{page}")


def of_file(path: str) -> str:
    """Returns the address of a file of the reports folder, escaped: that of `planning lab` inside it, else relative."""
    return html.escape(os.environ.get("PLANNING_PAGES", "../reports/") + path, quote=True)
