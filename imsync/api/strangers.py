"""Who knocks with a wrong signature: told in the log now and then, not as often as they knock."""

from typing import Final

from imsync.core.fields import Instant

QUIET: Final = 60_000
"""Milliseconds between two lines about the same peer."""

_KNOWN: Final = 1_000
"""So many peers are told apart; one that is forgotten is told of anew."""


class Strangers:
    """Counts the knocks of each peer since it was last told of."""

    def __init__(self) -> None:
        self._peers: dict[str, tuple[Instant, int]] = {}  # when last told of, and knocks since

    def knocked(self, peer: str, *, now: Instant) -> int:
        """How often it has knocked since it was last told of, if it is time to tell; else 0."""
        told, count = self._peers.pop(peer, (None, 0))
        if told is None or now - told >= QUIET:
            told, count, due = now, 0, count + 1
        else:
            count, due = count + 1, 0
        self._peers[peer] = told, count
        while len(self._peers) > _KNOWN:
            del self._peers[next(iter(self._peers))]
        return due
