"""`forecast(history)`: from a table to a table, with checks before and a report beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from planning.errors import UsageError, did_you_mean
from planning.forecast.checks import COLUMNS, check_history
from planning.forecast.frequency import Frequency
from planning.forecast.kin import labels
from planning.forecast.panel import FILLS, Panel
from planning.forecast.single import Lent, Options, finish_chunks, measure_chunks
from planning.forecast.sums import sum_rows

LATEST = np.datetime64("2262-01-01")
NO_VALUE = "no value in the history"
REPORT = ("unique_id", "n", "status", "reason", "forecast_by", "first", "last", "gaps", "outliers", "shift_since")


@dataclass(frozen=True)
class Forecasts:
    """frame: unique_id, ds, mean, lo-80, hi-80, ...; report: unique_id, n, status, reason, ..., one row a series.

    sums: by frequency, the frame of its whole periods.
    """

    frame: pd.DataFrame
    report: pd.DataFrame
    sums: dict[str, pd.DataFrame] = field(default_factory=dict)


def forecast(
    history: pd.DataFrame,
    *,
    horizon: int,
    freq: str,
    levels: Sequence[float] = (80, 95),
    fill: str = "missing",
    clean: bool = True,
    global_model: bool = True,
    jobs: int | None = None,
) -> pd.DataFrame:
    """Returns what each series will be in the next `horizon` periods, and how sure that is.

    history: unique_id, ds, y in any order, an empty y is a gap (fill "missing": between its neighbours, "zero": none
    sold); text columns with one value a series (region, line, category) tell which series are alike: short ones borrow
    from those. freq: D, W, W-SUN, MS, ME, QS, QE, YS, YE. levels: per cent of outcomes each interval holds. clean:
    isolated outliers are replaced for fitting. global_model: one model over all series is blended in where there are
    300 or more (the same numbers every time, whatever `jobs`). Returned: one row a series and step, sorted by unique_id
    and ds; `ds` follows the series' last value; columns mean, and lo-L, hi-L for each level. Series without a value are
    absent; `forecasts` gives the report that names them. Raises DataError for a bad table, UsageError for impossible
    options.

    >>> import pandas as pd
    >>> months = pd.date_range("2025-01-01", periods=12, freq="MS")
    >>> flat = pd.DataFrame({"unique_id": "N", "ds": months, "y": 5.0})
    >>> forecast(flat, horizon=1, freq="MS")["mean"].tolist()
    [5.0]
    """
    options = {"levels": levels, "fill": fill, "clean": clean, "global_model": global_model, "jobs": jobs}
    return forecasts(history, horizon=horizon, freq=freq, **options).frame


def forecasts(
    history: pd.DataFrame,
    *,
    horizon: int,
    freq: str,
    levels: Sequence[float] = (80, 95),
    fill: str = "missing",
    clean: bool = True,
    global_model: bool = True,
    jobs: int | None = None,
    label: str = "history",
    rows: np.ndarray | None = None,
    sums: Sequence[str] = (),
) -> Forecasts:
    """Returns the forecast and its report; arguments as in `forecast`, `label` and `rows` name places in faults.

    sums: coarser frequencies (QS, YS) whose whole periods are forecast as sums too.
    """
    options = check_options(horizon, levels, fill, clean, jobs, global_model)
    table, frequency = check_history(history, freq, label=label, rows=rows)
    panel = Panel.of_frame(table, frequency, fill=fill, keys=labels(history, table["unique_id"].array, COLUMNS))
    check_reach(panel, options)
    parts = measure_chunks(panel, options)
    if not parts:
        return Forecasts(empty_frame(options), with_left_out(pd.DataFrame(), table, frequency))
    lent = Lent.merge([part.lent for part in parts])
    report = pd.concat([part.report for part in parts], ignore_index=True)
    added = {name: sum_rows(parts, lent, options, name) for name in sums}
    return Forecasts(finish_chunks(parts, lent, options), with_left_out(report, table, frequency), added)


def check_options(
    horizon: int,
    levels: Sequence[float] = (80, 95),
    fill: str = "missing",
    clean: bool = True,
    jobs: int | None = None,
    global_model: bool = True,
) -> Options:
    """Returns the options, or raises UsageError saying what is possible."""
    if isinstance(horizon, bool) or int(horizon) != horizon or horizon < 1:
        raise UsageError(f"horizon {horizon} is not possible. Give the number of periods to forecast, 1 or more.")
    if horizon > 10_000:
        raise UsageError(f"horizon {horizon} is longer than 10 000 periods. Give a shorter one.")
    levels = tuple(int(level) if float(level).is_integer() else float(level) for level in levels)
    wrong = [level for level in levels if not 0 < level < 100]
    if not levels or wrong or len(set(levels)) < len(levels):
        found = ", ".join(f"{level:g}" for level in wrong or levels) or "none"
        raise UsageError(f"levels {found} are not possible. Give different per cents between 0 and 100, such as 80,95.")
    if fill not in FILLS:
        raise UsageError(f"fill '{fill}' is not known. It is one of: {', '.join(FILLS)}.{did_you_mean(fill, FILLS)}")
    return Options(int(horizon), levels, clean, jobs, global_model)


def check_reach(panel: Panel, options: Options) -> None:
    """Raises UsageError where the horizon reaches further than dates do."""
    if panel.n and panel.frequency.date(panel.last.max() + options.horizon) > LATEST:
        raise UsageError(f"horizon {options.horizon} reaches beyond the year 2261. Give a shorter one.")


def empty_frame(options: Options) -> pd.DataFrame:
    """Returns a forecast without rows."""
    names = [f"{side}-{level:g}" for level in options.levels for side in ("lo", "hi")]
    frame = pd.DataFrame({name: np.zeros(0) for name in ("unique_id", "ds", "mean", *names)})
    return frame.astype({"unique_id": "str", "ds": "datetime64[s]"})


def with_left_out(report: pd.DataFrame, table: pd.DataFrame, frequency: Frequency) -> pd.DataFrame:
    """Returns the report with a row for each series of the table that has no value at all, sorted by id."""
    names = table["unique_id"].cat.categories
    known = set(report["unique_id"]) if len(report) else set()
    absent = [name for name in names if name not in known]
    if absent:
        gone = pd.DataFrame({"unique_id": absent, "n": 0, "status": "left_out", "reason": NO_VALUE})
        report = pd.concat([report, gone], ignore_index=True) if len(report) else gone
    report = report.sort_values("unique_id", kind="stable", ignore_index=True)
    report = report.reindex(columns=[*REPORT, *(name for name in report.columns if name not in REPORT)])
    for name in ("reason", "forecast_by", "outliers", "shift_since"):
        report[name] = report[name].astype(object).fillna("")
    kinds = {"unique_id": "str", "n": "int64", "gaps": "int64", "first": "datetime64[s]", "last": "datetime64[s]"}
    return report.fillna({"gaps": 0}).astype(kinds)
