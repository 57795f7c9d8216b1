"""What a plan says of judgement: adjustments, limits, departments, the market view, rows left out, open questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from planning.language import _, listing, ngettext, number
from planning.targets.sentences import department, kind_of_capacity, place_name, standing_sentence, step_label

if TYPE_CHECKING:
    from planning.targets.adjustments import Adjusted
    from planning.targets.goal import Target
    from planning.targets.plan import Plan


def left_out_reason(reason: str) -> str:
    """Returns why rows were left out."""
    known = {
        "empty_amount": _("Rows without an amount"),
        "unfinished_month": _("Last month not finished"),
        "gap": _("Months not recorded in cells that sell every month"),
    }
    return known[reason]


def left_out_done(reason: str) -> str:
    """Returns what was done about rows left out."""
    return _("Filled for the forecast, not counted as sales") if reason == "gap" else _("Left out")


def status_name(status: str) -> str:
    """Returns an adjustment's or a department's status."""
    known = {
        "applied": _("applied"),
        "no evidence": _("no evidence, not applied"),
        "expired": _("expired"),
        "outside the year": _("outside the year"),
        "no such cell": _("no such cell"),
        "approve": _("approved"),
        "limit": _("limited"),
        "reject": _("rejected"),
    }
    return known.get(status, status)


def adjustment_table(adjusted: Adjusted) -> pd.DataFrame:
    """Returns the adjustments with what they asked for and what was counted."""
    frame = adjusted.applied
    label = [step_label("adjustment", text) for text in frame["label"]]
    status = [status_name(text) for text in frame["status"]]
    return frame.assign(label=label, status=status)[["label", "author", "asked", "weight", "change", "status"]]


def value_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Returns the value added by group in words."""
    known = {"all": _("all"), "up": _("upward"), "down": _("downward")}
    told = [_("yes") if told else _("cannot be told from zero") for told in frame["told"]]
    return frame.assign(group=[known.get(name, name) for name in frame["group"]], told=told)


def capacity_table(lost: pd.DataFrame) -> pd.DataFrame:
    """Returns the limits in words."""
    return lost.assign(
        place=[place_name(place) for place in lost["place"]], kind=[kind_of_capacity(kind) for kind in lost["kind"]]
    )


def standing_table(goal: Target) -> pd.DataFrame:
    """Returns the departments' answers in words."""
    frame = goal.standing.answers
    return frame.assign(
        department=[department(name) for name in frame["department"]],
        place=[place_name(place) for place in frame["place"]],
        status=[status_name(status) for status in frame["status"]],
    )


def standing_finding(goal: Target) -> tuple[str, str]:
    """Returns whether the plan can be final."""
    standing = goal.standing
    if standing.final:
        return _("Every department has confirmed: the plan can be final"), ""
    claim = _("The plan cannot be final yet") if standing.missing else _("The plan cannot be final: a rejection stands")
    return claim, standing_sentence(goal) + " " + _("Limits the departments named are held as capacity.")


def market_finding(view: pd.DataFrame) -> tuple[str, str]:
    """Returns whether market potential times share agrees with the forecast."""
    n = int(view["told"].sum())
    if n == 0:
        claim = _("Market potential times share agrees with the forecast everywhere within its own error")
    else:
        worst = view[view["told"]].iloc[0]
        place = ", ".join(str(worst[key]) for key in view.columns[: list(view.columns).index("plan_view")])
        text = ngettext(
            "The market view differs in {n} place: {place}", "The market view differs in {n} places, most in {place}", n
        )
        claim = text.format(n=number(n), place=place)
    return claim, _("A second view with its own error; it does not move the target by itself.")


def cannot_tell(plan: Plan) -> list[tuple[str, str]]:
    """Returns questions the data leave open, and what would answer them."""
    goal = plan.target
    out = [
        (
            _("What competitors will do"),
            _("Their prices and plans are not in the data. The intervals contain swings of the size seen before."),
        )
    ]
    if len(goal.attainable.lost):
        kinds = listing(sorted({place_name(row.place) for row in goal.attainable.lost.itertuples()}))
        out.append(
            (
                _("Whether the limits hold"),
                _("Limits on {places} are as stated by their owners, without an error.").format(places=kinds),
            )
        )
    if goal.adjusted.log_rows < 20:
        out.append(
            (_("What planners' adjustments are worth"), _("Fewer than 20 past ones can be judged; keep the log."))
        )
    return out
