"""Monthly sales of 90 cells, 2021-01..2026-12, and the weekly sales by region they add up to.

A cell's month is `level * trend * season * working days * price * promotion * events * shocks + its part of the media
effect`; every factor is kept as truth. Arrays are region x line x customer type x month, in EUR until the end.
"""

import numpy as np
import pandas as pd

from planning.sample.company import (
    AS_OF,
    CURRENCY,
    CUSTOMER_TYPES,
    DISCONTINUED,
    LAUNCH,
    LINE_GROWTH,
    LINE_SHARE,
    LINES,
    MARGIN_RATE,
    MONTHS,
    RATES,
    REGION_GROWTH,
    REGION_SHARE,
    REGIONS,
    SALES_LAST_YEAR,
    TYPE_SHARE,
    UNIT_PRICE,
    WEEKS,
    cell_id,
    cells,
    euros_per_unit,
    stream,
    working_day_table,
    working_days,
)  # fmt: skip

PRICE_EXPONENT = -0.45  # amount against price: an elasticity of units of -1.45
WORKING_DAY_EXPONENT = 0.7
PROMOTION_LIFT = 0.14
PROMOTION_PAYBACK = -0.04  # in the month after
PRICE_RISES = np.array(
    [[0.015, 0.060, 0.045, 0.022, 0.018, 0.020], [0.012, 0.055, 0.040, 0.020, 0.015, 0.015], [0.0] * 4 + [0.0, -0.02],
     [0.018, 0.070, 0.050, 0.025, 0.020, 0.025], [0.020, 0.040, 0.045, 0.035, 0.030, 0.030]]
)  # line x year, each April  # fmt: skip
SEASON = np.array(
    [[0.90, 0.94, 1.08, 1.06, 1.04, 1.05, 0.98, 0.86, 1.05, 1.08, 1.06, 0.93],
     [0.95, 0.97, 1.06, 1.03, 1.00, 1.04, 0.99, 0.90, 1.03, 1.05, 1.04, 0.95],
     [0.93, 0.95, 1.02, 1.00, 1.00, 1.04, 0.96, 0.90, 1.05, 1.06, 1.10, 1.01],
     [0.88, 0.92, 1.10, 1.02, 1.00, 1.10, 0.96, 0.84, 1.06, 1.04, 1.06, 1.07],
     [0.92, 0.90, 0.96, 1.00, 1.04, 1.08, 1.16, 1.12, 1.00, 0.96, 0.94, 0.94]]
)  # line x calendar month  # fmt: skip
SEASON_DAMPING = np.array([1.0, 1.0, 0.9, 1.0, 1.1, 0.6])  # by region: exponent of the line's season
LEVEL_SHIFTS = (
    ("South", "Valves", "OEM", "2024-05-01", 0.62, "account lost"),
    ("South", "Pumps", "OEM", "2024-05-01", 0.80, "account lost"),
)
OUTLIERS = (
    ("Export", "2024-03-01", 0.80, "port closure"),
    ("Export", "2024-04-01", 0.86, "port closure"),
    ("Export", "2024-05-01", 1.07, "port closure, caught up"),
)
WEEKLY_NOISE = 0.025
N_GAPS, N_RETURNS = 9, 5


def season_factors() -> np.ndarray:
    """Return the factors by line and calendar month, geometric mean 1."""
    return SEASON / np.exp(np.log(SEASON).mean(axis=1, keepdims=True))


def price_index(seed: int) -> np.ndarray:
    """Return realised price against January 2021, region x line x month."""
    rng = stream(seed, "price_index")
    steps = np.zeros((len(LINES), len(MONTHS)))
    steps[:, 3::12] = np.log1p(PRICE_RISES)
    path = np.cumsum(steps, axis=1)[None] + rng.normal(0.0, 0.004, (len(REGIONS), len(LINES), len(MONTHS)))
    return np.round(np.exp(path), 4)


def promotion(seed: int) -> np.ndarray:
    """Return the share of the month on promotion, region x line x month: about two a year, none for Service."""
    rng = stream(seed, "promotion")
    share = np.zeros((len(REGIONS), len(LINES), len(MONTHS)))
    for r in range(len(REGIONS)):
        for k in range(len(LINES) - 1):
            for year in range(len(MONTHS) // 12):
                months = rng.choice(12, size=2, replace=False)
                share[r, k, 12 * year + months] = rng.choice([0.5, 0.75, 1.0], size=2)
    return share


def base_panel(seed: int, events: pd.DataFrame, price: np.ndarray, promo: np.ndarray) -> np.ndarray:
    """Return sales without media in EUR (not yet scaled), region x line x customer type x month."""
    rng = stream(seed, "sales")
    shape = (len(REGIONS), len(LINES), len(CUSTOMER_TYPES), len(MONTHS))
    level = REGION_SHARE[:, None, None] * LINE_SHARE[None, :, None] * TYPE_SHARE[None]
    level = level * np.exp(rng.normal(0.0, 0.28, shape[:3]))
    years = (np.arange(len(MONTHS)) - 65.5) / 12.0  # the level is that of mid 2026
    growth = np.log1p(REGION_GROWTH)[:, None] + np.log1p(LINE_GROWTH)[None]
    log = np.log(level)[..., None] + growth[:, :, None, None] * years
    month = np.asarray(MONTHS.month) - 1
    log = log + (SEASON_DAMPING[:, None, None] * np.log(season_factors())[None][:, :, month])[:, :, None]
    days = working_days()
    log = log + WORKING_DAY_EXPONENT * np.log(days / days.mean(axis=1, keepdims=True))[:, None, None]
    log = log + PRICE_EXPONENT * np.log(price / price[:, :, -12:].mean(axis=2, keepdims=True))[:, :, None]
    before = np.concatenate([np.zeros_like(promo[..., :1]), promo[..., :-1]], axis=2)
    log = log + np.log1p(PROMOTION_LIFT * promo + PROMOTION_PAYBACK * before)[:, :, None]
    log = log + _shocks(rng, level) + np.log1p(event_effects(events))[:, :, None]
    return np.exp(log) * _life(shape)


def _shocks(rng: np.random.Generator, level: np.ndarray) -> np.ndarray:
    """Return log shocks: walks of company, regions, lines and cells, and noise larger in small cells."""
    n = len(MONTHS)

    def walk(sd, *shape):
        steps = rng.normal(0.0, sd, (*shape, n))
        path = np.cumsum(steps, axis=-1)
        return path - path[..., -12:].mean(axis=-1, keepdims=True)

    sd = np.clip(0.035 + 0.035 * np.sqrt(level.mean() / level), 0.04, 0.14)
    noise = rng.normal(0.0, 1.0, (*level.shape, n)) * sd[..., None]
    common = walk(0.006) + walk(0.006, len(REGIONS), 1, 1)[..., :] + walk(0.005, len(LINES), 1)[None]
    return common + walk(0.008, *level.shape) + noise


def _life(shape: tuple[int, ...]) -> np.ndarray:
    """Return factors for launch, end, lost accounts and outliers; 0 where nothing is sold."""
    factor = np.ones(shape)
    k = LINES.index(LAUNCH["line"])
    for r, region in enumerate(REGIONS):
        start = LAUNCH["export_from"] if region == "Export" else LAUNCH["from"]
        age = np.asarray((MONTHS.year - start.year) * 12 + MONTHS.month - start.month)
        ramp = 1.0 / (1.0 + np.exp(-(age - 6.0) / 2.5))
        factor[r, k] *= np.where(age < 0, 0.0, ramp)
    end = DISCONTINUED
    cell = (REGIONS.index(end["region"]), LINES.index(end["line"]), CUSTOMER_TYPES.index(end["customer_type"]))
    left = np.asarray((end["last"].year - MONTHS.year) * 12 + end["last"].month - MONTHS.month)
    factor[cell] *= np.clip((left + 1) / 4.0, 0.0, 1.0)
    for region, line, kind, start, size, _ in LEVEL_SHIFTS:
        cell = (REGIONS.index(region), LINES.index(line), CUSTOMER_TYPES.index(kind))
        factor[cell][start <= MONTHS] *= size
    for region, month, size, _ in OUTLIERS:
        factor[REGIONS.index(region), ..., MONTHS.get_loc(month)] *= size
    return factor


def event_effects(events: pd.DataFrame) -> np.ndarray:
    """Return the true relative effect of the events planners foresaw, region x line x month."""
    effect = np.zeros((len(REGIONS), len(LINES), len(MONTHS)))
    for event in events.itertuples():
        inside = (event.start <= MONTHS) & (event.end >= MONTHS)
        effect[REGIONS.index(event.region), LINES.index(event.line), inside] += event.true_effect
    return effect


def monthly_media(effect: np.ndarray) -> np.ndarray:
    """Return the media effect by region and month from the weekly one (lines x regions x weeks), day by day."""
    days = pd.date_range(WEEKS[0], periods=7 * len(WEEKS), freq="D")
    daily = pd.DataFrame(np.repeat(effect.sum(axis=0).T / 7.0, 7, axis=0), index=days)
    daily = daily.loc[MONTHS[0] : AS_OF]
    return daily.groupby(daily.index.to_period("M")).sum().to_numpy().T


def panel(seed: int, events: pd.DataFrame, effect: np.ndarray) -> dict:
    """Return the complete panel in EUR with its parts: `base`, `media` (region x month), `total`, prices, promotion."""
    price, promo = price_index(seed), promotion(seed)
    base = base_panel(seed, events, price, promo)
    media = monthly_media(effect)
    base *= (SALES_LAST_YEAR - media[:, -12:].sum()) / base[..., -12:].sum()
    share = base / base.sum(axis=(1, 2), keepdims=True)
    return {"base": base, "media": media, "total": base + share * media[:, None, None], "price": price, "promo": promo}


def history(sales: pd.DataFrame) -> pd.DataFrame:
    """Return the monthly sales in EUR, returns taken off, as `planning forecast` reads them."""
    keys = ["region", "line", "customer_type"]
    euros = sales.assign(y=sales["amount"] * sales["currency"].map(RATES))
    table = euros.groupby([*keys, "ds"], as_index=False, sort=True)["y"].sum()
    table["y"] = table["y"].round(2)
    table.insert(0, "unique_id", table[keys].agg("/".join, axis=1))
    return table[["unique_id", "ds", "y", *keys]]


def weekly_outcome(seed: int, parts: dict, effect: np.ndarray) -> pd.DataFrame:
    """Return weekly sales by region in EUR with controls; summed over days they are the months of `parts`."""
    rng = stream(seed, "outcome")
    open_days = working_day_table().loc[MONTHS[0] : AS_OF]
    month = np.asarray((open_days.index.year - 2021) * 12 + open_days.index.month - 1)
    week = np.asarray((open_days.index - WEEKS[0]).days // 7)
    rows = []
    for r, region in enumerate(REGIONS):
        weight = open_days[region].to_numpy() * np.exp(rng.normal(0.0, WEEKLY_NOISE, len(WEEKS)))[week]
        weight = weight / np.bincount(month, weight, len(MONTHS))[month]
        base = parts["base"][r].sum(axis=(0, 1))
        daily = base[month] * weight + effect[:, r].sum(axis=0)[week] / 7.0
        price, promo = (
            (parts[name][r] * parts["base"][r].sum(axis=1)).sum(axis=0) / base for name in ("price", "promo")
        )
        frame = pd.DataFrame({"outcome": daily, "working_days": open_days[region].to_numpy().astype(int)})
        weekly = frame.groupby(week).sum()
        for name, values in (("price_index", price), ("promotion", promo)):
            weekly[name] = pd.Series(values[month]).groupby(week).mean()
        weekly.insert(0, "region", region)
        weekly.insert(0, "period", WEEKS[weekly.index])
        rows.append(weekly)
    table = pd.concat(rows, ignore_index=True)
    table = table[(table["period"] > WEEKS[0]) & (table["period"] < WEEKS[-1])]
    table = table.sort_values(["period", "region"], kind="stable").reset_index(drop=True)
    return table.round({"outcome": 2, "price_index": 4, "promotion": 4})


def sales_table(seed: int, parts: dict) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the table `sales`, the rows left out as gaps and the returns, amounts in each region's currency."""
    rng = stream(seed, "sales_table")
    total = parts["total"].copy()
    returns = _book_returns(rng, total)
    days, rates = working_days(), euros_per_unit()
    frames = []
    for r, k, c in cells():
        local = np.round(total[r, k, c] / rates[r], 2)
        rate = MARGIN_RATE[k] - 0.06 * parts["promo"][r, k] + rng.normal(0.0, 0.012, len(MONTHS))
        price = UNIT_PRICE[k] * parts["price"][r, k] / rates[r]
        frame = pd.DataFrame({
            "ds": MONTHS, "region": REGIONS[r], "line": LINES[k], "customer_type": CUSTOMER_TYPES[c], "amount": local,
            "currency": CURRENCY[REGIONS[r]], "units": np.round(local / price).astype(int),
            "margin": np.round(local * rate, 2), "price_index": parts["price"][r, k],
            "promotion": parts["promo"][r, k], "working_days": days[r],
        })  # fmt: skip
        frames.append(frame[total[r, k, c] != 0.0])
    table = pd.concat(frames, ignore_index=True)
    gap = _gaps(rng, table)
    gaps = table.loc[gap, ["ds", "region", "line", "customer_type", "amount", "currency"]].reset_index(drop=True)
    table = table.drop(index=gap).sort_values(["ds", "region", "line", "customer_type"], kind="stable")
    return table.reset_index(drop=True), gaps, returns


def _book_returns(rng: np.random.Generator, total: np.ndarray) -> pd.DataFrame:
    """Make single months of small cells negative, in place: goods sent back for more than was sold."""
    sold = (total > 0).all(axis=-1)
    small = [cell for cell in cells() if sold[cell]]
    small = sorted(small, key=lambda cell: total[cell].sum())[:12]
    rows = []
    for i in rng.choice(len(small), size=N_RETURNS, replace=False):
        t = int(rng.integers(6, len(MONTHS) - 14))
        back = total[small[i]][t] * rng.uniform(1.2, 1.9)
        total[small[i]][t] -= back
        rows.append((cell_id(*small[i]), MONTHS[t], round(back, 2)))
    return pd.DataFrame(rows, columns=["cell", "ds", "returned_eur"])


def _gaps(rng: np.random.Generator, table: pd.DataFrame) -> np.ndarray:
    """Return index labels of months that the export lost: single inner months, one cell has two in a row."""
    inner = table[(table["ds"] > "2021-06-01") & (table["ds"] < "2025-01-01") & (table["amount"] > 0)]
    picked = rng.choice(inner.index.to_numpy(), size=N_GAPS, replace=False)
    after = picked[0] + 1
    return np.unique(np.append(picked, after if after in inner.index else picked[0]))
