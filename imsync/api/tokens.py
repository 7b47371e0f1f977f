"""/tokens: who may speak to the API over TCP."""

from dataclasses import replace
from typing import cast

from aiohttp import web

from imsync.api import audit, shapes
from imsync.api.answers.tokens import MadeToken
from imsync.api.answers.tokens import Token as Shape
from imsync.api.bodies import NewToken, read
from imsync.api.context import context_of
from imsync.api.parameters import cursor_of, limit_of
from imsync.core.fields import Instant
from imsync.errors import UserError
from imsync.store import tokens
from imsync.store.audit import Change, Told
from imsync.store.tokens import Token


async def create(request: web.Request) -> web.Response:
    """Make a token, and show it this once. From now on TCP asks for one, also from loopback."""
    context, body = context_of(request), await read(request, NewToken)
    name, now, secret = body.name.strip(), context.now(), tokens.new_secret()
    if not (name and name.isascii() and name.isprintable()):
        raise UserError(f"name {body.name!r} is not printable ASCII", hint='for example "ci"')
    lasts = body.expires_in_s
    id_, end = context.new_id("tok_"), None if lasts is None else Instant(now + lasts * 1000)
    made = await audit.recorded(
        request,
        lambda conn: tokens.create(
            conn, id_, secret, name=name, scope=body.scope, expires_at=end, now=now
        ),
        _told_made,
    )
    context.feed.end()  # who watched without a token, while there was none, shows one now
    shown: MadeToken = {**_shape(made, now), "token": secret}
    return shapes.answer(shown, status=201, headers={"Cache-Control": "no-store"})


async def page(request: web.Request) -> web.Response:
    """The tokens there ever were, the newest first."""
    context = context_of(request)
    found, now = await context.db.read(tokens.every), context.now()
    return shapes.page_of_all(
        found, lambda one: _shape(one, now), limit=limit_of(request), start=cursor_of(request)
    )


async def revoke(request: web.Request) -> web.Response:
    """Let a token be good for nothing from now on; what streams with it is ended."""
    context = context_of(request)
    now = context.now()
    gone = await audit.recorded(
        request,
        lambda conn: tokens.revoke(conn, request.match_info["id"], now=now),
        lambda gone: _told_gone(gone, now),
    )
    context.feed.end()
    return shapes.answer(_shape(gone, now))


def _told_made(token: Token) -> Told:
    end = shapes.time(token.expires_at) or "never"
    changes = {"scope": Change(None, token.scope), "expires_at": Change(None, end)}
    return Told(token.id, token.name, changes)


def _told_gone(token: Token, now: Instant) -> Told:
    before = replace(token, revoked_at=None).state(now)
    return Told(token.id, token.name, {"state": Change(before, token.state(now))})


def _shape(token: Token, now: Instant) -> Shape:
    shape = {
        "id": token.id,
        "name": token.name,
        "scope": token.scope,
        "state": token.state(now),
        "created_at": shapes.time(token.created_at),
        "expires_at": shapes.time(token.expires_at),
        "revoked_at": shapes.time(token.revoked_at),
    }
    return cast(Shape, shape)
