"""Errors become answers here, once: RFC 9457 problem details, with a code that never changes."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import orjson
from aiohttp import web

from imsync.errors import (
    BadSignature,
    Clash,
    ExternalError,
    Forbidden,
    HeldOff,
    ImsyncError,
    Missed,
    NotFound,
    Overloaded,
    Stale,
    Unauthenticated,
    UserError,
    WrongHost,
    WrongType,
)
from imsync.store.database import DatabaseError, remedy

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_STATUS: Final[dict[type[ImsyncError], int]] = {
    NotFound: 404,
    Stale: 412,
    Missed: 410,
    WrongType: 415,
    Unauthenticated: 401,
    Forbidden: 403,
    WrongHost: 421,
    Clash: 409,
    UserError: 400,
    HeldOff: 429,
    BadSignature: 401,
    Overloaded: 503,
    ExternalError: 502,
}
"""The first that fits; more particular errors stand before their parents."""

TITLE: Final = {
    200: "As asked",
    201: "Made",
    202: "Taken, and done later",
    204: "Done",
    304: "It is still what was seen before",
    400: "The request makes no sense as it stands",
    401: "The sender could not be proved",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "It contradicts what is there",
    410: "No longer there",
    412: "It has changed meanwhile",
    413: "Too large",
    415: "Of a type that is not taken",
    421: "Meant for another host",
    429: "Too often",
    500: "A bug in imsync",
    502: "The external system could not do it",
    503: "Not now",
}


OWN: Final = {
    "no_such_route": 404,
    "method_not_allowed": 405,
    "too_large": 413,
    "bug": 500,
    "database_failed": 503,
}
"""The codes of what fails before any handler has its turn, or without anybody's purpose."""


ALWAYS: Final = {"Server": "imsync", "X-Content-Type-Options": "nosniff"}
"""In every answer: nobody outside has to know of which versions to look up the weaknesses, and no
browser takes what somebody wrote for anything but what it is said to be."""

HEADERS: Final[dict[type[ImsyncError], dict[str, str]]] = {
    Unauthenticated: {"WWW-Authenticate": "Bearer"},
    HeldOff: {"Retry-After": "60"},
}
"""What goes with an error beside its problem."""


def status_of(kind: type[ImsyncError]) -> int:
    return next(status for known, status in _STATUS.items() if issubclass(kind, known))


def problem(
    status: int, detail: str, *, code: str, hint: str = "", headers: dict[str, str] | None = None
) -> web.Response:
    """A problem+json answer."""
    body = {
        "type": "about:blank",
        "title": TITLE.get(status, "It did not work"),
        "status": status,
        "detail": _sayable(detail),
        "code": code,
        "hint": _sayable(hint),
    }
    return web.Response(
        body=orjson.dumps(body),
        status=status,
        content_type="application/problem+json",
        headers={**ALWAYS, **(headers or {})},
    )


def _sayable(text: str) -> str:
    """What headers hold need not be text; what is answered has to be."""
    return text.encode(errors="replace").decode()


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into an answer. No answer carries a traceback."""
    try:
        return await handler(request)
    except ImsyncError as error:
        status = status_of(type(error))
        headers = HEADERS.get(type(error)) or ({"Retry-After": "1"} if status == 503 else None)
        return problem(status, str(error), code=error.code, hint=error.hint, headers=headers)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _of_aiohttp(request, error)
    except DatabaseError as error:
        what = remedy(error)
        told = "%s %s: the database failed: %s", request.method, request.path, error
        log.error(*told, exc_info=not what)
        return problem(
            503,
            "the database could not keep it",
            code="database_failed",
            hint=what or "see the daemon's log",
            headers={"Retry-After": "5"},
        )
    except Exception:
        log.exception("%s %s: a bug", request.method, request.path)
        return problem(500, "imsync failed on this request", code="bug", hint="see its log")


def _of_aiohttp(request: web.Request, error: web.HTTPException) -> web.StreamResponse:
    match error:
        case web.HTTPMethodNotAllowed():
            return _wrong_method(request, error.allowed_methods)
        case web.HTTPNotFound():
            detail, code = f"there is nothing at {request.path}", "no_such_route"
            hint = "GET /api/v1/openapi.json tells all there is"
        case web.HTTPRequestEntityTooLarge():
            detail, code = "the body is larger than is taken here", "too_large"
            hint = "a body has at most 262,144 bytes, a delivery 524,288"
        case _:
            detail, code, hint = error.reason, UserError.code, ""
    return problem(error.status, detail, code=code, hint=hint)


def _wrong_method(request: web.Request, methods: Iterable[str]) -> web.StreamResponse:
    """OPTIONS is answered everywhere, by what may be asked there; anything else is refused."""
    allowed = ", ".join(sorted({*methods, "OPTIONS"}))
    if request.method == "OPTIONS":
        return web.Response(status=204, headers={"Allow": allowed})
    detail = f"{request.method} is not among what {request.path} takes: {allowed}"
    return problem(405, detail, code="method_not_allowed", headers={"Allow": allowed})
