"""Two runs side by side, as a page: what was changed on the way in, and which numbers moved because of it.

The comparison itself is made by `planning.runs.diff.compare`; this module only shows it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from planning import language
from planning.language import _, ngettext
from planning.reports import pages, record, site, tables, words

KEY_NUMBERS = "(key numbers)"


def render_diff(folder: str | Path, found: Mapping[str, Any]) -> Path:
    """Writes the comparison `found` as `diff-<earlier run's end>.html` into the later run's folder; returns its path.

    found: `before` and `after` (run ids), `parameters`, `inputs`, `versions`, `steps` (name → (before, after)), and
    `numbers`, a frame with notebook, table, key, column, before, after, change, relative (a share of before).
    """
    folder = Path(folder)
    run = record.read_run(folder)
    with language.use(run.language if run.language in language.LANGUAGES else "en"):
        return site.write(folder / f"diff-{str(found['before'])[-6:]}.html", _page(run, found))


def _page(run: record.Run, found: Mapping[str, Any]) -> str:
    numbers = found["numbers"]
    key = numbers[numbers["table"] == KEY_NUMBERS]
    rest = numbers[numbers["table"] != KEY_NUMBERS]
    before, after = (words.moment(record.started(str(found[side]))) for side in ("before", "after"))
    causes = [
        (_("Parameters that differ"), _pairs("parameters", found["parameters"])),
        (_("Inputs that differ"), _pairs("inputs", found["inputs"])),
        (_("Versions that differ"), _pairs("versions", found["versions"])),
        (_("States that differ"), _pairs("states", found["steps"])),
    ]
    labels = {f"{s.notebook}.{n['name']}": n.get("label", "") for s in run.steps for n in s.manifest.get("numbers", [])}
    titles = {step.notebook: step.title for step in run.steps}
    return site.render(
        "diff.html.j2", _headline(numbers, key, labels), headline=_headline(numbers, key, labels),
        lede=_("{before} against {after}").format(before=before, after=after),
        company=pages.company_of(run, run.teller),
        name=_("Two runs compared"), before=str(found["before"]), after=str(found["after"]),
        causes=[(title, table) for title, table in causes if table], key=_key_table(key, labels, titles),
        rest=_rest_table(rest, titles), flow=run.flow,
    )  # fmt: skip


def _headline(numbers: pd.DataFrame, key: pd.DataFrame, labels: Mapping[str, str]) -> str:
    if numbers.empty:
        return _("The two runs give the same numbers")
    if key.empty:
        n = len(numbers)
        return ngettext(
            "No key number moved; {n} figure in the tables did", "No key number moved; {n} figures in the tables did", n
        ).format(n=language.number(n))
    row = key.iloc[0]
    name = labels.get(f"{row['notebook']}.{row['column']}") or str(row["column"])
    moved = ngettext("{n} key number moved", "{n} key numbers moved", len(key)).format(n=language.number(len(key)))
    if pd.isna(row["relative"]):
        return _("{moved}, {name} among them").format(moved=moved, name=name)
    change = language.signed(float(row["relative"]), 1, lambda x: language.percent(x, 1))
    return _("{moved}, most of all {name}: {change}").format(moved=moved, name=name, change=change)


def _pairs(name: str, changes: Mapping[str, Any]) -> tables.Table | None:
    if not changes:
        return None
    rows = [{"name": key, "before": _plain(pair[0]), "after": _plain(pair[1])} for key, pair in changes.items()]
    specs = [("name", _("Name")), ("before", _("Before")), ("after", _("After"))]
    return tables.table(pd.DataFrame(rows), name, {"columns": [{"name": n, "label": w} for n, w in specs]})


def _plain(value: Any) -> str:
    return _("not there") if value is None else str(value)


def _columns(first: list[tuple[str, str]]) -> list[dict[str, str]]:
    figures = [("before", _("Before")), ("after", _("After")), ("change", _("Change"))]
    specs = [{"name": name, "label": label, "format": "text"} for name, label in first]
    specs += [{"name": name, "label": label, "format": "significant"} for name, label in figures]
    return [*specs, {"name": "relative", "label": _("Relative"), "format": "percent"}]


def _key_table(key: pd.DataFrame, labels: Mapping[str, str], titles: Mapping[str, str]) -> tables.Table | None:
    if key.empty:
        return None
    names = [labels.get(f"{n}.{c}") or c for n, c in zip(key["notebook"], key["column"], strict=True)]
    frame = key.assign(number=names, step=key["notebook"].map(lambda n: titles.get(n, n)))
    columns = _columns([("number", _("Key number")), ("step", _("Step"))])
    # The key numbers are what the page is about: however many, they are not folded.
    return dataclasses.replace(tables.table(frame, "key_numbers", {"columns": columns}), folded=False)


def _rest_table(rest: pd.DataFrame, titles: Mapping[str, str]) -> tables.Table | None:
    if rest.empty:
        return None
    frame = rest.assign(where=rest["notebook"].map(lambda n: titles.get(n, n)) + ": " + rest["table"])
    first = [("where", _("Table")), ("key", _("Row")), ("column", _("Column"))]
    title = _("Figures in tables, the biggest changes first")
    return tables.table(frame, "figures", {"columns": _columns(first), "title": title})
