"""Every message of the package, its templates and its notebooks has a Chinese text, and no catalogue holds idle ones.

A package's messages lie in `planning/locale/zh/<package>.po`; modules directly under `planning/` use language.po, which
everybody may rely on, the page templates reports.po, the notebooks notebooks.po. On a missing message the
test prints the lines to paste.
"""

from __future__ import annotations

import ast
import io
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.extract import extract
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "planning"
CATALOGUES = PACKAGE / "locale" / "zh"
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}
FIELD = re.compile(r"\{(\w*)[^{}]*\}")
# The command line speaks English.
UNTRANSLATED = {"cli", "locale", "_workspace"}


def _of_python(source: str) -> Iterator[str]:
    for _line, message, _comments, _context in extract("python", io.BytesIO(source.encode()), KEYWORDS):
        yield message[0] if isinstance(message, tuple) else message


def _of_template(path: Path) -> Iterator[str]:
    import jinja2

    environment = jinja2.Environment(extensions=["jinja2.ext.i18n"])
    for _line, _function, message in environment.extract_translations(path.read_text(encoding="utf-8")):
        yield message[0] if isinstance(message, tuple) else message


def _of_notebook(path: Path) -> Iterator[str]:
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        if cell["cell_type"] == "code":
            yield from _of_python("".join(cell["source"]))


def _said() -> dict[str, set[str]]:
    """Returns catalogue name → the messages its sources use."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).parts
        if parts[0] not in UNTRANSLATED:
            found[parts[0] if len(parts) > 1 else "language"].update(_of_python(path.read_text(encoding="utf-8")))
    for path in sorted((PACKAGE / "reports" / "templates").glob("*.j2")):
        found["reports"].update(_of_template(path))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        found["notebooks"].update(_of_notebook(path))
    return {name: {m for m in messages if m} for name, messages in found.items() if messages}


def _catalogue(name: str) -> dict[str, Message]:
    path = CATALOGUES / f"{name}.po"
    if not path.is_file():
        return {}
    with path.open("rb") as file:
        messages = [m for m in read_po(file, locale="zh") if m.id]
    return {m.id[0] if isinstance(m.id, tuple) else m.id: m for m in messages}


def _texts(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string)


SAID = _said()
NAMES = sorted(set(SAID) | {path.stem for path in CATALOGUES.glob("*.po")})


@pytest.mark.parametrize("name", NAMES)
def test_every_message_has_a_chinese_text(name):
    catalogue = {**_catalogue("language"), **_catalogue(name)}
    known = {key for key, message in catalogue.items() if all(_texts(message)) and not message.fuzzy}
    missing = sorted(SAID.get(name, set()) - known)
    block = "\n\n".join(f"msgid {json.dumps(text, ensure_ascii=False)}\nmsgstr \"\"" for text in missing)
    assert not missing, f"{len(missing)} messages lack a text; paste into planning/locale/zh/{name}.po:\n\n{block}"


@pytest.mark.parametrize("name", NAMES)
def test_no_catalogue_holds_messages_nobody_uses(name):
    idle = sorted(set(_catalogue(name)) - SAID.get(name, set()))
    assert not idle, f"planning/locale/zh/{name}.po: remove {idle}"


@pytest.mark.parametrize("name", NAMES)
def test_translations_keep_the_values_that_are_put_in(name):
    wrong = [
        (key, text)
        for key, message in _catalogue(name).items()
        for text in _texts(message)
        if set(FIELD.findall(text)) != set(FIELD.findall(key))
        # A Chinese sentence of a count may leave the figure of the singular out of the English form.
        and not (isinstance(message.id, tuple) and set(FIELD.findall(text)) == set(FIELD.findall(message.id[1])))
    ]
    assert not wrong, wrong


def test_one_message_has_one_text_in_all_catalogues():
    texts: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for name in NAMES:
        for key, message in _catalogue(name).items():
            texts[key].add(tuple(_texts(message)))
    assert not (several := {key: found for key, found in texts.items() if len(found) > 1}), several


def test_messages_are_constant_texts():
    """`_(f"...")` or `_(name)` cannot be found by any catalogue; a sentence is looked up first and filled in after."""
    faults = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.relative_to(PACKAGE).parts[0] in UNTRANSLATED or path == PACKAGE / "language.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("_", "ngettext"):
                texts = node.args[:1] if node.func.id == "_" else node.args[:2]
                if not all(isinstance(text, ast.Constant) for text in texts):
                    faults.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not faults, faults
