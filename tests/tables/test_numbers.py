"""Numbers as people and programs write them, and the ones that must not pass."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planning.tables.numbers import decimal_mark, read_number, to_numbers


@pytest.mark.parametrize(
    ("text", "mark", "value"),
    [
        ("1234.5", ".", 1234.5),
        ("1,234.50", ".", 1234.5),
        ("1.234,56", ",", 1234.56),
        ("1 234,56", ",", 1234.56),
        ("1\u202f234,56 €", ",", 1234.56),
        ("1'234.50", ".", 1234.5),
        ("(1,200)", ".", -1200.0),
        ("1200-", ".", -1200.0),
        ("\u22125", ".", -5.0),
        ("€ 12", ".", 12.0),
        ("USD 1,000", ".", 1000.0),
        ("12k", ".", 12000.0),
        ("3.5万", ".", 35000.0),
        ("55 %", ".", 0.55),
        ("1e3", ".", 1000.0),
        ("￥1,000", ".", 1000.0),
    ],
)
def test_figures_as_written(text, mark, value):
    assert read_number(text, mark)[0] == pytest.approx(value)


@pytest.mark.parametrize("text", ["abc", "12abc", "1.2.3", "12,34.5", "=A1*2", "1,23,456", "North 5", "2026-01-01"])
def test_what_is_no_number(text):
    assert read_number(text)[1] is None


@pytest.mark.parametrize("text", ["", "  ", "NaN", "n/a", "NULL", "-", "无"])
def test_empty_cells(text):
    value, unit, _currency = read_number(text)
    assert math.isnan(value)
    assert unit is not None


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["1.234,56", "7"], ","),
        (["1234.56", "7"], "."),
        (["1,234.56"], "."),
        (["0,5"], ","),
        (["1.234.567"], ","),
        (["1,234,567"], "."),
        (["12", "15"], "."),
    ],
)
def test_one_telling_cell_decides_the_mark(cells, mark):
    found = decimal_mark([pd.Series(cells, dtype="str")])
    assert found.mark == mark
    assert found.against == ""


def test_both_marks_in_one_table_are_said():
    found = decimal_mark([pd.Series(["1.234,56"], dtype="str"), pd.Series(["1,234.56"], dtype="str")])
    assert (found.against, found.proof) == ("1.234,56", "1,234.56")


def test_a_thousand_or_a_bit_more_than_one_is_doubtful():
    assert decimal_mark([pd.Series(["1,234", "2,500"], dtype="str")]).doubtful == "1,234"


def test_the_mark_of_one_column_holds_for_the_others():
    frame = pd.DataFrame({"amount": ["1.234,56", "9,5"], "units": ["1.500", "20"]}, dtype="str")
    mark = decimal_mark(frame[name] for name in frame).mark
    assert to_numbers(frame["units"], mark).values.tolist() == [1500.0, 20.0]


def test_infinite_and_huge_figures_are_marked():
    read = to_numbers(pd.Series(["1", "inf", "-Infinity", "1e300", ""], dtype="str"))
    assert read.not_finite.tolist() == [False, True, True, True, False]
    assert np.isnan(read.values[4])


def test_mixed_units_are_remembered_by_their_place():
    read = to_numbers(pd.Series(["12", "3k", "0", "4k"], dtype="str"))
    assert read.units == {"": 0, "k": 1}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1e9, 1e9).map(lambda x: round(x, 2)), min_size=1, max_size=20))
def test_both_ways_of_writing_read_back_the_same(values):
    english = pd.Series([f"{value:,.2f}" for value in values], dtype="str")
    german = english.str.translate(str.maketrans(",.", ".,"))
    for column in (english, german):
        mark = decimal_mark([column]).mark
        assert to_numbers(column, mark).values == pytest.approx(values)
