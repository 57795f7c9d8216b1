"""Schedules: each row of the daylight-saving table, business days, catch-up, overlap, exports."""

from __future__ import annotations

import datetime as dt
import html
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from planning import config
from planning.errors import ConfigError
from planning.runs import due, export, folder, launch, registry, schedules
from planning.runs.due import Journal, from_text, utc_text

UTC = dt.UTC
SHUTIL_SYSTEMD = "/usr/bin/systemd-analyze"


def _schedule(workspace, cron: str, **options):
    lines = {"flow": "f", "cron": cron, "zone": "Europe/Berlin", **options}
    text = "".join(f"{key} = {value!r}\n".replace("'", '"') for key, value in lines.items())
    workspace.configure(f'[calendar]\nholidays = "DE"\n[flows.f]\nsteps = ["first"]\n[schedules.s]\n{text}')
    return schedules.of_settings(config.load(workspace.root))[0]


def _local(schedule, after: str, n: int) -> list[str]:
    start = dt.datetime.fromisoformat(after).replace(tzinfo=schedule.zone)
    return [slot.astimezone(schedule.zone).strftime("%a %d %H:%M%z") for slot in schedule.next(start, n)]


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        # Daily in the hour that spring skips: the first moment after it, once.
        ("30 2 * * *", "2026-03-28T03:00", ["Sun 29 03:00+0200", "Mon 30 02:30+0200"]),
        # Daily in the hour that autumn repeats: once.
        ("30 2 * * *", "2026-10-24T03:00", ["Sun 25 02:30+0200", "Mon 26 02:30+0100"]),
        # Hourly across both changes: every hour that exists.
        ("0 * * * *", "2026-03-29T00:30", ["Sun 29 01:00+0100", "Sun 29 03:00+0200", "Sun 29 04:00+0200"]),
        ("0 * * * *", "2026-10-25T01:30", ["Sun 25 02:00+0200", "Sun 25 02:00+0100", "Sun 25 03:00+0100"]),
        # 1-5 is Monday to Friday, and 7 is Sunday.
        ("0 9 * * 1-5", "2026-11-06T10:00", ["Mon 09 09:00+0100", "Tue 10 09:00+0100"]),
        ("0 9 * * 7", "2026-11-06T10:00", ["Sun 08 09:00+0100"]),
        # Day of month and weekday both set: either of them.
        ("0 9 13 * 5", "2026-11-06T10:00", ["Fri 13 09:00+0100", "Fri 20 09:00+0100"]),
        ("0 9 10 * 5", "2026-11-06T10:00", ["Tue 10 09:00+0100", "Fri 13 09:00+0100"]),
        # The last day, the first Friday, the last weekday.
        ("0 9 L * *", "2026-11-06T10:00", ["Mon 30 09:00+0100", "Thu 31 09:00+0100"]),
        ("0 9 * * 5#1", "2026-11-06T10:00", ["Fri 04 09:00+0100"]),
        ("0 9 LW * *", "2027-01-06T10:00", ["Fri 29 09:00+0100"]),
        ("@daily", "2026-11-06T10:00", ["Sat 07 00:00+0100"]),
    ],
)
def test_every_row_of_the_table(workspace, cron, after, expected):
    assert _local(_schedule(workspace, cron), after, len(expected)) == expected


@pytest.mark.parametrize(
    ("cron", "options", "words"),
    [
        ("0 0 30 2 *", {}, "is no cron line"), ("61 * * * *", {}, "is no cron line"), ("0 7 * *", {}, "five fields"),
        ("0 7 * * *", {"zone": "Europe/Berln"}, "no time zone"), ("0 7 * * *", {"only": "workday"}, "business_day"),
        ("0 7 * * *", {"only": "nth_business_day(99)"}, "business_day"),
        ("0 7 * * *", {"max_late": "soon"}, "span of time"),
    ],
)  # fmt: skip
def test_a_wrong_schedule_is_refused_with_its_key(workspace, cron, options, words):
    with pytest.raises(Exception, match=words):
        _schedule(workspace, cron, **options)


def test_business_days_know_weekends_and_holidays(workspace):
    daily = _schedule(workspace, "0 7 * * *", only="business_day")
    # Christmas 2026: Friday 25 and (a Saturday) 26 are holidays, New Year's Day is a Friday.
    assert _local(daily, "2026-12-24T08:00", 5) == [
        "Mon 28 07:00+0100", "Tue 29 07:00+0100", "Wed 30 07:00+0100", "Thu 31 07:00+0100", "Mon 04 07:00+0100",
    ]  # fmt: skip
    first = _schedule(workspace, "0 7 * * *", only="nth_business_day(1)")
    assert _local(first, "2026-12-31T08:00", 2) == ["Mon 04 07:00+0100", "Mon 01 07:00+0100"]
    last = _schedule(workspace, "0 7 * * *", only="nth_business_day(-1)")
    assert _local(last, "2026-12-24T08:00", 1) == ["Thu 31 07:00+0100"]
    assert "business day 1 of the month" in first.explain()


def test_an_unknown_calendar_and_an_unknown_name_are_refused(workspace):
    with pytest.raises(ConfigError, match="holidays: 'XX'"):
        schedules.is_business_day(dt.date(2026, 1, 1), "XX")
    _schedule(workspace, "0 7 * * *")
    with pytest.raises(ConfigError, match="there is no schedule 'z'"):
        schedules.of_settings(config.load(workspace.root), "z")


# ---------------------------------------------------------------------- running what is due


class Clock:
    """Runs what is due at a time of day, with a runner that only notes what it was asked for."""

    def __init__(self, workspace, status: str = "ok"):
        self.workspace, self.status = workspace, status
        self.started: list[str] = []
        self.delivered: list[str] = []

    def at(self, text: str) -> list[tuple[str, str]]:
        now = dt.datetime.fromisoformat(text).replace(tzinfo=UTC)
        settings = config.load(self.workspace.root)
        events = due.run_due(
            self.workspace.root, settings, now=now, start=self._start,
            deliver=lambda record, *_: self.delivered.append(record["id"]),
        )  # fmt: skip
        return [(event["slot"], event["status"]) for event in events]

    def _start(self, flow, *, extra, trigger, **_options):
        self.started.append(extra["slot"])
        return {"id": f"run-{extra['slot']}", "status": self.status, "folder": "", "steps": []}


@pytest.mark.parametrize(
    ("catch_up", "ran", "missed"),
    [
        ("latest", ["2026-11-04T08:00:00Z"], 2),
        ("all", ["2026-11-04T07:00:00Z", "2026-11-04T08:00:00Z"], 1),
        ("none", [], 3),
    ],
)
def test_missed_times_are_caught_up_as_asked(workspace, catch_up, ran, missed):
    _schedule(workspace, "0 * * * *", zone="UTC", catch_up=catch_up, max_late="2h")
    clock = Clock(workspace)
    assert clock.at("2026-11-04T05:30") == [], "a schedule begins when it is first seen"
    events = clock.at("2026-11-04T08:30")
    assert clock.started == ran and clock.delivered == [f"run-{slot}" for slot in ran]
    assert [status for _slot, status in events].count("missed") == missed
    assert clock.at("2026-11-04T08:40") == [], "a slot is never run twice"
    clock.at("2026-11-04T09:01")
    assert clock.started[-1] == "2026-11-04T09:00:00Z"


def test_a_run_that_still_goes_makes_the_next_slot_skipped_and_a_dead_one_lost(workspace):
    schedule = _schedule(workspace, "0 * * * *", zone="UTC")
    clock = Clock(workspace)
    clock.at("2026-11-04T05:30")
    journal = Journal(workspace.reports, "s")
    journal.write(from_text("2026-11-04T06:00:00Z"), "running", dt.datetime(2026, 11, 4, 6, tzinfo=UTC))
    lock = folder.Lock(folder.lock_folder(workspace.reports) / "schedule-s.lock")
    assert lock.take()
    assert clock.at("2026-11-04T07:10") == [("2026-11-04T07:00:00Z", "skipped")]
    lock.release()
    assert clock.at("2026-11-04T07:20") == [("2026-11-04T06:00:00Z", "lost")]
    assert clock.started == [] and schedule.name == "s"
    run = next(registry.runs(workspace.reports, status="lost"))
    assert clock.delivered == [run["id"]] and run["slot"] == "2026-11-04T06:00:00Z"
    assert "ended before its run began" in (Path(run["folder"]) / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("sent", [False, True])
def test_a_slot_whose_process_died_is_what_its_run_says_and_is_delivered_once(workspace, sent, quick, no_pages):
    """The run was finished, or found lost; what died is the process that was to write it down and to send it."""
    _schedule(workspace, "0 * * * *", zone="UTC")
    workspace.notebook("first")
    clock = Clock(workspace)
    clock.at("2026-11-04T05:30")
    slot = from_text("2026-11-04T06:00:00Z")
    Journal(workspace.reports, "s").write(slot, "running", slot)
    record = launch.start("f", trigger="schedule:s", extra={"slot": utc_text(slot)})
    if sent:
        Path(record["folder"], "delivery.json").write_text("[]")
    assert clock.at("2026-11-04T06:10") == [(utc_text(slot), "ok")]
    assert clock.delivered == ([] if sent else [record["id"]])
    assert clock.at("2026-11-04T06:20") == []


def test_a_refused_run_is_recorded_and_the_schedule_goes_on(workspace):
    _schedule(workspace, "0 * * * *", zone="UTC")
    clock = Clock(workspace)
    clock.at("2026-11-04T05:30")
    clock._start = lambda *_args, **_options: (_ for _ in ()).throw(ConfigError("no parameter 'x'. Did you mean 'y'?"))
    assert clock.at("2026-11-04T06:00") == [("2026-11-04T06:00:00Z", "failed")]
    assert "Did you mean" in Journal(workspace.reports, "s").events()["2026-11-04T06:00:00Z"]["note"]
    run = next(registry.runs(workspace.reports))
    assert (run["status"], run["flow"], run["steps"]) == ("failed", "f", []) and clock.delivered == [run["id"]]
    for page in (Path(run["folder"]) / "index.html", workspace.reports / "index.html"):
        assert "no parameter 'x'. Did you mean 'y'?" in html.unescape(page.read_text(encoding="utf-8"))
    assert '<html lang="en"' in (Path(run["folder"]) / "index.html").read_text(encoding="utf-8")
    (workspace.reports / ".schedules" / "s.jsonl").open("a").write('{"slot": "2026-11-0')  # a torn line
    assert clock.at("2026-11-04T06:01") == []


# ---------------------------------------------------------------------- exports

CRONS = ["0 7 2 * *", "30 6 * * 1-5", "*/15 8-17 * * *", "0 9 13 * 5", "0 9 L * *", "0 0 * * MON,THU", "@monthly"]


@pytest.mark.parametrize("cron", CRONS)
def test_a_crontab_line_parses_to_the_same_next_five_times(workspace, cron):
    from cronsim import CronSim

    schedule = _schedule(workspace, cron)
    text = export.export("cron", [schedule], workspace.root, "/opt/planning")["crontab"]
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert lines[0] == "CRON_TZ=Europe/Berlin"
    fields = lines[1].split(None, 5)
    assert fields[5].endswith("planning schedule run-due --name s")
    start = dt.datetime(2026, 11, 4, 12, tzinfo=schedule.zone)
    parsed = CronSim(" ".join(fields[:5]), start)
    assert [next(parsed).astimezone(UTC) for _ in range(5)] == schedule.next(start, 5)


@pytest.mark.parametrize("cron", CRONS)
def test_systemd_reads_its_timer_and_comes_at_the_same_five_times(workspace, cron):
    if not os.path.exists(SHUTIL_SYSTEMD):
        pytest.skip("systemd-analyze is not on this machine")
    schedule = _schedule(workspace, cron)
    start = dt.datetime(2026, 11, 4, 12, tzinfo=UTC)
    texts = export.export("systemd", [schedule], workspace.root, "/opt/planning")
    assert "Persistent=true" in texts["planning-s.timer"] and "run-due --name s" in texts["planning-s.service"]
    found: set[dt.datetime] = set()
    for expression in export.on_calendar(schedule):
        out = subprocess.run(
            [SHUTIL_SYSTEMD, "calendar", "--iterations=5", f"--base-time={start:%Y-%m-%d %H:%M:%S} UTC", expression],
            capture_output=True, text=True, check=True, env={"TZ": "UTC", "LC_ALL": "C"},
        ).stdout  # fmt: skip
        for line in out.splitlines():
            if "UTC" in line:
                stamp = line.split(": ", 1)[1].strip().removesuffix(" UTC")
                found.add(dt.datetime.strptime(stamp.split(" ", 1)[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC))
    assert sorted(found)[:5] == schedule.next(start, 5)


def test_what_systemd_cannot_say_becomes_every_day_and_run_due_decides(workspace):
    assert export.on_calendar(_schedule(workspace, "0 9 * * 5#1")) == ["*-*-* 09:00:00 Europe/Berlin"]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kolkata", "Australia/Adelaide", "America/New_York"])
@pytest.mark.parametrize(
    "cron", ["0 7 2 * *", "30 6 * * 1-5", "30 0 * * 1", "*/15 8-17 * * *", "0 23 1 1 *", "20 * * * *"]
)
def test_the_lines_for_a_utc_clock_come_at_every_slot_over_a_year(workspace, cron, zone):
    from cronsim import CronSim

    schedule = _schedule(workspace, cron, zone=zone)
    start, end = dt.datetime(2026, 11, 4, tzinfo=UTC), dt.datetime(2027, 11, 4, tzinfo=UTC)
    slots = set(schedule.between(start, end))
    came: set[dt.datetime] = set()
    for line in export.utc_crons(schedule):
        for moment in CronSim(line, start):
            if moment > end:
                break
            came.add(moment)
    assert slots <= came
    text = export.export("github", [schedule], workspace.root, "planning")
    assert all(line in "".join(text.values()) for line in export.utc_crons(schedule))


def test_the_dagster_file_is_python_that_names_zone_and_cron(workspace):
    schedule = _schedule(workspace, "0 7 2 * *")
    text = export.export("dagster", [schedule], workspace.root, "/opt/planning")["planning_dagster.py"]
    compile(text, "planning_dagster.py", "exec")
    assert "cron_schedule='0 7 2 * *'" in text and "execution_timezone='Europe/Berlin'" in text
    with pytest.raises(Exception, match="Did you mean 'systemd'"):
        export.export("systmd", [schedule], workspace.root, "planning")


LOADED = """
import datetime, json
from planning_dagster import defs
schedule = defs.get_schedule_def("planning_s_schedule")
from dagster._utils.schedules import schedule_execution_time_iterator
start = datetime.datetime(2026, 10, 23, 12, tzinfo=datetime.timezone.utc).timestamp() + 1
found = schedule_execution_time_iterator(start, schedule.cron_schedule, schedule.execution_timezone)
print(defs.get_job_def("planning_s").execute_in_process().success, schedule.default_status.name)
print(json.dumps([next(found).timestamp() for _ in range(5)]))
"""


@pytest.mark.parametrize(
    "cron", ["0 7 * * *", "30 6 * * 1-5", "*/15 8-17 * * *", "0 9 13 * 5", "0 9 L * *", "0 9 * * 5#1"]
)
def test_dagster_s_own_loader_comes_at_the_same_five_times(workspace, cron):
    """Dagster cannot live beside our packages: DAGSTER_PYTHON names the Python of its own environment."""
    python = os.environ.get("DAGSTER_PYTHON")
    if not python:
        pytest.skip("DAGSTER_PYTHON does not name a Python that has dagster")
    schedule = _schedule(workspace, cron)
    text = export.export("dagster", [schedule], workspace.root, "/bin/true")["planning_dagster.py"]
    (workspace.root / "planning_dagster.py").write_text(text)
    out = subprocess.run([python, "-c", LOADED], cwd=workspace.root, capture_output=True, text=True)
    assert out.returncode == 0 and "True RUNNING" in out.stdout, out.stderr[-600:]
    start = dt.datetime(2026, 10, 23, 12, tzinfo=UTC)
    assert json.loads(out.stdout.splitlines()[-1]) == [slot.timestamp() for slot in schedule.next(start, 5)]


def test_what_dagster_cannot_read_becomes_every_day_and_run_due_decides(workspace):
    text = export.export("dagster", [_schedule(workspace, "0 9 LW * *")], workspace.root, "planning")
    assert "cron_schedule='0 9 * * *'" in text["planning_dagster.py"]


def test_the_command_lists_and_explains(workspace):
    _schedule(workspace, "0 7 2 * *")
    planning = [sys.executable, "-c", "from planning.cli import main; main()", "schedule"]
    out = subprocess.run([*planning, "next"], cwd=workspace.root, capture_output=True, text=True, check=True).stdout
    assert out.count("T07:00:00+0") == 5
    out = subprocess.run([*planning, "history"], cwd=workspace.root, capture_output=True, text=True, check=True).stdout
    assert "no planned time has come yet" in out
    journal = Journal(workspace.reports, "s")
    for day, status in ((2, "missed"), (3, "ok")):
        slot = dt.datetime(2026, 11, day, 6, tzinfo=UTC)
        journal.write(slot, status, slot, note="later than max_late" if status == "missed" else "")
    out = subprocess.run([*planning, "history"], cwd=workspace.root, capture_output=True, text=True, check=True).stdout
    assert [line.split()[:3] for line in out.splitlines()] == [
        ["2026-11-03T06:00:00Z", "ok", "s"], ["2026-11-02T06:00:00Z", "missed", "s"],
    ]  # fmt: skip
    assert out.splitlines()[1].endswith("later than max_late")
    assert utc_text(dt.datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00Z"
