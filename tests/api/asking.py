"""A client of the HTTP API, and the house behind it without a PagerDuty."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import aiohttp
import orjson
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer
from multidict import CIMultiDict
from yarl import URL

from imsync.api import app
from imsync.api.context import Context
from imsync.api.feed import Feed
from imsync.engine.fleet import Fleet
from imsync.store import audit
from imsync.store.audit import Line
from imsync.store.database import Database
from tests.api import contract
from tests.conftest import Clock
from tests.town import Town, assembled

Json = dict[str, Any]
INTEGRATIONS = "/api/v1/integrations"
INCIDENTS = "/api/v1/incidents"
TOKENS = "/api/v1/tokens"
AUDIT = "/api/v1/audit"
ADA = "ada@acme.example"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.text)

    def problem(self, status: int, code: str) -> str:
        """Its detail, when it is a problem (RFC 9457) with this status and code."""
        assert self.status == status, self.text
        assert self.headers["Content-Type"].startswith("application/problem+json")
        told: Json = self.json
        assert set(told) == {"type", "title", "status", "detail", "code", "hint"}
        assert (told["status"], told["code"]) == (status, code), told
        assert told["detail"]
        assert told["title"]
        return str(told["detail"])

    @property
    def hint(self) -> str:
        return str(self.json["hint"])


class Api:
    """Asks one server. `body` goes as JSON, `data` as it is.

    Whatever is answered, in any test, is held to the OpenAPI document.
    """

    def __init__(self, session: aiohttp.ClientSession, server: TestServer) -> None:
        self.session, self._server = session, server

    @property
    def address(self) -> tuple[str, int]:
        assert self._server.port is not None  # it has been started
        return str(self._server.host), self._server.port

    @property
    def routes(self) -> Iterable[web.AbstractRoute]:
        """What the server serves, whoever declared it."""
        return self._server.app.router.routes()

    @property
    def base(self) -> str:
        host, port = self.address
        return f"http://{host}:{port}"

    async def __call__(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        data: bytes | None = None,
        **headers: str,
    ) -> Answer:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            data = orjson.dumps(body)
        if data is not None:
            given.setdefault("Content-Type", "application/json")
        url = URL(self.base + path, encoded=True)
        async with self.session.request(
            method, url, data=data, headers=given, skip_auto_headers=["Content-Type"]
        ) as answer:
            text = await answer.text()
            assert answer.headers["Server"] == "imsync", "of which version is nobody's business"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            contract.check(method, path, answer.status, answer.headers, text)
            return Answer(answer.status, answer.headers, text)

    async def raw(self, method: str, path: str, body: bytes, *headers: bytes) -> Answer:
        """The same for headers that no decent client sends."""
        reader, writer = await asyncio.open_connection(*self.address)
        length = b"Content-Length: %d" % len(body)
        start = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close".encode()
        writer.write(b"\r\n".join([start, length, *headers, b"", body]))
        head, _, text = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()
        lines = head.decode().split("\r\n")
        cut = (line.partition(": ") for line in lines[1:])
        found: CIMultiDict[str] = CIMultiDict((name, value) for name, _, value in cut)
        return Answer(int(lines[0].split()[1]), found, text.decode())

    async def made(self, path: str, body: Json, **headers: str) -> Json:
        """What a POST made."""
        answer = await self("POST", path, body, data=None, **headers)
        assert answer.status == 201, answer.text
        found: Json = answer.json
        return found

    async def found(self, path: str) -> Json:
        answer = await self("GET", path)
        assert answer.status == 200, answer.text
        found: Json = answer.json
        return found

    async def pages(self, path: str, *, limit: int) -> list[list[Json]]:
        """Every page of a list, by its cursors."""
        pages: list[list[Json]] = []
        cursor = ""
        while True:
            separator = "&" if "?" in path else "?"
            page = await self.found(f"{path}{separator}limit={limit}{cursor}")
            assert set(page) == {"items", "next_cursor"}
            pages.append(page["items"])
            if page["next_cursor"] is None:
                return pages
            cursor = f"&cursor={page['next_cursor']}"


def asks(town: Town) -> Api:
    """A client of the town's API."""
    return Api(town.session, town.server)


def new(name: str = "Production PagerDuty", **more: object) -> dict[str, Any]:
    return {"name": name, "integration_type": "pagerduty", **more}


async def declared(api: Api, title: str = "Checkout down", **more: object) -> str:
    return str((await api.made(INCIDENTS, {"title": title, **more}))["id"])


@dataclass(frozen=True, slots=True)
class House:
    """The API over a database and a fleet whose requests reach nobody."""

    api: Api
    db: Database
    clock: Clock
    context: Context

    @property
    def feed(self) -> Feed:
        return self.context.feed

    @property
    def fleet(self) -> Fleet:
        return self.context.fleet


class Nowhere(AbstractResolver):
    """No name stands for any host: what is configured in a test is never really asked."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        raise OSError(f"{host}: nowhere")

    async def close(self) -> None: ...


@asynccontextmanager
async def house_of(path: Path | str = ":memory:") -> AsyncIterator[House]:
    clock, rng = Clock(), Random(1)
    db = await Database.open(path)
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Nowhere())) as outwards,
        aiohttp.ClientSession() as session,
    ):
        context = assembled(db, outwards, clock, rng, path)
        server = TestServer(app.make(context))
        await server.start_server()
        try:
            yield House(Api(session, server), db, clock, context)
        finally:
            await server.close()
            await context.fleet.stop()
            await db.close()


async def until(what: Callable[[], bool]) -> None:
    """Let everybody else go on until it is so; the test's own timeout ends what never is."""
    while not what():  # noqa: ASYNC110 - what is waited for is inside a server, and tells nobody
        await asyncio.sleep(0)


def signed(body: bytes, *secrets: str) -> str:
    """The header that PagerDuty signs a body with: one signature for each secret in force."""
    return ",".join(
        "v1=" + hmac.new(secret.encode(), body, sha256).hexdigest() for secret in secrets
    )


async def lines(house: House | Town, **filters: Any) -> list[Line]:
    """The audit trail, the newest line first."""
    return await house.db.read(audit.page, limit=500, **filters)


async def over_the_socket(
    house: House, socket: Path, method: str, path: str, body: Json, **headers: str
) -> Json:
    """What the house answers when it is asked over a unix socket, and with which `status`."""
    runner = web.AppRunner(app.make(house.context))
    await runner.setup()
    try:
        await web.UnixSite(runner, str(socket)).start()
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session,
            session.request(
                method, f"http://localhost{path}", json=body, headers=headers
            ) as answer,
        ):
            found: Json = await answer.json()
            return {**found, "status": answer.status}
    finally:
        await runner.cleanup()
