"""Spend that follows demand: found where it does, rarely said where it does not."""

import numpy as np
import pytest

from planning.budget import demand
from planning.budget.response import fit_response
from planning.budget.simulate import simulate_world


@pytest.mark.parametrize("seed", [0, 3, 25])
def test_a_line_that_follows_demand_is_found_and_the_others_are_not(seed):
    world = simulate_world(seed, unseen_demand=0.06, follows=(0,))
    lines = fit_response(world.spend, world.outcome, draws=20).lines.set_index("line")
    assert lines.loc["Line A", "follows_demand"] and lines.loc["Line A", "demand_p"] <= demand.FOLLOWS
    assert not lines.loc["Line C", "follows_demand"]


def test_where_nothing_follows_few_lines_are_accused():
    flags = []
    for seed in range(40, 48):
        world = simulate_world(seed, unseen_demand=0.06)
        flags += list(fit_response(world.spend, world.outcome, draws=20).lines["follows_demand"])
    assert np.mean(flags) <= 0.1


def test_on_and_off_are_told_apart_only_where_there_are_two_levels():
    rng = np.random.default_rng(1)
    wave = np.exp(rng.normal(0, 0.4, (3, 80)))
    switch = rng.random((3, 80)) < 0.6
    _logs, on = demand.spend_levels(wave * np.where(switch, 1.0, 0.05))
    assert (on.astype(bool) == switch).mean() > 0.97
    assert demand.spend_levels(wave)[1].all()


def test_unrelated_series_meet_by_chance_as_often_as_stated():
    rng = np.random.default_rng(2)
    found = []
    for _ in range(150):
        slow = np.zeros((2, 4, 100))
        steps = rng.normal(size=slow.shape)
        for t in range(1, 100):
            slow[..., t] = 0.8 * slow[..., t - 1] + steps[..., t]
        slow -= slow.mean(axis=2, keepdims=True)
        found.append(demand.meeting(slow[0], np.zeros((4, 100)), slow[1], rng)[0])
    assert 0.01 <= np.mean(np.array(found) <= 0.05) <= 0.11


def test_spend_without_any_change_has_no_meeting():
    flat = np.zeros((3, 40))
    assert demand.meeting(flat, flat, np.ones((3, 40)), np.random.default_rng(0)) == (1.0, 0.0)
