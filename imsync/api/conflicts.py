"""/conflicts: both values, who set them, and what was decided."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from imsync.api import plans, shapes
from imsync.api.bodies import ConflictAnswer, Loser, read
from imsync.api.context import context_of
from imsync.api.headers import actor_of
from imsync.api.parameters import ConflictQuery, asked
from imsync.core.fields import Instant
from imsync.engine import explain, review
from imsync.engine.account import needs
from imsync.engine.explain import Told
from imsync.errors import UserError
from imsync.store import audit, conflicts, incidents, integrations
from imsync.store.conflicts import Conflict
from imsync.store.database import Connection


async def page(request: web.Request) -> web.Response:
    """The conflicts, the newest first."""
    context, query = context_of(request), asked(request, ConflictQuery)
    incident, limit = query.incident, query.limit
    rows = await context.db.read(
        page_of,
        integration=query.integration,
        limit=limit + 1,
        before=query.cursor,
        incident_id=incidents.number_of(incident) if incident is not None else None,
        status=query.status,
        now=context.now(),
    )
    return shapes.page(rows, shapes.told, limit=limit, cursor=lambda row: row.conflict.id)


async def get(request: web.Request) -> web.Response:
    """A conflict: both values, who set them, and what was decided."""
    context, number = context_of(request), conflicts.number_of(request.match_info["id"])
    return shapes.answer(shapes.told(await context.db.read(told, number, now=context.now())))


async def resolve(request: web.Request) -> web.Response:
    """Settle a pending conflict: `use` a side's value, or set another `value`."""
    body = await read(request, ConflictAnswer)
    if len(body.model_fields_set) != 1 or (body.use is None and "use" in body.model_fields_set):
        raise UserError("give either `use` or `value`", hint="use: platform, or external")
    if body.use is None:
        await _look_up(request, body.value)
    return await _answered(request, review.resolve, _told_closed, use=body.use, value=body.value)


async def ignore(request: web.Request) -> web.Response:
    """Let both sides of a pending conflict keep what they have."""
    return await _answered(request, review.ignore, _told_closed)


async def restore(request: web.Request) -> web.Response:
    """Bring back what lost in a conflict, as a fresh edit on both sides: `use`, if both did."""
    body = await read(request, Loser) if request.can_read_body else Loser()

    def told(found: Told) -> audit.Told:
        lost = body.use or found.conflict.losers[0]
        return _told(found, {f"{lost} value": audit.Change("lost", "restored")})

    return await _answered(request, review.restore, told, use=body.use)


def _told_closed(found: Told) -> audit.Told:
    conflict = found.conflict
    winner = conflict.winner or ("another value" if conflict.status == "resolved" else None)
    changes = {"status": audit.Change("pending", conflict.status)}
    return _told(found, changes | ({"winner": audit.Change(None, winner)} if winner else {}))


def _told(found: Told, changes: audit.Changes) -> audit.Told:
    conflict = found.conflict
    name = f"{incidents.public_id(conflict.incident_id)} {conflict.field}"
    return audit.Told(conflicts.public_id(conflict.id), name, changes)


async def _look_up(request: web.Request, value: str | None) -> None:
    """Ask there whether somebody goes by that name, where that is not known; if anybody answers."""
    context = context_of(request)
    conflict = await context.db.read(conflicts.get, conflicts.number_of(request.match_info["id"]))
    integration = await context.db.read(integrations.named, conflict.integration)
    wanted = await context.db.read(needs, integration.id, outgoing=[(conflict.field, value)])
    await plans.asked_for(context, {integration.id: wanted})


async def _answered(
    request: web.Request,
    answer: Callable[..., Conflict],
    audited: Callable[[Told], audit.Told],
    **how: Any,
) -> web.Response:
    """Carry out a person's answer; the conflict as it is now."""
    context, number = context_of(request), conflicts.number_of(request.match_info["id"])
    by, now = actor_of(request), context.now()
    conflict = await context.db.read(conflicts.get, number)

    def work(conn: Connection) -> Told:
        return explain.tell(conn, answer(conn, number, by=by, now=now, **how), now=now)

    changed = await plans.change(request, conflict.integration, work, audited)
    return changed.answer(shapes.told(changed.result))


# Units of work.


def page_of(
    conn: Connection,
    /,
    *,
    integration: str | None,
    incident_id: int | None,
    now: Instant,
    **filters: Any,
) -> list[Told]:
    id_ = integrations.named(conn, integration).id if integration else None
    if incident_id is not None:
        incidents.get(conn, incident_id)
    rows = conflicts.page(conn, integration_id=id_, incident_id=incident_id, **filters)
    return [explain.tell(conn, row, now=now) for row in rows]


def told(conn: Connection, number: int, *, now: Instant) -> Told:
    return explain.tell(conn, conflicts.get(conn, number), now=now)
