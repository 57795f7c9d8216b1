"""The joint forecast of a hierarchy: base forecasts of every node, made coherent, with errors of whole past origins.

For an origin T and past origins k (all of whose horizon is known before T):

    E_k = (y - yhat)_k / s_k        relative error array of origin k, nodes x H; s the node's size at that origin
    e_k = s_T E_k                   the same in today's size
    w_k ~ 2^(-age / 3 seasons)      recency
    mean = G yhat,  errors = G e_k  G the projection chosen on origins that lie before those it is judged on
    df   = 1 / sum_kl w_k w_l r_kl^2, 4 or more     r_kl the share of their steps that origins k and l have in common

The errors are not centred: a past bias counts as spread, in both directions. Whole error arrays keep
the correlation over nodes and steps, which bootstrapped one-step residuals lose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import gcd

import numpy as np
import pandas as pd

from planning.errors import DataError, UsageError
from planning.forecast import growth, reconcile
from planning.forecast.joint_forecast import JointForecast
from planning.forecast.nodes import Panel, build_panel

MOST_ORIGINS = 60
REFIT_POINTS = 2_500_000  # values times past origins up to which every past origin is fitted anew
HALF_LIFE_SEASONS = 3
LEAST_DF = 4.0
GROWTH_SHARE = 1 / 3
LONG_HISTORY = 120  # periods from which a node's size follows its roughness too
BORROWED_WIDER = 1.15
JUDGED_ORIGINS = 12
LEAST_TRAINING_ORIGINS = 6

# values (nodes x T, NaN before a node's start), horizon, season length, past origins (steps back from T)
# → point (nodes x H) and past forecasts (origins x nodes x H; NaN where a node was too short)
Base = Callable[[np.ndarray, int, int, np.ndarray], tuple[np.ndarray, np.ndarray]]


def joint(
    history: pd.DataFrame,
    *,
    keys: Sequence[str],
    horizon: int,
    freq: str = "MS",
    spec: str | Sequence[Sequence[str]] | None = None,
    value: str = "y",
    locks: pd.DataFrame | None = None,
    base: Base | None = None,
) -> JointForecast:
    """Returns the joint forecast of every cell, the aggregates `spec` names, and the total.

    history: one row a cell and period: the key columns, `ds` and `value`; an empty value is a gap. spec: the aggregate
    levels forecast beside total and bottom, such as "region; line"; every single key where None. locks: `unique_id, ds`
    and `value` of forecasts that are fixed; the others move least. base: the forecaster of single nodes.

    Raises DataError for duplicated cells and periods, UsageError for unknown keys or an impossible horizon.
    """
    from planning.forecast.engine import season_length

    if horizon < 1:
        raise UsageError(f"horizon {horizon}: nothing to forecast. Give 1 or more steps.")
    if spec is None and len(keys) > 1:
        spec = [[key] for key in keys]
    panel = build_panel(history, keys=keys, freq=freq, spec=spec, value=value)
    season = season_length(freq)
    periods = pd.date_range(panel.ds[-1], periods=horizon + 1, freq=freq)[1:]
    return from_panel(panel, periods, season, base or engine_base(), locks)


def engine_base() -> Base:
    """Returns the engine's pool, with a third of the growth view of `growth`, as the base forecaster.

    Past origins are fitted anew, on their own past only, while that costs seconds; on larger panels the parameters of
    today are followed back in a few search steps, and the errors widened by what that is known to hide.
    """
    from planning.forecast import engine

    def base(values: np.ndarray, horizon: int, season: int, back: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        known = np.isfinite(values).sum()
        refit = known * len(back) <= REFIT_POINTS
        point, past = engine.nodes(values, horizon, season, back, refit=refit)
        if not refit:
            actual = _ahead(values, back, horizon)
            past = actual - engine.POLISH_WIDENING * (actual - past)
        if season < 2:
            return point, past
        grown = growth.ahead(values, horizon, season, back)
        return _mixed(point, grown[0]), _mixed(past, grown[1:])

    return base


def _mixed(pool: np.ndarray, grown: np.ndarray) -> np.ndarray:
    """Returns the pool's forecasts with a third of the growth view, where there is one."""
    return np.where(np.isfinite(pool) & np.isfinite(grown), pool + GROWTH_SHARE * (grown - pool), pool)


def _ahead(values: np.ndarray, back: np.ndarray, horizon: int) -> np.ndarray:
    """Returns what happened after each past origin, origins x nodes x H; 0 before a node's start."""
    length = values.shape[1]
    known = np.nan_to_num(values)
    return np.stack([known[:, length - steps : length - steps + horizon] for steps in back])


def from_panel(
    panel: Panel, periods: pd.DatetimeIndex, season: int, base: Base, locks: pd.DataFrame | None = None
) -> JointForecast:
    """Returns the joint forecast of a panel for `periods`, with `base` as the forecaster of single nodes."""
    horizon = len(periods)
    back = past_origins(panel.values.shape[1], horizon, season)
    point, past = base(panel.values, horizon, season, back)
    point = _without_ended(panel, point)
    scale, scales = node_scales(panel.values, season, back)
    relative = relative_errors(panel.values, past, scales, back)
    errors = (scale[None, :, None] * relative).astype(np.float32)
    weights = recency(back, season)
    errors[:, panel.hierarchy.n_aggregates :][:, panel.ended] = 0.0
    name, losses = choose_projection(panel, past, scales, relative, back, season)
    projection = _projection(panel, name, scale, errors, weights)
    bottom = projection.bottom(point)
    moved = projection.bottom(errors.transpose(1, 0, 2))
    bottom[panel.ended], moved[panel.ended] = 0.0, 0.0
    if locks is not None and len(locks):
        bottom, moved = _locked(panel, periods, locks, projection, bottom, moved)
    low = panel.hierarchy.bottom
    keep = ~panel.negative[low]
    bottom[keep] = np.maximum(bottom[keep], 0.0)
    mean = panel.hierarchy.sums(bottom)
    whole = panel.hierarchy.sums(moved).transpose(1, 0, 2)
    return JointForecast(
        cells=panel.hierarchy.cells,
        periods=periods,
        mean=mean,
        errors=np.ascontiguousarray(whole, dtype=np.float32),
        weights=weights,
        df=freedom(back, weights, horizon),
        keys=panel.hierarchy.keys,
        bottom=low,
        nonnegative=~panel.negative,
        meta={
            "projection": name,
            "losses": losses,
            "origins": len(back),
            "gaps_filled": panel.filled,
            "ended": panel.hierarchy.cells["unique_id"][low][panel.ended].tolist(),
        },
    )


def _without_ended(panel: Panel, point: np.ndarray) -> np.ndarray:
    """Returns the forecasts with ended cells at zero, and those of cells too short for the pool at their mean."""
    out = point.copy()
    for node in np.flatnonzero(~np.isfinite(out).all(axis=1)):
        known = panel.values[node][~np.isnan(panel.values[node])]
        out[node] = known.mean() if len(known) else 0.0
    out[panel.hierarchy.n_aggregates :][panel.ended] = 0.0
    return out


def past_origins(length: int, horizon: int, season: int) -> np.ndarray:
    """Returns past origins as steps back from the end: horizon, horizon + stride, horizon + 2 stride, ...

    The stride is coprime to the season, so that the steps of the horizon meet every month.
    """
    least = max(4, min(2 * season, length // 2))
    available = length - horizon - least + 1
    if available < 1:
        raise DataError(
            f"a history of {length} periods is too short for a horizon of {horizon}: no past origin can be checked. "
            "Forecast fewer steps, or give a longer history."
        )
    stride = -(-available // MOST_ORIGINS)
    while season > 1 and gcd(stride, season) != 1:
        stride += 1
    return horizon + stride * np.arange(-(-available // stride))


def recency(back: np.ndarray, season: int) -> np.ndarray:
    """Returns the weight of each past origin: half as much every three seasons back; sum 1."""
    weights = 0.5 ** ((back - back.min()) / (HALF_LIFE_SEASONS * max(season, 1)))
    return weights / weights.sum()


def freedom(back: np.ndarray, weights: np.ndarray, horizon: int) -> float:
    """Returns the degrees of freedom of a weighted mean of squared sums over overlapping horizons, at least 4.

    Sums of H independent steps that share a part r of them have squares of correlation r^2; by Satterthwaite's rule a
    weighted mean of such squares is as uncertain as one of 1 / sum w_k w_l r_kl^2 independent ones.
    """
    apart = np.abs(back[:, None] - back[None, :])
    shared = np.maximum(0.0, 1.0 - apart / horizon)
    return max(LEAST_DF, float(1.0 / (weights @ shared**2 @ weights)))


def node_scales(values: np.ndarray, season: int, back: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the size of each node today (nodes,) and at each past origin (origins x nodes).

    Size is the mean absolute value of the last two seasons plus 5 % of the whole history's. With more than 120 periods
    of history it is the mean seasonal difference of the last five seasons, which follows how rough a series is today
    rather than how large. One rule serves all origins, or their errors would not compare.
    """
    length = values.shape[1]
    rough = length > LONG_HISTORY and season > 1
    sizes = [_scale_at(values[:, : length - steps], season, rough) for steps in (0, *back)]
    return sizes[0], np.stack(sizes[1:])


def _scale_at(values: np.ndarray, season: int, rough: bool) -> np.ndarray:
    known = ~np.isnan(values)
    absolute = np.abs(np.nan_to_num(values))
    overall = absolute.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    recent = slice(-2 * season, None)
    level = absolute[:, recent].sum(axis=1) / np.maximum(known[:, recent].sum(axis=1), 1) + 0.05 * overall
    if rough and values.shape[1] > season:
        last = values[:, -6 * season :]
        change = np.nan_to_num(np.abs(last[:, season:] - last[:, :-season])).mean(axis=1) + 0.002 * overall
        level = change
    return np.maximum(level, 1e-9 * max(float(level.max()), 1e-300))


def relative_errors(values: np.ndarray, past: np.ndarray, scales: np.ndarray, back: np.ndarray) -> np.ndarray:
    """Returns (actual - forecast) / size of past origins, origins x nodes x H; a missing one is borrowed.

    A node that was too short at an origin takes the error array another node had there, 15 % wider.
    """
    length, horizon = values.shape[1], past.shape[2]
    out = (_ahead(values, back, horizon) - past) / scales[:, :, None]
    bad = ~np.isfinite(out).all(axis=2) | np.isnan(values[:, length - back].T)
    for k in np.flatnonzero(bad.any(axis=1)):
        donors = np.flatnonzero(~bad[k])
        for i in np.flatnonzero(bad[k]):
            out[k, i] = BORROWED_WIDER * out[k, donors[i % len(donors)]] if len(donors) else 0.0
    return out


def _projection(
    panel: Panel, name: str, scale: np.ndarray, errors: np.ndarray, weights: np.ndarray
) -> reconcile.Projection:
    return reconcile.Projection(panel.hierarchy, *reconcile.metric(name, panel.hierarchy, scale, errors, weights))


def choose_projection(
    panel: Panel, past: np.ndarray, scales: np.ndarray, relative: np.ndarray, back: np.ndarray, season: int
) -> tuple[str, dict[str, float]]:
    """Returns the projection to use, and the loss of each candidate on past origins.

    A candidate is built at a past origin only from errors that were whole before it, and judged there: mean over levels
    of the scaled absolute error, recent origins weighing more. The simplest one within a standard error of the best is
    taken, since a covariance estimated from few origins is over-confident about the errors it was estimated from.
    """
    horizon = past.shape[2]
    judged = [k for k in range(len(back)) if (back >= back[k] + horizon).sum() >= LEAST_TRAINING_ORIGINS]
    judged = judged[:: max(1, len(judged) // JUDGED_ORIGINS)][:JUDGED_ORIGINS]
    if panel.hierarchy.n_bottom == 1 or len(judged) < 2:
        return "structural", {}
    levels = pd.factorize(panel.hierarchy.cells["level"])[0]
    unit = np.abs(relative).mean(axis=(0, 2)) + 1e-12
    losses = np.zeros((len(judged), len(reconcile.CANDIDATES)))
    for j, k in enumerate(judged):
        known = np.flatnonzero(back >= back[k] + horizon)
        errors = (scales[k][None, :, None] * relative[known]).astype(np.float32)
        actual = past[k] + relative[k] * scales[k][:, None]
        ok = np.isfinite(actual).all(axis=1)
        filled = np.where(np.isfinite(past[k]), past[k], 0.0)
        for c, name in enumerate(reconcile.CANDIDATES):
            projection = _projection(panel, name, scales[k], errors, recency(back[known], season))
            off = np.abs(actual - projection.coherent(filled)).mean(axis=1) / scales[k] / unit
            losses[j, c] = np.mean([off[ok & (levels == level)].mean() for level in np.unique(levels[ok])])
    weights = recency(back[judged], season)
    mean = weights @ losses
    name = _simplest(losses, weights, mean, span=(back[judged[-1]] - back[judged[0]]) / horizon)
    return name, dict(zip(reconcile.CANDIDATES, map(float, mean)))


def _simplest(losses: np.ndarray, weights: np.ndarray, mean: np.ndarray, span: float) -> str:
    """Returns the simplest candidate whose loss is within one standard error of the best one's.

    Candidates are ordered from simple to estimated. Overlapping origins are not independent: the standard error counts
    one independent origin a horizon.
    """
    gap = losses - losses[:, [int(mean.argmin())]]
    spread = np.sqrt(weights @ (gap - weights @ gap) ** 2)
    error = spread / np.sqrt(max(1.0, min(span, 1.0 / (weights**2).sum()) - 1.0))
    return next(name for name, d, e in zip(reconcile.CANDIDATES, weights @ gap, error) if d <= e)


def _locked(
    panel: Panel,
    periods: pd.DatetimeIndex,
    locks: pd.DataFrame,
    projection: reconcile.Projection,
    bottom: np.ndarray,
    moved: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Moves the coherent forecast least so that locked nodes and periods have their value; their errors become zero."""
    index = pd.Index(panel.hierarchy.cells["unique_id"])
    rows = index.get_indexer(locks["unique_id"])
    steps = periods.get_indexer(pd.DatetimeIndex(locks["ds"]))
    if (rows < 0).any() or (steps < 0).any():
        wrong = locks[(rows < 0) | (steps < 0)].iloc[0]
        raise UsageError(f"lock {wrong['unique_id']}, {wrong['ds']}: no such node or period in the forecast.")
    coherent = panel.hierarchy.sums(bottom)
    errors = panel.hierarchy.sums(moved)
    values = locks.drop(columns=["unique_id", "ds"]).iloc[:, 0].to_numpy(float)
    ended = panel.hierarchy.n_aggregates + np.flatnonzero(panel.ended)
    for step in np.unique(steps):
        here = steps == step
        still = np.union1d(rows[here], ended)
        diagonal = projection.diagonal.copy()
        diagonal[still] = 0.0
        factors = None if projection.factors is None else projection.factors.copy()
        if factors is not None:
            factors[:, still] = 0.0
        fixed = reconcile.Projection(panel.hierarchy, diagonal, factors)
        wanted = coherent[:, step].copy()
        wanted[rows[here]] = values[here]
        bottom[:, step] = fixed.bottom(wanted)
        zero = errors[:, :, step].copy()
        zero[rows[here]] = 0.0
        moved[:, :, step] = fixed.bottom(zero)
    off = np.abs(panel.hierarchy.sums(bottom)[rows, steps] - values)
    if (off > 1e-6 * np.maximum(np.abs(values), 1.0)).any():
        wrong = locks[off > 1e-6 * np.maximum(np.abs(values), 1.0)].iloc[0]
        raise DataError(f"lock {wrong['unique_id']}, {wrong['ds']}: contradicts the other locks. Release one of them.")
    return bottom, moved
