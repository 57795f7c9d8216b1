"""What the lead grades say in words: numbers in, text out, in the current language."""

from __future__ import annotations

from typing import Any

import pandas as pd

from planning.language import _, interval, ngettext, number, paragraph, percent


def title() -> str:
    """Returns the page's name."""
    return _("Lead grades")


def grade_name(name: str) -> str:
    """Returns a grade as a word."""
    known = {"hot": _("Hot"), "warm": _("Warm"), "cold": _("Cold")}
    return known.get(name, name)


def headline(grades: pd.DataFrame) -> str:
    """Returns what the grades were worth on later leads."""
    by = grades.set_index("grade")["observed"]
    return _("Of leads graded hot {hot} were won, of warm ones {warm}, of cold ones {cold}").format(
        hot=percent(by["hot"]), warm=percent(by["warm"]), cold=percent(by["cold"])
    )


def lede(grades: pd.DataFrame, scores: dict[str, Any], follow_up: int) -> str:
    """Returns whether the promises were kept, and on what they were judged."""
    kept = int(grades["kept"].sum())
    if kept == len(grades):
        first = _("Every grade kept its promise on leads the model had not seen.")
    else:
        first = _(
            "{kept} of {n} grades kept their promise on leads the model had not seen; read the others with care."
        ).format(kept=number(kept), n=number(len(grades)))
    judged = _("Learned on {learned} earlier leads, judged on {n} later ones; won means won within {days} days.")
    said = {"learned": number(scores["learned_on"]), "n": number(scores["n"]), "days": number(follow_up)}
    return paragraph([first, judged.format(**said)])


def left_out_of(total: int, judged: int, waiting: int) -> str:
    """Returns of what the shares left out are, and what is left."""
    return _(
        "Shares are of all {total} deals of the table; {judged} that had their time and {waiting} still open in it are "
        "left."
    ).format(total=number(total), judged=number(judged), waiting=number(waiting))


def left_out_done(reason: str) -> str:
    """Returns what was done about leads left out."""
    known = {
        "not yet followed long enough": _("decided, but not all leads of their age have had their time: not used"),
        "closing day to come": _("not used; the finding names them"),
    }
    return known.get(reason, _("not used"))


def beyond_text(leads: int, follow_up: int) -> str:
    """Returns how many open leads have had their time, and why none of them is listed."""
    return ngettext(
        "{n} lead open for {days} days or longer is not listed: its time is up, and it counts as not won in time.",
        "{n} leads open for {days} days or longer are not listed: their time is up, and they count as not won in time.",
        leads,
    ).format(n=number(leads), days=number(follow_up))


def promised_note(rate: float, lo: float, hi: float) -> str:
    """Returns the rate a grade promised, with its interval."""
    return _("promised {rate} ({range})").format(rate=percent(rate), range=interval(lo, hi, percent))


def auc_note(scores: dict[str, Any]) -> str:
    """Returns how to read the number that says how well leads are told apart."""
    text = _("AUC, 90 % interval {range}; 0.50 is a coin flip")
    return text.format(range=interval(scores["auc_lo"], scores["auc_hi"], lambda value: number(value, 2)))


def promise_finding(grades: pd.DataFrame) -> tuple[str, str]:
    """Returns the claim over promised and observed rates."""
    kept = int(grades["kept"].sum())
    claim = _("{kept} of {n} grades inside the rate they promised").format(kept=number(kept), n=number(len(grades)))
    why = _("The upright line is the rate promised before, the dot the rate that came, with its 90 % interval. "
            "Grades are "
            "limits of the calibrated chance, set on the earlier leads.")  # fmt: skip
    return claim, why


def promise_alt(grades: pd.DataFrame) -> str:
    """Returns the chart in words."""
    return _("; ").join(
        _("{grade}: promised {promised}, observed {observed} ({range})").format(
            grade=grade_name(r.grade), promised=percent(r.predicted), observed=percent(r.observed),
            range=interval(r.observed_lo, r.observed_hi, percent),
        )
        for r in grades.itertuples()
    )  # fmt: skip


def time_finding(over_time: pd.DataFrame) -> tuple[str, str]:
    """Returns how often the promise held period by period."""
    kept, n = int(over_time["kept"].sum()), len(over_time)
    claim = _("Over time the promise held in {kept} of {n} cases").format(kept=number(kept), n=number(n))
    return claim, _(
        "The later leads in parts, oldest first, each promised from all before it. A grade that leaves its "
        "interval twice in a row needs a new fit."
    )


def part_text(observed: float, lo: float, hi: float, kept: bool) -> str:
    """Returns the rate of a grade in one part, and against which promise."""
    if observed != observed:
        return _("no lead")
    text = _("{observed}, promised {range}") if kept else _("{observed}, outside the promised {range}")
    return text.format(observed=percent(observed), range=interval(lo, hi, percent))


def open_finding(open_leads: pd.DataFrame, follow_up: int) -> tuple[str, str]:
    """Returns how many open leads are hot."""
    hot = int((open_leads["grade"] == "hot").sum())
    claim = ngettext("{n} open lead is hot now", "{n} open leads are hot now", hot).format(n=number(hot))
    why = _(
        "Open leads by their chance of being won within {days} days of coming in. It starts from what was known then; "
        "the time that has passed without a win is taken off, so an old lead needs a better start to be hot."
    ).format(days=number(follow_up))
    return claim, why


def refusal() -> tuple[str, str]:
    """Returns the refusal's headline and lede."""
    return (
        _("These leads cannot be graded yet"),
        _("So no lead is graded on this page. Why, and what would let us grade them, is below."),
    )


def to_record() -> tuple[str, str]:
    """Returns what would let leads be graded."""
    return (
        _("Which lead deserves attention first"),
        _("More decided leads, and fields filled when a lead comes in: source, kind of customer, product asked for."),
    )


def wrong_shares(hot: float, cold: float) -> str:
    """Returns what the parameters hot and cold mean."""
    return _(
        "hot {hot}, cold {cold}: shares of the leads are meant, each between 0 and 1 and together below 1, such as 0.2 "
        "and 0.5; what is left is warm."
    ).format(hot=f"{hot:g}", cold=f"{cold:g}")


def one_sided(won: int, lost: int) -> str:
    """Returns that all leads ended the same way, so none is hotter than another; empty where both ways occur."""
    if won and lost:
        return ""
    return _("{won} leads were won in time and {lost} were not: there is nothing to tell apart.").format(
        won=number(won), lost=number(lost)
    )


def undated() -> str:
    """Returns that nobody can say which leads were won in time."""
    return _("No lead has the day on which it was closed, so it cannot be said which were won in time.")


def too_few(leads: int, fields: int) -> str:
    """Returns how many decided leads and fields known in time there are."""
    if not fields:
        return _("No field is left that was known when a lead came in and differs between leads.")
    return ngettext(
        "There is {n} decided lead; at least 400 are needed.", "There are {n} decided leads; at least 400 are needed.",
        leads,
    ).format(n=number(leads))  # fmt: skip


def coin_flip(scores: dict[str, Any]) -> str:
    """Returns that the grades do no better than chance on later leads."""
    return _(
        "Tried on later leads, the fields do no better than a coin flip: AUC {auc}, 90 % interval {range}."
    ).format(auc=number(scores["auc"], 2), range=interval(scores["auc_lo"], scores["auc_hi"], lambda x: number(x, 2)))


def cannot_tell(scores: dict[str, Any]) -> tuple[str, str]:
    """Returns what the grades leave open."""
    return (
        _("Why a lead is cold"),
        _("The grade separates leads (AUC {auc} on later ones), it does not say what would warm one up.").format(
            auc=number(scores["auc"], 2)
        ),
    )


def labels() -> dict[str, str]:
    """Returns the headings of the tables and key numbers."""
    return {
        "grade": _("Grade"), "least": _("From a chance of"), "leads": _("Leads"), "predicted": _("Promised"),
        "lo90": _("Interval from"), "hi90": _("to"), "observed": _("Observed"), "observed_lo": _("Interval from"),
        "observed_hi": _("to"), "kept": _("Kept"), "period": _("Part"), "deal_id": _("Lead"),
        "probability": _("Chance when it came in"), "now": _("Chance now"), "age": _("Days open"),
        "owner_id": _("Person"), "region": _("Region"), "line": _("Product line"), "amount_first": _("First amount"),
        "created_date": _("Created"), "auc": _("Told apart on later leads"), "rate": _("Won of later leads"),
        "began": _("Came in from"), "ended": _("until"), "hot": _("Hot"), "warm": _("Warm"), "cold": _("Cold"),
        "why_refused": _("Why no lead is graded"),
        "promised": _("promised"), "seen": _("observed"), "yes": _("yes"), "no": _("no"),
        "chart": _("Share of leads won, by grade"),
        "title_grades": _("The grades in figures"), "title_over_time": _("The grades, part by part"),
        "title_open_leads": _("Open leads by their chance"),
        "title_refused": _("Fields refused"), "title_scores": _("The grading in one row"),
        "learned_on": _("Learned on"), "n": _("Judged on"), "auc_lo": _("AUC from"), "auc_hi": _("to"),
        "brier": _("Brier score"), "log_loss": _("Log-loss"), "follow_up_days": _("Days of follow-up"),
        "grades_kept": _("Grades kept"), "times_kept": _("Times kept"), "times": _("of times"),
        "open": _("Open leads"), "hot_now": _("Hot now"), "beyond": _("Open, their time is up"),
        "title_slips": _("Dates that cannot be"), "action": _("What to do"),
        "severity": _("Severity"), "field": _("Field"), "rule": _("Rule"), "evidence": _("Evidence"),
    }  # fmt: skip
