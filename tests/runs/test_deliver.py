"""Delivery: a real local mail server, a real local web hook, alarms, retries; the run's status never changes."""

from __future__ import annotations

import datetime as dt
import email
import email.policy
import http.server
import json
import re
import socket
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiosmtpd.controller import Controller

from planning import config
from planning.errors import ConfigError
from planning.runs import deliver, due, folder, launch

REPO = Path(__file__).resolve().parents[2]
PNG = bytes.fromhex("89504e470d0a1a0a0000000d4948445200000001000000010806000000")
ANSWER = """import pandas as pd
step.answer("We can commit to 5 & <b>no more</b>", "A lede.")
step.number("chance", 0.55, label="Chance", text="55 %", chance=0.55, lead=True)
step.finding("why", "Because")
step.tabulate("growth", pd.DataFrame({"region": ["North"], "growth": [0.07]}), formats={"growth": "percent"})
step._out.manifest["charts"]["fan"] = {"alt": "A fan, 5 in the middle", "png": "charts/fan.png", "title": "Fan"}
step._out._place("chart", "fan")
folder = step._out.folder / "charts"
folder.mkdir()
(folder / "fan.png").write_bytes(bytes.fromhex("PNG"))
step.finish()"""


class Inbox:
    """Keeps what a mail server was given."""

    def __init__(self) -> None:
        self.mails: list[email.message.EmailMessage] = []
        self.refuse = 0

    async def handle_DATA(self, server, session, envelope):
        if self.refuse:
            self.refuse -= 1
            return "451 try again later"
        self.mails.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def inbox(workspace, monkeypatch):
    """A mail server on loopback, and a workspace that sends to it."""
    box = Inbox()
    controller = Controller(box, hostname="127.0.0.1", port=_free_port())
    controller.start()
    monkeypatch.setattr(deliver, "BACKOFF", 0.01)
    workspace.configure(
        f'[delivery]\nsmtp_host = "127.0.0.1"\nsmtp_port = {controller.port}\nstarttls = false\nsender = "plan@a.b"\n'
        'recipients = ["board@a.b"]\n'
    )
    workspace.notebook("answer", ANSWER.replace("PNG", PNG.hex()), whole=False)
    yield box
    controller.stop()


def _schedule(**options):
    spec = {"deliver": [], "deliver_when": ["always"], "alarms": [], **options}
    return SimpleNamespace(spec=SimpleNamespace(**spec), name="s")


def _parts(mail):
    return {part.get_content_type(): part for part in mail.walk()}


def test_a_mail_carries_answer_table_chart_and_page(workspace, inbox, quick):
    record = launch.start("answer")
    rows = deliver.after_run(record, config.load(workspace.root), _schedule())
    assert [(row["status"], row["attempts"]) for row in rows] == [("sent", 1)]
    mail = inbox.mails[0]
    assert mail["To"] == "board@a.b" and mail["Subject"] == "Test: We can commit to 5 & <b>no more</b>"
    parts = _parts(mail)
    body = parts["text/html"]
    texts = [p.get_content() for p in mail.walk() if p.get_content_type() == "text/html"]
    assert "We can commit to 5 &amp; &lt;b&gt;no more&lt;/b&gt;" in texts[0]
    assert "North" in texts[0] and "55 %" in texts[0] and "<script" not in texts[0] and "<svg" not in texts[0]
    assert 'src="cid:chart1@planning"' in texts[0] and 'alt="A fan, 5 in the middle"' in texts[0]
    assert parts["image/png"]["Content-ID"] == "<chart1@planning>" and parts["image/png"].get_content() == PNG
    attached = [part.get_filename() for part in mail.iter_attachments()]
    assert attached == ["answer.html"] and body is not None
    assert "A lede." in parts["text/plain"].get_content()
    stored = json.loads(Path(record["folder"], "delivery.json").read_text())
    assert stored[0]["status"] == "sent"


def test_a_refused_mail_is_tried_again_and_recorded(workspace, inbox, quick, no_pages):
    record = launch.start("answer")
    settings = config.load(workspace.root)
    inbox.refuse = 1
    assert deliver.after_run(record, settings, _schedule())[0]["attempts"] == 2
    inbox.refuse = 99
    rows = deliver.after_run(record, settings, _schedule())
    assert rows[0]["status"] == "failed" and "451" in rows[0]["error"]
    assert json.loads(Path(record["folder"], "run.json").read_text())["status"] == "ok"
    inbox.refuse = 0
    assert [row["status"] for row in deliver.retry(workspace.reports, settings)] == ["sent"]
    assert deliver.retry(workspace.reports, settings) == []


def test_a_failed_run_says_so_in_the_mail(workspace, inbox, quick, no_pages):
    workspace.notebook("answer", "raise ValueError('sales.csv, row 7: found x')")
    record = launch.start("answer")
    deliver.after_run(record, config.load(workspace.root), _schedule(deliver_when=["failure"], deliver=["ops@a.b"]))
    assert inbox.mails[0]["To"] == "ops@a.b"
    assert "row 7" in _parts(inbox.mails[0])["text/plain"].get_content()


def test_the_password_never_reaches_the_record(workspace, inbox, quick, no_pages, monkeypatch):
    canary = "canary-password-9"
    monkeypatch.setenv("SMTP_PW", canary)
    workspace.configure(
        '[delivery]\nsmtp_host = "127.0.0.1"\nsmtp_port = 9\nstarttls = false\n'
        'sender = "a@b.c"\nrecipients = ["a@b.c"]\nsmtp_user = "u"\nsmtp_password = "${SMTP_PW}"\n'
    )
    record = launch.start("answer")
    rows = deliver.after_run(record, config.load(workspace.root), _schedule())
    assert rows[0]["status"] == "failed" and rows[0]["attempts"] == deliver.ATTEMPTS
    assert canary not in json.dumps(rows) and canary not in Path(record["folder"], "delivery.json").read_text()


@pytest.mark.parametrize(
    ("alarm", "value", "before", "words"),
    [
        ("a.p < 0.5", 0.49, 0.6, "a.p is 0.49 (< 0.5)"),
        ("a.p < 0.5", 0.5, 0.6, ""),
        ("a.p >= 2", 2, None, "a.p is 2 (>= 2)"),
        ("a.p fell 0.05", 0.50, 0.55, "a.p fell by 0.05 to 0.5"),
        ("a.p fell 0.05", 0.51, 0.55, ""),
        ("a.p fell 0.05", 0.50, None, ""),
        ("a.p rose 1e1", 30, 10, "a.p rose by 20 to 30"),
        ("a.q < 1", 0, 0, ""),
        ("a.p < 1", None, 0, ""),
    ],
)
def test_alarms_compare_a_number_with_a_limit_or_the_last_good_run(alarm, value, before, words):
    earlier = {} if before is None else {"a.p": before}
    assert deliver.went_off(deliver.parse_alarm(alarm), {"a.p": value}, earlier) == words


@pytest.mark.parametrize("text", ["p < 1", "a.p ~ 1", "a.p < x", ""])
def test_an_alarm_that_is_not_understood_shows_how(text):
    with pytest.raises(ConfigError, match="notebook.number < 0.5"):
        deliver.parse_alarm(text)


def test_change_and_alarm_look_at_the_last_good_run(workspace, quick, no_pages):
    cell = 'p = step.parameters\nstep.number("n", p.n, label="N", text=str(p.n))'
    workspace.notebook("first", cell)
    runs = [launch.start("first", given={"n": n}, force=True) for n in (5, 5, 3)]
    runs.sort(key=lambda record: record["id"])
    before = [deliver.previous_good(Path(record["folder"])) for record in runs]
    assert before[0] is None and before[2]["id"] == runs[1]["id"]
    now, earlier = {**runs[2]}, before[2]
    changed = deliver.numbers_of(now) != deliver.numbers_of(earlier)
    assert ("change" in deliver.reasons_for(now, earlier, ["change"], [])) == changed
    fell = deliver.reasons_for({**now}, {**earlier}, ["alarm"], ["first.n < 6"])
    assert fell and fell[0].startswith("first.n is")
    assert deliver.reasons_for(now, earlier, ["failure"], ["first.n < 6"]) == []
    both = deliver.reasons_for(now, earlier, ["always"], ["first.n < 6"])
    assert both == [fell[0], "always"], "a run that is sent anyway tells its alarms"
    wrong = deliver.reasons_for(now, earlier, ["alarm"], ["first.nn < 6"])
    assert len(wrong) == 1 and "cannot be told" in wrong[0] and "Did you mean 'first.n'?" in wrong[0]


def test_a_delivery_is_written_down_first_and_one_process_sends_at_a_time(workspace, inbox, quick, no_pages):
    """What died with its process is sent by the next command; two commands at once send one mail."""
    record = launch.start("answer")
    settings = config.load(workspace.root)
    path = Path(record["folder"], "delivery.json")
    row = {"channel": "mail", "to": ["a@b.c"], "reasons": [], "attempts": 0, "status": "waiting", "error": ""}
    path.write_text(json.dumps([row]))
    lock = folder.Lock(folder.lock_folder(workspace.reports) / "delivery.lock")
    assert lock.take()
    assert deliver.retry(workspace.reports, settings) == [] and inbox.mails == []
    lock.release(remove=False)
    both = [threading.Thread(target=deliver.retry, args=(workspace.reports, settings)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(inbox.mails) == 1 and json.loads(path.read_text())[0]["status"] == "sent"


def test_a_scheduled_run_that_is_refused_or_dies_before_it_begins_is_mailed_too(workspace, inbox, quick):
    text = (workspace.root / "workbench.toml").read_text()
    (workspace.root / "workbench.toml").write_text(
        text + '[flows.f]\nsteps = ["answer"]\n[schedules.s]\nflow = "f"\ncron = "0 * * * *"\n'
        'parameters = { languge = "zh" }\ndeliver_when = ["failure"]\n'
    )
    settings, start = config.load(workspace.root), dt.datetime(2026, 11, 4, 5, 30, tzinfo=dt.UTC)
    due.run_due(workspace.root, settings, now=start)
    events = due.run_due(workspace.root, settings, now=start.replace(hour=6, minute=0))
    assert [event["status"] for event in events] == ["failed"]
    due.Journal(workspace.reports, "s").write(start.replace(hour=7, minute=0), "running", start)
    events = due.run_due(workspace.root, settings, now=start.replace(hour=7, minute=1))
    assert [event["status"] for event in events] == ["lost"]
    said = [_parts(mail)["text/plain"].get_content() for mail in inbox.mails]
    assert "Did you mean 'language'?" in said[0] and "ended before its run began" in said[1]
    assert [mail["Subject"] for mail in inbox.mails] == [
        "Test: This run did not finish: Failed", "Test: This run did not finish: Lost",
    ]  # fmt: skip
    assert [p.get_filename() for p in inbox.mails[0].iter_attachments()] == ["index.html"]


def test_the_alarms_of_settings_and_guide_name_numbers_that_exist():
    text = (REPO / "workbench.toml").read_text() + (REPO / "docs" / "runs.md").read_text()
    named = set(re.findall(r'"(\w+)\.(\w+) (?:fell|rose|[<>])', text))
    source = (REPO / "planning" / "reports" / "targets_page.py").read_text()
    assert named
    for notebook, number in named:
        assert notebook == "annual_targets" and f'"{number}"' in source, number


def test_a_chat_service_gets_the_headline(workspace, quick, no_pages, monkeypatch):
    pytest.importorskip("apprise", reason="the extra 'notify' (apprise) is not installed")
    got: list[bytes] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_args):
            """Keeps the test's output quiet."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("HOOK", f"json://127.0.0.1:{server.server_port}")
    workspace.configure('[delivery]\nurls = ["${HOOK}"]\n')
    workspace.notebook("first")
    rows = deliver.after_run(launch.start("first"), config.load(workspace.root), _schedule())
    server.shutdown()
    assert rows[0]["status"] == "sent" and b"An answer" in got[0]


def test_a_chat_service_without_apprise_is_a_recorded_failure(workspace, quick, no_pages, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "apprise", None)
    monkeypatch.setattr(deliver, "BACKOFF", 0.0)
    monkeypatch.setenv("HOOK", "json://127.0.0.1:9")
    workspace.configure('[delivery]\nurls = ["${HOOK}"]\n')
    workspace.notebook("first")
    rows = deliver.after_run(launch.start("first"), config.load(workspace.root), _schedule())
    assert rows[0]["status"] == "failed" and "install the extra 'notify'" in rows[0]["error"]


def test_pictures_are_drawn_where_a_mail_can_show_them(workspace):
    """Without a way to send anything none is kept; setting one up makes the notebook run again, with its first two."""
    draw = "import pandas as pd\nfrom planning import charts\nstep.finding('f', 'Why')\n" + "".join(
        f"step.chart('c{n}', charts.fan, pd.DataFrame({{'ds': pd.to_datetime(['2027-01-01', '2027-02-01']), "
        f"'unique_id': 'a', 'actual': [1.0, 2.0], 'mean': [None, None]}}), alt='A line', currency='EUR')\n"
        for n in range(3)
    )
    workspace.notebook("drawn", draw)
    folders = []
    for text in ("", '[delivery]\nsmtp_host = "127.0.0.1"\n'):
        workspace.configure(text)
        record = launch.start("drawn")
        assert record["status"] == "ok" and record["steps"][0]["status"] == "ok", record["error"]
        folders.append(Path(record["folder"]) / "results" / "drawn" / "charts")
    assert [sorted(path.name for path in place.glob("*.png")) for place in folders] == [[], ["c0.png", "c1.png"]]
    assert all((place / "c2.wide.svg").is_file() for place in folders)
