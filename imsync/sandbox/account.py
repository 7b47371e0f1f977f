"""One PagerDuty account: its records, its clock and its dice."""

import random
from collections.abc import Callable
from typing import TypeVar

from imsync.sandbox import ids
from imsync.sandbox.faults import Faults
from imsync.sandbox.records import Records, Row, Table
from imsync.sandbox.switches import Switches

R = TypeVar("R", bound=Row)


class Account:
    """What everything in the sandbox happens to, and the only source of time and chance."""

    def __init__(
        self,
        *,
        records: Records,
        now: Callable[[], int],
        rng: random.Random,
        time_scale: float,
    ) -> None:
        self.records = records
        self.rng = rng
        # Ids come from one pair of dice, faults from another, the ends of event ids from a
        # third: faults that are looked for, and how fast time goes by, change no later id.
        self.luck, self._tails = (random.Random(rng.getrandbits(64)) for _ in range(2))
        self.switches = Switches()
        self.faults = Faults()
        self.address = "https://api.pagerduty.com"  # where it is asked; its own once it listens
        self._now = now
        self._time_scale = time_scale
        self._latest = max((row.at for row in reversed(records.log)), default=0)
        self._tail = (0, 0)  # of the last event id: its moment, its number

    def now(self) -> int:
        """The moment. Never earlier than the one before, or events would change places."""
        self._latest = max(self._latest, self._now())
        return self._latest

    def scaled(self, ms: float) -> int:
        """How long the sandbox waits where PagerDuty waits this long."""
        return int(ms / self._time_scale)

    def chance(self, probability: float) -> bool:
        return probability > 0 and self.luck.random() < probability

    def fresh(self, make: Callable[[random.Random], str], table: Table[R]) -> str:
        """An id that no row of this table has."""
        while (id_ := make(self.rng)) in table:
            pass
        return id_

    def event_id(self, at: int) -> str:
        """Twenty-six characters that sort in the order in which they were asked for."""
        moment, number = self._tail
        self._tail = (at, number + 1 if at == moment else self._tails.getrandbits(79))
        return ids.ulid(*self._tail)
