"""Weekly spend on channels and tools, and the sales it truly brings.

A channel's weekly effect in a region is `level * a / (a + half_saturation)` in EUR of sales, where `a` is the spend
with geometric carry-over, `a[t] = (1 - adstock) * spend[t] + adstock * a[t-1]`. Spend is set by the marketing calendar,
never by sales, so that the effect can be found again. Tools cost the same every week: their effect is constant.
"""

import numpy as np
import pandas as pd

from planning.sample.company import REGION_SHARE, REGIONS, SALES_LAST_YEAR, WEEKS, stream

CHANNELS = ("Online", "Fairs", "Distributor support", "Samples")
TOOLS = ("CRM tool", "Field technicians")
YEARLY_SPEND = {
    "Online": 620_000, "Fairs": 980_000, "Distributor support": 1_120_000, "Samples": 360_000,
    "CRM tool": 312_000, "Field technicians": 1_640_000,
}  # fmt: skip
SALES_SHARE = {
    "Online": 0.031, "Fairs": 0.013, "Distributor support": 0.028, "Samples": 0.011,
    "CRM tool": 0.004, "Field technicians": 0.022,
}  # share of sales, at the usual spend  # fmt: skip
HALF_SATURATION = {
    "Online": 1.4, "Fairs": 0.8, "Distributor support": 2.2, "Samples": 1.1, "CRM tool": 0.6, "Field technicians": 1.5,
}  # in units of the usual spend  # fmt: skip
ADSTOCK = {
    "Online": 0.30, "Fairs": 0.50, "Distributor support": 0.45, "Samples": 0.25, "CRM tool": 0.0,
    "Field technicians": 0.0,
}  # fmt: skip
PILOTS = (
    {"line": "Online", "region": "East", "from": "2025-03-03", "weeks": 12, "raise": 2.4, "noise": 0.22},
    {"line": "Field technicians", "region": "South", "from": "2025-09-01", "weeks": 16, "raise": 1.5, "noise": 0.30},
)


def responses(seed: int) -> pd.DataFrame:
    """Return the true response of every line and region, one row a pair, amounts in EUR a week."""
    rng = stream(seed, "responses")
    rows = []
    for line in CHANNELS + TOOLS:
        weekly = YEARLY_SPEND[line] / 52.0
        tilt = REGION_SHARE * np.exp(rng.normal(0.0, 0.30, len(REGIONS)))
        usual = weekly * tilt / tilt.sum()
        strength = np.exp(rng.normal(0.0, 0.30, len(REGIONS)))
        strength /= (strength * REGION_SHARE).sum()
        for r, region in enumerate(REGIONS):
            half = usual[r] * HALF_SATURATION[line] * np.exp(rng.normal(0.0, 0.15))
            effect = SALES_SHARE[line] * strength[r] * REGION_SHARE[r] * SALES_LAST_YEAR / 52.0
            rows.append((line, region, usual[r], effect * (usual[r] + half) / usual[r], half, 1.0, ADSTOCK[line]))
    columns = ["line", "region", "usual_spend", "level", "half_saturation", "slope", "adstock"]
    return pd.DataFrame(rows, columns=columns).round({"usual_spend": 2, "level": 2, "half_saturation": 2})


def hill(spend, level, half_saturation):
    """Return the weekly sales that a steady weekly spend brings (EUR)."""
    return level * spend / (spend + half_saturation)


def weekly_spend(seed: int, truth: pd.DataFrame) -> np.ndarray:
    """Return the spend in EUR, lines x regions x weeks; the pilots' raised weeks are in it."""
    rng = stream(seed, "spend")
    n_weeks = len(WEEKS)
    usual = truth["usual_spend"].to_numpy().reshape(-1, len(REGIONS))
    spend = np.empty((len(CHANNELS) + len(TOOLS), len(REGIONS), n_weeks))
    for i, line in enumerate(CHANNELS + TOOLS):
        for r in range(len(REGIONS)):
            spend[i, r] = np.round(usual[i, r] * _shape(rng, line, n_weeks), 2)
    for pilot in PILOTS:
        if pilot["line"] in CHANNELS:  # a tool's pilot is paid from the pilot fund and not booked in the region
            i, r = CHANNELS.index(pilot["line"]), REGIONS.index(pilot["region"])
            spend[i, r, pilot_weeks(pilot)] = np.round(pilot["raise"] * usual[i, r], 2)
    return spend


def _shape(rng: np.random.Generator, line: str, n_weeks: int) -> np.ndarray:
    """Return a line's weekly pattern around 1: flights and pulses for channels, constant for tools."""
    if line in TOOLS:
        return np.ones(n_weeks)
    base, pulse, chance, length = {
        "Online": (0.55, 1.6, 0.10, (3, 7)),
        "Fairs": (0.15, 6.0, 0.080, (1, 3)),
        "Distributor support": (0.35, 2.2, 0.11, (3, 6)),
        "Samples": (0.15, 3.0, 0.16, (1, 4)),
    }[line]
    shape = np.full(n_weeks, base)
    start = rng.integers(0, 8)
    while start < n_weeks:
        width = int(rng.integers(*length))
        shape[start : start + width] += pulse * rng.uniform(0.6, 1.4)
        start += width + int(rng.geometric(chance))
    shape *= np.exp(rng.normal(0.0, 0.18, n_weeks))
    return shape / shape.mean()


def pilot_weeks(pilot: dict) -> slice:
    """Return where a pilot's weeks lie in WEEKS."""
    first = WEEKS.get_loc(pd.Timestamp(pilot["from"]))
    return slice(first, first + pilot["weeks"])


def weekly_effect(spend: np.ndarray, truth: pd.DataFrame) -> np.ndarray:
    """Return the sales brought by each line, lines x regions x weeks in EUR, pilots included."""
    shape = spend.shape[:2]
    level, half, keep = (truth[c].to_numpy().reshape(shape) for c in ("level", "half_saturation", "adstock"))
    carried = np.empty_like(spend)
    state = spend.mean(axis=2)
    for t in range(spend.shape[2]):
        state = (1.0 - keep) * spend[:, :, t] + keep * state
        carried[:, :, t] = state
    effect = hill(carried, level[:, :, None], half[:, :, None])
    for pilot in PILOTS:
        if pilot["line"] in TOOLS:
            i, r = (CHANNELS + TOOLS).index(pilot["line"]), REGIONS.index(pilot["region"])
            raised = pilot["raise"] * spend[i, r, 0]
            effect[i, r, pilot_weeks(pilot)] = hill(raised, level[i, r], half[i, r])
    return effect


def spend_table(spend: np.ndarray) -> pd.DataFrame:
    """Return the table `spend` of the whole weeks 2021-01-04..2026-12-21, company currency."""
    lines = CHANNELS + TOOLS
    index = pd.MultiIndex.from_product([lines, REGIONS, WEEKS], names=["line", "region", "period"])
    table = pd.DataFrame({"amount": spend.ravel()}, index=index).reset_index()
    table = table[(table["period"] > WEEKS[0]) & (table["period"] < WEEKS[-1])]
    table["currency"] = "EUR"
    order = table["line"].map({line: i for i, line in enumerate(lines)})
    table = table.assign(order=order).sort_values(["period", "region", "order"], kind="stable")
    return table[["period", "region", "line", "amount", "currency"]].reset_index(drop=True)


def spend_lines(seed: int) -> pd.DataFrame:
    """Return the table `spend_lines`: floor, cap and least lot in EUR a week and region; `fixed` 1: a commitment."""
    rows = [
        ("Online", "Online advertising", "channel", "promotion", 0.2, 2.5, None, 0),
        ("Fairs", "Trade fairs", "channel", "promotion", None, 2.0, 0.2, 0),
        ("Distributor support", "Distributor support", "channel", "promotion", 0.3, 2.5, None, 0),
        ("Samples", "Samples and trials", "channel", "promotion", 0.1, 3.0, None, 0),
        ("CRM tool", "CRM licences", "tool", "support", None, None, None, 1),
        ("Field technicians", "Field technicians", "headcount", "support", 0.3, 2.0, None, 0),
    ]
    columns = ["line", "name", "type", "group", "floor", "cap", "min_lot", "fixed"]
    table = pd.DataFrame(rows, columns=columns)
    usual = table["line"].map(responses(seed).groupby("line")["usual_spend"].mean())
    for name in ("floor", "cap", "min_lot"):
        table[name] = (table[name].astype(float) * usual).round(-1)
    return table


def pilots(seed: int, truth: pd.DataFrame) -> pd.DataFrame:
    """Return the table `pilots`: measured change of weekly sales when the weekly spend went from x0 to x1 (EUR)."""
    rng = stream(seed, "pilots")
    rows = []
    for pilot in PILOTS:
        row = truth[(truth["line"] == pilot["line"]) & (truth["region"] == pilot["region"])].iloc[0]
        x0, x1 = row["usual_spend"], pilot["raise"] * row["usual_spend"]
        true = hill(x1, row["level"], row["half_saturation"]) - hill(x0, row["level"], row["half_saturation"])
        se = pilot["noise"] * true
        first = pd.Timestamp(pilot["from"])
        last = first + pd.Timedelta(days=7 * pilot["weeks"] - 1)
        delta = true + se * np.clip(rng.normal(), -1.5, 1.5)
        rows.append((pilot["line"], pilot["region"], first, last, x0, x1, delta, se))
    columns = ["line", "region", "from", "to", "x0", "x1", "delta", "se"]
    return pd.DataFrame(rows, columns=columns).round({"x0": 2, "x1": 2, "delta": 2, "se": 2})


def judged_response(seed: int, truth: pd.DataFrame) -> pd.DataFrame:
    """Return the table `judged_response`: a region's weekly sales in EUR, as its head judges them by spend."""
    rng = stream(seed, "judged_response")
    rows = []
    for row in truth[truth["line"].isin(TOOLS)].itertuples():
        r = REGIONS.index(row.region)
        sales = SALES_LAST_YEAR * REGION_SHARE[r] / 52.0
        now = hill(row.usual_spend, row.level, row.half_saturation)
        points = [hill(f * row.usual_spend, row.level, row.half_saturation) for f in (0.0, 0.5, 1.0, 2.0)] + [row.level]
        zeal = np.exp(rng.normal(0.15, 0.20))  # heads of region think a little too well of their tools
        judged = (round(sales + zeal * (point - now), -1) for point in points)
        rows.append((row.line, row.region, *judged, f"Head of {row.region}"))
    columns = ["line", "region", "at_zero", "at_half", "at_now", "at_double", "at_saturation", "author"]
    return pd.DataFrame(rows, columns=columns)
