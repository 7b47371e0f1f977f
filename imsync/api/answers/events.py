"""Events: what each kind carries, and the envelope (CloudEvents 1.0, its structured form)."""

from typing import Any, Literal

from typing_extensions import TypedDict

from imsync.core.fields import Field, Severity, Side, Status
from imsync.store.events import Type


class Event(TypedDict):
    """What happened. `subject` is the incident, or else the integration's slug.

    `time` is when it happened, which for an edit made elsewhere is before we learnt of it;
    the order of the events is that of their ids. What `data` holds goes by `type`.
    """

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str | None
    time: str
    datacontenttype: Literal["application/json"]
    data: dict[str, Any]


class _OfIncident(TypedDict):
    """`integration` is where it came from; null: it was here. `by` null: nobody knows who."""

    incident: str
    integration: str | None
    by: str | None


class Declared(_OfIncident):
    """An incident was declared: here, or there and taken in."""

    title: str
    severity: Severity
    status: Status


class Changed(_OfIncident):
    """A field of an incident was changed, on the side that it says."""

    side: Side
    field: Field
    old: str | None
    new: str | None


class Noted(_OfIncident):
    """A note was written, here or there; also what imsync has to say about an incident."""

    text: str


class Escalated(_OfIncident):
    """The incident was escalated there."""

    text: str


class Linked(_OfIncident):
    """The incident stands in the integration's account too, from now on."""

    external_id: str
    external_url: str | None


class _OfLink(TypedDict):
    incident: str
    integration: str
    by: str | None


class Confirmed(_OfLink):
    """What `by` set here stands there too, `lag_ms` after it was set.

    `field` is a field, or `note`.
    """

    field: str
    value: str | None
    lag_ms: int


class OneSide(TypedDict):
    value: str | None
    by: str | None


class ConflictEvent(_OfLink):
    """Both sides changed a field, differently. `by` decided it: a person, or `imsync`.

    The external value is as it is there. `winner` null: neither won, or nobody has decided.
    """

    conflict: str
    field: Field
    status: Literal["pending", "resolved", "ignored"]
    strategy: str
    platform: OneSide
    external: OneSide
    winner: Side | None
    because: str


class Buried(TypedDict):
    """Something was given up on, and waits for a person. `field` null: it is about no one field."""

    incident: str | None
    integration: str
    dead_letter: str
    direction: Literal["inbound", "outbound"]
    field: str | None
    code: str
    message: str
    attempts: int
    hint: str


class BuriedNoMore(TypedDict):
    """Something that had been given up on is tried again, or was let go, `by` a person or null."""

    incident: str | None
    integration: str
    by: str | None
    dead_letter: str
    direction: Literal["inbound", "outbound"]
    field: str | None


class _OfIntegration(TypedDict):
    incident: None
    integration: str


class Made(_OfIntegration):
    """An integration was made, or deleted; `name` is its name."""

    by: str | None
    name: str


class SettingChanged(_OfIntegration):
    """A setting is another: a name of the integration, or `field-ownership/…`, `map/…`,
    `service-mapping/…`. `old`, `new`: as the API tells it; both null for a credential."""

    by: str | None
    setting: str
    old: Any
    new: Any


class OfSubscription(_OfIntegration):
    """The webhook subscription was installed, delivers or does not, or was deleted there.

    `because`: why it does not deliver; else empty.
    """

    subscription: str
    because: str


class Suspended(_OfIntegration):
    """The account does not let us work: nothing is asked of it until its test passes."""

    because: str


class Resumed(_OfIntegration):
    """The account lets us work again."""


class RefusedDeliveries(_OfIntegration):
    """So many deliveries were not rightly signed, since that was last told: once a minute."""

    deliveries: int


class Healed(_OfIntegration):
    """A look at the account found this many incidents that no webhook had told of, and mended
    them; what changed comes as events of its own."""

    incidents: int


class Braked(_OfIntegration):
    """A sweep was stopped: it would have changed so many of the incidents that it met."""

    would_change: int
    met: int


class Released(_OfIntegration):
    """A sweep goes ahead again."""


DATA: dict[Type, Any] = {
    Type.DECLARED: Declared,
    Type.CHANGED: Changed,
    Type.NOTED: Noted,
    Type.ESCALATED: Escalated,
    Type.LINKED: Linked,
    Type.CONFIRMED: Confirmed,
    Type.OPENED: ConflictEvent,
    Type.UPDATED: ConflictEvent,
    Type.DECIDED: ConflictEvent,
    Type.BURIED: Buried,
    Type.RETRIED: BuriedNoMore,
    Type.DISCARDED: BuriedNoMore,
    Type.CREATED: Made,
    Type.CONFIGURED: SettingChanged,
    Type.DELETED: Made,
    Type.SUSPENDED: Suspended,
    Type.RESUMED: Resumed,
    Type.SUBSCRIBED: OfSubscription,
    Type.DISABLED: OfSubscription,
    Type.ENABLED: OfSubscription,
    Type.UNSUBSCRIBED: OfSubscription,
    Type.REFUSED: RefusedDeliveries,
    Type.HEALED: Healed,
    Type.STOPPED: Braked,
    Type.RELEASED: Released,
}
"""What the data of each type of event holds."""
