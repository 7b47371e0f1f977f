"""A database of every earlier imsync, with something in each table, is brought up to date."""

import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from imsync.core.fields import Field
from imsync.errors import UserError
from imsync.store import (
    audit,
    conflicts,
    dead_letters,
    incidents,
    integrations,
    journal,
    links,
    schema,
    sealed,
)
from imsync.store import writes as own_writes
from imsync.store.database import Database

TOKEN, SECRET = "u+token-of-now", "secret-of-now"

BY_TABLE: Mapping[tuple[str, str], object] = {
    ("integrations", "id"): "int_1",
    ("integrations", "integration_type"): "pagerduty",
    ("integrations", "token"): TOKEN,
    ("webhook_secrets", "secret"): SECRET,
    ("tokens", "id"): "tok_1",
    ("links", "state"): "linked",
    ("inbox", "state"): "done",
    ("outbox", "state"): "pending",
    ("outbox", "what"): "title",
    ("writes", "state"): "done",
    ("subscriptions", "state"): "active",
    ("timeline", "kind"): "note",
    ("oncall_cache", "kind"): "schedule",
    ("conflicts", "status"): "resolved",
    ("dead_letters", "field"): "title",
    ("audit", "changes"): '[["name", "A", "B"]]',
}
BY_NAME: Mapping[str, object] = {
    "integration_id": "int_1",
    "sync_direction": "bidirectional",
    "conflict_strategy": "manual-review",
    "strategy": "manual-review",
    "import_open": "mapped",
    "owner": "external",
    "rule_owner": "external",
    "winner": "platform",
    "direction": "inbound",
    "map": "urgency",
    "way": "out",
    "scope": "read",
    "field": "title",
    "covered": "[]",
    **dict.fromkeys(("platform", "external", "before", "value"), '"x"'),
    **dict.fromkeys(("base_platform", "base_external"), '"x"'),
}
LEFT_OUT = {("timeline", "field"), ("outbox", "leased_until")}
"""What a row of that state or kind does not have."""

VALUES = {Field.SEVERITY: "SEV-2", Field.STATUS: "open"}


def fill(conn: sqlite3.Connection) -> dict[str, int]:
    """Put something into every table. How many rows each has then."""
    tables = [
        row["name"]
        for row in conn.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )
    ]
    for table in tables:
        for more in of_fields(table):
            columns = {
                row["name"]: more.get(row["name"], value(table, row["name"], row["type"]))
                for row in conn.execute(f"PRAGMA table_info({table})")
                if (table, row["name"]) not in LEFT_OUT
            }
            marks = ", ".join("?" * len(columns))
            insert = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"
            conn.execute(insert, list(columns.values()))
    return {table: count(conn, table) for table in tables}


def of_fields(table: str) -> Iterator[dict[str, object]]:
    """An incident and a link have a row for each field; of all else, one will do."""
    if table in ("incident_fields", "link_fields"):
        yield from ({"field": field, **plain(table, field)} for field in Field)
    else:
        yield {}


def plain(table: str, field: Field) -> dict[str, object]:
    return {"value": VALUES.get(field, "x")} if table == "incident_fields" else {}


def value(table: str, column: str, type_: str) -> object:
    if (table, column) in BY_TABLE:
        return BY_TABLE[table, column]
    if column in BY_NAME:
        return BY_NAME[column]
    return {"INTEGER": 1, "REAL": 1.0, "BLOB": b"{}"}.get(type_, "x")


def count(conn: sqlite3.Connection, table: str) -> int:
    return int(conn.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0])


@pytest.mark.parametrize("version", range(1, schema.latest() + 1))
async def test_whatever_was_in_it_is_in_it_still(tmp_path: Path, version: int) -> None:
    path = tmp_path / "im.db"
    old = sqlite3.connect(path, isolation_level=None)
    old.row_factory = sqlite3.Row
    for number, script in schema.migrations()[:version]:
        schema.run_script(old, script, to=number)
    old.execute("PRAGMA foreign_keys = OFF")  # what refers to what is not there yet
    before = fill(old)
    assert not old.execute("PRAGMA foreign_key_check").fetchall()
    old.close()

    db = await Database.open(path)
    try:
        await db.read(all_is_there, before)
    finally:
        await db.close()


def all_is_there(conn: sqlite3.Connection, before: Mapping[str, int]) -> None:
    schema.check(conn)
    assert schema.version(conn) == schema.latest()
    kept = {table: count(conn, table) for table in before}
    assert kept == dict(before)
    assert integrations.get(conn, "int_1").conflict_strategy == "manual-review"
    assert integrations.get(conn, "int_1").token == TOKEN
    assert integrations.secrets(conn, "int_1") == [SECRET]
    assert incidents.get(conn, 1)[Field.TITLE] == "x"
    assert links.get(conn, 1).state == "linked"
    assert all(state.base.platform == "x" for state in links.fields(conn, 1).values())
    (conflict,) = conflicts.page(conn, limit=9)
    assert (conflict.platform.value, conflict.winner) == ("x", "platform")
    assert journal.of_field(conn, 1, Field.TITLE)
    assert own_writes.of_link(conn, 1)
    assert dead_letters.count(conn, "int_1") == 1
    if "audit" in before:
        (line,) = audit.page(conn, limit=9)
        assert line.told.changes == {"name": audit.Change("A", "B")}


# What an earlier imsync, which kept secrets as they are, leaves in its files.

PLAIN = (TOKEN, SECRET, "u+token-of-then", "secret-of-then")


def left_by(path: Path, version: int) -> None:
    """A database as kill -9 leaves it: half in its WAL, with rows that were written over."""
    before = path.with_name("before.db")
    old = sqlite3.connect(before, isolation_level=None)
    old.row_factory = sqlite3.Row
    old.execute("PRAGMA journal_mode = WAL")
    old.execute("PRAGMA secure_delete = OFF")  # as it is where nobody has built it otherwise
    for number, script in schema.migrations()[:version]:
        schema.run_script(old, script, to=number)
    old.execute("PRAGMA foreign_keys = OFF")
    fill(old)
    old.execute("UPDATE integrations SET token = 'u+token-of-then'")
    insert = "INSERT INTO webhook_secrets (integration_id, secret, created_at) VALUES (?, ?, 1)"
    old.executemany(insert, [("int_1", f"secret-of-then-{number}") for number in range(300)])
    old.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    old.execute("UPDATE integrations SET token = ?", (TOKEN,))
    old.execute("DELETE FROM webhook_secrets")
    old.execute(insert, ("int_1", SECRET))
    for end in ("", "-wal"):
        shutil.copy(f"{before}{end}", f"{path}{end}")
    old.close()


def plain_in(folder: Path) -> set[str]:
    """What can be read in the database, its WAL and the rest, without any key."""
    bits = b"".join(one.read_bytes() for one in folder.glob("im.db*"))
    return {one for one in PLAIN if one.encode() in bits}


def test_the_schema_that_has_none_is_that_of_the_migration_which_says_so() -> None:
    folder = Path(schema.__file__).with_name("migrations")
    assert [int(one.name[:4]) for one in folder.glob("*_sealed.sql")] == [sealed.SINCE]


@pytest.mark.parametrize("version", range(1, sealed.SINCE))
async def test_of_the_secrets_that_stood_plain_no_trace_is_left(
    tmp_path: Path, version: int
) -> None:
    path = tmp_path / "im.db"
    left_by(path, version)
    assert plain_in(tmp_path) == set(PLAIN)
    db = await Database.open(path)
    try:
        running = plain_in(tmp_path)
        assert (await db.read(integrations.get, "int_1")).token == TOKEN
        assert await db.read(integrations.secrets, "int_1") == [SECRET]
    finally:
        await db.close()
    assert (running, plain_in(tmp_path)) == (set(), set())


async def test_nor_is_any_when_the_first_start_did_not_come_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "im.db"
    left_by(path, sealed.SINCE - 1)
    with monkeypatch.context() as patched:
        patched.setattr(sealed, "scrub", full)
        with pytest.raises(UserError, match="no room"):
            await Database.open(path)
    assert plain_in(tmp_path) != set()
    await (await Database.open(path)).close()
    assert plain_in(tmp_path) == set()


def full(conn: sqlite3.Connection) -> None:
    raise UserError("no room")


async def test_how_much_room_it_takes_is_said_where_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "im.db"
    left_by(path, sealed.SINCE - 1)
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("BEGIN")
    conn.execute("SELECT * FROM integrations").fetchall()  # as somebody who copies the file does
    other = sqlite3.connect(path, isolation_level=None)
    with pytest.raises(UserError, match="stays in the database: another program reads") as caught:
        sealed.scrub(other)
    assert "make room for twice its size, " in caught.value.hint
    other.close()
    conn.close()
