"""Never twice in the dark: what became of the writes that nobody answered.

The external log says whether a write landed, and when. Its value alone would not do: that
may have been set back since.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from imsync.connectors.base import Change
from imsync.core.covered import CUT, IN_FLIGHT
from imsync.core.fields import NEVER, Base, Field, Instant, Seen
from imsync.engine import log_feed, own_lines
from imsync.engine.account import Account
from imsync.engine.writing import agree, translation_of
from imsync.store import dead_letters, integrations, journal, links, writes
from imsync.store.database import Connection
from imsync.store.links import Link
from imsync.store.writes import Write


@dataclass(frozen=True, slots=True)
class Arrived:
    """A write that the log tells of: in this line, and when that can have been on our clock."""

    write: Write
    line: Change
    at: Instant


async def ask(account: Account, link: Link) -> None:
    """Settle what is in doubt on a link, if anything is. Raises ExternalError."""
    doubted, external_id = await account.db.read(writes.unsettled, link.id), link.external_id
    if not doubted or external_id is None:
        return
    since = Instant(min(write.as_of for write in doubted))
    changes = await account.ask(lambda: account.connector.log(external_id, since))
    await account.db.run(settle, doubted, changes, now=account.now())


# Units of work.


def settle(
    conn: Connection, doubted: Sequence[Write], changes: Sequence[Change], *, now: Instant
) -> None:
    """Find a link's writes that are in doubt in its log, which was read since they were sent.

    What the log does not tell of was not carried out. What others have set since is known
    from here on too, and what a write covered is decided at last.
    """
    known = {write.id for write in writes.unsettled(conn, doubted[0].link_id)}
    doubted = [write for write in doubted if write.id in known]  # somebody else may have asked too
    arrived = {write.id: found for write in doubted if (found := _found(conn, write, changes))}
    for write in doubted:
        if write.id in arrived:
            _land(conn, arrived[write.id], now=now)
        else:
            _give_up(conn, write)
    last = {found.write.field: found for found in arrived.values()}
    for found in last.values():
        _follow(conn, found, changes, [other.line for other in arrived.values()])
    for found in arrived.values():
        _compare(conn, found.write, changes, now=now)


def _found(conn: Connection, write: Write, changes: Sequence[Change]) -> Arrived | None:
    """Where the log tells of the write.

    The same may have been set by others too: ours is the first one that can be. The log may
    have cut its time; the request had not left before it was sent.
    """
    lines = [change for change in changes if change.field is write.field]
    translation = translation_of(conn, write.link_id)
    made = own_lines.made(write.before, write.as_of, write.value, lines, translation)
    fitting = [lines[at] for at in made if lines[at].at <= write.sent_at + IN_FLIGHT]
    if not fitting:
        return None
    sent = [line for line in fitting if line.at + CUT >= write.sent_at]
    line = (sent or fitting[-1:])[0]
    return Arrived(write, line, max(line.at, write.sent_at))


def _give_up(conn: Connection, write: Write) -> None:
    writes.give_up(conn, write.link_id, [write.id])
    if write.field is Field.DESCRIPTION:
        # No log tells of notes. It may stand there, so it is written over.
        base = links.fields(conn, write.link_id)[write.field].base
        links.set_base(conn, write.link_id, write.field, replace(base, platform=NEVER))


def _land(conn: Connection, found: Arrived, *, now: Instant) -> None:
    """It was carried out, also if it had been given up on meanwhile."""
    write = found.write
    state = links.fields(conn, write.link_id)[write.field]
    writes.landed(conn, write.id, found.at)
    if state.blocked is not None:
        links.set_blocked(conn, write.link_id, write.field, None)
        dead_letters.discard_outbound(conn, write.link_id, write.field, now=now)
    if state.seen is None or found.at >= state.seen.as_of:
        agree(conn, write, write.value, as_of=found.at)
        remark = "Nobody answered when it was written; the log there says that it arrived."
        journal.confirmed(conn, write.link_id, write.field, write.edit, remark=remark, now=now)


def _follow(
    conn: Connection, found: Arrived, changes: Sequence[Change], own: Sequence[Change]
) -> None:
    """See what others have set since it landed.

    What they changed and set back is an edit too: their half of the base is new then.
    """
    write, translation = found.write, translation_of(conn, found.write.link_id)
    state = links.fields(conn, write.link_id)[write.field]
    if state.seen is None or state.seen.as_of > found.at:
        return  # a look has shown more
    lines = [change for change in changes if change.field is write.field]
    since = lines[lines.index(found.line) :]
    theirs = [line for line in since if not own_lines.is_ours(line, own, translation)]
    if not theirs:
        return
    stood = write.value
    for line in theirs:
        stood = translation.after(line, stood)
    at = Instant(max(found.at, theirs[-1].at))
    links.set_seen(conn, write.link_id, write.field, Seen(stood, at, at, theirs[-1].by))
    if stood == write.value:
        base = Base(write.edit.value, NEVER, write.edit.at)
        links.set_base(conn, write.link_id, write.field, base)


def _compare(conn: Connection, write: Write, changes: Sequence[Change], *, now: Instant) -> None:
    """What did it cover? The log may have been read past it while it was in doubt."""
    known = [one for one in writes.of_link(conn, write.link_id) if one.id == write.id]
    integration = integrations.get(conn, links.get(conn, write.link_id).integration_id)
    log_feed.compare(conn, integration, write.link_id, known, changes, now=now)
