"""The road to the other side: `connectors.base.Connector` over an account in memory.

A request takes a turn to arrive and another to come back, so that others may act meanwhile;
on bad days it is lost on the way, or its answer is.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

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
from imsync.connectors.pagerduty import incidents, log, requests
from imsync.core.fields import Field, Instant, Value
from imsync.errors import Gone, Refused, Unauthorized, Unavailable, Unknown
from tests.histories.elsewhere import (
    POLICIES,
    PRIORITIES,
    US,
    USERS,
    Elsewhere,
    Row,
    chance,
    name_of,
)

Told = TypeVar("Told")

PATIENCE = 20_000
"""How long (ms) an answer is waited for."""


@dataclass
class Road:
    """One connection. `asking` is which of our loops is on it, told by whoever drives them."""

    there: Elsewhere
    turn: Callable[[], Awaitable[None]]
    trouble: float = 0.0
    offset: int = 0  # how far we think its clock is ahead
    asking: str = ""
    answering: bool = False  # what was written stands there, and nobody has told us yet
    shown: dict[tuple[str, str], Mapping[Field, Value]] = field(default_factory=dict)

    async def fetch(self, external_id: str) -> Snapshot:
        sent = await self._arrive()
        found = self._snapshot(self._row(external_id), sent)
        self.shown[self.asking, external_id] = found.fields
        return await self._answer(found)

    async def find(self, key: str, service_id: str) -> Sequence[Snapshot]:
        sent = await self._arrive()
        found = [self._snapshot(row, sent) for row in self.there.rows.values() if row.key == key]
        return await self._answer(found[::-1])

    async def list_open(self, start: int = 0) -> Page:
        sent = await self._arrive()
        rows = [row for row in self.there.rows.values() if row.status != "resolved"]
        return await self._answer(Page([self._snapshot(row, sent) for row in rows], None))

    async def create(self, draft: Draft, *, actor: str | None) -> Snapshot:
        body: Any = requests.to_create(draft, self._priority_id).body["incident"]
        sent = await self._arrive(writes=True)
        there = self.there
        if any(r.key == draft.key and r.status != "resolved" for r in there.rows.values()):
            raise Refused("an open incident with matching dedup key already exists", status=400)
        there.writes += 1
        row = there.open(by=US, key=draft.key, **_parts(body))
        self._note_written(row, [one for one in Field if one is not Field.DESCRIPTION])
        row.details = body.get("body", {}).get("details")
        return await self._answer(self._snapshot(row, sent), writes=True)

    async def write(
        self, external_id: str, changes: Mapping[Field, Value], *, actor: str | None
    ) -> Snapshot:
        body: Any = requests.to_write(external_id, changes, self._priority_id).body["incident"]
        sent = await self._arrive(writes=True)
        row, wanted = self._row(external_id), _parts(body)
        self._refuse(row, wanted)
        self.there.writes += 1
        shown = self.shown.get((self.asking, external_id), {})
        for name, value in changes.items():
            if name in shown and shown[name] == value:
                self.there.idle.append(f"{name} {value!r} of {external_id}")
        for part in self._order(row, wanted):
            self.there.edit(row, part, wanted[part], by=US)
        self._note_written(row, changes)
        return await self._answer(self._snapshot(row, sent), writes=True)

    async def write_many(
        self, changes: Mapping[str, Mapping[Field, Value]], *, actor: str | None
    ) -> Mapping[str, Snapshot]:
        sent = await self._arrive(writes=True)
        rows = {id_: self._row(id_) for id_ in changes}
        bodies: Any = requests.to_write_many(changes, self._priority_id).body["incidents"]
        parts = {body["id"]: _parts(body) for body in bodies}
        for id_, row in rows.items():
            self._refuse(row, parts[id_])
        self.there.writes += len(rows)
        for id_, row in rows.items():
            for part in self._order(row, parts[id_]):
                self.there.edit(row, part, parts[id_][part], by=US)
            self._note_written(row, changes[id_])
        answer = {id_: self._snapshot(row, sent) for id_, row in rows.items()}
        return await self._answer(answer, writes=True)

    def _note_written(self, row: Row, fields: Iterable[Field]) -> None:
        now = self.there.clock()
        self.there.wrote += [(row.id, one, _last_shown(row, one), now) for one in fields]

    def _refuse(self, row: Row, wanted: Mapping[str, str]) -> None:
        status = wanted.get("status", row.status)
        if "assignee" in wanted and "policy" in wanted:
            raise Refused("Assignments and escalation policy cannot both be specified", status=400)
        if wanted.keys() & {"assignee", "policy"} and row.status == status == "resolved":
            raise Refused("Incident Already Resolved", status=400, number=1001)
        back = (row.status, status) == ("acknowledged", "triggered")
        if back and not self.there.unacknowledges:
            raise Refused("Invalid Status Provided", status=400, number=1003)

    def _order(self, row: Row, wanted: Mapping[str, str]) -> list[str]:
        """Only while it is open can it be given to somebody."""
        order = [part for part in self.there.order if part in wanted and part != "status"]
        if "status" not in wanted:
            return order
        if row.status == "resolved":
            return ["status", *order]
        if wanted["status"] == "resolved":
            return [*order, "status"]
        return [part for part in self.there.order if part in wanted]

    async def notes(self, external_id: str) -> Sequence[Note]:
        await self._arrive()
        return await self._answer(tuple(self._row(external_id).notes))

    async def put_note(
        self, external_id: str, text: str, *, note_id: str | None, actor: str | None
    ) -> Note:
        await self._arrive(writes=True)
        row = self._row(external_id)
        if note_id is not None and note_id not in [one.id for one in row.notes]:
            raise Gone("no such note", status=404)
        self.there.writes += 1
        return await self._answer(self.there.note(row, text, note_id), writes=True)

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
        found = name_of(USERS if kind is Kind.USER else POLICIES, id_)
        if found is None:
            raise Gone(f"nobody is {id_}", status=404)
        return await self._answer(Entry(kind, found, id_))

    async def list_priorities(self) -> Sequence[Entry]:
        await self._arrive()
        names = PRIORITIES if self.there.has_priorities else ()
        return await self._answer([Entry(Kind.PRIORITY, name, name) for name in names])

    async def check(self, services: Sequence[str]) -> Sequence[Check]:
        await self.turn()
        return [Check("credentials", not self.there.shut, "")]

    # What histories do not ask of it.

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
        self._in_time(sent, writes)
        if self.trouble and chance(self.there.rng, self.trouble):
            if chance(self.there.rng, 0.4):
                raise Unavailable("429", retry_after=self.there.rng.choice((0, 5_000)))
            raise Unknown("no answer") if writes else Unavailable("503")
        if self.there.shut:
            raise Unauthorized("401")
        return sent

    async def _answer(self, answer: Told, *, writes: bool = False) -> Told:
        self.answering, left = writes, self.there.clock()
        await self.turn()
        self.answering = False
        self._in_time(left, writes)
        if self.trouble and chance(self.there.rng, self.trouble):
            raise Unknown("the answer was lost") if writes else Unavailable("no answer")
        return answer

    def _in_time(self, since: Instant, writes: bool) -> None:
        """Nobody waits for ever: whoever asked does not hear of it, and it may be done."""
        if self.there.clock() - since > PATIENCE:
            raise Unknown("no answer in time") if writes else Unavailable("no answer in time")

    def _row(self, external_id: str) -> Row:
        if external_id not in self.there.rows:
            raise Gone("no such incident", status=404)
        return self.there.rows[external_id]

    def _snapshot(self, row: Row, sent: Instant) -> Snapshot:
        shown = self.there.json(row, emails=True)
        return incidents.snapshot(shown, as_of=sent, offset=self.offset)

    def _log(self, since: Instant, external_id: str | None = None) -> Sequence[Change]:
        start = log.since(since, offset=self.offset)
        start -= start % 1_000
        return log.changes(
            {"log_entries": list(self.there.entries(start, external_id))},
            external_id=external_id,
            offset=self.offset,
            priority_name=self._priority_id,
        )

    def _priority_id(self, name: str) -> str | None:
        return name if self.there.has_priorities and name in PRIORITIES else None


def _last_shown(row: Row, field: Field) -> Value:
    """What anybody last saw there: a resolved incident shows no assignee, so we believe as before.

    That it changes by itself and is set back, before another look, counts as no edit.
    """
    resolved = field is Field.ASSIGNED_TO and row.status == "resolved"
    return row.dropped if resolved else row[field]


def _parts(body: Mapping[str, Any]) -> dict[str, str]:
    """What a request sets, by the names that the rows there have for it."""
    wanted = {name: body[name] for name in ("title", "urgency", "status") if name in body}
    if "priority" in body:
        wanted["priority"] = body["priority"]["id"]
    if "escalation_policy" in body:
        wanted["policy"] = body["escalation_policy"]["id"]
    if "assignments" in body:
        wanted["assignee"] = body["assignments"][0]["assignee"]["id"]
    return wanted
