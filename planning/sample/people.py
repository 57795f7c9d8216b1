"""Sixty sales people in six teams, who looks after which cells, and who is skilled (truth)."""

import numpy as np
import pandas as pd

from planning.sample.company import CUSTOMER_TYPES, DISCONTINUED, LINES, REGIONS, stream

TEAM_SIZE = 10
GIVEN = (
    "Anna", "Ben", "Clara", "David", "Elena", "Felix", "Greta", "Hannes", "Ida", "Jonas", "Katrin", "Lukas", "Mara",
    "Nils", "Olga", "Paul", "Rosa", "Stefan", "Tina", "Uwe", "Vera", "Wolf", "Yara", "Zeno",
)  # fmt: skip
FAMILY = (
    "Albers", "Beck", "Claus", "Dorn", "Eder", "Falk", "Gross", "Heine", "Iske", "Jung", "Kraft", "Lenz", "Moser",
    "Noll", "Ott", "Pohl", "Reuter", "Simon", "Thoma", "Urban", "Voss", "Wirth", "Zech",
)  # fmt: skip
NAMES_ZH = ("王芳", "李伟", "张敏", "陈杰")
LEAVERS = {7: "2026-03-31", 28: "2026-08-31", 46: "2025-12-31"}  # index → last day
NEWCOMERS = {
    4: "2026-02-01", 9: "2026-07-01", 17: "2025-10-01", 19: "2026-09-01", 25: "2026-04-01", 36: "2026-10-01",
    39: "2025-11-01", 48: "2026-01-15", 57: "2026-06-01",
}  # index → first day  # fmt: skip
PART_TIME = {3: 0.5, 12: 0.8, 23: 0.6, 34: 0.8, 45: 0.5, 52: 0.75}


def people(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table `people` (quota not yet set) and its truth (`person_id, skill` of sd 1, `top_fifth`)."""
    rng = stream(seed, "people")
    rows = []
    order = rng.permutation(len(GIVEN) * len(FAMILY))
    for i in range(TEAM_SIZE * len(REGIONS)):
        region = REGIONS[i // TEAM_SIZE]
        name = f"{GIVEN[order[i] % len(GIVEN)]} {FAMILY[order[i] // len(GIVEN)]}"
        if region == "Export" and i % TEAM_SIZE < len(NAMES_ZH):
            name = NAMES_ZH[i % TEAM_SIZE]
        start = pd.Timestamp(2010 + int(rng.integers(0, 12)), int(rng.integers(1, 13)), 1)
        start = pd.Timestamp(NEWCOMERS.get(i, start))
        role = ("Team lead", "Key account manager", "Key account manager")[i % 10] if i % 10 < 3 else "Sales engineer"
        end = pd.Timestamp(LEAVERS[i]) if i in LEAVERS else pd.NaT
        ramp = 9 if role == "Key account manager" else 6
        rows.append((f"P{i + 1:03d}", name, f"Team {region}", role, region, start, end, PART_TIME.get(i, 1.0), ramp))
    columns = ["person_id", "name", "team", "role", "region", "start_date", "end_date", "fte", "ramp_months"]
    table = pd.DataFrame(rows, columns=columns)
    skill = rng.normal(size=len(table))
    skill = np.round((skill - skill.mean()) / skill.std(), 6)
    top = skill >= np.quantile(skill, 0.8)
    return table, pd.DataFrame({"person_id": table["person_id"], "skill": skill, "top_fifth": top})


def assignments(seed: int, table: pd.DataFrame) -> pd.DataFrame:
    """Return the table `assignments`: one to three people a cell; the shares of those active sum to 1 a cell."""
    rng = stream(seed, "assignments")
    rows = []
    for region in REGIONS:
        team = table[table["region"] == region].reset_index(drop=True)
        active = team[team["end_date"].isna()].reset_index(drop=True)
        load = np.zeros(len(active))
        for line in LINES:
            for kind in CUSTOMER_TYPES:
                if (region, line, kind) == tuple(DISCONTINUED[key] for key in ("region", "line", "customer_type")):
                    continue
                picked = _pick(rng, load, active["fte"].to_numpy(), 3 if line in ("Pumps", "Drives") else 2)
                shares = (1.0,) if len(picked) == 1 else ((0.6, 0.4) if len(picked) == 2 else (0.5, 0.3, 0.2))
                for i, share in zip(picked, shares, strict=True):
                    load[i] += share / active["fte"][i]
                    start = max(active["start_date"][i], pd.Timestamp("2024-01-01"))
                    rows.append((active["person_id"][i], region, line, kind, share, start, pd.NaT))
        for person in team[team["end_date"].notna()].itertuples():
            cell = (LINES[int(rng.integers(0, 2))], CUSTOMER_TYPES[int(rng.integers(0, 3))])
            rows.append((person.person_id, region, *cell, 0.5, pd.Timestamp("2024-01-01"), person.end_date))
    columns = ["person_id", "region", "line", "customer_type", "share", "from", "to"]
    table = pd.DataFrame(rows, columns=columns).sort_values(["region", "person_id", "line", "customer_type"])
    return table.reset_index(drop=True)


def _pick(rng: np.random.Generator, load: np.ndarray, fte: np.ndarray, count: int) -> np.ndarray:
    """Return the people with the lightest load for their hours, ties at random."""
    return np.argsort((load + 0.5) / fte + rng.uniform(0.0, 0.4, len(load)), kind="stable")[:count]
