"""Sending a finished run: by mail, and to chat services where apprise is installed.

When (`deliver_when` of the schedule): always, failure, change (a key number moved since the last good run), alarm (a
rule of `alarms`):

    annual_targets.attainment < 0.5          a number of the run against a limit
    annual_targets.attainment fell 0.05      against the last good run of the flow; `rose` likewise

What was sent, and what failed, stands in `delivery.json` of the run folder; a failed delivery is tried again by the
next `planning schedule` and never changes what the run is. Deliveries are written down before they are tried, and two
processes never send at once: none is lost with a process that dies, none goes out twice because two looked.
"""

from __future__ import annotations

import contextlib
import re
import smtplib
import ssl
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from planning import files
from planning.config import redact
from planning.errors import ConfigError, did_you_mean
from planning.runs import emit, registry
from planning.runs.folder import Lock, lock_folder, utc_now

RECORD = "delivery.json"
ATTEMPTS = 3
MOST_ATTEMPTS = 9
BACKOFF = 1.0
_ALARM = re.compile(r"([\w.]+)\s*(<=|>=|<|>|fell|rose)\s*(-?[\d._]+(?:e-?\d+)?)\Z")


def after_run(record: Mapping[str, Any], settings: Any, schedule: Any) -> list[dict[str, Any]]:
    """Sends a run as its schedule wishes; returns and records one row a channel (none without a reason to send)."""
    spec = schedule.spec
    before = previous_good(Path(record["folder"]))
    reasons = reasons_for(record, before, spec.deliver_when, spec.alarms)
    if not reasons:
        return []
    recipients = list(spec.deliver) or list(settings.delivery.recipients)
    said = [reason for reason in reasons if reason not in ("always", "failure", "change")]
    return send(Path(record["folder"]), settings, recipients, said)


def reasons_for(
    record: Mapping[str, Any], before: Mapping[str, Any] | None, when: list[str], alarms: list[str]
) -> list[str]:
    """Returns why a run is to be sent: `always`, `failure`, `change`, or the alarms that went off, in words.

    An alarm on a number the run does not have goes off as well: a word written wrong must not be a silence. Whatever
    a run is sent for, its alarms are told.
    """
    numbers = numbers_of(record)
    earlier = numbers_of(before) if before is not None else {}
    told = [_told(text, numbers, earlier) for text in alarms]
    told = [text for text in told if text]
    reasons = list(told) if "alarm" in when else []
    if "failure" in when and record["status"] != "ok":
        reasons.append("failure")
    if "change" in when and before is not None and record["status"] == "ok" and numbers != earlier:
        reasons.append("change")
    if "always" in when:
        reasons.append("always")
    return [*told, *reasons] if reasons and "alarm" not in when else reasons


def _told(text: str, numbers: Mapping[str, float], earlier: Mapping[str, float]) -> str:
    alarm = parse_alarm(text)
    if alarm[0] not in numbers:
        return f"alarm '{text}' cannot be told: the run left no number {alarm[0]}.{did_you_mean(alarm[0], numbers)}"
    return went_off(alarm, numbers, earlier)


def parse_alarm(text: str) -> tuple[str, str, float]:
    """Returns an alarm rule as (number, operator, limit); ConfigError shows how one is written."""
    found = _ALARM.match(text.strip())
    if not found or "." not in found[1]:
        raise ConfigError(
            f"alarm '{text}' is not understood. Write notebook.number < 0.5, or notebook.number fell 0.05 (or rose)."
        )
    return found[1], found[2], float(found[3])


def went_off(alarm: tuple[str, str, float], numbers: Mapping[str, float], earlier: Mapping[str, float]) -> str:
    """Returns in words that an alarm went off, or an empty text; a number that is not there raises none."""
    name, sign, limit = alarm
    value = numbers.get(name)
    if value is None:
        return ""
    if sign in ("fell", "rose"):
        change = value - earlier.get(name, value)
        moved = -change if sign == "fell" else change
        # A change of exactly the limit counts, whatever the last binary digit says.
        return f"{name} {sign} by {moved:g} to {value:g}" if moved > 0 and moved >= limit - 1e-12 else ""
    hit = {"<": value < limit, "<=": value <= limit, ">": value > limit, ">=": value >= limit}[sign]
    return f"{name} is {value:g} ({sign} {limit:g})" if hit else ""


def numbers_of(record: Mapping[str, Any]) -> dict[str, float]:
    """Returns every named number of a run as `notebook.number`."""
    found = {}
    for step in record["steps"]:
        manifest = emit.read_manifest(Path(record["folder"]) / "results" / step["notebook"]) or {}
        found |= {f"{step['notebook']}.{number['name']}": number["value"] for number in manifest.get("numbers", [])}
    return found


def previous_good(folder: Path) -> dict[str, Any] | None:
    """Returns the record of the last good run of the same flow before this one."""
    earlier = (record for record in registry.runs(folder.parent.parent, flow=folder.parent.name, status="ok"))
    return next((record for record in earlier if record["id"] < folder.name), None)


def send(folder: Path, settings: Any, recipients: list[str], reasons: list[str]) -> list[dict[str, Any]]:
    """Sends a run's page over every configured channel, with retries; records and returns one row a channel."""
    rows = []
    if recipients and settings.delivery.smtp_host:
        rows.append(
            {"channel": "mail", "to": recipients, "reasons": reasons, "attempts": 0, "status": "waiting", "error": ""}
        )
    for number, _url in enumerate(settings.delivery.urls, 1):
        rows.append(
            {"channel": f"chat {number}", "to": [], "reasons": reasons, "attempts": 0, "status": "waiting", "error": ""}
        )
    if rows:
        with _alone(folder.parent.parent, wait=True):
            files.write_json(folder / RECORD, rows)
            for row in rows:
                _try(row, folder, settings)
                files.write_json(folder / RECORD, rows)
    return rows


@contextlib.contextmanager
def _alone(reports: Path, *, wait: bool = False) -> Iterator[bool]:
    """Holds the right to send; tells whether it was free."""
    lock = Lock(lock_folder(reports) / "delivery.lock")
    taken = lock.take(wait=wait)
    try:
        yield taken
    finally:
        lock.release(remove=False)


def retry(reports: Path, settings: Any, *, latest: int = 50) -> list[dict[str, Any]]:
    """Tries failed and interrupted deliveries of the latest runs again; returns the rows that were tried."""
    import json

    tried: list[dict[str, Any]] = []
    folders = [folder for folder in registry.folders(reports)[:latest] if (folder / RECORD).is_file()]
    if not folders:
        return tried
    with _alone(reports) as free:
        for folder in folders if free else ():  # whoever sends now does it
            rows = json.loads((folder / RECORD).read_text(encoding="utf-8"))
            open_rows = [row for row in rows if row["status"] != "sent" and row["attempts"] < MOST_ATTEMPTS]
            for row in open_rows:
                _try(row, folder, settings)
            if open_rows:
                files.write_json(folder / RECORD, rows)
            tried += open_rows
    return tried


def _try(row: dict[str, Any], folder: Path, settings: Any) -> None:
    for attempt in range(ATTEMPTS):
        row["attempts"] += 1
        row["at"] = utc_now()
        try:
            _send(row, folder, settings)
        except Exception as error:
            row.update(status="failed", error=redact(" ".join(f"{type(error).__name__}: {error}".split())))
        else:
            row.update(status="sent", error="")
            return
        if attempt + 1 < ATTEMPTS:
            time.sleep(BACKOFF * 2**attempt)


def _send(row: Mapping[str, Any], folder: Path, settings: Any) -> None:
    if row["channel"] == "mail":
        _send_mail(row, folder, settings.delivery)
    else:
        _send_chat(row, folder, settings.delivery.urls[int(row["channel"].split()[1]) - 1].get_secret_value())


def _send_mail(row: Mapping[str, Any], folder: Path, delivery: Any) -> None:
    from planning.runs.mail import compose

    sender = delivery.sender or row["to"][0]
    message = compose(folder, sender=sender, recipients=row["to"], reasons=row["reasons"])
    with smtplib.SMTP(delivery.smtp_host, delivery.smtp_port, timeout=30) as server:
        if delivery.starttls:
            server.starttls(context=ssl.create_default_context())
        if delivery.smtp_user is not None and delivery.smtp_password is not None:
            server.login(delivery.smtp_user.get_secret_value(), delivery.smtp_password.get_secret_value())
        server.send_message(message)


def _send_chat(row: Mapping[str, Any], folder: Path, url: str) -> None:
    """Sends headline, reasons and the first chart; each of apprise's silent refusals is an error here."""
    try:
        import apprise
    except ImportError:
        raise ConfigError("chat services need apprise: install the extra 'notify'.") from None
    from planning import language
    from planning.reports import record
    from planning.runs import mail

    run = record.read_run(folder)
    with language.use(run.language if run.language in language.LANGUAGES else "en"):
        title, body = mail.subject(run), mail._text(run, list(row["reasons"]))
        pictures = [str(path) for _cid, _alt, path in mail._pictures(run)]
    service = apprise.Apprise()
    if not service.add(url):
        raise ConfigError("the address of the chat service is not understood. See the list of addresses of apprise.")
    sent = False
    with contextlib.suppress(TypeError):
        sent = bool(service.notify(title=title, body=body, attach=pictures or None))
    if not sent:
        raise ConnectionError("the chat service did not take the message")
