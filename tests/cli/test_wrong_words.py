"""What a newcomer types wrong: one line on stderr that names the nearest right word, and exit 2."""

from __future__ import annotations

import subprocess
import sys

import pytest

from planning import cli


def _said(capsys, monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["planning", *words])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    captured = capsys.readouterr()
    return caught.value.code, captured.out, captured.err


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["rn"], "there is no command 'rn'. Did you mean 'run'?"),
        (["runs", "--prun"], "Did you mean '--prune'?"),
        (["schedule", "nxt"], "Did you mean 'next'?"),
        (["lab", "--port", "99999"], "99999 is not in the range"),
        (["run"], "Missing argument 'FLOW_OR_NOTEBOOK'. See 'planning run --help'."),
        (["run", "annual_plan", "--engine", "dask://localhost:1"], "--engine is for --each"),
        (["runs", "--status", "missed"], "See 'planning schedule history'"),
        (["runs", "--status", "faild"], "Did you mean 'failed'?"),
        (["runs", "--flow", "anual_plan"], "Did you mean 'annual_plan'?"),
    ],
)
def test_a_wrong_word_is_one_line_with_the_nearest_right_one(tmp_path, capsys, monkeypatch, words, part):
    (tmp_path / "workbench.toml").write_text("")
    (tmp_path / "reports" / "annual_plan").mkdir(parents=True)
    monkeypatch.delenv("PLANNING_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    code, out, err = _said(capsys, monkeypatch, *words)
    assert code == 2 and out == "" and part in err
    assert err.count("\n") == 1 and err.startswith("error: ")


def test_help_and_version_end_well_and_nothing_at_all_shows_the_help(capsys, monkeypatch):
    assert _said(capsys, monkeypatch, "--version")[0] == 0
    code, out, err = _said(capsys, monkeypatch, "runs", "--help")
    assert code == 0 and "planning runs --prune --keep 30d" in out and err == ""
    code, out, err = _said(capsys, monkeypatch)
    assert code == 2 and "annual_plan" in out + err


def test_python_m_planning_is_the_same_command(tmp_path):
    def call(*words):
        return subprocess.run([sys.executable, "-m", "planning", *words], capture_output=True, text=True, cwd=tmp_path)

    shown = call("--version")
    assert shown.returncode == 0 and shown.stdout.startswith("planning, version ")
    wrong = call("rn")
    assert wrong.returncode == 2 and wrong.stderr == "error: there is no command 'rn'. Did you mean 'run'? See " \
        "'planning --help'.\n"  # fmt: skip


def test_every_command_s_help_has_an_example_of_its_own(capsys, monkeypatch):
    for name in cli.COMMANDS:
        code, out, _err = _said(capsys, monkeypatch, name, "--help")
        examples = [line for line in out.splitlines() if line.strip().startswith(f"planning {name}")]
        assert code == 0 and examples, name
