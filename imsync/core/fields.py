"""What is synced: fields, the values they take, and what is known of them on each side.

A value is text, or None where there is none (nobody assigned). Both sides' values
have this type; only a map (`maps`) says which platform value means which external one.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType, TypeAlias

Instant = NewType("Instant", int)
"""A moment: milliseconds since 1970-01-01 UTC, on our own clock."""

Value: TypeAlias = str | None


class Side(StrEnum):
    PLATFORM = "platform"
    EXTERNAL = "external"

    @property
    def other(self) -> "Side":
        return Side.EXTERNAL if self is Side.PLATFORM else Side.PLATFORM


class Field(StrEnum):
    """What two systems keep in step about an incident."""

    TITLE = "title"
    DESCRIPTION = "description"
    SEVERITY = "severity"
    STATUS = "status"
    ASSIGNED_TO = "assigned_to"
    ESCALATION_POLICY = "escalation_policy"


def in_words(name: str) -> str:
    """A field's name, or another of ours, as people say it: `escalation policy`, `assignee`."""
    return "assignee" if name == Field.ASSIGNED_TO else name.replace("_", " ")


class Severity(StrEnum):
    SEV1 = "SEV-1"
    SEV2 = "SEV-2"
    SEV3 = "SEV-3"
    SEV4 = "SEV-4"


class Status(StrEnum):
    OPEN = "open"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    CLOSED = "closed"


DEFAULT_OWNER: Final = {
    Field.TITLE: Side.PLATFORM,
    Field.DESCRIPTION: Side.PLATFORM,
    Field.SEVERITY: Side.PLATFORM,
    Field.STATUS: Side.PLATFORM,
    Field.ASSIGNED_TO: Side.EXTERNAL,
    Field.ESCALATION_POLICY: Side.EXTERNAL,
}


class _Never:
    def __repr__(self) -> str:
        return "NEVER"


NEVER: Final = _Never()
"""The base of what the two sides have never agreed on. Equal to no value."""

Known: TypeAlias = Value | _Never


@dataclass(frozen=True, slots=True)
class Edit:
    """The platform's value of a field: since when, and set by whom (an e-mail, if known)."""

    value: Value
    at: Instant
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """What the external side was seen to hold.

    `at` is when that value was set there, as far as is known; `as_of` is the latest
    moment at which it is known to have stood.
    """

    value: Value
    at: Instant
    as_of: Instant
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Base:
    """What the two sides last agreed on: a platform value, and the external value it stood beside.

    A pair, because a map may lose something: each side is compared with its own half.
    `at` is the platform edit that the base stands for, so that setting a value back to
    what it was is told apart from leaving it alone.
    """

    platform: Known = NEVER
    external: Known = NEVER
    at: Instant = Instant(0)
