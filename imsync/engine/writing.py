"""What a write does to the rows: before its request leaves, and whatever comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from imsync.connectors import TRANSLATIONS
from imsync.connectors.base import Change, Snapshot, Translation
from imsync.core.covered import CUT
from imsync.core.fields import NEVER, Base, Field, Instant, Seen, Value
from imsync.core.maps import NotLookedUp, NoTranslation, ValueMap
from imsync.core.merge import Decision, Verdict
from imsync.engine import linking, log_feed
from imsync.engine.carry_out import block, decided, reconcile, view
from imsync.engine.observe import observe, undated
from imsync.errors import ExternalError, Gone, Refused, Unavailable, Unknown
from imsync.store import (
    dead_letters,
    incidents,
    integrations,
    journal,
    links,
    outbox,
    writes,
)
from imsync.store.database import Connection
from imsync.store.outbox import Claim
from imsync.store.writes import Write

_IN_FLIGHT = 180_000
"""How long (ms) after a write was sent it may be carried out: as long as its lease lasts."""


def outgoing_values(conn: Connection, incident_id: int) -> list[tuple[Field, Value]]:
    edits = incidents.get(conn, incident_id).edits
    return [(field, edit.value) for field, edit in edits.items()]


def look(conn: Connection, claim: Claim, snapshot: Snapshot, *, now: Instant) -> list[Field]:
    """Decide on what we have just seen. What no longer differs is no longer owed; the rest is.

    What is owed anew since the claim has let go of it, waits for its own claim; and so does
    what an edit without a time stands against.
    """
    outbox.give_back(conn, claim, undated(conn, claim.link_id, snapshot).keys() & claim.attempts)
    observe(conn, claim.link_id, snapshot, now=now)
    reconcile(conn, claim.link_id, now=now)
    decisions = decided(conn, claim.link_id)
    translation = translation_of(conn, claim.link_id)
    wanted: list[Field] = []
    for field in claim.fields:
        if not outbox.holds(conn, claim, [field]):
            continue
        decision = decisions.get(field)
        if isinstance(decision, Decision) and decision.verdict is Verdict.PUSH:
            reason = translation.blocks(field, snapshot)
            if reason is None:
                wanted.append(field)
                continue
            block(conn, claim.link_id, field, reason)
        outbox.settle(conn, claim, [field])
    return wanted


def prepare(
    conn: Connection, claim: Claim, snapshot: Snapshot, *, now: Instant
) -> dict[Field, Write]:
    """Read the values at the last moment, and remember what we are about to write over what."""
    wanted = look(conn, claim, snapshot, now=now)
    current = view(conn, claim.link_id)
    sending: dict[Field, Write] = {}
    for field in wanted:
        seen, edit = current.standings[field].seen, current.standings[field].platform
        try:
            value = current.maps[field].encode(edit.value)
        except NotLookedUp:
            # Edited since names were looked up: it has its turn again, and is looked up then.
            outbox.give_back(conn, claim, [field])
            continue
        sending[field] = writes.remember(
            conn,
            claim.link_id,
            field,
            before=seen.value if seen else NEVER,
            as_of=seen.as_of if seen else current.link.created_at,
            value=value,
            edit=edit,
            now=now,
        )
    return sending


def confirm(
    conn: Connection,
    claim: Claim,
    sending: Mapping[Field, Write],
    snapshot: Snapshot,
    *,
    now: Instant,
) -> None:
    """They have it: the base moves to what the answer says they now hold.

    An edit made here meanwhile leaves the field owed, for it is decided again.
    """
    if not outbox.holds(conn, claim, sending):
        return  # the lease is another's by now, who settles these writes first
    link_id = claim.link_id
    rest = {field: value for field, value in snapshot.fields.items() if field not in sending}
    observe(conn, link_id, replace(snapshot, fields=rest), now=now)
    maps = view(conn, link_id).maps
    outbox.settle(conn, claim, sending)
    for field, write in sending.items():
        writes.landed(conn, write.id, now)
        got = snapshot.fields.get(field, write.value)
        if got == write.value or _reads_as(maps[field], got, write.edit.value):
            _agree(conn, write, got, as_of=snapshot.as_of)
            journal.confirmed(conn, link_id, field, write.edit, now=now)
        elif got == write.before:
            links.set_seen(conn, link_id, field, Seen(got, now, snapshot.as_of))
            block(conn, link_id, field, f"it was told {write.value!r} and kept {got!r}")
        else:
            # Somebody was quicker than the answer: theirs is an edit of what we wrote. The next
            # look tells since when.
            _agree(conn, write, write.value, as_of=snapshot.as_of)
    links.note_confirmed(conn, link_id, now)
    reconcile(conn, link_id, now=now)


def _agree(conn: Connection, write: Write, there: Value, *, as_of: Instant) -> None:
    """What we wrote stands there: both halves of the base, and what was last seen."""
    edit = write.edit
    links.set_base(conn, write.link_id, write.field, Base(edit.value, there, edit.at))
    links.set_seen(conn, write.link_id, write.field, Seen(there, edit.at, as_of, edit.by))


def _reads_as(map_: ValueMap, there: Value, here: Value) -> bool:
    try:
        return map_.decode(there, given=here) == here
    except NoTranslation:
        return False


def confirm_created(
    conn: Connection, claim: Claim, snapshot: Snapshot, *, fresh: bool, now: Instant
) -> None:
    if outbox.holds(conn, claim, claim.attempts):
        outbox.settle(conn, claim, claim.attempts)
        linking.created(conn, links.get(conn, claim.link_id), snapshot, fresh=fresh, now=now)


def confirm_description(
    conn: Connection, claim: Claim, write: Write, note_id: str, *, now: Instant
) -> None:
    links.set_description_note(conn, claim.link_id, note_id)
    if not outbox.holds(conn, claim, [write.field]):
        return
    outbox.settle(conn, claim, [write.field])
    writes.landed(conn, write.id, now)
    base = Base(write.edit.value, write.value, write.edit.at)
    links.set_base(conn, claim.link_id, write.field, base)
    journal.confirmed(conn, claim.link_id, write.field, write.edit, now=now)
    reconcile(conn, claim.link_id, now=now)


def settle(
    conn: Connection, doubted: Sequence[Write], changes: Sequence[Change], *, now: Instant
) -> None:
    """Never twice in the dark: the external log says whether a write landed, and when.

    Its value alone would not do: that may have been set back since.
    """
    translation = translation_of(conn, doubted[0].link_id)
    for write in doubted:
        state = links.fields(conn, write.link_id)[write.field]
        lines = [change for change in changes if change.field is write.field]
        made = log_feed.made(write.before, write.as_of, write.value, lines, translation)
        fitting = [lines[at] for at in made if lines[at].at <= write.sent_at + _IN_FLIGHT]
        if not fitting:
            writes.give_up(conn, write.link_id, [write.id])
            if write.field is Field.DESCRIPTION:
                # No log tells of notes. It may stand there, so it is written over.
                links.set_base(
                    conn, write.link_id, write.field, replace(state.base, platform=NEVER)
                )
            continue
        # The same may have been set by others too: ours is the first one that can be. The log
        # may have cut its time; the request had not left before it was sent.
        sent = [change for change in fitting if change.at + CUT >= write.sent_at]
        at = max((sent or fitting[-1:])[0].at, write.sent_at)
        writes.landed(conn, write.id, at)
        if state.seen is None or at >= state.seen.as_of:
            _agree(conn, write, write.value, as_of=at)
            journal.confirmed(conn, write.link_id, write.field, write.edit, now=now)
        _compare(conn, write, changes, now=now)


def _compare(conn: Connection, write: Write, changes: Sequence[Change], *, now: Instant) -> None:
    """What did it cover? The log may have been read past it while it was in doubt."""
    (known,) = [one for one in writes.of_link(conn, write.link_id) if one.id == write.id]
    lines = [change for change in changes if change.field is write.field]
    of = links.get(conn, write.link_id).integration_id
    log_feed.compare(conn, of, write.link_id, known, lines, now=now)


def refuse(
    conn: Connection,
    claim: Claim,
    sending: Mapping[Field, Write],
    error: Refused,
    *,
    now: Instant,
) -> None:
    """These fields were refused. A status that is not taken is a fact of life, not an alarm."""
    writes.give_up(conn, claim.link_id, [write.id for write in sending.values()])
    outbox.settle(conn, claim, sending)
    for field in sending:
        block(conn, claim.link_id, field, str(error))
        if field is not Field.STATUS:
            _dead_letter(conn, claim, field, error, now=now)


def bury(conn: Connection, claim: Claim, error: ExternalError, *, now: Instant) -> None:
    """Give up on all of a claim, saying why; its fields stand still until either side changes."""
    writes.give_up(conn, claim.link_id)
    outbox.settle(conn, claim)
    if isinstance(error, Gone) and not claim.creates:
        linking.gone(conn, claim.link_id, because=str(error), now=now)
        return
    for what in claim.attempts:
        if what != outbox.CREATE:
            block(conn, claim.link_id, Field(what), str(error))
        _dead_letter(conn, claim, what, error, now=now)


def _dead_letter(
    conn: Connection, claim: Claim, what: str, error: ExternalError, *, now: Instant
) -> None:
    link = links.get(conn, claim.link_id)
    value = None if what == outbox.CREATE else incidents.get(conn, link.incident_id)[Field(what)]
    dead_letters.bury(
        conn,
        integration_id=link.integration_id,
        link_id=link.id,
        direction="outbound",
        field=None if what == outbox.CREATE else what,
        code=error.code,
        message=str(error),
        hint=error.hint,
        attempts=claim.attempts[what],
        body=value,
        now=now,
    )


def put_off(
    conn: Connection, claim: Claim, error: Unavailable, *, until: Instant | None, now: Instant
) -> None:
    """Try again at `until`; None: that was the last attempt."""
    if isinstance(error, Unknown):
        writes.doubt(conn, claim.link_id)
    else:
        writes.failed(conn, claim.link_id)
    if until is None:
        bury(conn, claim, error, now=now)
    else:
        outbox.put_off(conn, claim, until=until, because=str(error))


def give_back(conn: Connection, claim: Claim) -> None:
    writes.failed(conn, claim.link_id)
    outbox.give_back(conn, claim)


def translation_of(conn: Connection, link_id: int) -> Translation:
    integration = integrations.get(conn, links.get(conn, link_id).integration_id)
    return TRANSLATIONS[integration.integration_type]
