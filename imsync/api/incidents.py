"""/incidents: declare, look at, edit; their timeline and notes."""

import hashlib
from typing import Any

from aiohttp import web

from imsync.api import shapes
from imsync.api.answers.incidents import Incident as Shape
from imsync.api.bodies import IncidentChanges, NewIncident, NewNote, given, read
from imsync.api.context import context_of
from imsync.api.headers import actor_of, etag, has_seen, key_of, version_of
from imsync.api.parameters import (
    ExplainQuery,
    IncidentQuery,
    asked,
    cursor_of,
    field_of,
    limit_of,
)
from imsync.core.fields import Field, Instant
from imsync.engine import edits, explain
from imsync.errors import Clash
from imsync.store import incidents, integrations, links
from imsync.store.database import Connection
from imsync.store.incidents import Incident

_FIELDS = tuple(field.value for field in Field)


async def declare(request: web.Request) -> web.Response:
    """Declare an incident.

    201 with the incident; 200 with the same one when its Idempotency-Key was used before.
    """
    context, body = context_of(request), await read(request, NewIncident)
    key = key_of(request)
    fingerprint = hashlib.sha256(body.model_dump_json().encode()).hexdigest()
    shape, fresh = await context.db.run(
        declare_once,
        body,
        key=key,
        fingerprint=fingerprint,
        by=actor_of(request),
        now=context.now(),
    )
    context.fleet.ring()
    return _one(shape, status=201 if fresh else 200)


async def page(request: web.Request) -> web.Response:
    """The incidents, the newest first."""
    context, query = context_of(request), asked(request, IncidentQuery)
    limit = query.limit
    rows = await context.db.read(
        page_of,
        limit=limit + 1,
        before=query.cursor,
        status=query.status,
        severity=query.severity,
        integration=query.integration,
        organization_id=query.organization_id,
    )
    return shapes.page(
        rows, lambda row: row, limit=limit, cursor=lambda row: incidents.number_of(row["id"])
    )


async def get(request: web.Request) -> web.Response:
    """An incident, and where it stands."""
    number = incidents.number_of(request.match_info["id"])
    shape = await context_of(request).db.read(shape_of, number)
    tag = _tag(shape)
    if has_seen(request, tag):
        return web.Response(status=304, headers={"ETag": tag})
    return _one(shape)


async def update(request: web.Request) -> web.Response:
    """Edit an incident: only what is given, and it goes to where the incident is linked."""
    context, body = context_of(request), await read(request, IncidentChanges)
    number = incidents.number_of(request.match_info["id"])
    values = given(body)
    shape = await context.db.run(
        updated,
        number,
        {Field(name): value for name, value in values.items() if name in _FIELDS},
        incident_type=values.get("incident_type"),
        if_version=version_of(request),
        by=actor_of(request),
        now=context.now(),
    )
    context.fleet.ring()
    return _one(shape)


async def add_note(request: web.Request) -> web.Response:
    """Add a remark to an incident's timeline."""
    context, body = context_of(request), await read(request, NewNote)
    entry = await context.db.run(
        edits.note,
        incidents.number_of(request.match_info["id"]),
        body.text,
        by=actor_of(request),
        now=context.now(),
    )
    context.fleet.ring()
    return shapes.answer(shapes.timeline_entry(entry), status=201)


async def timeline(request: web.Request) -> web.Response:
    """What happened to an incident, in the order in which we learnt of it."""
    context, limit = context_of(request), limit_of(request)
    number = incidents.number_of(request.match_info["id"])
    rows = await context.db.read(
        timeline_of, number, limit=limit + 1, after=cursor_of(request) or 0
    )
    return shapes.page(rows, shapes.timeline_entry, limit=limit, cursor=lambda row: row.id)


async def explain_field(request: web.Request) -> web.Response:
    """Why a field is what it is."""
    context, number = context_of(request), incidents.number_of(request.match_info["id"])
    field = field_of(request)
    edit, found = await context.db.read(
        explain.explain,
        number,
        field,
        integration=asked(request, ExplainQuery).integration,
        now=context.now(),
    )
    return shapes.answer(shapes.explanation(number, field, edit, found))


def _one(shape: Shape, *, status: int = 200) -> web.Response:
    return shapes.answer(shape, status=status, headers={"ETag": _tag(shape)})


def _tag(shape: Shape) -> str:
    """The ETag: where an incident is linked is no edit of it, but part of what is shown."""
    return etag(shape["version"], repr(shape["links"]))


# Units of work.


def declare_once(
    conn: Connection,
    body: NewIncident,
    *,
    key: str | None,
    fingerprint: str,
    by: str | None,
    now: Instant,
) -> tuple[Shape, bool]:
    """Declare, but for a key that was used before. Raises Clash when it was for another body."""
    if key is not None and (used := incidents.declared_with(conn, key)):
        number, before = used
        if before != fingerprint:
            raise Clash(
                f"the Idempotency-Key {key!r} was used for another incident",
                hint="a key belongs to one declaration; make a new one",
            )
        return shape_of(conn, number), False
    incident = edits.declare(
        conn,
        {Field(name): getattr(body, name) for name in _FIELDS},
        integration=body.integration,
        organization_id=body.organization_id,
        incident_type=body.incident_type,
        by=by,
        now=now,
    )
    if key is not None:
        incidents.remember_key(conn, key, fingerprint=fingerprint, number=incident.id, now=now)
    return _shape(conn, incident), True


def updated(conn: Connection, number: int, values: dict[Field, Any], /, **how: Any) -> Shape:
    return _shape(conn, edits.update(conn, number, values, **how))


def shape_of(conn: Connection, number: int) -> Shape:
    return _shape(conn, incidents.get(conn, number))


def page_of(conn: Connection, /, *, integration: str | None, **filters: Any) -> list[Shape]:
    id_ = integrations.named(conn, integration).id if integration else None
    return [_shape(conn, row) for row in incidents.page(conn, integration_id=id_, **filters)]


def timeline_of(
    conn: Connection, number: int, *, limit: int, after: int
) -> list[incidents.TimelineEntry]:
    incidents.get(conn, number)
    return incidents.timeline(conn, number, limit=limit, after=after)


def _shape(conn: Connection, incident: Incident) -> Shape:
    slugs = {one.id: one.slug for one in integrations.every(conn)}
    linked = [(link, slugs[link.integration_id]) for link in links.of_incident(conn, incident.id)]
    return shapes.incident(incident, linked)
