"""Drift: what no webhook told of."""

from typing_extensions import TypedDict

from imsync.engine.sweeping import SweepState


class Stopped(TypedDict):
    """A sweep that would have changed `would_change` of the `met` incidents at once."""

    at: str
    would_change: int
    met: int


class Sweep(TypedDict):
    """How a sweep goes or went: `met` incidents so far, of which `mended` had changed with nobody
    telling, and `taken_in` had not been here. `because`: why it was stopped, or failed."""

    state: SweepState
    met: int
    mended: int
    taken_in: int
    because: str
    ended_at: str | None


class Drift(TypedDict):
    """What looking has found. `stopped`: a sweep waits for somebody to let it go ahead.

    `healed`: incidents mended, ever. `open_there`: at the last sweep. `sweep`: the one that is
    waited for, else under way, else the last; null: the integration is not at work.
    """

    integration: str
    healed: int
    open_there: int | None
    last_sweep_at: str | None
    log_read_to_at: str | None
    stopped: Stopped | None
    sweep: Sweep | None
