"""The target of the year: a number with a chance, and the road to it from last year's actual.

```
joint forecast → adjustments (by the weight their past earned) → capacity → policy: commit, target, stretch
```
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from planning.errors import DataError
from planning.forecast.joint_forecast import JointForecast
from planning.targets import units
from planning.targets.adjustments import Adjusted, adjust
from planning.targets.capacity import Attainable, Cap, attainable, caps_of, caps_of_table
from planning.targets.confirmations import Standing, standing
from planning.targets.outlook import year_periods
from planning.targets.policy import Policy
from planning.targets.year import YearLaw

SEED = 20270101
DRAWS = 4000


@dataclass(frozen=True)
class Target:
    """A year's target. Amounts `commit, target, stretch` are in minor units; `expected` and the interval in currency.

    bridge: one row a step from last year to the target (`step, label, change, after, lo, hi, kind`).
    """

    year: int
    policy: Policy
    commit: int
    target: int
    stretch: int
    attainment_probability: float
    expected: float
    interval: tuple[float, float]
    last_year: pd.Series
    last_year_start: pd.Timestamp
    bridge: pd.DataFrame
    attainable: Attainable
    adjusted: Adjusted
    standing: Standing
    seed: int

    @property
    def law(self) -> YearLaw:
        """The year's law after adjustments, before capacity."""
        return self.attainable.law

    def amount(self, minor: int) -> float:
        """Returns minor units of the plan as an amount."""
        return units.from_minor(minor, self.policy.digits)

    @property
    def growth(self) -> float:
        """Target against last year's actual, -1 and above; NaN where there was none."""
        base = float(self.last_year.sum())
        return self.amount(self.target) / base - 1 if base > 0 else float("nan")


def set_target(
    joint: JointForecast,
    policy: Policy,
    *,
    year: int,
    last_year: pd.Series,
    last_year_start: pd.Timestamp | None = None,
    adjustments: pd.DataFrame | None = None,
    adjustment_log: pd.DataFrame | None = None,
    capacity: pd.DataFrame | None = None,
    confirmations: pd.DataFrame | None = None,
    caps: Sequence[Cap] = (),
    draws: int = DRAWS,
    seed: int = SEED,
) -> Target:
    """Returns the year's target with its attainment probability and the bridge from last year.

    joint: monthly, over `policy.by`, covering the fiscal year. last_year: the last full year's actual by unique_id.
    adjustments: planners' changes for the year; adjustment_log: past ones with `base` and `actual`, from which their
    weight is learned. capacity, confirmations: tables as in the data dictionary; caps: further capacities. Raises
    DataError where the target is beyond what any draw reaches, or where nothing is expected.
    """
    start, end = year_periods(year, policy.fiscal_year_start)
    base = YearLaw.of(joint, start, end)
    adjusted = adjust(joint, adjustments, adjustment_log, base.periods)
    law = YearLaw.of(adjusted.joint, start, end)
    answer = standing(confirmations, law.keys)
    own = [*caps_of(policy.of("capacity"), policy.digits), *_table_caps(capacity, law), *answer.caps]
    caps = [*answer.overridden(own), *(cap for cap in caps if cap not in own)]
    reach = attainable(adjusted.joint, law, caps, n=draws, seed=seed)
    last = last_year.reindex(law.cells["unique_id"]).fillna(0.0)
    chosen = {name: _amount(reach, getattr(policy, name), policy) for name in ("commit", "target", "stretch")}
    if policy.amount is not None:
        chosen["target"] = policy.amount
    chance = reach.total_probability(chosen["target"] / 10**policy.digits)
    _sensible(chosen["target"], chance, reach, policy, draws)
    target = Target(
        year=year,
        policy=policy,
        **chosen,
        attainment_probability=chance,
        expected=float(reach.mean().sum()),
        interval=(reach.total_quantile(0.1), reach.total_quantile(0.9)),
        last_year=last,
        last_year_start=last_year_start or start - pd.DateOffset(years=1),
        bridge=pd.DataFrame(),
        attainable=reach,
        adjusted=adjusted,
        standing=answer,
        seed=seed,
    )
    return dataclasses.replace(target, bridge=_bridge(target, base))


def _table_caps(capacity: pd.DataFrame | None, law: YearLaw) -> Sequence[Cap]:
    return [] if capacity is None or capacity.empty else caps_of_table(capacity, law)


def _amount(reach: Attainable, chance: float, policy: Policy) -> int:
    return round(max(reach.total_quantile(1 - chance), 0.0) * 10**policy.digits)


def _sensible(target: int, chance: float, reach: Attainable, policy: Policy, draws: int) -> None:
    if target <= 0:
        raise DataError(
            "the history leads to no expected sales next year, so no target can be set. Check its last months."
        )
    least = 1 / draws
    if chance < least and not policy.accept_improbable:
        highest = reach.total_quantile(1 - least)
        raise DataError(
            f"target.amount {target / 10**policy.digits:,.{policy.digits}f} lies beyond every one of {draws} draws "
            f"(chance below {least:.2%}; the highest is about {highest:,.0f}). "
            "Lower it, or write target.accept_improbable = true."
        )


def _bridge(target: Target, base: YearLaw) -> pd.DataFrame:
    """Returns the steps last year → base forecast → each adjustment → capacities → attainable → target."""
    last = float(target.last_year.sum())
    forecast = float(base.mean.sum())
    lo, hi = base.total_quantile(0.1), base.total_quantile(0.9)
    rows = [
        ("last_year", "", np.nan, last, np.nan, np.nan, "total"),
        ("trend", "", forecast - last, forecast, np.nan, np.nan, "change"),
        ("base", "", np.nan, forecast, lo, hi, "total"),
    ]
    after = forecast
    for row in target.adjusted.applied.itertuples():
        if row.status != "applied":
            continue
        after += row.change
        rows.append(("adjustment", row.label, row.change, after, np.nan, np.nan, "change"))
    for row in target.attainable.lost.itertuples():
        if row.lost < 0.0002 * abs(forecast):
            continue
        after -= row.lost
        rows.append(("capacity", f"{row.place}|{row.kind}", -row.lost, after, np.nan, np.nan, "change"))
    rest = target.expected - after
    if abs(rest) > 0.0005 * max(abs(after), 1.0):
        rows.append(("rest", "", rest, target.expected, np.nan, np.nan, "change"))
    rows.append(("attainable", "", np.nan, target.expected, *target.interval, "total"))
    rows.append(("target", "", np.nan, target.amount(target.target), np.nan, np.nan, "total"))
    return pd.DataFrame(rows, columns=["step", "label", "change", "after", "lo", "hi", "kind"])
