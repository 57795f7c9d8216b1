"""A budget split by PyMC-Marketing, run by the peer's own python (see benchmarks/budget.py); not by hand.

    python peers_budget.py SPEND.parquet OUTCOME.parquet OUT.json

A hierarchical model over regions and channels (geometric carry-over, Michaelis-Menten saturation, trend and two yearly
waves), sampled by nutpie at its defaults, split by the package's own optimiser. OUT has the split per region and line
(amounts a period), CPU and wall seconds of fit and split, and peak memory.
"""

import json
import os
import resource
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from pymc_extras.prior import Prior
from pymc_marketing.mmm import GeometricAdstock, MichaelisMentenSaturation
from pymc_marketing.mmm.multidimensional import MMM, MultiDimensionalBudgetOptimizerWrapper

WEEKS_AHEAD = 12


def pooled(centre: float) -> Prior:
    """Returns a prior of a channel's parameter whose regions are drawn around the channel's own mean."""
    mean = Prior("Normal", mu=float(np.log(centre)), sigma=1.0, dims="channel")
    spread = Prior("HalfNormal", sigma=0.5)
    return Prior("Normal", mu=mean, sigma=spread, dims=("region", "channel"), centered=False, transform="exp")


def fitted(table: pd.DataFrame, channels: list[str]) -> MMM:
    """Returns the sampled model of a wide table: date, region, t, y and one column a channel."""
    model = MMM(
        date_column="date", target_column="y", channel_columns=channels, control_columns=["t"], dims=("region",),
        adstock=GeometricAdstock(l_max=8, priors={"alpha": Prior("Beta", alpha=1, beta=3, dims="channel")}),
        saturation=MichaelisMentenSaturation(priors={"alpha": pooled(0.15), "lam": pooled(0.3)}),
        yearly_seasonality=2,
    )  # fmt: skip
    model.fit(
        table.drop(columns="y"), table["y"], nuts_sampler="nutpie", chains=4, cores=1, random_seed=1,
        progressbar=False, target_accept=0.9,
    )  # fmt: skip
    return model


def split(model: MMM, last: pd.Timestamp, total: float) -> pd.DataFrame:
    """Returns region, line, amount of the package's own optimum for the weeks after the data."""
    start, end = last + pd.Timedelta(weeks=1), last + pd.Timedelta(weeks=WEEKS_AHEAD)
    wrapper = MultiDimensionalBudgetOptimizerWrapper(model, f"{start:%Y-%m-%d}", f"{end:%Y-%m-%d}")
    found, _result = wrapper.optimize_budget(budget=total)
    frame = found.to_series().rename("amount").reset_index().rename(columns={"channel": "line"})
    return frame.assign(amount=frame["amount"] * total / frame["amount"].sum())


def main() -> None:
    """Fits and splits the world named on the command line."""
    spend, outcome = (pd.read_parquet(path) for path in sys.argv[1:3])
    channels = sorted(spend["line"].unique())
    wide = spend.pivot_table(index=["period", "region"], columns="line", values="amount").reset_index()
    table = wide.merge(outcome, on=["period", "region"]).rename(columns={"period": "date", "outcome": "y"})
    table["t"] = (table["date"] - table["date"].min()).dt.days / 365.25
    total = float(spend[spend["period"].isin(sorted(spend["period"].unique())[-52:])]["amount"].sum() / 52)
    cpu, wall = time.process_time(), time.perf_counter()
    model = fitted(table, channels)
    between = time.process_time(), time.perf_counter()
    amounts = split(model, table["date"].max(), total)
    done = time.process_time(), time.perf_counter()
    result = {
        "split": amounts.to_dict("records"),
        "fit_cpu": between[0] - cpu, "split_cpu": done[0] - between[0], "wall": done[1] - wall,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }  # fmt: skip
    with open(sys.argv[3], "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
