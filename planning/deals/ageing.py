"""The chance of a lead that has been open for a while: time that has passed without a win is taken off.

    P(won in time | open at age a) = p (1 - W(a)) ÷ (p (1 - W(a)) + (1 - p) (1 - L(a)))

p is the chance when the lead came in, W(a) the share of wins in time that came before age a, L(a) the share of the
other leads that were closed before it; both from leads that had their time. Bayes' rule, taking the pace of a deal as
the same for likely and unlikely ones.
"""

from __future__ import annotations

import numpy as np


def chance_now(
    chance: np.ndarray, age: np.ndarray, *, won_after: np.ndarray, ended_after: np.ndarray, follow_up: int
) -> np.ndarray:
    """How likely are leads of this age, still open, to be won within `follow_up` days of coming in?

    chance, age (n,): the chance when the lead came in and the days since. won_after: days to each win in time.
    ended_after: days to the end of each other lead, infinite where it is open still. Returns (n,), 0 from the
    follow-up time on.
    """
    won = chance * (1 - _share_before(won_after, age))
    not_won = (1 - chance) * (1 - _share_before(ended_after, age))
    total = won + not_won
    now = np.divide(won, total, out=np.zeros(len(total)), where=total > 0)
    return np.where(age > follow_up, 0.0, now)


def _share_before(days: np.ndarray, age: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.sort(days), age, side="left") / max(len(days), 1)
