"""Who watches: one look at the database for each commit, however many watch.

The events themselves are in the database (`store/events`). Each stream reads on from where
it is at its own pace, so a slow one keeps nobody waiting and nothing in memory but the few
events that it is being sent. What it waits at is here.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from imsync.errors import Overloaded
from imsync.store import events
from imsync.store.database import Database

log = logging.getLogger(__name__)

HEARTBEAT: Final = 15.0
"""Seconds between signs of life, so that proxies keep a quiet stream open."""

PATIENCE: Final = 30.0
"""Seconds for a client to take what it was sent; one that does not is let go, and resumes."""

MOST: Final = 100
"""How many may watch at once: what they cost together is bounded too."""


class Stopped(Exception):
    """Nothing more is sent: the daemon stops, or the events cannot be read."""


class Feed:
    """Wakes the streams when there is a new event, and ends them all when the daemon stops."""

    def __init__(
        self,
        db: Database,
        *,
        heartbeat: float = HEARTBEAT,
        patience: float = PATIENCE,
        most: int = MOST,
    ) -> None:
        self.heartbeat, self.patience, self.most = heartbeat, patience, most
        self._db = db
        self._last = 0  # the newest event that is known of
        self._news = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None
        self._stopped = False
        self._streams: set[asyncio.Timeout] = set()

    @property
    def count(self) -> int:
        """How many are watching."""
        return len(self._streams)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """For as long as one stream runs. Raises Overloaded at first, and Stopped in the middle."""
        if self._stopped:
            raise Overloaded("the daemon is stopping", hint="its next run goes on where it ended")
        if self.count >= self.most:
            raise Overloaded(f"{self.most} are watching already, and no more can")
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen(), name="feed")
        scope = asyncio.timeout(None)
        try:
            async with scope:
                self._streams.add(scope)
                try:
                    yield
                finally:
                    self._streams.discard(scope)
        except TimeoutError:
            if not scope.expired():
                raise
            raise Stopped from None

    async def wait(self, after: int) -> bool:
        """Wait for an event after that one. False when a sign of life is due first."""
        try:
            async with asyncio.timeout(self.heartbeat):
                while self._last <= after:
                    await self._news.wait()
        except TimeoutError:
            return False
        return True

    def stop(self) -> None:
        """End every stream at once, and begin none."""
        self._stopped = True
        if self._listening is not None:
            self._listening.cancel()
        self.end()

    def end(self) -> None:
        """End every stream; clients that are still allowed to resume where it ended."""
        for scope in self._streams:
            if not scope.expired():
                scope.reschedule(0)  # long past

    async def _listen(self) -> None:
        count = -1
        try:
            while True:
                count = await self._db.written(since=count)
                _, last = await self._db.read(events.span)
                if last > self._last:
                    self._last = last
                    self._news.set()
                    self._news = asyncio.Event()
        except Exception:
            log.exception("the events cannot be read: every stream is ended")
            self._listening = None
            self.end()
