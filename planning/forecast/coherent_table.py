"""`planning forecast --by KEYS`: a table with key columns in, coherent forecasts of cells, aggregates and total out.

```
state     region   purpose   ds          y            unique_id          ds          mean   lo-80  hi-80  lo-95  hi-95
Victoria  Geelong  Holiday   2016-10-01  203.1   →    total              2017-01-01  27 210 ...
                                                      Victoria           2017-01-01   6 105 ...
                                                      Victoria/Geelong/Holiday ...
```

The table is checked as one of single series is (`planning.forecast.checks`), the keys joined by "/" in place of
`unique_id`. With drivers, each cell's history is taken to what it would have been without their moves, the joint
forecast is made of that, and the future drivers' effect put back cell by cell before anything is summed: the result
stays coherent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from planning.errors import DataError, Fault, UsageError, did_you_mean
from planning.files import atomic_path, write_table
from planning.forecast import engine
from planning.forecast.checks import check_history
from planning.forecast.frequency import Frequency
from planning.forecast.hierarchy import joined
from planning.forecast.joint_forecast import JointForecast
from planning.forecast.table import NO_VALUE, Forecasts, check_options

if TYPE_CHECKING:
    from planning.forecast.driven_joint import DrivenJoint

@dataclass(frozen=True, eq=False)
class CoherentForecasts:
    """frame: unique_id, ds, mean, lo-80, ... of all nodes, total first; report: one row a node; joint: the law.

    driven: the drivers' effects and what `driver_scenarios` needs, where drivers were given, else None.
    """

    frame: pd.DataFrame
    report: pd.DataFrame
    joint: JointForecast
    driven: DrivenJoint | None = None


def coherent(
    history: pd.DataFrame,
    *,
    by: Sequence[str],
    horizon: int,
    freq: str,
    spec: str | Sequence[Sequence[str]] | None = None,
    levels: Sequence[float] = (80, 95),
    fill: str = "missing",
    future: pd.DataFrame | None = None,
    label: str = "history",
    rows: np.ndarray | None = None,
) -> CoherentForecasts:
    """Returns coherent forecasts of every cell of the keys `by`, of the aggregates `spec` names, and of the total.

    history: the key columns, `ds`, `y`, in any order; an empty y is a gap. spec: aggregate levels such as
    "state; purpose; state,purpose". future: driver columns for the horizon, by the keys or by `ds` alone. Cells
    without any value are left out and named in the report. Raises DataError for a bad table, UsageError for
    impossible options.
    """
    options = check_options(horizon, levels, fill)
    keys = _keys(history, by)
    history = history.reset_index(drop=True)
    cells = _named(history, keys, label, rows)
    table, frequency = check_history(
        pd.DataFrame({"unique_id": cells, "ds": history["ds"], "y": history["y"]}), freq, label=label, rows=rows
    )
    if frequency.unit == "P":
        raise UsageError(f"--freq {frequency.alias} serves single series. With --by sum to months first (--freq MS).")
    checked = history[keys].astype("str").assign(unique_id=cells, ds=table["ds"], y=table["y"].to_numpy())
    known = checked.groupby("unique_id")["y"].transform("count") > 0
    checked = checked[known.to_numpy()]
    if checked.empty:
        raise DataError(f"{label}: y is empty in every row. Give at least one cell a history.")
    others = history.drop(columns=["unique_id", "ds"], errors="ignore")
    beside = checked[["unique_id", "ds"]].join(others) if future is not None else None
    if fill == "zero":
        checked = _with_zeros(checked, keys, frequency)
    arguments = {"keys": keys, "horizon": options.horizon, "freq": frequency.alias, "spec": spec or ""}
    if beside is None:
        from planning.forecast.coherent import joint

        made, driven = joint(checked, **arguments), None
    else:
        driven = _driven(checked, beside, future, arguments)
        made = driven.joint
    return CoherentForecasts(_frame(made, options.levels), _report(made, checked, table, frequency), made, driven)


def _keys(history: pd.DataFrame, by: Sequence[str]) -> list[str]:
    columns = [str(name) for name in history.columns]
    keys = [key.strip() for key in by if key.strip()]
    if not keys or len(set(keys)) < len(keys):
        raise UsageError("--by names no key, or one twice. Give key columns with commas, such as region,line.")
    for name in (*keys, "ds", "y"):
        if name not in columns:
            listed = ", ".join(columns)
            raise UsageError(f"the table has no column '{name}'. It has: {listed}.{did_you_mean(name, columns)}")
    if {"ds", "y"} & set(keys):
        raise UsageError("--by names ds or y, which are no keys. Name the columns that tell cells apart.")
    return keys


def _named(history: pd.DataFrame, keys: list[str], label: str, rows: np.ndarray | None) -> pd.Series:
    """Returns the keys joined by "/"; DataError for an empty one."""
    lines = np.arange(2, len(history) + 2) if rows is None else np.asarray(rows)
    faults = []
    for key in keys:
        empty = (history[key].isna() | history[key].astype("str").str.strip().eq("")).to_numpy()
        if empty.any():
            row = int(lines[np.flatnonzero(empty)[0]])
            faults.append(Fault(label, row, key, "is empty", "Give every row its key, such as 'other'."))
    if faults:
        raise DataError(faults=faults)
    return joined(history, keys)


def _with_zeros(table: pd.DataFrame, keys: list[str], frequency: Frequency) -> pd.DataFrame:
    """Returns the table with every gap between a cell's first and last row as zero."""
    parts = []
    for _name, part in table.groupby("unique_id", sort=True):
        ordinal = frequency.ordinal(part["ds"].to_numpy().astype("datetime64[D]"))
        whole = np.arange(ordinal.min(), ordinal.max() + 1)
        y = pd.Series(part["y"].to_numpy(), index=ordinal).reindex(whole).fillna(0.0)
        fixed = {name: part[name].iloc[0] for name in [*keys, "unique_id"]}
        parts.append(pd.DataFrame({**fixed, "ds": frequency.date(whole).astype("datetime64[s]"), "y": y.to_numpy()}))
    return pd.concat(parts, ignore_index=True)


def _driven(table: pd.DataFrame, beside: pd.DataFrame, future: pd.DataFrame, arguments: dict) -> DrivenJoint:
    """Returns the joint forecast with drivers; beside: the table's own rows, `unique_id, ds` and the driver columns."""
    from planning.forecast.driven_joint import joint_with_drivers

    future = by_cell(future, arguments["keys"])
    names = [str(name) for name in future.columns if name not in ("unique_id", "ds")]
    missing = [name for name in names if name not in beside.columns]
    if missing:
        raise UsageError(f"the table has no driver '{missing[0]}'.{did_you_mean(missing[0], beside.columns)}")
    drivers = beside[["unique_id", "ds", *names]].assign(given=True)
    table = table.merge(drivers, on=["unique_id", "ds"], how="left")
    filled = table["given"].isna()  # a gap taken as zero has no row: its drivers are those of the period before
    if filled.any():
        table.loc[filled, names] = table.groupby("unique_id")[names].ffill()[filled]
    return joint_with_drivers(table.drop(columns="given"), future, drivers=names, **arguments)


def by_cell(future: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Returns the drivers ahead with `unique_id` in place of the key columns, where they have them all."""
    if not all(key in future.columns for key in keys):
        return future
    return future.drop(columns=list(keys)).assign(unique_id=joined(future, keys))


def _frame(joint: JointForecast, levels: Sequence[float]) -> pd.DataFrame:
    tails = {
        f"{side}-{level:g}": 0.5 + sign * level / 200 for level in levels for side, sign in (("lo", -1), ("hi", 1))
    }
    frame = joint.quantile(levels=list(tails.values()))
    frame = frame.rename(columns={tail: name for name, tail in tails.items()})
    return frame[["unique_id", "ds", "mean", *tails]]


def _report(joint: JointForecast, checked: pd.DataFrame, table: pd.DataFrame, frequency: Frequency) -> pd.DataFrame:
    """Returns one row a node, `unique_id, n, status, reason, first, last`, and one a cell that was left out."""
    groups = checked[checked["y"].notna()].groupby("unique_id")
    low = joint.bottom
    nodes = joint.cells
    ids = nodes["unique_id"].to_numpy(dtype=object)
    cell = np.array(["/".join(row) for row in nodes[list(joint.keys)].astype(str).to_numpy()], dtype=object)
    report = pd.DataFrame({"unique_id": ids, "level": nodes["level"], "status": "ok", "reason": ""})
    sizes, first, last = groups.size(), groups["ds"].min(), groups["ds"].max()
    zero = groups["y"].apply(lambda y: bool((y == 0).all()))
    report["n"] = pd.Series(cell).map(sizes).where(low, len(np.unique(checked["ds"]))).astype("int64").to_numpy()
    report["first"] = pd.Series(cell).map(first).where(low, checked["ds"].min()).to_numpy()
    report["last"] = pd.Series(cell).map(last).where(low, checked["ds"].max()).to_numpy()
    members = joint.summing(np.flatnonzero(~low)).sum(axis=1).astype(int) if (~low).any() else []
    report.loc[~low, "reason"] = [f"sum of {count} cells" for count in members]
    ended = np.isin(ids, joint.meta.get("ended", [])) & low
    nothing = pd.Series(cell).map(zero).eq(True).to_numpy() & low
    short = low & (report["n"].to_numpy() < engine.least(frequency.season))
    for mask, status, reason in (
        (short, "short", "too few periods for a model"),
        (ended, "ended", "nothing for a season or more: taken as ended"),
        (nothing, "no_demand", "no demand in the history"),
    ):
        report.loc[mask, "status"], report.loc[mask, "reason"] = status, reason
    gone = sorted(set(map(str, table["unique_id"].cat.categories)) - set(cell[low]))
    absent = pd.DataFrame({"unique_id": gone, "level": "/".join(joint.keys), "status": "left_out", "reason": NO_VALUE})
    report = pd.concat([report, absent.assign(n=0)], ignore_index=True) if gone else report
    return report[["unique_id", "n", "status", "reason", "level", "first", "last"]]


# ---- files ----------------------------------------------------------------------------------------------------------


def coherent_file(
    source: Path,
    out: Path,
    *,
    by: Sequence[str],
    horizon: int,
    freq: str,
    spec: str | None = None,
    drivers: Path | None = None,
    draws: int = 0,
    draws_out: Path | None = None,
    seed: int = 1,
    levels: Sequence[float] = (80, 95),
    fill: str = "missing",
    sums: Sequence[str] = (),
    holidays: dict[str, str] | None = None,
    other: Path | None = None,
) -> dict[str, Any]:
    """Forecasts a file, or a folder of Parquet parts, coherently, and writes `out`, its report and the draws.

    With drivers or holidays the effects go to out.effects.csv, with another path of the drivers (`other`) what it
    would change to out.whatif.csv.

    sums: frequencies whose whole periods are written too, months added up (out.csv → out.QS.csv). draws: how many; they
    go to `draws_out`/draws.npy (draws x cells x steps, float32, all nodes, coherent) and
    `draws_out`/cells.parquet (unique_id, keys, level, in the same order). Returns counts.
    """
    from planning.forecast.calendar_driver import known_days
    from planning.forecast.parts import check_out, counts, write_both, write_sums
    from planning.sources import read_frame

    check_options(horizon, levels, fill)
    check_out(out)
    if draws < 0 or bool(draws) != bool(draws_out):
        raise UsageError("--draws N and --draws-out DIR go together: how many, and where to.")
    if draws_out is not None and (draws_out.is_file() or not draws_out.parent.is_dir()):
        raise UsageError(f"{draws_out}: cannot be made. Name a folder whose parent exists.")
    keys = [key.strip() for key in by]
    history, label, rows = read_table(source, keys)
    future, changed = (None if path is None else read_frame(path, text=keys) for path in (drivers, other))
    if holidays:
        options = {"keys": keys, "freq": freq, "horizon": horizon}
        history, future, changed = known_days(history, future, changed, holidays, **options)
    result = coherent(
        history, by=by, horizon=horizon, freq=freq, spec=spec, levels=levels, fill=fill, future=future, label=label,
        rows=rows,
    )  # fmt: skip
    coarser = {name: _frame(result.joint.summed(name), levels) for name in sums}
    more = {}
    if result.driven is not None:
        from planning.forecast.driver_scenarios import beside

        more = beside(result.driven, None if changed is None else by_cell(changed, keys), out)
    if draws_out is not None:
        write_draws(result.joint, draws, seed, draws_out)
    write_both(Forecasts(result.frame, result.report), out)
    found = counts(result.report, len(result.frame), out) | {"projection": result.joint.meta.get("projection", "")}
    for path, frame in more.items():
        write_table(path, frame)
    if result.driven is not None:
        found |= {"drivers_used": ", ".join(result.driven.kept), "error_saved": result.driven.gain}
        found |= {"beside": ", ".join(map(str, more))}
    return found | write_sums(coarser, out)


def read_table(source: Path, text: Sequence[str]) -> tuple[pd.DataFrame, str, np.ndarray | None]:
    """Returns the table of a file or of a folder of Parquet parts, its name, and the line numbers of a file's
    rows."""
    from planning.sources import read_raw

    if not source.is_dir():
        raw = read_raw(source)
        if raw.faults:
            raise DataError(faults=raw.faults)
        return raw.frame, raw.label, raw.rows
    paths = sorted(path for path in source.iterdir() if path.suffix == ".parquet" and not path.name.startswith("."))
    if not paths:
        raise UsageError(f"{source}: holds no .parquet file. Name a file, or a folder of Parquet parts.")
    return pd.concat([read_raw(path).frame for path in paths], ignore_index=True), source.name, None


def write_draws(joint: JointForecast, n: int, seed: int, folder: Path) -> None:
    """Writes draws.npy and cells.parquet of all nodes to a folder, which is made where it is not there."""
    folder.mkdir(exist_ok=True)
    draws = joint.draws(n, seed, cells=list(joint.cells["unique_id"]))
    with atomic_path(folder / "draws.npy") as path:
        np.save(path, np.ascontiguousarray(draws, dtype=np.float32))
    with atomic_path(folder / "cells.parquet") as path:
        joint.cells[["unique_id", *joint.keys, "level"]].to_parquet(path, index=False)
