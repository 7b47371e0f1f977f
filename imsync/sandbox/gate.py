"""The gate before every API call: who asks, whether they may, how often; and what goes wrong."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Final

import orjson
from aiohttp import web

from imsync.sandbox import refusals
from imsync.sandbox.account import Account
from imsync.sandbox.asking import Ask
from imsync.sandbox.limits import Limits
from imsync.sandbox.refusals import Refusal
from imsync.sandbox.routes import ROUTES, Route
from imsync.sandbox.rows import Json, Token, User

logger = logging.getLogger(__name__)

LARGEST_BODY: Final = 2 * 1024 * 1024
_SCHEMES: Final = ("token token=", "bearer ")
_GATEWAY: Final = (500, 502, 503)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Json | None = None


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
            try:
                raw = await request.read()
            except web.HTTPRequestEntityTooLarge:
                raw = None
            return await self._handle(route, request, raw)

        return handle

    async def _handle(
        self, route: Route, request: web.Request, raw: bytes | None
    ) -> web.StreamResponse:
        account, faults = self._account, self._account.faults
        token = self._token(request)
        at = account.now()
        within, headers = self._limits.take(token.id if token else "", route.method, route.path, at)
        if account.chance(faults.api_429_bare):
            return self._respond(Answer(429), {})
        if not within or account.chance(faults.api_429):
            headers |= {"ratelimit-remaining": "0"}
            headers["ratelimit-reset"] = str(max(int(headers["ratelimit-reset"]), 1))
            return self._respond(refused(refusals.over_the_limit()), headers)
        if account.chance(faults.api_error):
            return self._respond(self._gateway_error(), headers)
        answer = self._answer(route, request, raw, token, at)
        if answer.status < 300 and request.method in ("POST", "PUT"):
            self.writes += route.path.startswith("/incidents")
        self._ring()
        if account.chance(faults.api_slow):
            await asyncio.sleep(account.rng.randint(0, faults.api_slow_ms) / 1000)
        if account.chance(faults.api_lost) and request.transport:
            request.transport.abort()
        if account.chance(faults.api_error_after):
            answer = self._gateway_error()
        return self._respond(answer, headers, cut=account.chance(faults.api_malformed))

    def _answer(
        self, route: Route, request: web.Request, raw: bytes | None, token: Token | None, at: int
    ) -> Answer:
        """Do it, whole or not at all."""
        account = self._account
        try:
            if token is None:
                raise refusals.not_authenticated()
            if token.name == "read_only" and request.method != "GET":
                raise refusals.read_only()
            owner = account.records.users.get(token.user)
            ask = Ask(
                at=at,
                path=request.match_info,
                query=request.query,
                actor=self._actor(request, owner) if route.acts else owner,
                owner=owner,
                body=_parsed(raw) if request.method in ("POST", "PUT") else None,
            )
            with account.records.unit():
                return Answer(route.status, route.handler(account, ask))
        except Refusal as refusal:
            return refused(refusal)
        except Exception:
            logger.exception("%s %s: a bug in the sandbox", request.method, request.path)
            return refused(Refusal(500, 2000, "Internal Error"))

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

    def _gateway_error(self) -> Answer:
        return refused(Refusal(self._account.rng.choice(_GATEWAY), 2000, "Internal Error"))

    def _respond(
        self, answer: Answer, headers: dict[str, str], *, cut: bool = False
    ) -> web.Response:
        body = None if answer.body is None else orjson.dumps(answer.body)
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


def refused(refusal: Refusal) -> Answer:
    return Answer(refusal.status, refusal.body)


def _nowhere(_: Account, __: Ask) -> None:
    raise refusals.not_found()


def _parsed(raw: bytes | None) -> object:
    """The JSON that was sent; None of what was too large to be read."""
    if raw is None:
        raise refusals.too_large()
    try:
        return orjson.loads(raw) if raw.strip() else None
    except orjson.JSONDecodeError:
        raise refusals.invalid("The request body is not JSON.") from None
