"""The growth view against cases solved by hand."""

import numpy as np
import pytest

from planning.forecast import growth


def test_steady_growth_is_continued():
    t = np.arange(48)
    values = np.array([np.exp(0.12 * t / 12), 5 * np.exp(0.12 * t / 12)])
    made = growth.ahead(values, 12, 12, np.array([12]))
    assert made.shape == (2, 2, 12)
    future = np.exp(0.12 * np.arange(48, 60) / 12)
    assert made[0, 0].sum() == pytest.approx(future.sum(), rel=1e-9)
    np.testing.assert_allclose(made[1, 1].sum(), values[1, 36:].sum(), rtol=1e-9)


def test_the_season_is_kept_and_growth_is_half_shared():
    season = 1 + 0.5 * np.sin(2 * np.pi * np.arange(12) / 12)
    flat, fast = np.tile(season, 3), np.tile(season, 3) * np.repeat([1.0, 1.2, 1.44], 12)
    made = growth.ahead(np.array([flat, flat, fast]), 12, 12, np.array([], dtype=int))[0]
    np.testing.assert_allclose(made[0], season, rtol=1e-9)
    # Shared growth is the median, 0, so the fast node keeps half its own log growth.
    np.testing.assert_allclose(made[2], 1.44 * season * np.sqrt(1.2), rtol=1e-9)


def test_short_negative_and_empty_nodes_have_no_view():
    values = np.ones((3, 36))
    values[0, :20] = np.nan
    values[1, 30] = -5.0
    made = growth.ahead(values, 6, 12, np.array([24]))
    assert np.isnan(made[0, :2]).all() and np.isfinite(made[0, 2]).all()
    assert np.isnan(made[1]).all()
