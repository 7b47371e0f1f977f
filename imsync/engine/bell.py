"""How whoever leaves work for a loop wakes it."""

import asyncio


class Bell:
    """A loop waits at it until it rings or a time has passed.

    The work itself is in the database, so a ring is only a hint: one that is lost costs
    a wait, never an entry. Stopping the bell ends the loop after the work in hand.
    """

    def __init__(self) -> None:
        self.stopped = False
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    def stop(self) -> None:
        self.stopped = True
        self._rung.set()

    async def wait(self, timeout: float) -> bool:
        """Until it rings, is stopped, or `timeout` seconds have passed. Whether it rang."""
        if self.stopped:
            return False
        try:
            async with asyncio.timeout(max(0.0, timeout)):
                await self._rung.wait()
        except TimeoutError:
            return False
        finally:
            self._rung.clear()
        return not self.stopped
