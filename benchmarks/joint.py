"""Joint forecasts of hierarchies: the figures of the README, on tourism and Australian retail.

    python benchmarks/joint.py            both hierarchies, yearly sums, and the scale test

Scores: CRPS and MASE divided by the series' own in-sample seasonal-naive error, averaged over levels (each level weighs
the same); interval coverage of cells by step and of sums over the horizon; energy score of the states x steps vector,
each state in its own unit.
Peers measured elsewhere on the same origins (HierarchicalForecast 1.5.3, AutoETS base, best of its methods): tourism
CRPS .917, 80 % holds 56, 95 % holds 77, the total's 80 % 36; retail (4 origins) CRPS .720, 80 % 73.5, 95 % 88.0.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from planning.forecast import coherent as jt
from planning.forecast import nodes, reconcile
from planning.forecast.hierarchy import Hierarchy
from planning.forecast.joint_forecast import JointForecast, t_quantile

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
LEVELS = (np.arange(100) + 0.5) / 100


def tourism() -> tuple[pd.DataFrame, list[str], str, str, int, int, list[int]]:
    frame = pd.read_csv(DATA / "forecasting" / "tourism_hierarchy.csv")
    frame.columns = [name.lower() for name in frame.columns]
    date = next(name for name in frame.columns if name in ("quarter", "date", "ds", "date_time"))
    value = next(name for name in frame.columns if name in ("trips", "y"))
    frame["ds"] = pd.PeriodIndex(frame[date].astype(str).str.replace(" ", ""), freq="Q").to_timestamp()
    frame = frame.rename(columns={value: "y"})
    return (
        frame,
        ["state", "region", "purpose"],
        "state; purpose; state,purpose; state,region",
        "QS",
        4,
        8,
        list(range(48, 73, 3)),
    )


def retail() -> tuple[pd.DataFrame, list[str], str, str, int, int, list[int]]:
    frame = pd.read_parquet(DATA / "sales" / "aus_retail.parquet").rename(
        columns={"State": "state", "Industry": "industry", "Month": "ds", "Turnover": "y"}
    )
    frame.columns = [name if name in ("ds", "y") else name.lower() for name in frame.columns]
    frame = frame.rename(columns={"month": "ds", "turnover": "y"})
    frame["ds"] = pd.to_datetime(frame["ds"])
    full = frame.groupby(["state", "industry"])["ds"].transform("count") == frame["ds"].nunique()
    return frame[full], ["state", "industry"], "state; industry", "MS", 12, 12, list(range(345, 430, 12))


def scores(forecast: JointForecast, actual: np.ndarray, unit: np.ndarray, levels: np.ndarray) -> dict[str, np.ndarray]:
    """Returns per-node scores: crps, mase, hits of 80 and 95 by step, of the sum, and the PIT of the sum."""
    mean, scale = forecast._node_law(np.arange(len(unit)), np.arange(actual.shape[1]), total=False)
    total, spread = forecast._node_law(np.arange(len(unit)), np.arange(actual.shape[1]), total=True)
    floor = np.where(forecast.nonnegative, 0.0, -np.inf)[:, None]
    pinball = np.zeros(actual.shape)
    for level in LEVELS:
        gap = actual - np.maximum(mean + t_quantile(level, forecast.df) * scale, floor)
        pinball += np.maximum(level * gap, (level - 1) * gap)
    out = {"crps": 2 * (pinball / len(LEVELS)).mean(1) / unit, "mase": np.abs(actual - mean).mean(1) / unit}
    whole = actual.sum(axis=1, keepdims=True)
    for name, q in (("80", 0.9), ("95", 0.975)):
        half = t_quantile(q, forecast.df)
        out[name] = (np.abs(actual - mean) <= half * scale).mean(1)
        out["sum" + name] = (np.abs(whole - total) <= half * spread)[:, 0].astype(float)
    return out


def energy(forecast: JointForecast, actual: np.ndarray, level: str, unit: np.ndarray) -> float:
    """Returns the energy score of one level's nodes x horizon vector, in each node's unit, from 1,000 draws."""
    ids = forecast.cells.loc[forecast.cells["level"] == level, "unique_id"]
    rows = np.flatnonzero(forecast.cells["level"] == level)
    draws = (forecast.draws(1000, 7, cells=ids) / unit[rows, None]).reshape(1000, -1)
    y = (actual[rows] / unit[rows, None]).reshape(1, -1)
    apart = np.linalg.norm(draws[:500] - draws[500:], axis=1).mean()
    return float(np.linalg.norm(draws - y, axis=1).mean() - 0.5 * apart)


def evaluate(name: str, data: tuple, origins: list[int] | None = None) -> dict[str, float]:
    """Prints and returns mean scores over the origins of one hierarchy."""
    frame, keys, spec, freq, season, horizon, every = data
    panel = nodes.build_panel(frame, keys=keys, freq=freq, spec=spec)
    base = jt.engine_base()
    levels = panel.hierarchy.cells["level"].to_numpy()
    rows, chosen, cpu = [], [], 0.0
    for origin in origins or every:
        start = time.process_time()
        known = nodes.Panel(
            panel.hierarchy, panel.values[:, :origin], panel.ds[:origin], panel.negative, 0, panel.ended
        )
        periods = panel.ds[origin : origin + horizon]
        forecast = jt.from_panel(known, periods, season, base)
        cpu += time.process_time() - start
        actual = panel.values[:, origin : origin + horizon]
        unit = np.abs(known.values[:, season:] - known.values[:, :-season]).mean(axis=1)
        per_node = pd.DataFrame(scores(forecast, actual, unit, levels)).assign(level=levels)
        by_level = per_node.groupby("level").mean()
        totals = {f"total_{key}": by_level.loc["total", key] for key in ("80", "95")}
        rows.append({**by_level.mean(), "es": energy(forecast, actual, "state", unit), **totals})
        chosen.append(forecast.meta["projection"])
    mean = pd.DataFrame(rows).mean()
    print(
        f"{name}: {len(rows)} origins, {len(levels)} nodes, {cpu / len(rows):.1f} cpu s an origin; projections {chosen}"
    )
    print("  " + "  ".join(f"{key} {value:.3f}" for key, value in mean.items()))
    return dict(mean)


def years(origins: range = range(141, 430, 12)) -> None:
    """Prints how the chances of yearly sums held on retail: 25 yearly origins, shares below nominal quantiles, PIT."""
    frame, keys, spec, freq, season, horizon, _ = retail()
    panel = nodes.build_panel(frame, keys=keys, freq=freq, spec=spec)
    levels = panel.hierarchy.cells["level"].to_numpy()
    pits, widths = [], []
    for origin in origins:
        known = nodes.Panel(
            panel.hierarchy, panel.values[:, :origin], panel.ds[:origin], panel.negative, 0, panel.ended
        )
        forecast = jt.from_panel(known, panel.ds[origin : origin + horizon], season, jt.engine_base())
        actual = panel.values[:, origin : origin + horizon].sum(axis=1)
        whole = forecast.quantile(levels=(0.1, 0.9), total=True)
        target = pd.Series(actual, index=forecast.cells["unique_id"])
        pits.append(1 - forecast.probability(target).to_numpy())
        widths.append(((whole[0.9] - whole[0.1]) / actual).to_numpy())
    pit, width = np.stack(pits), np.stack(widths)
    for level in ["all", *dict.fromkeys(levels)]:
        chosen = np.ones(len(levels), bool) if level == "all" else levels == level
        u = pit[:, chosen].ravel()
        inside = [np.mean(np.abs(u - 0.5) <= half) for half in (0.40, 0.475)]
        below = " ".join(f"{np.mean(u <= q):.3f}" for q in (0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9))
        deciles = " ".join(f"{share:.3f}" for share in np.histogram(u, np.linspace(0, 1, 11))[0] / len(u))
        print(
            f"years, {level}: n {len(u)}, 80 % holds {inside[0]:.3f}, 95 % {inside[1]:.3f}, "
            f"width {width[:, chosen].mean():.3f}; below 10 25 40 50 60 75 90: {below}; PIT deciles {deciles}"
        )


def at_scale(n: int = 100_000, groups: int = 38_000, horizon: int = 12, k: int = 40) -> None:
    """Prints the time of factor + solve and of all quantiles for n bottom cells and some thousand aggregates."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, groups - groups // 20 - 1, n)
    second = rng.integers(0, groups // 20, n)
    ones = np.ones(n)
    a = sparse.vstack(
        [
            sparse.csr_matrix(np.ones((1, n))),
            sparse.csr_matrix((ones, (first, np.arange(n))), shape=(groups - groups // 20 - 1, n)),
            sparse.csr_matrix((ones, (second, np.arange(n))), shape=(groups // 20, n)),
        ],
        format="csr",
    )
    nodes = n + a.shape[0]
    ids = pd.DataFrame({"unique_id": np.arange(nodes).astype(str), "level": "x", "k": "x"})
    hierarchy = Hierarchy(ids, a, ("k",))
    start = time.process_time()
    projection = reconcile.Projection(
        hierarchy, *reconcile.metric("structural", hierarchy, ones, np.zeros((1, 1, 1)), ones)
    )
    projection.bottom(rng.normal(size=(nodes, horizon)))
    print(f"scale: factor and solve {n} + {a.shape[0]}: {time.process_time() - start:.1f} cpu s")
    errors = rng.normal(size=(k, nodes, horizon)).astype(np.float32)
    forecast = JointForecast(
        ids,
        pd.date_range("2027", periods=horizon, freq="MS"),
        np.ones((nodes, horizon)),
        errors,
        np.full(k, 1 / k),
        6.0,
        ("k",),
        hierarchy.bottom,
        np.zeros(nodes, bool),
    )
    start = time.process_time()
    forecast.quantile(levels=(0.025, 0.1, 0.5, 0.9, 0.975))
    forecast.quantile(levels=(0.025, 0.1, 0.5, 0.9, 0.975), total=True)
    print(f"scale: all quantiles of {nodes} nodes x {horizon} and their sums: {time.process_time() - start:.1f} cpu s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["tourism", "retail", "years", "scale"])
    chosen = parser.parse_args().only
    print(f"benchmarks/joint.py {' '.join(sys.argv[1:])}")
    if chosen in (None, "tourism"):
        evaluate("tourism", tourism())
    if chosen in (None, "retail"):
        evaluate("retail", retail())
    if chosen in (None, "years"):
        years()
    if chosen in (None, "scale"):
        at_scale()


if __name__ == "__main__":
    main()
