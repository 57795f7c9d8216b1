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
@click.option("--freq", required=True, help="D, W, W-SUN, MS, ME, QS, QE, YS or YE.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help=".csv or .parquet; a folder for a folder.")
@click.option("--levels", default="80,95", show_default=True, help="Per cents of outcomes the intervals hold.")
@click.option("--fill", default="missing", show_default=True, help="A gap is missing (between its neighbours) or zero.")
@click.option("--clean/--no-clean", default=True, help="Replace isolated outliers for fitting; each is reported.")
@click.option("--engine", default="local", show_default=True, metavar="local|dask://HOST:PORT")
@click.option("--jobs", type=click.IntRange(min=1), help="Threads or processes.  [default: one a processor]")
@common.guarded
def command(source, horizon, freq, out, levels, fill, clean, engine, jobs, as_json):
    """Forecast series with intervals.

    INPUT has unique_id, ds, y (an empty y is a gap): CSV, Parquet, .xlsx, or a folder of Parquet parts. OUT gets a row
    per series and step: unique_id, ds, mean, lo-80, hi-80, lo-95, hi-95; out.report.csv beside it names every series.

    \b
    planning forecast sales.csv --horizon 12 --freq MS --out forecast.csv
    planning forecast parts/ --horizon 12 --freq MS --out forecasts/2026-11 --engine dask://scheduler:8786
    """
    from planning.forecast import parts

    if not source.exists():
        raise UsageError(f"{source}: there is no such file or folder. Check the path.")
    run = parts.forecast_folder if source.is_dir() else parts.forecast_file
    options = {"levels": read_levels(levels), "fill": fill, "clean": clean, "jobs": jobs}
    common.show(run(source, out, horizon=horizon, freq=freq, engine=engine, **options), as_json)
