"""The daemon's database, whole and real, on a disk that one seed decides on.

`Database` itself runs: its queue, its group commits, its savepoints. Only the thread is left
out: what it would run, this runs in the loop's own, when the disk has got round to it. A
connection in memory outlives the daemon, as a file would: what was committed is there for
the next, and nothing else is.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from random import Random
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast

import aiosqlite

from imsync.store import schema
from imsync.store.database import Connection, Database
from imsync.store.outbox import Claim
from imsync.store.sealing import Keyed

P = ParamSpec("P")
T = TypeVar("T")

PERSON: ContextVar[str] = ContextVar("person", default="")
"""Whose request the daemon is answering; nobody's, when it does something by itself."""

_HISTORY: Final = """
CREATE TEMP TABLE history (
    n INTEGER NOT NULL, incident_id INTEGER, field TEXT, old TEXT, new TEXT, at INTEGER,
    by TEXT, person TEXT, early INTEGER
);
CREATE TEMP TRIGGER born AFTER INSERT ON main.incident_fields BEGIN
    INSERT INTO history VALUES (sim_count(), NEW.incident_id, NEW.field, NULL, NEW.value, NEW.at,
        NEW.by, sim_person(), 1);
END;
CREATE TEMP TRIGGER edited AFTER UPDATE OF value ON main.incident_fields
    WHEN OLD.value IS NOT NEW.value BEGIN
    INSERT INTO history VALUES (sim_count(), NEW.incident_id, NEW.field, OLD.value, NEW.value,
        NEW.at, NEW.by, sim_person(), EXISTS (SELECT 1 FROM links l
            WHERE l.incident_id = NEW.incident_id AND l.state = 'creating'));
END;
"""
"""What stood in every field, one after the other: kept beside the database, and by SQLite."""


@dataclass(slots=True)
class Trouble:
    slow: float = 0.0
    """How likely a commit (or a look) takes up to eight seconds."""
    full: float = 0.0
    """How likely the disk is full, once."""
    deadly: float = 0.0
    """How likely the daemon dies over a commit: just before it, or just after."""
    cold: float = 0.0
    """How likely it stands still over a commit while it is sending something."""


class Disk:
    """Stands where aiosqlite's connection does: `Database` asks no more of it than this."""

    def __init__(
        self, conn: Connection, rng: Random, trouble: Trouble, die: Callable[[], None]
    ) -> None:
        self._conn = conn
        self._rng, self._trouble, self._die = rng, trouble, die

    async def _execute(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        rng, trouble = self._rng, self._trouble
        slow = rng.random() < trouble.slow
        await asyncio.sleep(rng.uniform(0.1, 8) if slow else rng.uniform(0.000_1, 0.002))
        dies = rng.random() < trouble.deadly
        if dies and rng.random() < 0.5:
            await self._end()
        if rng.random() < trouble.full:
            raise sqlite3.OperationalError("database or disk is full")
        result = work(*args, **kwargs)
        if dies:
            await self._end()
        return result

    async def _end(self) -> None:
        self._die()
        await asyncio.get_running_loop().create_future()  # nobody comes back from here

    def is_cold(self) -> bool:
        return self._trouble.cold > 0 and self._rng.random() < self._trouble.cold

    async def close(self) -> None:
        """The connection outlives whoever used it."""


class SimulatedDatabase(Database):
    def __init__(self, writer: Disk, reader: Disk, freeze: Callable[[], None]) -> None:
        super().__init__(cast(aiosqlite.Connection, writer), cast(aiosqlite.Connection, reader))
        self._disk, self._freeze = writer, freeze

    async def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        person = PERSON.get()

        def marked(conn: Connection) -> T:
            token = PERSON.set(person)  # units of several callers share a commit
            try:
                return work(conn, *args, **kwargs)
            finally:
                PERSON.reset(token)

        result = await super().run(marked)
        if any(isinstance(one, Claim) for one in (result, *args)) and self._disk.is_cold():
            self._freeze()
            await asyncio.sleep(0)  # what was committed is heard of when it goes on
        return result


class Kept(Keyed):
    """A connection that numbers its history."""

    count: Callable[[], int]


_SPARE: list[Kept] = []


def connection(count: Callable[[], int]) -> Kept:
    """An empty database: one that was given back, or a new one."""
    conn = _SPARE.pop() if _SPARE else _new()
    conn.count = count
    return conn


def _new() -> Kept:
    conn = sqlite3.connect(":memory:", isolation_level=None, cached_statements=1024, factory=Kept)
    schema.upgrade(conn)
    conn.row_factory = sqlite3.Row
    conn.create_function("sim_count", 0, lambda: conn.count())
    conn.create_function("sim_person", 0, PERSON.get)
    conn.executescript(_HISTORY)
    conn.execute("DROP TRIGGER audit_is_not_pruned")  # `give_back` empties every table
    conn.execute("PRAGMA foreign_keys = ON")
    return conn


def give_back(conn: Kept) -> None:
    """Empty it for the next: its statements are prepared already, which is half the cost."""
    if conn.in_transaction:
        conn.execute("ROLLBACK")
    conn.execute("PRAGMA foreign_keys = OFF")
    for row in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
        conn.execute(f"DELETE FROM {row['name']}")
    conn.execute("DELETE FROM history")
    conn.execute("PRAGMA foreign_keys = ON")
    _SPARE.append(conn)
