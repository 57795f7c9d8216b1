"""Where cells nothing is known about stand when they cannot all stay as they are: as near to it as the rules allow.

They give way before the split is made, so they must leave the other cells a sum those can have to the cent (or in
whole lots). The others are taken together where they are in the same groups, as any sum between their least and most
can be had. First the largest relative move is made as small as can be, then whole cents are found beside that point.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize, sparse

from planning.budget.cents import cents_beside, sums_in_cents, whole_down, whole_up
from planning.budget.solver import Groups
from planning.errors import DataError

OWN_MOVES = 1e-3


def give_way(
    current: np.ndarray,
    loose: tuple[np.ndarray, np.ndarray],
    limits: tuple[np.ndarray, np.ndarray],
    held: np.ndarray,
    total: float,
    groups: Groups,
    lot: float | None = None,
) -> np.ndarray:
    """Return where the ``held`` cells (in order) stand, in whole cents.

    current : (cells,) what they would keep; loose : (lo, hi) how far they may go; limits : (lo, hi) of the others,
    which take whole lots where ``lot`` is given. Raises DataError where no whole cents or lots meet the rules.
    """
    at = np.flatnonzero(held)
    unit = 1.0 if lot is None else 100 * lot
    aim = round(total * 100)
    rules, between = sums_in_cents(groups, len(held), aim)
    kinds, of = np.unique(rules[:, ~held], axis=1, return_inverse=True)
    rules = np.hstack([rules[:, at], kinds * unit])
    low, high = whole_up(loose[0][at]), np.minimum(whole_down(loose[1][at]), aim)
    low = np.minimum(low, high)
    lo, hi = limits[0][~held], np.minimum(limits[1][~held], total)
    # A move limit may end within a cent: the others stay inside where they can, and go to its end where they must.
    ways = ((whole_up, whole_down), (whole_down, whole_up)) if lot is None else ((whole_up, whole_down),)
    found = None
    for least, most in ways:
        room = np.bincount(of.ravel(), least(lo, unit / 100)), np.bincount(of.ravel(), most(hi, unit / 100))
        moved = _least_moves(100 * current[at], (low, high), room, rules, between, in_lots=lot is not None)
        if moved is not None:
            amounts, rest = moved
            others = (rest, *room) if lot is None else (rest, rest, rest)
            found = cents_beside(amounts, (low, high), rules, between, others)
        if found is not None:
            break
    if found is None:
        unit_said = "whole cents" if lot is None else f"whole lots of {lot:,.2f}"
        raise DataError(
            f"no {unit_said} meet the rules for sums and the total {total:,.2f} together, although cells without "
            "evidence give way. Change the total, a rule" + ("." if lot is None else ", or the lot.")
        )
    return found / 100


def _least_moves(stands, bounds, room, rules, between, *, in_lots: bool) -> tuple[np.ndarray, np.ndarray] | None:
    """Amounts in cents of the held cells and units of the others' kinds, the largest relative move made least; of
    those the moves made least."""
    held, kinds = len(stands), len(room[0])
    if (room[0] > room[1]).any():
        return None
    usual = np.maximum(stands, between[1][-1] / 100 / max(held + kinds, 1))
    one, own, none = sparse.eye_array(held), sparse.diags_array(usual), sparse.csr_array((held, kinds))
    empty, ones = sparse.csr_array((held, 1)), sparse.csr_array(np.ones((held, 1)))
    moves = sparse.block_array([[one, none, empty, own], [one, none, empty, -own], [None, none, ones, -one]])
    far = np.full(held, np.inf)
    sums = sparse.hstack([sparse.csr_array(rules), sparse.csr_array((len(rules), 1 + held))])
    result = optimize.milp(
        np.r_[np.zeros(held + kinds), 1.0, np.full(held, OWN_MOVES / max(held, 1))],
        integrality=np.r_[np.zeros(held), np.full(kinds, float(in_lots)), np.zeros(1 + held)],
        bounds=optimize.Bounds(
            np.r_[bounds[0], room[0], np.zeros(1 + held)], np.r_[bounds[1], room[1], np.full(1 + held, np.inf)]
        ),
        constraints=[
            optimize.LinearConstraint(moves.tocsc(), np.r_[stands, -far, 0 * stands], np.r_[far, stands, far]),
            optimize.LinearConstraint(sums.tocsc(), *between),
        ],
    )
    return None if result.x is None else (result.x[:held], np.round(result.x[held : held + kinds]))
