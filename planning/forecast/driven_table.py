"""`planning forecast --drivers FUTURE`: files in, forecasts with drivers out, their effects beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from planning.files import write_table
from planning.forecast.coherent_table import read_table
from planning.forecast.drivers import forecast_with_drivers, what_if
from planning.forecast.parts import check_out, counts, write_both
from planning.forecast.table import Forecasts, check_options


def driven_file(
    source: Path,
    future: Path | None,
    out: Path,
    *,
    horizon: int,
    freq: str,
    levels: Sequence[float] = (80, 95),
    fill: str = "missing",
    clean: bool = True,
    global_model: bool = True,
    jobs: int | None = None,
    holidays: dict[str, str] | None = None,
    other: Path | None = None,
) -> dict[str, Any]:
    """Forecasts a file with the drivers' future in another, and writes `out`, its report and `out.effects.csv`.

    holidays: region → code, working days as a driver (see `calendar_driver`). other: another path of the drivers; what
    it would change goes to out.whatif.csv. Returns counts, the drivers used, and by how much they lowered the error of
    past forecasts.
    """
    from planning.forecast.calendar_driver import known_days
    from planning.sources import read_frame

    check_options(horizon, levels, fill, clean, jobs)
    check_out(out)
    history, label, rows = read_table(source, ["unique_id"])
    ahead, changed = (None if path is None else read_frame(path, text=["unique_id"]) for path in (future, other))
    if holidays:
        options = {"keys": ["unique_id"], "freq": freq, "horizon": horizon}
        history, ahead, changed = known_days(history, ahead, changed, holidays, **options)
    driven = forecast_with_drivers(
        history, ahead, horizon=horizon, freq=freq, levels=levels, fill=fill,
        clean=clean, global_model=global_model, jobs=jobs, label=label, rows=rows,
    )  # fmt: skip
    beside = {out.with_name(f"{out.stem}.effects.csv"): driven.effects}
    if changed is not None:
        beside[out.with_name(f"{out.stem}.whatif.csv")] = what_if(driven, changed)
    write_both(Forecasts(driven.frame, driven.report), out)
    for path, frame in beside.items():
        write_table(path, frame)
    used = driven.effects.loc[driven.effects["used"], "driver"]
    facts = {"drivers_used": ", ".join(used), "error_saved": driven.gain, "beside": ", ".join(map(str, beside))}
    return counts(driven.report, len(driven.frame), out) | facts
