"""One seed, one story: both sides, people on them, and all that goes wrong, until it is quiet.

The daemon, its database and its HTTP are real, and so is the sandbox; time, the network, the
disk and the order of things are the seed's.
"""

import asyncio
from collections.abc import Callable, Iterable
from contextvars import Context
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from imsync.core.fields import NEVER, Field, Instant, Known, Value
from imsync.core.merge import Strategy
from imsync.sandbox.limits import Rates
from imsync.store import inbox, incidents, links, outbox
from tests.simulation.daemon import Daemon, Settings
from tests.simulation.disk import Trouble, connection
from tests.simulation.loop import Process, VirtualLoop
from tests.simulation.network import Network
from tests.simulation.people import People
from tests.simulation.there import ITSELF, US, Line, There
from tests.simulation.weather import Weather

EPOCH: Final = 1_800_000_000_000
LONGEST: Final = 7_200.0
"""Seconds after the last fault by which the sides must have come to agree."""

_SKEWS: Final = (0, 0, 0, 2_500, -4_321, 7_654, 60_000)


@dataclass(frozen=True, slots=True)
class Met:
    """What an edit there met here: what we said, what we believed they did, what was agreed."""

    said: Value
    believed: Known
    agreed: Known


@dataclass(slots=True)
class Counts:
    """For the table."""

    edits: int = 0
    conflicts: int = 0
    crashes: int = 0
    convergence: float = 0.0  # seconds from the end of all trouble until the sides agree
    calls: int = 0
    allowed: float = 0.0  # calls that the rate limit would have let us make


def nobody(_: str) -> None:
    """Nobody listens."""


class World:
    """`differences` is the oracle's question, asked until there are none."""

    def __init__(
        self,
        seed: int,
        loop: VirtualLoop,
        say: Callable[[str], None],
        differences: Callable[["World"], Iterable[str]],
    ) -> None:
        self.rng = rng = Random(seed)
        self.loop, self._n = loop, 0
        self._say, self._differences = say, differences
        self.counts = Counts()
        self.conn = connection(self.count)
        self.network = Network(loop, Random(rng.random()), self.say)
        self.disk = Trouble()
        sweep = rng.choice((30.0, 60.0, 120.0))
        self.settings = Settings(drift_interval=rng.choice((10.0, 20.0)), sweep_interval=sweep)
        self.met: dict[int, Met] = {}
        self.there: list[There] = []
        self.ids: list[str] = []
        for index in range(rng.choice((1, 1, 1, 1, 2))):
            self.there.append(self._account(index))
        self.daemon: Daemon | None = None
        self.bugs: list[str] = []  # what loops of the daemons before this one failed with
        self._lives = 0
        self._frozen: asyncio.Task[None] | None = None
        safe = self.network.session(safe=True)
        self.people = People(
            Random(rng.random()),
            self.there,
            self.network.session(),
            safe,
            self.now,
            self._numbers,
            self._earlier,
        )
        self.weather = Weather(
            Random(rng.random()),
            self.network,
            self.there,
            self.disk,
            kill=self.kill,
            stop=self.stop,
        )

    def _account(self, index: int) -> There:
        rng = self.rng
        there = There(
            self.network,
            Random(rng.random()),
            port=7_001 + index,
            now=self.now,
            count=self.count,
            met=lambda line: self._meet(index, line),
            skew=rng.choice(_SKEWS),
            rates=Rates.of(rng.choice((960, 960, 240, 96))),
        )
        there.sandbox.switches.longest_retry = rng.choice((60, 3_600))
        return there

    # --- time and trace

    def now(self) -> Instant:
        return Instant(EPOCH + int(self.loop.time() * 1_000))

    def count(self) -> int:
        self._n += 1
        return self._n

    def say(self, what: str) -> None:
        self._say(f"{self.loop.time():12.5f} {what}")

    def hush(self) -> None:
        """The story is over: what is torn down after it is no part of it, nor in any order."""
        self._say = nobody

    # --- the story

    async def live(self) -> None:
        """From the first edit until both sides agree, and are quiet."""
        for there in self.there:
            await there.start()
        supervisor = asyncio.create_task(self._supervise())
        await self._set_up()
        self.say("--- the story begins")
        for _ in range(self.rng.choice((1, 1, 2))):
            self.people.begin(self.rng.choice((self.people.declare, self.people.trigger)))
        await self.people.finish()
        if self.rng.random() < 0.7:
            await asyncio.sleep(self.rng.uniform(0.1, 10))
        storms = asyncio.create_task(self.weather.blow())
        for _ in range(self.rng.randrange(4, 30)):
            self.people.act()
            await asyncio.sleep(self._pause())
        storms.cancel()
        await self.people.finish()
        self.weather.calm()
        if self._frozen:
            await self._frozen
        self.say("--- faults stop")
        since = self.loop.time()
        await self._come_to_rest(since)
        self.counts.convergence = self.loop.time() - since
        for there in self.there:
            await there.delivered()  # what was refused in the trouble is sent again hours later
        # What a write of ours covered is known when the log has been read past it, not before.
        await asyncio.sleep(2 * self.settings.drift_interval)
        await self._come_to_rest(self.loop.time())
        self.supervisor = supervisor

    def _pause(self) -> float:
        """Most edits race; some come when all is settled."""
        rng = self.rng
        return rng.choice((rng.uniform(0, 0.1), rng.uniform(0, 2), rng.uniform(0, 2), 5.0, 15.0))

    async def quiet(self, seconds: float) -> None:
        """Nothing new: looks, repeats, and time."""
        self.say("--- quiet")
        for there in self.there:
            there.sandbox.repeat(5)
        await asyncio.sleep(seconds)

    async def end(self) -> None:
        self.supervisor.cancel()
        if self.daemon:
            self.daemon.terminate()
            await self.daemon.over()
        for there in self.there:
            await there.stop()
        self.network.end()

    async def _come_to_rest(self, since: float) -> None:
        """Wait until nothing is owed any more; people try again what was given up on."""
        while self.loop.time() - since < LONGEST:
            await asyncio.sleep(1 if self.loop.time() - since < 60 else 10)
            await self._retry_dead_letters()
            if not self.owing() and not any(self._differences(self)):
                return

    async def _retry_dead_letters(self) -> None:
        """What was refused would be refused again; what nobody answered will be, by now."""
        rows = self.conn.execute(
            "SELECT id FROM dead_letters WHERE code LIKE 'external_un%' ORDER BY id"
        ).fetchall()
        for row in rows:
            await self.people.ask("POST", f"/dead-letters/dlq_{row['id']}/retry", safe=True)

    # --- the daemon

    def kill(self) -> None:
        if self.daemon:
            self.counts.crashes += not self.daemon.process.dead
            self.say("killed")
            self.daemon.kill()

    def stop(self) -> None:
        if self.daemon:
            self.say("SIGTERM")
            self.daemon.terminate()

    def freeze(self) -> None:
        """SIGSTOP, or a host that sleeps: the daemon stands still, and does not know that it did.

        Nobody takes its place meanwhile, for it goes on holding the lock file.
        """
        if self.daemon is None or self.daemon.process.dead or self._frozen:
            return
        process = self.daemon.process
        self.say(f"{process} stands still")
        process.frozen = []
        self._frozen = self.loop.create_task(self._thaw(process), context=Context())

    async def _thaw(self, process: Process) -> None:
        """The longest outlasts a lease."""
        await asyncio.sleep(self.rng.choice((2, 10, 60, 400)))
        self.say(f"{process} goes on")
        self.loop.thaw(process)
        self._frozen = None

    async def _supervise(self) -> None:
        """Start the daemon, and again whenever it has ended."""
        while True:
            self._lives += 1
            self.daemon = Daemon(
                f"imsyncd-{self._lives}",
                conn=self.conn,
                network=self.network,
                now=self.now,
                rng=Random(self.rng.random()),
                settings=self.settings,
                disk=self.disk,
                freeze=self.freeze,
            )
            self.say(f"{self.daemon.process} starts")
            self.daemon.start()
            self.say(f"{self.daemon.process} {await self.daemon.over()}")
            self.bugs += self.daemon.bugs
            await asyncio.sleep(self.rng.choice((0.1, 1, 5, 40)))

    async def _set_up(self) -> None:
        """As people do: configure the integrations, and install their subscriptions."""
        await asyncio.sleep(1)
        for index, there in enumerate(self.there):
            described = there.sandbox.describe()
            body: dict[str, Any] = {
                "name": f"PagerDuty {index + 1}",
                "integration_type": "pagerduty",
                "base_url": there.url,
                "credentials": {"token": described["token"]},
                "from_email": described["from_email"],
                "default_service": described["default_service"],
                "conflict_strategy": self.rng.choice(list(Strategy)),
                "rate_limit": there.sandbox.rates.everything * 9 // 10,
            }
            status, told = await self.people.ask("POST", "/integrations", body, safe=True)
            assert status == 201, told
            self.ids.append(told["id"])
            status, told = await self.people.ask(
                "POST", f"/integrations/{told['id']}/webhook", {}, safe=True
            )
            assert status in (200, 201), told

    def sum_up(self) -> None:
        """Count what the table tells."""
        conn, counts = self.conn, self.counts
        (here,) = conn.execute("SELECT COUNT(*) FROM history WHERE by = person").fetchone()
        there = sum(line.by not in (US, ITSELF) for one in self.there for line in one.lines)
        counts.edits = here + there
        (counts.conflicts,) = conn.execute("SELECT COUNT(*) FROM conflicts").fetchone()
        counts.calls = sum(one.counted.asked for one in self.there)
        minutes = self.loop.time() / 60
        counts.allowed = sum(one.sandbox.rates.everything * minutes for one in self.there)

    # --- how it stands

    def owing(self) -> bool:
        return any(
            outbox.pending(self.conn, id_)[0] or inbox.count_pending(self.conn, id_)
            for id_ in self.ids
        )

    def standing(self) -> list[str]:
        """All that stands on either side, and how often we wrote."""
        there = [f"{one.address}: {one.sandbox.writes} writes" for one in self.there]
        rows = self.conn.execute(
            "SELECT incident_id, field, value FROM incident_fields ORDER BY incident_id, field"
        )
        return [*there, *(f"{tuple(row)}" for row in rows)]

    def _numbers(self) -> list[int]:
        rows = self.conn.execute("SELECT id FROM incidents ORDER BY id").fetchall()
        return [row["id"] for row in rows]

    def _earlier(self, number: int, field: Field) -> list[Value]:
        """What stood in a field before."""
        rows = self.conn.execute(
            "SELECT old FROM history WHERE incident_id = ? AND field = ? AND old IS NOT NULL"
            " ORDER BY n DESC LIMIT 3",
            (number, field),
        ).fetchall()
        return [row["old"] for row in rows]

    def _meet(self, index: int, line: Line) -> None:
        """Note what stood here when that edit was made there."""
        if line.by in (US, ITSELF) or index >= len(self.ids):
            return
        link = links.to(self.conn, self.ids[index], line.external_id)
        if link is None:
            return
        edit = incidents.get(self.conn, link.incident_id).edits[line.field]
        state = links.fields(self.conn, link.id)[line.field]
        believed = state.seen.value if state.seen else NEVER
        self.met[line.n] = Met(edit.value, believed, state.base.external)
