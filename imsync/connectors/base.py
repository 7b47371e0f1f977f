"""What imsync asks of an external system, and the shapes of the answers.

A connector translates and nothing else: no retries, no limits, no choice between two
values. Every method that is `async` makes exactly one request, so that whoever calls
it can pay for it; times come back on our own clock; values come back in external form.

All of them raise `imsync.errors.ExternalError`: Unavailable (nothing changed there,
later may do), Unknown (no answer: it may have been carried out), Unauthorized,
Refused, Gone; those that act for somebody, NoSuchUser too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from imsync.core.fields import Field, Instant, Value
from imsync.core.maps import Custom, ValueMap


class Kind(StrEnum):
    """What the directory knows by name there: an id each, looked up once and kept."""

    USER = "user"  # by e-mail
    ESCALATION_POLICY = "escalation_policy"  # by name
    PRIORITY = "priority"  # by name
    SCHEDULE = "schedule"  # by name
    SERVICE = "service"  # by name


class Directory(Protocol):
    """What has been looked up so far. `connectors` asks it, the store answers."""

    def id_of(self, kind: Kind, name: str) -> str:
        """The external id of that name, whatever its case.

        Raises NotLookedUp when nobody asked yet, NoTranslation when there is none.
        """

    def name_of(self, kind: Kind, id_: str) -> str:
        """The name behind an id. Raises NotLookedUp or NoTranslation likewise."""

    def names(self, kind: Kind) -> Sequence[str]:
        """All names known of a kind."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the directory. `id` None: asked for, and there is no such thing."""

    kind: Kind
    name: str
    id: str | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An external incident as it stood at `as_of`. A field that is absent was not shown."""

    external_id: str
    url: str | None
    fields: Mapping[Field, Value]
    as_of: Instant
    key: str | None = None  # the idempotency key it was created with
    service_id: str | None = None
    service: str | None = None  # its name, if it came along
    merged_into: str | None = None  # the incident that it was merged into
    created_at: Instant | None = None
    open: bool = True
    set_at: Mapping[Field, Instant] = field(default_factory=dict)  # edits whose time is known
    set_by: Mapping[Field, str] = field(default_factory=dict)  # ... and who made them, by name
    learnt: Sequence[Entry] = ()  # names that came along and save a lookup


@dataclass(frozen=True, slots=True)
class Note:
    id: str
    text: str


class Sort(StrEnum):
    """What a delivery asks of us."""

    OBSERVATION = "observation"  # the whole incident, as it was then
    APPEARED = "appeared"  # the same, of an incident that is new there
    ESCALATED = "escalated"  # the same, and the timeline should say so
    NOTE = "note"  # a remark for the timeline
    LOOK = "look"  # something happened to this incident: fetch it
    PROOF = "proof"  # the path works
    NOTHING = "nothing"  # not about an incident


@dataclass(frozen=True, slots=True)
class Event:
    """One delivery, understood."""

    id: str
    type: str
    sort: Sort
    at: Instant  # 0 where nothing depends on it and it was not told
    external_id: str | None = None
    snapshot: Snapshot | None = None
    note: Note | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """What of a delivery is needed to keep it in its place, before it is understood.

    All None for a body that says nothing of the kind: it is kept all the same.
    """

    event_id: str | None = None
    event_type: str | None = None
    external_id: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the external log: this field was set to this value, then, and by whom.

    The value may be only a part of the field's external form: `Translation.fits` compares.
    """

    external_id: str
    field: Field
    value: Value
    at: Instant
    by_id: str | None = None  # two lines of one user have the same
    by: str | None = None  # a name for people


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some of the account's log, oldest first; `next` asks for older lines, None is the end."""

    changes: Sequence[Change]
    next: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the open incidents there; `next` asks for more, None is the end."""

    items: Sequence[Snapshot]
    next: int | None


@dataclass(frozen=True, slots=True)
class Draft:
    """An incident to be created there: external values of the fields that are set."""

    key: str
    fields: Mapping[Field, Value]
    service_id: str
    description: str | None = None
    actor: str | None = None  # on whose behalf; None: the integration's own user


class Operation(StrEnum):
    """Requests that an external system may limit more narrowly than the rest."""

    CREATE = "create"
    WRITE_MANY = "write-many"
    ON_CALL = "on-call"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent to change something there: exactly this, but for who acts."""

    method: str
    path: str  # below the API's root
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Limits:
    """What an answer to this operation said of the closest limit. `reset` is ms from now."""

    limit: int
    remaining: int
    reset: int
    operation: Operation = Operation.OTHER


@dataclass(frozen=True, slots=True)
class Check:
    """One line of `im integration test`: what was looked at, and what to do if it is not well.

    `vital`: nothing works without it.
    """

    name: str
    ok: bool
    detail: str
    hint: str = ""
    vital: bool = True


@dataclass(frozen=True, slots=True)
class Subscription:
    """A webhook subscription there. `secret` is told once, when it is created."""

    id: str
    url: str
    active: bool
    events: Sequence[str]
    secret: str | None = field(default=None, repr=False)
    because: str = ""  # why it is not active, for people


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """Some of the subscriptions there; `next` asks for more, None is the end."""

    items: Sequence[Subscription]
    next: int | None


@dataclass(frozen=True, slots=True)
class OnCall:
    """Someone on call now: for which policy, at which level of it, until when if that ends."""

    user_id: str
    user: str  # a name for people
    email: str | None
    policy_id: str
    policy: str
    level: int
    schedule_id: str | None = None
    schedule: str | None = None
    start: Instant | None = None
    end: Instant | None = None


class Connector(Protocol):
    """A connected external account."""

    async def fetch(self, external_id: str) -> Snapshot: ...
    async def find(self, key: str, service_id: str) -> Sequence[Snapshot]:
        """All incidents created with that key on that service, open or not, newest first."""

    async def list_open(self, start: int = 0) -> Page: ...
    async def create(self, draft: Draft, *, actor: str | None) -> Snapshot: ...
    async def write(
        self, external_id: str, changes: Mapping[Field, Value], *, actor: str | None
    ) -> Snapshot:
        """Set these fields to these external values; the answer is how it stands then."""

    async def write_many(
        self, changes: Mapping[str, Mapping[Field, Value]], *, actor: str | None
    ) -> Mapping[str, Snapshot]:
        """Set fields of several incidents, by their ids: all of it, or Refused and nothing."""

    async def log(self, external_id: str, since: Instant) -> Sequence[Change]:
        """What was changed on one incident since then, oldest first."""

    async def notes(self, external_id: str) -> Sequence[Note]: ...
    async def put_note(
        self, external_id: str, text: str, *, note_id: str | None, actor: str | None
    ) -> Note:
        """Write a note, or put this text in place of what the note `note_id` says."""

    async def feed(self, since: Instant, start: int = 0) -> LogPage:
        """What was changed on any incident since then."""

    async def look_up(self, kind: Kind, name: str) -> Sequence[Entry]:
        """Ask for one name: what was found, or its Entry with an id of None."""

    async def look_up_id(self, kind: Kind, id_: str) -> Entry: ...
    async def list_names(self, kind: Kind) -> Sequence[Entry]:
        """What there is of a kind, for somebody to choose from: the first of them."""

    async def list_priorities(self) -> Sequence[Entry]:
        """The account's priorities; none when it has none (404, 402)."""

    async def on_call(
        self, *, schedule_id: str | None = None, policy_id: str | None = None
    ) -> Sequence[OnCall]:
        """Who is on call now, by that schedule or for that policy, the first to be asked first."""

    async def check(self, services: Sequence[str]) -> Sequence[Check]:
        """Several requests: reach, credentials, clock, From user, and each of these services."""

    async def subscriptions(self, start: int = 0) -> Subscriptions: ...
    async def subscription(self, id_: str) -> Subscription:
        """As it is now. Raises Gone when it was deleted."""

    async def subscribe(self, url: str) -> Subscription:
        """Have deliveries sent there. May take two requests."""

    async def unsubscribe(self, id_: str) -> None: ...
    async def enable(self, id_: str) -> None:
        """Let a subscription deliver again, whoever stopped it. May take two requests."""

    async def ping(self, id_: str) -> None:
        """Have a delivery of Sort.PROOF sent over that subscription."""


class Translation(Protocol):
    """The pure half of a connector: values and deliveries, with no account behind them."""

    name: str  # "pagerduty"
    short: str  # "pd": what a name is shortened to in slugs
    title: str  # "PagerDuty"
    observed: Mapping[Field, str]  # per field: "webhook", "poll", "own writes"
    default_url: str
    born: str  # the external status of whatever has just been created
    customizable: Mapping[str, Field]  # the maps that people may change, and the field of each

    def maps(self, directory: Directory, custom: Custom) -> Mapping[Field, ValueMap]: ...
    def sides(self, name: str, priorities: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
        """The values on our side of a customizable map, and on theirs."""

    def broken(self, custom: Custom, priorities: Sequence[str]) -> str | None:
        """What is wrong with the maps as they would be, shown by the values; None if nothing is."""

    def shown(
        self, name: str, custom: Custom, priorities: Sequence[str]
    ) -> tuple[Mapping[str, str], Mapping[str, str]]:
        """A customizable map as it is in force: ours -> theirs, and theirs -> ours."""

    def proves(self, secrets: Sequence[str], signature: str | None, body: bytes) -> bool:
        """Whether one of the secrets signed these very bytes. In constant time."""

    def envelope(self, body: bytes) -> Envelope: ...
    def parse(self, body: bytes, *, offset: int) -> Event:
        """Understand a delivery; `offset` ms is how far the external clock is ahead of ours.

        Raises Unusable for what cannot be.
        """

    def description_note(self, description: str) -> str:
        """The text of the one note that carries a description where it cannot be edited."""

    def is_description_note(self, text: str) -> bool:
        """Whether a note is one of those, whoever asks."""

    def blocks(self, field: Field, snapshot: Snapshot, status: Value) -> str | None:
        """Why this field cannot be written to the incident as it stands; None if it can.

        `status` is the external one that it is to have after the write.
        """

    def resets(self, snapshot: Snapshot, status: Value) -> Sequence[Field]:
        """The fields that writing this external status sets too, to what it likes."""

    def to_create(self, draft: Draft, directory: Directory) -> Request:
        """The request that creates this incident."""

    def to_write(
        self, external_id: str, changes: Mapping[Field, Value], directory: Directory
    ) -> Request:
        """The request that sets these fields. Raises Refused where there is none that does."""

    def to_write_many(
        self, changes: Mapping[str, Mapping[Field, Value]], directory: Directory
    ) -> Request:
        """The request that sets fields of several incidents, by their ids."""

    def to_note(self, external_id: str, text: str) -> Request:
        """The request that adds a note."""

    def to_describe(self, external_id: str, text: str, note_id: str | None) -> Request:
        """The request that puts a description where it can be edited."""

    def fits(self, change: Change, value: Value) -> bool:
        """Whether a change in the log may be the one that set this external value.

        A log may tell only a part of a value; equality would then miss our own writes.
        """

    def after(self, change: Change, value: Value) -> Value:
        """The external value that this change in the log made of the one that stood before."""


class Unusable(ValueError):
    """A delivery that cannot be understood. The message says what is wrong with it."""


LOOKED_UP: Mapping[Field, Kind] = {
    Field.ASSIGNED_TO: Kind.USER,
    Field.ESCALATION_POLICY: Kind.ESCALATION_POLICY,
}
"""The fields whose external value is an id that stands for a name here."""
