"""Which rules contradict one another: no rule too many is named."""

import numpy as np

from planning.targets.feasible import conflict
from planning.targets.split import Limit


def test_a_rule_too_many_is_left_out():
    everything, some = np.arange(152), np.arange(17)
    limits = [Limit(everything, 63205068.0, 63205068.0), Limit(some, 1049630.0, 1312037.0), Limit(some, 100.0, 100.0)]
    assert conflict(limits, 152) == [1, 2]
    assert conflict(limits[:2], 152) is None
