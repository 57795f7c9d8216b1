"""Which pilot can be read, and what finished pilots said: the pilot page's one computation.

spend, sales [, pilots, judged_response] ─▶ expected effects of doubling ─▶ PilotPlan (proposals, readings, A/A rate)
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from planning.budget import pilots as tests
from planning.budget import sentences
from planning.budget.regional import outcome_of
from planning.budget.response import Response, fit_response
from planning.errors import DataError

POWER = 0.8


@dataclass
class PilotPlan:
    """Proposals and readings, or the reasons why there are none.

    proposals : line, regions, count, length, effect, smallest, power, cost, placebos, basis (expected or break-even);
    best : the cheapest readable proposal of each line, else the one with the most power; readings : one row a
    finished pilot; learned : line, before and after width of its 90 % interval; figures : plain numbers of the
    headline.
    """

    refused: list[str] = field(default_factory=list)
    proposals: pd.DataFrame = field(default_factory=pd.DataFrame)
    best: pd.DataFrame = field(default_factory=pd.DataFrame)
    readings: pd.DataFrame = field(default_factory=pd.DataFrame)
    learned: pd.DataFrame = field(default_factory=pd.DataFrame)
    figures: dict = field(default_factory=dict)


def pilot_plan(
    spend: pd.DataFrame | None,
    sales: pd.DataFrame,
    *,
    pilots: pd.DataFrame | None = None,
    judged: pd.DataFrame | None = None,
    line: str = "",
    times: float = 2.0,
    as_of=None,
    seed: int = 7,
) -> PilotPlan:
    """Return pilots that could be read, for every line or for ``line``; ``times`` is the spend in the pilot over
    today's."""
    if spend is None:
        return PilotPlan(refused=[sentences.no_spend()])
    if as_of is not None:
        spend = spend[pd.to_datetime(spend["period"]) <= pd.Timestamp(as_of)]
        sales = sales[pd.to_datetime(sales["ds"]) <= pd.Timestamp(as_of)]
    try:
        outcome, margin = outcome_of(sales)
        names = {"outcome": "sales", "judged": "judged_response"}
        response = fit_response(spend, outcome, pilots=pilots, judged=judged, seed=seed, files=names)
        history = outcome[outcome["region"].isin(response.panel.regions)]
        effects = expected_effects(response, times=times, margin=margin or 1.0)
        effects = effects[effects["line"] == line] if line else effects
        if not len(effects):
            raise DataError(f"the line '{line}' has no spend. Lines are: {', '.join(response.panel.lines)}.")
        proposals = tests.design(history, effects, power=POWER)
    except DataError as error:
        return PilotPlan(refused=str(error).splitlines())
    proposals["basis"] = proposals["line"].map(effects.groupby("line")["basis"].first())
    best = best_proposals(proposals)
    length = int(best["length"].iloc[0])
    checked = tests.aa_check(history, int(best["count"].iloc[0]), length, seed=seed)
    readings = read_all(history, pilots, response.panel.per_outcome)
    learned = (
        _learned(spend, outcome, pilots, judged, response, seed)
        if pilots is not None and len(pilots)
        else pd.DataFrame()
    )
    figures = {
        "power": float(best["power"].iloc[0]), "smallest": float(best["smallest"].iloc[0]),
        "effect": float(best["effect"].iloc[0]), "cost": float(best["cost"].iloc[0]), "aa_rate": checked["rate"],
        "aa_tests": checked["tests"], "regions": checked["regions"], "choices": checked["choices"],
        "exact": checked["exact"], "count": int(best["count"].iloc[0]), "times": times,
        "step": response.panel.outcome_step,
        "readable": int((best["power"] >= POWER).sum()), "lines": len(best), "placebos": int(best["placebos"].iloc[0]),
    }  # fmt: skip
    return PilotPlan([], proposals, best, readings, learned, figures)


def expected_effects(response: Response, *, times: float, margin: float) -> pd.DataFrame:
    """Return line, region, effect (outcome a period), cost (extra spend a period) and basis of every cell with spend.

    A cell without curves gets the effect at which the extra spend would pay for itself (basis "break-even").
    """
    cells = response.cells[response.cells["current"] > 0]
    now = response.cells["current"].to_numpy(float)
    gain = (
        response.draws.response(times * now[response.informed]) - response.draws.response(now[response.informed])
    ).mean(axis=0)
    per = response.panel.per_outcome
    cost = (times - 1) * cells["current"].to_numpy(float) * per
    known = cells["draw"].to_numpy() >= 0
    effect = np.where(known, 0.0, cost / margin)
    effect[known] = gain[cells["draw"].to_numpy()[known]] * per
    table = cells[["line", "region"]].assign(effect=effect, cost=cost)
    return table.assign(basis=np.where(known, "expected", "break-even"))


def best_proposals(proposals: pd.DataFrame) -> pd.DataFrame:
    """Return one proposal a line: the cheapest that can be read with the wanted power, else the most powerful."""
    rows = []
    for _, part in proposals.groupby("line", sort=False):
        enough = part[part["power"] >= POWER]
        rows.append(enough.sort_values("cost").iloc[0] if len(enough) else part.sort_values("power").iloc[-1])
    return pd.DataFrame(rows).sort_values("power", ascending=False, kind="stable").reset_index(drop=True)


def read_all(history: pd.DataFrame, pilots: pd.DataFrame | None, per_outcome: float) -> pd.DataFrame:
    """Read every finished pilot of the table from the sales: effect with 90 % interval, p, and what the table says.

    recorded, delta : change a period of spend as the table states it and as read here; reason where it cannot be read.
    """
    columns = ["line", "region", "from", "to", "recorded", "delta", "effect", "lo", "hi", "p", "test", "reason"]
    rows = []
    for one in [] if pilots is None or "from" not in pilots.columns else pilots.to_dict("records"):
        end = one.get("to")
        end = history["period"].max() if end is None or pd.isna(end) else end
        try:
            read = tests.read_pilot(history, [one["region"]], one["from"], end)
            values = (read.delta / per_outcome, read.effect, read.lo, read.hi, read.p, read.test, "")
        except DataError as error:
            values = (*[np.nan] * 5, "", str(error))
        rows.append((one["line"], one["region"], pd.Timestamp(one["from"]), pd.Timestamp(end), one["delta"], *values))
    return pd.DataFrame(rows, columns=columns)


def _learned(spend, outcome, pilots, judged, response: Response, seed: int) -> pd.DataFrame:
    """Return how much the finished pilots narrowed what is known of their lines: widths of the 90 % interval over its
    middle."""
    without = fit_response(spend, outcome, judged=judged, seed=seed, draws=200)
    rows = []
    for line in pd.unique(pilots["line"]):
        width = [_width(one, line) for one in (without, response)]
        rows.append((line, *width))
    return pd.DataFrame(rows, columns=["line", "before", "after"])


def _width(response: Response, line: str) -> float:
    part = response.cells[(response.cells["line"] == line) & (response.cells["draw"] >= 0)]
    if not len(part):
        return float("nan")
    now = response.cells["current"].to_numpy(float)[response.informed]
    total = response.draws.response(now)[:, part["draw"].to_numpy()].sum(axis=1)
    lo, middle, hi = np.quantile(total, [0.05, 0.5, 0.95])
    return float((hi - lo) / middle)
