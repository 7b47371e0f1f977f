"""The simulation notices each broken rule: one that went unnoticed would be tested by nobody."""

import os
from itertools import chain

import pytest

from tests.histories.mutants import Mutant
from tests.simulation.mutants import MUTANTS
from tests.simulation.story import live

BUDGET = 1_000
"""How many stories may pass before the oracle objects. Those listed first are only quicker."""


@pytest.mark.skipif("IMSYNC_SEEDS" not in os.environ, reason="takes minutes: set IMSYNC_SEEDS")
@pytest.mark.timeout(0)  # the budget is in stories
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_rule_is_noticed(mutant: Mutant) -> None:
    with mutant.at_large():
        for seed in chain(mutant.seeds, range(BUDGET)):
            complaints = live(seed).complaints
            if any(complaint.split(":")[0] in mutant.kinds for complaint in complaints):
                return
    pytest.fail(f"{BUDGET} stories went by, and nobody noticed: {mutant.breaks.__doc__}")
