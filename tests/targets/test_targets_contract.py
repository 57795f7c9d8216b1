"""`planning targets` on files: the contract's files, exact sums, exit codes, the same bytes for shuffled rows."""

from __future__ import annotations

import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from planning.cli.targets import command
from planning.errors import DataError
from planning.targets.annual import plan_year
from planning.targets.policy import make_policy

POLICY = """
currency = "EUR"
by = ["region", "line"]
target = { commit = 0.80, target = 0.55, stretch = 0.25 }
split = { method = "equal_probability" }
priority = [{ line = "Sensors", weight = 1.5 }]
bounds = [{ region = "North", min_growth = 0.0, max_growth = 0.25 }]
lock = [{ region = "South", line = "Valves", amount = 7_500_000.5 }]
capacity = [{ line = "Pumps", amount = 8_000_000, kind = "supply" }]
"""


@pytest.fixture
def files(tmp_path, history):
    history.to_csv(tmp_path / "h.csv", index=False)
    (tmp_path / "p.toml").write_text(POLICY, encoding="utf-8")
    return tmp_path


def run(files, *more, history="h.csv", policy="p.toml", out="out"):
    words = [str(files / history), "--year", "2027", "--policy", str(files / policy), "--out", str(files / out), *more]
    return CliRunner().invoke(command, words)


def exact(column) -> list[Decimal]:
    return [Decimal(text) for text in column]


def test_the_contract_files_add_up_to_the_cent(files):
    assert run(files).exit_code == 0
    targets = pd.read_csv(files / "out" / "targets.csv", dtype=str)
    cells = pd.read_csv(files / "out" / "cells.csv", dtype={"target": str})
    summary = json.loads((files / "out" / "summary.json").read_text())
    assert list(targets.columns) == ["region", "line", "month", "target"]
    assert list(cells.columns[:7]) == [
        "region", "line", "target", "expected", "attainment_probability", "growth", "locked",
    ]  # fmt: skip
    assert {"total", "commit", "target", "stretch", "attainment_probability", "binding", "currency"} <= set(summary)
    assert len(targets) == 12 * 12 and sum(exact(targets["target"])) == Decimal(str(summary["total"]))
    by_cell = targets.assign(target=exact(targets["target"])).groupby(["region", "line"])["target"].sum()
    assert by_cell.tolist() == exact(cells["target"])
    assert summary["commit"] < summary["target"] < summary["stretch"]
    assert summary["attainment_probability"] == pytest.approx(0.55, abs=0.01)


def test_locks_bounds_and_capacity_hold(files):
    run(files)
    cells = pd.read_csv(files / "out" / "cells.csv")
    locked = cells[cells["locked"]]
    assert locked[["region", "line", "target"]].values.tolist() == [["South", "Valves", 7_500_000.5]]
    assert cells.loc[cells["line"] == "Pumps", "target"].sum() <= 8_000_000
    north = cells[cells["region"] == "North"]
    growth = north["target"].sum() / north["last_year"].sum() - 1
    assert 0 <= growth <= 0.25
    assert (files / "out" / "plan.xlsx").stat().st_size > 5000


def test_shuffled_rows_give_the_same_bytes(files, history):
    history.sample(frac=1, random_state=1).to_csv(files / "s.csv", index=False)
    run(files)
    run(files, history="s.csv", out="again")
    names = sorted(p.relative_to(files / "out") for p in (files / "out").rglob("*") if p.is_file())
    assert len(names) >= 7
    for name in names:
        assert (files / "out" / name).read_bytes() == (files / "again" / name).read_bytes(), name


def test_an_infeasible_policy_names_the_smallest_set(files):
    rules = POLICY.replace("max_growth = 0.25", "max_growth = -0.5").replace("min_growth = 0.0", "min_growth = -0.9")
    rules = rules.replace(
        "amount = 7_500_000.5", 'amount = 9_000_000 }, { region = "North", line = "Drives", amount = 14_000_000'
    )
    (files / "p.toml").write_text(rules, encoding="utf-8")
    result = run(files)
    assert result.exit_code == 1
    assert "these 2 rules" in result.stderr and "lock: region=North, line=Drives" in result.stderr
    assert "14,000,000.00 EUR" in result.stderr and "bounds: region=North" in result.stderr
    assert "South" not in result.stderr and not (files / "out" / "targets.csv").exists()


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (("bounds =", "bonds ="), 2, ["unknown key 'bonds'", "'bounds'"]),
        (("max_growth", "max_grwth"), 2, ["'bounds[1].max_grwth'", "'max_growth'"]),
        (('line = "Sensors"', 'line = "Sensor"'), 2, ["Sensor", "'Sensors'"]),
        (('by = ["region", "line"]', 'by = ["regoin", "line"]'), 2, ["unknown key 'bounds[1].region'", "'regoin'"]),
        ((POLICY, 'currency = "EUR"\nby = ["regoin", "line"]'), 2, ["no column 'regoin'", "'region'"]),
        (('"equal_probability"', '"equal_probabilty"'), 2, ["'equal_probability'"]),
        (("target = 0.55", "target = 55"), 2, ["0.55"]),
        (("7_500_000.5", "7_500_000.555"), 2, ["more than 2 decimals"]),
        (('currency = "EUR"', ""), 2, ["currency: is missing"]),
        (("{ commit = 0.80, target = 0.55, stretch = 0.25 }", "{ amount = 0 }"), 2, ["above 0"]),
        (
            ("{ commit = 0.80, target = 0.55, stretch = 0.25 }", "{ amount = 900_000_000 }"),
            1,
            ["beyond every one", "Lower it"],
        ),
    ],
)
def test_wrong_policies_say_what_is_right(files, change, code, words):
    (files / "p.toml").write_text(POLICY.replace(*change), encoding="utf-8")
    result = run(files)
    assert result.exit_code == code, result.stderr
    assert all(word in result.stderr for word in words), result.stderr
    assert "Traceback" not in result.stderr


def test_wrong_histories_exit_1_and_missing_files_2(files, history):
    wrong = {
        "text": history.assign(amount=history["amount"].astype(str).where(history.index != 7, "12,5x")),
        "negative": history.assign(amount=history["amount"].where(history["line"] != "Pumps", -history["amount"])),
        "short": history[history["ds"] >= "2026-01-01"],
        "unnamed": history.rename(columns={"amount": "ammount"}),
        "money": history.assign(currency=np.where(history["region"] == "North", "CHF", "EUR")),
        "nobody": history.assign(region=history["region"].where(history.index != 3)),
    }
    expected = {
        "text": "row 9",
        "negative": "Pumps",
        "short": "12 months",
        "unnamed": "'ammount'",
        "money": "CHF",
        "nobody": "region",
    }
    for name, frame in wrong.items():
        frame.to_csv(files / f"{name}.csv", index=False)
        result = run(files, history=f"{name}.csv")
        assert result.exit_code == 1 and expected[name] in result.stderr, (name, result.stderr)
    assert run(files, history="absent.csv").exit_code == 2
    assert run(files, policy="absent.toml").exit_code == 2
    assert CliRunner().invoke(command, [str(files), "--year", "2027"]).exit_code == 2


def test_rates_turn_other_currencies_into_the_policys(history, content):
    mixed = history.assign(currency=np.where(history["region"] == "North", "CHF", "EUR"))
    mixed.loc[mixed["region"] == "North", "amount"] /= 1.25
    one = plan_year(history, make_policy(content), year=2027)[0]
    two = plan_year(mixed, make_policy(content | {"rates": {"CHF": 1.25}}), year=2027)[0]
    assert two.target.amount(two.target.target) == pytest.approx(one.target.amount(one.target.target), rel=1e-6)


def test_daily_sales_make_months_and_an_unfinished_month_is_left_out(history, content):
    halves = pd.concat(
        [history.assign(amount=history["amount"] / 3, ds=history["ds"] + pd.Timedelta(days=d)) for d in (0, 9, 27)]
    )
    more = halves[halves["ds"] == "2026-12-01"].assign(ds=pd.Timestamp("2027-01-05"))
    before = plan_year(history, make_policy(content), year=2027)[0]
    plan, panel = plan_year(pd.concat([halves, more]), make_policy(content), year=2027)
    assert panel.left_out == (("unfinished_month", 12),)
    assert plan.target.amount(plan.target.target) == pytest.approx(before.target.amount(before.target.target), rel=1e-6)


def test_a_partial_last_year_is_grown_against_the_last_full_one(history, content):
    plan, _panel = plan_year(history[history["ds"] < "2026-09-01"], make_policy(content), year=2027)
    assert plan.summary()["last_year_start"] == "2025-01-01"
    assert plan.cells["last_year"].sum() == pytest.approx(history[history["ds"].dt.year == 2025]["amount"].sum())


def test_equal_probability_makes_cells_equally_hard_and_priority_harder(history, content):
    plan = plan_year(history, make_policy(content), year=2027)[0]
    assert np.ptp(plan.cells["attainment_probability"]) < 1e-4
    wanted = content | {"priority": [{"line": "Sensors", "weight": 1.5}]}
    asked = plan_year(history, make_policy(wanted), year=2027)[0].cells.set_index("line")["attainment_probability"]
    assert asked["Sensors"].max() < asked.drop("Sensors").min() - 0.05


def test_expected_share_multiplies_shares_by_the_weight(history, content):
    wanted = content | {"split": {"method": "expected_share"}, "priority": [{"line": "Sensors", "weight": 1.2}]}
    cells = plan_year(history, make_policy(wanted), year=2027)[0].cells
    ratio = (cells["target"] / cells["expected"]).groupby(cells["line"]).mean()
    assert ratio["Sensors"] / ratio["Pumps"] == pytest.approx(1.2, rel=1e-6)


def test_quarterly_sales_are_refused_by_name(history, content):
    with pytest.raises(DataError, match="looks quarterly"):
        plan_year(history[history["ds"].dt.month.isin([1, 4, 7, 10])], make_policy(content), year=2027)
