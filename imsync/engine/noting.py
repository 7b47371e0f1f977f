"""Notes both ways: each is written once on the other side, and what comes back is no news."""

from collections.abc import Sequence

from imsync.connectors.base import Note
from imsync.core.fields import Instant, Side
from imsync.core.schedule import handicap
from imsync.engine import acting
from imsync.engine.account import Account, needs
from imsync.errors import Gone, Refused
from imsync.store import dead_letters, incidents, integrations, links, outbox
from imsync.store.database import Connection
from imsync.store.incidents import TimelineEntry
from imsync.store.integrations import Integration
from imsync.store.links import Link
from imsync.store.outbox import Claim


async def send(account: Account, claim: Claim, number: int, *, permitted: bool) -> None:
    """Write one note there, once. `permitted`: the caller has acquired the first permit.

    After any doubt it is looked for first, by what it says. Raises ExternalError.
    """
    decided_at = account.now()
    link, entry = await account.db.read(_due, claim, number)
    external_id = link.external_id
    assert external_id is not None  # notes are owed on incidents that are linked
    if entry.by is not None:
        await account.look_up(await account.db.read(needs, account.id, people=[entry.by]))
    actor = await account.db.read(acting.actor, account.integration, entry.by)
    written = None
    if claim.attempts[outbox.note(number)] > 1:
        notes = await account.ask(lambda: account.connector.notes(external_id))
        written = await account.db.read(_found, link, entry, notes)
    if written is None:
        if not permitted:
            await account.limiter.acquire()
        try:
            note, _ = await account.ask_for(
                actor,
                lambda actor: account.connector.put_note(
                    external_id, text_of(entry, actor), note_id=None, actor=actor
                ),
                decided_at=decided_at,
            )
        except Gone:
            raise
        except Refused as error:
            await account.db.run(refused, claim, entry, error, now=account.now())
            return
        written = note
    await account.db.run(sent, claim, entry.id, written, now=account.now())


def text_of(entry: TimelineEntry, actor: str | None) -> str:
    """What the note says there: who wrote it stands before it where somebody else has to."""
    text = entry.text or ""
    return text if actor is not None or entry.by is None else f"{entry.by}: {text}"


# Units of work.


def owe(
    conn: Connection, link: Link, integration: Integration, entry: int, *, now: Instant
) -> None:
    """Owe a note on a link, if notes are synced there and go that way."""
    if (
        link.state == "linked"
        and integration.sync_notes
        and integration.sync_direction.lets(Side.PLATFORM)
    ):
        outbox.owe(conn, link.id, outbox.note(entry), handicap=handicap(None, None), now=now)


def spread(conn: Connection, incident_id: int, entry: int, *, but: int = 0, now: Instant) -> None:
    """A note was written: owe it on the incident's links, but for the one that it came from."""
    for link in links.of_incident(conn, incident_id):
        if link.id != but:
            owe(conn, link, integrations.get(conn, link.integration_id), entry, now=now)


def catch_up(conn: Connection, link: Link, integration: Integration, *, now: Instant) -> None:
    """The incident has just been created there: owe the notes written before."""
    for entry in incidents.notes_but_from(conn, link.incident_id, integration.id):
        owe(conn, link, integration, entry, now=now)


def sent(conn: Connection, claim: Claim, entry: int, written: Note, *, now: Instant) -> None:
    incidents.note_sent(conn, claim.link_id, entry, written.id, now=now)
    outbox.settle(conn, claim, [outbox.note(entry)])


def refused(
    conn: Connection, claim: Claim, entry: TimelineEntry, error: Refused, *, now: Instant
) -> None:
    what, link = outbox.note(entry.id), links.get(conn, claim.link_id)
    outbox.settle(conn, claim, [what])
    if link.state == "unlinked":
        return  # undone while this was on its way: nobody waits for it
    dead_letters.bury(
        conn,
        integration_id=link.integration_id,
        link_id=claim.link_id,
        direction="outbound",
        field=what,
        code=error.code,
        message=str(error),
        hint=error.hint,
        attempts=claim.attempts[what],
        body=entry.text,
        now=now,
    )


def _due(conn: Connection, claim: Claim, number: int) -> tuple[Link, TimelineEntry]:
    link = links.get(conn, claim.link_id)
    return link, incidents.entry(conn, link.incident_id, number)


def recognise(conn: Connection, link: Link, note: Note, *, now: Instant) -> bool:
    """Whether a note that came in is one of ours whose writing nobody has confirmed yet.

    Then that settles it: it is written.
    """
    for what in outbox.attempted(conn, link.id):
        number = outbox.note_of(what)
        if number is not None and _says(incidents.entry(conn, link.incident_id, number), note):
            incidents.note_sent(conn, link.id, number, note.id, now=now)
            outbox.disown(conn, link.id, what)
            return True
    return False


def _found(
    conn: Connection, link: Link, entry: TimelineEntry, notes: Sequence[Note]
) -> Note | None:
    """The note that an earlier attempt wrote, if it did: it says the same, and is no other's.

    Its webhook may have been told apart from theirs while this attempt was under way.
    """
    known_as = incidents.sent_as(conn, link.id, entry.id)
    for note in notes:
        if note.id == known_as:
            return note
        known = incidents.has_note(conn, link.integration_id, note.id)
        if _says(entry, note) and not known:
            return note
    return None


def _says(entry: TimelineEntry, note: Note) -> bool:
    return note.text in (text_of(entry, entry.by), text_of(entry, None))
