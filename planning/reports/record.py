"""What a run left in its folder, read once and tolerantly: `run.json` and the manifest of each notebook.

A page must come out of any folder, also of one whose run died half way, so a missing file or key is never an error
here. Nothing is computed and nothing is written.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from planning.language import _

RUN_FILE = "run.json"
# How a status is shown: the shape and colour of its mark (see page.css).
DONE, UNKNOWN, FAILED, REUSED, GOING = "done", "unknown", "failed", "reused", "going"
_SHAPES = {
    "ok": DONE, "cannot_tell": UNKNOWN, "reused": REUSED, "skipped": REUSED, "running": GOING, "waiting": GOING,
    "failed": FAILED, "timeout": FAILED, "died": FAILED, "interrupted": FAILED, "lost": FAILED,
    "missed": FAILED,
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """One notebook of a run: what run.json says of it, and the manifest it left (empty where it left none)."""

    notebook: str
    facts: dict[str, Any]
    manifest: dict[str, Any]
    folder: Path

    @property
    def status(self) -> str:
        """The step's status; "cannot_tell" where it ran well and the answer is that these data do not carry one."""
        status = str(self.facts.get("status") or ("ok" if self.manifest else "failed"))
        return "cannot_tell" if status == "ok" and self.manifest.get("state") == "cannot_tell" else status

    @property
    def shape(self) -> str:
        """The mark its status is shown with."""
        return shape_of(self.status)

    @property
    def failed(self) -> bool:
        """Whether a person has to do something about it."""
        return self.shape == FAILED

    @property
    def answered(self) -> bool:
        """Whether it left an answer to show."""
        return bool(self.manifest.get("answer"))

    @property
    def title(self) -> str:
        """The page's short name: the notebook's own, else its file name in words."""
        return self.manifest.get("title") or words_of(self.notebook)

    @property
    def language(self) -> str:
        """The language it was asked for in: its manifest's, else (a failed one leaves none) its parameter's."""
        return str(self.manifest.get("language") or (self.facts.get("parameters") or {}).get("language") or "")

    @property
    def causes(self) -> list[str]:
        """What went wrong, one cause a line, without a traceback."""
        return causes_of(self.facts.get("error"))


@dataclass(frozen=True)
class Run:
    """One run folder."""

    folder: Path
    facts: dict[str, Any]
    steps: list[Step] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The run's id, as its folder is called."""
        return str(self.facts.get("id") or self.facts.get("run_id") or self.folder.name)

    @property
    def flow(self) -> str:
        """The flow or notebook that was run."""
        return str(self.facts.get("flow") or self.folder.parent.name)

    @property
    def status(self) -> str:
        """The run's status; "cannot_tell" where the step that tells the story could not answer."""
        status = str(self.facts.get("status") or "running")
        teller = self.teller
        return "cannot_tell" if status == "ok" and teller is not None and teller.status == "cannot_tell" else status

    @property
    def shape(self) -> str:
        """The mark its status is shown with."""
        return shape_of(self.status)

    @property
    def failed(self) -> bool:
        """Whether a person has to do something about it."""
        return self.shape == FAILED

    @property
    def teller(self) -> Step | None:
        """The step whose answer is the run's: the summary of a plan, else the last one that answered."""
        answered = [step for step in self.steps if step.answered]
        summary = [step for step in answered if step.notebook == "plan_summary"]
        return (summary or answered or [None])[-1]

    @property
    def causes(self) -> list[str]:
        """What went wrong, of the run and of its steps, each once and without a traceback."""
        lines = [line for step in self.steps if step.failed for line in step.causes]
        return list(dict.fromkeys([*lines, *([] if lines else causes_of(self.facts.get("error")))]))

    @property
    def language(self) -> str:
        """The language its pages are written in: that of its first step, else the one asked for, else the company's."""
        said = [step.language for step in self.steps if step.language]
        given = [(self.facts.get(key) or {}).get("language") for key in ("parameters", "given")]
        known = (word for word in (*said, *given, self.facts.get("language")) if word and isinstance(word, str))
        return next(known, "en")

    def step(self, notebook: str) -> Step:
        """Returns one step by its notebook's name; KeyError where the run has none."""
        return next(step for step in self.steps if step.notebook == notebook)


def read_run(folder: str | Path) -> Run:
    """Returns the run in `folder`, its steps in the order of run.json, then any that only left results."""
    folder = Path(folder)
    facts = read_json(folder / RUN_FILE)
    named = steps_of(facts)
    left = sorted(path.parent.name for path in folder.glob("results/*/manifest.json"))
    names = [*named, *(name for name in left if name not in named)]
    results = {name: folder / "results" / name for name in names}
    said = {name: read_json(results[name] / "manifest.json") for name in names}
    steps = [Step(name, named.get(name, {}), said[name], results[name]) for name in names]
    return Run(folder, facts, steps)


def shape_of(status: str) -> str:
    """Returns the mark a status is shown with."""
    return _SHAPES.get(status, GOING)


def steps_of(facts: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns run.json's steps by notebook, whether it lists them or keys them."""
    steps = facts.get("steps") or []
    if isinstance(steps, dict):
        return {str(name): dict(step or {}) for name, step in steps.items()}
    return {str(step.get("notebook") or step.get("name")): step for step in steps if isinstance(step, dict)}


def read_json(path: Path) -> dict[str, Any]:
    """Returns the object in a JSON file; an empty one where the file is missing or damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def causes_of(error: Any) -> list[str]:
    """Returns an error of run.json as lines of cause, whether it was kept as text, as lines, or with its parts."""
    if not error:
        return []
    if isinstance(error, dict):
        error = error.get("lines") or error.get("message") or error.get("text") or error.get("type") or ""
    lines = error if isinstance(error, list) else str(error).splitlines()
    return [str(line).strip() for line in lines if str(line).strip()]


def words_of(name: str) -> str:
    """Returns a file's name in words: annual_targets → Annual targets, in the reader's language where it is ours."""
    words = name.replace("_", " ").replace("-", " ").strip()
    ours = {
        "annual_plan": _("Annual plan"),
        "annual_targets": _("Annual targets"),
        "regional_budget": _("Regional budget"),
        "pilot_test": _("Pilot test"),
        "weekly_progress": _("Weekly progress"),
        "replan": _("Replan"),
        "data_check": _("Data check"),
        "deal_postmortem": _("Deal postmortem"),
        "demand_forecast": _("Demand forecast"),
        "forecast_accuracy": _("Forecast accuracy"),
        "lead_grading": _("Lead grading"),
        "plan_summary": _("Plan summary"),
        "practice_library": _("Practice library"),
    }
    return ours.get(name, words[:1].upper() + words[1:])


def moment(text: Any) -> dt.datetime | None:
    """Returns an ISO time stamp as a moment in UTC; None where it is not one."""
    try:
        found = dt.datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found.astimezone(dt.UTC) if found.tzinfo else found.replace(tzinfo=dt.UTC)


def started(run_id: str) -> dt.datetime | None:
    """Returns the moment a run id holds: `20270108T061204Z-4be19c` → 8 January 2027, 06:12:04 UTC."""
    try:
        return dt.datetime.strptime(run_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
    except ValueError:
        return None
