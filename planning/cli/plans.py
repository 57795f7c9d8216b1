"""`planning plans`: the versions of a plan and of its budget, and scenarios made of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from planning.cli import common
from planning.errors import UsageError, did_you_mean


@click.command(short_help="List the versions of the annual plan and its budget.")
@click.argument("folder", required=False)
@click.option("--diff", "pair", nargs=2, metavar="OLD NEW", help="What changed between two versions, by cell and key.")
@click.option("--scenario", metavar="PATCHES.json", help="A what-if: keep a version, patches on the current one.")
@click.option("--adopt", metavar="ID", help="Make a kept version the one that counts.")
@click.option("--cause", default="scenario", show_default=True, help="Why, kept with the version (with --scenario).")
@click.option("--author", default="", help="Who, kept with the version (with --scenario).")
@common.guarded
def command(
    folder: str | None, pair: tuple[str, str] | None, scenario: str | None, adopt: str | None, cause: str, author: str,
    as_json: bool,
) -> None:  # fmt: skip
    """Lists the versions of a plan folder (written by `planning targets --out`) and of its budget, oldest first.

    Without FOLDER: those of the workspace, in plans/<year> and plans/<year>/budget. A scenario is a JSON list of
    patches, run on the same forecast and seed:
    [{"set": "target.target", "value": 0.6}, {"add": "lock", "value": {"region": "South", ...}}].
    Its version is kept beside the current one, as those of what-if runs are; --adopt makes one the current version.

    \b
    planning plans plan
    planning plans plan --diff 3f2a9c 81bd07
    planning plans plan --scenario higher.json --cause "what if 60 %"
    planning plans plan --adopt 81bd07
    """
    from planning.targets import versions

    folders = [Path(folder)] if folder else _of_workspace()
    if pair:
        common.show(compared(folders, *pair), as_json)
        return
    if scenario:
        before = versions.load(folders[0])
        version = versions.scenario(folders[0], _patches(scenario), cause=cause, author=author)
        versions.save(folders[0], version, versions.outlook(folders[0], before), current=False)
        common.show(versions.diff(before, version), as_json)
        kept = "is the plan that counts already" if version.plan_id == before.plan_id else "is kept beside it"
        click.echo(f"{before.plan_id} counts; {version.plan_id} {kept}. See 'planning plans --adopt'.", err=True)
        return
    if adopt:
        name, before, after = adopted(folders, adopt)
        text = f"{name}: version {after} counts now" + (f"; it was {before}." if before != after else ", as before.")
        common.show({"kind": name, "current": after, "before": before}, True) if as_json else click.echo(text)
        return
    import pandas as pd

    tables = [kind.versions(one).assign(kind=name) for folder in folders for name, kind, one in stores(folder)]
    if not tables:
        raise UsageError(f"{folders[0]}: holds no plan. Make one by 'planning targets HISTORY --out {folders[0]}'.")
    common.show(pd.concat(tables, ignore_index=True), as_json)


def stores(folder: Path) -> list[tuple[str, Any, Path]]:
    """The versions a plan folder holds: (targets or budget, the module that knows them, where they lie)."""
    from planning import files
    from planning.budget import versions as budgets
    from planning.targets import versions as targets

    known = [("targets", targets, folder), ("budget", budgets, folder / "budget")]
    return [one for one in known if files.has_versions(one[2])]


def adopted(folders: list[Path], wanted: str) -> tuple[str, str, str]:
    """Makes a version the one that counts; returns (targets or budget, the one that counted, the new one)."""
    from planning import files

    places = [one for folder in folders for one in stores(folder)]
    found = [one for one in places if files.has_versions(one[2], wanted)]
    if len(found) != 1:
        known = [path.stem for _name, _kind, place in places for path in files.version_paths(place)]
        cause = "there is no such version." + did_you_mean(wanted, known)
        if found:
            cause = "several versions start so. Write more of it, or name the plan's folder."
        raise UsageError(f"--adopt {wanted}: {cause} See 'planning plans'.")
    name, kind, place = found[0]
    before = files.current_version(place)
    return name, before, kind.adopt(place, wanted).plan_id


def compared(folders: list[Path], before: str, after: str) -> Any:
    """What changed between two versions of one plan or of one budget; UsageError where no folder has both."""
    from planning import files

    known: list[str] = []
    for folder in folders:
        for _name, kind, place in stores(folder):
            if files.has_versions(place, before, after):
                return kind.diff(kind.load(place, before), kind.load(place, after))
            known += [path.stem for path in files.version_paths(place)]
    lost = next((one for one in (before, after) if not any(name.startswith(one) for name in known)), None)
    if lost is None:
        raise UsageError(f"'{before}' and '{after}' are not versions of one plan. See 'planning plans'.")
    raise UsageError(f"there is no version '{lost}'.{did_you_mean(lost, known)} See 'planning plans'.")


def _of_workspace() -> list[Path]:
    from planning import config

    root = config.load(None).root
    found = [folder for folder in sorted((root / "plans").glob("*")) if stores(folder)]
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
