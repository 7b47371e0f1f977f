"""What is no HTTP is refused like everything else: with a problem, and no traceback in the log.

aiohttp answers it before there is a request that a handler or a middleware could see.
"""

import logging
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from imsync.api.errors import problem
from imsync.errors import UserError

log = logging.getLogger(__name__)

_LONGEST: Final = 200


class Runner(web.AppRunner):
    """Runs an application whose connections refuse what is no HTTP as the API refuses."""

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory, **made._kwargs)


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class _Connection(web.RequestHandler):
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
        detail = f"this is no HTTP that is taken here: {said(message or exc.message)}"
        log.debug("%s: %s", request.remote, detail)
        answer = problem(exc.code, detail, code=UserError.code)
        answer.force_close()
        return answer


def said(message: str) -> str:
    """What aiohttp has to say, without the bytes that it points at."""
    lines = [line.strip() for line in message.splitlines()]
    words = [line.rstrip(":") for line in lines if line and not line.startswith(("b'", 'b"', "^"))]
    return ": ".join(words).partition(" when reading")[0].rstrip(".")[:_LONGEST]
