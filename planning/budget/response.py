"""What each line brings in each region: pooled response curves as posterior draws, and what cannot be told.

`fit_response` is the door: tables in, `Response` out. Two forms (Hill and logarithmic) are fitted and mixed by how
well each explains the data, neither below 15 %, since history rarely reaches far enough to tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from planning.budget.chains import sample
from planning.budget.curves import Draws
from planning.budget.demand import FOLLOWS, follows_demand
from planning.budget.fit import Fit, Scaled, fit_form
from planning.budget.inputs import check_cells
from planning.budget.panel import Panel, build_panel
from planning.errors import Fault

FORMS = ("hill", "log", "s")
LEAST_WEIGHT = 0.15  # no concave form is trusted less than this
SPEAKS_UP = 0.5  # an S-shaped form needs this share of the evidence to take part
WIDEN = 1.12  # intervals of a pooled fit are a little too narrow on self-simulated data (benchmarks/budget.py)
JUDGED_ERROR = 0.35  # a judged difference is off by this share (sd), and its points share one author's mood


@dataclass
class Response:
    """The fitted responses.

    draws : posterior draws of the informed cells' curves, per period of spend; cells : one row a cell of the spend
    table: region, line, current, evidence (measured, pooled, judged, none), reason; draw : position in `draws` or -1.
    lines : one row a line: line, carry_over, follows_demand, demand_p, demand_strength, season_share, evidence.
    forms : weight of each form; measured : pilots and judged differences as rows of the fit.
    """

    panel: Panel
    draws: Draws
    cells: pd.DataFrame
    lines: pd.DataFrame
    forms: dict[str, float]
    noise: float
    measured: pd.DataFrame = field(repr=False)
    fits: list[Fit] = field(repr=False, default_factory=list)
    warnings: list[Fault] = field(default_factory=list)

    @property
    def informed(self) -> np.ndarray:
        """Return the positions in `cells` of the cells that have curves, in the order of `draws`."""
        return np.flatnonzero(self.cells["draw"].to_numpy() >= 0)


def fit_response(
    spend: pd.DataFrame,
    outcome: pd.DataFrame,
    *,
    pilots: pd.DataFrame | None = None,
    judged: pd.DataFrame | None = None,
    draws: int = 400,
    seed: int = 7,
    forms: tuple[str, ...] = FORMS,
    pooling: float | None = None,
    files: dict[str, str] | None = None,
) -> Response:
    """Fit the response of every region and line.

    spend : period, region, line, amount; outcome : period, region, outcome and controls (see `planning.budget.inputs`).
    pilots, judged : measured and judged differences, rows of the same fit with their own errors.
    pooling : None learns how alike regions are; a number fixes their spread (large: each region for itself).
    files : names of the tables for messages, by role. Raises DataError with every fault found.
    """
    names = {"spend": "spend", "outcome": "outcome", "pilots": "pilots", "judged": "judged_response", **(files or {})}
    panel = build_panel(spend, outcome, spend_file=names["spend"], outcome_file=names["outcome"])
    return fit_panel(
        panel, measured=_measured(panel, pilots, judged, names), draws=draws, seed=seed, forms=forms, pooling=pooling
    )


def fit_panel(
    panel: Panel, *, measured: pd.DataFrame | None = None, draws: int = 400, seed: int = 7,
    forms: tuple[str, ...] = FORMS, pooling: float | None = None,
) -> Response:  # fmt: skip
    """Fit a checked panel; ``measured`` has one row a difference: region, line (positions), x0, x1, delta, se, kind."""
    measured = measured if measured is not None else _no_rows()
    used = np.flatnonzero(panel.learn.any(axis=0) | np.isin(np.arange(len(panel.lines)), measured["line"]))
    if not len(used):
        return _uninformed(panel)
    data, usual = scaled(panel, used, measured)
    first = fit_form(data, forms[0], spread=pooling)
    data, dropped = without_outliers(data, first)
    if dropped:
        first = fit_form(data, forms[0], spread=pooling)
        panel.warnings.append(_outlier_note(dropped))
    fits = [first, *(fit_form(data, form, spread=pooling, best=first) for form in forms[1:])]
    weights = form_weights(fits)
    rng = np.random.default_rng(seed)
    theta, kinds = [], []
    for fit, weight in zip(fits, weights, strict=True):
        count = int(round(draws * weight))
        if count:
            theta.append(sample(data, fit, count, rng))
            kinds += [fit.form] * count
    curves = _curves(panel, used, usual, np.concatenate(theta), np.array(kinds))
    lines = _line_table(panel, used, data, fits, weights, measured)
    return Response(
        panel, curves, _cell_table(panel, used, measured), lines,
        {f.form: float(w) for f, w in zip(fits, weights, strict=True)},
        float(np.mean(fits[0].sigma)), measured, fits, panel.warnings,
    )  # fmt: skip


def _no_rows() -> pd.DataFrame:
    return pd.DataFrame({"region": [], "line": [], "x0": [], "x1": [], "delta": [], "se": [], "kind": []})


def _measured(panel: Panel, pilots, judged, names) -> pd.DataFrame:
    """Return pilots and judged differences as rows of the fit, amounts per period of spend."""
    parts = [_no_rows()]
    at = {"region": pd.Index(panel.regions), "line": pd.Index(panel.lines)}
    if pilots is not None and len(pilots):
        numbers = {"x0": False, "x1": False, "delta": False, "se": True}
        rows = check_cells(pilots, panel.cells, names["pilots"], numbers, blank=False)
        rows["se"] = rows["se"].where(rows["se"] > 0, 0.5 * rows["delta"].abs())
        rows = rows.assign(kind="pilot", **{k: at[k].get_indexer(rows[k]) for k in ("region", "line")})
        parts.append(rows[rows["se"] > 0])
    if judged is not None and len(judged):
        numbers = {"at_zero": True, "at_half": True, "at_now": False, "at_double": True}
        if "at_saturation" in judged.columns:
            numbers["at_saturation"] = True
        rows = check_cells(judged, panel.cells, names["judged"], numbers, blank=True)
        parts.append(_judged_rows(panel, rows, at))
    rows = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return rows.astype({"region": int, "line": int})


def _judged_rows(panel: Panel, judged: pd.DataFrame, at) -> pd.DataFrame:
    """Turn judged outcomes into differences from now; only lines that cannot be measured listen to judgement."""
    multiples = {"at_zero": 0.0, "at_half": 0.5, "at_double": 2.0, "at_saturation": 40.0}
    per_spend = panel.size / panel.per_outcome
    rows = []
    for one in judged.to_dict("records"):
        j = int(at["line"].get_indexer([one["line"]])[0])
        regions = [int(at["region"].get_indexer([one["region"]])[0])] if one["region"] else range(len(panel.regions))
        points = {m: one[c] / one["at_now"] - 1 for c, m in multiples.items() if c in one and np.isfinite(one[c])}
        scale = max((abs(v) for v in points.values()), default=0.0)
        for r in regions:
            now = panel.current[r, j]
            if panel.learn[r, j] or now <= 0 or scale == 0:
                continue
            for multiple, gap in points.items():
                se = 2.0 * JUDGED_ERROR * max(abs(gap), 0.3 * scale)
                rows.append((r, j, now, now * multiple, gap * per_spend[r], se * per_spend[r], "judged"))
    return pd.DataFrame(rows, columns=["region", "line", "x0", "x1", "delta", "se", "kind"])


def scaled(panel: Panel, used: np.ndarray, measured: pd.DataFrame) -> tuple[Scaled, np.ndarray]:
    """Return the arrays of the fit for the lines ``used``, and each line's usual intensity (spend over sales)."""
    z = panel.x[:, used] / panel.size[:, None, None]
    present = panel.present[:, used]
    usual = (z.mean(axis=2) * present).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    usual = np.where(usual > 0, usual, 1.0)
    rows = measured[measured["line"].isin(used)]
    region = rows["region"].to_numpy(int)
    line = pd.Index(used).get_indexer(rows["line"].to_numpy(int))
    by = panel.size[region] * usual[line]
    per = panel.size[region] / panel.per_outcome
    gather = None if panel.gather is None else panel.gather / panel.per_outcome
    measured_rows = (
        region, line, rows["x0"].to_numpy(float) / by, rows["x1"].to_numpy(float) / by,
        rows["delta"].to_numpy(float) / per, rows["se"].to_numpy(float) / per,
    )  # fmt: skip
    data = Scaled(
        z / usual[None, :, None], panel.y / panel.size[:, None], panel.seen, panel.base, panel.learn[:, used],
        measured_rows, gather,
    )  # fmt: skip
    return data, usual


def without_outliers(data: Scaled, fit: Fit, *, limit: float = 4.5) -> tuple[Scaled, int]:
    """Leave out periods whose residual no noise explains (a returned order, a strike); at most 3 % of them."""
    size = np.abs(fit.residual) / fit.sigma[:, None]
    odd = (size > limit) & data.seen
    if not odd.any() or odd.sum() > 0.03 * data.seen.sum():
        return data, 0
    return Scaled(data.z, data.y, data.seen & ~odd, data.base, data.learn, data.rows, data.gather), int(odd.sum())


def _outlier_note(count: int) -> Fault:
    found = f"{count} period(s) far outside the usual noise"
    return Fault("outcome", None, "outcome", found, "Left out of the fit.", "warning")


def form_weights(fits: list[Fit]) -> np.ndarray:
    """Return the weight of each form from its evidence.

    Neither concave form gets less than LEAST_WEIGHT; an S-shaped one must earn SPEAKS_UP, or it is left out: it makes
    the split harder and, where it is not true, a little worse.
    """
    evidence = np.array([fit.evidence for fit in fits])
    weights = np.exp(evidence - evidence.max())
    weights = weights / weights.sum()
    bent = np.array([fit.form == "s" for fit in fits])
    weights = np.where(bent & (weights < SPEAKS_UP), 0.0, weights)
    if (~bent).sum() > 1:
        weights = np.where(bent, weights, np.maximum(weights, LEAST_WEIGHT))
    return weights / weights.sum()


def _curves(panel: Panel, used, usual, theta, kinds) -> Draws:
    """Return the draws in the tables' own units, cells in the order of `panel.cells`, widened a little around their
    centre."""
    lines = len(used)
    r, j = np.nonzero(panel.present[:, used])
    logs = [theta[:, r, j], theta[:, r, lines + j]]
    for form in np.unique(kinds):
        rows = kinds == form
        for values in logs:
            centre = values[rows].mean(axis=0)
            values[rows] = centre + WIDEN * (values[rows] - centre)
    a = np.exp(logs[0]) * (panel.size[r] / panel.per_outcome)
    k = np.exp(logs[1]) * panel.size[r] * usual[j]
    cells = pd.DataFrame({"region": np.array(panel.regions)[r], "line": np.array(panel.lines)[used[j]]})
    return Draws(cells, a, k, kinds)


def _cell_table(panel: Panel, used, measured) -> pd.DataFrame:
    r, j = np.nonzero(panel.present)
    cells = panel.cells
    cells["current"] = panel.current[r, j].round(2)
    informed = np.isin(j, used)
    kinds = {(a, b): kind for a, b, kind in zip(measured["region"], measured["line"], measured["kind"], strict=True)}
    own = [kinds.get((a, b), "") for a, b in zip(r, j, strict=True)]
    evidence = np.where(panel.learn[r, j], "measured", np.where(informed, "pooled", "none")).astype(object)
    cells["evidence"] = np.where((np.array(own) != "") & ~panel.learn[r, j], own, evidence)
    cells["reason"] = panel.reasons[r, j]
    cells["draw"] = np.where(informed, np.cumsum(informed) - 1, -1)
    return cells


def _line_table(panel, used, data, fits, weights, measured) -> pd.DataFrame:
    table = pd.DataFrame({"line": panel.lines})
    carry = sum(w / (1 + np.exp(-f.logit_alpha)) for f, w in zip(fits, weights, strict=True))
    learned = panel.learn[:, used].any(axis=0)
    table["carry_over"] = np.nan
    table.loc[used[learned], "carry_over"] = carry[learned]
    asked = zip(("demand_p", "demand_strength", "season_share"), follows_demand(data, fits[0]), strict=True)
    for name, values in asked:
        table[name] = np.nan
        table.loc[used[learned], name] = values[learned]
    table["follows_demand"] = table["demand_p"].le(FOLLOWS)
    kinds = measured.groupby("line")["kind"].first() if len(measured) else pd.Series(dtype=object)
    table["evidence"] = [
        "measured" if panel.learn[:, j].any() else kinds.get(j, "none") for j in range(len(panel.lines))
    ]
    return table


def _uninformed(panel: Panel) -> Response:
    cells = panel.cells
    r, j = np.nonzero(panel.present)
    cells["current"] = panel.current[r, j].round(2)
    cells["evidence"], cells["reason"], cells["draw"] = "none", panel.reasons[r, j], -1
    lines = pd.DataFrame({"line": panel.lines, "carry_over": np.nan, "demand_p": np.nan, "season_share": np.nan})
    lines["follows_demand"], lines["evidence"] = False, "none"
    empty = Draws(cells.iloc[:0][["region", "line"]], np.zeros((1, 0)), np.zeros((1, 0)), np.array(["hill"]))
    return Response(panel, empty, cells, lines, {}, float("nan"), _no_rows(), [], panel.warnings)
