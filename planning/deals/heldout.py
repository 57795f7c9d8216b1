"""How well won is told from lost on deals the model has not seen: AUC with its interval, log-loss, R²."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from planning.deals.funnel import Z90
from planning.deals.winmodel import Fit, fit

FOLDS = 5
MANY = 100_000
SPLIT = 60_000


@dataclass(frozen=True)
class HeldOut:
    """Held-out `auc` with its 90 % interval, `log_loss`, McFadden's `r2` against the win rate, deals scored."""

    auc: float
    low: float
    high: float
    log_loss: float
    r2: float
    n: int


def held_out(model: Fit, codes: np.ndarray, won: np.ndarray, *, seed: int = 0) -> HeldOut:
    """Scores each deal by a model fitted without its fold; above 100,000 deals by one split of 60,000 and 60,000."""
    rng = np.random.default_rng(seed)
    if len(won) > MANY:
        order = rng.permutation(len(won))
        learn, test = order[:SPLIT], order[SPLIT : 2 * SPLIT]
        return score_held_out(_predict(model, codes, won, learn, test), won[test])
    fold = rng.permutation(len(won)) % FOLDS
    eta = np.empty(len(won))
    for number in range(FOLDS):
        test = np.flatnonzero(fold == number)
        eta[test] = _predict(model, codes, won, np.flatnonzero(fold != number), test)
    return score_held_out(eta, won)


def _predict(model: Fit, codes: np.ndarray, won: np.ndarray, learn: np.ndarray, test: np.ndarray) -> np.ndarray:
    part = fit(
        model.design,
        codes[learn],
        won[learn],
        start=model,
        max_iterations=3,
        tolerance=3e-2,
        averaged=False,
        covariance=False,
    )
    return part.log_odds(codes[test])


def score_held_out(eta: np.ndarray, won: np.ndarray) -> HeldOut:
    """Scores held-out log-odds against what happened."""
    auc, error = delong(eta, won)
    loss = float(np.mean(np.logaddexp(0, eta) - won * eta))
    rate = won.mean()
    base = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    return HeldOut(auc, max(auc - Z90 * error, 0.0), min(auc + Z90 * error, 1.0), loss, 1 - loss / base, len(won))


def delong(score: np.ndarray, won: np.ndarray) -> tuple[float, float]:
    """AUC and its standard error (DeLong, DeLong and Clarke-Pearson 1988, by ranks)."""
    won = won.astype(bool)
    n_won, n_lost = int(won.sum()), int((~won).sum())
    ranks = pd.Series(score).rank().to_numpy()
    inside_won = pd.Series(score[won]).rank().to_numpy()
    inside_lost = pd.Series(score[~won]).rank().to_numpy()
    above = (ranks[won] - inside_won) / n_lost
    below = 1 - (ranks[~won] - inside_lost) / n_won
    return float(above.mean()), float(np.sqrt(above.var(ddof=1) / n_won + below.var(ddof=1) / n_lost))
