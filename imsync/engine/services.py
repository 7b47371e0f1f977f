"""Which services there come in, and to which service an incident declared here goes.

Without any mapping everything comes in. With one, only the mapped services do, and the
default service; what fits none is left alone and counted.
"""

import logging

from imsync.connectors.base import Kind
from imsync.core.fields import Instant
from imsync.engine import lookup, opening
from imsync.engine.account import Account
from imsync.errors import ExternalError, NotFound, UserError
from imsync.store import services
from imsync.store.database import Connection
from imsync.store.integrations import Integration
from imsync.store.services import Mapping

log = logging.getLogger(__name__)


async def find(account: Account, service: str) -> str:
    """The id of the service there that has that id or name.

    Raises NotFound, listing what there is, UserError, and ExternalError.
    """
    if not service.strip():
        raise _says_nothing()
    try:
        return await lookup.find(account, Kind.SERVICE, service.strip())
    except ExternalError as error:
        unchecked = "`--unchecked` keeps the mapping without asking whether there is such a service"
        error.hint = f"{error.hint}; {unchecked}" if error.hint else unchecked
        raise


async def default(account: Account, service: str) -> str:
    """The id of the service that is to be the default one, given its id or name.

    Where the other side cannot be asked it is taken as it is: `im integration test` asks again.
    Raises NotFound, listing what there is.
    """
    try:
        return lookup.id_of(await lookup.search(account, Kind.SERVICE, service.strip()))
    except ExternalError as error:
        log.warning("%s: default_service is not checked: %s", account.integration.slug, error)
        return service.strip()


# Units of work.


def add(
    conn: Connection,
    integration: Integration,
    service_id: str,
    incident_type: str,
    *,
    now: Instant,
    by: str | None = None,
) -> Mapping:
    """Map a service to a type, and create there what has waited for one. Raises UserError."""
    service_id, incident_type = service_id.strip(), incident_type.strip()
    if not service_id or not incident_type:
        raise _says_nothing()
    mapping = services.put(conn, integration.id, service_id, incident_type, now=now, by=by)
    opening.adjust(conn, integration, now=now)
    return mapping


def remove(
    conn: Connection, integration: Integration, id_: int, *, now: Instant, by: str | None = None
) -> Mapping:
    """Take a mapping back: what is linked stays linked. Raises NotFound."""
    for mapping in services.every(conn, integration.id):
        if mapping.id == id_:
            services.remove(conn, integration.id, id_, now=now, by=by)
            return mapping
    raise NotFound(
        f"{integration.slug} has no service mapping {services.public_id(id_)}",
        hint=f"see `im integration service-mapping list {integration.slug}`",
    )


def _says_nothing() -> UserError:
    return UserError("a mapping needs a service's id and an incident type")
