"""All that is sealed in a database: opened at the start, and resealed when the key changes."""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from imsync.errors import UserError
from imsync.store.keys import KeyFile, Source
from imsync.store.sealing import (
    Column,
    Key,
    Keyring,
    Unreadable,
    give,
    is_sealed,
    key_of,
    keyring,
)

log = logging.getLogger(__name__)

SINCE = 13
"""The first schema version whose databases hold no secret in the clear, nor traces of one."""


class SecretsLocked(UserError):
    """What is sealed in the database does not open with the keys that there are."""

    code = "secrets_locked"


@dataclass(frozen=True, slots=True)
class Held:
    """One secret as it stands in its row."""

    column: Column
    id: str  # of the integration, as is the slug
    slug: str
    text: str

    @property
    def key(self) -> str | None:
        """The id of the key that it is sealed with; None if it stands plain."""
        return key_of(self.text) if is_sealed(self.text) else None

    def opened(self, ring: Keyring) -> str:
        """The secret. Raises Unreadable."""
        if self.key is None:
            return self.text
        return ring.open(self.text, self.column, self.id)

    def opens(self, ring: Keyring) -> bool:
        """Whether it can be read, with these keys."""
        try:
            self.opened(ring)
        except Unreadable:
            return False
        return True


def held(conn: sqlite3.Connection) -> list[Held]:
    """Every secret there is."""
    rows = conn.execute(
        "SELECT :token AS column_, id, slug, token AS text"
        " FROM integrations WHERE token IS NOT NULL"
        " UNION ALL SELECT :secret, s.integration_id, i.slug, s.secret"
        " FROM webhook_secrets s JOIN integrations i ON i.id = s.integration_id",
        {"token": Column.TOKEN, "secret": Column.SECRET},
    )
    return [Held(Column(column), id_, slug, text) for column, id_, slug, text in rows]


# At the start.


def unlock(
    conn: sqlite3.Connection, source: Source, tell: "Tell | None" = None
) -> tuple[Keyring, bool]:
    """Give the connection its keys, and seal with the first whatever is not sealed with it yet.

    Returns the keys, and whether any secret was stored in the clear. Only the first start makes
    a key: without the right one nothing is touched. Keys that seal nothing any more are removed
    from their file. Where a key took the place of another, `tell` is told of it in the same
    transaction. Raises SecretsLocked, BadKey, and UserError where a key file cannot be written.
    """
    found, keys = held(conn), source.read()
    if not keys:
        if any(one.key is not None for one in found):
            raise _locked(found, keys, source)
        keys = [Key.new()]
        source.write(keys)  # on the disk before anything is sealed with it
    ring = Keyring(keys)
    if locked := stuck(found, ring):
        raise _locked(locked, keys, source)
    give(conn, ring)
    with transaction(conn):
        before = keys_in_use(conn) - {ring.first.id}
        anew = seal_anew(conn)
        if before and tell is not None:
            tell(conn, Rotated(ring.first.id, ", ".join(sorted(before)), anew))
    if anew:
        log.info("%d tokens and secrets are sealed with the key %s now", anew, ring.first.id)
    if found and len(keys) > 1:  # a crash came between, or a person has put a new one first
        old = ", ".join(key.id for key in keys[1:])
        if isinstance(source, KeyFile):
            source.write(keys[:1])
        log.info("nothing is sealed with the key %s any more: %s can do without", old, source.place)
    return ring, any(one.key is None for one in found)


def stuck(found: Iterable[Held], ring: Keyring) -> list[Held]:
    """Those that do not open with any of these keys."""
    return [one for one in found if not one.opens(ring)]


def _locked(locked: Sequence[Held], keys: Sequence[Key], source: Source) -> SecretsLocked:
    whose = ", ".join(sorted({one.slug for one in locked if one.key is not None}))
    there = {key.id for key in keys}
    wanted = sorted({one.key for one in locked if one.key is not None} - there - {""})
    what = f"the tokens and signing secrets of {whose}"
    if not wanted:
        return SecretsLocked(
            f"{what} do not open with their key: they were altered in the database",
            hint="put back a good copy of the database, or have them forgotten with"
            " `imsyncd --forget-secrets` and give them anew",
        )
    has = f"holds {', '.join(sorted(there))}" if keys else "is not there"
    return SecretsLocked(
        f"{what} are sealed with the key {', '.join(wanted)}; {source.place} {has}",
        hint="put back the copy that you keep of that key, in its file or in IMSYNC_KEY; if it is"
        " lost for good, `imsyncd --forget-secrets` forgets what it sealed, for you to give anew",
    )


def scrub(conn: sqlite3.Connection) -> None:
    """Get what was left of plain text out of the file and its WAL. Raises UserError.

    Rows that were deleted or overwritten stand in free pages until the whole is made anew.
    """
    try:
        conn.execute("VACUUM")
        (busy, _, _) = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise sqlite3.OperationalError("another program reads it")
    except sqlite3.DatabaseError as error:
        (pages,), (size,) = (
            conn.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "page_size")
        )
        raise UserError(
            f"what an earlier imsync left of tokens and secrets stays in the database: {error}",
            hint=f"make room for twice its size, {2 * pages * size // 1_000_000 + 1} MB, this once,"
            " and start imsyncd again",
        ) from None


@contextmanager
def transaction(conn: sqlite3.Connection) -> Iterator[None]:
    conn.execute("BEGIN IMMEDIATE")
    try:
        yield
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


# When the key changes.


@dataclass(frozen=True, slots=True)
class Rotated:
    key: str  # its id
    before: str
    sealed: int  # how many secrets are sealed anew


Tell = Callable[[sqlite3.Connection, Rotated], None]


def rotate(
    conn: sqlite3.Connection,
    source: Source,
    tell: Tell | None = None,
) -> Rotated:
    """Make a new key, and seal everything with it; `tell` of it in the same transaction.

    It is in its file, before those in use, when the first row is sealed with it. Raises
    UserError where the file cannot be written, and Clash where there is none.
    """
    ring, new = keyring(conn), Key.new()
    before = ring.first.id
    source.write([new, *needed(conn)])
    ring.put_first(new)
    done = Rotated(new.id, before, seal_anew(conn))
    if tell is not None:
        tell(conn, done)
    return done


def needed(conn: sqlite3.Connection) -> list[Key]:
    """The first key, and the others that something is still sealed with."""
    return keyring(conn).of(keys_in_use(conn))


def keys_in_use(conn: sqlite3.Connection) -> set[str]:
    """The ids of those that something is sealed with."""
    return {one.key for one in held(conn) if one.key is not None}


def seal_anew(conn: sqlite3.Connection) -> int:
    """Seal with the first key what is not yet; how many secrets that was. Raises Unreadable."""
    ring = keyring(conn)
    rest = [one for one in held(conn) if one.key != ring.first.id]
    for one in rest:
        sealed = ring.seal(one.opened(ring), one.column, one.id)
        conn.execute(_CHANGE[one.column], (sealed, one.id, one.text))
    return len(rest)


_CHANGE = {
    Column.TOKEN: "UPDATE integrations SET token = ? WHERE id = ? AND token = ?",
    Column.SECRET: "UPDATE webhook_secrets SET secret = ? WHERE integration_id = ? AND secret = ?",
}
