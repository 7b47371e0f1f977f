"""Where incidents go: to which service there, and from which services as which type here."""

from imsync.store import incidents, services
from imsync.store.database import Connection
from imsync.store.integrations import Integration
from imsync.store.services import Mapping


def service_for(conn: Connection, integration: Integration, incident_id: int) -> str | None:
    """The service to create an incident in: the first that its type is mapped to, or the default.

    None where there is neither.
    """
    type_ = incidents.get(conn, incident_id).incident_type
    mapped = [one.service_id for one in services.every(conn, integration.id) if _is(type_, one)]
    return mapped[0] if mapped else integration.default_service


def type_for(
    conn: Connection, integration: Integration, service_id: str | None
) -> tuple[bool, str | None]:
    """Whether incidents of a service come in, and as which type if it is mapped."""
    mappings = services.every(conn, integration.id)
    for mapping in mappings:
        if mapping.service_id == service_id:
            return True, mapping.incident_type
    return not mappings or service_id == integration.default_service, None


def is_mapped(conn: Connection, integration: Integration, service_id: str | None) -> bool:
    return any(one.service_id == service_id for one in services.every(conn, integration.id))


def _is(incident_type: str | None, mapping: Mapping) -> bool:
    return (incident_type or "").casefold() == mapping.incident_type.casefold()
