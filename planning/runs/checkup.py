"""What `planning doctor` looks at: each check tells what it found and, where something is wrong, what to do.

One row a check: name, status (ok, warn, fail), found, fix. A warning is something the workbench does without; a failure
stops a run.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import importlib.util
import os
import re
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from planning import cache
from planning.errors import PlanningError, did_you_mean
from planning.runs import housekeeping, inputs, layout, registry

OK, WARN, FAIL = "ok", "warn", "fail"
_FREE_MB = 500
_NEEDED = ("papermill", "nbclient", "jupyter_client", "ipykernel", "pandas", "numpy", "numba", "pyarrow", "matplotlib")
_PIN = re.compile(r"^([A-Za-z0-9_.\[\]-]+)==([^\s;\\]+)(?:\s*;\s*([^\\]+))?", re.MULTILINE)
Row = dict[str, str]


def _row(name: str, status: str, found: str, fix: str = "") -> Row:
    return {"name": name, "status": status, "found": found, "fix": fix}


def check(root: Path | None = None) -> list[Row]:
    """Runs every check and returns their rows; one that breaks is a failure with its reason, not the end."""
    rows: list[Row] = []
    for one in (_python, _packages, _lock, _fonts, _browser, _kernels, _cache, _clock):
        rows += _safely(one.__name__.strip("_"), one)
    try:
        workspace = layout.workspace(root)
    except PlanningError as error:
        return [*rows, _row("workspace", WARN, str(error).split(". ")[0], "Make one: planning init DIR.")]
    for one in (_settings, _folders, _runs):
        rows += _safely(one.__name__.strip("_"), lambda one=one: one(workspace))
    if any(row["name"] == "settings" and row["status"] == FAIL for row in rows):
        return rows  # what follows reads them, and would say the same again
    for one in (_databases, _schedules, _delivery):
        rows += _safely(one.__name__.strip("_"), lambda one=one: one(workspace))
    return rows


def _safely(name: str, make: Callable[[], Iterator[Row]]) -> list[Row]:
    from planning.config import redact

    try:
        return list(make())
    except Exception as error:
        text = redact(" ".join(f"{type(error).__name__}: {error}".split()))
        return [_row(name, FAIL, text, "Mend what it names, then run planning doctor again.")]


def _python() -> Iterator[Row]:
    yield _row("python", OK, f"{'.'.join(map(str, sys.version_info[:3]))} at {sys.executable}")


def _packages() -> Iterator[Row]:
    missing = []
    for name in _NEEDED:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        yield _row("packages", FAIL, f"missing: {', '.join(missing)}", "Run make setup.")
    else:
        yield _row("packages", OK, ", ".join(f"{k} {v}" for k, v in list(inputs.versions().items())[:6]))


def _lock() -> Iterator[Row]:
    path = inputs.PACKAGE.parent / "requirements.lock"
    if not path.is_file():
        return
    differ = []
    for name, wanted, marker in _PIN.findall(path.read_text(encoding="utf-8")):
        if marker and not _applies(marker):
            continue
        try:
            found = importlib.metadata.version(name.partition("[")[0])
        except importlib.metadata.PackageNotFoundError:
            found = "absent"
        if found != wanted:
            differ.append(f"{name} {found} instead of {wanted}")
    if differ:
        yield _row(
            "lock", WARN, f"{len(differ)} differ: {', '.join(differ[:3])}", "Run make setup for the locked versions."
        )
    else:
        yield _row("lock", OK, "all packages as locked")


def _applies(marker: str) -> bool:
    from packaging.markers import InvalidMarker, Marker

    try:
        return Marker(marker.strip()).evaluate()
    except InvalidMarker:
        return False


def _fonts() -> Iterator[Row]:
    from planning.charts import style

    names = style._fonts()
    chinese = [name for name in names if "SC" in name]
    if chinese:
        yield _row("fonts", OK, ", ".join(names))
    else:
        yield _row("fonts", WARN, f"only {', '.join(names)}", "Install zhplot or Noto Sans SC: Chinese labels need it.")


def _browser() -> Iterator[Row]:
    from planning.reports.pdf import chromium

    path = chromium()
    if path:
        yield _row("browser", OK, path)
    else:
        yield _row(
            "browser", WARN, "no Chromium", "Install chromium for 'planning show --pdf'; pages open in any browser."
        )


def _kernels() -> Iterator[Row]:
    from planning.runs import kernels, warm

    made = kernels.source("warm", 1)
    try:
        if made.kind == "warm":
            yield _row(
                "kernels", OK, f"warm kernels pass their self-test ({made.report['ready']:.1f} s to import once)"
            )
        else:
            yield _row("kernels", WARN, made.why, 'Runs use cold kernels, which are slower. Set [run] kernel = "cold".')
    finally:
        made.close()
    limits = {name: os.environ[name] for name in warm.LIMITS if name in os.environ}
    yield _row(
        "threads", OK, ", ".join(f"{k}={v}" for k, v in limits.items()) or f"shared among jobs, {os.cpu_count()} cores"
    )


def _cache() -> Iterator[Row]:
    """Compiled code is kept in the user's cache folder; where that may not be written it may be compiled each time."""
    wanted = cache.home()
    if cache.folder("templates").parent == wanted:
        yield _row("cache", OK, f"compiled code is kept in {wanted} ({housekeeping.megabytes(wanted):.0f} MB)")
    else:
        yield _row("cache", WARN, f"{wanted} may not be written", "Set XDG_CACHE_HOME to a folder of yours.")


def _clock() -> Iterator[Row]:
    with tempfile.NamedTemporaryFile() as file:
        apart = abs(os.stat(file.name).st_mtime - time.time())
    zone = dt.datetime.now().astimezone().tzname()
    text = f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M} UTC, local zone {zone}"
    built = max(path.stat().st_mtime for path in inputs.PACKAGE.glob("*.py"))
    if apart > 5 or time.time() < built - 86400:
        yield _row("clock", FAIL, f"{text}; the files of this machine say otherwise", "Set the clock (NTP).")
    else:
        yield _row("clock", OK, text)


def _settings(root: Path) -> Iterator[Row]:
    from planning import config

    try:
        settings = config.load(root)
    except PlanningError as error:
        for line in str(error).splitlines():
            yield _row("settings", FAIL, line, "Correct workbench.toml.")
        return
    yield _row("settings", OK, f"{root / layout.CONFIG}: {len(settings.sources)} tables, {len(settings.flows)} flows")


def _folders(root: Path) -> Iterator[Row]:
    names = ("reports", "forecasts", "plans", "data")
    closed = [name for name in names if not os.access(root / name if (root / name).exists() else root, os.W_OK)]
    for name in closed:
        yield _row("permissions", FAIL, f"{root / name} may not be written", "Give write permission.")
    if not closed:
        yield _row("permissions", OK, f"{', '.join(names)} may be written")
    free = shutil.disk_usage(root).free / 1e6
    used = housekeeping.megabytes(layout.reports(root)) if layout.reports(root).is_dir() else 0.0
    fix = "" if free >= _FREE_MB else "Free space, or remove old runs: planning runs --prune --keep 30d."
    yield _row("disk", OK if not fix else FAIL, f"runs use {used:.0f} MB, {free:.0f} MB free", fix)


def _databases(root: Path) -> Iterator[Row]:
    from planning import config
    from planning.config import redact
    from planning.sources import read_table

    settings = config.load(root)
    asked = {name: source for name, source in settings.sources.items() if source.database is not None}
    if not asked:
        yield _row("databases", OK, "no source asks one")
    for name in asked:
        try:
            rows = len(read_table(name, settings))
        except PlanningError as error:
            yield _row(
                f"database {name}", FAIL, redact(str(error).splitlines()[0]), "Check address, login and network."
            )
        else:
            yield _row(f"database {name}", OK, f"{rows} rows")


def _schedules(root: Path) -> Iterator[Row]:
    from planning import config
    from planning.runs import schedules
    from planning.runs.due import Journal

    settings = config.load(root)
    for schedule in schedules.of_settings(settings):
        yield from _alarms(schedule, layout.reports(root))
        events = Journal(layout.reports(root), schedule.name).events()
        if events:
            last = list(events.values())[-1]
            yield _row(f"schedule {schedule.name}", OK, f"last {last['slot']} {last['status']}")
        else:
            fix = "Nothing calls 'planning schedule' yet: see planning schedule --export cron."
            yield _row(f"schedule {schedule.name}", WARN, "never looked at", fix)


def _alarms(schedule: Any, reports: Path) -> Iterator[Row]:
    """An alarm that can never go off is worse than none: its number must be one the flow leaves, its mail one sent."""
    from planning.runs import deliver

    spec = schedule.spec
    names = [deliver.parse_alarm(alarm)[0] for alarm in spec.alarms]
    if names and not {"alarm", "always"} & set(spec.deliver_when):
        fix = 'Add "alarm" to deliver_when.'
        yield _row(f"schedule {schedule.name}", WARN, "its alarms alone never send anything", fix)
    last = next(registry.runs(reports, flow=spec.flow, status="ok"), None)
    numbers = deliver.numbers_of(last) if names and last else {}
    for name in names if numbers else ():
        if name not in numbers:
            fix = f"Write a number of the flow.{did_you_mean(name, numbers)} They are: {', '.join(numbers)}."
            yield _row(f"schedule {schedule.name}", WARN, f"the last run of {spec.flow} left no number {name}", fix)


def _delivery(root: Path) -> Iterator[Row]:
    """Whether what schedules are to send could leave this machine."""
    from planning import config

    settings = config.load(root)
    delivery, schedules = settings.delivery, settings.schedules.items()
    mute = [name for name, spec in schedules if spec.deliver] if not delivery.smtp_host else []
    for name in mute:
        fix = "Set [delivery] smtp_host, or take deliver out."
        yield _row(f"schedule {name}", WARN, "names recipients, and there is no mail server", fix)
    if delivery.smtp_host:
        place = f"{delivery.smtp_host}:{delivery.smtp_port}"
        try:
            socket.create_connection((delivery.smtp_host, delivery.smtp_port), timeout=5).close()
            yield _row("mail", OK, f"{place} answers")
        except OSError as error:
            fix = "Check [delivery] smtp_host and smtp_port, and the network."
            yield _row("mail", WARN, f"{place} does not answer ({error.strerror or error})", fix)
    if delivery.urls and importlib.util.find_spec("apprise") is None:
        yield _row("chat", WARN, "urls are set and apprise is not installed", "Install the extra 'notify'.")
    if not (delivery.smtp_host or delivery.urls or mute):
        yield _row("mail", OK, "nothing is sent: [delivery] names no mail server")


def _runs(root: Path) -> Iterator[Row]:
    reports = layout.reports(root)
    partial = registry.partial_folders(reports)
    count = len(registry.folders(reports))
    if partial:
        fix = "A run is at work, or died: 'planning runs' marks dead ones as lost."
        yield _row("runs", WARN, f"{count} finished, {len(partial)} unfinished", fix)
    else:
        yield _row("runs", OK, f"{count} finished")
