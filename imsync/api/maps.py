"""/integrations/{i}/maps: what our severities and statuses are called there."""

from aiohttp import web

from imsync.api import plans, shapes
from imsync.api.bodies import NewMap, read
from imsync.api.context import context_of
from imsync.api.headers import actor_of
from imsync.api.parameters import cursor_of, limit_of
from imsync.connectors import TRANSLATIONS
from imsync.core.maps import Pairs
from imsync.engine import maps
from imsync.store import integrations
from imsync.store.database import Connection


async def page(request: web.Request) -> web.Response:
    """The maps of values that can be set."""
    found = await context_of(request).db.read(maps_of, request.match_info["name"])
    return shapes.page_of_all(
        found, lambda row: row, limit=limit_of(request), start=cursor_of(request)
    )


async def get(request: web.Request) -> web.Response:
    """A map of values as it is in force, each way."""
    name, map_ = request.match_info["name"], request.match_info["map"]
    return shapes.answer(await context_of(request).db.read(map_of, name, map_))


async def put(request: web.Request) -> web.Response:
    """Let a map differ from the connector's own in these pairs. Answers it as it now is."""
    return await _set(request, await read(request, NewMap))


async def delete(request: web.Request) -> web.Response:
    """Let the connector's own map hold again. Answers it."""
    return await _set(request, None)


async def _set(request: web.Request, body: NewMap | None) -> web.Response:
    name, map_ = request.match_info["name"], request.match_info["map"]
    now, by = context_of(request).now(), actor_of(request)

    def work(conn: Connection) -> shapes.Shape:
        integration = integrations.named(conn, name)
        if body is None:
            maps.delete_map(conn, integration, map_, now=now, by=by)
        else:
            maps.set_map(conn, integration, map_, Pairs(body.out, body.back), now=now, by=by)
        return map_of(conn, name, map_)

    changed = await plans.change(request, name, work)
    return changed.answer(changed.result)


# Units of work.


def maps_of(conn: Connection, name: str) -> list[shapes.Shape]:
    integration = integrations.named(conn, name)
    names = TRANSLATIONS[integration.integration_type].customizable
    return [map_of(conn, name, one) for one in names]


def map_of(conn: Connection, name: str, map_: str) -> shapes.Shape:
    integration = integrations.named(conn, name)
    field = maps.check_name(integration, map_)
    out, back, default = maps.shown(conn, integration, map_)
    return {"map": map_, "field": field, "out": out, "in": back, "default": default}
