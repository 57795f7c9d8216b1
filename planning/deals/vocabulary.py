"""The words of the post-mortem: families, levers, headings, what charts and workbooks are labelled with."""

from __future__ import annotations

from collections.abc import Callable

from planning.language import _, ngettext, number, percent


def family_name(name: str) -> str:
    """Returns a family as words; a company's own families are shown as they are written."""
    known = {
        "market": _("Market"), "product": _("Product fit"), "price": _("Price"), "skill": _("Selling skill"),
        "customer": _("Customer relationship"), "competition": _("Competition"), "channel": _("Lead source"),
        "size": _("Deal size"), "process": _("Sales process"), "other": _("Other"), "timing": _("Timing or budget"),
        "delivery": _("Delivery time"), "not written": _("Nothing written"), "total": _("Total"),
        "mix": _("Mix of deals"), "unexplained": _("Not explained by any field"),
    }  # fmt: skip
    return known.get(name, name)


def lever_name(name: str) -> str:
    """Returns what moving a lever means, as something to do."""
    known = {
        "response_hours": _("Answer the enquiry sooner"),
        "contacts": _("Speak to one more person"),
        "technical_check": _("Technical check before the quote"),
        "price_gap": _("A lower price against the best rival's"),
        "discount": _("A larger discount"),
    }
    return known.get(name, name.replace("_", " ").capitalize())


def lever_move(lever: str, now: float, to: float) -> str:
    """Returns from where to where a lever is moved: `4.5 % → −2.1 %`, `no → yes`, `38.3 → 12`."""
    say: Callable[[float], str] = three_figures
    if lever in ("price_gap", "discount"):
        say = lambda value: percent(value, 1)  # noqa: E731
    if lever == "technical_check":
        say = lambda value: _("yes") if value else _("no")  # noqa: E731
    return f"{say(now)} → {say(to)}" if now == now else say(to) if to == to else "–"


def three_figures(value: float) -> str:
    """Returns a reading of any size with three figures."""
    size = abs(value)
    digits = 0 if size >= 100 or float(value).is_integer() else 1 if size >= 10 else 2 if size >= 1 else 3
    return number(value, digits)


def practice_name(name: str) -> str:
    """Returns a practice as something that is done more or less of."""
    known = {
        "response_hours": _("A quicker first answer"),
        "contacts": _("More people spoken to"),
        "technical_check": _("A technical check before the quote"),
    }
    return known.get(name, lever_name(name))


def owner_name(name: str) -> str:
    """Returns the department that owns a lever."""
    known = {"sales": _("Sales"), "engineering": _("Engineering"), "pricing": _("Pricing")}
    return known.get(name, name or "–")


def verdict(word: str) -> str:
    """Returns a verdict as words."""
    known = {
        "top": _("very likely the best fifth"), "below": _("below the middle"), "cannot tell": _("cannot tell"),
        "differs": _("differs"), "better": _("better"), "worse": _("worse"),
    }  # fmt: skip
    return known.get(word, word)


def labels() -> dict[str, str]:
    """Returns the headings of tables and key numbers by column name."""
    return {
        "family": _("Family of causes"), "share": _("Share"), "lo90": _("Interval from"), "hi90": _("to"),
        "p_zero": _("p-value of no weight"), "band_lo": _("With an unrecorded cause from"), "band_hi": _("to"),
        "n_fields": _("Fields"), "share_abs": _("Share by mean size"), "deal_id": _("Deal"), "lever": _("Lever"),
        "now": _("Was"), "moved_to": _("Moved to"), "distance": _("Moved by, sd"),
        "chance": _("Chance of a win"), "region": _("Region"),
        "line": _("Product line"), "amount": _("Amount"), "owner_id": _("Person"), "person": _("Person"),
        "deals": _("Number of deals"), "reason": _("Reason written"), "agrees": _("The data agree"),
        "agree_share": _("of these"),
        "no_sign": _("No sign of it"), "expected_wins": _("Expected wins"), "owner": _("Owned by"),
        "check_on": _("Check on"), "practice": _("Practice"), "points": _("Win rate, points"),
        "difference": _("Difference, points"),
        "q": _("False discovery"),
        "points_lo": _("Interval from"), "points_hi": _("to"), "verdict": _("Verdict"), "wins": _("Won"),
        "p_top": _("Chance, best fifth"), "effect": _("Beyond their deals, log-odds"), "competitor": _("Competitor"),
        "win_rate": _("Win rate"), "expected_rate": _("Expected of these deals"), "adjusted_rate": _("Like for like"),
        "stage": _("Stage"), "entered": _("Entered"), "moved_on": _("Moved on"), "left": _("Ended here"),
        "waiting": _("Still waiting"), "conversion": _("Conversion"), "days_median": _("Days, middle deal"),
        "days_p90": _("Days, slowest tenth"), "field": _("Field"), "rule": _("Rule"), "evidence": _("Evidence"),
        "severity": _("Severity"), "action": _("What to do"), "rows": _("Rows"), "part": _("Part"),
        "gap": _("Log-odds"),
        "days": _("Days"), "usual_days": _("Usual days"), "times": _("Times the usual"), "need": _("Unmet requirement"),
        "lost": _("Deals lost"), "win_probability": _("Chance given then"), "strongest": _("Spoke most for it"),
        "weakest": _("Spoke most against it"), "loss_reason": _("Reason written"), "name": _("Name"),
        "grade": _("Grade"), "predicted": _("Predicted"), "observed": _("Observed"), "period": _("Period"),
        "least": _("From"), "day": _("Day"), "measured": _("Measured"), "won": _("Won"),
        "no_decision": _("No decision"),
        "leads": _("Leads"), "log_loss": _("Log-loss"), "auc": _("AUC"), "together": _("Together with those above"),
        "cohort": _("Began in"), "newest": _("Newest"), "older": _("All older"), "in_time": _("Went on in time"),
        "days_given": _("Days given"), "days_won": _("Days, won deals"), "days_lost": _("Days, lost deals"),
        "days_mean": _("Days, all ended"), "third": _("Part"), "typical": _("Typically"), "people": _("People"),
        "way": _("Means"), "move": _("From → to"), "owners": _("Owners"),
        "n": _("Decided deals"), "n_won": _("Won"), "n_lost": _("Deals lost"), "r2": _("R²"),
        "auc_lo": _("AUC from"), "auc_hi": _("to"), "refused": _("Refused"), "delta": _("Unrecorded cause allowed"),
        "follow_up_days": _("Days of follow-up"), "age_days": _("Known at an age of, days"),
        "as_of": _("Data until"), "closed_date": _("Closed on"), "split": _("Compared from"),
        "top_family": _("Strongest family"), "top_share": _("Its share"),
        "surprises": _("Deals lost against the record"), "total": _("Deals of the table"),
        "not_in_curve": _("Deals begun before the first closing on record"),
    }  # fmt: skip


def table_title(name: str) -> str:
    """Returns the title of a table that is folded away on the page; empty where the section's claim says it."""
    known = {
        "weights": _("All families, with the wider band"), "performers": _("All people"),
        "practice_thirds": _("Each practice, by part of a person's own deals"), "needs": _("Requirements not met"),
        "change": _("The change in figures"), "change_rates": _("Win rate before and after"),
        "surprises": _("Deals lost against the record"),
        "reason_confusion": _("Reason written, against what spoke most against the deal"),
        "funnel": _("The stages in figures"),
        "cohorts": _("Every cohort in figures"),
        "cohort_changes": _("The newest cohort against all older ones"), "stage_days": _("Days in each stage"),
        "overdue": _("Open deals that wait longer than usual"), "cycle": _("The curves in figures"),
        "handed_over": _("Deals that changed hands"),
        "refused": _("Fields refused"), "findings": _("Everything the check of the table found"),
        "summary": _("The post-mortem in one row"),
    }  # fmt: skip
    return known.get(name, "")


def chart_words() -> dict[str, str]:
    """Returns the words charts of this page need."""
    return {
        "share": _("share"), "interval": _("90 % interval"), "weights": _("Weight of each family, share of what "
            "separates won from lost"),
        "conversion": _("goes on"), "funnel": _("Share of deals that go on to a later stage"), "days": _("days"),
        "cycle": _("Share of deals by day since first contact"),
        "stage_days": _("Mean days in each stage"), "won": _("won"), "lost": _("lost"),
        "no_decision": _("no decision"), "points": _("points"), "change": _("Change of the win rate, percentage "
            "points"),
        "coin": _("coin flip"), "tests": _("How well won is told from lost on unseen deals: AUC and 90 % interval"),
        "all_fields": _("All accepted fields"), "observed": _("observed"), "predicted": _("predicted"),
    }  # fmt: skip


def sheet_words() -> dict[str, str]:
    """Returns the names of the review sheet's pages and of its columns to fill in."""
    return {
        "look": _("Second look"), "improve": _("Improve first"), "typical": _("Typical losses"),
        "surprises": _("Surprise losses"), "needs": _("Unmet requirements"), "cause": _("What happened"),
        "decision": _("Decision"), "who": _("Who"), "remark": _("Remark"), "pulled": _("Deal by deal"),
        "for_against": _("Beyond the average deal, log-odds: {family}"),
    }  # fmt: skip


def left_out_reason(reason: str) -> str:
    """Returns a reason of leaving rows out, in the reader's language."""
    known = {
        "repeated rows": _("Rows that repeat another row"),
        "one deal, two outcomes": _("Deals listed as both won and lost"),
        "older rows of the same deal": _("Older rows of the same deal"),
        "still open": _("Deals still open"),
        "ended without a decision": _("Deals that ended without a decision"),
        "never reached the moment of the snapshot": _("Deals that never reached the moment of the snapshot"),
        "created later": _("Deals created after the last day of data"),
        "created too early": _("Deals created before the first day asked for"),
        "no day of creation": _("Deals without a day of creation"),
        "closed later": _("Deals closed after the last day of data: open on that day"),
        "closing day to come": _("Decided deals with a closing day still to come"),
        "closed after its time": _("Deals closed after the time every deal is given"),
        "open after its time": _("Deals still open"),
        "closed before the moment of the snapshot": _("Deals closed before the moment of the snapshot"),
    }
    return known.get(reason) or (
        _("Deals not followed long enough yet") if reason.startswith("not yet followed") else reason
    )


def undecided(reason: str, count: int) -> tuple[str, str] | None:
    """Returns what is said of deals that are neither won nor lost for a reason, and what to do; None for a slip."""
    known = {
        "still open": (
            ngettext(
                "{n} deal is still open: neither won nor lost", "{n} deals are still open: neither won nor lost", count
            ),
            _("Nothing to do: they count once they are decided."),
        ),
        "open after its time": (
            ngettext(
                "{n} deal was still open when its time was up: neither won nor lost",
                "{n} deals were still open when their time was up: neither won nor lost", count,
            ),
            _("Nothing to do: every deal gets the same time."),
        ),
        "closed after its time": (
            ngettext(
                "{n} deal was closed after its time and was open when that was up: neither won nor lost",
                "{n} deals were closed after their time and were open when that was up: neither won nor lost", count,
            ),
            _("Nothing to do: every deal gets the same time."),
        ),
        "closed later": (
            ngettext(
                "{n} deal was closed after the last day of data and was open on it",
                "{n} deals were closed after the last day of data and were open on it", count,
            ),
            _("Nothing to do: it is asked how things stood on that day."),
        ),
        "ended without a decision": (
            ngettext(
                "{n} deal ended without a decision: neither won nor lost",
                "{n} deals ended without a decision: neither won nor lost", count,
            ),
            _("Nothing to do: nobody won or lost them."),
        ),
    }  # fmt: skip
    if reason not in known:
        return None
    text, action = known[reason]
    return text.format(n=number(count)), action


def left_out_done(reason: str, *, funnel: bool = False, days: int | None = None) -> str:
    """Returns what was done about rows left out; `funnel` says whether the page has one, `days` every deal's time."""
    if reason == "closing day to come":
        return _("taken as open; the finding names them")
    if reason in ("closed after its time", "open after its time"):
        return _("open after their {days} days: in no weight").format(days=number(days or 0))
    if reason == "closed later":
        return _("taken as open: in no weight")
    if reason in ("repeated rows", "older rows of the same deal"):
        return _("each deal counted once")
    if "still open" in reason or "without" in reason:
        return _("in no weight; counted in the funnel") if funnel else _("in no weight")
    return _("not used")


def after_the_fact(reason: str) -> str:
    """Returns why a name says that a field is written after the fact."""
    known = {
        "the reason or the outcome itself": _("the reason or the outcome itself"),
        "a running time up to the end": _("a running time up to the end"),
        "a running count up to the end": _("a running count up to the end"),
        "written at or after closing": _("written at or after closing"),
        "the last state, overwritten until the end": _("the last state, overwritten until the end"),
        "a judgement written after talking": _("a judgement written after talking"),
    }
    return known.get(reason, reason)


def severity_name(word: str) -> str:
    """Returns the severity of a finding as a word."""
    known = {"fault": _("fault"), "refused": _("refused"), "warning": _("warning"), "note": _("note")}
    return known.get(word, word)


def field_name(name: str) -> str:
    """Returns what a finding is about: a field by its own name, the whole table or a family as words."""
    if name.startswith("[") and name.endswith("]"):
        return family_name(name[1:-1])
    known = {"(rows)": _("all rows"), "(dates)": _("all dates"), "(families)": _("all families")}
    return known.get(name, name)


def cohort_name(code: str) -> str:
    """Returns a half-year or quarter, such as `2026 H2`, as words."""
    year, _space, part = code.partition(" ")
    known = {"H1": _("{year} H1"), "H2": _("{year} H2"), "Q1": _("{year} Q1"), "Q2": _("{year} Q2"),
             "Q3": _("{year} Q3"), "Q4": _("{year} Q4")}  # fmt: skip
    return known.get(part, code).format(year=year)


def outcome_state(state: str) -> str:
    """Returns what an outcome was read as, in words."""
    known = {"won": _("won"), "lost": _("lost"), "open": _("open"), "no_decision": _("no decision")}
    return known.get(state, state)


def rule_name(rule: str) -> str:
    """Returns the rule of a finding as words."""
    known = {
        "no_known_at": _("no known_at stated"), "known_at_closing": _("known only at closing"),
        "known_later": _("known later"),
        "name_after_the_fact": _("name says after the fact"), "one_field_auc": _("tells the outcome alone"),
        "one_outcome_only": _("filled for one outcome only"), "fill_won_lost": _("filled differently for won and lost"),
        "fill_closed_open": _("filled at closing"), "random_against_time": _("knows its period"),
        "pure_id": _("nearly pure id"), "pure_levels": _("nearly pure values"),
        "set_apart": _("a value far off the rest"), "round_amounts": _("round amounts"),
        "zero_amounts": _("amounts of zero"), "constant": _("constant"), "free_text": _("free text"),
        "id_like": _("a name, not a cause"), "date": _("a date"), "ambiguous_dates": _("day or month first"),
        "mostly_missing": _("mostly missing"),
        "merged_spellings": _("spellings merged"), "merged_owners": _("owners merged"), "not_listed": _("in no family"),
        "repeated_rows": _("repeated rows"), "repeated_ids": _("repeated ids"), "two_owners": _("two owners"),
        "contradicting_outcomes": _("two outcomes"), "left_out": _("left out"), "truncation": _("truncated export"),
        "back_filled": _("typed in afterwards"), "young_cohorts": _("young deals"),
        "future_close": _("future close date"),
        "closed_before_created": _("closed before created"), "mixed_currencies": _("mixed currencies"),
        "dominant_family": _("one family dominates"), "many_levels": _("very many values"),
        "thin_class": _("many values, few deals each"),
        "amount_edited": _("amount edited at closing"), "unread": _("cells not read"),
        "not_in_deals": _("not in the deals"), "idle_lever": _("no lever"), "no_such_stage": _("no such stage"),
        "stages_taken": _("stages taken as known"), "doubled_column": _("a column twice"),
        "not_measured": _("not measured"), "two_notations": _("two notations"),
        "outcome_words": _("values of the outcome"), "unread_dates": _("dates that cannot be read"),
        "several_units": _("several units"), "units_read": _("a unit in every cell"),
        "doubtful_notation": _("notation in doubt"), "mixed_percents": _("percents and shares"),
    }  # fmt: skip
    return known.get(rule, rule)


def usual_action(rule: str) -> str:
    """Returns what to do about a finding whose rule says it all."""
    known = {
        "constant": _("Leave it out."), "fill_closed_open": _("Nothing to do."),
        "id_like": _("Leave it out, or group it into classes."),
        "known_at_closing": _("Record it while the deal is open."),
        "known_later": _("Take the deals at that stage, or record it earlier."),
        "name_after_the_fact": _("Look at when it is written."),
        "merged_spellings": _("Keep one spelling in the source."),
        "merged_owners": _("Keep one spelling in the source."),
        "mostly_missing": _("Fill it for every deal while it is open."),
        "not_listed": _("List it in the families file if it may be a cause."),
        "not_measured": _("Record one of its fields while deals are open."),
    }  # fmt: skip
    return known.get(rule, "")


def words_of_codes() -> dict[str, Callable[[str], str]]:
    """Returns how the codes of a table's columns are written on a page, by column name."""
    return {
        "rule": rule_name, "severity": severity_name, "lever": lever_name, "practice": practice_name,
        "owner": owner_name,
        "reason": family_name, "weakest": family_name, "strongest": family_name, "period": period_name,
         "part": family_name, "family": family_name, "verdict": verdict, "third": part_name,
        "way": way_name, "top_family": family_name, "field": field_name, "cohort": cohort_name,
    }  # fmt: skip


def part_name(code: str) -> str:
    """Returns a part of a person's own deals, cut by a practice, as words."""
    known = {"low": _("lowest part"), "middle": _("middle part"), "high": _("highest part")}
    return known.get(code, code)


def period_name(code: str) -> str:
    """Returns before or after as words; other periods are written as they are."""
    return {"before": _("before"), "after": _("after")}.get(code, code)


def way_name(code: str) -> str:
    """Returns the direction a practice is read in."""
    return {"up": _("a higher value"), "down": _("a lower value")}.get(code, code)
