"""Integrations: as they are configured, and how each is doing."""

from typing import Literal

from typing_extensions import TypedDict

from imsync.api.answers.plans import Changed
from imsync.core.fields import Field, Side
from imsync.core.merge import Direction, Strategy


class Integration(TypedDict):
    """A connection to an external account. Its credentials are never answered."""

    id: str
    slug: str
    name: str
    integration_type: str
    organization_id: str | None
    base_url: str
    sync_direction: Direction
    conflict_strategy: Strategy
    sync_escalations: bool
    sync_notes: bool
    rate_limit: int
    backoff_multiplier: float
    from_email: str | None
    default_service: str | None
    enabled: bool
    import_open: Literal["all", "mapped", "none"]
    state: str
    webhook_url: str
    has_token: bool
    has_webhook_secret: bool
    created_at: str
    updated_at: str


class ChangedIntegration(Integration, Changed):
    pass


class Check(TypedDict):
    name: str
    ok: bool
    detail: str
    hint: str


class TestResult(TypedDict):
    """Whether the external side would let us work; a suspended integration resumes if it would."""

    integration: str
    healthy: bool
    checks: list[Check]


class SyncedField(TypedDict):
    """A field, whose it is, and how an edit of it over there is learnt of."""

    field: str
    owner: Side
    observed: str


class Lag(TypedDict):
    """How long (ms) the last so many took to arrive. Null: none did yet."""

    count: int
    p50_ms: int | None
    p99_ms: int | None


class Lags(TypedDict):
    inbound: Lag
    outbound: Lag


class Limit(TypedDict):
    """What the external side last said of its limit; `own_limit` is what we keep to, a minute.

    `reset_s`: seconds from now until it is full again, 0 once it is.
    """

    limit: int | None
    remaining: int | None
    reset_s: int | None
    own_limit: int


class Imported(TypedDict):
    """Of what is open over there: what is taken in (`scope`), how many there are, and are linked.

    `open_there` null: nobody has looked yet.
    """

    scope: Literal["all", "mapped", "none"]
    open_there: int | None
    linked: int


_Import = TypedDict("_Import", {"import": Imported})


class SyncStatus(_Import):
    """Is it in sync? `problems` says what is not well, and what would help."""

    integration: str
    state: str
    healthy: bool
    problems: list[str]
    sync_direction: Direction
    conflict_strategy: Strategy
    links: int
    pending: int
    waiting_for_a_service: int
    left_alone: int
    pending_inbound: int
    oldest_pending_at: str | None
    fields: list[SyncedField]
    lag: Lags
    last_delivery_at: str | None
    last_sweep_at: str | None
    refused_signatures: int
    clock_offset_ms: int
    conflicts: int
    blocked: int
    dead_letters: int
    drift_healed: int
    limit: Limit


class LinkField(TypedDict):
    """What one field of a link stands at, and why."""

    platform: str | None
    external: str | None
    base: str | None
    state: str
    because: str


class Link(TypedDict):
    """This platform incident is that external incident."""

    id: int
    incident: str
    integration: str
    external_id: str | None
    external_url: str | None
    state: str
    fields: dict[str, LinkField]
    last_observed_at: str | None
    last_confirmed_at: str | None


class ChangedLink(Link, Changed):
    pass


class Failure(TypedDict):
    code: str
    message: str


class DeadLetter(TypedDict):
    """What was given up on, why, and what may mend it."""

    id: str
    integration: str
    incident: str | None
    direction: str
    field: str | None
    error: Failure
    attempts: int
    body: str | None
    created_at: str
    hint: str


class FieldRule(TypedDict):
    """Who owns a field. `default`: nobody has set a rule for it."""

    field: Field
    owner: Side
    priority: int
    strict: bool
    default: bool


class ChangedFieldRule(FieldRule, Changed):
    pass


_Map = TypedDict(
    "_Map",
    {
        "map": str,
        "field": Field,
        "out": dict[str, str],
        "in": dict[str, str],
        "default": bool,
    },
)


class Map(_Map):
    """What our values are called there, each way. `default`: it is the connector's own."""


class ChangedMap(_Map, Changed):
    pass


class ServiceMapping(TypedDict):
    """Incidents of this service come in as this type, and those of this type go there.

    `service_name` null: nobody has asked what it is called.
    """

    id: str
    pd_service: str
    service_name: str | None
    incident_type: str
    created_at: str


class ChangedServiceMapping(ServiceMapping, Changed):
    pass
