"""What can go wrong between two systems, on demand."""

from dataclasses import dataclass, fields
from typing import Any


@dataclass(slots=True)
class Faults:
    """All quiet by default. Set in place, or over `PUT /_sandbox/faults`.

    Each is a probability from 0 to 1, decided by the sandbox's own dice; those in
    milliseconds say how long at most.
    """

    delivery_drop: float = 0.0
    """A delivery is lost on its way out, and nobody is told."""

    delivery_delay: float = 0.0
    """A delivery sets out late, and holds up those behind it, by up to …"""
    delivery_delay_ms: int = 5_000

    delivery_repeat: float = 0.0
    """A delivery that arrived is sent once more, with the same X-Webhook-Id."""

    delivery_reorder: float = 0.0
    """A delivery leaves its queue and arrives whenever, within `delivery_delay_ms`."""

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

    api_malformed: float = 0.0
    """It is done, and the answer is cut short in the middle of its JSON."""

    api_slow: float = 0.0
    """It is done, and the answer takes up to …"""
    api_slow_ms: int = 10_000


class Unsettable(ValueError):
    """No such name, or no such value for it."""


def set_from(target: Any, wanted: object) -> None:
    """Set the named fields of a dataclass of flags and numbers; all of them or none."""
    if not isinstance(wanted, dict):
        raise Unsettable("an object of names and values is needed")
    known = {field.name: field for field in fields(target)}
    for name, value in wanted.items():
        if name not in known:
            raise Unsettable(f"there is no {name!r}; there are {', '.join(known)}")
        default = known[name].default
        if isinstance(default, bool):
            fits = isinstance(value, bool)
        elif isinstance(default, int):
            fits = type(value) is int and value >= 0
        else:
            fits = type(value) in (int, float) and 0 <= value <= 1
        if not fits:
            raise Unsettable(f"{name} cannot be {value!r}")
    for name, value in wanted.items():
        setattr(target, name, value)
