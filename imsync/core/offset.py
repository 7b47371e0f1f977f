"""How far the external clock is from ours, from the Date header of its answers.

`Date` (RFC 9110 §6.6.1) is cut to whole seconds and the answer spent an unknown part
of the round trip on its way, so one answer gives only a range. Ranges of several
answers overlap, and their overlap narrows within a few requests.
"""

from dataclasses import dataclass
from typing import Self

from imsync.core.fields import Instant

_DRIFT = 20  # parts per million: how fast two decent clocks may part


@dataclass(frozen=True, slots=True)
class Offset:
    """External time minus ours is within `low`..`high` ms, as known at `at`."""

    low: float
    high: float
    at: Instant

    @classmethod
    def measured(cls, *, date: Instant, sent: Instant, received: Instant) -> Self:
        """What one answer tells: it was made between `sent` and `received`, and says `date`."""
        return cls(date - received, date + 1_000 - sent, received)

    def narrowed(self, newer: Self) -> Self:
        """Both ranges' overlap; the newer alone if a clock was set and they no longer meet."""
        widened = (newer.at - self.at) * _DRIFT / 1_000_000
        low, high = max(self.low - widened, newer.low), min(self.high + widened, newer.high)
        return type(self)(low, high, newer.at) if low <= high else newer

    @property
    def ms(self) -> int:
        """The offset to correct by: what is in the range nearest to none at all."""
        return round(min(max(0.0, self.low), self.high))
