"""The sample company's fixed facts: regions, lines, customer types, calendar, currencies and its random streams.

Every table draws from its own stream (`stream(seed, "sales")`), so that a change in one table never shifts another.
"""

import zlib
from functools import lru_cache

import numpy as np
import pandas as pd

AS_OF = pd.Timestamp("2026-12-31")
PLAN_YEAR = 2027
SALES_LAST_YEAR = 117_600_000.0  # EUR, 2026

REGIONS = ("North", "South", "East", "West", "Central", "Export")
LINES = ("Pumps", "Valves", "Sensors", "Drives", "Service")
CUSTOMER_TYPES = ("OEM", "Distributor", "End user")
COUNTRY = {"North": "DE", "South": "AT", "East": "PL", "West": "CH", "Central": "DE", "Export": "US"}
CURRENCY = {"North": "EUR", "South": "EUR", "East": "EUR", "West": "CHF", "Central": "EUR", "Export": "USD"}
RATES = {"EUR": 1.0, "CHF": 1.05, "USD": 0.92}  # company currency (EUR) per unit

REGION_SHARE = np.array([0.22, 0.19, 0.15, 0.16, 0.12, 0.16])
REGION_GROWTH = np.array([0.042, 0.027, 0.062, 0.037, 0.032, 0.075])  # a year
LINE_SHARE = np.array([0.335, 0.225, 0.075, 0.243, 0.122])
LINE_GROWTH = np.array([0.010, 0.005, 0.0, 0.012, 0.025])  # a year, beside the region's
UNIT_PRICE = np.array([2400.0, 380.0, 240.0, 3100.0, 950.0])  # EUR, January 2021
MARGIN_RATE = np.array([0.36, 0.41, 0.48, 0.33, 0.52])
TYPE_SHARE = np.array(
    [[0.50, 0.34, 0.16], [0.42, 0.40, 0.18], [0.55, 0.25, 0.20], [0.52, 0.30, 0.18], [0.22, 0.13, 0.65]]
)  # line x customer type

MONTHS = pd.date_range("2021-01-01", "2026-12-01", freq="MS")
WEEKS = pd.date_range("2020-12-28", "2026-12-28", freq="7D")  # first and last are partly outside the record
LAUNCH = {"line": "Sensors", "from": pd.Timestamp("2025-01-01"), "export_from": pd.Timestamp("2025-07-01")}
DISCONTINUED = {"region": "West", "line": "Drives", "customer_type": "Distributor", "last": pd.Timestamp("2025-06-01")}


def stream(seed: int, name: str) -> np.random.Generator:
    """Return the random generator of one table: the same for a seed and a name on every machine."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([int(seed), zlib.crc32(name.encode())])))


def euros_per_unit() -> np.ndarray:
    """Return EUR per unit of each region's currency, in the order of REGIONS."""
    return np.array([RATES[CURRENCY[region]] for region in REGIONS])


@lru_cache(maxsize=1)
def working_day_table() -> pd.DataFrame:
    """Return one row a day 2020-12-28..2027-01-03, one column a region: True where people work there."""
    import holidays  # late: the command line must start at once

    days = pd.date_range(WEEKS[0], WEEKS[-1] + pd.Timedelta(days=6), freq="D")
    weekday = np.asarray(days.day_of_week < 5)
    columns = {}
    for region in REGIONS:
        closed = holidays.country_holidays(COUNTRY[region], years=range(2020, 2028))
        columns[region] = weekday & ~np.array([day.date() in closed for day in days])
    return pd.DataFrame(columns, index=days)


def working_days() -> np.ndarray:
    """Return the working days of each month, regions x months."""
    table = working_day_table().loc[MONTHS[0] : AS_OF]
    return table.groupby(table.index.to_period("M")).sum().to_numpy().T


def cells() -> list[tuple[int, int, int]]:
    """Return the indices (region, line, customer type) of all 90 cells in a fixed order."""
    return [(r, k, c) for r in range(len(REGIONS)) for k in range(len(LINES)) for c in range(len(CUSTOMER_TYPES))]


def cell_id(r: int, k: int, c: int) -> str:
    """Return the name of a cell as `region/line/customer type`."""
    return f"{REGIONS[r]}/{LINES[k]}/{CUSTOMER_TYPES[c]}"
