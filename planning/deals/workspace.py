"""The post-mortem of a workspace's deals: tables in, everything the page tells out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planning.deals import (
    ageing,
    audit_tables,
    auditing,
    casemix,
    change,
    funnel,
    habits,
    lostdeals,
    reasons,
    refusal,
)
from planning.deals.asof import as_came_in, dated, last_day, named, until
from planning.deals.attribution import FamilyWeights, family_weights
from planning.deals.families import CANONICAL, Families, load_families, placed, renamed, restrict
from planning.deals.grading import Grading, TooFew, grade_leads, grade_of
from planning.deals.lead_sentences import coin_flip, one_sided, too_few, undated
from planning.deals.levers import Counterfactual, best_lever, counterfactual
from planning.deals.snapshot import Snapshot, handed_over, snapshot
from planning.deals.vocabulary import left_out_reason
from planning.errors import DataError, UsageError
from planning.language import _, number, paragraph
from planning.tables.matching import match_columns
from planning.tables.raw import shown
from planning.tables.schema import fields as deal_fields

OWNERS = {"response_hours": "sales", "contacts": "sales", "technical_check": "engineering", "price_gap": "pricing"}


@dataclass(frozen=True)
class PostMortem:
    """The weights (or their refusal) and, in `tables`, what follows from them; `deals` as they stood on `as_of`.

    Of the `total` deals of the table each is counted once: in `left_out`, in what was left out of `result`, or among
    its won and lost ones. not_in_curve: deals begun before the first closing on record, which no curve by day counts.
    """

    deals: pd.DataFrame
    history: pd.DataFrame | None
    result: FamilyWeights
    as_of: pd.Timestamp
    rule: str
    left_out: tuple[tuple[str, int], ...]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    split: pd.Timestamp | None = None
    follow_up_days: int | None = None
    age_days: int | None = None
    total: int = 0
    not_in_curve: int = 0


def workspace_families(path: Path, columns: list[str], *, declared: Mapping[str, str] | None = None) -> Families:
    """The workspace's own families.toml where there is one, else the canonical families, for the columns at hand.

    A file drafted from the export itself has the export's names: they are matched as the table's columns are.
    declared: our field → their column, of the source in workbench.toml.
    """
    if not path.is_file() or path == CANONICAL:
        return restrict(load_families(CANONICAL), columns)
    families = load_families(path)
    theirs = dict.fromkeys([*families.family_of, *families.known_at, *families.levers, *sorted(families.trust)])
    found = match_columns(deal_fields("deals"), [name for name in theirs if name not in columns], declared).theirs
    ours = {their: name for name, their in found.items() if name in columns}
    return restrict(renamed(families, ours), columns, tell=True)


def _families(step: Any, deals: pd.DataFrame) -> Families:
    declared = getattr(step.settings.sources.get("deals"), "columns", None)
    return workspace_families(step.path("families.toml"), list(deals.columns), declared=declared)


def post_mortem(
    step: Any, *, since: Any = None, stage: str = "", age_days: int = 0, delta: float = 0.3
) -> PostMortem:
    """Reads deals and stage history of a step, takes the snapshot, weighs the families and reviews the lost deals."""
    deals, history = dated(step.table("deals")), step.table("stage_history")
    as_of, everything = last_day(deals, _stated(step)), len(deals)
    if since is not None:
        newest = deals["created_date"].max()
        deals = deals[deals["created_date"] >= pd.Timestamp(since)]
        if deals.empty:
            text = _("since {day}: no deal was created from then on; the newest is of {newest}. Take an earlier day.")
            raise UsageError(text.format(day=f"{pd.Timestamp(since):%Y-%m-%d}", newest=f"{newest:%Y-%m-%d}"))
    families = _families(step, deals)
    return analyse(
        deals, history, families, as_of, stage=stage, age_days=age_days, delta=delta, seed=step.seed or 0,
        too_early=everything - len(deals),
    )  # fmt: skip


def analyse(
    deals: pd.DataFrame,
    history: pd.DataFrame | None,
    families: Families,
    as_of: pd.Timestamp,
    *,
    stage: str = "",
    age_days: int = 0,
    delta: float = 0.3,
    seed: int = 0,
    too_early: int = 0,
) -> PostMortem:
    """The whole post-mortem of canonical tables; without a stage history the deals are taken as exported.

    The moment of the snapshot is `stage`, else `age_days` after a deal was created, else the last stage that a field of
    the families needs. too_early: deals of the table that were not asked for, to be counted. Raises UsageError for a
    moment without a stage history, or for both.
    """
    first, total = deals["created_date"].min(), len(deals) + too_early
    stood = until(named(deals), as_of)
    deals = stood.deals
    if deals.empty and pd.notna(first):
        text = _("as_of {day}: no deal was created by then; the first is of {first}. Take a later day.")
        raise UsageError(text.format(day=f"{as_of:%Y-%m-%d}", first=f"{first:%Y-%m-%d}"))
    history = None if history is None else named(history[~(history["entered_at"] > as_of)])
    left_out: tuple[tuple[str, int], ...] = (("created too early", too_early), ("created later", stood.unborn))
    rule, rows, follow_up = "", deals, None
    open_for = {"closing day to come": frozenset(stood.future["deal_id"]), "closed later": stood.then_open}
    _same_ids(deals, history)
    if history is not None:  # the funnel is that of the deals asked for
        history = history[history["deal_id"].isin(deals["deal_id"])]
    moment = _moment(families, history, stage, age_days)
    if history is not None and not history.empty:
        families = placed(families, list(history["stage"].dropna().unique()))
    if moment:
        taken: Snapshot = snapshot(deals, history, as_of=as_of, known_at=families.known_at, **moment)
        families = replace(families, later=taken.later)
        if taken.deals.empty and len(deals):
            raise UsageError(_none_left(deals, taken, as_of, moment))
        rule, rows = taken.rule, taken.deals.drop(columns="snapshot_at")
        follow_up, left_out = taken.follow_up_days, (*left_out, *taken.left_out)
        open_for |= {"closed after its time": taken.late, "open after its time": frozenset(rows["deal_id"])}
    result = family_weights(rows, families=families, delta=delta, seed=seed, snapshot=rule, open_for=open_for)
    slips = auditing.findings_frame(audit_tables.future_closings(stood.future, as_of))
    result = replace(
        result, prepared=replace(result.prepared, ids=result.prepared.ids.astype("str")),
        findings=pd.concat([slips, result.findings], ignore_index=True) if len(slips) else result.findings,
    )  # fmt: skip
    mortem = PostMortem(
        deals, history, result, as_of, result.summary["snapshot"], tuple(pair for pair in left_out if pair[1]),
        split=_split(deals, as_of), follow_up_days=follow_up, age_days=moment.get("age_days"), total=total,
        not_in_curve=funnel.cycle(deals, as_of)[1] if _has_cycle(deals) else 0,
    )  # fmt: skip
    mortem.tables.update(_without_model(mortem))
    if not result.refused:
        mortem.tables.update(_with_model(mortem, families, seed))
    return mortem


def _has_cycle(deals: pd.DataFrame) -> bool:
    """Whether enough deals have ended for curves by day."""
    return int(deals["closed_date"].notna().sum()) >= 50


def _same_ids(deals: pd.DataFrame, history: pd.DataFrame | None) -> None:
    """Raises DataError where the stage history speaks of other deals than the table of deals."""
    if history is None or history.empty or deals.empty or history["deal_id"].isin(deals["deal_id"]).any():
        return
    theirs, ours = history["deal_id"].iloc[0], deals["deal_id"].iloc[0]
    text = _(
        "no deal_id of stage_history (such as {theirs}) is among the deals (such as {ours}). Export both with the same "
        "ids."
    )
    raise DataError(text.format(theirs=shown(theirs), ours=shown(ours)))


def _stated(step: Any) -> Any:
    """The last day of data that the notebook, else the workspace, states; None for all data."""
    return getattr(step.parameters, "as_of", None) or getattr(step.settings.plan, "as_of", None)


def _moment(families: Families, history: pd.DataFrame | None, stage: str, age_days: int) -> dict[str, Any]:
    """The moment of the snapshot as options of `snapshot`; empty where the deals are taken as exported."""
    if stage and age_days:
        raise UsageError(_("stage and age_days are two moments. Give one of them."))
    if age_days < 0:
        text = _("age_days {age}: a number of days after the deal was created is meant, 0 or more.")
        raise UsageError(text.format(age=age_days))
    if (stage or age_days) and (history is None or history.empty):
        raise UsageError(_("deals as known at an earlier moment need a stage_history. Add it to workbench.toml."))
    if age_days:
        return {"age_days": age_days}
    stage = stage or _last_stage(families, history)
    return {"stage": stage} if stage else {}


def _none_left(deals: pd.DataFrame, taken: Snapshot, as_of: pd.Timestamp, moment: Mapping[str, Any]) -> str:
    """Why no deal is left at a moment, and which moment to ask for instead."""
    open_for = (deals["closed_date"].fillna(as_of) - deals["created_date"]).dt.days.dropna()
    age = moment.get("age_days")
    if age is None or open_for.empty:
        counts = "; ".join(f"{left_out_reason(reason)}: {number(rows)}" for reason, rows in taken.left_out)
        text = _("deals as known {rule}: none is left ({counts}). Name an earlier moment, such as stage or age_days.")
        return text.format(rule=taken.rule, counts=counts)
    text = _("age_days {age}: no deal was open that long; the oldest was open for {oldest} days.")
    if age <= open_for.max():
        text = _(
            "age_days {age}: the deals that were open that long, {oldest} days at most, have not been followed long "
            "enough since."
        )
    way_out = _("Give a smaller number, such as {half}: half of the deals were open longer.")
    said = {"age": age, "oldest": number(open_for.max()), "half": int(open_for.median())}
    return paragraph([text.format(**said), way_out.format(**said)])


def _last_stage(families: Families, history: pd.DataFrame | None) -> str:
    """The latest stage that any field's known_at names: the moment when every field is known."""
    if history is None or history.empty:
        return ""
    order = {str(stage).casefold(): stage for stage in funnel.stage_order(history)}
    places = list(order)
    named = [str(when).casefold() for when in families.known_at.values() if str(when).casefold() in order]
    return order[max(named, key=places.index)] if named else ""


def _split(deals: pd.DataFrame, as_of: pd.Timestamp) -> pd.Timestamp:
    """The last twelve months against everything before."""
    return (as_of - pd.DateOffset(years=1) + pd.Timedelta(days=1)).normalize()


def _without_model(mortem: PostMortem) -> dict[str, pd.DataFrame]:
    tables: dict[str, pd.DataFrame] = {"needs": lostdeals.unmet_needs(mortem.deals)}
    if mortem.history is not None and not mortem.history.empty:
        tables["funnel"] = funnel.funnel(mortem.deals, mortem.history)
        tables["overdue"] = funnel.overdue(mortem.deals, mortem.history, mortem.as_of)
        tables["cohorts"] = funnel.cohort_funnel(mortem.deals, mortem.history, mortem.as_of)
        tables["cohort_changes"] = funnel.cohort_changes(tables["cohorts"])
        tables["handed_over"] = handed_over(mortem.history)
        tables["stage_days"] = funnel.days_by_stage(mortem.deals, mortem.history)
    if _has_cycle(mortem.deals):
        tables["cycle"] = funnel.cycle(mortem.deals, mortem.as_of)[0]
    return tables


def _with_model(mortem: PostMortem, families: Families, seed: int) -> dict[str, pd.DataFrame]:
    result, by_id = mortem.result, mortem.deals.set_index("deal_id")
    tables = {"weights": result.weights, "gap": change.won_lost_gap(result, seed=seed)}
    terms = {term.field: term.kind for term in result.model.design.terms}
    levers = {name: way for name, way in families.levers.items() if terms.get(name) == "number"}
    owners = OWNERS | dict(families.owners)
    if levers:
        tables.update(_levers(mortem, counterfactual(result, levers, seed=seed), by_id, owners))
    if "loss_reason" in by_id:
        tables["reasons"] = reasons.written_against_model(result, by_id["loss_reason"])
        tables["reason_confusion"] = reasons.confusion(result, by_id["loss_reason"])
    if "owner_id" in by_id:
        ways = habits.practice_fields(result, families)
        tables["performers"] = casemix.performers(result, by_id["owner_id"], seed=seed)
        tables["practices"] = habits.practices(result, ways, by_id["owner_id"]).assign(
            way=lambda table: table["practice"].map(ways), owner=lambda table: table["practice"].map(owners).fillna("")
        )
        tables["practice_thirds"] = habits.by_thirds(result, ways, by_id["owner_id"])
    if "competitor" in by_id:
        tables["competitors"] = lostdeals.against_competitors(result, by_id["competitor"])
    tables["typical"] = lostdeals.typical_losses(result, seed=seed)
    tables["surprises"] = _known_of(lostdeals.surprise_losses(result), by_id)
    closed = by_id["closed_date"].reindex(result.prepared.ids[result.prepared.outcomes.closed].to_numpy())
    after = (closed >= mortem.split).sum()
    if min(after, len(closed) - after) >= 100:
        tables["change"] = change.period_change(result, by_id["closed_date"], mortem.split, seed=seed)
        tables["change_rates"] = change.period_rates(result, by_id["closed_date"], mortem.split)
    return tables


def _levers(
    mortem: PostMortem, counter: Counterfactual, by_id: pd.DataFrame, owners: dict[str, str]
) -> dict[str, pd.DataFrame]:
    """Best lever a lost deal of the last year with what a meeting needs to know of it; levers in sum."""
    best = best_lever(counter)
    best = _known_of(best, by_id)
    recent = best[best["closed_date"] >= mortem.split] if "closed_date" in best else best
    improve = lostdeals.improvements(counter.totals, owners, mortem.as_of)
    return {"levers": improve, "second_look": recent if len(recent) >= 10 else best}


def _known_of(found: pd.DataFrame, by_id: pd.DataFrame) -> pd.DataFrame:
    """Adds what a meeting needs to know of a deal."""
    wanted = ("name", "owner_id", "region", "line", "amount", "closed_date", "loss_reason")
    about = by_id[[name for name in wanted if name in by_id]]
    return found.merge(about, left_on="deal_id", right_index=True, how="left")


@dataclass(frozen=True)
class LeadGrades:
    """The grading (None with `reason` when refused), the open leads, and the time every lead was given.

    Of the `total` deals of the table each is counted once: in `left_out`, among the `n` that had their time, or among
    those still open in it. beyond: open ones that had it, which count as not won in time. slips: findings on dates.
    `open_leads`: `deal_id, probability` (when it came in), `age` in days, `now` (the chance left, see `ageing`), and
    `grade` by it.
    """

    grading: Grading | None
    open_leads: pd.DataFrame
    follow_up_days: int
    n: int
    reason: str = ""
    left_out: tuple[tuple[str, int], ...] = ()
    total: int = 0
    beyond: int = 0
    slips: pd.DataFrame = field(default_factory=pd.DataFrame)


def lead_grades(step: Any, *, hot: float = 0.2, cold: float = 0.5) -> LeadGrades:
    """Grades a step's deals by what was known when they were created: won within the usual time, or not."""
    deals = dated(step.table("deals"))
    as_of = last_day(deals, _stated(step))
    families = at_creation(_families(step, deals))
    return grade_workspace(deals, families, as_of, history=step.table("stage_history"), hot=hot, cold=cold)


def at_creation(families: Families) -> Families:
    """Only the fields that are known when a lead comes in."""
    known = {name: when for name, when in families.known_at.items() if str(when).casefold() in ("creation", "lead")}
    fields = {family: tuple(n for n in members if n in known) for family, members in families.fields.items()}
    kept = {family: members for family, members in fields.items() if members}
    lead = families.stages or ("Lead",)
    return Families(kept, known, families.trust, absent=families.absent, stages=lead, source=families.source)


def _no_grades(grading: Grading) -> str:
    """Why grades would mislead: a coin flip on later leads, or an export that misses the quick ones; else empty."""
    found = grading.findings
    cut = found[(found["rule"] == "truncation") & (found["severity"] == "refused")]
    if not grading.scores["auc_lo"] > 0.5:
        return coin_flip(grading.scores)
    return "" if cut.empty else refusal.blocked("truncation", str(cut["evidence"].iloc[0])).text


def grade_workspace(
    deals: pd.DataFrame,
    families: Families,
    as_of: pd.Timestamp,
    *,
    history: pd.DataFrame | None = None,
    hot: float = 0.2,
    cold: float = 0.5,
) -> LeadGrades:
    """Gives every lead the same time (the 90th percentile from creation to closing) and grades those still open.

    history: the stage history, where there is one: a lead is graded by the owner and the amount it came in with.
    """
    stood = until(named(deals), as_of)
    deals, total = stood.deals, len(deals)
    days = (deals["closed_date"] - deals["created_date"]).dt.days
    follow_up = int(days.quantile(0.9)) if days.notna().any() else 90
    begun, to_come = deals["created_date"].notna(), deals["deal_id"].isin(stood.future["deal_id"])
    had_time = (deals["created_date"] + pd.Timedelta(days=follow_up) <= as_of) & ~to_come
    in_time = days <= follow_up
    outcome = pd.Series("lost", index=deals.index, dtype=object)
    outcome[(deals["outcome"] == "won") & in_time] = "won"
    outcome[~had_time] = "open"
    rows = as_came_in(deals, None if history is None else named(history)).assign(outcome=outcome)
    young = begun & ~had_time & ~to_come
    left_out = (
        ("created later", stood.unborn),
        ("no day of creation", int((~begun & ~to_come).sum())),
        ("not yet followed long enough", int((young & (deals["outcome"] != "open")).sum())),
        ("closing day to come", int(to_come.sum())),
    )
    told = {
        "left_out": tuple(pair for pair in left_out if pair[1]), "total": total,
        "slips": auditing.findings_frame(audit_tables.future_closings(stood.future, as_of)),
    }  # fmt: skip
    reason = one_sided(int((outcome == "won").sum()), int((outcome == "lost").sum()))
    if days.isna().all() and (deals["outcome"] == "won").any():
        reason = undated()
    n = int(had_time.sum())
    if reason:
        return LeadGrades(None, pd.DataFrame(), follow_up, n, reason, **told)
    try:
        grading = grade_leads(rows, families=families, hot=hot, cold=cold)
    except TooFew as error:
        return LeadGrades(None, pd.DataFrame(), follow_up, n, too_few(error.leads, error.fields), **told)
    reason = _no_grades(grading)
    if reason:
        return LeadGrades(None, pd.DataFrame(), follow_up, n, reason, **told)
    won_days = days[had_time & (outcome == "won")].to_numpy("float64")
    other_days = days[had_time & (outcome == "lost")].fillna(np.inf).to_numpy("float64")
    waiting = _waiting(deals[begun & ~to_come], grading, as_of).assign(
        now=lambda leads: ageing.chance_now(
            leads["probability"].to_numpy(), leads["age"].to_numpy(), won_after=won_days, ended_after=other_days,
            follow_up=follow_up,
        )
    )  # fmt: skip
    over = waiting["age"] >= follow_up  # their time is up: they are among those not won in time
    limits = tuple(grading.grades["least"][:2])
    open_leads = waiting[~over].assign(grade=lambda leads: grade_of(leads["now"].to_numpy(), limits))
    open_leads = open_leads.sort_values("now", ascending=False, kind="stable").reset_index(drop=True)
    return LeadGrades(grading, open_leads, follow_up, n, beyond=int(over.sum()), **told)


def _waiting(deals: pd.DataFrame, grading: Grading, as_of: pd.Timestamp) -> pd.DataFrame:
    """Leads that are open, with the chance they had when they came in and the days since."""
    is_open = deals.loc[deals["outcome"] == "open"]
    keep = [n for n in ("deal_id", "owner_id", "region", "line", "amount_first", "created_date") if n in deals]
    leads = named(grading.leads[["deal_id", "probability"]]).merge(is_open[keep], on="deal_id")
    return leads.assign(age=(as_of - leads["created_date"]).dt.days)
