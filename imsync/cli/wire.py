"""HTTP/1.1 over a unix socket: one request, one answer, and the connection is done.

The answer comes whole, or in pieces as the daemon sends them.

Our own because it is small: an HTTP client library takes longer to import than
the daemon takes to answer.
"""

import asyncio
import os
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Protocol

from imsync.errors import ImsyncError

PATIENCE = 60.0  # seconds; `test` waits for the external system, everything else is quick

LARGEST = 64 * 1024 * 1024
"""Bytes of an answer: a hundred incidents, each with the longest description there may be."""

_HEADERS = 256
_PIECE = 65_536


class Unreachable(ImsyncError):
    """Nobody took the request: nothing has changed."""

    code = "daemon_unreachable"


class NoAnswer(ImsyncError):
    """The request was taken, and no usable answer came back."""

    code = "daemon_no_answer"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str  # path and query, encoded
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes


@dataclass(frozen=True, slots=True)
class Incoming:
    """An answer whose body is on its way. `pieces` raises NoAnswer when it breaks off."""

    status: int
    headers: Mapping[str, str]  # names in lower case
    pieces: AsyncIterator[bytes]


class Transport(Protocol):
    """A way to the daemon."""

    @property
    def where(self) -> str:
        """The daemon's address, for people."""

    async def exchange(self, request: Request) -> Answer:
        """Carry one request. Raises Unreachable or NoAnswer."""

    def stream(self, request: Request) -> AbstractAsyncContextManager[Incoming]:
        """Carry one request, and let its answer come in. Raises Unreachable or NoAnswer."""


@dataclass(frozen=True, slots=True)
class UnixSocket:
    """The daemon of this machine. `must_be_ours`: its folder is nobody else's."""

    path: str
    patience: float = PATIENCE
    must_be_ours: bool = False

    @property
    def where(self) -> str:
        return self.path

    async def exchange(self, request: Request) -> Answer:
        try:
            async with asyncio.timeout(self.patience):
                return await self._exchange(request)
        except TimeoutError:
            raise NoAnswer(
                f"imsyncd at {self.path} did not answer within {self.patience:g} s"
            ) from None

    @asynccontextmanager
    async def stream(self, request: Request) -> AsyncIterator[Incoming]:
        reader, writer = await self._connect()
        try:
            try:
                async with asyncio.timeout(self.patience):
                    writer.write(encode(request))
                    await writer.drain()
                    status, headers = await read_head(reader)
            except TimeoutError:
                raise NoAnswer(f"imsyncd at {self.path} did not answer") from None
            except (OSError, EOFError, ValueError) as error:
                raise self._no_answer(error) from None
            yield Incoming(status, headers, self._pieces(reader, headers))
        finally:
            await _hang_up(writer)

    async def _pieces(
        self, reader: StreamReader, headers: Mapping[str, str]
    ) -> AsyncIterator[bytes]:
        try:
            async for piece in read_pieces(reader, headers):
                yield piece
        except (OSError, EOFError):
            raise NoAnswer(f"imsyncd at {self.path} hung up") from None
        except ValueError as error:
            raise self._no_answer(error) from None

    def _no_answer(self, error: Exception) -> NoAnswer:
        if isinstance(error, ValueError):
            return NoAnswer(f"what listens on {self.path} is not imsyncd: {error}")
        return NoAnswer(f"imsyncd at {self.path} hung up before it had answered")

    async def _connect(self) -> tuple[StreamReader, StreamWriter]:
        if self.must_be_ours:
            self._refuse_others()
        try:
            return await asyncio.open_unix_connection(self.path)
        except (FileNotFoundError, ConnectionRefusedError):
            raise Unreachable(
                f"imsyncd is not listening on {self.path}: "
                "start it with `imsyncd`, or name its socket with --socket"
            ) from None
        except OSError as error:
            raise Unreachable(
                f"cannot open {self.path}: {error.strerror or error}; the socket belongs to "
                "whoever started `imsyncd`, --socket names another"
            ) from None

    def _refuse_others(self) -> None:
        """Whoever made the folder could listen in it, and be told tokens. Raises Unreachable."""
        folder = self.path.rpartition("/")[0]
        try:
            owner = os.lstat(folder).st_uid  # of a link, who made it
        except OSError:
            return  # nobody listens there, as connecting tells
        if owner not in (0, os.getuid()):
            raise Unreachable(
                f"{folder} belongs to somebody else (uid {owner}), who could listen there in "
                "imsyncd's place: name the socket with --socket, and tell whoever runs this host"
            )

    async def _exchange(self, request: Request) -> Answer:
        reader, writer = await self._connect()
        try:
            writer.write(encode(request))
            await writer.drain()
            return await read_answer(reader)
        except (OSError, EOFError, ValueError) as error:
            raise self._no_answer(error) from None
        finally:
            await _hang_up(writer)


async def _hang_up(writer: StreamWriter) -> None:
    writer.close()
    with suppress(OSError):  # the answer is in, or its loss is told already
        await writer.wait_closed()


def encode(request: Request) -> bytes:
    """The request as it goes over the wire."""
    headers = {
        "Host": "localhost",
        **request.headers,
        "Content-Length": str(len(request.body)),
        "Connection": "close",
    }
    lines = [f"{request.method} {request.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + request.body


async def read_answer(reader: StreamReader) -> Answer:
    """Read one whole answer: RFC 9112, as much of it as a server may send us.

    Raises EOFError where it is cut short, ValueError where it is not HTTP.
    """
    status, headers = await read_head(reader)
    if status in (204, 304):
        return Answer(status, headers, b"")
    return Answer(status, headers, await whole(read_pieces(reader, headers)))


async def whole(pieces: AsyncIterator[bytes]) -> bytes:
    """All of a body. Raises ValueError where that is more than a daemon has to say."""
    found = bytearray()
    async for piece in pieces:
        found += piece
        if len(found) > LARGEST:
            raise ValueError(f"its answer is larger than {LARGEST} bytes")
    return bytes(found)


async def read_head(reader: StreamReader) -> tuple[int, Mapping[str, str]]:
    """Read an answer up to its body."""
    status = 100
    headers: Mapping[str, str] = {}
    while status < 200:  # 1xx only announce the answer
        status = _status(await _read_line(reader))
        headers = await _read_headers(reader)
    return status, headers


async def _read_line(reader: StreamReader) -> str:
    line = await reader.readline()
    if not line.endswith(b"\n"):
        raise EOFError("cut short")
    return line.decode("latin-1").rstrip("\r\n")


def _status(line: str) -> int:
    protocol, _, rest = line.partition(" ")
    code = rest[:3]
    if not (protocol.startswith("HTTP/1.") and len(code) == 3 and code.isdecimal()):
        raise ValueError("it does not speak HTTP")
    return int(code)


async def _read_headers(reader: StreamReader) -> dict[str, str]:
    headers: dict[str, str] = {}
    while line := await _read_line(reader):
        if len(headers) >= _HEADERS:
            raise ValueError(f"its answer has more than {_HEADERS} headers")
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers


async def read_pieces(reader: StreamReader, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
    """Read an answer's body as it comes in. Raises EOFError where it is cut short."""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := _chunk_size(await _read_line(reader)):
            async for piece in _read_exactly(reader, size):
                yield piece
            if await _read_line(reader):
                raise ValueError("a chunk is longer than it says")
        while await _read_line(reader):  # trailers: nothing that we use
            continue
    elif length := headers.get("content-length"):
        if not length.isdecimal():
            raise ValueError(f"its Content-Length is {length!r}")
        async for piece in _read_exactly(reader, int(length)):
            yield piece
    else:
        while piece := await reader.read(_PIECE):  # the end of the connection is its end
            yield piece


async def _read_exactly(reader: StreamReader, size: int) -> AsyncIterator[bytes]:
    """As many bytes, a few at a time: whoever sends them may have promised any number."""
    while size:
        piece = await reader.readexactly(min(size, _PIECE))
        size -= len(piece)
        yield piece


def _chunk_size(line: str) -> int:
    digits = line.partition(";")[0].strip()
    if not digits or set(digits) - set("0123456789abcdefABCDEF"):
        raise ValueError(f"{digits!r} is not the size of a chunk")
    return int(digits, 16)
