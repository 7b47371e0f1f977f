"""Keeping: what is older than `retention` and needed no more is forgotten, a little at a time.

What may go is said in one place, `store/keeping.py`. One unit of work looks at a few hundred
rows, so that nobody who wants to write waits for it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from imsync.core.fields import Instant
from imsync.store import keeping
from imsync.store.database import Database, DatabaseError

log = logging.getLogger(__name__)

EVERY: Final = 3_600.0
"""Seconds between rounds: what is kept an hour longer does no harm."""

_BREATH: Final = 0.05
"""Seconds between two units of work of a round."""


@dataclass(slots=True)
class Keeping:
    """The loop that forgets. It may be cut short anywhere: what it did is whole."""

    db: Database
    now: Callable[[], Instant]
    retention: int  # seconds
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    _table: int = field(default=0, init=False)  # of RULES: which is looked at
    _after: int = field(default=0, init=False)  # ... and its rows up to here have been
    _gone: int = field(default=0, init=False)  # this round

    async def run(self) -> None:
        while True:
            try:
                more = await self.step()
            except DatabaseError as error:  # a full disk, say: those who must write will tell
                log.warning("old rows could not be forgotten: %s", error)
                more = False
            await self.sleep(_BREATH if more else EVERY)

    async def step(self) -> bool:
        """Look at the next few rows. False once a round is over; the next begins anew."""
        rule = keeping.RULES[self._table]
        before = Instant(self.now() - self.retention * 1000)
        pruned = await self.db.run(keeping.prune, rule, after=self._after, before=before)
        if pruned is not None:
            self._after = pruned.read_to
            self._gone += pruned.rows
            return True
        self._table, self._after = (self._table + 1) % len(keeping.RULES), 0
        if self._table:
            return True
        if self._gone:
            log.info("%d old rows were forgotten", self._gone)
        self._gone = 0
        return False
