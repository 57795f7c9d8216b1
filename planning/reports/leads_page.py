"""The page of the lead grades: what each grade promised, what it kept, and which open leads are hot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from planning import charts
from planning.deals import lead_sentences as sentences
from planning.deals import vocabulary
from planning.language import number, percent

if TYPE_CHECKING:
    from planning.deals.workspace import LeadGrades

FIRST = 10
RATES = dict.fromkeys(("predicted", "lo90", "hi90", "observed", "observed_lo", "observed_hi"), "percent")


def show_answer(step: Any, graded: LeadGrades) -> None:
    """The rates of the grades on later leads, or that these leads cannot be graded."""
    step.title(sentences.title())
    words = sentences.labels()
    for reason, rows in graded.left_out:
        done = sentences.left_out_done(reason)
        step.left_out(vocabulary.left_out_reason(reason), rows, rows / graded.total, done)
    left = graded.total - sum(rows for _reason, rows in graded.left_out)
    step.left_out_of(sentences.left_out_of(graded.total, graded.n, left - graded.n))
    if graded.grading is None:
        step.refuse(*sentences.refusal())
        step.finding("tested", words["why_refused"], graded.reason)
        step.cannot_tell(*sentences.to_record())
        return
    grades, scores = graded.grading.grades, graded.grading.scores
    step.answer(sentences.headline(grades), sentences.lede(grades, scores, graded.follow_up_days))
    for row in grades.itertuples():
        step.number(
            row.grade, row.observed, label=sentences.grade_name(row.grade), text=percent(row.observed),
            lead=row.grade == "hot",
            note=sentences.promised_note(row.predicted, row.lo90, row.hi90),
        )  # fmt: skip
    step.number("auc", scores["auc"], label=words["auc"], text=number(scores["auc"], 2),
                note=sentences.auc_note(scores))  # fmt: skip


def show_promises(step: Any, graded: LeadGrades) -> None:
    """Promised against observed, on the later leads and over time."""
    if graded.grading is None:
        return
    words, grades = sentences.labels(), graded.grading.grades
    step.finding("promises", *sentences.promise_finding(grades))
    frame = grades.assign(label=[sentences.grade_name(name) for name in grades["grade"]])
    frame = frame[["label", "predicted", "observed", "observed_lo", "observed_hi"]].rename(
        columns={"observed_lo": "lo90", "observed_hi": "hi90"}
    )
    step.chart("promises_chart", charts.deals.calibration, frame, alt=sentences.promise_alt(grades),
    title=words["chart"],
               words={"observed": words["seen"], "predicted": words["promised"]})  # fmt: skip
    _table(step, "grades", grades, RATES | {"leads": "integer", "least": "percent"}, details=True)
    over = graded.grading.over_time
    step.finding("over_time", *sentences.time_finding(over))
    dates = dict.fromkeys(("began", "ended"), "date")
    _table(step, "by_part", _by_part(over), dates | {"leads": "integer"})
    _table(step, "over_time", over, RATES | dates | {"leads": "integer", "period": "integer"}, details=True)


def _by_part(over: pd.DataFrame) -> pd.DataFrame:
    """One row a part, one column a grade: the rate that came against the one promised."""
    texts = [sentences.part_text(row.observed, row.lo90, row.hi90, row.kept) for row in over.itertuples()]
    told = over.assign(text=texts)
    keys = [name for name in ("period", "began", "ended") if name in over]
    wide = told.pivot(index="period", columns="grade", values="text").reindex(columns=over["grade"].unique())
    head = over.groupby(keys, sort=False)["leads"].sum().reset_index()
    return head.merge(wide.reset_index(), on="period").rename_axis(columns=None).drop(columns="period")


def _show_scores(step: Any, graded: LeadGrades) -> None:
    """One row of everything the sentences say of the grading as a whole."""
    scores, over = graded.grading.scores, graded.grading.over_time
    row = {name: scores[name] for name in ("learned_on", "n", "rate", "auc", "auc_lo", "auc_hi", "brier", "log_loss")}
    row |= {"follow_up_days": graded.follow_up_days, "grades_kept": int(graded.grading.grades["kept"].sum()),
            "times_kept": int(over["kept"].sum()), "times": len(over), "open": len(graded.open_leads),
            "hot_now": int((graded.open_leads["grade"] == "hot").sum()) if len(graded.open_leads) else 0,
            "beyond": graded.beyond}  # fmt: skip
    formats = dict.fromkeys(row, "integer") | dict.fromkeys(("auc", "auc_lo", "auc_hi", "brier", "log_loss"), "ratio")
    _table(step, "scores", pd.DataFrame([row]), formats | {"rate": "percent"}, details=True)


def show_open(step: Any, graded: LeadGrades) -> None:
    """Open leads by their chance, the fields refused, and the results other notebooks use."""
    if graded.grading is None:
        _show_slips(step, graded)
        step.finish()
        return
    if len(graded.open_leads):
        step.finding("open_leads", *sentences.open_finding(graded.open_leads, graded.follow_up_days))
        shown = max(40, int((graded.open_leads["grade"] == "hot").sum()))
        formats = {"probability": "percent", "now": "probability", "age": "integer", "amount_first": "money"}
        order = ["deal_id", "grade", "now", "probability", "age", "owner_id", "region", "line", "amount_first"]
        leads = graded.open_leads[[name for name in order if name in graded.open_leads]]
        _table(step, "open_first", leads.head(FIRST), formats)
        if len(graded.open_leads) > FIRST:
            _table(step, "open_leads", leads.head(shown), formats, details=True)
    if graded.beyond:
        step.text("beyond_text", sentences.beyond_text(graded.beyond, graded.follow_up_days))
    _show_slips(step, graded)
    found = graded.grading.findings
    refused = found[(found["severity"] == "refused") & ~found["rule"].isin(["not_listed"])].drop_duplicates("field")
    if len(refused):
        _table(step, "refused", refused[["field", "rule", "evidence"]], {}, details=True)
    _show_scores(step, graded)
    step.cannot_tell(*sentences.cannot_tell(graded.grading.scores))
    step.finish()


def _show_slips(step: Any, graded: LeadGrades) -> None:
    """Closing days that are still to come, by the leads' names."""
    if len(graded.slips):
        shown = graded.slips[["severity", "rule", "evidence", "action"]]
        shown = shown.assign(severity=[vocabulary.severity_name(word) for word in shown["severity"]])
        _table(step, "slips", shown, {})


def _table(step: Any, name: str, frame: pd.DataFrame, formats: dict[str, str], *, details: bool = False) -> None:
    words = sentences.labels()
    shown = frame.reset_index(drop=True)
    if "rule" in shown:
        shown = shown.assign(rule=[vocabulary.rule_name(rule) for rule in shown["rule"]])
    if "grade" in shown:
        shown = shown.assign(grade=[sentences.grade_name(grade) for grade in shown["grade"]])
    if "kept" in shown:
        shown = shown.assign(kept=[words["yes"] if kept else words["no"] for kept in shown["kept"]])
    title = words.get(f"title_{name}", "")
    step.tabulate(name, shown, title=title, headings={c: words[c] for c in shown if c in words},
                  formats={c: kind for c, kind in formats.items() if c in shown}, details=details)  # fmt: skip
