"""The frame all pages stand in: templates with escaping on, one style sheet, one script, one policy.

Every page carries `default-src 'none'`: it may ask nothing of anybody. Its only script is page.js, allowed by its hash,
so an injected script does not run even where an escape were missing.
"""

from __future__ import annotations

import base64
import datetime as dt
import functools
import hashlib
import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from planning import cache, language
from planning.files import write_text
from planning.language import _

TEMPLATES = Path(__file__).with_name("templates")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@functools.cache
def environment() -> jinja2.Environment:
    """Returns the templates' environment; an undefined name is an error, not a hole in a page.

    Compiled templates are kept, by their content: compiling them takes longer than a run's pages.
    """
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, auto_reload=False,
        bytecode_cache=jinja2.FileSystemBytecodeCache(str(cache.folder("templates"))),
    )  # fmt: skip
    made.globals.update(_=language.gettext, figure=language.number)
    return made


@functools.cache
def style_sheet() -> str:
    """Returns the style sheet without its comments, with lines kept so that it can be read in the page."""
    text = _COMMENT.sub("", (TEMPLATES / "page.css").read_text(encoding="utf-8"))
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


@functools.cache
def script() -> str:
    """Returns the one script of every page, without the lines that are only comments."""
    lines = (TEMPLATES / "page.js").read_text(encoding="utf-8").splitlines()
    return "\n".join(line.strip() for line in lines if line.strip() and not line.strip().startswith("//"))


@functools.cache
def policy() -> str:
    """Returns the Content-Security-Policy of every page."""
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )


@functools.cache
def fingerprint() -> str:
    """Returns a short hash of templates, style and script: a page made by others is made again."""
    digest = hashlib.sha256()
    for path in sorted(TEMPLATES.iterdir()):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def render(template: str, title: str, **values: Any) -> str:
    """Returns the page of `template` in the current language."""
    return environment().get_template(template).render(
        title=title, language=language.current(), policy=policy(), css=Markup(style_sheet()), script=Markup(script()),
        **values,
    )  # fmt: skip


def write(path: Path, text: str) -> Path:
    """Writes a page whole or not at all and returns its path."""
    write_text(path, text)
    return path


def day_of(date: Any) -> str:
    """Returns an ISO date as people write it; nothing where there is none."""
    try:
        return language.day(dt.date.fromisoformat(str(date)[:10]))
    except ValueError:
        return ""


def mast_date(as_of: Any) -> str:
    """Returns "Data to 31 Dec 2026" for an ISO date; nothing where there is none."""
    day = day_of(as_of)
    return _("Data to {date}").format(date=day) if day else ""
