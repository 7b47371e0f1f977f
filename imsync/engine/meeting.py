"""An external incident that is not linked: ours, one to take in, or none of our business."""

from imsync.connectors.base import Event, Snapshot
from imsync.core.covered import CUT
from imsync.core.fields import Instant, Side
from imsync.engine import linking, routing
from imsync.store import inbox, integrations, links, outbox, services
from imsync.store.database import Connection
from imsync.store.integrations import Integration
from imsync.store.links import Link


def meet(
    conn: Connection,
    integration: Integration,
    snapshot: Snapshot,
    *,
    appeared: bool,
    by: str | None,
    now: Instant,
) -> str:
    """Decide what it is, do what follows, and say so in a few words.

    One that `appeared` is taken in; one that is merely met is taken in when it came to be
    after the integration did: then we missed that it appeared. Older ones that are open are
    taken in as `import_open` says.
    """
    if links.is_unlinked(conn, integration.id, snapshot.external_id):
        return "not taken in: somebody unlinked it"
    if linking.incident_of(snapshot.key) is not None:
        link = being_created(conn, integration, snapshot)
        if link is None:
            return "made by another imsync"
        if not appeared and outbox.CREATE in outbox.owed(conn, link.id):
            return "ours: its creation is owed, and finds it with all its times"
        linking.created(conn, link, snapshot, fresh=appeared, now=now)
        return "linked: it is ours"
    if not integration.sync_direction.lets(Side.EXTERNAL):
        return f"not taken in: the direction is {integration.sync_direction}"
    missed = (
        snapshot.open
        and snapshot.created_at is not None
        and snapshot.created_at + CUT >= integration.created_at
    )
    mapped = routing.is_mapped(conn, integration, snapshot.service_id)
    imported = integration.import_open == "all" or (integration.import_open == "mapped" and mapped)
    if not appeared and not missed and not (snapshot.open and imported):
        return inbox.NOT_LINKED
    comes_in, _ = routing.type_for(conn, integration, snapshot.service_id)
    if not comes_in:
        services.leave_alone(
            conn, integration.id, snapshot.external_id, snapshot.service_id, now=now
        )
        return "left alone: its service is not mapped"
    linking.appeared(conn, integration, snapshot, by=by, now=now)
    # Notes may have come before it, while it seemed to be over already: nothing else tells of them.
    inbox.tell_again(conn, integration.id, snapshot.external_id, now=now)
    return "declared here"


def being_created(conn: Connection, integration: Integration, snapshot: Snapshot) -> Link | None:
    """The link that made this incident there and has not heard of it yet, if it is ours."""
    number = linking.incident_of(snapshot.key)
    link = None if number is None else links.between(conn, integration.id, number)
    if link is None or link.state != "creating" or not linking.ours([snapshot], link):
        return None
    return link


def is_of_a_stranger(conn: Connection, integration_id: str, event: Event) -> bool:
    """Whether it is a note on an incident that is not linked, and may have to be.

    Nothing but this event tells of the note; that the incident appeared may be yet to come.
    """
    if event.note is None or event.external_id is None:
        return False
    integration = integrations.get(conn, integration_id)
    return (
        integration.sync_notes
        and integration.sync_direction.lets(Side.EXTERNAL)
        and links.to(conn, integration_id, event.external_id) is None
        and not links.is_unlinked(conn, integration_id, event.external_id)
    )
