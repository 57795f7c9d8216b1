"""`planning targets`: the year's target with its chance, split exact to the cent; and the way back from Excel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from planning.cli import common
from planning.errors import UsageError


@click.command(short_help="Set the year's target and split it, exact to the cent.")
@click.argument("history", required=False)
@click.option("--year", type=int, help="The fiscal year to plan, such as 2027.")
@click.option("--policy", "policy_path", metavar="P.toml", help="The policy: chances, split, bounds, locks, capacity.")
@click.option("--out", metavar="DIR", help="Folder for targets.csv, cells.csv, summary.json and plan.xlsx.")
@click.option("--date", default="ds", show_default=True, help="The date column of HISTORY.")
@click.option("--amount", default="amount", show_default=True, help="The amount column of HISTORY.")
@click.option("--adjustments", metavar="FILE", help="Planners' adjustments; past ones teach what they are worth.")
@click.option("--capacity", metavar="FILE", help="Supply, cash and headcount limits (from, to, <keys>, amount, kind).")
@click.option("--confirmations", metavar="FILE", help="The departments' answers (department, <keys>, status, limit).")
@click.option("--draws", type=click.IntRange(200, 100_000), default=4000, show_default=True, help="Draws where needed.")
@click.option("--seed", type=int, default=20270101, show_default=True, help="Seed of the draws.")
@click.option("--language", type=click.Choice(["en", "zh"]), default="en", show_default=True, help="Of plan.xlsx.")
@click.option("--import", "workbook", metavar="PLAN.xlsx", help="Take edits of plan.xlsx back into the plan in --out.")
@click.option("--author", default="", help="Who edited the workbook (with --import).")
@click.option("--dry-run", is_flag=True, help="With --import: show changes and conflicts, apply nothing.")
@common.guarded
def command(**options: Any) -> None:
    """Sets the target of a year and splits it over keys and months.

    HISTORY has `ds`, the key columns and `amount`, monthly or finer (CSV, Parquet, .xlsx). P.toml, for example:

    \b
    currency = "EUR"
    by = ["region", "line"]
    target = { commit = 0.80, target = 0.55, stretch = 0.25 }
    rates = { CHF = 1.05, USD = 0.92 }
    split = { method = "equal_probability" }
    bounds = [{ region = "North", min_growth = 0.0, max_growth = 0.25 }]
    lock = [{ region = "South", line = "Valves", amount = 150_000 }]

    \b
    planning targets data/sample/sales.csv --year 2027 --policy policy.toml --out plan
    planning targets --import plan/plan.xlsx --out plan --author "Head of sales"
    """
    if options["workbook"]:
        _import(options)
    else:
        _plan(options)


def _plan(options: dict[str, Any]) -> None:
    missing = [
        name
        for name, key in (("HISTORY", "history"), ("--year", "year"), ("--policy", "policy_path"), ("--out", "out"))
        if not options[key]
    ]
    if missing:
        raise UsageError(f"{', '.join(missing)} missing. See 'planning targets --help' for an example.")
    from planning.targets import annual, versions
    from planning.targets.policy import read_policy

    policy = read_policy(options["policy_path"])
    annual.make_folder(Path(options["out"]))
    history = _history(options, policy.by)
    plan, panel = annual.plan_year(
        history,
        policy,
        year=options["year"],
        file=Path(options["history"]).name,
        draws=options["draws"],
        seed=options["seed"],
        **{name: _table(options[name]) for name in ("adjustments", "capacity", "confirmations")},
    )
    for note in panel.notes:
        click.echo(f"note: {note}", err=True)
    summary = annual.write_plan(plan, options["out"])
    version = versions.record(plan)
    versions.save(options["out"], version, plan.target.adjusted.joint)
    _workbook(plan, version, options)
    _tell(summary, plan, options)


def _history(options: dict[str, Any], by: tuple[str, ...]) -> Any:
    from planning.sources import read_frame

    names = {options["date"]: "ds", options["amount"]: "amount"}
    frame = read_frame(options["history"], text=list(by))
    for wanted, kind in (("ds", "date"), ("amount", "amount")):
        given = options[kind]
        if given != wanted and given not in frame:
            from planning.errors import DataError, did_you_mean

            raise DataError(f"{options['history']}: has no column '{given}'.{did_you_mean(given, frame.columns)}")
    return frame.rename(columns=names)


def _table(path: str | None) -> Any:
    if path is None:
        return None
    from planning.sources import read_frame

    return read_frame(path)


def _workbook(plan: Any, version: Any, options: dict[str, Any]) -> None:
    from planning import language
    from planning.reports.plan_workbook import writer

    with language.use(options["language"]):
        writer(plan, version)(Path(options["out"]) / "plan.xlsx")


def _tell(summary: dict[str, Any], plan: Any, options: dict[str, Any]) -> None:
    if options["as_json"]:
        common.show(summary, True)
        return
    from planning import language
    from planning.targets import sentences

    with language.use(options["language"]):
        answer, lede = sentences.headline(plan)
    click.echo(answer)
    click.echo(lede)
    table = plan.by(plan.target.law.keys[0])
    common.show(
        table.round({"target": 2, "expected": 2, "last_year": 2, "growth": 4, "attainment_probability": 3}), False
    )
    click.echo(f"written: {options['out']}/targets.csv, cells.csv, summary.json, plan.xlsx")


def _import(options: dict[str, Any]) -> None:
    from planning.reports.plan_workbook import read_workbook
    from planning.targets import annual, merge, versions

    folder = Path(options["out"] or Path(options["workbook"]).parent)
    current = versions.load(folder)
    edits = read_workbook(options["workbook"])
    result = merge.merge(edits, current, lambda plan_id: versions.load(folder, plan_id))
    if options["dry_run"] or not result.changes.shape[0]:
        common.show(result.changes if not options["as_json"] else result.as_dict(), options["as_json"])
        return
    plan, version = merge.apply(result, folder, author=options["author"])
    annual.write_plan(plan, folder)
    versions.save(folder, version)
    _workbook(plan, version, options | {"out": folder})
    common.show(
        result.changes if not options["as_json"] else result.as_dict() | {"plan_id": version.plan_id},
        options["as_json"],
    )
