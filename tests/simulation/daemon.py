"""The daemon, whole: its API, its loops, its connectors; started, killed, stopped, started again.

It is put together as `imsync.daemon.serve` does, from the same parts, but for the disk, the
network and the clock. A kill is kill -9: nothing of it runs any more, not even a `finally`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from random import Random

from aiohttp import web

from imsync.api import app
from imsync.api.context import Context
from imsync.core.fields import Instant
from imsync.daemon import connecting, ids
from imsync.engine.fleet import Fleet
from tests.simulation.disk import PERSON, Disk, Kept, SimulatedDatabase, Trouble
from tests.simulation.loop import PROCESS, Process
from tests.simulation.network import Network

LISTEN = ("127.0.0.1", 8080)
URL = "http://{}:{}".format(*LISTEN)


@dataclass(frozen=True, slots=True)
class Settings:
    """As in `config.toml`."""

    drift_interval: float
    sweep_interval: float
    rate_limit_share: float = 0.5
    max_attempts: int = 12


class Daemon:
    """One process: from its start until it is killed or stopped, or fails."""

    def __init__(
        self,
        name: str,
        *,
        conn: Kept,
        network: Network,
        now: Callable[[], Instant],
        rng: Random,
        settings: Settings,
        disk: Trouble,
        freeze: Callable[[], None],
    ) -> None:
        self.process = Process(name)
        self._conn, self._network, self._now = conn, network, now
        self._rng, self._settings, self._disk, self._freeze = rng, settings, disk, freeze
        self._stop = asyncio.Event()
        self._ended = asyncio.get_running_loop().create_future()
        self.fleet: Fleet | None = None

    @property
    def bugs(self) -> list[str]:
        """What its loops failed with by our own fault."""
        return [bug.message for bug in self.fleet.bugs.values()] if self.fleet else []

    def start(self) -> None:
        context = copy_context()
        context.run(PROCESS.set, self.process)
        self._task = asyncio.get_running_loop().create_task(self._run(), context=context)

    def kill(self) -> None:
        """SIGKILL."""
        if not self.process.dead:
            self.process.dead = True
            self._network.dies(self.process)
            self._end("killed")

    def terminate(self) -> None:
        """SIGTERM: it ends when what is in hand is finished."""
        self._stop.set()

    async def over(self) -> str:
        """Wait until it has ended; says how."""
        return await asyncio.shield(self._ended)

    def _end(self, how: str) -> None:
        if not self._ended.done():
            self._ended.set_result(how)

    async def _run(self) -> None:
        writer, reader = (Disk(self._conn, self._rng, self._disk, self.kill) for _ in range(2))
        db = SimulatedDatabase(writer, reader, self._freeze)
        session = self._network.session()
        try:
            fleet = Fleet(
                db=db,
                connects=connecting(session, self._now),
                now=self._now,
                rng=self._rng,
                drift_interval=self._settings.drift_interval,
                sweep_interval=self._settings.sweep_interval,
                rate_limit_share=self._settings.rate_limit_share,
                max_attempts=self._settings.max_attempts,
            )
            context = Context(
                db=db,
                fleet=fleet,
                now=self._now,
                new_id=ids(self._rng),
                database=Path("simulated"),
                started_at=self._now(),
                public_url=URL,
                listen="{}:{}".format(*LISTEN),
            )
            made = app.make(context)
            made.middlewares.insert(0, _whose)
            runner = web.AppRunner(made, access_log=None, shutdown_timeout=5)
            await runner.setup()
            assert runner.server is not None
            self._network.listen(LISTEN, runner.server)
            try:
                await fleet.start()
                self.fleet = fleet
                await _first(self._stop.wait(), fleet.run())
            finally:
                self._network.close(LISTEN)
                await fleet.stop()
                await runner.cleanup()
        except Exception as error:  # a daemon that fails exits, and is started again
            self._network.say(f"{self.process} failed: {error!r}")
        finally:
            await session.close()
            await db.close()
            self.process.dead = True
            self._network.dies(self.process)
            self._end("stopped")


async def _first(*waits: Awaitable[object]) -> None:
    """Until one of them is over; raises what it raised."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()


@web.middleware
async def _whose(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Note whose edit it is that is asked for, for the history."""
    if request.method != "GET" and "/webhooks/" not in request.path:
        PERSON.set(request.headers.get("From", ""))
    return await handler(request)
