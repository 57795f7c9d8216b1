"""Forecasts kept as they were made: `forecasts/<as-of>/`, append only, so that their accuracy can be measured later.

```
forecasts/2026-12-31/            the first forecast made from the data of that day
          2026-12-31.2/          a later one from the same day, where its numbers differ (new method, revised figures)
              manifest.json      as_of, made_at, keys, currency, year, inputs' hashes, versions, seed, hash of each file
              forecast.parquet   unique_id, level, keys, ds, lag, naive, statistical, adjusted, final, bands, scale
              history.parquet    keys, ds, y: the sales it was made from
              adjustments.parquet  what people asked for and what became of it
              locks.parquet      what management fixed, and what the forecast was before
              drivers.parquet    unique_id, ds and the drivers it counted with, where it used any
              joint/             the statistical joint forecast, for chances and sums
```

A folder that exists is never written to again: it is made under another name, then renamed, and the rename is refused
where the name is taken. Equal numbers are not stored twice. `naive`, `statistical`, `adjusted` and `final` are all
kept; `final` differs from `adjusted` only where management fixed a figure.

A snapshot is what was known and said at its time. A forecast made as of a past day, with later sales in the table, was
made with hindsight and is not kept: such rounds are made again when accuracy is measured, and counted apart.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib.metadata
import json
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planning import files
from planning.errors import DataError, UsageError
from planning.forecast.accuracy import compare
from planning.forecast.history import History, as_of_day
from planning.forecast.joint_forecast import JointForecast
from planning.forecast.judgement import Judged

FOLDER = "forecasts"
_NAME = re.compile(r"(\d{4}-\d{2}-\d{2})(?:\.(\d+))?\Z")
_TOOLS = ("numpy", "pandas", "scipy", "numba")
SAME = 1e-6  # relative difference below which two forecasts are the same one made on two machines


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A kept forecast: its folder, as-of day, revision (1 is the first of that day) and manifest."""

    path: Path
    as_of: pd.Timestamp
    revision: int
    manifest: dict[str, Any]

    def frame(self) -> pd.DataFrame:
        """Returns the forecast, one row a node and month."""
        return pd.read_parquet(self.path / "forecast.parquet")

    def history(self) -> pd.DataFrame:
        """Returns the sales it was made from, `keys, ds, y`."""
        return pd.read_parquet(self.path / "history.parquet")

    def drivers(self) -> pd.DataFrame | None:
        """Returns the drivers it counted with, `unique_id, ds` and one column a driver; None without any."""
        path = self.path / "drivers.parquet"
        return pd.read_parquet(path) if path.is_file() else None

    def joint(self) -> JointForecast:
        """Returns the statistical joint forecast."""
        return JointForecast.load(self.path / "joint")


def frame_of(judged: Judged, history: History) -> pd.DataFrame:
    """Returns what a snapshot keeps of a forecast, one row a node and month."""
    rows = compare(judged.statistical, history, history, adjusted=judged.adjusted, final=judged.final)
    rows = rows.drop(columns=["actual", "round"])
    cells = judged.statistical.cells
    rows = rows.merge(cells[["unique_id", *judged.statistical.keys]], on="unique_id", how="left")
    first = ["unique_id", "level", *judged.statistical.keys, "ds", "lag", "naive", "statistical", "adjusted", "final"]
    return rows[[*first, *[name for name in rows.columns if name not in first]]]


def keep(
    root: str | Path,
    judged: Judged,
    history: History,
    *,
    year: int | None = None,
    inputs: dict[str, str] | None = None,
    seed: int | None = None,
) -> Snapshot:
    """Writes a forecast to `root`/forecasts/<as-of>/ and returns the snapshot; one that is there already is returned.

    root: the workspace. inputs: name → SHA-256 of what it was made from. Raises UsageError where the folder may not
    be written.
    """
    folder = Path(root) / FOLDER
    if history.hindsight:
        raise UsageError(
            f"a forecast as of {as_of_day(history):%Y-%m-%d} was made with later sales at hand and is no snapshot of "
            "that day. Leave as_of out to keep a forecast."
        )
    frame = frame_of(judged, history)
    as_of = as_of_day(history)
    earlier = [one for one in listed(root) if one.as_of == as_of]
    for one in reversed(earlier):
        if same(one.frame(), frame):
            return one
    revision = max((one.revision for one in earlier), default=0) + 1
    temporary = folder / f".{secrets.token_hex(6)}.partial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        manifest = _write(temporary, judged, history, frame, _facts(history, as_of, year, inputs, seed))
        return _place(temporary, folder, as_of, revision, manifest)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{folder}: a snapshot could not be kept ({reason}). Give write permission there.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _place(temporary: Path, folder: Path, as_of: pd.Timestamp, revision: int, manifest: dict) -> Snapshot:
    """Renames to the first free name; two processes that finish at once take two names, none replaces the other."""
    while True:
        name = f"{as_of:%Y-%m-%d}" + (f".{revision}" if revision > 1 else "")
        target = folder / name
        try:
            if not target.exists():
                os.rename(temporary, target)  # refused by the system where a folder with contents has come between
                return Snapshot(target, as_of, revision, manifest)
        except OSError:
            if not target.exists():
                raise
        revision += 1


def _facts(history: History, as_of: pd.Timestamp, year: int | None, inputs: dict | None, seed: int | None) -> dict:
    from planning import __version__

    versions = {"planning": __version__} | {name: importlib.metadata.version(name) for name in _TOOLS}
    return {
        "kind": "snapshot",
        "as_of": f"{as_of:%Y-%m-%d}",
        "made_at": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "year": year,
        "keys": list(history.keys),
        "currency": history.currency,
        "inputs": inputs or {},
        "seed": seed,
        "versions": versions,
    }


def _write(folder: Path, judged: Judged, history: History, frame: pd.DataFrame, facts: dict) -> dict:
    files.write_table(folder / "forecast.parquet", frame)
    files.write_table(folder / "history.parquet", history.whole)
    files.write_table(folder / "adjustments.parquet", judged.listed)
    if len(judged.fixed):
        files.write_table(folder / "locks.parquet", judged.fixed)
    if history.paths is not None and history.drivers:
        files.write_table(folder / "drivers.parquet", _drivers(judged, history))
    judged.statistical.save(folder / "joint")
    hashes = {
        path.relative_to(folder).as_posix(): files.sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    manifest = facts | {"files": hashes}
    files.write_json(folder / "manifest.json", manifest)
    return manifest


def _drivers(judged: Judged, history: History) -> pd.DataFrame:
    """Returns the drivers the forecast used, past months and those ahead, held ones as they were taken to be."""
    paths = history.paths.take(history.drivers)
    past = paths.past(history.last)
    ahead = paths.ahead(history.last, len(judged.statistical.periods), past["unique_id"].unique())
    return pd.concat([past, ahead], ignore_index=True)


def same(old: pd.DataFrame, new: pd.DataFrame) -> bool:
    """Tells whether two forecasts hold the same numbers."""
    if list(old.columns) != list(new.columns) or len(old) != len(new):
        return False
    if not (old["unique_id"].to_numpy() == new["unique_id"].to_numpy()).all():
        return False
    if not (pd.DatetimeIndex(old["ds"]) == pd.DatetimeIndex(new["ds"])).all():
        return False
    columns = new.select_dtypes("number").columns
    a, b = old[columns].to_numpy(float), new[columns].to_numpy(float)
    size = max(float(np.nanmax(np.abs(b), initial=0.0)), 1e-300)
    return bool(np.allclose(a, b, rtol=SAME, atol=SAME * size, equal_nan=True))


def listed(root: str | Path) -> list[Snapshot]:
    """Returns all snapshots of a workspace, oldest first; a folder without a readable manifest is not one."""
    folder = Path(root) / FOLDER
    found = []
    for path in folder.iterdir() if folder.is_dir() else []:
        name = _NAME.match(path.name)
        manifest = _manifest(path) if name else None
        if manifest:
            found.append(Snapshot(path, pd.Timestamp(name[1]), int(name[2] or 1), manifest))
    return sorted(found, key=lambda one: (one.as_of, one.revision))


def _manifest(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads((path / "manifest.json").read_text("utf-8"))
    except (OSError, ValueError):
        return None


def last_other(root: str | Path, judged: Judged, history: History) -> Snapshot | None:
    """Returns the latest snapshot of this day or an earlier one whose numbers are not these; None without one.

    Snapshots by other keys or in another currency cannot be compared and are passed over.
    """
    day, frame = as_of_day(history), None
    for one in reversed(listed(root)):
        alike = tuple(one.manifest["keys"]) == history.keys and one.manifest["currency"] == history.currency
        if one.as_of > day or not alike:
            continue
        if one.as_of < day:
            return one
        frame = frame_of(judged, history) if frame is None else frame
        if not same(one.frame(), frame):
            return one
    return None


def check(snapshot: Snapshot) -> None:
    """Raises DataError where a file of the snapshot is not the one that was written."""
    for name, sha256 in snapshot.manifest.get("files", {}).items():
        path = snapshot.path / name
        if not path.is_file() or files.sha256_file(path) != sha256:
            raise DataError(f"{path}: was changed or removed after the snapshot was made. Restore it from a backup.")


def rounds(root: str | Path, actual: pd.DataFrame, *, first_only: bool = True) -> pd.DataFrame:
    """Returns the kept forecasts beside what happened, in the form `accuracy.measures` takes.

    actual: `unique_id, ds, actual` of the same nodes. first_only: of several snapshots of one day, the first, which
    is what people planned with. Months not over yet are left out.
    """
    parts = []
    for one in listed(root):
        if first_only and one.revision > 1:
            continue
        check(one)
        frame = one.frame().merge(actual, on=["unique_id", "ds"])
        parts.append(frame[frame["actual"].notna()].assign(round=one.as_of))
    parts = [part for part in parts if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
