"""The loops of all integrations: started, stopped and started anew as they are configured."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Protocol

from imsync.connectors.base import Connector, Limits
from imsync.core.fields import Instant
from imsync.core.offset import Offset
from imsync.engine.account import Account, Trouble
from imsync.engine.bell import Bell
from imsync.engine.drift import Drift
from imsync.engine.inbound import Inbound
from imsync.engine.limiter import Limiter
from imsync.engine.oncall import Desk
from imsync.engine.outbound import Outbound
from imsync.engine.subscription import Watch
from imsync.store import integrations, outbox, writes
from imsync.store.database import Connection, Database, DatabaseError, remedy
from imsync.store.integrations import Integration

log = logging.getLogger(__name__)

GRACE = 25.0
"""Seconds that a stopping loop has to finish the request in hand; its lease outlives it."""

SOON = 2.0
"""The same where somebody waits for an integration to be changed: what is cut short then is in
doubt, as after a crash, and settled from the log."""


PAUSE = 60_000
"""How long (ms) a loop waits after a bug of ours: what it came upon may be there still."""


class Loop(Protocol):
    """What goes on by itself for one integration, until its bell is stopped."""

    @property
    def bell(self) -> Bell: ...

    async def run(self) -> None: ...


class Connects(Protocol):
    """Makes the connector of an integration; the daemon knows which HTTP session to use."""

    def __call__(
        self,
        integration: Integration,
        *,
        heard: Callable[[Limits | None, Offset | None], None],
        priorities: dict[str, str],
    ) -> Connector: ...


@dataclass(frozen=True, slots=True)
class Crew:
    """The loops of one integration."""

    account: Account
    inbound: Inbound
    outbound: Outbound
    drift: Drift
    watch: Watch
    desk: Desk  # no loop: it answers who is on call

    @property
    def bells(self) -> tuple[Bell, ...]:
        return self.inbound.bell, self.outbound.bell, self.drift.bell, self.watch.bell


class Fleet:
    """Keeps a crew at work for every enabled integration that has a token."""

    def __init__(
        self,
        *,
        db: Database,
        connects: Connects,
        now: Callable[[], Instant],
        rng: Random,
        drift_interval: float,
        sweep_interval: float,
        rate_limit_share: float,
        max_attempts: int,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._db = db
        self._connects = connects
        self._now = now
        self._rng = rng
        self._drift_interval = drift_interval
        self._sweep_interval = sweep_interval
        self._rate_limit_share = rate_limit_share
        self._max_attempts = max_attempts
        self._sleep = sleep
        self.bugs: dict[str, Trouble] = {}  # by integration: what a loop of it failed with last
        self._crews: dict[str, tuple[Crew, list[asyncio.Task[None]]]] = {}
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """End the leases of whoever ran before us, then set every crew to work."""
        await self._db.run(recover)
        for integration in await self._db.read(integrations.every):
            self._set_to_work(integration)

    async def refresh(self, id_: str) -> None:
        """An integration was made, changed or deleted: work with what it is now."""
        await self.dismiss(id_, grace=SOON)
        for integration in await self._db.read(integrations.every):
            if integration.id == id_:
                self._set_to_work(integration)

    def ring(self, id_: str | None = None) -> None:
        """There is work: for this integration, or who knows for which."""
        for key, (crew, _) in self._crews.items():
            if id_ in (None, key):
                crew.inbound.bell.ring()
                crew.outbound.bell.ring()

    def _owed(self, own: Bell) -> None:
        """What was heard from one account may be owed to any of them."""
        own.ring()
        for crew, _ in self._crews.values():
            crew.outbound.bell.ring()

    def crew(self, id_: str) -> Crew | None:
        found = self._crews.get(id_)
        return found[0] if found else None

    def assemble(self, integration: Integration) -> Crew:
        """An integration's loops, not yet running: tests make their steps themselves."""
        limiter = self._limiter(integration.rate_limit)
        priorities: dict[str, str] = {}
        clock = Clockwork(integration, self._db)

        def heard(limits: Limits | None, offset: Offset | None) -> None:
            if limits is not None:
                limiter.heed(limits)
            if offset is not None:
                clock.measure(offset)

        account = Account(
            integration=integration,
            connector=self._connects(integration, heard=heard, priorities=priorities),
            limiter=limiter,
            db=self._db,
            now=self._now,
            rng=self._rng,
            max_attempts=self._max_attempts,
            priorities=priorities,
        )
        outbound = Outbound(account, Bell())
        owed = partial(self._owed, outbound.bell)
        drift = Drift(
            account,
            Bell(),
            owed,
            self._limiter(round(integration.rate_limit * self._rate_limit_share)),
            self._drift_interval,
            self._sweep_interval,
        )
        return Crew(
            account,
            Inbound(account, Bell(), owed),
            outbound,
            drift,
            Watch(account, Bell(), drift.bell),
            Desk(account),
        )

    def _limiter(self, per_minute: int) -> Limiter:
        return Limiter(per_minute, now=self._now, sleep=self._sleep)

    async def run(self) -> None:
        """Until cancelled. Raises DatabaseError: half a daemon would look healthy."""
        await self._failed

    async def stop(self) -> None:
        """Let every loop finish the request in hand."""
        await asyncio.gather(*(self.dismiss(id_, grace=GRACE) for id_ in list(self._crews)))

    def _set_to_work(self, integration: Integration) -> None:
        if not integration.enabled or integration.token is None:
            return
        crew = self.assemble(integration)
        tasks = [
            asyncio.create_task(
                self._keep_going(integration, loop),
                name=f"{integration.slug} {type(loop).__name__.lower()}",
            )
            for loop in (crew.inbound, crew.outbound, crew.drift, crew.watch)
        ]
        for task in tasks:
            task.add_done_callback(self._on_done)
        self._crews[integration.id] = crew, tasks

    async def _keep_going(self, integration: Integration, loop: Loop) -> None:
        """Run a loop until it is stopped. Raises DatabaseError when that fails.

        A bug costs its integration a pause, and the others nothing. What the loop had in hand
        is due again when its lease runs out.
        """
        while not loop.bell.stopped:
            try:
                await loop.run()
            except Exception as error:
                if isinstance(error, DatabaseError) and remedy(error):
                    raise
                name = type(loop).__name__.lower()
                log.exception("%s %s: a bug in imsync; it goes on", integration.slug, name)
                failed_at, said = self._now(), f"{type(error).__name__} in {name}"
                self.bugs[integration.id] = Trouble(failed_at, said)
                while not loop.bell.stopped and (left := failed_at + PAUSE - self._now()) > 0:
                    await loop.bell.wait(left / 1000)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None or self._failed.done():
            return
        error = task.exception()
        assert error is not None
        log.error("%s failed: %s", task.get_name(), error)
        self._failed.set_exception(error)

    async def dismiss(self, id_: str, *, grace: float = SOON) -> None:
        """Let an integration's loops finish what they hold, and work no more for it.

        What takes longer than `grace` seconds is cut short.
        """
        if id_ not in self._crews:
            return
        crew, tasks = self._crews.pop(id_)
        for bell in crew.bells:
            bell.stop()
        _, late = await asyncio.wait(tasks, timeout=grace)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)
            await self._db.run(recover, id_)  # nobody else ends the leases of what was cut short


class Clockwork:
    """Narrows an integration's clock offset with every answer, and keeps it when it moves."""

    _WORTH_KEEPING = 50  # ms

    def __init__(self, integration: Integration, db: Database) -> None:
        self._id, self._db = integration.id, db
        self._offset: Offset | None = None
        self._kept = integration.clock_offset
        self._saving: set[asyncio.Task[None]] = set()

    def measure(self, offset: Offset) -> None:
        self._offset = offset if self._offset is None else self._offset.narrowed(offset)
        if abs(self._offset.ms - self._kept) >= self._WORTH_KEEPING:
            self._kept = self._offset.ms
            task = asyncio.create_task(self._db.run(integrations.note_clock, self._id, self._kept))
            self._saving.add(task)
            task.add_done_callback(self._saving.discard)


def recover(conn: Connection, integration_id: str | None = None) -> None:
    """What was being sent (by one integration, or by all) and was cut short is in doubt.

    It is owed again.
    """
    writes.doubt_all(conn, integration_id)
    outbox.end_leases(conn, integration_id=integration_id)
