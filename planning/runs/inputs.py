"""What a step's answer rests on, as hashes: its inputs' content, the package's source, the versions of the tools.

Two steps with equal hashes, parameters and notebook would give the same results, so the earlier one may be reused.
What would break this (the clock, the network, files opened behind the step's back) is kept out by the step itself:
tables and files are opened through it and refused when they were not declared.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from planning import files
from planning.runs.declaration import Declaration

PACKAGE = Path(__file__).resolve().parent.parent
TOOLS = (
    "numpy", "pandas", "scipy", "statsmodels", "scikit-learn", "numba", "pyarrow", "duckdb", "matplotlib", "babel",
    "holidays", "papermill", "ipykernel",
)  # fmt: skip
_SOURCES = {".py", ".csv", ".po", ".mplstyle"}
# Nothing of these changes what a notebook leaves behind.
_ASIDE = ("cli", "_workspace", "whatif")
_ASIDE_RUNS = ("step.py", "emit.py", "parameters.py")


@functools.cache
def versions() -> dict[str, str]:
    """Returns the versions of the package, of Python and of the tools results depend on."""
    from planning import __version__

    found = {"planning": __version__, "python": platform.python_version()}
    for name in TOOLS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def package_sha256() -> str:
    """Returns one hash of all source of the package that can change a result."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*")):
        parts = path.relative_to(PACKAGE).parts
        if path.suffix not in _SOURCES or parts[0] in _ASIDE or (parts[0] == "runs" and path.name not in _ASIDE_RUNS):
            continue
        digest.update("/".join(parts).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


class Inputs:
    """Hashes of the inputs of one run; each is read once, however many steps use it."""

    def __init__(self, root: Path, settings: Any):
        self.root, self.settings = root, settings
        self.package = package_sha256()
        self._known: dict[str, dict[str, Any] | None] = {}

    def of(self, declared: Declaration) -> dict[str, dict[str, Any]]:
        """Returns name → {path, sha256} of the configured tables and the files a notebook declares."""
        found = {name: self.table(name) for name in (*declared.tables, *declared.optional)}
        found |= {name: self._file(name) for name in declared.files}
        policy = self.settings.plan.policy
        if policy:
            found["policy"] = self._file(policy)
        return {name: entry for name, entry in found.items() if entry is not None}

    def table(self, name: str) -> dict[str, Any] | None:
        """Returns {path, sha256} of a configured table; None where it is not configured."""
        if name not in self._known:
            source = self.settings.sources.get(name)
            self._known[name] = None if source is None else self._source(name, source)
        return self._known[name]

    def _source(self, name: str, source: Any) -> dict[str, Any]:
        how = _sha256_json(source.model_dump(mode="json"))
        if source.path:
            return {"path": source.path, "sha256": _combined(how, content_sha256(self.root / source.path))}
        # What a query returns is known only by asking; the rows are the content.
        from planning.sources import read_table

        return {"path": "query", "sha256": _combined(how, files.sha256_frame(read_table(name, self.settings)))}

    def _file(self, name: str) -> dict[str, Any]:
        key = f"file:{name}"
        if key not in self._known:
            self._known[key] = {"path": name, "sha256": content_sha256(self.root / name)}
        return self._known[key]

    def settings_sha256(self) -> str:
        """Returns a hash of the settings a notebook can read; sources are hashed by content, flows do not matter."""
        public = self.settings.public()
        read = {key: public[key] for key in ("company", "calendar", "rates", "plan")}
        # Where mails can be sent notebooks keep pictures for them; results without are not the same.
        return _sha256_json(read | ({"pictures": True} if self.settings.delivery.possible else {}))


def content_sha256(path: Path) -> str:
    """Returns the hash of a file's bytes, or of all files in a folder with their names; "absent" where none is."""
    if path.is_file():
        return files.sha256_file(path)
    if not path.is_dir():
        return "absent"
    digest = hashlib.sha256()
    for one in sorted(part for part in path.rglob("*") if part.is_file()):
        digest.update(f"{one.relative_to(path).as_posix()}\0{files.sha256_file(one)}\0".encode())
    return digest.hexdigest()


def notebook_sha256(path: Path) -> str:
    """Returns the hash of a notebook's cells; outputs, counts and papermill's injected cell do not count.

    An executed copy has the same hash as its source.
    """
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    kept = [
        (cell["cell_type"], "".join(cell["source"]))
        for cell in cells
        if not {"injected-parameters", "papermill-error-cell-tag"} & set(cell["metadata"].get("tags", []))
    ]
    return _sha256_json(kept)


def key(
    declared: Declaration,
    parameters: Mapping[str, Any],
    inputs: Mapping[str, Mapping[str, Any]],
    earlier: Mapping[str, Path],
    settings_sha256: str,
    package: str,
) -> str | None:
    """Returns the hash of all a step's results rest on; None for a notebook that declares nothing (no `begin`)."""
    if not declared.begins:
        return None
    return _sha256_json({
        "notebook": notebook_sha256(declared.path), "parameters": dict(parameters),
        "inputs": {name: entry["sha256"] for name, entry in inputs.items()},
        "earlier": {name: content_sha256(folder / "manifest.json") for name, folder in earlier.items()},
        "settings": settings_sha256, "package": package, "versions": versions(),
    })  # fmt: skip


def _sha256_json(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False, default=str).encode()).hexdigest()


def _combined(*hashes: str) -> str:
    return hashlib.sha256("\0".join(hashes).encode()).hexdigest()
