"""POST /webhooks/{integration_id}: the door the external systems knock on."""

import asyncio
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aiohttp import web

from imsync.api import bodies, shapes
from imsync.api.caller import address_of
from imsync.api.context import Context, context_of
from imsync.api.headers import DELIVERY, SIGNATURE
from imsync.api.strangers import LIMIT, NOBODY
from imsync.connectors import TRANSLATIONS
from imsync.errors import BadSignature, HeldOff, Overloaded, UserError
from imsync.store import inbox, integrations

_LARGEST: Final = 524_288
"""Bytes of a delivery. PagerDuty drops what has more than "256 KB" itself; but how it counts
is not said, and what we refused here would be lost, so this is twice as much."""

_AT_ONCE: Final = 200
"""Deliveries in hand. Half a megabyte each they fill memory, and whoever sends them need not have
signed anything; PagerDuty sends those of one incident one after the other."""

_IN_TIME: Final = 4.0
"""Seconds: PagerDuty waits five before it takes a delivery for lost (its webhook behaviour)."""

_ARRIVES: Final = 5.0
"""Seconds for a body to be here: PagerDuty itself would not wait any longer."""

_NOBODYS: Final = secrets.token_hex()
"""What is tried where there is no secret, so that this takes as long as if there were one."""


async def receive(request: web.Request) -> web.Response:
    """Prove the sender, keep the delivery, say yes. Deciding comes later.

    Whatever is rightly signed is kept, also what we do not understand: a 4xx would make
    PagerDuty drop it for good, and three of them disable the subscription for a day.
    """
    context = context_of(request)
    with _in_hand(context):
        return await _received(request, context)


@contextmanager
def _in_hand(context: Context) -> Iterator[None]:
    """For as long as memory holds what was sent. Raises Overloaded where too much is held."""
    if context.receiving >= _AT_ONCE:
        _make_room(context)
    context.receiving += 1
    try:
        yield
    finally:
        context.receiving -= 1


def _make_room(context: Context) -> None:
    """Give up the delivery whose body has been arriving for longest. Raises Overloaded."""
    slowest = next(iter(context.arriving), None)
    if slowest is None:
        raise Overloaded(f"{_AT_ONCE} deliveries are in hand already")
    del context.arriving[slowest]
    slowest.reschedule(0)  # long past


async def _received(request: web.Request, context: Context) -> web.Response:
    id_, body = request.match_info["integration_id"], await _body(request)
    type_, wrong = await _prove(request, id_, body)
    if type_ is None or wrong:
        context.refusals.count(NOBODY if type_ is None else id_)
        raise _turned_away(request, wrong)
    envelope = TRANSLATIONS[type_].envelope(body)
    delivery_id = _delivery_id(request, body)
    try:
        async with asyncio.timeout(_IN_TIME):
            fresh = await context.db.run(
                inbox.put,
                integration_id=id_,
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
    context.fleet.ring(id_)
    return shapes.answer({"delivery": delivery_id, "fresh": fresh}, status=202)


async def test(request: web.Request) -> web.Response:
    """Say whether what was sent is rightly signed; keep nothing.

    Whoever tries very many secrets is held off as at the door itself.
    """
    with _in_hand(context_of(request)):
        id_ = request.match_info["integration_id"]
        _, wrong = await _prove(request, id_, await _body(request))
    if wrong:
        refusal = _turned_away(request, wrong)
        if isinstance(refusal, HeldOff):
            raise refusal
        return shapes.answer({"valid": False, "reason": wrong}, status=401)
    return shapes.answer({"valid": True})


async def _body(request: web.Request) -> bytes:
    """Raises Overloaded where it did not arrive whole: what is refused is never sent again."""
    arriving = context_of(request).arriving
    try:
        async with asyncio.timeout(_ARRIVES) as scope:
            arriving[scope] = None
            try:
                return await bodies.whole(request.clone(client_max_size=_LARGEST))
            finally:
                arriving.pop(scope, None)
    except UserError as error:
        raise Overloaded(str(error)) from None
    except TimeoutError:
        raise Overloaded("the body did not arrive in time, or others had to") from None


def _turned_away(request: web.Request, reason: str) -> BadSignature:
    """Told of in the log, and with not a word of what was sent."""
    context = context_of(request)
    hint = "is the signing secret the one of this subscription?"
    if context.strangers.knocked(address_of(request), now=context.now()):
        return HeldOff(f"{reason}, and of {LIMIT} others before", hint=hint)
    return BadSignature(reason, hint=hint)


def _delivery_id(request: web.Request, body: bytes) -> str:
    """What a repeat is known by; where it has no id that can be kept, by what it says."""
    id_ = request.headers.get(DELIVERY.name, "")
    return id_ if id_.isprintable() and 0 < len(id_) <= 255 else hashlib.sha256(body).hexdigest()


async def _prove(request: web.Request, id_: str, body: bytes) -> tuple[str | None, str]:
    """The type of the integration that this is meant for, if there is one; and why it is not from
    there, if so.

    An unknown integration reads like a wrong signature, and costs as much: nobody learns which
    ids there are.
    """
    type_, known = await context_of(request).db.read(integrations.signers, id_)
    given = request.headers.getall(SIGNATURE.name, [])
    translation = TRANSLATIONS[type_ or next(iter(TRANSLATIONS))]
    proven = translation.proves(known or [_NOBODYS], ",".join(given), body)
    if known and proven:
        return type_, ""
    if not given:
        return type_, f"there is no {SIGNATURE.name} header"
    return type_, f"no secret of the integration {id_!r} signed this body"
