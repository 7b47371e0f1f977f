"""Connections on which nothing is asked: they end, and they keep nobody out."""

import asyncio
import contextlib
import gzip
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from imsync.api import app
from imsync.api.bodies import LARGEST
from imsync.api.connections import Runner

from .asking import House

HEALTH = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
STREAM = b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = HEALTH[:-2]

Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Ring = Callable[[], Awaitable[Line]]


@asynccontextmanager
async def served(
    application: web.Application, *, patience: float = 60, most: int = 500, unix: Path | None = None
) -> AsyncIterator[Ring]:
    """Something to connect with, as often as one likes."""
    runner = Runner(application, patience=patience, most=most)
    await runner.setup()
    site = web.UnixSite(runner, unix) if unix else web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    lines: list[Line] = []

    async def ring() -> Line:
        if unix:
            line = await asyncio.open_unix_connection(unix)
        else:
            line = await asyncio.open_connection(*runner.addresses[0])
        lines.append(line)
        return line

    yield ring
    for _, writer in lines:
        writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    await runner.cleanup()


async def ended(reader: asyncio.StreamReader) -> bool:
    """True once the other end has closed it; what it said before is of no interest."""
    with contextlib.suppress(ConnectionError):
        while await reader.read(65_536):
            pass
    return True


async def answered(line: Line) -> bytes:
    """The head of the answer to a request; the body of `/health` is read too."""
    reader, writer = line
    writer.write(HEALTH)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readuntil(b"}")
    return head


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("sent", [b"", b"G", HALF, HEALTH, HEALTH + HALF])
async def test_whoever_does_not_ask_in_time_is_hung_up_on(
    house: House, tmp_path: Path, sent: bytes, unix: bool
) -> None:
    """Nothing, half a head, nothing more after an answer, half of a second one."""
    path = tmp_path / "sock" if unix else None
    async with served(app.make(house.context), patience=0.05, unix=path) as ring:
        reader, writer = await ring()
        writer.write(sent)
        assert await ended(reader)


async def test_a_head_that_drips_wins_no_time(house: House) -> None:
    async with served(app.make(house.context), patience=0.05) as ring:
        reader, writer = await ring()
        writer.write(HALF + b"X: ")
        with contextlib.suppress(ConnectionError):
            while not reader.at_eof():
                writer.write(b"a")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.01)


async def test_an_answer_that_is_not_taken_is_taken_back() -> None:
    released = asyncio.Event()

    class Watched(web.Response):
        async def write_eof(self, data: bytes = b"") -> None:
            try:
                await super().write_eof(data)
            finally:
                released.set()

    async def large(_: web.Request) -> web.Response:
        return Watched(body=bytes(32 * 1024 * 1024))

    application = web.Application()
    application.router.add_get("/health", large)
    async with served(application, patience=0.05) as ring:
        reader, writer = await ring()
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(HEALTH)
        await released.wait()


async def test_a_stream_of_events_goes_on_for_as_long_as_it_likes(house: House) -> None:
    house.feed.heartbeat = 0.02
    async with served(app.make(house.context), patience=0.05) as ring:
        reader, writer = await ring()
        writer.write(STREAM)
        for _ in range(10):
            await reader.readuntil(b": nothing new\n")


async def test_when_all_are_open_the_one_that_waits_for_longest_makes_room(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(app.make(house.context), most=3) as ring:
        kept = await ring()
        await answered(kept)
        first, _ = await ring()
        second, _ = await ring()
        await answered(kept)  # it is no longer the one that waits for longest
        for _ in range(10):
            assert (await answered(await ring())).startswith(b"HTTP/1.1 200")
            assert (await answered(kept)).startswith(b"HTTP/1.1 200")
        assert await ended(first)
        assert await ended(second)
    assert [one.getMessage() for one in caplog.records] == [
        "3 connections are open: those that ask nothing go first"
    ]


async def test_when_all_have_a_request_in_hand_the_next_finds_no_room(house: House) -> None:
    async with served(app.make(house.context), most=2) as ring:
        busy = [await ring(), await ring()]
        for reader, writer in busy:
            writer.write(STREAM)
            await reader.readuntil(b"retry: 1000")
        reader, _ = await ring()
        assert await ended(reader)
        house.feed.end()
        for reader, _ in busy:
            await reader.readuntil(b"0\r\n\r\n")
        assert (await answered(await ring())).startswith(b"HTTP/1.1 200")


async def test_headers_are_held_but_so_many(house: House) -> None:
    async with served(app.make(house.context)) as ring:
        reader, writer = await ring()
        writer.write(HALF + b"".join(b"X-%d: x\r\n" % number for number in range(100)) + b"\r\n")
        assert b" 400 " in await reader.readline()


@pytest.mark.parametrize("path", [b"/api/v1/incidents", b"/api/v1/webhooks/int_1"])
async def test_a_bomb_is_no_larger_than_a_body_may_be(house: House, path: bytes) -> None:
    """Two hundred megabytes of nothing, in as many kilobytes: it is the unpacked that counts."""
    bomb = gzip.compress(bytes(1024 * 1024), 9) * 200
    assert len(bomb) < LARGEST
    lines = (
        *(b"POST " + path + b" HTTP/1.1", b"Host: localhost", b"Content-Type: application/json"),
        *(b"Content-Encoding: gzip", b"Content-Length: %d" % len(bomb), b"", bomb),
    )
    async with served(app.make(house.context)) as ring:
        reader, writer = await ring()
        tracemalloc.start()
        writer.write(b"\r\n".join(lines))
        assert b" 413 " in await reader.readline()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 32 * 1024 * 1024
