"""Drift: what no webhook told of."""

from typing_extensions import TypedDict


class Stopped(TypedDict):
    """A sweep that would have changed `would_change` of the `met` incidents at once."""

    at: str
    would_change: int
    met: int


class Drift(TypedDict):
    """What looking has found. `stopped`: a sweep waits for somebody to let it go ahead."""

    integration: str
    healed: int
    last_sweep_at: str | None
    log_read_to_at: str | None
    stopped: Stopped | None
