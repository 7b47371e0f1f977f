"""What was learnt of the external side: noted, and compared with what we wrote over."""

from collections.abc import Mapping
from dataclasses import replace

from imsync.connectors.base import Snapshot
from imsync.core.covered import IN_FLIGHT, Theirs, covers
from imsync.core.fields import NEVER, Base, Edit, Field, Instant, Seen, Side
from imsync.core.maps import NoTranslation
from imsync.core.merge import Verdict, both, edited
from imsync.engine import moves
from imsync.engine.carry_out import spread, view
from imsync.store import conflicts, directory, incidents, links, outbox, writes
from imsync.store.database import Connection


def observe(conn: Connection, link_id: int, snapshot: Snapshot, *, now: Instant) -> None:
    """Note what the external side was seen to hold.

    An observation older than what is known of a field says nothing about it, but that it
    may show an edit that a write of ours covered unseen. One that shows a change lets every
    field that stood still be tried again. Who was last is not to be guessed: an edit that
    has no time waits for a look that asks for it, if a conflict turns on it.
    """
    link = links.get(conn, link_id)
    learn(conn, link.integration_id, snapshot, now=now)
    moves.follow(conn, link, snapshot, now=now)
    states = links.fields(conn, link_id)
    waiting = _undated(conn, link_id, snapshot, states)
    changed, late = False, dict[Field, Theirs]()
    for field, state in states.items():
        if field not in snapshot.fields or field in waiting:
            continue
        value, known = snapshot.fields[field], state.seen
        if known is not None and snapshot.as_of < known.as_of:
            since = snapshot.set_at.get(field, snapshot.as_of)
            late[field] = Theirs(value, since, snapshot.set_by.get(field))
            continue
        if known is not None and known.value == value:
            # It may be told only now since when it stands.
            since = min(known.at, snapshot.set_at.get(field, known.at))
            seen = replace(known, at=since, as_of=snapshot.as_of)
        else:
            at = snapshot.set_at.get(field)
            by = snapshot.set_by.get(field)
            stray = writes.stray(
                conn, link_id, field, value, as_of=snapshot.as_of, within=IN_FLIGHT
            )
            if stray is not None:
                # It may be a write of ours that arrived late: as old as its edit, and no news.
                at = stray
                links.set_base(conn, link_id, field, replace(state.base, platform=NEVER))
            # It may have been set while our request was on its way; it stood there then.
            until = max(snapshot.as_of, at or 0)
            seen = Seen(value, snapshot.as_of if at is None else at, Instant(until), by)
            links.note_theirs(conn, link_id, field, seen.at)
            changed = True
        links.set_seen(conn, link_id, field, seen)
    if changed:
        for field in Field:
            links.set_blocked(conn, link_id, field, None)
    links.note_observed(conn, link_id, now)
    for field, edit in late.items():
        if (write := _covering(conn, link_id, field, edit)) is not None:
            uncover(conn, link_id, write, edit, now=now)


def crosses_a_write(conn: Connection, link_id: int, snapshot: Snapshot, *, near: int = 0) -> bool:
    """Whether it may show how things stood before, or in the middle of, a write of ours.

    It shows something else than we know in a field that we wrote, and is as of a moment when that
    write was on its way, or `near` (ms) to it: which came first, only another look can tell.
    """
    states, shown = links.fields(conn, link_id), snapshot.fields
    for field, (sent, told) in writes.last_landed(conn, link_id).items():
        seen = states[field].seen
        if seen is None or field not in shown or shown[field] == seen.value:
            continue
        if sent - near <= snapshot.as_of <= told + near:
            return True
    return False


def _covering(conn: Connection, link_id: int, field: Field, edit: Theirs) -> writes.Landed | None:
    """The write of ours that covered an edit, if one did."""
    of_field = (write for write in writes.of_link(conn, link_id) if write.field is field)
    return next((write for write in of_field if covers(write.written, edit)), None)


def undated(conn: Connection, link_id: int, snapshot: Snapshot) -> dict[Field, Instant]:
    """The edits on which a conflict turns and that have no time: since when to look for each.

    Both sides have changed, or a write of ours has covered theirs; and the snapshot gives
    no time for it.
    """
    return _undated(conn, link_id, snapshot, links.fields(conn, link_id))


def _undated(
    conn: Connection, link_id: int, snapshot: Snapshot, states: Mapping[Field, links.FieldState]
) -> dict[Field, Instant]:
    found: dict[Field, Instant] = {}
    edits: Mapping[Field, Edit] | None = None
    for field, value in snapshot.fields.items():
        seen = states[field].seen
        if field in snapshot.set_at or seen is None or seen.value == value:
            continue
        if snapshot.as_of < seen.as_of:
            write = _covering(conn, link_id, field, Theirs(value, snapshot.as_of))
            if write is not None:
                found[field] = write.written.as_of
            continue
        if edits is None:
            edits = incidents.get(conn, links.get(conn, link_id).incident_id).edits
        if edited(states[field].base, edits[field]):
            found[field] = seen.as_of
    return found


def learn(conn: Connection, integration_id: str, snapshot: Snapshot, *, now: Instant) -> None:
    """Keep the names that came along; a later look knows better."""
    as_of = min(snapshot.as_of, now)
    for one in snapshot.learnt:
        if not directory.is_known_since(conn, integration_id, one.kind, one.id, at=as_of):
            directory.put(conn, integration_id, one.kind, one.name, one.id, now=as_of)


def uncover(
    conn: Connection, link_id: int, write: writes.Landed, edit: Theirs, *, now: Instant
) -> None:
    """An edit of theirs that our write covered unseen: kept, and decided as if both had been seen.

    It is only offered for restoring, not decided, under manual-review, when either side has
    been edited since, when the field is owed or held, or when its value cannot be read. It
    never freezes the field.
    """
    current, field = view(conn, link_id), write.field
    if current.link.state == "unlinked":
        return  # undone while we looked: it is no business of the incident here any more
    standing = current.standings[field]
    writes.note_covered(conn, write.id, [*write.written.covered, edit.value])
    moved_on = (
        edit.at < links.fields(conn, link_id)[field].their_at
        or (standing.platform.value, standing.platform.at) != (write.edit.value, write.edit.at)
        or standing.held
        or field in outbox.owed(conn, link_id)
    )
    links.note_theirs(conn, link_id, field, edit.at)
    theirs = Seen(edit.value, edit.at, edit.at, edit.by)
    decision = both(standing.platform, theirs, current.terms[field])
    why, put_back, old = decision.because, None, standing.platform.value
    if moved_on or decision.verdict is Verdict.HOLD:
        why = "offered for restoring"
    elif decision.verdict is Verdict.ADOPT:
        try:
            put_back = Edit(current.maps[field].decode(edit.value, given=old), edit.at, edit.by)
        except NoTranslation as error:
            why = f"offered for restoring: {error}"
    conflicts.record(
        conn,
        link_id,
        field,
        terms=current.terms[field],
        base=Base(NEVER, write.written.before),
        platform=replace(write.edit, by=standing.platform.by),
        external=theirs,
        winner=Side.EXTERNAL if put_back else Side.PLATFORM,
        because=f"our write covered an edit that nobody had seen; {why}",
        now=now,
    )
    if put_back is None:
        return
    external = standing.seen.value if standing.seen else NEVER
    # Theirs has won and is gone from there: our half is new, so that it is written again.
    links.set_base(conn, link_id, field, Base(NEVER, external, edit.at))
    incidents.set_field(conn, current.incident.id, field, put_back, now=now)
    incidents.tell_change(
        conn,
        current.incident.id,
        field=field,
        old=old,
        edit=put_back,
        integration_id=current.integration.id,
    )
    spread(conn, current.incident.id, [field], now=now)
