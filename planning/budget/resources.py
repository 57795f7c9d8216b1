"""What the target needs: people, material and cash, from the company's own ratios with their spread; and the budget
table.

need = target x ratio, ratio = resource per unit of sales in past years; the spread of the ratio over years and regions
(with one more for the year to come) gives the 80 % interval.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from planning.errors import DataError


def ratio_of(resource: pd.Series, sales: pd.Series) -> tuple[float, float]:
    """Return a resource per unit of sales and the sd of its logarithm for a year to come, from matched past values.

    The sd counts what one more year differs by and what the mean is not known by: s * sqrt(1 + 1/n).
    """
    known = pd.DataFrame({"resource": resource, "sales": sales}).dropna()
    known = known[(known["resource"] > 0) & (known["sales"] > 0)]
    if len(known) < 2:
        raise DataError(f"{len(known)} past value(s) of a resource; at least 2 are needed for a ratio with a spread.")
    logs = np.log(known["resource"] / known["sales"])
    spread = float(logs.std(ddof=1)) * np.sqrt(1 + 1 / len(logs))
    return float(known["resource"].sum() / known["sales"].sum()), spread


def needs(targets: pd.DataFrame, ratios: pd.DataFrame) -> pd.DataFrame:
    """Return what each target needs: one row a region and resource with need, lo, hi (80 %), and gap to what is there.

    targets : region, amount; ratios : resource, region (empty: all), ratio, spread [, available].
    """
    rows = []
    for one in ratios.to_dict("records"):
        part = targets if not one.get("region") else targets[targets["region"] == one["region"]]
        for target in part.to_dict("records"):
            need = target["amount"] * one["ratio"]
            band = np.exp(1.2816 * one["spread"])
            there = one.get("available", np.nan)
            rows.append((target["region"], one["resource"], need, need / band, need * band, there, need - there))
    return pd.DataFrame(rows, columns=["region", "resource", "need", "lo", "hi", "available", "gap"])


def people_needed(
    deals: float,
    hit_rate: float,
    deals_a_person: float,
    *,
    ramp_months: float = 0.0,
    joining: float = 0.0,
    there: float = 0.0,
) -> dict:
    """Return the sales people a number of won deals needs: full-time years, and hires when newcomers are still ramping.

    hit_rate : won over pursued; deals_a_person : deals one experienced person pursues a year; joining : month of the
    year newcomers start (0: January). A newcomer gives (12 - joining - ramp_months / 2) / 12 of a year at best.
    """
    if not (0 < hit_rate <= 1 and deals_a_person > 0):
        raise DataError(
            f"hit rate {hit_rate:g} and deals a person {deals_a_person:g}: both must be above 0, the rate at most 1."
        )
    full = deals / hit_rate / deals_a_person
    useful = max((12 - joining - ramp_months / 2) / 12, 0.05)
    return {"full_time": full, "hires": max(full - there, 0.0) / useful, "newcomer_year": useful}


def budget_table(cells: pd.DataFrame, kinds: pd.Series, *, season: np.ndarray | None = None) -> pd.DataFrame:
    """Return the budget by region, category and quarter, exact to the cent: rows sum to the cells' yearly amounts.

    cells : region, line, proposed (a year); kinds : line -> type (channel, campaign, tool, headcount, pilot);
    season : four weights of the quarters (equal by default). Columns: region, category, q1..q4, year.
    """
    category = {
        "channel": "marketing",
        "campaign": "marketing",
        "tool": "tools",
        "headcount": "people",
        "pilot": "pilots",
    }
    named = cells.assign(category=cells["line"].map(kinds).map(category).fillna("marketing"))
    cents = (named["proposed"] * 100).round().astype("int64")
    yearly = cents.groupby([named["region"], named["category"]]).sum()
    weight = np.full(4, 0.25) if season is None else np.asarray(season, float) / np.sum(season)
    rows = []
    for (region, kind), amount in yearly.items():
        parts = spread_exactly(int(amount), weight)
        rows.append((region, kind, *(p / 100 for p in parts), int(amount) / 100))
    return pd.DataFrame(rows, columns=["region", "category", "q1", "q2", "q3", "q4", "year"])


def spread_exactly(cents: int, weight: np.ndarray) -> list[int]:
    """Return whole cents by weight that add up exactly, largest remainder first.

    >>> spread_exactly(10, np.array([0.25, 0.25, 0.25, 0.25]))
    [3, 3, 2, 2]
    """
    ideal = cents * weight
    parts = np.floor(ideal).astype(np.int64)
    order = np.lexsort((np.arange(len(weight)), -(ideal - parts)))
    parts[order[: cents - int(parts.sum())]] += 1
    return [int(p) for p in parts]


def differences(old: pd.DataFrame, new: pd.DataFrame, keys: list[str], amount: str) -> pd.DataFrame:
    """Return what changed between two versions of a table: keys, before, after, change, largest first; sums stay
    exact."""
    both = old[[*keys, amount]].merge(new[[*keys, amount]], on=keys, how="outer", suffixes=("_old", "_new"))
    before, after = ((both[f"{amount}_{side}"].fillna(0.0) * 100).round().astype("int64") for side in ("old", "new"))
    changed = both[keys].assign(before=before / 100, after=after / 100, change=(after - before) / 100)
    changed = changed[changed["change"] != 0]
    order = changed["change"].abs().sort_values(ascending=False, kind="stable").index
    return changed.loc[order].reset_index(drop=True)


def people_years(people: pd.DataFrame, years: list[int]) -> pd.DataFrame:
    """Return full-time years of work by region and year: region, year, fte; ramping months count half.

    people : canonical table with start_date, end_date, fte, ramp_months, region (missing columns: here all year, full
    time).
    """
    rows = []
    table = people[people["region"].notna()]
    fte = table["fte"].fillna(1.0) if "fte" in table.columns else pd.Series(1.0, index=table.index)
    ramp = table["ramp_months"].fillna(0.0) if "ramp_months" in table.columns else pd.Series(0.0, index=table.index)
    long_ago, never = pd.Timestamp("1900-01-01"), pd.Timestamp("2200-01-01")
    start = pd.to_datetime(table["start_date"]).fillna(long_ago) if "start_date" in table.columns else long_ago
    end = pd.to_datetime(table["end_date"]).fillna(never) if "end_date" in table.columns else never
    start, end = (pd.Series(v, index=table.index) for v in (start, end))
    for year in years:
        months = pd.date_range(f"{year}-01-01", periods=12, freq="MS")
        worked = pd.Series(0.0, index=table.index)
        for month in months:
            here = (start <= month) & (end >= month)
            ramping = month < start + pd.to_timedelta(ramp * 30.44, unit="D")
            worked += here * np.where(ramping, 0.5, 1.0) / 12
        total = (worked * fte).groupby(table["region"]).sum()
        rows += [(region, year, float(value)) for region, value in total.items()]
    return pd.DataFrame(rows, columns=["region", "year", "fte"])


def target_needs(
    targets: pd.DataFrame, sales: pd.DataFrame, people: pd.DataFrame | None, *, years: int = 3
) -> pd.DataFrame:
    """Return what the targets need by region: people (full-time years) and material and purchased goods (sales less
    margin).

    targets : region, amount (the year to come); sales : canonical. Ratios are those of the latest ``years`` full
    years, each region's own; regions whose ratio cannot be formed are absent. Columns as in `needs`.
    """
    dated = sales.assign(year=pd.to_datetime(sales["ds"]).dt.year)
    months = dated.groupby("year")["ds"].nunique()
    full = [int(y) for y in months[months >= months.max()].index][-years:]
    amounts = dated[dated["year"].isin(full)].groupby(["region", "year"])["amount"].sum()
    ratios = []
    if people is not None and "region" in people.columns and len(full) >= 2:
        worked = people_years(people, full).set_index(["region", "year"])["fte"]
        ratios += _own_ratios("people", worked, amounts)
    if "margin" in sales.columns and len(full) >= 2:
        known = dated[dated["year"].isin(full) & dated["margin"].notna()]
        cost = (known["amount"] - known["margin"]).groupby([known["region"], known["year"]]).sum()
        base = known.groupby(["region", "year"])["amount"].sum()
        ratios += _own_ratios("material", cost, base)
    if not ratios:
        return pd.DataFrame(columns=["region", "resource", "need", "lo", "hi", "available", "gap"])
    return needs(targets, pd.DataFrame(ratios))


def _own_ratios(resource: str, amount: pd.Series, sales: pd.Series) -> list[dict]:
    rows = []
    for region in sorted(set(amount.index.get_level_values(0)) & set(sales.index.get_level_values(0))):
        own = amount[region]
        try:
            ratio, spread = ratio_of(own, sales[region])
        except DataError:
            continue
        there = float(own.iloc[-1]) if resource == "people" else np.nan
        rows.append({"resource": resource, "region": region, "ratio": ratio, "spread": spread, "available": there})
    return rows
