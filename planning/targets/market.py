"""The market as a second view: potential times share, with the error such views had before.

It does not enter the target by itself; where it disagrees with the forecast by more than both errors allow, a person
should know.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import ndtri

from planning.targets.history import Panel
from planning.targets.plan import Plan


def market_view(plan: Plan, market: pd.DataFrame | None, panel: Panel) -> pd.DataFrame | None:
    """Returns the plan's expected sales beside potential x share, one row a place the market table names.

    market: `<keys>, ds, potential, share` yearly. Potential is carried forward by its own last growth where the plan
    year is not in the table; the share is the last one known. Error: how far potential x share of a year, known the
    year before, lay from actual sales. Columns: keys, `plan_view, market_view, lo, hi, difference, told` (the forecast
    lies outside the 80 % interval).
    """
    keys = [key for key in plan.target.law.keys if market is not None and key in market]
    if market is None or market.empty or not keys:
        return None
    year = pd.Timestamp(plan.target.law.periods[0]).year
    frame = market.assign(year=pd.to_datetime(market["ds"]).dt.year).sort_values([*keys, "year"])
    rows, errors = [], []
    for names, part in frame.groupby(keys, sort=True):
        names = names if isinstance(names, tuple) else (names,)
        inside = np.ones(len(plan.cells), dtype=bool)
        for key, name in zip(keys, names):
            inside &= (plan.cells[key] == str(name)).to_numpy()
        if not inside.any():
            continue
        view = _ahead(_rows(part), year)
        errors += _past_errors(part, names, keys, panel)
        rows.append([*names, float(plan.cells["expected"].to_numpy()[inside].sum()), view])
    if not rows:
        return None
    out = pd.DataFrame(rows, columns=[*keys, "plan_view", "market_view"]).dropna()
    spread = float(np.sqrt(np.mean(np.square(errors)))) if errors else 0.25
    half = ndtri(0.9) * spread
    out["lo"], out["hi"] = out["market_view"] * (1 - half), out["market_view"] * (1 + half)
    out["difference"] = out["plan_view"] / out["market_view"] - 1
    out["told"] = (out["plan_view"] < out["lo"]) | (out["plan_view"] > out["hi"])
    return out.sort_values("difference", key=abs, ascending=False, kind="stable").reset_index(drop=True)


def _ahead(part: list[tuple[int, float, float]], year: int) -> float:
    """Returns potential x share of `year`: as stated, else carried forward from what is known before it.

    part: (year, potential, share) of one place, oldest first; NaN where one is not known.
    """
    known = [(at, potential) for at, potential, _share in part if at <= year and potential > 0]
    shares = [share for at, _potential, share in part if at < year and share == share]
    if not known or not shares:
        return float("nan")
    last, potential = known[-1]
    growth = 1.0
    if len(known) > 1 and last < year:
        before, smaller = known[-2]
        growth = float(np.clip((potential / smaller) ** (1 / max(last - before, 1)), 0.7, 1.4))
    return float(potential * growth ** (year - last) * shares[-1])


def _rows(part: pd.DataFrame) -> list[tuple[int, float, float]]:
    numbers = part[["potential", "share"]].to_numpy(dtype=float, na_value=np.nan)
    return [(int(year), *pair) for year, pair in zip(part["year"], numbers.tolist(), strict=True)]


def _past_errors(part: pd.DataFrame, names: tuple, keys: list[str], panel: Panel) -> list[float]:
    inside = np.ones(len(panel.cells), dtype=bool)
    for key, name in zip(keys, names):
        inside &= (panel.cells[key] == str(name)).to_numpy()
    errors, lines = [], _rows(part)
    for year in list(dict.fromkeys(line[0] for line in lines))[2:]:
        start = pd.Timestamp(year, 1, 1)
        if start + pd.DateOffset(months=11) > panel.months[-1]:
            continue
        actual = float(panel.year_total(start)[inside].sum())
        view = _ahead([line for line in lines if line[0] < year], year)
        if actual > 0 and np.isfinite(view) and view > 0:
            errors.append(actual / view - 1)
    return errors
