"""A small company whose future is known: cells with a level, a season and noise, months of one's choosing."""

from __future__ import annotations

import numpy as np
import pandas as pd


def sales(months: int = 60, seed: int = 3, start: str = "2022-01-01") -> pd.DataFrame:
    """Returns a sales table of 2 regions x 2 lines: region, line, ds, amount."""
    rng = np.random.default_rng(seed)
    ds = pd.date_range(start, periods=months, freq="MS")
    parts = []
    for r, region in enumerate(("North", "South")):
        for k, line in enumerate(("Pumps", "Valves")):
            season = 1 + 0.15 * np.sin(2 * np.pi * (np.arange(months) + 3 * k) / 12)
            amount = 1000.0 * (1 + r) * season * (1 + 0.002 * np.arange(months)) * np.exp(rng.normal(0, 0.04, months))
            parts.append(pd.DataFrame({"ds": ds, "region": region, "line": line, "amount": amount.round(2)}))
    return pd.concat(parts, ignore_index=True)
