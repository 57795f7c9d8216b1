"""`planning check`: reads every configured source and prints all faults at once."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from planning.cli import common

if TYPE_CHECKING:
    from planning.sources import CheckResult


@click.command(name="check")
@click.option("--config", type=click.Path(), metavar="F", help="A workbench.toml (default: the nearest one upwards).")
@common.guarded
def command(config: str | None, as_json: bool) -> None:
    """Read every source of workbench.toml and print all faults of all tables at once; writes nothing.

    Faults stop a run, warnings do not. Where columns cannot be recognised, the [sources.X.columns] block to paste is
    printed with the best guesses. Exits 0 without faults, 1 with faults, 2 where a file is missing.

    \b
    Example:
      planning check
      planning check --config ~/plan/workbench.toml --json
    """
    from planning.config import load
    from planning.sources import check_all

    result = check_all(load(config))
    if as_json:
        common.show(_as_dict(result), True)
    else:
        _print(result)
    sys.exit(2 if result.missing else 0 if result.ok else 1)


def _as_dict(result: CheckResult) -> dict[str, object]:
    return {
        "ok": result.ok,
        "counts": result.counts,
        "tables": result.tables,
        "faults": result.faults,
        "left_out": result.left_out,
        "missing": [{"table": name, "found": line} for name, line in result.missing],
        "blocks": result.blocks,
    }


def _print(result: CheckResult) -> None:
    """Prints tables and warnings on stdout, faults on stderr, then the blocks to paste and the counts."""
    for row in result.tables.itertuples():
        if row.state != "missing":
            days = f"{row.first_day:%Y-%m-%d} to {row.last_day:%Y-%m-%d}" if row.first_day == row.first_day else ""
            line = f"{row.table:<16} {row.state:<9}{int(row.rows):>9,} rows  {days:<24}  {row.found_out}"
            click.echo(line.rstrip())
    for name, checked in result.checked.items():
        for reason, rows in checked.left_out:
            click.echo(f"left out: {checked.label}: {reason} ({rows:,})")
        for fault in checked.faults:
            click.echo(f"{fault.severity}: {fault.line()}", err=fault.severity == "fault")
        if checked.block:
            click.echo(f"Paste into workbench.toml and check the guesses for {name}:\n{checked.block}", err=True)
    for _name, line in result.missing:
        click.echo(f"error: {line}", err=True)
    click.echo(", ".join(_counted(result.counts)))


def _counted(counts: dict[str, int]) -> list[str]:
    def some(n: int, one: str) -> str:
        return f"{n:,} {one}{'' if n == 1 else 's'}"

    words = [some(counts["tables"], "table"), some(counts["rows"], "row"), some(counts["faults"], "fault")]
    words.append(some(counts["warnings"], "warning"))
    return words + ([f"{counts['missing']:,} missing"] if counts["missing"] else [])
