"""A notebook's one door to its run: parameters, tables, earlier results, and what it leaves behind.

```python
from planning.runs.step import begin

step = begin(globals(), "annual_targets", tables=["sales"], results={"demand_forecast": ["joint"]})
joint = step.result("demand_forecast", "joint")
step.answer("We can commit to €119.7 m", "")
step.finish()
```

Executed by `planning run`, the results go into the run's folder and earlier results come from the same run. Opened by
hand in JupyterLab the same lines work: results go to `reports/.by-hand/<notebook>/`, and earlier ones come from the
latest finished run, else from what was last made by hand.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from planning import files
from planning.errors import NotebookError, UsageError, did_you_mean
from planning.runs import emit, layout, parameters

if TYPE_CHECKING:
    import pandas as pd

    from planning.sources import CheckResult
    from planning.tables.canonical import Checked

CONTEXT = "PLANNING_STEP"
_SET_CHILD_SUBREAPER = 36


def begin(
    names: dict[str, Any], notebook: str, *, tables: Sequence[str] = (), optional: Sequence[str] = (),
    results: Mapping[str, Sequence[str]] | None = None, optional_results: Mapping[str, Sequence[str]] | None = None,
    files: Sequence[str] = (), seed: int | None = None,
) -> Step:  # fmt: skip
    """Opens the step of `notebook`; all arguments are literals, read before the notebook runs.

    names: the notebook's `globals()`, for the values of its parameters.
    tables, optional: canonical tables it reads; an optional one may be absent.
    results: results of earlier notebooks it cannot do without, {"demand_forecast": ["joint"]}; `optional_results` it
    uses where they are there. A failed notebook stops those that need it and not those that only use it.
    files: files and folders it reads beside the tables, by their path in the workspace, such as "forecasts".
    seed: the seed of all its random numbers, recorded with the run.
    """
    context = _context(notebook)
    if not context.get("by_hand"):
        _keep_children()
    step = Step(names, context, tables=tables, optional=optional, files=files, seed=seed)
    step._results = {**(optional_results or {}), **(results or {})}
    return step


def _keep_children() -> None:
    """Lets processes whose own parent ends become children of this kernel (Linux), so that the run can end them."""
    import contextlib
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _context(notebook: str) -> dict[str, Any]:
    """The run's instructions for this step; by hand there are none and the workspace is found from the folder."""
    path = os.environ.get(CONTEXT)
    if path:
        context = json.loads(Path(path).read_text(encoding="utf-8"))
        if context["notebook"] == notebook:
            return context
    root = layout.workspace()
    return {
        "notebook": notebook,
        "root": str(root),
        "path": str(root / "notebooks" / f"{notebook}.ipynb"),
        "by_hand": True,
        "results": str(layout.by_hand(root, notebook)),
        "earlier": {},
    }


class Step:
    """One notebook being executed; see `begin`."""

    def __init__(
        self,
        names: dict[str, Any],
        context: dict[str, Any],
        *,
        tables: Sequence[str],
        optional: Sequence[str],
        files: Sequence[str],
        seed: int | None,
    ):
        from planning import language

        self.notebook: str = context["notebook"]
        self.root = Path(context["root"])
        self.seed = seed
        self.by_hand = bool(context.get("by_hand"))
        self.what_if = bool(context.get("what_if"))  # values were given for this run alone
        self._context = context
        self._tables, self._optional, self._files = list(tables), list(optional), list(files)
        self._results: dict[str, Sequence[str]] = {}
        self._settings: Any = None
        self._imported = set(sys.modules)
        self.parameters = _typed(names, context["path"])
        self.language: str = getattr(self.parameters, "language", None) or self.settings.company.language
        language.set_language(self.language)
        pictures = emit.PICTURES if context.get("pictures") else 0
        self._out = emit.Results(context["results"], self.notebook, self.language, pictures=pictures)

    @property
    def settings(self) -> Any:
        """The workspace's settings, from its workbench.toml."""
        if self._settings is None:
            from planning import config

            self._settings = config.load(self.root / layout.CONFIG)
        return self._settings

    # ------------------------------------------------------------------ what it reads

    def table(self, name: str) -> pd.DataFrame | None:
        """Returns a canonical table that `begin` declared; None for an optional one that is not configured.

        In a run it is read and checked by the first notebook that asks; the others take the same rows from the run.
        """
        self._declared_table(name)
        if name in self._optional and not self.configured(name):
            return None
        kept = self._kept_table(name)
        if kept is not None and kept.is_file():
            import pandas as pd

            return pd.read_pickle(kept)
        from planning.sources import read_table

        return self._keep_table(name, read_table(name, self.settings))

    def check_tables(self) -> CheckResult:
        """Reads and checks every configured table and all together, as `sources.check_all`; nothing in them raises.

        The run's other notebooks take the rows of faultless tables from here.
        """
        from planning.sources import check_all
        from planning.sources.workspace import table_of

        def keep(name: str, checked: Checked) -> None:
            if not checked.count("fault"):
                self._keep_table(name, table_of(checked))

        for name in self.settings.sources:
            self._declared_table(name)
        return check_all(self.settings, keep)

    def _declared_table(self, name: str) -> None:
        known = [*self._tables, *self._optional]
        if name not in known:
            raise NotebookError(
                f"{self.notebook} did not declare the table '{name}'.{did_you_mean(name, known)} "
                f'Add it to begin(..., tables=["{name}"]).'
            )

    def _kept_table(self, name: str) -> Path | None:
        """Where the run keeps a table that one of its notebooks has read; None by hand."""
        return Path(self._context["tables"]) / f"{name}.pickle" if "tables" in self._context else None

    def _keep_table(self, name: str, frame: pd.DataFrame) -> pd.DataFrame:
        kept = self._kept_table(name)
        if kept is not None and not kept.is_file():
            kept.parent.mkdir(exist_ok=True)
            with files.atomic_path(kept) as path:
                frame.to_pickle(path)
        return frame

    def path(self, name: str) -> Path:
        """Returns where a file or folder of the workspace lies that `begin` declared in `files`."""
        if name not in self._files:
            raise NotebookError(
                f"{self.notebook} did not declare the file '{name}'.{did_you_mean(name, self._files)} "
                f'Add it to begin(..., files=["{name}"]).'
            )
        return self.root / name

    def configured(self, name: str) -> bool:
        """Tells whether workbench.toml names a source for a table."""
        return name in self.settings.sources

    def result(self, notebook: str, name: str) -> Any:
        """Returns a result of an earlier notebook that `begin` declared: an object, a table, or a number's value."""
        self._declared(notebook, name)
        folder = self._earlier(notebook)
        if folder is None:
            raise NotebookError(
                f"{self.notebook} needs '{name}' of {notebook}, which has not been run. "
                f"Run 'planning run {notebook}' first."
            )
        return emit.load_result(folder, name)

    def has(self, notebook: str, name: str) -> bool:
        """Tells whether an earlier notebook left this result (it may be absent: a refusal leaves no weights)."""
        self._declared(notebook, name)
        folder = self._earlier(notebook)
        return folder is not None and name in emit.names(emit.read_manifest(folder) or {})

    def manifest(self, notebook: str) -> dict[str, Any] | None:
        """Returns everything an earlier notebook said (answer, numbers, sentences), or None where it was not run."""
        if notebook not in self._results:
            self._declared(notebook, "")
        folder = self._earlier(notebook)
        return emit.read_manifest(folder) if folder else None

    def _declared(self, notebook: str, name: str) -> None:
        if name not in self._results.get(notebook, ()):
            known = [f"{key}/{value}" for key, values in self._results.items() for value in values]
            raise NotebookError(
                f"{self.notebook} did not declare the result '{name}' of {notebook}."
                f"{did_you_mean(f'{notebook}/{name}', known)} Add it to begin(..., results={{...}})."
            )

    def _earlier(self, notebook: str) -> Path | None:
        """Where an earlier notebook's results lie: in this run, else as the run was told, else the latest by hand."""
        if not self.by_hand:
            folder = self._context["earlier"].get(notebook)
            return Path(folder) if folder and emit.read_manifest(folder) is not None else None
        from planning.runs import registry

        latest = registry.latest_results(layout.reports(self.root), notebook)
        if latest is None and emit.read_manifest(layout.by_hand(self.root, notebook)) is not None:
            latest = layout.by_hand(self.root, notebook)
        return latest

    # ------------------------------------------------------------------ what it leaves

    def answer(self, sentence: str, lede: str = "") -> emit.Shown:
        """Says the answer first: the page's headline, and at most two sentences of what limits it."""
        return self._out.answer(sentence, lede)

    def refuse(self, headline: str, lede: str = "") -> emit.Shown:
        """Says that these data cannot answer; the page becomes the "cannot tell" page, the run goes on and exits 0."""
        return self._out.refuse(headline, lede)

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
    ) -> emit.Shown:
        """Keeps a key number; the page shows at most four, the one marked `lead` in the plan colour."""
        return self._out.number(name, value, label=label, text=text, chance=chance, note=note, lead=lead)

    def finding(self, name: str, headline: str, why: str = "") -> emit.Shown:
        """Opens a section of the page; the charts, tables and texts that follow are its evidence."""
        return self._out.finding(name, headline, why)

    def text(self, name: str, sentence: str) -> emit.Shown:
        """Adds a paragraph to the open section."""
        return self._out.text(name, sentence)

    def chart(
        self, name: str, plot: Callable[..., Any], frame: pd.DataFrame, *, alt: str, title: str = "", **options: Any
    ) -> emit.Shown:
        """Draws `plot(frame, ax=ax, narrow=..., **options)` for page and phone; `alt` says in words what it shows."""
        return self._out.chart(name, plot, frame, alt=alt, title=title, options=options)

    def tabulate(
        self,
        name: str,
        frame: pd.DataFrame,
        title: str = "",
        headings: Mapping[str, str] | None = None,
        formats: Mapping[str, str] | None = None,
        details: bool = False,
        total: Mapping[str, Any] | None = None,
        heat: Any = None,
        words: Mapping[str, Mapping[str, str]] | None = None,
    ) -> emit.Shown:
        """Keeps a table for the page, for CSV and for later notebooks; `formats` as in `emit.FORMATS`.

        words: how a page writes the codes of a column, {"verdict": {"raise": "raise"}}; the kept table has the codes.
        """
        return self._out.table(
            name, frame, title=title, headings=headings, formats=formats, details=details, total=total, heat=heat,
            words=words,
        )  # fmt: skip

    def cannot_tell(self, question: str, what_would_answer: str) -> emit.Shown:
        """Adds a line to "what we cannot tell": the question, and what would answer it."""
        return self._out.cannot_tell(question, what_would_answer)

    def left_out(self, reason: str, rows: int, share: float | None = None, done: str = "") -> emit.Shown:
        """Counts rows left out for one reason; `done` says what was done about them."""
        return self._out.left_out(reason, rows, share, done)

    def left_out_of(self, text: str) -> emit.Shown:
        """Says of which rows the shares of what was left out are, and what is left of them."""
        return self._out.left_out_of(text)

    def save(self, name: str, value: Any) -> emit.Shown:
        """Keeps an object (with `.save(folder)` and `.load(folder)`) for later notebooks."""
        return self._out.save(name, value)

    def keeps(self, folder: Path, version: str) -> None:
        """Says which version of a folder outside its results, such as plans/2027, this notebook kept.

        Where it counts, the step is reused only while it, or one a person made, still does; that of a what-if only in
        another what-if, and while it does not.
        """
        counts = files.current_version(folder) == version
        self._out.keeps(folder.relative_to(self.root).as_posix(), version, current=counts)

    def file(self, name: str, writer: Callable[[Path], Any]) -> emit.Shown:
        """Keeps a file to download: `writer(path)` writes it."""
        return self._out.file(name, writer)

    def title(self, text: str) -> emit.Shown:
        """Sets the page's short name in the mast, such as "Annual targets"."""
        self._out.manifest["title"] = text
        return emit.Shown("", text)

    def finish(self) -> emit.Shown:
        """Writes the manifest. The last cell of each notebook: without it the step counts as failed."""
        if "imports" in self._context:  # the runner wants to know what to import before the next fork
            late = [name for name in sys.modules if name not in self._imported and not name.startswith("__")]
            files.write_json(Path(self._context["imports"]), late)
        return self._out.finish()


def _typed(names: Mapping[str, Any], path: str) -> SimpleNamespace:
    """The notebook's parameters as they stand in its globals, held to their declared types."""
    if not Path(path).is_file():
        raise UsageError(f"{path}: there is no such notebook. The name in begin(...) must be the file's name.")
    declared = parameters.of_notebook(path)
    given = {parameter.name: names[parameter.name] for parameter in declared if parameter.name in names}
    values = parameters.resolve(declared, given, Path(path).stem)
    return SimpleNamespace(**{parameter.name: parameter.native(values[parameter.name]) for parameter in declared})
