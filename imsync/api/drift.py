"""/integrations/{i}/drift: what no webhook told of; looked for now, past the brake if need be."""

from aiohttp import web

from imsync.api import audit, shapes
from imsync.api.answers.drift import Drift
from imsync.api.bodies import DriftAnswer, read
from imsync.api.context import context_of
from imsync.errors import Clash
from imsync.store import drift, integrations
from imsync.store.audit import Change, Told
from imsync.store.database import Connection
from imsync.store.drift import Brake
from imsync.store.integrations import Integration


async def show(request: web.Request) -> web.Response:
    """What was found by looking, and whether a sweep was stopped."""
    return shapes.answer(await _shape(request))


async def look(request: web.Request) -> web.Response:
    """Sweep now: 202, and GET tells of the `sweep` until it is over.

    `accept` lets a stopped sweep go ahead.
    """
    context, name = context_of(request), request.match_info["name"]
    body = await read(request, DriftAnswer) if request.can_read_body else DriftAnswer()
    integration = await context.db.read(integrations.named, name)
    crew = context.fleet.crew(integration.id)
    if crew is None:
        raise Clash(
            f"{integration.slug} is not at work: it is disabled, or has no token",
            hint=f"see `im integration get {integration.slug}`",
        )
    changes = {"accept": Change(None, True)} if body.accept else {}
    told = Told(integration.id, integration.slug, changes)
    await audit.recorded(request, lambda _: None, lambda _: told)
    crew.drift.ask_for_sweep(accept=body.accept)
    return shapes.answer(await _shape(request), status=202)


async def _shape(request: web.Request) -> Drift:
    context = context_of(request)
    integration, braked = await context.db.read(found_by_looking, request.match_info["name"])
    crew = context.fleet.crew(integration.id)
    sweep = crew.drift.sweep if crew else None
    return {
        "integration": integration.slug,
        "healed": integration.drift_healed,
        "open_there": integration.open_there,
        "last_sweep_at": shapes.time(integration.last_sweep_at),
        "log_read_to_at": shapes.time(integration.log_read_to),
        "stopped": None
        if braked is None
        else {
            "at": shapes.time(braked.at),
            "would_change": braked.would_change,
            "met": braked.met,
        },
        "sweep": None
        if sweep is None
        else {
            "state": sweep.state,
            "met": sweep.met,
            "mended": sweep.drifted,
            "taken_in": sweep.taken_in,
            "because": sweep.because,
            "ended_at": shapes.time(sweep.ended_at),
        },
    }


# Units of work.


def found_by_looking(conn: Connection, name: str) -> tuple[Integration, Brake | None]:
    integration = integrations.named(conn, name)
    return integration, drift.braked(conn, integration.id)
