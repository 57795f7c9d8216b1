"""From the sales table to history and outlook: money, months, cells that cannot be forecast, growth."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from made_sales import sales

from planning.config.models import Settings
from planning.errors import DataError, UsageError
from planning.forecast import history as h
from planning.forecast import outlook as o
from planning.language import use


def cell(history, name):
    return history.series.set_index("unique_id").loc[name]


def test_amounts_are_turned_into_one_currency_and_an_unknown_one_is_named():
    table = sales(24).assign(currency="CHF")
    history = h.history_of(table, currency="EUR", rates={"CHF": 1.05})
    assert history.whole["y"].sum() == pytest.approx(1.05 * table["amount"].sum())
    with pytest.raises(DataError, match=r"no rate is known for CHF. Add \[rates\] CHF"):
        h.history_of(table, currency="EUR")


def test_a_key_the_table_lacks_is_dropped_and_none_at_all_is_an_error():
    history = h.history_of(sales(24))
    assert history.keys == ("region", "line")
    assert len(history.series) == 4
    with pytest.raises(DataError, match="none of the columns country"):
        h.history_of(sales(24), by=["country"])


def test_rows_of_a_month_are_added_up_and_an_unfinished_month_is_left_out():
    days = pd.date_range("2024-01-01", "2025-03-10", freq="D")
    table = pd.DataFrame({"ds": days, "region": "N", "line": "P", "amount": 1.0})
    history = h.history_of(table)
    assert history.last == pd.Timestamp("2025-02-01")
    assert history.left_out == [("unfinished_month", 10)]
    assert history.whole.set_index("ds")["y"].loc["2024-02-01"] == 29.0


def test_as_of_cuts_later_rows_and_the_month_it_lies_in():
    history = h.history_of(sales(60), as_of=dt.date(2026, 6, 15))
    assert history.last == pd.Timestamp("2026-05-01")
    assert dict(history.left_out) == {"after_as_of": 24, "unfinished_month": 4}
    whole = h.history_of(sales(60), as_of=dt.date(2026, 6, 30))
    assert whole.last == pd.Timestamp("2026-06-01")


def test_every_cell_is_forecast_or_named_with_its_reason():
    table = sales(60)
    north = (table["region"] == "North") & (table["line"] == "Pumps")
    table = table[~(north & (table["ds"] > "2025-06-01"))]
    new = pd.DataFrame({"ds": pd.date_range("2026-09-01", periods=4, freq="MS"), "region": "New", "line": "Pumps",
                        "amount": 5.0})  # fmt: skip
    never = pd.DataFrame({"ds": pd.date_range("2022-01-01", periods=60, freq="MS"), "region": "Zero", "line": "Pumps",
                          "amount": 0.0})  # fmt: skip
    history = h.history_of(pd.concat([table, new, never]))
    assert cell(history, "North/Pumps")["status"] == "ended"
    assert cell(history, "New/Pumps")["status"] == "too_short"
    assert cell(history, "Zero/Pumps")["status"] == "no_demand"
    assert set(history.frame["region"] + history.frame["line"]) == {"NorthValves", "SouthPumps", "SouthValves"}


def test_late_rows_take_the_month_a_year_before_and_a_longer_silence_counts_as_no_sales():
    table = sales(60)
    north = (table["region"] == "North") & (table["line"] == "Pumps")
    late = h.history_of(table[~(north & (table["ds"] >= "2026-12-01"))])
    y = late.frame[(late.frame["region"] == "North") & (late.frame["line"] == "Pumps")].set_index("ds")["y"]
    assert y.loc["2026-12-01"] == y.loc["2025-12-01"]
    assert cell(late, "North/Pumps")["gaps"] == 1
    silent = h.history_of(table[~(north & (table["ds"] >= "2026-08-01"))])
    y = silent.frame[(silent.frame["region"] == "North") & (silent.frame["line"] == "Pumps")].set_index("ds")["y"]
    assert (y.loc["2026-08-01":] == 0).all() and len(y.loc["2026-08-01":]) == 5


def test_fiscal_years_end_in_the_year_they_are_named_by():
    history = h.history_of(sales(60), as_of=dt.date(2026, 9, 30))
    assert o.last_full_year(history, 4) == 2026
    assert o.plan_year(history, None, 4) == 2027
    assert o.horizon_to(history, 2027, 4) == 6
    assert [str(m.date()) for m in o.year_months(2027, 4)[[0, -1]]] == ["2026-04-01", "2027-03-01"]
    with pytest.raises(UsageError, match="year 2026 is over"):
        o.horizon_to(history, 2026, 4)
    with pytest.raises(UsageError, match="the most"):
        o.horizon_to(history, 2040, 4)


def test_growth_is_against_the_last_full_year_and_adds_up(company, ahead):
    table = o.growth(ahead, company, 2027)
    total = table[table["level"] == "total"].iloc[0]
    cells = table[table["level"] == "region/line"]
    actual = company.whole[company.whole["ds"] >= "2026-01-01"]["y"].sum()
    assert total["last_year"] == pytest.approx(actual)
    assert cells["expected"].sum() == pytest.approx(total["expected"], rel=1e-9)
    assert total["growth"] == pytest.approx(total["expected"] / actual - 1)
    assert total["lo80"] < total["expected"] < total["hi80"]
    assert (cells["hi80"] - cells["lo80"]).sum() > total["hi80"] - total["lo80"]
    assert 0.02 < total["growth"] + 0.02 < 0.08


def test_months_of_the_plan_year_that_are_over_count_as_sold():
    history = h.history_of(sales(60), as_of=dt.date(2026, 9, 30))
    joint = o.outlook(history, 3)
    table = o.growth(joint, history, 2026)
    sold = history.whole[history.whole["ds"] >= "2026-01-01"]["y"].sum()
    total = table[table["level"] == "total"].iloc[0]
    assert total["expected"] == pytest.approx(sold + joint.mean[0].sum())
    assert total["hi80"] - total["lo80"] < 0.2 * total["expected"]


def test_the_order_of_rows_does_not_matter(company):
    shuffled = h.history_of(sales().sample(frac=1.0, random_state=1))
    pd.testing.assert_frame_equal(shuffled.frame, company.frame)
    pd.testing.assert_frame_equal(shuffled.series, company.series)


def test_the_fan_has_history_and_bands_that_contain_one_another(company, ahead):
    frame = o.fan_frame(ahead, o.node_history(company, ahead.cells), ["total", "North"])
    future = frame[frame["mean"].notna()]
    assert len(future) == 24 and frame["actual"].notna().sum() == 120
    assert (future["lo-95"] <= future["lo-80"]).all() and (future["lo-80"] <= future["lo-50"]).all()
    assert list(dict.fromkeys(frame["unique_id"])) == ["total", "North"]


def test_an_outlook_that_cannot_be_made_says_why_instead_of_raising():
    settings = Settings.model_validate({"plan": {"by": ["region", "line"], "year": 2023}})
    table = sales(8)
    look = o.look_ahead(table, settings)
    assert look.joint is None and "12 are needed" in look.refused


def test_year_total_is_what_growth_says(company, ahead):
    table = o.growth(ahead, company, 2027)
    look = o.Outlook(company, 2027, 2026, ahead, table, o.node_history(company, ahead.cells))
    assert o.year_total(ahead, look) == pytest.approx(look.total["expected"])
    with use("zh"):
        assert np.isfinite(look.total["growth"])
