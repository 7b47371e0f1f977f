"""A route, declared once: what it takes, what it answers, and what it can be refused with.

`app` makes the server of these, and `openapi` the document. What comes in is read by the
models that are declared here; a handler that reads by another one is a bug, and told so.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from imsync.api.headers import BY, FROM, Header, actor_of
from imsync.api.parameters import ASKED, PATHS, PathName, Query, read_query
from imsync.errors import (
    Forbidden,
    ForeignSite,
    ImsyncError,
    Unauthenticated,
    UserError,
    WrongHost,
    WrongType,
)
from imsync.store.audit import Action
from imsync.store.tokens import Scope

BASE: Final = "/api/v1"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one path.

    `answers`: the shape of each good answer by its status; None has no body. `asks` None: any
    query passes, unread. `takes` with `optional`: a body that may be left out. `raw`: a body
    that is taken as it is. `open`: to everybody. `scope`: what it needs, if neither reading nor
    administration. `tagged`: good answers carry an ETag. `fails`: what it can be
    refused with beside what its parameters, headers and body bring along.

    What may change something says what line of the audit trail tells of it, `audits`, or
    else why none does, `unaudited`.
    """

    method: str
    path: str
    handler: Handler
    answers: Mapping[int, Any]
    asks: type[Query] | None = Query
    takes: type[BaseModel] | None = None
    optional: bool = False
    raw: bool = False
    open: bool = False
    scope: Scope | None = None
    audits: Action | None = None
    unaudited: str = ""
    heeds: tuple[Header, ...] = ()
    tagged: bool = False
    streams: bool = False
    fails: tuple[type[ImsyncError], ...] = ()
    base: str = BASE

    def __post_init__(self) -> None:
        if (self.audits is not None) + bool(self.unaudited) != self.changes:
            raise ValueError(f"{self.method} {self.path}: what does the audit trail say of it?")

    @property
    def url(self) -> str:
        return self.base + self.path

    @property
    def changes(self) -> bool:
        """Whether it may change something, by its method."""
        return self.method != "GET"

    @property
    def needs(self) -> Scope:
        """What a token has to be good for."""
        return self.scope or (Scope.ADMIN if self.changes else Scope.READ)

    @property
    def headers(self) -> tuple[Header, ...]:
        """Those it heeds; what it audits it asks who they say they are."""
        return (*self.heeds, *BY) if self.audits else self.heeds

    @property
    def partial(self) -> bool:
        """Whether a field that is left out of the body stays as it is."""
        return self.method == "PATCH"

    @property
    def names(self) -> dict[str, PathName]:
        """The names in its path, and what each is."""
        parts = self.path.split("/")
        return {
            part.strip("{}"): PATHS[before]
            for before, part in pairwise(parts)
            if part.startswith("{")
        }

    @property
    def failures(self) -> set[type[ImsyncError]]:
        """All that it can be refused with on purpose."""
        found: set[type[ImsyncError]] = {UserError, *self.fails}
        found.update(*(name.fails for name in self.names.values()))
        found.update(*(header.fails for header in self.headers))
        if self.asks is not None:
            found.update(self.asks.fails)
        if not self.open:
            found |= {Unauthenticated, ForeignSite, Forbidden, WrongHost}
            if self.changes:
                found.add(WrongType)
        return found

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; what it asks is read before its handler sees it."""
        request[ROUTE] = self
        if self.asks is not None:
            request[ASKED] = read_query(request, self.asks)
        if FROM in self.headers:
            actor_of(request)  # nobody who cannot be is told of
        return await self.handler(request)


ROUTE: Final = web.RequestKey("route", Route)


def get(path: str, handler: Handler, answer: Any, **more: Any) -> Route:
    return Route(method="GET", path=path, handler=handler, answers={200: answer}, **more)


def post(path: str, handler: Handler, answers: Mapping[int, Any], **more: Any) -> Route:
    return Route(method="POST", path=path, handler=handler, answers=answers, **more)


def put(path: str, handler: Handler, answer: Any, **more: Any) -> Route:
    return Route(method="PUT", path=path, handler=handler, answers={200: answer}, **more)


def patch(path: str, handler: Handler, answer: Any, **more: Any) -> Route:
    return Route(method="PATCH", path=path, handler=handler, answers={200: answer}, **more)


def delete(path: str, handler: Handler, answer: Any, **more: Any) -> Route:
    """`answer` None: 204, without a body."""
    status = 204 if answer is None else 200
    return Route(method="DELETE", path=path, handler=handler, answers={status: answer}, **more)
