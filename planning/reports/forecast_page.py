"""The page of the demand forecast: which numbers, charts and tables follow each other, and under which finding.

Each function takes the step and the outlook, emits one section and returns what JupyterLab shows. An outlook that was
refused emits the "cannot tell" page and nothing after it.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from planning import charts, files, language
from planning.forecast import accuracy, changes, outlook, sentences, snapshots
from planning.forecast import judgement_sentences as people
from planning.forecast.changes import Changes
from planning.forecast.judgement import Judged
from planning.forecast.outlook import Outlook

SMALL_FANS = 9
GROWTH_FORMATS = {
    "last_year": "money", "expected": "money", "lo80": "money", "hi80": "money", "change": "money", "growth": "percent",
    "growth_lo": "percent", "growth_hi": "percent", "chance_of_growth": "probability",
}  # fmt: skip


def show_answer(step: Any, look: Outlook, rounds: pd.DataFrame, judged: Judged | None) -> Any:
    """The headline, the lede and the four key numbers; or the refusal."""
    step.title(sentences.title())
    if look.refused:
        return step.refuse(*sentences.refusal(look.refused))
    currency, total = look.history.currency, look.total
    past = _cells(look, rounds)
    labels = sentences.number_labels(look.year, look.last_year)
    step.number(
        "expected", total["expected"], label=labels["expected"], text=language.money(total["expected"], currency),
        note=sentences.interval_text(total, currency), lead=True,
    )  # fmt: skip
    step.number("growth_rate", total["growth"], label=labels["growth"], text=sentences.growth_text(total["growth"]),
                note=_with_people(look, judged))  # fmt: skip
    chance = total["chance_of_growth"]
    step.number("chance_of_growth", chance, label=labels["chance"], text=language.chance(chance), chance=chance)
    if past is not None:
        text = language.percent(past["wape"], 1)
        step.number("wape", past["wape"], label=labels["wape"], text=text, note=sentences.wape_note(past))
    return step.answer(
        sentences.answer(total, look.year, look.last_year, currency), sentences.lede(total, currency, past)
    )


def _with_people(look: Outlook, judged: Judged | None) -> str:
    """Says what the year comes to with adjustments and fixed figures; nothing where they change nothing."""
    if judged is None or not (len(judged.applied) or (judged.fixed["status"] == "applied").any()):
        return ""
    final, last = outlook.year_total(judged.final, look), look.total["last_year"]
    return people.with_people(final, final / last - 1 if last > 0 else float("nan"), look.history.currency)


def _cells(look: Outlook, rounds: pd.DataFrame) -> dict[str, Any] | None:
    """The measures of the bottom cells over all rounds; None without rounds."""
    if rounds.empty:
        return None
    level = outlook.bottom_level(look.joint)
    return accuracy.measures(rounds[rounds["level"] == level]).iloc[0].to_dict()


def show_total(step: Any, look: Outlook) -> Any:
    """The fan of the total, and the total month by month."""
    if look.refused:
        return None
    currency = look.history.currency
    step.finding("total", *sentences.finding_total(look.total, look.year, look.last_year, currency))
    frame = outlook.fan_frame(look.joint, look.actual, ["total"])
    alt = sentences.alt_total(look.total, look.year, currency)
    shown = step.chart("total", charts.fan, frame, alt=alt, currency=currency)
    months = frame[frame["mean"].notna()][["ds", "mean", "lo-80", "hi-80", "lo-95", "hi-95"]]
    step.tabulate(
        "months", months.reset_index(drop=True), details=True, headings=sentences.month_headings(),
        formats={"ds": "month"} | dict.fromkeys(months.columns[1:], "money"),
    )  # fmt: skip
    return shown


def show_growth(step: Any, look: Outlook) -> Any:
    """Growth by each key with its interval, and the table of every node."""
    if look.refused:
        return None
    shown = None
    for key in look.history.keys:
        if look.growth["level"].eq(key).sum() > 0 and len(look.history.keys) > 1:
            shown = _growth_by(step, look, key)
    if shown is None:
        shown = _growth_by(step, look, outlook.bottom_level(look.joint))
    headings = sentences.growth_headings(look.year, look.last_year)
    names = {name: headings[name] for name in look.growth.columns if name in headings}
    step.tabulate("growth", look.growth, headings=names, formats=GROWTH_FORMATS, details=True)
    return shown


def _growth_by(step: Any, look: Outlook, level: str) -> Any:
    rows = look.growth[(look.growth["level"] == level) & look.growth["growth"].notna()]
    rows = rows.sort_values("expected", ascending=False, kind="stable").head(16)
    step.finding("growth_by_" + level.replace("/", "_"), *sentences.finding_growth(look.growth, level))
    if rows.empty:
        return None
    frame = pd.DataFrame({
        "label": rows["unique_id"], "value": rows["growth"], "lo": rows["growth_lo"], "hi": rows["growth_hi"],
    })  # fmt: skip
    return step.chart(
        "growth_by_" + level.replace("/", "_"), charts.intervals, frame, alt=sentences.alt_growth(look.growth, level),
        kind="percent", reference=0.0, reference_name=sentences.no_change(),
    )  # fmt: skip


def show_cells(step: Any, look: Outlook) -> Any:
    """The largest cells as small fans."""
    if look.refused:
        return None
    level = outlook.bottom_level(look.joint)
    ids = outlook.largest(look.growth, level, SMALL_FANS)
    step.finding("cells", *sentences.finding_cells(look.growth, level, len(ids)))
    frame = outlook.fan_frame(look.joint, look.actual, ids, bands=(80,))
    frame["unique_id"] = frame["unique_id"].map(sentences.label)
    return step.chart(
        "cells", charts.fans, frame, alt=sentences.alt_cells(ids), currency=look.history.currency, most=SMALL_FANS
    )


def show_rounds(step: Any, look: Outlook, rounds: pd.DataFrame) -> Any:
    """How the method did in replayed rounds, level by level and step by step."""
    if look.refused:
        return None
    judged = accuracy.by_level(rounds, list(look.joint.cells["level"].unique()))
    step.finding("rounds", *sentences.finding_rounds(judged))
    if judged.empty:
        return step.cannot_tell(*sentences.finding_rounds(judged))
    by_level = judged.assign(level=judged["level"].map(sentences.level_name))
    shown = step.tabulate("accuracy", by_level, headings=_headings(by_level), formats=_accuracy_formats(by_level))
    total = accuracy.of_total(rounds, outlook.bottom_level(look.joint))
    step.text("total_in_rounds", sentences.total_in_rounds(total))
    step.tabulate(
        "accuracy_of_total", total, headings=_headings(total), formats=_accuracy_formats(total), details=True
    )
    by_round = accuracy.measures(rounds[rounds["level"] == outlook.bottom_level(look.joint)], ["round"])
    step.tabulate(
        "accuracy_by_round", by_round, headings=_headings(by_round), formats=_accuracy_formats(by_round), details=True
    )
    return shown


def _headings(frame: pd.DataFrame) -> dict[str, str]:
    known = sentences.accuracy_headings()
    return {name: known[name] for name in frame.columns if name in known}


def _accuracy_formats(frame: pd.DataFrame) -> dict[str, str]:
    formats = {
        "round": "date", "n": "integer", "lag": "integer", "actual": "money", "bias": "money", "error": "money",
        "mase": "ratio", "signal": "ratio", "limit": "ratio",
    }  # fmt: skip
    rates = ("wape", "bias_share", "unforeseen", "coverage_80", "coverage_95", "wape_naive", "share", "fva", "lo", "hi")
    return {name: how for name, how in (formats | dict.fromkeys(rates, "percent")).items() if name in frame}


def show_left_out(step: Any, look: Outlook) -> Any:
    """Cells without a forecast with their reasons, rows not used, and months filled in."""
    for code, rows in look.history.left_out:
        step.left_out(sentences.left_out_rows(code), rows)
    for reason, count, done in sentences.gaps(look.history.series):
        step.left_out(reason, count, done=done)
    series = look.history.series
    step.finding("not_forecast", *sentences.finding_left_out(series))
    missing = series[series["status"] != "forecast"].copy()
    missing["reason"] = missing["status"].map(sentences.reason)
    missing = missing[["unique_id", "months", "first", "last", "reason"]].reset_index(drop=True)
    headings = {name: words for name, words in sentences.series_headings().items() if name in missing}
    if len(missing):
        step.tabulate("not_forecast", missing, headings=headings, formats={"first": "month", "last": "month"})
    return step.left_out(sentences.cells_without(), len(missing), share=len(missing) / max(len(series), 1))


def show_adjusted(step: Any, look: Outlook, judged: Judged) -> Any:
    """The steps from statistical to adjusted to final, with what became of every adjustment and fixed figure."""
    if look.refused:
        return None
    joints = {"statistical": judged.statistical, "adjusted": judged.adjusted, "final": judged.final}
    totals = {name: outlook.year_total(joint, look) for name, joint in joints.items()}
    before, after, currency = totals["statistical"], totals["adjusted"], look.history.currency
    step.finding("adjusted", *people.finding_adjusted(before, after, len(judged.applied), look.year, currency))
    shown = step.tabulate(
        "steps", people.steps_shown(totals), headings=people.step_headings(look.year),
        formats={"expected": "money", "change": "money"},
    )  # fmt: skip
    rows = judged.listed[~judged.listed["status"].isin(["outside", "expired"])].reset_index(drop=True)
    over = len(judged.listed) - len(rows)
    if over:
        step.left_out(people.adjustments_over(), over)
    if len(rows):
        _listed(step, "adjustments", rows, people.adjustment_headings(), {"asked": "money"})
    if len(judged.fixed):
        holding = judged.fixed[judged.fixed["status"] == "applied"]
        if len(holding):
            step.finding("fixed", *people.finding_fixed(holding, currency))
        _listed(step, "fixed", judged.fixed, people.lock_headings(), {"before": "money", "amount": "money"})
    return shown


def _listed(step: Any, name: str, rows: pd.DataFrame, headings: dict[str, str], formats: dict[str, str]) -> Any:
    whole = bool((rows["from"].dt.is_month_start & rows["to"].dt.is_month_end).all())
    days = dict.fromkeys(["from", "to"], "month" if whole else "date")
    rows = rows.assign(status=rows["status"].map(people.status_text), place=rows["place"].map(sentences.label))
    return step.tabulate(name, rows, headings=headings, formats=days | formats)


def show_changes(step: Any, look: Outlook, found: Changes | None) -> Any:
    """What changed since the last snapshot and why, as a bridge and by node."""
    if look.refused:
        return None
    currency = look.history.currency
    if found is None:
        return step.finding("changes", *people.finding_first())
    total, parts = found.total, found.parts
    shown = step.finding("changes", *people.finding_changes(total, found.then, currency))
    if parts:
        names = {part: people.change_part(part) for part in parts}
        alt = people.alt_changes(list(names.values()), [total[part] for part in parts], currency)
        frame = changes.bridge(found)
        frame["label"] = frame["label"].map(names | people.change_labels())
        shown = step.chart("changes", charts.targets.bridge, frame, alt=alt, currency=currency)
    table = found.table.reindex(found.table["change"].abs().sort_values(ascending=False, kind="stable").index)
    table = table.assign(level=table["level"].map(sentences.level_name)).reset_index(drop=True)
    table = table[["unique_id", "level", "then", "now", "change", *parts, "surprise"]]
    formats = dict.fromkeys(["then", "now", "change", *parts, "surprise"], "money")
    headings = people.change_headings()
    step.tabulate("changes_table", table, headings={name: headings[name] for name in table}, formats=formats,
                  details=True)  # fmt: skip
    return shown


def keep(step: Any, look: Outlook, judged: Judged | None, replayed: accuracy.Replayed) -> Any:
    """Hands the joint forecast and its replayed rounds to later notebooks, and keeps a snapshot in forecasts/ for the
    accuracy of later rounds.

    What is handed on is the statistical forecast with the figures management fixed; targets count adjustments at
    what such adjustments were worth. A forecast made with hindsight is not kept, which the page says.
    """
    if look.refused:
        return None
    if look.history.hindsight:
        step.finding("not_kept", *people.not_kept(snapshots.as_of_day(look.history)))
    elif step.parameters.keep:
        inputs = {"sales": files.sha256_frame(look.history.whole), "adjustments": files.sha256_frame(judged.listed)}
        inputs["locks"] = files.sha256_frame(judged.fixed)
        snapshots.keep(step.root, judged, look.history, year=look.year, inputs=inputs, seed=step.seed)
    step.save("replayed", replayed)
    return step.save("joint", judged.held)
