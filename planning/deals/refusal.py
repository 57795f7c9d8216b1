"""Why there are no weights: the reasons of a refusal, each with a code and a sentence in the reader's language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from planning.deals import auditing
from planning.deals.families import Families
from planning.deals.heldout import HeldOut
from planning.deals.prepare import Finding, Prepared
from planning.deals.vocabulary import family_name
from planning.language import _, interval, number

LEAST = 100


@dataclass(frozen=True)
class Reason:
    """One reason: `code` for what is decided by it, `text` for people."""

    code: str
    text: str


def estimand() -> str:
    """Returns what a weight is a share of, and what it is not."""
    return _(
        "share of the variance of the modelled log-odds of winning, over the won and lost deals at hand, that the "
        "fields of a family account for; it says what separates won from lost deals as recorded, not what a new "
        "policy would do"
    )


def too_little(prepared: Prepared, families: Families, usable: Mapping[str, str]) -> list[Reason]:
    """Reasons seen before any model: nothing decided, one outcome, too few of one, no field left."""
    won, lost = prepared.outcomes.count("won"), prepared.outcomes.count("lost")
    if won + lost == 0:
        return [Reason("none_decided", _("No deal is decided: there is nothing to compare."))]
    said = {"won": number(won), "lost": number(lost), "least": number(LEAST)}
    if won == 0 or lost == 0:
        text = _("Only one outcome: {won} won and {lost} lost deals; at least {least} of each are needed.")
        return [Reason("one_outcome", text.format(**said))]
    reasons = []
    if min(won, lost) < LEAST:
        text = _("{won} won and {lost} lost deals; at least {least} of each are needed.")
        reasons.append(Reason("too_few", text.format(**said)))
    if not usable and won + lost >= LEAST:
        silent = any(not str(families.known_at.get(name, "")).strip() for name in families.family_of)
        text = _("No field is left that was known before the outcome and differs between deals.")
        if silent:
            text = _("No field is left that was known before the outcome: state known_at in the families file.")
        reasons.append(Reason("no_field", text))
    return reasons


def unsettled() -> list[Reason]:
    """The model did not converge."""
    return [Reason("unsettled", _("The model did not settle on these fields."))]


def coin_flip(low: float, high: float, auc: float) -> Reason:
    """The fields do no better than chance on deals the model has not seen."""
    text = _("Tried on unseen deals, the fields reach an AUC of {auc} (90 % interval {range}); 0.50 is a coin flip.")
    return Reason(
        "coin_flip", text.format(auc=number(auc, 2), range=interval(low, high, lambda value: number(value, 2)))
    )


def cannot_carry(scored: HeldOut, weights: pd.DataFrame, findings: list[Finding]) -> list[Reason]:
    """Reasons seen with the model: a coin flip, nothing told from zero, one family, or a table that misleads."""
    reasons = [blocked(finding.rule, finding.evidence) for finding in auditing.blocking(findings)]
    if not scored.low > 0.5:
        reasons.insert(0, coin_flip(scored.low, scored.high, scored.auc))
    elif (weights["p_zero"] > 0.05).all():
        reasons.insert(0, Reason("none_told", _("No family's weight can be told from zero.")))
    elif len(weights) < 2:
        text = _(
            "Only fields of {family} were known in time; alone it would carry 100 % whatever the deals say. Record a "
            "field of another family to compare with."
        )
        reasons.insert(0, Reason("one_family", text.format(family=family_name(weights["family"].iloc[0]).lower())))
    if any(finding.rule == "dominant_family" and finding.severity == "refused" for finding in findings):
        text = _("One family carries over 70 % and rests on values that win nearly always or never.")
        reasons.append(Reason("dominant_family", text))
    return reasons


def blocked(rule: str, evidence: str) -> Reason:
    """A finding on the whole table that makes any weight misleading."""
    texts = {
        "truncation": _(
            "Early deals that closed quickly are missing from the export, so the early ones here are the slow ones: "
            "{evidence}."
        ),
        "back_filled": _("Deals were typed in once they were decided: {evidence}."),
    }
    return Reason(rule, texts[rule].format(evidence=evidence))
