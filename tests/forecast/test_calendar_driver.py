"""Working days and what-if from the command line: counted by region, used where they help, other paths compared."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from planning.cli.forecast import command
from planning.errors import UsageError
from planning.forecast import workdays
from planning.forecast.calendar_driver import codes_of, known_days, span
from planning.forecast.frequency import parse

H = 12


def made(n=6, months=84, price=-1.2):
    """Returns rows of series in two countries that follow their working days and their price."""
    rng, ds = np.random.default_rng(1), pd.date_range("2020-01-01", periods=months + H, freq="MS")
    parts = []
    for i in range(n):
        region, code = (("N", "DE"), ("S", "AT"))[i % 2]
        days = workdays.between(code, ds.to_numpy(), (ds + pd.offsets.MonthEnd(0)).to_numpy())
        cost = np.exp(rng.normal(0, 0.1, len(ds))).round(3)
        y = 100 * (i + 1) * (days / 20) * cost**price * np.exp(np.cumsum(rng.normal(0, 0.01, len(ds))))
        parts.append(pd.DataFrame({"region": region, "line": f"L{i}", "ds": ds, "y": y, "price": cost}))
    frame = pd.concat(parts, ignore_index=True)
    frame["unique_id"] = frame["region"] + "/" + frame["line"]
    past = frame["ds"] < ds[months]
    return frame[past].reset_index(drop=True), frame[~past].reset_index(drop=True)


def run(*arguments):
    return CliRunner().invoke(command, [*map(str, arguments), "--horizon", str(H), "--freq", "MS", "--json"])


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    history, future = made()
    history.to_csv("h.csv", index=False)
    future.drop(columns="y").to_csv("f.csv", index=False)
    future.assign(price=future["price"] * 1.05).drop(columns="y").to_csv("o.csv", index=False)
    return tmp_path


def test_codes_are_one_country_or_one_a_region():
    assert codes_of("DE-BY") == {"": "DE-BY"} and codes_of("N=DE, S=AT") == {"N": "DE", "S": "AT"}
    for wrong in ("", "N=", "=DE", "DE,DE"):
        with pytest.raises(UsageError, match="--holidays"):
            codes_of(wrong)


@pytest.mark.parametrize(
    ("alias", "date", "first", "last"),
    [("D", "2027-05-04", "2027-05-04", "2027-05-04"), ("W-MON", "2027-05-03", "2027-05-03", "2027-05-09"),
     ("W-SUN", "2027-05-09", "2027-05-03", "2027-05-09"), ("MS", "2027-02-01", "2027-02-01", "2027-02-28"),
     ("ME", "2027-02-28", "2027-02-01", "2027-02-28"), ("QE", "2027-03-31", "2027-01-01", "2027-03-31"),
     ("YS", "2027-01-01", "2027-01-01", "2027-12-31")],
)  # fmt: skip
def test_a_period_holds_all_its_days(alias, date, first, last):
    dates = np.array([date], dtype="datetime64[D]")
    frequency = parse(alias, dates)
    starts, ends = span(frequency, frequency.ordinal(dates))
    assert (str(starts[0]), str(ends[0])) == (first, last)


def test_days_are_counted_by_region_for_history_and_future():
    history, _future = made(2)
    table, ahead, other = known_days(history.drop(columns="price"), None, None, codes_of("N=DE,S=AT"),
                                     keys=["unique_id"], freq="MS", horizon=H)  # fmt: skip
    may = table[table["ds"] == "2026-05-01"].set_index("region")["working_days"]
    starts, ends = np.array(["2026-05-01"], "datetime64[D]"), np.array(["2026-05-31"], "datetime64[D]")
    assert may["N"] == workdays.between("DE", starts, ends)[0] and may["S"] == workdays.between("AT", starts, ends)[0]
    assert other is None and len(ahead) == 2 * H and ahead["ds"].min() == pd.Timestamp("2027-01-01")
    with pytest.raises(UsageError, match="working_days already"):
        known_days(table, None, None, {"": "DE"}, keys=["unique_id"], freq="MS", horizon=H)
    with pytest.raises(UsageError, match="no column region"):
        known_days(history.drop(columns="region"), None, None, {"N": "DE"}, keys=["unique_id"], freq="MS", horizon=H)


def test_single_series_use_working_days_where_they_help(folder):
    pd.read_csv("h.csv").drop(columns=["price", "line"]).to_csv("d.csv", index=False)
    done = run("d.csv", "--out", "a.csv", "--holidays", "N=DE,S=AT")
    assert done.exit_code == 0, done.output
    row = pd.read_csv("a.effects.csv").iloc[0]
    assert row["driver"] == "working_days" and row["told"] and row["effect"] == pytest.approx(1.0, abs=0.4)
    assert json.loads(done.output)["drivers_used"] in ("working_days", "")


def test_another_path_of_the_drivers_is_compared_single_and_coherent(folder):
    single = ["h.csv", "--out", "a.csv", "--drivers", "f.csv", "--what-if", "o.csv", "--holidays", "N=DE,S=AT"]
    pd.read_csv("h.csv").drop(columns="line").to_csv("h1.csv", index=False)
    pd.read_csv("f.csv").drop(columns=["region", "line"]).to_csv("f1.csv", index=False)
    pd.read_csv("o.csv").drop(columns=["region", "line"]).to_csv("o1.csv", index=False)
    done = run(*[name.replace(".csv", "1.csv") if name[0] in "hfo" else name for name in single])
    assert done.exit_code == 0, done.output
    found = pd.read_csv("a.whatif.csv")
    share = found["change"].sum() / found["mean"].sum()
    assert share == pytest.approx(1.05**-1.2 - 1, abs=0.01)
    done = run("h.csv", "--out", "c.csv", "--by", "region,line", "--spec", "region", "--drivers", "f.csv",
               "--what-if", "o.csv", "--holidays", "N=DE,S=AT")  # fmt: skip
    assert done.exit_code == 0, done.output
    found = pd.read_csv("c.whatif.csv").set_index("unique_id")
    assert found.loc["total", "change"].sum() == pytest.approx(found.loc[["N", "S"], "change"].sum())
    assert found.loc["total", "change"].sum() / found.loc["total", "mean"].sum() == pytest.approx(share, abs=0.01)
    assert set(pd.read_csv("c.effects.csv")["driver"]) == {"price", "working_days"}


def test_a_what_if_alone_or_with_a_hole_is_refused_and_nothing_is_written(folder):
    alone = run("h.csv", "--out", "a.csv", "--what-if", "o.csv")
    assert alone.exit_code == 2 and "--what-if needs --drivers" in alone.stderr
    pd.read_csv("o.csv").query("ds != '2027-03-01'").to_csv("p.csv", index=False)
    holed = run("h.csv", "--out", "a.csv", "--by", "region,line", "--drivers", "f.csv", "--what-if", "p.csv")
    assert holed.exit_code == 1 and "2027-03-01" in holed.stderr and not (folder / "a.csv").exists()
