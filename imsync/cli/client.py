"""What `im` asks of the daemon, and how it understands the answers."""

import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from imsync import __version__
from imsync.cli.wire import Answer, Incoming, NoAnswer, Request, Transport
from imsync.errors import NotFound, UserError

BASE = "/api/v1"
PAGE = 100  # items asked for at a time

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Daemon:
    """The daemon's API. A path is given in its parts, and each is encoded: no name can climb.

    Every call answers what the daemon answered, or raises NotFound, UserError
    (it refused), Unreachable or NoAnswer.
    """

    transport: Transport
    by: str = ""  # the e-mail of whoever asks

    async def get(self, *path: str, **query: object) -> Json:
        return await self._ask("GET", path, query=query)

    async def post(self, *path: str, body: Json | None = None, query: Json | None = None) -> Json:
        return await self._ask("POST", path, query=query, body={} if body is None else body)

    async def patch(self, *path: str, body: Json, query: Json | None = None) -> Json:
        return await self._ask("PATCH", path, query=query, body=body)

    async def put(self, *path: str, body: Json, query: Json | None = None) -> Json:
        return await self._ask("PUT", path, query=query, body=body)

    async def delete(self, *path: str, query: Json | None = None) -> Json:
        return await self._ask("DELETE", path, query=query)

    async def items(self, *path: str, limit: int | None = None, **query: object) -> Json:
        """The first `limit` items (all of them if None), over as many pages as it takes."""
        found: list[Any] = []
        cursor: str | None = None
        while limit is None or len(found) < limit:
            page = PAGE if limit is None else min(PAGE, limit - len(found))
            answer = await self.get(*path, **query, limit=page, cursor=cursor)
            items = answer.get("items") or []
            found += items
            cursor = answer.get("next_cursor")
            if not cursor or not items:
                break
        return {"items": found[:limit], "next_cursor": cursor}

    def stream(
        self, *path: str, headers: Mapping[str, str], **query: object
    ) -> AbstractAsyncContextManager[Incoming]:
        """An answer as it comes in, whatever its status. Raises Unreachable and NoAnswer."""
        request = self._request("GET", path, query=query, body=None)
        asked = replace(request, headers={**request.headers, **headers})
        return self.transport.stream(asked)

    async def _ask(
        self,
        method: str,
        path: tuple[str, ...],
        *,
        query: Mapping[str, object] | None = None,
        body: Json | None = None,
    ) -> Json:
        request = self._request(method, path, query=query or {}, body=body)
        try:
            return understand(await self.transport.exchange(request), where=self.transport.where)
        except NoAnswer as error:
            if method != "GET":
                error.hint = "the change may or may not have been made: look before trying again"
            raise

    def _request(
        self, method: str, path: tuple[str, ...], *, query: Mapping[str, object], body: Json | None
    ) -> Request:
        headers = {"Accept": "application/json", "User-Agent": f"im/{__version__}"}
        if self.by:
            headers["From"] = self.by  # RFC 9110 §10.1.2
        if body is not None:
            headers["Content-Type"] = "application/json"
        target = "/".join([BASE, *(quote(part, safe="") for part in path)])
        if asked := {name: value for name, value in query.items() if value is not None}:
            target += "?" + urlencode(asked)
        return Request(method, target, headers, b"" if body is None else json.dumps(body).encode())


def understand(answer: Answer, *, where: str) -> Json:
    """The object that the daemon answered; raises what it refused with.

    A problem (RFC 9457) carries its reason and a hint. Anything that is neither
    a problem nor an object did not come from imsyncd, and is told in one line.
    """
    if answer.status == HTTPStatus.NO_CONTENT:
        return {}
    content = _object(answer.body)
    if content is None or not 200 <= answer.status < 600 or 300 <= answer.status < 400:
        raise NoAnswer(
            f"{where} answered {_named(answer.status)} with something that is not imsync's: "
            "is that imsyncd?"
        )
    if answer.status < 300:
        return content
    reason = str(content.get("detail") or content.get("title") or _named(answer.status))
    hint = str(content.get("hint") or "")
    raise (NotFound if answer.status == HTTPStatus.NOT_FOUND else UserError)(reason, hint=hint)


def _object(body: bytes) -> Json | None:
    try:
        content = json.loads(body)
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def _named(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
