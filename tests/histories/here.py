"""Our side without a loop or threads: real units of work and real steps, driven by hand.

Every await of a step is a place where a history may let others act, or crash. So the same
seed is the same history, always, and thousands of them fit into a minute.
"""

import sqlite3
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, Concatenate, ParamSpec, TypeVar

from imsync.connectors.base import Limits, Operation
from imsync.core.fields import Instant
from imsync.engine.account import Account
from imsync.engine.bell import Bell
from imsync.engine.drift import Drift
from imsync.engine.inbound import Inbound
from imsync.engine.limiter import Limiter
from imsync.engine.outbound import Outbound
from imsync.store import integrations, schema
from imsync.store.database import Connection, Database
from imsync.store.sealing import Keyed
from tests.histories.elsewhere import Elsewhere
from tests.histories.road import Road

P = ParamSpec("P")
T = TypeVar("T")


class Turn:
    """Awaited, it lets whoever drives the step do something else first."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def turn() -> None:
    await Turn()


class Here(Database):
    """One connection in memory, in the thread that drives: a unit a transaction, as ever."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn

    async def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        await turn()
        return self.at_once(work, *args, **kwargs)

    async def read(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        await turn()
        return work(self.conn, *args, **kwargs)

    def at_once(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        self.conn.execute("BEGIN")
        try:
            done = work(self.conn, *args, **kwargs)
        except BaseException:
            self.conn.execute("ROLLBACK")
            raise
        self.conn.execute("COMMIT")
        return done


class Permits(Limiter):
    """There is always one."""

    def __init__(self) -> None:
        self.heard: Limits | None = None

    async def acquire(self, operation: Operation = Operation.OTHER) -> None:
        await turn()

    def closed_for(self, operation: Operation = Operation.OTHER) -> int:
        return 0

    def heed(self, limits: Limits) -> None:
        """Nobody tells."""

    def close(self, operation: Operation, *, for_ms: int) -> None:
        """The clock of a history moves by itself."""


_SPARE: list[Connection] = []


def database() -> Here:
    """An empty database: one that was given back, or a new one."""
    if _SPARE:
        return Here(_SPARE.pop())
    conn = sqlite3.connect(":memory:", isolation_level=None, cached_statements=512, factory=Keyed)
    schema.upgrade(conn)
    conn.row_factory = sqlite3.Row
    conn.execute("PRAGMA foreign_keys = ON")
    return Here(conn)


def give_back(db: Here) -> None:
    """Empty it for the next history: its statements are prepared already."""
    conn = db.conn
    conn.execute("PRAGMA foreign_keys = OFF")
    for row in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        conn.execute(f"DELETE FROM {row['name']}")
    conn.execute("PRAGMA foreign_keys = ON")
    _SPARE.append(conn)


Step = Coroutine[Any, Any, bool]


def drive(step: Coroutine[Any, Any, object]) -> None:
    """Make all turns of something that nobody interrupts."""
    with suppress(StopIteration):
        while True:
            step.send(None)


@dataclass
class Crew:
    """The loops of one integration, and the step that each of them is in the middle of."""

    account: Account
    road: Road
    loops: dict[str, Inbound | Outbound | Drift]
    steps: dict[str, Step] = field(default_factory=dict)

    def go_on(self, name: str, turns: int) -> bool | None:
        """Make so many turns of that loop's step; what it returned, None if it is not done."""
        step = self.steps.pop(name, None) or self.loops[name].step()
        self.road.asking = name
        for _ in range(turns):
            try:
                step.send(None)
            except StopIteration as done:
                return bool(done.value)
        self.steps[name] = step
        return None

    def finish(self, name: str) -> bool:
        """Make the rest of that loop's step, or all of a new one."""
        done = self.go_on(name, 10_000)
        assert done is not None, f"{name} never ends"
        return done

    def drop(self) -> None:
        """All that is in memory is lost."""
        for step in self.steps.values():
            step.close()
        self.steps.clear()


def crew(
    db: Here,
    there: Elsewhere,
    id_: str,
    *,
    clock: Callable[[], Instant],
    rng: Random,
    max_attempts: int,
    trouble: float,
) -> Crew:
    road = Road(there, turn, trouble, offset=there.skew)
    account = Account(
        integration=integrations.get(db.conn, id_),
        connector=road,
        limiter=Permits(),
        db=db,
        now=clock,
        rng=rng,
        max_attempts=max_attempts,
    )
    bell = Bell()
    loops: dict[str, Inbound | Outbound | Drift] = {
        "inbound": Inbound(account, bell, bell.ring),
        "outbound": Outbound(account, bell),
        "drift": Drift(account, bell, bell.ring, Permits(), 60, 300),
    }
    return Crew(account, road, loops)
