"""Histories notice each broken rule: those that went on unnoticed would be tested by nobody."""

from itertools import chain

import pytest

from tests.histories.mutants import MUTANTS, Mutant
from tests.histories.story import live

BUDGET = 300
"""How many histories may pass before the oracle objects. Those listed first are only quicker."""


@pytest.mark.timeout(0)  # the budget is in histories
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_rule_is_noticed(mutant: Mutant) -> None:
    with mutant.at_large():
        for seed in chain(mutant.seeds, range(BUDGET)):
            found, _ = live(seed)
            if any(complaint.split(":")[0] in mutant.kinds for complaint in found):
                return
    pytest.fail(f"{BUDGET} histories went by, and nobody noticed: {mutant.breaks.__doc__}")
