"""Flapping: a field that is written over and over, because something there keeps undoing it.

Two automations that each insist on their value would go on for ever. What counts is a write
of ours over a value that somebody else has put there since our last one; people who edit
the same field often, on one side, do not flap.
"""

from imsync.core.fields import Instant

LIMIT = 5
"""So many such writes ..."""

WINDOW = 600_000
"""... in so long (ms), and the next one is held."""

QUIET = 600_000
"""How long (ms) nobody may touch the field before it is let go again without a person."""


def counts_from(now: Instant, released_at: Instant | None) -> Instant:
    """Since when writes count: what was before somebody let the field go does not."""
    return Instant(max(now - WINDOW, released_at or 0))


def flaps(writes: int) -> str | None:
    """Why the next write is held, after so many; None if it is not."""
    if writes < LIMIT:
        return None
    return (
        f"written over {writes} times in {WINDOW // 60_000} minutes, and undone each time:"
        " an automation there fights us, so a person decides"
    )
