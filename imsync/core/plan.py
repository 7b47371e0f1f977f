"""One link: the decisions of all its fields."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from imsync.core.fields import Base, Edit, Field, Seen, Side
from imsync.core.maps import NotLookedUp, NoTranslation, ValueMap
from imsync.core.merge import Decision, Strategy, Terms, Verdict, both, decide, edited


@dataclass(frozen=True, slots=True)
class Standing:
    """What one field of a link stands at. `seen` None: nobody has looked yet."""

    platform: Edit
    seen: Seen | None
    base: Base
    blocked: str | None = None  # why it stands still until either side changes
    held: bool = False  # a person has been asked
    flaps: bool = False  # ... because it flapped: no strategy decides it meanwhile


@dataclass(frozen=True, slots=True)
class Blocked:
    """The field cannot cross as it is; it stands still until either side changes."""

    because: str


def plan(
    standings: Mapping[Field, Standing],
    maps: Mapping[Field, ValueMap],
    terms: Mapping[Field, Terms],
) -> dict[Field, Decision | Blocked]:
    """Say what should happen to each field that is not standing still already.

    A field whose value has no counterpart is Blocked, and only that field. A name that
    was never looked up is pushed all the same: whoever sends it asks first.
    """
    return {
        field: _one(standing, maps[field], terms[field])
        for field, standing in standings.items()
        if standing.blocked is None
    }


def _one(standing: Standing, map_: ValueMap, terms: Terms) -> Decision | Blocked:
    try:
        decision = _decide(standing, map_, terms)
        if standing.flaps and decision.carries:
            return Decision(Verdict.HOLD, "it flapped: a person decides, or ten quiet minutes")
        if standing.held and standing.seen and decision.carries and decision.loser is None:
            # One of them is back at the base, but both had changed: a conflict until decided.
            decision = both(standing.platform, standing.seen, terms)
        if decision.verdict is Verdict.PUSH:
            with suppress(NotLookedUp):  # whoever sends it asks first
                map_.encode(standing.platform.value)
    except NoTranslation as error:
        if standing.held and terms.strategy is Strategy.MANUAL_REVIEW:
            return Decision(Verdict.HOLD, "both sides had changed: a person decides")
        if not isinstance(error, NotLookedUp):
            return Blocked(str(error))
        if edited(standing.base, standing.platform) and terms.direction.lets(Side.PLATFORM):
            return Decision(Verdict.PUSH, str(error))
        return Decision(Verdict.KEEP, str(error))
    return decision


def _decide(standing: Standing, map_: ValueMap, terms: Terms) -> Decision:
    if standing.seen is not None:
        return decide(standing.base, standing.platform, standing.seen, map_, terms)
    # A field that cannot be looked at stands, as far as anyone knows, as we last wrote it.
    edited = standing.platform.value != standing.base.platform
    if edited and terms.direction.lets(Side.PLATFORM):
        return Decision(Verdict.PUSH, "only platform changed")
    return Decision(Verdict.KEEP, "nothing changed")
