"""The page of the deal post-mortem: which sentence, picture and table stands where; a refusal is a full page too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from planning import charts
from planning.deals import sentences, vocabulary

if TYPE_CHECKING:
    from planning.deals.workspace import PostMortem

SHARES = {"share": "percent", "lo90": "percent", "hi90": "percent", "band_lo": "percent", "band_hi": "percent",
          "share_abs": "percent", "p_zero": "significant", "n_fields": "integer"}  # fmt: skip
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
        step.left_out(
            vocabulary.left_out_reason(reason), rows, rows / len(mortem.deals), vocabulary.left_out_done(reason)
        )


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
    _table(step, "weights", weights, SHARES, details=True)


def _show_refusal(step: Any, mortem: PostMortem) -> None:
    summary, words = mortem.result.summary, vocabulary.chart_words()
    texts = [sentences.reason_text(reason, summary) for reason in summary["reasons"]]
    step.finding("tested", texts[0], " ".join(texts[1:]))
    if summary["auc"] is not None:
        frame = pd.DataFrame({
            "label": [words["all_fields"]], "value": [summary["auc"]], "lo": [summary["auc_lo"]],
            "hi": [summary["auc_hi"]],
            "role": ["aux"],
        })  # fmt: skip
        number = sentences.auc_number(summary)
        step.chart(
            "tests", charts.intervals, frame, alt=f"{words['all_fields']}: {number['text']}. {number['note']}",
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
    shown = table.assign(reason=[vocabulary.family_name(name) for name in table["reason"]]).drop(columns="measured")
    formats = {
        "deals": "integer",
        "share": "percent",
        "agrees": "integer",
        "agree_share": "percent",
        "no_sign": "integer",
    }
    _table(step, "reasons", shown, formats)


def show_lost_deals(step: Any, mortem: PostMortem) -> None:
    """Lost deals worth a second look, and what to improve first."""
    tables = mortem.tables
    if "second_look" in tables:
        table = tables["second_look"].head(SHOWN)
        step.finding("second_look", *sentences.second_look_finding(table, len(table)))
        keep = ["deal_id", "owner_id", "region", "line", "amount", "lever", "chance", "lo90", "hi90"]
        shown = table.assign(lever=[vocabulary.lever_name(name) for name in table["lever"]])
        _table(step, "second_look", shown[[c for c in keep if c in shown]],
               {"amount": "money", "chance": "probability", "lo90": "percent", "hi90": "percent"})  # fmt: skip
        improve = tables["levers"]
        step.finding("levers", *sentences.levers_finding(improve))
        shown = improve.assign(
            lever=[vocabulary.lever_name(name) for name in improve["lever"]],
            owner=[vocabulary.owner_name(name) for name in improve["owner"]],
        )
        _table(step, "levers", shown, {"deals": "integer", "expected_wins": "integer", "lo90": "integer",
        "hi90": "integer",
                                       "check_on": "date"})  # fmt: skip


def show_people(step: Any, mortem: PostMortem) -> None:
    """Practices inside a person's own deals, and people adjusted for the deals they were given."""
    practices, people = mortem.tables.get("practices"), mortem.tables.get("performers")
    if practices is not None and len(practices):
        step.finding("practices", *sentences.practices_finding(practices))
        shown = practices.assign(
            practice=[vocabulary.lever_name(name) for name in practices["practice"]],
            verdict=[vocabulary.verdict(word) for word in practices["verdict"]],
        )[["practice", "points", "points_lo", "points_hi", "q", "verdict"]]
        shown[["points", "points_lo", "points_hi"]] *= 100
        _table(
            step,
            "practices",
            shown,
            {"points": "number", "points_lo": "number", "points_hi": "number", "q": "percent"},
        )
    if people is not None and len(people):
        step.finding("performers", *sentences.performers_finding(people))
        shown = people.assign(verdict=[vocabulary.verdict(word) for word in people["verdict"]])
        shown = shown[["person", "deals", "wins", "expected_wins", "p_top", "verdict"]]
        formats = {"deals": "integer", "wins": "integer", "expected_wins": "integer", "p_top": "probability"}
        clear = shown[(people["verdict"] != "cannot tell").to_numpy()]
        if len(clear):
            _table(step, "clear_cases", clear, formats)
        _table(step, "performers", shown, formats, details=True)


def show_competitors(step: Any, mortem: PostMortem) -> None:
    """Competitors like for like, and requirements not met."""
    table = mortem.tables.get("competitors")
    if table is None or table.empty:
        return
    step.finding("competitors", *sentences.competitors_finding(table))
    shown = table.assign(verdict=[vocabulary.verdict(word) for word in table["verdict"]])
    rates = dict.fromkeys(("win_rate", "expected_rate", "adjusted_rate", "lo90", "hi90"), "percent")
    _table(step, "competitors", shown, rates | {"deals": "integer", "wins": "integer"})
    needs = mortem.tables["needs"]
    if len(needs):
        _table(step, "needs", needs, {"deals": "integer", "lost": "integer", "win_rate": "percent"}, details=True)


def show_change(step: Any, mortem: PostMortem) -> None:
    """Why the win rate moved over the last twelve months."""
    table = mortem.tables.get("change")
    if table is None:
        return
    words = vocabulary.chart_words()
    claim, why = sentences.change_finding(table, mortem.split)
    step.finding("change", claim, why)
    frame = pd.DataFrame({"label": [vocabulary.family_name(name) for name in table["part"]],
    "value": 100 * table["points"],
                          "lo": 100 * table["lo90"], "hi": 100 * table["hi90"]})  # fmt: skip
    step.chart("change_chart", charts.bars, frame, alt=f"{words['change']}: {claim}", title=words["change"],
    signed=True,
               heading=words["points"])  # fmt: skip
    shown = table.assign(part=[vocabulary.family_name(name) for name in table["part"]])
    shown[["points", "lo90", "hi90"]] *= 100
    _table(step, "change", shown, {"points": "number", "lo90": "number", "hi90": "number"}, details=True)


def show_funnel(step: Any, mortem: PostMortem) -> None:
    """Conversion per stage, when deals end, and open deals that wait too long: these hold without a model."""
    words, tables = vocabulary.chart_words(), mortem.tables
    if "funnel" in tables and len(tables["funnel"]):
        table = tables["funnel"]
        step.finding("funnel", *sentences.funnel_finding(table))
        frame = pd.DataFrame(
            {"label": table["stage"], "value": table["conversion"], "lo": table["lo90"], "hi": table["hi90"]}
        )
        step.chart("funnel_chart", charts.intervals, frame, alt=sentences.funnel_alt(table), title=words["funnel"],
        kind="percent",
                   heading=words["conversion"], interval_heading=words["interval"], low=0.0, high=1.0)  # fmt: skip
        counts = dict.fromkeys(("entered", "moved_on", "left", "waiting", "days_median", "days_p90"), "integer")
        _table(
            step,
            "funnel",
            table,
            counts | {"conversion": "percent", "lo90": "percent", "hi90": "percent"},
            details=True,
        )
        step.text("overdue_text", sentences.overdue_text(tables["overdue"]))
        if len(tables["overdue"]):
            _table(
                step,
                "overdue",
                tables["overdue"],
                {"days": "integer", "usual_days": "integer", "times": "number"},
                details=True,
            )
    if "cycle" in tables and len(tables["cycle"]) > 5:
        table = tables["cycle"]
        step.finding("cycle", *sentences.cycle_finding(table))
        step.chart(
            "cycle_chart",
            charts.deals.incidence,
            table,
            alt=sentences.cycle_alt(table),
            title=words["cycle"],
            words=words,
        )
        shares = dict.fromkeys(("won", "lost", "no_decision"), "percent")
        every = table[["day", "won", "lost", "no_decision"]].iloc[:: max(1, len(table) // 24)]
        _table(step, "cycle", every, shares | {"day": "integer"}, details=True)


def show_audit(step: Any, mortem: PostMortem) -> None:
    """Fields refused as causes, everything the audit found, and what cannot be told."""
    result = mortem.result
    listed = set(result.summary["refused_fields"])
    found = result.findings
    refused = found[(found["severity"] == "refused") & ~found["field"].str.startswith("(")]
    refused = refused.drop_duplicates("field")
    step.finding("refused", *sentences.audit_finding(refused))
    if len(refused):
        _table(step, "refused", refused[["field", "rule", "evidence"]], {}, details=len(refused) > 12)
    grave = found[
        found["severity"].isin(["fault", "warning"]) | found["field"].isin(listed) | (found["field"] == "(rows)")
    ]
    _table(step, "findings", grave if len(grave) else found, {"rows": "integer"}, details=True)
    weights = None if result.refused else result.weights
    if not result.refused:
        for question, answer in sentences.cannot_tell(result.summary, weights, mortem.tables.get("performers")):
            step.cannot_tell(question, answer)


def keep_results(step: Any, mortem: PostMortem) -> None:
    """One row for later notebooks, and the review sheet for the meeting."""
    from planning.reports.review_sheet import write_review_sheet

    summary = mortem.result.summary
    keep = ("n", "n_won", "n_lost", "win_rate", "auc", "auc_lo", "auc_hi", "r2", "refused")
    row = {name: summary[name] for name in keep}
    levers = mortem.tables.get("levers")
    row["expected_wins"] = None if levers is None else float(levers["expected_wins"].iloc[0])
    row["top_family"] = "" if mortem.result.refused else mortem.result.weights["family"].iloc[0]
    row["top_share"] = None if mortem.result.refused else float(mortem.result.weights["share"].iloc[0])
    _table(step, "summary", pd.DataFrame([row]), {}, details=True)
    if "second_look" in mortem.tables:
        step.file("review_sheet.xlsx", lambda path: write_review_sheet(path, mortem))


def _table(
    step: Any, name: str, frame: pd.DataFrame, formats: dict[str, str], *, details: bool = False, title: str = ""
) -> None:
    headings = vocabulary.labels()
    if "rule" in frame:
        frame = frame.assign(rule=[vocabulary.rule_name(rule) for rule in frame["rule"]])
    if "severity" in frame:
        frame = frame.assign(severity=[vocabulary.severity_name(word) for word in frame["severity"]])
    step.tabulate(
        name, frame.reset_index(drop=True), title=title, headings={c: headings[c] for c in frame if c in headings},
        formats={c: kind for c, kind in formats.items() if c in frame}, details=details,
    )  # fmt: skip
