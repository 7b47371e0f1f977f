"""/integrations/{i}/drift: what no webhook told of; looked for now, past the brake if need be."""

from typing import Any

from aiohttp import web

from imsync.api import shapes
from imsync.api.bodies import DriftAnswer, read
from imsync.api.context import context_of
from imsync.errors import Clash
from imsync.store import drift, integrations
from imsync.store.database import Connection


async def show(request: web.Request) -> web.Response:
    """What was found by looking, and whether a sweep was stopped."""
    return shapes.answer(await _shape(request))


async def look(request: web.Request) -> web.Response:
    """Sweep now: 202, and GET tells when it is over. `accept` lets a stopped sweep go ahead."""
    context, name = context_of(request), request.match_info["name"]
    body = await read(request, DriftAnswer) if request.can_read_body else DriftAnswer()
    integration = await context.db.read(integrations.named, name)
    crew = context.fleet.crew(integration.id)
    if crew is None:
        raise Clash(
            f"{integration.slug} is not at work: it is disabled, or has no token",
            hint=f"see `im integration get {integration.slug}`",
        )
    crew.drift.accepted = body.accept
    crew.drift.bell.ring()
    return shapes.answer(await _shape(request), status=202)


async def _shape(request: web.Request) -> shapes.Shape:
    context = context_of(request)
    found = await context.db.read(drift_of, request.match_info["name"])
    return shapes.with_times(found)


# Units of work.


def drift_of(conn: Connection, name: str) -> dict[str, Any]:
    integration = integrations.named(conn, name)
    braked = drift.braked(conn, integration.id)
    return {
        "integration": integration.slug,
        "healed": integration.drift_healed,
        "last_sweep_at": integration.last_sweep_at,
        "log_read_to_at": integration.log_read_to,
        "stopped": None
        if braked is None
        else {
            "at": shapes.time(braked.at),
            "would_change": braked.would_change,
            "met": braked.met,
        },
    }
