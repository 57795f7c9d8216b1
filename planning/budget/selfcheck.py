"""Is this enough data? Simulate from the fitted model on the user's own spend, refit, and compare with the known truth.

Each world takes one posterior draw as the truth and the fitted baseline, noise and spend as they are; the outcome is
drawn anew and the whole method (fit, draws, split) runs on it. Regret and interval coverage are then those to expect
on this company's own data, not on a textbook's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from planning.budget.allocation import MOVE_LIMIT, AllCells, allocate, split
from planning.budget.chains import sample
from planning.budget.curves import Draws
from planning.budget.fit import Fit, Scaled, fitted_lines
from planning.budget.response import Response, _no_rows, fit_panel, scaled
from planning.budget.rules import make_rules, read_bounds

ENOUGH = 0.5  # share of the possible gain that makes data "enough"


@dataclass(frozen=True)
class SelfCheck:
    """Worlds (one row each: regret, regret_now, gain_share, coverage) and their summary with the verdict."""

    worlds: pd.DataFrame
    summary: dict


def self_check(
    response: Response, *, worlds: int = 12, move_limit: float | None = MOVE_LIMIT, margin: float = 1.0, seed: int = 7
) -> SelfCheck:
    """Return what regret and coverage to expect from a fit on this company's spend pattern and noise."""
    if not response.fits:
        answer = "Not enough data: no line has variation, a pilot or a judged curve."
        return SelfCheck(pd.DataFrame(), {"worlds": 0, "verdict": "no", "answer": answer})
    rng = np.random.default_rng(seed)
    fits = [fit for fit in response.fits if response.forms[fit.form] > 0]
    rows = [_world(response, fits[i % len(fits)], move_limit, margin, rng) for i in range(worlds)]
    table = pd.DataFrame(rows, columns=["form", "regret", "regret_now", "gain_share", "coverage", "better_than_now"])
    gain_share = float(table["gain_share"].median())
    better = float(table["better_than_now"].mean())
    verdict = "yes" if gain_share >= ENOUGH and better >= 0.9 else "partly" if better >= 0.75 else "no"
    summary = {
        "worlds": worlds, "regret": float(table["regret"].mean()), "regret_now": float(table["regret_now"].mean()),
        "gain_share": gain_share, "interval_coverage": float(table["coverage"].mean()), "better_than_now": better,
        "verdict": verdict, "answer": _answer(verdict, gain_share, better),
    }  # fmt: skip
    return SelfCheck(table, summary)


def _answer(verdict: str, gain_share: float, better: float) -> str:
    """Return whether these data are enough, as a sentence."""
    expected = (
        f"on data like these the split obtains {gain_share:.0%} of what can be gained (median) and beats today's in "
        f"{better:.0%} of simulated worlds"
    )
    if verdict == "yes":
        return f"Enough data: {expected}."
    if verdict == "partly":
        return f"Enough for some of it: {expected}. Pilots would raise that."
    return f"Not enough data: {expected}. Run pilots before money is moved."


def _world(response: Response, fit: Fit, move_limit, margin, rng) -> tuple:
    """Draw one truth, simulate its outcome on the given spend, run the method on it and score the result."""
    panel = response.panel
    used = np.flatnonzero(np.isin(panel.lines, response.lines.loc[response.lines["evidence"] != "none", "line"]))
    data, usual = scaled(panel, used, _no_rows())
    theta = sample(data, fit, 2, rng)[:1]
    truth = replace(fit, theta=theta[0])
    y = _baseline_of(data, fit) + fitted_lines(data, truth).sum(axis=2) + _noise(data, fit, rng)
    world = replace(panel, y=np.where(panel.seen, y * panel.size[:, None], 0.0), warnings=[])
    refit = fit_panel(world, measured=_true_rows(response, used, usual, theta[0], fit.form, rng), draws=150, seed=1)
    result = allocate(refit, None, move_limit=move_limit, margin=margin)
    r, j = np.nonzero(panel.present[:, used])
    lines = len(used)
    true = Draws(
        refit.draws.cells, np.exp(theta[:, r, j]) * (panel.size[r] / panel.per_outcome),
        np.exp(theta[:, r, lines + j]) * panel.size[r] * usual[j], np.array([fit.form]),
    )  # fmt: skip
    at = refit.informed
    cells = refit.cells
    now = cells["current"].to_numpy(float)
    curves = AllCells(true, at, len(cells), margin)
    rules = make_rules(cells, read_bounds(None, cells), float(now.sum()), move_limit=move_limit)
    best = split(curves, float(now.sum()), rules.lo, rules.hi, rules).x
    value = [float(curves.response(x).sum()) for x in (best, result.table["allocated"].to_numpy(), now)]
    low, high = np.quantile(refit.draws.response(now[at]), [0.05, 0.95], axis=0)
    held = true.response(now[at])[0]
    share = (value[1] - value[2]) / (value[0] - value[2]) if value[0] > value[2] * (1 + 1e-9) else 1.0
    inside = float(((held >= low) & (held <= high)).mean())
    return fit.form, 1 - value[1] / value[0], 1 - value[2] / value[0], share, inside, value[1] >= value[2] * (1 - 1e-9)


def _baseline_of(data: Scaled, fit: Fit) -> np.ndarray:
    """Return the fitted baseline (R, N): what is left after budget effects, projected on the baseline's columns."""
    rest = (data.y - fitted_lines(data, fit).sum(axis=2)) * data.seen
    coefficient = np.stack(
        [
            np.linalg.lstsq(base * seen[:, None], y, rcond=None)[0]
            for base, seen, y in zip(data.base, data.seen, rest, strict=True)
        ]
    )
    return np.einsum("rnp,rp->rn", data.base, coefficient)


def _noise(data: Scaled, fit: Fit, rng) -> np.ndarray:
    shocks = rng.normal(size=data.y.shape) * fit.sigma[:, None]
    out = np.empty_like(shocks)
    out[:, 0] = shocks[:, 0] / np.sqrt(1 - fit.rho**2)
    for t in range(1, shocks.shape[1]):
        out[:, t] = fit.rho * out[:, t - 1] + shocks[:, t]
    return out


def _true_rows(response: Response, used, usual, theta, form, rng) -> pd.DataFrame:
    """Return the pilots and judgements as this truth would have answered them, with their own errors."""
    rows = response.measured[response.measured["line"].isin(used)].copy()
    if not len(rows):
        return rows
    panel = response.panel
    r, j = rows["region"].to_numpy(int), pd.Index(used).get_indexer(rows["line"].to_numpy(int))
    a = np.exp(theta[r, j]) * panel.size[r] / panel.per_outcome
    k = np.exp(theta[r, len(used) + j]) * panel.size[r] * usual[j]
    true = Draws(pd.DataFrame(), a[None], k[None], np.array([form]))
    gap = true.response(rows["x1"].to_numpy(float)) - true.response(rows["x0"].to_numpy(float))
    rows["delta"] = gap[0] + rows["se"].to_numpy(float) * rng.normal(size=len(rows))
    return rows
