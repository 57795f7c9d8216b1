"""Finding an earlier step whose results may stand for a new one, and taking them over."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Any

from planning import files
from planning.errors import PlanningError
from planning.runs import emit, registry
from planning.runs.inputs import content_sha256


class Earlier:
    """The finished steps of all runs by their key; the record is read once, the results are checked when taken."""

    def __init__(self, reports: Path):
        self._reports = reports
        self._by_key: dict[str, list[tuple[Path, dict[str, Any]]]] | None = None
        self._mutex = threading.Lock()

    def _find(self, key: str) -> list[tuple[Path, dict[str, Any]]]:
        with self._mutex:  # two steps ask at once: the second must not find a list that is half read
            if self._by_key is None:
                self._by_key = {}
                for record in registry.runs(self._reports):
                    for step in record["steps"]:
                        if step.get("key") and step["status"] in registry.GOOD:
                            self._by_key.setdefault(step["key"], []).append((Path(record["folder"]), step))
            return self._by_key.get(key, [])

    def take(self, key: str | None, into: Path, *, what_if: bool = False) -> dict[str, Any] | None:
        """Puts the results of the latest step with this key into a run folder; returns that step's row, or None.

        A step whose files no longer match their hash is not taken, nor one whose plan another run has replaced.
        """
        for folder, step in self._find(key) if key else []:
            name = step["notebook"]
            results = folder / "results" / name
            if content_sha256(results) != step.get("results_sha256"):
                continue
            if not _stands(self._reports.parent, results) or not _as_asked(self._reports.parent, results, what_if):
                continue
            target = into / "results" / name
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(results, target, copy_function=_link)
            for file in (step["notebook_file"], step["log"]):
                if (folder / file).is_file():
                    _link(str(folder / file), str(into / file))
            return {**step, "run_id": step.get("reused_from") or folder.name}
        return None


def _stands(root: Path, results: Path) -> bool:
    """Tells whether what a step left outside its results (a plan's version) is current, or was changed by a person."""
    for folder, version in emit.read_versions(results).items():
        try:
            current, content = files.read_version(root / folder)
        except (OSError, PlanningError):
            return False
        if current != version and content.get("cause") == results.name:
            return False
    return True


def _as_asked(root: Path, results: Path, what_if: bool) -> bool:
    """Tells whether what a step kept as a what-if may stand for this run: a what-if too, and none of it counts now."""
    kept = emit.read_versions(results, beside=True)
    return not kept or what_if and not any(files.current_version(root / one) == kept[one] for one in kept)


def _link(source: str, target: str) -> str:
    """One file in two runs; both are never written again, and either may be removed without the other."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
