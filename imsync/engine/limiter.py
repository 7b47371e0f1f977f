"""Permits to ask the other side, within the limit that it sets.

aiolimiter is the token bucket. On top of it: what the answers' `ratelimit-*` headers
and a 429 say is obeyed, whoever used the budget up.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiolimiter import AsyncLimiter

from imsync.connectors.base import Limits
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
        self._closed_until = Instant(0)
        self.heard: Limits | None = None  # the latest headers
        self.heard_at = Instant(0)

    async def acquire(self) -> None:
        """Wait for one permit."""
        while True:
            await self._bucket.acquire()
            wait = self._closed_until - self._now()
            if wait <= 0:
                return
            await self._sleep(wait / 1000)

    def heed(self, limits: Limits) -> None:
        """Take notice of what an answer said: an empty budget means no permits until it resets."""
        self.heard, self.heard_at = limits, self._now()
        if limits.remaining <= 0:
            self.close_for(limits.reset)

    def close_for(self, ms: int) -> None:
        """No permits for so long: a 429 asked for it."""
        self._closed_until = max(self._closed_until, Instant(self._now() + ms))
