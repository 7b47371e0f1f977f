"""What a look at the other side does to the rows; and which looks are still wanted."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from imsync.connectors.base import LOOKED_UP, Kind, Snapshot
from imsync.core.fields import Instant
from imsync.core.merge import Decision
from imsync.engine import giving_up, linking, meeting
from imsync.engine.carry_out import reconcile, release_quiet
from imsync.engine.dead_letters import retry
from imsync.engine.log_feed import Told
from imsync.engine.observe import crosses_a_write, observe, undated
from imsync.store import dead_letters, directory, drift, inbox, integrations, links, outbox, writes
from imsync.store.database import Connection, undone
from imsync.store.links import Link

_MISSING_FOR = 600_000
"""How long (ms) a name that was not found is taken not to exist."""

_TRUSTED_FOR = 3_600_000
"""How long (ms) a name that was found is taken to be the same one's, when no look shows it."""

OUTAGE: Final = 180_000
"""When nothing could be read for so long (ms), what was given up on meanwhile is tried again."""


def let_go(conn: Connection, integration_id: str, *, now: Instant) -> None:
    """What has been held for long enough: fields that flapped, and leases that ran out."""
    release_quiet(conn, integration_id, now=now)
    giving_up.end_expired(conn, integration_id, now=now)


def unmet(
    conn: Connection, integration_id: str, told: Told, met: Collection[str], *, whole: bool
) -> list[str]:
    """What is to be looked at singly, by external id: edited since, or new there, and not met.

    `whole`: also what is believed open and was not listed.
    """
    wanted = set(told.strangers)
    for external_id in told.incidents:
        link = links.to(conn, integration_id, external_id)
        if link is not None and link.state == "linked":
            wanted.add(external_id)
    if whole:
        wanted |= {link.external_id or "" for link in links.believed_open(conn, integration_id)}
    return sorted(wanted - set(met))


def turning(
    conn: Connection, integration_id: str, snapshots: Sequence[Snapshot]
) -> list[tuple[int, Link]]:
    """Where a conflict may turn on an edit that the log, as it was read, does not tell of.

    It was made since then; or on what we once created, and gave up before we heard of it.
    """
    found = []
    for at, snapshot in enumerate(snapshots):
        link = links.to(conn, integration_id, snapshot.external_id)
        if link is None and (number := linking.incident_of(snapshot.key)) is not None:
            link = links.between(conn, integration_id, number)
        if link is not None and (link.state == "creating" or undated(conn, link.id, snapshot)):
            found.append((at, link))
    return found


def unnamed(conn: Connection, integration_id: str) -> dict[Kind, dict[int, str]]:
    """Per kind and link: the id that was seen last and has no name yet."""
    return {
        kind: found
        for field, kind in LOOKED_UP.items()
        if (found := links.unnamed(conn, integration_id, field, kind))
    }


def decide(conn: Connection, link_ids: Iterable[int], *, now: Instant) -> None:
    for link_id in link_ids:
        reconcile(conn, link_id, now=now)


@dataclass(frozen=True, slots=True)
class Met:
    """Of all that a sweep met: how many links had drifted, how many edited ones it left, and
    how many incidents it took in."""

    drifted: int = 0
    left: int = 0
    taken_in: int = 0

    def __add__(self, other: "Met") -> "Met":
        return Met(
            self.drifted + other.drifted, self.left + other.left, self.taken_in + other.taken_in
        )


class SweepState(StrEnum):
    WAITING = "waiting"  # asked for; it begins when the look under way is over
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"  # by the brake: nothing was changed
    FAILED = "failed"  # it is tried again


@dataclass(slots=True)
class Sweep:
    """How a sweep goes, for whoever waits for it. It is gone with the process."""

    state: SweepState = SweepState.WAITING
    ended_at: Instant | None = None
    met: int = 0  # incidents that were looked at so far
    drifted: int = 0  # of these, how many had changed with nobody telling
    taken_in: int = 0  # ... and how many had not been here
    because: str = ""  # why it failed, or was stopped

    def end(self, state: SweepState, because: str = "", *, now: Instant) -> None:
        self.state, self.because, self.ended_at = state, because, now


def apply(
    conn: Connection,
    integration_id: str,
    snapshots: Iterable[Snapshot],
    edited: Collection[str],
    *,
    now: Instant,
) -> Met:
    """Decide on what was seen.

    A link with a write under way, now or when it was looked at, is left alone: the write's own
    look sees more, and the next one tells which came first.
    """
    integration = integrations.get(conn, integration_id)
    drifted = left = taken_in = 0
    for snapshot in snapshots:
        link = links.to(conn, integration_id, snapshot.external_id)
        if link is None:
            meeting.meet(conn, integration, snapshot, appeared=False, by=None, now=now)
            taken_in += links.to(conn, integration_id, snapshot.external_id) is not None
            continue
        owed = outbox.owed(conn, link.id)
        busy = "sending" in owed.values() or writes.unsettled(conn, link.id)
        if busy or crosses_a_write(conn, link.id, snapshot):
            left += snapshot.external_id in edited
            continue
        observe(conn, link.id, snapshot, now=now)
        decisions = reconcile(conn, link.id, now=now)
        moving = {
            field
            for field, decision in decisions.items()
            if isinstance(decision, Decision) and decision.carries
        }
        drifted += bool(moving - owed.keys())
    return Met(drifted, left, taken_in)


def rehearsed(
    conn: Connection,
    integration_id: str,
    snapshots: Sequence[Snapshot],
    edited: Collection[str],
    *,
    now: Instant,
) -> Met:
    """What `apply` would do, without doing it."""
    with undone(conn):
        return apply(conn, integration_id, snapshots, edited, now=now)


def polled(
    conn: Connection, integration_id: str, met: Met, *, read_to: Instant, now: Instant
) -> None:
    """What the log told was looked at. Of a link that was left, it is yet to be heard again."""
    before = integrations.get(conn, integration_id).log_read_to
    if before is not None and now - before > OUTAGE:
        recover(conn, integration_id, since=before, now=now)
    if not met.left:
        integrations.note_log_read(conn, integration_id, read_to)
    integrations.note_healed(conn, integration_id, met.drifted, now=now)
    directory.forget_missing(conn, integration_id, before=Instant(now - _MISSING_FOR))
    directory.doubt(conn, integration_id, LOOKED_UP.values(), before=Instant(now - _TRUSTED_FOR))


def recover(conn: Connection, integration_id: str, *, since: Instant, now: Instant) -> None:
    """The other side answers again: an outage is nobody's fault, and needs nobody's hands.

    What went on failing by itself, while all else was answered, stays a dead letter.
    """
    for letter in dead_letters.unreached(conn, integration_id, since=since):
        retry(conn, letter, now=now)
    outbox.hurry(conn, integration_id, now=now)
    inbox.hurry(conn, integration_id, now=now)


def swept(
    conn: Connection,
    integration_id: str,
    met: Met,
    *,
    open_there: int,
    read_to: Instant,
    now: Instant,
) -> None:
    """All that is open there was looked at too."""
    polled(conn, integration_id, met, read_to=read_to, now=now)
    integrations.note_sweep(conn, integration_id, now, open_there=open_there)
    drift.release(conn, integration_id, now=now)


def stop(conn: Connection, integration_id: str, would: Met, met: int, *, now: Instant) -> None:
    """A sweep would have changed very much: remember that a person is to be asked."""
    drift.brake(conn, integration_id, would_change=would.drifted, met=met, now=now)
