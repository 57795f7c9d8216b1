"""`planning allocate`: split a budget over regions and lines, with its certificate."""

from __future__ import annotations

from pathlib import Path

import click

from planning.cli import common
from planning.errors import DataError, UsageError


class _MoveLimit(click.ParamType):
    name = "share|none"

    def convert(self, value, param, ctx):
        if value is None or str(value).lower() == "none":
            return "none"
        try:
            return float(value)
        except ValueError:
            self.fail(f"'{value}' is no share. Give a number such as 0.3, or none.", param, ctx)


@click.command()
@click.argument("spend", type=click.Path(path_type=Path))
@click.option("--outcome", required=True, type=click.Path(path_type=Path), help="period, region, outcome, controls.")
@click.option("--total", type=float, help="Budget per period of SPEND. [required unless --self-check]")
@click.option("--out", type=click.Path(path_type=Path), help="Result table (.csv); summary.json is put beside it.")
@click.option("--bounds", type=click.Path(path_type=Path), help="region, line, min, max; empty: any.")
@click.option("--move-limit", type=_MoveLimit(), default="0.3", show_default=True, help="Largest change of a cell.")
@click.option("--pilots", type=click.Path(path_type=Path), help="line, region, x0, x1, delta, se of measured tests.")
@click.option("--judged", type=click.Path(path_type=Path), help="line, region, at_zero ... at_saturation, judged.")
@click.option("--margin", type=float, default=1.0, show_default=True, help="Margin on a unit of outcome.")
@click.option("--lot", type=float, help="Allocate in whole lots of this amount.")
@click.option("--seed", type=int, default=7, show_default=True, help="Seed of the posterior draws.")
@click.option(
    "--self-check", is_flag=True, help="Simulate from the fit, refit, print what regret and coverage to expect."
)
@common.guarded
def command(spend, outcome, total, out, bounds, move_limit, pilots, judged, margin, lot, seed, self_check, as_json):
    """Split a budget over regions and lines from past spend and outcome.

    SPEND has period, region, line, amount. Each may be CSV, Parquet or .xlsx.

    \b
    planning allocate data/sample/spend.csv --outcome data/sample/outcome.csv --total 100000 --out split.csv
    planning allocate spend.csv --outcome outcome.csv --total 70000 --out b.csv --bounds bounds.csv --move-limit none
    planning allocate data/sample/spend.csv --outcome data/sample/outcome.csv --self-check
    """
    if total is None and not self_check:
        raise UsageError("--total is missing. Give the budget per period of SPEND, such as --total 70000.")
    if out is None and not self_check:
        raise UsageError("--out is missing. Name the table to write, such as --out split.csv.")
    tables = _read({"spend": spend, "outcome": outcome, "bounds": bounds, "pilots": pilots, "judged": judged})
    limit = None if move_limit == "none" else move_limit
    answer = _answer(tables, total, out, limit, margin, lot, seed, self_check)
    common.show(answer if as_json else _told(answer), as_json)


def _read(paths: dict) -> dict:
    from planning.sources import read_frame

    frames = {name: read_frame(path) for name, path in paths.items() if path is not None}
    return {"frames": frames, "files": {name: str(path) for name, path in paths.items() if path is not None}}


def _answer(tables, total, out, move_limit, margin, lot, seed, self_check):
    from planning.budget import allocate, fit_response
    from planning.files import write_json, write_table

    frames, files = tables["frames"], tables["files"]
    if out is not None:
        _writable(out)
    currency = _one_currency(frames, files)
    response = fit_response(
        frames["spend"],
        frames["outcome"],
        pilots=frames.get("pilots"),
        judged=frames.get("judged"),
        seed=seed,
        files=files,
    )
    if self_check:
        from planning.budget.selfcheck import self_check as check

        return check(response, move_limit=move_limit, margin=margin, seed=seed).summary
    result = allocate(
        response, total, bounds=frames.get("bounds"), move_limit=move_limit, margin=margin, lot=lot,
        bounds_file=files.get("bounds", "bounds"),
    )  # fmt: skip
    for note in result.notes:
        click.echo(f"note: {note}", err=True)
    result.summary["currency"] = currency
    write_table(out, result.table)
    write_json(out.parent / "summary.json", common.plain(result.summary | {"notes": result.notes}))
    keys = ["total", "expected_gain", "expected_gain_interval", "expected_regret", "kkt_spread", "sum_error"]
    shown = {key: result.summary[key] for key in [*keys, "move_limit_forgone"]}
    counts = result.table["verdict"].value_counts()
    shown["lines"] = result.summary["lines"]
    return shown | {"verdicts": ", ".join(f"{n} {v}" for v, n in counts.items()), "table": str(out)}


def _told(answer):
    """Return the answer as it is printed: each line's return in words."""
    lines = answer.pop("lines", []) if isinstance(answer, dict) else []
    for one in lines:
        if one["contribution"] is not None:
            lo, hi = one["lo"] / one["spend"], one["hi"] / one["spend"]
            answer[f"return of {one['line']}"] = f"{one['return_per_unit']:.2f} a unit (90 % {lo:.2f} to {hi:.2f})"
    return answer


def _writable(out: Path) -> None:
    if out.is_dir():
        raise UsageError(f"{out}: is a folder, a file is meant. Name a file in it, such as {out / 'split.csv'}.")
    if out.suffix.lower() not in {".csv", ".parquet"}:
        raise UsageError(f"{out}: cannot write '{out.suffix}'. Name a .csv or .parquet file.")
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent}: there is no such folder. Create it, or name another place for {out.name}.")


def _one_currency(frames, files) -> str | None:
    """Return the currency both tables are in; spend in one and outcome in another is refused."""
    kinds = {}
    for name in ("spend", "outcome"):
        if "currency" in frames[name].columns:
            for kind in frames[name]["currency"].dropna().astype(str).str.strip().unique():
                kinds.setdefault(kind, files[name])
    if len(kinds) > 1:
        named = ", ".join(f"{kind} ({file})" for kind, file in kinds.items())
        raise DataError(f"amounts are in {len(kinds)} currencies: {named}. Convert all to one currency first.")
    return next(iter(kinds), None)
