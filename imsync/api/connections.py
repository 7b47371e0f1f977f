"""Connections, before and after there is a request: how many, how long, and what is not HTTP.

A connection is in one of two states. Either a request is in hand, and it is our turn; or it is the
other end's: to send the whole head of the next request, to take the answer, or to go. For that it
has `patience`, however it spends it. When too many are open, the one whose turn it has been for the
longest makes room: whoever sends a request at once is served, however many others send none.
"""

import asyncio
import logging
from typing import Any, Final, cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from imsync.api.errors import problem
from imsync.errors import UserError

log = logging.getLogger(__name__)

PATIENCE: Final = 75.0
"""Seconds for the other end's turn: longer than nginx keeps an idle connection to us (60), so that
it does not send a delivery into one that is just being closed."""

MOST: Final = 500
"""Connections open at once, of TCP and the unix socket together. With those that the system has in
store, the database and what is asked of PagerDuty, they fit into the 1,024 files that a process may
usually have open."""

BACKLOG: Final = 64
"""Connections that are taken at one go. What they ask is known a few goes later: if more came until
then than there is room for, the newest would make room for each other."""

_HEADERS: Final = 64
"""Headers of a request, of 8 KiB each at most: they are held until all have arrived."""

_LONGEST: Final = 200
_MINUTE: Final = 60.0


class Runner(web.AppRunner):
    """Runs an application with a bound on its connections; what is not HTTP gets a problem too."""

    def __init__(
        self,
        app: web.Application,
        *,
        patience: float = PATIENCE,
        most: int = MOST,
        **more: Any,
    ) -> None:
        given = {"access_log": None, "max_headers": _HEADERS, "shutdown_timeout": 5, **more}
        super().__init__(app, **given)
        self._patience, self._most = patience, most

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(
            made.request_handler,
            request_factory=made.request_factory,
            patience=self._patience,
            most=self._most,
            **made._kwargs,
        )


class _Server(web.Server):
    def __init__(
        self, handler: Any, *, request_factory: Any, patience: float, most: int, **more: Any
    ) -> None:
        def make_request(
            message: Any, payload: Any, connection: Any, *rest: Any
        ) -> web.BaseRequest:
            cast("_Connection", connection).our_turn()
            known = _as_expected(message)
            return cast(web.BaseRequest, request_factory(known, payload, connection, *rest))

        super().__init__(handler, request_factory=make_request, **more)
        self.patience = patience
        self.theirs: dict[_Connection, None] = {}  # whose turn is the other end's, longest first
        self._open: set[_Connection] = set()
        self._most = most
        self._told_at: float | None = None

    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)

    def entered(self, connection: "_Connection") -> bool:
        """Let another one in; if there is no room, in place of the one that has been idle longest.

        False if every one that is open has a request in hand.
        """
        if len(self._open) >= self._most:
            self._tell()
            idlest = next(iter(self.theirs), None)
            if idlest is None:
                return False
            self.left(idlest)
            idlest.hang_up(at_once=True)
        self._open.add(connection)
        return True

    def left(self, connection: "_Connection") -> None:
        self._open.discard(connection)
        self.theirs.pop(connection, None)

    def _tell(self) -> None:
        """In the log, once a minute."""
        now = self._loop.time()
        if self._told_at is None or now - self._told_at >= _MINUTE:
            log.warning("%d connections are open: those that ask nothing go first", self._most)
            self._told_at = now


class _Connection(web.RequestHandler):
    def __init__(self, server: _Server, **more: Any) -> None:
        super().__init__(server, **more)
        self._server = server
        self._wire: asyncio.Transport | None = None  # aiohttp forgets it before it is closed
        self._end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._wire = cast(asyncio.Transport, transport)
        if self._server.entered(self):
            self._their_turn()
        else:
            self.hang_up(at_once=True)

    def connection_lost(self, exc: BaseException | None) -> None:
        self.our_turn()
        self._server.left(self)
        super().connection_lost(exc)

    def our_turn(self) -> None:
        """A request is in hand, and takes as long as it takes."""
        self._server.theirs.pop(self, None)
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def _their_turn(self) -> None:
        self.our_turn()
        self._server.theirs[self] = None
        self._end = self._loop.call_later(self._server.patience, self.hang_up)

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        self._their_turn()  # to take the answer
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            if self.transport is not None:
                self._their_turn()  # to send the next request

    def hang_up(self, *, at_once: bool = False) -> None:
        """Close. `at_once` drops what the other end has yet to read: it may never do so."""
        if self._wire is None:
            return
        if at_once or self._wire.get_write_buffer_size():
            self._wire.abort()
        else:
            self._wire.close()

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """What the other end did wrong is no failure of ours."""
        if isinstance(kw.get("exc_info"), web.RequestPayloadError):
            log.debug("a body is not encoded as its headers say")
        else:
            super().log_exception(*args, **kw)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if not isinstance(exc, HttpProcessingError) or request.writer.output_size > 0:
            return super().handle_error(request, status, exc, message)
        detail = f"this is not HTTP as it is taken here: {said(message or exc.message)}"
        log.debug("%s: %s", request.remote, detail)
        answer = problem(exc.code, detail, code=UserError.code)
        answer.force_close()
        return answer


def _as_expected(message: Any) -> Any:
    """The head of a request without an `Expect` that nobody knows, as RFC 9110 §10.1.1 allows.

    aiohttp would refuse it in an answer of its own, and fail over one that is no text.
    """
    if message.headers.get("Expect", "100-continue").lower() == "100-continue":
        return message
    headers = message.headers.copy()
    del headers["Expect"]
    return message._replace(headers=headers)


def said(message: str) -> str:
    """What aiohttp has to say, without the bytes that it points at."""
    lines = [line.strip() for line in message.splitlines()]
    words = [line.rstrip(":") for line in lines if line and not line.startswith(("b'", 'b"', "^"))]
    return ": ".join(words).partition(" when reading")[0].rstrip(".")[:_LONGEST]
