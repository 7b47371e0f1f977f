"""Links come about in two ways: created there for what was declared here, or the reverse.

Create once: the link is written as *creating* before the first request, with a key that
names the incident; after any doubt the key is looked up before another is created.
"""

from collections.abc import Sequence
from dataclasses import replace

from imsync.connectors import TRANSLATIONS
from imsync.connectors.base import Draft, Snapshot
from imsync.core.covered import CUT
from imsync.core.fields import (
    NEVER,
    Base,
    Edit,
    Field,
    Instant,
    Known,
    Severity,
    Status,
    Value,
)
from imsync.core.maps import NoTranslation
from imsync.core.schedule import handicap
from imsync.engine import acting, noting, routing
from imsync.engine.carry_out import maps_of, reconcile
from imsync.engine.observe import learn, observe
from imsync.errors import Clash, NotFound
from imsync.store import (
    dead_letters,
    incidents,
    integrations,
    journal,
    links,
    outbox,
    services,
    writes,
)
from imsync.store.database import Connection
from imsync.store.integrations import Integration
from imsync.store.links import Link
from imsync.store.writes import Write

_KEY = "imsync:"
_AGAIN = "@"
_SLACK = 5_000
"""How much older than its link (ms) an incident may seem: clocks differ, seconds are cut."""

_CREATED_WITH = (
    Field.TITLE,
    Field.DESCRIPTION,
    Field.SEVERITY,
    Field.STATUS,
    Field.ASSIGNED_TO,
    Field.ESCALATION_POLICY,
)
_NOT_FIELDS = (Field.DESCRIPTION, Field.STATUS)
"""The former has its own place in a draft; the latter is what creating means."""


def keys_of(link: Link) -> tuple[str, str]:
    """The idempotency keys that a link may create its incident with over there.

    The second is for when the first is taken: by another imsync of the same account, or by
    this one before its database was put back or made anew.
    """
    key = _KEY + incidents.public_id(link.incident_id)
    return key, f"{key}{_AGAIN}{link.created_at}"


def incident_of(key: str | None) -> int | None:
    """Which incident of ours a key names, if any."""
    if key is None or not key.startswith(_KEY):
        return None
    try:
        return incidents.number_of(key.removeprefix(_KEY).partition(_AGAIN)[0])
    except NotFound:
        return None


def begin(conn: Connection, integration: Integration, incident_id: int, *, now: Instant) -> None:
    """Owe the incident's creation there, or let it wait until there is a service to create it in.

    Raises Clash where it is linked already.
    """
    if links.between(conn, integration.id, incident_id):
        raise Clash(f"{incidents.public_id(incident_id)} is linked in {integration.slug} already")
    link_id = links.create(
        conn, integration_id=integration.id, incident_id=incident_id, external_id=None, now=now
    )
    if routing.service_for(conn, integration, incident_id) is not None:
        owe_creation(conn, link_id, incident_id, now=now)


def owe_creation(conn: Connection, link_id: int, incident_id: int, *, now: Instant) -> None:
    """Owe it, unless the incident has been found there since, or nobody wants it any more."""
    if links.get(conn, link_id).state != "creating":
        return
    severity = incidents.get(conn, incident_id)[Field.SEVERITY]
    outbox.owe(conn, link_id, outbox.CREATE, handicap=handicap(severity, None), now=now)


def draft(conn: Connection, link: Link, *, key: str, now: Instant) -> Draft | None:
    """What to create there, remembered before it is sent. None without a service.

    An incident is given to a person or to a policy there, not to both: with both set
    here, it is created with the policy, and the person follows as an edit of its own.
    """
    integration = integrations.get(conn, link.integration_id)
    service_id = routing.service_for(conn, integration, link.incident_id)
    if service_id is None:
        return None
    links.set_service(conn, link.id, service_id)
    incident = incidents.get(conn, link.incident_id)
    maps, translation = maps_of(conn, integration), TRANSLATIONS[integration.integration_type]
    values: dict[Field, Value] = {}
    for field in _CREATED_WITH:
        edit = incident.edits[field]
        if edit.value is None or (
            field is Field.ASSIGNED_TO and incident[Field.ESCALATION_POLICY] is not None
        ):
            continue
        try:
            value = maps[field].encode(edit.value)
        except NoTranslation:
            continue  # it is decided again, and blocked with its reason, once the link is there
        if field is Field.STATUS and value != translation.born:
            continue  # it follows as an edit
        values[field] = value
        writes.remember(
            conn, link.id, field, as_of=link.created_at, value=values[field], edit=edit, now=now
        )
    declared_by, assignee = incident.edits[Field.TITLE].by, incident[Field.ASSIGNED_TO]
    # Whoever creates an incident for themselves has acknowledged it, and nobody is paged.
    own = (declared_by or "").casefold() == (assignee or "").casefold()
    return Draft(
        key=key,
        fields={field: value for field, value in values.items() if field not in _NOT_FIELDS},
        service_id=service_id,
        description=values.get(Field.DESCRIPTION),
        actor=None if own else acting.actor(conn, integration, declared_by),
    )


def ours(found: Sequence[Snapshot], link: Link) -> Snapshot | None:
    """Which of the incidents with our key this link created; None if it did not yet.

    One that is older than the link was made by another imsync, before this database.
    """
    made = [
        snapshot
        for snapshot in found
        if snapshot.created_at is None or snapshot.created_at >= link.created_at - _SLACK
    ]
    return made[0] if made else None


def created(conn: Connection, link: Link, snapshot: Snapshot, *, fresh: bool, now: Instant) -> None:
    """The incident stands there: link it, and decide what has changed on the way.

    `fresh`: the snapshot shows it as it was created, so that nobody has edited it there yet.
    Whoever hears of the creation first does this, and nobody does it twice.
    """
    if links.get(conn, link.id).state != "creating":
        return
    outbox.disown(conn, link.id, outbox.CREATE)
    links.connect(conn, link.id, external_id=snapshot.external_id, external_url=snapshot.url)
    learn(conn, link.integration_id, snapshot, now=now)
    sent = _sent_with(writes.attempts(conn, link.id), snapshot)
    for write in sent.values():
        writes.landed(conn, write.id, now)
    writes.give_up(conn, link.id)
    dead_letters.discard_outbound(conn, link.id, now=now)  # it was given up on, and is there
    incident = incidents.get(conn, link.incident_id)
    integration = integrations.get(conn, link.integration_id)
    born = TRANSLATIONS[integration.integration_type].born
    filled_in = {**_as_created(snapshot, fresh), Field.STATUS: born}
    for field, edit in incident.edits.items():
        base = _first_base(edit, sent.get(field), filled_in.get(field, NEVER))
        if not fresh and _edited_since(snapshot, field):
            base = replace(base, external=NEVER)
        links.set_base(conn, link.id, field, base)
    observe(conn, link.id, snapshot, now=now)
    incidents.tell(
        conn,
        link.incident_id,
        at=now,
        kind="linked",
        text=snapshot.url or snapshot.external_id,
        integration_id=link.integration_id,
        external_id=snapshot.external_id,
    )
    for field, write in sent.items():
        remark = acting.cut(write)
        journal.confirmed(conn, link.id, field, write.edit, remark=remark, now=now)
    links.note_confirmed(conn, link.id, now)
    noting.catch_up(conn, links.get(conn, link.id), integration, now=now)
    reconcile(conn, link.id, now=now)


def _edited_since(snapshot: Snapshot, field: Field) -> bool:
    """Whether somebody has edited it there since it was created, be it back to what it was.

    The log tells of the creation too, and it may cut its seconds.
    """
    born = snapshot.created_at
    return born is not None and snapshot.set_at.get(field, born) > born + CUT


def _sent_with(attempts: Sequence[Write], snapshot: Snapshot) -> dict[Field, Write]:
    """What the incident was created with, of all that the attempts to create it sent.

    That of the last attempt before it came to be, but where the value of another one stands
    there: then it was that.
    """
    born = snapshot.created_at
    before_it = [write.sent_at for write in attempts if born is None or write.sent_at <= born + CUT]
    last = max(before_it or [write.sent_at for write in attempts], default=None)
    sent: dict[Field, Write] = {}
    for write in attempts:
        stands = write.value == snapshot.fields.get(write.field, NEVER)
        before = sent.get(write.field)
        known = before is not None and before.value == snapshot.fields.get(write.field, NEVER)
        if stands or (write.sent_at == last and not known):
            sent[write.field] = write
    return sent


def _as_created(snapshot: Snapshot, fresh: bool) -> dict[Field, Value]:
    """What of it nobody has edited since it was created."""
    born = snapshot.created_at
    return {
        field: value
        for field, value in snapshot.fields.items()
        if fresh or (born is not None and snapshot.set_at.get(field) == born)
    }


def _first_base(edit: Edit, sent: Write | None, there: Known) -> Base:
    """What the sides agree on when an incident was just created there, with `there`.

    What we sent stands; what we left open is theirs to fill in; what could not be sent
    is still owed, over whatever they filled in.
    """
    if sent is not None:
        return Base(sent.edit.value, sent.value, sent.edit.at)
    if edit.value is None:
        return Base(None, NEVER, edit.at)
    return Base(NEVER, there)


def appeared(
    conn: Connection, integration: Integration, snapshot: Snapshot, *, by: str | None, now: Instant
) -> int:
    """An incident that is new there: declare it here, and link it. The link's id."""
    maps = maps_of(conn, integration)
    learn(conn, integration.id, snapshot, now=now)
    services.take_up(conn, integration.id, snapshot.external_id)
    at = snapshot.created_at or snapshot.as_of
    values: dict[Field, Edit] = {
        Field.TITLE: Edit("(no title)", at, by),
        Field.SEVERITY: Edit(Severity.SEV3, at, by),
        Field.STATUS: Edit(Status.OPEN, at, by),
    }
    unread = set[Field]()
    for field, value in snapshot.fields.items():
        try:
            read = maps[field].decode(value, given=None)
        except NoTranslation:
            unread.add(field)  # it is decided again below, and says why it stands still
            continue
        if read is not None:
            values[field] = Edit(read, snapshot.set_at.get(field, snapshot.as_of), by)
    incident_id = incidents.create(
        conn,
        values,
        organization_id=integration.organization_id,
        incident_type=routing.type_for(conn, integration, snapshot.service_id)[1],
        now=now,
    )
    incidents.tell(
        conn,
        incident_id,
        at=at,
        kind="declared",
        by=by,
        text=values[Field.TITLE].value,
        integration_id=integration.id,
    )
    link_id = links.create(
        conn,
        integration_id=integration.id,
        incident_id=incident_id,
        external_id=snapshot.external_id,
        external_url=snapshot.url,
        now=now,
    )
    observe(conn, link_id, snapshot, now=now)
    for field, edit in incidents.get(conn, incident_id).edits.items():
        there = NEVER if field in unread else snapshot.fields.get(field, NEVER)
        links.set_base(conn, link_id, field, Base(edit.value, there, edit.at))
    reconcile(conn, link_id, now=now)
    return link_id


def gone(conn: Connection, link_id: int, *, because: str, now: Instant) -> None:
    """The external incident does not exist any more: nothing more is synced over the link."""
    link = links.get(conn, link_id)
    if link.state == "unlinked":
        return
    links.set_gone(conn, link_id)
    writes.give_up(conn, link_id)
    for what in outbox.owed(conn, link_id):
        outbox.disown(conn, link_id, what)
    incidents.tell(
        conn,
        link.incident_id,
        at=now,
        kind="note",
        by="imsync",
        text=f"no longer synced: {because}",
        integration_id=link.integration_id,
    )
