"""An event loop whose time is its own: nobody waits, and one seed decides who is next.

Time jumps to whatever is due first. Of several callbacks that are ready, the dice say which
runs. A process that was killed is never called again: no `finally` of its code runs.
"""

import asyncio
import heapq
from contextvars import ContextVar
from random import Random
from typing import Any

_A_STEP = 0.000_01
"""What a callback takes (s). Of no time at all, aiolimiter would wait for ever for the next."""


class Process:
    """Whoever runs in a context of its own, until it is killed; or stands still for a while."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.frozen: list[Any] | None = None  # what waits until it is thawed

    def __repr__(self) -> str:
        return self.name


PROCESS: ContextVar[Process | None] = ContextVar("process", default=None)


class Deadlock(AssertionError):
    """Everybody waits, and nothing is due: nobody would ever go on."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its `time()` starts at 0, and goes by only as far as somebody waits."""

    _ready: Any
    _scheduled: list[Any]

    def __init__(self, rng: Random) -> None:
        super().__init__()
        self._rng = rng
        self._moment = 0.0

    def time(self) -> float:
        return self._moment

    def _run_once(self) -> None:
        """Run one callback: any that is ready, or the next that is due."""
        ready, scheduled = self._ready, self._scheduled
        if not ready:
            while scheduled and _is_over(scheduled[0]):
                heapq.heappop(scheduled)._scheduled = False
            if not scheduled:
                raise Deadlock("everybody waits, and nothing is due")
            self._moment = max(self._moment, scheduled[0]._when)
        while scheduled and scheduled[0]._when <= self._moment:
            handle = heapq.heappop(scheduled)
            handle._scheduled = False
            ready.append(handle)
        if len(ready) > 1:
            ready.rotate(-self._rng.randrange(len(ready)))
        handle = ready.popleft()
        self._moment += _A_STEP
        if _is_over(handle):
            return
        process = handle._context.get(PROCESS)
        if process is not None and process.frozen is not None:
            process.frozen.append(handle)
        else:
            handle._run()

    def thaw(self, process: Process) -> None:
        """Let it go on where it stood still; it does not know that it did."""
        waiting, process.frozen = process.frozen or [], None
        self._ready.extend(waiting)

    def _write_to_self(self) -> None:
        """There are no other threads, and no selector to wake."""


def _is_over(handle: Any) -> bool:
    if handle._cancelled:
        return True
    process = handle._context.get(PROCESS)
    return process is not None and process.dead
