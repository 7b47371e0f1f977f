"""A copy put back: the whole of it, nothing of what was there, and that is not lost either."""

import os
import sqlite3
from pathlib import Path

import pytest

from imsync.api.caller import of_this_process
from imsync.core.fields import Field, Instant
from imsync.errors import UserError
from imsync.store import audit, backup, incidents, schema
from imsync.store.audit import Action, Change, Line
from imsync.store.database import Database
from imsync.store.restoring import Restored, restore
from tests.store.rows import some_incidents


async def a_copy(folder: Path, count: int) -> Path:
    """A copy of a database that has gone on since."""
    db = await Database.open(folder / "im.db")
    await db.run(some_incidents, count)
    backup.copy(folder / "im.db", folder / "copy.db")
    await db.run(some_incidents, 50)
    await db.close()
    return folder / "copy.db"


def put_back(database: Path, copy: Path, *, stamp: str) -> Restored:
    asking = of_this_process(Action.BACKUP_RESTORED)
    return restore(database, copy, stamp=stamp, now=Instant(77), asking=asking)


async def titles(path: Path) -> int:
    db = await Database.open(path)
    found = await db.read(incidents.page, limit=500)
    await db.close()
    return len([one[Field.TITLE] for one in found])


async def test_the_copy_stands_there_and_what_was_there_beside_it(tmp_path: Path) -> None:
    copy, database = await a_copy(tmp_path, 3), tmp_path / "im.db"
    found = put_back(database, copy, stamp="before")
    assert found == Restored(3, tmp_path / "im.db.before")
    assert database.stat().st_mode & 0o777 == 0o600
    assert await titles(database) == 3
    assert copy.exists()
    (tmp_path / "im.db.before").rename(database)
    assert await titles(database) == 53


async def test_nothing_of_a_wal_that_a_crash_left_gets_into_it(tmp_path: Path) -> None:
    copy, database = await a_copy(tmp_path, 3), tmp_path / "im.db"
    conn = sqlite3.connect(database)
    conn.execute("PRAGMA wal_autocheckpoint = 0")
    conn.execute("UPDATE incidents SET version = 77")
    conn.commit()
    wal = (tmp_path / "im.db-wal").read_bytes()
    assert wal
    put_back(database, copy, stamp="before")
    conn.close()
    assert not (tmp_path / "im.db-wal").exists()
    assert (tmp_path / "im.db.before-wal").read_bytes() == wal
    restored = sqlite3.connect(database)
    assert restored.execute("SELECT MAX(version) FROM incidents").fetchone()[0] < 77
    schema.check(restored)
    restored.close()


async def test_a_link_to_the_database_goes_on_leading_to_it(tmp_path: Path) -> None:
    copy, link = await a_copy(tmp_path, 3), tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "im.db")
    assert put_back(link, copy, stamp="before") == Restored(3, tmp_path / "im.db.before")
    assert link.is_symlink()
    assert await titles(tmp_path / "im.db") == 3


async def test_on_a_new_host_there_is_nothing_to_keep(tmp_path: Path) -> None:
    copy = await a_copy(tmp_path, 2)
    (tmp_path / "new").mkdir()
    assert put_back(tmp_path / "new" / "im.db", copy, stamp="x") == Restored(2, None)


@pytest.mark.parametrize("fails", ["link", "replace", "unlink"])
async def test_where_it_fails_everything_is_still_there_and_it_can_be_done_again(
    tmp_path: Path, fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy, database = await a_copy(tmp_path, 3), tmp_path / "im.db"
    (tmp_path / "im.db-wal").touch()
    real_unlink = Path.unlink

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    def fail_at_the_wal(path: Path, missing_ok: bool = False) -> None:
        fail() if path.name == "im.db-wal" else real_unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        if fails == "link":
            patch.setattr(os, "link", fail)
        elif fails == "replace":
            patch.setattr(Path, "replace", fail)
        else:
            patch.setattr(Path, "unlink", fail_at_the_wal)
        with pytest.raises(UserError, match="No space left"):
            put_back(database, copy, stamp="first")
    assert await titles(database) == 53
    assert put_back(database, copy, stamp="second").incidents == 3
    assert await titles(database) == 3


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        ("missing", "there is no file"),
        ("text", "cannot be restored"),
        ("empty", "is no database of imsync's"),
        ("foreign", "is no database of imsync's"),
        ("newer", "has schema 999"),
        ("damaged", "damaged"),
    ],
)
async def test_what_is_no_whole_copy_changes_nothing(
    tmp_path: Path, kind: str, complaint: str
) -> None:
    copy, database = await a_copy(tmp_path, 200), tmp_path / "im.db"
    spoil(copy, kind)
    with pytest.raises(UserError, match=complaint):
        put_back(database, copy, stamp="before")
    assert sorted(one.name for one in tmp_path.glob("im.db*") if one.suffix != ".key") == ["im.db"]
    assert await titles(database) == 250


def spoil(copy: Path, kind: str) -> None:
    whole = copy.read_bytes()
    copy.unlink()
    if kind == "text":
        copy.write_text("not a database, by any means" * 99)
    elif kind == "empty":
        copy.touch()
    elif kind == "foreign":
        conn = sqlite3.connect(copy)
        conn.execute("CREATE TABLE songs (title TEXT)")
        conn.close()
    elif kind == "newer":
        copy.write_bytes(whole)
        conn = sqlite3.connect(copy)
        conn.execute("PRAGMA user_version = 999")
        conn.close()
    elif kind == "damaged":
        half = len(whole) // 8192 * 4096
        copy.write_bytes(whole[:half] + b"\xff" * 8192 + whole[half + 8192 :])


# Its audit trail.


async def trail(path: Path) -> list[Line]:
    db = await Database.open(path)
    found = await db.read(audit.page, limit=10)
    await db.close()
    return found


async def test_the_trail_goes_on_with_who_put_it_back_and_where_the_rest_is(tmp_path: Path) -> None:
    copy, database = await a_copy(tmp_path, 1), tmp_path / "im.db"
    put_back(database, copy, stamp="before")
    (line,) = await trail(database)
    asking = of_this_process(Action.BACKUP_RESTORED)
    assert (line.at, line.asking) == (77, asking)
    assert (asking.action, asking.actor_id, asking.peer) == (
        *("backup.restored", f"uid:{os.getuid()}", "file"),
    )
    assert line.told.subject == str(copy)
    assert line.told.changes == {"replaced": Change(None, str(tmp_path / "im.db.before"))}
    assert await trail(copy) == [], "a copy stays as it was made"


async def test_a_copy_from_before_there_was_a_trail_is_put_back_all_the_same(
    tmp_path: Path,
) -> None:
    copy, database = await a_copy(tmp_path, 1), tmp_path / "im.db"
    old = sqlite3.connect(copy)
    old.execute("DROP TABLE audit")
    old.execute("PRAGMA user_version = 13")
    old.close()
    assert put_back(database, copy, stamp="before").incidents == 1
