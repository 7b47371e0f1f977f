"""What a forecast says: requests, changes on either side, conflicts, and what is not sent."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from imsync.connectors.base import Request
from imsync.core.fields import Value
from imsync.engine.account import Need
from imsync.store import incidents
from imsync.store.conflicts import Conflict


@dataclass(frozen=True, slots=True)
class Change:
    """A field that changes on one side. Values as that side shows them, people by name."""

    incident: str
    field: str
    before: Value
    after: Value

    def __str__(self) -> str:
        return f"{self.incident} {self.field} {self.before!r} -> {self.after!r}"


@dataclass(frozen=True, slots=True)
class Call:
    """A request that would be made, as whom (None: the integration's own user), and why."""

    integration: str
    incident: str
    actor: str | None
    request: Request
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Still:
    """A field that is owed and would not be written, and why."""

    incident: str
    field: str
    because: str


@dataclass(slots=True)
class Forecast:
    """What a change (or, without one, what is owed) leads to. `requests` counts all of them.

    `unknown` are the names that it turns on and nobody has asked for yet.
    """

    integration: str
    rate_limit: int
    calls: list[Call] = field(default_factory=list)
    adopted: list[Change] = field(default_factory=list)
    conflicts: list[Conflict] = field(default_factory=list)  # that it leads to
    ended: list[Conflict] = field(default_factory=list)  # that were pending before
    still: list[Still] = field(default_factory=list)
    requests: int = 0
    unknown: dict[str, list[Need]] = field(default_factory=dict)  # by integration: its id

    def __bool__(self) -> bool:
        """Whether it leads to anything at all."""
        return bool(self.calls or self.adopted or self.conflicts or self.ended or self.still)

    @property
    def id(self) -> str:
        """Two forecasts with one id say the same."""
        bodies = [(call.actor, call.request.body) for call in self.calls]
        text = json.dumps([self.lines(), bodies], sort_keys=True)
        return f"pln_{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def lines(self) -> list[str]:
        """What it says, a line each, to be compared: no times, and no numbers of rows."""
        return [
            *(
                f"{call.request.method} {call.request.path} of {call.integration}: {change}"
                for call in self.calls
                for change in call.changes
            ),
            *(f"here, {change}" for change in self.adopted),
            *(f"{one.incident} {one.field} is not sent: {one.because}" for one in self.still),
            *(_told(conflict) for conflict in [*self.conflicts, *self.ended]),
        ]


def _told(conflict: Conflict) -> str:
    what = f"{incidents.public_id(conflict.incident_id)} {conflict.field}"
    sides = f"{conflict.platform.value!r} here, {conflict.external.value!r} there"
    outcome = f"{conflict.winner} wins" if conflict.winner else conflict.status
    return f"conflict over {what}: {sides}: {outcome}"
