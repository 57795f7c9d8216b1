"""Writes the sample company into a folder: whole or not at all, and never over a user's own files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from planning.errors import UsageError
from planning.files import atomic_folder, sha256_file, write_json, write_table, write_text
from planning.sample.assemble import generate

TABLES = (
    "sales", "history", "deals", "stage_history", "accounts", "products", "people", "assignments", "spend", "outcome",
    "spend_lines", "pilots", "judged_response", "market", "capacity", "adjustments", "locks", "driver_plan",
    "confirmations", "priorities", "targets",
)  # fmt: skip
MARKER = "truth/sample.json"  # says that the folder was written here and may be written again
KEPT = (".gitkeep", ".gitignore")


def write(folder: str | Path, seed: int = 0, scale: float = 1.0) -> pd.DataFrame:
    """Write the sample company's tables as CSV into `folder` and its truth into `folder/truth`.

    Returns one row a table: `table, rows, sha256`. A folder that this function wrote before is replaced whole; any
    other folder must be empty. Raises UsageError when the folder holds files that are not the sample's.
    """
    folder = Path(folder)
    kept = _kept_files(folder)
    company = generate(seed, scale)
    with atomic_folder(folder) as temporary:
        rows = []
        for name in TABLES:
            path = temporary / f"{name}.csv"
            write_table(path, company[name], date_format="%Y-%m-%d")
            rows.append((name, len(company[name]), sha256_file(path)))
        _write_truth(temporary / "truth", company.truth)
        for name, content in kept.items():
            (temporary / name).write_bytes(content)
        tables = {name: {"rows": count, "sha256": digest} for name, count, digest in rows}
        facts = {"sample": "industrial supplier", "seed": seed, "scale": scale, "tables": tables}
        write_json(temporary / MARKER, facts)
    return pd.DataFrame(rows, columns=["table", "rows", "sha256"])


def _kept_files(folder: Path) -> dict[str, bytes]:
    """Return the repository's place holders to carry over; refuse a folder with anything that is not the sample's."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file, a folder is meant. Name another place.")
    if not folder.parent.is_dir():
        raise UsageError(f"{folder.parent}: there is no such folder. Create it, or name another place.")
    if not folder.is_dir():
        return {}
    own = {f"{name}.csv" for name in TABLES} | {"truth"} if (folder / MARKER).is_file() else set()
    foreign = sorted(path.name for path in folder.iterdir() if path.name not in own and path.name not in KEPT)
    if foreign:
        named = ", ".join(foreign[:3]) + (f" and {len(foreign) - 3} more" if len(foreign) > 3 else "")
        raise UsageError(f"{folder}: holds files that are not the sample's ({named}). Name an empty or a new folder.")
    return {name: (folder / name).read_bytes() for name in KEPT if (folder / name).is_file()}


def _write_truth(folder: Path, truth: dict) -> None:
    """Write frames as CSV, plain values as JSON, and the families as the TOML that `planning attribute` reads."""
    folder.mkdir()
    for name, value in truth.items():
        if isinstance(value, pd.DataFrame):
            write_table(folder / f"{name}.csv", value, date_format="%Y-%m-%d")
        elif name == "families":
            write_text(folder / "families.toml", families_toml(value["fields"], value["known_at"]))
        else:
            write_json(folder / f"{name}.json", value)


def families_toml(fields: dict[str, list[str]], known_at: dict[str, str]) -> str:
    """Return the families file: one table a family, then when each field is known."""
    lines = []
    for family, names in fields.items():
        lines += [f"[{family}]", f"fields = {json.dumps(names)}", ""]
    lines += ["[known_at]", *(f"{name} = {json.dumps(when)}" for name, when in known_at.items()), ""]
    return "\n".join(lines)
