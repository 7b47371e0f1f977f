"""HTTP over the socket, byte by byte: whole answers, and every way an answer can fail."""

import asyncio
import os
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from imsync.cli import wire
from imsync.cli.client import Daemon, understand
from imsync.cli.remote import Remote
from imsync.cli.wire import Answer, NoAnswer, Request, UnixSocket, Unreachable, encode, read_answer
from imsync.errors import NotFound, UserError

GET = Request("GET", "/x")
OK = b"HTTP/1.1 200 OK\r\n"


async def read(raw: bytes) -> Answer:
    reader = StreamReader()
    reader.feed_data(raw)
    reader.feed_eof()
    return await read_answer(reader)


@pytest.mark.parametrize(
    "raw",
    [
        OK + b"Content-Length: 2\r\n\r\n{}",
        OK + b"content-length:2\r\n\r\n{}and the next answer",
        OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: Chunked\r\n\r\n1;a=b\r\n{\r\n1\r\n}\r\n0\r\nX: y\r\n\r\n",
        OK + b"\r\n{}",
        b"HTTP/1.0 200\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    ],
)
async def test_an_answer_is_read_whole_however_it_is_framed(raw: bytes) -> None:
    answer = await read(raw)
    assert (answer.status, answer.body) == (200, b"{}")


async def test_an_answer_without_content_needs_no_length() -> None:
    assert await read(b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n") == Answer(204, {"x": "y"}, b"")


WHOLE = OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
SIZED = OK + b"Content-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize("raw", [raw[:at] for raw in (WHOLE, SIZED) for at in range(len(raw))])
async def test_half_an_answer_is_never_taken_for_one(raw: bytes) -> None:
    with pytest.raises((EOFError, ValueError)):
        await read(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n",
        OK + b"X: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        await read(raw)


ENDLESS = {
    "a length": OK + b"Content-Length: 99999999999\r\n\r\n",
    "chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n",
    "one chunk": OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
    "no length": OK + b"\r\n",
    "headers": OK,
    "an error": b"HTTP/1.1 500 X\r\n\r\n",
}
MORE = {"chunks": b"10000\r\n" + b" " * 65_536 + b"\r\n", "headers": b""}


@pytest.mark.parametrize("kind", list(ENDLESS))
@pytest.mark.parametrize("remote", [False, True])
async def test_an_answer_without_an_end_does_not_fill_memory(
    folder: Path, kind: str, remote: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever listens there may be anybody."""
    monkeypatch.setattr(wire, "LARGEST", 1024 * 1024)
    sent = 0

    async def endless(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ENDLESS[kind])
        with suppress(ConnectionError):
            while sent < 16 * 1024 * 1024:
                more = MORE.get(kind, b" " * 65_536) or b"X%d: y\r\n" % sent
                writer.write(more)
                sent += len(more)
                await writer.drain()
        writer.close()

    listening = asyncio.start_server(endless, "127.0.0.1", 0) if remote else None
    server = await (listening or asyncio.start_unix_server(endless, str(folder / "s")))
    async with server:
        host, port = server.sockets[0].getsockname() if remote else ("", 0)
        way = Remote(f"http://{host}:{port}") if remote else UnixSocket(str(folder / "s"))
        with pytest.raises(NoAnswer):
            await way.exchange(GET)
    assert sent < 12 * 1024 * 1024, "what the system holds on the way is not ours"


def test_a_request_says_how_long_it_is_and_that_it_is_the_only_one() -> None:
    raw = encode(Request("POST", "/x?a=b", {"From": "ada@example.com"}, "é".encode()))
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"POST /x?a=b HTTP/1.1"
    assert {b"Content-Length: 2", b"Connection: close", b"From: ada@example.com"} <= {
        *head.splitlines()
    }
    assert body == "é".encode()


Handler = Callable[[StreamReader, StreamWriter], Awaitable[None]]


async def ask(folder: Path, handler: Handler, *, patience: float = 60) -> Answer:
    """What UnixSocket makes of a server that does what the handler does."""

    async def handle(reader: StreamReader, writer: StreamWriter) -> None:
        await handler(reader, writer)
        writer.close()

    path = str(folder / "s")
    async with await asyncio.start_unix_server(handle, path):
        return await UnixSocket(path, patience).exchange(GET)


async def test_nobody_listens(folder: Path) -> None:
    with pytest.raises(Unreachable, match=r"is not listening on .*/s: start it with `imsyncd`"):
        await UnixSocket(str(folder / "s")).exchange(GET)


async def test_a_socket_that_a_dead_daemon_left(folder: Path) -> None:
    path = str(folder / "s")
    server = await asyncio.start_unix_server(lambda *_: None, path)
    server.close()
    await server.wait_closed()

    with pytest.raises(Unreachable, match="is not listening on"):
        await UnixSocket(path).exchange(GET)


@pytest.mark.parametrize("path", ["/" + "x" * 200, "/dev/null/s"])
async def test_a_path_that_can_be_no_socket(path: str) -> None:
    with pytest.raises(Unreachable, match="cannot open /"):
        await UnixSocket(path).exchange(GET)


async def test_a_folder_of_somebody_elses_is_told_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In /tmp they may have made it, or a link to another, before the daemon did."""
    heard: list[bytes] = []

    async def listen(reader: StreamReader, writer: StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK + b"Content-Length: 2\r\n\r\n{}")
        writer.close()

    way = UnixSocket(str(folder / "s"), must_be_ours=True)
    async with await asyncio.start_unix_server(listen, way.path):
        assert (await way.exchange(GET)).status == 200
        with monkeypatch.context() as patched:
            theirs = os.stat_result((0o40777, 1, 1, 1, 4_243, 4_243, 0, 0, 0, 0))
            patched.setattr("os.lstat", lambda _: theirs)
            with pytest.raises(Unreachable, match=r"belongs to somebody else \(uid 4243\)"):
                await way.exchange(GET)
    assert len(heard) == 1


async def test_a_daemon_that_hangs_up_half_way(folder: Path) -> None:
    async def half(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 100\r\n\r\n{")

    with pytest.raises(NoAnswer, match="hung up before it had answered"):
        await ask(folder, half)


async def test_a_daemon_that_hangs_up_at_once(folder: Path) -> None:
    async def reset(reader: StreamReader, writer: StreamWriter) -> None:
        writer.transport.abort()

    with pytest.raises(NoAnswer, match="hung up"):
        await ask(folder, reset)


async def test_something_else_that_listens_there(folder: Path) -> None:
    async def other(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"220 mail ready\r\n")

    with pytest.raises(NoAnswer, match="is not imsyncd"):
        await ask(folder, other)


async def test_a_daemon_that_says_nothing_is_not_waited_for_forever(folder: Path) -> None:
    async def silent(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.read()  # until the other side gives up

    with pytest.raises(NoAnswer, match=r"did not answer within 0.01 s"):
        await ask(folder, silent, patience=0.01)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b"[]"),
        (200, b""),
        (502, b"<html>"),
        (404, b"not found"),
        (200, b"\xff"),
        (301, b"{}"),
        (700, b"{}"),
    ],
)
def test_what_is_not_imsyncs_is_told_in_one_line(status: int, body: bytes) -> None:
    with pytest.raises(NoAnswer, match=r"^here answered \d+.* is that imsyncd\?$"):
        understand(Answer(status, {}, body), where="here")


def test_a_problem_is_understood_by_its_status_and_told_by_its_detail() -> None:
    def problem(status: int, body: bytes) -> UserError:
        with pytest.raises(UserError) as caught:
            understand(Answer(status, {}, body), where="here")
        return caught.value

    missing = problem(404, b'{"detail": "no INC-9", "hint": "INC-1"}')
    assert (type(missing), str(missing), missing.hint) == (NotFound, "no INC-9", "INC-1")
    assert str(problem(409, b'{"title": "Clash", "hint": null}')) == "Clash"
    assert str(problem(500, b"{}")) == "500 Internal Server Error"


@pytest.fixture
async def server() -> TestServer:
    async def echo(request: web.Request) -> web.StreamResponse:
        if "elsewhere" in request.path:
            raise web.HTTPFound("http://example.invalid/")
        return web.json_response(
            {"path": request.rel_url.raw_path, "who": request.headers.get("Authorization")}
        )

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", echo)
    return TestServer(app)


async def test_a_remote_daemon_is_asked_with_the_token(server: TestServer) -> None:
    async with server:
        daemon = Daemon(Remote(str(server.make_url("/")), "secret"))
        answer = await daemon.get("integrations", "a/b é", "links")
    assert answer == {"path": "/api/v1/integrations/a%2Fb%20%C3%A9/links", "who": "Bearer secret"}


async def test_the_token_does_not_follow_a_redirect(server: TestServer) -> None:
    async with server:
        with pytest.raises(NoAnswer, match=r"answered 302 Found"):
            await Daemon(Remote(str(server.make_url("/")), "secret")).get("elsewhere")


async def test_a_remote_daemon_that_is_not_there(server: TestServer) -> None:
    async with server:
        url = f"http://ada:secret@{server.host}:{server.port}"
    with pytest.raises(Unreachable, match=r"at http://127\.0\.0\.1:\d+ \(Connection refused\)"):
        await Remote(url).exchange(GET)
