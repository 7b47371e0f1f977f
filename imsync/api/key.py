"""/key: what the tokens and signing secrets in the database are sealed with."""

from aiohttp import web

from imsync.api import shapes
from imsync.api.answers.daemon import RotatedKey
from imsync.api.context import context_of


async def rotate(request: web.Request) -> web.Response:
    """Make a new key, and seal every token and signing secret in the database with it.

    The old one leaves the key file; copies of the database made before need it still.
    """
    context = context_of(request)
    done = await context.db.rotate_key()
    told: RotatedKey = {
        "key": done.key,
        "old_key": done.before,
        "key_place": context.db.key_place,
        "sealed": done.sealed,
        "at": shapes.time(context.now()),
    }
    return shapes.answer(told)
