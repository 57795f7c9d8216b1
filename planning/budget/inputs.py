"""Checks of the tables a budget is made from: all faults are collected with file, row and column before anyone speaks.

spend     period, region, line, amount [, currency]      one row a period, region and line
outcome   period, region, outcome [, controls ...]       one row a period and region
bounds    region, line, min, max                         empty region or line: the sum over all; empty min or max: no
limit pilots    line, region, x0, x1, delta, se                measured change of the outcome a period, at steady spend
judged    line, region, at_zero ... at_saturation        judged outcome at other spend, region may be empty

Rows are counted as a person sees them: the header is row 1.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from planning.errors import DataError, Fault, did_you_mean, nearest

STEP_DAYS = {"D": 1, "W": 7, "MS": 30.4375, "QS": 91.3125, "YS": 365.25}
SAID = {"D": "daily", "W": "weekly", "MS": "monthly", "QS": "quarterly", "YS": "yearly"}


def _columns(frame: pd.DataFrame, needed: Iterable[str], file: str) -> list[Fault]:
    has = [str(c) for c in frame.columns]
    return [
        Fault(
            file,
            1,
            name,
            "the column is missing",
            f"Add it, or rename one of: {', '.join(has)}.{did_you_mean(name, has)}",
        )
        for name in needed
        if name not in has
    ]


def _numbers(frame, column: str, file: str, faults: list[Fault], *, empty: bool = False) -> pd.Series:
    """Return a column as floats; text, infinities and (unless allowed) empty cells become faults."""
    raw = frame[column]
    blank = raw.isna()
    if not pd.api.types.is_numeric_dtype(raw):
        blank |= raw.astype(str).str.strip().eq("")
    values = pd.to_numeric(raw.where(~blank), errors="coerce").astype(float)
    for at in np.flatnonzero((values.isna() & ~blank).to_numpy())[:5]:
        faults.append(
            Fault(file, int(at) + 2, column, f"found '{raw.iloc[at]}'", "Write a plain number such as 1234.56.")
        )
    for at in np.flatnonzero((~np.isfinite(values.to_numpy()) & ~values.isna().to_numpy()) | (values.abs() > 1e15))[:5]:
        faults.append(
            Fault(file, int(at) + 2, column, f"found {raw.iloc[at]}, which is no amount", "Correct the value.")
        )
    if not empty:
        for at in np.flatnonzero(blank.to_numpy())[:5]:
            faults.append(
                Fault(file, int(at) + 2, column, "the cell is empty", "Write the number; 0 where nothing was spent.")
            )
    return values


def _dates(frame, file: str, faults: list[Fault]) -> pd.Series:
    raw = frame["period"]
    if pd.api.types.is_datetime64_any_dtype(raw):
        return raw.dt.tz_localize(None).dt.normalize() if raw.dt.tz is not None else raw.dt.normalize()
    text = raw.astype(str).str.strip()
    iso = text.str.fullmatch(r"\d{4}-\d{2}(-\d{2}([ T]00:00(:00(\.0+)?)?)?)?")
    for at in np.flatnonzero(~iso.to_numpy())[:5]:
        faults.append(Fault(file, int(at) + 2, "period", f"found '{raw.iloc[at]}'", "Write dates as 2026-01-31."))
    return pd.to_datetime(text.where(iso).str[:10], errors="coerce", format="ISO8601")


def _names(frame, column: str, file: str, faults: list[Fault]) -> pd.Series:
    codes, known = pd.factorize(frame[column])
    # Each name is cleaned once, however many rows it has.
    text = pd.Series(np.append(pd.Series(known).astype(str).str.strip().to_numpy(object), ""), dtype=object)
    text = text.iloc[codes].set_axis(frame.index)
    for at in np.flatnonzero(text.eq("").to_numpy())[:5]:
        faults.append(Fault(file, int(at) + 2, column, "the cell is empty", "Write the name."))
    return text


def _duplicates(frame: pd.DataFrame, keys: list[str], file: str) -> list[Fault]:
    # Dates that cannot be read, which have a fault of their own, would all look alike.
    twice = (frame.duplicated(keys, keep="first") & frame["period"].notna()).to_numpy()
    if not twice.any():
        return []
    at = int(np.flatnonzero(twice)[0])
    key = ", ".join(str(v.date()) if isinstance(v, pd.Timestamp) else str(v) for v in frame[keys].iloc[at])
    found = f"{int(twice.sum())} repeated row(s), the first is {key}"
    return [Fault(file, at + 2, "+".join(keys), found, "Keep one row a key; add up amounts that belong together.")]


def step_of(periods: pd.Series, file: str) -> str:
    """Return the frequency (D, W, MS, QS or YS) that the periods of a table lie on; DataError when they fit none."""
    days = np.sort(periods.dropna().unique())
    if len(days) < 2:
        raise DataError(faults=[Fault(file, None, "period", f"{len(days)} period", "At least two years are wanted.")])
    gap = float(np.median(np.diff(days) / np.timedelta64(1, "D")))
    for step, length in STEP_DAYS.items():
        if 0.85 * length <= gap <= 1.15 * length:
            return step
    fix = "Use one row a day, week, month, quarter or year."
    raise DataError(faults=[Fault(file, None, "period", f"periods lie {gap:g} days apart", fix)])


def check_spend(frame: pd.DataFrame, file: str = "spend") -> tuple[pd.DataFrame, list[Fault]]:
    """Return the spend as period, region, line, amount, and the warnings; DataError lists every fault.

    A negative amount is a refund: it is taken off the spend of that cell before it (stated as a warning).
    """
    faults = _columns(frame, ["period", "region", "line", "amount"], file)
    if not len(frame):
        faults.append(Fault(file, None, None, "there are no rows", "Export the spend of at least a year."))
    if faults:
        raise DataError(faults=faults)
    clean = pd.DataFrame({"period": _dates(frame, file, faults), "region": _names(frame, "region", file, faults)})
    clean["line"] = _names(frame, "line", file, faults)
    clean["amount"] = _numbers(frame, "amount", file, faults)
    faults += _duplicates(clean, ["period", "region", "line"], file)
    if "currency" in frame.columns:
        known = frame["currency"].dropna().astype(str).str.strip()
        kinds = sorted(set(known[known != ""]))
        if len(kinds) > 1:
            at = int(np.flatnonzero((frame["currency"].astype(str).str.strip() != kinds[0]).to_numpy())[0])
            found = f"{len(kinds)} currencies: {', '.join(kinds)}"
            faults.append(Fault(file, at + 2, "currency", found, "Convert all amounts to one currency first."))
    if not faults and not clean["amount"].abs().sum() > 0:
        faults.append(Fault(file, None, "amount", "every amount is 0", "A split of nothing cannot be learned from."))
    if faults:
        raise DataError(faults=faults)
    return _refunds(clean, file)


def _refunds(clean: pd.DataFrame, file: str) -> tuple[pd.DataFrame, list[Fault]]:
    negative = clean["amount"] < 0
    if not negative.any():
        return clean, []
    clean = clean.sort_values(["region", "line", "period"], kind="stable")
    faults, parts = [], []
    for (region, line), cell in clean.groupby(["region", "line"], sort=False):
        amounts, owed = cell["amount"].to_numpy(copy=True), 0.0
        for i in range(len(amounts) - 1, -1, -1):
            owed += max(-amounts[i], 0.0)
            used = min(max(amounts[i], 0.0), owed)
            amounts[i], owed = max(amounts[i], 0.0) - used, owed - used
        if owed > 0.005:
            at = int(cell.index[cell["amount"] < 0][0])
            found = f"{region}, {line}: refunds exceed all earlier spend by {owed:,.2f}"
            faults.append(Fault(file, at + 2, "amount", found, "Book the refund with the spend it belongs to."))
        parts.append(pd.Series(amounts, index=cell.index))
    if faults:
        raise DataError(faults=faults)
    at = int(np.flatnonzero(negative.to_numpy())[0])
    found = f"{int(negative.sum())} negative amount(s), {-clean.loc[clean.amount < 0, 'amount'].sum():,.2f} in all"
    note = Fault(file, at + 2, "amount", found, "Taken as refunds off that cell's latest earlier spend.", "warning")
    clean["amount"] = pd.concat(parts)
    return clean.sort_index(), [note]


def check_outcome(frame: pd.DataFrame, file: str = "outcome") -> tuple[pd.DataFrame, list[Fault]]:
    """Return the outcome as period, region, outcome and numeric controls, and the warnings; DataError lists every
    fault."""
    faults = _columns(frame, ["period", "region", "outcome"], file)
    if not len(frame):
        faults.append(Fault(file, None, None, "there are no rows", "Export the outcome of the same time as the spend."))
    if faults:
        raise DataError(faults=faults)
    warnings: list[Fault] = []
    clean = pd.DataFrame({"period": _dates(frame, file, faults), "region": _names(frame, "region", file, faults)})
    clean["outcome"] = _numbers(frame, "outcome", file, faults, empty=True)
    for name in frame.columns:
        if name in ("period", "region", "outcome", "currency") or str(name).startswith("Unnamed"):
            continue
        own: list[Fault] = []
        values = _numbers(frame, name, file, own, empty=True)
        if own and not values.notna().any():
            fix = "Left out as a control; give a number to use it."
            warnings.append(Fault(file, None, str(name), "the control is not numeric", fix, "warning"))
            continue
        faults += own
        clean[str(name)] = values
    faults += _duplicates(clean, ["period", "region"], file)
    if not faults and not clean["outcome"].abs().sum() > 0:
        faults.append(Fault(file, None, "outcome", "every value is 0 or empty", "Check the export."))
    if faults:
        raise DataError(faults=faults)
    empty = int(clean["outcome"].isna().sum())
    if empty:
        warnings.append(
            Fault(file, None, "outcome", f"{empty} empty cell(s)", "Those periods are left out.", "warning")
        )
    return clean, warnings


def _some(names: set[str], most: int = 4) -> str:
    listed = sorted(names)
    return ", ".join(listed[:most]) + (", ..." if len(listed) > most else "")


def check_regions(
    spend: pd.DataFrame, outcome: pd.DataFrame, file: str = "spend", other: str = "outcome"
) -> list[Fault]:
    """Compare the regions of both tables: spend without outcome is a fault, outcome without spend a warning."""
    paid, sold = set(spend["region"]), set(outcome["region"])
    faults, warnings = [], []
    if not paid & sold and not any(nearest(name, sold) for name in sorted(paid)[:20]):
        found = f"none of its {len(paid)} region(s) ({_some(paid)}) is in {other}, which has {_some(sold)}"
        raise DataError(faults=[Fault(file, None, "region", found, "Give both tables by the same regions.")])
    for name in sorted(paid - sold):
        at = int(np.flatnonzero((spend["region"] == name).to_numpy())[0])
        guess = nearest(name, sorted(sold))
        fix = (
            f"Did you mean '{guess}'?"
            if guess
            else f"{other} has: {', '.join(sorted(sold)[:8])}. Use the same names in both."
        )
        faults.append(Fault(file, at + 2, "region", f"'{name}' has spend and no outcome", fix))
    if faults:
        raise DataError(faults=faults)
    for name in sorted(sold - paid):
        at = int(np.flatnonzero((outcome["region"] == name).to_numpy())[0])
        found = f"'{name}' has an outcome and no spend"
        warnings.append(Fault(other, at + 2, "region", found, "It takes no part in the split.", "warning"))
    return warnings


def check_cells(
    frame: pd.DataFrame, cells: pd.DataFrame, file: str, numbers: dict[str, bool], *, blank: bool
) -> pd.DataFrame:
    """Return a table keyed by region and line with its numbers; unknown names are faults with the nearest one.

    numbers : column -> may be empty; ``blank`` allows an empty region or line ("" in the result, meaning all).
    """
    faults = _columns(frame, ["region", "line", *numbers], file)
    if faults:
        raise DataError(faults=faults)
    clean = pd.DataFrame(index=range(len(frame)))
    for key in ("region", "line"):
        clean[key] = frame[key].astype("string").str.strip().fillna("").astype(object).to_numpy()
        known = set(cells[key])
        for at, name in enumerate(clean[key]):
            if name in known or (name == "" and blank):
                continue
            found = f"'{name}' is not in the spend" if name else "the cell is empty"
            hint = did_you_mean(name, known) or f" The spend has: {', '.join(sorted(known)[:8])}."
            faults.append(Fault(file, at + 2, key, found, hint.strip()))
    pairs = set(zip(cells["region"], cells["line"], strict=True))
    for at, pair in enumerate(zip(clean["region"], clean["line"], strict=True)):
        if all(pair) and pair not in pairs and pair[0] in set(cells["region"]) and pair[1] in set(cells["line"]):
            faults.append(Fault(file, at + 2, "region+line", f"{pair[0]} has no spend on {pair[1]}", "Remove the row."))
    for name, empty in numbers.items():
        clean[name] = _numbers(frame, name, file, faults, empty=empty).to_numpy()
    if faults:
        raise DataError(faults=faults)
    return clean
