import datetime as dt

import pytest

from planning import language as lg
from planning.errors import UsageError


@pytest.mark.parametrize(
    ("x", "en", "zh"),
    [
        (123_260_000, "€123.3\u202fm", "1.233亿欧元"),
        (9_400, "€9\u202fk", "9,400欧元"),
        (-940, "\u2212€940.00", "\u2212940.00欧元"),
        (0, "€0.00", "0.00欧元"),
        (-0.001, "€0.00", "0.00欧元"),
        (2.5e9, "€2.50\u202fbn", "25.000亿欧元"),
        (float("nan"), "–", "–"),
    ],
)
def test_money(x, en, zh):
    assert lg.money(x, "EUR") == en
    with lg.use("zh"):
        assert lg.money(x, "EUR") == zh


def test_an_unknown_currency_is_written_by_its_code():
    assert lg.money(2_000_000, "SEK") == "SEK\u202f2.0\u202fm"


def test_rates_and_signs():
    assert lg.percent(0.554) == "55\u202f%"
    assert lg.chance(0.999) == "above 99\u202f%"
    assert lg.chance(0.004) == "below 1\u202f%"
    assert lg.chance(1.0) == "100\u202f%"
    assert lg.signed(0.04, formatter=lg.percent) == "+4\u202f%"
    assert lg.signed(0.001, formatter=lg.percent) == "0\u202f%"
    assert lg.signed(-3) == "\u22123"
    with lg.use("zh"):
        assert lg.percent(0.554) == "55%"
        assert lg.chance(0.999) == "高于 99%"
        assert lg.interval(1, 2) == "1 至 2"


def test_dates_and_lists():
    day = dt.date(2027, 1, 8)
    assert (lg.day(day), lg.month(day)) == ("8 Jan 2027", "Jan 2027")
    assert lg.listing(["a", "b", "c"]) == "a, b and c"
    with lg.use("zh"):
        assert (lg.day(day), lg.month(day)) == ("2027年1月8日", "2027年1月")
        assert lg.listing(["a", "b"]) == "a和b"
    assert lg.current() == "en"


def test_an_unknown_language_is_refused():
    with pytest.raises(UsageError, match="It is one of: en, zh"), lg.use("zn"):
        pass
