"""Two-way value maps between a platform field and its external form, and their laws.

    decode(encode(p), given=p) == p                 what we write reads back as what we meant
    encode(decode(x, given=p)) == x                 for every x the map itself can produce

The second argument of `decode` is what makes a lossy map safe: PagerDuty's `high`
stands for SEV-1 and for SEV-2, and says nothing against the one that is there.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Final, Protocol

from imsync.core.fields import Value


class NoTranslation(ValueError):
    """The value has no counterpart on the other side. The message says why, for people."""


class NotLookedUp(NoTranslation):
    """The counterpart is not known yet: asking the external system would tell."""


class ValueMap(Protocol):
    def encode(self, value: Value) -> Value:
        """The external form of a platform value. Raises NoTranslation."""

    def decode(self, value: Value, *, given: Value) -> Value:
        """The platform form of an external value, where the platform says `given` now.

        Raises NoTranslation.
        """


@dataclass(frozen=True, slots=True)
class Same:
    """Both sides write it alike."""

    def encode(self, value: Value) -> Value:
        return value

    def decode(self, value: Value, *, given: Value) -> Value:  # noqa: ARG002 - the protocol's
        return value


@dataclass(frozen=True, slots=True)
class Line:
    """One line of at most `limit` characters there; anything here that is not blank."""

    limit: int

    def encode(self, value: Value) -> Value:
        return " ".join((value or "").split())[: self.limit].rstrip()

    def decode(self, value: Value, *, given: Value) -> Value:
        if not value or value.isspace():
            raise NoTranslation("it is blank there, and something has to stand here")
        return given if self.encode(given) == value else value


@dataclass(frozen=True, slots=True)
class Choice:
    """A few values here, fewer there. `back` is what one reads as when nothing better is known."""

    there: Mapping[str, str]
    back: Mapping[str, str]

    def encode(self, value: Value) -> Value:
        if value is None or value not in self.there:
            raise NoTranslation(f"{value!r} has no external form; it takes {', '.join(self.there)}")
        return self.there[value]

    def decode(self, value: Value, *, given: Value) -> Value:
        if given is not None and self.there.get(given) == value:
            return given
        if value is None or value not in self.back:
            raise NoTranslation(f"{value!r} is not one of {', '.join(self.back)}")
        return self.back[value]


@dataclass(frozen=True, slots=True)
class Pairs:
    """What people changed of one value map: ours -> theirs, and theirs -> ours."""

    out: Mapping[str, str] = field(default_factory=dict)
    back: Mapping[str, str] = field(default_factory=dict)


class Custom(dict[str, Pairs]):
    """What people changed of a connector's value maps, by the map's name."""

    def __missing__(self, name: str) -> Pairs:
        return Pairs()


AS_IT_IS: Final = Custom()
"""Nothing was changed."""


def broken_law(map_: ValueMap, values: Iterable[Value]) -> str | None:
    """The first of the laws that the map breaks over these platform values, shown; None if none.

    The message names the pair of values, for whoever configured the map.
    """
    here = list(values)
    there = list[Value]()
    for value in here:
        try:
            there.append(map_.encode(value))
            back = map_.decode(there[-1], given=value)
        except NoTranslation as error:
            return f"{value!r} does not come back: {error}"
        if back != value:
            return f"{value!r} is written as {there[-1]!r}, which reads back as {back!r}"
    for external, given in product(there, here):
        try:
            value = map_.decode(external, given=given)
            again = map_.encode(value)
        except NoTranslation as error:
            return f"{external!r} cannot be read where {given!r} is: {error}"
        if again != external:
            return f"{external!r} reads as {value!r}, which is written as {again!r}"
    return None
