"""A small made company: 3 regions x 4 lines, 8 years monthly, growth and season known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from planning.targets.annual import plan_year
from planning.targets.policy import make_policy

REGIONS = ("East", "North", "South")
LINES = ("Drives", "Pumps", "Sensors", "Valves")


@pytest.fixture(scope="session")
def history() -> pd.DataFrame:
    """Monthly sales 2019-2026: about 4 % growth, a winter season, 4 % noise a month, a shared shock a year."""
    rng = np.random.default_rng(5)
    months = pd.date_range("2019-01-01", "2026-12-01", freq="MS")
    shared = np.repeat(rng.normal(0, 0.02, 8), 12)
    rows = []
    for r, region in enumerate(REGIONS):
        for c, line in enumerate(LINES):
            level = 80_000 * (1 + r) * (1 + 0.5 * c)
            season = 1 + 0.15 * np.cos(2 * np.pi * (months.month.to_numpy() - 1) / 12)
            growth = np.exp((0.03 + 0.01 * c) * np.arange(len(months)) / 12)
            noise = np.exp(rng.normal(0, 0.04, len(months)) + shared + np.repeat(rng.normal(0, 0.03, 8), 12))
            rows.append(
                pd.DataFrame({"ds": months, "region": region, "line": line, "amount": level * season * growth * noise})
            )
    return pd.concat(rows, ignore_index=True).round({"amount": 2})


@pytest.fixture(scope="session")
def content() -> dict:
    """A plain policy as the content of P.toml."""
    return {"currency": "EUR", "by": ["region", "line"]}


@pytest.fixture(scope="session")
def plan(history, content):
    """The plan of 2027 under the plain policy."""
    return plan_year(history, make_policy(content), year=2027)[0]


@pytest.fixture(scope="session")
def panel(history, content):
    """The panel the plan stands on."""
    return plan_year(history, make_policy(content), year=2027)[1]
