"""Making a database, and bringing an older one up to date."""

import sqlite3
from collections.abc import Iterator
from importlib import resources
from sqlite3 import Connection, DatabaseError, IntegrityError

from imsync.errors import UserError

_HERE = resources.files("imsync.store")


_OURS = {"integrations", "incidents", "links"}
"""Tables that every imsync's database has had, from the first on."""


class TooNew(UserError):
    """The database was made by a newer imsync."""

    code = "schema_too_new"


def migrations() -> list[tuple[int, str]]:
    """The numbered migrations: (the version that each leads to, its SQL), in order."""
    files = (_HERE / "migrations").iterdir()
    return sorted((int(f.name[:4]), f.read_text("utf-8")) for f in files if f.name.endswith(".sql"))


def latest() -> int:
    return migrations()[-1][0]


def version(conn: Connection) -> int:
    return int(conn.execute("PRAGMA user_version").fetchone()[0])


def upgrade(conn: Connection) -> None:
    """Make a new database from `schema.sql`; let an older one climb, each step whole or not at all.

    Raises TooNew, and DatabaseError for what is no database of imsync's.
    """
    must_be_known(conn)
    found = version(conn)
    if found == 0:
        run_script(conn, (_HERE / "schema.sql").read_text("utf-8"), to=latest())
        return
    for number, script in migrations():
        if number > found:
            run_script(conn, script, to=number)


def must_be_known(conn: Connection) -> None:
    """Raises TooNew, and DatabaseError for another program's database: nothing is put into it."""
    found = version(conn)
    rows = conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    tables = {name for (name,) in rows if not name.startswith("sqlite_")}
    if (found or tables) and not (found > 0 and tables >= _OURS):
        raise DatabaseError("it is no database of imsync's")
    if found > latest():
        raise TooNew(
            f"the database has schema {found}; this imsync knows {latest()}",
            hint="run the imsync that last used it, or a newer one",
        )


def check(conn: Connection) -> None:
    """Whether the file is whole, and nothing refers to what is not there.

    Raises DatabaseError. Reads all of the file once: a damaged page would be found later
    anyway, in the middle of somebody's edit.
    """
    (found,) = conn.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise DatabaseError(f"it is damaged: {found.splitlines()[-1]}")
    if broken := conn.execute("PRAGMA foreign_key_check").fetchone():
        table, row, parent, _ = broken
        raise DatabaseError(f"it is damaged: {table} {row} refers to what is not in {parent}")


def run_script(conn: Connection, script: str, *, to: int) -> None:
    """Run a script and note the version it leads to, all in one transaction.

    References are looked at once, at its end: a table that is made anew is dropped on the
    way, and would take along whatever refers to it. No transaction can switch them off.
    """
    (enforced,) = conn.execute("PRAGMA foreign_keys").fetchone()
    conn.execute("PRAGMA foreign_keys = OFF")
    try:
        _run(conn, script, to=to)
    finally:
        conn.execute(f"PRAGMA foreign_keys = {enforced}")


def _run(conn: Connection, script: str, *, to: int) -> None:
    conn.execute("BEGIN IMMEDIATE")
    try:
        for statement in _statements(script):
            conn.execute(statement)
        if broken := conn.execute("PRAGMA foreign_key_check").fetchall():
            table, row, parent, _ = broken[0]
            raise IntegrityError(f"{table} {row} refers to what is not in {parent}")
        conn.execute(f"PRAGMA user_version = {to}")
    except BaseException:
        conn.execute("ROLLBACK")
        raise
    conn.execute("COMMIT")


def _statements(script: str) -> Iterator[str]:
    """One by one: `executescript` would commit between them."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def sqlite_version() -> str:
    return sqlite3.sqlite_version
