"""Forecasts of StatsForecast's models, run by the peers' own python (see benchmarks/forecast.py); not by hand.

    python peers_forecast.py HISTORY.parquet OUT.parquet FREQ SEASON HORIZON MODEL[:SERIES] ...

OUT gets unique_id, step, model, mean, lo-80, hi-80, lo-95, hi-95 and the model's cpu milliseconds a series.
"""

import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NIXTLA_ID_AS_COL", "1")

import numpy as np
import pandas as pd
from statsforecast import StatsForecast, models


def one(history: pd.DataFrame, name: str, freq: str, season: int, horizon: int) -> pd.DataFrame:
    """Returns one model's forecasts of the series of `history`, after a warm-up on three of them."""
    engine = StatsForecast([getattr(models, name)(season_length=season, alias="m")], freq=freq, n_jobs=1)
    ids = history["unique_id"].unique()
    engine.forecast(df=history[history["unique_id"].isin(ids[:3])], h=horizon, level=[80, 95])
    start = time.process_time()
    found = engine.forecast(df=history, h=horizon, level=[80, 95]).reset_index()
    cpu = (time.process_time() - start) / len(ids) * 1e3
    found = found.rename(columns={"m": "mean", **{f"m-{s}-{v}": f"{s}-{v}" for s in ("lo", "hi") for v in (80, 95)}})
    found["step"] = found.groupby("unique_id").cumcount()
    keep = ["unique_id", "step", "mean", "lo-80", "hi-80", "lo-95", "hi-95"]
    return found[keep].assign(model=name, cpu=cpu)


def main() -> None:
    """Runs every model named, on all series or on that many, evenly spaced."""
    source, out, freq, season, horizon, *names = sys.argv[1:]
    history = pd.read_parquet(source)
    ids = np.sort(history["unique_id"].unique())
    frames = []
    for name in names:
        model, _, some = name.partition(":")
        count = min(int(some), len(ids)) if some else len(ids)
        taken = ids[np.linspace(0, len(ids) - 1, count).astype(int)]
        part = history[history["unique_id"].isin(taken)]
        frames.append(one(part, model, freq, int(season), int(horizon)))
    pd.concat(frames, ignore_index=True).to_parquet(out, index=False)


if __name__ == "__main__":
    main()
