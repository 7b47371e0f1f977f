"""A copy put back in the database's place: checked first, and what was there is kept beside it."""

import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from imsync.core.fields import Instant
from imsync.errors import UserError
from imsync.store import audit, schema
from imsync.store.audit import Asking, Change, Told
from imsync.store.folders import flush

_PARTS = ("", "-wal", "-shm")
"""A database and what a crash leaves beside it. The WAL of one mixed into another is damage."""

_TRAIL = 14
"""The schema from which on there is an audit trail."""


@dataclass(frozen=True, slots=True)
class Restored:
    incidents: int
    before: Path | None  # where the database is now that was there


def restore(
    database: Path,
    copy: Path,
    *,
    stamp: str,
    now: Instant,
    asking: Asking,
) -> Restored:
    """Put the copy in the place of a database that nobody uses. `stamp` names what was there.

    Its audit trail, which ends where it was made, goes on with a line that says so: who is
    `asking`, and where what came in between is. A copy from before there was one has none.

    What was there has its second name before its first is taken away, and the copy takes the
    place in one step: after a crash anywhere it can be done again. Raises schema.TooNew, and
    UserError for what is no whole database of imsync's, or where files cannot be written.
    """
    database = Path(os.path.realpath(database))  # a link to it goes on leading to it
    new = database.with_name(database.name + ".new")
    try:
        new.unlink(missing_ok=True)  # one that a crash has left
        before = database.with_name(f"{database.name}.{stamp}") if database.exists() else None
        kept = Change(None, None if before is None else str(before))
        told = Told(str(copy.absolute()), None, {"replaced": kept})
        found = _checked(copy, new, lambda conn: audit.append(conn, asking, told, now=now))
        if before is not None:
            _keep(database, before)
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


def _checked(copy: Path, new: Path, tell: Callable[[sqlite3.Connection], None]) -> int:
    """Copy it, see that it is whole, and say how many incidents there are in it.

    `tell`: what adds to its audit trail, if it has one.
    """
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
            if schema.version(target) >= _TRAIL:
                tell(target)
                target.commit()
        finally:
            target.close()
            source.close()
    except sqlite3.DatabaseError as error:
        raise UserError(f"{copy} cannot be restored: {error}", hint="try an older copy") from None
    return int(found)


def _keep(database: Path, before: Path) -> None:
    """Give what is there another name as well."""
    for part in _PARTS:
        old = database.with_name(database.name + part)
        if old.exists():
            os.link(old, before.with_name(before.name + part))
