"""The win model against plain second implementations and a truth that is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import special

from planning.deals import audit_fields, calibrate, counterfactual, deal_contributions, family_weights, posterior
from planning.deals import design as design_module
from planning.deals.calibrate import column_covariance, confounding_band
from planning.deals.columns import read_column
from planning.deals.design import build_design
from planning.deals.heldout import delong
from planning.deals.simulate import simulate_deals
from planning.deals.winmodel import Fit, Normal, Solver, fit, symmetric_inverse


def table_of(world) -> dict:
    families = {name: {"fields": fields} for name, fields in world.families.items()}
    return families | {"known_at": {field: "creation" for fields in world.families.values() for field in fields}}


@pytest.fixture(scope="module")
def world():
    return simulate_deals(3000, seed=11)


@pytest.fixture(scope="module")
def weighed(world):
    return family_weights(world.deals, families=table_of(world), refits=40)


def test_shares_sum_to_one_and_lie_in_their_intervals(weighed):
    weights = weighed.weights
    assert abs(weights["share"].sum() - 1) < 1e-12
    assert (weights["lo90"] <= weights["share"]).all() and (weights["share"] <= weights["hi90"]).all()
    assert (weights["band_lo"] <= weights["lo90"]).all() and (weights["hi90"] <= weights["band_hi"]).all()


def test_truth_is_near(weighed, world):
    errors = [abs(row.share - world.shares[row.family]) for row in weighed.weights.itertuples()]
    assert sum(errors) / 2 < 0.12
    assert weighed.summary["auc_lo"] > 0.7


def test_contributions_add_up_to_the_models_log_odds(weighed):
    by_family = deal_contributions(weighed).drop(columns="deal_id").sum(axis=1).to_numpy()
    by_field = deal_contributions(weighed, by="field").drop(columns="deal_id").sum(axis=1).to_numpy()
    log_odds = weighed.model.log_odds(weighed.codes)
    np.testing.assert_allclose(by_family, log_odds, atol=1e-9)
    np.testing.assert_allclose(by_field, log_odds, atol=1e-9)


def test_same_seed_same_weights(world, weighed):
    again = family_weights(world.deals, families=table_of(world), refits=40)
    pd.testing.assert_frame_equal(again.weights, weighed.weights)


def test_a_family_without_weight_gets_an_interval_from_zero():
    weights = {"market": 0.0, "product": 0.4, "price": 0.2, "skill": 0.25, "customer": 0.15}
    rows = []
    for seed in (5, 6, 7):
        world = simulate_deals(3000, seed=seed, weights=weights)
        table = family_weights(world.deals, families=table_of(world), refits=20).weights
        rows.append(table.set_index("family").loc["market"])
    assert sum(row["lo90"] == 0 for row in rows) >= 2
    assert all(row["share"] < 0.03 and row["lo90"] < 0.01 and row["p_zero"] > 0.001 for row in rows)


def test_row_order_changes_nothing(world, weighed):
    shuffled = world.deals.sample(frac=1, random_state=3)
    again = family_weights(shuffled, families=table_of(world), refits=40).weights
    pd.testing.assert_frame_equal(again, weighed.weights, rtol=1e-12)


def test_row_order_changes_nothing_where_fields_are_sampled(monkeypatch):
    monkeypatch.setattr(audit_fields, "SAMPLE", 500)
    monkeypatch.setattr(design_module, "EDGES_FROM", 700)
    world = simulate_deals(1500, seed=4)
    deals = world.deals.assign(amount=np.where(world.deals["outcome"].eq("won"), 1037.5, 2000.0))
    families = table_of(world) | {"size": {"fields": ["amount"]}}
    families["known_at"] |= {"amount": "creation"}
    one, other = (family_weights(d, families=families, refits=4) for d in (deals, deals.sample(frac=1, random_state=5)))
    assert one.findings["rule"].eq("round_amounts").any()
    pd.testing.assert_frame_equal(one.findings, other.findings)
    assert one.summary["reasons"] == other.summary["reasons"] and one.summary["auc"] == other.summary["auc"]


def test_draws_follow_the_posterior_worked_out_on_a_grid():
    """Two families of one column each: coefficients, deviations and reaches are summed over plain grids."""
    gram, score = np.array([[60.0, 0, 0], [0, 40, 12], [0, 12, 50]]), np.array([3.0, 30, 14])
    rng = np.random.default_rng(0)
    columns = {name: read_column(pd.Series(rng.integers(0, 2, 200) * 1.0, name=name)) for name in "ab"}
    design = build_design(columns, {"a": "f", "b": "g"})
    assert design.width == 3
    model = Fit(np.zeros(3), np.eye(3), np.full(2, 0.1), Normal(gram, score, 0.0), 1, True, design)
    spread = [(np.array([1]), np.eye(1)), (np.array([2]), np.eye(1))]
    drawn, _ = posterior.family_draws(model, spread, 4000, rng)

    sd, reach = np.geomspace(0.01, 5, 300), np.geomspace(0.02, 4, 300)
    half_normal = np.exp(-0.5 * (sd[:, None] / reach) ** 2) / reach @ np.gradient(reach)
    b = np.linspace(-0.5, 1.8, 231) + 1e-4
    prior = (np.exp(-0.5 * (b[:, None] / sd) ** 2) / sd) @ (half_normal * np.gradient(sd))
    x, y = np.meshgrid(b, b, indexing="ij")
    likelihood = np.exp(30 * x + 14 * y - 0.5 * (40 * x**2 + 24 * x * y + 50 * y**2))
    part = x**2 / (x**2 + y**2)
    even = sum(special.gamma(2 * a) / special.gamma(a) ** 2 * (part * (1 - part)) ** (a - 1) for a in (1, 2, 4, 8))
    weight = likelihood * np.outer(prior, prior) * even * np.sqrt(part * (1 - part))
    weight /= weight.sum()
    found = drawn[:, 0] / drawn.sum(axis=1)
    assert found.mean() == pytest.approx(np.sum(weight * part), abs=0.01)
    assert drawn[:, 0].mean() == pytest.approx(np.sum(weight * x**2), rel=0.04)
    for level in (0.05, 0.95):
        edge = np.quantile(found, level)
        assert np.sum(weight[part <= edge]) == pytest.approx(level, abs=0.02)


def test_the_large_class_drawn_apart_gives_the_same_posterior(monkeypatch, weighed):
    model = weighed.model
    spread = column_covariance(model, weighed.codes)
    apart, _ = posterior.family_draws(model, spread, 300, np.random.default_rng(1))
    monkeypatch.setattr(posterior, "CLASS_FROM", 10_000)
    together, _ = posterior.family_draws(model, spread, 300, np.random.default_rng(2))
    doubt = together.std(axis=0)
    assert (np.abs(apart.mean(axis=0) - together.mean(axis=0)) < 0.3 * doubt).all()
    np.testing.assert_allclose(apart.std(axis=0), doubt, rtol=0.25)


def test_noisy_shares_are_drawn_together_and_certain_ones_are_not(weighed):
    model = weighed.model
    spread = column_covariance(model, weighed.codes)

    def read(times: float) -> np.ndarray:
        normal = Normal(model.normal.gram * times, model.normal.score * times, 0.0)
        drawn, _ = posterior.family_draws(replace(model, normal=normal), spread, 100, np.random.default_rng(0))
        return (drawn / drawn.sum(axis=1, keepdims=True)).mean(axis=0)

    b = np.linalg.lstsq(model.normal.gram, model.normal.score)[0]
    sizes = np.array([b[c] @ s @ b[c] for c, s in spread])
    np.testing.assert_allclose(read(300.0), sizes / sizes.sum(), atol=0.02)
    assert read(0.05).std() < 0.75 * read(300.0).std()


def test_a_part_of_a_family_is_told_beside_it_in_the_same_draws(weighed):
    model = weighed.model
    spread = column_covariance(model, weighed.codes)
    halves = [(columns[: len(columns) // 2], s[: len(columns) // 2, : len(columns) // 2]) for columns, s in spread]
    drawn, same = posterior.family_draws(model, spread, 20, np.random.default_rng(1), spread)
    np.testing.assert_allclose(same, drawn, rtol=1e-12)
    again, part = posterior.family_draws(model, spread, 20, np.random.default_rng(1), halves)
    np.testing.assert_array_equal(again, drawn)
    assert part.shape == drawn.shape and not np.allclose(part, drawn)


def with_flags(count: int, share_of_won: float, n: int = 800) -> family_weights:
    """Weights of a company in which `count` flags mark a few won deals and no lost one."""
    world, rng = simulate_deals(n, seed=3), np.random.default_rng(0)
    won, table = world.deals["outcome"].eq("won"), table_of(world)
    flags = {f"flag{k}": (won & (rng.random(n) < share_of_won)).astype(int) for k in range(count)}
    table["process"] = {"fields": list(flags)}
    table["known_at"] |= dict.fromkeys(flags, "creation")
    return family_weights(world.deals.assign(**flags), families=table)


@pytest.mark.parametrize("count", [1, 3])
def test_weights_and_contributions_agree_where_flags_mark_won_deals_only(count):
    result = with_flags(count, 0.12)
    parts = deal_contributions(result).drop(columns=["deal_id", "intercept"]).var(ddof=0)
    row = result.weights.set_index("family").loc["process"]
    assert row["lo90"] <= (parts / parts.sum())["process"] <= row["hi90"]
    assert row["p_zero"] < 1e-3  # thirty-odd deals with the flag, all won
    assert result.findings["rule"].eq("set_apart").sum() == count


def test_one_test_near_one_does_not_outweigh_a_small_one():
    assert calibrate._cauchy(np.array([0.001, 1.0])) < 0.01
    rng = np.random.default_rng(0)
    for count in (2, 6):
        found = [calibrate._cauchy(p) < 0.05 for p in rng.random((4000, count))]
        assert np.mean(found) == pytest.approx(0.05, abs=0.01)


def test_a_class_of_values_that_mean_nothing_may_weigh_nothing():
    """Three hundred meaningless values among 1,200 deals: stated, and the interval reaches down to what is left."""
    world, rng = simulate_deals(1200, seed=5003), np.random.default_rng(703)
    table = table_of(world)
    table["noise"] = {"fields": ["account"]}
    table["known_at"]["account"] = "creation"
    account = np.char.add("A", rng.integers(0, 300, 1200).astype(str))
    result = family_weights(world.deals.assign(account=account), families=table)
    row = result.findings[result.findings["rule"] == "thin_class"].iloc[0]
    assert row["field"] == "account" and "4" in row["evidence"]
    assert result.weights.set_index("family").loc["noise", "lo90"] == 0.0


def test_levels_are_sorted_as_far_as_their_deals_say_so():
    """A level's mean counts as its own only beyond what its few deals differ by chance."""
    rng = np.random.default_rng(0)
    few, many = rng.integers(0, 300, 1200), rng.integers(0, 20, 1200)
    own = rng.standard_normal(20)
    for codes, truth, expected in ((few, np.zeros(300), 0.35), (many, own, None)):
        columns = {"who": read_column(pd.Series(np.char.add("A", codes.astype(str)), name="who")),
                   "x": read_column(pd.Series(rng.standard_normal(1200), name="x"))}  # fmt: skip
        design = build_design(columns, {"who": "skill", "x": "product"})
        coded = design.codes({name: column.values for name, column in columns.items()})
        parts = np.zeros((1200, 2))
        parts[:, [t.field for t in design.terms].index("x")] = truth[codes] + rng.standard_normal(1200)
        term = next(t for t in design_module.with_sorting(design, coded, parts).terms if t.field == "who")
        columns_of = term.table[: len(term.levels), term.table.shape[1] - term.sorted_by :]
        if expected is not None:
            assert not columns_of.size or np.sqrt((columns_of**2).mean()) < expected
        else:
            by_level = own[[int(level[1:]) for level in term.levels]]
            assert np.corrcoef(columns_of[:, 0], by_level)[0, 1] > 0.95


def test_noise_is_refused():
    rng = np.random.default_rng(0)
    deals = pd.DataFrame(
        {"a": rng.normal(size=2000), "b": rng.choice(list("xyz"), 2000), "won": rng.integers(0, 2, 2000)}
    )
    families = {"f": {"fields": ["a"]}, "g": {"fields": ["b"]}, "known_at": {"a": "creation", "b": "creation"}}
    result = family_weights(deals, families=families, outcome="won", won="1")
    assert result.refused and result.weights is None
    assert any("unseen deals" in reason for reason in result.summary["reasons"])


def test_fit_agrees_with_a_plain_newton_solution():
    rng = np.random.default_rng(1)
    x = np.round(rng.normal(size=4000), 1)
    y = (rng.random(4000) < 1 / (1 + np.exp(-(0.3 + 0.8 * x)))).astype(float)
    column = read_column(pd.Series(x, name="x"))
    design = build_design({"x": column}, {"x": "f"})
    codes = design.codes({"x": column.values})
    model = fit(design, codes, y)
    a, b = 0.0, 0.0
    for _ in range(30):
        p = 1 / (1 + np.exp(-(a + b * x)))
        w = p * (1 - p)
        hessian = np.array([[w.sum(), (w * x).sum()], [(w * x).sum(), (w * x * x).sum()]])
        a, b = np.array([a, b]) + np.linalg.solve(hessian, [(y - p).sum(), ((y - p) * x).sum()])
    inside = np.abs(x) < 1.5
    np.testing.assert_allclose(model.log_odds(codes)[inside], (a + b * x)[inside], atol=0.15)


def test_eliminating_the_large_class_changes_nothing():
    rng = np.random.default_rng(2)
    group = rng.integers(0, 60, 800)
    x = np.hstack([np.ones((800, 1)), rng.normal(size=(800, 5)), np.eye(60)[group], rng.normal(size=(800, 3))])
    gram, score, penalty = x.T @ x, x.T @ rng.normal(size=800), np.r_[0, np.full(68, 2.0)]
    solver = Solver(gram, slice(6, 66))
    b = solver(score, penalty)
    inverse = np.linalg.inv(gram + np.diag(penalty))
    np.testing.assert_allclose(b, inverse @ score, atol=1e-10)
    groups = np.r_[-1, np.zeros(5, int), np.ones(60, int), np.full(3, 2)]
    sums = [np.diag(inverse)[groups == group].sum() for group in range(3)]
    np.testing.assert_allclose(solver.group_traces(groups, 3), sums, atol=1e-10)
    np.testing.assert_allclose(symmetric_inverse(gram, penalty), inverse, atol=1e-10)


def test_auc_is_the_share_of_pairs_in_order():
    rng = np.random.default_rng(3)
    score, won = np.round(rng.normal(size=200), 1), rng.integers(0, 2, 200)
    pairs = score[won == 1][:, None] - score[won == 0][None, :]
    auc, error = delong(score, won)
    assert auc == pytest.approx((pairs > 0).mean() + 0.5 * (pairs == 0).mean())
    assert 0.02 < error < 0.08


def test_confounding_band_widens_with_delta():
    share, low, high = np.array([0.6, 0.4]), np.array([0.5, 0.3]), np.array([0.7, 0.5])
    low0, high0 = confounding_band(share, low, high, 0.0)
    np.testing.assert_allclose([low0, high0], [low, high], atol=1e-9)
    low3, high3 = confounding_band(share, low, high, 0.3)
    assert (low3 < low).all() and (high3 > high).all() and (low3 >= 0).all() and (high3 <= 1).all()


def test_counterfactual_states_what_the_truth_gives(weighed, world):
    counter = counterfactual(weighed, {"price_gap": "down"})
    frame = counter.deals
    assert frame["chance"].between(0, 1).all() and (frame["lo90"] <= frame["chance"]).all()
    values = world.deals["price_gap"]
    low, sd = values.quantile(0.1), values.std(ddof=0)
    lost = (world.deals["outcome"] == "lost").to_numpy()
    now = values[lost].to_numpy()
    moved = np.minimum(np.maximum(now - sd, low), now)
    np.testing.assert_allclose(frame["moved_to"], moved, atol=1e-9)
    scale = world.parts["price"].std() / 1.0
    assert 0.02 < frame["chance"].mean() < 0.35 and scale > 0
    assert counter.totals["expected_wins"].iloc[0] == pytest.approx(frame["chance"].sum())


def test_a_class_of_many_levels_gives_the_same_sums_unwritten(monkeypatch):
    from planning.deals import winmodel

    rng = np.random.default_rng(8)
    columns = {
        "x": read_column(pd.Series(rng.normal(size=900), name="x")),
        "who": read_column(pd.Series(np.char.add("P", rng.integers(0, 150, 900).astype(str)), name="who")),
    }
    design = build_design(columns, {"x": "f", "who": "g"})
    codes = design.codes({name: column.values for name, column in columns.items()})
    won, b = rng.integers(0, 2, 900).astype(float), rng.normal(size=design.width) * 0.3
    root = rng.normal(size=(design.width, design.width)) * 0.05
    for covariance in (None, root @ root.T):
        monkeypatch.setattr(winmodel, "WIDE_CLASS", 100)
        short = winmodel.normal_equations(design, codes, won, b, covariance)
        monkeypatch.setattr(winmodel, "WIDE_CLASS", 10_000)
        plain = winmodel.normal_equations(design, codes, won, b, covariance)
        np.testing.assert_allclose(short.gram, plain.gram, atol=2e-4)
        np.testing.assert_allclose(short.score, plain.score, atol=3e-4)
        assert short.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-3)
