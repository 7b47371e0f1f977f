"""How often one may ask: so many in any sixty seconds, told on every answer. Pure."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

MINUTE: Final = 60_000

_SHARES: Final = {
    ("PUT", "/incidents"): 500 / 960,  # the one figure that PagerDuty has published
    ("POST", "/incidents"): 240 / 960,
    ("GET", "/oncalls"): 480 / 960,
}
"""The operations with a limit of their own, as a share of the limit on everything."""


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
        return -(-(self.calls[0] + MINUTE - now) // 1000) if self.calls else 0


class Limits:
    """The windows of every token. A refused call takes nothing from them."""

    def __init__(self, rate_limit: int) -> None:
        self.rate_limit = rate_limit
        self._windows: dict[tuple[str, str, str], Window] = {}

    def take(self, token: str, method: str, path: str, now: int) -> tuple[bool, dict[str, str]]:
        """Whether this call is allowed, and the headers that tell of the closest limit."""
        windows = [self._window(token, "", "", 1.0)]
        if share := _SHARES.get((method, path)):
            windows.append(self._window(token, method, path, share))
        allowed = all(window.left(now) for window in windows)
        if allowed:
            for window in windows:
                window.calls.append(now)
        closest = min(windows, key=lambda window: window.left(now))
        return allowed, {
            "ratelimit-limit": str(closest.limit),
            "ratelimit-remaining": str(closest.left(now)),
            "ratelimit-reset": str(closest.reset(now)),
        }

    def _window(self, token: str, method: str, path: str, share: float) -> Window:
        limit = max(int(self.rate_limit * share), 1)
        window = self._windows.setdefault((token, method, path), Window(limit))
        window.limit = limit
        return window
