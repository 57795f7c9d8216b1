"""Pilots: propose regions and length with the effect that could be seen, then read the result without a model of the
noise.

Each region is collapsed to one number: its mean log outcome in the pilot less that of the time before, with trend,
season and controls taken out. The effect
is the difference between treated and other regions. How large differences are when nothing happened is taken from the
company's own past (placebo): from other choices of regions where there are enough of them, else from other times.

    regions test   p = share of equally large choices of regions whose difference is as far from zero (exact up to
    20,000) times test     p = share of past windows of the same regions whose difference is as far from their usual one
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import comb

import numpy as np
import pandas as pd

from planning.errors import DataError, UsageError, did_you_mean

LEVEL = 0.05
ENOUGH_CHOICES = 60  # fewer choices of regions than this cannot give a p below 5 % with both signs
MOST_CHOICES = 20_000
FEWEST_WINDOWS = 19  # fewer placebos than this cannot give a p of 5 %
MOST_WINDOWS = (60, 104)  # two years of windows within these; older ones speak of other times


@dataclass(frozen=True)
class Reading:
    """What a pilot did: effect (share of the outcome), its 90 % interval, p, how it was tested and the placebo count.

    delta, se : the effect in units of the outcome a period, and its standard error, as a row of the fit wants them.
    """

    effect: float
    lo: float
    hi: float
    p: float
    test: str
    placebos: int
    delta: float
    se: float


@dataclass(frozen=True)
class History:
    """Log outcome of regions over periods, y and seen (R, T), with what is taken out of it, base (R, T, P)."""

    regions: list[str]
    periods: pd.DatetimeIndex
    y: np.ndarray
    seen: np.ndarray
    base: np.ndarray
    gram: np.ndarray
    right: np.ndarray

    @property
    def level(self) -> np.ndarray:
        """Return the mean outcome of every region over the latest half year."""
        recent = slice(-2 * quarter_of(self.periods), None)
        total = np.where(self.seen, np.exp(self.y), 0.0)[:, recent].sum(axis=1)
        return total / np.maximum(self.seen[:, recent].sum(axis=1), 1)


def read_history(history: pd.DataFrame) -> History:
    """Return the history of `period, region, outcome` and numeric controls; gaps are left out.

    Taken out of every region's log outcome: a trend, the season (two waves, from two and a half years on) and the
    controls.
    """
    wide = history.pivot_table(
        index="period", columns="region", values="outcome", aggfunc="sum", dropna=False
    ).sort_index()
    if wide.shape[1] < 2:
        raise DataError("a pilot needs at least two regions with outcomes: one to try it in, one to compare with.")
    if (wide <= 0).any().any():
        name = wide.columns[(wide <= 0).any()][0]
        raise DataError(f"the outcome of {name} is not above 0 in every period; add up to longer periods first.")
    periods = pd.DatetimeIndex(wide.index)
    seen = wide.notna().to_numpy().T
    y = np.log(wide.fillna(1.0).to_numpy(float)).T
    years = (periods - periods[0]).days.to_numpy() / 365.25
    waves = range(1, 3) if years[-1] >= 2.5 else range(0)
    columns = [np.ones(len(years)), years - years.mean()]
    columns += [f(2 * np.pi * h * years) for h in waves for f in (np.sin, np.cos)]
    base = np.broadcast_to(np.stack(columns, axis=1), (len(y), len(years), len(columns)))
    controls = [c for c in history.columns if c not in ("period", "region", "outcome")]
    extra = [
        history.pivot_table(index="period", columns="region", values=c, dropna=False)
        .reindex_like(wide)
        .to_numpy(float)
        .T
        for c in controls
    ]
    extra = [np.where(np.isfinite(e), e - np.nanmean(e), 0.0) for e in extra]
    extra = [e / e.std() for e in extra if e.std() > 1e-12]
    base = np.concatenate([base, *[e[..., None] for e in extra]], axis=2) * seen[..., None]
    y = y * seen
    gram = base.transpose(0, 2, 1) @ base
    return History(list(wide.columns), periods, y, seen, base, gram, (base.transpose(0, 2, 1) @ y[..., None])[..., 0])


def changes(history: History, start: int, length: int, before: int) -> np.ndarray:
    """Return how far each region's log outcome in the window lies above that of the ``before`` periods ahead of it.

    Trend, season and controls are fitted without the window itself, so that they cannot take its effect away.
    """
    inside, ahead = slice(start, start + length), slice(start - before, start)
    x, y = history.base[:, inside], history.y[:, inside]
    gram = history.gram - x.transpose(0, 2, 1) @ x + 1e-9 * np.eye(x.shape[2])
    right = history.right - (x.transpose(0, 2, 1) @ y[..., None])[..., 0]
    fitted = np.linalg.solve(gram, right[..., None])
    rest = history.y - (history.base @ fitted)[..., 0]
    counts = [np.maximum(history.seen[:, part].sum(axis=1), 1) for part in (inside, ahead)]
    return rest[:, inside].sum(axis=1) / counts[0] - rest[:, ahead].sum(axis=1) / counts[1]


@dataclass(frozen=True)
class Windows:
    """Every window of one length: ``changes`` (windows, regions), the first starting at period ``first``."""

    length: int
    before: int
    first: int
    changes: np.ndarray

    def past(self, treated: np.ndarray, until: int, most: int) -> np.ndarray:
        """Return the treated regions' difference in the latest ``most`` windows that end before period ``until``."""
        stop = max(until - self.length + 1 - self.first, 0)
        return difference(self.changes[max(0, stop - most) : stop], treated)


def windows_of(history: History, length: int, before: int | None = None) -> Windows:
    """Return all windows of a length; ``before`` as in `changes` (as many as the window, at least a quarter)."""
    before = before or max(length, quarter_of(history.periods))
    starts = range(before, history.y.shape[1] - length + 1)
    rows = [changes(history, start, length, before) for start in starts]
    return Windows(length, before, before, np.array(rows).reshape(len(rows), len(history.y)))


def most_windows(history: History) -> int:
    """Return how many past windows serve as placebo: those of two years, within MOST_WINDOWS."""
    return int(np.clip(8 * quarter_of(history.periods), *MOST_WINDOWS))


def choices_of(regions: int, treated: int, rng: np.random.Generator) -> np.ndarray:
    """Return choices of treated regions (n, regions) bool: all of them, or 20,000 drawn where there are more."""
    if comb(regions, treated) <= MOST_CHOICES:
        chosen = np.zeros((comb(regions, treated), regions), bool)
        for row, picked in enumerate(itertools.combinations(range(regions), treated)):
            chosen[row, list(picked)] = True
        return chosen
    order = rng.random((MOST_CHOICES, regions)).argsort(axis=1)
    return order < treated


def difference(change: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Return mean change of the chosen regions minus that of the others; chosen (..., regions)."""
    inside = (chosen * change).sum(axis=-1) / chosen.sum(axis=-1)
    return inside - ((~chosen) * change).sum(axis=-1) / (~chosen).sum(axis=-1)


def permutation_p(change: np.ndarray, treated: np.ndarray, chosen: np.ndarray) -> float:
    """Return the two-sided permutation p value of the treated regions' difference."""
    seen = abs(float(difference(change, treated)))
    others = np.abs(difference(change, chosen))
    if len(chosen) < MOST_CHOICES:
        return float((others >= seen - 1e-12).mean())
    return float((1 + (others >= seen - 1e-12).sum()) / (1 + len(others)))


def _invert(change, treated, chosen, level: float) -> tuple[float, float]:
    """Return the effects the permutation test does not reject at ``level``: ends found by bisection."""
    centre = float(difference(change, treated))
    ends = []
    for sign in (-1.0, 1.0):
        inside, outside = 0.0, 0.02
        while permutation_p(change - treated * (centre + sign * outside), treated, chosen) > level and outside < 10:
            inside, outside = outside, 2 * outside
        for _ in range(30):
            middle = 0.5 * (inside + outside)
            if permutation_p(change - treated * (centre + sign * middle), treated, chosen) > level:
                inside = middle
            else:
                outside = middle
        ends.append(centre + sign * outside)
    return ends[0], ends[1]


@dataclass(frozen=True)
class Placebo:
    """Differences of past windows around their middle, and how many of them do not overlap."""

    centre: float
    away: np.ndarray
    apart: float

    @classmethod
    def of(cls, past: np.ndarray, length: int) -> Placebo:
        """Sum up past windows of ``length`` periods."""
        centre = float(np.median(past))
        return cls(centre, past - centre, max((len(past) - 1) / length + 1, 2.0))

    def p(self, effect: float) -> float:
        """Return the p value of a difference: the share of windows as far away, and not below that of a t distribution.

        Windows overlap, so their count alone would make chance look rarer than it is.
        """
        from scipy.special import stdtr

        far = (1 + (np.abs(self.away) >= abs(effect - self.centre)).sum()) / (1 + len(self.away))
        spread = float(np.sqrt((self.away**2).sum() / max(len(self.away) - 1, 1)))
        tail = 2 * stdtr(self.apart - 1, -abs(effect - self.centre) / max(spread, 1e-300))
        return float(max(far, tail))

    def width(self, level: float) -> float:
        """Return how far from the middle a difference must lie for a p value of ``level``."""
        from scipy.special import stdtrit

        spread = float(np.sqrt((self.away**2).sum() / max(len(self.away) - 1, 1)))
        usual = float(np.quantile(np.abs(self.away), 1 - level, method="higher"))
        return max(usual, float(stdtrit(self.apart - 1, 1 - level / 2)) * spread)


def read_pilot(
    history: pd.DataFrame,
    treated: list[str],
    start,
    end,
    *,
    before: int | None = None,
    seed: int = 7,
    level: float = 0.1,
) -> Reading:
    """Read a finished pilot: `history` has period, region, outcome; ``start``..``end`` are its first and last day.

    ``before`` is how many periods ahead of it are compared with (as many as it lasted, at least a quarter of a year).
    ``level`` 0.1 gives 90 % intervals. Raises DataError when regions are unknown or too little history is there.
    """
    data = read_history(history)
    for name in treated:
        if name not in data.regions:
            raise DataError(f"the pilot region '{name}' has no outcome.{did_you_mean(name, data.regions)}")
    marks = np.isin(data.regions, treated)
    if marks.all():
        raise DataError("every region is in the pilot; at least one must stay as it was to compare with.")
    inside = np.flatnonzero((data.periods >= pd.Timestamp(start)) & (data.periods <= pd.Timestamp(end)))
    if not len(inside):
        raise DataError(f"no period of the outcome lies in the pilot {start} to {end}.")
    first, length = int(inside[0]), len(inside)
    before = before or max(length, quarter_of(data.periods))
    if first < before:
        raise DataError(f"the pilot starts {first} periods into the outcome; {before} periods before it are needed.")
    change = changes(data, first, length, before)
    effect = float(difference(change, marks))
    chosen = choices_of(len(marks), int(marks.sum()), np.random.default_rng(seed))
    if len(chosen) >= ENOUGH_CHOICES:
        p, test, count = permutation_p(change, marks, chosen), "regions", len(chosen)
        lo, hi = _invert(change, marks, chosen, level)
    else:
        past = windows_of(data, length, before).past(marks, first, most_windows(data))
        if len(past) < FEWEST_WINDOWS:
            raise DataError(
                f"only {len(past)} past windows can serve as placebo, which cannot carry a test at 5 %; "
                f"{FEWEST_WINDOWS} are needed. Give more history."
            )
        placebo, test, count = Placebo.of(past, length), "times", len(past)
        p, effect = placebo.p(effect), effect - placebo.centre
        lo, hi = effect - placebo.width(level), effect + placebo.width(level)
    total = float(np.exp(data.y[marks][:, inside]).mean(axis=1).sum())
    delta = total * -np.expm1(-effect)
    se = total * (np.expm1(-lo) - np.expm1(-hi)) / (2 * 1.645)
    return Reading(float(np.expm1(effect)), float(np.expm1(lo)), float(np.expm1(hi)), p, test, count, delta, abs(se))


def quarter_of(periods: pd.Index) -> int:
    """Return how many periods make a quarter of a year."""
    gap = float(np.median(np.diff(periods.to_numpy()) / np.timedelta64(1, "D")))
    return max(1, int(round(91.3 / gap)))


def detectable(
    history: pd.DataFrame | History, treated: list[str], length: int, *, windows: Windows | None = None,
    power: float = 0.8,
) -> dict:  # fmt: skip
    """Return the smallest effect a pilot in ``treated`` over ``length`` periods shows with ``power``, from past
    windows.

    Keys: `smallest` (share of outcome), `critical` (log difference that counts at 5 %), `noise` (sd of placebo
    differences), `placebos`. Raises DataError where fewer than 10 past windows can serve.
    """
    from scipy.special import ndtri

    data = history if isinstance(history, History) else read_history(history)
    windows = windows or windows_of(data, length)
    marks = np.isin(data.regions, treated)
    past = windows.past(marks, len(data.periods), most_windows(data))
    if len(past) < 10:
        raise DataError(f"only {len(past)} past windows of {length} periods; give more history or a shorter pilot.")
    placebo = Placebo.of(past, length)
    noise = float(np.sqrt((placebo.away**2).sum() / (len(past) - 1)))
    many = comb(len(marks), int(marks.sum())) >= ENOUGH_CHOICES
    critical = float(np.quantile(np.abs(placebo.away), 1 - LEVEL)) if many else placebo.width(LEVEL)
    smallest = float(np.expm1(critical + ndtri(power) * noise))
    return {"smallest": smallest, "critical": critical, "noise": noise, "placebos": len(past)}


def power_of(seen: dict, effect: float) -> float:
    """Return the chance that a pilot shows an ``effect`` (share of outcome) at 5 %, given what `detectable` found."""
    from scipy.special import ndtr

    size = abs(float(np.log1p(effect)))
    return float(ndtr((size - seen["critical"]) / seen["noise"]) + ndtr((-size - seen["critical"]) / seen["noise"]))


def design(
    history: pd.DataFrame, effects: pd.DataFrame, *, lengths: tuple[int, ...] | None = None, power: float = 0.8
) -> pd.DataFrame:
    """Propose pilots: one row a line, number of regions (largest first) and length, with what could be seen.

    effects : line, region, effect (expected change of the region's outcome a period when the spend is doubled), cost
    (the extra spend a period). Returns line, regions (names joined by ", "), count, length, effect and smallest
    (shares of the pilot regions' outcome), power, cost, placebos; sorted by line, then power falling, then cost.
    """
    data = read_history(history)
    size = pd.Series(data.level, index=data.regions)
    order = list(size.sort_values(ascending=False, kind="stable").index)
    quarter = quarter_of(data.periods)
    lengths = lengths or tuple(sorted({quarter, 2 * quarter}))
    rows = []
    windows = {length: windows_of(data, length) for length in lengths}
    for count, length in itertools.product(range(1, max(2, len(order) // 2 + 1)), lengths):
        chosen = order[:count]
        seen = detectable(data, chosen, length, windows=windows[length], power=power)
        for line, part in effects[effects["region"].isin(chosen)].groupby("line", sort=False):
            share = float(part["effect"].sum() / size[chosen].sum())
            chance = power_of(seen, share)
            rows.append(
                (
                    line,
                    ", ".join(chosen),
                    count,
                    length,
                    share,
                    seen["smallest"],
                    chance,
                    part["cost"].sum() * length,
                    seen["placebos"],
                )
            )
    columns = ["line", "regions", "count", "length", "effect", "smallest", "power", "cost", "placebos"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["line", "power", "cost"], ascending=[True, False, True], kind="stable").reset_index(
        drop=True
    )


def aa_check(
    history: pd.DataFrame, count: int, length: int, *, tests: int = 600, seed: int = 7
) -> dict:
    """Run the whole test where nothing happened: `rate` of p <= 5 % over random regions and past windows, and `tests`.

    An honest test rejects about 5 % of them; too little history for it gives 0 tests. Also `regions`, `choices` (ways
    to choose the regions) and `exact`: whether they are enough for a test at 5 %, or other times serve as placebo.
    """
    if tests < 1:
        raise UsageError(f"{tests} A/A tests; give at least 1.")
    data, rng = read_history(history), np.random.default_rng(seed)
    windows, most = windows_of(data, length), most_windows(data)
    regions, periods = data.y.shape
    chosen = choices_of(regions, count, rng)
    exact = len(chosen) >= ENOUGH_CHOICES
    least = windows.first if exact else windows.first + FEWEST_WINDOWS + length
    found = {"tests": 0, "rate": float("nan"), "regions": regions, "choices": comb(regions, count), "exact": exact}
    if least > periods - length:
        return found | {"p_values": np.array([])}
    p_values = []
    for _ in range(tests):
        treated = np.zeros(regions, bool)
        treated[rng.choice(regions, count, replace=False)] = True
        start = int(rng.integers(least, periods - length + 1))
        change = windows.changes[start - windows.first]
        if exact:
            p_values.append(permutation_p(change, treated, chosen))
            continue
        past = windows.past(treated, start, most)
        p_values.append(Placebo.of(past, length).p(float(difference(change, treated))))
    rate = float((np.array(p_values) <= LEVEL).mean())
    return found | {"rate": rate, "tests": tests, "p_values": np.array(p_values)}
