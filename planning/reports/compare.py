"""Two runs side by side, as a page: what was changed on the way in, and which numbers moved because of it.

The comparison itself is made by `planning.runs.diff.compare`; this module only shows it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planning import language
from planning.language import _, ngettext
from planning.reports import pages, record, site, tables, words

KEY_NUMBERS = "(key numbers)"
Row = Mapping[str, Any]


def render_diff(folder: str | Path, found: Mapping[str, Any]) -> Path:
    """Writes the comparison `found` as `diff-<earlier run's end>.html` into the later run's folder; returns its path.

    found: `before` and `after` (run ids), `parameters`, `inputs`, `versions`, `steps` (name → (before, after)), and
    `numbers`, rows with notebook, table, key, column, before, after, change, relative (a share of before).
    """
    folder = Path(folder)
    run = record.read_run(folder)
    with language.use(run.language if run.language in language.LANGUAGES else "en"):
        return site.write(folder / f"diff-{str(found['before'])[-6:]}.html", _page(run, found))


def _page(run: record.Run, found: Mapping[str, Any]) -> str:
    numbers = found["numbers"]
    key = [row for row in numbers if row["table"] == KEY_NUMBERS]
    rest = [row for row in numbers if row["table"] != KEY_NUMBERS]
    moved = [row for row in rest if row["change"] is not None]
    alone = [row for row in rest if row["change"] is None]
    before, after = (words.moment(record.started(str(found[side]))) for side in ("before", "after"))
    causes = [
        (_("Parameters that differ"), _pairs("parameters", found["parameters"])),
        (_("Inputs that differ"), _pairs("inputs", found["inputs"])),
        (_("Versions that differ"), _pairs("versions", found["versions"])),
        (_("States that differ"), _pairs("states", found["steps"])),
    ]
    labels = {f"{s.notebook}.{n['name']}": n.get("label", "") for s in run.steps for n in s.manifest.get("numbers", [])}
    titles = {step.notebook: step.title for step in run.steps}
    earlier = record.read_run(run.folder.parent / str(found["before"]))
    headline = _headline(numbers, key, labels, _texts(earlier), _texts(run))
    return site.render(
        "diff.html.j2", headline, headline=headline,
        lede=_("{before} against {after}").format(before=before, after=after),
        company=pages.company_of(run, run.teller),
        name=_("Two runs compared"), before=str(found["before"]), after=str(found["after"]),
        causes=[(title, table) for title, table in causes if table], key=_key_table(key, labels, titles),
        most=_most(moved, titles), rest=_rest(moved, alone, titles), flow=run.flow,
    )  # fmt: skip


def _texts(run: record.Run) -> dict[str, str]:
    """Returns each key number of a run as its page writes it."""
    return {
        f"{step.notebook}.{n['name']}": str(n.get("text") or "")
        for step in run.steps
        for n in step.manifest.get("numbers", [])
    }


def _headline(
    numbers: list[Row], key: list[Row], labels: Mapping[str, str], old: Mapping[str, str], new: Mapping[str, str]
) -> str:
    if not numbers:
        return _("The two runs give the same numbers")
    if not key:
        n = len(numbers)
        return ngettext(
            "No key number moved; {n} figure in the tables did", "No key number moved; {n} figures in the tables did", n
        ).format(n=language.number(n))
    row = key[0]
    name = labels.get(f"{row['notebook']}.{row['column']}") or str(row["column"])
    moved = ngettext("{n} key number moved", "{n} key numbers moved", len(key)).format(n=language.number(len(key)))
    where = f"{row['notebook']}.{row['column']}"
    if row["relative"] is None:
        return _("{moved}, {name} among them").format(moved=moved, name=name)
    if old.get(where) and new.get(where) and old[where] != new[where]:  # a chance moves by points, not by a share
        return _("{moved}, most of all {name}: from {before} to {after}").format(
            moved=moved, name=name, before=old[where], after=new[where]
        )
    change = language.signed(float(row["relative"]), 1, lambda x: language.percent(x, 1))
    return _("{moved}, most of all {name}: {change}").format(moved=moved, name=name, change=change)


def _pairs(name: str, changes: Mapping[str, Any]) -> tables.Table | None:
    if not changes:
        return None
    rows = [{"name": key, "before": _plain(pair[0]), "after": _plain(pair[1])} for key, pair in changes.items()]
    specs = [("name", _("Name")), ("before", _("Before")), ("after", _("After"))]
    return tables.table(_lists(rows), name, {"columns": [{"name": n, "label": w} for n, w in specs]})


def _plain(value: Any) -> str:
    return _("not there") if value is None else str(value)


def _columns(first: list[tuple[str, str]]) -> list[dict[str, str]]:
    figures = [("before", _("Before")), ("after", _("After")), ("change", _("Change"))]
    specs = [{"name": name, "label": label, "format": "text"} for name, label in first]
    specs += [{"name": name, "label": label, "format": "significant"} for name, label in figures]
    return [*specs, {"name": "relative", "label": _("Relative"), "format": "percent"}]


def _key_table(key: list[Row], labels: Mapping[str, str], titles: Mapping[str, str]) -> tables.Table | None:
    if not key:
        return None
    rows = [
        {
            **row,
            "number": labels.get(f"{row['notebook']}.{row['column']}") or row["column"],
            "step": titles.get(row["notebook"], row["notebook"]),
        }
        for row in key
    ]  # fmt: skip
    columns = _columns([("number", _("Key number")), ("step", _("Step"))])
    # The key numbers are what the page is about: however many, they are not folded.
    return dataclasses.replace(tables.table(_lists(rows), "key_numbers", {"columns": columns}), folded=False)


def _most(moved: list[Row], titles: Mapping[str, str]) -> tables.Table | None:
    """Returns the figures that moved most, open on the page."""
    return _figures("most", "", moved[: tables.OPEN_ROWS], titles) if moved else None


def _rest(moved: list[Row], alone: list[Row], titles: Mapping[str, str]) -> list[tables.Table]:
    """Returns what is folded: all figures that moved where they are many, and those without a before or an after."""
    parts = [
        ("figures", _("All figures that moved"), moved if len(moved) > tables.OPEN_ROWS else []),
        ("alone", _("Rows that are in one run only"), alone),
    ]
    shown = [_figures(name, title, rows, titles) for name, title, rows in parts if rows]
    return [dataclasses.replace(table, folded=True) for table in shown]


def _figures(name: str, title: str, rows: list[Row], titles: Mapping[str, str]) -> tables.Table:
    rows = [{**row, "where": f"{titles.get(row['notebook'], row['notebook'])}: {row['table']}"} for row in rows]
    first = [("where", _("Table")), ("key", _("Row")), ("column", _("Column"))]
    return tables.table(_lists(rows), name, {"columns": _columns(first), "title": title})


def _lists(rows: list[Row]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}
