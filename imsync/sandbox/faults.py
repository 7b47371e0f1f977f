"""What can go wrong between two systems, on demand."""

import random
from dataclasses import dataclass
from typing import Final

from imsync.sandbox.settings import whole

_GATEWAY: Final = (500, 502, 503)


@dataclass(slots=True)
class Faults:
    """All quiet by default. Set in place, or over `PUT /_sandbox/faults`.

    Each is a probability from 0 to 1, decided by the sandbox's own dice when a call comes in
    or an event goes out; those in milliseconds say how long at most.
    """

    delivery_drop: float = 0.0
    """A delivery is lost on its way out, and nobody is told."""

    delivery_delay: float = 0.0
    """A delivery sets out late, and holds up those behind it, by up to …"""
    delivery_delay_ms: int = whole(5_000)

    delivery_repeat: float = 0.0
    """A delivery that arrived is sent once more, with the same X-Webhook-Id."""

    delivery_reorder: float = 0.0
    """A delivery leaves its queue and arrives whenever, within `delivery_delay_ms`."""

    subscription_disable: float = 0.0
    """An event finds its subscription disabled for a day, as after three drops: it is lost
    with all that is still owed, and so is what follows until somebody enables it again."""

    api_unheard: float = 0.0
    """The connection closes before anything is done."""

    api_429: float = 0.0
    """Refused as over the limit, with headers and body, before anything is done."""

    api_429_bare: float = 0.0
    """The same without ratelimit headers or a body."""

    api_error: float = 0.0
    """A 500, 502 or 503 before anything is done."""

    api_error_after: float = 0.0
    """The same after it was done."""

    api_lost: float = 0.0
    """It is done, and the connection closes without an answer."""

    api_half_closed: float = 0.0
    """It is done, and the sandbox closes its half of the connection in mid-answer."""

    api_malformed: float = 0.0
    """It is done, and the answer is cut short in the middle of its JSON."""

    api_slow: float = 0.0
    """It is done, and the answer takes up to …"""
    api_slow_ms: int = whole(10_000)


@dataclass(frozen=True, slots=True)
class Fate:
    """What will go wrong with one call, all of it decided when the call comes in."""

    bare_429: bool
    full_429: bool
    unheard: bool
    error: int | None
    error_after: int | None
    slow_ms: int
    lost: bool
    half_closed: bool
    malformed: bool


def fate(faults: Faults, luck: random.Random) -> Fate:
    """Throw the dice, for each fault that is on: the same calls meet the same faults."""

    def falls(probability: float) -> bool:
        return probability > 0 and luck.random() < probability

    return Fate(
        bare_429=falls(faults.api_429_bare),
        full_429=falls(faults.api_429),
        unheard=falls(faults.api_unheard),
        error=luck.choice(_GATEWAY) if falls(faults.api_error) else None,
        error_after=luck.choice(_GATEWAY) if falls(faults.api_error_after) else None,
        slow_ms=luck.randint(0, faults.api_slow_ms) if falls(faults.api_slow) else 0,
        lost=falls(faults.api_lost),
        half_closed=falls(faults.api_half_closed),
        malformed=falls(faults.api_malformed),
    )
