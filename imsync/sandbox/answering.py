"""Doing what was asked, whole or not at all, and saying what came of it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from aiohttp import web

from imsync.sandbox import refusals, views
from imsync.sandbox.account import Account
from imsync.sandbox.asking import Ask
from imsync.sandbox.refusals import PartlyDone, Refusal
from imsync.sandbox.routes import Route
from imsync.sandbox.rows import Json

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Json | None = None


def carry_out(account: Account, route: Route, read: Callable[[], Ask]) -> Answer:
    """The answer to what `read` finds was asked; a refusal has changed nothing."""
    try:
        ask = read()
        with account.records.unit():
            try:
                return Answer(route.status, route.handler(account, ask))
            except PartlyDone as refusal:
                return refused(refusal)
    except Refusal as refusal:
        return refused(refusal)
    except Exception:
        logger.exception("%s %s: a bug in the sandbox", route.method, route.path)
        return refused(refusals.internal(500))


def encoded(account: Account, body: Json | None) -> bytes | None:
    """The body as it leaves. Each `self` leads to where we were asked.

    Clients follow it, and to PagerDuty's own address they would go with the token.
    """
    if body is None:
        return None
    here = f'"self":"{account.address}/'.encode()
    return orjson.dumps(body).replace(f'"self":"{views.API}/'.encode(), here)


def refused(refusal: Refusal) -> Answer:
    return Answer(refusal.status, refusal.body)


async def read(request: web.Request) -> bytes | None:
    """The body; None when it is too large to be read."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        return None


def parsed(raw: bytes | None) -> object:
    """The JSON that was sent; None of what was too large to be read."""
    if raw is None:
        raise refusals.too_large()
    try:
        return orjson.loads(raw) if raw.strip() else None
    except orjson.JSONDecodeError:
        raise refusals.invalid("The request body is not JSON.") from None
