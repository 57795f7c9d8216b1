"""Schedules as texts of the tools a company already runs: cron, systemd, GitHub Actions, Dagster.

Every text calls `planning schedule run-due --name NAME`: whether a slot is really due (business days, missed times, an
earlier run still going) is decided there, so all of them may call too often and none may call too late.
"""

from __future__ import annotations

import calendar
import datetime as dt
import shlex
from pathlib import Path

from planning.errors import UsageError, did_you_mean
from planning.runs.schedules import UTC, Schedule

_WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")


def export(kind: str, found: list[Schedule], root: Path, planning: str) -> dict[str, str]:
    """Returns file name → text for `kind` (cron, systemd, github, dagster); `planning` is the command's full path."""
    makers = {"cron": _cron, "systemd": _systemd, "github": _github, "dagster": _dagster}
    if kind not in makers:
        raise UsageError(
            f"--export {kind}: is not known.{did_you_mean(kind, makers)} It is one of: {', '.join(makers)}."
        )
    return makers[kind](found, root, planning)


def _call(schedule: Schedule, planning: str) -> str:
    return f"{shlex.quote(planning)} schedule run-due --name {shlex.quote(schedule.name)}"


def _cron(found: list[Schedule], root: Path, planning: str) -> dict[str, str]:
    lines = [
        "# Add with: crontab -e. CRON_TZ is understood by cronie; where your cron does not know it, set the machine's",
        "# zone or shift the hours.",
    ]
    for schedule in found:
        command = f"cd {shlex.quote(str(root))} && {_call(schedule, planning)}"
        lines += [
            "",
            f"# {schedule.explain()}",
            f"CRON_TZ={schedule.spec.zone}",
            f"{schedule.cron} {_percent(command)}",
        ]
    return {"crontab": "\n".join(lines) + "\n"}


def _percent(command: str) -> str:
    """A percent sign ends the command in a crontab unless it is escaped."""
    return command.replace("%", "\\%")


def _systemd(found: list[Schedule], root: Path, planning: str) -> dict[str, str]:
    texts = {}
    for schedule in found:
        unit = f"planning-{schedule.name}"
        texts[f"{unit}.service"] = (
            f"[Unit]\nDescription={schedule.explain()}\n\n[Service]\nType=oneshot\nWorkingDirectory={root}\n"
            f"ExecStart={_call(schedule, planning)}\n"
        )
        times = "".join(f"OnCalendar={one}\n" for one in on_calendar(schedule))
        texts[f"{unit}.timer"] = (
            f"[Unit]\nDescription={schedule.explain()}\n\n[Timer]\n{times}Persistent=true\n\n"
            "[Install]\nWantedBy=timers.target\n"
        )
    return texts


def on_calendar(schedule: Schedule) -> list[str]:
    """Returns systemd's expressions for a schedule; either-or of day and weekday becomes two of them.

    What systemd cannot say (`LW`, `5#1`) becomes every day at that time; run-due leaves out the days
    that are not meant.
    """
    minute, hour, day, month, weekday = schedule.cron.upper().split()
    time = f"{_systemd_field(hour, 24)}:{_systemd_field(minute, 60)}:00"
    months = _systemd_field(month, 13)
    said = []
    if "#" in weekday or "L" in weekday or day == "LW":
        said.append(f"*-*-* {time}")
    else:
        if day != "*" or weekday == "*":
            said.append(f"*-{months}~01 {time}" if day == "L" else f"*-{months}-{_systemd_field(day, 32)} {time}")
        if weekday != "*":
            said.append(f"{_systemd_weekdays(weekday)} *-{months}-* {time}")
    return [f"{one} {schedule.spec.zone}" for one in said]


def _systemd_field(field: str, end: int) -> str:
    if field == "*":
        return "*"
    names = {name.upper(): str(i) for i, name in enumerate(calendar.month_abbr) if name}
    return ",".join(f"{value:02d}" for value in _values(field, 0 if end in (24, 60) else 1, end, names))


def _systemd_weekdays(field: str) -> str:
    names = {name.upper(): str(i) for i, name in enumerate(_WEEKDAYS)}
    days = sorted({value % 7 for value in _values(field, 0, 8, names)})
    return ",".join(_WEEKDAYS[day] for day in days)


def _values(field: str, start: int, end: int, names: dict[str, str]) -> list[int]:
    """The numbers a cron field means: lists, ranges and steps written out."""
    found: set[int] = set()
    for part in field.split(","):
        span, _slash, step = part.partition("/")
        low, _dash, high = span.partition("-")
        low, high = names.get(low, low), names.get(high, high)
        first = start if low == "*" else int(low)
        last = int(high) if high else (end - 1 if low == "*" or step else first)
        found.update(range(first, last + 1, int(step or 1)))
    return sorted(found)


def _github(found: list[Schedule], root: Path, planning: str) -> dict[str, str]:
    texts = {}
    for schedule in found:
        lines = "".join(f'    - cron: "{line}"\n' for line in utc_crons(schedule))
        texts[f".github/workflows/planning-{schedule.name}.yml"] = (
            f"# {schedule.explain()}\n# GitHub's clock is UTC: one line for each offset of the zone over the\n"
            "# year; run-due runs a slot once, whichever line comes first. GitHub often starts minutes late: keep\n"
            "# catch_up at latest. Reports must be kept between runs (a cache or a branch).\n"
            f"name: planning {schedule.name}\non:\n  schedule:\n{lines}  workflow_dispatch: {{}}\n"
            "jobs:\n  run:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n"
            "      - run: make setup\n"
            f"      - run: .venv/bin/planning schedule run-due --name {shlex.quote(schedule.name)}\n"
        )
    return texts


def utc_crons(schedule: Schedule) -> list[str]:
    """Returns cron lines in UTC that together come at every slot: one for each offset of the zone over a year."""
    minute, hour, day, month, weekday = schedule.cron.split()
    year = dt.datetime(2027, 1, 1, tzinfo=UTC)
    offsets = {(year + dt.timedelta(days=n)).astimezone(schedule.zone).utcoffset() for n in range(365)}
    if offsets == {dt.timedelta(0)}:
        return [schedule.cron]
    lines: dict[str, None] = {}
    for offset in sorted(offsets, reverse=True):
        ahead = int(offset.total_seconds() // 60)
        if not (hour.isdigit() and minute.isdigit()):  # every hour: run-due knows which one is meant
            utc = sorted({(m - ahead) % 60 for m in _values(minute, 0, 60, {})})
            lines[f"{minute if ahead % 60 == 0 else ','.join(map(str, utc))} * * * *"] = None
            continue
        shifted = 60 * int(hour) + int(minute) - ahead
        # A time that moves to the day before or after is asked for on every day; run-due knows which one is meant.
        same = 0 <= shifted < 24 * 60
        clock = f"{shifted % 60} {shifted // 60 % 24}"
        lines[f"{clock} {day if same else '*'} {month if same else '*'} {weekday if same else '*'}"] = None
    return list(lines)


def _dagster(found: list[Schedule], root: Path, planning: str) -> dict[str, str]:
    lines = [
        '"""Dagster definitions that call the planning command from an environment of their own."""',
        "", "import subprocess", "",
        "from dagster import DefaultScheduleStatus, Definitions, ScheduleDefinition, job, op", "",
    ]  # fmt: skip
    names = []
    for schedule in found:
        name = "".join(c if c.isalnum() else "_" for c in schedule.name)
        names.append(f"{name}_schedule")
        lines += [
            "", "@op", f"def run_{name}():",
            f"    command = [{planning!r}, 'schedule', 'run-due', '--name', {schedule.name!r}]",
            f"    subprocess.run(command, cwd={str(root)!r}, check=True)",
            "", "", "@job", f"def planning_{name}():", f"    run_{name}()", "",
            f"{name}_schedule = ScheduleDefinition(",
            f"    job=planning_{name}, cron_schedule={_for_dagster(schedule.cron)!r},",
            f"    execution_timezone={schedule.spec.zone!r}, default_status=DefaultScheduleStatus.RUNNING,", ")", "",
        ]  # fmt: skip
    lines += ["", f"defs = Definitions(schedules=[{', '.join(names)}])", ""]
    return {"planning_dagster.py": "\n".join(lines)}


def _for_dagster(cron: str) -> str:
    """Dagster refuses `LW`: it comes on every day of that time, and run-due leaves out those that are not meant."""
    minute, hour, day, month, weekday = cron.split()
    return f"{minute} {hour} * {month} *" if day.upper() == "LW" else " ".join([minute, hour, day, month, weekday])
