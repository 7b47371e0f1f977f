"""Files, threads, and units of work.

A *unit of work* is a plain synchronous function whose first argument is a connection.
It is run whole, on aiosqlite's thread, inside one transaction: nothing comes between
its reads and its writes, it cannot await the network while it holds the database, and
a crash leaves all of it or none.

Exactly one connection writes and checkpoints: SQLite before 3.51.3 can corrupt a WAL
database when two do so at once. Readers are `query_only` and never checkpoint.
"""

import asyncio
import logging
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeAlias, TypeVar, cast

import aiosqlite

from imsync.errors import UserError
from imsync.store import keys, schema, sealed, sealing
from imsync.store.sealing import Keyed, Keyring

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

Connection: TypeAlias = sqlite3.Connection
DatabaseError: TypeAlias = sqlite3.Error
Illegal: TypeAlias = sqlite3.IntegrityError
"""A unit of work wrote what the schema refuses: a bug of its own, and undone alone."""

_YOURS = "let the file and its folder be the daemon's own, to write to"
_ANOTHER = "put a good copy in its place: `imsyncd --restore FILE`"

_REMEDIES: Final = {
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_BUSY: "end what holds the file",
    sqlite3.SQLITE_IOERR: "see whether its disk is well, and has room",
    sqlite3.SQLITE_READONLY: _YOURS,
    sqlite3.SQLITE_CANTOPEN: _YOURS,
    sqlite3.SQLITE_PERM: _YOURS,
    sqlite3.SQLITE_CORRUPT: _ANOTHER,
    sqlite3.SQLITE_NOTADB: _ANOTHER,
}
"""By SQLite's primary result code: what goes wrong around us. Everything else is our own doing."""

_CHECKPOINT_PAGES = 4_000
"""16 MB of WAL between checkpoints: they are what the slowest commits wait for."""

_WRITER = ("journal_mode = WAL", "synchronous = FULL", f"wal_autocheckpoint = {_CHECKPOINT_PAGES}")
"""Set once the file is known to be imsync's: the first of them is written into it."""

_PATIENCE = 30_000
"""How long (ms) a commit waits while another process holds the file: somebody copies it, say.
Deliveries do not wait so long, and PagerDuty sends them again."""

_LARGEST_GROUP = 256
"""So that those who came first are told within bounded time."""


class Database:
    """One database file: `run` for units that write, `read` for those that only look.

    Units that queued while the last commit ran share the next one (group commit); one
    that fails is undone alone, and only its caller hears of it. Nobody waits for company.
    """

    def __init__(
        self,
        writer: aiosqlite.Connection,
        reader: aiosqlite.Connection | None,
        source: keys.Source | None = None,
    ) -> None:
        self._writer = writer
        self._reader = reader or writer
        self._source = source or keys.Nowhere()
        self._rotating = asyncio.Lock()
        self._queue: list[tuple[Callable[[Connection], Any], asyncio.Future[Any]]] = []
        self._work = asyncio.Event()
        self._closing = False
        self._written = 0
        self._news = asyncio.Event()
        self._commits = asyncio.create_task(self._commit_in_groups(), name="database")

    @classmethod
    async def open(
        cls,
        path: Path | str,
        source: keys.Source | None = None,
        *,
        rotated: sealed.Tell | None = None,
    ) -> Self:
        """Open the database, making it or bringing its schema up to date.

        `source`: where its keys are, beside it unless said otherwise. `rotated` is told of a key
        that has taken another's place there since the last time. `:memory:` has one
        connection for everything, and a key of its own. Raises DatabaseError for a file that is
        damaged, schema.TooNew, sealed.SecretsLocked, keys.BadKey.
        """
        in_memory = str(path) == ":memory:"
        source = source or (keys.Nowhere() if in_memory else keys.KeyFile(keys.beside(Path(path))))
        if not in_memory:
            await asyncio.to_thread(Path(path).touch, mode=0o600)
        writer = await _connect(path, writing=True)
        try:
            ring = await _on_thread(writer, _prepare, source, rotated)
            if not in_memory:
                await asyncio.to_thread(_make_private, Path(path))
            reader = None if in_memory else await _connect(path, writing=False, ring=ring)
        except BaseException:
            await writer.close()
            raise
        return cls(writer, reader, source)

    async def run(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a unit of work; when this returns, what it wrote is on the disk.

        Where the caller is cancelled before its turn has come, nothing is done, nor remembered:
        while another process holds the file, what nobody waits for would fill memory.
        """
        if self._closing:
            raise RuntimeError("the database is closed")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        waiting = (lambda conn: work(conn, *args, **kwargs), done)
        self._queue.append(waiting)
        self._work.set()
        try:
            return await done
        except asyncio.CancelledError:
            if waiting in self._queue:
                self._queue.remove(waiting)
            raise

    async def read(
        self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a function that only reads: all of it sees the same moment."""
        if self._reader is self._writer:
            return await self.run(work, *args, **kwargs)

        def transaction(conn: Connection) -> T:
            conn.execute("BEGIN")
            try:
                return work(conn, *args, **kwargs)
            finally:
                conn.execute("ROLLBACK")

        return await _on_thread(self._reader, transaction)

    @property
    def key_place(self) -> str:
        """Where its keys are: the file's path, or the variable's name."""
        return self._source.place

    async def rotate_key(
        self, tell: Callable[[Connection, sealed.Rotated], None] | None = None
    ) -> sealed.Rotated:
        """Seal every secret with a new key, and `tell` of it in the same transaction.

        Raises UserError where the key cannot be kept.

        At every moment the file has each key that something is sealed with: the old one leaves
        it when that is on the disk; after a crash, at the next start.
        """
        async with self._rotating:
            done = await self.run(sealed.rotate, self._source, tell)
            needed = await self.read(sealed.needed)
            try:
                await asyncio.to_thread(self._source.write, needed)
            except UserError as error:
                raise UserError(
                    f"all is sealed with the key {done.key} now, and the old one is still there:"
                    f" {error}",
                    hint="it goes with the next start",
                ) from None
        return done

    async def written(self, since: int) -> int:
        """How many commits have written something, once there are more than `since`."""
        while self._written <= since:
            await self._news.wait()
        return self._written

    async def close(self) -> None:
        """Finish what was queued, then put the files away."""
        self._closing = True
        self._work.set()
        await self._commits
        if self._reader is not self._writer:
            await self._reader.close()
        await self._writer.close()

    async def _commit_in_groups(self) -> None:
        while not (self._closing and not self._queue):
            await self._work.wait()
            self._work.clear()
            while group := self._queue[:_LARGEST_GROUP]:
                del self._queue[:_LARGEST_GROUP]
                works = [work for work, _ in group]
                try:
                    outcomes, wrote = await _on_thread(self._writer, _in_one_commit, works)
                except Exception as error:  # the commit itself failed: nobody's work was kept
                    outcomes, wrote = [error] * len(group), False
                if wrote:
                    self._written += 1
                    self._news.set()
                    self._news = asyncio.Event()  # for whoever waits for the next one
                for (_, done), outcome in zip(group, outcomes, strict=True):
                    if done.cancelled():
                        continue
                    if isinstance(outcome, _Done):
                        done.set_result(outcome.result)
                    else:
                        done.set_exception(outcome)


@contextmanager
def undone(conn: Connection) -> Iterator[None]:
    """Take back whatever is written inside, and only that."""
    conn.execute("SAVEPOINT trial")
    try:
        yield
    finally:
        conn.execute("ROLLBACK TO trial")
        conn.execute("RELEASE trial")


def remedy(error: DatabaseError | OSError) -> str:
    """What a person can do about a database that failed; nothing where it is a bug of ours."""
    if isinstance(error, OSError):
        return _YOURS
    code: int | None = getattr(error, "sqlite_errorcode", None)  # none: `schema` has found it
    return _ANOTHER if code is None else _REMEDIES.get(code & 0xFF, "")


class _Done:
    def __init__(self, result: Any) -> None:
        self.result = result


def _in_one_commit(
    conn: Connection, works: list[Callable[[Connection], Any]]
) -> tuple[list[_Done | Exception], bool]:
    """Each one's outcome, and whether anything was written."""
    outcomes: list[_Done | Exception] = []
    before = conn.total_changes
    conn.execute("BEGIN IMMEDIATE")
    try:
        for work in works:
            conn.execute("SAVEPOINT unit")
            try:
                outcomes.append(_Done(work(conn)))
            except Exception as error:  # its caller's to handle: it goes there, whole
                if not conn.in_transaction:  # SQLite gave up the whole transaction: disk full
                    raise
                conn.execute("ROLLBACK TO unit")
                outcomes.append(error)
            conn.execute("RELEASE unit")
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise
    return outcomes, conn.total_changes != before


def _prepare(conn: Connection, source: keys.Source, rotated: sealed.Tell | None) -> Keyring:
    """Check it, have it up to date, and its secrets sealed; the keys that they are sealed with.

    What stood plain is sealed, and its traces are gone, before the schema says that nothing is
    left: whatever comes between, the next start does it again.
    """
    schema.must_be_known(conn)
    for pragma in _WRITER:
        conn.execute(f"PRAGMA {pragma}")
    schema.check(conn)
    before = schema.version(conn)
    conn.execute("BEGIN IMMEDIATE")
    try:  # one that can only be read is found out now
        conn.execute("CREATE TABLE writable (n INTEGER)")
    finally:
        conn.execute("ROLLBACK")
    if not 0 < before < sealed.SINCE:
        schema.upgrade(conn)
    ring, had_plain = sealed.unlock(conn, source, rotated)
    if had_plain or 0 < before < sealed.SINCE:
        sealed.scrub(conn)
        schema.upgrade(conn)
    # What was made, or a crash has left, is in the file itself from now on: it is a while until
    # the next checkpoint, and a file without its WAL would be taken for a new one.
    conn.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return ring


def _make_private(path: Path) -> None:
    """Let a database be its owner's alone, also one that somebody has copied here."""
    file = path.resolve()  # SQLite follows links, too
    for part in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))):
        if part.exists() and (mode := stat.S_IMODE(part.stat().st_mode)) & 0o077:
            part.chmod(0o600)
            log.warning("%s was not its owner's alone (mode %04o), and is now", part, mode)


async def _connect(
    path: Path | str, *, writing: bool, ring: Keyring | None = None
) -> aiosqlite.Connection:
    opening = aiosqlite.connect(path, isolation_level=None, factory=Keyed)
    try:
        conn = await opening
    except BaseException:
        # Its thread has a last word to say, for which the loop must be there still.
        await asyncio.to_thread(opening._thread.join)
        raise
    pragmas = ["foreign_keys = ON", f"busy_timeout = {_PATIENCE}"]
    if not writing:
        pragmas += ["query_only = ON", "wal_autocheckpoint = 0"]

    def prepare(conn: Connection) -> None:
        conn.row_factory = sqlite3.Row
        if ring is not None:
            sealing.give(conn, ring)
        for pragma in pragmas:
            conn.execute(f"PRAGMA {pragma}")

    try:
        await _on_thread(conn, prepare)
    except BaseException:
        await conn.close()
        raise
    return conn


async def _on_thread(
    conn: aiosqlite.Connection,
    work: Callable[Concatenate[Connection, P], T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Run a function on aiosqlite's thread in one hop.

    aiosqlite has no public way to run a whole function there, and a hop per statement
    costs six times as much; a test pins the two private names used here.
    """
    return cast(T, await conn._execute(work, conn._conn, *args, **kwargs))  # type: ignore[no-untyped-call]
