"""The stated truth is in the data: found again by plain regressions that know only the form."""

import numpy as np
import pandas as pd
import pytest

from planning import sample
from planning.sample import media
from planning.sample.company import LINES, RATES, REGIONS
from planning.sample.deals import SHARES


@pytest.fixture(scope="module")
def company():
    return sample.generate(seed=0)


@pytest.fixture(scope="module")
def decided(company):
    deals = company["deals"].merge(company.truth["deals"], on="deal_id")
    return deals[deals["outcome"].isin(["won", "lost"])]


def test_family_shares_sum_to_one_and_are_those_asked_for(company, decided):
    weights = company.truth["family_weights"].set_index("family")
    assert weights["share"].sum() == pytest.approx(1.0, abs=1e-5)
    for family, share in SHARES.items():
        assert weights.loc[family, "share"] == pytest.approx(share, abs=0.02)
    variance = decided[list(SHARES)].var()
    assert np.allclose(variance / variance.sum(), weights.loc[list(SHARES), "share"], atol=1e-3)


def test_contributions_add_up_to_the_chance_of_winning(decided):
    eta = decided[["intercept", *SHARES]].sum(axis=1)
    assert np.allclose(1.0 / (1.0 + np.exp(-eta)), decided["win_chance"], atol=1e-5)


def test_the_chances_are_calibrated_and_no_model_can_do_better_than_about_080(decided):
    won = (decided["outcome"] == "won").to_numpy()
    assert 0.37 < won.mean() < 0.43
    fifths = pd.qcut(decided["win_chance"], 5, labels=False)
    table = decided.assign(won=won).groupby(fifths)[["won", "win_chance"]].mean()
    assert (table["won"] - table["win_chance"]).abs().max() < 0.06
    rank = decided["win_chance"].rank().to_numpy()
    auc = (rank[won].mean() - (won.sum() + 1) / 2) / (~won).sum()
    assert 0.77 < auc < 0.83


def test_reps_write_price_more_often_than_price_is_the_cause(decided):
    lost = decided[decided["outcome"] == "lost"]
    assert 0.38 < (lost["written_as"] == "price").mean() < 0.56
    assert (lost["main_cause"] == "price").mean() < 0.25
    assert lost.loc[lost["written_as"] == "price", "loss_reason"].nunique() >= 6


def test_fields_of_closing_give_the_outcome_away(decided, company):
    filled = decided.groupby("outcome")["closing_discount"].apply(lambda column: column.notna().mean())
    assert filled["won"] > 0.9 and filled["lost"] < 0.06
    round_sum = decided["amount"].mod(500).eq(0).groupby(decided["outcome"]).mean()
    assert round_sum["lost"] - round_sum["won"] > 0.3
    known = company.truth["families"]["known_at"]
    assert known["closing_discount"] == known["amount"] == "closing" and "contract_type" not in known
    causes = {field for fields in company.truth["families"]["fields"].values() for field in fields}
    assert all(known[field] != "closing" for field in causes)


def _log_panel(company):
    sold = company["sales"]
    sold = sold[(sold["amount"] > 0) & (sold["line"] != "Sensors") & (sold["region"] != "Export")]
    sold = sold.assign(log=np.log(sold["amount"] * sold["currency"].map(RATES)) - 0.7 * np.log(sold["working_days"]))
    return sold.assign(log=sold["log"] + 0.45 * np.log(sold["price_index"]) - np.log1p(0.14 * sold["promotion"]))


@pytest.mark.parametrize("line", ["Pumps", "Valves", "Drives", "Service"])
def test_seasonal_factors_are_found_again(company, line):
    sold = _log_panel(company)
    sold = sold[sold["line"] == line]
    cell = ["region", "customer_type"]
    level = sold.groupby([*cell, sold["ds"].dt.year])["log"].transform("mean")
    found = (sold["log"] - level).groupby(sold["ds"].dt.month).mean()
    truth = company.truth["seasonal_factors"].query("line == @line").set_index("month")["factor"]
    true = np.log(truth) - np.log(truth).mean()
    assert np.corrcoef(found, true)[0, 1] > 0.93
    assert (found - found.mean() - true).abs().max() < 0.055


def test_media_bring_five_to_eight_percent_and_are_found_again(company):
    truth = company.truth["response_curves"]
    by_region = truth[truth["line"].isin(media.CHANNELS)].groupby("region")["sales_share_2026"].sum()
    assert by_region.between(0.04, 0.11).all() and 0.05 < by_region.mean() < 0.085
    found = _channel_multiples(company)
    assert found["estimate"].between(0.6, 1.4).all()
    assert ((found["estimate"] - 1.0).abs() < 3.0 * found["error"]).all()
    assert (found["estimate"] > 4.0 * found["error"]).all()


def _channel_multiples(company):
    """Regress weekly sales on the true effect of each channel, season and calendar out: each multiple is truly 1."""
    truth = company.truth["response_curves"].set_index(["line", "region"])
    spend = company["spend"].pivot(index="period", columns=["line", "region"], values="amount")
    outcome = company["outcome"]
    columns, target = {channel: [] for channel in media.CHANNELS}, []
    for region in REGIONS:
        weeks = outcome[outcome["region"] == region].set_index("period")
        month = weeks.index.year * 12 + weeks.index.month
        out = np.column_stack([pd.get_dummies(month).to_numpy(float), weeks["working_days"]])
        scale = weeks["outcome"].mean()
        for channel in media.CHANNELS:
            row = truth.loc[(channel, region)]
            state, carried = spend[channel, region].mean(), []
            for x in spend[channel, region]:
                state = (1 - row["adstock"]) * x + row["adstock"] * state
                carried.append(state)
            effect = media.hill(np.array(carried), row["level"], row["half_saturation"])
            columns[channel].append(_residual(out, effect) / scale)
        target.append(_residual(out, weeks["outcome"].to_numpy()) / scale)
    x, y = np.column_stack([np.concatenate(v) for v in columns.values()]), np.concatenate(target)
    inverse = np.linalg.inv(x.T @ x)
    estimate = inverse @ x.T @ y
    sigma = np.sqrt(((y - x @ estimate) ** 2).sum() / (len(y) - 80 * len(REGIONS)))
    return pd.DataFrame({"estimate": estimate, "error": sigma * np.sqrt(np.diag(inverse))}, index=list(columns))


def _residual(out, values):
    return values - out @ np.linalg.lstsq(out, values, rcond=None)[0]


def test_tools_cost_the_same_every_week_and_channels_do_not(company):
    spread = company["spend"].groupby(["line", "region"])["amount"].agg(lambda x: x.std() / x.mean())
    assert spread.loc[list(media.TOOLS)].max() < 1e-9
    assert spread.loc[list(media.CHANNELS)].min() > 0.3


def test_pilots_measured_what_the_curves_say(company):
    truth = company.truth["response_curves"].set_index(["line", "region"])
    for pilot in company["pilots"].itertuples():
        row = truth.loc[(pilot.line, pilot.region)]
        low, high = (media.hill(x, row["level"], row["half_saturation"]) for x in (pilot.x0, pilot.x1))
        assert abs(pilot.delta - (high - low)) < 2.0 * pilot.se
        assert pilot.delta > 2.0 * pilot.se


def test_weekly_outcome_adds_up_to_monthly_sales(company):
    sold, gaps, truth = company["sales"], company.truth["gaps"], company.truth["returns"]
    year = sold[(sold["ds"] >= "2022-01-01") & (sold["ds"] < "2026-01-01")]
    lost = gaps[gaps["ds"] >= "2022-01-01"]
    monthly = sum((t["amount"] * t["currency"].map(RATES)).sum() for t in (year, lost))
    monthly += truth.loc[truth["ds"].between("2022-01-01", "2025-12-31"), "returned_eur"].sum()
    weeks = company["outcome"]
    inner = weeks[weeks["period"].between("2022-01-03", "2025-12-28")]["outcome"].sum()
    edge = weeks[weeks["period"].isin(pd.to_datetime(["2021-12-27", "2025-12-29"]))]["outcome"].sum()
    assert inner <= monthly <= inner + edge


def test_planners_are_too_optimistic_and_partly_right(company):
    truth = company.truth["adjustments"]
    assert (truth["stated"] - truth["true_effect"]).mean() > 0.02
    by_role = truth.groupby("role")[["stated", "true_effect"]].mean()
    assert by_role.loc["Head of region", "stated"] > by_role.loc["Controller", "stated"]
    assert np.corrcoef(truth["stated"], truth["true_effect"])[0, 1] > 0.5
    table = company["adjustments"].head(len(truth))
    assert np.allclose(table["percent"], 100 * truth["stated"])
    assert (pd.to_datetime(company["adjustments"]["from"]).dt.year == 2027).sum() == 7


def test_quotas_over_assign_the_targets(company):
    targets = company["targets"]
    people = targets["person_id"].notna()
    cells, quotas = targets.loc[~people, "amount"].sum(), targets.loc[people, "amount"].sum()
    assert 0.85 < quotas / cells < 1.06  # 5 % over-assigned, but the newcomers of 2026 had no quota
    by_person = company["people"].set_index("person_id")["quota_last_year"].dropna()
    assert by_person.to_dict() == targets[people].set_index("person_id")["amount"].to_dict()
    assert set(targets.loc[~people, "line"]) == set(LINES)
