"""A copy of the database while it is in use: consistent, whole, in one file."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from imsync.errors import Clash, Overloaded, UserError
from imsync.store import sealed
from imsync.store.folders import flush

_PAGES = 4_000
"""Copied at one go: 16 MB, after which it may be stopped."""


@dataclass(frozen=True, slots=True)
class Copy:
    bytes: int
    keys: list[str]  # the ids of those that its secrets are sealed with; they are not in it


def copy(database: Path, to: Path, *, stopped: Callable[[], bool] = lambda: False) -> Copy:
    """Copy the database as it is at this moment. Blocks: run it on a thread.

    A connection of its own reads one moment of the WAL, so nobody waits for it; it neither
    writes nor checkpoints. The copy is its owner's alone, and what a crash leaves of one is an
    empty file, and beside it what there was, as `….new`. Raises Clash for a file that exists,
    UserError where it cannot be written, Overloaded once `stopped` says so.
    """
    new = to.with_name(to.name + ".new")
    try:
        # The name is taken first, and its file takes the place when it is whole.
        os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise Clash(f"{to} exists already", hint="name a file that does not") from None
    except OSError as error:
        raise UserError(
            f"cannot write {to}: {error.strerror}", hint="the daemon writes it, as its own user"
        ) from None
    try:
        new.unlink(missing_ok=True)  # one that a crash has left
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        keys = _fill(database, new, stopped)
        new.replace(to)
        flush(to.parent)
    except BaseException as error:
        for half in (to, new, new.with_name(new.name + "-journal")):
            half.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error | OSError):
            said = error.strerror if isinstance(error, OSError) else error
            raise UserError(f"cannot copy the database to {to}: {said}") from None
        raise
    return Copy(to.stat().st_size, keys)


def _fill(database: Path, to: Path, stopped: Callable[[], bool]) -> list[str]:
    def between(*_: int) -> None:
        if stopped():
            raise Overloaded("the daemon is stopping, and the copy with it", hint="make it anew")

    source = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    try:
        source.isolation_level = None
        source.execute("PRAGMA wal_autocheckpoint = 0")
        source.execute("BEGIN")
        source.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()  # from here on, this moment
        target = sqlite3.connect(to)
        try:
            source.backup(target, pages=_PAGES, progress=between, sleep=0)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, without a -wal beside it
            return sorted(sealed.keys_in_use(target))
        finally:
            target.close()
    finally:
        source.close()
