"""environment.yml, requirements.lock, requirements.in and pyproject.toml name the same packages and versions."""

import difflib
import importlib.util
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def load_generator():
    spec = importlib.util.spec_from_file_location("environment_file", ROOT / "tests" / "environment_file.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names(lines: list[str]) -> set[str]:
    return {re.split(r"[\s\[<>=!~;]", line)[0] for line in lines if line.strip()}


def test_environment_file_is_current():
    wanted = load_generator().environment()
    have = (ROOT / "environment.yml").read_text()
    diff = "".join(difflib.unified_diff(have.splitlines(True), wanted.splitlines(True), "environment.yml", "wanted"))
    assert not diff, f"{diff}\nRun: make lock"


def test_pyproject_and_requirements_name_the_same_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    build_tools = {"hatchling", "editables"}
    requirements = names((ROOT / "requirements.in").read_text().splitlines()) - build_tools
    assert names(project["dependencies"]) == requirements
    tests = names((ROOT / "requirements-test.in").read_text().splitlines()[1:])
    assert names(project["optional-dependencies"]["test"]) == tests


def test_lock_files_pin_with_hashes_and_name_no_host():
    for name in ("requirements.lock", "requirements-test.lock"):
        text = (ROOT / name).read_text()
        blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
        assert all("==" in block and "--hash=sha256:" in block for block in blocks), name
        assert "://" not in text
