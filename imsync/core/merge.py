"""The one decision imsync makes.

A webhook, a platform edit, a drift check and a person resolving a conflict all
end up here, with the same question: given what the two sides last agreed on
and what each says now, what should happen to this field?

Rule 1: nothing here waits, reads a clock, or remembers. All it knows is in
the arguments.

Rule 2: nothing here favours a side. Swapping platform and external (and the owner
and the direction) swaps ADOPT and PUSH and changes nothing else; a test holds us to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from imsync.core.fields import Base, Edit, Seen, Side
from imsync.core.maps import NotLookedUp, NoTranslation, ValueMap


class Strategy(StrEnum):
    """What to do when both sides changed a field, differently."""

    LAST_WRITE_WINS = "last-write-wins"
    OWNERSHIP_PRIORITY = "ownership-priority"
    MANUAL_REVIEW = "manual-review"


class Direction(StrEnum):
    """Which way edits travel. `inbound` is towards the platform."""

    BIDIRECTIONAL = "bidirectional"
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    NONE = "none"

    def lets(self, side: Side) -> bool:
        """Whether edits made on this side may travel to the other."""
        way = Direction.OUTBOUND if side is Side.PLATFORM else Direction.INBOUND
        return self in (Direction.BIDIRECTIONAL, way)


class Verdict(StrEnum):
    KEEP = "keep"  # nothing is to be done
    SETTLE = "settle"  # the sides agree already: only the base moves
    ADOPT = "adopt"  # external's value becomes ours
    PUSH = "push"  # our value is owed to the external side
    HOLD = "hold"  # a conflict: a person decides


@dataclass(frozen=True, slots=True)
class Rule:
    """Who owns a field. A strict owner is a fence: what the other side edits is put back."""

    owner: Side
    priority: int = 0
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Terms:
    """What an integration and its rules say about one field."""

    rule: Rule
    strategy: Strategy = Strategy.LAST_WRITE_WINS
    direction: Direction = Direction.BIDIRECTIONAL


@dataclass(frozen=True, slots=True)
class Decision:
    verdict: Verdict
    because: str  # shown to people, and kept with a conflict
    loser: Side | None = None  # whose edit the verdict overrules: it is kept in a conflict record
    flaps: bool = False  # held only because it has gone to and fro (`flapping`)

    @property
    def carries(self) -> bool:
        """Whether a value is to cross."""
        return self.verdict in (Verdict.ADOPT, Verdict.PUSH)


def decide(base: Base, platform: Edit, external: Seen, map_: ValueMap, terms: Terms) -> Decision:
    """Say what should happen to one field of one link.

    The first row that fits:

    ========  ========  ========  ==================================================
    platform  external  together  verdict
    ========  ========  ========  ==================================================
    = base    = base              KEEP
    changed   = base    written   PUSH, if writing it would change the external side
                        alike     there
    any       any       agree     SETTLE, once seen later than the platform's edit
    changed   = base    differ    PUSH
    = base    changed   differ    ADOPT
    changed   changed   differ    a conflict: the strategy decides
    ========  ========  ========  ==================================================

    The sides *agree* when the external value reads as the platform's (`maps`). A lone
    platform edit is still written when that would say more than what stands there: a
    SEV-1 is P1 in PagerDuty, though `high` without a priority could be read as one.

    A base of NEVER equals nothing, so on a first sync differing sides meet in the last
    row instead of one silently overwriting the other. Agreement seen before the edit
    proves nothing about after it: nothing is owed then, and the base stays.

    Strict rules and the direction have their say in `_lone` and `both`.
    Raises NoTranslation when a value has no counterpart on the other side, but where it is only to
    be written over: nobody has to read what loses.
    """
    here = edited(base, platform)
    there = external.value != base.external
    if not here and not there:
        return Decision(Verdict.KEEP, "nothing changed")
    lone = _lone(Side.PLATFORM, terms) if here and not there else None
    if lone and lone.verdict is Verdict.PUSH and map_.encode(platform.value) != external.value:
        return lone
    unread: NoTranslation | None = None
    try:
        alike = map_.decode(external.value, given=platform.value) == platform.value
    except NotLookedUp:
        raise
    except NoTranslation as error:
        alike, unread = False, error
    if alike:
        if external.as_of <= platform.at:
            return Decision(Verdict.KEEP, "both said the same, but not yet since the last edit")
        return Decision(Verdict.SETTLE, "both sides say the same")
    decision = lone or (both(platform, external, terms) if here else _lone(Side.EXTERNAL, terms))
    if unread is not None and decision.verdict in (Verdict.ADOPT, Verdict.KEEP):
        raise unread
    return decision


def edited(base: Base, platform: Edit) -> bool:
    """Whether our side has changed since the base.

    Setting a value back is an edit too; and what is adopted from another integration may be
    another value, and yet be older than what the base stands for.
    """
    return platform.value != base.platform or platform.at > base.at


@dataclass(frozen=True, slots=True)
class Claimant:
    """What one of the incident's integrations says of a field. `own`: the one being decided."""

    rule: Rule
    own: bool


def between(claimants: Sequence[Claimant], terms: Terms) -> Terms:
    """The terms of a field where an incident is linked in several integrations.

    Where their rules disagree, the one with the highest priority says whose the field is; seen
    from another integration, its external side is reached through the platform. A tie goes
    to the later edit. A strict rule of this integration's own stays a fence.
    """
    own = next(one.rule for one in claimants if one.own)
    if own.strict or len(claimants) == 1:
        return terms
    first = max(claimants, key=lambda one: one.rule.priority)
    rivals = [one for one in claimants if one.rule.priority == first.rule.priority]
    owners = {_owner(one, index) for index, one in enumerate(claimants) if one in rivals}
    if len(owners) > 1:
        return replace(terms, strategy=_later(terms.strategy))
    side = first.rule.owner if first.own else Side.PLATFORM
    return replace(terms, rule=replace(own, owner=side))


def _owner(claimant: Claimant, index: int) -> int:
    """The platform is one owner for all; each external side is another."""
    return -1 if claimant.rule.owner is Side.PLATFORM else index


def _later(strategy: Strategy) -> Strategy:
    return Strategy.LAST_WRITE_WINS if strategy is Strategy.OWNERSHIP_PRIORITY else strategy


def _lone(side: Side, terms: Terms) -> Decision:
    """Only this side changed: its edit travels, but for a fence or a closed direction."""
    rule, direction = terms.rule, terms.direction
    if rule.strict and rule.owner is not side and direction.lets(rule.owner):
        because = f"only {side} changed, but {rule.owner} owns it strictly: put back"
        return Decision(_carry(rule.owner), because, loser=side)
    if not direction.lets(side):
        return Decision(Verdict.KEEP, f"only {side} changed; the direction is {direction}")
    return Decision(_carry(side), f"only {side} changed")


def both(platform: Edit, external: Seen, terms: Terms) -> Decision:
    """Both sides changed, differently: one of them loses, or a person is asked."""
    rule, direction = terms.rule, terms.direction
    match direction:
        case Direction.NONE:
            return Decision(Verdict.KEEP, "both sides changed; the direction is none")
        case Direction.INBOUND:
            return _won(Side.EXTERNAL, "the direction is inbound")
        case Direction.OUTBOUND:
            return _won(Side.PLATFORM, "the direction is outbound")
        case Direction.BIDIRECTIONAL:
            pass
        case _:
            assert_never(direction)
    if rule.strict:
        return _won(rule.owner, f"{rule.owner} owns it strictly")
    match terms.strategy:
        case Strategy.MANUAL_REVIEW:
            return Decision(Verdict.HOLD, "both sides changed: a person decides")
        case Strategy.OWNERSHIP_PRIORITY:
            return _won(rule.owner, f"{rule.owner} owns it")
        case Strategy.LAST_WRITE_WINS if platform.at == external.at:
            # Clocks cannot say who was last, so the owner does.
            return _won(rule.owner, f"at the same moment, and {rule.owner} owns it")
        case Strategy.LAST_WRITE_WINS:
            later = Side.PLATFORM if platform.at > external.at else Side.EXTERNAL
            return _won(later, f"{later} was last")
        case _:
            assert_never(terms.strategy)


def _won(side: Side, why: str) -> Decision:
    return Decision(_carry(side), f"both sides changed; {why}", loser=side.other)


def _carry(side: Side) -> Verdict:
    return Verdict.PUSH if side is Side.PLATFORM else Verdict.ADOPT
