"""What a notebook leaves behind: numbers, findings, charts, tables and objects, with one manifest over them.

```
results/<notebook>/manifest.json     titles, sentences, numbers, order of the sections, hashes
                   kept.json         versions it made current outside of its results, such as a plan's
                   what_if.json      versions it kept beside the current ones
                   tables/<name>.parquet, .csv      charts/<name>.wide.svg, .narrow.svg, the first .png
                   objects/<name>/                  files/<name>
```

The manifest is written last and whole: a folder without one is not a result. All paths in it are relative to the
folder it lies in.
"""

from __future__ import annotations

import hashlib
import html
import json
import math
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planning import files
from planning.errors import NotebookError, UsageError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "manifest.json"
KEPT, WHAT_IF = "kept.json", "what_if.json"
FORMATS = (
    "money", "percent", "number", "integer", "date", "month", "text", "ratio", "probability", "significant",
)  # fmt: skip
# Charts of a notebook a mail shows, its first ones; they are kept as PNG too, where mails can be sent.
PICTURES = 2
_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_SHOWN_ROWS = 12


class Shown:
    """What an emit call displays in JupyterLab; it carries nothing else.

    In a kernel it is displayed as soon as it is made, so a cell that emits five things shows all five, and once: as the
    last value of a cell it adds nothing.
    """

    def __init__(self, markup: str, text: str = ""):
        self._markup, self._text = markup, text
        self._displayed = False
        if markup and _in_kernel():
            self._ipython_display_()

    def _ipython_display_(self) -> None:
        from IPython.display import publish_display_data

        if not self._displayed and self._markup:
            self._displayed = True
            publish_display_data({"text/html": self._markup, "text/plain": repr(self)})

    def _repr_html_(self) -> str:
        return self._markup

    def __repr__(self) -> str:
        return self._text or "shown"


def _in_kernel() -> bool:
    """Whether this process is a notebook's kernel; asked without importing IPython where nobody has."""
    shell = sys.modules.get("IPython")
    return shell is not None and getattr(shell.get_ipython(), "kernel", None) is not None


class Results:
    """Collects what one notebook emits into `folder` and writes the manifest at the end.

    Names are small words of letters, digits and `_`, and each may be used once among numbers, tables and objects, since
    a later notebook asks for them by name alone. Of its charts the first `pictures` are kept as PNG too.
    """

    def __init__(self, folder: str | Path, notebook: str, language: str, *, pictures: int = 0):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / MANIFEST).unlink(missing_ok=True)
        for name in (KEPT, WHAT_IF):
            (self.folder / name).unlink(missing_ok=True)
        self._used: set[str] = set()
        self._pictures = pictures
        self._kept: dict[str, str] = {}
        self._what_if: dict[str, str] = {}
        self.manifest: dict[str, Any] = {
            "notebook": notebook,
            "language": language,
            "title": "",
            "state": "ok",
            "answer": "",
            "lede": "",
            "numbers": [],
            "sections": [],
            "tables": {},
            "charts": {},
            "cannot_tell": [],
            "left_out": [],
            "objects": {},
            "files": {},
            "sentences": {},
        }

    def _claim(self, name: str) -> str:
        if not _NAME.match(name):
            raise UsageError(
                f"the name '{name}' is not usable. Write small letters, digits and _, such as 'growth_by_region'."
            )
        if name in self._used:
            raise UsageError(f"the name '{name}' was used before in this notebook. Choose another one.")
        self._used.add(name)
        return name

    def _place(self, kind: str, name: str) -> None:
        """Puts an item into the section that is open now; what comes before the first finding opens a nameless one."""
        sections = self.manifest["sections"]
        if not sections:
            sections.append({"name": "", "finding": "", "why": "", "items": []})
        sections[-1]["items"].append({"kind": kind, "name": name})

    def answer(self, sentence: str, lede: str = "") -> Shown:
        """Says the answer: the page's headline, and at most two sentences of what limits it."""
        self.manifest.update(answer=_required(sentence, "the answer"), lede=lede)
        self.manifest["sentences"].update(answer=sentence, lede=lede)
        return Shown(f"<h1>{html.escape(sentence)}</h1><p>{html.escape(lede)}</p>", sentence)

    def refuse(self, headline: str, lede: str = "") -> Shown:
        """Says that the question cannot be answered from these data, which is an answer: the state is "cannot_tell"."""
        shown = self.answer(headline, lede)
        self.manifest["state"] = "cannot_tell"
        return shown

    def number(
        self,
        name: str,
        value: float | None,
        *,
        label: str,
        text: str,
        chance: float | None = None,
        note: str = "",
        lead: bool = False,
    ) -> Shown:
        """Keeps a key number: `value` raw for comparison over runs, `text` as people read it, `chance` in 0-1."""
        self._claim(name)
        row = {
            "name": name,
            "label": _required(label, f"the label of {name}"),
            "value": plain(value),
            "text": text,
            "chance": plain(chance),
            "note": note,
            "lead": lead,
        }
        self.manifest["numbers"].append(row)
        shown = f"<p><b>{html.escape(label)}</b> {html.escape(text)} <small>{html.escape(note)}</small></p>"
        return Shown(shown, f"{label}: {text}")

    def finding(self, name: str, headline: str, why: str = "") -> Shown:
        """Opens a section: the claim with its number, then why and how to read what follows."""
        if not _NAME.match(name) or any(section["name"] == name for section in self.manifest["sections"]):
            raise UsageError(f"the finding '{name}' was there before or is not usable as a name. Choose another one.")
        self.manifest["sections"].append(
            {"name": name, "finding": _required(headline, f"the headline of {name}"), "why": why, "items": []}
        )
        self.manifest["sentences"][f"finding_{name}"] = headline
        return Shown(f"<h2>{html.escape(headline)}</h2><p>{html.escape(why)}</p>", headline)

    def text(self, name: str, sentence: str) -> Shown:
        """Adds a paragraph to the open section."""
        if name in self.manifest["sentences"]:
            raise UsageError(f"the text '{name}' was used before in this notebook. Choose another name.")
        self.manifest["sentences"][name] = _required(sentence, f"the text {name}")
        self._place("text", name)
        return Shown(f"<p>{html.escape(sentence)}</p>", sentence)

    def chart(
        self,
        name: str,
        plot: Callable[..., Any],
        frame: pd.DataFrame,
        *,
        alt: str,
        title: str = "",
        options: Mapping[str, Any],
    ) -> Shown:
        """Draws `plot(frame, ax=, narrow=, **options)` for page and phone, the first ones also for mails."""
        from planning.charts.save import save

        self._claim("chart_" + name)
        folder = self.folder / "charts"
        folder.mkdir(exist_ok=True)
        entry = save(
            plot, frame, folder, name, alt=_required(alt, f"the alt text of {name}"), title=title,
            options=dict(options), png=len(self.manifest["charts"]) < self._pictures,
        )  # fmt: skip
        entry = {key: f"charts/{value}" if key in ("wide", "narrow", "png") else value for key, value in entry.items()}
        self.manifest["charts"][name] = entry
        self._place("chart", name)
        drawing = (self.folder / entry["wide"]).read_text(encoding="utf-8")
        return Shown(f"<figure style='max-width:816px'>{drawing}</figure>", f"{title or name}: {alt}")

    def table(
        self,
        name: str,
        frame: pd.DataFrame,
        *,
        title: str = "",
        headings: Mapping[str, str] | None = None,
        formats: Mapping[str, str] | None = None,
        details: bool = False,
        total: Mapping[str, Any] | None = None,
        heat: Any = None,
        words: Mapping[str, Mapping[str, str]] | None = None,
    ) -> Shown:
        """Keeps `frame` (one row as it stands) with a heading and a format a column; `total` is the row of sums.

        words: how a page writes the codes of a column, so that the kept table stays free of any language.
        """
        self._claim(name)
        frame = frame.reset_index() if any(part is not None for part in frame.index.names) else frame
        words = words or {}
        _known_columns(name, frame, {**(headings or {}), **(formats or {}), **(total or {}), **words})
        folder = self.folder / "tables"
        folder.mkdir(exist_ok=True)
        files.write_table(folder / f"{name}.parquet", frame)
        files.write_table(folder / f"{name}.csv", frame)
        self.manifest["tables"][name] = {
            "title": title,
            "parquet": f"tables/{name}.parquet",
            "csv": f"tables/{name}.csv",
            "columns": [_column(frame, column, headings or {}, formats or {}, words) for column in frame.columns],
            "details": details,
            "total": plain(total),
            "heat": plain(heat),
            "rows": len(frame),
            "sha256": files.sha256_frame(frame),
        }
        self._place("table", name)
        return Shown(_preview(frame, headings or {}, words), f"{title or name}: {len(frame)} rows")

    def cannot_tell(self, question: str, answer: str) -> Shown:
        """Names a question these data leave open, and what would answer it."""
        self.manifest["cannot_tell"].append({"question": _required(question, "the question"), "answer": answer})
        return Shown(f"<p>{html.escape(question)} {html.escape(answer)}</p>", question)

    def left_out(self, reason: str, rows: int, share: float | None = None, done: str = "") -> Shown:
        """Counts what was left out, for one reason; `share` is of all rows, 0-1."""
        row = {"reason": _required(reason, "the reason"), "rows": int(rows), "share": plain(share), "done": done}
        self.manifest["left_out"].append(row)
        return Shown(f"<p>{html.escape(reason)}: {row['rows']}</p>", f"{reason}: {row['rows']}")

    def left_out_of(self, text: str) -> Shown:
        """Says of which rows the shares of what was left out are, and what is left of them."""
        self.manifest["left_out_of"] = _required(text, "the sentence")
        return Shown(f"<p>{html.escape(text)}</p>", text)

    def keeps(self, folder: str, version: str, *, current: bool = True) -> None:
        """Writes down which version of a folder of the workspace this notebook made the current one, or kept beside it.

        Beside the manifest: equal results under another version are equal for those that use them.
        """
        name, kept = (KEPT, self._kept) if current else (WHAT_IF, self._what_if)
        kept[folder] = version
        files.write_json(self.folder / name, kept)

    def save(self, name: str, value: Any) -> Shown:
        """Keeps an object of the package (it has `.save(folder)` and `.load(folder)`) for later notebooks."""
        kind = type(value)
        if not (kind.__module__.startswith("planning.") and hasattr(value, "save") and hasattr(kind, "load")):
            raise UsageError(
                f"'{name}' is a {kind.__name__}, which has no save and load of the package. Emit it as a table."
            )
        self._claim(name)
        folder = self.folder / "objects" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        value.save(folder)
        self.manifest["objects"][name] = {
            "type": f"{kind.__module__}:{kind.__qualname__}", "folder": f"objects/{name}",
            "sha256": _sha256_folder(folder),
        }  # fmt: skip
        return Shown(f"<p>{html.escape(name)}: {html.escape(kind.__name__)}</p>", f"{name}: {kind.__name__} kept")

    def file(self, name: str, writer: Callable[[Path], Any]) -> Shown:
        """Keeps a file a reader may download, such as an Excel workbook: `writer(path)` writes it."""
        if Path(name).name != name or name.startswith("."):
            raise UsageError(f"'{name}' is not a plain file name. Write one such as 'plan.xlsx'.")
        folder = self.folder / "files"
        folder.mkdir(exist_ok=True)
        with files.atomic_path(folder / name) as path:
            writer(path)
        self.manifest["files"][name] = f"files/{name}"
        return Shown(f"<p>{html.escape(name)}</p>", name)

    def finish(self) -> Shown:
        """Writes the manifest; without an answer there is no page, so that is refused."""
        _required(self.manifest["answer"], "the answer (step.answer or step.refuse)")
        files.write_json(self.folder / MANIFEST, self.manifest)
        return Shown(f"<p>{html.escape(self.manifest['answer'])}</p>", self.manifest["answer"])


def read_versions(results: Path, *, beside: bool = False) -> dict[str, str]:
    """Returns the versions that a step made current, or kept beside the current ones: folder → version."""
    path = results / (WHAT_IF if beside else KEPT)
    return json.loads(path.read_text("utf-8")) if path.is_file() else {}


def read_manifest(folder: str | Path) -> dict[str, Any] | None:
    """Returns the manifest of a results folder, or None where there is none."""
    path = Path(folder) / MANIFEST
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def load_result(folder: str | Path, name: str) -> Any:
    """Returns one emitted result by name: an object, a table as a frame, or a number's value.

    Raises NotebookError with the nearest name when the notebook emitted no such result.
    """
    folder = Path(folder)
    manifest = read_manifest(folder) or {}
    if name in manifest.get("objects", {}):
        return _load_object(folder, manifest["objects"][name])
    if name in manifest.get("tables", {}):
        import pandas as pd

        return pd.read_parquet(folder / manifest["tables"][name]["parquet"])
    for number in manifest.get("numbers", []):
        if number["name"] == name:
            return number["value"]
    known = names(manifest)
    raise NotebookError(
        f"{folder.name} left no result '{name}'.{did_you_mean(name, known)} It left: {', '.join(known) or 'nothing'}."
    )


def names(manifest: Mapping[str, Any]) -> list[str]:
    """Returns the names a later notebook may ask this manifest for."""
    numbers = [number["name"] for number in manifest.get("numbers", [])]
    return [*manifest.get("objects", {}), *manifest.get("tables", {}), *numbers]


def _load_object(folder: Path, entry: Mapping[str, str]) -> Any:
    import importlib

    module, _sep, kind = entry["type"].partition(":")
    if not module.startswith("planning."):
        raise NotebookError(
            f"{folder}: the object is of {module}, which is not of this package. Run the notebook again."
        )
    return getattr(importlib.import_module(module), kind).load(folder / entry["folder"])


def _sha256_folder(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(f"{path.name}\0{files.sha256_file(path)}\0".encode())
    return digest.hexdigest()


def _required(text: str, what: str) -> str:
    if not isinstance(text, str) or not text.strip():
        raise UsageError(f"{what} is empty. Write a sentence.")
    return text


def _known_columns(name: str, frame: pd.DataFrame, named: Mapping[str, Any]) -> None:
    columns = list(map(str, frame.columns))
    for column in named:
        if column not in columns:
            raise UsageError(
                f"table '{name}' has no column '{column}'.{did_you_mean(column, columns)} It has: {', '.join(columns)}."
            )


def _column(
    frame: pd.DataFrame, column: str, headings: Mapping[str, str], formats: Mapping[str, str],
    words: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:  # fmt: skip
    how = formats.get(column) or _format_of(frame[column])
    if how not in FORMATS:
        raise UsageError(f"column '{column}': format '{how}' is not known. It is one of: {', '.join(FORMATS)}.")
    spec: dict[str, Any] = {"name": str(column), "label": headings.get(column, str(column)), "format": how}
    return spec | ({"words": dict(words[column])} if column in words else {})


def _format_of(column: pd.Series) -> str:
    kind = column.dtype.kind
    return {"M": "date", "f": "number", "i": "integer", "u": "integer"}.get(kind, "text")


def _preview(frame: pd.DataFrame, headings: Mapping[str, str], words: Mapping[str, Mapping[str, str]]) -> str:
    shown = frame.head(_SHOWN_ROWS)
    spoken = {key: shown[key].map(lambda code, known=known: known.get(code, code)) for key, known in words.items()}
    shown = shown.assign(**spoken).rename(columns=dict(headings))
    head = "".join(f"<th>{html.escape(str(name))}</th>" for name in shown.columns)
    # By place: two columns may have the same heading.
    rows = zip(*(map(_cell, shown.iloc[:, place]) for place in range(shown.shape[1])), strict=True)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    more = len(frame) - len(shown)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>" + f"<p>+ {more}</p>" * (more > 0)


def _cell(value: Any) -> str:
    """A value as a notebook shows it, before a page's formats: pandas' own display takes ten times as long."""
    if value is None or str(value) in ("nan", "NaT", "<NA>"):
        return ""
    if isinstance(value, float):
        size = abs(value)
        return f"{value:,.0f}" if size >= 1e5 else f"{value:,.2f}" if size >= 100 else f"{value:.4g}"
    if hasattr(value, "date") and hasattr(value, "hour"):
        return f"{value:%Y-%m-%d}" if value == value.normalize() else f"{value:%Y-%m-%d %H:%M}"
    return html.escape(str(value))


def plain(value: Any) -> Any:
    """Returns numbers, dates and containers as JSON holds them; NaN and infinity become None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    if hasattr(value, "tolist") and not isinstance(value, str):
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int | bool):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
