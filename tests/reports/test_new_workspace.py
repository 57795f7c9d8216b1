"""`planning init`: the same workspace elsewhere, and nothing of anybody's is overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from planning.cli.init import command
from planning.config import load
from planning.errors import UsageError
from planning.reports.new_workspace import create
from planning.sources import check_all

ROOT = Path(__file__).parents[2]


def test_a_new_workspace_loads_and_holds_the_notebooks(tmp_path):
    written = create(tmp_path / "plan")
    settings = load(tmp_path / "plan")
    assert settings.company.name == "Sample company"
    notebooks = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {path.name for path in (tmp_path / "plan" / "notebooks").glob("*.ipynb")} == notebooks
    assert "data/raw/entry_template.xlsx" in written
    assert all((tmp_path / "plan" / name).exists() for name in written)


def test_its_sources_wait_for_the_sample(tmp_path):
    create(tmp_path)
    result = check_all(load(tmp_path))
    assert all("planning sample" in line for _name, line in result.missing)
    assert len(result.missing) == len(load(tmp_path).sources)


def test_what_is_there_is_kept(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "README.md").write_text("mine", encoding="utf-8")
    create(tmp_path)
    assert (tmp_path / "data" / "README.md").read_text(encoding="utf-8") == "mine"
    with pytest.raises(UsageError, match="is a workspace already"):
        create(tmp_path)


def test_a_file_in_the_way_exits_2(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    run = CliRunner().invoke(command, [str(tmp_path / "file")])
    assert run.exit_code == 2
    assert "a folder is meant" in run.stderr


def test_it_is_made_from_the_wheel_where_there_is_no_checkout(tmp_path, monkeypatch):
    inside = tmp_path / "site" / "planning"
    (inside / "_workspace" / "notebooks").mkdir(parents=True)
    (inside / "_workspace" / "workbench.toml").write_text('[company]\nname = "Wheel"\n', encoding="utf-8")
    (inside / "_workspace" / "notebooks" / "a.ipynb").write_text("{}", encoding="utf-8")
    monkeypatch.setattr("planning.reports.new_workspace.PACKAGE", inside)
    create(tmp_path / "plan")
    assert load(tmp_path / "plan").company.name == "Wheel"
    assert (tmp_path / "plan" / "notebooks" / "a.ipynb").exists()
