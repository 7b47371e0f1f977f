"""/health and /status: is the daemon there, and what is it."""

import os
from typing import Any

from aiohttp import web

from imsync import __version__
from imsync.api import shapes
from imsync.api.context import context_of
from imsync.store import conflicts, dead_letters, inbox, integrations, outbox, schema
from imsync.store.database import Connection


async def health(request: web.Request) -> web.Response:
    """That the daemon is there."""
    now = context_of(request).now()
    return shapes.answer({"status": "healthy", "timestamp": shapes.time(now)})


async def status(request: web.Request) -> web.Response:
    """How the daemon is, and what waits in it."""
    context = context_of(request)
    counted = await context.db.read(count)
    body = {
        "version": __version__,
        "pid": os.getpid(),
        "uptime_s": (context.now() - context.started_at) // 1000,
        "listen": context.listen,
        "socket": str(context.socket) if context.socket else None,
        "database": str(context.database),
        **counted,
    }
    if context.sandbox is not None:
        body["sandbox"] = dict(context.sandbox())
    return shapes.answer(body)


# Units of work.


def count(conn: Connection) -> dict[str, Any]:
    rows = integrations.every(conn)
    ids = [row.id for row in rows]
    return {
        "schema": schema.version(conn),
        "sqlite": schema.sqlite_version(),
        "integrations": [{"slug": row.slug, "name": row.name, "state": row.state} for row in rows],
        "pending": sum(
            outbox.pending(conn, id_)[0] + inbox.count_pending(conn, id_) for id_ in ids
        ),
        "dead_letters": sum(dead_letters.count(conn, id_) for id_ in ids),
        "conflicts": sum(conflicts.count_pending(conn, id_) for id_ in ids),
    }
