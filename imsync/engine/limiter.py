"""Permits to ask the other side, within the limits that it sets.

aiolimiter is the token bucket. On top of it: what the answers' `ratelimit-*` headers
and a 429 say is obeyed, whoever used the budget up. An operation with a lower limit of
its own waits alone: its empty budget does not stop the others.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiolimiter import AsyncLimiter

from imsync.connectors.base import Limits, Operation
from imsync.core.fields import Instant

_WINDOW = 60.0
_LARGEST_BURST = 16


class Limiter:
    """At most `per_minute` permits in any minute, the first few of them at once.

    The bucket's size comes off what trickles in: burst + rate x window stays within the
    limit even in the worst minute.
    """

    def __init__(
        self,
        per_minute: int,
        *,
        now: Callable[[], Instant],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        burst = max(1, min(_LARGEST_BURST, per_minute // 10))
        trickle = max(per_minute - burst, 1) / _WINDOW  # a second
        self._bucket = AsyncLimiter(burst, burst / trickle)
        self._now = now
        self._sleep = sleep
        self._closed_until: dict[Operation, Instant] = {}
        self.heard: Limits | None = None  # the latest headers on the limit of everything
        self._heard_at = Instant(0)

    async def acquire(self, operation: Operation = Operation.OTHER) -> None:
        """Wait for one permit."""
        while True:
            await self._bucket.acquire()
            wait = self.closed_for(operation)
            if wait <= 0:
                return
            await self._sleep(wait / 1000)

    def closed_for(self, operation: Operation = Operation.OTHER) -> int:
        """How many ms there are no permits for this operation; 0 if there may be one now."""
        untils = (self._closed_until.get(one, 0) for one in {Operation.OTHER, operation})
        return max(0, max(untils) - self._now())

    @property
    def full_in(self) -> int | None:
        """How many ms until the limit of everything is full again; None if nothing was heard."""
        if self.heard is None:
            return None
        return max(0, self.heard.reset - (self._now() - self._heard_at))

    def heed(self, limits: Limits) -> None:
        """Take notice of what an answer said: an empty budget means no permits until it resets.

        An answer tells of the limit that is closest: one that is not the limit of everything
        is the operation's own.
        """
        apart = limits.operation is not Operation.OTHER and (
            self.heard is None or limits.limit != self.heard.limit
        )
        if not apart:
            self.heard, self._heard_at = limits, self._now()
        if limits.remaining <= 0:
            self.close(limits.operation if apart else Operation.OTHER, for_ms=limits.reset)

    def close(self, operation: Operation, *, for_ms: int) -> None:
        """No permits for so long."""
        until = Instant(self._now() + for_ms)
        self._closed_until[operation] = max(self._closed_until.get(operation, until), until)
