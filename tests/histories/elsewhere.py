"""The other side, in memory: incidents with values, a log of who edited what, and deliveries.

A neighbour, not a mock: it does what PagerDuty does, and tells of it in PagerDuty's own JSON,
so that everything it says is parsed by the real connector's pure half.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import orjson

from imsync.connectors.base import Note
from imsync.core.fields import Field, Instant, Value
from imsync.errors import Refused

Json = dict[str, Any]

USERS = {f"{name}@acme.example": f"P{name.upper()}" for name in ("ann", "bob", "cid", "dee")}
POLICIES = {"Everyone": "PEVERYONE", "Night": "PNIGHT"}
ON_CALL = {"PEVERYONE": USERS["ann@acme.example"], "PNIGHT": USERS["bob@acme.example"]}
PRIORITIES = ("P1", "P2", "P3", "P4", "P5")
SERVICE = "PSERVICE"
US, THEM, ITSELF = "PROBOT", "PDEE", "itself"

PARTS: Mapping[str, Field] = {
    "title": Field.TITLE,
    "urgency": Field.SEVERITY,
    "priority": Field.SEVERITY,
    "policy": Field.ESCALATION_POLICY,
    "assignee": Field.ASSIGNED_TO,
    "status": Field.STATUS,
}
"""What can be edited of an incident, and the field that it is (a part of)."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """One edit over there, in external values: the history that the oracle reads.

    `n` is its place in the whole story, `at` when it really was, on our clock.
    """

    n: int
    at: int
    external_id: str
    field: Field
    old: Value
    new: Value
    by: str

    def is_of(self, external_id: str, field: Field) -> bool:
        return (self.external_id, self.field) == (external_id, field)


@dataclass(slots=True)
class Row:
    """An incident there. `dropped`: whom its resolution took it away from."""

    id: str
    key: str | None
    created_at: int
    title: str
    urgency: str = "high"
    priority: str | None = None
    status: str = "triggered"
    policy: str = "PEVERYONE"
    assignee: str | None = None
    dropped: str | None = None
    details: str | None = None
    notes: list[Note] = field(default_factory=list)

    def __getitem__(self, field: Field) -> Value:
        if field is Field.SEVERITY:
            return f"{self.urgency} {self.priority or ''}".strip()
        return {
            Field.TITLE: self.title,
            Field.DESCRIPTION: self.notes[-1].text if self.notes else self.details,
            Field.STATUS: self.status,
            Field.ASSIGNED_TO: self.assignee,
            Field.ESCALATION_POLICY: self.policy,
        }[field]


@dataclass(slots=True)
class Delivery:
    """`heard`: it has reached us, once at least."""

    body: Json
    heard: bool = False

    @property
    def about(self) -> str:
        return str(self.body["event"]["data"]["id"])

    def __str__(self) -> str:
        event = self.body["event"]
        data = event["data"]
        priority, policy = data["priority"] and data["priority"]["id"], data["escalation_policy"]
        who = [one["id"] for one in data["assignees"]]
        shown = f"{data['title']!r} {data['urgency']} {priority} {data['status']} {who}"
        return f"{event['event_type']} of {data['id']}: {shown} {policy['id']}"


@dataclass
class Elsewhere:
    """One account over there."""

    rng: Random
    clock: Callable[[], Instant]
    count: Callable[[], int]
    name: str
    skew: int = 0  # how far its clock is ahead of ours
    has_priorities: bool = True
    cuts_seconds: bool = True  # its log tells whole seconds
    unacknowledges: bool = True
    order: Sequence[str] = tuple(PARTS)  # in which one write sets several
    shut: bool = False  # our token is good for nothing
    rows: dict[str, Row] = field(default_factory=dict)
    lines: list[Line] = field(default_factory=list)
    said_again: list[tuple[str, Value, int]] = field(default_factory=list)  # who has it, as before
    log: list[Json] = field(default_factory=list)  # newest last
    sent: list[Delivery] = field(default_factory=list)
    wire: list[Delivery] = field(default_factory=list)
    writes: int = 0  # how many requests of ours were carried out
    wrote: list[tuple[str, Field, Value, int]] = field(default_factory=list)  # ... what, and when
    idle: list[str] = field(default_factory=list)  # ... though we had just seen that value there

    # --- what people (and we) do there

    def open(self, title: str, *, by: str, key: str | None = None, **more: str | None) -> Row:
        """A new incident, for whoever is on call unless it is given to somebody."""
        at = self.clock()
        row = Row(f"Q{self.name}{len(self.rows) + 1}", key, at + self.skew, title)
        for part, value in more.items():
            if value is not None:
                setattr(row, part, value)
        row.assignee = row.assignee or ON_CALL[row.policy]
        self.rows[row.id] = row
        for one in dict.fromkeys(PARTS.values()):
            self._line(row, one, None, by, at)
        self._enter(row, by, "trigger_log_entry", at)
        self._tell(row, by, "triggered", at)
        return row

    def edit(self, row: Row, part: str, value: str | None, *, by: str) -> bool:
        """Set a part of it. False if it was that already. Raises Refused."""
        if getattr(row, part) == value:
            return False
        if row.status == "resolved" and part in ("assignee", "policy"):
            raise Refused("Incident Already Resolved", status=400, number=1001)
        at, one = self.clock(), PARTS[part]
        before, old = row[one], getattr(row, part)
        setattr(row, part, value)
        self._line(row, one, before, by, at)
        if part == "title":
            changeset = [{"name": "title", "value": value, "old_value": old}]
            self._enter(row, by, "field_value_change_log_entry", at, changeset=changeset)
        elif part == "urgency":
            self._enter(row, by, "urgency_change_log_entry", at, new_urgency=value)
        elif part == "priority":
            self._enter(row, by, "priority_change_log_entry", at, new_priority={"name": value})
            self._tell(row, by, "priority_updated", at)
        elif part == "policy":
            self._give(row, ON_CALL[row.policy], at)
            entry = self._assigned(row, by, "delegate_log_entry", at)
            entry["escalation_policy"] = {"id": value, "type": "escalation_policy_reference"}
            self._tell(row, by, "delegated", at)
        elif part == "assignee":
            self._assigned(row, by, "assign_log_entry", at)
            self._tell(row, by, "reassigned", at)
        else:
            self._moved(row, str(old), by, at)
        return True

    def note(self, row: Row, text: str, note_id: str | None) -> Note:
        """Write a note, or another text in place of one."""
        kept = [one for one in row.notes if one.id != note_id]
        note = Note(note_id or f"N{self.name}{self.count()}", text)
        row.notes = [*kept, note]
        return note

    def _moved(self, row: Row, old: str, by: str, at: int) -> None:
        """Whoever has it loses it with its resolution; reopened, it is for whoever is on call."""
        told = {"acknowledged": "acknowledge", "resolved": "resolve"}.get(row.status)
        back = ("reopen", "reopened") if old == "resolved" else ("unacknowledge", "unacknowledged")
        kind, event = (told, f"{told}d") if told else back
        if row.status == "resolved":
            row.dropped = row.assignee
            self._give(row, None, at)
        elif old == "resolved":
            if row.dropped:  # whoever had it before has lost it for good
                n, one = self.count(), Field.ASSIGNED_TO
                self.lines.append(Line(n, at, row.id, one, row.dropped, None, ITSELF))
            self._give(row, ON_CALL[row.policy], at)
        self._enter(row, by, f"{kind}_log_entry", at)
        if old == "resolved":
            self._assigned(row, by, "assign_log_entry", at)
        self._tell(row, by, event, at)

    def _give(self, row: Row, user: str | None, at: int) -> None:
        """What follows from another edit, by itself."""
        before, row.assignee = row.assignee, user
        if user != before:
            self._line(row, Field.ASSIGNED_TO, before, ITSELF, at)
        else:
            self.said_again.append((row.id, user, at))

    # --- how it tells

    def _line(self, row: Row, field: Field, old: Value, by: str, at: int) -> None:
        self.lines.append(Line(self.count(), at, row.id, field, old, row[field], by))

    def _assigned(self, row: Row, by: str, kind: str, at: int) -> Json:
        entry = self._enter(row, by, kind, at)
        entry["assignees"] = [{"id": row.assignee, "type": "user_reference"}]
        return entry

    def _enter(self, row: Row, by: str, kind: str, at: int, **channel: object) -> Json:
        there = at + self.skew
        entry: Json = {
            "type": kind,
            "created_at": _moment(there - there % 1_000 if self.cuts_seconds else there),
            "agent": {"id": by, "type": "user_reference"},
            "incident": {"id": row.id, "type": "incident_reference"},
            "channel": {"type": "api", **channel},
            "_at": there,
        }
        self.log.append(entry)
        return entry

    def entries(self, since: int, external_id: str | None) -> Iterator[Json]:
        """The log from there (on its clock) on, of one incident or of all, newest first."""
        for entry in reversed(self.log):
            if entry["_at"] >= since and external_id in (None, entry["incident"]["id"]):
                yield entry

    def _tell(self, row: Row, by: str, event: str, at: int) -> None:
        body = {
            "event": {
                "id": f"01{self.name}{len(self.sent):04}",
                "event_type": f"incident.{event}",
                "resource_type": "incident",
                "occurred_at": _moment(at + self.skew),
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
            user["email"] = name_of(USERS, row.assignee)
        return {
            "id": row.id,
            "type": "incident",
            "html_url": f"https://elsewhere.example/{row.id}",
            "status": row.status,
            "title": row.title,
            "urgency": row.urgency,
            "priority": row.priority and {"id": row.priority, "summary": row.priority},
            "assignees": [user] if row.assignee else [],
            "escalation_policy": {"id": row.policy, "summary": name_of(POLICIES, row.policy)},
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


def chance(rng: Random, of: float) -> bool:
    """Whether something happens that does so often. What draws the least draws that it does not."""
    return rng.randrange(1_000) >= 1_000 * (1 - of)


def name_of(known: Mapping[str, str], id_: str) -> str | None:
    """Whose id that is, if it is anybody's."""
    return next((name for name, other in known.items() if other == id_), None)


def _moment(at: int) -> str:
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds")
