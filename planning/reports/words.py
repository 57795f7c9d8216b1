"""Words of the pages that belong to no domain: states, causes, durations, the headline of a run that stopped."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from planning import language
from planning.language import _, ngettext
from planning.reports.record import Run, Step

NARROW = "\u202f"


def state(status: str) -> str:
    """Returns a status in the reader's words."""
    known = {
        "ok": _("Done"), "cannot_tell": _("Cannot tell"), "reused": _("Reused"), "skipped": _("Skipped"),
        "running": _("Running"), "waiting": _("Waiting"),
        "failed": _("Failed"), "timeout": _("Timed out"), "died": _("Died"),
        "interrupted": _("Interrupted"), "lost": _("Lost"), "missed": _("Missed"),
    }  # fmt: skip
    return known.get(status, status)


def explained(status: str) -> str:
    """Returns what a bad status means and what to do, for steps that left no words of their own."""
    known = {
        "timeout": _("It did not finish in its time. Raise run.timeout in workbench.toml, or give it fewer rows."),
        "died": _("Its kernel ended without a word, most often because memory ran out. Give it fewer rows and resume."),
        "interrupted": _("It was stopped from outside. Resume the run to go on from the finished steps."),
        "lost": _("The process that wrote it is gone. Resume the run to go on from the finished steps."),
        "missed": _("Its time passed while nothing could run it. Start it by hand if it is still wanted."),
        "skipped": _("It was not run, because a step it needs did not finish."),
    }  # fmt: skip
    return known.get(status, _("It left no cause. The log beside this page has its last words."))


def trigger(found: object) -> str:
    """Returns who or what started a run."""
    kind, _colon, name = str(found or "").partition(":")
    if kind == "schedule":
        return _("the schedule {name}").format(name=name)
    known = {
        "hand": _("a person"), "resume": _("a person, resuming"), "notebook": _("a person in JupyterLab"),
        "notebook jobs": _("the Notebook Jobs panel"), "fan-out": _("a person, one run for each value"),
    }  # fmt: skip
    return known.get(kind, str(found or ""))


def duration(seconds: float | None) -> str:
    """Returns a duration as people say it: 0.4 s, 41 s, 10 min, 1 h 5 min; nothing where it is not known."""
    if seconds is None:
        return ""
    if seconds < 10:
        return language.number(seconds, 1) + NARROW + _("s")
    if seconds < 90:
        return language.number(seconds) + NARROW + _("s")
    minutes = round(seconds / 60)
    if minutes < 90:
        return language.number(minutes) + NARROW + _("min")
    return _("{hours} h {minutes} min").format(hours=minutes // 60, minutes=minutes % 60)


def moment(when: dt.datetime | None) -> str:
    """Returns a moment to the minute in UTC; nothing where it is not known."""
    return "" if when is None else f"{language.day(when.date())} {when:%H:%M}{NARROW}UTC"


def stopped(run: Run) -> str:
    """Returns the headline of a run that did not finish: where it stopped, and how."""
    broken = [step for step in run.steps if step.failed]
    names = language.listing([step.title for step in broken])
    if not broken:
        return _("This run did not finish: {state}").format(state=state(run.status))
    if all(step.status == "timeout" for step in broken):
        return _("This run stopped: {names} ran out of time").format(names=names)
    if all(step.status == "died" for step in broken):
        return _("This run stopped: {names} lost its kernel").format(names=names)
    return _("This run stopped: {names} failed").format(names=names)


def broken(step: Step) -> str:
    """Returns the headline of a step that has no answer to show."""
    if step.status == "failed":
        return _("{title} failed").format(title=step.title)
    if step.failed or step.status in ("skipped", "running", "waiting"):
        return f"{step.title}: {state(step.status)}"
    return _("{title} left no answer").format(title=step.title)


def causes(step: Step) -> list[str]:
    """Returns what went wrong in a step, one cause a line; what its status means where it left no words."""
    if step.causes or not (step.failed or step.status == "skipped"):
        return step.causes
    return [explained(step.status)]


def kept(run: Run) -> str:
    """Returns what of a stopped run can still be read."""
    good = [step for step in run.steps if step.answered and not step.failed]
    if not good:
        return _("Nothing was finished. Earlier runs are untouched.")
    n = len(good)
    words = ngettext("{n} step was finished and is kept", "{n} steps were finished and are kept", n).format(n=n)
    names = language.listing([step.title for step in good])
    return _("{kept}: {names}. Resume the run to go on from there.").format(kept=words, names=names)


def what_if(run: Run) -> str:
    """Returns that what a run made does not count, and how to make a plan or budget count; empty where it does."""
    if not run.facts.get("what_if"):
        return ""
    kept = dict(pair for step in run.steps for pair in (step.facts.get("what_if") or {}).items())
    if not kept:
        return _("A what-if: the plan that counts stays as it was, and no later run goes on from these results.")
    named = language.listing([f"{folder} {version}" for folder, version in kept.items()])
    return _(
        "A what-if, with values given for this run alone: the plan that counts stays as it was. Kept beside it: "
        "{versions}. To make one count: planning plans --adopt {example}"
    ).format(versions=named, example=next(iter(kept.values())))


def replaced(steps: Iterable[Step]) -> str:
    """Returns of which plan or budget the numbers are where another one counts; empty where they are of that one."""
    found = {name: pair for step in steps for name, pair in (step.facts.get("replaced") or {}).items()}
    text = _("The numbers are of version {used} of {folder}, which was replaced: {now} counts.")
    return " ".join(text.format(used=used, folder=name, now=now) for name, (used, now) in found.items())


def reuse(step: Step) -> str:
    """Returns why a step shows an earlier result; nothing where it was computed."""
    if step.status != "reused":
        return ""
    source = step.facts.get("reused_from")
    if isinstance(source, str) and source:
        return _("Reused from run {run}, because inputs, parameters and code are unchanged.").format(run=source)
    return _("Reused from an earlier run, because inputs, parameters and code are unchanged.")
