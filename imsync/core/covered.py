"""Edits that a write of ours covered unseen.

PagerDuty has no If-Match, so between our look and our write somebody may edit the same
field. Nobody has seen that edit, and it is gone from what stands there; what tells of it
later is the log, or a webhook that comes late. It must not be lost silently.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from imsync.core.fields import NEVER, Instant, Known, Value

CUT = 999
"""How much later (ms) than its time a line of a log may be: it may tell whole seconds only."""

IN_FLIGHT = 180_000
"""How long (ms) after a write was sent it may be carried out: as long as its lease lasts."""


@dataclass(frozen=True, slots=True)
class Written:
    """A write of ours that landed: over what, known as of when; what, and when."""

    before: Known
    as_of: Instant
    value: Value
    at: Instant
    covered: Sequence[Value] = ()  # the edits it is known to have covered


@dataclass(frozen=True, slots=True)
class Theirs:
    """An edit of somebody else: this value, then."""

    value: Value
    at: Instant
    by: str | None = None


def covers(write: Written, edit: Theirs) -> bool:
    """Whether the edit fell between our look and our write, and was not known of before.

    One that set what was there, or what we wrote anyway, lost nothing; and what we created
    the incident with was written over nothing.
    """
    return (
        write.before is not NEVER
        and write.as_of < edit.at < write.at
        and edit.value not in (write.before, write.value)
        and edit.value not in write.covered
    )
