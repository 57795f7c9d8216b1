"""The gallery `reports/index.html`: every run, failed first, sifted and searched; and the trends of key numbers.

The newest runs stand on the page in full; older ones lie in it as data, found by the page's own search, so that one
file without a server answers "the run of 3 November, North, the one that failed".
"""

from __future__ import annotations

import bisect
import json
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from markupsafe import Markup

from planning import language
from planning.language import _, ngettext
from planning.reports import record, shelf, site, spark, words
from planning.reports.shelf import Entry, Number

SHOWN = 60
MOST_FAILED = 40
LOOK_BACK = 12
TREND_POINTS, TREND_ROWS, MOST_TRENDS, MOST_FANS = 120, 12, 40, 12
_OTHERS = "\0"
History = dict[tuple[str, str, str], list[tuple[str, float]]]  # (flow, parameters, number) → [(run id, value), ...]


def update(reports: str | Path, *, tongue: str | None = None) -> Path:
    """Writes the gallery and the trends of flows that changed, and returns the gallery's path.

    `tongue` is the language of the page; that of the latest run otherwise. Runs that were read before are not read
    again (see `shelf`), so adding one run to thousands is quick.
    """
    reports = Path(reports)
    entries = shelf.read(reports)
    with language.use(tongue or _tongue(reports, entries)):
        flows = _trends(reports, entries)
        return site.write(reports / "index.html", _page(entries, flows, _fans(reports)))


def _tongue(reports: Path, entries: list[Entry]) -> str:
    for entry in entries[:1]:
        found = record.read_json(reports / entry.flow / entry.id / record.RUN_FILE).get("language")
        if found in language.LANGUAGES:
            return str(found)
    return "en"


def _fans(reports: Path) -> list[tuple[str, str]]:
    """Returns (link, words) of the latest index pages of runs made for each value of a parameter."""
    found = sorted(reports.glob("*/each-*.html"), key=lambda path: path.stem, reverse=True)[:MOST_FANS]
    when = [words.moment(record.started(path.stem.removeprefix("each-"))) for path in found]
    return [(f"{p.parent.name}/{p.name}", f"{record.words_of(p.parent.name)}, {at}") for p, at in zip(found, when)]


def _page(entries: list[Entry], trends: list[tuple[str, str]], fans: list[tuple[str, str]]) -> str:
    put_right = _put_right(entries)
    open_failures = [e for e in entries if e.failed and (e.flow, e.id) not in put_right]
    shown = {(e.flow, e.id) for e in [*open_failures[:MOST_FAILED], *entries[:SHOWN]]}
    history = _history(entries)
    groups: dict[str, list[dict[str, Any]]] = {"failed": [], "right": [], "unknown": [], "rest": []}
    for entry in entries:
        if (entry.flow, entry.id) in shown:
            group = "rest" if not entry.failed else "right" if (entry.flow, entry.id) in put_right else "failed"
            group = "unknown" if entry.status == "cannot_tell" else group
            groups[group].append(_row(entry, history))
    titles = {
        "failed": _("Needs a person"), "right": _("Failed, and a later run of the same kind succeeded"),
        "unknown": _("Could not answer"), "rest": _("Finished"),
    }  # fmt: skip
    older = [e for e in entries if (e.flow, e.id) not in shown]
    return site.render(
        "gallery.html.j2", _("Planning runs"), headline=_headline(entries, len(open_failures)),
        lede=_lede(entries), groups=[(titles[key], rows) for key, rows in groups.items() if rows],
        flows=[(flow, record.words_of(flow)) for flow in sorted({e.flow for e in entries})],
        states=sorted(((key, words.state(key)) for key in {e.status for e in entries}), key=lambda pair: pair[1]),
        older=Markup(_older(older)) if older else "", trends=trends,
        compared=" ".join(href.partition("/")[0] for href, _word in trends), updated=_updated(entries),
        shown=len(shown), fans=fans,
    )  # fmt: skip


def _put_right(entries: list[Entry]) -> set[tuple[str, str]]:
    """Returns the failed runs after which a run of the same flow and parameters went well."""
    done: set[tuple[str, str]] = set()
    found: set[tuple[str, str]] = set()
    for entry in entries:  # latest first
        kind = (entry.flow, entry.given)
        if not entry.failed:
            done.add(kind)
        elif kind in done:
            found.add((entry.flow, entry.id))
    return found


def _history(entries: list[Entry]) -> History:
    """Returns each key number over time, oldest first; runs of other parameters (another region) are another line."""
    found: History = defaultdict(list)
    for entry in reversed(entries):
        if entry.key and entry.key[3] is not None:
            found[entry.flow, entry.given, entry.key[0]].append((entry.id, entry.key[3]))
    return found


def _row(entry: Entry, history: History) -> dict[str, Any]:
    spark_line = Markup("")
    if entry.key:
        known = history.get((entry.flow, entry.given, entry.key[0]), [])
        before = [value for _run, value in known[: bisect.bisect_right(known, (entry.id, math.inf))][-LOOK_BACK:]]
        label = _("{label} over the last {n} runs").format(label=entry.key[1], n=len(before))
        spark_line = spark.sparkline(before, label)
    return {
        "href": f"{entry.flow}/{entry.id}/index.html", "state": entry.status, "shape": record.shape_of(entry.status),
        "word": words.state(entry.status), "flow": entry.flow, "day": entry.day, "title": entry.title,
        "line": entry.line or (words.explained(entry.status) if entry.failed else ""), "given": entry.given,
        "value": entry.key[2] if entry.key else "", "label": entry.key[1] if entry.key else "", "spark": spark_line,
        "when": words.moment(record.started(entry.id)), "took": words.duration(entry.seconds), "short": entry.id[-6:],
        "id": entry.id,
    }  # fmt: skip


def _headline(entries: list[Entry], failures: int) -> str:
    if not entries:
        return _("There is no run yet. Start one with: planning run annual_plan")
    if not failures:
        return _("No run needs a person")
    return ngettext("{n} run needs a person", "{n} runs need a person", failures).format(n=language.number(failures))


def _lede(entries: list[Entry]) -> str:
    flows = len({entry.flow for entry in entries})
    runs = ngettext("{n} run", "{n} runs", len(entries)).format(n=language.number(len(entries)))
    kinds = ngettext("{n} flow", "{n} flows", flows).format(n=language.number(flows))
    return _(
        "{runs} of {flows}. Failed runs come first, then those that could not answer, then the rest by date."
    ).format(runs=runs, flows=kinds)


def _updated(entries: list[Entry]) -> str:
    return _("Latest run {moment}").format(moment=words.moment(record.started(entries[0].id))) if entries else ""


def _older(entries: list[Entry]) -> str:
    """Returns older runs as data for the page's search: each kind (flow, state, parameters) once, a short row a run."""
    kinds: dict[tuple[str, str, str], int] = {}
    rows = []
    for entry in entries:
        kind = kinds.setdefault((entry.flow, entry.status, entry.given), len(kinds))
        text = entry.line[:100] if entry.failed else entry.key[2] if entry.key else ""
        rows.append([f"{entry.id[2:8]}{entry.id[9:15]}{entry.id[17:]}", kind, text])  # 20270108T061204Z-4be19c
    told = [
        [flow, record.words_of(flow), status, record.shape_of(status), words.state(status), given]
        for flow, status, given in kinds
    ]
    return _data({"kinds": told, "runs": rows})


def _data(data: dict[str, Any]) -> str:
    """Returns data as JSON for a page; "<" is written as an escape: no text can end the element it stands in."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


# ---------------------------------------------------------------------------------------------- trends


def _trends(reports: Path, entries: list[Entry]) -> list[tuple[str, str]]:
    """Writes `<flow>/trends.html` of each flow whose newest run is not on it yet; returns (link, flow in words)."""
    by_flow: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.key:
            by_flow[entry.flow].append(entry)
    links = []
    for flow, runs in sorted(by_flow.items()):
        if len(runs) < 2:
            continue
        path = reports / flow / "trends.html"
        mark = f"<!-- {len(runs)} {runs[0].id} {language.current()} {site.fingerprint()} -->"
        if not _ends_with(path, mark):
            latest = runs[TREND_POINTS - 1 :: -1] if len(runs) > TREND_POINTS else runs[::-1]
            numbers = shelf.numbers(reports, flow, [entry.id for entry in latest])
            data = _pairs(reports / flow, latest, numbers)
            given = {entry.id: entry.given for entry in latest}
            site.write(path, _trend_page(flow, len(runs), numbers, data, given) + mark)
        links.append((f"{flow}/trends.html", record.words_of(flow)))
    return links


def _ends_with(path: Path, mark: str) -> bool:
    try:
        with path.open("rb") as file:
            file.seek(-len(mark.encode()), 2)
            return file.read() == mark.encode()
    except OSError:
        return False


def _pairs(folder: Path, runs: list[Entry], numbers: dict[str, list[Number]]) -> str:
    """Returns what the page's script compares two runs from: the runs, and each number's values and texts by run."""
    at = {entry.id: i for i, entry in enumerate(runs)}
    rows = []
    for points in numbers.values():
        values: list[float | None] = [None] * len(runs)
        texts: list[str | None] = [None] * len(runs)
        for point in points:
            values[at[point.run_id]], texts[at[point.run_id]] = float(f"{point.value:.7g}"), point.text
        rows.append([points[-1].label, points[-1].step, values, texts])
    shown = [
        [e.id, words.moment(record.started(e.id)), e.given, [p.stem[-6:] for p in (folder / e.id).glob("diff-*.html")]]
        for e in runs
    ]
    return _data({"runs": shown, "numbers": rows})


def _trend_page(flow: str, runs: int, numbers: dict[str, list[Number]], data: str, given: dict[str, str]) -> str:
    """Returns the page of one flow's key numbers over its latest runs: one section a number that moved, and a list of
    those that did not; runs of the same parameters make a line, the most numerous ones come first, and those whose
    parameters no other run has make the last one.
    """
    headline = _("Key numbers of {flow} over {n} runs").format(flow=record.words_of(flow), n=language.number(runs))
    when = {run_id: words.moment(record.started(run_id)) for run_id in given}
    room, shown = MOST_TRENDS, []
    kinds = _kinds(numbers, given)
    for name, lines in kinds:
        kind = _kind(name, lines, when, room)
        room -= len(kind["moved"])
        shown.append(kind)
    alone = sum(kind not in dict(kinds) for kind in given.values()) if _OTHERS not in dict(kinds) else 0
    return site.render(
        "trends.html.j2", headline, headline=headline, name=record.words_of(flow), kinds=shown, data=Markup(data),
        latest=TREND_POINTS, alone=_alone(alone) if alone else "",
    )  # fmt: skip


def _alone(n: int) -> str:
    text = ngettext(
        "{n} run is left out: no other has its parameters.", "{n} runs are left out: no other has their parameters.", n
    )
    return text.format(n=language.number(n))


def _kinds(numbers: dict[str, list[Number]], given: dict[str, str]) -> list[tuple[str, list[list[Number]]]]:
    """Returns the lines of numbers by the parameters of their runs, those with most runs first."""
    often = Counter(given.values())
    found: dict[str, dict[str, list[Number]]] = defaultdict(lambda: defaultdict(list))
    for name, points in numbers.items():
        for point in points:
            kind = given[point.run_id]
            found[kind if often[kind] > 1 else _OTHERS][name].append(point)
    kinds = [(kind, [points for points in lines.values() if len(points) > 1]) for kind, lines in found.items()]
    kinds = [(kind, lines) for kind, lines in kinds if lines]
    return sorted(kinds, key=lambda kind: (kind[0] == _OTHERS, -max(map(len, kind[1])), kind[0]))


def _kind(given: str, lines: list[list[Number]], when: dict[str, str], room: int) -> dict[str, Any]:
    moved = [points for points in lines if len({point.value for point in points}) > 1]
    still = [points[-1] for points in lines if len({point.value for point in points}) == 1]
    n, runs = len(still), max(map(len, lines))
    over = ngettext("{n} run", "{n} runs", runs).format(n=language.number(runs))
    rest = ngettext("{n} key number did not move", "{n} key numbers did not move", n).format(n=language.number(n))
    plain = _("With the values of the settings")
    given = _("Each with parameters of its own") if given == _OTHERS else given
    return {
        "title": _("{given}, {runs}").format(given=given or plain, runs=over), "rest": rest,
        "moved": [_trend(points, when) for points in moved[:room]],
        "still": [{"label": point.label, "step": point.step, "text": point.text} for point in still],
    }  # fmt: skip


def _trend(points: list[Number], when: dict[str, str]) -> dict[str, Any]:
    first, last = points[0], points[-1]
    low, high = (choose(points, key=lambda point: point.value) for choose in (min, max))
    said = _("{label}: from {first} to {last}, lowest {low}, highest {high}").format(
        label=last.label, first=first.text, last=last.text, low=low.text, high=high.text
    )
    rows = [
        {"when": when[p.run_id], "href": f"{p.run_id}/index.html", "text": p.text, "value": p.value}
        for p in reversed(points[-TREND_ROWS:])
    ]  # fmt: skip
    return {
        "label": last.label, "step": last.step, "last": last.text, "before": points[-2].text, "low": low.text,
        "high": high.text, "from": when[first.run_id], "to": when[last.run_id], "rows": rows,
        "line": spark.trend([point.value for point in points], said),
    }  # fmt: skip
