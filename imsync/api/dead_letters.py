"""/dead-letters: what was given up on, retried or let go."""

from aiohttp import web

from imsync.api import shapes
from imsync.api.context import context_of
from imsync.api.headers import actor_of
from imsync.engine import dead_letters as answers
from imsync.store import dead_letters


async def retry(request: web.Request) -> web.Response:
    """Try it again as if for the first time; if it fails, there will be another letter."""
    context = context_of(request)
    number = dead_letters.number_of(request.match_info["id"])
    letter = await context.db.run(answers.retry, number, now=context.now(), by=actor_of(request))
    context.fleet.ring(letter.integration_id)
    return shapes.answer(shapes.dead_letter(letter), status=202)


async def discard(request: web.Request) -> web.Response:
    """Let it go. Its field stands as it is until either side changes."""
    number = dead_letters.number_of(request.match_info["id"])
    context = context_of(request)
    await context.db.run(answers.discard, number, now=context.now(), by=actor_of(request))
    return web.Response(status=204)
