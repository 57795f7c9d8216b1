"""Forecasts of files and folders of Parquet parts: two passes over paths, memory bounded by one part a worker.

```
IN/part-0.parquet  --measure-->  work/00000.part   + what it lends  ┐
IN/part-1.parquet  --measure-->  work/00001.part   + what it lends  ┴-> work/lent --finish-->  OUT/part-0.parquet, ...
```
Paths go through the scheduler, not arrays; on a cluster the folders must be on a disk every worker sees. A series
lies in one part. Nothing appears at OUT before all of it is written.
"""

from __future__ import annotations

import contextlib
import pickle
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planning.errors import DataError, Fault, UsageError
from planning.files import atomic_folder, atomic_path, write_table
from planning.forecast.checks import COLUMNS, check_history
from planning.forecast.kin import labels
from planning.forecast.panel import Panel
from planning.forecast.running import LEAST_FOR_PROCESSES, LOCAL, run_tasks
from planning.forecast.single import Lent, Options, Part, finish_chunks, measure_chunks
from planning.forecast.table import Forecasts, check_options, check_reach, empty_frame, forecasts, with_left_out

SUFFIXES = (".csv", ".parquet")


@dataclass(frozen=True)
class Measured:
    """What comes back of one measured part: what it lends, its frequency, hashes of its ids."""

    lent: Lent | None
    alias: str
    ids: np.ndarray


def report_path(out: Path) -> Path:
    """Returns where the report of `out` lies: out.csv → out.report.csv, a folder out → out.report.csv beside it."""
    return out.with_name(f"{out.stem if out.suffix else out.name}.report.csv")


def forecast_file(
    source: Path, out: Path, *, horizon: int, freq: str, engine: str = LOCAL, sums: Sequence[str] = (), **options: Any
) -> dict:
    """Forecasts the table in a file and writes `out` and its report, both or none; returns counts.

    sums: frequencies whose whole periods are written too (out.csv → out.QS.csv). options: levels, fill, clean,
    global_model, jobs as in `planning.forecast.forecast`.
    """
    from planning.sources import read_raw

    check_options(horizon, **options)
    check_out(out)
    if engine != LOCAL:
        return _by_parts([source], out, horizon=horizon, freq=freq, engine=engine, **options)
    raw = read_raw(source)
    if raw.faults:
        raise DataError(faults=raw.faults)
    result = forecasts(raw.frame, horizon=horizon, freq=freq, label=raw.label, rows=raw.rows, sums=sums, **options)
    write_both(result, out)
    return counts(result.report, len(result.frame), out) | write_sums(result.sums, out)


def forecast_folder(source: Path, out: Path, *, horizon: int, freq: str, engine: str = LOCAL, **options: Any) -> dict:
    """Forecasts a folder of Parquet parts into the folder `out` (or one .csv or .parquet file); returns counts."""
    check_options(horizon, **options)
    paths = sorted(path for path in source.iterdir() if path.suffix == ".parquet" and not path.name.startswith("."))
    if not paths:
        raise UsageError(f"{source}: holds no .parquet file. Name a file, or a folder of Parquet parts.")
    if out.suffix:
        check_out(out)
    return _by_parts(paths, out, horizon=horizon, freq=freq, engine=engine, **options)


def check_out(out: Path) -> None:
    """Raises UsageError where `out` is no .csv or .parquet file that can be written."""
    if out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{out}: cannot write '{out.suffix}'. Name a .csv or .parquet file.")
    if out.is_dir():
        raise UsageError(f"{out}: is a folder, a file is meant. Name a file in it.")
    if not out.parent.is_dir():
        raise UsageError(f"{out.parent}: there is no such folder. Create it, or name another place for {out.name}.")


def _by_parts(
    paths: Sequence[Path], out: Path, *, horizon: int, freq: str, engine: str, fill: str = "missing", **options: Any
) -> dict:
    from planning.forecast.engine import workers

    checked = check_options(horizon, fill=fill, **options)
    jobs = workers(checked.jobs)
    inner = replace(checked, jobs=checked.jobs if len(paths) < LEAST_FOR_PROCESSES and engine == LOCAL else 1)
    _warm(engine)
    with _place(out) as folder:
        work = folder / ".work"
        work.mkdir()
        names = [f"{k:05d}" for k in range(len(paths))]
        small = len(paths) == 1
        tasks = [(str(path), str(work / name), freq, fill, inner, small) for path, name in zip(paths, names)]
        found = run_tasks(measure_file, tasks, engine=engine, jobs=jobs, label="forecasting")
        (work / "lent").write_bytes(pickle.dumps(_agree(paths, found)))
        ends = [(str(work / name), str(folder / f"{path.stem}.parquet"), inner) for path, name in zip(paths, names)]
        rows = run_tasks(finish_file, ends, engine=engine, jobs=jobs, label="writing")
        report = pd.concat([pd.read_parquet(work / f"{name}.report") for name in names], ignore_index=True)
        report = report.sort_values("unique_id", kind="stable", ignore_index=True)
        shutil.rmtree(work)
        if out.suffix:
            frame = pd.concat([pd.read_parquet(folder / f"{path.stem}.parquet") for path in paths], ignore_index=True)
            write_both(Forecasts(frame.sort_values(["unique_id", "ds"], kind="stable"), report), out)
        else:
            with atomic_path(report_path(out)) as path:
                report.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")
    return counts(report, sum(rows), out)


def _place(out: Path) -> contextlib.AbstractContextManager[Path]:
    """Returns the folder parts are written to: `out` itself, appearing when whole, or a temporary one beside a
    file."""
    return _beside(out) if out.suffix else atomic_folder(out)


@contextlib.contextmanager
def _beside(out: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}.", suffix=".partial") as folder:
        yield Path(folder)


def _warm(engine: str) -> None:
    """Compiles the kernels here before processes start, so that they find them in the cache."""
    if engine == LOCAL:
        from planning.forecast.compiled import kernels

        kernels()


def measure_file(source: str, work: str, freq: str, fill: str, options: Options, small: bool) -> Measured:
    """First pass over one part: reads and checks it, forecasts, keeps the result at `work`; returns what it lends."""
    from planning.sources import read_raw

    raw = read_raw(source)
    table, frequency = check_history(raw.frame, freq, label=raw.label, rows=raw.rows)
    panel = Panel.of_frame(table, frequency, fill=fill, keys=labels(raw.frame, table["unique_id"].array, COLUMNS))
    check_reach(panel, options)
    parts = measure_chunks(panel, options, small=small)
    report = pd.concat([part.report for part in parts], ignore_index=True) if parts else pd.DataFrame()
    Path(work).write_bytes(pickle.dumps((parts, with_left_out(report, table, frequency))))
    hashes = pd.util.hash_array(np.asarray(table["unique_id"].cat.categories, dtype=object))
    lent = Lent.merge([part.lent for part in parts]) if parts else None
    return Measured(lent, frequency.alias, hashes)


def _agree(paths: Sequence[Path], found: Sequence[Measured]) -> Lent:
    """Returns what all parts lend; raises DataError where they differ in frequency or share a series."""
    for path, part in zip(paths, found):
        if part.alias != found[0].alias:
            text = f"its dates are {part.alias}, those of {paths[0].name} {found[0].alias}"
            raise DataError(faults=[Fault(path.name, None, "ds", text, "Bring all parts to one frequency.")])
    every = np.concatenate([part.ids for part in found])
    owner = np.repeat(np.arange(len(paths)), [len(part.ids) for part in found])
    order = np.argsort(every, kind="stable")
    twice = np.flatnonzero(every[order][1:] == every[order][:-1])
    if len(twice):
        first, second = sorted((int(owner[order[twice[0]]]), int(owner[order[twice[0] + 1]])))
        text = f"{len(twice)} of its series lie in {paths[first].name} too"
        raise DataError(faults=[Fault(paths[second].name, None, "unique_id", text, "Keep a series in one part.")])
    lent = [part.lent for part in found if part.lent is not None]
    if not lent:
        raise DataError(faults=[Fault(paths[0].name, None, "y", "no part holds a value", "Fill in y.")])
    return Lent.merge(lent)


def finish_file(work: str, out: str, options: Options) -> int:
    """Second pass over one part: intervals from what all parts lend; writes the rows, returns how many."""
    parts: list[Part]
    parts, report = pickle.loads(Path(work).read_bytes())
    lent = pickle.loads((Path(work).parent / "lent").read_bytes())
    frame = finish_chunks(parts, lent, options) if parts else empty_frame(options)
    frame.to_parquet(out, index=False)
    report.to_parquet(f"{work}.report", index=False)
    return len(frame)


def write_both(result: Forecasts, out: Path) -> None:
    """Writes the forecast and its report, both or none."""
    with atomic_path(report_path(out)) as beside, atomic_path(out) as path:
        result.report.to_csv(beside, index=False, encoding="utf-8", lineterminator="\n")
        if out.suffix.lower() == ".csv":
            result.frame.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")
        else:
            result.frame.to_parquet(path, index=False)


def write_sums(sums: dict[str, pd.DataFrame], out: Path) -> dict[str, str]:
    """Writes the sums beside `out` (out.csv → out.QS.csv); returns where they are, nothing without sums."""
    paths = [out.with_name(f"{out.stem}.{name}{out.suffix}") for name in sums]
    for path, frame in zip(paths, sums.values()):
        write_table(path, frame)
    return {"sums": ", ".join(map(str, paths))} if paths else {}


def counts(report: pd.DataFrame, rows: int, out: Path) -> dict:
    """Returns the numbers a command prints: series by status, rows, where the files are."""
    by_status = {str(name): int(number) for name, number in report["status"].value_counts().sort_index().items()}
    return {"series": len(report), **by_status, "rows": rows, "out": str(out), "report": str(report_path(out))}
