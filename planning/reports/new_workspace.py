"""A new workspace: workbench.toml, the notebooks and the folders, from the installed package or from a checkout."""

from __future__ import annotations

import shutil
from pathlib import Path

from planning.errors import UsageError
from planning.files import write_text
from planning.reports.entry_template import write_entry_template
from planning.tables.dictionary import markdown

PACKAGE = Path(__file__).parent.parent
FOLDERS = ("notebooks", "data/raw", "forecasts", "reports")
IGNORED = "data/sample/\ndata/raw/\nforecasts/*\nreports/*\n.ipynb_checkpoints/\n"


def origin() -> Path:
    """Returns the folder workbench.toml and the notebooks are copied from: the package's own, else the checkout."""
    for place in (PACKAGE / "_workspace", PACKAGE.parent):
        if (place / "workbench.toml").is_file() and (place / "notebooks").is_dir():
            return place
    raise UsageError(f"{PACKAGE}: carries no workbench.toml and notebooks. Install the package again.")


def create(folder: str | Path) -> list[str]:
    """Makes a workspace in `folder` (made where missing) and returns the files written, relative to it.

    A file that is there already is kept. Raises UsageError when `folder` is a file, cannot be written, or already has
    a workbench.toml.
    """
    folder, source = Path(folder), origin()
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file, a folder is meant. Name another place.")
    if (folder / "workbench.toml").exists():
        raise UsageError(f"{folder}: is a workspace already (it has a workbench.toml). Name another place.")
    try:
        for name in FOLDERS:
            (folder / name).mkdir(parents=True, exist_ok=True)
        written = _fill(folder, source)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror}). Name another place.") from None
    # Last, since it is what makes the folder a workspace: an interrupted init can be repeated.
    write_text(folder / "workbench.toml", (source / "workbench.toml").read_text(encoding="utf-8"))
    return [*written, "workbench.toml"]


def _fill(folder: Path, source: Path) -> list[str]:
    written = []
    for notebook in sorted((source / "notebooks").glob("*.ipynb")):
        target = folder / "notebooks" / notebook.name
        if not target.exists():
            shutil.copyfile(notebook, target)
            written.append(f"notebooks/{notebook.name}")
    texts = {"data/README.md": markdown(), ".gitignore": IGNORED}
    for name, text in texts.items():
        if not (folder / name).exists():
            write_text(folder / name, text)
            written.append(name)
    if not (folder / "data/raw/entry_template.xlsx").exists():
        write_entry_template(folder / "data/raw/entry_template.xlsx")
        written.append("data/raw/entry_template.xlsx")
    return written
