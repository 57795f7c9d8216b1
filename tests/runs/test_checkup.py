"""planning doctor: every line has what to do; and the thin commands around runs."""

from __future__ import annotations

import json
import socket

import pytest
from click.testing import CliRunner

from planning.cli import group
from planning.runs import checkup


@pytest.fixture
def cli(workspace, no_pages, quick):
    def call(*words: str):
        return CliRunner().invoke(group, list(words))

    return call


def test_doctor_rows_are_whole_and_a_wrong_setting_fails(workspace, monkeypatch):
    monkeypatch.setattr(checkup, "_kernels", lambda: iter([checkup._row("kernels", "ok", "not tried here")]))
    workspace.configure('[schedules.s]\nflow = "f"\ncron = "0 7 * * *"\n[flows.f]\nsteps = ["a"]\n')
    rows = checkup.check()
    names = {row["name"] for row in rows}
    assert {"python", "packages", "fonts", "clock", "settings", "permissions", "disk", "runs", "databases"} <= names
    assert {"schedule s", "mail"} <= names
    assert all(row["fix"] for row in rows if row["status"] != "ok")
    (workspace.root / "workbench.toml").write_text("[compny]\nname = 1\n")
    bad = [row for row in checkup.check() if row["status"] == "fail"]
    assert len(bad) == 1 and "compny" in bad[0]["found"], "said once"


def test_doctor_says_where_compiled_code_is_kept_and_where_it_cannot(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (row,) = checkup._cache()
    assert row["status"] == "ok" and str(tmp_path / "planning-workbench") in row["found"] and "MB" in row["found"]
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (row,) = checkup._cache()
    assert row["status"] == "warn" and "may not be written" in row["found"] and "XDG_CACHE_HOME" in row["fix"]


def _found(status: str = "warn") -> str:
    return "\n".join(f"{row['found']} {row['fix']}" for row in checkup.check() if row["status"] == status)


def test_doctor_tells_alarms_and_mails_that_would_never_come(workspace, cli, monkeypatch):
    monkeypatch.setattr(checkup, "_kernels", lambda: iter([]))
    workspace.notebook("first", 'step.number("chance", 0.5, label="Chance", text="50 %")')
    assert cli("run", "first").exit_code == 0
    schedule = '[schedules.s]\nflow = "first"\ncron = "0 7 * * *"\nalarms = ["first.chanse < 1"]\n'
    workspace.configure(schedule + 'deliver_when = ["failure"]\ndeliver = ["a@b.c"]\n')
    found = _found()
    assert "its alarms alone never send anything" in found and "there is no mail server" in found
    assert "left no number first.chanse" in found and "Did you mean 'first.chance'?" in found
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        port = one.getsockname()[1]
        mail = f'[delivery]\nsmtp_host = "127.0.0.1"\nsmtp_port = {port}\n'
        workspace.configure(schedule.replace("chanse", "chance") + mail)
        assert f"127.0.0.1:{port} answers" in _found("ok") and "alarms" not in _found()
    assert "does not answer" in _found()


def test_doctor_asks_each_database_and_names_what_may_not_be_written(workspace, monkeypatch):
    monkeypatch.setattr(checkup, "_kernels", lambda: iter([]))
    workspace.configure('[sources.sales]\nquery = "SELECT 1"\ndatabase = "sqlite:///nowhere/x.db"\n')
    assert "Check address, login and network." in _found("fail")
    monkeypatch.setattr(checkup.os, "access", lambda place, _mode: "plans" not in str(place))
    (workspace.root / "plans").mkdir()
    assert "plans may not be written Give write permission." in _found("fail")


def test_a_check_that_breaks_is_a_row(monkeypatch):
    def broken():
        raise OSError("no such device")
        yield

    assert checkup._safely("x", broken)[0]["status"] == "fail"


def test_the_commands_around_a_run(workspace, cli):
    workspace.notebook("first", 'step.number("n", step.parameters.n, label="Rows", text="3")')
    made = cli("run", "first", "-p", "n=3", "--json")
    record = json.loads(made.stdout)
    assert made.exit_code == 0 and record["status"] == "ok"
    assert json.loads(cli("runs", "--json").stdout)[0]["id"] == record["id"]
    assert "Rows: 3" in cli("show", "latest").stdout
    assert json.loads(cli("show", "latest", "--json").stdout)["numbers"]["first"][0]["value"] == 3
    assert "An answer" in cli("runs", "--flow", "first").stdout
    cli("run", "first", "-p", "n=4")
    assert "parameter first.n: 3 -> 4" in cli("diff", record["id"], "latest").stdout


def test_exit_codes_and_one_line_a_cause(workspace, cli):
    workspace.notebook("bad", "raise ValueError('no')")
    failed = cli("run", "bad")
    assert failed.exit_code == 3
    line = failed.stderr.strip().splitlines()[-1]
    assert line.startswith("error: bad, cell 3 failed: ValueError: no See ") and line.endswith("bad.ipynb")
    wrong = cli("run", "bda")
    assert wrong.exit_code == 2 and "Did you mean 'bad'" in wrong.stderr
    assert cli("run", "bad", "-p", "x").exit_code == 2
    assert cli("resume", "zzz").exit_code == 2
    assert cli("runs", "--status", "fine").exit_code == 2
    assert cli("lab", "--json").exit_code == 0
    assert cli("runs", "--prune", "--keep", "1d").exit_code == 0


def test_the_notebook_jobs_panel_hands_its_jobs_to_the_runner(workspace, quick, no_pages, tmp_path):
    pytest.importorskip("jupyter_scheduler", reason="the extra 'scheduler' (jupyter-scheduler) is not installed")
    from types import SimpleNamespace

    from planning.errors import NotebookError, UsageError
    from planning.runs import registry
    from planning.runs.notebook_jobs import PlanningExecutionManager

    path = workspace.notebook("first", "assert step.parameters.n < 9")
    manager = PlanningExecutionManager("id", str(workspace.root), "sqlite://", {"ipynb": str(tmp_path / "out.ipynb")})
    job = SimpleNamespace(input_filename="first.ipynb", parameters={"n": "4"}, output_formats=["ipynb"])
    manager._model = job
    manager.execute()
    assert (tmp_path / "out.ipynb").is_file()
    assert next(registry.runs(workspace.reports))["trigger"] == "notebook jobs"
    job.parameters = {"n": "12"}
    with pytest.raises(NotebookError, match="failed: cell 3: AssertionError"):
        manager.execute()
    job.parameters = {"m": "1"}
    with pytest.raises(UsageError, match="no parameter 'm'"):
        manager.execute()
    assert PlanningExecutionManager.validate(PlanningExecutionManager, str(path))
