"""What may go out to an integration at all, as it is disabled, enabled, or its direction set.

What is declared while nothing may is kept back, and is created there once something does: if
it is still open then, for nobody is paged for what is over.
"""

from imsync.core.fields import Instant, Side
from imsync.engine import linking, routing
from imsync.store import kept_back, links, outbox
from imsync.store.database import Connection
from imsync.store.integrations import Integration


def takes(integration: Integration) -> bool:
    """Whether what is declared here is to be created there."""
    return integration.enabled and integration.sync_direction.lets(Side.PLATFORM)


def declared(conn: Connection, integration: Integration, number: int, *, now: Instant) -> None:
    """An incident is new here: create it there, now or when that may be."""
    if takes(integration):
        linking.begin(conn, integration, number, now=now)
    else:
        kept_back.put(conn, integration.id, number)


def adjust(conn: Connection, integration: Integration, *, now: Instant) -> None:
    """Its settings have changed: create there what may be created now, and only that."""
    if not integration.sync_direction.lets(Side.PLATFORM):
        for link_id in links.creating(conn, integration.id):
            outbox.disown(conn, link_id, outbox.CREATE)
    if not takes(integration):
        return
    for number in kept_back.waiting(conn, integration.id):
        linking.begin(conn, integration, number, now=now)
    kept_back.clear(conn, integration.id)
    for link in links.waiting(conn, integration.id):
        if routing.service_for(conn, integration, link.incident_id) is not None:
            linking.owe_creation(conn, link.id, link.incident_id, now=now)
