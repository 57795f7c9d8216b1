"""The page of the deal post-mortem: which sentence, picture and table stands where; a refusal is a full page too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from planning import charts
from planning.deals import funnel, funnel_sentences, lostdeals, sentences, vocabulary
from planning.files import write_table
from planning.language import paragraph

if TYPE_CHECKING:
    from planning.deals.workspace import PostMortem

SHARES = {"share": "percent", "lo90": "percent", "hi90": "percent", "band_lo": "percent", "band_hi": "percent",
          "share_abs": "percent", "together": "percent", "p_zero": "probability", "n_fields": "integer"}  # fmt: skip
SHOWN = 10


def show_answer(step: Any, mortem: PostMortem) -> None:
    """The answer and its key numbers, or that these data cannot tell and why."""
    result, tables = mortem.result, mortem.tables
    step.title(sentences.title())
    if result.refused:
        step.refuse(sentences.refusal_headline(result.summary), sentences.refusal_lede())
    else:
        step.answer(
            sentences.headline(result.weights),
            sentences.lede(result.summary, tables.get("reasons"), tables.get("levers")),
        )
    _numbers(step, mortem)
    for reason, rows in (*mortem.left_out, *result.prepared.left_out):
        done = vocabulary.left_out_done(reason, funnel="funnel" in tables, days=mortem.follow_up_days)
        step.left_out(vocabulary.left_out_reason(reason), rows, rows / mortem.total, done)
    step.left_out_of(sentences.left_out_of(mortem.total, result.summary["n"]))


def _numbers(step: Any, mortem: PostMortem) -> None:
    result, tables = mortem.result, mortem.tables
    if result.summary["n"] == 0:
        return
    if result.summary["auc"] is None:
        given = [
            n
            for n in sentences.key_numbers({**result.summary, "auc": 0, "auc_lo": 0, "auc_hi": 0}, None, None)
            if n["name"] != "auc"
        ]
    else:
        given = sentences.key_numbers(result.summary, tables.get("reasons"), tables.get("levers"))
    for arguments in given:
        step.number(arguments.pop("name"), arguments.pop("value"), **arguments)


def show_weights(step: Any, mortem: PostMortem) -> None:
    """The weights with interval and band; on refusal what was tested and the reasons."""
    result, words = mortem.result, vocabulary.chart_words()
    if result.refused:
        _show_refusal(step, mortem)
        return
    weights = result.weights
    step.finding("weights", *sentences.weights_finding(weights, result.summary))
    frame = pd.DataFrame({
        "label": [vocabulary.family_name(name) for name in weights["family"]], "value": weights["share"],
        "lo": weights["lo90"], "hi": weights["hi90"], "band_lo": weights["band_lo"], "band_hi": weights["band_hi"],
        "role": ["now" if p > 0.05 else "plan" for p in weights["p_zero"]],
        "text": [sentences.weight_text(r.lo90, r.hi90, r.p_zero) for r in weights.itertuples()],
    })  # fmt: skip
    step.chart(
        "weights_chart", charts.intervals, frame, alt=sentences.weights_alt(weights), title=words["weights"],
        kind="percent", heading=words["share"], interval_heading=words["interval"], low=0.0,
    )  # fmt: skip
    _table(step, "weights", weights.assign(together=weights["share"].cumsum()), SHARES, details=True)
    gap = _by_size(mortem.tables["gap"], "gap")
    step.finding("gap", *sentences.gap_finding(gap))
    _table(step, "gap", gap, dict.fromkeys(("gap", "lo90", "hi90"), "ratio") | {"share": "percent"})


def _by_size(table: pd.DataFrame, amount: str) -> pd.DataFrame:
    """Families by the size of their part, then what is left of the sum, then the sum."""
    rest = table["part"].isin(["mix", "unexplained", "total"])
    families = table[~rest].sort_values(amount, key=lambda part: -part.abs(), kind="stable")
    return pd.concat([families, table[rest]], ignore_index=True)


def _show_refusal(step: Any, mortem: PostMortem) -> None:
    summary, words = mortem.result.summary, vocabulary.chart_words()
    texts = summary["reasons"]
    step.finding("tested", sentences.why_refused(), paragraph(texts))
    if summary["auc"] is not None:
        frame = pd.DataFrame({
            "label": [words["all_fields"]], "value": [summary["auc"]], "lo": [summary["auc_lo"]],
            "hi": [summary["auc_hi"]],
            "role": ["aux"],
        })  # fmt: skip
        number = sentences.auc_number(summary)
        step.chart(
            "tests", charts.intervals, frame, alt=sentences.auc_alt(number),
            title=words["tests"],
            kind="ratio", reference=0.5, reference_name=words["coin"], low=0.4, high=1.0,
        )  # fmt: skip
    for question, answer in sentences.to_record(summary["not_measured"] or ["product", "price", "skill"]):
        step.cannot_tell(question, answer)


def show_reasons(step: Any, mortem: PostMortem) -> None:
    """What people write against what the data say."""
    table = mortem.tables.get("reasons")
    if table is None or table.empty:
        return
    step.finding("reasons", *sentences.reasons_finding(table))
    shown = table.drop(columns="measured")
    formats = {
        "deals": "integer",
        "share": "percent",
        "agrees": "integer",
        "agree_share": "percent",
        "no_sign": "integer",
    }
    _table(step, "reasons", shown, formats)
    crossed = mortem.tables["reason_confusion"]
    _table(step, "reason_confusion", crossed, dict.fromkeys(crossed.columns[1:], "integer"), details=True)


def show_lost_deals(step: Any, mortem: PostMortem) -> None:
    """Lost deals worth a second look, and what to improve first."""
    tables = mortem.tables
    if "second_look" in tables:
        table = tables["second_look"].head(SHOWN)
        step.finding("second_look", *sentences.second_look_finding(table, len(table)))
        keep = ["deal_id", "owner_id", "amount", "lever", "move", "distance", "chance", "lo90", "hi90"]
        formats = {"amount": "money", "chance": "probability", "lo90": "percent", "hi90": "percent",
                   "distance": "ratio"}  # fmt: skip
        moves = [vocabulary.lever_move(row.lever, row.now, row.moved_to) for row in table.itertuples()]
        table = table.assign(move=moves)
        _table(step, "second_look", table[[c for c in keep if c in table]], formats)
        improve = tables["levers"]
        step.finding("levers", *sentences.levers_finding(improve))
        shown = improve.assign(
            lever=[vocabulary.lever_name(name) for name in improve["lever"]],
            owner=[vocabulary.owner_name(name) for name in improve["owner"]],
        )
        counts = dict.fromkeys(("deals", "expected_wins", "lo90", "hi90"), "integer")
        _table(step, "levers", shown, counts | {"check_on": "date"})
    _show_kinds(step, tables)


def _show_kinds(step: Any, tables: dict[str, pd.DataFrame]) -> None:
    """What lost deals are like, and those lost against the record."""
    if "typical" not in tables:
        return
    typical, surprises = tables["typical"], tables["surprises"]
    step.finding("typical", *sentences.typical_finding(typical))
    _table(step, "typical", typical[["deal_id", "deals", "share", "weakest", "strongest"]],
           {"deals": "integer", "share": "percent"})  # fmt: skip
    step.finding("surprises", *sentences.surprises_finding(surprises, SHOWN))
    if len(surprises):
        keep = ["deal_id", "owner_id", "amount", "win_probability", "strongest", "weakest", "loss_reason"]
        formats = {"amount": "money", "win_probability": "probability"}
        _table(step, "surprises", surprises[[c for c in keep if c in surprises]].head(SHOWN), formats)


def show_people(step: Any, mortem: PostMortem) -> None:
    """Practices inside a person's own deals, and people adjusted for the deals they were given."""
    practices, people = mortem.tables.get("practices"), mortem.tables.get("performers")
    if practices is not None and len(practices):
        step.finding("practices", *sentences.practices_finding(practices))
        shown = practices[["practice", "points", "points_lo", "points_hi", "q", "verdict", "way", "owner"]].copy()
        shown[["points", "points_lo", "points_hi"]] *= 100
        formats = {"points": "number", "points_lo": "number", "points_hi": "number", "q": "probability"}
        _table(step, "practices", shown, formats)
        thirds = mortem.tables["practice_thirds"]
        rates = dict.fromkeys(("win_rate", "lo90", "hi90", "expected_rate"), "percent")
        counts = {"typical": "significant", "deals": "integer", "wins": "integer"}
        _table(step, "practice_thirds", thirds, rates | counts, details=True)
    if people is not None and len(people):
        step.finding("performers", *sentences.performers_finding(people))
        counts = people.groupby("verdict", sort=False).size().rename("people").reset_index()
        _table(step, "verdicts", counts, {"people": "integer"})
        shown = people[["person", "deals", "wins", "expected_wins", "p_top", "verdict"]]
        formats = {"deals": "integer", "wins": "integer", "expected_wins": "integer", "p_top": "probability"}
        clear = shown[(people["verdict"] != "cannot tell").to_numpy()]
        if len(clear):
            _table(step, "clear_cases", clear, formats)
        _table(step, "performers", shown, formats, details=True)


def show_competitors(step: Any, mortem: PostMortem) -> None:
    """Competitors like for like, and requirements not met."""
    table = mortem.tables.get("competitors")
    if table is not None and len(table):
        step.finding("competitors", *sentences.competitors_finding(table))
        rates = dict.fromkeys(("win_rate", "expected_rate", "adjusted_rate", "lo90", "hi90"), "percent")
        _table(step, "competitors", table, rates | {"deals": "integer", "wins": "integer"})
    needs = mortem.tables["needs"]
    if len(needs):
        step.finding("needs", *sentences.needs_finding(needs, levers="levers" in mortem.tables))
        formats = {"deals": "integer", "lost": "integer", "win_rate": "percent"}
        _table(step, "needs_first", needs.head(SHOWN), formats)
        if len(needs) > SHOWN:
            _table(step, "needs", needs, formats, details=True)


def show_change(step: Any, mortem: PostMortem) -> None:
    """Why the win rate moved over the last twelve months."""
    if "change" not in mortem.tables:
        return
    table = _by_size(mortem.tables["change"], "points")
    words = vocabulary.chart_words()
    claim, why = sentences.change_finding(table, mortem.split, mortem.tables["change_rates"])
    step.finding("change", claim, why)
    frame = pd.DataFrame({"label": [vocabulary.family_name(name) for name in table["part"]],
    "value": 100 * table["points"],
                          "lo": 100 * table["lo90"], "hi": 100 * table["hi90"]})  # fmt: skip
    step.chart("change_chart", charts.bars, frame, alt=claim, title=words["change"],
    signed=True,
               heading=words["points"])  # fmt: skip
    shown = table.copy()
    shown[["points", "lo90", "hi90"]] *= 100
    _table(step, "change", shown, {"points": "number", "lo90": "number", "hi90": "number"}, details=True)
    counts = {"deals": "integer", "wins": "integer", "win_rate": "percent"}
    _table(step, "change_rates", mortem.tables["change_rates"], counts, details=True)


def show_funnel(step: Any, mortem: PostMortem) -> None:
    """Conversion per stage and cohort, where the days go, open deals that wait too long, when deals end: all without a
    model."""
    tables = mortem.tables
    if "funnel" in tables and len(tables["funnel"]):
        _show_stages(step, tables)
        _show_cohorts(step, tables)
        _show_days(step, tables)
    if "cycle" in tables and len(tables["cycle"]) > 5:
        table, words = tables["cycle"], vocabulary.chart_words()
        step.finding("cycle", *funnel_sentences.cycle_finding(table))
        alt = funnel_sentences.cycle_alt(table)
        step.chart("cycle_chart", charts.deals.incidence, table, alt=alt, title=words["cycle"], words=words)
        if mortem.not_in_curve:
            step.text("not_in_curve_text", funnel_sentences.not_in_curve(mortem.not_in_curve))
        shares = dict.fromkeys(("won", "lost", "no_decision"), "percent")
        shown = funnel_sentences.cycle_days(table)
        _table(step, "cycle", shown, shares | {"day": "integer"}, details=True)


def _show_stages(step: Any, tables: dict[str, pd.DataFrame]) -> None:
    table, words = tables["funnel"], vocabulary.chart_words()
    step.finding("funnel", *funnel_sentences.funnel_finding(table))
    frame = pd.DataFrame(
        {"label": table["stage"], "value": table["conversion"], "lo": table["lo90"], "hi": table["hi90"]}
    )
    step.chart(
        "funnel_chart", charts.intervals, frame, alt=funnel_sentences.funnel_alt(table), title=words["funnel"],
        kind="percent", heading=words["conversion"], interval_heading=words["interval"], low=0.0, high=1.0,
    )  # fmt: skip
    counts = dict.fromkeys(("entered", "moved_on", "left", "waiting", "days_median", "days_p90"), "integer")
    _table(step, "funnel", table, counts | dict.fromkeys(("conversion", "lo90", "hi90"), "percent"), details=True)


def _show_cohorts(step: Any, tables: dict[str, pd.DataFrame]) -> None:
    """Cohorts side by side, each given the same time; the newest against all before it."""
    cohorts, changes = tables["cohorts"], tables["cohort_changes"]
    if changes.empty:
        return
    step.finding("cohorts", *funnel_sentences.cohorts_finding(changes))
    wide = cohorts.pivot(index="cohort", columns="stage", values="conversion").reset_index()
    wide = wide[["cohort", *cohorts["stage"].drop_duplicates()]].rename_axis(columns=None)
    _table(step, "cohort_rates", wide, dict.fromkeys(wide.columns[1:], "percent"))
    shown = changes.rename(columns={"points": "difference"})
    shown[["difference", "lo90", "hi90"]] *= 100
    formats = dict.fromkeys(("difference", "lo90", "hi90"), "number") | {"newest": "percent", "older": "percent"}
    _table(step, "cohort_changes", shown, formats, details=True)
    rates = dict.fromkeys(("conversion", "lo90", "hi90"), "percent")
    _table(step, "cohorts", cohorts, rates | dict.fromkeys(("entered", "in_time", "days_given"), "integer"),
           details=True)  # fmt: skip


def _show_days(step: Any, tables: dict[str, pd.DataFrame]) -> None:
    """Where the days go, and which open deals stand still."""
    days, late, words = tables["stage_days"], tables["overdue"], vocabulary.chart_words()
    step.finding("stage_days", *funnel_sentences.days_finding(days))
    frame = pd.DataFrame({"label": days["stage"], "value": days["days_mean"]})
    step.chart("stage_days_chart", charts.bars, frame, alt=funnel_sentences.days_alt(days), title=words["stage_days"],
               heading=words["days"])  # fmt: skip
    figures = dict.fromkeys(("days_won", "days_lost", "days_mean"), "number")
    _table(step, "stage_days", days, figures | {"share": "percent"}, details=True)
    step.text("overdue_text", funnel_sentences.overdue_text(late))
    if len(late):
        by_stage = funnel.overdue_by_stage(late, list(days["stage"]))
        _table(step, "overdue_by_stage", by_stage, {"deals": "integer", "usual_days": "integer"})
        formats = {"days": "integer", "usual_days": "integer", "times": "number"}
        _table(step, "overdue", late, formats, details=True)


def show_audit(step: Any, mortem: PostMortem) -> None:
    """Fields refused as causes, everything the audit found, and what cannot be told."""
    result = mortem.result
    found = result.findings
    refused = found[(found["severity"] == "refused") & ~found["field"].str.startswith("(")]
    refused = refused.drop_duplicates("field")
    step.finding("refused", *sentences.audit_finding(refused))
    if len(refused):
        shown = refused[["field", "rule", "evidence", "action"]]
        _table(step, "refused", shown, {}, details=len(refused) > 12)
    moved = mortem.tables.get("handed_over")
    if moved is not None and len(moved):
        step.text("handed_over_text", funnel_sentences.handed_over_text(int(moved["deals"].sum())))
        _table(step, "handed_over", moved, {"owners": "integer", "deals": "integer"}, details=True)
    _table(step, "findings", found, {"rows": "integer"}, details=True)
    weights = None if result.refused else result.weights
    if not result.refused:
        for question, answer in sentences.cannot_tell(result.summary, weights, mortem.tables.get("performers")):
            step.cannot_tell(question, answer)


def keep_results(step: Any, mortem: PostMortem) -> None:
    """One row for later notebooks, and the review sheet for the meeting."""
    from planning.reports.review_sheet import write_review_sheet

    summary = mortem.result.summary
    keep = ("n", "n_won", "n_lost", "win_rate", "auc", "auc_lo", "auc_hi", "r2", "refused", "delta")
    row = {name: summary[name] for name in keep}
    row |= {"follow_up_days": mortem.follow_up_days, "as_of": mortem.as_of, "split": mortem.split}
    row |= {"age_days": mortem.age_days} if mortem.age_days else {}
    row |= {"not_in_curve": mortem.not_in_curve, "total": mortem.total}
    levers = mortem.tables.get("levers")
    row["expected_wins"] = None if levers is None else float(levers["expected_wins"].iloc[0])
    row["surprises"] = len(mortem.tables["surprises"]) if "surprises" in mortem.tables else None
    row["top_family"] = "" if mortem.result.refused else mortem.result.weights["family"].iloc[0]
    row["top_share"] = None if mortem.result.refused else float(mortem.result.weights["share"].iloc[0])
    formats = {"win_rate": "percent", "top_share": "percent", "delta": "percent", "as_of": "date", "split": "date"}
    counts = ("n", "n_won", "n_lost", "follow_up_days", "age_days", "expected_wins", "surprises")
    formats |= dict.fromkeys((*counts, "not_in_curve", "total"), "integer")
    formats |= dict.fromkeys(("auc", "auc_lo", "auc_hi", "r2"), "ratio")
    _table(step, "summary", pd.DataFrame([row]), formats, details=True)
    if not mortem.result.refused:
        parts = lostdeals.every_deal(mortem.result)
        step.file("contributions.csv", lambda path: write_table(path, parts))
    if "second_look" in mortem.tables:
        step.file("review_sheet.xlsx", lambda path: write_review_sheet(path, mortem))


def _table(step: Any, name: str, frame: pd.DataFrame, formats: dict[str, str], *, details: bool = False) -> None:
    """Keeps a table by its codes; the page writes them as words."""
    headings = vocabulary.labels()
    words = {column: say for column, say in vocabulary.words_of_codes().items() if column in frame}
    step.tabulate(
        name, frame.reset_index(drop=True), title=vocabulary.table_title(name) if details else "",
        headings={c: headings.get(c, vocabulary.family_name(c)) for c in frame},
        formats={c: kind for c, kind in formats.items() if c in frame}, details=details,
        words={column: {code: say(code) for code in frame[column].unique()} for column, say in words.items()},
    )  # fmt: skip
