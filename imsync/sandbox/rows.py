"""What the sandbox remembers, a line of the state file each. Times are epoch milliseconds.

Rows are never changed, only put anew: whoever holds one holds it as it was.
"""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
Status: TypeAlias = Literal["triggered", "acknowledged", "resolved"]


@dataclass(frozen=True, slots=True)
class User:
    id: str
    name: str
    email: str
    job_title: str
    role: str = "user"


@dataclass(frozen=True, slots=True)
class Schedule:
    """The users take turns, starting with the first at `start`."""

    id: str
    name: str
    users: list[str]
    start: int
    turn_seconds: int


@dataclass(frozen=True, slots=True)
class Policy:
    """An escalation policy. Each level is the ids of users and schedules; levels count from 1."""

    id: str
    name: str
    levels: list[list[str]]
    delay_minutes: int = 30


@dataclass(frozen=True, slots=True)
class Service:
    id: str
    name: str
    description: str
    policy: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Priority:
    id: str
    name: str
    description: str
    color: str
    order: int
    created_at: int


@dataclass(frozen=True, slots=True)
class Incident:
    id: str
    number: int
    title: str
    service: str
    policy: str
    urgency: str
    status: Status
    key: str | None  # none of incidents that have an alert
    created_at: int
    updated_at: int
    changed_at: int  # the status, that is
    changed_by: str  # a user or the service
    level: int = 1
    priority: str | None = None
    details: str | None = None
    kind: str = "incident_default"
    bridge: Json | None = None
    direct: bool = False  # assigned to somebody by name: does not escalate
    assignees: dict[str, int] = field(default_factory=dict)  # user: since
    acknowledgers: dict[str, int] = field(default_factory=dict)
    due: dict[str, int] = field(default_factory=dict)  # unacknowledge, escalate, resolve: when
    resolved_at: int | None = None
    reopened_at: int | None = None
    merged_into: str | None = None
    alert_key: str | None = None  # of the alert, where a monitor made it
    first_entry: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A log entry. `more` is what only its kind has, in PagerDuty's form."""

    id: str
    kind: str
    at: int
    incident: str
    service: str
    agent: str  # a user or a service
    summary: str
    channel: Json
    more: Json


@dataclass(frozen=True, slots=True)
class Note:
    id: str
    incident: str
    user: str  # or the service, where nobody wrote it
    content: str
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Subscription:
    id: str
    method_id: str
    url: str
    secret: str
    headers: list[Json]
    events: list[str]
    scope: str  # account_reference, service_reference
    scope_id: str
    description: str
    active: bool = True
    drops: int = 0  # in a row
    disabled_until: int = 0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one subscription. `id` is its X-Webhook-Id.

    Those of one queue leave in the order of `turn`, and only the first of them is tried.
    """

    id: str
    subscription: str
    queue: str
    turn: int
    event_type: str
    body: str
    since: int
    due: int
    attempts: int = 0
    again: bool = False  # once it has arrived


@dataclass(frozen=True, slots=True)
class Token:
    """An API key; its id is the key itself. One of a user acts as that user."""

    id: str
    name: str  # full, read_only, user, app
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Counter:
    id: str
    value: int
