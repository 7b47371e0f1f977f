"""What a write does to the rows: before its request leaves, and when it was carried out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from imsync.connectors import TRANSLATIONS
from imsync.connectors.base import Snapshot, Translation
from imsync.core.fields import NEVER, Base, Field, Instant, Seen, Side, Value
from imsync.core.maps import NotLookedUp, NoTranslation, ValueMap
from imsync.core.merge import Decision, Verdict
from imsync.core.plan import Blocked
from imsync.engine import acting, linking
from imsync.engine.carry_out import View, block, decided, reconcile, view
from imsync.engine.observe import observe, undated
from imsync.store import dead_letters, incidents, integrations, journal, links, outbox, writes
from imsync.store.database import Connection
from imsync.store.outbox import Claim
from imsync.store.writes import Write


@dataclass(frozen=True, slots=True)
class Batch:
    """Fields that leave in one request, on behalf of `actor` (None: the integration's user)."""

    actor: str | None
    writes: dict[Field, Write]

    @property
    def decided_at(self) -> Instant:
        return min(write.sent_at for write in self.writes.values())


def outgoing(conn: Connection, claim: Claim) -> tuple[list[tuple[Field, Value]], set[str]]:
    """Every value that may leave, and who made the edits that are owed."""
    incident = incidents.get(conn, links.get(conn, claim.link_id).incident_id)
    values = [(field, edit.value) for field, edit in incident.edits.items()]
    owed = [Field.TITLE] if claim.creates else claim.fields
    return values, {by for field in owed if (by := incident.edits[field].by)}


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
    wanted = [
        field
        for field in claim.fields
        if _pushes(decisions.get(field)) and outbox.holds(conn, claim, [field])
    ]
    status = snapshot.fields.get(Field.STATUS)
    if Field.STATUS in wanted:
        current = view(conn, claim.link_id)
        status = _status(current)
        # What the new status would set there by itself is ours to say, in the same request.
        for field in _resets(current, snapshot):
            if field not in wanted and _can_say(current, field):
                if field not in claim.attempts:
                    outbox.join(conn, claim, field, now=now)
                wanted.append(field)
    for field in claim.fields:
        if field in wanted and (reason := translation.blocks(field, snapshot, status)):
            block(conn, claim.link_id, field, reason)
            wanted.remove(field)
        if field not in wanted:
            outbox.settle(conn, claim, [field])
    return wanted


def _status(current: View) -> Value:
    return current.maps[Field.STATUS].encode(current.incident[Field.STATUS])


def _resets(current: View, snapshot: Snapshot) -> Sequence[Field]:
    """What writing our status would set there by itself."""
    translation = TRANSLATIONS[current.integration.integration_type]
    return translation.resets(snapshot, _status(current))


def _pushes(decision: Decision | Blocked | None) -> bool:
    return isinstance(decision, Decision) and decision.verdict is Verdict.PUSH


def _can_say(current: View, field: Field) -> bool:
    """Whether our value of a field that nobody has edited may be written."""
    standing, terms = current.standings[field], current.terms[field]
    if standing.held or standing.platform.value is None or not terms.direction.lets(Side.PLATFORM):
        return False
    try:
        current.maps[field].encode(standing.platform.value)
    except NoTranslation:
        return False
    return True


def prepare(conn: Connection, claim: Claim, snapshot: Snapshot, *, now: Instant) -> list[Batch]:
    """Read the values at the last moment, and remember what we are about to write over what."""
    wanted = look(conn, claim, snapshot, now=now)
    current = view(conn, claim.link_id)
    sending: dict[Field, Write] = {}
    unseen = _resets(current, snapshot) if Field.STATUS in wanted else ()
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
            before=seen.value if seen and field not in unseen else NEVER,
            as_of=seen.as_of if seen else current.link.created_at,
            value=value,
            edit=edit,
            now=now,
        )
    return _batches(conn, current, snapshot, sending)


def _batches(
    conn: Connection, current: View, snapshot: Snapshot, sending: Mapping[Field, Write]
) -> list[Batch]:
    """One request for each person, the status last, with what it would reset.

    Other fields may undo a status there: raising the urgency un-acknowledges. A description
    has a request of its own.
    """
    integration, status = current.integration, sending.get(Field.STATUS)
    resets = _resets(current, snapshot) if status else ()
    found: dict[tuple[bool, str | None], Batch] = {}
    for field, write in sending.items():
        maker = status if status and field in resets else write
        actor = acting.actor(conn, integration, maker.edit.by)
        batch = found.setdefault((field is Field.DESCRIPTION, actor), Batch(actor, {}))
        batch.writes[field] = write
    return sorted(found.values(), key=lambda batch: Field.STATUS in batch.writes)


def confirm(
    conn: Connection,
    claim: Claim,
    sending: Mapping[Field, Write],
    snapshot: Snapshot,
    *,
    actor: str | None,
    now: Instant,
) -> None:
    """They have it: the base moves to what the answer says they now hold.

    An edit made here meanwhile leaves the field owed, for it is decided again.
    """
    if not outbox.holds(conn, claim, sending):
        return  # the lease is another's by now, who settles these writes first
    link_id = claim.link_id
    # What is yet to be sent was looked at before; this request may have moved it on its way.
    unsent = {write.field for write in writes.unsettled(conn, link_id)} - sending.keys()
    rest = {
        field: value
        for field, value in snapshot.fields.items()
        if field not in sending and field not in unsent
    }
    observe(conn, link_id, replace(snapshot, fields=rest), now=now)
    maps = view(conn, link_id).maps
    outbox.settle(conn, claim, sending)
    for field, write in sending.items():
        writes.landed(conn, write.id, now)
        got = snapshot.fields.get(field, write.value)
        if got == write.value or _reads_as(maps[field], got, write.edit.value):
            agree(conn, write, got, as_of=snapshot.as_of)
            _arrived(conn, write, actor, now=now)
        elif got == write.before:
            links.set_seen(conn, link_id, field, Seen(got, now, snapshot.as_of))
            block(conn, link_id, field, f"it was told {write.value!r} and kept {got!r}")
        else:
            # Somebody was quicker than the answer: theirs is an edit of what we wrote. The next
            # look tells since when.
            agree(conn, write, write.value, as_of=snapshot.as_of)
    links.note_confirmed(conn, link_id, now)
    reconcile(conn, link_id, now=now)


def _arrived(conn: Connection, write: Write, actor: str | None, *, now: Instant) -> None:
    """Say so; an earlier edit of the field that was given up on is nobody's worry any more."""
    dead_letters.discard_outbound(conn, write.link_id, write.field, now=now)
    integration = integrations.get(conn, links.get(conn, write.link_id).integration_id)
    remark = acting.remark(integration, write, actor)
    journal.confirmed(conn, write.link_id, write.field, write.edit, remark=remark, now=now)


def agree(conn: Connection, write: Write, there: Value, *, as_of: Instant) -> None:
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
    conn: Connection, claim: Claim, write: Write, note_id: str, *, actor: str | None, now: Instant
) -> None:
    links.set_description_note(conn, claim.link_id, note_id)
    if not outbox.holds(conn, claim, [write.field]):
        return
    outbox.settle(conn, claim, [write.field])
    writes.landed(conn, write.id, now)
    base = Base(write.edit.value, write.value, write.edit.at)
    links.set_base(conn, claim.link_id, write.field, base)
    _arrived(conn, write, actor, now=now)
    reconcile(conn, claim.link_id, now=now)


def translation_of(conn: Connection, link_id: int) -> Translation:
    integration = integrations.get(conn, links.get(conn, link_id).integration_id)
    return TRANSLATIONS[integration.integration_type]
