"""Files that are either the old ones or the whole new ones: written to a temporary name, then renamed."""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from planning.errors import DataError, UsageError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

VERSION_ID = 12


def _temporary(path: Path) -> Path:
    parent = path.parent
    if not parent.is_dir():
        raise UsageError(f"{parent}: there is no such folder. Create it, or name another place for {path.name}.")
    return parent / f".{path.name}.{os.getpid()}-{secrets.token_hex(3)}.partial{path.suffix}"


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turns the system's refusals (full disk, no permission) into one line with the way out."""
    try:
        yield
    except PermissionError as error:
        raise UsageError(f"{path}: may not be written. Give write permission, or name another place.") from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"{path}: could not be written ({reason}). Nothing was changed; check the disk.") from error


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; renames it on success, removes it on any error.

    Raises UsageError when the parent folder is missing, `path` is a folder, or the disk refuses.
    """
    path = Path(path)
    if path.is_dir():
        raise UsageError(f"{path}: is a folder, a file is meant. Name a file in it.")
    temporary = _temporary(path)
    try:
        with _explained(path):
            yield temporary
            os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yields a temporary folder beside `path` that takes its place on success; an older one is replaced whole."""
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise UsageError(f"{path}: is a file, a folder is meant. Name another place.")
    temporary = _temporary(path)
    try:
        with _explained(path):
            temporary.mkdir()
            yield temporary
            _swap(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(new: Path, path: Path) -> None:
    if not path.exists():
        os.replace(new, path)
        return
    old = new.with_name(new.name + "-old")
    os.replace(path, old)
    os.replace(new, path)
    shutil.rmtree(old, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Writes `text` as UTF-8 with `\\n` ends, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    """Writes `value` as indented JSON, keys in their order, text unescaped; NaN is an error, never written."""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False, default=str) + "\n")


def write_table(path: str | Path, frame: pd.DataFrame, **options: Any) -> None:
    """Writes `frame` without its index, as CSV or Parquet by the path's suffix, whole or not at all.

    `options` go to pandas' writer. Raises UsageError for another suffix or a missing folder.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in {".csv", ".parquet"}:
        raise UsageError(f"{path}: cannot write '{suffix}'. Name a .csv or .parquet file.")
    with atomic_path(path) as temporary:
        if suffix == ".csv":
            frame.to_csv(temporary, index=False, encoding="utf-8", lineterminator="\n", **options)
        else:
            frame.to_parquet(temporary, index=False, **options)


def sha256_file(path: str | Path) -> str:
    """Returns the hex SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_frame(frame: pd.DataFrame) -> str:
    """Returns a hex SHA-256 of a frame's columns, dtypes and values, in their order, whatever its index."""
    import pandas as pd

    digest = hashlib.sha256()
    for name in frame.columns:
        column = frame[name]
        digest.update(f"{name}\0{column.dtype}\0".encode())
        digest.update(pd.util.hash_pandas_object(column, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def content_id(content: Any) -> str:
    """Returns the name that a version's content gives it: the same content, the same name."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:VERSION_ID]


def keep_version(folder: str | Path, content: Any, *, current: bool = True) -> Path:
    """Writes content as `folder/versions/<id>.json`; an equal version is never written twice.

    current: make it the one that counts; a what-if is kept beside it.
    """
    store = Path(folder) / "versions"
    store.mkdir(exist_ok=True)
    path = store / f"{content_id(content)}.json"
    if not path.exists():
        write_json(path, content)
    if current:
        write_text(store / "current", path.stem + "\n")
    return path


def current_version(folder: str | Path) -> str:
    """Returns the id of the version that counts; empty where none does."""
    path = Path(folder) / "versions" / "current"
    return path.read_text("utf-8").strip() if path.is_file() else ""


def has_versions(folder: str | Path, *ids: str) -> bool:
    """Tells whether a folder holds versions, and all those whose ids start as named."""
    store = Path(folder) / "versions"
    return all(any(store.glob(f"{one}*.json")) for one in ids or ("",))


def version_paths(folder: str | Path) -> list[Path]:
    """Returns the files of a folder's versions, oldest first."""
    return sorted((Path(folder) / "versions").glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))


def made_at(path: Path) -> str:
    """Returns when a file was written, UTC: `2027-01-08T09:30:00Z`."""
    return dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def read_version(folder: str | Path, wanted: str | None = None) -> tuple[str, dict[str, Any]]:
    """Reads (id, content) of the current version of a folder, or of the one whose id starts with `wanted`.

    UsageError where there is no such version or several; DataError where the file was changed by hand.
    """
    store = Path(folder) / "versions"
    wanted = wanted or current_version(folder)
    if not wanted:
        raise UsageError(
            f"{folder}: has versions, but none that counts. See 'planning plans', then 'planning plans --adopt ID'."
        )
    found = sorted(store.glob(f"{wanted}*.json"))
    if len(found) != 1:
        known = [path.stem for path in store.glob("*.json")]
        raise UsageError(
            f"{folder}: has {'no' if not found else 'several'} version '{wanted}'.{did_you_mean(wanted, known)}"
        )
    content = json.loads(found[0].read_text("utf-8"))
    if content_id(content) != found[0].stem:
        raise DataError(f"{found[0]}: was changed after it was written; versions are immutable. Restore the file.")
    return found[0].stem, content
