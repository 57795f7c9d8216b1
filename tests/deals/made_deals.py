"""Deals of which one number and fifteen people are known, and who won."""

from __future__ import annotations

import numpy as np
import pandas as pd


def deals(n: int = 600, effect: float = 1.2, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x, owner = rng.normal(size=n), rng.integers(0, 15, n)
    won = rng.random(n) < 1 / (1 + np.exp(-effect * x + 0.3))
    return pd.DataFrame({
        "deal_id": np.arange(1, n + 1), "fit": x, "owner": np.char.add("P", owner.astype(str)),
        "outcome": np.where(won, "won", "lost"),
    })  # fmt: skip
