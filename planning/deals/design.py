"""Turns fields into columns: a number becomes a slope and a few bends, a class becomes one column a level.

A deal is kept as one small code a field; `table[code]` gives its columns. Missing is its own code everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import special

from planning.deals.columns import Column

MAX_LEVELS = 300
BIG_LEVELS, BIG_ROWS = 800, 30_000
MAX_BINS, EDGES_FROM = 128, 200_000
BENDS, FEWER_BENDS, MANY_NUMBERS = 5, 3, 15
SMALL_CLASS = 5
SORTED_FROM, SHRUNK_ABOVE = 12, 100


@dataclass(frozen=True)
class Term:
    """One field of the model: how to code it, its `table` (codes, q), and the name of each column's variance group."""

    field: str
    family: str
    kind: str
    table: np.ndarray
    groups: tuple[str, ...]
    edges: np.ndarray | None = None
    centres: np.ndarray | None = None
    levels: tuple[str, ...] = ()
    pooled: int = 0
    sorted_by: int = 0

    def code(self, values: pd.Series) -> np.ndarray:
        """Codes (n,) of a column's values; unknown levels go to the pool, missing to the last code."""
        if self.kind == "number":
            numbers = values.to_numpy("float64", na_value=np.nan)
            codes = np.searchsorted(self.edges, numbers, side="right")
            return np.where(np.isnan(numbers), len(self.centres), codes).astype(np.int16)
        index = pd.Index(self.levels)
        codes = index.get_indexer(values.to_numpy(dtype=object))
        missing = values.isna().to_numpy()
        return np.where(missing, len(index) + 1, np.where(codes < 0, len(index), codes)).astype(np.int16)


@dataclass(frozen=True)
class Design:
    """All fields of the model in order; column 0 is the intercept."""

    terms: tuple[Term, ...]

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """The columns of each field."""
        ends = np.cumsum([1] + [term.table.shape[1] for term in self.terms])
        return tuple(slice(int(a), int(b)) for a, b in zip(ends[:-1], ends[1:], strict=True))

    @property
    def width(self) -> int:
        """Number of columns, the intercept included."""
        return 1 + sum(term.table.shape[1] for term in self.terms)

    @cached_property
    def group_names(self) -> tuple[str, ...]:
        """Names of the variance groups in order."""
        return tuple(dict.fromkeys(name for term in self.terms for name in term.groups))

    @property
    def n_groups(self) -> int:
        """Number of variance groups."""
        return len(self.group_names)

    @cached_property
    def groups(self) -> np.ndarray:
        """Variance group of each column, -1 for the intercept."""
        place = {name: number for number, name in enumerate(self.group_names)}
        return np.array([-1] + [place[name] for term in self.terms for name in term.groups], dtype=np.int64)

    @cached_property
    def families(self) -> tuple[str, ...]:
        """Families in the order of their first field."""
        return tuple(dict.fromkeys(term.family for term in self.terms))

    @cached_property
    def family_of(self) -> np.ndarray:
        """Family number of each column, -1 for the intercept."""
        place = {name: number for number, name in enumerate(self.families)}
        return np.array([-1] + [place[t.family] for t in self.terms for _ in t.groups], dtype=np.int64)

    @cached_property
    def big(self) -> slice | None:
        """Columns of the class with most levels: its own part of the normal equations is diagonal."""
        classes = [
            slice(place.start, place.stop - term.sorted_by)
            for term, place in zip(self.terms, self.slices, strict=True)
            if term.kind == "category"
        ]
        return max(classes, key=lambda place: place.stop - place.start, default=None)

    def penalty(self, variances: np.ndarray) -> np.ndarray:
        """Inverse prior variance of each column, 0 for the intercept."""
        out = np.zeros(self.width)
        out[1:] = 1.0 / variances[self.groups[1:]]
        return out

    def codes(self, columns: Mapping[str, pd.Series]) -> np.ndarray:
        """Codes (n, fields) of deals given as one series a field."""
        rows = len(next(iter(columns.values()))) if columns else 0
        out = np.empty((rows, len(self.terms)), dtype=np.int16)
        for number, term in enumerate(self.terms):
            out[:, number] = term.code(columns[term.field])
        return out

    @cached_property
    def big_columns(self) -> tuple[int, np.ndarray]:
        """The field of the largest class and, per code of it, its column inside `big`."""
        number = next(i for i, place in enumerate(self.slices) if place.start == self.big.start)
        return number, self.terms[number].table[:, : self.big.stop - self.big.start].argmax(axis=1)

    def matrix(self, codes: np.ndarray, columns: np.ndarray | None = None) -> np.ndarray:
        """Columns (n, width) as float32, the intercept first; only `columns` (in order) where they are named."""
        wanted = np.arange(self.width) if columns is None else columns
        x = np.empty((len(codes), len(wanted)), dtype=np.float32)
        x[:, 0] = 1
        for number, (term, place) in enumerate(zip(self.terms, self.slices, strict=True)):
            first, last = np.searchsorted(wanted, [place.start, place.stop])
            if last > first:
                x[:, first:last] = term.table[:, wanted[first:last] - place.start][codes[:, number]]
        return x

    def contributions(self, codes: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Log-odds (n, fields) each field adds: one small look-up a field."""
        out = np.empty(codes.shape, dtype=np.float64)
        for number, (term, place) in enumerate(zip(self.terms, self.slices, strict=True)):
            out[:, number] = (term.table.astype(np.float64) @ b[place])[codes[:, number]]
        return out


def build_design(
    columns: Mapping[str, Column], family_of: Mapping[str, str], coarse: frozenset[str] = frozenset()
) -> Design:
    """Builds the columns of the given fields, grouped by family; `coarse` numbers become six classes of size."""
    ordered = sorted(columns, key=lambda name: list(dict.fromkeys(family_of.values())).index(family_of[name]))
    terms = []
    many = sum(column.kind == "number" for column in columns.values()) > MANY_NUMBERS
    bends = FEWER_BENDS if many else BENDS
    sizes = {name: columns[name].values.nunique() for name in ordered if columns[name].kind == "category"}
    largest = max(sizes, key=sizes.get, default=None)
    for name in ordered:
        column, family = columns[name], family_of[name]
        if column.kind == "number":
            terms.append(number_term(name, family, column.values.to_numpy(), 6 if name in coarse else MAX_BINS, bends))
        else:
            room = BIG_LEVELS if name == largest and len(column.values) <= BIG_ROWS else MAX_LEVELS
            terms.append(category_term(name, family, column.values, room))
    return Design(tuple(term for term in terms if term.table.shape[1]))


def with_sorting(design: Design, codes: np.ndarray, parts: np.ndarray) -> Design:
    """Lets the people, accounts and other large classes depend on the deals they were given.

    A random effect assumes that good and bad deals are spread evenly over its levels. Where able people get better
    fitting deals that hides part of their skill in product fit. So each level's mean contribution of every *other*
    family becomes a column of the class (Mundlak's device): the other families are then identified within a person's
    own deals. `parts` (n, fields) are the contributions of a first fit.
    """
    terms = []
    for number, term in enumerate(design.terms):
        others = [name for name in design.families if name != term.family]
        if term.kind != "category" or len(term.levels) < SORTED_FROM or not others:
            terms.append(term)
            continue
        sums = np.stack([parts[:, [t.family == name for t in design.terms]].sum(axis=1) for name in others], axis=1)
        terms.append(_sorted_term(term, codes[:, number], sums))
    return Design(tuple(terms))


def _sorted_term(term: Term, codes: np.ndarray, sums: np.ndarray) -> Term:
    """The class with a column for each of `sums` (n, others): how far a level's deals are off the average one.

    In a class of hundreds of values the mean of a level's few deals is mostly theirs and not the level's. There it is
    shrunk by what deals of one level differ among themselves, and the column is the smaller the less of it is left:
    none where nothing was sorted. Sixty people are better told with the plain means.
    """
    counts = np.bincount(codes, minlength=len(term.table)).astype(float)
    sums = sums - sums.mean(axis=0)
    means = np.stack([np.bincount(codes, column, len(term.table)) for column in sums.T], axis=1)
    means = means / np.maximum(counts, 1)[:, None]
    seen, n = int((counts > 0).sum()), counts.sum()
    between = counts @ means**2
    within = np.maximum((sums**2).sum(axis=0) - between, 0.0) / max(n - seen, 1)
    sorting = np.maximum(between - (seen - 1) * within, 0.0) / max(n - (counts @ counts) / n, 1e-9)
    trust = sorting / np.maximum(sorting + within / np.maximum(counts, 1)[:, None], 1e-12)
    if seen <= SHRUNK_ABOVE:
        trust = np.ones_like(means)
    shrunk, weights = means * trust, counts / n
    shrunk = np.where(counts[:, None] > 0, shrunk - weights @ shrunk, 0.0)
    spread = np.sqrt(weights @ shrunk**2)
    kept = spread > 1e-6
    means = shrunk[:, kept] / spread[kept] * np.sqrt(weights @ trust)[kept]
    table = np.hstack([term.table, means.astype(np.float32)])
    groups = term.groups + (f"{term.family}: {term.field} sorting",) * means.shape[1]
    return replace(term, table=table, groups=groups, sorted_by=means.shape[1])


def category_term(name: str, family: str, values: pd.Series, room: int = MAX_LEVELS) -> Term:
    """One column a level, the rarest beyond `room` in one pool; small classes share their family's variance."""
    counts = values.value_counts().sort_index().sort_values(ascending=False, kind="stable")  # ties by name
    levels = tuple(str(level) for level in counts.index[: room - 1])
    pooled = len(counts) - len(levels)
    rows = len(levels) + 2
    missing = bool(values.isna().any())
    width = len(levels) + (pooled > 0) + missing
    table = np.zeros((rows, width), dtype=np.float32)
    table[: len(levels), : len(levels)] = np.eye(len(levels))
    if pooled:
        table[len(levels), len(levels)] = 1
    if missing:
        table[len(levels) + 1, width - 1] = 1
    group = f"{family}: small classes" if len(levels) <= SMALL_CLASS else f"{family}: {name}"
    return Term(name, family, "category", table, (group,) * width, levels=levels, pooled=pooled)


def number_term(name: str, family: str, values: np.ndarray, bins: int = MAX_BINS, most: int = BENDS) -> Term:
    """A standardised slope, a few smooth bends and, where values are missing, a column that says so."""
    known = values[~np.isnan(values)]
    edges, centres, weights = _bins(known, bins)
    scaled = _scaled(_within_reach(centres, weights))
    slope = _standard(scaled, weights)
    parts, groups = [slope[:, None]], [f"{family}: slopes"]
    if len(centres) == 2:  # a flag is a class of two: a rare one may do no more to a deal than a common one
        parts, groups = [np.sqrt(0.5) * np.array([[-1.0], [1.0]])], [f"{family}: small classes"]
    bends = _bends(slope, weights, min(most, len(centres) - 2))
    if bends.shape[1]:
        parts.append(bends)
        groups += [f"{family}: bends"] * bends.shape[1]
    body = np.hstack(parts)
    table = np.vstack([body, np.zeros((1, body.shape[1]))])
    share = 1 - len(known) / max(len(values), 1)
    if share > 0:
        flag = np.zeros((len(table), 1))
        flag[-1] = 1.0
        table = np.hstack([table, flag])
        groups.append(f"{family}: small classes")
    return Term(name, family, "number", table.astype(np.float32), tuple(groups), edges=edges, centres=centres)


def _bins(known: np.ndarray, bins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    some = np.sort(known)[:: 1 + len(known) // (EDGES_FROM + 1)]  # evenly spaced, whatever order the deals come in
    distinct, counts = np.unique(some, return_counts=True)
    if len(distinct) <= bins:
        return (distinct[1:] + distinct[:-1]) / 2, distinct, counts / counts.sum()
    edges = np.unique(np.quantile(some, np.arange(1, bins) / bins))
    place = np.searchsorted(edges, distinct, side="right")
    sizes = np.bincount(place, counts, len(edges) + 1)
    sums = np.bincount(place, distinct * counts, len(edges) + 1)
    middle = np.concatenate([[some.min()], (edges[1:] + edges[:-1]) / 2, [some.max()]])
    centres = np.where(sizes > 0, sums / np.maximum(sizes, 1), middle)
    return edges, centres, sizes / sizes.sum()


def _within_reach(centres: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Draws absurd values (a slip of 1e300) in to twenty times the range that holds 96 % of the deals."""
    low, high = np.interp([0.02, 0.98], np.cumsum(weights) - weights / 2, centres)
    reach = 20 * (high - low) if high > low else np.inf
    return np.clip(centres, low - reach, high + reach)


def _scaled(centres: np.ndarray) -> np.ndarray:
    """Amount-like numbers (a long right tail) are taken in logs, so that one giant deal does not carry the slope."""
    middle = np.median(centres)
    low, high = np.quantile(centres, [0.05, 0.95])
    if high - middle > 2.5 * (middle - low) and low > -abs(middle):
        unit = max(abs(middle), 1e-9)
        return np.arcsinh(centres / unit)
    return centres


def _standard(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    mean = np.sum(weights * values)
    spread = np.sqrt(np.sum(weights * (values - mean) ** 2))
    return np.clip((values - mean) / (spread or 1.0), -5, 5)


def _bends(slope: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """Departures from the slope, smoothest first: natural cubic splines over normal scores of the values.

    Each column has unit variance times what its curvature allows it (Demmler and Reinsch: 1 / sqrt(curvature), the
    smoothest 1), so that one common variance is a smoothness penalty. Normal scores keep a long tail from owning the
    knots.
    """
    if count < 1:
        return np.zeros((len(slope), 0))
    below = np.cumsum(weights) - weights / 2
    x = special.ndtri(np.clip(below, 1e-4, 1 - 1e-4))
    knots = np.unique(np.interp(np.linspace(0.02, 0.98, count + 4), below, x))
    basis, curvature = _spline(x, knots)
    line = np.column_stack([np.ones_like(slope), slope])
    root = np.sqrt(weights)[:, None]
    basis = basis - line @ np.linalg.lstsq(root * line, root * basis, rcond=None)[0]
    left, size, right = np.linalg.svd(root * basis, full_matrices=False)
    keep = size > 1e-5 * max(size[0], 1e-12)
    turn = right[keep].T / size[keep]  # basis @ turn has unit, uncorrelated columns under the weights
    bent, rotation = np.linalg.eigh(turn.T @ curvature @ turn)
    bent = np.maximum(bent, 1e-9)
    columns = (basis @ turn) @ rotation[:, :count]
    return columns * np.sqrt(bent[0] / bent[:count])


def _spline(x: np.ndarray, knots: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A basis over `x`, straight beyond the outer knots, and the integral of its second derivatives' products."""
    if len(knots) < 4:
        knots = np.linspace(x.min(), x.max() + 1e-9, 4)
    grid = np.linspace(knots[0], knots[-1], 200)
    step = grid[1] - grid[0]
    second = np.diff(_natural(grid, knots), n=2, axis=0) / step**2
    return _natural(x, knots), second.T @ second * step


def _natural(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    cube = np.maximum(x[:, None] - knots[None, :], 0) ** 3
    ends = (cube[:, :-1] - cube[:, -1:]) / (knots[-1] - knots[:-1])
    return ends[:, :-1] - ends[:, -1:]
