"""Prints environment.yml: the packages of requirements.in at the versions of requirements.lock."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def locked_versions() -> dict[str, str]:
    """Returns package → version of requirements.lock (the oldest Python's where they differ)."""
    versions: dict[str, str] = {}
    for name, version in re.findall(
        r"^([a-z0-9][a-z0-9._-]*)==([^\s;]+)", (ROOT / "requirements.lock").read_text(), re.M
    ):
        versions.setdefault(name, version)
    return versions


def environment() -> str:
    """Returns the text of environment.yml."""
    wanted = [re.split(r"[\s<>=!~;]", line)[0] for line in (ROOT / "requirements.in").read_text().split("\n") if line]
    versions = locked_versions()
    pins = "\n".join(f"      - {name}=={versions[name.split('[')[0]]}" for name in wanted)
    return (
        "# Made by `make lock` from requirements.in and requirements.lock; a test compares them.\n"
        "name: planning\nchannels:\n  - conda-forge\ndependencies:\n  - python>=3.11\n  - pip\n  - pip:\n"
        f"{pins}\n      - -e .\n"
    )


if __name__ == "__main__":
    print(environment(), end="")
