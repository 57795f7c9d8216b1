"""Writes the answer of `planning attribute` into a folder: weights, contributions, findings, summary."""

from __future__ import annotations

from pathlib import Path

from planning.deals.attribution import FamilyWeights, deal_contributions
from planning.errors import UsageError
from planning.files import write_json, write_table


def write_results(result: FamilyWeights, folder: str | Path) -> None:
    """Writes findings.csv and summary.json, and weights.csv and contributions.parquet unless the answer is a refusal.

    What an earlier answer left in the folder and this one does not have is removed.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file, a folder is meant. Name another place for the results.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("weights.csv", "contributions.parquet"):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: may not be written ({error.strerror}). Name another place.") from error
    write_table(folder / "findings.csv", result.findings)
    if not result.refused:
        write_table(folder / "contributions.parquet", deal_contributions(result))
        write_table(folder / "weights.csv", result.weights)
    write_json(folder / "summary.json", result.summary)
