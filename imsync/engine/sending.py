"""One link's share of what is owed: look -> decide -> write -> confirm, and what if it fails.

Values are read when they are sent, and each write is remembered before its request leaves.
"""

import logging
from collections.abc import Awaitable
from dataclasses import dataclass
from functools import partial

from imsync.connectors.base import Note, Operation, Snapshot
from imsync.core.fields import Field
from imsync.engine import giving_up, linking, noting, settling, writing
from imsync.engine.account import Account, needs
from imsync.engine.dating import date, date_found
from imsync.engine.writing import Batch
from imsync.errors import Gone, Refused, Unauthorized, Unavailable
from imsync.store import links
from imsync.store.links import Link
from imsync.store.outbox import Claim
from imsync.store.writes import Write

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sender:
    """Delivers claims, one link at a time."""

    account: Account

    async def deliver(self, claim: Claim) -> None:
        """Deliver a claim; what fails is put off, given up on, or stops the integration.

        The caller has acquired the permit for the first request.
        """
        account = self.account
        try:
            await account.get_ready()
            await (self.create(claim) if claim.creates else self.update(claim))
        except Unauthorized as error:
            await account.db.run(giving_up.give_back, claim)
            await account.suspend(error)
        except Refused as error:
            if claim.creates and await account.priorities_changed():
                # What it was to be created with is none there any more: there is another by now.
                await account.db.run(giving_up.give_back, claim)
            else:
                await account.db.run(giving_up.bury, claim, error, now=account.now())
        except Unavailable as error:
            await self.try_later(claim, error)

    async def try_later(self, claim: Claim, error: Unavailable) -> None:
        account = self.account
        log.warning("%s: attempt %d: %s", account.integration.slug, claim.attempt, error)
        await account.db.run(
            giving_up.put_off,
            claim,
            error,
            retries=account.retries,
            chance=account.rng.random(),
            now=account.now(),
        )

    async def create(self, claim: Claim) -> None:
        """Create the incident there, once. The first request has its permit already."""
        account = self.account
        link = await account.db.read(links.get, claim.link_id)
        fresh = False
        key, snapshot = await self.find(link)
        if snapshot is None:
            fresh, snapshot = await self.create_there(claim, link, key)
        await account.db.run(
            writing.confirm_created, claim, snapshot, fresh=fresh, now=account.now()
        )

    async def create_there(self, claim: Claim, link: Link, key: str) -> tuple[bool, Snapshot]:
        """Whether the incident was created just now, and how it stands. Raises ExternalError."""
        account, connector = self.account, self.account.connector
        await self.look_up_for(claim)
        decided_at = account.now()
        draft = await account.db.run(linking.draft, link, key=key, now=decided_at)
        if draft is None:
            hint = f"`im integration configure {account.integration.slug} --default-service ID`"
            raise Refused("there is no service to create incidents in", hint=hint)
        try:
            snapshot, _ = await account.ask_for(
                draft.actor,
                lambda actor: connector.create(draft, actor=actor),
                Operation.CREATE,
                decided_at=decided_at,
            )
        except Refused:
            # It may be there already, from an attempt that we never heard the end of.
            free, found = await self.find(await account.db.read(links.get, link.id))
            if found is not None:
                return False, found
            if free == key:
                raise
            await account.limiter.acquire(Operation.CREATE)
            return await self.create_there(claim, link, free)
        return True, snapshot

    async def find(self, link: Link) -> tuple[str, Snapshot | None]:
        """What an earlier attempt created, if there was one and it did, and the key for the next:
        the first that is nobody else's."""
        account, service = self.account, link.service_id
        first, again = linking.keys_of(link)
        if service is None:
            return first, None
        for key in (first, again):
            found = await account.ask(partial(account.connector.find, key, service))
            if snapshot := linking.ours(found, link):
                return key, await date_found(account, link, snapshot)
            if not found:
                return key, None
        return again, None

    async def look_up_for(self, claim: Claim, *snapshots: Snapshot) -> None:
        """Learn the names that are about to cross, before anything is decided on them."""
        account = self.account
        outgoing, people = await account.db.read(writing.outgoing, claim)
        wanted = await account.db.read(
            needs, account.id, snapshots=snapshots, outgoing=outgoing, people=people
        )
        await account.look_up(wanted)

    async def update(self, claim: Claim) -> None:
        """Write the fields that are owed, then the notes."""
        if claim.fields:
            await self.update_fields(claim)
        for nth, number in enumerate(claim.notes):
            permitted = nth == 0 and not claim.fields
            await noting.send(self.account, claim, number, permitted=permitted)

    async def update_fields(self, claim: Claim) -> None:
        """Settle what is in doubt, look, decide again, and write what still differs."""
        account, connector = self.account, self.account.connector
        link = await account.db.read(links.get, claim.link_id)
        external_id = link.external_id
        assert external_id is not None  # only a linked incident owes fields
        await settling.ask(account, link)
        snapshot = await account.ask_at_once(lambda: connector.fetch(external_id))
        snapshot = await date(account, link, snapshot)
        await self.look_up_for(claim, snapshot)
        if not await account.db.run(writing.look, claim, snapshot, now=account.now()):
            return
        await account.limiter.acquire()
        batches = await account.db.run(writing.prepare, claim, snapshot, now=account.now())
        for nth, batch in enumerate(batches):
            if nth:
                await account.limiter.acquire()
            if description := batch.writes.get(Field.DESCRIPTION):
                await self.write_description(claim, link, description, batch.actor)
            else:
                await self.write(claim, external_id, batch)

    async def write(self, claim: Claim, external_id: str, batch: Batch) -> None:
        """Write fields in one request; when that is refused, one by one, to find the bad one."""
        account, connector, sending = self.account, self.account.connector, batch.writes
        values = {field: write.value for field, write in sending.items()}
        try:
            snapshot, actor = await account.ask_for(
                batch.actor,
                lambda actor: connector.write(external_id, values, actor=actor),
                decided_at=batch.decided_at,
            )
        except Refused as error:
            if isinstance(error, Gone):
                raise
            if len(sending) == 1:
                if Field.SEVERITY in sending and await account.priorities_changed():
                    await account.db.run(giving_up.try_anew, claim, sending)
                else:
                    await account.db.run(giving_up.refuse, claim, sending, error, now=account.now())
                return
            for field, write in sending.items():
                await account.limiter.acquire()
                await self.write(claim, external_id, Batch(batch.actor, {field: write}))
        else:
            await account.db.run(
                writing.confirm, claim, sending, snapshot, actor=actor, now=account.now()
            )

    async def write_description(
        self, claim: Claim, link: Link, write: Write, actor: str | None
    ) -> None:
        """PagerDuty has no description that can be edited: one note of ours carries it."""
        account, connector = self.account, self.account.connector
        external_id, note_id = link.external_id, link.description_note
        assert external_id is not None  # only a linked incident owes fields
        if note_id is None:
            notes = await account.ask_at_once(lambda: connector.notes(external_id))
            mine = [n for n in notes if account.translation.is_description_note(n.text)]
            note_id = mine[0].id if mine else None
            await account.limiter.acquire()
        text = account.translation.description_note(write.value or "")

        def put(note_id: str | None) -> Awaitable[tuple[Note, str | None]]:
            return account.ask_for(
                actor,
                lambda actor: connector.put_note(external_id, text, note_id=note_id, actor=actor),
                decided_at=write.sent_at,
            )

        try:
            try:
                note, actor = await put(note_id)
            except Gone:
                if note_id is None:
                    raise
                await account.limiter.acquire()
                note, actor = await put(None)  # somebody deleted our note
        except Gone:
            raise
        except Refused as error:
            await account.db.run(
                giving_up.refuse, claim, {Field.DESCRIPTION: write}, error, now=account.now()
            )
            return
        await account.db.run(
            writing.confirm_description, claim, write, note.id, actor=actor, now=account.now()
        )
