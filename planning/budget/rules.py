"""What a split may do: bounds, sums over regions or lines, move limit, held cells; infeasible rules are named.

A rule is one row of the bounds table. With region and line it bounds that cell; with one of them empty it bounds the
sum of the cells that match. Rules win over the move limit. Cells nothing is known about are held at what they have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from planning.budget.inputs import check_cells
from planning.budget.solver import Groups
from planning.budget.yielding import give_way
from planning.errors import DataError, Fault


@dataclass
class Rules:
    """The limits in force: lo, hi (cells,), groups over cells, held (cells,) bool, and each rule's words.

    least : (cells,) a cell with a value gets nothing or at least this much.
    """

    lo: np.ndarray
    hi: np.ndarray
    groups: Groups
    words: list[str]
    held: np.ndarray
    notes: list[str]
    least: np.ndarray


def read_bounds(bounds: pd.DataFrame | None, cells: pd.DataFrame, file: str = "bounds") -> pd.DataFrame:
    """Return the checked rules; a floor over its cap and an unknown cell are faults that name file and row."""
    if bounds is None or not len(bounds):
        return pd.DataFrame({"region": [], "line": [], "min": [], "max": [], "min_lot": [], "fixed": []})
    extra = {name: True for name in ("min_lot", "fixed") if name in bounds.columns}
    rules = check_cells(bounds, cells, file, {"min": True, "max": True} | extra, blank=True)
    for name in ("min_lot", "fixed"):
        rules[name] = rules[name].fillna(0.0) if name in rules.columns else 0.0
    faults = []
    for at, rule in enumerate(rules.to_dict("records")):
        if rule["min"] < 0 or rule["max"] < 0:
            faults.append(
                Fault(file, at + 2, "min" if rule["min"] < 0 else "max", "a negative limit", "Write 0 or more.")
            )
        if rule["max"] < rule["min"]:
            found = f"max {rule['max']:,.2f} is below min {rule['min']:,.2f} for {said(rule)}"
            faults.append(Fault(file, at + 2, "max", found, "Raise max or lower min."))
    twice = rules.duplicated(["region", "line"]).to_numpy()
    for at in np.flatnonzero(twice)[:5]:
        faults.append(Fault(file, int(at) + 2, "region+line", f"a second rule for {said(rules.iloc[at])}", "Keep one."))
    if faults:
        raise DataError(faults=faults)
    return rules


def said(rule) -> str:
    """Return which cells a rule is about, in words."""
    parts = [str(rule[key]) for key in ("region", "line") if rule[key]]
    return ", ".join(parts) if parts else "the total"


def make_rules(
    cells: pd.DataFrame,
    rules: pd.DataFrame,
    total: float,
    *,
    move_limit: float | None,
    fixed: np.ndarray | None = None,
    whole_lot: float | None = None,
) -> Rules:
    """Return the limits for ``total``; ``cells`` has region, line, current and draw (-1: nothing is known).

    ``fixed`` marks commitments that stay at their current amount; ``whole_lot`` is the lot the split is made in.
    Raises DataError naming the smallest set of rules that cannot hold together, and by how much.
    """
    current = cells["current"].to_numpy(float)
    count = len(cells)
    floor, cap = np.zeros(count), np.full(count, np.inf)
    lot, stays = np.zeros(count), np.zeros(count, bool)
    members, floors, caps, words = [], [], [], []
    for rule in rules.to_dict("records"):
        match = np.ones(count, bool)
        for key in ("region", "line"):
            if rule[key]:
                match &= cells[key].to_numpy() == rule[key]
        least, most = np.nan_to_num(rule["min"], nan=0.0), np.nan_to_num(rule["max"], nan=np.inf)
        if rule["region"] and rule["line"]:
            floor[match], cap[match] = least, most
            lot[match], stays[match] = rule["min_lot"], rule["fixed"] > 0
        else:
            lot[match] = np.maximum(lot[match], rule["min_lot"])
            stays[match] |= rule["fixed"] > 0
            if least == 0 and not np.isfinite(most):
                continue
            members.append(match)
            floors.append(least)
            caps.append(most)
            words.append(said(rule))
    groups = Groups(np.array(members).reshape(len(members), count), np.array(floors), np.array(caps))
    committed = stays if fixed is None else stays | fixed
    held = (cells["draw"].to_numpy() < 0) | committed
    yielding = held & ~committed
    limits, own_limit = _moves(current, floor, cap, held, move_limit)
    lo, hi = limits
    notes: list[str] = []
    blocked = violated(cells, lo, hi, groups, words, total, floor, cap, own_limit, held)
    if blocked and yielding.any():
        spread = _moves(current * _ratio(current, total), floor, cap, np.zeros(count, bool), move_limit)[0]
        loose_lo, loose_hi = np.where(yielding, spread[0], lo), np.where(yielding, spread[1], hi)
        if not violated(cells, loose_lo, loose_hi, groups, words, total, floor, cap, own_limit, held):
            lo[yielding] = hi[yielding] = give_way(
                current, (loose_lo, loose_hi), (lo, hi), yielding, total, groups, whole_lot
            )
            notes.append("cells without evidence could not all stay as they are; they share the rest in proportion")
            blocked = ""
    if blocked:
        raise DataError(blocked)
    lo, hi = _with_lots(cells, lo, hi, lot, floor, cap, held)
    # Where nothing is not allowed, nothing-or-the-lot is simply a floor; where the lot is out of reach, only nothing
    # is left.
    lo = np.where((lo > 0) & (lo < lot) & (hi >= lot) & ~held, lot, lo)
    hi = np.where((lo == 0) & (hi < lot) & ~held, 0.0, hi)
    return Rules(lo, hi, groups, words, held, notes, np.where(held | (lo > 0), 0.0, lot))


def _with_lots(cells, lo, hi, lot, floor, cap, held):
    """Open the move limit of cells that may take nothing or their lot and lie between both; a floor that a lot cannot
    meet is an error."""
    asked = (lot > 0) & ~held
    clash = np.flatnonzero(asked & (floor > 0) & (cap < lot))
    if len(clash):
        i = int(clash[0])
        raise DataError(
            f"{cells['region'].iloc[i]}/{cells['line'].iloc[i]}: at least {floor[i]:,.2f} is asked, at most "
            f"{cap[i]:,.2f} allowed, and nothing or at least {lot[i]:,.2f}. Raise the max, or lower min_lot."
        )
    between = asked & (lo > 0) & (hi < lot)
    return np.where(between & (floor == 0), 0.0, lo), np.where(between & (cap >= lot), lot, hi)


def _ratio(current: np.ndarray, total: float) -> float:
    return total / current.sum() if current.sum() > 0 else 1.0


def _moves(current, floor, cap, held, move_limit):
    """Return ((lo, hi), where the move limit and no rule sets the bound); rules win over the move limit."""
    wide = np.inf if move_limit is None else move_limit
    least = np.where(held, current, 0.0 if move_limit is None else current * (1 - wide))
    most = np.where(held, current, np.inf if move_limit is None else current * (1 + wide))
    lo, hi = np.clip(least, floor, cap), np.clip(most, floor, cap)
    own = (np.isfinite(most) & ~held & (move_limit is not None)) & ((lo == least) | (hi == most))
    return (lo, hi), own


def violated(cells, lo, hi, groups: Groups, words, total, floor, cap, own_limit, held) -> str:
    """Return the lines that name the smallest set of limits that cannot hold together, or an empty text."""
    text = _against_total(cells, lo, hi, total, floor, cap, own_limit, held)
    if text or not len(words):
        return text
    for g, name in enumerate(words):
        inside = groups.member[g]
        least, most = lo[inside].sum(), hi[inside].sum()
        if least > groups.cap[g] + 0.005:
            which = _largest(cells, lo, inside, groups.cap[g])
            return (
                f"the rule max {groups.cap[g]:,.2f} for {name} cannot hold: its cells need {least:,.2f} at least, "
                f"{least - groups.cap[g]:,.2f} too much; {which} it. Raise the max, lower those floors, "
                "or widen --move-limit."
            )
        if most < groups.floor[g] - 0.005:
            return (
                f"the rule min {groups.floor[g]:,.2f} for {name} cannot hold: its cells may take {most:,.2f} at most, "
                f"{groups.floor[g] - most:,.2f} too little. Lower the min, raise those caps, or widen --move-limit."
            )
    return _by_program(lo, hi, groups, words, total)


def _against_total(cells, lo, hi, total, floor, cap, own_limit, held) -> str:
    if lo.sum() > total + 0.005:
        limited = "" if not own_limit.any() or floor.sum() > total else " Widen --move-limit, or raise the total."
        which = _largest(cells, lo, np.ones(len(lo), bool), total)
        return (
            f"the total {total:,.2f} is below the floors: all cells together need {lo.sum():,.2f} at least, "
            f"{lo.sum() - total:,.2f} too much; {which} it."
            f"{limited or ' Raise the total or lower floors.'}"
        )
    if hi.sum() < total - 0.005:
        limited = (
            ""
            if not own_limit.any() or cap.sum() < total
            else " Widen --move-limit (or write none), or lower the total."
        )
        kept = (
            f" {int(held.sum())} cell(s) without evidence or fixed stay at their current amount." if held.any() else ""
        )
        return (
            f"the total {total:,.2f} cannot be spent: the caps of all {len(cells)} cells add up to {hi.sum():,.2f}, "
            f"{total - hi.sum():,.2f} too little.{kept}{limited or ' Raise caps or lower the total.'}"
        )
    return ""


def _largest(cells, lo, inside, limit) -> str:
    """Return the fewest floors that together exceed ``limit``, largest first, as the beginning of a sentence."""
    at = np.flatnonzero(inside)
    order = at[np.argsort(-lo[at], kind="stable")]
    needed = int(np.searchsorted(np.cumsum(lo[order]), limit + 0.005)) + 1
    named = [f"{cells['region'].iloc[i]}/{cells['line'].iloc[i]} ({lo[i]:,.2f})" for i in order[:needed]]
    more = f" and {len(named) - 6} more" if len(named) > 6 else ""
    if len(named) == 1:
        return f"the floor of {named[0]} alone exceeds"
    return f"the floors of {', '.join(named[:6])}{more} together exceed"


def _by_program(lo, hi, groups: Groups, words, total) -> str:
    """Ask a linear program whether crossing sums can hold; where not, drop rules one by one to find the smallest
    set."""
    from scipy.optimize import linprog

    top = np.where(np.isfinite(hi), hi, max(total, 1.0) * 2)
    limits = [("min", g) for g in range(len(words)) if groups.floor[g] > 0]
    limits += [("max", g) for g in range(len(words)) if np.isfinite(groups.cap[g])]

    def missing(kept) -> float:
        """Return by how much each of the rules would have to give way for all to hold."""
        if not kept:
            return 0.0
        rows = [-1.0 * groups.member[g] if kind == "min" else 1.0 * groups.member[g] for kind, g in kept]
        right = [-groups.floor[g] if kind == "min" else groups.cap[g] for kind, g in kept]
        result = linprog(
            np.append(np.zeros(len(lo)), 1.0), A_ub=np.column_stack([rows, -np.ones(len(kept))]), b_ub=right,
            A_eq=np.append(np.ones(len(lo)), 0.0)[None], b_eq=[total],
            bounds=[*zip(lo, top, strict=True), (0, None)], method="highs",
        )  # fmt: skip
        return float(result.fun) if result.status == 0 else np.inf

    def feasible(kept) -> bool:
        return missing(kept) <= 0.005

    if feasible(limits):
        return ""
    kept = list(limits)
    for rule in limits:
        fewer = [one for one in kept if one != rule]
        if not feasible(fewer):
            kept = fewer
    named = [f"{kind} {(groups.floor if kind == 'min' else groups.cap)[g]:,.2f} for {words[g]}" for kind, g in kept]
    least = sum(groups.floor[g] for kind, g in kept if kind == "min")
    over = f" Their floors add up to {least:,.2f}, {least - total:,.2f} over the total." if least > total else ""
    short = missing(kept)
    apart = f" They miss each other and the limits of single cells by {short:,.2f}." if np.isfinite(short) else ""
    return (
        f"these rules cannot hold together with the total {total:,.2f}: {'; '.join(named)}.{over or apart} "
        "Relax one of them, or widen --move-limit."
    )
