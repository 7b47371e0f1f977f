"""Every case of `decide`, not a sample: the whole domain is small enough."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

import pytest

from imsync.core.fields import NEVER, Base, Edit, Instant, Known, Seen, Side, Value
from imsync.core.maps import Choice, NoTranslation, Same, ValueMap
from imsync.core.merge import Decision, Direction, Rule, Strategy, Terms, Verdict, decide

LATER = Instant(9)
"""After everything else that happens here."""

TIMES = [Instant(at) for at in (1, 2, 3)]
TERMS = [
    Terms(Rule(owner, strict=strict), strategy, direction)
    for owner, strict, strategy, direction in product(Side, (False, True), Strategy, Direction)
]


@dataclass(frozen=True, slots=True)
class Finer:
    """`a` is written as more than it takes to be read as: P1 here, where `high` would do."""

    def encode(self, value: Value) -> Value:
        return {"a": "high P1", "b": "high", "c": "low"}[str(value)]

    def decode(self, value: Value, *, given: Value) -> Value:
        if value == "high":
            return "b"
        if value == "high P0":
            return given if given == "a" else "b"
        return {"high P1": "a", "low": "c"}[str(value)]


LOSSY = Choice({"a": "high", "b": "high", "c": "low"}, {"high": "b", "low": "c"})
MAPS: list[tuple[ValueMap, list[str]]] = [
    (Same(), ["a", "b", "c"]),
    (LOSSY, ["high", "low"]),
    (Finer(), ["high P1", "high P0", "high", "low"]),
]


class Case(NamedTuple):
    base: Base
    platform: Edit
    external: Seen
    map: ValueMap
    terms: Terms

    @property
    def here(self) -> bool:
        """Whether the platform side was edited since the base."""
        return self.platform.value != self.base.platform or self.platform.at > self.base.at

    @property
    def there(self) -> bool:
        return self.external.value != self.base.external

    @property
    def alike(self) -> bool:
        return self.read == self.platform.value

    @property
    def read(self) -> Value:
        return self.map.decode(self.external.value, given=self.platform.value)

    @property
    def written(self) -> Value:
        return self.map.encode(self.platform.value)


def known(*values: str) -> tuple[Known, ...]:
    return (*values, NEVER)


def cases(maps: list[tuple[ValueMap, list[str]]] = MAPS) -> Iterator[Case]:
    for map_, external_values in maps:
        bases = [
            Base(platform, external, Instant(at))
            for platform in known("a", "b")
            for external in known(*external_values[:2])
            for at in (0, 2)
        ]
        edits = [Edit(value, at) for value, at in product("abc", TIMES)]
        sights = [
            Seen(value, at, as_of)
            for value, at, as_of in product(external_values, TIMES[::2], (TIMES[1], LATER))
            if at <= as_of
        ]
        yield from (
            Case(base, platform, external, map_, terms)
            for base, platform, external, terms in product(bases, edits, sights, TERMS)
        )


def carried_out(case: Case, verdict: Verdict) -> Case:
    """What stands after the engine has done as it was told, and PagerDuty has shown it."""
    base, platform, external, map_, _ = case
    match verdict:
        case Verdict.SETTLE:
            return case._replace(base=Base(platform.value, external.value, platform.at))
        case Verdict.ADOPT:
            adopted = Edit(case.read, external.at)
            base = Base(adopted.value, external.value, adopted.at)
            return case._replace(base=base, platform=adopted)
        case Verdict.PUSH:
            shown = Seen(map_.encode(platform.value), platform.at, LATER)
            base = Base(platform.value, shown.value, platform.at)
            return case._replace(base=base, external=shown)
        case Verdict.KEEP | Verdict.HOLD:
            return case


def test_carried_out_leaves_nothing_to_do() -> None:
    for case in cases():
        verdict = decide(*case).verdict
        if verdict in (Verdict.SETTLE, Verdict.ADOPT, Verdict.PUSH):
            again = decide(*carried_out(case, verdict))
            assert again == Decision(Verdict.KEEP, "nothing changed"), (case, verdict)


def test_favours_no_side() -> None:
    """Where edits are known by their values alone; only the platform's have a time besides."""
    other = {Verdict.ADOPT: Verdict.PUSH, Verdict.PUSH: Verdict.ADOPT}
    back = {Direction.INBOUND: Direction.OUTBOUND, Direction.OUTBOUND: Direction.INBOUND}
    values = known("a", "b")
    edits = list(product("abc", TIMES))
    for here, there, mine, yours, terms in product(values, values, edits, edits, TERMS):
        rule = Rule(terms.rule.owner.other, strict=terms.rule.strict)
        mirrored = Terms(rule, terms.strategy, back.get(terms.direction, terms.direction))
        one = decide(Base(here, there, LATER), Edit(*mine), Seen(*yours, LATER), Same(), terms)
        two = decide(Base(there, here, LATER), Edit(*yours), Seen(*mine, LATER), Same(), mirrored)
        assert two.verdict is other.get(one.verdict, one.verdict), (here, there, mine, yours, terms)
        assert two.loser is (one.loser and one.loser.other)


def test_a_lone_edit_always_arrives_but_for_a_fence_or_a_closed_direction() -> None:
    for case in cases():
        rule, direction = case.terms.rule, case.terms.direction
        if case.alike or case.here is case.there:
            continue
        editor = Side.PLATFORM if case.here else Side.EXTERNAL
        carry = {Side.PLATFORM: Verdict.PUSH, Side.EXTERNAL: Verdict.ADOPT}
        decision = decide(*case)
        if rule.strict and rule.owner is not editor and direction.lets(rule.owner):
            assert decision.verdict is carry[rule.owner], case
            assert decision.loser is editor, case
        elif direction.lets(editor):
            assert decision.verdict is carry[editor], case
            assert decision.loser is None, case
        else:
            assert decision.verdict is Verdict.KEEP, case


def test_what_both_sides_hold_alike_is_only_ever_written_to_say_more() -> None:
    written = 0
    for case in cases():
        if case.alike:
            decision = decide(*case)
            assert decision.verdict in (Verdict.KEEP, Verdict.SETTLE, Verdict.PUSH), case
            assert decision.loser is None, case
            if decision.verdict is Verdict.PUSH:
                written += 1
                assert (case.here, case.there) == (True, False), case
                assert case.written != case.external.value, case
    assert written


def test_a_person_is_asked_only_under_manual_review_and_only_of_a_true_conflict() -> None:
    held = 0
    for case in cases():
        if decide(*case).verdict is Verdict.HOLD:
            held += 1
            assert case.terms.strategy is Strategy.MANUAL_REVIEW, case
            assert case.terms.direction is Direction.BIDIRECTIONAL, case
            assert not case.terms.rule.strict, case
            assert case.here, case
            assert case.there, case
            assert not case.alike, case
    assert held


def test_agreement_seen_before_the_edit_settles_nothing() -> None:
    for case in cases():
        if decide(*case).verdict is Verdict.SETTLE:
            assert case.alike, case
            assert case.external.as_of > case.platform.at, case


def test_agreement_seen_since_the_edit_settles_whatever_the_terms() -> None:
    for case in cases():
        if case.alike and case.external.as_of > case.platform.at and (case.here or case.there):
            decision = decide(*case)
            if decision.verdict is not Verdict.PUSH:  # which says more
                assert decision.verdict is Verdict.SETTLE, case


@pytest.mark.parametrize("terms", [terms for terms in TERMS if not terms.rule.strict])
def test_setting_a_value_back_is_an_edit(terms: Terms) -> None:
    """PagerDuty went from a to b; meanwhile somebody here set a, which it was, once more."""
    base = Base("a", "a", Instant(1))
    moved_on = Seen("b", Instant(2), LATER)
    left_alone = decide(base, Edit("a", Instant(1)), moved_on, Same(), terms)
    set_back = decide(base, Edit("a", Instant(3)), moved_on, Same(), terms)
    if terms.direction.lets(Side.EXTERNAL):
        assert left_alone == Decision(Verdict.ADOPT, "only external changed")
    assert "both sides changed" in set_back.because


def test_every_edit_that_is_overruled_is_named() -> None:
    for case in cases():
        decision = decide(*case)
        if decision.verdict is Verdict.ADOPT and case.here:
            assert decision.loser is Side.PLATFORM, case
        elif decision.verdict is Verdict.PUSH and case.there:
            assert decision.loser is Side.EXTERNAL, case
        else:
            assert decision.loser is None, case


def test_nothing_moves_against_the_direction() -> None:
    for case in cases():
        verdict = decide(*case).verdict
        direction = case.terms.direction
        assert verdict is not Verdict.PUSH or direction.lets(Side.PLATFORM), case
        assert verdict is not Verdict.ADOPT or direction.lets(Side.EXTERNAL), case


def test_the_sides_do_not_stay_apart_where_both_ways_are_open() -> None:
    for case in cases():
        if case.terms.direction is Direction.BIDIRECTIONAL and (case.here or case.there):
            decision = decide(*case)
            if decision.verdict is Verdict.KEEP:
                assert case.alike, case
                assert case.external.as_of <= case.platform.at, case


def conflict(platform_at: int, external_at: int, terms: Terms) -> Decision:
    """What comes of b here and c there, where both said a."""
    mine, yours = Edit("b", Instant(platform_at)), Seen("c", Instant(external_at), LATER)
    return decide(Base("a", "a", Instant(0)), mine, yours, Same(), terms)


@pytest.mark.parametrize("owner", Side)
def test_the_last_write_wins_whoever_owns_the_field(owner: Side) -> None:
    terms = Terms(Rule(owner), Strategy.LAST_WRITE_WINS)
    assert conflict(2, 1, terms).verdict is Verdict.PUSH
    assert conflict(1, 2, terms).verdict is Verdict.ADOPT


@pytest.mark.parametrize("strategy", [Strategy.LAST_WRITE_WINS, Strategy.OWNERSHIP_PRIORITY])
def test_a_tie_goes_to_the_owner(strategy: Strategy) -> None:
    assert conflict(2, 2, Terms(Rule(Side.PLATFORM), strategy)).verdict is Verdict.PUSH
    assert conflict(2, 2, Terms(Rule(Side.EXTERNAL), strategy)).verdict is Verdict.ADOPT


def test_a_first_sync_overwrites_nobody_unasked() -> None:
    terms = Terms(Rule(Side.PLATFORM), Strategy.MANUAL_REVIEW)
    mine, yours = Edit("a", Instant(1)), Seen("b", Instant(1), LATER)
    assert decide(Base(), mine, yours, Same(), terms).verdict is Verdict.HOLD


def test_says_why() -> None:
    assert all(decide(*case).because for case in cases([(Same(), ["a", "b"])]))
    terms = Terms(Rule(Side.EXTERNAL), Strategy.OWNERSHIP_PRIORITY)
    assert conflict(2, 1, terms) == Decision(
        Verdict.ADOPT, "both sides changed; external owns it", loser=Side.PLATFORM
    )


def test_a_lone_edit_may_replace_what_nobody_can_read() -> None:
    """Someone who left the account is assigned there; assigning another needs no name of theirs."""
    base = Base("a", "gone", Instant(1))
    unreadable = Seen("gone", Instant(1), LATER)
    decision = decide(base, Edit("c", Instant(2)), unreadable, LOSSY, Terms(Rule(Side.PLATFORM)))
    assert decision.verdict is Verdict.PUSH


UNREADABLE = Seen("gone", Instant(2), LATER)
"""What PagerDuty shows, and nobody here knows a word for."""


@pytest.mark.parametrize("at", [1, 3], ids=["only there", "there, and before it here"])
def test_what_has_no_counterpart_is_not_guessed(at: int) -> None:
    base = Base("a", "high", Instant(1))
    terms = Terms(Rule(Side.EXTERNAL), Strategy.OWNERSHIP_PRIORITY)
    with pytest.raises(NoTranslation, match="gone"):
        decide(base, Edit("a", Instant(at)), UNREADABLE, LOSSY, terms)


@pytest.mark.parametrize("base", [Base("a", "high", Instant(1)), Base()])
def test_what_nobody_can_read_is_no_shield_against_what_wins(base: Base) -> None:
    """Somebody resolved it here, and it went on paging there: in a status of a later year."""
    later = Edit("c", Instant(3))
    last = decide(base, later, UNREADABLE, LOSSY, Terms(Rule(Side.EXTERNAL)))
    assert (last.verdict, last.loser) == (Verdict.PUSH, Side.EXTERNAL)
    asked = Terms(Rule(Side.PLATFORM), Strategy.MANUAL_REVIEW)
    assert decide(base, later, UNREADABLE, LOSSY, asked).verdict is Verdict.HOLD
    fence = Terms(Rule(Side.PLATFORM, strict=True))
    assert decide(base, Edit("a", Instant(1)), UNREADABLE, LOSSY, fence).verdict is Verdict.PUSH
