"""Dates: what is read, what is refused, and what proves the order of day and month."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from planning.tables.dates import date_order, formats_of, read_date, to_dates


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02", dt.datetime(2026, 3, 2)),
        ("2026/3/2", dt.datetime(2026, 3, 2)),
        ("2026-03", dt.datetime(2026, 3, 1)),
        ("20260302", dt.datetime(2026, 3, 2)),
        ("2026年3月2日", dt.datetime(2026, 3, 2)),
        ("2026年3月", dt.datetime(2026, 3, 1)),
        ("2-Mar-2026", dt.datetime(2026, 3, 2)),
        ("Mar 2026", dt.datetime(2026, 3, 1)),
        ("March 2, 2026", dt.datetime(2026, 3, 2)),
        ("2026-Q2", dt.datetime(2026, 4, 1)),
        ("2026", dt.datetime(2026, 1, 1)),
        ("2026-03-02 14:05:09", dt.datetime(2026, 3, 2, 14, 5, 9)),
        ("2026-03-02T23:30:00.000+0200", dt.datetime(2026, 3, 2, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))),
    ],
)
def test_year_first_forms_need_no_format(text, expected):
    assert read_date(text) == expected


@pytest.mark.parametrize(
    "text",
    ["32/01/2026", "00/00/2026", "2026-13-01", "2026-02-30", "hello", "45000", "32/1/26", "1.2.3", "12.05.2023."],
)
def test_what_is_no_date(text):
    assert read_date(text) == "bad"


@pytest.mark.parametrize("text", ["02/03/2026", "02.03.2026", "2-3-2026"])
def test_day_or_month_first_is_refused_without_proof(text):
    read = to_dates(pd.Series([text], dtype="str"))
    assert read.ambiguous.tolist() == [True]
    assert np.isnat(read.values[0])


def test_proof_in_another_cell_settles_the_order():
    column = pd.Series(["02/03/2026", "25/03/2026"], dtype="str")
    order = date_order([column])
    assert (order.orders, order.proof) == ({"/": "day"}, {"/": "25/03/2026"})
    assert to_dates(column, order=order.orders).values[0] == np.datetime64("2026-03-02")


def test_contradicting_proof_settles_nothing():
    column = pd.Series(["25/03/2026", "03/25/2026"], dtype="str")
    order = date_order([column])
    assert order.orders == {} and order.against == {"/": ("25/03/2026", "03/25/2026")}
    assert to_dates(column, order=order.orders).ambiguous.all()


def test_each_mark_proves_its_own_order():
    """Three systems in one column; naively read by strptime."""
    days = pd.date_range("2026-01-01", periods=300, freq="D")
    forms = ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"]
    column = pd.Series([day.strftime(forms[i % 3]) for i, day in enumerate(days)], dtype="str")
    order = date_order([column])
    read = to_dates(column, order=order.orders)
    assert order.forms == 3 and not read.ambiguous.any() and (read.values == days.to_numpy()).all()
    unproven = pd.Series(["25.12.2026", "02/03/2026"], dtype="str")
    assert to_dates(unproven, order=date_order([unproven]).orders).ambiguous.tolist() == [False, True]


def test_a_year_of_two_digits_is_read_where_the_order_is_proved_or_declared():
    alone = pd.Series(["02/03/26"], dtype="str")
    assert to_dates(alone, order=date_order([alone]).orders).ambiguous.all()
    assert formats_of("02/03/26") == ("%d/%m/%y", "%m/%d/%y")
    assert to_dates(alone, "DD/MM/YY").values[0] == np.datetime64("2026-03-02")
    column = pd.Series(["29.03.23", "02.03.2026", "02.03.98", "31.02.23"], dtype="str")
    order = date_order([column])
    read = to_dates(column, order=order.orders)
    assert (order.orders, order.forms) == ({".": "day"}, 2)
    assert read.bad.tolist() == [False, False, False, True]
    assert read.values[:3].astype("datetime64[D]").astype(str).tolist() == ["2023-03-29", "2026-03-02", "1998-03-02"]


@pytest.mark.parametrize("form", ["%d/%m/%Y", "DD/MM/YYYY"])
def test_a_declared_format_is_held_to(form):
    read = to_dates(pd.Series(["02/03/2026", "2026-03-02", "31/12/2026"], dtype="str"), form)
    assert read.bad.tolist() == [False, True, False]
    assert read.values[0] == np.datetime64("2026-03-02")


def test_a_date_keeps_its_own_day_and_a_time_stamp_turns_to_utc():
    column = pd.Series(["2026-03-02T00:30:00+02:00"], dtype="str")
    assert to_dates(column).values[0] == np.datetime64("2026-03-02")
    assert to_dates(column, keep_time=True).values[0] == np.datetime64("2026-03-01T22:30:00")
