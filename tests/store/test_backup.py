"""Copies while the database is in use; and a damaged one, which is refused."""

import sqlite3
from pathlib import Path

import pytest

from imsync.core.fields import Field
from imsync.errors import Clash, Overloaded, UserError
from imsync.store import backup, incidents, schema
from imsync.store.database import Database
from tests.store.rows import some_incidents


async def test_a_copy_is_of_one_moment_and_opens_as_a_database(tmp_path: Path) -> None:
    db, copy = await Database.open(tmp_path / "im.db"), tmp_path / "copy.db"
    await db.run(some_incidents, 3)
    made = backup.copy(tmp_path / "im.db", copy)
    await db.run(some_incidents, 1)
    await db.close()
    assert (copy.stat().st_size, copy.stat().st_mode & 0o777) == (made.bytes, 0o600)
    assert sorted(one.name for one in tmp_path.glob("copy*")) == ["copy.db"], "one file"
    restored = await Database.open(copy)
    found = await restored.read(incidents.page, limit=9)
    assert sorted(one[Field.TITLE] or "" for one in found) == ["title 0", "title 1", "title 2"]
    await restored.run(some_incidents, 1)
    await restored.close()


async def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    await (await Database.open(tmp_path / "im.db")).close()
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(Clash, match=r"copy\.db exists already"):
        backup.copy(tmp_path / "im.db", tmp_path / "copy.db")
    assert (tmp_path / "copy.db").read_text() == "mine"


async def test_where_nothing_can_be_written_is_said_and_nothing_half_is_left(
    tmp_path: Path,
) -> None:
    with pytest.raises(UserError, match=r"cannot write .*nowhere"):
        backup.copy(tmp_path / "im.db", tmp_path / "nowhere" / "copy.db")
    with pytest.raises(UserError, match="cannot copy"):
        backup.copy(tmp_path / "im.db", tmp_path / "copy.db")  # there is no database
    assert not (tmp_path / "copy.db").exists()


async def test_it_is_not_there_before_it_is_whole_and_may_be_stopped(tmp_path: Path) -> None:
    db = await Database.open(tmp_path / "im.db")
    await db.run(some_incidents, 20)
    seen: list[int] = []

    def stopped() -> bool:
        seen.append((tmp_path / "copy.db").stat().st_size)
        return True

    with pytest.raises(Overloaded, match="the copy with it"):
        backup.copy(tmp_path / "im.db", tmp_path / "copy.db", stopped=stopped)
    assert seen == [0]
    assert not list(tmp_path.glob("copy*"))
    await db.close()


async def test_what_a_crash_left_of_another_is_in_nobodys_way(tmp_path: Path) -> None:
    await (await Database.open(tmp_path / "im.db")).close()
    (tmp_path / "copy.db.new").write_text("half")
    (tmp_path / "copy.db.new-journal").write_text("half")
    made = backup.copy(tmp_path / "im.db", tmp_path / "copy.db")
    assert [one.name for one in tmp_path.glob("copy*")] == ["copy.db"]
    assert (tmp_path / "copy.db").stat().st_size == made.bytes


async def test_a_damaged_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "im.db"
    db = await Database.open(path)
    await db.run(some_incidents, 200)
    await db.close()
    whole = path.read_bytes()
    half = len(whole) // 8192 * 4096
    path.write_bytes(whole[:half] + b"\xff" * 8192 + whole[half + 8192 :])
    with pytest.raises(sqlite3.DatabaseError):
        await Database.open(path)


def test_a_reference_to_what_is_not_there_is_damage(conn: sqlite3.Connection) -> None:
    some_incidents(conn, 1)
    schema.check(conn)
    conn.execute("PRAGMA foreign_keys = OFF")
    conn.execute("DELETE FROM incidents")
    with pytest.raises(sqlite3.DatabaseError, match="refers to what is not in incidents"):
        schema.check(conn)
