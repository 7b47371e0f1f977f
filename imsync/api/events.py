"""GET /events: what happens, as it happens. Server-sent events, each a CloudEvents 1.0 object."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

import orjson
from aiohttp import web

from imsync.api import shapes
from imsync.api.caller import CALLER
from imsync.api.context import Context, context_of
from imsync.api.feed import Stopped
from imsync.api.headers import last_of
from imsync.api.parameters import EventQuery, asked
from imsync.core.fields import Instant
from imsync.errors import Missed
from imsync.store import events, incidents, integrations
from imsync.store.database import Connection

log = logging.getLogger(__name__)

_BATCH: Final = 25
"""Events held at a time for one stream: a note may be 65,000 characters long."""

_HEADERS: Final = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would hold back what is not a page yet
}


async def stream(request: web.Request) -> web.StreamResponse:
    """Everything that happens from now on, or after `Last-Event-ID`.

    Each event is a `data:` line with a CloudEvents 1.0 object and an `id:` line to resume at.
    A quiet stream says every fifteen seconds that it is there, and up to where it has been
    read. `integration` shows what comes from it, what is written to it, and what happens to
    incidents that are linked there; `incident` shows what is about it.
    """
    context, query = context_of(request), asked(request, EventQuery)
    start = await context.db.read(
        begin,
        last=last_of(request),
        integration=query.integration,
        incident=query.incident,
    )
    response = web.StreamResponse(headers=_HEADERS)
    if request.method == "HEAD":
        return response
    try:
        async with context.feed.watching():
            await response.prepare(request)
            await _follow(context, response, start, until=request[CALLER].until)
    except Stopped:
        _let_go(request)
    except (ConnectionResetError, TimeoutError):
        _let_go(request, at_once=True)
    except Exception:
        if not response.prepared:
            raise
        # It is being answered already: all that is left is to break it off, to be resumed.
        log.exception("a stream of events is broken off")
        _let_go(request, at_once=True)
    return response


async def _follow(
    context: Context,
    response: web.StreamResponse,
    start: tuple[int, str | None, int | None],
    *,
    until: Instant | None,
) -> None:
    """Send what comes. Ends with Stopped, or with TimeoutError or ConnectionResetError when the
    client takes nothing more, or is gone. Nothing is sent from the moment `until` on."""
    at, integration_id, incident_id = start

    async def send(text: bytes) -> None:
        if until is not None and context.now() >= until:
            raise Stopped
        async with asyncio.timeout(context.feed.patience):
            await response.write(text)

    await send(f"retry: 1000\nid: {at}\n\n".encode())
    while True:
        look = await context.db.read(
            events.after, at, integration_id=integration_id, incident_id=incident_id, limit=_BATCH
        )
        if look.missed:
            raise Stopped  # whoever goes on from there is told so
        at = look.read_to
        if look.events:
            await send(encode(look.events, source=context.source))
        elif not await context.feed.wait(at):
            await send(f": nothing new\nid: {at}\n\n".encode())


def encode(rows: Iterable[events.Event], *, source: str) -> bytes:
    """Events as they go over the wire."""
    return b"".join(
        b"id: %d\ndata: %b\n\n" % (row.id, orjson.dumps(shapes.event(row, source=source)))
        for row in rows
    )


def _let_go(request: web.Request, *, at_once: bool = False) -> None:
    """Hang up on a client that takes nothing: a polite end would wait for it to be read."""
    transport = request.transport
    if transport is not None and (at_once or transport.get_write_buffer_size()):
        transport.abort()


# Units of work.


def begin(
    conn: Connection, *, last: int | None, integration: str | None, incident: str | None
) -> tuple[int, str | None, int | None]:
    """Where to begin, and the filters by id. Raises NotFound, Clash, and Missed."""
    integration_id = integrations.named(conn, integration).id if integration is not None else None
    incident_id = None
    if incident is not None:
        incident_id = incidents.get(conn, incidents.number_of(incident)).id
    before, newest = events.span(conn)
    if last is not None and not before <= last <= newest:
        kept = f"{before + 1} to {newest}" if newest > before else "none yet"
        raise Missed(
            f"the events after {last} are not kept here: there are {kept}",
            hint="begin again without Last-Event-ID; timelines tell what was missed",
        )
    return newest if last is None else last, integration_id, incident_id
