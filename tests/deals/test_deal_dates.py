"""Which dates a deal was created and closed on, in whatever order and form the columns have them."""

import numpy as np
import pandas as pd
import pytest
from made_deals import deals

from planning.deals import audit
from planning.deals.audit_tables import find_dates
from planning.deals.prepare import prepare


def dated(n: int = 1200) -> pd.DataFrame:
    """Deals closed 1 to 200 days after creation, every fourth still open."""
    created = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(n) // 2, unit="D"))
    closed = created + pd.to_timedelta(1 + np.arange(n) * 7 % 200, unit="D")
    frame = deals(n).assign(created_date=created, closed_date=closed)
    waiting = np.arange(n) % 4 == 0
    return frame.assign(outcome=frame["outcome"].mask(waiting, "open"), closed_date=closed.mask(waiting))


def both(frame: pd.DataFrame) -> tuple[pd.Series | None, pd.Series | None]:
    return find_dates(prepare(frame, outcome="outcome", won="won"))


@pytest.mark.parametrize("filled", ["all", "open"])
@pytest.mark.parametrize("name", ["close_date", "预计成交日期", "expected_closed_date"])
@pytest.mark.parametrize("actual", ["closed_date", "day_of_closing"])
def test_the_closing_date_is_the_one_closed_deals_have(filled, name, actual):
    frame = dated().rename(columns={"closed_date": actual})
    wish = frame["created_date"] + pd.Timedelta(days=60)
    wish = wish if filled == "all" else wish.where(frame["outcome"].eq("open"))
    for place in (0, len(frame.columns)):
        other = frame.copy()
        other.insert(place, name, wish)
        assert both(other)[1].equals(frame[actual].astype("datetime64[us]")), place


def test_the_creation_date_is_the_one_so_named_and_before_closing():
    frame = dated()
    wish = frame["closed_date"].fillna(pd.Timestamp("2026-01-01")) + pd.Timedelta(days=30)
    for name in ("created_date", "date_engaged"):
        other = frame.rename(columns={"created_date": name})
        other.insert(0, "contract_start_date", wish)
        assert both(other)[0].equals(frame["created_date"].astype("datetime64[us]"))


def test_a_truncated_export_is_refused_whatever_other_date_stands_in_front():
    frame = dated()
    frame = frame[frame["closed_date"].isna() | (frame["closed_date"] > "2024-09-01")].reset_index(drop=True)
    frame.insert(1, "close_date", frame["created_date"].where(frame["outcome"].eq("open")) + pd.Timedelta(days=60))
    assert "truncation" in set(audit(frame)["rule"])
