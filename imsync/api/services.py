"""/integrations/{i}/service-mappings: which services come in, as what, and where a type goes."""

from aiohttp import web

from imsync.api import plans, shapes
from imsync.api.answers.integrations import ServiceMapping
from imsync.api.bodies import NewServiceMapping, read
from imsync.api.context import context_of
from imsync.api.crews import crew_of
from imsync.api.headers import actor_of
from imsync.api.parameters import cursor_of, limit_of
from imsync.engine import services as mappings
from imsync.store import integrations, services
from imsync.store.database import Connection
from imsync.store.services import Mapping


async def page(request: web.Request) -> web.Response:
    """Which services come in as what, and where incidents of a type go."""
    found = await context_of(request).db.read(mappings_of, request.match_info["name"])
    return shapes.page_of_all(found, _shape, limit=limit_of(request), start=cursor_of(request))


async def add(request: web.Request) -> web.Response:
    """Map a service to a type; one that was mapped before is mapped anew.

    The other side is asked whether there is such a service, unless told not to.
    """
    body, name = await read(request, NewServiceMapping), request.match_info["name"]
    if body.unchecked:
        service_id = body.pd_service
    else:
        _, crew = await crew_of(request)
        service_id = await mappings.find(crew.account, body.pd_service)
    now, by = context_of(request).now(), actor_of(request)

    def work(conn: Connection) -> Mapping:
        integration = integrations.named(conn, name)
        return mappings.add(conn, integration, service_id, body.incident_type, now=now, by=by)

    changed = await plans.change(request, name, work)
    return changed.answer(_shape(changed.result), status=201)


async def remove(request: web.Request) -> web.Response:
    """Take a mapping back. Answers what it was."""
    name, number = request.match_info["name"], services.number_of(request.match_info["id"])
    now, by = context_of(request).now(), actor_of(request)

    def work(conn: Connection) -> Mapping:
        return mappings.remove(conn, integrations.named(conn, name), number, now=now, by=by)

    changed = await plans.change(request, name, work)
    return changed.answer(_shape(changed.result))


# Units of work.


def mappings_of(conn: Connection, name: str) -> list[Mapping]:
    return services.every(conn, integrations.named(conn, name).id)


def _shape(mapping: Mapping) -> ServiceMapping:
    return {
        "id": services.public_id(mapping.id),
        "pd_service": mapping.service_id,
        "service_name": mapping.service_name,
        "incident_type": mapping.incident_type,
        "created_at": shapes.time(mapping.created_at),
    }
