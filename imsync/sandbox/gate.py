"""The gate before every API call: who asks, whether they may, how often; and what goes wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Final

from aiohttp import web

from imsync.sandbox import answering, faults, refusals
from imsync.sandbox.account import Account
from imsync.sandbox.answering import Answer, refused
from imsync.sandbox.asking import Ask
from imsync.sandbox.limits import Limits
from imsync.sandbox.routes import ROUTES, Route
from imsync.sandbox.rows import Token, User

LARGEST_BODY: Final = 2 * 1024 * 1024
_SCHEMES: Final = ("token token=", "bearer ")


class Gate:
    """Turns routes into handlers of requests, and counts what passes.

    `requests` are the calls answered, refused ones too; `writes` those of them that were
    accepted to create or change an incident: every 2xx to a POST or PUT under /incidents,
    also where it changed nothing and where the answer was then lost.
    """

    def __init__(self, account: Account, limits: Limits, ring: Callable[[], None]) -> None:
        self._account = account
        self._limits = limits
        self._ring = ring
        self.requests = 0
        self.writes = 0

    def routes(self) -> list[web.RouteDef]:
        known = [web.route(route.method, route.path, self._open(route)) for route in ROUTES]
        nowhere = Route("*", "/{nowhere:.*}", _nowhere)
        return [*known, web.route("*", nowhere.path, self._open(nowhere))]

    def _open(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            self.requests += 1
            return await self._handle(route, request, await answering.read(request))

        return handle

    async def _handle(
        self, route: Route, request: web.Request, raw: bytes | None
    ) -> web.StreamResponse:
        account = self._account
        fate = faults.fate(account.faults, account.luck)
        token, at = self._token(request), account.now()
        within, headers = self._limits.take(_caller(token), route.method, route.path, at)
        if fate.bare_429:
            return self._respond(Answer(429), {})
        if not within or fate.full_429:
            headers |= {"ratelimit-remaining": "0"}
            headers["ratelimit-reset"] = str(max(int(headers["ratelimit-reset"]), 1))
            return self._respond(refused(refusals.over_the_limit()), headers)
        if fate.unheard and request.transport:
            request.transport.abort()
            return web.Response()
        if fate.error:
            return self._respond(refused(refusals.internal(fate.error)), headers)
        answer = answering.carry_out(
            account, route, lambda: self._ask(route, request, raw, token, at)
        )
        if answer.status < 300 and request.method in ("POST", "PUT"):
            self.writes += route.path.startswith("/incidents")
        self._ring()
        if fate.slow_ms:
            await asyncio.sleep(fate.slow_ms / 1000)
        if fate.error_after:
            answer = refused(refusals.internal(fate.error_after))
        response = self._respond(answer, headers, cut=fate.malformed)
        if fate.lost and request.transport:
            request.transport.abort()
        elif fate.half_closed:
            return await _half_closed(request, response)
        return response

    def _ask(
        self, route: Route, request: web.Request, raw: bytes | None, token: Token | None, at: int
    ) -> Ask:
        account, switches = self._account, self._account.switches
        if token is None:
            raise refusals.not_authenticated()
        if token.name == "read_only" and request.method != "GET":
            raise refusals.read_only()
        owner = account.records.users.get(token.user)
        is_app = token.name == "app"
        names = switches.app_tokens_name_agents if is_app else switches.account_keys_name_agents
        return Ask(
            at=at,
            path=request.match_info,
            query=request.query,
            actor=self._actor(request, owner) if route.acts else owner,
            owner=owner,
            names_agent=names or owner is not None,
            body=answering.parsed(raw) if request.method in ("POST", "PUT") else None,
        )

    def _token(self, request: web.Request) -> Token | None:
        given = request.headers.get("Authorization", "")
        for scheme in _SCHEMES:
            if given.lower().startswith(scheme):
                return self._account.records.tokens.get(given[len(scheme) :].strip())
        return None

    def _actor(self, request: web.Request, owner: User | None) -> User:
        """Who does it: the user in `From`, which only a user's own key may leave out."""
        email = request.headers.get("From", "").strip().casefold()
        if not email:
            if owner is None:
                raise refusals.no_from()
            return owner
        found = (user for user in self._account.records.users if user.email.casefold() == email)
        if user := next(found, None):
            return user
        raise refusals.from_nobody()

    def _respond(
        self, answer: Answer, headers: dict[str, str], *, cut: bool = False
    ) -> web.Response:
        body = answering.encoded(self._account, answer.body)
        if body and cut:
            body = body[: len(body) // 2]
        # The time that the sandbox goes by, which need not be that of the machine.
        date = formatdate(self._account.now() // 1000, usegmt=True)
        return web.Response(
            status=answer.status,
            body=body,
            headers={**headers, "Date": date},
            content_type="application/json" if body else None,
        )


def _caller(token: Token | None) -> str:
    """Whose limit counts: all keys of one user have the same."""
    return (token.user or token.id) if token else ""


async def _half_closed(request: web.Request, response: web.Response) -> web.StreamResponse:
    """Begin the answer, then close our half of the connection; the other half stays open."""
    body, transport = response.body, request.transport
    begun = web.StreamResponse(status=response.status, headers=response.headers)
    if isinstance(body, bytes) and body:
        begun.content_length = len(body)
        await begun.prepare(request)
        await begun.write(body[: len(body) // 2])
    if transport and begun.prepared and transport.can_write_eof():
        transport.write_eof()
    elif transport:  # nothing to cut in two, or TLS, which knows no halves
        transport.abort()
    return begun


def _nowhere(_: Account, __: Ask) -> None:
    raise refusals.not_found()
