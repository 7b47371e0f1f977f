"""A copy put back in the database's place: checked first, and what was there is kept beside it."""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from imsync.errors import UserError
from imsync.store import schema
from imsync.store.folders import flush

_PARTS = ("", "-wal", "-shm")
"""A database and what a crash leaves beside it. The WAL of one mixed into another is damage."""


@dataclass(frozen=True, slots=True)
class Restored:
    incidents: int
    before: Path | None  # where the database is now that was there


def restore(database: Path, copy: Path, *, stamp: str) -> Restored:
    """Put the copy in the place of a database that nobody uses. `stamp` names what was there.

    What was there has its second name before its first is taken away, and the copy takes the
    place in one step: after a crash anywhere it can be done again. Raises schema.TooNew, and
    UserError for what is no whole database of imsync's, or where files cannot be written.
    """
    database = Path(os.path.realpath(database))  # a link to it goes on leading to it
    new = database.with_name(database.name + ".new")
    try:
        new.unlink(missing_ok=True)  # one that a crash has left
        found = _checked(copy, new)
        before = _kept(database, database.with_name(f"{database.name}.{stamp}"))
        for part in _PARTS[1:]:
            database.with_name(database.name + part).unlink(missing_ok=True)
        new.replace(database)
        flush(database.parent)
    except OSError as error:
        raise UserError(
            f"cannot restore {copy} to {database}: {error.strerror}",
            hint="its folder must be there, and be yours to write to",
        ) from None
    finally:
        new.unlink(missing_ok=True)
    return Restored(found, before)


def _checked(copy: Path, new: Path) -> int:
    """Copy it, see that it is whole, and say how many incidents there are in it."""
    if not copy.is_file():
        raise UserError(f"there is no file {copy}", hint="name what `im backup` has made")
    try:
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        source = sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro", uri=True)
        target = sqlite3.connect(new)
        try:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")
            if schema.version(target) == 0:
                raise UserError(f"{copy} is no database of imsync's")
            schema.must_be_known(target)
            schema.check(target)
            (found,) = target.execute("SELECT COUNT(*) FROM incidents").fetchone()
        finally:
            target.close()
            source.close()
    except sqlite3.DatabaseError as error:
        raise UserError(f"{copy} cannot be restored: {error}", hint="try an older copy") from None
    return int(found)


def _kept(database: Path, before: Path) -> Path | None:
    """Give what is there another name as well; None where there is nothing."""
    if not database.exists():
        return None
    for part in _PARTS:
        old = database.with_name(database.name + part)
        if old.exists():
            os.link(old, before.with_name(before.name + part))
    return before
