"""Makes forecasts of nodes agree with their sums, by the linear projection that moves them least in a stated metric.

Forecasts y of all nodes are moved to the nearest coherent ones in the metric W^-1 (Hyndman et al. 2011; Wickramasuriya
et al. 2019):

    y~ = y - W C' (C W C')^-1 C y,     C = [I, -A],     W = diag(D) + F'F

`C y` is the incoherence, one row an aggregate, so the system solved has the size of the aggregates, never of the
nodes. Its sparse part is factored once; the factors F enter directly where the system is small and by Woodbury's
identity where it is not. No n x n matrix is formed.

| candidate | D | F |
|---|---|---|
| ols | 1 | none |
| root | square root of the node's scale | none |
| structural | number of bottom cells in the node | none |
| variance | mean squared past error | none |
| covariance | shrunk part of the variance | past error arrays, weighted |
"""

from __future__ import annotations

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import splu

from planning.forecast.hierarchy import Hierarchy

DENSE_AGGREGATES = 2500  # above this the aggregate system stays sparse and covariance enters as few factors
FACTORS = 5
VARIANCE_FLOOR = 0.05
MOST_SHRUNK = 500  # nodes looked at for the intensity of shrinkage
CANDIDATES = ("ols", "root", "structural", "variance", "covariance")


class Projection:
    """The projection onto coherent forecasts in the metric of W = diag(`diagonal`) + `factors`' `factors`.

    diagonal: (nodes,) >= 0, 0 where a node is fixed. factors: (q, nodes) or None.
    """

    def __init__(self, hierarchy: Hierarchy, diagonal: np.ndarray, factors: np.ndarray | None = None):
        self.hierarchy = hierarchy
        a = hierarchy.n_aggregates
        self.constraint = sparse.hstack([sparse.identity(a), -hierarchy.summing], format="csr")
        self.diagonal = np.asarray(diagonal, dtype=float)
        self.factors = factors if factors is not None and factors.size else None
        system = self.constraint @ sparse.diags(self.diagonal) @ self.constraint.T
        tiny = 1e-12 * max(float(system.diagonal().max()), 1e-300)
        self._loads = None if self.factors is None else self.constraint @ self.factors.T
        self._dense = None
        if a <= DENSE_AGGREGATES:
            full = system.toarray()
            if self._loads is not None:
                full += self._loads @ self._loads.T
            full[np.diag_indices(a)] += tiny
            self._dense = linalg.cho_factor(full, check_finite=False)
        else:
            # The system is symmetric and positive definite; an ordering that knows it keeps the fill small.
            options = {"SymmetricMode": True}
            matrix = (system + tiny * sparse.identity(a)).tocsc()
            self._sparse = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
            if self._loads is not None:
                self._inner = self._sparse.solve(np.ascontiguousarray(self._loads))
                self._small = np.eye(self._loads.shape[1]) + self._loads.T @ self._inner

    def _solve(self, r: np.ndarray) -> np.ndarray:
        if self._dense is not None:
            return linalg.cho_solve(self._dense, r, check_finite=False)
        x = self._sparse.solve(np.ascontiguousarray(r))
        if self._loads is not None:
            x -= self._inner @ np.linalg.solve(self._small, self._loads.T @ x)
        return x

    def bottom(self, values: np.ndarray) -> np.ndarray:
        """Returns the bottom cells of the coherent forecasts; `values` is nodes x anything."""
        flat = values.reshape(len(values), -1).astype(float)
        a = self.hierarchy.n_aggregates
        x = self._solve(self.constraint @ flat)
        move = self.diagonal[a:, None] * (self.constraint[:, a:].T @ x)
        if self._loads is not None:
            move += self.factors[:, a:].T @ (self._loads.T @ x)
        return (flat[a:] - move).reshape(-1, *values.shape[1:])

    def coherent(self, values: np.ndarray) -> np.ndarray:
        """Returns all nodes of the coherent forecasts, aggregates as exact sums of the bottom."""
        return self.hierarchy.sums(self.bottom(values))


def shrinkage(standardised: np.ndarray, horizon: int) -> float:
    """Returns how far the error covariance is shrunk to its diagonal, 0-1.

    `standardised` is origins x nodes with unit second moments. The Schaefer-Strimmer intensity assumes independent
    rows, which overlapping origins are not: it is multiplied by sqrt(horizon), and is at least 20 / origins.
    """
    k, n = standardised.shape
    if k < 4 or n < 2:
        return 1.0
    r = standardised.T @ standardised / k
    r2 = (standardised**2).T @ (standardised**2) / k
    off = ~np.eye(n, dtype=bool)
    variance = ((r2 - r**2) / (k - 1))[off].sum()
    size = (r[off] ** 2).sum()
    intensity = 1.0 if size <= 0 else float(np.clip(variance / size, 0.0, 1.0))
    return float(min(1.0, max(intensity * np.sqrt(horizon), 20.0 / k)))


def metric(
    name: str, hierarchy: Hierarchy, scale: np.ndarray, errors: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns (diagonal, factors) of W for a candidate.

    scale: (nodes,) size of each node today. errors: K x nodes x H past errors in today's size. weights: (K,) sum 1.
    """
    nodes = len(scale)
    if name == "ols":
        return np.ones(nodes), None
    if name == "root":
        return np.sqrt(np.maximum(scale, 1e-12 * max(scale.max(), 1e-300))), None
    if name == "structural":
        counts = np.asarray(hierarchy.summing.sum(axis=1)).ravel()
        return np.concatenate([counts, np.ones(hierarchy.n_bottom)]), None
    variance = np.einsum("k,knh->n", weights, errors.astype(float) ** 2) / errors.shape[2]
    variance = np.maximum(variance, 1e-6 * max(variance.mean(), 1e-300))
    if name == "variance":
        return variance, None
    return _covariance(hierarchy, variance, errors, weights)


def _covariance(
    hierarchy: Hierarchy, variance: np.ndarray, errors: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    k, nodes, h = errors.shape
    # Errors are summed over the horizon's steps as separate rows: the covariance meant is that of one step.
    rows = (np.sqrt(weights / h)[:, None, None] * errors).transpose(0, 2, 1).reshape(k * h, nodes).astype(float)
    if hierarchy.n_aggregates <= DENSE_AGGREGATES and nodes <= 2 * DENSE_AGGREGATES:
        level = errors[:, :: max(1, nodes // MOST_SHRUNK)].astype(float).mean(axis=2)
        lam = shrinkage(level / np.sqrt(np.mean(level**2, axis=0) + 1e-300), h)
        return lam * variance, np.sqrt(1.0 - lam) * rows
    gram = rows @ rows.T
    values, vectors = np.linalg.eigh(gram)
    top = vectors[:, -FACTORS:]
    factors = top.T @ rows
    rest = np.maximum(variance - (factors**2).sum(axis=0), VARIANCE_FLOOR * variance)
    return rest, factors
