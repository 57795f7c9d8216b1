"""A workspace of tiny notebooks: light imports, so that a test costs a kernel's start and little more."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

PARAMETERS = """from typing import Literal
language: Literal["en", "zh"] = "en"  # language of the page
n: int = 3  # rows"""
BEGIN = 'from planning.runs.step import begin\nstep = begin(globals(), "{name}"{more})'
FINISH = 'step.answer("An answer")\nstep.finish()'


def _write_notebook(path: Path, cells: list[str], parameters: str | None = PARAMETERS) -> Path:
    """Writes a notebook of code cells, the first one tagged `parameters`."""
    sources = ([] if parameters is None else [parameters]) + cells
    made = []
    for i, source in enumerate(sources):
        tags = ["parameters"] if i == 0 and parameters is not None else []
        made.append({
            "cell_type": "code", "id": f"c{i}", "metadata": {"tags": tags}, "source": source, "outputs": [],
            "execution_count": None,
        })  # fmt: skip
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path.write_text(json.dumps({"cells": made, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 5}))
    return path


class Workspace:
    """A folder with workbench.toml and notebooks."""

    def __init__(self, root: Path):
        self.root = root
        (root / "notebooks").mkdir()
        self.configure("")

    def configure(self, text: str, language: str = "en") -> None:
        """Writes workbench.toml with `text` after the company."""
        head = f'[company]\nname = "Test"\nlanguage = "{language}"\n'
        (self.root / "workbench.toml").write_text(head + text, encoding="utf-8")

    def notebook(
        self, name: str, *cells: str, more: str = "", parameters: str | None = PARAMETERS, whole: bool = True
    ) -> Path:
        """Writes a notebook that begins, runs `cells`, answers and finishes."""
        body = [BEGIN.format(name=name, more=more), *cells, *([FINISH] if whole else [])]
        return _write_notebook(self.root / "notebooks" / f"{name}.ipynb", body, parameters)

    @property
    def reports(self) -> Path:
        return self.root / "reports"


@pytest.fixture(autouse=True)
def _quiet_threads(monkeypatch):
    """Tests share two cores: no kernel may take more than one."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.delenv("PLANNING_WORKSPACE", raising=False)


@pytest.fixture
def workspace(tmp_path, monkeypatch) -> Workspace:
    """An empty workspace, which is also the working folder."""
    root = tmp_path / "w"
    root.mkdir()
    monkeypatch.chdir(root)
    return Workspace(root)


PRELOAD = (
    "ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "tornado.platform.asyncio",
    "IPython.core.completer",
    "matplotlib_inline.backend_inline", "pandas", "pyarrow.parquet", "planning.config", "planning.runs.step",
    "planning.runs.emit",
)  # fmt: skip


@pytest.fixture(scope="session")
def warm_kernels():
    """One warm process for all tests that only need a kernel, so that a notebook costs a third of a second."""
    from planning.runs import kernels, warm

    made = kernels.WarmKernels(dict.fromkeys(warm.LIMITS, "1"), PRELOAD)
    made._source = "test"
    yield made
    made.close()


@pytest.fixture(scope="session")
def lend_kernels(warm_kernels):
    """A function that lets every run use the shared warm process; the package's source stands still meanwhile."""
    from planning.runs import inputs, kernels

    class Shared:
        kind, why, limits, manager = "warm", "shared by tests", warm_kernels.limits, warm_kernels.manager

        def close(self) -> None:
            """Leaves the shared process running."""

    def lend(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(inputs, "package_sha256", lambda: "test")
        patch.setattr(kernels, "source", lambda *_args, **_options: Shared())

    return lend


@pytest.fixture
def quick(lend_kernels, monkeypatch):
    """Lets every run of a test use the shared warm process."""
    lend_kernels(monkeypatch)


@pytest.fixture(name="make_workspace", scope="session")
def _make_workspace_fixture():
    """The function that makes a workspace of tiny notebooks in a folder."""
    return Workspace


@pytest.fixture
def no_pages(monkeypatch) -> None:
    """Leaves pages and gallery out, where a test is not about them."""
    from planning.runs import runner

    monkeypatch.setattr(runner, "make_pages", lambda folder: "")
    monkeypatch.setattr(runner, "update_gallery", lambda reports: "")


@pytest.fixture(name="write_notebook", scope="session")
def _write_notebook_fixture():
    """The function that writes a notebook of code cells."""
    return _write_notebook


@pytest.fixture(name="alive", scope="session")
def _alive_fixture():
    """The function that tells whether a process lives."""
    return _alive


def _alive(pid: int) -> bool:
    """Tells whether a process lives (a zombie does not)."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z" and os.path.exists(f"/proc/{pid}")
