"""A sandbox whose clock the test moves, a caller of its API, a receiver of its webhooks."""

import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
import trustme
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from imsync.sandbox.sandbox import Sandbox
from tests.openapi.judge import openapi

Json = dict[str, Any]
Make = Callable[..., Awaitable["Api"]]

EVENTS = [
    f"incident.{what}"
    for what in (
        "triggered",
        "acknowledged",
        "unacknowledged",
        "resolved",
        "reopened",
        "reassigned",
        "delegated",
        "escalated",
        "priority_updated",
        "service_updated",
        "incident_type.changed",
        "annotated",
        "status_update_published",
        "conference_bridge.updated",
    )
]


@dataclass
class Clock:
    """Epoch milliseconds; stands still until it is moved."""

    at: int = 1_790_000_000_000

    def __call__(self) -> int:
        return self.at

    def pass_(self, *, ms: int = 0, seconds: float = 0, hours: float = 0) -> None:
        self.at += ms + int(seconds * 1000) + int(hours * 3_600_000)


@dataclass
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def code(self) -> int:
        return int(self.body["error"]["code"])


@dataclass
class Heard:
    headers: dict[str, str]
    raw: bytes

    @property
    def event(self) -> Json:
        found: Json = orjson.loads(self.raw)["event"]
        return found

    @property
    def type(self) -> str:
        return str(self.event["event_type"])


@dataclass
class Receiver:
    """Answers 202, or what it is told to answer next; keeps what it heard."""

    url: str = ""
    heard: list[Heard] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    otherwise: int = 202

    async def hear(self, request: web.Request) -> web.Response:
        self.heard.append(Heard(dict(request.headers), await request.read()))
        status = self.answers.pop(0) if self.answers else self.otherwise
        headers = {"Location": "/elsewhere"} if 300 <= status < 400 else {}
        return web.Response(status=status, headers=headers)

    @property
    def types(self) -> list[str]:
        return [heard.type.removeprefix("incident.") for heard in self.heard]


class Api:
    """Calls the API as imsync's user; has every answer judged by the official OpenAPI."""

    def __init__(self, sandbox: Sandbox, session: ClientSession, url: str) -> None:
        self.sandbox, self.session, self.url = sandbox, session, url
        self.about = sandbox.describe()
        self.judged = True

    def user(self, number: int) -> str:
        return str(self.about["users"][number]["id"])

    def email(self, number: int) -> str:
        return str(self.about["users"][number]["email"])

    def priority(self, number: int) -> Json:
        return {"id": self.about["priorities"][number - 1]["id"], "type": "priority_reference"}

    async def call(
        self, method: str, path: str, body: Any = None, *, by: int | None = 0, **more: str | None
    ) -> Answer:
        headers = {"Authorization": f"Token token={self.sandbox.token}"}
        if by is not None:
            headers["From"] = self.email(by)
        for name, value in more.items():
            headers.pop(name, None)
            if value is not None:
                headers[name] = value
        data = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
        async with self.session.request(
            method, self.url + path, data=data, headers=headers, allow_redirects=False
        ) as answer:
            raw = await answer.read()
            found = Answer(answer.status, orjson.loads(raw) if raw else None, dict(answer.headers))
        spec = openapi()
        if spec and self.judged and answer.status < 500 and not path.startswith("/_sandbox"):
            complaints = spec.of_answer(method, path.partition("?")[0], found.status, found.body)
            assert not complaints, (method, path, complaints)
        return found

    async def get(self, path: str, **more: Any) -> Any:
        answer = await self.call("GET", path, **more)
        assert answer.status == 200, answer
        return answer.body

    async def create(self, title: str = "Checkout down", *, by: int = 0, **more: Any) -> Json:
        answer = await self.call("POST", "/incidents", self.draft(title, **more), by=by)
        assert answer.status == 201, answer
        found: Json = answer.body["incident"]
        return found

    def draft(self, title: str = "Checkout down", **more: Any) -> Json:
        service = {"id": self.about["default_service"], "type": "service_reference"}
        return {"incident": {"type": "incident", "title": title, "service": service, **more}}

    async def put(self, incident: Json, *, by: int = 0, **changes: Any) -> Answer:
        body = {"incident": {"type": "incident_reference", **changes}}
        return await self.call("PUT", f"/incidents/{incident['id']}", body, by=by)

    async def change(self, incident: Json, *, by: int = 0, **changes: Any) -> Json:
        answer = await self.put(incident, by=by, **changes)
        assert answer.status == 200, answer
        found: Json = answer.body["incident"]
        return found

    async def subscribe(self, url: str, **more: Any) -> Json:
        subscription = {
            "type": "webhook_subscription",
            "delivery_method": {"type": "http_delivery_method", "url": url},
            "events": EVENTS,
            "filter": {"type": "account_reference"},
            **more,
        }
        body = {"webhook_subscription": subscription}
        answer = await self.call("POST", "/webhook_subscriptions", body)
        assert answer.status == 200, answer
        found: Json = answer.body["webhook_subscription"]
        return found

    async def log(self, incident: Json, query: str = "") -> list[Json]:
        """The log of one incident, oldest first."""
        found = await self.get(f"/incidents/{incident['id']}/log_entries?limit=100{query}")
        return list(reversed(found["log_entries"]))

    async def settle(self) -> int:
        """Let everything happen that is due now."""
        steps = 0
        while await self.sandbox.step():
            steps += 1
        return steps


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as open_:
        yield open_


@dataclass
class Tls:
    """The two ends of TLS on localhost, and where the authority's certificate lies."""

    server: ssl.SSLContext
    client: ssl.SSLContext
    trusted: Path


@pytest.fixture
def tls(tmp_path: Path) -> Tls:
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    return Tls(server, client, trusted)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    heard = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", heard.hear)
    server = TestServer(app)
    await server.start_server()
    heard.url = str(server.make_url("/hook"))
    yield heard
    await server.close()


@pytest.fixture
async def make(session: ClientSession, clock: Clock) -> AsyncIterator[Make]:
    """Makes a sandbox that is served, and ends it with the test."""
    made: list[Sandbox] = []

    async def new(**more: Any) -> Api:
        sandbox = Sandbox(session=session, now=clock, rng=random.Random(7), **more)
        made.append(sandbox)
        return Api(sandbox, session, await sandbox.start())

    yield new
    for sandbox in made:
        await sandbox.stop()


@pytest.fixture
async def api(make: Make) -> Api:
    return await make()
