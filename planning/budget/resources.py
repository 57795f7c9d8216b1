"""What the target needs: people, material and cash, from the company's own ratios with their spread.

need = target x ratio, ratio = resource per unit of sales in past years; the spread of the ratio over the years (with
one more for the year to come) gives the 80 % interval. For people the ratio is a chain, where deals are recorded:

    people a unit of sales = won deals a unit of sales / hit rate / deals a person

Its links are shown each by itself; the interval is that of the chain as a whole, since their errors are not independent
(a year with few deals a person is often one with a good hit rate).
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


def people_plan(
    targets: pd.DataFrame, sales: pd.DataFrame, people: pd.DataFrame, deals: pd.DataFrame | None, *, years: int = 3
) -> pd.DataFrame:
    """Return the sales people each region's target needs, one row a region whose ratios can be formed.

    targets : region, amount (the year to come); sales, people, deals : canonical. Columns: sales_a_deal (sales of the
    year over deals won in it), hit_rate (won / (won + lost)), deals_a_person (decided a full-time year), NaN where
    deals are not recorded; need with lo, hi (80 %) and available in full-time years, ramp_months of the region's
    people, hires: whole people who, starting with the year and ramping, close the gap.
    """
    full = full_years(sales)[-years:]
    columns = ["region", "sales_a_deal", "hit_rate", "deals_a_person", "need", "lo", "hi", "available", "ramp_months"]
    if "region" not in people.columns or len(full) < 2:
        return pd.DataFrame(columns=[*columns, "hires"])
    sold = _by_year(sales, "ds", full)["amount"].sum()
    worked = people_years(people, [*full, full[-1] + 1]).set_index(["region", "year"])["fte"]
    links = _links(deals, sold, worked.drop(full[-1] + 1, level="year"), full)
    ramp = people["ramp_months"].fillna(0.0) if "ramp_months" in people.columns else pd.Series(0.0, people.index)
    ramp = ramp.groupby(people["region"]).mean()
    rows = []
    for one in _own_ratios("people", worked.drop(full[-1] + 1, level="year"), sold):
        region = one["region"]
        for target in targets.loc[targets["region"] == region, "amount"]:
            need, band = float(target) * one["ratio"], float(np.exp(1.2816 * one["spread"]))
            there = float(worked.get((region, full[-1] + 1), 0.0))
            hires = hires_for(need - there, ramp_months=float(ramp.get(region, 0.0)))
            rows.append((region, *links.get(region, (np.nan,) * 3), need, need / band, need * band, there, ramp[region],
                         hires))  # fmt: skip
    return pd.DataFrame(rows, columns=[*columns, "hires"])


def hires_for(gap: float, *, ramp_months: float) -> int:
    """Return how many people, starting with the year, fill a gap of full-time years: a ramping month counts half.

    >>> hires_for(1.5, ramp_months=6), hires_for(-2.0, ramp_months=6)
    (2, 0)
    """
    useful = max((12 - min(ramp_months, 12.0) / 2) / 12, 0.05)
    return int(np.ceil(max(gap, 0.0) / useful - 1e-9))


def full_years(sales: pd.DataFrame) -> list[int]:
    """Return the calendar years of the sales table that have all its periods."""
    dates = pd.to_datetime(sales["ds"])
    periods = dates.groupby(dates.dt.year).nunique()
    return [int(year) for year in periods[periods >= periods.max()].index]


def _by_year(table: pd.DataFrame, day: str, years: list[int]):
    dated = table.assign(year=pd.to_datetime(table[day]).dt.year)
    return dated[dated["year"].isin(years)].groupby(["region", "year"])


def _links(deals: pd.DataFrame | None, sold: pd.Series, worked: pd.Series, years: list[int]) -> dict[str, tuple]:
    """Return (sales a won deal, hit rate, decided deals a person) by region, over the years with decided deals."""
    if deals is None or not {"region", "outcome", "closed_date"} <= set(deals.columns):
        return {}
    decided = deals[deals["outcome"].isin(["won", "lost"])]
    groups = _by_year(decided.assign(won=decided["outcome"].eq("won")), "closed_date", years)["won"]
    both = pd.DataFrame({"won": groups.sum(), "decided": groups.size(), "sold": sold, "fte": worked}).dropna()
    sums = both.groupby(level="region").sum()
    sums = sums[(sums["won"] > 0) & (sums["fte"] > 0)]
    return {
        str(region): (row["sold"] / row["won"], row["won"] / row["decided"], row["decided"] / row["fte"])
        for region, row in sums.iterrows()
    }


def material_needs(targets: pd.DataFrame, sales: pd.DataFrame, *, years: int = 3) -> pd.DataFrame:
    """Return the material and purchased goods (sales less margin) each region's target needs: region, need, lo, hi."""
    full = full_years(sales)[-years:]
    empty = pd.DataFrame(columns=["region", "need", "lo", "hi"])
    if "margin" not in sales.columns or len(full) < 2:
        return empty
    known = sales[sales["margin"].notna()]
    groups = _by_year(known.assign(cost=known["amount"] - known["margin"]), "ds", full)
    ratios = _own_ratios("material", groups["cost"].sum(), groups["amount"].sum())
    return needs(targets, pd.DataFrame(ratios))[list(empty.columns)] if ratios else empty


def cash_needs(material: pd.DataFrame, budget: pd.DataFrame, season: np.ndarray, *, payment_days: int) -> pd.DataFrame:
    """Return the cash tied up until customers pay, one row a quarter: quarter, outlay, need, lo, hi.

    material : region, need, lo, hi (a year); budget : the year's rows with q1..q4; season : four shares of the year's
    sales. need = (material + budget of the quarter) x payment_days / days of a quarter; lo, hi carry the material's.
    """
    spent = budget[["q1", "q2", "q3", "q4"]].sum().to_numpy(float)
    share = payment_days / (365.25 / 4)
    sums = {name: float(material[name].sum()) * season for name in ("need", "lo", "hi")}
    table = pd.DataFrame({"quarter": ["q1", "q2", "q3", "q4"], "outlay": sums["need"] + spent})
    return table.assign(**{name: (value + spent) * share for name, value in sums.items()})


def _own_ratios(resource: str, amount: pd.Series, sales: pd.Series) -> list[dict]:
    rows = []
    for region in sorted(set(amount.index.get_level_values(0)) & set(sales.index.get_level_values(0))):
        try:
            ratio, spread = ratio_of(amount[region], sales[region])
        except DataError:
            continue
        rows.append({"resource": resource, "region": region, "ratio": ratio, "spread": spread})
    return rows
