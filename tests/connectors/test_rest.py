"""Every row of the failure table, on a scripted wire; what no script can show, on a real one."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import ClientSession, web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer, unused_port

from imsync.connectors.base import Limits
from imsync.connectors.pagerduty import rest
from imsync.connectors.pagerduty.client import PagerDuty
from imsync.core.fields import Field
from imsync.errors import (
    ExternalError,
    Gone,
    Refused,
    Unauthorized,
    Unavailable,
    Unknown,
)

from .wire import NOW, TOKEN, Ear, Wire, incident, pagerduty

GET, PUT = "GET /incidents/Q1", "PUT /incidents/Q1"
Remedy = type[ExternalError]


def reads(pd: PagerDuty) -> Awaitable[object]:
    return pd.fetch("Q1")


def writes(pd: PagerDuty) -> Awaitable[object]:
    return pd.write("Q1", {Field.TITLE: "New"}, actor=None)


def complaint(code: int, message: str = "No", *errors: str) -> dict[str, Any]:
    return {"error": {"message": message, "code": code, "errors": list(errors)}}


async def failure(call: Awaitable[object]) -> ExternalError:
    with pytest.raises(ExternalError) as caught:
        await call
    return caught.value


@pytest.mark.parametrize(
    ("answer", "of_a_read", "of_a_write"),
    [
        ({"exception": aiohttp.ConnectionTimeoutError("slow")}, Unavailable, Unavailable),
        ({"exception": aiohttp.InvalidURL("x")}, Unavailable, Unavailable),
        ({"exception": TimeoutError()}, Unavailable, Unknown),
        ({"exception": aiohttp.ServerDisconnectedError()}, Unavailable, Unknown),
        ({"exception": aiohttp.ClientPayloadError("cut")}, Unavailable, Unknown),
        ({"exception": ConnectionResetError()}, Unavailable, Unknown),
        ({"status": 429}, Unavailable, Unavailable),
        ({"status": 429, "payload": complaint(2020)}, Unavailable, Unavailable),
        ({"status": 400, "payload": complaint(1005)}, Unavailable, Unavailable),
        ({"status": 408}, Unavailable, Unknown),
        ({"status": 500, "payload": complaint(2000)}, Unavailable, Unknown),
        ({"status": 502, "body": "<html>"}, Unavailable, Unknown),
        ({"status": 503}, Unavailable, Unknown),
        ({"status": 302, "headers": {"Location": "/login"}}, Unavailable, Unavailable),
        ({"status": 401}, Unauthorized, Unauthorized),
        ({"status": 403}, Unauthorized, Unauthorized),
        ({"status": 403, "payload": complaint(2006)}, Unauthorized, Unauthorized),
        ({"status": 403, "payload": complaint(2010)}, Refused, Refused),
        ({"status": 403, "payload": complaint(1018)}, Refused, Refused),
        ({"status": 404, "payload": complaint(2100)}, Gone, Gone),
        ({"status": 400, "payload": complaint(2001)}, Refused, Refused),
        ({"status": 402, "payload": complaint(2014)}, Refused, Refused),
        ({"status": 413}, Refused, Refused),
        ({"status": 422, "body": b"\xff"}, Refused, Refused),
        ({"status": 200, "body": ""}, Unavailable, Unknown),
        ({"status": 200, "body": "<html>welcome"}, Unavailable, Unknown),
        ({"status": 200, "payload": {}}, Unavailable, Unknown),
        ({"status": 200, "payload": {"incident": {"id": "Q1"}}}, Unavailable, Unknown),
        ({"status": 200, "payload": {"incident": incident(title=7)}}, Unavailable, Unknown),
        ({"status": 204}, Unavailable, Unknown),
    ],
)
async def test_every_failure_by_its_remedy(
    wire: Wire, pd: PagerDuty, answer: dict[str, Any], of_a_read: Remedy, of_a_write: Remedy
) -> None:
    wire.answers(GET, **answer)
    wire.answers(PUT, **answer)
    of_read, of_write = await failure(reads(pd)), await failure(writes(pd))
    assert (type(of_read), type(of_write)) == (of_a_read, of_a_write)
    for error, asked in ((of_read, GET), (of_write, PUT)):
        assert str(error).startswith(f"{asked}: ") or str(error).endswith(f" to {asked}")
    assert len(wire.asked) == 2


async def test_a_refusal_tells_what_pagerduty_said(wire: Wire, pd: PagerDuty) -> None:
    wire.answers(
        PUT, complaint(2001, "Invalid Input", "Title is too long.", "And dull."), status=400
    )
    error = await failure(writes(pd))
    assert isinstance(error, Refused)
    assert (error.status, error.number) == (400, 2001)
    said = "400 Invalid Input: Title is too long.: And dull. (2001)"
    assert str(error) == f"PagerDuty says {said} to PUT /incidents/Q1"


async def test_a_service_that_is_gone_is_told_where_it_is_set(wire: Wire, pd: PagerDuty) -> None:
    wire.answers(PUT, complaint(5002, "Service Not Found"), status=400)
    error = await failure(writes(pd))
    assert isinstance(error, Refused)
    assert "default_service" in error.hint


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": ["x"], "code": "2001", "errors": {"title": "too long"}}},
        {"error": "no such thing"},
        {"error": {"errors": [1, None, {}]}},
        {"error": None},
        {"message": "no"},
        [],
    ],
)
async def test_a_complaint_of_any_shape_is_still_one(wire: Wire, pd: PagerDuty, body: Any) -> None:
    wire.answers(PUT, body, status=400)
    error = await failure(writes(pd))
    assert isinstance(error, Refused)
    assert (error.status, error.number) == (400, 0)


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (429, {"ratelimit-reset": "20"}, 20_000),
        (429, {"ratelimit-reset": "0.5"}, 1_000),
        (429, {"Retry-After": "7"}, 7_000),
        (429, {"ratelimit-reset": "3", "Retry-After": "7"}, 7_000),
        (429, {"Retry-After": "Mon, 21 Sep 2026 14:13:30 GMT"}, 10_000),
        (429, {"Retry-After": "Mon, 21 Sep 2026 14:13:10 GMT"}, 0),
        (429, {"ratelimit-reset": "86400"}, 3_600_000),
        (429, {"ratelimit-reset": "1790000060"}, 0),  # a moment: not what PagerDuty means
        (429, {"ratelimit-reset": "-1", "Retry-After": "soon"}, 0),
        (429, {"ratelimit-reset": "nan"}, 0),
        (429, {}, 0),
        (503, {"ratelimit-reset": "20"}, 0),
        (503, {"Retry-After": "7"}, 7_000),
    ],
)
async def test_waits_as_long_as_it_is_asked_to(
    wire: Wire, pd: PagerDuty, status: int, headers: dict[str, str], wait: int
) -> None:
    wire.answers(GET, status=status, headers=headers)
    error = await failure(reads(pd))
    assert isinstance(error, Unavailable)
    assert error.retry_after == wait


@pytest.mark.parametrize("status", [200, 404, 429, 503])
async def test_every_answer_tells_the_limit_and_the_time(
    wire: Wire, pd: PagerDuty, ear: Ear, status: int
) -> None:
    told = {"ratelimit-limit": "960", "ratelimit-remaining": "958", "ratelimit-reset": "20"}
    date = {"Date": "Mon, 21 Sep 2026 14:13:25 GMT"}
    wire.answers(GET, {"incident": incident()}, status=status, headers=told | date)
    if status == 200:
        await reads(pd)
    else:
        await failure(reads(pd))
    (offset,) = ear.offsets
    assert ear.limits == [Limits(960, 958, 20_000)]
    assert offset is not None
    assert (offset.low, offset.high) == (5_000, 6_000)


async def test_headers_that_tell_nothing_are_no_headers(
    wire: Wire, pd: PagerDuty, ear: Ear
) -> None:
    nonsense = {"ratelimit-limit": "many", "ratelimit-remaining": "1", "Date": "today"}
    wire.answers(GET, {"incident": incident()}, headers=nonsense)
    await reads(pd)
    assert (ear.limits, ear.offsets) == ([None], [None])


async def test_times_come_back_on_our_clock(wire: Wire, pd: PagerDuty) -> None:
    wire.answers(GET, {"incident": incident()}, headers={"Date": "Mon, 21 Sep 2026 14:13:25 GMT"})
    shown = await pd.fetch("Q1")
    assert shown.as_of == NOW
    created = 1_775_009_250_000  # 2026-04-01T02:07:30Z
    assert shown.created_at == created - 5_000


# Who we are.


@pytest.mark.parametrize(
    ("token", "header"),
    [
        ("u+abc", "Token token=u+abc"),
        (" u+abc\n", "Token token=u+abc"),
        ("Token token=u+abc", "Token token=u+abc"),
        ("pdus+abc", "Bearer pdus+abc"),
        ("Bearer pdus+abc", "Bearer pdus+abc"),
        ("bearer eyJ.x.y==", "Bearer eyJ.x.y=="),
    ],
)
async def test_keys_and_oauth_tokens(
    wire: Wire, session: ClientSession, token: str, header: str
) -> None:
    wire.answers(GET, {"incident": incident()})
    await reads(pagerduty(session, token=token))
    assert wire.only.headers["Authorization"] == header
    assert wire.only.headers["Accept"] == "application/vnd.pagerduty+json;version=2"


@pytest.mark.parametrize("token", ["", "  ", "Bearer ", "Token token=", "a b", "a\nb", "geheim…"])
async def test_what_is_no_token_is_refused_without_being_shown(
    wire: Wire, session: ClientSession, token: str
) -> None:
    error = await failure(reads(pagerduty(session, token=token)))
    assert type(error) is Unauthorized
    assert "geheim" not in str(error)
    assert wire.asked == []


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://api.pagerduty.com", "https://api.pagerduty.com/incidents/Q1"),
        (" https://api.eu.pagerduty.com// ", "https://api.eu.pagerduty.com/incidents/Q1"),
        ("api.eu.pagerduty.com/", "https://api.eu.pagerduty.com/incidents/Q1"),
        ("http://127.0.0.1:8765/pd/?x=1#y", "http://127.0.0.1:8765/pd/incidents/Q1"),
    ],
)
async def test_the_base_url_may_be_written_down_in_any_usual_way(
    wire: Wire, session: ClientSession, url: str, root: str
) -> None:
    wire.add(f"{root}?include%5B%5D=assignees", payload={"incident": incident()})
    await reads(pagerduty(session, base_url=url))
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    "url",
    [
        *("", "ftp://x", "https://", "https://me:secret@api.pagerduty.com", "https://[x"),
        *("http://api.pagerduty.com", "http://127.0.0.1.example", "http://localhost.example"),
    ],
)
async def test_what_is_no_base_url_is_refused(session: ClientSession, url: str) -> None:
    pd = pagerduty(session, base_url=url)
    error = await failure(reads(pd))
    assert type(error) is Unauthorized
    assert "base URL" in str(error)
    assert "secret" not in f"{error} {pd!r} {pd._rest!r}"


@pytest.mark.parametrize(
    ("actor", "usual", "header"),
    [
        ("bob@example.com", "imsync@example.com", "bob@example.com"),
        (None, "imsync@example.com", "imsync@example.com"),
        ("bob@example.com\r\nX: y", "imsync@example.com", "imsync@example.com"),
        ("Bob", "imsync@example.com", "imsync@example.com"),
        (None, None, None),
    ],
)
async def test_acts_as_the_person_where_there_is_one(
    wire: Wire, session: ClientSession, actor: str | None, usual: str | None, header: str | None
) -> None:
    wire.answers(PUT, {"incident": incident()})
    wire.answers(GET, {"incident": incident()})
    pd = pagerduty(session, from_email=usual)
    await pd.write("Q1", {Field.TITLE: "New"}, actor=actor)
    assert wire.only.headers.get("From") == header
    await pd.fetch("Q1")
    assert "From" not in wire.asked[1].headers


@pytest.mark.parametrize("id_", ["", ".", "..", "x" * 200])
async def test_what_cannot_be_an_id_is_not_asked_for(wire: Wire, pd: PagerDuty, id_: str) -> None:
    with pytest.raises(Gone):
        await pd.fetch(id_)
    assert wire.asked == []


async def test_an_id_does_not_stray_to_another_path(wire: Wire, pd: PagerDuty) -> None:
    wire.add(
        "https://api.pagerduty.com/incidents/..%2Fusers%3Fx?include%5B%5D=assignees",
        payload={"incident": incident()},
    )
    await pd.fetch("../users?x")
    assert wire.only.url.raw_path == "/incidents/..%2Fusers%3Fx"


# Secrets.


async def test_the_token_is_in_no_message_and_no_repr(
    wire: Wire, pd: PagerDuty, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    echo = f"bad header Authorization: Token token={TOKEN}"
    wire.answers(GET, complaint(2006, echo), status=401)
    wire.answers(GET, exception=aiohttp.ClientError(echo))
    wire.answers(GET, {"incident": incident(status=None, title=echo)})
    for _ in range(3):
        error = await failure(reads(pd))
        assert TOKEN not in f"{error} {error!r} {error.hint} {error.__cause__}"
    assert TOKEN not in f"{pd!r} {pd} {pd._rest!r}"
    assert TOKEN not in caplog.text


# On a real wire.

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Start = Callable[[Handler], Awaitable[str]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    servers = list[TestServer]()

    async def started(handler: Handler) -> str:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        servers.append(TestServer(app))
        await servers[-1].start_server()
        return str(servers[-1].make_url("/"))

    yield started
    for server in servers:
        await server.close()


async def test_nobody_listening_is_no_connection(session: ClientSession) -> None:
    pd = pagerduty(session, base_url=f"http://127.0.0.1:{unused_port()}")
    assert type(await failure(writes(pd))) is Unavailable
    assert type(await failure(reads(pd))) is Unavailable


async def test_a_connection_lost_after_the_request_is_no_answer(
    session: ClientSession, start: Start
) -> None:
    seen = list[str]()

    async def hang_up(request: web.Request) -> web.StreamResponse:
        seen.append(request.method)
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    pd = pagerduty(session, base_url=await start(hang_up))
    assert type(await failure(writes(pd))) is Unknown
    assert seen == ["PUT"], "not sent again by itself"
    assert type(await failure(reads(pd))) is Unavailable


async def test_an_answer_that_never_comes_is_no_answer(
    session: ClientSession, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asyncio.Event()

    async def forget(_: web.Request) -> web.StreamResponse:
        await answered.wait()
        return web.Response()

    monkeypatch.setattr(rest, "TIMEOUT", aiohttp.ClientTimeout(total=0.1, connect=5))
    pd = pagerduty(session, base_url=await start(forget))
    assert type(await failure(writes(pd))) is Unknown
    assert type(await failure(reads(pd))) is Unavailable
    answered.set()


async def test_an_answer_cut_short_is_no_answer(session: ClientSession, start: Start) -> None:
    async def cut_short(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"incident":')
        assert request.transport is not None
        request.transport.abort()
        return response

    pd = pagerduty(session, base_url=await start(cut_short))
    assert type(await failure(writes(pd))) is Unknown


async def test_no_more_is_read_than_any_answer_holds(session: ClientSession, start: Start) -> None:
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while sent < 20 * rest.LARGEST:
            await response.write(b" " * 1_000_000)
            sent += 1_000_000
        return response

    pd = pagerduty(session, base_url=await start(flood))
    assert "larger than" in str(await failure(reads(pd)))
    assert sent < 3 * rest.LARGEST


async def test_redirects_are_not_followed(session: ClientSession, start: Start) -> None:
    seen = list[str]()

    async def redirect(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        raise web.HTTPFound("/elsewhere")

    error = await failure(reads(pagerduty(session, base_url=await start(redirect))))
    assert type(error) is Unavailable
    assert "base URL" in error.hint
    assert seen == ["/incidents/Q1"]


class Nowhere(AbstractResolver):
    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        raise OSError("nobody knows it")

    async def close(self) -> None: ...


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://127.0.0.1:9", "no connection to PagerDuty: 127.0.0.1:9: Connection refused"),
        (
            "https://nowhere.invalid",
            "no connection to PagerDuty: nowhere.invalid:443: nobody knows it",
        ),
    ],
)
async def test_where_no_connection_came_about_and_why_is_told_to_people(
    url: str, says: str
) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=Nowhere())) as session:
        pd = PagerDuty(
            session=session,
            base_url=url,
            token="u+x",
            from_email=None,
            now=lambda: NOW,
            heard=lambda *_: None,
        )
        error = await failure(reads(pd))
    assert str(error).startswith(f"{GET}: {says}")
    assert "ssl" not in str(error)
    assert "way out" in error.hint
