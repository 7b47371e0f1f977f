"""Somebody else answers in PagerDuty's place, and means harm: it is an error of that call alone.

No aiohttp on the other side, which would be too polite: bytes on a socket.
"""

import asyncio
import gzip
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import aiohttp
import pytest
import trustme
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from imsync.connectors.pagerduty import rest
from imsync.connectors.pagerduty.client import PagerDuty
from imsync.core.fields import Field
from imsync.daemon import outward
from imsync.errors import ExternalError, Unavailable

from .wire import pagerduty

MEMORY = 400 * 1024 * 1024
"""Bytes that one call may take at most, whatever is answered: those of the largest answer, of
nothing but the smallest things there are."""

OK = b"HTTP/1.1 200 OK\r\n"
JSON = OK + b"Content-Type: application/json\r\n"
Answers = Callable[[], Iterator[bytes]]
Hostile = Callable[[Answers], Awaitable[PagerDuty]]


def whole(body: bytes, head: bytes = JSON) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def encoded(coding: str, body: bytes) -> bytes:
    return whole(body, JSON + b"Content-Encoding: " + coding.encode() + b"\r\n")


def once(said: bytes) -> Answers:
    return lambda: iter([said])


def for_ever(*first: bytes, then: bytes) -> Answers:
    def say() -> Iterator[bytes]:
        yield from first
        while True:
            yield then

    return say


BOMB = gzip.compress(bytes(1024 * 1024), 9) * 512
"""Half a gigabyte of nothing, in half a megabyte."""


def bombs() -> bytes:
    """A bomb in a bomb."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflate.compress(bytes(512 * 1024 * 1024)) + deflate.flush()


ANSWERS: dict[str, Answers] = {
    "nothing": once(b""),
    "another protocol": once(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "a status that is none": once(b"HTTP/1.1 abc OK\r\n\r\n"),
    "a version that is none": once(b"HTTP/7.7 200 OK\r\n\r\n"),
    "a status line without an end": for_ever(b"HTTP/1.1 200 ", then=b"O" * 65_536),
    "a header without an end": for_ever(OK, b"X: ", then=b"x" * 65_536),
    "headers without an end": for_ever(OK, then=b"X: y\r\n" * 8_192),
    "folded headers without an end": for_ever(OK, b"X: y\r\n", then=b" z\r\n" * 8_192),
    "a header that is none": once(OK + b"no colon\r\n\r\n"),
    "only promises": for_ever(then=b"HTTP/1.1 100 Continue\r\n\r\n" * 1_024),
    "early hints": for_ever(then=b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 1_024),
    "another protocol from here on": for_ever(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        then=b"x" * 65_536,
    ),
    "a body without an end": for_ever(JSON, b"\r\n", then=b" " * 65_536),
    "chunks without an end": for_ever(
        JSON, b"Transfer-Encoding: chunked\r\n\r\n", then=b"10000\r\n" + b" " * 65_536 + b"\r\n"
    ),
    "a chunk of all there is": for_ever(
        JSON, b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", then=b" " * 65_536
    ),
    "a chunk that is none": once(JSON + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n"),
    "a chunk's size without an end": for_ever(
        JSON, b"Transfer-Encoding: chunked\r\n\r\n", then=b"0" * 65_536
    ),
    "a chunk's extension without an end": for_ever(
        JSON, b"Transfer-Encoding: chunked\r\n\r\n2;x=", then=b"x" * 65_536
    ),
    "trailers without an end": for_ever(
        JSON, b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", then=b"X: y\r\n" * 8_192
    ),
    "a length that is none": once(JSON + b"Content-Length: many\r\n\r\n{}"),
    "a length below nothing": once(JSON + b"Content-Length: -1\r\n\r\n{}"),
    "more than all there is": once(JSON + b"Content-Length: 99999999999999999999\r\n\r\n{}"),
    "two lengths": once(JSON + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "less than promised": once(JSON + b"Content-Length: 99\r\n\r\n{}"),
    "a bomb": once(encoded("gzip", BOMB)),
    "a bomb that is raw": once(encoded("deflate", bombs())),
    "no gzip": once(encoded("gzip", b'{"incident": {}}')),
    "half of gzip": once(encoded("gzip", gzip.compress(b" " * 9_999)[:20])),
    "no deflate": once(encoded("deflate", b"\xff" * 100)),
    "no brotli": once(encoded("br", b"\xff" * 100)),
    "no zstd": once(encoded("zstd", b"\xff" * 100)),
    "a coding that nobody knows": once(encoded("rot13", b"{}")),
    "a reason that is no text": once(whole(b"{}", b"HTTP/1.1 400 \xff\xfe\r\n")),
    "no JSON": once(whole(b"<html>welcome")),
    "no text": once(whole(b"\xff\xfe\x00\x01")),
    "half a surrogate": once(whole(b'{"incident": {"id": "\\ud800"}}')),
    "deep lists": once(whole(b"[" * 4_000_000)),
    "deep objects": once(whole(b'{"incident":' * 600_000)),
    "very many empty things": once(whole(b'{"incidents":[' + b"{}," * 2_500_000 + b"{}]}")),
    "as deep as can be read": once(whole(b'{"incident":' * 1_000 + b"1" + b"}" * 1_000)),
    "a complaint as deep as can be read": once(
        whole(b'{"error":{"errors":[' + b"[" * 1_000 + b"]" * 1_000 + b"]}}", b"HTTP/1.1 400 X\r\n")
    ),
    "numbers that are too large": once(whole(b'{"incident": {"id": 1e999, "status": 9e99}}')),
    "a number of very many digits": once(whole(b'{"incident": ' + b"9" * 1_000_000 + b"}")),
    "a complaint without an end": once(
        whole(b'{"error":{"message":"' + b"x" * 7_000_000 + b'"}}', b"HTTP/1.1 400 X\r\n")
    ),
    "very many cookies": once(
        whole(b"{}", JSON + b"".join(b"Set-Cookie: a%d=b\r\n" % each for each in range(100)))
    ),
    "headers of nonsense": once(
        whole(
            b"{}",
            b"HTTP/1.1 429 X\r\nDate: \xff\xfe 99 Foo 99999 99:99:99 +9999\r\n"
            b"Retry-After: 1e400\r\nratelimit-reset: nan\r\nratelimit-limit: -inf\r\n"
            b"ratelimit-remaining: 99999999999999999999999999\r\nContent-Type: \x80/\x80\r\n",
        )
    ),
}


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    """The daemon's own."""
    async with outward() as session:
        yield session


@pytest.fixture
async def hostile(session: ClientSession) -> AsyncIterator[Hostile]:
    """Connectors to what answers so."""
    servers = list[asyncio.Server]()

    async def pagerduty_that(answers: Answers) -> PagerDuty:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.readuntil(b"\r\n\r\n")
                for said in answers():
                    writer.write(said)
                    await writer.drain()
            except (ConnectionError, asyncio.IncompleteReadError):
                pass  # hung up on, as it deserves
            finally:
                writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        servers.append(server)
        host, port = server.sockets[0].getsockname()
        return pagerduty(session, base_url=f"http://{host}:{port}")

    yield pagerduty_that
    for server in servers:
        server.close()


def reads(pd: PagerDuty) -> Awaitable[object]:
    return pd.fetch("Q1")


def writes(pd: PagerDuty) -> Awaitable[object]:
    return pd.write("Q1", {Field.TITLE: "New"}, actor=None)


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits as long for an answer as they do outside of tests."""
    monkeypatch.setattr(rest, "TIMEOUT", aiohttp.ClientTimeout(total=0.5, connect=0.5))


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("call", [reads, writes])
@pytest.mark.parametrize("answers", ANSWERS.values(), ids=list(ANSWERS))
async def test_whatever_is_answered_is_an_error_of_that_call_alone(
    hostile: Hostile, answers: Answers, call: Callable[[PagerDuty], Awaitable[object]]
) -> None:
    pd = await hostile(answers)
    with pytest.raises(ExternalError) as caught:
        await call(pd)
    assert len(str(caught.value).encode()) < 2_000, "it is text, for what keeps it and answers it"


@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize(
    "name",
    [name for name in ANSWERS if "very many" in name or "without an end" in name or "bomb" in name],
)
async def test_no_answer_takes_more_memory_than_there_is(hostile: Hostile, name: str) -> None:
    pd = await hostile(ANSWERS[name])
    tracemalloc.start()
    try:
        with pytest.raises(ExternalError):
            await reads(pd)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < MEMORY


async def test_what_cannot_prove_to_be_pagerduty_is_told_nothing(session: ClientSession) -> None:
    """Neither the token nor what is asked: a certificate of nobody we know ends it before that."""
    asked = list[str]()

    async def listen(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({})

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", listen)
    server = TestServer(application, scheme="https")
    await server.start_server(ssl=context)
    pd = pagerduty(session, base_url=str(server.make_url("/")))
    for call in (reads, writes):
        with pytest.raises(Unavailable, match=r"no connection to PagerDuty: .*certificate"):
            await call(pd)
    assert asked == []
    await server.close()


async def test_cookies_are_not_kept(session: ClientSession, hostile: Hostile) -> None:
    pd = await hostile(ANSWERS["very many cookies"])
    pd._rest.base_url = pd._rest.base_url.replace("127.0.0.1", "localhost")  # no jar keeps an IP's
    with pytest.raises(ExternalError, match="makes no sense"):
        await reads(pd)
    assert len(session.cookie_jar) == 0
