"""/conflicts: both values, who set them, and what was decided."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from imsync.api import shapes
from imsync.api.bodies import (
    ConflictAnswer,
    actor_of,
    cursor_of,
    limit_of,
    read,
    words_of,
)
from imsync.api.context import context_of
from imsync.engine import review
from imsync.errors import UserError
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


async def resolve(request: web.Request) -> web.Response:
    """Settle a pending conflict: `use` a side's value, or set another `value`."""
    body = await read(request, ConflictAnswer)
    if len(body.model_fields_set) != 1 or (body.use is None and "use" in body.model_fields_set):
        raise UserError("give either `use` or `value`", hint="use: platform, or external")
    return await _answered(request, review.resolve, use=body.use, value=body.value)


async def ignore(request: web.Request) -> web.Response:
    return await _answered(request, review.ignore)


async def restore(request: web.Request) -> web.Response:
    return await _answered(request, review.restore)


async def _answered(
    request: web.Request, answer: Callable[..., Conflict], **how: Any
) -> web.Response:
    """Carry out a person's answer; the conflict as it is now."""
    context, number = context_of(request), conflicts.number_of(request.match_info["id"])
    found = await context.db.run(answer, number, by=actor_of(request), now=context.now(), **how)
    context.fleet.ring()
    return shapes.answer(shapes.conflict(found))


# Units of work.


def page_of(conn: Connection, /, *, integration: str | None, **filters: Any) -> list[Conflict]:
    id_ = integrations.named(conn, integration).id if integration else None
    return conflicts.page(conn, integration_id=id_, **filters)
