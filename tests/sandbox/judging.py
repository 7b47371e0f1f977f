"""Whatever imsync asks of the sandbox in a test, and is answered, judged by the official OpenAPI.

Nothing is judged where PagerDuty's OpenAPI is not beside this repository.
"""

from collections.abc import Awaitable, Callable

import orjson
from aiohttp import web

from imsync.sandbox.sandbox import Sandbox
from tests.sandbox.openapi import Request, openapi

_OURS = "application/vnd.pagerduty+json;version=2"
"""What imsync says that it accepts: so nobody else's requests are taken for its own."""

_NO_FROM = "there is no header From"
"""A user's own key needs none, and the sandbox refuses whoever does need one."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def judge(sandbox: Sandbox) -> list[str]:
    """Judge from now on, before the sandbox is started. What is wrong is found in the list."""
    found: list[str] = []
    spec = openapi()
    if spec is None:
        return found

    @web.middleware
    async def judged(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Accept") != _OURS:
            return await handler(request)
        raw = await request.read()
        path = request.rel_url.raw_path
        asked = Request(
            request.method,
            path,
            list(request.query.items()),
            request.headers,
            orjson.loads(raw) if raw else None,
        )
        found.extend(
            f"{request.method} {path}: {one}"
            for one in spec.request_complaints(asked)
            if one != _NO_FROM
        )
        answer = await handler(request)
        cut_off = request.transport is None or request.transport.is_closing()
        if isinstance(answer, web.Response) and not cut_off and not _is_bare(answer):
            found.extend(
                f"{request.method} {path} answered: {one}"
                for one in spec.complaints(request.method, path, answer.status, _json(answer))
            )
        return answer

    sandbox.app.middlewares.append(judged)
    return found


def _is_bare(answer: web.Response) -> bool:
    """A 429 may come without anything, and a gateway's 5xx is not PagerDuty's own answer."""
    return answer.status >= 500 or (answer.status == 429 and not answer.body)


def _json(answer: web.Response) -> object:
    return orjson.loads(answer.body) if isinstance(answer.body, bytes) and answer.body else None
