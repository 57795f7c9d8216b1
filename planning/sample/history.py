"""How each deal went: stage history, closing dates, what was written only at closing, and the reasons reps gave."""

import numpy as np
import pandas as pd

from planning.sample.company import AS_OF, CURRENCY, stream
from planning.sample.deals import MAX_CYCLE, SHARES, local_amount

STAGES = ("Lead", "Qualified", "Proposal", "Negotiation")
STAGE_PROBABILITY = np.array([0.10, 0.25, 0.45, 0.70])
CLOSING = {"won": "Closed won", "lost": "Closed lost", "no_decision": "No decision"}
TYPICAL_CYCLE = {"Pumps": 82, "Valves": 60, "Sensors": 55, "Drives": 98, "Service": 38}
AT_PROPOSAL = (
    "requirements_met", "unmet_requirement", "technical_check", "price_gap", "discount", "contacts", "competitors",
    "competitor",
)  # fmt: skip
REASONS = {
    "price": ("Price", "Price", "Price", "price", "too expensive", "Preis zu hoch", "PRICE!", "价格太高",
              "lost on price"),
    "product": ("Product fit", "Product fit", "technical requirements not met", "missing function", "Delivery time",
                "功能不符"),
    "market": ("Budget cut", "Project postponed", "no budget this year", "市场不景气"),
    "skill": ("Relationship", "we answered too late", "lost contact", "only knew the buyer"),
    "customer": ("Stayed with current supplier", "group contract", "Incumbent", "客户关系"),
}  # fmt: skip
WRITES_PRICE, WRITES_CAUSE, WRITES_NOTHING = 0.44, 0.38, 0.08
CONTRACTS = ("Single order", "Framework", "Call-off")
NEXT_STEPS = ("Call back", "Send quote", "Site visit", "Technical meeting", "Wait for budget")


def known_at() -> dict[str, str]:
    """Return when each field of the deals is known: the answer to `[known_at]` of a families file."""
    creation = (
        "market_growth", "incumbent", "relationship_years", "type", "source", "industry", "region", "line",
        "customer_type", "account_id", "owner_id", "amount_first",
    )  # fmt: skip
    closing = ("amount", "probability", "loss_reason", "closing_discount", "competitor_winner", "days_in_stage_total",
               "next_step")  # fmt: skip
    stages = dict.fromkeys(AT_PROPOSAL, "Proposal") | {"response_hours": "Qualified"}
    return dict.fromkeys(creation, "creation") | stages | dict.fromkeys(closing, "closing")


def families() -> dict[str, list[str]]:
    """Return the fields of each family."""
    return {
        "market": ["market_growth", "competitors", "competitor"],
        "product": ["requirements_met", "technical_check", "line"],
        "price": ["price_gap", "discount"],
        "skill": ["owner_id", "response_hours", "contacts"],
        "customer": ["account_id", "incumbent", "relationship_years", "type"],
    }


def follow(seed: int, deals: pd.DataFrame, truth: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the tables `deals` and `stage_history` and the truth with each deal's main cause."""
    rng = stream(seed, "stage_history")
    deals = deals.copy()
    entered, last, closed = _dates(rng, deals)
    deals["closed_date"] = closed
    deals["outcome"] = deals["outcome"].where(closed.notna(), "open")
    first, quote, final = _amounts(rng, deals)
    deals["stage"] = deals["outcome"].map(CLOSING).fillna(pd.Series(np.array(STAGES)[last]))
    deals["amount_first"] = first
    reached = np.where(last >= 2, quote, first)
    deals["amount"] = np.where(deals["outcome"] == "open", reached, final)
    deals["currency"] = deals["region"].map(CURRENCY)
    deals["probability"] = _probability(rng, deals, last)
    history = _history(deals, entered, last, first, quote)
    expected = history.drop_duplicates("deal_id", keep="last").set_index("deal_id")["close_date"]
    deals["close_date"] = deals["deal_id"].map(expected).where(deals["outcome"] == "open")
    _write_closing_fields(stream(seed, "closing"), deals)
    truth = _write_reasons(stream(seed, "loss_reason"), deals, truth)
    _blank(stream(seed, "blanks"), deals, last)
    return deals[_columns(deals)], history, truth


def _dates(rng: np.random.Generator, deals: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, pd.Series]:
    """Return the days each stage was entered (deals x 4), the last stage reached, and the closing date or NaT."""
    n = len(deals)
    outcome = deals["outcome"].to_numpy()
    pace = np.select([outcome == "won", outcome == "no_decision"], [0.90, 1.35], 1.0)
    typical = deals["line"].map(TYPICAL_CYCLE).to_numpy() * np.exp(0.12 * (deals["size"].to_numpy() - 1.3))
    cycle = np.clip(typical * pace * np.exp(rng.normal(0.0, 0.55, n)), 6, MAX_CYCLE).astype(int)
    last = np.full(n, 3)
    last[outcome == "lost"] = rng.choice([2, 3], size=n, p=[0.55, 0.45])[outcome == "lost"]
    last[outcome == "no_decision"] = rng.choice(4, size=n, p=[0.2, 0.3, 0.35, 0.15])[outcome == "no_decision"]
    part = rng.gamma([1.3, 1.6, 2.2, 1.8], size=(n, 4)) + 0.05
    part[np.arange(4)[None] > last[:, None]] = 0.0
    part /= part.sum(axis=1, keepdims=True)
    begin = np.floor(np.concatenate([np.zeros((n, 1)), np.cumsum(part, axis=1)[:, :-1]], axis=1) * cycle[:, None])
    created = deals["created_date"]
    closed = created + pd.to_timedelta(cycle, unit="D")
    closed = closed.where(closed <= AS_OF)
    elapsed = (AS_OF - created).dt.days.to_numpy()
    is_open = closed.isna().to_numpy()
    now = (begin <= elapsed[:, None]) & (np.arange(4)[None] <= last[:, None])
    last = np.where(is_open, now.sum(axis=1) - 1, last)
    back_filled = ~is_open & (rng.random(n) < np.where(outcome == "won", 0.035, 0.008))
    deals.loc[back_filled, "created_date"] = closed[back_filled]  # entered into the system on the day of the result
    begin[back_filled] = 0.0
    return begin.astype(int), last, closed


def _amounts(rng: np.random.Generator, deals: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return first estimate, quote and final amount in the deal's currency; reps leave round sums on lost deals."""
    n = len(deals)
    exact = local_amount(deals["euros"], deals["region"])
    step = np.where(exact < 20_000, 500.0, 1_000.0)
    first = np.maximum(step, np.round(exact * np.exp(rng.normal(0.05, 0.22, n)) / step) * step)
    quote = np.round(exact * (1.0 + rng.normal(0.03, 0.04, n)) / 10.0) * 10.0
    signed = np.round(exact * (1.0 - 0.3 * deals["discount"].to_numpy()), 2)
    rounded = np.maximum(step, np.round(quote / step) * step)
    edited = np.where(rng.random(n) < 0.18, rounded, signed)
    left = np.where(rng.random(n) < 0.62, rounded, quote)
    return first, quote, np.where(deals["outcome"] == "won", edited, left)


def _probability(rng: np.random.Generator, deals: pd.DataFrame, last: np.ndarray) -> np.ndarray:
    """Return 1 or 0 for closed deals, the rep's hopeful figure in steps of .05 for open ones."""
    hope = np.clip(STAGE_PROBABILITY[last] + rng.normal(0.06, 0.10, len(deals)), 0.05, 0.95)
    closed = np.where(deals["outcome"] == "won", 1.0, 0.0)
    return np.where(deals["outcome"] == "open", np.round(np.round(hope * 20) / 20, 2), closed)


def _history(deals: pd.DataFrame, entered, last, first, quote) -> pd.DataFrame:
    """Return the table `stage_history`: one row a stage entered, the closing stage last."""
    created = deals["created_date"].to_numpy()
    closed = deals["closed_date"].to_numpy()
    plan = pd.to_timedelta(deals["line"].map(TYPICAL_CYCLE), unit="D").to_numpy()
    frames = []
    for s, stage in enumerate(STAGES):
        here = last >= s
        start = created + entered[:, s].astype("timedelta64[D]")
        following = created + entered[:, min(s + 1, 3)].astype("timedelta64[D]")
        frames.append(pd.DataFrame({
            "deal_id": deals["deal_id"], "order": s, "stage": stage, "entered_at": start,
            "left_at": np.where(last > s, following, closed), "amount": first if s < 2 else quote,
            "close_date": np.maximum(created + plan, start + np.timedelta64(14, "D")),
            "probability": STAGE_PROBABILITY[s], "owner_id": deals["owner_id"],
        })[here])  # fmt: skip
    final = deals["closed_date"].notna().to_numpy()
    frames.append(pd.DataFrame({
        "deal_id": deals["deal_id"], "order": 4, "stage": deals["stage"], "entered_at": closed, "left_at": pd.NaT,
        "amount": deals["amount"], "close_date": closed, "probability": deals["probability"],
        "owner_id": deals["owner_id"],
    })[final])  # fmt: skip
    for frame in frames:
        for name in ("entered_at", "left_at", "close_date"):
            frame[name] = frame[name].astype("datetime64[us]")
    table = pd.concat(frames, ignore_index=True).sort_values(["deal_id", "order"], kind="stable")
    return table.drop(columns="order").reset_index(drop=True)


def _write_closing_fields(rng: np.random.Generator, deals: pd.DataFrame) -> None:
    """Add fields that are only written at or after closing; they look like causes and are none."""
    n = len(deals)
    won, lost = (deals["outcome"] == "won").to_numpy(), (deals["outcome"] == "lost").to_numpy()
    filled = (won & (rng.random(n) < 0.94)) | (lost & (rng.random(n) < 0.03))
    extra = np.round(np.round((deals["discount"] + rng.uniform(0.0, 0.03, n)) * 200) / 200, 3)
    deals["closing_discount"] = extra.where(filled)
    named = lost & (rng.random(n) < 0.70) & deals["competitor"].notna().to_numpy()
    deals["competitor_winner"] = deals["competitor"].where(named)
    end = deals["closed_date"].fillna(AS_OF)
    deals["days_in_stage_total"] = (end - deals["created_date"]).dt.days
    active = rng.random(n) < np.where(deals["outcome"] == "open", 0.71, 0.02)
    deals["next_step"] = pd.Series(rng.choice(NEXT_STEPS, size=n)).where(active)
    deals["contract_type"] = rng.choice(CONTRACTS, size=n)  # nobody can say when it is known: not in known_at()


def _write_reasons(rng: np.random.Generator, deals: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Add loss_reason and its source as written; return the truth with the family that pulled each deal down most."""
    names = np.array(list(SHARES))
    cause = names[truth[list(SHARES)].to_numpy().argmin(axis=1)]
    n = len(deals)
    draw = rng.random(n)
    other = rng.choice(names, size=n)
    limits = np.cumsum([WRITES_PRICE, WRITES_CAUSE, WRITES_NOTHING])
    written = np.select([draw < limits[0], draw < limits[1], draw < limits[2]], ["price", cause, ""], other)
    asked = rng.random(n) < 0.06
    written = np.where(asked, cause, written)
    pick = rng.random(n)
    text = [REASONS[w][int(p * len(REASONS[w]))] if w else None for w, p in zip(written, pick, strict=True)]
    lost = (deals["outcome"] == "lost").to_numpy()
    deals["loss_reason"] = pd.Series(text, dtype=object).where(lost)
    stalled = (deals["outcome"] == "no_decision").to_numpy() & (pick < 0.5)
    deals.loc[stalled, "loss_reason"] = np.where(pick[stalled] < 0.3, "No decision", "project cancelled")
    source = pd.Series(np.where(asked & lost, "buyer", "rep"), dtype=object)
    deals["loss_reason_source"] = source.where(deals["loss_reason"].notna())
    return truth.assign(main_cause=cause, written_as=np.where(lost & (written != ""), written, ""))


def _blank(rng: np.random.Generator, deals: pd.DataFrame, last: np.ndarray) -> None:
    """Empty what was not yet known at the last stage reached, and a few values nobody entered."""
    early = last < 2
    for name in AT_PROPOSAL:
        forgotten = rng.random(len(deals)) < {"price_gap": 0.04, "contacts": 0.02}.get(name, 0.0)
        deals[name] = deals[name].where(~(early | forgotten))
    deals["response_hours"] = deals["response_hours"].where(last >= 1)
    for name in ("technical_check", "contacts", "competitors"):
        deals[name] = deals[name].astype("Int64")


def _columns(deals: pd.DataFrame) -> list[str]:
    first = [
        "deal_id", "name", "account_id", "owner_id", "region", "line", "customer_type", "industry", "source", "type",
        "stage", "outcome", "created_date", "closed_date", "close_date", "amount", "amount_first", "currency",
        "probability", "loss_reason", "loss_reason_source", "competitor",
    ]  # fmt: skip
    hidden = {"euros", "size", "first_order_date"}
    return first + [name for name in deals.columns if name not in first and name not in hidden]
