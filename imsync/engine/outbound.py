"""Outbound: permit -> claim -> look -> decide -> write -> confirm.

The permit comes before the claim: whatever is edited while we wait our turn goes out
with the write we were waiting to make. Values are read when they are sent.
"""

import logging
from dataclasses import dataclass

from imsync.connectors.base import Note, Snapshot
from imsync.core.fields import Field, Instant
from imsync.engine import linking, writing
from imsync.engine.account import Account, needs
from imsync.engine.bell import Bell
from imsync.engine.dating import date, date_found
from imsync.errors import Gone, Refused, Unauthorized, Unavailable
from imsync.store import (
    links,
    outbox,
    writes,
)
from imsync.store.links import Link
from imsync.store.outbox import Claim
from imsync.store.writes import Write

log = logging.getLogger(__name__)

LEASE = 180_000
"""Longer than all requests of one claim may take together (ms)."""

_IDLE = 30.0


@dataclass(frozen=True, slots=True)
class Outbound:
    """The loop that delivers what one integration owes."""

    account: Account
    bell: Bell

    async def run(self) -> None:
        while not self.bell.stopped:
            while not self.bell.stopped and await self.step():
                pass
            await self.bell.wait(await self.idle())

    async def idle(self) -> float:
        """Seconds until something is due."""
        due = await self.account.db.read(outbox.next_due, self.account.id)
        return _IDLE if due is None else min(_IDLE, max(0.05, (due - self.account.now()) / 1000))

    async def step(self) -> bool:
        """Deliver what is due on one link. False if nothing is."""
        account = self.account
        due = await account.db.read(outbox.next_due, account.id)
        if due is None or due > account.now() or await account.suspended():
            return False
        await account.limiter.acquire()
        claim = await account.db.run(outbox.claim, account.id, now=account.now(), lease=LEASE)
        if claim is None:
            return False
        try:
            await account.get_ready()
            await (self.create(claim) if claim.creates else self.update(claim))
        except Unauthorized as error:
            await account.db.run(writing.give_back, claim)
            await account.suspend(error)
        except Refused as error:
            await account.db.run(writing.bury, claim, error, now=account.now())
        except Unavailable as error:
            await self.try_later(claim, error)
        return True

    async def try_later(self, claim: Claim, error: Unavailable) -> None:
        account = self.account
        if error.retry_after:
            account.limiter.close_for(error.retry_after)
        until = account.retries.next_try(
            attempt=claim.attempt,
            now=account.now(),
            retry_after=error.retry_after,
            chance=account.rng.random(),
        )
        log.warning("%s: attempt %d: %s", account.integration.slug, claim.attempt, error)
        await account.db.run(writing.put_off, claim, error, until=until, now=account.now())

    async def create(self, claim: Claim) -> None:
        """Create the incident there, once. The first request has its permit already."""
        account, connector = self.account, self.account.connector
        link = await account.db.read(links.get, claim.link_id)
        snapshot = await self.find(link) if claim.attempt > 1 else None
        fresh = snapshot is None
        if snapshot is None:
            await self.look_up_for(link)
            draft = await account.db.run(linking.draft, link, now=account.now())
            if draft is None:
                slug = account.integration.slug
                hint = f"`im integration configure {slug} --default-service ID`"
                raise Refused("there is no service to create incidents in", hint=hint)
            try:
                snapshot = await account.ask_at_once(lambda: connector.create(draft, actor=None))
            except Refused as error:
                # It may be there already, from an attempt that we never heard the end of.
                fresh, snapshot = False, await self.find(link)
                if snapshot is None:
                    raise error
        await account.db.run(
            writing.confirm_created, claim, snapshot, fresh=fresh, now=account.now()
        )

    async def find(self, link: Link) -> Snapshot | None:
        service = self.account.integration.default_service
        if service is None:
            return None
        key = linking.key_of(link.incident_id)
        found = await self.account.ask(lambda: self.account.connector.find(key, service))
        snapshot = linking.ours(found, link)
        return snapshot and await date_found(self.account, link, snapshot)

    async def look_up_for(self, link: Link, *snapshots: Snapshot) -> None:
        """Learn the names that are about to cross, before anything is decided on them."""
        account = self.account
        outgoing = await account.db.read(writing.outgoing_values, link.incident_id)
        wanted = await account.db.read(needs, account.id, snapshots=snapshots, outgoing=outgoing)
        await account.look_up(wanted)

    async def update(self, claim: Claim) -> None:
        """Settle what is in doubt, look, decide again, and write what still differs."""
        account, connector = self.account, self.account.connector
        link = await account.db.read(links.get, claim.link_id)
        external_id = link.external_id
        assert external_id is not None  # only a linked incident owes fields
        if doubted := await account.db.read(writes.unsettled, link.id):
            since = Instant(min(write.as_of for write in doubted))
            changes = await account.ask(lambda: connector.log(external_id, since))
            await account.db.run(writing.settle, doubted, changes, now=account.now())
        snapshot = await account.ask_at_once(lambda: connector.fetch(external_id))
        snapshot = await date(account, link, snapshot)
        await self.look_up_for(link, snapshot)
        if not await account.db.run(writing.look, claim, snapshot, now=account.now()):
            return
        await account.limiter.acquire()
        sending = await account.db.run(writing.prepare, claim, snapshot, now=account.now())
        if Field.DESCRIPTION in sending:
            await self.write_description(claim, link, sending.pop(Field.DESCRIPTION))
        if sending:
            await self.write(claim, external_id, sending)

    async def write(self, claim: Claim, external_id: str, sending: dict[Field, Write]) -> None:
        """Write fields in one request; when that is refused, one by one, to find the bad one."""
        account, connector = self.account, self.account.connector
        values = {field: write.value for field, write in sending.items()}
        try:
            snapshot = await account.ask_at_once(
                lambda: connector.write(external_id, values, actor=None)
            )
        except Refused as error:
            if isinstance(error, Gone):
                raise
            if len(sending) == 1:
                await account.db.run(writing.refuse, claim, sending, error, now=account.now())
                return
            for field, write in sending.items():
                await account.limiter.acquire()
                await self.write(claim, external_id, {field: write})
        else:
            await account.db.run(writing.confirm, claim, sending, snapshot, now=account.now())

    async def write_description(self, claim: Claim, link: Link, write: Write) -> None:
        """PagerDuty has no description that can be edited: one note of ours carries it."""
        account, connector = self.account, self.account.connector
        external_id, note_id = link.external_id, link.description_note
        assert external_id is not None  # only a linked incident owes fields
        if note_id is None:
            notes = await account.ask(lambda: connector.notes(external_id))
            mine = [n for n in notes if account.translation.is_description_note(n.text)]
            note_id = mine[0].id if mine else None
        text = account.translation.description_note(write.value or "")

        async def put(note_id: str | None) -> Note:
            return await account.ask(
                lambda: connector.put_note(external_id, text, note_id=note_id, actor=None)
            )

        try:
            try:
                note = await put(note_id)
            except Gone:
                if note_id is None:
                    raise
                note = await put(None)  # somebody deleted our note
        except Gone:
            raise
        except Refused as error:
            await account.db.run(
                writing.refuse, claim, {Field.DESCRIPTION: write}, error, now=account.now()
            )
            return
        await account.db.run(writing.confirm_description, claim, write, note.id, now=account.now())
