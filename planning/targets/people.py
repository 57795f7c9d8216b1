"""Quotas of teams and people: the plan's cells given to those who work them, each as hard as the others.

    expected_p = sum over cells of (share_p * capacity_p / sum of the same over all people of the cell) * expected cell
    capacity   = part-time * share of the year present * ramp of newcomers
    quota_p    = expected_p + z * spread_p      one z a team, so that every chance is the same and the sum is exact

A person's spread is that of the cells (jointly, from the plan's law) and of how well one person's part of a territory
is known. Quotas of a team add up to its target times (1 + over-assignment), to the cent; locked ones keep.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import special

from planning.errors import DataError, Fault
from planning.targets import units
from planning.targets.plan import Plan
from planning.targets.rounding import round_row
from planning.targets.split import split

OWN_ERROR = 0.20  # how far one person's part of a territory lies from its expected part, where no history says so
ESTIMATE_ERROR = {"potential": 0.15, "history": 0.12}
NEW_MONTHS = 12


@dataclass(frozen=True)
class PeoplePlan:
    """Quotas of people and teams.

    quotas: person_id, name, team, expected, quota, minor, chance, capacity, months, new, tenure, locked,
    quota_last_year, territory_growth. teams: team, target, quotas, over_assignment, chance_target, chance_quotas,
    people. unassigned: cells nobody works. loads: K x people, the joint law (a column a person, in order of `quotas`).
    """

    quotas: pd.DataFrame
    teams: pd.DataFrame
    unassigned: pd.DataFrame
    loads: np.ndarray
    df: float
    currency: str
    part: np.ndarray  # people x cells: share of each cell


def blend(estimates: dict[str, pd.Series], errors: dict[str, float] | None = None) -> tuple[pd.Series, pd.Series]:
    """Returns estimates of one quantity blended by inverse error variance, and the relative error of the blend.

    estimates: name → amounts by person (missing ones are left out). errors: name → relative error (0-1).
    """
    errors = errors or ESTIMATE_ERROR
    frame = pd.DataFrame(estimates)
    weight = frame.notna() * np.array([1 / errors[name] ** 2 for name in frame])
    total = weight.sum(axis=1)
    return (frame.fillna(0.0) * weight).sum(axis=1) / total, np.sqrt(1 / total)


def capacity_of(people: pd.DataFrame, start: pd.Timestamp, months: int = 12) -> pd.DataFrame:
    """Returns each person's `months` present and `capacity` (full-timers of a full year = 1) in the year from `start`.

    A newcomer's month counts rising in equal steps from 0 to 1 over `ramp_months`.
    """
    first = pd.to_datetime(people["start_date"])
    last = pd.to_datetime(people["end_date"]) if "end_date" in people else pd.Series(pd.NaT, index=people.index)
    ramp = people["ramp_months"].fillna(0).to_numpy(float) if "ramp_months" in people else np.zeros(len(people))
    fte = people["fte"].fillna(1.0).to_numpy(float) if "fte" in people else np.ones(len(people))
    value, present = np.zeros(len(people)), np.zeros(len(people))
    for month in range(months):
        at = start + pd.DateOffset(months=month)
        here = ((first.isna() | (first <= at)) & (last.isna() | (last >= at + pd.offsets.MonthEnd(0)))).to_numpy()
        known = first.fillna(pd.Timestamp(1990, 1, 1))
        served = ((at.year - known.dt.year) * 12 + at.month - known.dt.month + 1).to_numpy(float)
        part = np.clip(served / np.maximum(ramp, 1e-9), 0.0, 1.0)
        value += np.where(here, np.where(ramp > 0, part, 1.0), 0.0)
        present += here
    return pd.DataFrame({"months": present, "capacity": fte * value / months}, index=people.index)


def person_quotas(
    plan: Plan,
    people: pd.DataFrame,
    assignments: pd.DataFrame,
    *,
    over_assignment: float = 0.0,
    history: pd.Series | None = None,
    locks: pd.Series | None = None,
    own_error: float = OWN_ERROR,
) -> PeoplePlan:
    """Returns the quotas of every person who is there in the plan year.

    people: person_id, name, team, start_date, end_date, fte, ramp_months, quota_last_year. assignments: person_id,
    <keys>, share, from, to (an empty key holds for all its values). history: last year's own sales by person_id,
    blended with the territory's potential by their errors. locks: quotas that keep (by person_id, in
    currency); the rest is redistributed. over_assignment: sum of quotas over the team's target, less 1.

    Raises DataError where a person holds more than one full-time territory, an assignment names nobody, or locks exceed
    a team's total.
    """
    law = plan.target.law
    _checked(people, assignments, law.periods[0])
    people = people.sort_values("person_id", kind="stable").reset_index(drop=True)
    people = people.join(capacity_of(people, law.periods[0]))
    people = people[people["capacity"] > 0].reset_index(drop=True)
    member = _membership(plan, people, assignments)
    covered = member.sum(axis=0) > 0
    part = np.divide(member, member.sum(axis=0), out=np.zeros_like(member), where=covered)
    keep = part.sum(axis=1) > 0
    people, part = people[keep].reset_index(drop=True), part[keep]
    if people.empty:
        raise DataError("assignments: nobody is assigned to any cell of the plan in its year. Check keys and dates.")
    quotas = _expected(plan, people, part, history, own_error)
    quotas = _shared_out(plan, quotas, part, over_assignment, locks)
    loads = _loads(plan, part, quotas)
    quotas["chance"] = chance_above(quotas["quota"] - quotas["expected"], _scale(loads, quotas), law.df)
    unassigned = plan.cells.loc[~covered, ["unique_id", *law.keys, "target"]].reset_index(drop=True)
    teams = _teams(plan, quotas, part, loads)
    return PeoplePlan(quotas, teams, unassigned, loads, law.df, plan.target.policy.currency, part)


def _checked(people: pd.DataFrame, assignments: pd.DataFrame, start: pd.Timestamp) -> None:
    faults = []
    known = set(people["person_id"].astype(str))
    for row, person in enumerate(assignments["person_id"].astype(str), start=2):
        if person not in known:
            faults.append(Fault("assignments", row, "person_id", f"nobody is called '{person}'", "Add the person."))
    doubled = people["person_id"].duplicated()
    for row in np.flatnonzero(doubled):
        person = people["person_id"].iloc[row]
        faults.append(Fault("people", int(row) + 2, "person_id", f"'{person}' stands twice", "Keep one row."))
    now = _valid(assignments, start)
    keys = [c for c in assignments if c not in ("person_id", "share", "from", "to")]
    full = now[now["share"].fillna(1.0) >= 1.0].drop_duplicates(["person_id", *keys])
    first = keys[0] if keys else "person_id"
    count = full.groupby("person_id")[first].nunique()
    for person in count[count > 1].index:
        places = ", ".join(sorted(full.loc[full["person_id"] == person, first].astype(str).unique()))
        faults.append(
            Fault(
                "assignments",
                None,
                "share",
                f"{person} is full-time in {places}",
                "Give shares below 1, or end one of the territories.",
            )
        )
    if faults:
        raise DataError(faults=faults)


def _valid(assignments: pd.DataFrame, start: pd.Timestamp) -> pd.DataFrame:
    end = start + pd.DateOffset(months=11)
    begins = (
        pd.to_datetime(assignments["from"]) if "from" in assignments else pd.Series(pd.NaT, index=assignments.index)
    )
    ends = pd.to_datetime(assignments["to"]) if "to" in assignments else pd.Series(pd.NaT, index=assignments.index)
    return assignments[(begins.isna() | (begins <= end)) & (ends.isna() | (ends >= start))]


def _membership(plan: Plan, people: pd.DataFrame, assignments: pd.DataFrame) -> np.ndarray:
    """Returns people x cells: share of the cell times the person's capacity."""
    law = plan.target.law
    member = np.zeros((len(people), len(law.cells)))
    place = {str(person): i for i, person in enumerate(people["person_id"])}
    for row in _valid(assignments, law.periods[0]).to_dict("records"):
        i = place.get(str(row["person_id"]))
        if i is None:
            continue
        keys = tuple((k, str(row[k])) for k in law.keys if k in row and pd.notna(row[k]) and str(row[k]) != "")
        share = float(row["share"]) if pd.notna(row.get("share")) else 1.0
        member[i, law.rows(keys)] += share * people["capacity"].iloc[i]
    return member


def _expected(
    plan: Plan, people: pd.DataFrame, part: np.ndarray, history: pd.Series | None, own_error: float
) -> pd.DataFrame:
    """Returns people with their expected sales, blended with their own history where there is one."""
    cells = plan.cells
    potential = pd.Series(part @ cells["expected"].to_numpy(), index=people["person_id"])
    before = pd.Series(part @ cells["last_year"].to_numpy(), index=people["person_id"])
    growth = np.divide(potential, before, out=np.ones(len(before)), where=before.to_numpy() > 0) - 1
    expected, error = potential, pd.Series(own_error, index=potential.index)
    if history is not None:
        own = history.reindex(potential.index) * (1 + growth)
        # A newcomer's last year says nothing of a full one.
        own = own.where((people["months"].to_numpy() >= 12) & (_tenure(plan, people) >= NEW_MONTHS))
        expected, blended = blend({"potential": potential, "history": own})
        error = np.sqrt(own_error**2 + blended**2)
        expected *= potential.sum() / expected.sum()
    out = people[[c for c in ("person_id", "name", "team", "role", "region", "quota_last_year") if c in people]].copy()
    return out.assign(
        expected=expected.to_numpy(),
        potential=potential.to_numpy(),
        own_spread=(error * potential).to_numpy(),
        territory_growth=np.asarray(growth),
        capacity=people["capacity"],
        months=people["months"],
        tenure=_tenure(plan, people),
        new=_tenure(plan, people) < NEW_MONTHS,
    )


def _tenure(plan: Plan, people: pd.DataFrame) -> np.ndarray:
    start = plan.target.law.periods[0]
    first = pd.to_datetime(people["start_date"]).fillna(pd.Timestamp(1990, 1, 1))
    return ((start.year - first.dt.year) * 12 + start.month - first.dt.month).to_numpy(float)


def _shared_out(
    plan: Plan, quotas: pd.DataFrame, part: np.ndarray, over: float, locks: pd.Series | None
) -> pd.DataFrame:
    """Returns quotas exact to the minor unit: each team's sum is its target times (1 + over)."""
    digits = plan.target.policy.digits
    unit = 10**digits
    fixed = pd.Series(dtype=float) if locks is None else locks
    unknown = fixed.index.difference(quotas["person_id"])
    if len(unknown):
        raise DataError(f"locks: '{unknown[0]}' has no quota in the plan year. Leave the lock out.")
    minor = np.zeros(len(quotas), dtype=np.int64)
    team_target = part @ plan.cells["minor"].to_numpy(float)
    scale = _scale(_loads(plan, part, quotas), quotas)
    teams = quotas["team"].astype(str).to_numpy()
    for team in np.unique(teams):
        rows = np.flatnonzero(teams == team)
        total = round(team_target[rows].sum() * (1 + over))
        low, high = np.zeros(len(rows)), np.full(len(rows), np.inf)
        for position, row in enumerate(rows):
            if quotas["person_id"].iloc[row] in fixed.index:
                low[position] = high[position] = units.to_minor(float(fixed[quotas["person_id"].iloc[row]]), digits)
        if low.sum() > total or (np.isfinite(high).all() and high.sum() != total):
            raise DataError(
                f"locks: the locked quotas of {team} sum to {low.sum() / unit:,.{digits}f}, its target is "
                f"{total / unit:,.{digits}f}. Unlock one."
            )
        base = quotas["expected"].to_numpy()[rows] * unit
        exact = split(base, scale[rows] * unit, float(total), [], low, high)
        minor[rows] = round_row(exact, total)
    return quotas.assign(
        minor=minor, quota=units.from_minor(minor, digits), locked=quotas["person_id"].isin(fixed.index)
    )


def _loads(plan: Plan, part: np.ndarray, quotas: pd.DataFrame) -> np.ndarray:
    """Returns K x people: the cells' joint errors carried by each person, at the size of what is expected of them."""
    potential = quotas["potential"].to_numpy()
    size = np.divide(quotas["expected"].to_numpy(), potential, out=np.ones(len(potential)), where=potential > 0)
    return plan.target.law.loads @ part.T * size


def _scale(loads: np.ndarray, quotas: pd.DataFrame) -> np.ndarray:
    return np.sqrt((loads**2).sum(axis=0) + quotas["own_spread"].to_numpy() ** 2)


def chance_above(gap: pd.Series | np.ndarray, scale: np.ndarray, df: float) -> np.ndarray:
    """Returns P(sales >= quota) for quota less expected `gap` and the law's scale."""
    z = -np.asarray(gap, dtype=float) / np.maximum(scale, 1e-9)
    return special.stdtr(df, z) if np.isfinite(df) else special.ndtr(z)


def _teams(plan: Plan, quotas: pd.DataFrame, part: np.ndarray, loads: np.ndarray) -> pd.DataFrame:
    """Returns each team's target, sum of quotas, and the chance of reaching either (people's own luck averages out)."""
    rows = []
    target = part @ plan.cells["target"].to_numpy()
    for team, group in quotas.groupby(quotas["team"].astype(str), sort=True):
        at = group.index.to_numpy()
        scale = np.sqrt((loads[:, at].sum(axis=1) ** 2).sum() + (group["own_spread"] ** 2).sum())
        goal, asked, expected = float(target[at].sum()), float(group["quota"].sum()), float(group["expected"].sum())
        chances = chance_above(
            np.array([goal - expected, asked - expected]), np.array([scale, scale]), plan.target.law.df
        )
        rows.append([team, goal, asked, asked / goal - 1 if goal > 0 else np.nan, *chances, len(at)])
    names = ["team", "target", "quotas", "over_assignment", "chance_target", "chance_quotas", "people"]
    return pd.DataFrame(rows, columns=names)


def fairness(plan: PeoplePlan) -> pd.DataFrame:
    """Returns how evenly hard the quotas are: `measure, value`.

    sd and p10-p90 of the chance, hires against others, correlation with territory size and tenure, expected share of
    people within 80-120 % of quota.
    """
    frame = plan.quotas
    p = frame["chance"].to_numpy()
    others, hires = p[~frame["new"]], p[frame["new"]]
    scale = _scale(plan.loads, frame)
    inside = chance_above(0.8 * frame["quota"] - frame["expected"], scale, plan.df)
    inside = inside - chance_above(1.2 * frame["quota"] - frame["expected"], scale, plan.df)
    rows = {
        "spread": float(p.std()),
        "p10": float(np.quantile(p, 0.1)),
        "p90": float(np.quantile(p, 0.9)),
        "hires": float(hires.mean()) if len(hires) else np.nan,
        "others": float(others.mean()) if len(others) else np.nan,
        "corr_size": _correlation(p, frame["expected"].to_numpy()),
        "corr_tenure": _correlation(p, frame["tenure"].to_numpy(float)),
        "within_80_120": float(inside.mean()),
    }
    return pd.DataFrame({"measure": list(rows), "value": list(rows.values())})


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    if len(x) < 3 or x.std() < 1e-9 or y.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])
