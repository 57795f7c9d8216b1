"""What surrounds the plan: planners' adjustments, last year's targets, capacity, confirmations, priorities, market."""

import numpy as np
import pandas as pd

from planning.sample.company import (
    CUSTOMER_TYPES,
    DISCONTINUED,
    LINES,
    MONTHS,
    PLAN_YEAR,
    REGIONS,
    stream,
)  # fmt: skip

N_EVENTS = 96
OPTIMISM = {"Head of region": 0.045, "Product manager": 0.030, "Controller": 0.000}  # added to what they foresee
EXAGGERATION = 1.25
FORESIGHT_NOISE = 0.020
EVENT_SD = 0.040
REASON_TEXT = ("new account", "price rise", "campaign", "competitor weak", "delivery backlog", "key account grows")
EVIDENCE = ("order letter", "framework contract", "talk with buyer", "none", "none", "market report")
OVER_ASSIGNMENT = 1.05
PRICE_PLAN = np.array([0.025, 0.015, -0.020, 0.030, 0.030])  # by line, from April of the plan year
REQUESTS = (  # author, role, made on, (region, line, customer type), from, to, percent, amount, (reason, evidence)
    ("Product manager Pumps", "Product manager", "11-20", (None, "Pumps", None), "04-01", "12-31", 2.0, None,
     ("price rise", "price list")),
    ("Head of South", "Head of region", "11-30", ("South", "Valves", "OEM"), "01-01", "12-31", None, -420_000,
     ("account lost", "notice of 28 November")),
    ("Product manager Sensors", "Product manager", "12-04", (None, "Sensors", None), "07-01", "12-31", 12.0, None,
     ("launch", "none")),
    ("Head of Export", "Head of region", "12-07", ("Export", "Drives", "OEM"), "01-01", "12-31", None, 650_000,
     ("new account", "framework contract")),
    ("Head of East", "Head of region", "12-08", ("East", None, None), "01-01", "06-30", 4.0, None,
     ("campaign", "none")),
    ("Head of North", "Head of region", "12-09", ("North", "Pumps", None), "01-01", "12-31", 3.0, None,
     ("key account grows", "talk with buyer")),
    ("Controller", "Controller", "12-14", ("West", "Service", None), "01-01", "12-31", -1.5, None,
     ("technicians short", "headcount plan")),
)  # fmt: skip


def events(seed: int) -> pd.DataFrame:
    """Return what planners foresaw in 2024-2026 and what truly happened, one row a region, line and quarter.

    `stated = optimism of the role + 1.25 * (true effect + noise)`; in a third of the rows nothing happened at all.
    """
    rng = stream(seed, "events")
    grid = [(r, k, q) for r in range(len(REGIONS)) for k in range(len(LINES)) for q in range(12) if k != 2 or q >= 8]
    picked = np.sort(rng.choice(len(grid), size=N_EVENTS, replace=False))
    rows = []
    for number, index in enumerate(sorted(picked, key=lambda i: (grid[i][2], grid[i][0], grid[i][1])), start=1):
        r, k, q = grid[index]
        role = str(rng.choice(list(OPTIMISM), p=[0.5, 0.3, 0.2]))
        effect = float(rng.normal(0.0, EVENT_SD)) if rng.random() < 2 / 3 else 0.0
        stated = OPTIMISM[role] + EXAGGERATION * (effect + rng.normal(0.0, FORESIGHT_NOISE))
        author = {"Head of region": f"Head of {REGIONS[r]}", "Product manager": f"Product manager {LINES[k]}"}
        start = pd.Timestamp(2024 + q // 4, 3 * (q % 4) + 1, 1)
        rows.append({
            "adjustment_id": f"J{number:04d}", "author": author.get(role, "Controller"), "role": role,
            "made_on": start - pd.Timedelta(days=int(rng.integers(10, 60))), "region": REGIONS[r], "line": LINES[k],
            "start": start, "end": start + pd.DateOffset(months=2), "stated": round(round(stated * 200) / 200, 3),
            "true_effect": round(effect, 6), "reason": str(rng.choice(REASON_TEXT)),
            "evidence": str(rng.choice(EVIDENCE)),
        })  # fmt: skip
    return pd.DataFrame(rows)


def adjustments(past: pd.DataFrame) -> pd.DataFrame:
    """Return the table `adjustments`: the log of 2024-2026 and the requests for the plan year.

    `percent` is in per cent of the forecast (5 = 5 % up); an empty region, line or customer type means all of them.
    """
    log = past.rename(columns={"start": "from", "end": "to"})
    log["percent"] = (100.0 * log["stated"]).round(1)
    log["to"] = log["to"] + pd.offsets.MonthEnd(0)
    log = log.assign(customer_type=None, amount=np.nan, expires=log["to"])
    columns = ["author", "role", "made_on", "region", "line", "customer_type", "from", "to", "percent", "amount",
               "reason", "evidence"]  # fmt: skip
    rows = [
        (author, role, f"2026-{made}", *cell, f"{PLAN_YEAR}-{first}", f"{PLAN_YEAR}-{last}", percent, amount, *why)
        for author, role, made, cell, first, last, percent, amount, why in REQUESTS
    ]
    ahead = pd.DataFrame(rows, columns=columns)
    for name in ("made_on", "from", "to"):
        ahead[name] = pd.to_datetime(ahead[name])
    ahead["expires"] = pd.Timestamp(PLAN_YEAR, 12, 31)
    ahead.insert(0, "adjustment_id", [f"J{len(log) + i:04d}" for i in range(1, len(ahead) + 1)])
    names = ["adjustment_id", *columns, "expires"]
    ahead["amount"] = ahead["amount"].astype(float)
    return pd.concat([log[names].astype({"customer_type": object}), ahead[names]], ignore_index=True)


def locks(total: np.ndarray) -> pd.DataFrame:
    """Return the table `locks`: what management has fixed for the plan year, one framework contract."""
    sold = yearly(total, PLAN_YEAR - 1)[REGIONS.index("Export"), LINES.index("Service")].sum()
    return pd.DataFrame([{
        "lock_id": "L001", "author": "Managing director", "role": "Management", "made_on": pd.Timestamp("2026-12-11"),
        "region": "Export", "line": "Service", "customer_type": None, "from": pd.Timestamp(PLAN_YEAR, 1, 1),
        "to": pd.Timestamp(PLAN_YEAR, 12, 31), "amount": float(np.round(1.06 * sold, -4)),
        "reason": "framework contract", "evidence": "contract of 11 December",
        "expires": pd.Timestamp(PLAN_YEAR, 12, 31),
    }])  # fmt: skip


def driver_plan(seed: int, price: np.ndarray) -> pd.DataFrame:
    """Return the table `driver_plan`: prices and promotions of the plan year, and a path without promotions.

    price: realised price against January 2021, region x line x month. Prices stay as they were at the end of the last
    year until the rise of April; promotions as in the years before, about two a year, none for Service.
    """
    rng = stream(seed, "driver_plan")
    months = pd.date_range(f"{PLAN_YEAR}-01-01", periods=12, freq="MS")
    parts = []
    for r, region in enumerate(REGIONS):
        for k, line in enumerate(LINES):
            level = price[r, k, -3:].mean() * np.where(months.month < 4, 1.0, 1.0 + PRICE_PLAN[k])
            promotion = np.zeros(12)
            if line != "Service":
                promotion[rng.choice(12, size=2, replace=False)] = rng.choice([0.5, 0.75, 1.0], size=2)
            parts.append(pd.DataFrame({
                "scenario": None, "ds": months, "region": region, "line": line, "customer_type": None,
                "price_index": np.round(level, 4), "promotion": promotion,
            }))  # fmt: skip
    other = {"scenario": "no promotions", "ds": months, "region": None, "line": None, "customer_type": None}
    parts.append(pd.DataFrame(other | {"price_index": np.nan, "promotion": 0.0}))
    return pd.concat(parts, ignore_index=True)


def yearly(total: np.ndarray, year: int) -> np.ndarray:
    """Return one year's sales in EUR, region x line x customer type."""
    return total[..., np.asarray(MONTHS.year == year)].sum(axis=-1)


def targets(seed: int, total: np.ndarray, people: pd.DataFrame, assignments: pd.DataFrame):
    """Return the table `targets` of 2026 (by cell, then quotas by person) and `people` with quota_last_year, EUR."""
    rng = stream(seed, "targets")
    before = yearly(total, 2025)
    goal = before * (1.045 + rng.normal(0.0, 0.05, before.shape))
    sensors = LINES.index("Sensors")  # launched in 2025: its first year says little about the second
    goal[:, sensors] = yearly(total, 2026)[:, sensors] * rng.uniform(0.9, 1.2, before[:, sensors].shape)
    goal = np.round(goal / 1_000.0) * 1_000.0
    goal[tuple(names.index(DISCONTINUED[key]) for key, names in _DIMENSIONS.items())] = 0.0
    rows, by_cell = [], {}
    for r, region in enumerate(REGIONS):
        for k, line in enumerate(LINES):
            for c, kind in enumerate(CUSTOMER_TYPES):
                by_cell[region, line, kind] = goal[r, k, c]
                if goal[r, k, c] > 0:
                    rows.append((2026, region, line, kind, None, goal[r, k, c], "EUR"))
    quotas = _quotas(people, assignments, by_cell)
    rows += [(2026, region, None, None, person, quota, "EUR") for person, region, quota in quotas]
    columns = ["year", "region", "line", "customer_type", "person_id", "amount", "currency"]
    people = people.assign(quota_last_year=people["person_id"].map({person: quota for person, _, quota in quotas}))
    return pd.DataFrame(rows, columns=columns), people


_DIMENSIONS = {"region": REGIONS, "line": LINES, "customer_type": CUSTOMER_TYPES}


def _quotas(people: pd.DataFrame, assignments: pd.DataFrame, by_cell: dict) -> list[tuple[str, str, float]]:
    """Return last year's quota of everybody employed at its start: shares of cells times over-assignment."""
    quotas: dict[str, float] = {}
    for row in assignments.itertuples():
        part = by_cell.get((row.region, row.line, row.customer_type), 0.0) * row.share
        quotas[row.person_id] = quotas.get(row.person_id, 0.0) + part
    result = []
    for person in people.itertuples():
        if person.start_date > pd.Timestamp("2026-01-31") or person.end_date < pd.Timestamp("2026-01-01"):
            continue
        quota = round(quotas.get(person.person_id, 0.0) * OVER_ASSIGNMENT / 1_000.0) * 1_000.0
        if quota > 0:
            result.append((person.person_id, person.region, float(quota)))
    return result


def market(seed: int, total: np.ndarray) -> pd.DataFrame:
    """Return the table `market`: yearly potential in EUR and our share of it; no share yet for the plan year."""
    rng = stream(seed, "market")
    now = yearly(total, 2026).sum(axis=2)
    held = rng.uniform(0.08, 0.30, now.shape)
    growth = rng.normal(0.025, 0.012, now.shape)
    rows = []
    for r, region in enumerate(REGIONS):
        for k, line in enumerate(LINES):
            for year in range(2021, PLAN_YEAR + 1):
                size = now[r, k] / held[r, k] * (1.0 + growth[r, k]) ** (year - 2026) * (1.0 + rng.normal(0.0, 0.01))
                potential = round(float(size), -3)
                sold = yearly(total, year)[r, k].sum() if year < PLAN_YEAR else 0.0
                share = round(float(sold / potential), 4) if sold > 0 else None
                source = "Association statistics" if year < PLAN_YEAR else "Association outlook"
                date = pd.Timestamp(min(year + 1, PLAN_YEAR), 3, 15) if year < 2026 else pd.Timestamp(2026, 12, 10)
                rows.append((region, line, pd.Timestamp(year, 1, 1), potential, share, source, date))
    table = pd.DataFrame(rows, columns=["region", "line", "ds", "potential", "share", "source", "date"])
    return table.astype({"share": float})


def capacity(total: np.ndarray) -> pd.DataFrame:
    """Return the table `capacity` of the plan year in EUR of sales; an empty region or line means all."""
    last = yearly(total, 2026)
    first, end = pd.Timestamp(PLAN_YEAR, 1, 1), pd.Timestamp(PLAN_YEAR, 12, 31)

    def limit(value, factor):
        return round(float(value) * factor, -4)

    east, export = last[REGIONS.index("East")], last[REGIONS.index("Export")]
    drives, service = LINES.index("Drives"), LINES.index("Service")
    rows = [
        (first, end, None, "Drives", limit(last[:, drives].sum(), 1.015), "supply", "Operations"),
        (first, end, "East", "Service", limit(east[service].sum(), 1.06), "headcount", "Service"),
        (first, end, "Export", None, limit(export.sum(), 1.15), "cash", "Finance"),
        (first, end, None, None, limit(last.sum(), 1.12), "cash", "Finance"),
    ]
    return pd.DataFrame(rows, columns=["from", "to", "region", "line", "amount", "kind", "owner"])


def confirmations(limits: pd.DataFrame) -> pd.DataFrame:
    """Return the table `confirmations`: finance approves, production limits, marketing has not answered (no row)."""
    drives = float(limits.loc[limits["line"] == "Drives", "amount"].iloc[0])
    rows = [
        ("finance", None, None, "approve", None, "Working capital covers growth up to 12 %", "2026-12-15", None),
        ("production", None, "Drives", "limit", drives, "No second frame supplier before October", "2026-12-11", None),
    ]
    columns = ["department", "region", "line", "status", "limit", "comment", "at", "plan_id"]
    table = pd.DataFrame(rows, columns=columns).astype({"limit": float})
    return table.assign(at=pd.to_datetime(table["at"]))


def priorities() -> pd.DataFrame:
    """Return the table `priorities`; an empty bound is no bound, 0 is a bound."""
    rows = [
        ("line", "Sensors", 1.20, None, 0.60), ("line", "Service", 1.00, 0.00, 0.15),
        ("region", "North", 1.00, 0.00, 0.25), ("region", "Export", 1.10, None, 0.20),
        ("customer_type", "End user", 1.05, None, None),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["dimension", "key", "weight", "min_growth", "max_growth"])
    return table.astype({"min_growth": float, "max_growth": float})
