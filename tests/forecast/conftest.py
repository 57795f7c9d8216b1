"""What the forecast tests share: the small company's history and its forecast, made once."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def company():
    from made_sales import sales

    from planning.forecast.history import history_of

    return history_of(sales())


@pytest.fixture(scope="session")
def ahead(company):
    from planning.forecast.outlook import outlook

    return outlook(company, 12)
