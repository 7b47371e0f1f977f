"""How often one may ask: so many in any sixty seconds, told on every answer. Pure.

Every key has a limit on everything it asks; a user's keys share one. Three operations have a
lower one beside it; that on creating incidents is shared by the whole account.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final, Self

from imsync.sandbox.settings import whole

MINUTE: Final = 60_000
_SHARED: Final = ("POST", "/incidents")


@dataclass(slots=True)
class Rates:
    """Calls a minute. Set in place, by `--limit NAME=N`, or over `PUT /_sandbox/limits`."""

    everything: int = whole(960, least=1)
    put_incidents: int = whole(500, least=1)  # the one of these that PagerDuty has published
    post_incidents: int = whole(240, least=1)
    get_oncalls: int = whole(480, least=1)

    @classmethod
    def of(cls, everything: int) -> Self:
        """The lower limits in proportion."""
        usual = cls()

        def share(rate: int) -> int:
            return max(rate * everything // usual.everything, 1)

        return cls(
            everything=everything,
            put_incidents=share(usual.put_incidents),
            post_incidents=share(usual.post_incidents),
            get_oncalls=share(usual.get_oncalls),
        )

    def on(self, method: str, path: str) -> int | None:
        """The limit that this operation has of its own."""
        match method, path:
            case "PUT", "/incidents":
                return self.put_incidents
            case "POST", "/incidents":
                return self.post_incidents
            case "GET", "/oncalls":
                return self.get_oncalls
            case _:
                return None


@dataclass(slots=True)
class Window:
    """The calls of the last minute."""

    limit: int
    calls: deque[int] = field(default_factory=deque)

    def left(self, now: int) -> int:
        while self.calls and self.calls[0] <= now - MINUTE:
            self.calls.popleft()
        return max(self.limit - len(self.calls), 0)

    def reset(self, now: int) -> int:
        """Whole seconds until one more call is free again."""
        if not self.calls:
            return 0
        # After a limit was lowered, one call that leaves the window makes no room yet.
        next_free = max(len(self.calls) - self.limit, 0)
        return -(-(self.calls[next_free] + MINUTE - now) // 1000)


class Limits:
    """The windows of everybody who calls. A refused call takes nothing from them."""

    def __init__(self, rates: Rates) -> None:
        self.rates = rates
        self._windows: dict[tuple[str, str, str], Window] = {}

    def take(self, caller: str, method: str, path: str, now: int) -> tuple[bool, dict[str, str]]:
        """Whether this call is allowed, and the headers that tell of the closest limit.

        The `caller` is a key or a user; "" is whoever has shown no key that is known.
        """
        windows = [self._window(caller, "", "", self.rates.everything)]
        if caller and (rate := self.rates.on(method, path)) is not None:
            whose = "the account" if (method, path) == _SHARED else caller
            windows.append(self._window(whose, method, path, rate))
        allowed = all(window.left(now) for window in windows)
        if allowed:
            for window in windows:
                window.calls.append(now)
        closest = min(windows, key=lambda window: (window.left(now), -window.reset(now)))
        return allowed, {
            "ratelimit-limit": str(closest.limit),
            "ratelimit-remaining": str(closest.left(now)),
            "ratelimit-reset": str(closest.reset(now)),
        }

    def _window(self, caller: str, method: str, path: str, limit: int) -> Window:
        window = self._windows.setdefault((caller, method, path), Window(limit))
        window.limit = limit
        return window
