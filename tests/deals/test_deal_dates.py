"""Which dates a deal was created and closed on, in whatever order and form the columns have them."""

import numpy as np
import pandas as pd
import pytest
from made_deals import deals

from planning.deals import audit
from planning.deals.audit_tables import find_dates
from planning.deals.columns import read_column
from planning.deals.drafting import draft
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


FORMS = {
    "number": lambda days: pd.to_numeric(days.dt.strftime("%Y%m%d")),
    "text": lambda days: days.dt.strftime("%Y%m%d"),
    "named": lambda days: days.dt.strftime("%d-%b-%y"),
}


@pytest.mark.parametrize("form", FORMS)
def test_days_without_marks_and_with_named_months_are_days(form):
    frame = dated()
    written = frame.assign(**{name: FORMS[form](frame[name]) for name in ("created_date", "closed_date")})
    for mine, right in zip(both(written), both(frame), strict=True):
        assert mine.equals(right)
    assert read_column(written["created_date"].rename("x1")).kind == "date"  # every value is a day
    odd = pd.Series([*range(20240101, 20240130)] * 9 + [20240231], name="created_date")
    column = read_column(odd)
    assert column.kind == "date" and column.unread == 1 and column.unread_example == "20240231"
    assert read_column(odd.rename("amount")).kind == "number"


@pytest.mark.parametrize("name", ["created_date", "创建日期", "date_created", "Erstelldatum"])
@pytest.mark.parametrize(
    "months", [["2023-01", "2023-02", "2024-11"], [45_001.0, 45_002.0, 45_100.0], ["Q1", "Q2", "Q3"]]
)
def test_a_date_that_cannot_be_read_is_refused_and_never_drafted(name, months):
    frame = deals(600).assign(**{name: np.resize(months, 600)})
    found = audit(frame).set_index(["rule", "field"])
    assert found.loc[("unread_dates", name), "severity"] == "fault"
    assert str(months[0]).removesuffix(".0") in found.loc[("unread_dates", name), "evidence"]
    drafted = draft(frame, outcome="outcome", won="won").families
    assert name not in drafted.family_of and "fit" in drafted.family_of
    # What only sounds like a date stays what it is.
    for other in ("days_open", "updates", "region"):
        assert read_column(frame[name].rename(other)).kind != "date"
    assert read_column(pd.Series(["yes", "no"] * 30, name="kept_date")).kind == "category"


def test_years_in_front_are_told_as_ambiguous_and_days_in_front_are_read():
    frame = dated()
    pattern = "%y/%m/%d"
    rows = frame["created_date"].dt.year.gt(2023)
    written = frame[rows].assign(
        created_date=frame["created_date"].dt.strftime(pattern), closed_date=frame["closed_date"].dt.strftime(pattern)
    )
    found = audit(written)
    assert set(found.loc[found["rule"].eq("ambiguous_dates"), "field"]) == {"created_date", "closed_date"}
    assert not found["rule"].isin(["closed_before_created", "truncation"]).any()
    # Few days of the month: no column alone shows it, but most deals would be closed before they were created.
    few = written.assign(created_date="26/03/1" + (written["deal_id"] % 3).astype(str),
                         closed_date="26/04/0" + (written["deal_id"] % 2 + 1).astype(str))  # fmt: skip
    found = audit(few)
    assert set(found.loc[found["rule"].eq("ambiguous_dates"), "field"]) == {"created_date", "closed_date"}
    days = frame.assign(created_date=frame["created_date"].dt.strftime("%d/%m/%y"))
    assert both(days)[0].equals(both(frame)[0])
