"""Errors become answers here, once: RFC 9457 problem details, with a code that never changes."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from aiohttp import web

from imsync.errors import (
    BadSignature,
    Clash,
    ExternalError,
    ImsyncError,
    NotFound,
    Overloaded,
    Stale,
    UserError,
)
from imsync.store.database import DatabaseError

log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_STATUS: Final[dict[type[ImsyncError], int]] = {
    NotFound: 404,
    Stale: 412,
    Clash: 409,
    UserError: 400,
    BadSignature: 401,
    Overloaded: 503,
    ExternalError: 502,
}
"""The first that fits; more particular errors stand before their parents."""

_TITLE: Final = {
    400: "The request makes no sense as it stands",
    401: "The sender could not be proved",
    404: "Not found",
    405: "Method not allowed",
    409: "It contradicts what is there",
    412: "It has changed meanwhile",
    413: "Too large",
    500: "A bug in imsync",
    502: "The external system could not do it",
    503: "Not now",
}


def problem(
    status: int, detail: str, *, code: str, hint: str = "", headers: dict[str, str] | None = None
) -> web.Response:
    """A problem+json answer."""
    body = {
        "type": "about:blank",
        "title": _TITLE.get(status, "It did not work"),
        "status": status,
        "detail": detail,
        "code": code,
        "hint": hint,
    }
    return web.Response(
        body=orjson.dumps(body),
        status=status,
        content_type="application/problem+json",
        headers=headers,
    )


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn whatever a handler raises into an answer. No answer carries a traceback."""
    try:
        return await handler(request)
    except ImsyncError as error:
        status = next(status for kind, status in _STATUS.items() if isinstance(error, kind))
        headers = {"Retry-After": "1"} if status == 503 else None
        return problem(status, str(error), code=error.code, hint=error.hint, headers=headers)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _of_aiohttp(request, error)
    except DatabaseError:
        log.exception("%s %s: the database failed", request.method, request.path)
        return problem(
            503,
            "the database could not keep it",
            code="database_failed",
            hint="see the daemon's log: the disk may be full",
            headers={"Retry-After": "5"},
        )
    except Exception:
        log.exception("%s %s: a bug", request.method, request.path)
        return problem(500, "imsync failed on this request", code="bug", hint="see its log")


def _of_aiohttp(request: web.Request, error: web.HTTPException) -> web.Response:
    match error.status:
        case 404:
            detail, code = f"there is nothing at {request.path}", "no_such_route"
        case 405:
            allowed = ", ".join(sorted(getattr(error, "allowed_methods", ())))
            detail = f"{request.method} is not among what {request.path} takes: {allowed}"
            code = "method_not_allowed"
        case 413:
            detail, code = "the body is larger than is taken here", "too_large"
        case _:
            detail, code = error.reason, "http_error"
    headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
    return problem(error.status, detail, code=code, headers=headers)
