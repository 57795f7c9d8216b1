"""A week of schedules on a frozen clock over the end of daylight saving: runs, mails and gallery as they should be.

What happens in it, beside the change of the clock on Sunday 25 October 2026: a broken input on Tuesday night, a chance
that falls on Thursday, a mail server that refuses once, and a machine that is off on Wednesday night.
"""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import re
import socket
from collections import Counter

import pytest
import time_machine
from aiosmtpd.controller import Controller

from planning import config
from planning.runs import deliver, due, launch, registry
from planning.runs.due import Journal

UTC = dt.UTC
CHANCE = """value = float(step.path("chance.txt").read_text())
step.number("chance", value, label="Chance", text=f"{value:.0%}", chance=value, lead=True)
step.answer(f"The chance is {value:.0%}")
step.finish()"""
SCHEDULES = """[calendar]
holidays = "DE"
[flows.f]
steps = ["first"]
[flows.g]
steps = ["first"]
[schedules.nightly]
flow = "f"
cron = "30 2 * * *"
zone = "Europe/Berlin"
catch_up = "latest"
max_late = "5h"
deliver = ["ops@a.b"]
deliver_when = ["failure", "alarm"]
alarms = ["first.chance fell 0.05"]
[schedules.workdays]
flow = "g"
cron = "0 7 * * *"
zone = "Europe/Berlin"
only = "business_day"
deliver = ["board@a.b"]
[delivery]
smtp_host = "127.0.0.1"
smtp_port = PORT
starttls = false
sender = "plan@a.b"
[run]
jobs = 1
"""


class Inbox:
    """Keeps what a mail server was given, with the moment it came; refuses as often as it is told to."""

    def __init__(self) -> None:
        self.mails: list[tuple[dt.datetime, email.message.EmailMessage]] = []
        self.refuse = 0

    async def handle_DATA(self, server, session, envelope):
        if self.refuse:
            self.refuse -= 1
            return "451 try again later"
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((dt.datetime.now(UTC), mail))
        return "250 OK"


@pytest.fixture(scope="module")
def week(tmp_path_factory, lend_kernels, make_workspace):
    """The week lived through once: (reports folder, inbox)."""
    box = Inbox()
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    controller = Controller(box, hostname="127.0.0.1", port=port)
    root = tmp_path_factory.mktemp("week")
    made = make_workspace(root)
    made.configure(SCHEDULES.replace("PORT", str(port)))
    made.notebook("first", CHANCE, more=', files=["chance.txt"]', whole=False)
    controller.start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            lend_kernels(patch)
            patch.setattr(deliver, "BACKOFF", 0.01)
            patch.delenv("PLANNING_WORKSPACE", raising=False)
            _live(root, box)
    finally:
        controller.stop()
    return root / "reports", box


def _live(root, box):
    """Ticks every 20 minutes, from Friday 23 October noon to Friday 30 October noon."""
    now = dt.datetime(2026, 10, 23, 12, tzinfo=UTC)
    (root / "chance.txt").write_text("0.55")
    changes = {
        "2026-10-27T00": "lots",  # Tuesday: the input is broken when the night's run comes
        "2026-10-27T05": "0.55",  # and put right in the morning
        "2026-10-29T00": "0.48",  # Thursday: the chance has fallen
    }
    while now < dt.datetime(2026, 10, 30, 12, tzinfo=UTC):
        hour = f"{now:%Y-%m-%dT%H}"
        if hour in changes:
            (root / "chance.txt").write_text(changes[hour])
        box.refuse = 99 if hour == "2026-10-28T06" and now.minute < 20 else 0
        off = dt.datetime(2026, 10, 28, 1, tzinfo=UTC) <= now < dt.datetime(2026, 10, 28, 4, tzinfo=UTC)
        if not off:
            with time_machine.travel(now, tick=False):
                settings = config.load(root)
                due.run_due(root, settings, now=now, start=launch.start)
                deliver.retry(root / "reports", settings)
        now += dt.timedelta(minutes=20)


def _events(reports, name):
    return {slot: event for slot, event in Journal(reports, name).events().items() if event["status"] != "begun"}


def test_every_slot_of_the_week_ran_once_at_its_local_time(week):
    reports, _box = week
    nightly = _events(reports, "nightly")
    assert list(nightly) == [
        "2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", "2026-10-27T01:30:00Z",
        "2026-10-28T01:30:00Z", "2026-10-29T01:30:00Z", "2026-10-30T01:30:00Z",
    ]  # fmt: skip
    states = [event["status"] for event in nightly.values()]
    assert states == ["ok", "ok", "ok", "failed", "ok", "ok", "ok"]
    assert nightly["2026-10-28T01:30:00Z"]["at"] == "2026-10-28T04:00:00Z", "caught up when the machine came back"
    workdays = _events(reports, "workdays")
    assert [slot[8:16] for slot in workdays] == ["26T06:00", "27T06:00", "28T06:00", "29T06:00", "30T06:00"]
    assert {event["status"] for event in workdays.values()} == {"ok"}
    records = list(registry.runs(reports))
    assert Counter(record["trigger"] for record in records) == {"schedule:nightly": 7, "schedule:workdays": 5}
    slots = sorted(record["slot"] for record in records)
    assert slots == sorted([*nightly, *workdays]), "no slot ran twice, none was left out"


def test_the_right_mails_went_to_the_right_people_at_the_right_times(week):
    _reports, box = week
    ops = [(at, mail) for at, mail in box.mails if mail["To"] == "ops@a.b"]
    board = [(at, mail) for at, mail in box.mails if mail["To"] == "board@a.b"]
    assert len(box.mails) == len(ops) + len(board)
    assert [f"{at:%dT%H:%M}" for at, _mail in ops] == ["27T01:40", "29T01:40"]
    failed, fell = (mail.get_body(("plain",)).get_content() for _at, mail in ops)
    assert "could not convert string to float: 'lots" in failed and "failed" in ops[0][1]["Subject"].lower()
    assert "first.chance fell by 0.07 to 0.48" in fell and ops[1][1]["Subject"] == "Test: The chance is 48%"
    # Wednesday's mail was refused at 06:00 and went out with the next tick.
    assert [f"{at:%dT%H:%M}" for at, _mail in board] == ["26T06:00", "27T06:00", "28T06:20", "29T06:00", "30T06:00"]
    assert [mail["Subject"] for _at, mail in board] == [f"Test: The chance is {p}%" for p in (55, 55, 55, 48, 48)]
    assert all([part.get_filename() for part in mail.iter_attachments()] == ["first.html"] for _at, mail in board)


def test_the_gallery_shows_the_week(week):
    reports, _box = week
    text = (reports / "index.html").read_text(encoding="utf-8")
    rows = re.findall(r'<li data-state="(\w+)" data-flow="(\w+)" data-day="([\d-]+)"', text)
    assert len(rows) == 12 and rows[0] == ("failed", "f", "2026-10-27")
    assert Counter(flow for _state, flow, _day in rows) == {"f": 7, "g": 5}
    assert [day[8:] for _state, flow, day in rows if flow == "g"] == ["30", "29", "28", "27", "26"]
    assert "No run needs a person" in text and "a later run of the same kind succeeded" in text
    assert "first, cell 3: ValueError: could not convert string to float" in text
    trend = (reports / "f" / "trends.html").read_text(encoding="utf-8")
    assert "Chance: 48%" in trend and "Lowest 48%, highest 55%." in trend
    failed = next(path for path in (reports / "f").glob("20261027T*/index.html"))
    assert "could not convert string to float" in failed.read_text(encoding="utf-8")
