"""The parts of a forecast add up, and mean what they say."""

import numpy as np
import pandas as pd
import pytest

from planning.forecast.explanation import explain, parameters
from planning.forecast.panel import Panel


def history(n=60, slope=1.0, offset=0.0):
    steps = np.arange(n)
    noise = np.random.default_rng(4).normal(0, 1, n)
    y = offset + 200 + slope * steps + 30 * np.sin(2 * np.pi * steps / 12) + noise
    return pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2021-01-01", periods=n, freq="MS"), "y": y})


@pytest.mark.parametrize("offset", [0.0, -250.0])
def test_level_trend_and_season_add_up_to_the_mean(offset):
    found = explain(history(offset=offset), horizon=12, freq="MS")
    np.testing.assert_allclose(found["level"] + found["trend"] + found["season"], found["mean"], atol=1e-9)
    want = 30 * np.sin(2 * np.pi * np.arange(60, 72) / 12)
    assert np.abs(found["season"] - want).max() < 9
    assert found["level"].iloc[0] == pytest.approx(258 + offset, abs=8) and found["trend"].iloc[-1] > 4


def test_parameters_can_be_read_back():
    table = parameters(Panel.of_frame(history(), "MS"))
    assert table["weight"].sum() == pytest.approx(1) and (table["weight"].diff().dropna() <= 0).all()
    assert table["form"].iloc[0] in {"AAa", "AdAa", "AMm", "AdMm", "NAa", "NMm"}
    assert table[["alpha", "beta", "gamma"]].min().min() >= 0 and (table["beta"] <= table["alpha"]).all()
    damped = table[table["form"].str.startswith("Ad")]
    assert damped["phi"].between(0.8, 0.98).all()
