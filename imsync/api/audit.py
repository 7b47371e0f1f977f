"""GET /audit, and how a route that is declared to audit something keeps its line."""

from collections.abc import Callable
from typing import TypeVar

from aiohttp import web

from imsync.api import shapes
from imsync.api.answers.audit import AuditLine
from imsync.api.caller import asking_of
from imsync.api.context import context_of
from imsync.api.parameters import AuditQuery, asked
from imsync.store import audit
from imsync.store.audit import Line, Told
from imsync.store.database import Connection

T = TypeVar("T")


async def page(request: web.Request) -> web.Response:
    """Who changed which setting, credential, conflict or token, the newest first."""
    query = asked(request, AuditQuery)
    rows = await context_of(request).db.read(
        audit.page,
        limit=query.limit + 1,
        before=query.cursor,
        since=query.since,
        until=query.until,
        actor=query.actor,
        actions=query.action,
        subject=query.subject,
    )
    return shapes.page(rows, _shape, limit=query.limit, cursor=lambda row: row.id)


async def recorded(
    request: web.Request, work: Callable[[Connection], T], told: Callable[[T], Told]
) -> T:
    """Run a unit of work that writes, with the line that its route audits; what it answered."""
    context, asking = context_of(request), await asking_of(request)
    return await context.db.run(audit.recorded, work, told, asking=asking, now=context.now())


def _shape(line: Line) -> AuditLine:
    asking, told = line.asking, line.told
    return {
        "id": audit.public_id(line.id),
        "at": shapes.time(line.at),
        "action": asking.action,
        "subject": told.subject,
        "subject_name": told.name,
        "changes": [
            {"field": field, "old": change.old, "new": change.new, "secret": change.secret}
            for field, change in told.changes.items()
        ],
        "actor": asking.actor,
        "actor_id": asking.actor_id,
        "claims": asking.claims,
        "peer": asking.peer,
        "forwarded": asking.forwarded,
        "request_id": asking.request_id,
    }
