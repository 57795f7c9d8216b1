"""Versions of a plan: immutable, named by their content, each with the version it came from.

```
DIR/versions/<plan_id>.json   one version: rules, cells, months in minor units, parent, cause
DIR/versions/current          the plan_id that counts now
DIR/outlook/                  the joint forecast the chances of that version are computed from
DIR/outlooks/<plan_id>/       that of a version kept beside it, where it is another one
```
A record carries no time stamp: the same inputs give the same bytes. When it was made is the file's own time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planning import files
from planning.errors import DataError, UsageError
from planning.forecast.joint_forecast import JointForecast
from planning.targets.capacity import Cap, caps_of
from planning.targets.goal import Target, set_target
from planning.targets.plan import Plan, decompose, with_months
from planning.targets.policy import Policy, make_policy


@dataclasses.dataclass(frozen=True)
class Version:
    """One version of a plan. months: cells x 12 minor units; cells: unique_id, <keys>, last_year, locked, ..."""

    plan_id: str
    parent: str | None
    cause: str
    author: str
    year: int
    currency: str
    digits: int
    by: tuple[str, ...]
    policy: dict[str, Any]
    summary: dict[str, Any]
    cells: pd.DataFrame
    months: np.ndarray
    periods: tuple[str, ...]
    reasons: dict[str, str]
    caps: list[dict[str, Any]]

    @property
    def minor(self) -> np.ndarray:
        """Each cell's year in minor units."""
        return self.months.sum(axis=1)


def content_of(policy: Policy) -> dict[str, Any]:
    """Returns a policy as the content of a P.toml, so that a version can be made again."""
    unit = 10**policy.digits
    target: dict[str, Any] = {name: getattr(policy, name) for name in ("commit", "target", "stretch")}
    if policy.amount is not None:
        target["amount"] = policy.amount / unit
    if policy.accept_improbable:
        target["accept_improbable"] = True
    content: dict[str, Any] = {
        "currency": policy.currency,
        "by": list(policy.by),
        "target": target,
        "split": {"method": policy.method},
        "fiscal_year_start": policy.fiscal_year_start,
    }
    if policy.rates:
        content["rates"] = dict(policy.rates)
    for rule in policy.rules:
        values = {name: value / unit if name == "amount" else value for name, value in rule.values}
        content.setdefault(rule.kind, []).append(dict(rule.keys) | values)
    return content


def record(
    plan: Plan,
    *,
    parent: str | None = None,
    cause: str = "planned",
    author: str = "",
    reasons: dict[str, str] | None = None,
) -> Version:
    """Returns the version that a plan is."""
    goal = plan.target
    columns = ["unique_id", *goal.law.keys, "expected", "attainment_probability", "growth", "locked", "last_year"]
    caps = [
        {
            "keys": dict(cap.keys),
            "amount": cap.amount,
            "kind": cap.kind,
            "owner": cap.owner,
            "months": None if cap.months is None else [bool(m) for m in cap.months],
        }
        for cap in goal.attainable.caps
    ]
    version = Version(
        plan_id="",
        parent=parent,
        cause=cause,
        author=author,
        year=goal.year,
        currency=goal.policy.currency,
        digits=goal.policy.digits,
        by=goal.law.keys,
        policy=content_of(goal.policy),
        summary=plan.summary(),
        cells=plan.cells[columns].reset_index(drop=True),
        months=plan.months["minor"].to_numpy(np.int64).reshape(len(plan.cells), -1),
        periods=tuple(f"{p:%Y-%m-%d}" for p in goal.law.periods),
        reasons=dict(reasons or {}),
        caps=caps,
    )
    return dataclasses.replace(version, plan_id=identity_of(version))


def _content(version: Version) -> dict[str, Any]:
    cells = version.cells.copy()
    cells = cells.round(
        {"attainment_probability": 9, "growth": 9, "expected": version.digits, "last_year": version.digits}
    )
    rows = json.loads(cells.to_json(orient="records", double_precision=12))
    return {
        "parent": version.parent,
        "cause": version.cause,
        "author": version.author,
        "year": version.year,
        "currency": version.currency,
        "digits": version.digits,
        "by": list(version.by),
        "policy": version.policy,
        "summary": version.summary,
        "periods": list(version.periods),
        "reasons": dict(sorted(version.reasons.items())),
        "caps": version.caps,
        "cells": rows,
        "months": version.months.tolist(),
    }


def identity_of(version: Version) -> str:
    """Returns the id that a version's content gives it."""
    return files.content_id(_content(version))


def save(
    folder: str | Path, version: Version, joint: JointForecast | None = None, *, current: bool = True
) -> Path:  # fmt: skip
    """Writes a version into a plan folder and makes it the current one; an equal version is never written twice.

    current: False keeps a what-if beside the version that counts, which keeps its own joint forecast.
    """
    path = files.keep_version(folder, _content(version), current=current)
    if joint is not None and (current or files.current_version(folder) != version.plan_id):
        _save_outlook(Path(folder), version.plan_id, joint, current=current)
    return path


def _save_outlook(folder: Path, plan_id: str, joint: JointForecast, *, current: bool) -> None:
    if current:
        joint.save(folder / "outlook")
        return
    own = folder / "outlooks" / plan_id
    own.parent.mkdir(exist_ok=True)
    joint.save(own)
    if _same_files(own, folder / "outlook"):
        shutil.rmtree(own)
        with contextlib.suppress(OSError):  # others lie there
            own.parent.rmdir()


def _same_files(one: Path, other: Path) -> bool:
    names = sorted(path.name for path in one.iterdir())
    return other.is_dir() and names == sorted(path.name for path in other.iterdir()) and all(
        (one / name).read_bytes() == (other / name).read_bytes() for name in names
    )  # fmt: skip


def outlook(folder: str | Path, version: Version) -> JointForecast:
    """Returns the joint forecast that a version of a plan folder rests on."""
    own = Path(folder) / "outlooks" / version.plan_id
    return JointForecast.load(own if own.is_dir() else Path(folder) / "outlook")


def adopt(folder: str | Path, plan_id: str) -> Version:
    """Makes a kept version the one that counts, with the joint forecast it rests on, and returns it.

    Raises UsageError where there is no such version, or its joint forecast is no longer kept.
    """
    version = load(folder, plan_id)
    expected = plan_of(folder, version).cells["expected"].to_numpy()
    if not np.allclose(expected, version.cells["expected"].to_numpy(), rtol=1e-6, atol=10.0**-version.digits):
        raise UsageError(
            f"version {version.plan_id} was made on a forecast that {folder} no longer keeps. "
            "Run it again with the same values."
        )
    outlook(folder, version).save(Path(folder) / "outlook")
    files.keep_version(folder, _content(version))
    return version


def load(folder: str | Path, plan_id: str | None = None) -> Version:
    """Reads a version of a plan folder: the current one, or the one whose id starts with `plan_id`.

    UsageError where the folder holds no plan or no such version; DataError where the file was changed by hand.
    """
    if not files.has_versions(folder):
        raise UsageError(f"{folder}: holds no plan. Make one by 'planning targets HISTORY --out {folder}'.")
    found, content = files.read_version(folder, plan_id)
    cells = pd.DataFrame(content.pop("cells")).astype(dict.fromkeys(content["by"], str))
    months = np.array(content.pop("months"), dtype=np.int64).reshape(len(cells), -1)
    content["by"], content["periods"] = tuple(content["by"]), tuple(content["periods"])
    return Version(plan_id=found, cells=cells, months=months, **content)


def versions(folder: str | Path) -> pd.DataFrame:
    """Returns one row a version: `plan_id, parent, current, made_at, year, target, cause, author`, oldest first."""
    now = files.current_version(folder)
    rows = []
    for path in files.version_paths(folder):
        version = load(folder, path.stem)
        made = files.made_at(path)
        rows.append(
            [
                version.plan_id,
                version.parent or "",
                version.plan_id == now,
                made,
                version.year,
                version.currency,
                version.summary["total"],
                version.summary["attainment_probability"],
                version.cause,
                version.author,
            ]
        )
    return pd.DataFrame(
        rows,
        columns=[
            "plan_id",
            "parent",
            "current",
            "made_at",
            "year",
            "currency",
            "target",
            "attainment_probability",
            "cause",
            "author",
        ],
    )


def diff(old: Version, new: Version) -> pd.DataFrame:
    """Returns what changed between two versions, the largest first: one row a cell, sums by key and the total.

    Columns `level` (cell, a key, total), `where`, `before`, `after`, `change`, `reason`. Raises DataError where the two
    are of other keys or another currency.
    """
    if old.by != new.by or old.currency != new.currency:
        raise DataError(
            f"plans {old.plan_id} and {new.plan_id} are over other keys or currencies and cannot be compared."
        )
    left = old.cells[["unique_id", *old.by]].assign(before=old.minor)
    right = new.cells[["unique_id", *new.by]].assign(after=new.minor)
    both = left.merge(right, on=["unique_id", *old.by], how="outer").fillna({"before": 0, "after": 0})
    unit = 10**new.digits
    parts = [both.assign(level="cell", where=both["unique_id"])]
    parts[0]["reason"] = [new.reasons.get(name, "") for name in both["unique_id"]]
    for key in old.by if len(old.by) > 1 else ():
        part = both.groupby(key, as_index=False)[["before", "after"]].sum()
        parts.append(part.assign(level=key, where=part[key], reason=""))
    parts.append(
        pd.DataFrame(
            [
                {
                    "level": "total",
                    "where": "total",
                    "before": both["before"].sum(),
                    "after": both["after"].sum(),
                    "reason": new.cause,
                }
            ]
        )
    )
    out = pd.concat(parts, ignore_index=True)
    out["change"] = (out["after"] - out["before"]) / unit
    out["before"], out["after"] = out["before"] / unit, out["after"] / unit
    out = out[(out["change"] != 0) | (out["level"] == "total")]
    rank = out["level"].map({"total": 0, "cell": 2}).fillna(1)
    order = np.lexsort((out["where"].to_numpy(str), -out["change"].abs(), rank))
    return out.iloc[order][["level", "where", "before", "after", "change", "reason"]].reset_index(drop=True)


def caps_of_version(version: Version) -> list[Cap]:
    """Returns the capacities a version was made under."""
    return [
        Cap(
            tuple(cap["keys"].items()),
            cap["amount"],
            cap["kind"],
            cap["owner"],
            None if cap["months"] is None else np.array(cap["months"], dtype=bool),
        )
        for cap in version.caps
    ]


def target_of(folder: str | Path, version: Version, content: dict[str, Any], path: str) -> Target:
    """Returns the target that another policy `content` sets on the forecast of a version: same draws, same seed."""
    joint = outlook(folder, version)
    last = pd.Series(version.cells["last_year"].to_numpy(float), index=version.cells["unique_id"])
    policy = make_policy(content, path)
    content_caps = {(cap.keys, cap.kind) for cap in caps_of(policy.of("capacity"), policy.digits)}
    return set_target(
        joint,
        policy,
        year=version.year,
        last_year=last,
        last_year_start=pd.Timestamp(version.summary["last_year_start"]),
        seed=version.summary["seed"],
        caps=[cap for cap in caps_of_version(version) if (cap.keys, cap.kind) not in content_caps],
    )


def plan_of(folder: str | Path, version: Version, months: np.ndarray | None = None) -> Plan:
    """Returns the plan a version holds (or one with other `months`), its chances on the forecast it was made on."""
    months = version.months if months is None else months
    content = {key: value for key, value in version.policy.items() if key not in ("lock", "bounds")}
    content["target"] = {key: value for key, value in version.policy["target"].items() if key != "amount"}
    content["target"] |= {"amount": int(months.sum()) / 10**version.digits, "accept_improbable": True}
    target = target_of(folder, version, content, f"plan {version.plan_id}")
    return with_months(target, months, version.cells["locked"].to_numpy(bool))


def scenario(folder: str | Path, patches: list[dict[str, Any]], *, cause: str, author: str = "") -> Version:
    """Returns the version a list of patches makes of the current one: the same forecast and seed, another policy.

    A patch is `{"set": "target.target", "value": 0.6}` or `{"add": "lock", "value": {...}}` (a rule of the policy).
    """
    base = load(folder)
    content = json.loads(json.dumps(base.policy))
    for patch in patches:
        _apply(content, patch)
    target = target_of(folder, base, content, "scenario")
    return record(decompose(target), parent=base.plan_id, cause=cause, author=author)


def _apply(content: dict[str, Any], patch: dict[str, Any]) -> None:
    unknown = set(patch) - {"set", "add", "value"}
    if unknown or "value" not in patch or ("set" in patch) == ("add" in patch):
        raise UsageError(
            f"patch {patch}: write {{'set': 'target.target', 'value': 0.6}} or {{'add': 'lock', 'value': {{...}}}}."
        )
    if "add" in patch:
        content.setdefault(patch["add"], []).append(patch["value"])
        return
    *path, last = patch["set"].split(".")
    for word in path:
        content = content.setdefault(word, {})
    content[last] = patch["value"]
