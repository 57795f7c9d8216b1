"""The page of forecast accuracy: were we right, did people help, where does it cost most.

Each function takes the step and what `planning.forecast.past.gather` found, and emits one section. With no round to
judge the page says that it cannot tell yet.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from planning import charts, language
from planning.forecast import accuracy
from planning.forecast import accuracy_sentences as sentences
from planning.forecast.past import Past
from planning.forecast.sentences import accuracy_headings, growth_text, level_name, wape_note

FORMATS = {
    "round": "date", "n": "integer", "lag": "integer", "actual": "money", "bias": "money", "error": "money",
    "mase": "ratio", "signal": "ratio", "limit": "ratio", "wape": "percent", "bias_share": "percent",
    "coverage_80": "percent", "coverage_95": "percent", "wape_naive": "percent", "share": "percent", "fva": "percent",
    "lo": "percent", "hi": "percent",
}  # fmt: skip


def show_answer(step: Any, past: Past) -> Any:
    """The headline, the lede and the key numbers; or that nothing can be judged yet."""
    step.title(sentences.accuracy_title())
    if past.rows.empty:
        return step.refuse(*sentences.no_accuracy())
    cells, total = past.measures(past.bottom), past.measures("total")
    labels = sentences.accuracy_labels()
    step.number(
        "wape", cells["wape"], label=labels["wape"], text=language.percent(cells["wape"], 1),
        note=wape_note(cells), lead=True,
    )  # fmt: skip
    step.number(
        "bias", total["bias_share"], label=labels["bias"], text=growth_text(total["bias_share"]),
        note=sentences.bias_note(total["bias_share"]),
    )  # fmt: skip
    step.number(
        "coverage_80", cells["coverage_80"], label=labels["coverage"], text=language.percent(cells["coverage_80"]),
    )  # fmt: skip
    people = past.added[past.added["step"] == "adjusted"].iloc[0]
    step.number(
        "fva_adjusted", people["fva"], label=labels["fva"], text=sentences.points(people["fva"]),
        note=sentences.value_added(people),
    )  # fmt: skip
    rounds = past.rows["round"].nunique()
    return step.answer(
        sentences.accuracy_answer(cells, rounds), sentences.accuracy_lede(past.added, past.kept, past.replayed)
    )


def _table(step: Any, name: str, frame: pd.DataFrame, details: bool = False) -> Any:
    headings = {column: words for column, words in accuracy_headings().items() if column in frame}
    formats = {column: how for column, how in FORMATS.items() if column in frame}
    return step.tabulate(name, frame, headings=headings, formats=formats, details=details)


def show_value_added(step: Any, past: Past) -> Any:
    """What each step of the forecast added: naive, statistical, adjusted."""
    if past.rows.empty:
        return None
    step.finding("value_added", *sentences.finding_value_added(past.added))
    rows = past.added[past.added["fva"].notna()]
    frame = pd.DataFrame({"label": rows["step"].map(sentences.step_name), "value": rows["fva"], "lo": rows["lo"],
                          "hi": rows["hi"], "text": rows.apply(sentences.points_interval, axis=1)})  # fmt: skip
    step.chart(
        "value_added", charts.intervals, frame, alt=sentences.alt_value_added(past.added), kind="percent",
        reference=0.0, reference_name=sentences.no_value(),
    )  # fmt: skip
    told = [_yes(told) if step != accuracy.STEPS[0] else "" for step, told in past.added[["step", "told"]].to_numpy()]
    added = past.added.assign(step=past.added["step"].map(sentences.step_name), told=told)
    return _table(step, "value_added", added)


def _yes(told: bool) -> str:
    return sentences.yes() if told else sentences.no()


def show_lags(step: Any, past: Past) -> Any:
    """The error by months ahead, of cells, beside repeating the year before."""
    if past.rows.empty:
        return None
    by_lag = accuracy.measures(past.rows[past.rows["level"] == past.bottom], ["lag"])
    step.finding("lags", *sentences.finding_lags(by_lag))
    names = sentences.series_names()
    lines = pd.concat([
        pd.DataFrame({"x": by_lag["lag"], "y": by_lag["wape"], "series": names["statistical"], "role": "plan"}),
        pd.DataFrame({"x": by_lag["lag"], "y": by_lag["wape_naive"], "series": names["naive"], "role": "now"}),
    ])  # fmt: skip
    if len(by_lag) > 1:
        step.chart(
            "lags", charts.lines, lines, alt=sentences.alt_lags(by_lag), kind="percent", zero=True,
            x_name=sentences.months_ahead(),
        )  # fmt: skip
    return _table(step, "by_lag", by_lag, details=len(by_lag) > 1)


def show_levels(step: Any, past: Past) -> Any:
    """Error and interval coverage of each level, and round by round."""
    if past.rows.empty:
        return None
    judged = accuracy.by_level(past.rows, past.levels)
    step.finding("levels", *sentences.finding_levels(judged))
    shown = _table(step, "by_level", judged.assign(level=judged["level"].map(level_name)))
    by_round = accuracy.measures(past.rows[past.rows["level"] == past.bottom], ["round"])
    _table(step, "by_round", by_round, details=True)
    return shown


def show_worst(step: Any, past: Past) -> Any:
    """The cells whose errors cost most."""
    if past.rows.empty:
        return None
    worst = accuracy.worst(past.rows, level=past.bottom)
    step.finding("worst", *sentences.finding_worst(worst))
    return _table(
        step, "worst", worst[["unique_id", "n", "actual", "error", "share", "wape", "bias_share", "coverage_80"]]
    )


def show_alarms(step: Any, past: Past) -> Any:
    """The cells that lean steadily to one side."""
    if past.rows.empty:
        return None
    alarms = accuracy.alarms(past.rows, level=past.bottom)
    cells = past.rows.loc[past.rows["level"] == past.bottom, "unique_id"].nunique()
    step.finding("alarms", *sentences.finding_alarms(alarms, cells))
    if alarms.empty:
        return None
    return _table(step, "alarms", alarms.assign(direction=alarms["direction"].map(sentences.direction)))


def show_kept(step: Any, past: Past) -> Any:
    """The forecasts kept so far, with how many of their months are over."""
    met = int((past.snapshots["met"] > 0).sum()) if len(past.snapshots) else 0
    step.finding("kept", *sentences.finding_snapshots(len(past.snapshots), met))
    if past.snapshots.empty:
        return None
    listed = past.snapshots.assign(year=past.snapshots["year"].map(lambda year: f"{year:.0f}" if year else ""))
    return step.tabulate(
        "kept", listed, headings=sentences.snapshot_headings(), formats={"as_of": "date"},
        details=len(past.snapshots) > 12,
    )  # fmt: skip
