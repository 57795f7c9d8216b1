"""The page of the practice library: which practices go with winning, who is surely good, and what to try next."""

from __future__ import annotations

from typing import Any

import pandas as pd

from planning import charts
from planning.deals import habits, vocabulary
from planning.deals import library_sentences as sentences

SOURCE = "deal_postmortem"
SHOWN = 12
RATES = dict.fromkeys(("win_rate", "lo90", "hi90", "expected_rate"), "percent")
POINTS = dict.fromkeys(("points", "points_lo", "points_hi", "beyond_less", "beyond_more", "seen_from"), "number")


def show_library(step: Any) -> None:
    """The whole page from the tables of the latest post-mortem, or why there is no library yet."""
    step.title(sentences.title())
    before = step.manifest(SOURCE)
    if before is not None and not (step.has(SOURCE, "practices") and step.has(SOURCE, "performers")):
        step.refuse(*sentences.refusal(before["answer"] if before["state"] == "cannot_tell" else ""))
        return
    people = step.result(SOURCE, "performers")
    thirds = step.result(SOURCE, "practice_thirds")
    as_of = pd.Timestamp(step.result(SOURCE, "summary")["as_of"].iloc[0])
    library = habits.library(step.result(SOURCE, "practices"), thirds, as_of)
    step.answer(sentences.headline(library), sentences.lede(library, people))
    for arguments in sentences.key_numbers(library, people):
        step.number(arguments.pop("name"), arguments.pop("value"), **arguments)
    _show_practices(step, library)
    _show_thirds(step, library, thirds)
    _show_people(step, people)
    for question, answer in sentences.cannot_tell(library):
        step.cannot_tell(question, answer)


def _show_practices(step: Any, library: pd.DataFrame) -> None:
    words = sentences.labels()
    step.finding("practices", *sentences.practices_finding(library))
    frame = pd.DataFrame({
        "label": [vocabulary.practice_name(name) for name in library["practice"]], "value": library["points"],
        "lo": library["points_lo"], "hi": library["points_hi"],
        "role": ["aux" if code == "collect" else "plan" for code in library["next_step"]],
    })  # fmt: skip
    step.chart(
        "practices_chart", charts.intervals, frame, alt=sentences.practices_alt(library),
        title=words["chart_practices"], heading=words["step"], interval_heading=words["interval"], reference=0.0,
        reference_name=words["none"], low=min(float(frame["lo"].min()), 0.0) - 0.08 * float(frame["hi"].max()),
    )  # fmt: skip
    step.finding("library", *sentences.library_finding(library))
    _table(step, "library", library.drop(columns=["verdict", "seen_from"]), POINTS | {"check_on": "date"})
    _table(step, "limits", library[["practice", "verdict", "seen_from"]], POINTS, details=True, title="title_limits")


def _show_thirds(step: Any, library: pd.DataFrame, thirds: pd.DataFrame) -> None:
    """The clearest practice as a picture; all of them as a table."""
    words = sentences.labels()
    good = library[library["next_step"] == "spread"]
    if len(good):
        part = thirds[thirds["practice"] == good["practice"].iloc[0]]
        step.finding("thirds", *sentences.thirds_finding(part))
        frame = part.rename(columns={"win_rate": "observed", "expected_rate": "predicted"})
        frame = frame.assign(label=[sentences.third_name(r.third, r.typical) for r in part.itertuples()])
        step.chart(
            "thirds_chart", charts.deals.calibration, frame[["label", "predicted", "observed", "lo90", "hi90"]],
            alt=sentences.thirds_alt(part), title=vocabulary.practice_name(good["practice"].iloc[0]),
            words={"observed": words["won"], "predicted": words["expected"]},
            low=max(float(part["lo90"].min()) - 0.1, 0.0), high=min(float(part["hi90"].max()) + 0.1, 1.0),
        )  # fmt: skip
    _table(step, "thirds", thirds, RATES | {"typical": "significant", "deals": "integer", "wins": "integer"},
           details=True, title="title_thirds")  # fmt: skip


def _show_people(step: Any, people: pd.DataFrame) -> None:
    words = sentences.labels()
    step.finding("people", *sentences.people_finding(people))
    shown = people.sort_values("p_top", ascending=False, kind="stable").head(SHOWN)
    frame = pd.DataFrame({
        "label": shown["person"], "value": shown["p_top"],
        "role": ["plan" if verdict == "top" else "now" for verdict in shown["verdict"]],
        "note": [vocabulary.verdict(verdict) for verdict in shown["verdict"]],
    })  # fmt: skip
    step.chart("people_chart", charts.bars, frame, alt=sentences.people_alt(shown), title=words["chart_people"],
               kind="percent", heading=words["chance"])  # fmt: skip
    counts = people.groupby("verdict", sort=False).size().rename("people").reset_index()
    _table(step, "verdicts", counts, {"people": "integer"})
    columns = ["person", "deals", "wins", "expected_wins", "p_top", "verdict"]
    formats = {"deals": "integer", "wins": "integer", "expected_wins": "integer", "p_top": "probability"}
    _table(step, "people", people[columns], formats, details=True, title="title_people")


def _table(
    step: Any, name: str, frame: pd.DataFrame, formats: dict[str, str], *, details: bool = False, title: str = ""
) -> None:
    headings = sentences.labels()
    words = vocabulary.words_of_codes() | {"next_step": sentences.next_step}
    step.tabulate(
        name, frame.reset_index(drop=True), title=headings.get(title, ""),
        headings={c: headings[c] for c in frame if c in headings},
        formats={c: kind for c, kind in formats.items() if c in frame}, details=details,
        words={c: {code: say(code) for code in frame[c].unique()} for c, say in words.items() if c in frame},
    )  # fmt: skip
