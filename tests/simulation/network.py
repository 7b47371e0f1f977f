"""The network: real aiohttp clients and servers, and wires between them that one seed decides on.

Only the sockets are ours. Requests are put together, parsed, pooled, timed out and cut short
by aiohttp itself, so what the daemon meets here is what it meets in the world; and it costs
a third of a millisecond, for there is no kernel in between.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass
from errno import ECONNREFUSED
from random import Random
from typing import Any
from zlib import crc32

import aiohttp
from aiohttp.client_proto import ResponseHandler

from tests.simulation.loop import PROCESS, Process

Address = tuple[str, int]


@dataclass(slots=True)
class Trouble:
    """Each is how likely something is to befall what one side says on a connection."""

    cut: float = 0.0
    """The connection breaks soon: before the request arrives, or before its answer does."""
    hole: float = 0.0
    """Nothing arrives any more, and nobody is told."""
    late: float = 0.0
    """It takes up to ten seconds."""


@dataclass(frozen=True, slots=True)
class Listener:
    make: Callable[[], asyncio.Protocol]
    context: Context
    process: Process | None


class Network:
    def __init__(
        self, loop: asyncio.AbstractEventLoop, rng: Random, say: Callable[[str], None]
    ) -> None:
        self.loop, self.rng, self.say = loop, rng, say
        self.trouble = Trouble()
        self._listeners: dict[Address, Listener] = {}
        self._wires: set[Wire] = set()
        self._sessions: list[aiohttp.ClientSession] = []
        self._count = 0

    def listen(self, address: Address, make: Callable[[], asyncio.Protocol]) -> None:
        """Serve there, as whoever calls, until killed."""
        self._listeners[address] = Listener(make, copy_context(), PROCESS.get())

    def close(self, address: Address) -> None:
        """Serve there no more; another process that does is left alone."""
        listener = self._listeners.get(address)
        if listener is not None and listener.process is PROCESS.get():
            del self._listeners[address]

    def session(self, *, safe: bool = False) -> aiohttp.ClientSession:
        """A client of this network; a `safe` one meets no trouble."""
        session = aiohttp.ClientSession(connector=_Connector(self, safe))
        self._sessions.append(session)
        return session

    def end(self) -> None:
        """Put away what is left, also of those who were killed and will never say goodbye."""
        for session in self._sessions:
            if (left := session.connector) is not None:
                session.detach()
                left.close()

    async def connect(self, address: Address, client: asyncio.Protocol, *, safe: bool) -> None:
        """Raises ConnectionRefusedError."""
        await asyncio.sleep(self.latency(safe=safe))
        listener = self._listeners.get(address)
        if listener is None or (listener.process and listener.process.dead):
            raise ConnectionRefusedError(ECONNREFUSED, f"nobody listens on {address}")
        self._count += 1
        near = Wire(self, self._count, copy_context(), PROCESS.get(), safe=safe)
        far = Wire(self, self._count, listener.context.copy(), listener.process, safe=safe)
        near.join(far, client)
        far.join(near, listener.make())
        far.context.run(far.protocol.connection_made, far)
        near.protocol.connection_made(near)
        self._wires |= {near, far}

    def latency(self, *, safe: bool = False) -> float:
        if not safe and self.rng.random() < self.trouble.late:
            return self.rng.uniform(0.1, 10)
        return self.rng.uniform(0.000_2, 0.03)

    def dies(self, process: Process) -> None:
        """What it had sent still arrives, and then a reset; to itself, nobody tells anything."""
        for wire in sorted(self._wires, key=lambda wire: (wire.number, wire.is_client)):
            if wire.process is process:
                wire.abort()

    def forget(self, wire: "Wire") -> None:
        self._wires.discard(wire)


class Wire(asyncio.Transport):
    """One end of a connection."""

    protocol: Any

    def __init__(
        self,
        network: Network,
        number: int,
        context: Context,
        process: Process | None,
        *,
        safe: bool,
    ) -> None:
        super().__init__()
        self.network, self.number = network, number
        self.context, self.process, self.safe = context, process, safe
        self.is_client = False
        self._peer: Wire
        self._incoming: deque[bytes | Exception | None] = deque()
        self._latest = 0.0
        self._closing = self._deaf = self._lost = self._paused = False

    def join(self, peer: "Wire", protocol: asyncio.Protocol) -> None:
        self._peer, self.protocol = peer, protocol
        self.is_client = isinstance(protocol, ResponseHandler)

    # --- what aiohttp asks of a transport

    def write(self, data: Any) -> None:
        if self._closing:
            return
        network, rng = self.network, self.network.rng
        network.say(f"{self} {_shown(bytes(data))}")
        if not self.safe:
            if rng.random() < network.trouble.cut:
                self.break_at(network.loop.time() + rng.uniform(0, 0.1))
            if rng.random() < network.trouble.hole:
                network.say(f"{self} is a hole")
                self._deaf = self._peer._deaf = True
        self._send(bytes(data))

    def writelines(self, list_of_data: Any) -> None:
        self.write(b"".join(list_of_data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._send(None)

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._send(None)
            self._loop_call(self._lose, None)

    def abort(self) -> None:
        if not self._closing:
            self._closing = True
            self._send(ConnectionResetError("reset by the other side"))
            self._loop_call(self._lose, None)

    def is_closing(self) -> bool:
        return self._closing

    def is_reading(self) -> bool:
        return not self._paused

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        self._paused = False
        self._loop_call(self._drain)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is room for everything."""

    def get_write_buffer_size(self) -> int:
        return 0

    # --- what the wire does

    def break_at(self, when: float) -> None:
        """Both ends learn by then that it is broken; what is under way is lost."""
        loop = self.network.loop
        for end in (self, self._peer):
            loop.call_at(when, end._break, context=end.context)

    def _break(self) -> None:
        self._incoming.clear()
        self._deaf = self._closing = True
        self._lose(ConnectionResetError("the connection broke"))

    def _send(self, what: bytes | Exception | None) -> None:
        peer, loop = self._peer, self.network.loop
        peer._incoming.append(what)
        peer._latest = max(peer._latest, loop.time() + self.network.latency(safe=self.safe))
        loop.call_at(peer._latest, peer._arrive, context=peer.context)

    def _arrive(self) -> None:
        if not self._paused:
            self._take()

    def _drain(self) -> None:
        while self._incoming and not self._paused:
            self._take()

    def _take(self) -> None:
        if not self._incoming:
            return
        what = self._incoming.popleft()
        if self._deaf or self._lost:
            return
        if isinstance(what, bytes):
            self.protocol.data_received(what)
        elif what is None:
            if not self.protocol.eof_received():
                self.close()
        else:
            self._closing = True
            self._lose(what)

    def _lose(self, why: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            self.network.forget(self)
            self.protocol.connection_lost(why)

    def _loop_call(self, call: Callable[..., None], *given: Any) -> None:
        self.network.loop.call_soon(call, *given, context=self.context)

    def __repr__(self) -> str:
        return f"{self.number}{'>' if self.is_client else '<'}"


class _Connector(aiohttp.BaseConnector):
    def __init__(self, network: Network, safe: bool) -> None:
        super().__init__()
        self._network, self._safe = network, safe

    async def _create_connection(self, req: Any, traces: Any, timeout: Any) -> ResponseHandler:
        protocol = ResponseHandler(self._loop)
        address = (req.url.host, req.url.port)
        try:
            await self._network.connect(address, protocol, safe=self._safe)
        except OSError as error:
            raise aiohttp.ClientConnectorError(req.connection_key, error) from error
        return protocol


def _shown(data: bytes) -> str:
    """Its first line and its body, but no headers: aiohttp's tell the machine's own time."""
    head, _, body = data.partition(b"\r\n\r\n")
    first = head.split(b"\r\n", 1)[0][:120].decode("latin-1")
    return f"{first} {len(body)} {crc32(body):08x}"
