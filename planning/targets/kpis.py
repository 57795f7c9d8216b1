"""Individual KPIs of a quota in SMART form, derived from the team's targets: what, how much, measured how, by when."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planning.targets.people import PeoplePlan
from planning.targets.rounding import round_row

KPIS = ("amount", "margin", "new_customers", "collection_rate")


def smart_kpis(
    plan: PeoplePlan,
    *,
    year_end: pd.Timestamp,
    margin_rate: float,
    new_customers: pd.Series | None = None,
    collection_rate: float | None = None,
) -> pd.DataFrame:
    """Returns one row a person and KPI: `person_id, kpi, value, due, team_value`.

    amount is the quota; margin the quota at the company's margin rate; new_customers the team's number (last year's
    count by team) split by quota in whole customers, their sum kept; collection_rate is the same
    for all, only where given.
    """
    rows = []
    for team, group in plan.quotas.groupby(plan.quotas["team"].astype(str), sort=True):
        share = (group["quota"] / group["quota"].sum()).to_numpy()
        wanted = 0 if new_customers is None else int(new_customers.get(team, 0))
        count = round_row(share * wanted, wanted) if wanted else np.zeros(len(group), dtype=int)
        for position, person in enumerate(group.itertuples()):
            values = {
                "amount": (person.quota, group["quota"].sum()),
                "margin": (person.quota * margin_rate, group["quota"].sum() * margin_rate),
            }
            if new_customers is not None:
                values["new_customers"] = (int(count[position]), wanted)
            if collection_rate is not None:
                values["collection_rate"] = (collection_rate, collection_rate)
            rows += [
                {
                    "person_id": person.person_id,
                    "kpi": kpi,
                    "value": float(value),
                    "due": year_end,
                    "team_value": float(whole),
                }
                for kpi, (value, whole) in values.items()
            ]
    return pd.DataFrame(rows)


def team_bonus(
    plan: PeoplePlan, *, weight_team: float = 0.3, cap: float = 1.5, n: int = 4000, seed: int = 1
) -> pd.DataFrame:
    """Returns what linking part of the bonus to the team does: `person_id, mean, p10, p90, alone_p10, alone_p90`.

    Payout is attainment up to `cap`, as a share of the target bonus: (1 - weight_team) on the own quota, weight_team on
    the team's sum of quotas. `alone_*` are the same without the team's part. Draws are joint, so a bad year hits all.
    """
    frame = plan.quotas
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, len(plan.loads)))
    own = rng.standard_normal((n, len(frame))) * frame["own_spread"].to_numpy()
    mixing = np.sqrt(plan.df / rng.chisquare(plan.df, size=n))[:, None] if np.isfinite(plan.df) else 1.0
    sales = np.maximum(frame["expected"].to_numpy() + (z @ plan.loads + own) * mixing, 0.0)
    quota = np.maximum(frame["quota"].to_numpy(), 1e-9)
    attained = np.minimum(sales / quota, cap)
    team = np.empty_like(attained)
    for rows in frame.groupby(frame["team"].astype(str)).indices.values():
        team[:, rows] = np.minimum(sales[:, rows].sum(axis=1) / quota[rows].sum(), cap)[:, None]
    linked = (1 - weight_team) * attained + weight_team * team
    lo, hi = np.quantile(linked, [0.1, 0.9], axis=0)
    alone_lo, alone_hi = np.quantile(attained, [0.1, 0.9], axis=0)
    return pd.DataFrame(
        {
            "person_id": frame["person_id"],
            "mean": linked.mean(axis=0),
            "p10": lo,
            "p90": hi,
            "alone_p10": alone_lo,
            "alone_p90": alone_hi,
        }
    )
