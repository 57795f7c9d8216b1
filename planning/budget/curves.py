"""Response curves: what spend of one cell brings a period, and what the next unit brings.

Three forms, each with a level ``a`` (outcome units) and a half-saturation ``k`` (spend units), x >= 0:

    hill   a * x / (x + k)                  concave, saturates at a
    log    a * log(1 + x / k)               concave, never saturates
    s      a * x**n / (x**n + k**n), n > 1  S-shaped: little at first, steepest before k

``Draws`` holds many plausible curves of every cell at once (posterior draws), ``Table`` their average as one concave
piecewise quadratic per cell, which the solver inverts exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

FORMS = ("hill", "log", "s")
SLOPE = 1.6  # exponent of the S-shaped form


def shape(z: np.ndarray, k: np.ndarray, form: str, slope: float = SLOPE) -> np.ndarray:
    """Return the curve of level 1 at spend ``z`` with half-saturation ``k``."""
    if form == "hill":
        return z / (z + k)
    if form == "log":
        return np.log1p(z / k)
    power = np.exp(slope * np.log(np.maximum(z, 1e-300) / k))
    return power / (1.0 + power)


def shape_slope(z: np.ndarray, k: np.ndarray, form: str, slope: float = SLOPE) -> np.ndarray:
    """Return the derivative of ``shape`` by spend."""
    if form == "hill":
        return k / (z + k) ** 2
    if form == "log":
        return 1.0 / (z + k)
    safe = np.maximum(z, 1e-9 * k)
    g = shape(safe, k, "s", slope)
    return slope * g * (1.0 - g) / safe


def shape_curvature(z: np.ndarray, k: np.ndarray, form: str, slope: float = SLOPE) -> np.ndarray:
    """Return the second derivative of ``shape`` by spend."""
    if form == "hill":
        return -2.0 * k / (z + k) ** 3
    if form == "log":
        return -1.0 / (z + k) ** 2
    safe = np.maximum(z, 1e-9 * k)
    g = shape(safe, k, "s", slope)
    return slope * g * (1.0 - g) / safe**2 * (slope * (1.0 - 2.0 * g) - 1.0)


def shape_by_log_k(z: np.ndarray, k: np.ndarray, form: str, slope: float = SLOPE) -> np.ndarray:
    """Return the derivative of ``shape`` by log(k)."""
    if form == "hill":
        return -z * k / (z + k) ** 2
    if form == "log":
        return -z / (z + k)
    g = shape(z, k, "s", slope)
    return -slope * g * (1.0 - g)


@dataclass(frozen=True)
class Curves:
    """One known curve a cell: arrays ``a`` and ``k`` of shape (..., cells), all of one form."""

    a: np.ndarray
    k: np.ndarray
    form: str = "hill"
    slope: float = SLOPE

    @property
    def concave(self) -> bool:
        """Tell whether every curve is concave."""
        return self.form != "s"

    def value(self, x: np.ndarray) -> np.ndarray:
        """Return the response at ``x`` (..., cells)."""
        return self.a * shape(x, self.k, self.form, self.slope)

    def marginal(self, x: np.ndarray) -> np.ndarray:
        """Return what the next unit brings at ``x`` (..., cells)."""
        return self.a * shape_slope(x, self.k, self.form, self.slope)

    def inverse(self, price: np.ndarray) -> np.ndarray:
        """Return the spend at which the marginal equals ``price`` (may be negative: clip to the bounds)."""
        if self.form == "hill":
            return np.sqrt(self.a * self.k / price) - self.k
        if self.form == "log":
            return self.a / price - self.k
        return self._inverse_beyond_inflection(np.asarray(price, float))

    def _inverse_beyond_inflection(self, price: np.ndarray) -> np.ndarray:
        """Invert the falling part of an S-shaped curve's marginal, in log spend."""
        # In logs the marginal falls concavely, so Newton from the right of the root only ever comes closer to it.
        n = self.slope
        aim = np.log(price * self.k / (n * self.a))
        turn = np.log((n - 1) / (n + 1)) / n
        u = np.maximum(-aim / (n + 1), turn + 1e-9)
        for _ in range(14):
            share = 1.0 / (1.0 + np.exp(-n * u))
            level = -(n + 1) * u - 2 * np.log1p(np.exp(-n * u))
            u = np.maximum(u - (level - aim) / np.minimum((n - 1) - 2 * n * share, -1e-12), turn)
        return self.k * np.exp(np.minimum(u, 300.0))

    def take(self, index: np.ndarray) -> Curves:
        """Return the curves of some cells, by position in the last axis."""
        return Curves(self.a[..., index], self.k[..., index], self.form, self.slope)


@dataclass(frozen=True)
class Table:
    """Concave curves as marginals on knots: ``knots`` and ``marginals`` (cells, G), linear between, so the value is
    exact.

    ``start`` (cells,) is the value at the first knot.
    """

    knots: np.ndarray
    marginals: np.ndarray
    start: np.ndarray
    cumulated: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        widths = np.diff(self.knots, axis=1)
        areas = widths * (self.marginals[:, 1:] + self.marginals[:, :-1]) / 2.0
        total = np.concatenate([np.zeros((len(widths), 1)), np.cumsum(areas, axis=1)], axis=1)
        object.__setattr__(self, "cumulated", total + self.start[:, None])

    @property
    def concave(self) -> bool:
        """A table is concave by construction (its marginals fall)."""
        return True

    def _segment(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = np.arange(len(self.knots))
        j = np.clip((self.knots <= x[:, None]).sum(axis=1) - 1, 0, self.knots.shape[1] - 2)
        width = self.knots[rows, j + 1] - self.knots[rows, j]
        share = np.divide(x - self.knots[rows, j], width, out=np.zeros_like(x), where=width > 0)
        return rows, j, share

    def marginal(self, x: np.ndarray) -> np.ndarray:
        """Return what the next unit brings at ``x`` (cells,)."""
        rows, j, share = self._segment(x)
        return self.marginals[rows, j] * (1 - share) + self.marginals[rows, j + 1] * share

    def value(self, x: np.ndarray) -> np.ndarray:
        """Return the response at ``x`` (cells,), the integral of the marginal."""
        rows, j, share = self._segment(x)
        step = (x - self.knots[rows, j]) * (self.marginals[rows, j] + self.marginal(x)) / 2.0
        return self.cumulated[rows, j] + step

    def inverse(self, price: np.ndarray) -> np.ndarray:
        """Return the spend at which the marginal equals ``price``, inside the knots."""
        price = np.broadcast_to(np.asarray(price, float), self.start.shape)
        rows = np.arange(len(self.knots))
        j = np.clip((self.marginals >= price[:, None]).sum(axis=1) - 1, 0, self.knots.shape[1] - 2)
        high, low = self.marginals[rows, j], self.marginals[rows, j + 1]
        share = np.divide(high - price, high - low, out=np.zeros(len(rows)), where=high > low)
        left, right = self.knots[rows, j], self.knots[rows, j + 1]
        return left + np.clip(share, 0.0, 1.0) * (right - left)

    def take(self, index: np.ndarray) -> Table:
        """Return the curves of some cells, by position."""
        return Table(self.knots[index], self.marginals[index], self.start[index])


@dataclass(frozen=True)
class Draws:
    """Posterior draws of every cell's curve, in spend and outcome units per period of spend.

    cells : frame with `region`, `line`, one row a cell; a, k : (draws, cells); forms : (draws,) names of FORMS.
    """

    cells: pd.DataFrame
    a: np.ndarray
    k: np.ndarray
    forms: np.ndarray
    slope: float = SLOPE

    def __len__(self) -> int:
        return len(self.a)

    def _apply(self, function, x: np.ndarray) -> np.ndarray:
        x = np.broadcast_to(np.asarray(x, float), self.a.shape)
        out = np.empty(self.a.shape)
        for form in np.unique(self.forms):
            rows = self.forms == form
            out[rows] = self.a[rows] * function(x[rows], self.k[rows], str(form), self.slope)
        return out

    def response(self, x: np.ndarray) -> np.ndarray:
        """Return the response (draws, cells) at spend ``x``: (cells,) or (draws, cells)."""
        return self._apply(shape, x)

    def marginal(self, x: np.ndarray) -> np.ndarray:
        """Return what the next unit brings (draws, cells) at spend ``x``."""
        return self._apply(shape_slope, x)

    def curvature(self, x: np.ndarray) -> np.ndarray:
        """Return how fast the marginal falls (draws, cells) at spend ``x``."""
        return self._apply(shape_curvature, x)

    def _mean_marginals(self, grid: np.ndarray) -> np.ndarray:
        """Return the mean over draws of what the next unit brings at each point of ``grid`` (cells, knots)."""
        total = np.zeros(grid.shape)
        for form in np.unique(self.forms):
            rows = self.forms == form
            a, k = self.a[rows], self.k[rows]
            for j in range(grid.shape[1]):
                total[:, j] += (a * shape_slope(grid[:, j], k, str(form), self.slope)).sum(axis=0)
        return total / len(self.a)

    def peak(self, lo: np.ndarray, hi: np.ndarray, *, knots: int = 129) -> np.ndarray:
        """Return where the mean curve stops being convex between lo and hi; lo itself where it is concave
        throughout."""
        if "s" not in self.forms:
            return lo.copy()
        steps = np.linspace(0.0, 1.0, knots) ** 2
        grid = lo[:, None] + (hi - lo)[:, None] * steps[None, :]
        marginals = self._mean_marginals(grid)
        at = marginals.argmax(axis=1)
        rises = marginals.max(axis=1) > marginals[:, 0] * (1 + 1e-6)
        return np.where(rises, grid[np.arange(len(grid)), at], lo)

    def take(self, index: np.ndarray) -> Draws:
        """Return the draws of some cells, by position."""
        cells = self.cells.iloc[index].reset_index(drop=True)
        return Draws(cells, self.a[:, index], self.k[:, index], self.forms, self.slope)

    def table(self, lo: np.ndarray, hi: np.ndarray, *, knots: int = 65) -> Table:
        """Return the average over draws as a concave table between ``lo`` and ``hi`` (cells,).

        Knots lie closer together near ``lo``, where curves bend most. An average that is not concave (S-shaped draws)
        is replaced by its concave envelope of marginals (running minimum), which the dual bound then accounts for.
        """
        steps = np.linspace(0.0, 1.0, knots) ** 2
        grid = lo[:, None] + (hi - lo)[:, None] * steps[None, :]
        marginals = self._mean_marginals(grid)
        start = self.response(lo).mean(axis=0)
        return Table(grid, np.minimum.accumulate(marginals, axis=1), start)
