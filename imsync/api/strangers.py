"""Whoever sends wrong signatures: logged now and then, counted, and held off.

A rightly signed delivery is let in whoever sends it: behind a reverse proxy all peers are one. So
holding off saves no proof; it saves what refusing costs, and PagerDuty, which sends again what was
answered 429, loses nothing while somebody mends the secret.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network, ip_address
from typing import Final

from imsync.core.fields import Instant
from imsync.store import integrations
from imsync.store.database import Database, DatabaseError

log = logging.getLogger(__name__)

MINUTE: Final = 60_000
"""Milliseconds between two lines, or events, about the same; and in which knocks are counted."""

LIMIT: Final = 60
"""Wrong signatures of one peer in a minute, after which it is held off until the next one."""

NOBODY: Final = ""
"""What is counted of an integration that there is not, so that counting it costs as much."""

_LINES: Final = 10
"""Lines in a minute, about all peers together."""

_KNOWN: Final = 1_000
"""So many peers are told apart; the one that has been quiet for longest is forgotten."""

_PAUSE: Final = 1.0
"""Seconds between two writes of the counts."""


@dataclass(slots=True)
class _Peer:
    since: Instant  # when the minute began in which they are counted
    knocks: int = 0
    told_at: Instant | None = None
    untold: int = 0


class Strangers:
    """Counts the knocks of each peer."""

    def __init__(self) -> None:
        self._peers: dict[str, _Peer] = {}  # the one that has knocked last stands last
        self._lines: deque[Instant] = deque(maxlen=_LINES)

    def knocked(self, address: str, *, now: Instant) -> bool:
        """Note that it did, and tell the log if it is time to. Whether it is to be held off."""
        name = _peer(address)
        peer = self._peers.pop(name, None) or _Peer(since=now)
        self._peers[name] = peer
        if len(self._peers) > _KNOWN:
            del self._peers[next(iter(self._peers))]
        if now - peer.since >= MINUTE:
            peer.since, peer.knocks = now, 0
        peer.knocks += 1
        peer.untold += 1
        if self._may_tell(peer, now):
            more = f", {peer.untold} times since the last such line" if peer.untold > 1 else ""
            log.warning("a delivery from %s was not rightly signed%s: nothing was kept", name, more)
            self._lines.append(now)
            peer.told_at, peer.untold = now, 0
        return peer.knocks > LIMIT

    def _may_tell(self, peer: _Peer, now: Instant) -> bool:
        quiet = peer.told_at is None or now - peer.told_at >= MINUTE
        return quiet and (len(self._lines) < _LINES or now - self._lines[0] >= MINUTE)


class Refusals:
    """Keeps how many deliveries were refused, and alarms, without anybody waiting for the disk.

    Whoever knocks must not learn from how long the answer takes whether there was one to count.
    """

    def __init__(self, db: Database, now: Callable[[], Instant]) -> None:
        self._db, self._now = db, now
        self._counts: Counter[str] = Counter()  # not on the disk yet
        self._untold: Counter[str] = Counter()
        self._told_at: dict[str, Instant] = {}
        self._writing: asyncio.Task[None] | None = None

    def count(self, integration_id: str) -> None:
        """One more for this integration. The first in a while is on the disk at once."""
        self._counts[integration_id] += 1
        if self._writing is None:
            self._writing = asyncio.create_task(self._keep_writing(), name="refusals")

    async def written(self) -> None:
        """All that was counted is on the disk, and told of once a minute as an event."""
        counts, self._counts = self._counts, Counter()
        self._untold += counts
        now = self._now()
        tell = Counter({id_: n for id_, n in self._untold.items() if self._may_tell(id_, now)})
        self._untold -= tell
        self._told_at |= dict.fromkeys(tell, now)
        try:
            await self._db.run(integrations.note_refused, counts, tell=tell, now=now)
        except DatabaseError as error:
            log.warning("how many deliveries were refused could not be kept: %s", error)

    def _may_tell(self, integration_id: str, now: Instant) -> bool:
        told = self._told_at.get(integration_id)
        return told is None or now - told >= MINUTE

    async def close(self) -> None:
        """Write what is left, and write no more."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait([self._writing])
        await self.written()

    async def _keep_writing(self) -> None:
        try:
            while self._counts:
                await self.written()
                await asyncio.sleep(_PAUSE)
        finally:
            self._writing = None


def _peer(address: str) -> str:
    """Who that is. Of IPv6 addresses anybody has 2**64 to choose from."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return str(IPv6Network((found, 64), strict=False))
    return address
