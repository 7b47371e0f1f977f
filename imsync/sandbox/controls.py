"""The sandbox's own routes, which PagerDuty has not: `/` and `/_sandbox`. They need no token.

`playing` has those that the page needs.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any, Final

import orjson
from aiohttp import web

from imsync.sandbox import playing, settings
from imsync.sandbox.account import Account
from imsync.sandbox.deliveries import Courier
from imsync.sandbox.limits import Rates
from imsync.sandbox.rows import Json

_HELLO: Final = """This is a PagerDuty sandbox: its REST API, its webhooks, and nobody's pager.

GET /_sandbox            the token, the users, services and policies, and what was counted
GET, PUT /_sandbox/faults    what goes wrong, and how often
GET, PUT /_sandbox/switches  how it behaves where PagerDuty's behaviour is not known
GET, PUT /_sandbox/limits    how many calls a minute
POST /_sandbox/repeat        {"count": n}: send the last deliveries that arrived once more

In a browser, this address is a page to play PagerDuty with. What it does, programs may:
/_sandbox/as/{who}/…         any operation of the API, as the user of this e-mail or id, or as
                             `pagerduty` itself: without a key, outside limits and faults

The API is at the paths that PagerDuty has: /incidents, /webhook_subscriptions, …
"""


@web.middleware
async def only_from_here(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Without a key to show, a browser may use these routes only from the sandbox's own page."""
    origin = request.headers.get("Origin")
    here = origin is None or origin.partition("://")[2] == request.host
    if request.path.startswith("/_sandbox") and not here:
        why = f"{origin} is another site: only the sandbox's own page may do this"
        return _json({"error": {"message": why}}, 403)
    return await handler(request)


def routes(
    account: Account,
    rates: Rates,
    courier: Courier,
    about: Callable[[], Json],
    ring: Callable[[], None],
) -> list[web.RouteDef]:
    async def hello(request: web.Request) -> web.StreamResponse:
        if "text/html" in request.headers.get("Accept", ""):
            return await playing.index(request)
        return web.Response(text=_HELLO)

    async def show(_: web.Request) -> web.Response:
        return _json(about())

    async def repeat(request: web.Request) -> web.Response:
        body = await _body(request)
        count = body.get("count", 1) if isinstance(body, dict) else None
        if type(count) is not int or count < 1:
            return _json({"error": {"message": "count must be a number, 1 or more"}}, 400)
        repeated = courier.repeat(count)
        ring()
        return _json({"repeated": repeated})

    return [
        web.get("/", hello),
        web.get("/_sandbox", show),
        web.post("/_sandbox/repeat", repeat),
        *_settings("/_sandbox/faults", account.faults),
        *_settings("/_sandbox/switches", account.switches),
        *_settings("/_sandbox/limits", rates),
    ]


def _settings(path: str, target: Any) -> list[web.RouteDef]:
    """See and set a dataclass of flags and numbers."""

    async def show(_: web.Request) -> web.Response:
        return _json(asdict(target))

    async def change(request: web.Request) -> web.Response:
        try:
            settings.set_from(target, await _body(request))
        except settings.Unsettable as error:
            return _json({"error": {"message": str(error)}}, 400)
        return _json(asdict(target))

    return [web.get(path, show), web.put(path, change)]


async def _body(request: web.Request) -> object:
    """What was sent; None if it is not JSON."""
    try:
        return orjson.loads(await request.read() or b"{}")
    except orjson.JSONDecodeError:
        return None


def _json(body: Json, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(body), status=status, content_type="application/json")
