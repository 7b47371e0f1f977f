"""/dead-letters: what was given up on, retried or let go."""

from collections.abc import Callable

from aiohttp import web

from imsync.api import audit, shapes
from imsync.api.context import context_of
from imsync.api.headers import actor_of
from imsync.engine import dead_letters as answers
from imsync.store import dead_letters, incidents
from imsync.store.audit import Change, Told
from imsync.store.dead_letters import DeadLetter


async def retry(request: web.Request) -> web.Response:
    """Try it again as if for the first time; if it fails, there will be another letter."""
    context = context_of(request)
    number = dead_letters.number_of(request.match_info["id"])
    by, now = actor_of(request), context.now()
    letter = await audit.recorded(
        request, lambda conn: answers.retry(conn, number, now=now, by=by), _told("retried")
    )
    context.fleet.ring(letter.integration_id)
    return shapes.answer(shapes.dead_letter(letter), status=202)


async def discard(request: web.Request) -> web.Response:
    """Let it go. Its field stands as it is until either side changes."""
    number = dead_letters.number_of(request.match_info["id"])
    by, now = actor_of(request), context_of(request).now()
    await audit.recorded(
        request, lambda conn: answers.discard(conn, number, now=now, by=by), _told("discarded")
    )
    return web.Response(status=204)


def _told(became: str) -> Callable[[DeadLetter], Told]:
    def told(letter: DeadLetter) -> Told:
        number = letter.incident_id
        incident = None if number is None else incidents.public_id(number)
        what = " ".join(filter(None, [incident, letter.direction, letter.field_name]))
        changes = {what: Change(f"given up: {letter.code}", became)}
        return Told(dead_letters.public_id(letter.id), letter.integration, changes)

    return told
