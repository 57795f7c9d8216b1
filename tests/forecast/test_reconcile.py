"""The projection against the textbook formula with dense matrices, and properties any projection must have."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planning.errors import DataError, UsageError
from planning.forecast import hierarchy as hierarchies
from planning.forecast import reconcile

KEYS = ["region", "line", "type"]


def example(spec="region; line; region,line"):
    cells = pd.DataFrame(list(itertools.product("NSEW", "PVX", "ab")), columns=KEYS)
    return hierarchies.build(cells.sample(frac=1, random_state=0), KEYS, spec)


def textbook(hierarchy, w, y):
    s = np.vstack([hierarchy.summing.toarray(), np.eye(hierarchy.n_bottom)])
    inverse = np.linalg.inv(w)
    return np.linalg.solve(s.T @ inverse @ s, s.T @ inverse @ y)


@pytest.mark.parametrize("name", reconcile.CANDIDATES)
@pytest.mark.parametrize("dense", [2500, 3])
def test_projection_equals_the_textbook(name, dense, monkeypatch):
    monkeypatch.setattr(reconcile, "DENSE_AGGREGATES", dense)
    hierarchy = example()
    rng = np.random.default_rng(1)
    n = len(hierarchy.cells)
    errors = rng.normal(size=(60, n, 3)) + rng.normal(size=(60, 1, 3))
    diagonal, factors = reconcile.metric(name, hierarchy, rng.uniform(1, 5, n), errors, np.full(60, 1 / 60))
    w = np.diag(diagonal) + (0 if factors is None else factors.T @ factors)
    y = rng.normal(size=(n, 3))
    projection = reconcile.Projection(hierarchy, diagonal, factors)
    np.testing.assert_allclose(projection.bottom(y), textbook(hierarchy, w, y), atol=1e-7)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), name=st.sampled_from(reconcile.CANDIDATES))
def test_coherent_forecasts_are_not_moved_and_the_result_is_coherent(seed, name):
    hierarchy = example()
    rng = np.random.default_rng(seed)
    n = len(hierarchy.cells)
    errors = rng.normal(size=(30, n, 2))
    projection = reconcile.Projection(
        hierarchy, *reconcile.metric(name, hierarchy, rng.uniform(1, 5, n), errors, np.full(30, 1 / 30))
    )
    bottom = rng.normal(size=(hierarchy.n_bottom, 2))
    np.testing.assert_allclose(projection.bottom(hierarchy.sums(bottom)), bottom, atol=1e-8)
    out = projection.coherent(rng.normal(size=(n, 2)))
    a = hierarchy.n_aggregates
    np.testing.assert_allclose(out[:a], hierarchy.summing @ out[a:], atol=1e-10)


def test_a_node_without_variance_keeps_its_value():
    hierarchy = example()
    diagonal = np.ones(len(hierarchy.cells))
    diagonal[[0, 3]] = 0.0
    y = np.random.default_rng(2).normal(size=len(hierarchy.cells))
    out = reconcile.Projection(hierarchy, diagonal).coherent(y)
    np.testing.assert_allclose(out[[0, 3]], y[[0, 3]], atol=1e-8)


def test_nodes_are_named_by_their_keys_whatever_the_row_order():
    hierarchy = example("line; region")
    ids = hierarchy.cells["unique_id"].tolist()
    assert ids[:8] == ["total", "P", "V", "X", "E", "N", "S", "W"]
    assert ids[8] == "E/P/a"
    assert hierarchy.cells["level"].unique().tolist() == ["total", "line", "region", "region/line/type"]


def test_ids_two_levels_share_are_written_with_their_key():
    cells = pd.DataFrame({"region": ["A", "A", "B"], "line": ["A", "B", "B"]})
    ids = hierarchies.build(cells, ["region", "line"], "region; line").cells["unique_id"].tolist()
    assert ids == ["total", "region=A", "region=B", "line=A", "line=B", "A/A", "A/B", "B/B"]


def test_wrong_specs_and_cells_are_named():
    with pytest.raises(UsageError, match="Did you mean 'region'"):
        example("regoin")
    with pytest.raises(DataError, match="N/P stands twice"):
        hierarchies.build(pd.DataFrame({"region": ["N", "N"], "line": ["P", "P"]}), ["region", "line"])


def test_shrinkage_grows_when_origins_are_few():
    rng = np.random.default_rng(3)
    common = rng.normal(size=(300, 1))
    correlated = common + 0.3 * rng.normal(size=(300, 20))
    correlated /= np.sqrt((correlated**2).mean(axis=0))
    assert reconcile.shrinkage(correlated, 1) == pytest.approx(20 / 300, abs=0.01)
    assert reconcile.shrinkage(correlated[:25], 1) >= 20 / 25
    independent = rng.normal(size=(40, 20))
    assert reconcile.shrinkage(independent, 12) == 1.0
