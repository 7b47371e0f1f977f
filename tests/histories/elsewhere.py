"""The other side, in memory: incidents with values, a log of who edited what, and deliveries.

A neighbour, not a mock: it does what PagerDuty does, and tells of it in PagerDuty's own JSON,
so that everything it says is parsed by the real connector's pure half.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

import orjson

from imsync.connectors.base import (
    Change,
    Check,
    Draft,
    Entry,
    Kind,
    LogPage,
    Note,
    OnCall,
    Page,
    Snapshot,
    Subscription,
    Subscriptions,
)
from imsync.connectors.pagerduty import incidents, log
from imsync.core.fields import Field, Instant, Value
from imsync.errors import Gone, Refused, Unavailable, Unknown

Told = TypeVar("Told")

Json = dict[str, Any]

USERS = {f"{name}@acme.example": f"P{name.upper()}" for name in ("ann", "bob", "cid", "dee")}
POLICIES = {"Everyone": "PEVERYONE"}
PRIORITIES = ("P1", "P2", "P3", "P4", "P5")
ON_CALL = USERS["ann@acme.example"]
US = "PROBOT"
SERVICE = "PSERVICE"

T = TypeVar("T")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARTS = ("title", "urgency", "priority", "assignee", "status")
_FIELD = {
    "title": Field.TITLE,
    "urgency": Field.SEVERITY,
    "priority": Field.SEVERITY,
    "assignee": Field.ASSIGNED_TO,
    "status": Field.STATUS,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One edit over there, in external values: the history that the oracle reads."""

    n: int
    external_id: str
    field: Field
    old: Value
    new: Value
    by: str


@dataclass(slots=True)
class Row:
    id: str
    key: str | None
    created_at: int
    title: str
    urgency: str = "high"
    priority: str | None = None
    status: str = "triggered"
    assignee: str | None = ON_CALL

    def __getitem__(self, field: Field) -> Value:
        if field is Field.SEVERITY:
            return f"{self.urgency} {self.priority or ''}".strip()
        if field is Field.ASSIGNED_TO:
            return self.assignee
        return self.title if field is Field.TITLE else self.status


@dataclass(slots=True)
class Delivery:
    """`heard`: it has reached us, once at least."""

    body: Json
    heard: bool = False


@dataclass
class Elsewhere:
    """One account over there."""

    rng: Random
    clock: Callable[[], Instant]
    count: Callable[[], int]
    name: str
    skew: int = 0  # how far its clock is ahead of ours
    offset: int = 0  # ... and how far we think it is
    has_priorities: bool = True
    cuts_seconds: bool = True  # its log tells whole seconds
    unacknowledges: bool = True
    order: Sequence[str] = _PARTS
    rows: dict[str, Row] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    log: list[Json] = field(default_factory=list)  # newest last
    sent: list[Delivery] = field(default_factory=list)
    wire: list[Delivery] = field(default_factory=list)
    writes: int = 0

    def now(self) -> int:
        return self.clock() + self.skew

    # --- what people (and we) do there

    def open(self, title: str, *, by: str, key: str | None = None, **more: str | None) -> Row:
        given = {name: value for name, value in more.items() if value is not None}
        row = Row(f"Q{self.name}{len(self.rows) + 1}", key, self.now(), title, **given)
        self.rows[row.id] = row
        for one in (Field.TITLE, Field.SEVERITY, Field.STATUS, Field.ASSIGNED_TO):
            self.lines.append(Line(self.count(), row.id, one, None, row[one], by))
        self._enter(row, by, "trigger_log_entry", row.created_at)
        self._tell(row, by, "triggered", row.created_at)
        return row

    def edit(self, row: Row, part: str, value: str | None, *, by: str) -> bool:
        old = getattr(row, part)
        if old == value:
            return False
        one, at = _FIELD[part], self.now()
        before = row[one]
        setattr(row, part, value)
        self.lines.append(Line(self.count(), row.id, one, before, row[one], by))
        if part == "title":
            changeset = [{"name": "title", "value": value, "old_value": old}]
            self._enter(row, by, "field_value_change_log_entry", at, changeset=changeset)
        elif part == "urgency":
            self._enter(row, by, "urgency_change_log_entry", at, new_urgency=value)
        elif part == "priority":
            self._enter(row, by, "priority_change_log_entry", at, new_priority={"name": value})
            self._tell(row, by, "priority_updated", at)
        elif part == "assignee":
            self._assigned(row, by, at)
            self._tell(row, by, "reassigned", at)
        else:
            self._moved(row, str(old), by, at)
        return True

    def _moved(self, row: Row, old: str, by: str, at: int) -> None:
        had = row.assignee
        if row.status == "resolved":
            row.assignee = None
        elif old == "resolved":
            row.assignee = ON_CALL
        if row.assignee != had:
            self.lines.append(
                Line(self.count(), row.id, Field.ASSIGNED_TO, had, row.assignee, "itself")
            )
        told = {"acknowledged": "acknowledge", "resolved": "resolve"}.get(row.status)
        back = ("reopen", "reopened") if old == "resolved" else ("unacknowledge", "unacknowledged")
        kind, event = (told, f"{told}d") if told else back
        self._enter(row, by, f"{kind}_log_entry", at)
        if old == "resolved":
            self._assigned(row, by, at)
        self._tell(row, by, event, at)

    def _assigned(self, row: Row, by: str, at: int) -> None:
        assignees = [{"id": row.assignee, "type": "user_reference"}]
        entry = self._enter(row, by, "assign_log_entry", at)
        entry["assignees"] = assignees

    def _enter(self, row: Row, by: str, kind: str, at: int, **channel: object) -> Json:
        entry: Json = {
            "type": kind,
            "created_at": _moment(at - at % 1_000 if self.cuts_seconds else at),
            "agent": {"id": by, "type": "user_reference"},
            "incident": {"id": row.id, "type": "incident_reference"},
            "channel": {"type": "api", **channel},
            "_at": at,
        }
        self.log.append(entry)
        return entry

    def _tell(self, row: Row, by: str, event: str, at: int) -> None:
        body = {
            "event": {
                "id": f"01{self.name}{len(self.sent):04}",
                "event_type": f"incident.{event}",
                "resource_type": "incident",
                "occurred_at": _moment(at),
                "agent": {"id": by, "type": "user_reference", "summary": by},
                "client": None,
                "data": self.json(row, emails=False),
            }
        }
        self.sent.append(Delivery(body))
        self.wire.append(self.sent[-1])

    def json(self, row: Row, *, emails: bool) -> Json:
        user: Json = {"id": row.assignee, "type": "user_reference", "summary": row.assignee}
        if emails and row.assignee:
            user["email"] = _name(USERS, row.assignee)
        return {
            "id": row.id,
            "type": "incident",
            "html_url": f"https://elsewhere.example/{row.id}",
            "status": row.status,
            "title": row.title,
            "urgency": row.urgency,
            "priority": row.priority and {"id": row.priority, "summary": row.priority},
            "assignees": [user] if row.assignee else [],
            "escalation_policy": {"id": "PEVERYONE", "summary": "Everyone"},
            "service": {"id": SERVICE},
            "incident_key": row.key,
            "created_at": _moment(row.created_at - row.created_at % 1_000),
        }

    def sealed(self, delivery: Delivery, again: int = 0) -> bytes:
        """The delivery, or (`again`) the same thing told as another event."""
        if not again:
            return orjson.dumps(delivery.body)
        event = {**delivery.body["event"], "id": f"{delivery.body['event']['id']}-{again}"}
        return orjson.dumps({"event": event})


@dataclass
class Road:
    """A connection to the account: `connectors.base.Connector`, with a turn for others to act
    before a request arrives there, and another before its answer arrives here."""

    there: Elsewhere
    turn: Callable[[], Awaitable[None]]
    trouble: float = 0.0
    answering: bool = False  # what was written stands there, and nobody has told us yet

    async def fetch(self, external_id: str) -> Snapshot:
        sent = await self._arrive()
        row = self._row(external_id)
        return await self._answer(self._snapshot(row, sent))

    async def find(self, key: str, service_id: str) -> Sequence[Snapshot]:
        sent = await self._arrive()
        found = [self._snapshot(row, sent) for row in self.there.rows.values() if row.key == key]
        return await self._answer(found[::-1])

    async def list_open(self, start: int = 0) -> Page:
        sent = await self._arrive()
        rows = [row for row in self.there.rows.values() if row.status != "resolved"]
        return await self._answer(Page([self._snapshot(row, sent) for row in rows], None))

    async def create(self, draft: Draft, *, actor: str | None) -> Snapshot:
        body: Any = incidents.to_create(draft, self._priority_id)["incident"]
        sent = await self._arrive(writes=True)
        there = self.there
        if any(r.key == draft.key and r.status != "resolved" for r in there.rows.values()):
            raise Refused("an open incident with matching dedup key already exists", status=400)
        there.writes += 1
        assigned = body.get("assignments")
        row = there.open(
            body["title"],
            by=US,
            key=draft.key,
            urgency=body.get("urgency"),
            priority=body["priority"]["id"] if "priority" in body else None,
            assignee=assigned[0]["assignee"]["id"] if assigned else None,
        )
        return await self._answer(self._snapshot(row, sent), writes=True)

    async def write(
        self, external_id: str, changes: Mapping[Field, Value], *, actor: str | None
    ) -> Snapshot:
        body: Any = incidents.to_write(changes, self._priority_id)["incident"]
        sent = await self._arrive(writes=True)
        row = self._row(external_id)
        status = body.get("status", row.status)
        if "assignments" in body and row.status == status == "resolved":
            raise Refused("Incident Already Resolved", status=400, number=1001)
        back = (row.status, status) == ("acknowledged", "triggered")
        if back and not self.there.unacknowledges:
            raise Refused("Invalid Status Provided", status=400, number=1003)
        self.there.writes += 1
        wanted = {name: body[name] for name in ("title", "urgency", "status") if name in body}
        if "priority" in body:
            wanted["priority"] = body["priority"]["id"]
        if "assignments" in body:
            wanted["assignee"] = body["assignments"][0]["assignee"]["id"]
        for part in self.there.order:
            if part in wanted:
                self.there.edit(row, part, wanted[part], by=US)
        return await self._answer(self._snapshot(row, sent), writes=True)

    async def log(self, external_id: str, since: Instant) -> Sequence[Change]:
        await self._arrive()
        found = self._log(since, external_id)
        return await self._answer(found)

    async def feed(self, since: Instant, start: int = 0) -> LogPage:
        await self._arrive()
        return await self._answer(LogPage(self._log(since), None))

    async def look_up(self, kind: Kind, name: str) -> Sequence[Entry]:
        await self._arrive()
        known = USERS if kind is Kind.USER else POLICIES
        found = known.get(name.lower() if kind is Kind.USER else name)
        return await self._answer([Entry(kind, name, found)])

    async def look_up_id(self, kind: Kind, id_: str) -> Entry:
        await self._arrive()
        found = _name(USERS if kind is Kind.USER else POLICIES, id_)
        return await self._answer(Entry(kind, found, id_))

    async def list_priorities(self) -> Sequence[Entry]:
        await self._arrive()
        names = PRIORITIES if self.there.has_priorities else ()
        return await self._answer([Entry(Kind.PRIORITY, name, name) for name in names])

    async def check(self) -> Sequence[Check]:
        return [Check("reach", True, "")]

    # What histories do not ask of it.

    async def notes(self, external_id: str) -> Sequence[Note]:
        raise NotImplementedError

    async def put_note(
        self, external_id: str, text: str, *, note_id: str | None, actor: str | None
    ) -> Note:
        raise NotImplementedError

    async def on_call(
        self, *, schedule_id: str | None = None, policy_id: str | None = None
    ) -> Sequence[OnCall]:
        raise NotImplementedError

    async def list_names(self, kind: Kind) -> Sequence[Entry]:
        raise NotImplementedError

    async def subscriptions(self, start: int = 0) -> Subscriptions:
        raise NotImplementedError

    async def subscription(self, id_: str) -> Subscription:
        raise NotImplementedError

    async def subscribe(self, url: str) -> Subscription:
        raise NotImplementedError

    async def unsubscribe(self, id_: str) -> None:
        raise NotImplementedError

    async def enable(self, id_: str) -> None:
        raise NotImplementedError

    async def ping(self, id_: str) -> None:
        raise NotImplementedError

    # --- on the way

    async def _arrive(self, *, writes: bool = False) -> Instant:
        """When the request left; by the time this returns, it is there."""
        sent = self.there.clock()
        await self.turn()
        if self.trouble and self.there.rng.random() < self.trouble:
            if self.there.rng.random() < 0.4:
                raise Unavailable("429", retry_after=self.there.rng.choice((0, 5_000)))
            raise Unknown("no answer") if writes else Unavailable("503")
        return sent

    async def _answer(self, answer: Told, *, writes: bool = False) -> Told:
        self.answering = writes
        await self.turn()
        self.answering = False
        if self.trouble and self.there.rng.random() < self.trouble:
            raise Unknown("the answer was lost") if writes else Unavailable("no answer")
        return answer

    def _row(self, external_id: str) -> Row:
        if external_id not in self.there.rows:
            raise Gone("no such incident", status=404)
        return self.there.rows[external_id]

    def _snapshot(self, row: Row, sent: Instant) -> Snapshot:
        shown = self.there.json(row, emails=True)
        return incidents.snapshot(shown, as_of=sent, offset=self.there.offset)

    def _log(self, since: Instant, external_id: str | None = None) -> Sequence[Change]:
        start = log.since(since, offset=self.there.offset)
        start -= start % 1_000
        entries = [
            entry
            for entry in reversed(self.there.log)
            if entry["_at"] >= start and external_id in (None, entry["incident"]["id"])
        ]
        return log.changes(
            {"log_entries": entries},
            external_id=external_id,
            offset=self.there.offset,
            priority_name=self._priority_id,
        )

    def _priority_id(self, name: str) -> str | None:
        return name if self.there.has_priorities and name in PRIORITIES else None


def _name(of: Mapping[str, str], id_: str) -> str:
    for name, known in of.items():
        if known == id_:
            return name
    raise Gone(f"nobody is {id_}", status=404)


def _moment(at: int) -> str:
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds")
