"""Accounts with bilingual names, and products.

An account's pull on winning is latent: it stands in the truth, not in the table.
"""

import numpy as np
import pandas as pd

from planning.sample.company import CUSTOMER_TYPES, LINES, REGION_SHARE, REGIONS, UNIT_PRICE, stream

N_ACCOUNTS = 620
INDUSTRIES = ("Machine building", "Water", "Chemicals", "Food", "Energy", "Automotive", "Mining", "Building services")
INDUSTRY_SHARE = np.array([0.24, 0.16, 0.14, 0.13, 0.11, 0.10, 0.05, 0.07])
SIZE_BANDS = ("1-49", "50-249", "250-999", "1000+")
SPECIAL_NAMES = (
    'A&B <Tools> "GmbH"', "Müller, Schmidt & Co. KG", "O'Brien Hydraulics", "Łódź Pompy Sp. z o.o.",
    "Société d'Énergie S.à r.l.", "<script>alert(1)</script> Ltd",
)  # names that pages, workbooks and CSV files must survive  # fmt: skip
FAMILY = (
    "Adler", "Bauer", "Brandt", "Conrad", "Dietrich", "Ebert", "Fischer", "Gruber", "Hartmann", "Huber", "Jansen",
    "Keller", "Kessler", "Lang", "Lorenz", "Maurer", "Nowak", "Oswald", "Peters", "Richter", "Sauer", "Seidel",
    "Stern", "Thaler", "Ulrich", "Vogel", "Wagner", "Weiss", "Winter", "Zimmer",
)  # fmt: skip
FOREIGN = {
    "East": ("Kowalski", "Wójcik", "Zieliński", "Mazur", "Krawczyk", "Dudek", "Pawlak", "Sikora", "Baran", "Górski"),
    "West": ("Aebi", "Burri", "Egli", "Frey", "Gerber", "Hofer", "Imhof", "Kunz", "Lüthi", "Zürcher"),
    "Export": ("Carter", "Dawson", "Ellis", "Foster", "Harding", "Lawson", "Mercer", "Porter", "Sutton", "Walker"),
}
TRADE = (
    "Maschinenbau", "Hydraulik", "Antriebe", "Wassertechnik", "Verfahrenstechnik", "Apparatebau", "Fluidtechnik",
    "Energietechnik", "Anlagenbau", "Pumpentechnik",
)  # fmt: skip
TRADE_EN = ("Flow Systems", "Hydraulics", "Controls", "Process Equipment", "Water Works", "Industrial Supply")
FORM = {
    "North": "GmbH", "South": "GmbH", "East": "Sp. z o.o.", "West": "AG", "Central": "GmbH & Co. KG", "Export": "Inc.",
}  # fmt: skip
CITY_ZH = ("上海", "苏州", "宁波", "青岛", "大连", "无锡", "天津", "杭州", "武汉", "广州")
TRADE_ZH = ("华泵机械", "恒达流体", "东方阀门", "瑞丰水务", "金源自动化", "海川化工设备", "中科传动", "长江能源装备")
FORM_ZH = ("有限公司", "股份有限公司")
PRODUCT_NAMES = {
    "Pumps": ("P100 Inline pump", "P200 Multistage pump", "P300 Dosing pump", "P400 Slurry pump", "P500 Booster set",
              "P150 Inline pump, old series"),
    "Valves": ("V10 Ball valve", "V20 Butterfly valve", "V30 Control valve", "V40 Safety valve", "V50 Check valve"),
    "Sensors": ("S1 Pressure sensor", "S2 Flow sensor", "S3 Vibration sensor", "S4 Gateway"),
    "Drives": ("D1 Frequency drive", "D2 Servo drive", "D3 Geared motor", "D4 Soft starter", "D9 Drive, old series"),
    "Service": ("Maintenance visit", "Repair", "Spare parts kit", "Training day"),
}  # fmt: skip


def _name(rng: np.random.Generator, region: str) -> str:
    """Return one company name of a region; two in five of Export's are Chinese."""
    if region == "Export" and rng.random() < 0.4:
        return str(rng.choice(CITY_ZH)) + str(rng.choice(TRADE_ZH)) + str(rng.choice(FORM_ZH))
    family = str(rng.choice(FOREIGN.get(region, FAMILY)))
    trade = str(rng.choice(TRADE_EN if region in ("Export", "East") else TRADE))
    return f"{family} {trade} {FORM[region]}"


def _distinct(names: list[str]) -> list[str]:
    """Number the second and later uses of a name."""
    seen: dict[str, int] = {}
    result = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return result


def accounts(seed: int, scale: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the table `accounts` and its truth (`account_id, pull` in log-odds units of sd 1)."""
    rng = stream(seed, "accounts")
    n = max(30, int(round(N_ACCOUNTS * scale)))
    region = rng.choice(len(REGIONS), size=n, p=REGION_SHARE)
    names = [_name(rng, REGIONS[r]) for r in region]
    names[: len(SPECIAL_NAMES)] = SPECIAL_NAMES
    size = rng.choice(4, size=n, p=[0.30, 0.36, 0.22, 0.12])
    days = rng.integers(0, 365 * 14, size=n)
    first = pd.Series(pd.Timestamp("2012-06-01") + pd.to_timedelta(days, unit="D"))
    first = first.where(rng.random(n) < 0.78).where(first <= pd.Timestamp("2026-11-30"))
    ids = np.array([f"A{i:05d}" for i in range(1, n + 1)])
    parent = np.where((rng.random(n) < 0.12) & (np.arange(n) >= 20), ids[rng.integers(0, 20, size=n)], None)
    table = pd.DataFrame({
        "account_id": ids, "name": _distinct(names), "industry": rng.choice(INDUSTRIES, size=n, p=INDUSTRY_SHARE),
        "size_band": np.array(SIZE_BANDS)[size], "region": np.array(REGIONS)[region],
        "customer_type": rng.choice(CUSTOMER_TYPES, size=n, p=[0.45, 0.30, 0.25]), "first_order_date": first,
        "parent_id": parent,
    })  # fmt: skip
    return table, pd.DataFrame({"account_id": ids, "pull": np.round(rng.normal(size=n), 6)})


def products(seed: int) -> pd.DataFrame:
    """Return the table `products`: list price in EUR; two old series have ended."""
    rng = stream(seed, "products")
    rows = []
    for k, line in enumerate(LINES):
        for i, name in enumerate(PRODUCT_NAMES[line]):
            old = "old series" in name
            launch = pd.Timestamp("2025-01-01") + pd.DateOffset(months=3 * i) if line == "Sensors" else None
            launch = launch or pd.Timestamp(2008 + int(rng.integers(0, 11)), int(rng.integers(1, 13)), 1)
            price = round(float(UNIT_PRICE[k] * rng.uniform(0.5, 2.0)), 0)
            end = pd.Timestamp("2025-06-30") if line == "Drives" else pd.Timestamp("2024-12-31")
            rows.append((f"{line[:3].upper()}{i + 1:02d}", name, line, price, launch, end if old else pd.NaT))
    return pd.DataFrame(rows, columns=["product_id", "name", "line", "list_price", "launch_date", "end_date"])
