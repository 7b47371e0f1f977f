"""What is no HTTP: a problem like any other, and nothing that anybody could fill the log with."""

import asyncio
import logging

import orjson
import pytest
from aiohttp import web

from imsync.api import app, bodies
from imsync.api.connections import Runner, said

from .asking import House

HOST = b"Host: 127.0.0.1\r\n"
JSON = b"Content-Type: application/json\r\n"
POST = b"POST /api/v1/incidents HTTP/1.1\r\n" + HOST + JSON

NO_HTTP = {
    "another protocol": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "half a request line": b"GET\r\n\r\n",
    "a version that is none": b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    "a method that is none": b"G@T / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a header without a colon": b"GET / HTTP/1.1\r\n" + HOST + b"nonsense\r\n\r\n",
    "a header that is too long": b"GET / HTTP/1.1\r\n" + HOST + b"A: " + b"a" * 9_000 + b"\r\n\r\n",
    "a path that is too long": b"GET /" + b"a" * 9_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "a length that is none": POST + b"Content-Length: -5\r\n\r\n{}",
    "two lengths": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a chunk without a size": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
}
HALF = b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"
NO_GZIP = b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
async def address(house: House) -> object:
    runner = Runner(app.make(house.context), lingering_time=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield runner.addresses[0]
    await runner.cleanup()


async def asked(address: tuple[str, int], *sent: bytes) -> tuple[int, str, dict[str, str], bool]:
    """The status, the type and the problem that are answered; and whether that was the end."""
    reader, writer = await asyncio.open_connection(*address)
    try:
        for part in sent:
            writer.write(part)
            await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.splitlines()[1:])
        }
        body = await reader.readexactly(int(headers["content-length"]))
        status = int(head.split()[1])
        assert headers["server"] == "imsync", "of which version is nobody's business"
        return status, headers["content-type"], orjson.loads(body), await reader.read() == b""
    finally:
        writer.close()


@pytest.mark.parametrize("sent", NO_HTTP.values(), ids=list(NO_HTTP))
async def test_what_is_no_http_is_a_problem_and_no_traceback(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    caplog.set_level(logging.INFO)
    status, type_, problem, ended = await asked(address, sent)
    assert (status, type_, problem["code"]) == (400, "application/problem+json", "invalid_request")
    assert problem["detail"].startswith("this is not HTTP as it is taken here: ")
    assert "\n" not in problem["detail"]
    assert "aaa" not in problem["detail"]
    assert ended, "who knows what would come next"
    assert caplog.records == []


@pytest.mark.parametrize("expects", [b"200-ok", b"\xff\xfe", b"x\r\nExpect: 100-continue", b""])
@pytest.mark.parametrize("path", [b"/health", b"/nowhere"])
async def test_what_nobody_knows_to_be_expected_is_not_heeded(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture, expects: bytes, path: bytes
) -> None:
    head = b"GET " + path + b" HTTP/1.1\r\nConnection: close\r\n" + HOST
    status, type_, _, _ = await asked(address, head + b"Expect: " + expects + b"\r\n\r\n")
    assert (status, type_.partition(";")[0]) in [
        *((200, "application/json"), (404, "application/problem+json")),
    ]
    assert caplog.records == []


@pytest.mark.parametrize("rest", [HALF, NO_GZIP], ids=["half of it", "not in its coding"])
async def test_a_body_that_does_not_arrive_whole_is_nobodys_bug(
    address: tuple[str, int],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    rest: bytes,
) -> None:
    monkeypatch.setattr(bodies, "IN_TIME", 0.05)
    status, type_, problem, _ = await asked(address, POST + rest)
    assert (status, type_, problem["code"]) == (400, "application/problem+json", "invalid_request")
    assert problem["detail"].startswith("the body is cut short")
    # What is refused, PagerDuty never sends again.
    webhook = POST.replace(b"incidents", b"webhooks/int_1")
    status, type_, problem, _ = await asked(address, webhook + rest)
    assert (status, type_, problem["code"]) == (503, "application/problem+json", "overloaded")
    assert caplog.records == []


async def test_a_connection_that_is_lost_in_the_middle_of_a_body_is_nobodys_bug(
    house: House, address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection(*address)
    writer.write(POST + HALF)
    await writer.drain()
    writer.close()
    await asked(address, b"GET /health HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
    assert caplog.records == []


def test_what_is_said_is_one_line_without_the_bytes() -> None:
    message = "Bad status line:\n  Invalid HTTP version:\n\n  b'GET / HTTP/9.9'\n        ^"
    assert said(message) == "Bad status line: Invalid HTTP version"
    assert said("Got more than 8190 bytes when reading: b'aaa'.") == "Got more than 8190 bytes"
