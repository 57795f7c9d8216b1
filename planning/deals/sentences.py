"""What the post-mortem says in words: numbers in, text out, in the current language. For people who never saw a
logit."""

from __future__ import annotations

from typing import Any

import pandas as pd

from planning.deals.vocabulary import family_name, lever_name, practice_name
from planning.language import _, chance, interval, listing, month, ngettext, number, paragraph, percent, signed


def title() -> str:
    """Returns the page's name."""
    return _("Why deals are won and lost")


def headline(weights: pd.DataFrame) -> str:
    """Returns what separates won from lost deals, the strongest families first."""
    clear = weights[weights["p_zero"] <= 0.05]
    names = [family_name(name) for name in clear["family"][:2]]
    names[1:] = [name.lower() for name in names[1:]]
    share = percent(float(clear["share"][:2].sum()))
    if len(names) < 2:
        return _("{family} separates won from lost deals: {share} of the explained difference").format(
            family=names[0] if names else family_name(weights["family"].iloc[0]), share=share
        )
    return _("{families} separate won from lost deals: together {share} of the explained difference").format(
        families=listing(names), share=share
    )


def left_out_of(total: int, used: int) -> str:
    """Returns of what the shares left out are, and what is left."""
    return _("Shares are of all {total} deals of the table; {used} won and lost ones are left.").format(
        total=number(total), used=number(used)
    )


def lede(summary: dict[str, Any], reasons: pd.DataFrame | None, levers: pd.DataFrame | None) -> str:
    """Returns at most two sentences: what reps write against the data, and what moving one lever is worth."""
    parts = []
    if reasons is not None and len(reasons[reasons["measured"]]):
        top = reasons[reasons["measured"]].iloc[0]
        parts.append(
            _(
                "People give {reason} as the reason in {share} of the lost deals; the data bear it out in "
                "{agree} of those."
            ).format(
                reason=family_name(top["reason"]).lower(),
                share=percent(top["share"]),
                agree=percent(top["agree_share"]),
            )
        )
    if levers is not None and len(levers):
        best = levers.iloc[0]
        parts.append(
            _("The lever worth most, “{lever}”, gives an expected {wins} extra wins of {lost} lost deals.").format(
                lever=lever_name(best["lever"]), wins=number(best["expected_wins"]), lost=number(summary["n_lost"])
            )
        )
    return paragraph(parts)


def key_numbers(
    summary: dict[str, Any], reasons: pd.DataFrame | None, levers: pd.DataFrame | None
) -> list[dict[str, Any]]:
    """Returns the page's key numbers, as arguments of `step.number`."""
    out = []
    if levers is not None and len(levers):
        best = levers.iloc[0]
        out.append({
            "name": "expected_wins", "value": float(best["expected_wins"]), "label": _("Expected extra wins"),
            "text": number(best["expected_wins"]), "lead": True,
            "note": _("one lever moved on {deals} lost deals; 90 % interval {range}").format(
                deals=number(best["deals"]), range=interval(best["lo90"], best["hi90"])),
        })  # fmt: skip
    out.append({
        "name": "win_rate", "value": summary["win_rate"], "label": _("Win rate"),
        "text": percent(summary["win_rate"], 1),
        "note": _("{won} won of {n} decided").format(won=number(summary["n_won"]), n=number(summary["n"])),
    })  # fmt: skip
    out.append(auc_number(summary))
    if reasons is not None and (reasons["reason"] == "price").any():
        price = reasons[reasons["reason"] == "price"].iloc[0]
        if price["measured"]:
            out.append({
                "name": "price_unseen", "value": float(price["no_sign"]), "label": _("“Price” written, no sign of it"),
                "text": number(price["no_sign"]),
                "note": _("of {n} lost deals with price as the reason").format(n=number(price["deals"])),
            })  # fmt: skip
    return out


def auc_number(summary: dict[str, Any]) -> dict[str, Any]:
    """Returns how well won is told from lost on unseen deals."""
    return {
        "name": "auc", "value": summary["auc"], "label": _("Told apart on unseen deals"),
        "text": number(summary["auc"], 2),
        "note": _("AUC, 90 % interval {range}; 0.50 is a coin flip").format(
            range=interval(summary["auc_lo"], summary["auc_hi"], lambda x: number(x, 2))),
    }  # fmt: skip


def auc_alt(said: dict[str, Any]) -> str:
    """Returns the chart of what was tested in words."""
    return _("All accepted fields: {auc}; {note}").format(auc=said["text"], note=said["note"])


def weights_finding(weights: pd.DataFrame, summary: dict[str, Any]) -> tuple[str, str]:
    """Returns the claim over the weights and how to read them."""
    top = weights.iloc[0]
    claim = _("{family} carries {share} of what separates won from lost").format(
        family=family_name(top["family"]), share=percent(top["share"])
    )
    why = _(
        "Share of the explained difference in the odds of winning, by family of fields known {rule}. The line "
        "is the 90 % "
        "interval. The pale band is wider: it allows for a cause nobody recorded, as strong as {delta} of the "
        "strongest one. "
        "A weight says what separates deals within the recorded range, not what a new policy would do. All fields "
        "together take away {r2} of the uncertainty about how a deal ends (R²)."
    ).format(rule=summary["snapshot"], delta=percent(summary["delta"]), r2=percent(summary["r2"]))
    return claim, why


def gap_finding(gap: pd.DataFrame) -> tuple[str, str]:
    """Returns which family is most of the distance between won and lost deals."""
    families = gap[gap["part"] != "total"]
    top = families.loc[families["gap"].idxmax()]
    claim = _("{family} is {share} of the distance between won and lost deals").format(
        family=family_name(top["part"]), share=percent(top["share"])
    )
    why = _(
        "All that speaks for and against a deal makes its score, the log-odds of winning: one more makes the odds 2.7 "
        "times as high. The rows are by how much won deals score above lost ones; the families add up to the total "
        "exactly."
    )
    return claim, why


def weight_text(lo: float, hi: float, p_zero: float) -> str:
    """Returns the interval's words: a weight that cannot be told from zero says so."""
    return _("cannot be told from zero") if p_zero > 0.05 else interval(lo, hi, percent)


def weights_alt(weights: pd.DataFrame) -> str:
    """Returns the chart in words."""
    rows = [
        _("{name} {value} ({range})").format(
            name=family_name(r.family), value=percent(r.share), range=weight_text(r.lo90, r.hi90, r.p_zero)
        )
        for r in weights.itertuples()
    ]
    return _("Weight of each family: {rows}").format(rows=_("; ").join(rows))


def reasons_finding(table: pd.DataFrame) -> tuple[str, str]:
    """Returns the claim over written reasons against the data."""
    measured = table[table["measured"]]
    if measured.empty:
        return _("What people write cannot be held against the data"), _(
            "No written reason belongs to a family with fields."
        )
    top = measured.iloc[0]
    claim = _("People write “{reason}” {n} times; the data bear it out in {agrees}").format(
        reason=family_name(top["reason"]).lower(), n=number(top["deals"]), agrees=number(top["agrees"])
    )
    why = _("Each lost deal: the reason written, against the families that pulled it down most. “The data "
            "agree” means that "
            "the family named is among the two largest.")  # fmt: skip
    return claim, why


def second_look_finding(table: pd.DataFrame, shown: int) -> tuple[str, str]:
    """Returns the claim over the lost deals worth a second look."""
    claim = ngettext("The lost deal most worth a second look", "The {n} lost deals most worth a second look", shown)
    best = float(table["chance"].iloc[0]) if len(table) else 0.0
    why = _("The chance that the deal had been won with one lever moved to where other deals already are. It is "
            "a chance for "
            "ranking and for sums: even the first is lost more often than not, {p}.")  # fmt: skip
    if best > 0.5:
        why = _("The chance that the deal had been won with one lever moved to where other deals already are. "
                "It is a chance "
                "for ranking and for sums, never a verdict on one deal; the first has {p}.")  # fmt: skip
    return claim.format(n=number(shown)), why.format(p=chance(best))


def levers_finding(table: pd.DataFrame) -> tuple[str, str]:
    """Returns the claim over what to improve first."""
    best = table.iloc[0]
    claim = _("First: {lever}, an expected {wins} wins").format(
        lever=lever_name(best["lever"]), wins=number(best["expected_wins"])
    )
    why = _("Expected wins if the lever had been moved by one standard deviation, at most to where one deal in "
            "ten already "
            "is. Levers overlap: their wins must not be added up.")  # fmt: skip
    return claim, why


def typical_finding(table: pd.DataFrame) -> tuple[str, str]:
    """Returns what the commonest kind of lost deal looks like."""
    top = table.iloc[0]
    claim = _("The commonest kind of loss, {share} of them: {family} spoke most against it").format(
        share=percent(top["share"]), family=family_name(top["weakest"]).lower()
    )
    why = _(
        "Lost deals grouped by what spoke for and against them; each row shows the deal in the middle of its group. "
        "Start the review with these few: most others are like one of them."
    )
    return claim, why


def surprises_finding(table: pd.DataFrame, shown: int) -> tuple[str, str]:
    """Returns how many deals were lost although the record spoke for them."""
    if table.empty:
        return _("No deal was lost against the record"), _("No lost deal had a chance of 60 % or more by its fields.")
    claim = ngettext(
        "{n} deal was lost although the record spoke for it", "{n} deals were lost although the record spoke for them",
        len(table),
    ).format(n=number(len(table)))  # fmt: skip
    why = _(
        "Lost with a chance of 60 % or more by everything recorded before. Such losses happen by luck, or by a cause "
        "nobody recorded: ask those who were there."
    )
    return claim, why


def practices_finding(table: pd.DataFrame) -> tuple[str, str]:
    """Returns the claim over practices compared within the same person's deals."""
    real = table[table["verdict"] == "differs"]
    if real.empty:
        return _("No practice differs beyond chance"), _("Compared within the same person's deals of equal difficulty.")
    top = real.iloc[0]
    claim = ngettext(
        "{n} practice goes with winning: “{top}” most clearly",
        "{n} practices go with winning: “{top}” most clearly",
        len(real),
    )
    why = _("Compared within the same person's deals, with the deals' difficulty held equal. Of the ones listed "
            "as different, "
            "about one in ten may be chance.")  # fmt: skip
    return claim.format(n=number(len(real)), top=practice_name(top["practice"])), why


def performers_finding(table: pd.DataFrame) -> tuple[str, str]:
    """Returns the claim over people: who is very likely among the best fifth, and for how many it cannot be told."""
    top, unsure = int((table["verdict"] == "top").sum()), int((table["verdict"] == "cannot tell").sum())
    if not top:
        claim = _("Nobody stands out beyond chance among {n} people").format(n=number(len(table)))
    else:
        claim = ngettext(
            "{n} person is very likely among the best fifth", "{n} people are very likely among the best fifth", top
        ).format(n=number(top))
    why = _(
        "Adjusted for the deals they were given; named from a chance of 80 % on. For {unsure} of {n} it cannot be told "
        "from these deals; a ranking of them would be luck."
    ).format(unsure=number(unsure), n=number(len(table)))
    return claim, why


def competitors_finding(table: pd.DataFrame) -> tuple[str, str]:
    """Returns the claim over competitors."""
    worse = table[table["verdict"] == "worse"]
    why = _("Win rate against each, like for like: the same deals' difficulty, small numbers drawn to the common rate.")
    if worse.empty:
        return _("No competitor beats us more often than the others do"), why
    top = worse.iloc[0]
    claim = _("{name} beats us most often: {rate} won, like for like").format(
        name=top["competitor"], rate=percent(top["adjusted_rate"])
    )
    return claim, why


def needs_finding(table: pd.DataFrame, *, levers: bool) -> tuple[str, str]:
    """Returns which requirement we failed most lost deals on; `levers`: whether the page says what to improve first."""
    top = table.iloc[0]
    claim = ngettext(
        "Most often unmet, {line}: {need}, {lost} of {n} deal lost",
        "Most often unmet, {line}: {need}, {lost} of {n} deals lost", int(top["deals"]),
    ).format(line=top["line"], need=top["need"], lost=number(top["lost"]), n=number(top["deals"]))  # fmt: skip
    why = _(
        "Won and lost deals in which a requirement was not met, by product line, those with most losses first. A count "
        "and no cause."
    )
    return claim, paragraph([why, _("What meeting it is worth stands under what to improve first.")]) if levers else why


def change_finding(table: pd.DataFrame, split: pd.Timestamp, rates: pd.DataFrame) -> tuple[str, str]:
    """Returns why the win rate moved in the last twelve months, from what to what."""
    before, after = (percent(rate) for rate in rates["win_rate"])
    total = table[table["part"] == "total"].iloc[0]
    parts = table[~table["part"].isin(["total", "mix", "unexplained"])]
    main = parts.loc[parts["points"].abs().idxmax()]
    if total["lo90"] <= 0 <= total["hi90"]:
        claim = _("The win rate since {month}, {after} after {before}, has moved within chance").format(
            month=month(split), before=before, after=after
        )
    else:
        claim = _("The win rate moved from {before} to {after} since {month}: {family} accounts for {part}").format(
            before=before,
            after=after,
            month=month(split),
            family=family_name(main["part"]).lower(),
            part=_("{points} points").format(points=signed(100 * main["points"], 1)),
        )
    return claim, _(
        "Percentage points of the win rate. Families, mix of deals and what no field explains sum to the total exactly."
    )


def audit_finding(table: pd.DataFrame) -> tuple[str, str]:
    """Returns the claim over fields refused as causes."""
    n = table["field"].nunique()
    claim = ngettext("{n} field refused as a cause", "{n} fields refused as causes", n).format(n=number(n))
    if not n:
        claim = _("No field was refused")
    return claim, _(
        "A field may explain an outcome only if it was known before it. These were not, or carry the outcome in "
        "disguise."
    )


def refusal_headline(summary: dict[str, Any]) -> str:
    """Returns the refusal as an answer."""
    n = number(summary["n"])
    if not summary["n"]:
        return _("No deal is decided yet, so nothing can be said about why we win")
    if not summary["n_won"] or not summary["n_lost"]:
        return _("These {n} decided deals cannot say why we win: all of them ended the same way").format(n=n)
    codes = summary["reason_codes"]
    if "no_field" in codes:
        return _("These {n} decided deals cannot say why we win: no field is left to go by").format(n=n)
    if summary["auc"] is None:
        return _("These {n} decided deals cannot say why we win: too few were won or lost").format(n=n)
    if "coin_flip" in codes:
        return _("These {n} deals cannot say why we win: the recorded fields do no better than a coin flip").format(n=n)
    if "one_family" in codes:
        return _("These {n} deals cannot say why we win: only one family of causes is recorded").format(n=n)
    if "none_told" in codes:
        return _("These {n} deals cannot say why we win: no family's weight can be told from zero").format(n=n)
    return _("These {n} deals cannot say why we win: the table itself misleads").format(n=n)


def why_refused() -> str:
    """Returns the heading over the reasons of a refusal."""
    return _("Why there are no weights")


def refusal_lede() -> str:
    """Returns what the refusal page holds instead of weights."""
    return _(
        "So there are no weights on this page. What was tested, what holds without a model and what to record is below."
    )


def cannot_tell(
    summary: dict[str, Any], weights: pd.DataFrame, performers: pd.DataFrame | None
) -> list[tuple[str, str]]:
    """Returns the questions these data leave open, each with what would answer it."""
    out = []
    text = _("Its weight cannot be told from zero (up to {hi}). More closed deals narrow it.")
    for row in weights[weights["p_zero"] > 0.05].itertuples():
        out.append((family_name(row.family), text.format(hi=percent(row.hi90))))
    text = _("Not measured: no usable field records it. Record one before the proposal.")
    out += [(family_name(name), text) for name in summary["not_measured"]]
    if performers is not None and len(performers):
        unsure = int((performers["verdict"] == "cannot tell").sum())
        text = _(
            "{unsure} of {n} people are neither surely among the best fifth nor surely below the middle; more deals "
            "would tell."
        )
        out.append((_("Who sells best"), text.format(unsure=number(unsure), n=number(len(performers)))))
    text = _("A cause outside these fields can shift any weight within its pale band; only recording it would tell.")
    return [*out, (_("What nobody recorded"), text)]


def to_record(missing_families: list[str]) -> list[tuple[str, str]]:
    """Returns what to record so that the question can be answered later."""
    known = {
        "product": _("requirements met at the proposal, 0 to 1"), "price": _("price gap to the best rival at "
            "the proposal"),
        "skill": _("hours to the first answer, people spoken to before the proposal"),
        "customer": _("incumbent or new, years of the relationship"), "market": _("an outside index of the "
            "customer's industry"),
    }  # fmt: skip
    return [
        (family_name(name), known.get(name, _("one field, filled while the deal is open"))) for name in missing_families
    ]
