"""Family weights: what separated won from lost deals, by how much each family of fields, and how sure that is.

    share(family) = Var(contribution of the family to the log-odds) ÷ Σ over families of the same

Contributions are centred, so in this additive model they are the exact (interventional) Shapley values of the families.
Where the data cannot carry weights there are none, and the reasons stand in their place.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from planning.deals import auditing, refusal
from planning.deals.calibrate import Shares, confounding_band, family_shares
from planning.deals.design import SORTED_FROM, Design, build_design, with_sorting
from planning.deals.doubled import check_doubled
from planning.deals.families import Families, as_families, check_against, check_id, check_stages
from planning.deals.heldout import HeldOut, held_out
from planning.deals.prepare import Finding, Prepared, prepare
from planning.deals.vocabulary import family_name
from planning.deals.winmodel import Fit, fit
from planning.errors import UsageError
from planning.language import _, number, percent

WEIGHT_COLUMNS = ["family", "share", "lo90", "hi90", "p_zero", "band_lo", "band_hi", "n_fields", "share_abs"]
DOMINANT = 0.70


@dataclass(frozen=True)
class FamilyWeights:
    """`weights` (None when refused), `summary`, `findings` of the audit, and the model behind them."""

    weights: pd.DataFrame | None
    summary: dict[str, Any]
    findings: pd.DataFrame
    prepared: Prepared = field(repr=False)
    families: Families = field(repr=False)
    model: Fit | None = field(default=None, repr=False)
    codes: np.ndarray | None = field(default=None, repr=False)
    shares: Shares | None = field(default=None, repr=False)
    order: np.ndarray | None = field(default=None, repr=False)

    @property
    def refused(self) -> bool:
        """Whether the data cannot carry weights."""
        return bool(self.summary["refused"])

    @property
    def measured(self) -> list[str]:
        """The families of the model in the order in which the families file names them."""
        return [name for name in self.families.fields if name in self.model.design.families]


def family_weights(
    deals: pd.DataFrame,
    *,
    families: Families | Mapping | str | Path,
    outcome: str = "outcome",
    won: str = "won",
    lost: tuple[str, ...] = (),
    delta: float = 0.30,
    refits: int = 60,
    seed: int = 0,
    snapshot: str = "",
    open_for: Mapping[str, Collection[str]] | None = None,
) -> FamilyWeights:
    """What separated won from lost deals, by family of fields, with 90 % intervals, or why that cannot be told.

    deals: one row a deal. families: field → family and known_at (a path, a dict, or Families).
    outcome, won, lost: the outcome's column, the value of won deals, optionally those of lost ones.
    delta: strength of an unrecorded cause allowed for by the band, as a share of the strongest family's effect.
    refits: how often the group variances are drawn anew, in threes.
    snapshot: the rule by which the rows were made, in words. open_for: reason → ids of deals that count as open for it.

    `weights`: one row a family, `share` sums to 1; `p_zero` is the p-value of "this family carries no weight";
    [`band_lo`, `band_hi`] contains [`lo90`, `hi90`]. A family without a usable field is in `summary["not_measured"]`.
    Raises UsageError, ConfigError or DataError for wrong input.
    """
    if not 0 <= delta <= 1:
        text = _("delta {delta}: between 0 and 1 is meant, such as 0.3 for 30 % of the strongest family's effect.")
        raise UsageError(text.format(delta=f"{delta:g}"))
    table = as_families(families)
    check_against(table, [str(name) for name in deals.columns], outcome)
    check_doubled(deals, [outcome, *table.family_of])
    if not table.stages:
        check_stages(table, deals)
    prepared = prepare(deals, outcome=outcome, won=won, lost=lost, open_for=open_for)
    check_id(table, prepared.id_field)
    findings = auditing.run_audit(prepared, table)
    usable = usable_fields(prepared, table, findings)
    reasons = refusal.too_little(prepared, table, usable)
    rule = snapshot or _("at the time of the export")
    base = {"outcome": outcome, "won": str(won), "delta": delta, "snapshot": rule, "seed": seed, "refits": refits}
    if reasons:
        return _answer(prepared, table, findings, usable, reasons, base)
    coarse = frozenset(f.field for f in findings if f.rule == "round_amounts")
    with one_thread(prepared):
        return _weigh(prepared, table, findings, usable, coarse, base)


def one_thread(prepared: Prepared) -> AbstractContextManager:
    """Keeps linear algebra on one thread below 200,000 deals: threads fighting over small matrices cost a
    hundredfold."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="blas") if prepared.outcomes.closed.sum() < 200_000 else nullcontext()


def _weigh(
    prepared: Prepared,
    table: Families,
    findings: list[Finding],
    usable: dict[str, str],
    coarse: frozenset[str],
    base: dict,
) -> FamilyWeights:
    model, codes, order = fit_fields(prepared, usable, coarse)
    if not model.design.terms or not model.converged and not np.all(np.isfinite(model.coefficients)):
        return _answer(prepared, table, findings, usable, refusal.unsettled(), base)
    scored = held_out(model, codes[order], prepared.won[order], seed=base["seed"])
    shares = family_shares(model, codes[order], refits=base["refits"], seed=base["seed"])
    weights = _weights_table(model, codes, shares, base["delta"])
    findings = findings + _family_findings(weights, findings) + _thin_findings(model.design, shares, len(codes))
    reasons = refusal.cannot_carry(scored, weights, findings)
    return _answer(prepared, table, findings, usable, reasons, base, model, codes, scored, shares, weights, order)


def usable_fields(prepared: Prepared, families: Families, findings: list[Finding]) -> dict[str, str]:
    """Fields that may be causes, with their family: listed, not refused, and not constant; by name, so that no number
    depends on the order in which the families file has them."""
    refused = auditing.refused_fields(findings)
    return {
        name: family
        for family, name in sorted((family, name) for name, family in families.family_of.items())
        if name not in refused and prepared.columns.get(name) is not None and _varies(prepared, name)
    }


def _varies(prepared: Prepared, name: str) -> bool:
    if prepared.columns[name].kind not in ("number", "category"):
        return False
    values = prepared.closed_column(name)
    return values.nunique(dropna=False) > 1 and values.notna().sum() >= 20


def fit_fields(
    prepared: Prepared, usable: Mapping[str, str], coarse: frozenset[str] = frozenset()
) -> tuple[Fit, np.ndarray, np.ndarray]:
    """Fits the win model on the closed deals: once plainly, then with large classes sorted (see `with_sorting`).

    Returns the fit, the codes of the deals, and the order (see `canonical_order`) in which it took them.
    """
    closed = np.flatnonzero(prepared.outcomes.closed)
    columns = {name: prepared.columns[name] for name in usable}
    here = {name: _subset(column, closed) for name, column in columns.items()}
    design = build_design(here, usable, coarse)
    codes, won = design.codes({name: column.values for name, column in here.items()}), prepared.won
    order = canonical_order(codes, won)
    ordered, won = codes[order], won[order]
    large = any(term.kind == "category" and len(term.levels) >= SORTED_FROM for term in design.terms)
    if not large or len(design.families) == 1:
        return fit(design, ordered, won), codes, order
    model = fit(design, ordered, won, tolerance=5e-3, averaged=False, covariance=False)
    design = with_sorting(design, ordered, design.contributions(ordered, model.coefficients))
    return fit(design, ordered, won, start=_padded(model, design)), codes, order


def canonical_order(codes: np.ndarray, won: np.ndarray, ids: pd.Series | None = None) -> np.ndarray:
    """An order of the deals (n,) that does not depend on the order they came in, so that no sum or draw does.

    Deals that are alike stand by their `ids` where it matters which is which.
    """
    odd = 2 * np.random.default_rng(0).integers(0, 2**62, codes.shape[1] + 1, dtype=np.uint64) + 1
    mixed = won.astype(np.uint64) * odd[-1]
    for column, factor in zip(codes.T, odd[:-1], strict=True):
        mixed += column.astype(np.uint64) * factor
    return np.argsort(mixed, kind="stable") if ids is None else np.lexsort([ids.astype(str).to_numpy(str), mixed])


def _padded(model: Fit, design: Design) -> Fit:
    """The first fit as a starting point for the wider design: new columns and groups start at nothing."""
    old, new = model.design, design
    b = np.zeros(new.width)
    b[0] = model.coefficients[0]
    for place, wider in zip(old.slices, new.slices, strict=True):
        b[wider.start : wider.start + place.stop - place.start] = model.coefficients[place]
    by_name = dict(zip(old.group_names, model.variances, strict=True))
    variances = np.array([by_name.get(name, 0.02) for name in new.group_names])
    return Fit(b, np.zeros((0, 0)), variances, model.normal, 0, False, new)


def _subset(column: Any, rows: np.ndarray) -> Any:
    values = column.values.iloc[rows]
    return replace(column, values=values, missing=float(values.isna().mean()))


def _weights_table(model: Fit, codes: np.ndarray, shares: Shares, delta: float) -> pd.DataFrame:
    low, high = confounding_band(shares.share, shares.low, shares.high, delta)
    parts = family_parts(model, codes)
    size = np.abs(parts - parts.mean(axis=0)).mean(axis=0)
    counts = [sum(term.family == name for term in model.design.terms) for name in shares.families]
    table = pd.DataFrame({
        "family": shares.families, "share": shares.share, "lo90": shares.low, "hi90": shares.high,
        "p_zero": shares.p_zero,
        "band_lo": low, "band_hi": high, "n_fields": counts, "share_abs": size / max(size.sum(), 1e-12),
    })  # fmt: skip
    return table[WEIGHT_COLUMNS].sort_values("share", ascending=False, kind="stable").reset_index(drop=True)


def family_parts(model: Fit, codes: np.ndarray) -> np.ndarray:
    """Log-odds (n, families) each family adds, not centred."""
    out = np.zeros((len(codes), len(model.design.families)))
    place = list(model.design.families)
    for term, columns, coded in zip(model.design.terms, model.design.slices, codes.T, strict=True):
        out[:, place.index(term.family)] += (term.table.astype(np.float64) @ model.coefficients[columns])[coded]
    return out


def _family_findings(weights: pd.DataFrame, findings: list[Finding]) -> list[Finding]:
    top = weights.iloc[0]
    if top["share"] <= DOMINANT or len(weights) < 2:
        return []
    pure = any(finding.rule in ("pure_id", "back_filled") for finding in findings)
    text = _("{family} carries {share} of the weight").format(
        family=family_name(top["family"]), share=percent(top["share"])
    )
    action = _("Look for a field in it that is written after the fact.")
    return [Finding("refused" if pure else "warning", "(families)", "dominant_family", text, action)]


def _thin_findings(design: Design, shares: Shares, deals: int) -> list[Finding]:
    """Classes whose values say no more than chance: a variance is never negative, so they take some weight even so."""
    found = []
    for term in design.terms:
        if term.field in shares.thin:
            text = _(
                "{n} values with {each} deals each: what they say is no more than chance (p = {p}); the interval of "
                "{family} therefore also holds its weight without them"
            ).format(
                n=number(len(term.levels) + term.pooled), each=number(deals / (len(term.levels) + term.pooled), 1),
                p=number(shares.thin[term.field], 2), family=family_name(term.family),
            )  # fmt: skip
            found.append(Finding("warning", term.field, "thin_class", text, _("Group it into fewer classes.")))
    return found


def _answer(
    prepared: Prepared, families: Families, findings: list[Finding], usable: Mapping[str, str],
    reasons: list[refusal.Reason], base: dict, model: Fit | None = None, codes: np.ndarray | None = None,
    scored: HeldOut | None = None, shares: Shares | None = None, weights: pd.DataFrame | None = None,
    order: np.ndarray | None = None,
) -> FamilyWeights:  # fmt: skip
    won, lost = prepared.outcomes.count("won"), prepared.outcomes.count("lost")
    refused_fields = {
        f.field: f.rule for f in reversed(findings) if f.severity == "refused" and f.field in families.family_of
    }
    measured = set(usable.values())
    findings = findings + [
        Finding(
            "note",
            f"[{name}]",
            "not_measured",
            _("{family}: no usable field, so not measured, which is not zero").format(family=family_name(name)),
        )
        for name in families.fields
        if name not in measured
    ]
    summary = {
        "estimand": refusal.estimand(), "n": won + lost, "n_won": won, "n_lost": lost,
        "win_rate": won / (won + lost) if won + lost else None,
        "auc": scored and scored.auc, "auc_lo": scored and scored.low, "auc_hi": scored and scored.high,
        "log_loss": scored and scored.log_loss, "r2": scored and scored.r2,
        "refused": bool(reasons), "reasons": [reason.text for reason in reasons],
        "reason_codes": [reason.code for reason in reasons], "n_fields": len(usable),
        "not_measured": [name for name in families.fields if name not in measured],
        "refused_fields": refused_fields, "left_out": dict(prepared.left_out), "id_field": prepared.id_field, **base,
    }  # fmt: skip
    table = auditing.findings_frame(sorted(findings, key=lambda finding: auditing.ORDER[finding.severity]))
    return FamilyWeights(None if reasons else weights, summary, table, prepared, families, model, codes, shares, order)


def deal_contributions(result: FamilyWeights, *, by: str = "family") -> pd.DataFrame:
    """What pulled each closed deal up or down: log-odds by family (or `by="field"`), which add up to its log-odds.

    Returns `deal_id`, one column a family or field (centred: 0 is the average deal) and `intercept`; a row's sum is the
    deal's log-odds of winning. Raises UsageError where the model was refused.
    """
    if result.model is None or result.codes is None:
        raise UsageError(
            "these data carry no model, so there are no contributions: " + "; ".join(result.summary["reasons"])
        )
    model = result.model
    if by == "field":
        parts = model.design.contributions(result.codes, model.coefficients)
        labels = [term.field for term in model.design.terms]
    else:
        parts, labels = family_parts(model, result.codes), list(model.design.families)
    means = parts[result.order].mean(axis=0)
    frame = pd.DataFrame(parts - means, columns=labels)
    if by == "family":
        frame = frame[result.measured]
    ids = result.prepared.ids[result.prepared.outcomes.closed].reset_index(drop=True)
    frame.insert(0, "deal_id", ids)
    frame["intercept"] = float(model.coefficients[0] + means.sum())
    return frame
