"""Linked pairs as they stand in the end, and whether values of two sides mean the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from imsync.connectors.base import Kind
from imsync.connectors.pagerduty import mapping, notes
from imsync.core.fields import Field, Value
from imsync.core.maps import NotLookedUp, NoTranslation, ValueMap
from imsync.store import links
from imsync.store.links import FieldState, Link
from tests.histories.elsewhere import POLICIES, PRIORITIES, USERS, Elsewhere, Row, name_of
from tests.histories.history import History


@dataclass(frozen=True, slots=True)
class Directory:
    """Everyone and everything there is over there."""

    there: Elsewhere

    def id_of(self, kind: Kind, name: str) -> str:
        known = USERS if kind is Kind.USER else POLICIES
        if name not in known:
            raise NoTranslation(name)
        return known[name]

    def name_of(self, kind: Kind, id_: str) -> str:
        found = name_of(USERS if kind is Kind.USER else POLICIES, id_)
        if found is None:
            raise NotLookedUp(id_)
        return found

    def names(self, kind: Kind) -> Sequence[str]:
        return PRIORITIES if kind is Kind.PRIORITY and self.there.has_priorities else ()


@dataclass(frozen=True, slots=True)
class Pair:
    """One linked pair of incidents, as it stands."""

    index: int
    link: Link
    row: Row
    maps: dict[Field, ValueMap]
    states: dict[Field, FieldState]

    def description_note(self, description: str) -> str:
        return notes.description_note(description)


def pairs_of(history: History) -> Iterator[Pair]:
    conn = history.db.conn
    for index, there in enumerate(history.there):
        maps = dict(mapping.maps(Directory(there)))
        for link in links.every(conn, f"int_{index}"):
            if link.state == "linked" and link.external_id is not None:
                states = dict(links.fields(conn, link.id))
                yield Pair(index, link, there.rows[link.external_id], maps, states)


def agree(map_: ValueMap, here: Value, there: Value) -> bool:
    """Whether the external value reads as the platform's."""
    try:
        return map_.decode(there, given=here) == here
    except NoTranslation:
        return False


def alike(map_: ValueMap, here: Value, there: Value) -> bool:
    """Whether one is written as, or reads as, the other."""
    try:
        return map_.encode(here) == there or agree(map_, here, there)
    except NoTranslation:
        return False


def same(one: ValueMap, there: Value, other: ValueMap, elsewhere: Value) -> bool:
    """Whether values of two external sides mean the same here."""
    try:
        here, also = one.decode(there, given=None), other.decode(elsewhere, given=None)
        return here == also or one.encode(here) == one.encode(also)
    except NoTranslation:
        return False
