"""Pages of a run: one a notebook, and the run's own `index.html` that tells the story in the order of its steps.

Pages are made from what lies in the run folder (`record`), never from memory, so they can be made again at any time
and come out of a run that died as well. What a page shows, in this order: the answer, its key numbers, findings beside
their evidence, what cannot be told, what was left out, the facts of the run.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from markupsafe import Markup

from planning import language
from planning.language import _
from planning.reports import notebook_page, record, site, tables, words
from planning.reports.record import Run, Step

MOST_NUMBERS, MOST_INPUTS = 4, 4
MOST_BYTES = 250_000
_UNIT = re.compile(r"^(.*?\d)((?:\u202f|\u00a0)?(?:%|bn|m|k)|[\u4e00-\u9fff]+)$")
_HEIGHT = re.compile(r'viewBox="0 0 [\d.]+ ([\d.]+)"')
LOW_CHART = 310  # a narrow drawing up to this height stands beside its sentence on paper
_LONG = 12


def render_step(run_folder: str | Path, notebook: str) -> Path:
    """Writes `<notebook>.html` into a run folder from the notebook's results and returns its path.

    A step that failed, or left nothing, gets a page that says so with its cause and the way out.
    """
    run = record.read_run(run_folder)
    step = next((s for s in run.steps if s.notebook == notebook), None)
    return _write_step(run, step or Step(notebook, {}, {}, run.folder / "results" / notebook))


def _write_step(run: Run, step: Step) -> Path:
    with language.use(_language(run, step)):
        notebook_page.write(run, step)
        # A page of many long tables shows fewer rows of each, until it is small enough to be mailed.
        sections = _sections(run, step)
        for cells in (tables.MOST_CELLS, tables.MOST_CELLS // 3, tables.MOST_CELLS // 9):
            text = _step_page(run, step, _shorter(sections, cells))
            if len(text.encode()) <= MOST_BYTES:
                break
        return site.write(run.folder / f"{step.notebook}.html", text)


def render_run(run_folder: str | Path) -> Path:
    """Writes the page of every step and the run's own `index.html`, and returns the path of the latter."""
    run = record.read_run(run_folder)
    for step in run.steps:
        _write_step(run, step)
    with language.use(_language(run, run.teller)):
        return site.write(run.folder / "index.html", _run_page(run))


def _language(run: Run, step: Step | None) -> str:
    wanted = (step.language if step else "") or run.language
    return wanted if wanted in language.LANGUAGES else "en"


# ---------------------------------------------------------------------------------------------- a notebook's page


def _step_page(run: Run, step: Step, sections: list[dict[str, Any]]) -> str:
    manifest = step.manifest
    headline = manifest.get("answer") if not step.failed else ""
    return site.render(
        "step.html.j2", f"{step.title}: {headline}" if headline else step.title,
        company=company_of(run, step), name=step.title, data_to=site.mast_date(as_of(run, step)), shape=step.shape,
        state=words.state(step.status), headline=_unbroken(headline or words.broken(step)),
        lede=manifest.get("lede", "") if headline else words.kept(run), reuse=words.reuse(step),
        what_if=words.what_if(run), replaced=words.replaced([step]),
        causes=words.causes(step), numbers=key_numbers(manifest) if headline else [],
        sections=sections,
        cannot_tell=manifest.get("cannot_tell", []), left_out=_left_out(manifest.get("left_out", [])),
        left_out_of=manifest.get("left_out_of", ""),
        downloads=_downloads(step), facts=_facts(run, step), inputs=_folded(run, step), code=_code(run, step.notebook),
        notebook_file=_existing(run, f"{step.notebook}.notebook.html"),
        log_file=_existing(run, f"logs/{step.notebook}.log", "logs/run.log"),
    )  # fmt: skip


def _sections(run: Run, step: Step) -> list[dict[str, Any]]:
    currency = currency_of(run, step)
    return [_section(step, section, currency) for section in step.manifest.get("sections", [])]


def _section(step: Step, section: dict[str, Any], currency: str) -> dict[str, Any]:
    items = [_item(step, item, currency) for item in section.get("items", [])]
    why = [line for line in str(section.get("why", "")).split("\n") if line.strip()]
    return {"finding": _unbroken(section.get("finding", "")), "why": why, "items": [item for item in items if item]}


def _unbroken(text: str) -> str:
    """Returns a heading in which no line ends between a sign and its currency (browsers break "+€1 m" there)."""
    return re.sub(r"(?<=[+−])(?=[€$£¥])", "\u2060", text)


def _shorter(sections: list[dict[str, Any]], cells: int) -> list[dict[str, Any]]:
    """Returns the sections with at most `cells` cells of each table."""

    def cut(item: dict[str, Any]) -> dict[str, Any]:
        return item | {"table": item["table"].shorter(cells)} if item["kind"] == "table" else item

    return [section | {"items": [cut(item) for item in section["items"]]} for section in sections]


def _item(step: Step, item: dict[str, str], currency: str) -> dict[str, Any] | None:
    kind, name = item.get("kind"), item.get("name", "")
    if kind == "chart" and name in step.manifest.get("charts", {}):
        return chart_of(step, name)
    if kind == "table" and name in step.manifest.get("tables", {}):
        entry = step.manifest["tables"][name]
        shown = tables.view(step.folder, name, entry, currency, f"results/{step.notebook}/")
        return {"kind": "heat" if isinstance(shown, tables.HeatMap) else "table", "table": shown, "id": f"t-{name}"}
    if kind == "text":
        text = step.manifest.get("sentences", {}).get(name) or item.get("text", "")
        return {"kind": "text", "text": text} if text else None
    return None


def chart_of(step: Step, name: str) -> dict[str, Any] | None:
    """Returns a chart's two drawings, marked for the style sheet; None where a file is gone."""
    entry = step.manifest["charts"][name]
    drawings = {}
    for size, shown in (("wide", "on-page"), ("narrow", "on-phone")):
        path = step.folder / str(entry.get(size, ""))
        if not path.is_file():
            return None
        text = path.read_text(encoding="utf-8")
        # The drawing was made by charts.save, whose texts are escaped; anything else is not put into a page.
        if not text.startswith("<svg ") or "<script" in text.lower():
            return None
        drawings[size] = Markup(text.replace("<svg ", f'<svg class="{shown}" ', 1))
    box = _HEIGHT.search(drawings["narrow"])
    low = bool(box) and float(box[1]) <= LOW_CHART
    return {"kind": "chart", "title": entry.get("title", ""), "low": low, **drawings}


def key_numbers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Returns the first four key numbers, the leading one among them, with figure and unit apart."""
    numbers = [n for n in manifest.get("numbers", []) if n.get("text")]
    shown = numbers[:MOST_NUMBERS]
    leading = [n for n in numbers if n.get("lead")]
    if leading and leading[0] not in shown:
        shown = [*shown[: MOST_NUMBERS - 1], leading[0]]
    return [_number(n) for n in shown]


def _number(number: dict[str, Any]) -> dict[str, Any]:
    text, chance = str(number["text"]), number.get("chance")
    split = _UNIT.match(text)
    figure, unit = (split[1], split[2]) if split else (text, "")
    known = isinstance(chance, int | float) and 0 <= chance <= 1
    return {
        "label": number.get("label", ""), "figure": figure, "unit": unit, "text": text,
        "long": len(text) > _LONG and not split, "lead": bool(number.get("lead")), "note": number.get("note", ""),
        "chance": chance if known else None,
        "width": f"{100 * chance:.1f}" if known else "0",
        # A number that is the chance itself says it once.
        "chance_words": _("{p} chance").format(p=language.chance(chance))
        if known and language.chance(chance) != text else "",
    }  # fmt: skip


def _left_out(lines: list[dict[str, Any]]) -> tables.Table | None:
    if not lines:
        return None
    frame = {name: [line.get(name) for line in lines] for name in ("reason", "rows", "share", "done")}
    heads = {
        "reason": (_("Reason"), "text"), "rows": (_("Rows"), "integer"), "share": (_("Share"), "percent"),
        "done": (_("What was done"), "text"),
    }  # fmt: skip
    specs = [{"name": name, "label": label, "format": kind} for name, (label, kind) in heads.items()]
    return tables.table(frame, "left_out", {"columns": specs})


def _downloads(step: Step) -> list[dict[str, str]]:
    base = f"results/{step.notebook}/"
    files = step.manifest.get("files", {}).items()
    return [{"name": name, "href": base + path} for name, path in files if isinstance(path, str)]


def _existing(run: Run, *names: str) -> str:
    return next((name for name in names if (run.folder / name).is_file()), "")


def _code(run: Run, notebook: str) -> list[str]:
    """Returns the code cells of the executed notebook, the one papermill injects included, as they ran."""
    cells = notebook_page.read_cells(run.folder / f"{notebook}.ipynb")
    sources = [notebook_page.source_of(cell) for cell in cells if cell.get("cell_type") == "code"]
    return [source for source in sources if source]


# ---------------------------------------------------------------------------------------------- the run's page


def _run_page(run: Run) -> str:
    teller = run.teller
    manifest = teller.manifest if teller else {}
    headline, lede = manifest.get("answer", ""), manifest.get("lede", "")
    if run.failed or not headline:
        headline, lede = words.stopped(run), words.kept(run)
    causes = run.causes or ([words.explained(run.status)] if run.failed else [])
    lines = [line for step in run.steps for line in step.manifest.get("cannot_tell", [])]
    return site.render(
        "run.html.j2", f"{flow_title(run)}: {headline}", company=company_of(run, teller), name=flow_title(run),
        data_to=site.mast_date(as_of(run, teller)), shape=run.shape, state=words.state(run.status), headline=headline,
        lede=lede, what_if=words.what_if(run), replaced=words.replaced(run.steps), causes=causes,
        numbers=[] if run.failed else key_numbers(manifest),
        steps=[_chapter(step, told=step is teller and not run.failed) for step in run.steps],
        changes=next((path.name for path in sorted(run.folder.glob("diff-*.html"))), ""),
        cannot_tell=_distinct(lines), facts=_facts(run, None), inputs=_folded(run, None),
        log_file=_existing(run, "logs/run.log"),
    )  # fmt: skip


def flow_title(run: Run) -> str:
    """Returns what a run is called: its flow in words, or the title of its only notebook."""
    if len(run.steps) == 1:
        return run.steps[0].title
    return str(run.facts.get("title") or record.words_of(run.flow))


def _chapter(step: Step, *, told: bool) -> dict[str, Any]:
    """Returns a step as a chapter of the run's story: its answer, three numbers, and its first picture.

    The chapter whose answer is the page's headline (`told`) does not repeat it in figures.
    """
    items = [item for section in step.manifest.get("sections", []) for item in section.get("items", [])]
    charts = [item["name"] for item in items if item.get("kind") == "chart"]
    drawn = next((name for name in charts if name in step.manifest.get("charts", {})), None)
    failed = step.failed or not step.answered
    return {
        "title": step.title, "href": f"{step.notebook}.html", "shape": step.shape, "state": words.state(step.status),
        "reuse": words.reuse(step), "answer": words.broken(step) if failed else step.manifest["answer"],
        "lede": "" if failed or told else step.manifest.get("lede", ""), "causes": words.causes(step),
        "numbers": [] if failed or told else key_numbers(step.manifest)[:3],
        "chart": chart_of(step, drawn) if drawn and not (failed or told) else None,
    }  # fmt: skip


def _distinct(lines: list[dict[str, str]]) -> list[dict[str, str]]:
    seen: dict[str, dict[str, str]] = {}
    for line in lines:
        seen.setdefault(str(line.get("question")), line)
    return list(seen.values())


# ---------------------------------------------------------------------------------------------- facts


def company_of(run: Run, step: Step | None) -> str:
    """Returns the company's name as the run recorded it."""
    found = (step.manifest.get("company") if step else "") or run.facts.get("company") or ""
    return str(found.get("name", "")) if isinstance(found, dict) else str(found)


def currency_of(run: Run, step: Step | None) -> str:
    """Returns the company's currency as the run recorded it; empty where it did not."""
    company = run.facts.get("company")
    found = (step.manifest.get("currency") if step else "") or run.facts.get("currency")
    return str(found or (company.get("currency") if isinstance(company, dict) else "") or "")


def as_of(run: Run, step: Step | None) -> Any:
    """Returns the last day of data a page rests on: the manifest's, else the run's parameter."""
    stated = step.manifest.get("as_of") if step else None
    return stated or _parameters(run, step).get("as_of") or run.facts.get("as_of")


def _parameters(run: Run, step: Step | None) -> dict[str, Any]:
    given = run.facts.get("parameters") or {}
    own = (step.facts.get("parameters") if step else None) or {}
    nested = given.get(step.notebook) if step and isinstance(given.get(step.notebook), dict) else {}
    plain = {k: v for k, v in given.items() if not isinstance(v, dict)}
    return {**plain, **nested, **own}


def _facts(run: Run, step: Step | None) -> list[tuple[str, str, bool]]:
    """Returns the facts that close a page: (name, value, whether it is written as code)."""
    source = step.facts if step else run.facts
    seconds = source.get("seconds", source.get("duration"))
    rows = [
        (_("Run"), run.id, True), (_("Started"), words.moment(record.started(run.id)), False),
        (_("Duration"), words.duration(seconds if isinstance(seconds, int | float) else None), False),
        (_("Data to"), site.day_of(as_of(run, step)), False),
        (_("Seed"), str(source.get("seed") or run.facts.get("seed") or ""), False),
    ]  # fmt: skip
    inputs = _inputs(run, step)
    if len(inputs) <= MOST_INPUTS:
        rows += [(_("Input: {name}").format(name=name), value, True) for name, value in inputs]
    given = {k: v for k, v in _parameters(run, step).items() if v not in (None, "", [])}
    if given:
        rows.append((_("Parameters"), ", ".join(f"{k} = {v}" for k, v in given.items()), False))
    versions = run.facts.get("versions") or {}
    if versions:
        first = [k for k in ("planning", "python", "pandas", "numpy") if k in versions] or list(versions)[:4]
        rows.append((_("Versions"), ", ".join(f"{k} {versions[k]}" for k in first), False))
    rows.append((_("Started by"), words.trigger(run.facts.get("trigger")), False))
    return [row for row in rows if row[1]]


def _folded(run: Run, step: Step | None) -> list[tuple[str, str]]:
    """Returns the inputs where they are too many to stand among the facts."""
    inputs = _inputs(run, step)
    return inputs if len(inputs) > MOST_INPUTS else []


def _inputs(run: Run, step: Step | None) -> list[tuple[str, str]]:
    """Returns the inputs a page rests on with their hashes."""
    inputs = (step.facts.get("inputs") if step else None) or run.facts.get("inputs") or {}
    return [(name, _hash(value)) for name, value in sorted(inputs.items())]


def _hash(value: Any) -> str:
    found = (value.get("sha256") or value.get("hash") or "") if isinstance(value, dict) else str(value or "")
    if found == "absent":
        return _("not there")
    return f"sha256 {found.removeprefix('sha256:')[:12]}" if found else ""
