"""What people write as the reason of a loss, against what pulled the deal down in the model."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from planning.deals.attribution import FamilyWeights, deal_contributions

REASON_WORDS: tuple[tuple[str, str], ...] = (
    ("price", r"pric|preis|expens|teuer|cheap|discount|dear|价|贵|折扣"),
    ("skill", r"answer|respon|slow|contact|follow|reach|only knew|no visit|reaktion|响应|跟进|联系|回复"),
    ("timing", r"timing|budget|postpon|no project|cancel|priorit|later|no decision|verschoben|"
     r"预算|推迟|时机|取消|暂停"),
    ("delivery", r"deliver|lead time|stock|lieferzeit|交期|交付|交货|缺货"),
    ("product", r"product|function|feature|fit\b|technical|spec|require|quality|interface|certif|funktion|"
     r"technisch|产品|功能|技术|需求|质量|规格|认证"),
    ("customer", r"relation|trust|incumb|known|habit|(existing|current) supplier|group contract|beziehung|"
     r"关系|信任|老供应商|原供应商"),
    ("competition", r"compet|rival|lost to|wettbewerb|对手|竞争|竞品"),
    ("market", r"market|econom|crisis|markt|市场|经济|行情"),
)  # fmt: skip
NOT_WRITTEN = "not written"
OTHER = "other"


def reason_family(text: object) -> str:
    """The family a written reason points at, `other` where it points nowhere, `not written` where it is empty."""
    if text is None or text is pd.NA or text != text or not str(text).strip():
        return NOT_WRITTEN
    folded = str(text).casefold()
    return next((family for family, pattern in REASON_WORDS if re.search(pattern, folded)), OTHER)


def written_against_model(result: FamilyWeights, reasons: pd.Series, *, near: int = 2) -> pd.DataFrame:
    """How often does the family a rep names as the reason show in the deal's own data?

    reasons: text by deal_id. A reason is borne out when its family is among the `near` that pulled the deal down
    most.

    Returns one row a family named: `reason, deals, share, agrees, agree_share, no_sign, measured`; `agrees` counts
    deals whose data bear it out, `no_sign` those where that family did not pull down at all; both NaN where no field
    measures it.
    """
    parts = deal_contributions(result).set_index("deal_id").drop(columns="intercept")
    lost = parts[result.prepared.won == 0]
    named = reasons.reindex(lost.index).map(reason_family)
    rank = lost.rank(axis=1, method="first")
    rows = []
    for family, members in named.groupby(named, sort=False).groups.items():
        measured = family in lost.columns
        pulled = lost.loc[members, family] if measured else None
        agrees = float(((rank.loc[members, family] <= near) & (pulled < 0)).sum()) if measured else np.nan
        no_sign = float((pulled >= 0).sum()) if measured else np.nan
        rows.append((family, len(members), len(members) / len(lost), agrees, agrees / len(members), no_sign, measured))
    columns = ["reason", "deals", "share", "agrees", "agree_share", "no_sign", "measured"]
    return (
        pd.DataFrame(rows, columns=columns).sort_values("deals", ascending=False, kind="stable").reset_index(drop=True)
    )


def confusion(result: FamilyWeights, reasons: pd.Series) -> pd.DataFrame:
    """Written reason (rows) against the family that pulled the lost deal down most (columns), counted."""
    parts = deal_contributions(result).set_index("deal_id").drop(columns="intercept")
    lost = parts[result.prepared.won == 0]
    return pd.crosstab(
        reasons.reindex(lost.index).map(reason_family), lost.idxmin(axis=1), rownames=["reason"]
    ).reset_index()
