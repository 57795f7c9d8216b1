"""Drivers known ahead: what they save, how well effects are found again, what it costs. `python benchmarks/drivers.py`.

A simulated panel with known truth: 300 weekly series of 156 weeks, promotion (mean effect .49 a week, sd .15 over
series), price (elasticity −1.52, sd .4) and working days (.8), a level that wanders and a season; three origins, eight
weeks ahead. MASE is by the lag-1 naive error of the history. Simulated in logarithms, the form the regression assumes.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

from planning.forecast import forecast
from planning.forecast.drivers import forecast_with_drivers

SERIES, WEEKS, H, ORIGINS = 300, 156, 8, 3
PROMOTION, PRICE, DAYS = 0.49, -1.52, 0.8


def panel(seed: int = 1) -> pd.DataFrame:
    """Returns unique_id, ds, y and the drivers promo, price, days of all weeks."""
    rng = np.random.default_rng(seed)
    total = WEEKS + H * ORIGINS
    ds = pd.date_range("2021-01-03", periods=total, freq="W-SUN")
    days = np.where(rng.random(total) < 0.2, 4.0, 5.0)
    parts = []
    for i in range(SERIES):
        promo = (rng.random(total) < 0.15).astype(float)
        price = np.exp(np.cumsum(np.where(rng.random(total) < 0.05, rng.normal(0, 0.05, total), 0)) - 0.15 * promo)
        level = rng.normal(4, 1) + np.cumsum(rng.normal(0, 0.03, total))
        season = 0.2 * np.sin(2 * np.pi * (np.arange(total) / 52 + rng.random()))
        effect = rng.normal(PROMOTION, 0.15) * promo + rng.normal(PRICE, 0.4) * np.log(price) + DAYS * np.log(days / 5)
        y = np.exp(level + season + effect + rng.normal(0, 0.08, total))
        parts.append(pd.DataFrame({"unique_id": f"S{i:03d}", "ds": ds, "y": y, "promo": promo, "price": price,
                                   "days": days}))  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def score(made: pd.DataFrame, actual: pd.DataFrame, history: pd.DataFrame) -> float:
    """Returns the mean over series of MASE."""
    both = made.merge(actual, on=["unique_id", "ds"])
    error = (both["mean"] - both["y"]).abs().groupby(both["unique_id"]).mean()
    naive = history.groupby("unique_id")["y"].apply(lambda y: y.diff().abs().mean())
    return float((error / naive).mean())


def main() -> None:
    """Prints MASE with and without drivers, the effects found, and processor time a series."""
    frame = panel()
    forecast(frame.head(200)[["unique_id", "ds", "y"]], horizon=1, freq="W-SUN")  # kernels loaded before the clock runs
    weeks = np.sort(frame["ds"].unique())
    rows = []
    for k in range(ORIGINS):
        cut, last = weeks[WEEKS + k * H - 1], weeks[WEEKS + k * H + H - 1]
        history, ahead = frame[frame["ds"] <= cut], frame[(frame["ds"] > cut) & (frame["ds"] <= last)]
        start = time.process_time()
        plain = forecast(history[["unique_id", "ds", "y"]], horizon=H, freq="W-SUN", global_model=False)
        middle = time.process_time()
        driven = forecast_with_drivers(history, ahead.drop(columns="y"), horizon=H, freq="W-SUN", global_model=False)
        end = time.process_time()
        effects = driven.effects.set_index("driver")["effect"]
        actual = ahead[["unique_id", "ds", "y"]]
        rows.append({
            "origin": str(cut)[:10], "MASE without": score(plain, actual, history),
            "MASE with": score(driven.frame, actual, history), "promotion": effects["promo"],
            "price": effects["price"], "days": effects["days"],
            "cpu ms without": 1e3 * (middle - start) / SERIES, "cpu ms with": 1e3 * (end - middle) / SERIES,
        })  # fmt: skip
    table = pd.DataFrame(rows)
    print(table.round(3).to_string(index=False))
    print(table.mean(numeric_only=True).round(3).to_string())


if __name__ == "__main__":
    main()
