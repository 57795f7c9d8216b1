"""From two long tables to the arrays of the fit, at the coarser of both frequencies.

Spend keeps its own periods: carry-over and saturation work there. What it brings is gathered into the outcome's
periods by the days they share, so weekly spend and monthly sales meet without either being invented: a week that
spans two months gives each month its share of days. An outcome finer than the spend is added up to the spend's
periods in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from planning.budget.inputs import SAID, STEP_DAYS, check_outcome, check_regions, check_spend, step_of
from planning.errors import DataError, Fault

RECENT = {"D": 364, "W": 52, "MS": 12, "QS": 4, "YS": 1}
LEAST = {"D": 90, "W": 26, "MS": 12, "QS": 8, "YS": 6}  # periods a line must have run before its effect is estimated


@dataclass
class Panel:
    """Everything known about spend and outcome, by position of region (R), line (L) and period.

    x : (R, L, T) spend a period; y : (R, N) outcome; seen : (R, N) bool; gather : (N, T) or None, rows add the shares
    of spend periods in each outcome period; base : (R, N, P); size : (R,) usual outcome; current : (R, L) recent mean
    spend; present : (R, L) cells named in the table; learn : (R, L) cells whose spend varies enough; reasons : text
    per (R, L).
    """

    regions: list[str]
    lines: list[str]
    step: str
    outcome_step: str
    periods: pd.DatetimeIndex
    outcome_periods: pd.DatetimeIndex
    x: np.ndarray
    y: np.ndarray
    seen: np.ndarray
    gather: np.ndarray | None
    base: np.ndarray
    size: np.ndarray
    current: np.ndarray
    present: np.ndarray
    learn: np.ndarray
    reasons: np.ndarray
    warnings: list[Fault] = field(default_factory=list)

    @property
    def per_outcome(self) -> float:
        """Return how many spend periods an outcome period holds."""
        return 1.0 if self.gather is None else float(np.median(self.gather.sum(axis=1)))

    @property
    def cells(self) -> pd.DataFrame:
        """Return region and line of every cell present, in the order of all arrays."""
        r, j = np.nonzero(self.present)
        return pd.DataFrame({"region": np.array(self.regions)[r], "line": np.array(self.lines)[j]})


def _ends(starts: pd.DatetimeIndex, step: str) -> pd.DatetimeIndex:
    offset = {
        "D": pd.DateOffset(days=1), "W": pd.DateOffset(days=7), "MS": pd.DateOffset(months=1),
        "QS": pd.DateOffset(months=3), "YS": pd.DateOffset(years=1),
    }[step]  # fmt: skip
    return starts + offset


def _calendar(periods: pd.Series, step: str) -> pd.DatetimeIndex:
    """Return every period from the first to the last, on the table's own anchor."""
    first, last = periods.min(), periods.max()
    if step in ("D", "W"):
        return pd.date_range(first, last, freq=f"{1 if step == 'D' else 7}D")
    months = {"MS": 1, "QS": 3, "YS": 12}[step]
    return pd.date_range(first.replace(day=1), last.replace(day=1), freq=pd.DateOffset(months=months))


def overlap(inner: pd.DatetimeIndex, inner_step: str, outer: pd.DatetimeIndex, outer_step: str) -> np.ndarray:
    """Return the share of each inner period's days that lies in each outer period: (outer, inner)."""
    a0, a1 = inner.to_numpy(), _ends(inner, inner_step).to_numpy()
    b0, b1 = outer.to_numpy(), _ends(outer, outer_step).to_numpy()
    shared = np.minimum(a1[None, :], b1[:, None]) - np.maximum(a0[None, :], b0[:, None])
    return np.maximum(shared / np.timedelta64(1, "D"), 0.0) / ((a1 - a0) / np.timedelta64(1, "D"))[None, :]


def build_panel(
    spend: pd.DataFrame, outcome: pd.DataFrame, *, spend_file: str = "spend", outcome_file: str = "outcome"
) -> Panel:
    """Check both tables and bring them together; DataError lists every fault of both, warnings are kept on the
    panel."""
    faults: list[Fault] = []
    warnings: list[Fault] = []
    clean: list[pd.DataFrame] = []
    for check, frame, file in ((check_spend, spend, spend_file), (check_outcome, outcome, outcome_file)):
        try:
            table, notes = check(frame, file)
            clean.append(table)
            warnings += notes
        except DataError as error:
            faults += error.faults
    if faults:
        raise DataError(faults=faults)
    paid, sold = clean
    warnings += check_regions(paid, sold, spend_file, outcome_file)
    sold = sold[sold["region"].isin(set(paid["region"]))]
    step, outcome_step = step_of(paid["period"], spend_file), step_of(sold["period"], outcome_file)
    periods = _calendar(paid["period"], step)
    x, present, absent = _spend_array(paid, periods, step, spend_file, warnings)
    regions, lines = sorted(set(paid["region"])), sorted(set(paid["line"]))
    outcome_periods, values, controls = _outcome_arrays(sold, regions, outcome_step, periods, step, outcome_file)
    finer = STEP_DAYS[outcome_step] < 0.9 * STEP_DAYS[step]
    outcome_step = step if finer else outcome_step
    gather, inside = _gather(periods, step, outcome_periods, outcome_step, absent)
    if inside.sum() < 8:
        found = f"only {int(inside.sum())} period(s) have both spend and outcome"
        fix = (
            f"The spend runs from {periods[0]:%Y-%m-%d} to {periods[-1]:%Y-%m-%d}; bring both tables to the same time."
        )
        raise DataError(faults=[Fault(outcome_file, None, "period", found, fix)])
    keep = np.flatnonzero(inside)
    keep = np.arange(keep[0], keep[-1] + 1)
    y, seen = values[:, keep], np.isfinite(values[:, keep]) & inside[keep]
    gather = gather[keep] if gather is not None else None
    if gather is None:
        at = periods.get_indexer(outcome_periods[keep])
        x, periods = x[:, :, at], periods[at]
    _enough(y, seen, regions, outcome_file)
    size = np.array([row[ok].mean() for row, ok in zip(y, seen, strict=True)])
    if (size <= 0).any():
        name = regions[int(np.flatnonzero(size <= 0)[0])]
        fix = "A split by response needs regions with sales."
        raise DataError(
            faults=[Fault(outcome_file, None, "outcome", f"{name} has no positive outcome on average", fix)]
        )
    base = _baseline(outcome_periods[keep], outcome_step, controls[:, keep], seen)
    current = x[:, :, -RECENT[step] :].mean(axis=2)
    panel = Panel(
        regions, lines, step, outcome_step, periods, outcome_periods[keep], x, np.where(seen, y, 0.0), seen, gather,
        base, size, current, present, np.zeros(present.shape, bool), np.full(present.shape, "", object), warnings,
    )  # fmt: skip
    _variation(panel)
    return panel


def _spend_array(paid, periods, step, file, warnings):
    """Return x (R, L, T), which cells exist, and the positions of periods no cell reports."""
    grid = paid.pivot_table(index=["region", "line"], columns="period", values="amount", aggfunc="sum", observed=True)
    starts = grid.columns if step in ("D", "W") else grid.columns.map(lambda d: d.replace(day=1))
    at = periods.get_indexer(starts)
    if (at < 0).any():
        odd = paid.loc[paid["period"] == grid.columns[int(np.flatnonzero(at < 0)[0])]].index[0]
        fix = f"The table looks {SAID[step]} from {periods[0]:%Y-%m-%d}; use first days of the same rhythm."
        raise DataError(faults=[Fault(file, int(odd) + 2, "period", "the date does not fit the others", fix)])
    regions, lines = sorted(set(paid["region"])), sorted(set(paid["line"]))
    x = np.full((len(regions), len(lines), len(periods)), np.nan)
    r, j = (pd.Index(names).get_indexer(grid.index.get_level_values(k)) for k, names in enumerate((regions, lines)))
    block = np.full((len(grid), len(periods)), np.nan)
    block[:, at] = grid.to_numpy()
    x[r, j] = block
    present = np.zeros(x.shape[:2], bool)
    present[r, j] = True
    absent = ~np.isfinite(x).any(axis=(0, 1))
    gaps = int((~np.isfinite(x) & present[..., None])[:, :, ~absent].sum())
    if gaps:
        found = f"{gaps} period(s) of single cells have no row"
        warnings.append(Fault(file, None, "period", found, "Taken as no spend.", "warning"))
    if absent.any():
        found = (
            f"{int(absent.sum())} {SAID[step]} period(s) have no row at all, the first is {periods[absent][0]:%Y-%m-%d}"
        )
        fix = "Outcomes of those periods and of the four after them are left out."
        warnings.append(Fault(file, None, "period", found, fix, "warning"))
    return np.nan_to_num(x), present, absent


def _outcome_arrays(sold, regions, outcome_step, periods, step, file):
    """Return the outcome's periods, values (R, N) and controls (R, N, C); a finer outcome is added up first."""
    own = _calendar(sold["period"], outcome_step)
    names = [c for c in sold.columns if c not in ("period", "region", "outcome")]
    starts = sold["period"] if outcome_step in ("D", "W") else sold["period"].map(lambda d: d.replace(day=1))
    at, r = own.get_indexer(starts), pd.Index(regions).get_indexer(sold["region"])
    if (at < 0).any():
        odd = int(sold.index[int(np.flatnonzero(at < 0)[0])])
        fix = f"The table looks {SAID[outcome_step]} from {own[0]:%Y-%m-%d}; use first days of the same rhythm."
        raise DataError(faults=[Fault(file, odd + 2, "period", "the date does not fit the others", fix)])
    values = np.full((len(regions), len(own), 1 + len(names)), np.nan)
    values[r, at] = sold[["outcome", *names]].to_numpy(float)
    if STEP_DAYS[outcome_step] < 0.9 * STEP_DAYS[step]:
        share = overlap(own, outcome_step, periods, step)
        whole = share @ np.ones(len(own)) >= 0.99 * STEP_DAYS[step] / STEP_DAYS[outcome_step] * 0.9
        total = np.einsum("tn,rnc->rtc", share, values, optimize=True)
        mean = total / np.maximum(share.sum(axis=1), 1e-9)[None, :, None]
        total[:, :, 1:] = mean[:, :, 1:]
        total[:, ~whole] = np.nan
        return periods, total[..., 0], total[..., 1:]
    return own, values[..., 0], values[..., 1:]


def _gather(periods, step, outcome_periods, outcome_step, absent):
    """Return the gathering matrix (None where both tables share their periods) and which outcome periods are
    covered."""
    if outcome_step == step and outcome_periods.isin(periods).sum() >= 0.5 * min(len(periods), len(outcome_periods)):
        inside = outcome_periods.isin(periods)
        near = np.zeros(len(outcome_periods), bool)
        where = periods.get_indexer(outcome_periods)
        for lag in range(5):
            before = where - lag
            near |= (before >= 0) & absent[np.clip(before, 0, len(absent) - 1)] & inside
        return None, inside & ~near
    share = overlap(periods, step, outcome_periods, outcome_step)
    lengths = (_ends(periods, step) - periods).days.to_numpy()
    days = (_ends(outcome_periods, outcome_step) - outcome_periods).days.to_numpy()
    covered = share @ lengths >= 0.97 * days
    spoiled = np.convolve(absent, np.ones(5))[: len(absent)] > 0
    return share, covered & ~((share > 0) @ spoiled)


def _enough(y, seen, regions, file) -> None:
    for r, name in enumerate(regions):
        if seen[r].sum() < 8:
            found = f"{name} has {int(seen[r].sum())} period(s) with spend and outcome"
            raise DataError(
                faults=[Fault(file, None, "outcome", found, "At least 8 are needed; two years are wanted.")]
            )


def _baseline(periods: pd.DatetimeIndex, step: str, controls: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Return the baseline columns of every region: level, a trend that may bend once a year, season, controls."""
    years = (periods - periods[0]).days.to_numpy() / 365.25
    columns = [np.ones(len(years)), years - years.mean()]
    columns += [np.maximum(years - knot, 0) for knot in np.arange(1.0, years[-1] - 0.6, 1.0)]
    phase = 2 * np.pi * periods.day_of_year.to_numpy() / 365.25
    waves = {"D": 2, "W": 2, "MS": 2 if years[-1] < 3 else 4, "QS": 1, "YS": 0}[step] if years[-1] > 1.2 else 0
    columns += [f(h * phase) for h in range(1, waves + 1) for f in (np.sin, np.cos)]
    common = np.broadcast_to(np.stack(columns, axis=1), (len(seen), len(years), len(columns)))
    if not controls.shape[2]:
        return common.copy()
    mean = np.nanmean(np.where(np.isfinite(controls), controls, np.nan), axis=(0, 1), keepdims=True)
    filled = np.where(np.isfinite(controls), controls, mean) - mean
    spread = filled.std(axis=(0, 1), keepdims=True)
    useful = spread[0, 0] > 1e-12
    return np.concatenate([common, (filled / np.where(spread > 1e-12, spread, 1.0))[:, :, useful]], axis=2)


def _variation(panel: Panel) -> None:
    """Mark the cells whose spend has varied enough, for long enough, for its effect to be told from the baseline."""
    x = panel.x
    ran = x > 0
    first = np.where(ran.any(axis=2), ran.argmax(axis=2), x.shape[2])
    length = x.shape[2] - first
    mean = np.maximum(x.mean(axis=2), 1e-12)
    varies = x.std(axis=2) / mean > 0.05
    changes = (np.abs(np.diff(x, axis=2)) > 0.02 * mean[..., None]).sum(axis=2) >= 4
    long_enough = length >= min(LEAST[panel.step], int(0.5 * x.shape[2]))
    panel.learn[:] = panel.present & varies & changes & long_enough
    panel.reasons[panel.present & ~(varies & changes)] = "no variation"
    panel.reasons[panel.present & ~long_enough] = "started too recently"
    panel.reasons[panel.present & ~ran.any(axis=2)] = "never spent"
