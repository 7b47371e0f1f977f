"""/incidents: declare, look at, edit; their timeline and notes."""

import hashlib
from typing import Any

from aiohttp import web

from imsync.api import shapes
from imsync.api.bodies import (
    IncidentChanges,
    NewIncident,
    NewNote,
    actor_of,
    cursor_of,
    field_of,
    given,
    limit_of,
    read,
    version_of,
    words_of,
)
from imsync.api.context import context_of
from imsync.core.fields import Field, Instant, Severity, Status
from imsync.engine import edits, explain
from imsync.errors import Clash, UserError
from imsync.store import incidents, integrations, links
from imsync.store.database import Connection
from imsync.store.incidents import Incident

_FIELDS = tuple(field.value for field in Field)


async def declare(request: web.Request) -> web.Response:
    """201 with the incident; 200 with the same one when its Idempotency-Key was used before."""
    context, body = context_of(request), await read(request, NewIncident)
    key = request.headers.get("Idempotency-Key")
    if key is not None and not (0 < len(key) <= 255 and key.isprintable()):
        raise UserError("an Idempotency-Key has 1 to 255 printable characters")
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
    context, limit = context_of(request), limit_of(request)
    rows = await context.db.read(
        page_of,
        limit=limit + 1,
        before=cursor_of(request),
        status=words_of(request, "status", [status.value for status in Status]),
        severity=words_of(request, "severity", [severity.value for severity in Severity]),
        integration=request.query.get("integration"),
        organization_id=request.query.get("organization_id"),
    )
    return shapes.page(
        rows, lambda row: row, limit=limit, cursor=lambda row: incidents.number_of(row["id"])
    )


async def get(request: web.Request) -> web.Response:
    number = incidents.number_of(request.match_info["id"])
    return _one(await context_of(request).db.read(shape_of, number))


async def update(request: web.Request) -> web.Response:
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
    context, body = context_of(request), await read(request, NewNote)
    entry = await context.db.run(
        edits.note,
        incidents.number_of(request.match_info["id"]),
        body.text,
        by=actor_of(request),
        now=context.now(),
    )
    return shapes.answer(shapes.timeline_entry(entry), status=201)


async def timeline(request: web.Request) -> web.Response:
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
        integration=request.query.get("integration"),
        now=context.now(),
    )
    return shapes.answer(shapes.explanation(number, field, edit, found))


def _one(shape: dict[str, Any], *, status: int = 200) -> web.Response:
    return shapes.answer(shape, status=status, headers={"ETag": f'"{shape["version"]}"'})


# Units of work.


def declare_once(
    conn: Connection,
    body: NewIncident,
    *,
    key: str | None,
    fingerprint: str,
    by: str | None,
    now: Instant,
) -> tuple[dict[str, Any], bool]:
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


def updated(
    conn: Connection, number: int, values: dict[Field, Any], /, **how: Any
) -> dict[str, Any]:
    return _shape(conn, edits.update(conn, number, values, **how))


def shape_of(conn: Connection, number: int) -> dict[str, Any]:
    return _shape(conn, incidents.get(conn, number))


def page_of(
    conn: Connection, /, *, integration: str | None, **filters: Any
) -> list[dict[str, Any]]:
    id_ = integrations.named(conn, integration).id if integration else None
    return [_shape(conn, row) for row in incidents.page(conn, integration_id=id_, **filters)]


def timeline_of(
    conn: Connection, number: int, *, limit: int, after: int
) -> list[incidents.TimelineEntry]:
    incidents.get(conn, number)
    return incidents.timeline(conn, number, limit=limit, after=after)


def _shape(conn: Connection, incident: Incident) -> dict[str, Any]:
    slugs = {one.id: one.slug for one in integrations.every(conn)}
    linked = [(link, slugs[link.integration_id]) for link in links.of_incident(conn, incident.id)]
    return shapes.incident(incident, linked)
