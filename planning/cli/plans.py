"""`planning plans`: the versions of a plan, and scenarios made of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from planning.cli import common
from planning.errors import UsageError


@click.command(short_help="List the versions of the annual plan.")
@click.argument("folder", required=False)
@click.option("--diff", "pair", nargs=2, metavar="OLD NEW", help="What changed between two versions, by cell and key.")
@click.option("--scenario", metavar="PATCHES.json", help="Make a version from patches on the current one.")
@click.option("--cause", default="scenario", show_default=True, help="Why, kept with the version (with --scenario).")
@click.option("--author", default="", help="Who, kept with the version (with --scenario).")
@common.guarded
def command(
    folder: str | None, pair: tuple[str, str] | None, scenario: str | None, cause: str, author: str, as_json: bool
) -> None:
    """Lists the versions of a plan folder (written by `planning targets --out`), oldest first.

    Without FOLDER: those of the workspace, in plans/<year>. A scenario is a JSON list of patches, run on the same
    forecast and seed: [{"set": "target.target", "value": 0.6}, {"add": "lock", "value": {"region": "South", ...}}].

    \b
    planning plans plan
    planning plans plan --diff 3f2a9c 81bd07
    planning plans plan --scenario higher.json --cause "what if 60 %"
    """
    from planning.targets import versions

    folders = [Path(folder)] if folder else _of_workspace()
    if pair:
        common.show(versions.diff(versions.load(folders[0], pair[0]), versions.load(folders[0], pair[1])), as_json)
        return
    if scenario:
        before = versions.load(folders[0])
        version = versions.scenario(folders[0], _patches(scenario), cause=cause, author=author)
        versions.save(folders[0], version)
        common.show(versions.diff(before, version), as_json)
        return
    import pandas as pd

    common.show(pd.concat([versions.versions(one) for one in folders], ignore_index=True), as_json)


def _of_workspace() -> list[Path]:
    from planning import config

    root = config.load(None).root
    found = sorted(path.parent.parent for path in (root / "plans").glob("*/versions/current"))
    if not found:
        raise UsageError(
            f"{root}/plans: holds no plan yet. Run 'planning run annual_targets', or name a plan's folder."
        )
    return found


def _patches(path: str) -> list[dict[str, Any]]:
    try:
        patches = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}). Write a JSON list of patches.") from error
    except ValueError as error:
        raise UsageError(f"{path}: is not JSON ({error}). Write a list of patches.") from error
    if not isinstance(patches, list) or not all(isinstance(patch, dict) for patch in patches):
        raise UsageError(f"{path}: is no list of patches. See 'planning plans --help'.")
    return patches
