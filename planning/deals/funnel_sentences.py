"""What funnel, cohorts and cycle say in words: numbers in, text out, in the current language."""

from __future__ import annotations

import pandas as pd

from planning.deals.vocabulary import cohort_name
from planning.language import _, interval, ngettext, number, percent


def funnel_finding(table: pd.DataFrame) -> tuple[str, str]:
    """Returns from which stage the smallest part of the deals goes on."""
    known = table[table["conversion"].notna()]
    claim = _("No deal has left its stage yet")
    if len(known) and (known["conversion"] == 1).all():
        claim = _("No deal has ended in a stage yet")
    elif len(known):
        worst = known.loc[known["conversion"].idxmin()]
        claim = _("The smallest part goes on from {stage}: {rate}").format(
            stage=worst["stage"], rate=percent(worst["conversion"])
        )
    why = _("Of the deals that entered a stage and whose time there is over, the share that went on. Deals "
            "still waiting are "
            "counted, but are in no rate.")  # fmt: skip
    return claim, why


def funnel_alt(table: pd.DataFrame) -> str:
    """Returns the funnel in words."""
    known = table[table["conversion"].notna()]
    return _("; ").join(
        _("{name} {value} ({range})").format(
            name=r.stage, value=percent(r.conversion), range=interval(r.lo90, r.hi90, percent)
        )
        for r in known.itertuples()
    )


def cohorts_finding(changes: pd.DataFrame) -> tuple[str, str]:
    """Returns whether the newest cohort gets on as the older ones did."""
    moved = changes[changes["verdict"] != "cannot tell"]
    if moved.empty:
        claim = _("Deals of {cohort} get on as often as older ones, as far as can be told").format(
            cohort=cohort_name(changes["cohort"].iloc[-1])
        )
    else:
        top = moved.loc[moved["points"].abs().idxmax()]
        claim = _("{stage}: {new} of the deals of {cohort} go on, of older ones {old}").format(
            stage=top["stage"], new=percent(top["newest"]), cohort=cohort_name(top["cohort"]), old=percent(top["older"])
        )
    why = _(
        "By half-year or quarter in which a deal began. Every cohort is given the same time in a stage, so young ones "
        "don't look worse; deals that have not had it yet are in no rate."
    )
    return claim, why


def days_finding(table: pd.DataFrame) -> tuple[str, str]:
    """Returns where the days of a deal go."""
    most = table.loc[table["days_mean"].idxmax()]
    claim = _("Most days go by in {stage}: {share} of them").format(stage=most["stage"], share=percent(most["share"]))
    return claim, _("Mean days in each stage of the deals that have ended; deals that skip a stage count as no days.")


def days_alt(table: pd.DataFrame) -> str:
    """Returns the chart of days in words."""
    rows = _("; ").join(f"{r.stage} {number(r.days_mean)}" for r in table.itertuples())
    return _("Mean days in each stage: {rows}").format(rows=rows)


def cycle_days(table: pd.DataFrame, at: int = 120, rows: int = 24) -> pd.DataFrame:
    """Returns the days of the cycle worth a row in its table: evenly spaced, the one told, and the last."""
    told = int((table["day"] <= at).sum()) - 1
    places = sorted({*range(0, len(table), max(1, len(table) // rows)), max(told, 0), len(table) - 1})
    return table.iloc[places][["day", "won", "lost", "no_decision"]].reset_index(drop=True)


def cycle_finding(table: pd.DataFrame, at: int = 120) -> tuple[str, str]:
    """Returns how a deal ends and when, wins, losses and no decision apart."""
    row = table.iloc[max(int((table["day"] <= at).sum()) - 1, 0)]
    claim = _("After {days} days {won} of deals are won and {lost} lost").format(
        days=number(row["day"]), won=percent(row["won"]), lost=percent(row["lost"])
    )
    why = _("Open deals count as long as they were seen. A loss is an end of its own: leaving it out would "
            "promise too many "
            "wins.")  # fmt: skip
    return claim, why


def not_in_curve(deals: int) -> str:
    """Returns how many deals no curve by day counts."""
    return ngettext(
        "{n} deal begun before the first closing on record is in no curve: had it closed sooner, it would not be here.",
        "{n} deals begun before the first closing on record are in no curve: had they closed sooner, they would not be "
        "here.", deals,
    ).format(n=number(deals))  # fmt: skip


def cycle_alt(table: pd.DataFrame) -> str:
    """Returns the cycle chart in words."""
    last = table.iloc[-1]
    return _("Cumulative share by outcome; in the end {won} won, {lost} lost, {none} without a decision").format(
        won=percent(last["won"]), lost=percent(last["lost"]), none=percent(last["no_decision"])
    )


def overdue_text(table: pd.DataFrame) -> str:
    """Returns how many open deals wait longer than usual."""
    if table.empty:
        return _("No open deal waits longer in its stage than nine in ten did before.")
    return ngettext(
        "{n} open deal waits longer in its stage than nine in ten did before.",
        "{n} open deals wait longer in their stage than nine in ten did before.",
        len(table),
    ).format(n=number(len(table)))


def handed_over_text(deals: int) -> str:
    """Returns how many deals changed hands and whom they count for."""
    return ngettext(
        "{n} deal changed hands; it counts for whoever had it at the moment of the snapshot.",
        "{n} deals changed hands; each counts for whoever had it at the moment of the snapshot.",
        deals,
    ).format(n=number(deals))
