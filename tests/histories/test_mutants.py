"""Histories notice each broken rule: those that went on unnoticed would be tested by nobody."""

from functools import partial
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
        seed = next(filter(partial(_objects, mutant), chain(mutant.seeds, range(BUDGET))), None)
    assert seed is not None, f"{BUDGET} histories, and nobody noticed: {mutant.breaks.__doc__}"
    found, _ = live(seed)
    assert not found, f"{seed} proves nothing, for it goes wrong anyway"


def _objects(mutant: Mutant, seed: int) -> bool:
    """Whether that history ends as the broken rule should make it end."""
    found, _ = live(seed)
    return any(complaint.split(":")[0] in mutant.kinds for complaint in found)
