"""What becomes of a write that failed: tried again later, or given up on, saying why."""

from collections.abc import Mapping

from imsync.core.fields import Field, Instant
from imsync.core.schedule import RetryPolicy
from imsync.engine import linking
from imsync.engine.carry_out import block
from imsync.errors import ExternalError, Gone, Impossible, Refused, Unavailable, Unknown
from imsync.store import dead_letters, incidents, links, outbox, writes
from imsync.store.database import Connection
from imsync.store.outbox import Claim
from imsync.store.writes import Write


def refuse(
    conn: Connection,
    claim: Claim,
    sending: Mapping[Field, Write],
    error: Refused,
    *,
    now: Instant,
) -> None:
    """These fields were refused.

    A status that is not taken, and what no request can set, is a fact of life, not an alarm.
    """
    writes.give_up(conn, claim.link_id, [write.id for write in sending.values()])
    outbox.settle(conn, claim, sending)
    for field in sending:
        block(conn, claim.link_id, field, str(error))
        if field is not Field.STATUS and not isinstance(error, Impossible):
            _dead_letter(conn, claim, field, error, now=now)


def try_anew(conn: Connection, claim: Claim, sending: Mapping[Field, Write]) -> None:
    """These were refused for what has changed by now: they have their turn again, at once."""
    writes.give_up(conn, claim.link_id, [write.id for write in sending.values()])
    outbox.give_back(conn, claim, sending)


def bury(conn: Connection, claim: Claim, error: ExternalError, *, now: Instant) -> None:
    """Give up on what is left of a claim, saying why; its fields stand still until either side
    changes.

    What is in doubt stays so: it may have been carried out, and the next look asks the log.
    """
    left = outbox.held(conn, claim)
    if claim.creates:
        writes.give_up(conn, claim.link_id)
    else:
        writes.failed(conn, claim.link_id)
    outbox.settle(conn, claim)
    if isinstance(error, Gone) and not claim.creates:
        linking.gone(conn, claim.link_id, because=str(error), now=now)
        return
    for what in left:
        if what in list(Field):
            block(conn, claim.link_id, Field(what), str(error))
        _dead_letter(conn, claim, what, error, now=now)


def _dead_letter(
    conn: Connection, claim: Claim, what: str, error: ExternalError, *, now: Instant
) -> None:
    link = links.get(conn, claim.link_id)
    if link.state == "unlinked":
        return  # undone while this was on its way: nobody waits for it
    value = None
    if what in list(Field):
        value = incidents.get(conn, link.incident_id)[Field(what)]
    elif (number := outbox.note_of(what)) is not None:
        value = incidents.entry(conn, link.incident_id, number).text
    dead_letters.bury(
        conn,
        integration_id=link.integration_id,
        link_id=link.id,
        direction="outbound",
        field=None if what == outbox.CREATE else what,
        code=error.code,
        message=str(error),
        hint=error.hint or _mend(what),
        attempts=claim.attempts[what],
        body=value,
        now=now,
    )


def _mend(what: str) -> str:
    """What would do, where the other side has not said it."""
    if what == outbox.CREATE:
        return "change what is not taken there, then retry this"
    if outbox.note_of(what) is not None:
        return "retry this once it would be taken; it is in the timeline here in any case"
    return "change it to what is taken there, and this goes by itself; or retry it once it would be"


def put_off(
    conn: Connection,
    claim: Claim,
    error: Unavailable,
    *,
    retries: RetryPolicy,
    chance: float,
    now: Instant,
) -> None:
    """Try again later what may be tried again, all of it at once; give up on the rest."""
    if isinstance(error, Unknown):
        writes.doubt(conn, claim.link_id)
    else:
        writes.failed(conn, claim.link_id)
    tries = {
        what: retries.next_try(
            attempt=attempt, now=now, retry_after=error.retry_after, chance=chance
        )
        for what, attempt in claim.attempts.items()
    }
    again = {what: at for what, at in tries.items() if at is not None}
    if spent := [what for what in tries if what not in again]:
        bury(conn, claim.only(spent), error, now=now)
    if again:
        until = max(again.values())
        outbox.put_off(conn, claim.only(again), until=until, because=str(error))


def end_expired(conn: Connection, integration_id: str, *, now: Instant) -> None:
    """Owe again whatever nobody came back with in time: it may have been carried out."""
    for link_id in outbox.expired(conn, integration_id, now=now):
        writes.doubt(conn, link_id)
        outbox.end_leases(conn, link_id=link_id)


def give_back(conn: Connection, claim: Claim) -> None:
    writes.failed(conn, claim.link_id)
    outbox.give_back(conn, claim)
