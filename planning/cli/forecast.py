"""`planning forecast`: series forecast with intervals, from a file or a folder of Parquet parts."""

from __future__ import annotations

from pathlib import Path

import click

from planning.cli import common
from planning.errors import UsageError


def read_levels(text: str) -> tuple[float, ...]:
    """Returns the levels of `80,95`; UsageError for anything else."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"--levels {text} is not possible. Give per cents with commas, such as 80,95.") from error


@click.command()
@click.argument("source", metavar="INPUT", type=click.Path(path_type=Path))
@click.option("--horizon", required=True, type=int, help="Periods to forecast.")
@click.option("--freq", required=True, help="D, W, W-SUN, MS, ME, QS, QE, YS, YE, or 4-4-5.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help=".csv or .parquet; a folder for a folder.")
@click.option("--levels", default="80,95", show_default=True, help="Per cents of outcomes the intervals hold.")
@click.option("--by", metavar="KEYS", help="Key columns in place of unique_id, such as state,region: coherent results.")
@click.option("--spec", help='Aggregates beside total and cells, with --by: "state; purpose; state,purpose".')
@click.option("--sums", metavar="QS,YS", help="Quarters and years too: steps added up, in out.QS.csv.")
@click.option("--drivers", type=click.Path(path_type=Path), metavar="FUTURE", help="Driver columns for the horizon.")
@click.option("--holidays", metavar="CODES", help="Working days as a driver: DE-BY, or by region: North=DE,South=AT.")
@click.option("--what-if", "other", type=click.Path(path_type=Path), metavar="OTHER", help="Another path of drivers.")
@click.option("--draws", type=click.IntRange(min=1), help="So many joint draws of all nodes, with --by.")
@click.option("--draws-out", type=click.Path(path_type=Path), metavar="DIR", help="Where draws.npy goes.")
@click.option("--seed", default=1, show_default=True, help="Seed of the draws.")
@click.option("--fill", default="missing", show_default=True, help="A gap is missing (between its neighbours) or zero.")
@click.option("--clean/--no-clean", default=True, help="Replace isolated outliers for fitting; each is reported.")
@click.option("--global/--no-global", "global_model", default=True, help="Blend in one model over 300 series or more.")
@click.option("--engine", default="local", show_default=True, metavar="local|dask://HOST:PORT")
@click.option("--jobs", type=click.IntRange(min=1), help="Threads or processes.  [default: one a processor]")
@common.guarded
def command(source, horizon, freq, out, levels, by, spec, sums, drivers, holidays, other, draws, draws_out, seed,
            fill, clean, global_model, engine, jobs, as_json):  # fmt: skip
    """Forecast series with intervals.

    INPUT has unique_id, ds, y (an empty y is a gap): CSV, Parquet, .xlsx, or a folder of Parquet parts. OUT gets a
    row per series and step: unique_id, ds, mean, lo-80, hi-80, lo-95, hi-95; out.report.csv beside it names every
    series. Other text columns with one value a series (region, line) tell which are alike: short ones borrow from them.

    \b
    planning sample data/sample     (writes data/sample/history.csv, to try these on)
    planning forecast data/sample/history.csv --horizon 12 --freq MS --out forecast.csv
    planning forecast data/sample/history.csv --horizon 12 --freq MS --out p.csv --by region,line,customer_type
    planning forecast parts/ --horizon 12 --freq MS --out forecasts/2026-11 --engine dask://scheduler:8786
    planning forecast sales.csv --horizon 12 --freq MS --out p.csv --by region,line --spec "region; line"
    planning forecast weekly.csv --horizon 8 --freq W --out forecast.csv --drivers next_weeks.csv
    planning forecast data/sample/history.csv --horizon 12 --freq MS --out forecast.csv --holidays DE-BY

    A driver is used where past forecasts were better with it; forecast.effects.csv says what each is worth, and with
    --what-if forecast.whatif.csv what another path of the drivers would change.
    """
    for path in (source, drivers, other):
        if path is not None and not path.exists():
            raise UsageError(f"{path}: there is no such file or folder. Check the path.")
    options = {"horizon": horizon, "freq": freq, "levels": read_levels(levels), "fill": fill}
    _go_together(by, spec, draws, draws_out, drivers or holidays, other, engine)
    known = {"holidays": _codes(holidays), "other": other}
    wanted = [name.strip().upper() for name in sums.split(",")] if sums else ()
    if sums and not by and (drivers or holidays or engine != "local" or source.is_dir()):
        raise UsageError("--sums without --by serves one table, without drivers or --engine. Name a file, or add --by.")
    if by:
        from planning.forecast.coherent_table import coherent_file

        extra = {"by": by.split(","), "spec": spec, "drivers": drivers, "draws": draws or 0, "draws_out": draws_out}
        result = coherent_file(source, out, **extra, seed=seed, sums=wanted, **known, **options)
    elif drivers or holidays:
        from planning.forecast.driven_table import driven_file

        options |= {"clean": clean, "global_model": global_model, "jobs": jobs}
        result = driven_file(source, drivers, out, **known, **options)
    else:
        from planning.forecast import parts

        options |= {"engine": engine, "clean": clean, "global_model": global_model, "jobs": jobs}
        folder = source.is_dir()
        result = parts.forecast_folder(source, out, **options) if folder else parts.forecast_file(
            source, out, sums=wanted, **options
        )
    common.show(result, as_json)


def _codes(holidays):
    """Returns region → code of --holidays, None without it."""
    if holidays is None:
        return None
    from planning.forecast.calendar_driver import codes_of

    return codes_of(holidays)


def _go_together(by, spec, draws, draws_out, drivers, other, engine):
    """Raises UsageError for options that need another one, or that one way of forecasting does not know."""
    for name, given in (("--spec", spec), ("--draws", draws), ("--draws-out", draws_out)):
        if given is not None and not by:
            raise UsageError(f"{name} needs --by: name the key columns, such as --by region,line.")
    if (draws is None) != (draws_out is None):
        raise UsageError("--draws N and --draws-out DIR go together: how many, and where to.")
    if other is not None and not drivers:
        raise UsageError("--what-if needs --drivers or --holidays: the path it is compared with.")
    if engine != "local" and (by or drivers):
        raise UsageError(f"--engine {engine} serves single series; with --by, --drivers or --holidays leave it out.")
