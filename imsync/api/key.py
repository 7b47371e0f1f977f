"""/key: what the tokens and signing secrets in the database are sealed with."""

from aiohttp import web

from imsync.api import shapes
from imsync.api.answers.daemon import RotatedKey
from imsync.api.caller import asking_of
from imsync.api.context import context_of
from imsync.store import audit
from imsync.store.audit import Change, Told
from imsync.store.database import Connection
from imsync.store.sealed import Rotated


async def rotate(request: web.Request) -> web.Response:
    """Make a new key, and seal every token and signing secret in the database with it.

    The old one leaves the key file; copies of the database made before need it still.
    """
    context, asking = context_of(request), await asking_of(request)
    now = context.now()

    def tell(conn: Connection, done: Rotated) -> None:
        audit.append(conn, asking, told_of(done), now=now)

    done = await context.db.rotate_key(tell)
    told: RotatedKey = {
        "key": done.key,
        "old_key": done.before,
        "key_place": context.db.key_place,
        "sealed": done.sealed,
        "at": shapes.time(now),
    }
    return shapes.answer(told)


def told_of(done: Rotated) -> Told:
    """What the audit trail says of another key."""
    changes = {"key": Change(done.before, done.key), "sealed": Change(None, done.sealed)}
    return Told(done.key, None, changes)
