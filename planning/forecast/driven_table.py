"""`planning forecast --drivers FUTURE`: files in, forecasts with drivers out, their effects beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from planning.files import atomic_path
from planning.forecast.coherent_table import read_table
from planning.forecast.drivers import forecast_with_drivers
from planning.forecast.parts import check_out, counts, write_both
from planning.forecast.table import Forecasts, check_options


def driven_file(
    source: Path,
    future: Path,
    out: Path,
    *,
    horizon: int,
    freq: str,
    levels: Sequence[float] = (80, 95),
    fill: str = "missing",
    clean: bool = True,
    jobs: int | None = None,
) -> dict[str, Any]:
    """Forecasts a file with the drivers' future in another, and writes `out`, its report and `out.effects.csv`.

    Returns counts, whether drivers were used, and by how much they lowered the error of past forecasts.
    """
    from planning.sources import read_frame

    check_options(horizon, levels, fill, clean, jobs)
    check_out(out)
    history, label, rows = read_table(source, ["unique_id"])
    driven = forecast_with_drivers(
        history, read_frame(future, text=["unique_id"]), horizon=horizon, freq=freq, levels=levels, fill=fill,
        clean=clean, jobs=jobs, label=label, rows=rows,
    )  # fmt: skip
    with atomic_path(effects_path(out)) as path:
        driven.effects.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")
        write_both(Forecasts(driven.frame, driven.report), out)
    facts = {"drivers_used": driven.used, "error_saved": driven.gain, "effects": str(effects_path(out))}
    return counts(driven.report, len(driven.frame), out) | facts


def effects_path(out: Path) -> Path:
    """Returns where the drivers' effects lie: out.csv → out.effects.csv."""
    return out.with_name(f"{out.stem}.effects.csv")
