"""Flapping: a field that is written over and over, because something there keeps undoing it.

Two automations that each insist on their value would go on for ever. What counts is a write
of ours over a value that somebody else has put there since our last one, unless a person
here who gave their name has just made the edit that it carries: people stop by themselves.
"""

from collections.abc import Sequence
from itertools import pairwise

from imsync.core.covered import Written
from imsync.core.fields import NEVER, Edit, Instant

LIMIT = 5
"""So many such writes ..."""

WINDOW = 600_000
"""... in so long (ms), and the next one is held."""

QUIET = 600_000
"""How long (ms) nobody may touch the field before it is let go again without a person."""


def counts_from(now: Instant, released_at: Instant | None) -> Instant:
    """Since when writes count: what was before somebody let the field go does not."""
    return Instant(max(now - WINDOW, released_at or 0))


def undone(writes: Sequence[tuple[Written, Edit]], since: Instant) -> int:
    """How many of a field's writes since then count, of all that landed, oldest first.

    Each with the edit here that it carried. One that carries the edit of the write before it
    puts that back; one that carries a new edit is its author's doing, and an automation, or
    another account whose news went through here, gives no e-mail.
    """
    return sum(
        write.at >= since
        and write.before is not NEVER
        and write.before != before.value
        and (edit.at == put.at or "@" not in (edit.by or ""))
        for (before, put), (write, edit) in pairwise(writes)
    )


def flaps(writes: int) -> str | None:
    """Why the next write is held, after so many; None if it is not."""
    if writes < LIMIT:
        return None
    return (
        f"written over {writes} times in {WINDOW // 60_000} minutes, and undone each time:"
        " an automation there fights us, so a person decides"
    )
