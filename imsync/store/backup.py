"""A copy of the database while it is in use: consistent, whole, in one file."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from imsync.errors import Clash, UserError
from imsync.store import sealed


@dataclass(frozen=True, slots=True)
class Copy:
    bytes: int
    keys: list[str]  # the ids of those that its secrets are sealed with; they are not in it


def copy(database: Path, to: Path) -> Copy:
    """Copy the database as it is at this moment. Blocks: run it on a thread.

    A connection of its own reads one moment of the WAL, so nobody waits for it; it neither
    writes nor checkpoints. The copy is its owner's alone and is never half there. Raises
    Clash for a file that exists, UserError where it cannot be written.
    """
    try:
        os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        raise Clash(f"{to} exists already", hint="name a file that does not") from None
    except OSError as error:
        raise UserError(
            f"cannot write {to}: {error.strerror}", hint="the daemon writes it, as its own user"
        ) from None
    try:
        keys = _fill(database, to)
    except BaseException as error:
        to.unlink(missing_ok=True)
        if isinstance(error, sqlite3.Error):
            raise UserError(f"cannot copy the database to {to}: {error}") from None
        raise
    return Copy(to.stat().st_size, keys)


def _fill(database: Path, to: Path) -> list[str]:
    source = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)
    try:
        source.execute("PRAGMA wal_autocheckpoint = 0")
        target = sqlite3.connect(to)
        try:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, without a -wal beside it
            return sorted(sealed.keys_in_use(target))
        finally:
            target.close()
    finally:
        source.close()
