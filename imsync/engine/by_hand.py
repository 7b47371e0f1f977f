"""Links that people make and undo: of incidents that stand on both sides already.

`look` asks the other side, outside any transaction; `link` and `unlink` are units of work.
An incident that was unlinked is not taken in by itself again: `links` remembers it, and
linking it again ends that.
"""

from collections.abc import Sequence
from dataclasses import replace

from imsync.connectors.base import Change, Snapshot
from imsync.core.covered import CUT
from imsync.core.fields import NEVER, Base, Edit, Field, Instant
from imsync.engine import linking, log_feed
from imsync.engine.account import Account, needs
from imsync.engine.carry_out import reconcile
from imsync.engine.observe import learn, observe
from imsync.errors import Clash, Gone, NotFound
from imsync.store import (
    conflicts,
    dead_letters,
    incidents,
    integrations,
    links,
    outbox,
    services,
    writes,
)
from imsync.store.database import Connection
from imsync.store.integrations import Integration
from imsync.store.links import Link


async def look(account: Account, external_id: str) -> Snapshot:
    """The external incident as it stands, with when each of its fields was last edited.

    Raises NotFound when there is none, and ExternalError when the other side cannot say.
    """
    connector, slug = account.connector, account.integration.slug
    try:
        found = await account.ask(lambda: connector.fetch(external_id))
    except Gone as error:
        raise NotFound(
            f"there is no incident {external_id!r} in {slug}: {error}",
            hint="take its id from its web address there",
        ) from None
    if (born := found.created_at) is not None:
        # On a first meeting everything may differ, and then it counts who was last.
        changes = await account.ask(lambda: connector.log(found.external_id, born))
        found = await account.db.read(log_feed.dated, found, changes, account.id)
        found = _from_birth(found, changes, born)
    await account.look_up(await account.db.read(needs, account.id, snapshots=[found]))
    return found


def _from_birth(found: Snapshot, changes: Sequence[Change], born: Instant) -> Snapshot:
    """The fields that the log tells no edit of have stood since the incident came to be.

    Only a log that reaches back to its beginning proves that: it lists so many lines.
    """
    whole = any(line.field is Field.STATUS and line.at <= born + CUT for line in changes)
    if not whole:
        return found
    edited = {line.field for line in changes}
    untouched = {field: born for field in found.fields if field not in edited}
    return replace(found, set_at={**untouched, **found.set_at})


# Units of work.


def link(
    conn: Connection,
    number: int,
    integration: Integration,
    snapshot: Snapshot,
    *,
    by: str | None,
    now: Instant,
) -> Link:
    """Link an incident to one that stands there, and decide the fields that differ.

    What neither side has ever agreed on is decided as if both had just edited it; what one
    side has left open is the other's to fill in. Raises NotFound, and Clash where either is
    linked already.
    """
    incident = incidents.get(conn, number)
    must_be_free(conn, incident.id, integration, snapshot.external_id)
    _must_be_nobodys(conn, integration, snapshot)
    learn(conn, integration.id, snapshot, now=now)
    services.take_up(conn, integration.id, snapshot.external_id)
    link_id = links.create(
        conn,
        integration_id=integration.id,
        incident_id=incident.id,
        external_id=snapshot.external_id,
        external_url=snapshot.url,
        now=now,
    )
    incidents.tell(
        conn,
        incident.id,
        at=now,
        kind="linked",
        by=by,
        text=snapshot.url or snapshot.external_id,
        integration_id=integration.id,
        external_id=snapshot.external_id,
    )
    for field, edit in incident.edits.items():
        base = _first_base(edit, snapshot, field, declared=incident.created_at)
        links.set_base(conn, link_id, field, base)
    observe(conn, link_id, snapshot, now=now)
    reconcile(conn, link_id, now=now)
    return links.get(conn, link_id)


def must_be_free(conn: Connection, number: int, integration: Integration, external_id: str) -> None:
    """Raises Clash, naming what the one or the other is linked to."""
    incident, slug = incidents.public_id(number), integration.slug
    here = links.between(conn, integration.id, number)
    if here is not None:
        to = here.external_id or f"an incident that is yet to be created in {slug}"
        raise Clash(
            f"{incident} is linked to {to} already",
            hint=f"`im unlink {incident} --integration {slug}` ends that",
        )
    there = links.to(conn, integration.id, external_id)
    if there is not None:
        other = incidents.public_id(there.incident_id)
        raise Clash(
            f"{external_id} is linked to {other} already",
            hint=f"`im unlink {other} --integration {slug}` ends that",
        )


def _must_be_nobodys(conn: Connection, integration: Integration, snapshot: Snapshot) -> None:
    """What was created for another incident that has yet to hear of it is that one's."""
    number = linking.incident_of(snapshot.key)
    awaited = links.between(conn, integration.id, number) if number is not None else None
    if awaited is not None and awaited.state == "creating" and linking.ours([snapshot], awaited):
        owner = incidents.public_id(awaited.incident_id)
        raise Clash(
            f"{snapshot.external_id} was created for {owner}, and is about to be linked to it",
            hint=f"`im incident show {owner}` tells when it is",
        )


def _first_base(edit: Edit, snapshot: Snapshot, field: Field, *, declared: Instant) -> Base:
    """They have never agreed; but nothing that nobody ever set is nothing to defend."""
    there = snapshot.fields.get(field, NEVER)
    open_here = edit.value is None and (edit.at == declared or there is NEVER)
    open_there = there is None and snapshot.set_at.get(field) == snapshot.created_at
    return Base(
        None if open_here else NEVER,
        None if open_there else NEVER,
        edit.at if open_here else Instant(0),
    )


def unlink(
    conn: Connection, number: int, integration: Integration, *, by: str | None, now: Instant
) -> Link:
    """Undo a link, and leave both incidents as they are. What was owed over it is forgotten.

    Raises NotFound when there is none, and Clash while its incident is being created there.
    """
    incident = incidents.public_id(incidents.get(conn, number).id)
    link = links.between(conn, integration.id, number)
    if link is None:
        raise _not_linked(conn, number, integration)
    owed = outbox.owed(conn, link.id)
    if owed.get(outbox.CREATE) == "sending":
        raise Clash(
            f"{incident} is being created in {integration.slug} at this moment",
            hint="try again when `im incident show` says what it is there",
        )
    who, there = by or "somebody", link.external_id or integration.slug
    said = f"{who} unlinked {incident} from {there}"
    for what in owed:
        if what in list(Field):
            links.set_because(conn, link.id, Field(what), said)
    outbox.forget(conn, link.id)
    writes.give_up(conn, link.id)
    dead_letters.discard_outbound(conn, link.id, now=now)
    for field in conflicts.held(conn, link.id):
        because = f"{said}: both sides keep what they have"
        conflicts.close(
            conn,
            link.id,
            field,
            winner=None,
            because=because,
            by=who,
            now=now,
            status="ignored",
        )
    links.set_unlinked(conn, link.id)
    incidents.tell(
        conn,
        number,
        at=now,
        kind="note",
        by=by,
        text=f"unlinked from {link.external_url or there}: no longer synced",
        integration_id=integration.id,
    )
    return links.get(conn, link.id)


def _not_linked(conn: Connection, number: int, integration: Integration) -> NotFound:
    slugs = [
        integrations.get(conn, one.integration_id).slug for one in links.of_incident(conn, number)
    ]
    where = f"it is linked in {', '.join(slugs)}" if slugs else "it is linked nowhere"
    return NotFound(
        f"{incidents.public_id(number)} is not linked in {integration.slug}", hint=where
    )
