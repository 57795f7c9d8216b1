"""Puts the sample company together from its parts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from planning.errors import UsageError
from planning.sample import accounts as accounts_module
from planning.sample import deals as deals_module
from planning.sample import history, media, people, plans, sales
from planning.sample.company import COUNTRY, CURRENCY, DISCONTINUED, LAUNCH, LINES, RATES, REGIONS

MAX_SCALE = 250.0


class Company(dict):
    """The tables by name; `.truth` holds what they were drawn from: frames and plain values by name."""

    truth: dict[str, pd.DataFrame | dict]


def generate(seed: int = 0, scale: float = 1.0) -> Company:
    """Return the sample company's tables and, as `.truth`, what they were drawn from.

    `scale` multiplies deals and accounts and nothing else. Rates are 0-1, dates are timestamps, amounts are in each
    row's `currency`. Raises UsageError for a negative seed or a scale outside 0.05..250.

    >>> company = generate(seed=0, scale=0.1)
    >>> len(company["people"]), company.truth["family_weights"]["share"].sum().round(6).item()
    (60, 1.0)
    """
    if int(seed) != seed or seed < 0:
        raise UsageError(f"seed {seed}: a whole number from 0 on is meant.")
    if not 0.05 <= scale <= MAX_SCALE:
        raise UsageError(f"scale {scale:g}: a number from 0.05 to {MAX_SCALE:g} is meant (1 = about 4,000 deals).")
    company = Company()
    company.truth = {}
    parts = _add_sales(company, seed)
    _add_people_and_deals(company, seed, scale)
    _add_plans(company, seed, parts["total"])
    company["locks"] = plans.locks(parts["total"])
    company["driver_plan"] = plans.driver_plan(seed, parts["price"])
    return company


def _add_sales(company: Company, seed: int) -> dict:
    """Add sales, spend and what belongs to them; return the panel's parts."""
    events = plans.events(seed)
    response = media.responses(seed)
    spend = media.weekly_spend(seed, response)
    effect = media.weekly_effect(spend, response)
    parts = sales.panel(seed, events, effect)
    company["sales"], gaps, returns = sales.sales_table(seed, parts)
    company["history"] = sales.history(company["sales"])
    company["spend"] = media.spend_table(spend)
    company["outcome"] = sales.weekly_outcome(seed, parts, effect)
    company["spend_lines"] = media.spend_lines(seed)
    company["pilots"] = media.pilots(seed, response)
    company["judged_response"] = media.judged_response(seed, response)
    company["adjustments"] = plans.adjustments(events)
    names = ["adjustment_id", "role", "region", "line", "start", "end", "stated", "true_effect"]
    share = effect[:, :, -53:-1].sum(axis=2) / parts["total"][..., -12:].sum(axis=(1, 2, 3))
    company.truth |= {
        "response_curves": response.assign(sales_share_2026=share.ravel().round(6)),
        "seasonal_factors": _season_frame(),
        "adjustments": events[names],
        "gaps": gaps,
        "returns": returns,
        "effects": _effects(),
    }
    return parts


def _season_frame() -> pd.DataFrame:
    factor = sales.season_factors()
    index = pd.MultiIndex.from_product([LINES, range(1, 13)], names=["line", "month"])
    return pd.DataFrame({"factor": np.round(factor.ravel(), 6)}, index=index).reset_index()


def _effects() -> dict:
    """Return the constants of the sales panel as plain values."""
    return {
        "price_exponent_of_amount": sales.PRICE_EXPONENT,
        "working_day_exponent": sales.WORKING_DAY_EXPONENT,
        "promotion_lift_of_a_full_month": sales.PROMOTION_LIFT,
        "promotion_payback_next_month": sales.PROMOTION_PAYBACK,
        "season_exponent_by_region": dict(zip(REGIONS, sales.SEASON_DAMPING.tolist(), strict=True)),
        "level_shifts": [
            dict(zip(("region", "line", "customer_type", "from", "factor", "cause"), row, strict=True))
            for row in sales.LEVEL_SHIFTS
        ],
        "outliers": [dict(zip(("region", "month", "factor", "cause"), row, strict=True)) for row in sales.OUTLIERS],
        "launch": {key: _text(value) for key, value in LAUNCH.items()},
        "discontinued": {key: _text(value) for key, value in DISCONTINUED.items()},
        "optimism_of_adjustments": plans.OPTIMISM,
        "exaggeration_of_adjustments": plans.EXAGGERATION,
        "country": COUNTRY,
        "currency": CURRENCY,
        "euros_per_unit": RATES,
    }


def _text(value) -> str:
    return value.date().isoformat() if isinstance(value, pd.Timestamp) else value


def _add_people_and_deals(company: Company, seed: int, scale: float) -> None:
    """Add accounts, products, people, assignments, deals and their histories."""
    company["accounts"], account_truth = accounts_module.accounts(seed, scale)
    company["products"] = accounts_module.products(seed)
    company["people"], people_truth = people.people(seed)
    company["assignments"] = people.assignments(seed, company["people"])
    table, truth = deals_module.deals(seed, scale, company["accounts"], account_truth, company["people"], people_truth)
    company["deals"], company["stage_history"], truth = history.follow(seed, table, truth)
    company.truth |= {
        "family_weights": deals_module.family_weights(company["deals"], truth).round(6),
        "deals": truth,
        "people": people_truth,
        "accounts": account_truth,
        "families": {"fields": history.families(), "known_at": history.known_at()},
    }


def _add_plans(company: Company, seed: int, total: np.ndarray) -> None:
    """Add last year's targets and what limits and steers the plan."""
    company["targets"], company["people"] = plans.targets(seed, total, company["people"], company["assignments"])
    company["market"] = plans.market(seed, total)
    company["capacity"] = plans.capacity(total)
    company["confirmations"] = plans.confirmations(company["capacity"])
    company["priorities"] = plans.priorities()
