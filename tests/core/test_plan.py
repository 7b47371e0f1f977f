"""All fields of a link: what stands still, and what crosses only if it can."""

from typing import ClassVar

import pytest

from imsync.core.fields import Base, Edit, Field, Instant, Seen, Side, Value
from imsync.core.maps import NotLookedUp, NoTranslation
from imsync.core.merge import Decision, Direction, Rule, Strategy, Terms, Verdict
from imsync.core.plan import Blocked, Standing, plan

WHO = Field.ASSIGNED_TO


class People:
    """Ann and Bob go by an id there, nobody by none. Nobody has asked yet for `new`."""

    IDS: ClassVar = {"ann": "PANN", "bob": "PBOB", None: None}

    def encode(self, value: Value) -> Value:
        if value == "new":
            raise NotLookedUp("not asked yet for 'new'")
        if value not in self.IDS:
            raise NoTranslation(f"there is no {value!r}")
        return self.IDS[value]

    def decode(self, value: Value, *, given: Value) -> Value:
        return {id_: name for name, id_ in self.IDS.items()}[value]


def decided(standing: Standing, terms: Terms) -> Decision | Blocked:
    return plan({WHO: standing}, {WHO: People()}, {WHO: terms})[WHO]


BASE = Base("ann", "PANN", Instant(1))
SAME = Seen("PANN", Instant(1), Instant(9))
OTHER = Seen("PBOB", Instant(2), Instant(9))
PLATFORM = Rule(Side.PLATFORM)


@pytest.mark.parametrize(
    ("seen", "terms"),
    [
        (None, Terms(PLATFORM)),
        (SAME, Terms(PLATFORM)),
        (OTHER, Terms(PLATFORM, Strategy.LAST_WRITE_WINS)),
        (OTHER, Terms(PLATFORM, Strategy.OWNERSHIP_PRIORITY)),
        (OTHER, Terms(PLATFORM, direction=Direction.OUTBOUND)),
        (OTHER, Terms(Rule(Side.PLATFORM, strict=True))),
    ],
    ids=["nobody looked", "a lone edit", "the last", "the owner's", "one way", "fenced"],
)
def test_whatever_wins_crosses_only_if_it_has_a_form_there(seen: Seen | None, terms: Terms) -> None:
    """The unseen one was sent all the same, and its sender fell over it."""
    ghost = Standing(Edit("ghost", Instant(5)), seen, BASE)
    assert decided(ghost, terms) == Blocked("there is no 'ghost'")
    new = decided(Standing(Edit("new", Instant(5)), seen, BASE), terms)
    assert isinstance(new, Decision), "whoever sends it asks first"
    assert new.verdict is Verdict.PUSH
    assert new.loser is (Side.EXTERNAL if seen is OTHER else None)


def test_what_theirs_wins_over_needs_no_form_there() -> None:
    ghost = Standing(Edit("ghost", Instant(5)), OTHER, BASE)
    terms = Terms(Rule(Side.EXTERNAL), Strategy.OWNERSHIP_PRIORITY)
    found = decided(ghost, terms)
    assert isinstance(found, Decision)
    assert (found.verdict, found.loser) == (Verdict.ADOPT, Side.PLATFORM)


def test_what_is_blocked_is_not_decided() -> None:
    blocked = Standing(Edit("bob", Instant(5)), SAME, BASE, blocked="refused")
    assert plan({WHO: blocked}, {WHO: People()}, {WHO: Terms(PLATFORM)}) == {}


@pytest.mark.parametrize("value", ["new", "ghost"])
@pytest.mark.parametrize("seen", [SAME, OTHER], ids=["back at the base", "still another"])
def test_what_a_person_is_asked_waits_for_the_answer(seen: Seen, value: str) -> None:
    """Histories 42361: without a form there it was blocked, and who was asked saw old values."""
    asked = Standing(Edit(value, Instant(5)), seen, BASE, held=True)
    found = decided(asked, Terms(PLATFORM, Strategy.MANUAL_REVIEW))
    assert isinstance(found, Decision)
    assert found.verdict is Verdict.HOLD


def test_what_was_asked_and_a_strategy_decides_since_crosses_only_if_it_has_a_form_there() -> None:
    asked = Standing(Edit("ghost", Instant(5)), SAME, BASE, held=True)
    assert decided(asked, Terms(PLATFORM)) == Blocked("there is no 'ghost'")
