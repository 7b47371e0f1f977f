"""What happens over there to an incident as a whole: moved to another service, or merged.

No field of ours tells of it; the timeline does, and a mapped service says what type it is.
"""

from imsync.connectors.base import Snapshot
from imsync.core.fields import Field, Instant
from imsync.engine import routing
from imsync.store import incidents, integrations, links
from imsync.store.database import Connection
from imsync.store.integrations import Integration
from imsync.store.links import Link


def follow(conn: Connection, link: Link, snapshot: Snapshot, *, now: Instant) -> None:
    """Tell of a move or a merge that a snapshot shows, once; an old one tells nothing."""
    seen = links.fields(conn, link.id)[Field.STATUS].seen
    if seen is not None and snapshot.as_of < seen.as_of:
        return
    integration = integrations.get(conn, link.integration_id)
    if snapshot.service_id is not None and snapshot.service_id != link.service_id:
        _moved(conn, integration, link, snapshot, now=now)
    if snapshot.merged_into is not None:
        _merged(conn, integration, link, snapshot.merged_into, now=now)


def _moved(
    conn: Connection, integration: Integration, link: Link, snapshot: Snapshot, *, now: Instant
) -> None:
    assert snapshot.service_id is not None  # somewhere it is
    links.set_service(conn, link.id, snapshot.service_id)
    if link.service_id is None:
        return  # that is where it has been all along, for all we know
    _, incident_type = routing.type_for(conn, integration, snapshot.service_id)
    if incident_type is not None:
        incidents.set_type(conn, link.incident_id, incident_type, now=now)
    name = snapshot.service or snapshot.service_id
    text = f"moved to the service {name} in {integration.name}"
    _tell(conn, integration, link, text, at=snapshot.as_of)


def _merged(
    conn: Connection, integration: Integration, link: Link, into: str, *, now: Instant
) -> None:
    mark = f"merged:{link.external_id}:{into}"
    if incidents.has_note(conn, integration.id, mark):
        return
    target = links.to(conn, integration.id, into)
    name = incidents.public_id(target.incident_id) if target else into
    text = f"merged into {name} in {integration.name}"
    _tell(conn, integration, link, text, at=now, mark=mark)


def _tell(
    conn: Connection,
    integration: Integration,
    link: Link,
    text: str,
    *,
    at: Instant,
    mark: str | None = None,
) -> None:
    incidents.tell(
        conn,
        link.incident_id,
        at=at,
        kind="note",
        text=text,
        integration_id=integration.id,
        external_id=mark,
    )
