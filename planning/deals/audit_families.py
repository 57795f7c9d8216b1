"""The audit of the families file against the deals: what it refuses, and which of its names do nothing."""

from __future__ import annotations

from planning.deals import moments
from planning.deals.families import Families
from planning.deals.prepare import Finding, Prepared
from planning.errors import nearest
from planning.language import _


def idle_names(families: Families, prepared: Prepared, refused: set[str]) -> list[Finding]:
    """Names of the families file that do nothing: the deals don't have them, or a lever that nobody can move."""
    found = []
    for name, guess in families.absent.items():
        action = _("Correct the name; did you mean “{guess}”?").format(guess=guess) if guess else _("Take it out.")
        text = _("stands in the families file, but the deals have no such field")
        found.append(Finding("warning", name, "not_in_deals", text, action))
    for name, stage in families.unplaced.items():
        if name in refused:
            continue
        text = _("its known_at = “{stage}” is no stage of the stage history; taken as known").format(stage=stage)
        action = _("Write “creation”, or the stage as the history writes it.")
        guess = nearest(stage, families.stages)
        if guess:
            action += " " + _("Did you mean “{guess}”?").format(guess=guess)
        found.append(Finding("warning", name, "no_such_stage", text, action))
    if not families.stages:
        found += _stages_taken(families)
    for name in families.levers:
        column = prepared.columns.get(name)
        if column is not None and (name in refused or column.kind != "number"):
            text = _("named as a lever, but it is refused as a cause or no number, so nobody can move it")
            action = _("Name a number that is known while the deal is open.")
            found.append(Finding("warning", name, "idle_lever", text, action))
    return found


def _stages_taken(families: Families) -> list[Finding]:
    """Stages taken as known before the deals' own moment, where no stage history says which stages there are."""
    named = moments.named_stages(families.known_at, families.family_of)
    if not named:
        return []
    shown = "; ".join(f"“{stage}” ({', '.join(members)})" for stage, members in named.items())
    text = _("no stage history: fields known from these stages on are taken as known: {shown}").format(shown=shown)
    found = [Finding("note", "(families)", "stages_taken", text, _("Compare the stages with those of your deals."))]
    for stage, members in named.items():
        more = {other: len(of) for other, of in named.items() if len(of) > len(members)}
        guess = moments.near_stage(stage, more)
        if guess:
            text = _("its known_at = “{stage}” is nearly “{guess}”, which other fields have; taken as another stage")
            text = text.format(stage=stage, guess=guess)
            action = _("Did you mean “{guess}”?").format(guess=guess)
            found += [Finding("warning", name, "no_such_stage", text, action) for name in members]
    return found


def table_refusals(families: Families, prepared: Prepared) -> list[Finding]:
    """Refusals by the families table itself: no known_at, known only at closing, a name that says after the fact."""
    found = []
    for name in families.family_of:
        reason = families.refusal(name)
        if reason:
            action = (
                _('State [known_at] "{name}" = ... if it was known before.').format(name=name)
                if reason[0] == "no_known_at"
                else ""
            )
            found.append(Finding("refused", name, reason[0], reason[1], action))
    listed = set(families.family_of)
    for name in prepared.columns:
        if name not in listed:
            found.append(Finding("note", name, "not_listed", _("in no family, so not looked at as a cause")))
    return found
