"""What a budget does to the year: the chance to reach the target at other totals, and the return of past spend.

The budget's effect is added to the same joint forecast that the targets are set on: one subtraction, no second model.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from planning.budget.allocation import AllCells, split
from planning.budget.curves import Draws
from planning.budget.response import Response
from planning.budget.rules import make_rules, read_bounds

MULTIPLES = (0.5, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5)


def target_chance(
    response: Response,
    chance_of: Callable[[float], float],
    target: float,
    *,
    periods: float,
    multiples: tuple[float, ...] = MULTIPLES,
    move_limit: float | None = 0.3,
) -> pd.DataFrame:
    """Return P(annual target reached) over the total budget, for today's proportions and for the best split.

    chance_of : amount -> P(year's outcome >= amount) at today's budget and split, such as `JointForecast.probability`;
    periods : periods of spend in the year. Columns: multiple, budget (a year), chance_as_now, chance_best, effect
    (mean change of the year's outcome at the best split). Uncertainty of the curves is averaged over, not ignored.
    """
    now = response.cells["current"].to_numpy(float)
    curves = AllCells(response.draws, response.informed, len(now), 1.0)
    base = curves.response(now).sum(axis=1)
    none = read_bounds(None, response.cells)
    rows = []
    for multiple in multiples:
        cells = response.cells.assign(current=now * multiple)
        total = float(cells["current"].sum())
        rules = make_rules(cells, none, total, move_limit=move_limit)
        best = split(curves, total, rules.lo, np.minimum(rules.hi, total + rules.lo), rules).x
        moved = [(curves.response(x).sum(axis=1) - base) * periods for x in (now * multiple, best)]
        chances = [averaged_chance(chance_of, target, change) for change in moved]
        rows.append((multiple, total * periods, *chances, float(moved[1].mean())))
    return pd.DataFrame(rows, columns=["multiple", "budget", "chance_as_now", "chance_best", "effect"])


def anchored(chance_of: Callable[[float], float], target: float, stated: float) -> Callable[[float], float]:
    """Return the chances moved so that the target's is the ``stated`` one.

    The targets' chance counts judgements and limits of supply that the plain forecast does not know; the budget's
    effect is told from that chance on. Found by bisection on the amount at which the plain forecast has it.
    """
    low, high = 0.0, 4.0 * max(target, 1e-9)
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if chance_of(middle) > stated else (low, middle)
    shift = 0.5 * (low + high) - target
    return lambda amount: chance_of(amount + shift)


def averaged_chance(
    chance_of: Callable[[float], float], target: float, change: np.ndarray, *, knots: int = 33
) -> float:
    """Return the mean over draws of P(outcome + change >= target), by interpolation on ``knots`` exact chances."""
    lo, hi = float(change.min()), float(change.max())
    if hi - lo < 1e-9 * max(abs(target), 1.0):
        return float(chance_of(target - lo))
    grid = np.linspace(lo, hi, knots)
    known = np.array([chance_of(target - step) for step in grid])
    return float(np.interp(change, grid, known).mean())


def past_returns(response: Response, *, margin: float, periods: int | None = None, by: str = "line") -> pd.DataFrame:
    """Return what past spend brought back, by line (or "region"): one row a value of ``by``.

    Columns: spend, contribution (margin), lo, hi (90 %), roi = (contribution - spend) / spend with roi_lo, roi_hi,
    payback (periods until a unit of spend has come back through carry-over; NaN where it never does) and proof:
    "measured" where own variation or a pilot stands behind it, "contribution, not proven" where it is judged,
    borrowed or follows demand.
    """
    panel = response.panel
    periods = min(periods or len(panel.periods), len(panel.periods))
    informed = response.cells[response.cells["draw"] >= 0]
    if not len(informed):
        columns = [by, "spend", "contribution", "lo", "hi", "roi", "roi_lo", "roi_hi", "payback", "proof"]
        return pd.DataFrame(columns=columns)
    amounts, carried = _carried(response, periods)
    total = np.zeros((len(response.draws), len(informed)))
    for t in range(periods):
        total += margin * response.draws.response(carried[:, t])
    proven = _proven(response)
    carry = response.lines.set_index("line")["carry_over"]
    rows = []
    for key, part in informed.groupby(by, sort=False):
        at = part["draw"].to_numpy()
        spend = float(amounts[at].sum())
        back = total[:, at].sum(axis=1)
        lo, hi = np.quantile(back, [0.05, 0.95])
        roi = [(v - spend) / spend if spend > 0 else np.nan for v in (back.mean(), lo, hi)]
        alpha = float(carry.get(key, np.nan)) if by == "line" else np.nan
        label = "measured" if proven[at].all() else "contribution, not proven"
        rows.append((key, spend, back.mean(), lo, hi, *roi, payback(back.mean() / max(spend, 1e-300), alpha), label))
    columns = [by, "spend", "contribution", "lo", "hi", "roi", "roi_lo", "roi_hi", "payback", "proof"]
    return pd.DataFrame(rows, columns=columns)


def _carried(response: Response, periods: int) -> tuple[np.ndarray, np.ndarray]:
    """Return spend and carried spend (cells with curves, periods) of the latest periods."""
    panel = response.panel
    alpha = response.lines.set_index("line")["carry_over"].reindex(panel.lines).fillna(0.0).to_numpy()
    state, carried = panel.x[:, :, 0], np.empty_like(panel.x)
    for t in range(panel.x.shape[2]):
        state = state if t == 0 else alpha * state + (1 - alpha) * panel.x[:, :, t]
        carried[:, :, t] = state
    informed = response.cells[response.cells["draw"] >= 0]
    r = pd.Index(panel.regions).get_indexer(informed["region"])
    j = pd.Index(panel.lines).get_indexer(informed["line"])
    return panel.x[r, j, -periods:], carried[r, j, -periods:]


def _proven(response: Response) -> np.ndarray:
    informed = response.cells[response.cells["draw"] >= 0]
    flagged = set(response.lines.loc[response.lines["follows_demand"], "line"])
    own = informed["evidence"].isin(["measured", "pilot"]).to_numpy()
    return own & ~informed["line"].isin(flagged).to_numpy()


def payback(back_per_unit: float, alpha: float) -> float:
    """Return after how many periods a unit of spend has come back: carry-over pays (1 - alpha^n) of it within n
    periods.

    NaN where it never comes back.

    >>> round(payback(2.0, 0.5), 1)
    1.0
    """
    if not back_per_unit > 1:
        return float("nan")
    if not np.isfinite(alpha) or alpha <= 0:
        return 1.0
    return float(max(np.log(1 - 1 / back_per_unit) / np.log(alpha), 1.0))


def shocked(draws: Draws, cells: pd.DataFrame) -> Draws:
    """Return the curves after a shock: ``cells`` has region, line and factor (empty region or line: all that match)."""
    factor = np.ones(draws.a.shape[1])
    for one in cells.to_dict("records"):
        match = np.ones(len(factor), bool)
        for key in ("region", "line"):
            if one.get(key):
                match &= draws.cells[key].to_numpy() == one[key]
        factor[match] *= one["factor"]
    return Draws(draws.cells, draws.a * factor, draws.k, draws.forms, draws.slope)
