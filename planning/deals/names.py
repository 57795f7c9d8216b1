"""What a field's name says, in English and Chinese: its family, and since when it can be known.

The rules are data (`FAMILY_WORDS`, `CLOSING_WORDS`, ...): first match wins, from specific to general. A name never
proves anything; it drafts a table that a person confirms, and it stops fields that are written after the fact.
"""

from __future__ import annotations

import re

FAMILY_WORDS: tuple[tuple[str, str], ...] = (
    ("competition",
     r"competit|rival|竞争|对手|竞品"),
    ("price",
     r"price|pricing|discount|quote|margin|payment.?term|rebate|价格|报价|折扣|毛利|账期"),
    ("skill",
     r"\bowner|sales.?(agent|rep|person|man)|\brep\b|account.?(manager|executive)|manager|team|seller|"
     r"assigned|created.?by|response|contacts?\b|meetings?\b|(?<!not )calls?\b|visits?.?made|销售员|业务员|"
     r"负责人|销售代表|团队|响应|拜访|跟进人|联系人数|接触|沟通次数"),
    ("channel",
     r"source|channel|campaign|route|origin|referr|utm|medium|partner|heard|how.did|search|newspaper|"
     r"magazine|advert|recommend|forum|来源|渠道|活动|推荐"),
    ("size",
     r"(deal|opportunit\w*|order|contract)[\s_]*(size|amount|value|volume)|^amount|金额|规模"),
    ("customer",
     r"customer|client|account|company|buyer|do not|industr|sector|employee|revenue|segment|relationship|"
     r"tenure|occupation|speciali[sz]ation|country|city|incumbent|installed|contact.?role|lead.?profile|"
     r"first.?order|existing|type$|客户|行业|员工|营收|公司|关系|职业|城市"),
    ("product",
     r"product|line\b|supplies|category|requirement|technical|feature|fit\b|sku|model|series|subgroup|"
     r"solution|delivery|reference|course|产品|需求|技术|型号|方案|交付"),
    ("market",
     r"market|region|territor|econom|growth|index|demand|season|gdp|pmi|地区|区域|市场|增长|景气"),
    ("process",
     r"stage|next.?step|process|phase|demo\b|trial|proof|阶段|流程|试用"),
)  # fmt: skip

CLOSING_WORDS: tuple[tuple[str, str], ...] = (
    ("the reason or the outcome itself",
     r"(loss|lost|win|won|close[d]?|churn)[\s_]*reason|reason[\s_]*(for|code|of|lost|won)|outcome|result|"
     r"is.?(won|closed|lost)|status|converted|输单原因|丢单原因|赢单原因|结果|是否(成交|赢单)|状态"),
    ("a running time up to the end",
     r"elapsed|through.?(closing|qualified)|to.?close\b|days?.?(in|to|open|identified|total)|total.?days|"
     r"ratio.?days|days.+ratio|cycle|duration|age.?(at|of).?clos|time.?to|历时|周期|停留天数|成交天数"),
    ("a running count up to the end",
     r"(stage|status|date|owner).?changes?(.?count)?|(number|count|total)[\s_]*(of)?[\s_]*(activit|touch|"
     r"email|call|meeting|note|task)|(activit\w*|touch\w*|email\w*|note\w*)[\s_]*(count|total|number)|"
     r"次数合计"),
    ("written at or after closing",
     r"clos(e|ed|ing)|final|signed|contract.?(date|no|num)|invoice|actual|签约|成交|最终|实际|关闭"),
    ("the last state, overwritten until the end",
     r"last.?(notable|activity|modified|contact|touch|viewed|stage|update)|(modified|updated).?(date|at|on|"
     r"by)?$|next.?step|最近|最后|更新"),
    ("a judgement written after talking",
     r"^tags?$|lead.?(quality|grade|score|profile|status|stage)|activity.?(index|score)|profile.?(index|"
     r"score)|probab|forecast|confidence|likelihood|health|^标签$|线索(质量|评分|评级|状态|阶段)|概率|可能性"),
)  # fmt: skip

CREATION_WORDS = (
    r"region|territor|country|city|industr|sector|account|customer|client|company|employee|revenue|segment|size.?band|"
    r"occupation|speciali[sz]ation|source|channel|campaign|route|origin|referr|utm|search|newspaper|magazine|advert|recommend|"
    r"forum|\bowner|agent|\brep\b|manager|team|seller|creat|product|\bline\b|supplies|category|group|series|type|market|growth|"
    r"economic|index|incumbent|first.?order|relationship|tenure|deal.?size|course|do.not|free.?copy|mastering|"
    r"how.did|matters.most|地区|区域|行业|客户|来源|渠道|负责人|产品|市场|公司|城市|类型|创建"
)
JUDGEMENT_WORDS = r"\bscor(e|ing)\b|\brating\b|评分|打分|评级"  # may stand for years, or be given after the first talk
PROPOSAL_WORDS = (
    r"price|discount|quote|requirement|technical.?check|competit|rival|reference|delivery.?time|payment.?term|proposal|"
    r"^contacts$|response|价格|报价|折扣|需求|竞争|响应|联系人数"
)
ID_WORDS = r"(^|[\s_])(id|uuid|guid|number|no|nr|num|key|record)$|^(id|hs_object_id)|编号|单号|deal_?id|opportunity_?id"
REFERENCE_WORDS = r"(^|\s)(id|uuid|code|plz|zip)$|编号|编码|代码|邮编"  # numbers that name and do not count
STAGE_NAMES = (
    "stage", "stage name", "deal stage", "dealstage", "sales stage", "opportunity stage", "phase", "阶段", "销售阶段",
    "商机阶段", "当前阶段",
)  # fmt: skip
DEAL_WORDS = r"deal|opportunit|lead|prospect|record|quote|object|case|ticket|商机|线索|交易|项目"
AMOUNT_WORDS = r"amount|value|revenue.?(expected)?$|price$|金额|总价|acv|arr|tcv"
FIRST_WORDS = r"first|initial|original|at.?creation|首次|初始|最初"
PERSON_WORDS = r"owner|agent|\brep\b|sales.?(person|man)|seller|负责人|销售员|业务员"
CREATED_WORDS = r"creat|engage|open(ed)?.?(date|at|on)|start|received|enquir|inquir|first.?contact|创建|开始|录入"
CLOSED_WORDS = r"clos|won.?date|decision.?date|end.?date|成交日|关闭|结单|签约"


def words(name: str) -> str:
    """A field's name as lower-case words: `priceGap`, `price-gap` and `price_gap` are `price gap`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", str(name))
    return re.sub(r"[\s_\-./]+", " ", spaced).strip().casefold()


def says(name: str, pattern: str) -> bool:
    """Whether a name matches a pattern, however it is spelt."""
    return re.search(pattern, words(name)) is not None


def family_by_name(name: str) -> str | None:
    """The family a field's name points at, None where it points nowhere."""
    return next((family for family, pattern in FAMILY_WORDS if says(name, pattern)), None)


def closing_by_name(name: str) -> str | None:
    """Why a field is known only at closing by its name, None where the name does not say so."""
    return next((why for why, pattern in CLOSING_WORDS if says(name, pattern)), None)


def known_by_name(name: str) -> tuple[str | None, str]:
    """When a field is known by its name ("closing", "creation", "proposal" or None), and why."""
    closing = closing_by_name(name)
    if closing:
        return "closing", closing
    if says(name, FIRST_WORDS) and says(name, AMOUNT_WORDS + "|amount"):
        return "creation", "the first amount, written when the deal began"
    if says(name, JUDGEMENT_WORDS):
        return None, "a judgement; fill in when it is made"
    if says(name, PROPOSAL_WORDS):
        return "proposal", "set when the proposal is made"
    if says(name, CREATION_WORDS):
        return "creation", "a property of the customer, product or source"
    return None, "the name does not say; fill in when it is known"
