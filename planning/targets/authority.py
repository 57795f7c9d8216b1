"""Authority that matches difficulty: who may give how much discount, and what that is expected to cost.

difficulty = 1 - chance of reaching the quota
band       = base + slope * difficulty, at most `most`, and never through the floor margin
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from planning.errors import UsageError


@dataclass(frozen=True)
class AuthorityRules:
    """The rule table of discount authority; rates 0-1. fund: the year's discount fund as a share of the quota."""

    base: float = 0.03
    slope: float = 0.10
    most: float = 0.12
    floor_margin: float = 0.15
    fund: float = 0.015

    def __post_init__(self) -> None:
        if not (
            0 <= self.base <= self.most < 1 and self.slope >= 0 and 0 <= self.floor_margin < 1 and 0 <= self.fund < 1
        ):
            raise UsageError("discount authority: rates are 0 to 1, and base lies at or below most. Correct the rules.")


def discount_authority(
    quotas: pd.DataFrame,
    margin_rate: pd.Series | float,
    discounts: pd.Series | float,
    rules: AuthorityRules | None = None,
) -> pd.DataFrame:
    """Returns the discount band of each person: person, difficulty, band, fund, expected cost.

    quotas: person_id, quota, chance and, where known, region. margin_rate: margin over sales before discount, by region
    or one rate; discounts: the mean discount given in the past, by region or one rate (0-1). band: the largest discount
    a person may give alone; a deal beyond it is approved by people. expected_cost: quota times the discount expected
    inside the band, what the past gave moved with the band.
    """
    rules = rules or AuthorityRules()
    region = quotas["region"].astype(str) if "region" in quotas else pd.Series("", index=quotas.index)
    margin = _by_region(margin_rate, region)
    past = _by_region(discounts, region)
    difficulty = 1 - quotas["chance"].to_numpy()
    wished = np.minimum(rules.base + rules.slope * difficulty, rules.most)
    # Price falls by d, cost stays: margin after = (margin - d) / (1 - d) >= floor.
    room = np.maximum((margin - rules.floor_margin) / (1 - rules.floor_margin), 0.0)
    band = np.minimum(wished, room)
    middle = rules.base + rules.slope * 0.5
    expected = np.minimum(past * np.divide(band, middle), band)
    return pd.DataFrame(
        {
            "person_id": quotas["person_id"],
            "region": region,
            "difficulty": difficulty,
            "band": band,
            "limited_by_margin": band < wished,
            "floor_margin": rules.floor_margin,
            "fund": rules.fund * quotas["quota"].to_numpy(),
            "expected_cost": np.minimum(expected, rules.most) * quotas["quota"].to_numpy(),
        }
    )


def _by_region(rate: pd.Series | float, region: pd.Series) -> np.ndarray:
    if isinstance(rate, pd.Series):
        return region.map(rate).fillna(float(rate.mean())).to_numpy(float)
    return np.full(len(region), float(rate))


def by_region(authority: pd.DataFrame) -> pd.DataFrame:
    """Returns the authority summed up by region: `region, people, band, fund, expected_cost` (band: mean)."""
    return authority.groupby("region", as_index=False).agg(
        people=("person_id", "size"),
        band=("band", "mean"),
        fund=("fund", "sum"),
        expected_cost=("expected_cost", "sum"),
    )
