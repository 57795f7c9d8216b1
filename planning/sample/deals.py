"""Deals with known causes: five families of fields move the log-odds of winning by stated shares of its variance.

The truth of a deal is `eta = intercept + market + product + price + skill + customer` in log-odds; each family's
contribution is centred, and its share is `Var(contribution) / sum of the five variances`. Skill is half latent (who the
owner is) and half practice (response time, contacts); the customer's pull is partly latent too. Some fields are
written only at closing and must be refused as causes; `truth/families.toml` says when each is known.
"""

import numpy as np
import pandas as pd

from planning.sample.accounts import INDUSTRIES, SIZE_BANDS
from planning.sample.company import (
    AS_OF,
    CURRENCY,
    DISCONTINUED,
    LAUNCH,
    LINES,
    RATES,
    REGIONS,
    stream,
)  # fmt: skip

N_DEALS = 4_000
FIRST_DAY = pd.Timestamp("2023-01-02")
WIN_RATE = 0.40
SHARES = {"market": 0.20, "product": 0.30, "price": 0.15, "skill": 0.25, "customer": 0.10}
LOG_ODDS_SD = 1.42
COMPETITORS = ("Hydrovex", "Norwerk", "Pumpline", "Tianhe 天河", "Varo Controls")
COMPETITOR_EFFECT = np.array([-0.9, -0.2, 0.3, 0.6, 0.2])  # in the units of the market family, before scaling
SOURCES = ("Referral", "Web", "Fair", "Distributor", "Outbound", "Tender")
NEEDS = ("Delivery time", "Certificate missing", "Interface to control system", "Material", "Energy use", "Size range")
TYPES = ("New business", "Extension", "Renewal")
TYPICAL_AMOUNT = {"Pumps": 62_000, "Valves": 34_000, "Sensors": 21_000, "Drives": 78_000, "Service": 18_000}
NO_DECISION = 0.13
MAX_CYCLE = 330


def _bases(rng: np.random.Generator, n: int, accounts: pd.DataFrame) -> pd.DataFrame:
    """Draw when a deal is opened, for which account, line and amount."""
    span = (AS_OF - FIRST_DAY).days
    day = np.sort((span * rng.random(n) ** 0.92).astype(int))
    created = FIRST_DAY + pd.to_timedelta(day, unit="D")
    weight = np.exp(rng.normal(0.0, 0.7, len(accounts)))
    who = accounts.iloc[rng.choice(len(accounts), size=n, p=weight / weight.sum())].reset_index(drop=True)
    line = rng.choice(len(LINES), size=n, p=[0.32, 0.23, 0.12, 0.21, 0.12])
    launched = np.where(who["region"] == "Export", LAUNCH["export_from"], LAUNCH["from"]).astype("datetime64[ns]")
    line = np.where((line == 2) & (np.asarray(created) < launched), rng.choice([0, 1, 3], size=n), line)
    ended = (who["region"] == DISCONTINUED["region"]) & (who["customer_type"] == DISCONTINUED["customer_type"])
    line = np.where((line == 3) & ended & (created > pd.Timestamp("2024-12-31")), 0, line)
    names = np.array(LINES)[line]
    size = who["size_band"].map({band: i for i, band in enumerate(SIZE_BANDS)}).to_numpy()
    median = pd.Series(names).map(TYPICAL_AMOUNT).to_numpy() * np.exp(0.22 * (size - 1.3))
    return pd.DataFrame({
        "deal_id": [f"D{i:06d}" for i in range(1, n + 1)], "account_id": who["account_id"], "region": who["region"],
        "line": names, "customer_type": who["customer_type"], "industry": who["industry"], "created_date": created,
        "name": who["name"] + " – " + names, "euros": median * np.exp(rng.normal(0.0, 0.65, n)), "size": size,
        "first_order_date": who["first_order_date"],
    })  # fmt: skip


def _market(rng: np.random.Generator, deals: pd.DataFrame) -> np.ndarray:
    """Add market_growth, competitors, competitor; return the market's raw contribution."""
    quarter = ((deals["created_date"].dt.year - 2023) * 4 + deals["created_date"].dt.quarter - 1).to_numpy()
    n_quarters = 16
    cycle = 0.02 + 0.02 * np.sin(np.arange(n_quarters) / 2.4) - 0.03 * (np.arange(n_quarters) >= 12)
    growth = cycle + rng.normal(0.0, 0.025, (len(REGIONS), len(INDUSTRIES), 1))
    growth = growth + np.cumsum(rng.normal(0.0, 0.008, (len(REGIONS), len(INDUSTRIES), n_quarters)), axis=2)
    region = deals["region"].map({name: i for i, name in enumerate(REGIONS)}).to_numpy()
    industry = deals["industry"].map({name: i for i, name in enumerate(INDUSTRIES)}).to_numpy()
    deals["market_growth"] = np.round(growth[region, industry, quarter], 4)
    deals["competitors"] = np.minimum(rng.poisson(1.5, len(deals)), 5)
    rival = rng.choice(len(COMPETITORS), size=len(deals), p=[0.28, 0.24, 0.20, 0.13, 0.15])
    met = (deals["competitors"] > 0).to_numpy()
    deals["competitor"] = np.where(met, np.array(COMPETITORS)[rival], None)
    effect = np.where(met, COMPETITOR_EFFECT[rival], 0.5)
    return 16.0 * deals["market_growth"].to_numpy() - 0.55 * np.sqrt(deals["competitors"]).to_numpy() + effect


def _product(rng: np.random.Generator, deals: pd.DataFrame, fit: np.ndarray) -> np.ndarray:
    """Add requirements_met, unmet_requirement, technical_check; return the product's raw contribution."""
    met = np.round(np.clip(0.74 + 0.17 * fit, 0.05, 1.0) * 20) / 20
    deals["requirements_met"] = met
    need = rng.choice(len(NEEDS), size=len(deals), p=[0.24, 0.12, 0.22, 0.14, 0.12, 0.16])
    deals["unmet_requirement"] = np.where(met < 0.9, np.array(NEEDS)[need], None)
    technical = deals["line"].isin(["Sensors", "Drives"]).to_numpy()
    check = rng.random(len(deals)) < np.where(technical, 0.45, 0.25)
    deals["technical_check"] = check.astype(int)
    curve = np.interp(met, [0.05, 0.6, 0.8, 1.0], [-1.71, -0.5, 0.5, 1.2])
    return 1.6 * curve + 0.45 * check + np.where(deals["line"] == "Sensors", -0.3, 0.0)


def _price(rng: np.random.Generator, deals: pd.DataFrame) -> np.ndarray:
    """Add price_gap (ours against the best rival's, 0.05 = 5 % dearer) and discount; return the raw contribution."""
    late = (deals["created_date"] >= pd.Timestamp("2026-01-01")).to_numpy()
    gap = np.round(0.02 + 0.015 * late + rng.normal(0.0, 0.075, len(deals)), 3)
    discount = np.round(np.clip(0.045 + 0.15 * gap + rng.normal(0.0, 0.025, len(deals)), 0.0, 0.16) * 200) / 200
    deals["price_gap"], deals["discount"] = gap, discount
    return -1.1 * np.tanh((gap - 0.03) / 0.10) + 3.0 * np.minimum(discount, 0.08)


def _owner(rng: np.random.Generator, deals: pd.DataFrame, people: pd.DataFrame, skill: np.ndarray, fit) -> np.ndarray:
    """Give each deal to somebody of its region who is employed; the better the fit, the likelier a skilled one."""
    owner = np.zeros(len(deals), dtype=int)
    last = people["end_date"].fillna(pd.Timestamp("2100-01-01")) - pd.Timedelta(days=MAX_CYCLE + 20)
    day = deals["created_date"].to_numpy()[:, None]
    uniform = rng.random(len(deals))
    for region in REGIONS:
        rows = np.flatnonzero(deals["region"] == region)
        team = np.flatnonzero(people["region"] == region)
        here = (people["start_date"].to_numpy()[team] <= day[rows]) & (last.to_numpy()[team] >= day[rows])
        weight = people["fte"].to_numpy()[team] * np.exp(0.20 * skill[team] * fit[rows, None]) * here
        reached = np.cumsum(weight, axis=1)
        owner[rows] = team[(reached <= uniform[rows, None] * reached[:, -1:]).sum(axis=1)]
    return owner


def _skill(rng: np.random.Generator, deals: pd.DataFrame, talent: np.ndarray) -> np.ndarray:
    """Add response_hours and contacts; return the raw contribution, half of it the owner's latent talent."""
    hours = np.round(np.clip(np.exp(3.0 - 0.25 * talent + 0.85 * rng.normal(size=len(deals))), 0.5, 400.0), 1)
    contacts = 1 + np.minimum(rng.poisson(np.exp(0.55 + 0.15 * talent)), 8)
    deals["response_hours"], deals["contacts"] = hours, contacts
    return 0.72 * talent - 0.42 * (np.log(hours) - 3.0) + 0.75 * (np.log(contacts) - 0.9)


def _customer(rng: np.random.Generator, deals: pd.DataFrame, pull: np.ndarray) -> np.ndarray:
    """Add incumbent, relationship_years, type, source; return the customer's raw contribution."""
    years = (deals["created_date"] - deals["first_order_date"]).dt.days / 365.25
    years = years.where(years > 0, 0.0).fillna(0.0).round(1).to_numpy()
    known = years > 0
    deals["incumbent"] = (rng.random(len(deals)) < np.where(known, 0.48, 0.08)).astype(int)
    deals["relationship_years"] = years
    kind = np.where(known, rng.choice([0, 1, 2], size=len(deals), p=[0.35, 0.40, 0.25]), 0)
    deals["type"] = np.array(TYPES)[kind]
    deals["source"] = rng.choice(SOURCES, size=len(deals), p=[0.18, 0.22, 0.14, 0.18, 0.16, 0.12])
    incumbent = deals["incumbent"].to_numpy()
    return 1.1 * incumbent + 0.5 * np.sqrt(years / 5.0) + 0.75 * pull + np.array([0.0, 0.15, 0.4])[kind]


def deals(seed: int, scale: float, accounts, account_truth, people, people_truth) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the deals with features and outcomes (amounts still in EUR) and the truth of each, one row a deal."""
    rng = stream(seed, "deals")
    n = max(200, int(round(N_DEALS * scale)))
    table = _bases(rng, n, accounts)
    fit = rng.normal(size=n)
    skill = people_truth["skill"].to_numpy()
    owner = _owner(rng, table, people, skill, fit)
    table["owner_id"] = people["person_id"].to_numpy()[owner]
    pull = table["account_id"].map(account_truth.set_index("account_id")["pull"]).to_numpy()
    raw = {
        "market": _market(rng, table), "product": _product(rng, table, fit), "price": _price(rng, table),
        "skill": _skill(rng, table, skill[owner]), "customer": _customer(rng, table, pull),
    }  # fmt: skip
    part = {name: np.sqrt(SHARES[name]) * LOG_ODDS_SD * (x - x.mean()) / x.std() for name, x in raw.items()}
    eta = sum(part.values())
    intercept = _intercept(eta)
    chance = 1.0 / (1.0 + np.exp(-(intercept + eta)))
    won = rng.random(n) < chance
    undecided = rng.random(n) < NO_DECISION * np.exp(-6.0 * table["market_growth"].to_numpy())
    table["outcome"] = np.where(undecided, "no_decision", np.where(won, "won", "lost"))
    truth = pd.DataFrame({"deal_id": table["deal_id"], "intercept": intercept, **part, "win_chance": chance})
    return table, truth.round(6)


def _intercept(eta: np.ndarray) -> float:
    """Return the constant that makes the expected win rate WIN_RATE, by bisection."""
    lo, hi = -5.0, 5.0
    for _ in range(60):
        middle = (lo + hi) / 2.0
        lo, hi = (middle, hi) if (1.0 / (1.0 + np.exp(-(middle + eta)))).mean() < WIN_RATE else (lo, middle)
    return round((lo + hi) / 2.0, 6)


def family_weights(deals: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Return the realised shares over won and lost deals: `family, share, abs_share`; each column sums to 1."""
    decided = truth[deals["outcome"].isin(["won", "lost"]).to_numpy()]
    part = decided[list(SHARES)] - decided[list(SHARES)].mean()
    variance, absolute = part.var(ddof=0), part.abs().mean()
    table = pd.DataFrame({"share": variance / variance.sum(), "abs_share": absolute / absolute.sum()})
    return table.rename_axis("family").reset_index()


def local_amount(euros, region: pd.Series) -> np.ndarray:
    """Return EUR amounts in the currency of each row's region."""
    return np.asarray(euros) / region.map({name: RATES[code] for name, code in CURRENCY.items()}).to_numpy()
