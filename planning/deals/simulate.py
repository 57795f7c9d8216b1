"""Deals from a stated truth: what a method says about them can be compared with what made them.

The default world: five families of 20, 30, 15, 25 and 10 % of the log-odds variance, curved effects, twelve quarters,
60 sales people who get better-fitting deals, half of skill not recorded except by who sold, win rate 0.40.
Change the size, the number of people or a family's weight to those of your company to see how well yours can be known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

PRICE_UNIT = 0.06
WEIGHTS = {"market": 0.20, "product": 0.30, "price": 0.15, "skill": 0.25, "customer": 0.10}
FIELDS = {
    "market": ("market_growth", "region", "rivals"),
    "product": ("requirements_met", "line", "reference_cases"),
    "price": ("price_gap", "discount"),
    "skill": ("owner_id", "response_hours", "contacts"),
    "customer": ("industry", "size_band", "tenure_years", "customer_score"),
}


@dataclass(frozen=True)
class World:
    """A simulated data set: `deals`, the true `shares` and mean-absolute `abs_shares` by family, and log-odds parts."""

    deals: pd.DataFrame
    shares: dict[str, float]
    abs_shares: dict[str, float]
    parts: pd.DataFrame = field(repr=False)
    win_probability: np.ndarray = field(repr=False)

    price_scale: float = 1.0

    def price_log_odds(self, price_gap: np.ndarray) -> np.ndarray:
        """True log-odds a price gap adds, up to a constant: what a lever's stated effect can be held against."""
        return -np.tanh(np.asarray(price_gap) / PRICE_UNIT) * self.price_scale

    @property
    def families(self) -> dict[str, list[str]]:
        """Which field belongs to which family."""
        return {name: list(FIELDS[name]) for name in self.shares}


def simulate_deals(
    n: int = 4000,
    *,
    seed: int = 0,
    people: int = 60,
    weights: Mapping[str, float] = WEIGHTS,
    effect: float = 1.45,
    win_rate: float = 0.40,
    sorting: float = 0.5,
    correlation: float = 0.0,
    confounder: float = 0.0,
    interaction: float = 0.0,
) -> World:
    """Simulates `n` closed deals.

    `effect` is the sd of the log-odds, `sorting` how strongly good people get well-fitting deals, `correlation`
    between the families' latent drivers, `confounder` the strength of an unrecorded cause that also moves product
    fit, `interaction` that of product x skill.
    """
    rng = np.random.default_rng(seed)
    common = rng.standard_normal(n)
    latent = {f: np.sqrt(1 - correlation) * rng.standard_normal(n) + np.sqrt(correlation) * common for f in WEIGHTS}
    hidden = rng.standard_normal(n)
    latent["product"] = (latent["product"] + confounder * hidden) / np.sqrt(1 + confounder**2)
    owner, talent = _assign(rng, latent["product"], people, sorting)
    columns, raw = _fields(rng, n, latent, owner, talent)
    parts = {f: _unit(raw[f]) * np.sqrt(weights.get(f, 0.0)) * effect for f in WEIGHTS}
    log_odds = sum(parts.values()) + confounder * hidden
    log_odds = log_odds + interaction * _unit(raw["product"]) * _unit(raw["skill"])
    chance = 1 / (1 + np.exp(-(log_odds + _intercept(log_odds, win_rate))))
    won = rng.random(n) < chance
    quarter = np.sort(rng.integers(0, 12, n))
    deals = pd.DataFrame({"deal_id": [f"D-{i:06d}" for i in range(1, n + 1)]} | columns)
    deals["created_date"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(
        quarter * 91 + rng.integers(0, 91, n), unit="D"
    )
    deals["outcome"] = np.where(won, "won", "lost")
    frame = pd.DataFrame(parts)
    variance, size = frame.var(ddof=0), (frame - frame.mean()).abs().mean()
    scale = float(np.sqrt(weights.get("price", 0.0)) * effect / (raw["price"].std() or 1.0))
    return World(deals, dict(variance / variance.sum()), dict(size / size.sum()), frame, chance, scale)


def _unit(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / (values.std() or 1.0)


def _intercept(log_odds: np.ndarray, rate: float) -> float:
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.mean(1 / (1 + np.exp(-log_odds - middle))) < rate else (low, middle)
    return low


def _assign(rng: np.random.Generator, fit: np.ndarray, people: int, sorting: float) -> tuple[np.ndarray, np.ndarray]:
    """Gives each deal to a person; with sorting, talented people get better-fitting deals more often."""
    talent = rng.standard_normal(people)
    order = np.argsort(sorting * fit + np.sqrt(1 - sorting**2) * rng.standard_normal(len(fit)))
    rank = np.empty(len(fit))
    rank[order] = np.arange(len(fit)) / len(fit)
    noisy = np.argsort(talent + 0.7 * rng.standard_normal(people))
    owner = noisy[np.minimum((rank * people).astype(int), people - 1)]
    return owner, talent


def _fields(rng: np.random.Generator, n: int, latent: dict, owner: np.ndarray, talent: np.ndarray) -> tuple[dict, dict]:
    region, line = rng.integers(0, 6, n), rng.integers(0, 5, n)
    industry, size = rng.integers(0, 8, n), rng.integers(0, 4, n)
    level = {name: rng.standard_normal(k) for name, k in (("region", 6), ("line", 5), ("industry", 8), ("size", 4))}
    rivals, references = rng.poisson(1.5, n), rng.poisson(2.0, n)
    discount, tenure = rng.beta(2, 8, n), rng.exponential(5, n)
    speed, contacts = rng.standard_normal(n), rng.poisson(2.0, n)
    raw = {
        "market": latent["market"] + 0.5 * level["region"][region] - 0.5 * np.minimum(rivals, 3),
        "product": latent["product"]
        - 0.35 * latent["product"] ** 2
        + 0.5 * level["line"][line]
        + 0.25 * np.sqrt(references),
        "price": -np.tanh(latent["price"]) + 2.0 * np.minimum(discount, 0.3),
        "skill": _unit(talent[owner]) + 0.8 * _unit(-np.abs(speed + 0.5) + speed * 0.3) + 0.5 * np.minimum(contacts, 4),
        "customer": latent["customer"]
        + 0.6 * level["industry"][industry]
        + 0.4 * level["size"][size]
        + 0.1 * np.minimum(tenure, 10),
    }
    columns = {
        "market_growth": np.round(0.02 + 0.03 * latent["market"], 4),
        "region": np.char.add("R", region.astype(str)),
        "rivals": rivals,
        "requirements_met": np.round(np.clip(0.5 + 0.16 * latent["product"], 0, 1), 3),
        "line": np.char.add("L", line.astype(str)),
        "reference_cases": references,
        "price_gap": np.round(PRICE_UNIT * latent["price"], 4),
        "discount": np.round(discount, 3),
        "owner_id": np.char.add("P", owner.astype(str)),
        "response_hours": np.round(np.exp(2.5 + 0.8 * speed), 1),
        "contacts": contacts,
        "industry": np.char.add("I", industry.astype(str)),
        "size_band": np.char.add("S", size.astype(str)),
        "tenure_years": np.round(tenure, 2),
    }
    columns["customer_score"] = np.round(50 + 15 * latent["customer"], 1)
    return columns, raw
