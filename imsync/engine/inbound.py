"""Inbound: inbox -> understand -> decide -> apply.

A delivery is applied in the transaction that marks it done, so a crash applies it again
or not at all. What cannot be applied becomes a dead letter with its body, and the next
delivery has its turn.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from imsync.connectors import TRANSLATIONS
from imsync.connectors.base import Event, Note, Snapshot, Sort, Unusable
from imsync.core.fields import Field, Instant
from imsync.core.schedule import LONGEST_WAIT
from imsync.engine import meeting, noting
from imsync.engine.account import Account, needs
from imsync.engine.bell import Bell
from imsync.engine.carry_out import reconcile
from imsync.engine.dating import date
from imsync.engine.observe import crosses_a_write, observe
from imsync.errors import ExternalError, Gone, Refused, Unauthorized, Unavailable
from imsync.store import (
    dead_letters,
    inbox,
    incidents,
    integrations,
    links,
)
from imsync.store.database import Connection, DatabaseError, Illegal
from imsync.store.inbox import Delivery
from imsync.store.integrations import Integration
from imsync.store.links import Link

log = logging.getLogger(__name__)

_NEAR = 2_000
"""How close (ms) to a write of ours a delivery is not taken at its word."""

_IDLE = 1.0
"""Deliveries that wait for a write's outcome are looked at again this often (s)."""


@dataclass(frozen=True, slots=True)
class Inbound:
    """The loop that applies what one integration was told. `owed` is called after each."""

    account: Account
    bell: Bell
    owed: Callable[[], None]

    async def run(self) -> None:
        while not self.bell.stopped:
            while not self.bell.stopped and await self.step():
                pass
            await self.bell.wait(_IDLE)

    async def step(self) -> bool:
        """Apply one delivery. False if none may be applied now."""
        account = self.account
        if not await account.db.read(inbox.any_pending, account.id):
            return False
        delivery = await account.db.run(inbox.take, account.id, now=account.now())
        if delivery is None:
            return False
        try:
            await self.apply(delivery)
        except Unusable as error:
            await self.bury(delivery, code="unusable_delivery", message=str(error))
        except Refused as error:
            await self.bury(delivery, code=error.code, message=str(error))
        except ExternalError as error:
            await self.try_later(delivery, error)
        except Exception as error:
            if isinstance(error, DatabaseError) and not isinstance(error, Illegal):
                raise
            # One poisoned delivery stops only itself: it is kept for whoever mends the bug.
            log.exception("delivery %d: a bug in applying it", delivery.id)
            await self.bury(delivery, code="bug", message=f"{type(error).__name__}: {error}")
        return True

    async def apply(self, delivery: Delivery) -> None:
        account = self.account
        await account.get_ready()
        current = await account.db.read(integrations.get, account.id)
        event = account.translation.parse(delivery.body, offset=current.clock_offset)
        event = not_after(event, delivery.received_at)
        unsure = event.sort is Sort.LOOK or await account.db.read(is_doubtful, account.id, event)
        if unsure or await account.db.read(meeting.is_of_a_stranger, account.id, event):
            event = await self.looked_at(event)
        if event.snapshot is not None:
            await self.learn_names(event.snapshot)
            event = replace(event, snapshot=await self.dated(event.snapshot))
        await account.db.run(apply, delivery, event, now=account.now())
        self.owed()

    async def looked_at(self, event: Event) -> Event:
        """The event with the incident as it stands now, if it is one of ours, or may become one."""
        external_id, connector = event.external_id, self.account.connector
        if external_id is None:
            return event
        link = await self.account.db.read(links.to, self.account.id, external_id)
        if link is None and event.note is None:
            return event
        try:
            snapshot = await self.account.ask(lambda: connector.fetch(external_id))
        except Gone as error:
            log.warning("%s: %s", self.account.integration.slug, error)
            return event
        if link is not None and (told := event.snapshot) is not None:
            # What was known to stand there since may have been set back: that is another edit.
            states = await self.account.db.read(links.fields, link.id)
            same = {
                field: at
                for field, at in told.set_at.items()
                if _alike(field, told, snapshot) and at > _known_at(states[field])
            }
            snapshot = replace(snapshot, set_at=same, set_by=told.set_by)
        return replace(event, snapshot=snapshot)

    async def dated(self, snapshot: Snapshot) -> Snapshot:
        account = self.account
        link = await account.db.read(links.to, account.id, snapshot.external_id)
        return snapshot if link is None else await date(account, link, snapshot)

    async def learn_names(self, snapshot: Snapshot) -> None:
        wanted = await self.account.db.read(needs, self.account.id, snapshots=[snapshot])
        try:
            await self.account.look_up(wanted)
        except ExternalError as error:
            # The name can wait for the next look; a status cannot wait for a name.
            log.warning("%s: cannot look up: %s", self.account.integration.slug, error)

    async def try_later(self, delivery: Delivery, error: ExternalError) -> None:
        account = self.account
        if isinstance(error, Unauthorized):
            await account.suspend(error)
            later = Instant(account.now() + LONGEST_WAIT)
            await account.db.run(inbox.give_back, delivery.id, until=later)
            return
        until = account.retries.next_try(
            attempt=delivery.attempt, now=account.now(), retry_after=0, chance=account.rng.random()
        )
        if until is None:
            await self.bury(delivery, code=error.code, message=str(error))
        else:
            await account.db.run(inbox.put_off, delivery.id, until=until)

    async def bury(self, delivery: Delivery, *, code: str, message: str) -> None:
        log.warning("delivery %d: %s", delivery.id, message)
        await self.account.db.run(
            bury, delivery, code=code, message=message, now=self.account.now()
        )


def not_after(event: Event, moment: Instant) -> Event:
    """The event, not later than when it arrived: a look made after that always knows better."""
    snapshot = event.snapshot
    if snapshot is not None:
        set_at = {field: min(at, moment) for field, at in snapshot.set_at.items()}
        snapshot = replace(snapshot, as_of=min(snapshot.as_of, moment), set_at=set_at)
    return replace(event, at=min(event.at, moment), snapshot=snapshot)


def _known_at(state: links.FieldState) -> int:
    return state.seen.as_of if state.seen else 0


def _alike(field: Field, one: Snapshot, other: Snapshot) -> bool:
    return one.fields.get(field) == other.fields.get(field)


# Units of work.


def is_doubtful(conn: Connection, integration_id: str, event: Event) -> bool:
    """Whether what it shows may be from in the middle of a write of ours.

    One write there can make several events, and the first may show fields that the write
    had yet to set. Near a write of ours, on clocks that differ, only a look can tell.
    """
    if event.snapshot is None or event.external_id is None:
        return False
    link = links.to(conn, integration_id, event.external_id)
    if link is None:
        return False
    return crosses_a_write(conn, link.id, event.snapshot, near=_NEAR)


def apply(conn: Connection, delivery: Delivery, event: Event, *, now: Instant) -> None:
    """Everything that a delivery means, and that it is done."""
    integration = integrations.get(conn, delivery.integration_id)
    outcome = _apply(conn, integration, event, now=now)
    inbox.mark_done(conn, delivery.id, outcome)
    integrations.note_delivery(conn, integration.id, now)


def _apply(conn: Connection, integration: Integration, event: Event, *, now: Instant) -> str:
    if event.sort is Sort.PROOF:
        return "the path works"
    if event.external_id is None:
        return "not about an incident"
    link = links.to(conn, integration.id, event.external_id)
    if link is None and event.snapshot is not None:
        appeared = event.sort is Sort.APPEARED
        by = event.by if appeared else None
        outcome = meeting.meet(conn, integration, event.snapshot, appeared=appeared, by=by, now=now)
        link = links.to(conn, integration.id, event.external_id)
        link = link or meeting.being_created(conn, integration, event.snapshot)
        if link is not None:
            _tell(conn, integration, link, event, now=now)
        return outcome
    if link is None or link.state == "gone":
        return inbox.NOT_LINKED
    if event.snapshot is not None:
        if crosses_a_write(conn, link.id, event.snapshot):
            raise Unavailable("a write of ours was on its way when it was looked at")
        observe(conn, link.id, event.snapshot, now=now)
        reconcile(conn, link.id, now=now)
    _tell(conn, integration, link, event, now=now)
    return "applied"


def _tell(
    conn: Connection, integration: Integration, link: Link, event: Event, *, now: Instant
) -> None:
    """What belongs in the timeline beside the changes of fields."""
    if event.sort is Sort.ESCALATED and integration.sync_escalations:
        incidents.tell(
            conn,
            link.incident_id,
            at=event.at,
            kind="escalated",
            by=event.by,
            text=f"escalated in {integration.name}",
            integration_id=integration.id,
        )
    if event.note is None or not integration.sync_notes:
        return
    known = incidents.has_note(conn, integration.id, event.note.id)
    own = is_own_note(integration, event.note)
    if not known and not own and not noting.recognise(conn, link, event.note, now=now):
        entry = incidents.tell(
            conn,
            link.incident_id,
            at=event.at,
            kind="note",
            by=event.by,
            text=event.note.text,
            integration_id=integration.id,
            external_id=event.note.id,
        )
        noting.spread(conn, link.incident_id, entry, but=link.id, now=now)


def is_own_note(integration: Integration, note: Note) -> bool:
    """Whether it is the note that we keep a description in."""
    return TRANSLATIONS[integration.integration_type].is_description_note(note.text)


def bury(conn: Connection, delivery: Delivery, *, code: str, message: str, now: Instant) -> None:
    inbox.mark_dead(conn, delivery.id, message)
    link = links.to(conn, delivery.integration_id, delivery.external_id or "")
    dead_letters.bury(
        conn,
        integration_id=delivery.integration_id,
        link_id=link.id if link else None,
        inbox_id=delivery.id,
        direction="inbound",
        field=None,
        code=code,
        message=message,
        hint="its body is kept here; the next look at the incident heals what it would have told",
        attempts=delivery.attempt,
        body=delivery.body.decode("utf-8", "replace"),
        now=now,
    )
