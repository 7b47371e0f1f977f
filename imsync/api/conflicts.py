"""/conflicts: both values, who set them, and what was decided."""

from typing import Any

from aiohttp import web

from imsync.api import shapes
from imsync.api.bodies import cursor_of, limit_of, words_of
from imsync.api.context import context_of
from imsync.store import conflicts, incidents, integrations
from imsync.store.conflicts import Conflict
from imsync.store.database import Connection


async def page(request: web.Request) -> web.Response:
    context, limit = context_of(request), limit_of(request)
    incident = request.query.get("incident")
    rows = await context.db.read(
        page_of,
        integration=request.query.get("integration"),
        limit=limit + 1,
        before=cursor_of(request),
        incident_id=incidents.number_of(incident) if incident else None,
        status=words_of(request, "status", ["pending", "resolved", "ignored"]),
    )
    return shapes.page(rows, shapes.conflict, limit=limit, cursor=lambda row: row.id)


async def get(request: web.Request) -> web.Response:
    number = conflicts.number_of(request.match_info["id"])
    return shapes.answer(shapes.conflict(await context_of(request).db.read(conflicts.get, number)))


# Units of work.


def page_of(conn: Connection, /, *, integration: str | None, **filters: Any) -> list[Conflict]:
    id_ = integrations.named(conn, integration).id if integration else None
    return conflicts.page(conn, integration_id=id_, **filters)
