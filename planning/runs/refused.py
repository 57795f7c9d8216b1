"""The run folder of a scheduled run that never began: refused for a wrong setting, or its process ended too soon.

Nobody sits before a schedule: what stopped it stands in the gallery and goes out by mail like any other failure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from planning.config import redact
from planning.errors import PlanningError
from planning.runs import emit, inputs, layout, runner
from planning.runs.folder import RunFolder, utc_now


def record(root: Path, settings: Any, schedule: Any, slot: str, status: str, why: str) -> dict[str, Any]:
    """Writes the run of a slot that could not begin, with its page, and returns its record.

    An empty record where it could not be written either (a full disk): the schedule's journal still has the cause.
    """
    reports, spec = layout.reports(root), schedule.spec
    facts = {
        "target": spec.flow, "trigger": f"schedule:{schedule.name}", "slot": slot,
        "language": settings.company.language, "given": emit.plain(dict(spec.parameters)),
        "company": {"name": settings.company.name, "currency": settings.company.currency},
        "as_of": emit.plain(settings.plan.as_of), "parameters": {}, "inputs": {}, "versions": inputs.versions(),
        "package_sha256": inputs.package_sha256(), "kernel": {}, "steps": [], "warnings": [], "cpu_seconds": 0.0,
        "error": {"message": redact(why)},
    }  # fmt: skip
    try:
        folder = RunFolder(reports, Path(spec.flow).stem, facts)
        folder.record.update(status=status, finished=utc_now(), seconds=0.0)
        folder.save()
        runner.make_pages(folder.path)
        final = folder.finish()
        runner.update_gallery(reports)
    except (OSError, PlanningError):
        return {}
    return {**folder.record, "folder": str(final)}
