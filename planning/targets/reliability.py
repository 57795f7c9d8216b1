"""How often stated chances held: past years replayed with only what was known then.

For each past year the outlook is made from the history before it, the stated chance of each outcome is looked up, and
over all cells and years the share reached is set beside the chance stated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from planning.forecast.joint_forecast import JointForecast
from planning.targets.history import Panel
from planning.targets.outlook import horizon_of, outlook
from planning.targets.progress import condition
from planning.targets.year import YearLaw

NOMINAL = (0.10, 0.25, 0.40, 0.50, 0.60, 0.75, 0.90)
CHANCES = (0.80, 0.55, 0.25)
FEWEST_MONTHS = 36


@dataclass(frozen=True)
class Replay:
    """Past years replayed.

    positions: year, level (cell, <first key>, total), unique_id, position (P(outcome below the actual)), expected,
    actual. sums: year, chance (each cell at its own quantile), joint, independent, observed (1 where the sum was
    reached).
    """

    positions: pd.DataFrame
    sums: pd.DataFrame

    def below(self, nominal: Sequence[float] = NOMINAL) -> pd.DataFrame:
        """Returns per level the observed share below each nominal quantile, the 80 % interval's share and the WAPE."""
        rows = []
        for level, part in self.positions.groupby("level", sort=False):
            u = part["position"].to_numpy()
            row = {"level": level, "n": len(part)} | {f"{q:.0%}": float((u < q).mean()) for q in nominal}
            row["within_80"] = float(((u >= 0.1) & (u <= 0.9)).mean())
            row["wape"] = float((part["actual"] - part["expected"]).abs().sum() / part["actual"].abs().sum())
            rows.append(row)
        return pd.DataFrame(rows)

    def reached(self, chances: Sequence[float] = CHANCES) -> pd.DataFrame:
        """Returns `chance` stated, `reached` (share), `lo`, `hi` (90 % interval of the share), `hits`, `n`, by level.

        The interval of cells counts a year as one observation, since the cells of a year move together.
        """
        rows = []
        for level, part in self.positions.groupby("level", sort=False):
            years = part["year"].nunique()
            for chance in chances:
                hit = part["position"] >= 1 - chance
                lo, hi = share_interval(float(hit.mean()) * years, years)
                rows.append(
                    {
                        "level": level,
                        "chance": chance,
                        "reached": float(hit.mean()),
                        "lo": lo,
                        "hi": hi,
                        "hits": int(hit.sum()),
                        "n": len(part),
                        "years": years,
                    }
                )
        return pd.DataFrame(rows)


def share_interval(hits: float, n: float, level: float = 0.9) -> tuple[float, float]:
    """Returns the interval of a share by Jeffreys' rule; (0, 1) for n = 0."""
    if n <= 0:
        return 0.0, 1.0
    tail = (1 - level) / 2
    lo = special.betaincinv(hits + 0.5, n - hits + 0.5, tail) if hits > 0 else 0.0
    hi = special.betaincinv(hits + 0.5, n - hits + 0.5, 1 - tail) if hits < n else 1.0
    return float(lo), float(hi)


def reliability(
    panel: Panel,
    *,
    start_month: int = 1,
    years: int | None = None,
    starts: Sequence[pd.Timestamp] | None = None,
    method: Callable[[Panel, int], JointForecast] = outlook,
) -> Replay:
    """Replays past full years of `panel` and returns what was stated and what came.

    The last `years` of them, or those that begin at `starts`; all where neither is given.

    `method` makes the joint forecast of a panel for a horizon. Years before which fewer than 36 months are known are
    left out; with none left, both tables are empty.
    """
    starts = _starts(panel, start_month) if starts is None else list(starts)
    starts = starts[-years:] if years else starts
    positions, sums = [], []
    for start in starts:
        known = panel.until(start - pd.DateOffset(months=1))
        end = start + pd.DateOffset(months=11)
        law = YearLaw.of(method(known, horizon_of(known, end)), start, end)
        total = pd.Series(panel.year_total(start), index=panel.cells["unique_id"])
        actual = total.reindex(law.cells["unique_id"]).to_numpy(float)
        positions.append(_positions(law, actual, start.year))
        sums.append(_sums(law, actual, start.year))
    if not positions:
        empty = pd.DataFrame(columns=["year", "level", "unique_id", "position", "expected", "actual"])
        return Replay(empty, pd.DataFrame(columns=["year", "chance", "joint", "independent", "observed"]))
    return Replay(pd.concat(positions, ignore_index=True), pd.concat(sums, ignore_index=True))


def _starts(panel: Panel, start_month: int) -> list[pd.Timestamp]:
    first = panel.months[0] + pd.DateOffset(months=FEWEST_MONTHS)
    last = panel.months[-1] - pd.DateOffset(months=11)
    return [month for month in panel.months if month.month == start_month and first <= month <= last]


def _positions(law: YearLaw, actual: np.ndarray, year: int) -> pd.DataFrame:
    parts = []
    first = law.cells[law.keys[0]].to_numpy()
    groups = [("cell", np.arange(len(actual)), law.cells["unique_id"].to_numpy())]
    names, codes = np.unique(first, return_inverse=True)
    if len(law.keys) > 1 and 1 < len(names) < len(actual):
        groups.append((law.keys[0], codes, names))
    groups.append(("total", np.zeros(len(actual), dtype=int), np.array(["total"])))
    for level, code, ids in groups:
        member = (code[:, None] == np.arange(len(ids))).astype(float)
        mean, scale = law.sums(member)
        outcome = actual @ member
        # A cell that had ended has no spread; it carries no information about chances.
        live = scale > 0
        u = special.stdtr(law.df, (outcome[live] - mean[live]) / scale[live])
        parts.append(
            pd.DataFrame(
                {
                    "year": year,
                    "level": level,
                    "unique_id": ids[live],
                    "position": u,
                    "expected": mean[live],
                    "actual": outcome[live],
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _sums(law: YearLaw, actual: np.ndarray, year: int) -> pd.DataFrame:
    rows = []
    for level in (0.5, 0.6, 0.7):
        asked = law.quantile(level).sum()
        independent = special.ndtr((law.mean.sum() - asked) / np.sqrt((law.scale**2).sum()))
        rows.append(
            {
                "year": year,
                "chance": 1 - level,
                "joint": law.total_probability(asked),
                "independent": float(independent),
                "observed": float(actual.sum() >= asked),
            }
        )
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class InYear:
    """Past years replayed to the same month. frame: year, unique_id, chance (stated then), reached (0, 1), call (0, 1).

    `call` is the hard run-rate call: last year's pace times the growth to date reaches the target.
    """

    months: int
    frame: pd.DataFrame

    @property
    def brier(self) -> float:
        """Mean squared distance of stated chances from what came; 0 is perfect."""
        return float(((self.frame["chance"] - self.frame["reached"]) ** 2).mean())

    @property
    def brier_call(self) -> float:
        """The same of the hard run-rate call."""
        return float(((self.frame["call"] - self.frame["reached"]) ** 2).mean())

    def table(self) -> pd.DataFrame:
        """Returns per band of stated chances (`band`) their mean (`chance`), the share `reached`, and `n`."""
        band = np.clip((self.frame["chance"] * 5).astype(int), 0, 4)
        out = self.frame.groupby(band).agg(chance=("chance", "mean"), reached=("reached", "mean"), n=("chance", "size"))
        names = [f"{20 * b}-{20 * b + 20} %" for b in out.index]
        return out.assign(band=names)[["band", "chance", "reached", "n"]].reset_index(drop=True)


def in_year(panel: Panel, months: int, *, start_month: int = 1, target: float = 0.55) -> InYear:
    """Replays past years to the end of month `months`, each cell's target set before the year at chance `target`."""
    rows = []
    for start in _starts(panel, start_month):
        known = panel.until(start - pd.DateOffset(months=1))
        end = start + pd.DateOffset(months=11)
        joint = outlook(known, horizon_of(known, end)).window(start, end)
        law = YearLaw.of(joint, start, end)
        place = pd.Index(panel.cells["unique_id"]).get_indexer(law.cells["unique_id"])
        at = int(panel.months.get_loc(start))
        actual = panel.known[place, at : at + 12]
        last = panel.known[place, at - 12 : at]
        goal = law.quantile(1 - target)
        later = condition(joint.select(law.cells["unique_id"]), actual[:, :months]) if months else joint
        rest = YearLaw.of(later, later.periods[0], later.periods[-1])
        done = actual[:, :months].sum(axis=1)
        before = last[:, :months].sum(axis=1)
        pace = np.divide(done, before, out=np.ones(len(done)), where=before > 0)
        call = done + pace * last[:, months:].sum(axis=1) >= goal
        live = (law.scale > 0) & (goal > 0)
        part = pd.DataFrame(
            {"year": start.year, "unique_id": law.cells["unique_id"], "chance": rest.probability(goal - done)}
        )
        came = (actual.sum(axis=1) >= goal).astype(float)
        rows.append(part.assign(reached=came, call=call.astype(float))[live])
    columns = ["year", "unique_id", "chance", "reached", "call"]
    return InYear(months, pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=columns, dtype=float))
