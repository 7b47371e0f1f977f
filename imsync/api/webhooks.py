"""POST /webhooks/{integration_id}: the door the external systems knock on."""

import asyncio
import hashlib
import logging
from typing import Final

from aiohttp import web

from imsync.api import access, bodies, shapes
from imsync.api.context import Context, context_of
from imsync.api.headers import DELIVERY, SIGNATURE
from imsync.connectors import TRANSLATIONS
from imsync.errors import BadSignature, NotFound, Overloaded, UserError
from imsync.store import inbox, integrations
from imsync.store.database import Connection
from imsync.store.integrations import Integration

log = logging.getLogger(__name__)

_LARGEST: Final = 524_288
"""Bytes of a delivery. PagerDuty drops what has more than "256 KB" itself; but how it counts
is not said, and what we refused here would be lost, so this is twice as much."""

_AT_ONCE: Final = 200
"""Deliveries in hand. Half a megabyte each they fill memory, and whoever sends them need not have
signed anything; PagerDuty sends those of one incident one after the other."""

_IN_TIME: Final = 4.0
"""Seconds: PagerDuty waits five before it takes a delivery for lost (its webhook behaviour)."""


async def receive(request: web.Request) -> web.Response:
    """Prove the sender, keep the delivery, say yes. Deciding comes later.

    Whatever is rightly signed is kept, also what we do not understand: a 4xx would make
    PagerDuty drop it for good, and three of them disable the subscription for a day.
    """
    context = context_of(request)
    if context.receiving >= _AT_ONCE:
        raise Overloaded(f"{_AT_ONCE} deliveries are in hand already")
    context.receiving += 1
    try:
        return await _received(request, context)
    finally:
        context.receiving -= 1


async def _received(request: web.Request, context: Context) -> web.Response:
    body = await _body(request)
    integration, reason = await _prove(request, body)
    if integration is None:
        _alarm(request)
        raise BadSignature(reason, hint="is the signing secret the one of this subscription?")
    envelope = TRANSLATIONS[integration.integration_type].envelope(body)
    delivery_id = _delivery_id(request, body)
    try:
        async with asyncio.timeout(_IN_TIME):
            fresh = await context.db.run(
                inbox.put,
                integration_id=integration.id,
                delivery_id=delivery_id,
                event_id=envelope.event_id,
                event_type=envelope.event_type,
                external_id=envelope.external_id,
                incident_key=envelope.key,
                body=body,
                now=context.now(),
            )
    except TimeoutError:
        raise Overloaded("the delivery could not be kept in time") from None
    context.fleet.ring(integration.id)
    return shapes.answer({"delivery": delivery_id, "fresh": fresh}, status=202)


async def test(request: web.Request) -> web.Response:
    """Say whether what was sent is rightly signed; keep nothing."""
    integration, reason = await _prove(request, await _body(request), count=False)
    if integration is None:
        return shapes.answer({"valid": False, "reason": reason}, status=401)
    return shapes.answer({"valid": True})


async def _body(request: web.Request) -> bytes:
    """Raises Overloaded where it did not arrive whole: what is refused is never sent again."""
    try:
        return await bodies.whole(request.clone(client_max_size=_LARGEST))
    except UserError as error:
        raise Overloaded(str(error)) from None


def _alarm(request: web.Request) -> None:
    """A line about whoever knocks, once a minute at most, and not a word of what they sent."""
    context, peer = context_of(request), access.address_of(request)
    if times := context.strangers.knocked(peer, now=context.now()):
        more = f", {times} times since the last such line" if times > 1 else ""
        log.warning("a delivery from %s was not rightly signed%s: nothing was kept", peer, more)


def _delivery_id(request: web.Request, body: bytes) -> str:
    """What a repeat is known by; where it has no id that can be kept, by what it says."""
    id_ = request.headers.get(DELIVERY.name, "")
    return id_ if id_.isprintable() and 0 < len(id_) <= 255 else hashlib.sha256(body).hexdigest()


async def _prove(
    request: web.Request, body: bytes, *, count: bool = True
) -> tuple[Integration | None, str]:
    """The integration that this was signed for, or None and why not.

    An unknown integration looks like a wrong signature: nobody learns which ids there are.
    """
    context, id_ = context_of(request), request.match_info["integration_id"]
    signature = request.headers.get(SIGNATURE.name)
    if signature is None:
        reason = f"there is no {SIGNATURE.name} header"
    else:
        reason = f"no secret of the integration {id_!r} signed this body"
    try:
        integration, secrets = await context.db.read(with_secrets, id_)
    except NotFound:
        return None, reason
    if TRANSLATIONS[integration.integration_type].proves(secrets, signature, body):
        return integration, ""
    if count:
        await context.db.run(integrations.note_refused_signature, integration.id)
    return None, reason


# Units of work.


def with_secrets(conn: Connection, id_: str) -> tuple[Integration, list[str]]:
    """By id alone. Raises NotFound."""
    return integrations.get(conn, id_), integrations.secrets(conn, id_)
