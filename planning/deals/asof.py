"""The tables of a workspace as they stood on the last day of data: nothing later gets in, ids have one form."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from planning.deals.funnel import in_order


def named(table: pd.DataFrame) -> pd.DataFrame:
    """Ids of deals as text, `9001.0` as `9001`: the export of one table may write them as numbers, of another not.

    Rows stand by deal, those of a stage history in time, so that nothing depends on the order they were exported in.
    """
    ids = table["deal_id"].astype("str").str.replace(r"^(\d+)\.0+$", r"\1", regex=True)
    table = table.assign(deal_id=ids.where(table["deal_id"].notna()))
    return in_order(table) if "entered_at" in table else table.sort_values("deal_id", kind="stable")


def dated(deals: pd.DataFrame) -> pd.DataFrame:
    """Deals with a closed_date, empty where the export has none: what needs it is then left out."""
    if "closed_date" in deals:
        return deals
    return deals.assign(closed_date=pd.Series(pd.NaT, deals.index, "datetime64[us]"))


def as_came_in(deals: pd.DataFrame, history: pd.DataFrame | None) -> pd.DataFrame:
    """Deals with the owner and the amount they had when they came in, where the history tells: both change later."""
    if history is None or history.empty:
        return deals
    first = in_order(history).groupby("deal_id").first()
    names = [name for name in ("owner_id", "amount") if name in first and name in deals]
    then = {name: deals["deal_id"].map(first[name]) for name in names}
    return deals.assign(**{name: value.where(value.notna(), deals[name]) for name, value in then.items()})


def last_day(deals: pd.DataFrame, stated: object = None) -> pd.Timestamp:
    """The last day of data: as stated, at most the last day on which a deal was created or closed.

    A closing day long after the newest deal (half as far again as nine in ten deals take, and a month) is a wish or a
    typing error, and no last day.
    """
    created = deals["created_date"].max()
    cycle = (deals["closed_date"] - deals["created_date"]).dt.days
    room = 1.5 * float(cycle.quantile(0.9)) + 30 if cycle.notna().any() else 0.0
    credible = deals["closed_date"].where(deals["closed_date"] <= created + pd.Timedelta(days=room)).max()
    seen = max(created, credible) if pd.notna(credible) else created
    return min(pd.Timestamp(stated), seen) if stated else seen


@dataclass(frozen=True)
class Standing:
    """The `deals` that were there on a day, those closed later open again, and what that took.

    unborn: how many were created later. then_open: ids of deals that were closed after the day and before the export.
    future: `deal_id, outcome, closed_date` of decided deals whose closing day lies after the export itself: a slip.
    """

    deals: pd.DataFrame
    unborn: int
    then_open: frozenset[str]
    future: pd.DataFrame


def until(deals: pd.DataFrame, as_of: pd.Timestamp) -> Standing:
    """How did these deals stand on `as_of`?

    What was closed later was open then. Where deals were created after `as_of` the export is younger than that day, and
    closings in between are no slip.
    """
    born = ~(deals["created_date"] > as_of)
    export = as_of if born.all() else max(as_of, last_day(deals))
    known = deals[born]
    closed = known["closed_date"]
    later = (closed > as_of) & (known["outcome"] != "open")
    future = known.loc[later & (closed > export), ["deal_id", "outcome", "closed_date"]]
    then_open = frozenset(known.loc[later & (closed <= export), "deal_id"])
    outcome = known["outcome"].mask(later, "open")
    return Standing(
        known.assign(outcome=outcome, closed_date=closed.mask(closed > as_of)), int((~born).sum()), then_open, future
    )
