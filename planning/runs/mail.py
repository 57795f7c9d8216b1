"""A run as a mail: the answer, its key numbers, the key table and the first chart in the body, the page attached.

The body is plain HTML without script, style sheet or SVG, since mail readers drop them; charts are PNG by `cid:`.
"""

from __future__ import annotations

import html
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any

from planning import language
from planning.language import _
from planning.reports import pages, record, tables, words
from planning.runs import emit

_TABLE_ROWS = 12
_CELL = 'style="padding:4px 12px 4px 0;border-bottom:1px solid #d3d9e0;text-align:{side}"'


def compose(
    folder: str | Path, *, sender: str, recipients: list[str], reasons: list[str] | None = None
) -> EmailMessage:
    """Returns the mail of a run folder; `reasons` says why it is sent (an alarm), one line each, above the answer."""
    run = record.read_run(folder)
    tongue = run.language if run.language in language.LANGUAGES else "en"
    with language.use(tongue):
        message = EmailMessage()
        message["Subject"] = subject(run)
        message["From"], message["To"] = sender, ", ".join(recipients)
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="planning.local")
        message.set_content(_text(run, reasons or []))
        pictures = _pictures(run)
        message.add_alternative(_html(run, reasons or [], pictures), subtype="html")
        body = message.get_payload()[-1]
        for cid, _alt, path in pictures:
            body.add_related(
                path.read_bytes(), "image", "png", cid=f"<{cid}>", filename=path.name, disposition="inline"
            )
        page = _page(run)
        if page is not None:
            message.add_attachment(page.read_bytes(), maintype="text", subtype="html", filename=page.name)
    return message


def subject(run: record.Run) -> str:
    """Returns the one line a reader sees first: what was answered, or what failed."""
    return " ".join(f"{_company(run)}{headline(run)}".split())[:200]


def headline(run: record.Run) -> str:
    """Returns the run's answer, or what stopped it."""
    teller = run.teller
    if run.failed or teller is None:
        return words.stopped(run)
    return str(teller.manifest["answer"])


def _company(run: record.Run) -> str:
    name = pages.company_of(run, run.teller)
    return f"{name}: " if name else ""


def _lede(run: record.Run) -> str:
    return words.kept(run) if run.failed or run.teller is None else str(run.teller.manifest.get("lede", ""))


def _numbers(run: record.Run) -> list[dict[str, Any]]:
    return [] if run.failed or run.teller is None else pages.key_numbers(run.teller.manifest)


def _text(run: record.Run, reasons: list[str]) -> str:
    lines = [*reasons, headline(run), _lede(run), *run.causes]
    lines += [f"{number['label']}: {number['text']} {number['note']}".strip() for number in _numbers(run)]
    lines.append(_("Run {id}. The full page is attached.").format(id=run.id))
    return "\n\n".join(line for line in lines if line) + "\n"


def _pictures(run: record.Run) -> list[tuple[str, str, Path]]:
    """The first charts of the step that tells the story: (content id, alt text, file)."""
    teller = run.teller
    if run.failed or teller is None:
        return []
    named = [
        i["name"] for s in teller.manifest.get("sections", []) for i in s.get("items", []) if i.get("kind") == "chart"
    ]
    entries = [teller.manifest["charts"][name] for name in named if name in teller.manifest.get("charts", {})]
    found = [(entry, teller.folder / str(entry.get("png", ""))) for entry in entries]
    kept = [(entry, path) for entry, path in found if path.is_file()][:emit.PICTURES]
    return [(f"chart{i}@planning", entry["alt"], path) for i, (entry, path) in enumerate(kept, 1)]


def _html(run: record.Run, reasons: list[str], pictures: list[tuple[str, str, Path]]) -> str:
    parts = [f'<p style="color:#b4530a">{html.escape(reason)}</p>' for reason in reasons]
    parts.append(f'<h1 style="font-size:24px;line-height:1.25">{html.escape(headline(run))}</h1>')
    parts += [f"<p>{html.escape(line)}</p>" for line in (_lede(run), *run.causes) if line]
    if numbers := _numbers(run):
        rows = [[n["label"], n["text"], f"{n['chance_words']} {n['note']}".strip()] for n in numbers]
        parts.append(_rows([], rows, [False, True, False]))
    parts.append(_key_table(run))
    for cid, alt, _path in pictures:
        parts.append(
            f'<p><img src="cid:{cid}" width="816" style="max-width:100%" alt="{html.escape(alt, quote=True)}"></p>'
        )
    parts.append(
        f'<p style="color:#566170">{html.escape(_("Run {id}. The full page is attached.").format(id=run.id))}</p>'
    )
    body = "\n".join(part for part in parts if part)
    return (
        f'<!doctype html><html lang="{language.current()}"><body style="font:16px/1.5 sans-serif;color:#1a2430">'
        f"{body}</body></html>"
    )


def _key_table(run: record.Run) -> str:
    """The first table of the story that fits into a mail."""
    teller = run.teller
    if run.failed or teller is None:
        return ""
    for name, entry in teller.manifest.get("tables", {}).items():
        if entry.get("details") or entry.get("heat") or entry.get("rows", 0) > _TABLE_ROWS:
            continue
        shown = tables.view(teller.folder, name, entry, pages.currency_of(run, teller))
        if isinstance(shown, tables.Table) and shown.rows:
            rows = [[cell.text for cell in row] for row in shown.rows]
            return _rows([column.label for column in shown.columns], rows, [column.right for column in shown.columns])
    return ""


def _rows(heads: list[str], rows: list[list[str]], right: list[bool]) -> str:
    def line(tag: str, texts: list[str]) -> str:
        sides = ["right" if one else "left" for one in right]
        cells = (f"<{tag} {_CELL.format(side=side)}>{html.escape(text)}</{tag}>" for text, side in zip(texts, sides))
        return f"<tr>{''.join(cells)}</tr>"

    head = line("th", heads) if heads else ""
    body = "".join(line("td", row) for row in rows)
    return f'<table style="border-collapse:collapse;font-size:14px">{head}{body}</table>'


def _page(run: record.Run) -> Path | None:
    names = [f"{run.teller.notebook}.html" if run.teller and not run.failed else "", "index.html"]
    return next((run.folder / name for name in names if name and (run.folder / name).is_file()), None)
