"""One incident in several integrations: whose rule counts."""

from dataclasses import replace

import pytest

from imsync.core.fields import Side
from imsync.core.merge import Claimant, Rule, Strategy, Terms, between

PLATFORM, EXTERNAL = Side.PLATFORM, Side.EXTERNAL
OWNERS = Strategy.OWNERSHIP_PRIORITY


def decided(own: Rule, *others: Rule) -> Terms:
    claimants = [Claimant(own, own=True), *(Claimant(rule, own=False) for rule in others)]
    return between(claimants, Terms(own, OWNERS))


@pytest.mark.parametrize("rule", [Rule(PLATFORM), Rule(EXTERNAL, 3), Rule(EXTERNAL, strict=True)])
def test_alone_an_integration_goes_by_its_own_rule(rule: Rule) -> None:
    assert decided(rule) == Terms(rule, OWNERS)


@pytest.mark.parametrize(
    ("own", "other", "owner"),
    [
        (Rule(EXTERNAL, 5), Rule(PLATFORM, 1), EXTERNAL),
        (Rule(EXTERNAL, 1), Rule(PLATFORM, 5), PLATFORM),
        (Rule(PLATFORM, 5), Rule(EXTERNAL, 1), PLATFORM),
        # The other external side owns it: from here, it is reached through the platform.
        (Rule(EXTERNAL, 1), Rule(EXTERNAL, 5), PLATFORM),
        (Rule(PLATFORM, 1), Rule(EXTERNAL, 5), PLATFORM),
        (Rule(PLATFORM, 2), Rule(PLATFORM, 2), PLATFORM),
    ],
)
def test_the_higher_priority_says_whose_it_is(own: Rule, other: Rule, owner: Side) -> None:
    terms = decided(own, other)
    assert (terms.rule.owner, terms.strategy) == (owner, OWNERS)


@pytest.mark.parametrize(
    ("own", "other"),
    [
        (Rule(EXTERNAL, 5), Rule(PLATFORM, 5)),
        (Rule(PLATFORM, 5), Rule(EXTERNAL, 5)),
        (Rule(EXTERNAL, 5), Rule(EXTERNAL, 5)),
    ],
)
def test_a_tie_between_rivals_goes_to_the_later_edit(own: Rule, other: Rule) -> None:
    assert decided(own, other).strategy is Strategy.LAST_WRITE_WINS


def test_a_rule_of_lower_priority_has_no_say_in_a_tie_above_it() -> None:
    terms = decided(Rule(PLATFORM, 5), Rule(PLATFORM, 5), Rule(EXTERNAL, 1))
    assert (terms.rule.owner, terms.strategy) == (PLATFORM, OWNERS)


def test_a_strict_rule_stays_a_fence() -> None:
    fence = Rule(EXTERNAL, 0, strict=True)
    assert decided(fence, Rule(PLATFORM, 9)).rule == fence


def test_a_person_is_still_asked() -> None:
    own = Rule(EXTERNAL, 5)
    claimants = [Claimant(own, own=True), Claimant(replace(own, owner=PLATFORM), own=False)]
    asked = between(claimants, Terms(own, Strategy.MANUAL_REVIEW))
    assert asked.strategy is Strategy.MANUAL_REVIEW
