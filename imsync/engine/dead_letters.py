"""A person's answer to a dead letter: try it again, or let it go."""

from imsync.core.fields import Field, Instant
from imsync.core.schedule import handicap
from imsync.engine import linking
from imsync.engine.carry_out import reconcile
from imsync.store import dead_letters, inbox, links, outbox
from imsync.store.database import Connection
from imsync.store.dead_letters import DeadLetter


def retry(conn: Connection, id_: int, *, now: Instant, by: str | None = None) -> DeadLetter:
    """Try it again as if for the first time, with what the fields are now. Raises NotFound.

    The letter goes; if it fails again, there will be another.
    """
    letter = dead_letters.retry(conn, id_, now=now, by=by)
    if letter.inbox_id is not None:
        inbox.revive(conn, letter.inbox_id, now=now)
    elif letter.link_id is not None and letter.field and outbox.note_of(letter.field):
        outbox.owe(conn, letter.link_id, letter.field, handicap=handicap(None, None), now=now)
    elif letter.link_id is not None and letter.field is not None:
        field = Field(letter.field)
        links.set_blocked(conn, letter.link_id, field, None)
        reconcile(conn, letter.link_id, now=now, fields=[field])
    elif letter.link_id is not None and letter.incident_id is not None:
        linking.owe_creation(conn, letter.link_id, letter.incident_id, now=now)
    return letter


def discard(conn: Connection, id_: int, *, now: Instant, by: str | None = None) -> DeadLetter:
    """Let it go. Its field stands as it is until either side changes. Raises NotFound."""
    return dead_letters.discard(conn, id_, now=now, by=by)
